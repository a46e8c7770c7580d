//! Publication (steps 4 and 5 of the write path): tiles and bundles to the object store, then the signed checkpoint.
//!
//! Everything is derived from what the database holds, never from what the sequencer remembers: the stored bytes are
//! hashed again, entry by entry, and the result must be the committed root before anything is signed. After a crash the
//! same code catches up.

use bytes::Bytes;
use evidence::Digest;
use tlog::{
    Checkpoint, CheckpointParseError, EntryBundle, Hash, LeafIndex, NoteError, SigningKey, TileBuilder,
    TreeHead, TreeSize, VerifierKey, bundles_between,
};

use crate::objects::{ObjectError, Objects};
use crate::receipts::entry_of;
use crate::store::{SealedRow, Store, StoreError};

/// Entries in a full bundle.
const BUNDLE: u64 = tlog::tile::TILE_WIDTH as u64;

/// Entries that are read at a time.
const CHUNK: u32 = 1024;

/// Signs and publishes committed trees.
#[derive(Debug)]
pub struct Publisher {
    store: Store,
    objects: Objects,
    key: SigningKey,
    /// The edge of the published tree, its hashes recomputed from stored bytes.
    edge: TileBuilder,
}

/// Why a tree is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The database failed; it may work later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store failed; it may work later.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// What is stored contradicts itself. Nothing may be signed.
    #[error("{0}")]
    Contradiction(#[from] Contradiction),
}

/// Two stored facts that cannot both be true.
#[derive(Debug, thiserror::Error)]
pub enum Contradiction {
    /// The committed tree is smaller than the published one.
    #[error(
        "The database holds {committed} entries, but {published} are published: it was restored from a copy."
    )]
    Behind {
        /// Size in the database.
        committed: TreeSize,
        /// Size published.
        published: TreeSize,
    },
    /// An entry is missing from the database.
    #[error("The database has no entry {0}.")]
    MissingEntry(LeafIndex),
    /// A statement's bytes are not those that were sealed.
    #[error("The statement of entry {0} does not hash to the digest beside it.")]
    Digest(LeafIndex),
    /// The sealing times go back.
    #[error("Entry {0} was sealed before the entry in front of it.")]
    TimeGoesBack(LeafIndex),
    /// The entries hash to another root than the committed one.
    #[error("The {size} stored entries hash to {found}, not to the committed root {expected}.")]
    Root {
        /// Size of the tree.
        size: TreeSize,
        /// The root of the stored entries.
        found: Hash,
        /// The committed root.
        expected: Hash,
    },
    /// A published object has other bytes than it must have.
    #[error("{0}")]
    Object(ObjectError),
    /// The tree cannot be signed.
    #[error("The checkpoint cannot be made. {0}")]
    Checkpoint(#[from] CheckpointParseError),
    /// The tree cannot be signed.
    #[error("The checkpoint cannot be signed. {0}")]
    Sign(#[from] NoteError),
    /// An entry does not fit a bundle.
    #[error("{0}")]
    Bundle(#[from] tlog::BundleError),
    /// The published checkpoint is not by this log.
    #[error("The published checkpoint is not this log's. {0}")]
    Published(String),
    /// The archive and the object store disagree.
    #[error("The published checkpoint of size {0} is not the archived one.")]
    Archive(TreeSize),
}

impl PublishError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(StoreError::Database(_)) | Self::Objects(ObjectError::Store { .. }) => true,
            Self::Store(_) | Self::Objects(_) | Self::Contradiction(_) => false,
        }
    }
}

impl Publisher {
    /// Continues from a published tree whose edge was loaded and checked.
    pub fn new(store: Store, objects: Objects, key: SigningKey, edge: TileBuilder) -> Self {
        Self { store, objects, key, edge }
    }

    /// The edge of the published tree.
    pub fn edge(&self) -> &TileBuilder {
        &self.edge
    }

    /// The key that signs checkpoints.
    pub fn key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    /// Publishes the committed tree. Safe to repeat: whatever a failed attempt left behind is what this one writes.
    pub async fn publish(&mut self) -> Result<TreeHead, PublishError> {
        let committed = self.store.head().await?.head;
        let edge = self.put_tree(&committed).await?;
        self.put_checkpoint(&committed).await?;
        self.edge = edge;
        Ok(committed)
    }

