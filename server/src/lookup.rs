//! Lookup: from tokens to evidence files, best match first.

use std::collections::HashMap;

use evidence::{
    BuildError, Digest, EvidenceFile, EvidenceFileBuilder, LookupRequest, LookupResponse, Payload, Sealed,
    Sequence, Token,
};

use crate::receipts::Receipts;
use crate::registry::{AssembleError, Wanted, sealed, section};
use crate::store::Store;
use crate::store::index::{Match, Part, RecordingRow};

/// Recordings that one token contributes: a digest that occurs in more identifies nothing, and the earliest sealed ones
/// cannot be crowded out by later copies.
const PER_TOKEN: u32 = 64;

/// The weight of a token that one recording has.
const UNIQUE: u64 = 1_000_000;

/// Candidates whose matches are counted exactly: four times as many as an answer holds.
const MAX_CANDIDATES: usize = 32;

/// Finds evidence.
#[derive(Debug, Clone)]
pub struct Lookup {
    store: Store,
    receipts: Receipts,
}

impl Lookup {
    /// Looks in `store` for what is published.
    pub fn new(store: Store, receipts: Receipts) -> Self {
        Self { store, receipts }
    }

    /// The evidence that matches, best first; empty if this service holds no record.
    pub async fn find(&self, request: &LookupRequest) -> Result<LookupResponse, AssembleError> {
        let mut files = Vec::new();
        let mut room = evidence::MAX_EVIDENCE_LEN;
        for (recording, found) in self.candidates(request.tokens()).await? {
            if files.len() >= evidence::MAX_LOOKUP_FILES {
                break;
            }
            // Reads nothing that could not be answered anyway.
            let bytes = usize::try_from(self.store.statement_bytes(recording).await?).unwrap_or(usize::MAX);
            if bytes > room {
                continue;
            }
            if let Some(file) = self.evidence(recording, may_disclose(&found)).await? {
                room = room.saturating_sub(bytes);
                files.push(file);
            }
        }
        Ok(LookupResponse { files })
    }

    async fn candidates(&self, tokens: &[Token]) -> Result<Vec<(RecordingRow, Match)>, AssembleError> {
        // A token counts the less the more recordings have it, so that many copies of a black start cannot keep the one
        // recording with the rest of the file out of the candidates.
        let mut weights: HashMap<RecordingRow, u64> = HashMap::new();
        for recordings in self.store.recordings_with(tokens, PER_TOKEN).await? {
            let weight = UNIQUE / u64::try_from(recordings.len().max(1)).unwrap_or(UNIQUE);
            for recording in recordings {
                *weights.entry(recording).or_default() += weight;
            }
        }
        let mut best: Vec<(RecordingRow, u64)> = weights.into_iter().collect();
        best.sort_unstable_by_key(|(recording, weight)| (u64::MAX - weight, *recording));
        best.truncate(MAX_CANDIDATES);
        let mut candidates = Vec::with_capacity(best.len());
        for (recording, _) in best {
            candidates.push((recording, self.store.matches(recording, tokens).await?));
        }
        candidates.sort_by_key(|(recording, found)| (u64::MAX - found.tokens, *recording));
        Ok(candidates)
    }

    /// The evidence file of one recording or deposit; `None` while nothing of it is published from the beginning on.
    async fn evidence(
        &self,
        recording: RecordingRow,
        disclose: bool,
    ) -> Result<Option<EvidenceFile>, AssembleError> {
        let parts = self.store.parts(recording, self.receipts.published()).await?;
        let (main, conflicts) = split_conflicts(parts);
        let Some(first) = main.first().filter(|part| part.sequence == Sequence::START) else {
            return Ok(None);
        };
        let first = sealed(&first.row)?;
        let Some(registry) = self.registry(&first.statement).await? else { return Ok(None) };
        let (main, statements) = parse_all(main).await?;
        let mut builder = match EvidenceFileBuilder::new(statements) {
            Ok(builder) => builder,
            Err(error) => return Ok(unbuildable(&error)),
        };
        for place in builder.wanted_receipts().to_vec() {
            let part = usize::try_from(place.get()).ok().and_then(|place| main.get(place));
            let Some(part) = part else { continue };
            if let Some(receipt) = self.receipts.of_row(&part.row).await? {
                builder = builder.receipt(place, receipt);
            }
        }
        for (statement, receipt) in registry {
            builder = builder.registry(statement, receipt);
        }
        for part in conflicts.iter().take(evidence::MAX_CONFLICTS) {
            if let Some(receipt) = self.receipts.of_row(&part.row).await? {
                builder = builder.conflict(sealed(&part.row)?, receipt);
            }
        }
        if disclose {
            builder = self.disclose(builder, recording, &main).await?;
        }
        let blocks = self.store.blocks(&first.statement.digest()).await?;
        match builder.blocks(blocks).build() {
            Ok(file) => Ok(Some(file)),
            Err(error) => Ok(unbuildable(&error)),
        }
    }

    async fn registry(
        &self,
        first: &evidence::Statement,
    ) -> Result<Option<Vec<crate::registry::Attested>>, AssembleError> {
        let wanted = named_enrolment(first.payload()).map_or(Wanted::Newest, Wanted::Named);
        section(&self.store, &self.receipts, &first.kid(), wanted).await
    }

    async fn disclose(
        &self,
        mut builder: EvidenceFileBuilder,
        recording: RecordingRow,
        main: &[Part],
    ) -> Result<EvidenceFileBuilder, AssembleError> {
        let mut disclosures = self.store.disclosures(recording).await?;
        for (place, part) in (0..).zip(main) {
            for disclosure in disclosures.remove(&part.row.digest).unwrap_or_default() {
                builder = builder.disclosure(Sequence::new(place), disclosure);
            }
        }
        Ok(builder)
    }
}

/// A long recording has 200,000 statements: parsing them must not hold up the connections of this thread.
async fn parse_all(main: Vec<Part>) -> Result<(Vec<Part>, Vec<Sealed>), AssembleError> {
    let parsed = tokio::task::spawn_blocking(move || {
        let statements = main.iter().map(|part| sealed(&part.row)).collect::<Result<_, _>>()?;
        Ok((main, statements))
    });
    parsed.await.unwrap_or_else(|stopped| Err(AssembleError::Interrupted(stopped.to_string())))
}

/// Seeing a few seconds, or the first 64 KiB, is not holding the file.
fn may_disclose(found: &Match) -> bool {
    let enough = u64::try_from(evidence::DISCLOSURE_MIN_TOKENS).unwrap_or(u64::MAX);
    found.segments >= enough.min(found.all_segments).max(1)
}

/// The first statement sealed for a place is the recording's; whatever else claims the place is a conflict.
fn split_conflicts(parts: Vec<Part>) -> (Vec<Part>, Vec<Part>) {
    let mut main: Vec<Part> = Vec::with_capacity(parts.len());
    let mut conflicts = Vec::new();
    for part in parts {
        match main.last() {
            Some(last) if last.sequence == part.sequence => conflicts.push(part),
            _ => main.push(part),
        }
    }
    (main, conflicts)
}

fn named_enrolment(payload: &Payload) -> Option<Digest> {
    match payload {
        Payload::Start(start) => Some(start.enrolment),
        Payload::Deposit(deposit) => Some(deposit.enrolment),
        _ => None,
    }
}

/// Evidence that cannot be written as a file (longer than 64 MiB) is left out of the answer.
fn unbuildable(error: &BuildError) -> Option<EvidenceFile> {
    tracing::warn!(%error, "evidence left out of an answer");
    None
}
