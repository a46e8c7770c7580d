//! The policies under which this log publishes: which of the trust file are in force, whom they ask, and whether a checkpoint
//! satisfies one.
//!
//! A policy is in force while its window of validity contains the present; what it vouches for, it vouches for by the time at which
//! its quorum had cosigned (`docs/spec/verdict.md`), so that time must lie in the window too. A closed log is not continued.

use evidence::{TrustFile, TrustedLogs, UnixSeconds};
use tlog::{Policy, PolicyWitness, Quorum, QuorumRule, SignedNote, VerifierKey};

use crate::keys::trusted_log_keys;

/// The policies of a trust file that name a key of one log.
#[derive(Debug, Clone)]
pub struct Policies {
    origin: String,
    open: Vec<TrustedLogs>,
    /// Of all policies, also of those that are over: what was signed stays signed.
    keys: Vec<VerifierKey>,
}

/// A checkpoint that may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Satisfied {
    /// When the quorum had cosigned; `None` with `quorum none`, which proves no time.
    pub quorum_time: Option<UnixSeconds>,
}

impl Policies {
    /// The policies of `trust` for the log with this origin.
    pub fn of(trust: &TrustFile, origin: &str) -> Self {
        let names = |logs: &&TrustedLogs| {
            logs.closed.is_none() && logs.policy.logs().iter().any(|log| log.key().name().as_str() == origin)
        };
        let open = trust.logs().iter().filter(names).cloned().collect();
        Self { origin: origin.to_owned(), open, keys: trusted_log_keys(trust, origin) }
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Every key that may ever have signed for this log.
    pub fn log_keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// The policies in force at `now`.
    pub fn in_force(&self, now: UnixSeconds) -> impl Iterator<Item = &TrustedLogs> {
        self.open.iter().filter(move |logs| logs.window.contains(now))
    }

    /// The witnesses of all policies, each key once; also of those that are not in force.
    pub fn witnesses(&self) -> Vec<&PolicyWitness> {
        distinct(self.open.iter())
    }

    /// The witnesses of the policies in force, each key once, in the order of the trust file.
    pub fn asked(&self, now: UnixSeconds) -> Vec<&PolicyWitness> {
        distinct(self.in_force(now))
    }

    /// Whether every policy in force asks for no witness.
    pub fn is_quorum_none(&self, now: UnixSeconds) -> bool {
        self.in_force(now).all(|logs| logs.policy.is_quorum_none())
    }

    /// Whether it is known from witnesses what time it is, if it is about `now`: unless the policies in force ask for none. Where no
    /// policy is in force, the clock may be wrong.
    pub fn tell_time(&self, now: UnixSeconds) -> bool {
        self.in_force(now).next().is_none() || !self.is_quorum_none(now)
    }

    /// Whether a checkpoint may be published at `now`: it satisfies a policy in force, at a time that lies in its window. Of several,
    /// the earliest time counts, because that is what it proves.
    pub fn satisfied(&self, note: &SignedNote, now: UnixSeconds) -> Option<Satisfied> {
        let times = self.in_force(now).filter_map(|logs| {
            let verified = logs.policy.verify_checkpoint(note).ok()?;
            if logs.policy.is_quorum_none() {
                return Some(None);
            }
            let time = UnixSeconds::new(logs.policy.quorum_time(&verified)?);
            logs.window.contains(time).then_some(Some(time))
        });
        // `None` sorts first, and "no time" is what remains when only `quorum none` is satisfied.
        let times: Vec<Option<UnixSeconds>> = times.collect();
        let earliest = times.iter().flatten().min().copied();
        (!times.is_empty()).then_some(Satisfied { quorum_time: earliest })
    }

    /// When a quorum of any policy had cosigned `note`, whenever that policy was in force.
    pub fn quorum_time(&self, note: &SignedNote) -> Option<UnixSeconds> {
        let times = self.open.iter().filter_map(|logs| {
            let verified = logs.policy.verify_checkpoint(note).ok()?;
            logs.policy.quorum_time(&verified)
        });
        times.min().map(UnixSeconds::new)
    }

    /// Whether the witnesses of whom `silent` is true could have cosigned a tree by themselves that nobody else knows of, under
    /// any policy in force. Where no policy is in force, nothing is known, and they could.
    pub fn could_hide_a_tree(&self, now: UnixSeconds, silent: &dyn Fn(&VerifierKey) -> bool) -> bool {
        let mut in_force = self.in_force(now).peekable();
        in_force.peek().is_none() || in_force.any(|logs| is_quorum(&logs.policy, silent))
    }
}

fn distinct<'a>(policies: impl Iterator<Item = &'a TrustedLogs>) -> Vec<&'a PolicyWitness> {
    let mut witnesses: Vec<&PolicyWitness> = Vec::new();
    for witness in policies.flat_map(|logs| logs.policy.witnesses()) {
        if !witnesses.iter().any(|known| known.key() == witness.key()) {
            witnesses.push(witness);
        }
    }
    witnesses
}

/// Whether the witnesses of whom `has` is true form a quorum; never with `quorum none`, where no witness decides anything.
fn is_quorum(policy: &Policy, has: &dyn Fn(&VerifierKey) -> bool) -> bool {
    fn met(policy: &Policy, rule: &QuorumRule, has: &dyn Fn(&VerifierKey) -> bool) -> bool {
        match rule {
            QuorumRule::Witness(name) => {
                policy.witnesses().iter().any(|witness| witness.name() == name && has(witness.key()))
            }
            QuorumRule::Group { threshold, members, .. } => {
                members.iter().filter(|member| met(policy, member, has)).count() >= *threshold
            }
        }
    }
    match policy.quorum() {
        Quorum::None => false,
        Quorum::Rule(rule) => met(policy, rule, has),
    }
}

