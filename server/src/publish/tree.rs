//! Tiles and bundles of committed trees (step 4 of the write path).
//!
//! Everything is derived from what the database holds, never from what the sequencer remembers: the stored bytes are hashed again, entry
//! by entry, and the result must be the committed root before anything is written or signed. After a crash the same code catches up.

use bytes::Bytes;
use evidence::{Digest, Entry};
use tlog::{EntryBundle, Hash, LeafIndex, TileBuilder, TreeHead, TreeSize, bundles_between};

use super::{Contradiction, PublishError};
use crate::objects::Objects;
use crate::receipts::entry_of;
use crate::store::{SealedRow, Store};
use crate::tiles::Tiles;

/// Entries in a full bundle.
const BUNDLE: u64 = tlog::tile::TILE_WIDTH as u64;

/// Entries that are read at a time; of what was read only the 42 public bytes are kept.
const CHUNK: u32 = 1024;

/// Writes the tiles and bundles of a growing tree.
#[derive(Debug)]
pub struct TreeWriter {
    store: Store,
    objects: Objects,
    tiles: Tiles,
    /// The edge of the tree that is written, its hashes recomputed from stored bytes.
    edge: TileBuilder,
}

impl TreeWriter {
    /// Continues from a tree whose tiles are written, and whose edge was loaded and checked.
    pub fn new(store: Store, objects: Objects, tiles: Tiles, edge: TileBuilder) -> Self {
        tiles.grown(edge.size());
        Self { store, objects, tiles, edge }
    }

    /// The edge of the tree that is written.
    pub fn edge(&self) -> &TileBuilder {
        &self.edge
    }

    /// Writes what the tree of `head` has and the one that is written has not. Safe to repeat: whatever a failed attempt left behind
    /// is what this one writes.
    pub async fn put(&mut self, head: &TreeHead) -> Result<(), PublishError> {
        let written = self.edge.size();
        if head.size < written {
            return Err(Contradiction::Behind { committed: head.size, published: written }.into());
        }
        if head.size == written {
            return Ok(require_root(&self.edge, head)?);
        }
        let mut edge = self.edge.clone();
        let entries = self.entries(written, head.size).await?;
        let new = usize::try_from(head.size.get() - written.get()).unwrap_or(usize::MAX);
        let leaves = entries[entries.len().saturating_sub(new)..].iter().map(Entry::leaf_hash);
        let tiles = edge.append(leaves);
        require_root(&edge, head)?;
        let mut full = Vec::new();
        for tile in tiles {
            let path = tile.id.path();
            self.objects.put_once(&path, Bytes::from(tile.data)).await?;
            if !tile.id.is_partial() {
                full.push(path);
            }
        }
        self.put_bundles(written, head.size, &entries, &mut full).await?;
        self.edge = edge;
        self.tiles.grown(head.size);
        self.collect(&full).await;
        Ok(())
    }

    /// The entries of every bundle that changes between the two sizes, from the beginning of the first.
    async fn entries(&self, written: TreeSize, committed: TreeSize) -> Result<Vec<Entry>, PublishError> {
        let first = written.get() / BUNDLE * BUNDLE;
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = first;
        while next < committed.get() {
            let before = next;
            for row in self.store.entries(LeafIndex::new(next), CHUNK).await? {
                if row.index.get() >= committed.get() {
                    break;
                }
                if row.index.get() != next {
                    return Err(Contradiction::MissingEntry(LeafIndex::new(next)).into());
                }
                next += 1;
                entries.push(checked(&row, entries.last())?);
            }
            if next == before {
                return Err(Contradiction::MissingEntry(LeafIndex::new(next)).into());
            }
        }
        Ok(entries)
    }

    async fn put_bundles(
        &self,
        written: TreeSize,
        committed: TreeSize,
        entries: &[Entry],
        full: &mut Vec<String>,
    ) -> Result<(), PublishError> {
        let first = written.get() / BUNDLE * BUNDLE;
        for id in bundles_between(written, committed) {
            let begin = usize::try_from(id.index() * BUNDLE - first).unwrap_or(usize::MAX);
            let mut bundle = EntryBundle::new();
            for entry in entries.iter().skip(begin).take(usize::from(id.width())) {
                bundle.push(entry.to_bytes().to_vec()).map_err(Contradiction::from)?;
            }
            self.objects.put_once(&id.path(), Bytes::from(bundle.encode())).await?;
            if !id.is_partial() {
                full.push(id.path());
            }
        }
        Ok(())
    }

    /// Partial tiles and bundles of full ones are of no more use. What is left over after a failure costs space and nothing else; after a
    /// crash the same tiles are written again, and their partial ones go then.
    async fn collect(&self, full: &[String]) {
        for path in full {
            if let Err(error) = self.objects.collect_partials(path).await {
                tracing::warn!(%error, "partial tiles could not be removed");
            }
        }
    }
}

/// The entry of a row whose statement, where it is there, hashes to it, and which was not sealed before the one in front of it.
fn checked(row: &SealedRow, before: Option<&Entry>) -> Result<Entry, PublishError> {
    if row.statement.as_deref().is_some_and(|statement| Digest::of(statement) != row.digest) {
        return Err(Contradiction::Digest(row.index).into());
    }
    if before.is_some_and(|before| before.sealed_at > row.sealed_at) {
        return Err(Contradiction::TimeGoesBack(row.index).into());
    }
    Ok(entry_of(row)?)
}

fn require_root(edge: &TileBuilder, committed: &TreeHead) -> Result<(), Contradiction> {
    let found: Hash = edge.root();
    if found == committed.root {
        return Ok(());
    }
    Err(Contradiction::Root { size: committed.size, found, expected: committed.root })
}
