//! The public part of a log, read back from a mirror or from the log itself.
//!
//! Every step ends with an archived checkpoint whose signatures, quorum and root were checked, so what is committed is always a stage
//! of this very chain, and a restore that was broken off goes on from there. Statements of kind 0 are nowhere to be had: their entries
//! stay without, until somebody submits them again ([`crate::store::gaps`]).

use evidence::{Digest, Entry, EntryKind, Statement, TrustFile, UnixSeconds};
use jianzhen_audit::{
    Archived, Finding, LogObject, LogReader, Start, Trusted, Visitor, WalkError, walk, walk::published,
};
use tlog::{LeafIndex, TileBuilder, TreeHead, TreeSize};
use tokio::runtime::Runtime;

use crate::derive::Derivation;
use crate::store::restoring::RestoreStep;
use crate::store::{CommitError, Store, StoreError};

/// Entries that are read at a time.
const CHUNK: u32 = 1024;

/// Why the log was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The mirror could not be read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// What the mirror has is not a sound chain.
    #[error("The chain that is served there is not sound, and nothing more is taken from it. {}", sentence(.0))]
    Unsound(Box<Finding>),
    /// The mirror has another log.
    #[error("The chain that is served there is {found}, not {expected}.")]
    OtherLog {
        /// Its origin.
        found: String,
        /// The origin in config.toml.
        expected: String,
    },
    /// What is here is not a stage of that chain.
    #[error("Entry {0} of the database is not the one of the chain that is served there.")]
    OtherEntry(LeafIndex),
    /// The database is damaged.
    #[error("The {0} entries of the database do not have the root of their archived checkpoint; run fsck.")]
    OtherRoot(TreeSize),
    /// The statement of an entry of the device registry is not to be had.
    #[error("The statement of entry {0}, which is public, is not given out there, or is another one.")]
    Withheld(LeafIndex),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed at the end of a step.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

fn sentence(finding: &Finding) -> String {
    match (finding.index, finding.size) {
        (Some(index), _) => format!("Entry {index}: {}", finding.sentence),
        (None, Some(size)) => format!("Size {size}: {}", finding.sentence),
        (None, None) => finding.sentence.clone(),
    }
}

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The size before.
    pub before: TreeSize,
    /// The size now.
    pub after: TreeSize,
}

/// The newest checkpoint of the log that `reader` serves, if it is the one of `origin`.
pub fn target(reader: &dyn LogReader, trust: &TrustFile, origin: &str) -> Result<Trusted, RestoreError> {
    let target = published(reader, trust)?;
    if target.origin() != origin {
        let (found, expected) = (target.origin().to_owned(), origin.to_owned());
        return Err(RestoreError::OtherLog { found, expected });
    }
    Ok(target)
}

/// Brings `store` up to `target`. `step` hears of every step that is durable.
pub fn restore(
    runtime: &Runtime,
    reader: &dyn LogReader,
    trust: &TrustFile,
    target: &Trusted,
    store: &Store,
    step: &mut dyn FnMut(TreeSize),
) -> Result<Restored, RestoreError> {
    let head = runtime.block_on(store.head())?;
    let (edge, sealed_at) = runtime.block_on(archived_edge(store))?;
    let mut writer = Writer {
        runtime,
        reader,
        store,
        head: head.head,
        before: head.head.size,
        sealed_at,
        pending: None,
        step,
    };
    let start = Start::from_edge(edge, sealed_at);
    let walked = walk(reader, trust, target, start, Vec::new(), &mut writer);
    if let Some(unfinished) = writer.pending.take() {
        runtime.block_on(unfinished.undo())?;
    }
    walked?;
    Ok(Restored { before: head.head.size, after: writer.head.size })
}

/// The edge of the newest archived tree, derived from the stored entries, and the sealing time of its newest entry.
async fn archived_edge(store: &Store) -> Result<(TileBuilder, UnixSeconds), RestoreError> {
    let mut derivation = Derivation::new();
    let mut sealed_at = UnixSeconds::new(0);
    let Some((size, note)) = store.newest_checkpoint().await? else {
        return Ok((derivation.into_edge(), sealed_at));
    };
    while derivation.size() < size {
        let next = derivation.size().get();
        let left = u32::try_from(size.get() - next).unwrap_or(CHUNK).min(CHUNK);
        let rows = store.entries(LeafIndex::new(next), left).await?;
        let Some(last) = rows.last() else { return Err(RestoreError::OtherRoot(size)) };
        sealed_at = last.sealed_at;
        derivation.append(&rows)?;
    }
    let stated = tlog::SignedNote::parse(&note).ok();
    let stated = stated.and_then(|note| tlog::Checkpoint::unverified(&note).ok());
    if stated.map(|checkpoint| checkpoint.head()) != Some(derivation.head()) {
        return Err(RestoreError::OtherRoot(size));
    }
    Ok((derivation.into_edge(), sealed_at))
}

/// Writes what the walk shows.
struct Writer<'a> {
    runtime: &'a Runtime,
    reader: &'a dyn LogReader,
    store: &'a Store,
    /// The committed tree.
    head: TreeHead,
    /// What was here at the beginning.
    before: TreeSize,
    sealed_at: UnixSeconds,
    pending: Option<RestoreStep>,
    step: &'a mut dyn FnMut(TreeSize),
}

impl Writer<'_> {
    fn statement(&self, index: LeafIndex, entry: &Entry) -> Result<Option<Statement>, RestoreError> {
        if entry.kind == EntryKind::Evidence {
            return Ok(None);
        }
        let bytes = self.reader.get(LogObject::Statement(index)).map_err(WalkError::from)?;
        let bytes = bytes.filter(|bytes| Digest::of(bytes) == entry.statement);
        let statement = bytes.and_then(|bytes| Statement::parse(&bytes).ok());
        let statement = statement.filter(|statement| statement.payload().entry_kind() == entry.kind);
        statement.map(Some).ok_or(RestoreError::Withheld(index))
    }

    /// An entry that is here already, and not archived yet.
    fn compare(&self, index: LeafIndex, entry: &Entry) -> Result<(), RestoreError> {
        let row = self.runtime.block_on(self.store.entry(index))?;
        let here = row.map(|row| crate::receipts::entry_of(&row)).transpose()?;
        if here == Some(*entry) { Ok(()) } else { Err(RestoreError::OtherEntry(index)) }
    }
}

impl Visitor for Writer<'_> {
    type Error = RestoreError;

    fn entry(&mut self, index: LeafIndex, entry: &Entry) -> Result<(), RestoreError> {
        self.sealed_at = entry.sealed_at;
        if index.get() < self.before.get() {
            return self.compare(index, entry);
        }
        let statement = self.statement(index, entry)?;
        let mut step = match self.pending.take() {
            Some(step) => step,
            None => self.runtime.block_on(self.store.begin_restoring())?,
        };
        self.runtime.block_on(step.insert(index, entry, statement.as_ref()))?;
        self.pending = Some(step);
        Ok(())
    }

    fn archived(&mut self, archived: &Archived<'_>) -> Result<(), RestoreError> {
        match self.pending.take() {
            Some(step) => {
                let commit = step.commit(&self.head, &archived.head, self.sealed_at, archived.note);
                self.runtime.block_on(commit)?;
                self.head = archived.head;
            }
            // Everything that it covers is here already.
            None => {
                self.runtime.block_on(self.store.archive_checkpoint(archived.head.size, archived.note))?
            }
        }
        (self.step)(archived.head.size);
        Ok(())
    }

    fn finding(&mut self, finding: Finding) -> Result<(), RestoreError> {
        Err(RestoreError::Unsound(Box::new(finding)))
    }
}
