//! The lookup index: what one sealed statement adds to it. Written in the commit point's transaction, and again by
//! `reindex` and `fsck`; all three call [`project`], in the order of the log, so they agree row for row.

use evidence::statement::{Enrol, Registry, Revoke};
use evidence::{Digest, KeyDigest, Payload, RecordingId, Sequence, Statement, Token};
use futures_util::TryStreamExt as _;
use sqlx::{Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};
use tlog::LeafIndex;

use super::{Store, StoreError, to_column};

/// The tables of the lookup index with all their columns in a total order, for emptying and comparing.
pub const TABLES: [(&str, &str); 6] = [
    ("recordings", "SELECT id, kid, recording FROM recordings ORDER BY id"),
    ("parts", "SELECT recording, sequence, idx FROM parts ORDER BY recording, sequence, idx"),
    ("tokens", "SELECT token, recording, head FROM tokens ORDER BY token, recording"),
    (
        "enrolments",
        "SELECT idx, kid, public_key, role, valid_from, valid_until, digest FROM enrolments ORDER BY idx",
    ),
    ("revocations", "SELECT idx, kid, effective_from FROM revocations ORDER BY idx"),
    ("snapshots", "SELECT idx, as_of FROM snapshots ORDER BY idx"),
];

/// Deletes the whole index.
const CLEAR: [&str; 6] = [
    "DELETE FROM recordings",
    "DELETE FROM parts",
    "DELETE FROM tokens",
    "DELETE FROM enrolments",
    "DELETE FROM revocations",
    "DELETE FROM snapshots",
];

/// Statements that are read at a time while the index is built again.
const CHUNK: u32 = 512;

/// Adds one sealed statement to the index. `blocks` are the block digests that came with a deposit.
pub async fn project(
    connection: &mut SqliteConnection,
    index: LeafIndex,
    statement: &Statement,
    blocks: &[Digest],
) -> Result<(), StoreError> {
    match statement.payload() {
        Payload::Enrol(enrol) => project_enrol(connection, index, statement, enrol).await,
        Payload::Revoke(revoke) => project_revoke(connection, index, revoke).await,
        Payload::Registry(registry) => project_snapshot(connection, index, registry).await,
        payload => {
            if let (Some(recording), Some(sequence)) = (payload.recording(), payload.sequence()) {
                let row = recording_row(connection, statement.kid(), recording, index).await?;
                insert_part(connection, row, sequence, index).await?;
                insert_tokens(connection, row, payload, blocks).await?;
            }
            Ok(())
        }
    }
}

