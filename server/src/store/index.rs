//! Reading the lookup index.

use std::collections::HashMap;

use evidence::statement::{Registry, Role};
use evidence::{
    Digest, Disclosure, KeyDigest, Payload, PublicKey, RecordingId, Sequence, Statement, Token, UnixMillis,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use tlog::{LeafIndex, TreeSize};

use super::entries::SealedRow;
use super::{Store, StoreError, fixed, from_column, to_column};

/// Enrolments or revocations of one key that are considered: with one enrolment and one snapshot they are the 64 registry
/// statements that evidence may carry.
const MAX_PER_KEY: i64 = 62;

/// What is known of one key.
#[derive(Debug, Clone)]
pub struct KeyFacts {
    /// The key.
    pub key: PublicKey,
    /// Its enrolments, the newest first; never empty.
    pub enrolments: Vec<Enrolment>,
    /// Its revocations, the oldest first: position and effective time.
    pub revocations: Vec<(LeafIndex, UnixMillis)>,
}

/// One enrolment of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// Its position in the log.
    pub index: LeafIndex,
    /// The digest of the statement.
    pub digest: Digest,
    /// What the key may sign.
    pub role: Role,
    /// When it begins to be valid.
    pub valid_from: UnixMillis,
    /// When it ends.
    pub valid_until: UnixMillis,
}

/// What a registry snapshot is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationState {
    /// The kids of all revoked keys, ascending and distinct.
    pub revoked: Vec<KeyDigest>,
    /// The snapshot that was sealed last. By position, because a registrar's clock may have been wrong once.
    pub snapshot: Option<Registry>,
}

/// A row of the index: one recording or deposit by one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingRow(i64);

/// What identifies a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingName {
    /// The key that signs it.
    pub kid: KeyDigest,
    /// Its random id.
    pub recording: RecordingId,
}

/// A sealed statement and its place in a recording.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its place.
    pub sequence: Sequence,
    /// The statement.
    pub row: SealedRow,
}

/// How well a recording matches a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Distinct tokens that match, the head's included.
    pub tokens: u64,
    /// Distinct segment tokens that match.
    pub segments: u64,
    /// Distinct segment tokens that the recording has.
    pub all_segments: u64,
}

impl Store {
    /// What is sealed about the key `kid` within the first `size` entries; `None` if it was never enrolled.
    pub async fn key_facts(&self, kid: &KeyDigest, size: TreeSize) -> Result<Option<KeyFacts>, StoreError> {
        let size = to_column(size.get())?;
        let rows = sqlx::query(
            "SELECT idx, public_key, role, valid_from, valid_until, digest FROM enrolments \
             WHERE kid = ? AND idx < ? ORDER BY idx DESC LIMIT ?",
        )
        .bind(kid.as_bytes().as_slice())
        .bind(size)
        .bind(MAX_PER_KEY)
        .fetch_all(&self.readers)
        .await?;
        let Some(newest) = rows.first() else { return Ok(None) };
        let key = PublicKey::from_bytes(newest.try_get("public_key")?)
            .map_err(|error| StoreError::Damaged(format!("An enrolled key cannot be used: {error}.")))?;
        let enrolments = rows.iter().map(read_enrolment).collect::<Result<_, _>>()?;
        let rows = sqlx::query(
            "SELECT idx, effective_from FROM revocations WHERE kid = ? AND idx < ? ORDER BY idx LIMIT ?",
        )
        .bind(kid.as_bytes().as_slice())
        .bind(size)
        .bind(MAX_PER_KEY)
        .fetch_all(&self.readers)
        .await?;
        let revocations = rows
            .iter()
            .map(|row| Ok((read_index(row)?, read_time(row, "effective_from")?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Some(KeyFacts { key, enrolments, revocations }))
    }

    /// Position of the registry snapshot that was sealed last within the first `size` entries.
    pub async fn newest_snapshot(&self, size: TreeSize) -> Result<Option<LeafIndex>, StoreError> {
        let row = sqlx::query("SELECT idx FROM snapshots WHERE idx < ? ORDER BY idx DESC LIMIT 1")
            .bind(to_column(size.get())?)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_index).transpose()
    }

    /// All revocations and the newest snapshot.
    pub async fn revocation_state(&self) -> Result<RevocationState, StoreError> {
        let rows =
            sqlx::query("SELECT DISTINCT kid FROM revocations ORDER BY kid").fetch_all(&self.readers).await?;
        let mut state = RevocationState::default();
        for row in &rows {
            state.revoked.push(KeyDigest::from_bytes(fixed(row.try_get("kid")?, "A key digest")?));
        }
        let Some(index) = self.newest_snapshot(TreeSize::MAX_CHECKPOINT).await? else { return Ok(state) };
        let bytes = self.entry(index).await?.and_then(|row| row.statement);
        let statement = bytes.and_then(|bytes| Statement::parse(&bytes).ok());
        if let Some(Payload::Registry(registry)) = statement.map(|statement| statement.payload().clone()) {
            state.snapshot = Some(registry);
        }
        Ok(state)
    }

    /// For each token the recordings that have it, at most `limit`, the earliest first; in the order of the tokens.
    pub async fn recordings_with(
        &self,
        tokens: &[Token],
        limit: u32,
    ) -> Result<Vec<Vec<RecordingRow>>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut found = Vec::with_capacity(tokens.len());
        for token in tokens {
            let rows = sqlx::query("SELECT recording FROM tokens WHERE token = ? ORDER BY recording LIMIT ?")
                .bind(token.as_bytes().as_slice())
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
                .await?;
            let rows = rows.iter().map(|row| Ok(RecordingRow(row.try_get("recording")?)));
            found.push(rows.collect::<Result<_, StoreError>>()?);
        }
        Ok(found)
    }

