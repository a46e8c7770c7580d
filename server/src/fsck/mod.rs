//! `fsck`: derives everything again from the stored entries and collects what disagrees.
//!
//! statement bytes → digest → entry → leaf → tiles and bundles → root → checkpoint → its signatures; and the lookup index.
//!
//! | module | what |
//! | --- | --- |
//! | here | entries, archived checkpoints, tree head, published checkpoint, lookup index |
//! | `stored` | the object store: what must be there, and what else is there |

mod stored;

use evidence::statement::Deposit;
use evidence::{Digest, EntryKind, Payload, Statement, TrustFile, UnixSeconds};
use jianzhen_audit::Trusted;
use tlog::{Checkpoint, LeafIndex, SignedNote, TreeHead, TreeSize, VerifierKey};

use crate::derive::{Derivation, ObjectId};
use crate::keys::trusted_log_keys;
use crate::objects::{ObjectError, Objects};
use crate::receipts::entry_of;
use crate::store::projection::TABLES;
use crate::store::{SealedRow, Store, StoreError};

/// Entries or checkpoints that are read at a time.
const CHUNK: u32 = 1024;

/// Sentences that are kept; more are only counted, so that memory does not grow with the damage.
const MAX_PROBLEMS: usize = 1000;

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The database.
    pub store: &'a Store,
    /// An empty database, for the lookup index.
    pub scratch: &'a Store,
    /// The published log.
    pub objects: &'a Objects,
    /// The operator's trust file.
    pub trust: &'a TrustFile,
    /// The log's origin.
    pub origin: &'a str,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Sentences about what disagrees; empty if all is well. The first thousand.
    pub problems: Vec<String>,
    /// How many more there were.
    pub more_problems: u64,
    /// Files of the object store that nothing needs: no damage.
    pub stray: Vec<String>,
    /// Entries that were checked.
    pub entries: u64,
    /// Checkpoints that were checked.
    pub checkpoints: u64,
    /// Objects that were compared.
    pub objects: u64,
    /// Entries that are durable and not published; `serve` publishes them.
    pub unpublished: u64,
    /// Entries whose statement is missing because the log was restored from a mirror.
    pub missing: u64,
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store does not answer.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// One run.
struct Check<'a> {
    subject: &'a Subject<'a>,
    keys: Vec<VerifierKey>,
    derivation: Derivation,
    sealed_at: UnixSeconds,
    /// The newest archived size.
    archived: TreeSize,
    findings: Findings,
}

/// Checks the log.
pub async fn check(subject: &Subject<'_>) -> Result<Findings, FsckError> {
    let mut check = Check {
        subject,
        keys: trusted_log_keys(subject.trust, subject.origin),
        derivation: Derivation::new(),
        sealed_at: UnixSeconds::new(0),
        archived: TreeSize::ZERO,
        findings: Findings::default(),
    };
    check.database().await?;
    check.checkpoints().await?;
    check.head().await?;
    check.published().await?;
    check.listed().await?;
    check.index().await?;
    Ok(check.findings)
}

