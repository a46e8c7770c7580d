//! What the witness has promised: the newest checkpoint cosigned of each log.
//!
//! SQLite with a write-ahead log and `synchronous=FULL`: a transaction that was acknowledged is on disk. There is one writing
//! connection; readers see the last committed state.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _, SqlitePool};
use tlog::{Hash, SignedNote, TreeHead, TreeSize, VerifierKey};

use crate::logs::OriginHash;

/// How long a connection waits for another process's transaction, such as a backup's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for the writing connection; then it is answered 503 rather than left hanging.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that read at the same time.
const READERS: u32 = 4;

/// Contradictions kept of one log. One is enough; a log that signs thousands shall not fill the disk.
pub const MAX_CONTRADICTIONS: i64 = 100;

/// Trees remembered of one log besides the newest: at five a second, some minutes.
const REMEMBERED: i64 = 1024;

/// Bytes in the longest note that is remembered with its tree: ten times an ordinary one. Of a longer one, only size and root.
const MAX_REMEMBERED_NOTE: usize = 4 << 10;

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// The newest checkpoint cosigned of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// The tree.
    pub head: TreeHead,
    /// The cosignature's timestamp.
    pub cosigned_at: u64,
    /// The checkpoint with the log's signatures and the cosignature.
    pub note: SignedNote,
}

/// A tree that was cosigned before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its root.
    pub root: Hash,
    /// The note; `None` if it was too long to be kept.
    pub note: Option<SignedNote>,
}

/// A checkpoint that the log has signed, and that contradicts the newest one cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// When it was seen, in seconds since 1970.
    pub seen_at: u64,
    /// What it states.
    pub head: TreeHead,
    /// The refused note.
    pub theirs: SignedNote,
    /// The proof that leads to its root from another tree of our size; empty for two trees of one size.
    pub proof: Vec<Hash>,
}

/// What becomes of the state after a look at it.
#[derive(Debug)]
pub enum Step<R> {
    /// The newest checkpoint is replaced.
    Replace(Newest, R),
    /// It stays, and the contradiction is kept.
    Convict(Contradiction, R),
    /// It stays.
    Leave(R),
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
    /// A stored value is not what the witness stores there.
    #[error("The database is damaged: {0}")]
    Damaged(String),
    /// The state of another key.
    #[error(
        "The database is the state of the witness {found}, and the key is that of {expected}. A key must never be used with \
         another state than its own: it could cosign what it has contradicted before."
    )]
    OtherWitness {
        /// Whose state it is.
        found: String,
        /// Whose key is used.
        expected: String,
    },
}