    /// How many of `tokens`, which are distinct, `recording` has.
    pub async fn matches(&self, recording: RecordingRow, tokens: &[Token]) -> Result<Match, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut found = Match { tokens: 0, segments: 0, all_segments: 0 };
        for token in tokens {
            if let Some(head) = token_kind(&mut connection, recording, token).await? {
                found.tokens += 1;
                found.segments += u64::from(!head);
            }
        }
        let row = sqlx::query("SELECT count(*) AS n FROM tokens WHERE recording = ? AND head = 0")
            .bind(recording.0)
            .fetch_one(&mut *connection)
            .await?;
        found.all_segments = from_column(row.try_get("n")?, "A number of tokens")?;
        Ok(found)
    }

    /// What identifies the recording.
    pub async fn recording_name(&self, recording: RecordingRow) -> Result<RecordingName, StoreError> {
        let row = sqlx::query("SELECT kid, recording FROM recordings WHERE id = ?")
            .bind(recording.0)
            .fetch_one(&self.readers)
            .await?;
        Ok(RecordingName {
            kid: KeyDigest::from_bytes(fixed(row.try_get("kid")?, "A key digest")?),
            recording: RecordingId::from_bytes(fixed(row.try_get("recording")?, "A recording id")?),
        })
    }

    /// Bytes in all statements of the recording.
    pub async fn statement_bytes(&self, recording: RecordingRow) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT coalesce(sum(length(entries.statement)), 0) AS n \
             FROM parts JOIN entries ON entries.idx = parts.idx WHERE parts.recording = ?",
        )
        .bind(recording.0)
        .fetch_one(&self.readers)
        .await?;
        from_column(row.try_get("n")?, "A number of bytes")
    }

    /// The statements of the recording within the first `size` entries, by sequence; of one sequence the earliest first.
    pub async fn parts(&self, recording: RecordingRow, size: TreeSize) -> Result<Vec<Part>, StoreError> {
        let rows = sqlx::query(
            "SELECT parts.sequence, entries.idx, entries.digest, entries.kind, entries.sealed_at, entries.statement \
             FROM parts JOIN entries ON entries.idx = parts.idx \
             WHERE parts.recording = ? AND parts.idx < ? ORDER BY parts.sequence, parts.idx",
        )
        .bind(recording.0)
        .bind(to_column(size.get())?)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let sequence = Sequence::new(from_column(row.try_get("sequence")?, "A sequence")?);
                Ok(Part { sequence, row: SealedRow::read(row)? })
            })
            .collect()
    }

    /// The disclosures that came with the recording's statements and have not been erased, by statement digest.
    pub async fn disclosures(
        &self,
        recording: RecordingRow,
    ) -> Result<HashMap<Digest, Vec<Disclosure>>, StoreError> {
        let rows = sqlx::query(
            "SELECT disclosures.digest, disclosures.disclosure \
             FROM parts JOIN entries ON entries.idx = parts.idx JOIN disclosures ON disclosures.digest = entries.digest \
             WHERE parts.recording = ? ORDER BY disclosures.digest, disclosures.number",
        )
        .bind(recording.0)
        .fetch_all(&self.readers)
        .await?;
        let mut found: HashMap<Digest, Vec<Disclosure>> = HashMap::new();
        for row in &rows {
            let digest = Digest::from_bytes(fixed(row.try_get("digest")?, "A statement digest")?);
            let disclosure = Disclosure::parse(row.try_get("disclosure")?)
                .map_err(|error| StoreError::Damaged(format!("A disclosure cannot be read: {error}.")))?;
            found.entry(digest).or_default().push(disclosure);
        }
        Ok(found)
    }
}

/// Whether the recording has the token, and if so, whether it is that of its head.
async fn token_kind(
    connection: &mut SqliteConnection,
    recording: RecordingRow,
    token: &Token,
) -> Result<Option<bool>, StoreError> {
    let row = sqlx::query("SELECT head FROM tokens WHERE token = ? AND recording = ?")
        .bind(token.as_bytes().as_slice())
        .bind(recording.0)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get::<i64, _>("head")).transpose()?.map(|head| head != 0))
}

fn read_enrolment(row: &SqliteRow) -> Result<Enrolment, StoreError> {
    let code = from_column(row.try_get("role")?, "A role")?;
    let role = Role::ALL.iter().copied().find(|role| role.code() == code);
    Ok(Enrolment {
        index: read_index(row)?,
        digest: Digest::from_bytes(fixed(row.try_get("digest")?, "A statement digest")?),
        role: role
            .ok_or_else(|| StoreError::Damaged(format!("An enrolment has the unknown role {code}.")))?,
        valid_from: read_time(row, "valid_from")?,
        valid_until: read_time(row, "valid_until")?,
    })
}

fn read_index(row: &SqliteRow) -> Result<LeafIndex, StoreError> {
    Ok(LeafIndex::new(from_column(row.try_get("idx")?, "A log position")?))
}

fn read_time(row: &SqliteRow, column: &str) -> Result<UnixMillis, StoreError> {
    let number = from_column(row.try_get(column)?, "A time")?;
    UnixMillis::new(number).ok_or(StoreError::TooLarge(number))
}
