//! A tree that the log has signed, read over the network: whatever this gives is part of that tree. Needs the memory of a few tiles,
//! however large the tree is.
//!
//! The tiles of the right edge hash to the signed root. From there downwards, a full tile is authentic if it hashes to the value that
//! the tile above holds for it, and a bundle if its entries hash to the tile of level 0.

use std::collections::HashMap;

use evidence::Entry;
use tlog::tile::TILE_WIDTH;
use tlog::tile_reader::{Growth, consistency_proof, growth, growth_tiles};
use tlog::{
    BundleError, BundleId, ConsistencyProof, EntryBundle, Hash, HashReader, LoadError, TileBuilder, TileId,
    TreeHead, TreeSize, root_of,
};

use super::source::{FetchError, Source};

/// Bytes in the largest bundle of a log whose entries are those of `docs/spec/log.md`.
const MAX_BUNDLE_LEN: usize = TILE_WIDTH as usize * (2 + Entry::LEN);

/// Bytes in a full tile.
const MAX_TILE_LEN: usize = TILE_WIDTH as usize * Hash::LEN;

/// A signed tree.
#[derive(Debug)]
pub struct Authentic<'a> {
    source: &'a Source,
    head: TreeHead,
    /// The partial tiles, which hash to the root.
    edge: HashMap<TileId, Vec<Hash>>,
    /// Of each level, the full tile used last; authentic.
    recent: HashMap<u8, (u64, Vec<Hash>)>,
}

/// Why a tree or a part of it could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The log did not answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A published tile or bundle is withheld.
    #[error("The log serves no {0}, which its checkpoint commits to.")]
    Missing(String),
    /// A tile is not part of the signed tree.
    #[error("The log serves a tile {0} that is no part of its tree.")]
    Tile(String),
    /// The tiles at the edge are not those of the signed tree.
    #[error("The tiles that the log serves are not those of its checkpoint of size {0}.")]
    Edge(TreeSize),
    /// A bundle cannot be read.
    #[error("The log serves a bundle {id} that cannot be read. {source}")]
    Malformed {
        /// The bundle.
        id: BundleId,
        /// What is wrong with it.
        source: BundleError,
    },
    /// A bundle is not part of the signed tree.
    #[error("The log serves a bundle {0} that is no part of its tree.")]
    Bundle(BundleId),
}

/// Tiles in memory, for `tlog`'s synchronous readers.
#[derive(Debug, Default)]
struct TileSet(HashMap<TileId, Vec<u8>>);

/// The tile has not been fetched into the set; fetch it and try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The tile has not been fetched.")]
struct NotFetched;

impl HashReader for TileSet {
    type Error = NotFetched;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, NotFetched> {
        self.0.get(&id).cloned().ok_or(NotFetched)
    }
}

impl<'a> Authentic<'a> {
    /// Reads the right edge of the signed tree.
    ///
    /// # Errors
    /// Every [`TreeError`] of tiles.
    pub async fn load(source: &'a Source, head: TreeHead) -> Result<Self, TreeError> {
        let mut set = TileSet::default();
        loop {
            match TileBuilder::load(&head, &set) {
                Ok(_) => break,
                // Each round fetches one more of the few tiles at the edge, so this ends.
                Err(LoadError::Tile { id, source: NotFetched }) => {
                    let data = fetch_tile(source, id).await?;
                    set.0.insert(id, data);
                }
                Err(_) => return Err(TreeError::Edge(head.size)),
            }
        }
        let partial = set.0.into_iter().filter(|(id, _)| id.is_partial());
        // invariant: the builder has read them as tiles of these ids.
        let edge = partial.map(|(id, data)| (id, id.hashes(&data).unwrap_or_default())).collect();
        Ok(Self { source, head, edge, recent: HashMap::new() })
    }

    /// The signed tree.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The root over the first `old` leaves of this tree, and a proof; 0 < `old` < size.
    ///
    /// # Errors
    /// Every [`TreeError`] of tiles.
    pub async fn beginning(&self, old: TreeSize) -> Result<(Hash, ConsistencyProof), TreeError> {
        let new = self.head.size;
        let mut set = TileSet::default();
        for id in growth_tiles(old, new) {
            let data = fetch_tile(self.source, id).await?;
            set.0.insert(id, data);
        }
        let Growth { old: beginning, new: root } =
            growth(&set, old, new).map_err(|_| TreeError::Edge(new))?;
        if root != self.head.root {
            return Err(TreeError::Edge(new));
        }
        // Its tiles are among those of the growth.
        let proof = consistency_proof(&set, old, new).unwrap_or(ConsistencyProof::empty());
        Ok((beginning, proof))
    }

