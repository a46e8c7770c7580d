//! `add-checkpoint`, C2SP `tlog-witness` at the commit that `docs/spec/log.md` pins: what is refused, in which order, and what is
//! cosigned. Pure: the state and the time are passed in.

use tlog::add_checkpoint::AddCheckpointError;
use tlog::checkpoint::CheckpointParseError;
use tlog::{
    AddCheckpoint, Checkpoint, ConsistencyProof, CosignatureError, Hash, NoteError, NoteSignature,
    ProofError, SignedNote, SigningKey, TreeHead, TreeSize, VerifiedSignature, cosignature, empty_root,
};

use crate::logs::Log;
use crate::store::{Contradiction, Newest, Step};

/// How far the clock may stand behind the newest cosignature, in seconds: what a time server's correction is. Within it the former
/// time is used again.
const MAX_STEP_BACK: u64 = 10;

/// A request that could be read. Who signed, and what the state is, was not looked at.
#[derive(Debug)]
pub struct Submitted {
    old: TreeSize,
    proof: ConsistencyProof,
    note: SignedNote,
    origin: String,
    /// `None`: the empty tree with a root that is not its own. The specification has it refused later than what cannot be read.
    head: Option<TreeHead>,
}

/// A request whose checkpoint was signed by a configured key of its origin.
#[derive(Debug)]
pub struct Signed {
    submitted: Submitted,
    /// The lines of configured keys; all verified.
    lines: Vec<NoteSignature>,
}

/// A cosignature that may be handed out once the state that goes with it is durable.
#[derive(Debug)]
pub struct Cosigned {
    /// The signature line.
    pub line: NoteSignature,
    /// The tree.
    pub head: TreeHead,
}