/// The number of a recording: the position of its first statement, so that it does not depend on the order in which statements are
/// projected, and the earliest recording has the smallest.
async fn recording_row(
    connection: &mut SqliteConnection,
    kid: KeyDigest,
    recording: RecordingId,
    index: LeafIndex,
) -> Result<i64, StoreError> {
    let index = to_column(index.get())?;
    let known = sqlx::query("SELECT id FROM recordings WHERE kid = ? AND recording = ?")
        .bind(kid.as_bytes().as_slice())
        .bind(recording.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    match known.map(|row| row.try_get("id")).transpose()? {
        Some(id) if id <= index => Ok(id),
        Some(id) => {
            renumber(connection, id, index).await?;
            Ok(index)
        }
        None => {
            sqlx::query("INSERT INTO recordings (id, kid, recording) VALUES (?, ?, ?)")
                .bind(index)
                .bind(kid.as_bytes().as_slice())
                .bind(recording.as_bytes().as_slice())
                .execute(connection)
                .await?;
            Ok(index)
        }
    }
}

/// An earlier statement of a recording came back to a log that was restored from a mirror.
async fn renumber(connection: &mut SqliteConnection, from: i64, to: i64) -> Result<(), StoreError> {
    for update in [
        "UPDATE recordings SET id = ? WHERE id = ?",
        "UPDATE parts SET recording = ? WHERE recording = ?",
        "UPDATE tokens SET recording = ? WHERE recording = ?",
    ] {
        sqlx::query(update).bind(to).bind(from).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_part(
    connection: &mut SqliteConnection,
    recording: i64,
    sequence: Sequence,
    index: LeafIndex,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO parts (recording, sequence, idx) VALUES (?, ?, ?)")
        .bind(recording)
        .bind(to_column(sequence.get())?)
        .bind(to_column(index.get())?)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_tokens(
    connection: &mut SqliteConnection,
    recording: i64,
    payload: &Payload,
    blocks: &[Digest],
) -> Result<(), StoreError> {
    if let Payload::Segment(segment) = payload {
        insert_token(connection, Token::segment(&segment.digest), recording, false).await?;
    }
    if let Payload::Deposit(_) = payload {
        for digest in blocks {
            insert_token(connection, Token::segment(digest), recording, false).await?;
        }
    }
    if let Some(head) = payload.head() {
        insert_token(connection, Token::head(&head), recording, true).await?;
    }
    Ok(())
}

async fn insert_token(
    connection: &mut SqliteConnection,
    token: Token,
    recording: i64,
    head: bool,
) -> Result<(), StoreError> {
    // A digest that occurs twice in a recording is one token.
    sqlx::query("INSERT OR IGNORE INTO tokens (token, recording, head) VALUES (?, ?, ?)")
        .bind(token.as_bytes().as_slice())
        .bind(recording)
        .bind(i64::from(head))
        .execute(connection)
        .await?;
    Ok(())
}

async fn project_enrol(
    connection: &mut SqliteConnection,
    index: LeafIndex,
    statement: &Statement,
    enrol: &Enrol,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO enrolments (idx, kid, public_key, role, valid_from, valid_until, digest) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(to_column(index.get())?)
    .bind(KeyDigest::of(&enrol.key).as_bytes().as_slice())
    .bind(enrol.key.as_bytes().as_slice())
    .bind(to_column(enrol.role.code())?)
    .bind(to_column(enrol.valid_from.get())?)
    .bind(to_column(enrol.valid_until.get())?)
    .bind(statement.digest().as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

async fn project_revoke(
    connection: &mut SqliteConnection,
    index: LeafIndex,
    revoke: &Revoke,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO revocations (idx, kid, effective_from) VALUES (?, ?, ?)")
        .bind(to_column(index.get())?)
        .bind(revoke.key.as_bytes().as_slice())
        .bind(to_column(revoke.effective_from.get())?)
        .execute(connection)
        .await?;
    Ok(())
}

async fn project_snapshot(
    connection: &mut SqliteConnection,
    index: LeafIndex,
    registry: &Registry,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO snapshots (idx, as_of) VALUES (?, ?)")
        .bind(to_column(index.get())?)
        .bind(to_column(registry.as_of.get())?)
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Builds the index of this database again, from its statements, in one transaction.
    pub async fn rebuild_index(&self) -> Result<(), StoreError> {
        self.project_from(self).await
    }

    /// Replaces the index of this database by what `source`'s statements say.
    pub async fn project_from(&self, source: &Self) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for statement in CLEAR {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        let mut next = LeafIndex::new(0);
        loop {
            let rows = source.entries(next, CHUNK).await?;
            let Some(last) = rows.last() else { break };
            next = LeafIndex::new(last.index.get() + 1);
            for row in &rows {
                // What is missing in a log that was restored from a mirror is in no index.
                let Some(bytes) = &row.statement else { continue };
                let statement = Statement::parse(bytes).map_err(|error| {
                    StoreError::Damaged(format!("Entry {} holds no statement: {error}.", row.index))
                })?;
                let blocks = match statement.payload() {
                    Payload::Deposit(_) => source.blocks(&row.digest).await?,
                    _ => Vec::new(),
                };
                project(&mut transaction, row.index, &statement, &blocks).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// A digest over all rows of one of [`TABLES`], for comparing two databases.
    pub async fn table_digest(&self, query: &'static str) -> Result<Digest, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut rows = sqlx::query(query).fetch(&mut *connection);
        let mut chained = Digest::of(query.as_bytes());
        while let Some(row) = rows.try_next().await? {
            let mut bytes = chained.as_bytes().to_vec();
            for column in 0..row.len() {
                let value = row.try_get_raw(column)?;
                let blob = value.type_info().name() == "BLOB";
                let cell = if blob {
                    row.try_get(column)?
                } else {
                    row.try_get::<i64, _>(column)?.to_be_bytes().to_vec()
                };
                // The length keeps cells apart.
                bytes.extend(u64::try_from(cell.len()).unwrap_or(u64::MAX).to_be_bytes());
                bytes.extend(cell);
            }
            chained = Digest::of(&bytes);
        }
        Ok(chained)
    }
}
