//! Editing the operator's trust file: which witnesses guard this log, and with which key it signs, from when on.
//!
//! What was sealed before a change must stay verifiable, so a policy is never taken back: the one in force ends where the next begins.
//! Only while nothing is sealed may it be replaced.

use std::fmt::Write as _;
use std::str::FromStr;

use client::{ServerUrl, ServerUrlError};
use evidence::{TrustError, TrustFile, TrustedLogs, UnixSeconds, Window};
use tlog::{KeyError, KeyName, Policy, PolicyError, SignedNote, VerifierKey};

/// The group of all witnesses in a policy that is written here.
const GROUP: &str = "all-witnesses";

/// One witness on the command line: `NAME,VKEY,URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessLine {
    name: String,
    vkey: VerifierKey,
    url: ServerUrl,
}

/// Why a text does not describe a witness.
#[derive(Debug, thiserror::Error)]
pub enum WitnessLineError {
    /// Parts are missing.
    #[error("A witness is written NAME,VKEY,URL.")]
    Parts,
    /// The name would not be one item of a policy line.
    #[error("The name {0:?} of a witness cannot be used: no spaces, and not empty.")]
    Name(String),
    /// The key.
    #[error("The key of the witness cannot be used. {0}")]
    Key(#[from] KeyError),
    /// The address.
    #[error("{0}")]
    Url(#[from] ServerUrlError),
}

impl FromStr for WitnessLine {
    type Err = WitnessLineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ',');
        let (Some(name), Some(vkey), Some(url)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(WitnessLineError::Parts);
        };
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(WitnessLineError::Name(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), vkey: vkey.parse()?, url: url.parse()? })
    }
}

/// Why the trust file is not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The result is no trust file.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The policy cannot be written.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// Fewer witnesses than the quorum asks for, or witnesses of whom none is needed.
    #[error(
        "{quorum} of {witnesses} witnesses is no quorum: name at least as many witnesses as must cosign, and at least one of them."
    )]
    Quorum {
        /// How many must cosign.
        quorum: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// The trust file says nothing about this log.
    #[error("The trust file has no policy for {0}.")]
    UnknownLog(KeyName),
    /// No policy is in force then.
    #[error("No policy for {origin} is in force at {from}.")]
    NotInForce {
        /// The log.
        origin: KeyName,
        /// When.
        from: UnixSeconds,
    },
    /// A policy that begins later is there already.
    #[error(
        "A policy of the trust file begins at {begins}, not before {from}: changes are made in the order in which they take effect."
    )]
    Planned {
        /// When it begins.
        begins: UnixSeconds,
        /// When the new one was to begin.
        from: UnixSeconds,
    },
    /// Something was sealed at that time or later; it would no longer verify.
    #[error(
        "Entries were sealed until {sealed}; a policy cannot change at {from}, or they would no longer verify."
    )]
    TooEarly {
        /// The newest time that is vouched for.
        sealed: UnixSeconds,
        /// When the change was to take effect.
        from: UnixSeconds,
    },
    /// The log was closed.
    #[error("The trust file says that {0} is closed.")]
    Closed(KeyName),
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing is sealed yet: there is nothing that the former policy would have to vouch for.
    Replace,
    /// At this time; nothing was sealed or cosigned at it or later.
    At(UnixSeconds),
}

