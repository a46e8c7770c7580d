//! `fsck`: derives everything again from the stored entries and collects what disagrees.
//!
//! statement bytes → digest → entry → leaf → tiles and bundles → root → checkpoint → its signature; and the lookup index.

use bytes::Bytes;
use evidence::statement::Deposit;
use evidence::{Digest, EntryKind, Payload, Statement};
use tlog::{EntryBundle, Hash, LeafIndex, SigningKey, TileBuilder, TreeHead, TreeSize, bundles_between};

use crate::objects::{ObjectError, Objects};
use crate::receipts::entry_of;
use crate::recover::own_checkpoint;
use crate::store::projection::TABLES;
use crate::store::{SealedRow, Store, StoreError};

/// Entries or checkpoints that are read at a time.
const CHUNK: u32 = 1024;

const BUNDLE: u64 = tlog::tile::TILE_WIDTH as u64;

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Sentences about what disagrees; empty if all is well.
    pub problems: Vec<String>,
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
    store: &'a Store,
    objects: &'a Objects,
    key: &'a SigningKey,
    edge: TileBuilder,
    /// The entries of the bundle that is not full yet.
    bundle: Vec<Vec<u8>>,
    sealed_at: evidence::UnixSeconds,
    findings: Findings,
}

/// Checks the log; `scratch` is an empty database for the lookup index.
pub async fn check(
    store: &Store,
    scratch: &Store,
    objects: &Objects,
    key: &SigningKey,
) -> Result<Findings, FsckError> {
    let mut check = Check {
        store,
        objects,
        key,
        edge: TileBuilder::new(),
        bundle: Vec::new(),
        sealed_at: evidence::UnixSeconds::new(0),
        findings: Findings::default(),
    };
    check.checkpoints().await?;
    check.head().await?;
    check.published().await?;
    check.index(scratch).await?;
    Ok(check.findings)
}

