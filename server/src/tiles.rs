//! Reading published tiles and entry bundles, with a cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tlog::{BundleId, HashReader, LoadError, TileBuilder, TileId, TreeHead, TreeSize};

use crate::objects::{ObjectError, Objects};

/// Tiles in each of the two generations of the cache: twice 2,048 of at most 8 KiB are 32 MiB.
const GENERATION: usize = 2048;

/// Reads tiles and bundles. Clones share one cache.
#[derive(Debug, Clone)]
pub struct Tiles {
    objects: Objects,
    cache: Arc<Mutex<Cache>>,
}

/// Two generations: when the young one is full, the old one is dropped. What is used survives.
#[derive(Debug, Default)]
struct Cache {
    young: HashMap<TileId, Bytes>,
    old: HashMap<TileId, Bytes>,
}

/// Why a tile could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TileReadError {
    /// The object store failed.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// A published tile is not there.
    #[error("The published tile {0} is missing from the object store.")]
    Missing(TileId),
    /// A published tile is too short.
    #[error("The published tile {0} has the wrong length.")]
    Length(TileId),
    /// The stored tiles are not those of the expected tree.
    #[error("{0}")]
    Load(#[source] LoadError<NotFetched>),
}

/// The tile has not been fetched into the set; fetch it and try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The tile has not been fetched.")]
pub struct NotFetched;

/// Tiles in memory, for `tlog`'s synchronous readers.
#[derive(Debug, Default)]
pub struct TileSet(HashMap<TileId, Bytes>);

impl HashReader for TileSet {
    type Error = NotFetched;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, NotFetched> {
        self.0.get(&id).map(|data| data.to_vec()).ok_or(NotFetched)
    }
}

impl Cache {
    fn get(&mut self, id: TileId) -> Option<Bytes> {
        if let Some(data) = self.young.get(&id) {
            return Some(data.clone());
        }
        let data = self.old.remove(&id)?;
        self.put(id, data.clone());
        Some(data)
    }

    fn put(&mut self, id: TileId, data: Bytes) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, data);
    }
}

impl Tiles {
    /// Tiles from this object store.
    pub fn new(objects: Objects) -> Self {
        Self { objects, cache: Arc::default() }
    }

    /// The bytes of a tile. A partial tile may be cut from the full one: the hashes of a tile never change.
    pub async fn tile(&self, id: TileId) -> Result<Bytes, TileReadError> {
        if let Some(data) = self.cache().get(id) {
            return Ok(data);
        }
        let data = match self.objects.get(&id.path()).await? {
            Some(data) => data,
            None => self.full(id).await?,
        };
        let data = cut(data, id)?;
        self.cache().put(id, data.clone());
        Ok(data)
    }

    async fn full(&self, id: TileId) -> Result<Bytes, TileReadError> {
        let full = TileId::new(id.level(), id.index(), tlog::tile::TILE_WIDTH);
        match full {
            Ok(full) if id.is_partial() => {
                self.objects.get(&full.path()).await?.ok_or(TileReadError::Missing(id))
            }
            _ => Err(TileReadError::Missing(id)),
        }
    }

    /// The tiles with these addresses.
    pub async fn set(&self, ids: impl IntoIterator<Item = TileId>) -> Result<TileSet, TileReadError> {
        let mut set = TileSet::default();
        for id in ids {
            set.0.insert(id, self.tile(id).await?);
        }
        Ok(set)
    }

    /// The right edge of the published tree of `head`, its hashes recomputed from the stored tiles.
    pub async fn load_edge(&self, head: &TreeHead) -> Result<TileBuilder, TileReadError> {
        let mut set = TileSet::default();
        loop {
            match TileBuilder::load(head, &set) {
                Ok(builder) => return Ok(builder),
                // Each round fetches one more of the few tiles at the edge, so this ends.
                Err(LoadError::Tile { id, source: NotFetched }) => {
                    set.0.insert(id, self.tile(id).await?);
                }
                Err(error) => return Err(TileReadError::Load(error)),
            }
        }
    }

    /// The bytes of an entry bundle of exactly this width, if it has been published.
    pub async fn bundle(&self, id: BundleId) -> Result<Option<Bytes>, ObjectError> {
        self.objects.get(&id.path()).await
    }

    /// Whether a tree of `size` leaves has this tile or a wider version of it.
    pub fn is_published(id: TileId, size: TreeSize) -> bool {
        TileId::in_tree(id.level(), id.index(), size).is_some_and(|widest| widest.width() >= id.width())
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        // A panic while the lock was held leaves at worst a cache entry out.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(data: Bytes, id: TileId) -> Result<Bytes, TileReadError> {
    if data.len() < id.byte_len() {
        return Err(TileReadError::Length(id));
    }
    Ok(data.slice(..id.byte_len()))
}