    /// The entries of bundle `index`, as many as the tree has.
    ///
    /// # Errors
    /// Every [`TreeError`].
    pub async fn bundle(&mut self, index: u64) -> Result<EntryBundle, TreeError> {
        let Some(id) = BundleId::in_tree(index, self.head.size) else {
            return Err(TreeError::Missing(format!("bundle {index}")));
        };
        let bundle = self.fetch_bundle(id).await?;
        if self.is_authentic(id, &bundle).await? { Ok(bundle) } else { Err(TreeError::Bundle(id)) }
    }

    /// Whether these are the entries of the bundle.
    ///
    /// # Errors
    /// Every [`TreeError`] of tiles.
    pub async fn is_authentic(&mut self, id: BundleId, bundle: &EntryBundle) -> Result<bool, TreeError> {
        if !id.is_partial() {
            let expected = self.node(1, id.index()).await?;
            return Ok(bundle.entries().len() == usize::from(id.width())
                && root_of(bundle.leaf_hashes()) == expected);
        }
        let tile = TileId::in_tree(0, id.index(), self.head.size).and_then(|tile| self.edge.get(&tile));
        Ok(tile.is_some_and(|hashes| bundle.leaf_hashes().eq(hashes.iter().copied())))
    }

    async fn fetch_bundle(&self, id: BundleId) -> Result<EntryBundle, TreeError> {
        let malformed = |id| move |source| TreeError::Malformed { id, source };
        if let Some(data) = self.source.get(&format!("/{}", id.path()), MAX_BUNDLE_LEN).await? {
            return EntryBundle::parse(id, &data).map_err(malformed(id));
        }
        // The partial one may go once the full one is there.
        let missing = || TreeError::Missing(format!("bundle {id}"));
        let full =
            BundleId::new(id.index(), TILE_WIDTH).ok().filter(|_| id.is_partial()).ok_or_else(missing)?;
        let data =
            self.source.get(&format!("/{}", full.path()), MAX_BUNDLE_LEN).await?.ok_or_else(missing)?;
        let all = EntryBundle::parse(full, &data).map_err(malformed(full))?;
        let mut bundle = EntryBundle::new();
        for entry in all.entries().iter().take(usize::from(id.width())) {
            bundle.push(entry.clone()).map_err(malformed(id))?;
        }
        Ok(bundle)
    }

    /// The hash of the complete subtree `index` of `level`, found by going up to a tile that is known, and down again.
    async fn node(&mut self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let (mut level, mut index) = (level, index);
        let mut unknown = Vec::new();
        let mut hash = loop {
            let (tile, place) = (index / u64::from(TILE_WIDTH), place(index));
            let id = TileId::in_tree(level, tile, self.head.size)
                .ok_or_else(|| TreeError::Missing(format!("tile {tile} of level {level}")))?;
            let known = if id.is_partial() {
                self.edge.get(&id)
            } else {
                self.recent.get(&level).filter(|(recent, _)| *recent == tile).map(|(_, hashes)| hashes)
            };
            if let Some(hashes) = known {
                // invariant: the tree has the subtree, so its tile is wide enough.
                break *hashes.get(place).ok_or_else(|| TreeError::Tile(id.path()))?;
            }
            if id.is_partial() {
                return Err(TreeError::Tile(id.path()));
            }
            unknown.push((id, place));
            (level, index) = (level + 1, tile);
        };
        for (id, place) in unknown.into_iter().rev() {
            let data = fetch_tile(self.source, id).await?;
            let hashes = id.hashes(&data).map_err(|_| TreeError::Tile(id.path()))?;
            if root_of(hashes.iter().copied()) != hash {
                return Err(TreeError::Tile(id.path()));
            }
            hash = *hashes.get(place).ok_or_else(|| TreeError::Tile(id.path()))?;
            self.recent.insert(id.level(), (id.index(), hashes));
        }
        Ok(hash)
    }
}

/// Where in its tile a node is.
fn place(index: u64) -> usize {
    // invariant: below 256.
    usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(0)
}

/// The bytes of a tile; a partial one may be gone when the full one is there.
async fn fetch_tile(source: &Source, id: TileId) -> Result<Vec<u8>, TreeError> {
    if let Some(data) = source.get(&format!("/{}", id.path()), MAX_TILE_LEN).await? {
        return Ok(data);
    }
    let missing = || TreeError::Missing(id.path());
    let full = TileId::new(id.level(), id.index(), TILE_WIDTH)
        .ok()
        .filter(|_| id.is_partial())
        .ok_or_else(missing)?;
    let mut data = source.get(&format!("/{}", full.path()), MAX_TILE_LEN).await?.ok_or_else(missing)?;
    data.truncate(id.byte_len());
    Ok(data)
}
