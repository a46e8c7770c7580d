//! Writing a log that is read back from a mirror: entries without their statements, in steps that each end with an archived checkpoint.

use evidence::{Entry, Statement, UnixSeconds};
use sqlx::{Sqlite, Transaction};
use tlog::{LeafIndex, TreeHead};

use super::projection::Projected;
use super::{CommitError, Store, StoreError, projection, to_column};

/// The entries from one archived checkpoint to the next.
#[derive(Debug)]
pub struct RestoreStep(Transaction<'static, Sqlite>);

impl Store {
    /// Begins a step.
    pub async fn begin_restoring(&self) -> Result<RestoreStep, StoreError> {
        Ok(RestoreStep(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }
}

impl RestoreStep {
    /// Adds an entry; its statement, if it is public, must be the one that it commits to.
    pub async fn insert(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        statement: Option<&Statement>,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO entries (idx, digest, kind, sealed_at, statement) VALUES (?, ?, ?, ?, ?)")
            .bind(to_column(index.get())?)
            .bind(entry.statement.as_bytes().as_slice())
            .bind(i64::from(entry.kind as u8))
            .bind(to_column(entry.sealed_at.get())?)
            .bind(statement.map(Statement::bytes).unwrap_or_default())
            .execute(&mut *self.0)
            .await?;
        match statement {
            Some(statement) => {
                projection::project(&mut self.0, &[Projected { index, statement, blocks: &[] }]).await
            }
            None => Ok(()),
        }
    }

    /// Leaves the database as it was.
    pub async fn undo(self) -> Result<(), StoreError> {
        Ok(self.0.rollback().await?)
    }

    /// Makes the step true: the entries, the tree head `after`, which was `before`, and the checkpoint that vouches for it.
    pub async fn commit(
        mut self,
        before: &TreeHead,
        after: &TreeHead,
        sealed_at: UnixSeconds,
        note: &[u8],
    ) -> Result<(), CommitError> {
        let moved = sqlx::query(
            "UPDATE tree_head SET size = ?, root = ?, sealed_at = ? WHERE one = 1 AND size = ? AND root = ?",
        )
        .bind(to_column(after.size.get())?)
        .bind(after.root.as_bytes().as_slice())
        .bind(to_column(sealed_at.get())?)
        .bind(to_column(before.size.get())?)
        .bind(before.root.as_bytes().as_slice())
        .execute(&mut *self.0)
        .await?;
        if moved.rows_affected() != 1 {
            return Err(CommitError::HeadMoved { expected: before.size });
        }
        sqlx::query("INSERT INTO checkpoints (size, note) VALUES (?, ?)")
            .bind(to_column(after.size.get())?)
            .bind(note)
            .execute(&mut *self.0)
            .await?;
        self.0.commit().await?;
        Ok(())
    }
}
