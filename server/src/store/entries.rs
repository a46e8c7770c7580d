//! Reading what is sealed: entries, the tree head, archived checkpoints.

use std::collections::HashSet;

use evidence::{Digest, UnixSeconds};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use tlog::{Hash, LeafIndex, TreeHead, TreeSize};

use super::rows::pieces;
use super::{Store, StoreError, fixed, from_column, to_column};

/// The tree head in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredHead {
    /// Size and root.
    pub head: TreeHead,
    /// Sealing time of the newest entry.
    pub sealed_at: UnixSeconds,
}

/// Where a statement was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedPlace {
    /// Position in the log.
    pub index: LeafIndex,
    /// When it was sealed.
    pub sealed_at: UnixSeconds,
    /// Whether its bytes are missing; see [`Store::fill`].
    pub missing: bool,
}

/// One stored entry; nothing about it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Position in the log.
    pub index: LeafIndex,
    /// The digest as stored beside the statement.
    pub digest: Digest,
    /// The entry kind's code.
    pub kind: u64,
    /// When it was sealed.
    pub sealed_at: UnixSeconds,
    /// The signed bytes; `None` where the log was restored from a mirror, which has the entries and not the statements.
    pub statement: Option<Vec<u8>>,
}

impl SealedRow {
    pub(super) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        // No statement is empty, so an empty one is none.
        let statement: Vec<u8> = row.try_get("statement")?;
        Ok(Self {
            index: LeafIndex::new(from_column(row.try_get("idx")?, "A log position")?),
            digest: Digest::from_bytes(fixed(row.try_get("digest")?, "A statement digest")?),
            kind: from_column(row.try_get("kind")?, "An entry kind")?,
            sealed_at: UnixSeconds::new(from_column(row.try_get("sealed_at")?, "A sealing time")?),
            statement: Some(statement).filter(|statement| !statement.is_empty()),
        })
    }
}

impl Store {
    /// The committed tree head.
    pub async fn head(&self) -> Result<StoredHead, StoreError> {
        let row = sqlx::query("SELECT size, root, sealed_at FROM tree_head WHERE one = 1")
            .fetch_optional(&self.readers)
            .await?
            .ok_or_else(|| StoreError::Damaged("There is no tree head.".to_owned()))?;
        let size = TreeSize::new(from_column(row.try_get("size")?, "The tree size")?);
        let root = Hash::from_bytes(fixed(row.try_get("root")?, "The root hash")?);
        let sealed_at = UnixSeconds::new(from_column(row.try_get("sealed_at")?, "The sealing time")?);
        Ok(StoredHead { head: TreeHead { size, root }, sealed_at })
    }

    /// The number of entries below any tree head: contiguous positions from 0, or the database is damaged.
    pub async fn count_entries(&self) -> Result<TreeSize, StoreError> {
        let row = sqlx::query("SELECT count(*) AS n, coalesce(max(idx) + 1, 0) AS next FROM entries")
            .fetch_one(&self.readers)
            .await?;
        let (count, next): (i64, i64) = (row.try_get("n")?, row.try_get("next")?);
        if count != next {
            return Err(StoreError::Damaged(format!(
                "{count} entries are stored, but the last is number {next}."
            )));
        }
        Ok(TreeSize::new(from_column(count, "The number of entries")?))
    }