/// Why nothing was cosigned; the first reason in the order of `docs/spec/witness.md`.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 400: the body is not of the specified form.
    #[error("{0}")]
    Malformed(#[from] AddCheckpointError),
    /// 400: the note is no checkpoint.
    #[error("The note is not a checkpoint. {0}")]
    NoCheckpoint(#[from] CheckpointParseError),
    /// 400: the old tree is said to be larger than the new one.
    #[error("The old size {old} is larger than the checkpoint's {new}.")]
    SizesReversed {
        /// The old size.
        old: TreeSize,
        /// The new size.
        new: TreeSize,
    },
    /// 400: with a cosignature the note would be longer than any may be.
    #[error("The checkpoint cannot carry another signature. {0}")]
    NoRoom(#[source] NoteError),
    /// 404: no configured log has this origin.
    #[error("This witness does not look after a log with the origin {0:?}.")]
    UnknownOrigin(String),
    /// 403: no signature by a configured key, a false one, or one twice.
    #[error("The checkpoint is not properly signed by its log. {0}")]
    NotSigned(#[source] NoteError),
    /// 409: the old size is not that of the newest cosigned checkpoint.
    #[error("The newest checkpoint that was cosigned has size {newest}.")]
    Conflict {
        /// The size.
        newest: TreeSize,
    },
    /// 422: no proof that the log has only grown.
    #[error("The checkpoint is not proven to continue the newest one that was cosigned. {0}")]
    NotConsistent(#[source] ProofError),
    /// 503: the clock is wrong, or was.
    #[error(
        "The clock of this witness stands {behind} seconds before its newest cosignature; it signs nothing until the clock is right."
    )]
    ClockBehind {
        /// By how much.
        behind: u64,
    },
    /// 500: no cosignature could be made.
    #[error("The cosignature could not be made. {0}")]
    Cosignature(#[from] CosignatureError),
}

impl Submitted {
    /// Reads a request body.
    ///
    /// # Errors
    /// The refusals with status 400.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let AddCheckpoint { old_size: old, proof, checkpoint: note } = AddCheckpoint::parse(body)?;
        let (origin, head) = match Checkpoint::unverified(&note) {
            Ok(checkpoint) => (checkpoint.origin().to_owned(), Some(checkpoint.head())),
            // invariant: only a text with a first line gets as far as its root.
            Err(CheckpointParseError::EmptyTreeRoot) => {
                (note.text().lines().next().unwrap_or_default().to_owned(), None)
            }
            Err(error) => return Err(error.into()),
        };
        let new = head.map_or(TreeSize::ZERO, |head| head.size);
        if old > new {
            return Err(Refusal::SizesReversed { old, new });
        }
        Ok(Self { old, proof, note, origin, head })
    }

    /// The origin that the checkpoint states.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Verifies the signatures of `log`'s keys; all others are ignored.
    ///
    /// # Errors
    /// [`Refusal::UnknownOrigin`], [`Refusal::NotSigned`].
    pub fn verify(self, log: &Log) -> Result<Signed, Refusal> {
        if self.origin != log.origin() {
            return Err(Refusal::UnknownOrigin(self.origin));
        }
        let verified = self.note.verify(log.keys()).map_err(Refusal::NotSigned)?;
        let by_log = |line: &&NoteSignature| verified.iter().any(|signature| line.is_by(signature.key()));
        let lines = self.note.signatures().iter().filter(by_log).cloned().collect();
        Ok(Signed { submitted: self, lines })
    }
}

impl Signed {
    /// The origin of the log that has signed.
    pub fn origin(&self) -> &str {
        &self.submitted.origin
    }

    /// Decides on the newest checkpoint that was cosigned, at `now` (seconds since 1970).
    pub fn decide(
        self,
        newest: Option<&Newest>,
        now: u64,
        key: &SigningKey,
    ) -> Step<Result<Cosigned, Refusal>> {
        let Self { submitted: Submitted { old, proof, note, head, .. }, lines } = self;
        let current =
            newest.map_or(TreeHead { size: TreeSize::ZERO, root: empty_root() }, |newest| newest.head);
        let convict = |proof: &ConsistencyProof, refusal| match head {
            Some(head) => {
                let (theirs, proof) = (note.clone(), proof.hashes().to_vec());
                Step::Convict(Contradiction { seen_at: now, head, theirs, proof }, Err(refusal))
            }
            None => Step::Leave(Err(refusal)),
        };
        // Two signed roots of one size are a contradiction, whatever old size and proof came with them.
        let forked = head.is_some_and(|head| head.size == current.size && head.root != current.root);
        if old != current.size {
            let refusal = Refusal::Conflict { newest: current.size };
            return if forked {
                convict(&ConsistencyProof::empty(), refusal)
            } else {
                Step::Leave(Err(refusal))
            };
        }
        let Some(head) = head else {
            return Step::Leave(Err(Refusal::NotConsistent(ProofError::EmptyTreeRoot)));
        };
        if let Err(error) = proof.verify(&current, &head) {
            let refusal = Refusal::NotConsistent(error);
            return match error {
                _ if forked => convict(&ConsistencyProof::empty(), refusal),
                // Its hashes are the new tree's own, and the beginning of that is not what the log had signed.
                ProofError::OldRootMismatch => convict(&proof, refusal),
                _ => Step::Leave(Err(refusal)),
            };
        }
        match cosign(&note, &lines, head, newest, now, key) {
            Ok((newest, cosigned)) => Step::Replace(newest, Ok(cosigned)),
            Err(refusal) => Step::Leave(Err(refusal)),
        }
    }
}

fn cosign(
    note: &SignedNote,
    lines: &[NoteSignature],
    head: TreeHead,
    newest: Option<&Newest>,
    now: u64,
    key: &SigningKey,
) -> Result<(Newest, Cosigned), Refusal> {
    let before = newest.map_or(0, |newest| newest.cosigned_at);
    let behind = before.saturating_sub(now);
    if behind > MAX_STEP_BACK {
        return Err(Refusal::ClockBehind { behind });
    }
    let cosigned_at = now.max(before);
    let line = cosignature::sign(key, cosigned_at, note.text())?;
    let all: Vec<NoteSignature> = lines.iter().chain([&line]).cloned().collect();
    let note = SignedNote::from_parts(note.text(), &all).map_err(Refusal::NoRoom)?;
    Ok((Newest { head, cosigned_at, note }, Cosigned { line, head }))
}

/// What a proof of misbehaviour rests on, checked again: both notes are signed by the log, and cannot both be true.
pub fn contradicts(ours: &TreeHead, theirs: &TreeHead, proof: &[Hash]) -> bool {
    if ours.size == theirs.size {
        return ours.root != theirs.root;
    }
    let proof = ConsistencyProof::new(proof.to_vec());
    proof.is_ok_and(|proof| proof.verify(ours, theirs) == Err(ProofError::OldRootMismatch))
}

/// The signature of `key` among those that were verified.
pub fn signature_of<'a>(
    verified: &'a [VerifiedSignature],
    key: &SigningKey,
) -> Option<&'a VerifiedSignature> {
    verified.iter().find(|signature| signature.key() == key.verifier_key())
}