impl Store {
    /// Makes the database of a new witness.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn create(path: &Path, key: &VerifierKey) -> Result<(), StoreError> {
        let store = Self::connect(path, true).await?;
        sqlx::query("INSERT INTO identity (one, vkey) VALUES (1, ?)")
            .bind(key.to_string())
            .execute(&store.writer)
            .await?;
        store.close().await;
        Ok(())
    }

    /// Opens the state of the witness with this key. A database that is not there is never made: without its state, the key must
    /// not sign.
    ///
    /// # Errors
    /// When SQLite fails, or it is another witness's.
    pub async fn open(path: &Path, key: &VerifierKey) -> Result<Self, StoreError> {
        let store = Self::connect(path, false).await?;
        let found: Option<String> =
            sqlx::query_scalar("SELECT vkey FROM identity").fetch_optional(&store.readers).await?;
        let (found, expected) = (found.unwrap_or_default(), key.to_string());
        if found != expected {
            return Err(StoreError::OtherWitness { found, expected });
        }
        Ok(store)
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        migrator().run(&writer).await?;
        let readers = options.pragma("query_only", "ON");
        let readers = pool().max_connections(READERS).connect_with(readers).await?;
        Ok(Self { writer, readers })
    }

    /// Closes all connections; the write-ahead log is folded into the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Shows `decide` the newest checkpoint cosigned of a log, and does what it says, all in one transaction: nobody else sees or
    /// replaces the state in between. `Ok` only once everything is durable. After `Err` nothing may be handed out that `decide` made.
    ///
    /// # Errors
    /// When SQLite fails; whether the state was replaced is then unknown.
    pub async fn decide<R>(
        &self,
        origin: &str,
        decide: impl FnOnce(Option<&Newest>) -> Step<R>,
    ) -> Result<R, StoreError> {
        // IMMEDIATE takes the write lock first.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let row = sqlx::query("SELECT size, root, cosigned_at, note FROM newest WHERE origin = ?")
            .bind(origin)
            .fetch_optional(&mut *transaction)
            .await?;
        let newest = row.as_ref().map(newest_of).transpose()?;
        let result = match decide(newest.as_ref()) {
            Step::Replace(newest, result) => {
                replace(&mut transaction, origin, &newest).await?;
                result
            }
            Step::Convict(contradiction, result) => {
                if let Some(ours) = &newest {
                    convict(&mut transaction, origin, &ours.note, &contradiction).await?;
                }
                result
            }
            // Nothing was written: there is nothing to wait for.
            Step::Leave(result) => return Ok(result),
        };
        transaction.commit().await?;
        Ok(result)
    }

    /// The newest checkpoint cosigned of the log with this origin.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn newest(&self, origin: &str) -> Result<Option<Newest>, StoreError> {
        let row = sqlx::query("SELECT size, root, cosigned_at, note FROM newest WHERE origin = ?")
            .bind(origin)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(newest_of).transpose()
    }

    /// The note of [`Store::newest`], by the hash of the origin.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn note_of(&self, origin: &OriginHash) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(sqlx::query_scalar("SELECT note FROM newest WHERE origin_hash = ?")
            .bind(origin.as_bytes().as_slice())
            .fetch_optional(&self.readers)
            .await?)
    }

    /// The newest checkpoint of every log that was ever cosigned, by origin.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn all(&self) -> Result<Vec<(String, Newest)>, StoreError> {
        let rows = sqlx::query("SELECT origin, size, root, cosigned_at, note FROM newest ORDER BY origin")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("origin")?, newest_of(row)?))).collect()
    }

    /// Sizes and times of cosignature of all logs, without the notes.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn summary(&self) -> Result<Vec<(String, u64, u64)>, StoreError> {
        let rows =
            sqlx::query("SELECT origin, size, cosigned_at FROM newest").fetch_all(&self.readers).await?;
        let number = |row: &SqliteRow, name| from_column(row.try_get(name)?, name);
        rows.iter()
            .map(|row| Ok((row.try_get("origin")?, number(row, "size")?, number(row, "cosigned_at")?)))
            .collect()
    }

    /// The tree of `size` leaves that was cosigned, if it is still remembered.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn cosigned(&self, origin: &str, size: TreeSize) -> Result<Option<Remembered>, StoreError> {
        let row = sqlx::query("SELECT root, note FROM cosigned WHERE origin = ? AND size = ?")
            .bind(origin)
            .bind(to_column(size.get()))
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (root, note): (Vec<u8>, Option<Vec<u8>>) = (row.try_get("root")?, row.try_get("note")?);
        let note = note.map(|note| parse_note(&note)).transpose()?;
        Ok(Some(Remembered { root: hash_of(&root)?, note }))
    }

    /// Keeps a contradiction that was found elsewhere than in a request.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn keep(
        &self,
        origin: &str,
        ours: &SignedNote,
        found: &Contradiction,
    ) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        convict(&mut connection, origin, ours, found).await
    }

    /// All contradictions that are kept, with the note that each contradicts.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn kept(&self) -> Result<Vec<(String, SignedNote, Contradiction)>, StoreError> {
        let rows = sqlx::query(
            "SELECT origin, seen_at, ours, size, root, theirs, proof FROM contradictions ORDER BY id",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(kept_of).collect()
    }

    /// How many contradictions are kept of each log that has any.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn contradictions(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query("SELECT origin, COUNT(*) AS kept FROM contradictions GROUP BY origin")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("origin")?, from_column(row.try_get("kept")?, "kept")?)))
            .collect()
    }
}

