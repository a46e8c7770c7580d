//! Which notes count (`docs/spec/roots.md`, "What is compared").

use tlog::{Checkpoint, SignedNote, TreeHead, VerifiedCheckpoint};

use super::witnesses::{self, Witness};
use crate::report::RootSource;
use crate::trust::TrustFile;

/// A root that a log has signed, and that counts.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) source: RootSource,
    /// Of a witness's root, its place among those asked.
    pub(super) witness: Option<usize>,
    pub(super) head: TreeHead,
    pub(super) note: SignedNote,
    /// The policies that the note satisfies, if any.
    pub(super) satisfied: Option<Satisfied>,
    /// When the witness has cosigned, of a witness's root.
    pub(super) cosigned: Option<u64>,
}

/// A note that satisfies at least one policy. Windows of validity do not matter: what was signed stays signed.
#[derive(Debug, Clone)]
pub(super) struct Satisfied {
    /// As verified by the policy that proves the earliest time.
    pub(super) checkpoint: VerifiedCheckpoint,
    /// The earliest time at which a quorum of one of the policies had cosigned; none with `quorum none`.
    pub(super) earliest: Option<u64>,
}

impl Satisfied {
    /// What the policies of `trust` make of `note`, if it is one of the log `origin`, or of any log.
    pub(super) fn of(note: &SignedNote, trust: &TrustFile, origin: Option<&str>) -> Option<Self> {
        let stated = Checkpoint::unverified(note).ok()?;
        if origin.is_some_and(|origin| origin != stated.origin()) {
            return None;
        }
        let mut found: Vec<(Option<u64>, VerifiedCheckpoint)> = Vec::new();
        for logs in trust.logs().iter().filter(|logs| logs.admits(stated.head())) {
            let Ok(checkpoint) = logs.policy.verify_checkpoint(note) else { continue };
            found.push((logs.policy.quorum_time(&checkpoint), checkpoint));
        }
        found.sort_by_key(|(time, _)| (time.is_none(), *time));
        let (earliest, checkpoint) = found.into_iter().next()?;
        Some(Self { checkpoint, earliest })
    }
}

impl Accepted {
    /// The checkpoint that a verdict rests on. Verified already.
    pub(super) fn anchor(checkpoint: &VerifiedCheckpoint, trust: &TrustFile) -> Self {
        Self {
            source: RootSource::Anchor,
            witness: None,
            head: checkpoint.head(),
            note: checkpoint.note().clone(),
            satisfied: Satisfied::of(checkpoint.note(), trust, Some(checkpoint.origin())),
            cosigned: None,
        }
    }

    /// A pin or a published checkpoint.
    pub(super) fn quorum(
        source: RootSource,
        bytes: &[u8],
        trust: &TrustFile,
        origin: Option<&str>,
    ) -> Option<Self> {
        let note = SignedNote::parse(bytes).ok()?;
        let satisfied = Satisfied::of(&note, trust, origin)?;
        let head = satisfied.checkpoint.head();
        Some(Self { source, witness: None, head, note, satisfied: Some(satisfied), cosigned: None })
    }

    /// What a witness shows.
    pub(super) fn witness(
        place: usize,
        witness: &Witness,
        bytes: &[u8],
        trust: &TrustFile,
        origin: &str,
    ) -> Option<Self> {
        let note = SignedNote::parse(bytes).ok()?;
        let stated = Checkpoint::unverified(&note).ok().filter(|stated| stated.origin() == origin)?;
        let mut logs = trust.logs().iter().filter(|logs| logs.admits(stated.head()));
        let witnessed = logs.find_map(|logs| {
            let mut named = witnesses::at(&logs.policy, &witness.url);
            named.find_map(|known| logs.policy.verify_witness(&note, known.name()).ok())
        })?;
        Some(Self {
            source: RootSource::Witness,
            witness: Some(place),
            head: stated.head(),
            satisfied: Satisfied::of(&note, trust, Some(origin)),
            note,
            cosigned: Some(witnessed.cosignature().timestamp()),
        })
    }
}
