//! The growing edge of a tree: what a sequencer needs to append leaves and publish tiles, C2SP `tlog-tiles`.

use crate::hash::{Hash, empty_root};
use crate::root::{RootBuilder, root_of};
use crate::tile::{MAX_LEVEL, TILE_WIDTH, TileError, TileId};
use crate::tile_reader::HashReader;
use crate::tree::{TreeHead, TreeSize};

/// A tile with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Its address.
    pub id: TileId,
    /// Its hashes, [`TileId::byte_len`] bytes.
    pub data: Vec<u8>,
}

/// The rightmost, partial tile of each level. Clone it to try a batch out: nothing is shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TileBuilder {
    size: u64,
    /// Per level fewer than 256 hashes: those that no full tile holds yet.
    levels: Vec<Vec<Hash>>,
}

/// Why stored tiles are not those of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// A tile could not be read.
    #[error("The tile {id} could not be read.")]
    Tile {
        /// The tile asked for.
        id: TileId,
        /// What the reader said.
        source: E,
    },
    /// A tile has the wrong length.
    #[error("The tile {id} is malformed. {source}")]
    Malformed {
        /// The tile asked for.
        id: TileId,
        /// What is wrong with it.
        source: TileError,
    },
    /// The last full tile of a level does not hash to what the level above says.
    #[error("The full tile {id} does not hash to the value that the level above holds for it.")]
    LevelMismatch {
        /// The full tile.
        id: TileId,
    },
    /// The tiles give another root.
    #[error("The stored tiles of size {size} have the root hash {found}, not the expected {expected}.")]
    RootMismatch {
        /// The size loaded.
        size: TreeSize,
        /// The root of the tiles.
        found: Hash,
        /// The root asked for.
        expected: Hash,
    },
}

impl TileBuilder {
    /// The edge of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the edge of the tree of `head` and checks that it hashes to its root. Also recomputes, from the tile
    /// below, the last hash of each level, so that a damaged full tile at the edge is noticed before it is signed over.
    pub fn load<R: HashReader>(head: &TreeHead, reader: &R) -> Result<Self, LoadError<R::Error>> {
        let read = |id: TileId| {
            let data = reader.tile(id).map_err(|source| LoadError::Tile { id, source })?;
            id.hashes(&data).map_err(|source| LoadError::Malformed { id, source })
        };
        let width = u64::from(TILE_WIDTH);
        let mut levels: Vec<Vec<Hash>> = Vec::new();
        let mut nodes = head.size.get();
        for level in 0..=MAX_LEVEL {
            if nodes == 0 {
                break;
            }
            levels.push(match TileId::in_tree(level, nodes / width, head.size) {
                Some(id) => read(id)?,
                None => Vec::new(),
            });
            nodes /= width;
            let last_full = nodes.checked_sub(1).and_then(|last| TileId::in_tree(level, last, head.size));
            let above =
                nodes.checked_sub(1).and_then(|last| TileId::in_tree(level + 1, last / width, head.size));
            if let (Some(full), Some(above)) = (last_full, above)
                && read(above)?.last() != Some(&root_of(read(full)?))
            {
                return Err(LoadError::LevelMismatch { id: full });
            }
        }
        let builder = Self { size: head.size.get(), levels };
        let found = builder.root();
        if found != head.root {
            return Err(LoadError::RootMismatch { size: head.size, found, expected: head.root });
        }
        Ok(builder)
    }

    /// The number of leaves.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        // Level by level from the leaves: what lies to the right on a lower level is smaller than one hash of this
        // level, so it is the tail of this level's tree.
        let root = self.levels.iter().fold(None, |tail, hashes| {
            let mut builder = RootBuilder::new();
            builder.extend(hashes.iter().copied());
            builder.fold(tail)
        });
        root.unwrap_or_else(empty_root)
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size(), root: self.root() }
    }

    /// Appends leaf hashes and gives every tile that changed: all that became full, and the partial ones at the new
    /// edge; level by level from the leaves, exactly those of [`crate::tiles_between`].
    pub fn append(&mut self, leaf_hashes: impl IntoIterator<Item = Hash>) -> Vec<Tile> {
        let old = self.size;
        let mut tiles: Vec<Vec<Tile>> = Vec::new();
        for leaf in leaf_hashes {
            self.push(leaf, &mut tiles);
        }
        let mut changed = Vec::new();
        tiles.resize_with(self.levels.len(), Vec::new);
        for (level, full) in (0..).zip(tiles) {
            let grown = !full.is_empty() || nodes(old, level) != nodes(self.size, level);
            changed.extend(full);
            let partial =
                TileId::in_tree(level, nodes(self.size, level) / u64::from(TILE_WIDTH), self.size());
            if let (true, Some(id)) = (grown, partial) {
                changed.push(Tile { id, data: bytes_of(&self.levels[usize::from(level)]) });
            }
        }
        changed
    }

    fn push(&mut self, leaf: Hash, full: &mut Vec<Vec<Tile>>) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=MAX_LEVEL {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels.push(Vec::new());
            }
            self.levels[at].push(hash);
            if self.levels[at].len() < usize::from(TILE_WIDTH) {
                return;
            }
            let hashes = std::mem::take(&mut self.levels[at]);
            hash = root_of(hashes.iter().copied());
            if full.len() <= at {
                full.resize_with(at + 1, Vec::new);
            }
            // invariant: the tile just became full, so the tree has it.
            if let Some(id) = TileId::in_tree(level, nodes(self.size, level + 1) - 1, self.size()) {
                full[at].push(Tile { id, data: bytes_of(&hashes) });
            }
        }
    }
}

/// Complete subtrees of height 8 x `level`.
fn nodes(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or(0)
}

fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
