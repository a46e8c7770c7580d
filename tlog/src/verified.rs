//! What a policy makes of a checkpoint: the only place where a [`VerifiedCheckpoint`] comes from.
//! C2SP `tlog-policy`, and steps 2 and 3 of "Verifying a tlog proof" in C2SP `tlog-proof`, both at commit
//! `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.

use crate::checkpoint::{Checkpoint, CheckpointParseError};
use crate::key::VerifierKey;
use crate::note::{NoteError, SignedNote};
use crate::policy::{Policy, PolicyName, Quorum};
use crate::tree::TreeHead;

/// A checkpoint signed by a log of a policy and cosigned by the policy's quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    log_key: VerifierKey,
    cosignatures: Vec<Cosignature>,
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
}

impl VerifiedCheckpoint {
    /// The size and root that log and quorum vouch for.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head()
    }

    /// The origin, which is the name of the log's key.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// The key of the policy that signed as the log.
    pub fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    /// The cosignatures by witnesses of the policy, in the order of the note; empty possibly with `quorum none`.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The body. Its extension lines are signed by the log, but witnesses say nothing about them.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
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
        let checkpoint = Checkpoint::unverified(note)?;
        let log_key = self.verify_log(note, checkpoint.origin())?;
        let cosignatures = self.verify_cosignatures(note)?;
        let found = cosignatures.len();
        let verified = VerifiedCheckpoint { checkpoint, log_key, cosignatures };
        if !self.is_quorum_none() && self.quorum_time(&verified).is_none() {
            return Err(CheckpointError::NoQuorum { found });
        }
        Ok(verified)
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
