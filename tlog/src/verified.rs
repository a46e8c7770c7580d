//! What a policy makes of a checkpoint: the only place where a [`VerifiedCheckpoint`] comes from.
//! C2SP `tlog-policy`, and steps 2 and 3 of "Verifying a tlog proof" in C2SP `tlog-proof`, both at commit
//! `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.

use crate::checkpoint::{Checkpoint, CheckpointParseError};
use crate::key::VerifierKey;
use crate::note::{NoteError, SignedNote};
use crate::policy::{Policy, PolicyName, Quorum};
use crate::tree::TreeHead;

/// A checkpoint signed by a log of a policy and cosigned by the policy's quorum. Keeps the note it was read from, so that it can
/// be shown to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    signed: LogSignedCheckpoint,
    cosignatures: Vec<Cosignature>,
}

/// A checkpoint that a log of a policy has signed. Nobody else need have seen it: enough to hold the log to its word, too
/// little to rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSignedCheckpoint {
    note: SignedNote,
    checkpoint: Checkpoint,
    log_key: VerifierKey,
}

/// A checkpoint that a log and one witness of a policy have signed, whether that is a quorum or not: what a witness's
/// monitoring path answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedCheckpoint {
    signed: LogSignedCheckpoint,
    cosignature: Cosignature,
}

/// A verified cosignature by a witness of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    witness: PolicyName,
    key: VerifierKey,
    timestamp: u64,
}

