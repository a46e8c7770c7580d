//! Reading published tiles and entry bundles, with a cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tlog::{
    BundleError, BundleId, EntryBundle, HashReader, LoadError, TileBuilder, TileId, TreeHead, TreeSize,
};

use crate::objects::{ObjectError, Objects};

/// Tiles in each of the two generations of the cache: twice 2,048 of at most 8 KiB are 32 MiB.
const GENERATION: usize = 2048;

/// Reads tiles and bundles. Clones share one cache.
#[derive(Debug, Clone)]
pub struct Tiles {
    objects: Objects,
    cache: Arc<Mutex<Cache>>,
    /// The largest tree of which all tiles are written.
    written: Arc<AtomicU64>,
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
    /// A published bundle is malformed.
    #[error("The published bundle {id} cannot be read. {source}")]
    Bundle {
        /// Its address.
        id: BundleId,
        /// What is wrong with it.
        source: BundleError,
    },
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
        Self { objects, cache: Arc::default(), written: Arc::default() }
    }

    /// All tiles of the tree of `size` leaves are written.
    pub fn grown(&self, size: TreeSize) {
        self.written.fetch_max(size.get(), Ordering::Release);
    }

    /// The bytes of a tile. A partial tile is the beginning of every wider one, and is cut from what is there: the full one, or the one
    /// at the edge of the newest tree.
    pub async fn tile(&self, id: TileId) -> Result<Bytes, TileReadError> {
        if let Some(data) = self.cache().get(id) {
            return Ok(data);
        }
        let mut found = self.objects.get(&id.path()).await?;
        for wider in self.wider(id) {
            if found.is_none() {
                found = self.objects.get(&wider.path()).await?;
            }
        }
        let data = cut(found.ok_or(TileReadError::Missing(id))?, id)?;
        self.cache().put(id, data.clone());
        Ok(data)
    }

    /// Tiles that begin with the bytes of a partial one.
    fn wider(&self, id: TileId) -> impl Iterator<Item = TileId> + use<> {
        let full = TileId::new(id.level(), id.index(), tlog::tile::TILE_WIDTH).ok();
        let written = TreeSize::new(self.written.load(Ordering::Acquire));
        let newest = TileId::in_tree(id.level(), id.index(), written);
        [full, newest].into_iter().flatten().filter(move |wider| wider.width() > id.width())
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

    /// The bytes of an entry bundle; `None` if neither it nor a wider one is there.
    pub async fn bundle(&self, id: BundleId) -> Result<Option<Bytes>, TileReadError> {
        if let Some(data) = self.objects.get(&id.path()).await? {
            return Ok(Some(data));
        }
        let full = BundleId::new(id.index(), tlog::tile::TILE_WIDTH).ok();
        let newest = BundleId::in_tree(id.index(), TreeSize::new(self.written.load(Ordering::Acquire)));
        for wider in [full, newest].into_iter().flatten().filter(|wider| wider.width() > id.width()) {
            if let Some(data) = self.objects.get(&wider.path()).await? {
                return beginning(&data, wider, id).map(Some);
            }
        }
        Ok(None)
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

/// The first entries of a bundle, as many as `id` has.
fn beginning(data: &[u8], wider: BundleId, id: BundleId) -> Result<Bytes, TileReadError> {
    let malformed = |source| TileReadError::Bundle { id: wider, source };
    let all = EntryBundle::parse(wider, data).map_err(malformed)?;
    let mut bundle = EntryBundle::new();
    for entry in all.entries().iter().take(usize::from(id.width())) {
        bundle.push(entry.clone()).map_err(malformed)?;
    }
    Ok(Bytes::from(bundle.encode()))
}
