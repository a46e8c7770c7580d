//! Who guards the chains of a trust file, for the page to say it in words.

use evidence::{TrustFile, TrustedLogs, UnixSeconds};
use protocol::chain::{Guard, Rule, Witness};
use tlog::{PolicyName, PolicyWitness, Quorum, QuorumRule};

/// The policies of `trust`, in its order.
pub fn guards(trust: &TrustFile) -> Vec<Guard> {
    trust.logs().iter().map(guard).collect()
}

fn guard(logs: &TrustedLogs) -> Guard {
    Guard {
        logs: logs.policy.logs().iter().map(|log| log.key().to_string()).collect(),
        witnesses: logs.policy.witnesses().iter().map(witness).collect(),
        quorum: match logs.policy.quorum() {
            Quorum::None => None,
            Quorum::Rule(rule) => Some(self::rule(rule)),
        },
        from: logs.window.from.map(UnixSeconds::get),
        until: logs.window.until.map(UnixSeconds::get),
    }
}

fn witness(witness: &PolicyWitness) -> Witness {
    Witness {
        name: name(witness.name()),
        vkey: witness.key().to_string(),
        url: witness.url().map(|url| String::from_utf8_lossy(url).into_owned()),
    }
}

/// No deeper than a policy has groups.
fn rule(rule: &QuorumRule) -> Rule {
    match rule {
        QuorumRule::Witness(witness) => Rule::Witness(name(witness)),
        QuorumRule::Group { threshold, members, .. } => Rule::Group {
            threshold: u32::try_from(*threshold).unwrap_or(u32::MAX),
            members: members.iter().map(self::rule).collect(),
        },
    }
}

/// Names are opaque octets to a policy; people read them.
fn name(name: &PolicyName) -> String {
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}
