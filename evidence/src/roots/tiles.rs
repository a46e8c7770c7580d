//! The tiles that were asked for.

use std::collections::BTreeMap;

use tlog::{HashReader, TileId};

use super::MAX_TILES;

/// The tiles of the service, as far as they were asked for. Nothing in them is believed: what is computed from them counts only
/// where it leads to a signed root.
#[derive(Debug, Default)]
pub(super) struct Tiles(BTreeMap<TileId, Option<Vec<u8>>>);

/// The tile was not asked for, or there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoTile;

impl HashReader for Tiles {
    type Error = NoTile;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, NoTile> {
        self.0.get(&id).and_then(Clone::clone).ok_or(NoTile)
    }
}

impl Tiles {
    pub(super) fn insert(&mut self, id: TileId, bytes: Option<Vec<u8>>) {
        self.0.insert(id, bytes.filter(|bytes| bytes.len() == id.byte_len()));
    }

    /// Those of `wanted` that may still be asked for. The others count as missing.
    pub(super) fn to_ask(&self, wanted: Vec<TileId>) -> Vec<TileId> {
        let mut ask: Vec<_> = wanted.into_iter().filter(|id| !self.0.contains_key(id)).collect();
        ask.truncate(MAX_TILES.saturating_sub(self.0.len()));
        ask
    }
}
