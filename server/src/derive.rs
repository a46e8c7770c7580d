//! From stored entries to the objects that are published of them: for checking and for making them again.

use bytes::Bytes;
use tlog::{BundleId, EntryBundle, Hash, TileBuilder, TileId, TreeHead, TreeSize, bundles_between};

use crate::receipts::entry_of;
use crate::store::{SealedRow, StoreError};

const BUNDLE: u64 = tlog::tile::TILE_WIDTH as u64;

/// The address of a published object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectId {
    /// A tile of hashes.
    Tile(TileId),
    /// An entry bundle.
    Bundle(BundleId),
}

impl ObjectId {
    /// Parses an address below the log's prefix.
    pub fn parse(path: &str) -> Option<Self> {
        path.parse().map(Self::Bundle).or_else(|_| path.parse().map(Self::Tile)).ok()
    }

    /// The address below the log's prefix.
    pub fn path(self) -> String {
        match self {
            Self::Tile(id) => id.path(),
            Self::Bundle(id) => id.path(),
        }
    }

    /// Whether it is replaced as the tree grows.
    pub fn is_partial(self) -> bool {
        match self {
            Self::Tile(id) => id.is_partial(),
            Self::Bundle(id) => id.is_partial(),
        }
    }

    /// How many hashes or entries it has.
    pub fn width(self) -> u16 {
        match self {
            Self::Tile(id) => id.width(),
            Self::Bundle(id) => id.width(),
        }
    }

    /// The same object, as wide as a tree of `size` leaves makes it.
    pub fn in_tree(self, size: TreeSize) -> Option<Self> {
        match self {
            Self::Tile(id) => TileId::in_tree(id.level(), id.index(), size).map(Self::Tile),
            Self::Bundle(id) => BundleId::in_tree(id.index(), size).map(Self::Bundle),
        }
    }

    /// The same object when it is full; `None` where no tree is that large.
    pub fn full(self) -> Option<Self> {
        let width = tlog::tile::TILE_WIDTH;
        match self {
            Self::Tile(id) => TileId::new(id.level(), id.index(), width).ok().map(Self::Tile),
            Self::Bundle(id) => BundleId::new(id.index(), width).ok().map(Self::Bundle),
        }
    }
}

/// The tree of the entries so far.
#[derive(Debug, Default)]
pub struct Derivation {
    edge: TileBuilder,
    /// The entries of the bundle that is not full yet.
    bundle: Vec<Vec<u8>>,
}

impl Derivation {
    /// Nothing appended yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        self.edge.head()
    }

    /// How many entries there are.
    pub fn size(&self) -> TreeSize {
        self.edge.size()
    }

    /// The edge of the tree.
    pub fn into_edge(self) -> TileBuilder {
        self.edge
    }

    /// Appends consecutive entries, and gives every object that changed: all that became full, and the partial ones at the edge.
    /// Those are published only if a checkpoint of this size is.
    pub fn append(&mut self, rows: &[SealedRow]) -> Result<Vec<(ObjectId, Bytes)>, StoreError> {
        let old = self.edge.size();
        let mut leaves: Vec<Hash> = Vec::with_capacity(rows.len());
        for row in rows {
            let entry = entry_of(row)?;
            leaves.push(entry.leaf_hash());
            self.bundle.push(entry.to_bytes().to_vec());
        }
        let mut objects: Vec<(ObjectId, Bytes)> = Vec::new();
        for tile in self.edge.append(leaves) {
            objects.push((ObjectId::Tile(tile.id), Bytes::from(tile.data)));
        }
        let first = old.get() / BUNDLE * BUNDLE;
        for id in bundles_between(old, self.edge.size()) {
            let begin = usize::try_from(id.index() * BUNDLE - first).unwrap_or(usize::MAX);
            let mut bundle = EntryBundle::new();
            for entry in self.bundle.iter().skip(begin).take(usize::from(id.width())) {
                // invariant: an entry has 42 bytes, and no more than 256 are taken.
                let _ = bundle.push(entry.clone());
            }
            objects.push((ObjectId::Bundle(id), Bytes::from(bundle.encode())));
        }
        let width = usize::from(tlog::tile::TILE_WIDTH);
        let full = self.bundle.len() / width * width;
        self.bundle.drain(..full);
        Ok(objects)
    }
}
