//! What this log says of itself to a witness: roots and consistency proofs, computed from its own tiles.

use tlog::{ConsistencyProof, Hash, TreeSize, VerifierKey, tile_reader};

use crate::store::{Store, StoreError};
use crate::tiles::{NotFetched, TileReadError, Tiles};

/// This log. Clones are cheap.
#[derive(Debug, Clone)]
pub struct OurLog {
    /// Its origin.
    pub origin: String,
    /// Every key that may ever have signed for it.
    pub keys: Vec<VerifierKey>,
    /// What is committed.
    pub store: Store,
    /// The tiles of the committed tree.
    pub tiles: Tiles,
}

/// Why the log cannot say it.
#[derive(Debug, thiserror::Error)]
pub enum OurLogError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tile could not be read.
    #[error(transparent)]
    Tiles(#[from] TileReadError),
    /// The tiles give no proof.
    #[error("{0}")]
    Read(#[from] tlog::ReadError<NotFetched>),
}

impl OurLog {
    /// The size of the committed tree.
    pub async fn committed(&self) -> Result<TreeSize, OurLogError> {
        Ok(self.store.head().await?.head.size)
    }

    /// The root of the first `size` entries. Their tiles are written.
    pub async fn root(&self, size: TreeSize) -> Result<Hash, OurLogError> {
        let tiles = self.tiles.set(tile_reader::root_tiles(size)).await?;
        Ok(tile_reader::root(&tiles, size)?)
    }

    /// That the first `old` entries are the beginning of the first `new` ones.
    pub async fn proof(&self, old: TreeSize, new: TreeSize) -> Result<ConsistencyProof, OurLogError> {
        let tiles = self.tiles.set(tile_reader::consistency_proof_tiles(old, new)).await?;
        Ok(tile_reader::consistency_proof(&tiles, old, new)?)
    }
}