impl Check<'_> {
    fn problem(&mut self, sentence: String) {
        if self.findings.problems.len() < MAX_PROBLEMS {
            self.findings.problems.push(sentence);
        } else {
            self.findings.more_problems += 1;
        }
    }

    /// What SQLite itself, and the relations between its tables, say.
    async fn database(&mut self) -> Result<(), FsckError> {
        for sentence in self.subject.store.integrity().await? {
            self.problem(format!("The database is damaged: {sentence}."));
        }
        for sentence in self.subject.store.loose_facts().await? {
            self.problem(sentence);
        }
        Ok(())
    }

    /// Every archived checkpoint in order: the entries up to its size, what was published with it, its signatures and its root.
    async fn checkpoints(&mut self) -> Result<(), FsckError> {
        let mut after = None;
        loop {
            let archived = self.subject.store.checkpoints_after(after, CHUNK).await?;
            let Some((last, _)) = archived.last() else { return Ok(()) };
            after = Some(*last);
            for (size, note) in archived {
                self.findings.checkpoints += 1;
                self.grow(size, true).await?;
                self.archived = size;
                self.archived_checkpoint(size, &note);
            }
        }
    }

    fn archived_checkpoint(&mut self, size: TreeSize, note: &[u8]) {
        let found = self.derivation.head();
        let head = match self.own(note) {
            Ok(head) => head,
            Err(error) => return self.problem(format!("The archived checkpoint of size {size}: {error}")),
        };
        if head != found || head.size != size {
            self.problem(format!(
                "The archived checkpoint of size {size} states {} leaves with root {}; the entries have {} with {}.",
                head.size, head.root, found.size, found.root
            ));
        }
        // Nothing is proven by the empty tree, which may be older than the first policy.
        if size > TreeSize::ZERO
            && let Err(error) = Trusted::new(self.subject.trust, note, Some(self.sealed_at))
        {
            self.problem(format!(
                "The archived checkpoint of size {size} satisfies no policy of trust.json. {error}"
            ));
        }
    }

    /// The tree that a note by one of this log's keys states.
    fn own(&self, note: &[u8]) -> Result<TreeHead, String> {
        let note = SignedNote::parse(note).map_err(|error| error.to_string())?;
        note.verify(&self.keys).map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::unverified(&note).map_err(|error| error.to_string())?;
        if checkpoint.origin() != self.subject.origin {
            return Err(format!("Its origin is {}.", checkpoint.origin()));
        }
        Ok(checkpoint.head())
    }

    /// The committed tree head.
    async fn head(&mut self) -> Result<(), FsckError> {
        let stored = self.subject.store.head().await?;
        self.grow(stored.head.size, false).await?;
        self.findings.unpublished = self.derivation.size().get().saturating_sub(self.archived.get());
        let found: TreeHead = self.derivation.head();
        if found != stored.head {
            self.problem(format!(
                "The tree head states {} entries with root {}; the entries have {} with {}.",
                stored.head.size, stored.head.root, found.size, found.root
            ));
        }
        if self.sealed_at != stored.sealed_at {
            self.problem(format!(
                "The tree head states the sealing time {}; the newest entry has {}.",
                stored.sealed_at, self.sealed_at
            ));
        }
        let beyond = self.subject.store.entries(LeafIndex::new(found.size.get()), 1).await?;
        if let Some(row) = beyond.first() {
            self.problem(format!("Entry {} lies beyond the tree head.", row.index));
        }
        Ok(())
    }

    /// The checkpoint in the object store. It may have other cosignatures than the archived one: late ones, and newer ones.
    async fn published(&mut self) -> Result<(), FsckError> {
        let Some(bytes) = self.subject.objects.checkpoint().await? else {
            if self.archived > TreeSize::ZERO {
                self.problem("A checkpoint is archived, but none is published.".to_owned());
            }
            return Ok(());
        };
        let head = match self.own(&bytes) {
            Ok(head) => head,
            Err(error) => {
                self.problem(format!("The published checkpoint is not this log's. {error}"));
                return Ok(());
            }
        };
        let archived = self.subject.store.checkpoint_at(head.size).await?;
        if archived.and_then(|note| self.own(&note).ok()) != Some(head) {
            self.problem(format!(
                "The published checkpoint of size {} is not of the archived tree.",
                head.size
            ));
        }
        if head.size > TreeSize::ZERO
            && let Err(error) = Trusted::new(self.subject.trust, &bytes, None)
        {
            self.problem(format!("The published checkpoint satisfies no policy of trust.json. {error}"));
        }
        Ok(())
    }

    /// Appends the entries up to `size`. With `published`, the objects of that size must be there.
    async fn grow(&mut self, size: TreeSize, published: bool) -> Result<(), FsckError> {
        while self.derivation.size() < size {
            let next = self.derivation.size().get();
            let left = u32::try_from(size.get() - next).unwrap_or(CHUNK).min(CHUNK);
            let mut rows = self.subject.store.entries(LeafIndex::new(next), left).await?;
            let run = (next..).zip(&rows).take_while(|(index, row)| row.index.get() == *index).count();
            let whole = run == rows.len() && run > 0;
            rows.truncate(run);
            for row in &rows {
                self.entry(row).await?;
            }
            let changed = self.derivation.append(&rows)?;
            for (id, bytes) in changed {
                // A chunk ends where nothing was published.
                let at_edge = self.derivation.size() == size;
                if !id.is_partial() || (published && at_edge) {
                    self.compare(id, &bytes, published).await?;
                }
            }
            if !whole {
                self.problem(format!("Entry {} is missing.", self.derivation.size()));
                return Ok(());
            }
        }
        Ok(())
    }

    /// One entry: its statement, and what came with it.
    async fn entry(&mut self, row: &SealedRow) -> Result<(), FsckError> {
        self.findings.entries += 1;
        if row.sealed_at < self.sealed_at {
            self.problem(format!("Entry {}: it was sealed before the entry in front of it.", row.index));
        }
        self.sealed_at = row.sealed_at;
        let entry = entry_of(row)?;
        match &row.statement {
            None => self.findings.missing += 1,
            Some(statement) => self.statement(row, statement, entry.kind).await?,
        }
        Ok(())
    }

    async fn statement(&mut self, row: &SealedRow, bytes: &[u8], kind: EntryKind) -> Result<(), FsckError> {
        let index = row.index;
        if Digest::of(bytes) != row.digest {
            self.problem(format!("Entry {index}: the statement does not hash to the digest beside it."));
        }
        match Statement::parse(bytes) {
            Err(error) => self.problem(format!("Entry {index}: {error}.")),
            Ok(statement) => {
                if statement.payload().entry_kind() != kind {
                    self.problem(format!("Entry {index}: it has another kind than its statement."));
                }
                if let Payload::Deposit(deposit) = statement.payload() {
                    self.blocks(index, deposit, &row.digest).await?;
                }
            }
        }
        Ok(())
    }

    async fn blocks(
        &mut self,
        index: LeafIndex,
        deposit: &Deposit,
        digest: &Digest,
    ) -> Result<(), FsckError> {
        let blocks = self.subject.store.blocks(digest).await?;
        let expected = Deposit::blocks(deposit.length).count();
        let root = evidence::segments_root(Deposit::blocks(deposit.length).zip(&blocks));
        if root != deposit.root || blocks.len() != expected {
            self.problem(format!(
                "Entry {index}: the stored block digests are not those that the deposit signs."
            ));
        }
        Ok(())
    }

    async fn index(&mut self) -> Result<(), FsckError> {
        let Subject { store, scratch, .. } = *self.subject;
        if let Err(error) = scratch.project_from(store).await {
            self.problem(format!("The lookup index cannot be derived. {error}"));
            return Ok(());
        }
        for (table, query) in TABLES {
            if store.table_digest(query).await? != scratch.table_digest(query).await? {
                self.problem(format!(
                    "The table {table} of the lookup index is not what the statements say; `reindex` builds it again."
                ));
            }
        }
        Ok(())
    }

    /// What an object is called in a sentence.
    fn name(id: ObjectId) -> String {
        format!("The object {}", id.path())
    }
}