    /// Writes the tiles and bundles of a tree that was published before, and that an older copy of the object store lacks. Older
    /// receipts are made from them.
    pub async fn replay(&mut self, archived: &TreeHead) -> Result<(), PublishError> {
        self.edge = self.put_tree(archived).await?;
        Ok(())
    }

    /// Writes tiles and bundles; gives the edge of the tree. Nothing is signed yet.
    async fn put_tree(&self, head: &TreeHead) -> Result<TileBuilder, PublishError> {
        let published = self.edge.size();
        if head.size < published {
            return Err(Contradiction::Behind { committed: head.size, published }.into());
        }
        let mut edge = self.edge.clone();
        if head.size == published {
            require_root(&edge, head)?;
            return Ok(edge);
        }
        let rows = self.rows(published, head.size).await?;
        let new = usize::try_from(head.size.get() - published.get()).unwrap_or(usize::MAX);
        let leaves = check_rows(&rows)?;
        let tiles = edge.append(leaves[leaves.len().saturating_sub(new)..].iter().copied());
        require_root(&edge, head)?;
        for tile in tiles {
            self.objects.put_once(&tile.id.path(), Bytes::from(tile.data)).await?;
        }
        self.put_bundles(published, head.size, &rows).await?;
        Ok(edge)
    }

    /// The entries of every bundle that changes between the two sizes, from the beginning of the first.
    async fn rows(&self, published: TreeSize, committed: TreeSize) -> Result<Vec<SealedRow>, PublishError> {
        let first = published.get() / BUNDLE * BUNDLE;
        let mut rows: Vec<SealedRow> = Vec::new();
        let mut next = first;
        while next < committed.get() {
            for row in self.store.entries(LeafIndex::new(next), CHUNK).await? {
                if row.index.get() >= committed.get() {
                    break;
                }
                if row.index.get() != next {
                    return Err(Contradiction::MissingEntry(LeafIndex::new(next)).into());
                }
                next += 1;
                rows.push(row);
            }
            if rows.last().map(|row| row.index.get() + 1) != Some(next) {
                return Err(Contradiction::MissingEntry(LeafIndex::new(next)).into());
            }
        }
        Ok(rows)
    }

    async fn put_bundles(
        &self,
        published: TreeSize,
        committed: TreeSize,
        rows: &[SealedRow],
    ) -> Result<(), PublishError> {
        let first = published.get() / BUNDLE * BUNDLE;
        for id in bundles_between(published, committed) {
            let begin = usize::try_from(id.index() * BUNDLE - first).unwrap_or(usize::MAX);
            let mut bundle = EntryBundle::new();
            for row in rows.iter().skip(begin).take(usize::from(id.width())) {
                bundle.push(entry_of(row)?.to_bytes().to_vec()).map_err(Contradiction::from)?;
            }
            self.objects.put_once(&id.path(), Bytes::from(bundle.encode())).await?;
        }
        Ok(())
    }

    /// Signs, archives, then publishes: the archive is what receipts are made from, and it never changes.
    async fn put_checkpoint(&self, head: &TreeHead) -> Result<(), PublishError> {
        let origin = self.key.verifier_key().name().as_str();
        let checkpoint = Checkpoint::new(origin, *head).map_err(Contradiction::from)?;
        let note = checkpoint.sign(&self.key).map_err(Contradiction::from)?;
        self.store.archive_checkpoint(head.size, note.as_bytes()).await?;
        self.objects.put_checkpoint(Bytes::copy_from_slice(note.as_bytes())).await?;
        Ok(())
    }
}

/// Hashes the stored bytes again; gives the leaf hashes.
fn check_rows(rows: &[SealedRow]) -> Result<Vec<Hash>, PublishError> {
    let mut leaves = Vec::with_capacity(rows.len());
    let mut sealed_at = None;
    for row in rows {
        if row.statement.as_deref().is_some_and(|statement| Digest::of(statement) != row.digest) {
            return Err(Contradiction::Digest(row.index).into());
        }
        if sealed_at > Some(row.sealed_at) {
            return Err(Contradiction::TimeGoesBack(row.index).into());
        }
        sealed_at = Some(row.sealed_at);
        leaves.push(entry_of(row)?.leaf_hash());
    }
    Ok(leaves)
}

fn require_root(edge: &TileBuilder, committed: &TreeHead) -> Result<(), Contradiction> {
    let found = edge.root();
    if found == committed.root {
        return Ok(());
    }
    Err(Contradiction::Root { size: committed.size, found, expected: committed.root })
}