impl Change {
    /// The change at `from`, or as soon as possible. `vouched` is the newest sealing or quorum time of the log.
    pub fn new(
        vouched: Option<UnixSeconds>,
        from: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<Self, EditError> {
        let Some(sealed) = vouched else { return Ok(Self::Replace) };
        let from = from.unwrap_or_else(|| now.max(UnixSeconds::new(sealed.get().saturating_add(1))));
        if from <= sealed {
            return Err(EditError::TooEarly { sealed, from });
        }
        Ok(Self::At(from))
    }
}

/// A policy of these witnesses, of whom `quorum` must cosign; of none with 0 and no witness.
pub fn policy_text(
    logs: &[VerifierKey],
    witnesses: &[WitnessLine],
    quorum: usize,
) -> Result<Policy, EditError> {
    let fits = if witnesses.is_empty() { quorum == 0 } else { (1..=witnesses.len()).contains(&quorum) };
    if !fits {
        return Err(EditError::Quorum { quorum, witnesses: witnesses.len() });
    }
    let mut text = String::new();
    for log in logs {
        let _ = writeln!(text, "log {log}");
    }
    for witness in witnesses {
        let _ = writeln!(text, "witness {} {} {}", witness.name, witness.vkey, witness.url);
    }
    if witnesses.is_empty() {
        text.push_str("quorum none\n");
    } else {
        let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
        let _ = writeln!(text, "group {GROUP} {quorum} {}\nquorum {GROUP}", names.join(" "));
    }
    Ok(Policy::parse(text.as_bytes())?)
}

/// The trust file in which other witnesses guard `origin`.
pub fn with_witnesses(
    trust: &TrustFile,
    origin: &KeyName,
    witnesses: &[WitnessLine],
    quorum: usize,
    change: Change,
) -> Result<TrustFile, EditError> {
    edit(trust, origin, change, |policy| {
        let keys: Vec<VerifierKey> = policy.logs().iter().map(|log| log.key().clone()).collect();
        policy_text(&keys, witnesses, quorum)
    })
}

/// The trust file in which `new` signs for the log whose name it has, in place of its former keys.
pub fn with_log_key(trust: &TrustFile, new: &VerifierKey, change: Change) -> Result<TrustFile, EditError> {
    let origin = new.name();
    edit(trust, origin, change, |policy| {
        let mut text = String::new();
        let mut written = false;
        for line in String::from_utf8_lossy(policy.source()).lines() {
            let mut items = line.split_ascii_whitespace();
            let key = (items.next() == Some("log")).then(|| items.next()).flatten();
            let ours = key.and_then(|key| key.parse::<VerifierKey>().ok()).filter(|key| key.name() == origin);
            match (ours, written) {
                (None, _) => {
                    let _ = writeln!(text, "{line}");
                }
                (Some(_), false) => {
                    written = true;
                    let url = items.next().map(|url| format!(" {url}")).unwrap_or_default();
                    let _ = writeln!(text, "log {new}{url}");
                }
                // The former key of an unfinished rotation.
                (Some(_), true) => {}
            }
        }
        Ok(Policy::parse(text.as_bytes())?)
    })
}

fn is_of(logs: &TrustedLogs, origin: &KeyName) -> bool {
    logs.policy.logs().iter().any(|log| log.key().name() == origin)
}

fn edit(
    trust: &TrustFile,
    origin: &KeyName,
    change: Change,
    next: impl FnOnce(&Policy) -> Result<Policy, EditError>,
) -> Result<TrustFile, EditError> {
    let (ours, mut others): (Vec<TrustedLogs>, Vec<TrustedLogs>) =
        trust.logs().iter().cloned().partition(|logs| is_of(logs, origin));
    let newest = ours.last().ok_or_else(|| EditError::UnknownLog(origin.clone()))?;
    if ours.iter().any(|logs| logs.closed.is_some()) {
        return Err(EditError::Closed(origin.clone()));
    }
    let mut logs = Vec::new();
    match change {
        Change::Replace => {
            let policy = next(&newest.policy)?;
            logs.push(TrustedLogs { policy, window: Window::default(), closed: None });
        }
        Change::At(from) => {
            if let Some(begins) =
                ours.iter().filter_map(|logs| logs.window.from).find(|begins| *begins >= from)
            {
                return Err(EditError::Planned { begins, from });
            }
            let current = ours.iter().rev().find(|logs| logs.window.contains(from));
            let current =
                current.ok_or_else(|| EditError::NotInForce { origin: origin.clone(), from })?.clone();
            for mut former in ours {
                if former.window.contains(from) {
                    former.window.until = Some(from);
                }
                logs.push(former);
            }
            let window = Window { from: Some(from), until: current.window.until };
            logs.push(TrustedLogs { policy: next(&current.policy)?, window, closed: None });
        }
    }
    logs.append(&mut others);
    let registrars: Vec<(VerifierKey, Window)> =
        trust.registrars().iter().map(|registrar| (registrar.vkey.clone(), registrar.window)).collect();
    Ok(TrustFile::compose(trust.operator().clone(), &logs, &registrars)?)
}

/// The newest time at which a policy of `trust` was needed for the log's archived checkpoint `note`: the latest of its quorum times.
pub fn newest_quorum_time(trust: &TrustFile, note: &[u8]) -> Option<UnixSeconds> {
    let note = SignedNote::parse(note).ok()?;
    let times = trust.logs().iter().filter_map(|logs| {
        let verified = logs.policy.verify_checkpoint(&note).ok()?;
        logs.policy.quorum_time(&verified)
    });
    times.max().map(UnixSeconds::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::generate;
    use evidence::Operator;
    use tlog::{KeyAlgorithm, SigningKey};

    const ORIGIN: &str = "example.test/log";

    fn witness(name: &str) -> WitnessLine {
        let name_of_key = KeyName::new(format!("{name}.test")).unwrap();
        let key = SigningKey::from_seed(
            name_of_key,
            KeyAlgorithm::CosignatureV1,
            &[u8::try_from(name.len()).unwrap(); 32],
        )
        .unwrap();
        format!("{name},{},https://{name}.test/", key.verifier_key()).parse().unwrap()
    }

    fn trust(key: &VerifierKey) -> TrustFile {
        let logs = TrustedLogs {
            policy: policy_text(std::slice::from_ref(key), &[], 0).unwrap(),
            window: Window::default(),
            closed: None,
        };
        let registrar = generate("registrar.test").unwrap();
        let registrars =
            [(registrar.verifier_key().clone(), Window { from: Some(UnixSeconds::new(5)), until: None })];
        let operator = Operator { name: "Test".to_owned(), url: None };
        TrustFile::compose(operator, &[logs], &registrars).unwrap()
    }

    fn seconds(seconds: u64) -> UnixSeconds {
        UnixSeconds::new(seconds)
    }

    #[test]
    fn a_witness_over_plain_http_or_without_an_address_is_refused() {
        let good = witness("w");
        assert!(matches!("w".parse::<WitnessLine>(), Err(WitnessLineError::Parts)));
        assert!(matches!(format!("w,{}", good.vkey).parse::<WitnessLine>(), Err(WitnessLineError::Parts)));
        let plain = format!("w,{},http://witness.test/", good.vkey);
        assert!(matches!(plain.parse::<WitnessLine>(), Err(WitnessLineError::Url(_))));
        let spaced = format!("w x,{},https://witness.test/", good.vkey);
        assert!(matches!(spaced.parse::<WitnessLine>(), Err(WitnessLineError::Name(_))));
        // A log's key cannot cosign.
        let log = generate(ORIGIN).unwrap().verifier_key().clone();
        let of_a_log: WitnessLine = format!("w,{log},https://witness.test").parse().unwrap();
        assert!(matches!(policy_text(&[log], &[of_a_log], 1), Err(EditError::Policy(_))));
    }

    #[test]
    fn a_quorum_that_cannot_be_met_or_guards_nothing_is_refused() {
        let key = generate(ORIGIN).unwrap().verifier_key().clone();
        let both = [witness("a"), witness("bb")];
        for (witnesses, quorum) in [(&both[..], 0), (&both[..], 3), (&both[..0], 1)] {
            let refused = policy_text(std::slice::from_ref(&key), witnesses, quorum);
            assert!(matches!(refused, Err(EditError::Quorum { .. })), "{quorum}");
        }
        let policy = policy_text(&[key], &both, 2).unwrap();
        assert_eq!(policy.witnesses()[0].url(), Some(&b"https://a.test"[..]));
        assert!(!policy.is_quorum_none());
    }

    #[test]
    fn what_was_sealed_keeps_its_policy() {
        let key = generate(ORIGIN).unwrap().verifier_key().clone();
        let first = trust(&key);
        let origin = key.name();
        let change = Change::new(Some(seconds(100)), Some(seconds(200)), seconds(150)).unwrap();
        let second = with_witnesses(&first, origin, &[witness("a")], 1, change).unwrap();
        let [old, new] = second.logs() else { panic!() };
        assert_eq!(old.policy, first.logs()[0].policy);
        assert_eq!(old.window, Window { from: None, until: Some(seconds(200)) });
        assert_eq!(new.window, Window { from: Some(seconds(200)), until: None });
        assert_eq!(new.policy.witnesses().len(), 1);
        assert_eq!(second.registrars(), first.registrars());

        // A second change continues from the second policy; none is made before it.
        let early = with_witnesses(&second, origin, &[], 0, Change::At(seconds(200)));
        assert!(matches!(early, Err(EditError::Planned { .. })));
        let rotated = generate(ORIGIN).unwrap().verifier_key().clone();
        let third = with_log_key(&second, &rotated, Change::At(seconds(300))).unwrap();
        assert_eq!(third.logs()[2].policy.logs()[0].key(), &rotated);
        assert_eq!(third.logs()[2].policy.witnesses(), new.policy.witnesses());
        assert_eq!(third.logs()[1].policy.logs()[0].key(), &key);
        assert_eq!(crate::keys::trusted_log_keys(&third, ORIGIN), [key, rotated]);
    }

    #[test]
    fn a_change_before_what_is_vouched_for_is_refused() {
        let now = seconds(150);
        for from in [1, 99, 100] {
            let refused = Change::new(Some(seconds(100)), Some(seconds(from)), now);
            assert!(matches!(refused, Err(EditError::TooEarly { .. })), "{from}");
        }
        assert_eq!(Change::new(Some(seconds(100)), None, now).unwrap(), Change::At(now));
        // Cosigned by a clock ahead of ours.
        assert_eq!(Change::new(Some(seconds(200)), None, now).unwrap(), Change::At(seconds(201)));
        assert_eq!(Change::new(None, Some(seconds(1)), now).unwrap(), Change::Replace);
    }

    #[test]
    fn an_empty_log_gets_its_policy_replaced_and_strangers_stay() {
        let key = generate(ORIGIN).unwrap().verifier_key().clone();
        let neighbour = generate("neighbour.test/log").unwrap().verifier_key().clone();
        let first = trust(&key);
        let mut logs = first.logs().to_vec();
        logs.push(TrustedLogs {
            policy: policy_text(&[neighbour], &[], 0).unwrap(),
            window: Window::default(),
            closed: None,
        });
        let registrars: Vec<_> = first.registrars().iter().map(|r| (r.vkey.clone(), r.window)).collect();
        let both = TrustFile::compose(first.operator().clone(), &logs, &registrars).unwrap();
        let edited = with_witnesses(&both, key.name(), &[witness("a")], 1, Change::Replace).unwrap();
        assert_eq!(edited.logs().len(), 2);
        assert_eq!(edited.logs()[0].window, Window::default());
        assert_eq!(edited.logs()[1], logs[1]);
        let unknown = KeyName::new("unknown.test").unwrap();
        let refused = with_witnesses(&both, &unknown, &[], 0, Change::Replace);
        assert!(matches!(refused, Err(EditError::UnknownLog(_))));
    }
}