    /// Where the statement with this digest was sealed.
    pub async fn find(&self, digest: &Digest) -> Result<Option<SealedPlace>, StoreError> {
        let row =
            sqlx::query("SELECT idx, sealed_at, length(statement) AS bytes FROM entries WHERE digest = ?")
                .bind(digest.as_bytes().as_slice())
                .fetch_optional(&self.readers)
                .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SealedPlace {
            index: LeafIndex::new(from_column(row.try_get("idx")?, "A log position")?),
            sealed_at: UnixSeconds::new(from_column(row.try_get("sealed_at")?, "A sealing time")?),
            missing: row.try_get::<i64, _>("bytes")? == 0,
        }))
    }

    /// Which of the statements with these digests are sealed.
    pub async fn sealed_among(&self, digests: &[Digest]) -> Result<HashSet<Digest>, StoreError> {
        let mut sealed = HashSet::new();
        for piece in pieces(digests) {
            let mut query = QueryBuilder::<Sqlite>::new("SELECT digest FROM entries WHERE digest IN (");
            query.push_values(piece, |mut row, digest| {
                row.push_bind(digest.as_bytes().to_vec());
            });
            query.push(")");
            for row in query.build().fetch_all(&self.readers).await? {
                sealed.insert(Digest::from_bytes(fixed(row.try_get("digest")?, "A statement digest")?));
            }
        }
        Ok(sealed)
    }

    /// The entry at `index`.
    pub async fn entry(&self, index: LeafIndex) -> Result<Option<SealedRow>, StoreError> {
        let row = sqlx::query("SELECT idx, digest, kind, sealed_at, statement FROM entries WHERE idx = ?")
            .bind(to_column(index.get())?)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(SealedRow::read).transpose()
    }

    /// The entries from `from` on, at most `limit`, in order.
    pub async fn entries(&self, from: LeafIndex, limit: u32) -> Result<Vec<SealedRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT idx, digest, kind, sealed_at, statement FROM entries WHERE idx >= ? ORDER BY idx LIMIT ?",
        )
        .bind(to_column(from.get())?)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(SealedRow::read).collect()
    }

    /// The block digests that came with the statement `digest`; none unless it is a deposit.
    pub async fn blocks(&self, digest: &Digest) -> Result<Vec<Digest>, StoreError> {
        let row = sqlx::query("SELECT digests FROM blocks WHERE digest = ?")
            .bind(digest.as_bytes().as_slice())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        let joined: &[u8] = row.try_get("digests")?;
        joined.chunks(32).map(|one| Ok(Digest::from_bytes(fixed(one, "A block digest")?))).collect()
    }

    /// Archives the first published checkpoint of a size. Repeating the same note changes nothing; another note for
    /// the same size is refused.
    pub async fn archive_checkpoint(&self, size: TreeSize, note: &[u8]) -> Result<(), StoreError> {
        sqlx::query("INSERT OR IGNORE INTO checkpoints (size, note) VALUES (?, ?)")
            .bind(to_column(size.get())?)
            .bind(note)
            .execute(&self.writer)
            .await?;
        match self.checkpoint_at(size).await? {
            Some(stored) if stored == note => Ok(()),
            _ => Err(StoreError::Damaged(format!("Another checkpoint of size {size} is archived already."))),
        }
    }

    /// The archived checkpoint of exactly this size.
    pub async fn checkpoint_at(&self, size: TreeSize) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT note FROM checkpoints WHERE size = ?")
            .bind(to_column(size.get())?)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get("note")).transpose()?)
    }

    /// The first archived checkpoint that covers `index`: the one that its receipt carries for ever.
    pub async fn checkpoint_covering(
        &self,
        index: LeafIndex,
    ) -> Result<Option<(TreeSize, Vec<u8>)>, StoreError> {
        let row = sqlx::query("SELECT size, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT 1")
            .bind(to_column(index.get())?)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_checkpoint).transpose()
    }

    /// The archived checkpoints above `size`, at most `limit`, in order.
    pub async fn checkpoints_after(
        &self,
        size: Option<TreeSize>,
        limit: u32,
    ) -> Result<Vec<(TreeSize, Vec<u8>)>, StoreError> {
        let after = match size {
            Some(size) => to_column(size.get())?,
            None => -1,
        };
        let rows = sqlx::query("SELECT size, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?")
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_checkpoint).collect()
    }

    /// The newest archived checkpoint.
    pub async fn newest_checkpoint(&self) -> Result<Option<(TreeSize, Vec<u8>)>, StoreError> {
        let row = sqlx::query("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_checkpoint).transpose()
    }
}

pub(super) fn read_checkpoint(row: &SqliteRow) -> Result<(TreeSize, Vec<u8>), StoreError> {
    let size = TreeSize::new(from_column(row.try_get("size")?, "A checkpoint's size")?);
    Ok((size, row.try_get("note")?))
}
