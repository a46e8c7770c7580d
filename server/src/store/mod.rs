//! The database: the commit point of the write path, the statements, and the lookup index.
//!
//! SQLite with a write-ahead log and `synchronous=FULL`: a transaction that was acknowledged is on disk. There is one
//! writing connection; readers see the last committed state.
//!
//! | module | what |
//! | --- | --- |
//! | [`commit`] | the commit point: a batch and the new tree head, in one transaction, conditional on the old head |
//! | `rows` | writing many rows with few statements |
//! | [`restoring`] | a log that is read back from a mirror |
//! | [`projection`] | what the lookup index says of one entry |
//! | [`entries`] | reading entries, checkpoints and the tree head |
//! | [`archive`] | what the chain page asks of archived checkpoints |
//! | [`gaps`] | statements that come back to a log that was restored from a mirror |
//! | [`index`] | reading the lookup index |
//! | [`integrity`] | what only the whole database can say, for `fsck` |

pub mod archive;
pub mod commit;
pub mod entries;
pub mod gaps;
pub mod index;
pub mod integrity;
pub mod projection;
pub mod restoring;
mod rows;

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr as _, SqlitePool};

pub use commit::{Batch, BatchItem, CommitError, CommitPoint};
pub use entries::{SealedPlace, SealedRow, StoredHead};

/// How long a connection waits for another process's transaction, such as a backup's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that read at the same time.
const READERS: u32 = 4;

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite or the disk below it failed.
    #[error("The database failed: {0}.")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("The database schema could not be brought up to date: {0}.")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored value is not what the service stores there.
    #[error("The database is damaged: {0}")]
    Damaged(String),
    /// The work on what the database answered was broken off.
    #[error("The work was interrupted.")]
    Interrupted,
    /// A number does not fit SQLite's signed 64-bit integers; intake's limits keep this from happening.
    #[error("The number {0} is too large to be stored.")]
    TooLarge(u64),
}

impl Store {
    /// Opens the database of an initialised data directory.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::connect(path, false).await
    }

    /// Makes the database, with an empty tree. One that is there already, perhaps not finished when it was made, keeps its tree.
    pub async fn create(path: &Path) -> Result<Self, StoreError> {
        let store = Self::connect(path, true).await?;
        let root = tlog::empty_root();
        sqlx::query("INSERT OR IGNORE INTO tree_head (one, size, root, sealed_at) VALUES (1, 0, ?, 0)")
            .bind(root.as_bytes().as_slice())
            .execute(&store.writer)
            .await?;
        Ok(store)
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        migrator().run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        Ok(Self { writer, readers })
    }

    /// Opens a copy of a database to read it.
    pub async fn open_for_reading(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let only = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        Ok(Self { writer: only.clone(), readers: only })
    }

    /// Copies one state of the database into `path`, an empty file; others may write meanwhile.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let path = path.to_str().ok_or_else(|| {
            StoreError::Database(sqlx::Error::Configuration("The path of the copy is not UTF-8.".into()))
        })?;
        sqlx::query("VACUUM INTO ?").bind(path).execute(&self.writer).await?;
        Ok(())
    }

    /// The same database over the writing connection alone: what seals never waits behind visitors' queries. For the sequencer,
    /// which does one thing at a time.
    #[must_use]
    pub fn for_sealing(&self) -> Self {
        Self { writer: self.writer.clone(), readers: self.writer.clone() }
    }

    /// Closes all connections; the write-ahead log is folded into the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The schema is part of the program; a database made by a newer program is refused.
fn migrator() -> Migrator {
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let steps = vec![
        step(1, "first", include_str!("schema.sql")),
        step(2, "recordings by position", include_str!("schema-2.sql")),
    ];
    Migrator { migrations: steps.into(), ..Migrator::DEFAULT }
}

/// SQLite stores signed 64-bit integers.
fn to_column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::TooLarge(number))
}

fn from_column(number: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged(format!("{what} is negative ({number}).")))
}

fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::Damaged(format!("{what} has {} bytes; it must have {N}.", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sealing_goes_on_while_every_reader_is_busy() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("server.sqlite")).await.unwrap();
        let mut busy = Vec::new();
        for _ in 0..READERS {
            busy.push(store.readers.acquire().await.unwrap());
        }
        assert!(store.readers.try_acquire().is_none());
        let sealing = store.for_sealing();
        assert_eq!(sealing.head().await.unwrap().head.size, tlog::TreeSize::ZERO);
        sealing.archive_checkpoint(tlog::TreeSize::ZERO, b"note").await.unwrap();
        assert_eq!(sealing.newest_checkpoint().await.unwrap().unwrap().1, b"note");
    }
}
