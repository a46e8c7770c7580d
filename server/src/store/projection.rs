//! The lookup index: what one sealed statement adds to it. Written in the commit point's transaction, and again by
//! `reindex` and `fsck`; all three call [`project`], in the order of the log, so they agree row for row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use evidence::statement::{Enrol, Registry, Revoke};
use evidence::{Digest, KeyDigest, Payload, RecordingId, Statement, Token};
use futures_util::TryStreamExt as _;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, TypeInfo as _, ValueRef as _};
use tlog::LeafIndex;

use super::rows::{insert_rows, pieces};
use super::{Store, StoreError, fixed, to_column};

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

/// A sealed statement.
#[derive(Debug, Clone, Copy)]
pub struct Projected<'a> {
    /// Its position.
    pub index: LeafIndex,
    /// The statement.
    pub statement: &'a Statement,
    /// The block digests that came with a deposit.
    pub blocks: &'a [Digest],
}

/// Adds sealed statements to the index, in the order of the log.
pub async fn project(
    connection: &mut SqliteConnection,
    statements: &[Projected<'_>],
) -> Result<(), StoreError> {
    let mut parts = Vec::new();
    for place in statements {
        let Projected { index, statement, .. } = place;
        match statement.payload() {
            Payload::Enrol(enrol) => project_enrol(connection, *index, statement, enrol).await?,
            Payload::Revoke(revoke) => project_revoke(connection, *index, revoke).await?,
            Payload::Registry(registry) => project_snapshot(connection, *index, registry).await?,
            payload => {
                if let (Some(recording), Some(sequence)) = (payload.recording(), payload.sequence()) {
                    let (index, sequence) = (to_column(index.get())?, to_column(sequence.get())?);
                    parts.push((place, (statement.kid(), recording), sequence, index));
                }
            }
        }
    }
    let places: Vec<(Recording, i64)> =
        parts.iter().map(|(_, recording, _, index)| (*recording, *index)).collect();
    let rows = recording_rows(connection, &places).await?;

    let into = "INSERT INTO parts (recording, sequence, idx) ";
    insert_rows(connection, into, &parts, |row, (_, recording, sequence, index)| {
        row.push_bind(rows.get(recording).copied()).push_bind(*sequence).push_bind(*index);
    })
    .await?;

    let mut tokens = Vec::new();
    for (place, recording, ..) in &parts {
        let row = rows.get(recording).copied();
        tokens.extend(tokens_of(place).map(|(token, head)| (token, row, head)));
    }
    // A digest that occurs twice in a recording is one token.
    let into = "INSERT OR IGNORE INTO tokens (token, recording, head) ";
    insert_rows(connection, into, &tokens, |row, (token, recording, head)| {
        row.push_bind(token.as_bytes().to_vec()).push_bind(*recording).push_bind(i64::from(*head));
    })
    .await
}

/// By what a recording is found in a file, and whether it is the token of its head.
fn tokens_of<'a>(place: &Projected<'a>) -> impl Iterator<Item = (Token, bool)> + use<'a> {
    let payload = place.statement.payload();
    let segment = match payload {
        Payload::Segment(segment) => Some(&segment.digest),
        _ => None,
    };
    let blocks = match payload {
        Payload::Deposit(_) => place.blocks,
        _ => &[],
    };
    let head = payload.head().map(|head| (Token::head(&head), true));
    segment.into_iter().chain(blocks).map(|digest| (Token::segment(digest), false)).chain(head)
}

/// Whose recording, and which.
type Recording = (KeyDigest, RecordingId);

/// The number of each recording: the position of its first statement, so that it does not depend on the order in which statements are
/// projected, and the earliest recording has the smallest. `places` are in the order of the log.
async fn recording_rows(
    connection: &mut SqliteConnection,
    places: &[(Recording, i64)],
) -> Result<HashMap<Recording, i64>, StoreError> {
    let mut first: HashMap<Recording, i64> = HashMap::new();
    let mut distinct = Vec::new();
    for (recording, index) in places {
        if let Entry::Vacant(vacant) = first.entry(*recording) {
            vacant.insert(*index);
            distinct.push((*recording, *index));
        }
    }
    let known = known_rows(connection, &distinct).await?;
    let mut new = Vec::new();
    let mut rows = HashMap::with_capacity(distinct.len());
    for (recording, index) in distinct {
        let row = match known.get(&recording).copied() {
            Some(row) if row <= index => row,
            Some(row) => {
                renumber(connection, row, index).await?;
                index
            }
            None => {
                new.push((recording, index));
                index
            }
        };
        rows.insert(recording, row);
    }
    insert_rows(
        connection,
        "INSERT INTO recordings (id, kid, recording) ",
        &new,
        |row, ((kid, id), index)| {
            row.push_bind(*index).push_bind(kid.as_bytes().to_vec()).push_bind(id.as_bytes().to_vec());
        },
    )
    .await?;
    Ok(rows)
}

/// Those of the recordings that have a number.
async fn known_rows(
    connection: &mut SqliteConnection,
    recordings: &[(Recording, i64)],
) -> Result<HashMap<Recording, i64>, StoreError> {
    let mut known = HashMap::new();
    for piece in pieces(recordings) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT id, kid, recording FROM recordings WHERE (kid, recording) IN (",
        );
        query.push_values(piece, |mut row, ((kid, id), _)| {
            row.push_bind(kid.as_bytes().to_vec()).push_bind(id.as_bytes().to_vec());
        });
        query.push(")");
        for row in query.build().fetch_all(&mut *connection).await? {
            let kid = KeyDigest::from_bytes(fixed(row.try_get("kid")?, "A key digest")?);
            let recording = RecordingId::from_bytes(fixed(row.try_get("recording")?, "A recording's id")?);
            known.insert((kid, recording), row.try_get("id")?);
        }
    }
    Ok(known)
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
            let mut statements = Vec::with_capacity(rows.len());
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
                statements.push((row.index, statement, blocks));
            }
            let places: Vec<Projected<'_>> = statements
                .iter()
                .map(|(index, statement, blocks)| Projected { index: *index, statement, blocks })
                .collect();
            project(&mut transaction, &places).await?;
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
