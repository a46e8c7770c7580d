//! What the chain page asks of the archive: the newest published checkpoints, and how the tree grew.

use evidence::UnixSeconds;
use sqlx::Row as _;
use tlog::{LeafIndex, TreeSize};

use super::entries::read_checkpoint;
use super::{Store, StoreError, from_column, to_column};

impl Store {
    /// The newest archived checkpoints up to `size`, at most `limit`, newest first.
    pub async fn checkpoints_down_from(
        &self,
        size: TreeSize,
        limit: u32,
    ) -> Result<Vec<(TreeSize, Vec<u8>)>, StoreError> {
        let rows =
            sqlx::query("SELECT size, note FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT ?")
                .bind(to_column(size.get())?)
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(read_checkpoint).collect()
    }

    /// When the entry at `index` was sealed.
    pub async fn sealed_at(&self, index: LeafIndex) -> Result<Option<UnixSeconds>, StoreError> {
        let row = sqlx::query("SELECT sealed_at FROM entries WHERE idx = ?")
            .bind(to_column(index.get())?)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(UnixSeconds::new(from_column(row.try_get("sealed_at")?, "A sealing time")?)))
    }
}