/// Why a checkpoint does not satisfy a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text is not a checkpoint.
    #[error("The note is not a checkpoint. {0}")]
    Body(#[from] CheckpointParseError),
    /// The policy lists no log with this origin.
    #[error("The policy knows no log with the origin {origin:?}.")]
    UnknownLog {
        /// The origin stated.
        origin: String,
    },
    /// The log is known but has not signed.
    #[error("The checkpoint carries no signature by the known log {origin:?}.")]
    MissingLogSignature {
        /// The origin stated.
        origin: String,
    },
    /// The log's signature is forged or damaged.
    #[error("The log's signature on the checkpoint is not valid. {0}")]
    LogSignature(#[source] NoteError),
    /// A known witness's cosignature is forged or damaged.
    #[error("A witness's cosignature on the checkpoint is not valid. {0}")]
    WitnessSignature(#[source] NoteError),
    /// The cosignatures are valid but too few.
    #[error("The checkpoint carries {found} valid cosignatures, which are no quorum of the policy.")]
    NoQuorum {
        /// Valid cosignatures by witnesses of the policy.
        found: usize,
    },
    /// The witness in question has not cosigned, or the policy does not know it.
    #[error("The checkpoint carries no cosignature by the witness {witness}.")]
    MissingCosignature {
        /// The witness's name in the policy.
        witness: PolicyName,
    },
}

impl LogSignedCheckpoint {
    /// The size and root that the log has signed.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head()
    }

    /// The origin, which is the name of the log's key.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// The key of the policy that signed as the log; of several, that of the first line.
    pub fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    /// The body. Its extension lines are signed by the log, but witnesses say nothing about them.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, as received, with all its lines.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }
}

impl VerifiedCheckpoint {
    /// The size and root that log and quorum vouch for.
    pub fn head(&self) -> TreeHead {
        self.signed.head()
    }

    /// The origin, which is the name of the log's key.
    pub fn origin(&self) -> &str {
        self.signed.origin()
    }

    /// The key of the policy that signed as the log; of several, that of the first line.
    pub fn log_key(&self) -> &VerifierKey {
        self.signed.log_key()
    }

    /// The cosignatures by witnesses of the policy, in the order of the note; empty possibly with `quorum none`.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The body. Its extension lines are signed by the log, but witnesses say nothing about them.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }

    /// The note, as received, with all its lines.
    pub fn note(&self) -> &SignedNote {
        self.signed.note()
    }

    /// The same without what the witnesses say.
    pub fn log_signed(&self) -> &LogSignedCheckpoint {
        &self.signed
    }
}

impl WitnessedCheckpoint {
    /// What the log has signed.
    pub fn log_signed(&self) -> &LogSignedCheckpoint {
        &self.signed
    }

    /// The witness's cosignature.
    pub fn cosignature(&self) -> &Cosignature {
        &self.cosignature
    }
}

impl Cosignature {
    /// The witness's name in the policy.
    pub fn witness(&self) -> &PolicyName {
        &self.witness
    }

    /// The witness's key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// When the witness cosigned, in seconds since 1970.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }
}

impl Policy {
    /// Verifies a checkpoint: signed by a listed log whose key's name is the origin, every signature by that log or
    /// a listed witness valid, and the quorum reached. Unknown signatures are ignored.
    pub fn verify_checkpoint(&self, note: &SignedNote) -> Result<VerifiedCheckpoint, CheckpointError> {
        let signed = self.verify_log_signature(note)?;
        let cosignatures = self.verify_cosignatures(note)?;
        let found = cosignatures.len();
        let verified = VerifiedCheckpoint { signed, cosignatures };
        if !self.is_quorum_none() && self.quorum_time(&verified).is_none() {
            return Err(CheckpointError::NoQuorum { found });
        }
        Ok(verified)
    }

    /// Verifies that a listed log has signed a checkpoint, and says nothing about witnesses: two such checkpoints that
    /// contradict each other convict the log.
    pub fn verify_log_signature(&self, note: &SignedNote) -> Result<LogSignedCheckpoint, CheckpointError> {
        let checkpoint = Checkpoint::unverified(note)?;
        let log_key = self.verify_log(note, checkpoint.origin())?;
        Ok(LogSignedCheckpoint { note: note.clone(), checkpoint, log_key })
    }

    /// Verifies that a listed log has signed a checkpoint and that `witness` has cosigned it, whatever the quorum asks for. As in
    /// [`Self::verify_checkpoint`], a bad line of any listed key refuses the note.
    pub fn verify_witness(
        &self,
        note: &SignedNote,
        witness: &PolicyName,
    ) -> Result<WitnessedCheckpoint, CheckpointError> {
        let signed = self.verify_log_signature(note)?;
        let cosignatures = self.verify_cosignatures(note)?;
        let cosignature = cosignatures.into_iter().find(|one| one.witness == *witness);
        let missing = || CheckpointError::MissingCosignature { witness: witness.clone() };
        Ok(WitnessedCheckpoint { signed, cosignature: cosignature.ok_or_else(missing)? })
    }

    /// The earliest time t such that the witnesses that cosigned at or before t form a quorum of this policy: the
    /// proven sealing time of what the checkpoint commits to. `None` with `quorum none`, which proves no time.
    ///
    /// `checkpoint` should have been verified by this very policy: witnesses are matched by their keys, so one that
    /// another policy did not know is missing here.
    pub fn quorum_time(&self, checkpoint: &VerifiedCheckpoint) -> Option<u64> {
        let Quorum::Rule(rule) = self.quorum() else { return None };
        rule.time(&|name| {
            let witness = self.witnesses().iter().find(|w| w.name() == name)?;
            checkpoint.cosignatures.iter().find(|c| c.key == *witness.key()).map(|c| c.timestamp)
        })
    }

    fn verify_log(&self, note: &SignedNote, origin: &str) -> Result<VerifierKey, CheckpointError> {
        let of_origin = |key: &&VerifierKey| key.name().as_str() == origin;
        let keys: Vec<VerifierKey> =
            self.logs().iter().map(|log| log.key()).filter(of_origin).cloned().collect();
        let origin = || origin.to_owned();
        if keys.is_empty() {
            return Err(CheckpointError::UnknownLog { origin: origin() });
        }
        let signatures = match note.verify(&keys) {
            Ok(signatures) => signatures,
            Err(NoteError::NoKnownSignature) => Vec::new(),
            Err(error) => return Err(CheckpointError::LogSignature(error)),
        };
        match signatures.first() {
            Some(signature) => Ok(signature.key().clone()),
            None => Err(CheckpointError::MissingLogSignature { origin: origin() }),
        }
    }

    fn verify_cosignatures(&self, note: &SignedNote) -> Result<Vec<Cosignature>, CheckpointError> {
        let keys: Vec<VerifierKey> = self.witnesses().iter().map(|w| w.key().clone()).collect();
        let signatures = match note.verify(&keys) {
            Ok(signatures) => signatures,
            Err(NoteError::NoKnownSignature) => Vec::new(),
            Err(error) => return Err(CheckpointError::WitnessSignature(error)),
        };
        let cosignature = |signature: crate::VerifiedSignature| {
            let witness = self.witnesses().iter().find(|w| w.key() == signature.key())?;
            // invariant: witness keys are cosignature keys, and their verified signatures state a time.
            let timestamp = signature.timestamp()?;
            Some(Cosignature { witness: witness.name().clone(), key: signature.key().clone(), timestamp })
        };
        Ok(signatures.into_iter().filter_map(cosignature).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyAlgorithm, KeyName, SigningKey};
    use crate::{TreeSize, cosignature, leaf_hash};

    fn key(name: &str, algorithm: KeyAlgorithm) -> SigningKey {
        let seed = *crate::Hash::sha256(name.as_bytes()).as_bytes();
        SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &seed).unwrap()
    }

    fn signed(origin: &str, log: &SigningKey, cosigners: &[(&str, u64)]) -> SignedNote {
        let head = TreeHead { size: TreeSize::new(9), root: leaf_hash(b"root") };
        let mut note = Checkpoint::new(origin, head).unwrap().sign(log).unwrap();
        for (name, time) in cosigners {
            let line =
                cosignature::sign(&key(name, KeyAlgorithm::CosignatureV1), *time, note.text()).unwrap();
            note = note.with_signature(&line).unwrap();
        }
        note
    }

    fn policy(log: &SigningKey, quorum: &str) -> Policy {
        let mut text = format!("log {}\n", log.verifier_key());
        for name in ["a", "b", "c"] {
            let witness = key(name, KeyAlgorithm::CosignatureV1);
            text += &format!("witness {name} {}\n", witness.verifier_key());
        }
        text += &format!("group two 2 a b c\nquorum {quorum}\n");
        Policy::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_verified_is_what_was_signed() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = policy(&log, "two");
        let verified = policy.verify_checkpoint(&signed("log", &log, &[("c", 30), ("a", 10)])).unwrap();
        assert_eq!((verified.origin(), verified.head().size.get()), ("log", 9));
        assert_eq!(verified.log_key(), log.verifier_key());
        let names: Vec<_> =
            verified.cosignatures().iter().map(|c| (c.witness().to_string(), c.timestamp())).collect();
        assert_eq!(names, [("c".to_owned(), 30), ("a".to_owned(), 10)]);
        assert_eq!(policy.quorum_time(&verified), Some(30));
        let three = policy.verify_checkpoint(&signed("log", &log, &[("c", 30), ("a", 10), ("b", 20)]));
        assert_eq!(policy.quorum_time(&three.unwrap()), Some(20));
    }

    #[test]
    fn quorum_none_proves_no_time_but_a_bad_cosignature_still_refuses() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = policy(&log, "none");
        assert!(policy.is_quorum_none());
        let verified = policy.verify_checkpoint(&signed("log", &log, &[("a", 10)])).unwrap();
        assert_eq!(verified.cosignatures().len(), 1);
        assert_eq!(policy.quorum_time(&verified), None);
        let note = signed("log", &log, &[]);
        let other = signed("log2", &key("log2", KeyAlgorithm::Ed25519), &[("a", 10)]);
        let moved = note.with_signature(&other.signatures()[1]).unwrap();
        assert!(matches!(policy.verify_checkpoint(&moved), Err(CheckpointError::WitnessSignature(_))));
    }

    #[test]
    fn a_log_speaks_for_its_own_origin_only() {
        let (log, other) = (key("log", KeyAlgorithm::Ed25519), key("other", KeyAlgorithm::Ed25519));
        let text = format!("log {}\nlog {}\nquorum none\n", log.verifier_key(), other.verifier_key());
        let policy = Policy::parse(text.as_bytes()).unwrap();
        // Listed, but signing for the other's origin.
        let forged = signed("log", &other, &[]);
        let missing = CheckpointError::MissingLogSignature { origin: "log".into() };
        assert_eq!(policy.verify_checkpoint(&forged), Err(missing));
        let unknown = CheckpointError::UnknownLog { origin: "third".into() };
        assert_eq!(policy.verify_checkpoint(&signed("third", &log, &[])), Err(unknown));
        // Both sign, as in a rotation: the key of the origin counts, the other is an unknown one.
        let both = signed("log", &other, &[]);
        let both = both.with_signature(&crate::sign_text(both.text(), &log).unwrap()).unwrap();
        assert_eq!(policy.verify_checkpoint(&both).unwrap().log_key(), log.verifier_key());
    }

    #[test]
    fn a_policy_without_logs_accepts_none() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = Policy::parse(b"quorum none\n").unwrap();
        let unknown = CheckpointError::UnknownLog { origin: "log".into() };
        assert_eq!(policy.verify_checkpoint(&signed("log", &log, &[])), Err(unknown));
    }

    #[test]
    fn the_log_is_not_its_own_witness() {
        let log = key("log", KeyAlgorithm::Ed25519);
        // A cosignature with the log's key under the log's name is that of an unknown witness.
        let policy = policy(&log, "a");
        let note = signed("log", &log, &[("log", 10), ("d", 11)]);
        assert_eq!(policy.verify_checkpoint(&note), Err(CheckpointError::NoQuorum { found: 0 }));
    }

    #[test]
    fn another_policys_witnesses_do_not_count_for_the_time() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let two = policy(&log, "two");
        let verified = two.verify_checkpoint(&signed("log", &log, &[("a", 10), ("b", 20)])).unwrap();
        let other = format!(
            "log {}\nwitness a {}\nquorum a\n",
            log.verifier_key(),
            key("c", KeyAlgorithm::CosignatureV1).verifier_key()
        );
        let other = Policy::parse(other.as_bytes()).unwrap();
        assert_eq!(other.quorum_time(&verified), None);
    }

    #[test]
    fn a_log_is_held_to_its_word_without_witnesses() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = policy(&log, "two");
        let note = signed("log", &log, &[("a", 10)]);
        assert_eq!(policy.verify_checkpoint(&note), Err(CheckpointError::NoQuorum { found: 1 }));
        let signed_by_log = policy.verify_log_signature(&note).unwrap();
        assert_eq!((signed_by_log.origin(), signed_by_log.head().size.get()), ("log", 9));
        assert_eq!(signed_by_log.note(), &note, "the note is kept as received");
        // not even a witness's bad line takes it back
        let other = signed("log2", &key("log2", KeyAlgorithm::Ed25519), &[("b", 10)]);
        let moved = note.with_signature(&other.signatures()[1]).unwrap();
        assert!(policy.verify_log_signature(&moved).is_ok());
        let altered: SignedNote = note.as_str().replace("\n9\n", "\n8\n").parse().unwrap();
        assert!(matches!(policy.verify_log_signature(&altered), Err(CheckpointError::LogSignature(_))));
        let twice = note.with_signature(&crate::sign_text(note.text(), &log).unwrap()).unwrap();
        assert!(matches!(policy.verify_log_signature(&twice), Err(CheckpointError::LogSignature(_))));
    }

    #[test]
    fn one_witness_vouches_for_itself_only() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = policy(&log, "two");
        let name = |at: usize| policy.witnesses()[at].name().clone();
        let note = signed("log", &log, &[("b", 20)]);
        let witnessed = policy.verify_witness(&note, &name(1)).unwrap();
        assert_eq!((witnessed.cosignature().timestamp(), witnessed.log_signed().head().size.get()), (20, 9));
        assert_eq!(witnessed.cosignature().witness(), &name(1));
        let missing = CheckpointError::MissingCosignature { witness: name(0) };
        assert_eq!(policy.verify_witness(&note, &name(0)), Err(missing));
        // a witness is nothing without the log
        let by_other = signed("log", &key("other", KeyAlgorithm::Ed25519), &[("b", 20)]);
        let error = policy.verify_witness(&by_other, &name(1));
        assert_eq!(error, Err(CheckpointError::MissingLogSignature { origin: "log".into() }));
        // and a bad line of another known witness refuses the note
        let other = signed("log2", &key("log2", KeyAlgorithm::Ed25519), &[("a", 10)]);
        let moved = note.with_signature(&other.signatures()[1]).unwrap();
        let error = policy.verify_witness(&moved, &name(1));
        assert!(matches!(error, Err(CheckpointError::WitnessSignature(_))));
        let twice = signed("log", &log, &[("b", 20), ("b", 21)]);
        let error = policy.verify_witness(&twice, &name(1));
        assert!(matches!(error, Err(CheckpointError::WitnessSignature(_))));
    }

    /// Lines that nobody here can read, as clients must expect them: unknown names, known names with other ids and the
    /// reverse, other algorithms, other lengths.
    fn grease(log: &SigningKey) -> Vec<crate::NoteSignature> {
        use crate::{KeyId, NoteSignature};
        let known =
            [log.verifier_key().clone(), key("a", KeyAlgorithm::CosignatureV1).verifier_key().clone()];
        let stranger = KeyName::new("stranger.example").unwrap();
        let mut lines = Vec::new();
        for length in [1, 4, 63, 64, 65, 71, 72, 73, 2420, 2428] {
            let bytes = vec![0x5a; length];
            lines.push(NoteSignature::new(stranger.clone(), KeyId::new(7), bytes.clone()).unwrap());
            for key in &known {
                let other_id = KeyId::new(key.id().get() ^ 1);
                lines.push(NoteSignature::new(key.name().clone(), other_id, bytes.clone()).unwrap());
                lines.push(NoteSignature::new(stranger.clone(), key.id(), bytes.clone()).unwrap());
            }
        }
        lines
    }

    #[test]
    fn grease_changes_nothing_wherever_it_stands() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = policy(&log, "two");
        let good = signed("log", &log, &[("a", 10), ("c", 30)]);
        let expected = policy.verify_checkpoint(&good).unwrap();
        let lines = grease(&log);
        assert!(lines.len() < crate::note::MAX_SIGNATURES - 3);
        for place in 0..=3 {
            let mut all = good.signatures().to_vec();
            all.splice(place..place, lines.iter().cloned());
            let greased = SignedNote::from_parts(good.text(), &all).unwrap();
            let verified = policy.verify_checkpoint(&greased).unwrap();
            assert_eq!(verified.cosignatures(), expected.cosignatures());
            assert_eq!((verified.head(), verified.log_key()), (expected.head(), expected.log_key()));
            assert_eq!(policy.quorum_time(&verified), Some(30));
            assert!(policy.verify_witness(&greased, policy.witnesses()[0].name()).is_ok());
        }
        // grease is no quorum
        let mut alone = signed("log", &log, &[("a", 10)]).signatures().to_vec();
        alone.extend(lines);
        let note = SignedNote::from_parts(good.text(), &alone).unwrap();
        assert_eq!(policy.verify_checkpoint(&note), Err(CheckpointError::NoQuorum { found: 1 }));
    }

    #[test]
    fn every_bit_of_a_known_line_matters_even_beyond_the_quorum() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let policy = policy(&log, "two");
        let good = signed("log", &log, &[("a", 10), ("b", 20), ("c", 30)]);
        assert!(policy.verify_checkpoint(&good).is_ok());
        for (line, signature) in good.signatures().iter().enumerate() {
            for bit in (0..signature.signature().len() * 8).step_by(7) {
                let mut bytes = signature.signature().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let mut all = good.signatures().to_vec();
                all[line] =
                    crate::NoteSignature::new(signature.name().clone(), signature.id(), bytes).unwrap();
                let note = SignedNote::from_parts(good.text(), &all).unwrap();
                let error = policy.verify_checkpoint(&note).unwrap_err();
                let right = match error {
                    CheckpointError::LogSignature(_) => line == 0,
                    CheckpointError::WitnessSignature(_) => line > 0,
                    _ => false,
                };
                assert!(right, "line {line}, bit {bit}: {error}");
            }
        }
    }

    #[test]
    fn a_signed_note_that_is_no_checkpoint() {
        let log = key("log", KeyAlgorithm::Ed25519);
        let note: SignedNote = crate::sign_note("log\nnine\n", &log).unwrap().parse().unwrap();
        let error = policy(&log, "none").verify_checkpoint(&note);
        assert_eq!(error, Err(CheckpointError::Body(CheckpointParseError::MissingLines { found: 2 })));
    }
}