async fn replace(connection: &mut SqliteConnection, origin: &str, newest: &Newest) -> Result<(), StoreError> {
    let (size, root) = (to_column(newest.head.size.get()), newest.head.root.as_bytes().as_slice());
    sqlx::query(
        "INSERT INTO newest (origin, origin_hash, size, root, cosigned_at, note) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, \
         cosigned_at = excluded.cosigned_at, note = excluded.note",
    )
    .bind(origin)
    .bind(OriginHash::of(origin).as_bytes().as_slice())
    .bind(size)
    .bind(root)
    .bind(to_column(newest.cosigned_at))
    .bind(newest.note.as_bytes())
    .execute(&mut *connection)
    .await?;
    let note = Some(newest.note.as_bytes()).filter(|note| note.len() <= MAX_REMEMBERED_NOTE);
    sqlx::query("INSERT INTO cosigned (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(origin)
        .bind(size)
        .bind(root)
        .bind(note)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM cosigned WHERE origin = ?1 AND size <= \
         (SELECT size FROM cosigned WHERE origin = ?1 ORDER BY size DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(origin)
    .bind(REMEMBERED)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn convict(
    connection: &mut SqliteConnection,
    origin: &str,
    ours: &SignedNote,
    contradiction: &Contradiction,
) -> Result<(), StoreError> {
    let proof: String = contradiction.proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    sqlx::query(
        "INSERT INTO contradictions (origin, seen_at, ours, size, root, theirs, proof) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE (SELECT COUNT(*) FROM contradictions WHERE origin = ?1) < ?8 \
         ON CONFLICT DO NOTHING",
    )
    .bind(origin)
    .bind(to_column(contradiction.seen_at))
    .bind(ours.as_bytes())
    .bind(to_column(contradiction.head.size.get()))
    .bind(contradiction.head.root.as_bytes().as_slice())
    .bind(contradiction.theirs.as_bytes())
    .bind(proof)
    .bind(MAX_CONTRADICTIONS)
    .execute(connection)
    .await?;
    Ok(())
}

/// The schema is part of the program; a database made by a newer program is refused.
fn migrator() -> Migrator {
    let step = |number, name: &'static str, statements: &'static str| {
        Migration::new(number, name.into(), MigrationType::Simple, statements.into_sql_str(), false)
    };
    let steps = vec![
        step(1, "first", include_str!("schema.sql")),
        step(2, "notes of remembered trees", include_str!("schema_2.sql")),
    ];
    Migrator { migrations: steps.into(), ..Migrator::DEFAULT }
}

fn newest_of(row: &SqliteRow) -> Result<Newest, StoreError> {
    let cosigned_at = from_column(row.try_get("cosigned_at")?, "cosigned_at")?;
    Ok(Newest { head: head_of(row)?, cosigned_at, note: note_of(row, "note")? })
}

fn kept_of(row: &SqliteRow) -> Result<(String, SignedNote, Contradiction), StoreError> {
    let proof: String = row.try_get("proof")?;
    let damaged = |error| StoreError::Damaged(format!("A hash of a kept proof cannot be read. {error}"));
    let contradiction = Contradiction {
        seen_at: from_column(row.try_get("seen_at")?, "seen_at")?,
        head: head_of(row)?,
        theirs: note_of(row, "theirs")?,
        proof: proof.lines().map(Hash::from_base64).collect::<Result<_, _>>().map_err(damaged)?,
    };
    Ok((row.try_get("origin")?, note_of(row, "ours")?, contradiction))
}

fn head_of(row: &SqliteRow) -> Result<TreeHead, StoreError> {
    let root: Vec<u8> = row.try_get("root")?;
    let size = TreeSize::new(from_column(row.try_get("size")?, "size")?);
    Ok(TreeHead { size, root: hash_of(&root)? })
}

fn note_of(row: &SqliteRow, column: &str) -> Result<SignedNote, StoreError> {
    let note: Vec<u8> = row.try_get(column)?;
    parse_note(&note)
}

fn parse_note(note: &[u8]) -> Result<SignedNote, StoreError> {
    SignedNote::parse(note)
        .map_err(|error| StoreError::Damaged(format!("A stored checkpoint is no signed note. {error}")))
}

fn hash_of(bytes: &[u8]) -> Result<Hash, StoreError> {
    let bytes: [u8; Hash::LEN] = bytes.try_into().map_err(|_| {
        StoreError::Damaged(format!("A root has {} bytes; it must have {}.", bytes.len(), Hash::LEN))
    })?;
    Ok(Hash::from_bytes(bytes))
}

/// SQLite stores signed 64-bit integers. Sizes of checkpoints and times of cosignatures fit: their types' bounds are 2^63 - 1.
fn to_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_column(number: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged(format!("{what} is negative ({number}).")))
}
