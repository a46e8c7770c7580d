//! What a trust file makes of a checkpoint.

use evidence::{TrustFile, UnixSeconds};
use tlog::{CheckpointError, SignedNote, TreeHead, VerifiedCheckpoint};

/// A checkpoint that satisfies a policy of the trust file in that policy's window.
#[derive(Debug, Clone)]
pub struct Trusted {
    checkpoint: VerifiedCheckpoint,
    time: Option<UnixSeconds>,
}

/// Why a checkpoint is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// No policy is satisfied.
    #[error("{0}")]
    Policy(#[from] CheckpointError),
    /// The bytes are no note.
    #[error("{0}")]
    Note(#[from] tlog::NoteError),
    /// A policy is satisfied, but it does not vouch for that time.
    #[error("A quorum had cosigned at {0}, which lies outside the window of every policy that is satisfied.")]
    Window(UnixSeconds),
}

impl Trusted {
    /// Size and root.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head()
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// When a quorum had cosigned: the proven sealing time of what it covers. `None` with `quorum none`.
    pub fn time(&self) -> Option<UnixSeconds> {
        self.time
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// The note, as received.
    pub fn note(&self) -> &[u8] {
        self.checkpoint.note().as_bytes()
    }

    /// Judges the bytes of a note. `sealed_at` is the sealing time of the newest entry it covers, where that is known: with
    /// `quorum none` nothing else says when the checkpoint was made.
    pub fn new(trust: &TrustFile, note: &[u8], sealed_at: Option<UnixSeconds>) -> Result<Self, NotTrusted> {
        let note = SignedNote::parse(note)?;
        let mut refused: Option<NotTrusted> = None;
        for logs in trust.logs() {
            let checkpoint = match logs.policy.verify_checkpoint(&note) {
                Ok(checkpoint) => checkpoint,
                Err(error) => {
                    // "Unknown log" says least: another policy may know it.
                    let says_more = !matches!(error, CheckpointError::UnknownLog { .. });
                    if refused.is_none() || (says_more && is_unknown_log(refused.as_ref())) {
                        refused = Some(error.into());
                    }
                    continue;
                }
            };
            let time = logs.policy.quorum_time(&checkpoint).map(UnixSeconds::new);
            match time.or(sealed_at) {
                Some(at) if !logs.window.contains(at) => refused = Some(NotTrusted::Window(at)),
                _ => return Ok(Self { checkpoint, time }),
            }
        }
        // invariant: a trust file has at least one policy, so something was refused.
        Err(refused.unwrap_or(NotTrusted::Policy(CheckpointError::NoQuorum { found: 0 })))
    }
}

fn is_unknown_log(refused: Option<&NotTrusted>) -> bool {
    matches!(refused, Some(NotTrusted::Policy(CheckpointError::UnknownLog { .. })))
}
