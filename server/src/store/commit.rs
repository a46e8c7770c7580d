//! The commit point (step 3 of the write path).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use evidence::{Digest, Disclosure, Entry, UnixSeconds};
use tlog::{LeafIndex, TreeHead};

use super::projection::Projected;
use super::rows::insert_rows;
use super::{Store, StoreError, projection, to_column};
use crate::intake::Admitted;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What becomes durable in one step.
#[derive(Debug)]
pub struct Batch {
    /// The tree that the batch extends.
    pub before: TreeHead,
    /// The tree with the batch.
    pub after: TreeHead,
    /// When the batch was sealed.
    pub sealed_at: UnixSeconds,
    /// Consecutive entries from `before.size` on.
    pub items: Vec<BatchItem>,
}

/// One entry of a batch and the statement that it commits to.
#[derive(Debug)]
pub struct BatchItem {
    /// Its position.
    pub index: LeafIndex,
    /// The entry.
    pub entry: Entry,
    /// The statement, and what came with it.
    pub admitted: Arc<Admitted>,
}

/// A batch of which it is not known, or known not, to be durable. The process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The tree head in the database is another one: a second process writes, or the database was exchanged.
    #[error("The tree head in the database is not the one that this process wrote last ({expected}).")]
    HeadMoved {
        /// The size that this process expected.
        expected: tlog::TreeSize,
    },
    /// The transaction failed; what is on disk is unknown.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreError::Database(error))
    }
}

/// The place where a batch becomes true.
///
/// Promises of every implementation:
/// - **Atomic**: all of a batch and the new tree head are stored, or nothing of it.
/// - **Durable**: after `Ok`, neither a crash of the process nor of the machine loses it.
/// - **Conditional**: `Ok` only if the stored tree head was `batch.before`; of two writers at most one succeeds.
/// - `Err` promises nothing: the batch may be stored or not. The caller stops, and start-up finds out.
pub trait CommitPoint: Send + Sync + 'static {
    /// Stores `batch`.
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), CommitError>>;
}

impl CommitPoint for Store {
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), CommitError>> {
        Box::pin(async move {
            // IMMEDIATE takes the write lock first, so that the comparison and the writing see one state.
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            move_head(&mut transaction, batch).await?;
            insert(&mut transaction, &batch.items).await?;
            transaction.commit().await?;
            Ok(())
        })
    }
}

async fn move_head(connection: &mut sqlx::SqliteConnection, batch: &Batch) -> Result<(), CommitError> {
    let moved = sqlx::query(
        "UPDATE tree_head SET size = ?, root = ?, sealed_at = ? \
         WHERE one = 1 AND size = ? AND root = ? AND sealed_at <= ?",
    )
    .bind(to_column(batch.after.size.get())?)
    .bind(batch.after.root.as_bytes().as_slice())
    .bind(to_column(batch.sealed_at.get())?)
    .bind(to_column(batch.before.size.get())?)
    .bind(batch.before.root.as_bytes().as_slice())
    .bind(to_column(batch.sealed_at.get())?)
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() != 1 {
        return Err(CommitError::HeadMoved { expected: batch.before.size });
    }
    Ok(())
}

async fn insert(connection: &mut sqlx::SqliteConnection, items: &[BatchItem]) -> Result<(), StoreError> {
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        entries.push((to_column(item.index.get())?, to_column(item.entry.sealed_at.get())?, item));
    }
    let into = "INSERT INTO entries (idx, digest, kind, sealed_at, statement) ";
    insert_rows(connection, into, &entries, |row, (index, sealed_at, item)| {
        let statement = item.admitted.statement();
        row.push_bind(*index)
            .push_bind(statement.digest().as_bytes().to_vec())
            .push_bind(i64::from(item.entry.kind as u8))
            .push_bind(*sealed_at)
            .push_bind(statement.bytes().to_vec());
    })
    .await?;
    let facts: Vec<Facts<'_>> = items
        .iter()
        .map(|item| Facts {
            place: Projected {
                index: item.index,
                statement: item.admitted.statement(),
                blocks: item.admitted.blocks(),
            },
            disclosures: item.admitted.disclosures(),
        })
        .collect();
    insert_facts(connection, &facts).await
}

/// What hangs on a statement: block digests, disclosures, and its part of the lookup index.
pub(super) struct Facts<'a> {
    /// The statement, its position, and the block digests that came with it.
    pub(super) place: Projected<'a>,
    /// The disclosures that came with it.
    pub(super) disclosures: &'a [Disclosure],
}

/// Stores facts; in the order of the log.
pub(super) async fn insert_facts(
    connection: &mut sqlx::SqliteConnection,
    facts: &[Facts<'_>],
) -> Result<(), StoreError> {
    let mut disclosures = Vec::new();
    for Facts { place, disclosures: disclosed } in facts {
        let digest = place.statement.digest();
        if !place.blocks.is_empty() {
            sqlx::query("INSERT INTO blocks (digest, digests) VALUES (?, ?)")
                .bind(digest.as_bytes().as_slice())
                .bind(join(place.blocks))
                .execute(&mut *connection)
                .await?;
        }
        disclosures
            .extend((0_i64..).zip(*disclosed).map(|(number, disclosure)| (digest, number, disclosure)));
    }
    let into = "INSERT INTO disclosures (digest, number, disclosure) ";
    insert_rows(connection, into, &disclosures, |row, (digest, number, disclosure)| {
        row.push_bind(digest.as_bytes().to_vec()).push_bind(*number).push_bind(disclosure.to_bytes());
    })
    .await?;
    let places: Vec<Projected<'_>> = facts.iter().map(|facts| facts.place).collect();
    projection::project(connection, &places).await
}

fn join(digests: &[Digest]) -> Vec<u8> {
    digests.iter().flat_map(|digest| *digest.as_bytes()).collect()
}