impl Check<'_> {
    fn problem(&mut self, sentence: String) {
        self.findings.problems.push(sentence);
    }

    /// Every archived checkpoint in order: its signature, the entries up to its size, and what was published with it.
    async fn checkpoints(&mut self) -> Result<(), FsckError> {
        let mut after = None;
        loop {
            let archived = self.store.checkpoints_after(after, CHUNK).await?;
            let Some((last, _)) = archived.last() else { return Ok(()) };
            after = Some(*last);
            for (size, note) in archived {
                self.findings.checkpoints += 1;
                self.grow(size, true).await?;
                match own_checkpoint(&note, self.key.verifier_key()) {
                    Err(error) => self.problem(format!("The archived checkpoint of size {size}: {error}")),
                    Ok(head) if head != self.edge.head() => self.problem(format!(
                        "The archived checkpoint of size {size} states {} leaves with root {}; the entries have {} with {}.",
                        head.size,
                        head.root,
                        self.edge.size(),
                        self.edge.root()
                    )),
                    Ok(_) => {}
                }
            }
        }
    }

    /// The committed tree head.
    async fn head(&mut self) -> Result<(), FsckError> {
        let published = self.edge.size();
        let stored = self.store.head().await?;
        self.grow(stored.head.size, false).await?;
        self.findings.unpublished = self.edge.size().get().saturating_sub(published.get());
        let found: TreeHead = self.edge.head();
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
        let beyond = self.store.entries(LeafIndex::new(found.size.get()), 1).await?;
        if let Some(row) = beyond.first() {
            self.problem(format!("Entry {} lies beyond the tree head.", row.index));
        }
        Ok(())
    }

    /// The checkpoint in the object store.
    async fn published(&mut self) -> Result<(), FsckError> {
        let newest = self.store.newest_checkpoint().await?;
        let Some(bytes) = self.objects.checkpoint().await? else {
            if newest.is_some_and(|(size, _)| size > TreeSize::ZERO) {
                self.problem("A checkpoint is archived, but none is published.".to_owned());
            }
            return Ok(());
        };
        match own_checkpoint(&bytes, self.key.verifier_key()) {
            Err(error) => self.problem(error.to_string()),
            Ok(head) => {
                if self.store.checkpoint_at(head.size).await?.as_deref() != Some(&bytes[..]) {
                    self.problem(format!(
                        "The published checkpoint of size {} is not the archived one.",
                        head.size
                    ));
                }
            }
        }
        Ok(())
    }

    /// Appends the entries up to `size`. With `published`, what was published with that size is compared too.
    async fn grow(&mut self, size: TreeSize, published: bool) -> Result<(), FsckError> {
        let old = self.edge.size();
        let mut leaves = Vec::new();
        let mut entries = Vec::new();
        let mut next = old.get();
        'reading: while next < size.get() {
            let rows = self.store.entries(LeafIndex::new(next), CHUNK).await?;
            if rows.is_empty() {
                self.problem(format!("Entry {next} is missing."));
                break;
            }
            for row in rows {
                if row.index.get() >= size.get() {
                    break;
                }
                if row.index.get() != next {
                    self.problem(format!("Entry {next} is missing."));
                    break 'reading;
                }
                next += 1;
                let (leaf, entry) = self.entry(&row).await?;
                leaves.push(leaf);
                entries.push(entry);
            }
        }
        let tiles = self.edge.append(leaves);
        if published {
            for tile in tiles {
                self.compare(&tile.id.path(), &tile.data).await?;
            }
        }
        self.bundles(old, entries, published).await
    }

    async fn bundles(
        &mut self,
        old: TreeSize,
        entries: Vec<Vec<u8>>,
        published: bool,
    ) -> Result<(), FsckError> {
        let first = old.get() / BUNDLE * BUNDLE;
        let mut all = std::mem::take(&mut self.bundle);
        all.extend(entries);
        if published {
            for id in bundles_between(old, self.edge.size()) {
                let begin = usize::try_from(id.index() * BUNDLE - first).unwrap_or(usize::MAX);
                let mut bundle = EntryBundle::new();
                for entry in all.iter().skip(begin).take(usize::from(id.width())) {
                    // invariant: an entry has 42 bytes, and no more than 256 are taken.
                    let _ = bundle.push(entry.clone());
                }
                self.compare(&id.path(), &bundle.encode()).await?;
            }
        }
        let full = all.len() / usize::from(tlog::tile::TILE_WIDTH) * usize::from(tlog::tile::TILE_WIDTH);
        self.bundle = all.split_off(full);
        Ok(())
    }

    /// One entry: its statement, and what came with it.
    async fn entry(&mut self, row: &SealedRow) -> Result<(Hash, Vec<u8>), FsckError> {
        self.findings.entries += 1;
        let index = row.index;
        if row.sealed_at < self.sealed_at {
            self.problem(format!("Entry {index}: it was sealed before the entry in front of it."));
        }
        self.sealed_at = row.sealed_at;
        let entry = entry_of(row)?;
        match &row.statement {
            None => self.findings.missing += 1,
            Some(statement) => self.statement(row, statement, entry.kind).await?,
        }
        let bytes = entry.to_bytes().to_vec();
        Ok((entry.leaf_hash(), bytes))
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
        let blocks = self.store.blocks(digest).await?;
        let root = evidence::segments_root(Deposit::blocks(deposit.length).zip(&blocks));
        if root != deposit.root {
            self.problem(format!(
                "Entry {index}: the stored block digests are not those that the deposit signs."
            ));
        }
        Ok(())
    }

    async fn compare(&mut self, path: &str, expected: &[u8]) -> Result<(), FsckError> {
        self.findings.objects += 1;
        match self.objects.get(path).await? {
            Some(found) if found == Bytes::copy_from_slice(expected) => {}
            Some(_) => self.problem(format!("The object {path} has other bytes than the entries give.")),
            None => self.problem(format!("The object {path} is missing.")),
        }
        Ok(())
    }

    async fn index(&mut self, scratch: &Store) -> Result<(), FsckError> {
        if let Err(error) = scratch.project_from(self.store).await {
            self.problem(format!("The lookup index cannot be derived. {error}"));
            return Ok(());
        }
        for (table, query) in TABLES {
            if self.store.table_digest(query).await? != scratch.table_digest(query).await? {
                self.problem(format!(
                    "The table {table} of the lookup index is not what the statements say; `reindex` builds it again."
                ));
            }
        }
        Ok(())
    }
}