#[cfg(test)]
mod tests {
    use evidence::{Operator, Window};
    use tlog::{Checkpoint, KeyAlgorithm, KeyName, SigningKey, TreeHead, TreeSize, cosignature};

    use super::*;

    const ORIGIN: &str = "test.example/log";

    fn key(name: &str, algorithm: KeyAlgorithm, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
    }

    fn log(seed: u8) -> SigningKey {
        key(ORIGIN, KeyAlgorithm::Ed25519, seed)
    }

    fn witness(seed: u8) -> SigningKey {
        key(&format!("w{seed}"), KeyAlgorithm::CosignatureV1, seed)
    }

    fn policy(log: &SigningKey, witnesses: &[u8], quorum: u8, window: (u64, u64)) -> TrustedLogs {
        let mut text = format!("log {}\n", log.verifier_key());
        let names: Vec<String> = witnesses.iter().map(|seed| format!("w{seed}")).collect();
        for seed in witnesses {
            text += &format!("witness w{seed} {}\n", witness(*seed).verifier_key());
        }
        text += &match quorum {
            0 => "quorum none\n".to_owned(),
            _ => format!("group g {quorum} {}\nquorum g\n", names.join(" ")),
        };
        let window = Window {
            from: Some(UnixSeconds::new(window.0)),
            until: (window.1 > 0).then(|| UnixSeconds::new(window.1)),
        };
        TrustedLogs { policy: Policy::parse(text.as_bytes()).unwrap(), window, closed: None }
    }

    fn policies(logs: &[TrustedLogs]) -> Policies {
        let operator = Operator { name: "Test".to_owned(), url: None };
        let registrar = key("registrar", KeyAlgorithm::Ed25519, 99);
        let registrars = [(registrar.verifier_key().clone(), Window::default())];
        Policies::of(&TrustFile::compose(operator, logs, &registrars).unwrap(), ORIGIN)
    }

    fn note(log: &SigningKey, cosigned: &[(u8, u64)]) -> SignedNote {
        let head = TreeHead { size: TreeSize::new(1), root: tlog::leaf_hash(b"1") };
        let mut note = Checkpoint::new(ORIGIN, head).unwrap().sign(log).unwrap();
        for (seed, time) in cosigned {
            let signature = cosignature::sign(&witness(*seed), *time, note.text()).unwrap();
            note = note.with_signature(&signature).unwrap();
        }
        note
    }

    const fn at(time: u64) -> UnixSeconds {
        UnixSeconds::new(time)
    }

    #[test]
    fn a_policy_that_is_over_or_not_yet_in_force_publishes_nothing() {
        let (old, new) = (log(1), log(2));
        let all = policies(&[policy(&old, &[3, 4, 5], 2, (0, 1000)), policy(&new, &[4, 5, 6], 2, (1000, 0))]);
        let names = |now| all.asked(at(now)).iter().map(|w| w.name().to_string()).collect::<Vec<_>>();
        assert_eq!(names(999), ["w3", "w4", "w5"]);
        assert_eq!(names(1000), ["w4", "w5", "w6"]);
        let before = note(&old, &[(4, 990), (5, 995)]);
        assert_eq!(all.satisfied(&before, at(999)), Some(Satisfied { quorum_time: Some(at(995)) }));
        // The same note a second later; the old key's quorum at the new time; the new policy's quorum at the old time.
        assert_eq!(all.satisfied(&before, at(1000)), None);
        assert_eq!(all.satisfied(&note(&old, &[(4, 990), (5, 1000)]), at(999)), None);
        assert_eq!(all.satisfied(&note(&new, &[(4, 990), (5, 995)]), at(1000)), None);
        assert!(all.satisfied(&note(&new, &[(4, 990), (5, 1000)]), at(1001)).is_some());
        assert_eq!(all.log_keys().len(), 2);
    }

    #[test]
    fn a_closed_log_and_another_log_are_not_continued() {
        let mut closed = policy(&log(1), &[3], 1, (0, 0));
        closed.closed = Some(TreeHead { size: TreeSize::new(1), root: tlog::leaf_hash(b"1") });
        let all = policies(&[closed, policy(&key("other", KeyAlgorithm::Ed25519, 7), &[4], 1, (0, 0))]);
        assert_eq!(all.in_force(at(5)).count(), 0);
        assert!(all.could_hide_a_tree(at(5), &|_| false), "nobody was asked");
    }

    #[test]
    fn who_stays_silent_must_not_be_a_quorum() {
        let all = policies(&[policy(&log(1), &[3, 4, 5], 2, (0, 0))]);
        let silent = |seeds: &'static [u8]| {
            move |asked: &VerifierKey| seeds.iter().any(|seed| witness(*seed).verifier_key() == asked)
        };
        assert!(!all.could_hide_a_tree(at(5), &silent(&[])));
        assert!(!all.could_hide_a_tree(at(5), &silent(&[4])));
        assert!(all.could_hide_a_tree(at(5), &silent(&[3, 5])));
        let none = policies(&[policy(&log(1), &[], 0, (0, 0))]);
        assert!(!none.could_hide_a_tree(at(5), &silent(&[3, 4, 5])));
        assert!(none.is_quorum_none(at(5)) && !all.is_quorum_none(at(5)));
        assert_eq!(none.satisfied(&note(&log(1), &[]), at(5)), Some(Satisfied { quorum_time: None }));
    }
}
