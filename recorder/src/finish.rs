//! Writing the evidence file beside the video, once everything is sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use client::durable::{self, FileError};
use evidence::{
    BuildError, EvidenceFile, EvidenceFileBuilder, Payload, Receipt, Sealed, Sequence, UnixSeconds,
};

use crate::registry::OwnRegistry;
use crate::sender::parse_submission;
use crate::spool::{Spooled, SpooledError};

/// Like the video, it is its owner's to show.
const MODE: u32 = 0o644;

/// Why there is no evidence file. The spool keeps everything.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpooledError),
    /// The parts do not make an evidence file.
    #[error("The evidence file cannot be put together: {0}")]
    Build(#[from] BuildError),
    /// What is spooled is no statement.
    #[error("Statement {sequence} in the spool cannot be read: {reason}.")]
    Unreadable {
        /// Its sequence.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// The enrolment that was kept does not parse.
    #[error("The enrolment that was kept with the recording cannot be read: {0}")]
    Registry(evidence::EvidenceFileError),
    /// Some other file is in the way.
    #[error("{} exists and is not evidence of this recording: move it away, then run `jianzhen-recorder flush`.", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
}

/// Whether every statement has its receipt and the last one closes the recording.
///
/// # Errors
/// When the last statement cannot be read.
pub fn is_complete(spooled: &Spooled) -> Result<bool, FinishError> {
    let counts = spooled.counts();
    let Some(last) = counts.signed.checked_sub(1).filter(|_| counts.waiting() == 0) else { return Ok(false) };
    let submission = submission(spooled, last)?;
    Ok(matches!(submission.statement.payload(), Payload::End(_) | Payload::Deposit(_)))
}

/// Writes the evidence file of a complete recording. `registry`: a newer, verified section, used if it is about the
/// enrolment that the recording names.
///
/// # Errors
/// [`FinishError`]
pub fn write_evidence(spooled: &Spooled, registry: Option<&OwnRegistry>) -> Result<PathBuf, FinishError> {
    let evidence = build(spooled, registry, spooled.counts().signed)?;
    let path = spooled.about().evidence.clone();
    match durable::create(&path, &evidence.encode(), MODE) {
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
            // A crash after the evidence file was written and before the spool was cleared.
            if evidence_there(&path, &evidence).is_none() {
                return Err(FinishError::InTheWay { path });
            }
            durable::replace(&path, &evidence.encode(), MODE)?;
        }
        created => created?,
    }
    Ok(path)
}

/// The sealed beginning of a recording whose rest will never be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPart {
    /// Its evidence file.
    pub path: PathBuf,
    /// Segments, at least one.
    pub segments: u64,
    /// Bytes of the video that they cover.
    pub bytes: u64,
}

/// Writes evidence of the sealed beginning of a recording, without an `end`; the spool keeps everything. [`write_evidence`] replaces it
/// should the rest be sealed after all. `None`: no segment is sealed.
///
/// # Errors
/// [`FinishError`]
pub fn write_sealed_part(
    spooled: &Spooled,
    registry: Option<&OwnRegistry>,
) -> Result<Option<SealedPart>, FinishError> {
    let Some(last) = spooled.sealed_from_start().checked_sub(1).filter(|last| *last > 0) else {
        return Ok(None);
    };
    let statement = submission(spooled, last)?.statement;
    let Payload::Segment(segment) = statement.payload() else { return Ok(None) };
    let evidence = build(spooled, registry, last + 1)?;
    let path = spooled.about().evidence.clone();
    match durable::create(&path, &evidence.encode(), MODE) {
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
            match evidence_there(&path, &evidence) {
                None => return Err(FinishError::InTheWay { path }),
                Some(there) if there.statements().len() >= evidence.statements().len() => {}
                Some(_) => durable::replace(&path, &evidence.encode(), MODE)?,
            }
        }
        created => created?,
    }
    Ok(Some(SealedPart { path, segments: last, bytes: segment.range.end() }))
}

/// The evidence file at `path`, if it is about the same recording.
fn evidence_there(path: &Path, evidence: &EvidenceFile) -> Option<EvidenceFile> {
    let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= evidence::MAX_EVIDENCE_LEN as u64);
    let bytes = small.then(|| std::fs::read(path).ok()).flatten()?;
    let there = EvidenceFile::parse(&bytes).ok()?;
    (there.first().digest() == evidence.first().digest()).then_some(there)
}

/// Evidence of the first `count` statements, which are sealed.
fn build(spooled: &Spooled, registry: Option<&OwnRegistry>, count: u64) -> Result<EvidenceFile, FinishError> {
    let mut places = BTreeMap::new();
    spooled.replay_receipts(|sealed| {
        if sealed.sequence < count {
            places.insert(sealed.sequence, (sealed.index, sealed.sealed_at));
        }
    })?;
    let (mut sealed, mut disclosures, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    for (sequence, (index, sealed_at)) in places {
        let submission = submission(spooled, sequence)?;
        let facts = submission.disclosures.into_iter();
        disclosures.extend(facts.map(|disclosure| (Sequence::new(sequence), disclosure)));
        blocks.extend(submission.blocks);
        sealed.push(Sealed {
            statement: submission.statement,
            index: tlog::LeafIndex::new(index),
            sealed_at: UnixSeconds::new(sealed_at),
        });
    }
    let named = sealed.first().and_then(|first| match first.statement.payload() {
        Payload::Start(start) => Some(start.enrolment),
        Payload::Deposit(deposit) => Some(deposit.enrolment),
        _ => None,
    });
    let section = match registry.filter(|registry| named == Some(registry.enrolment())) {
        Some(registry) => registry.section().to_vec(),
        None => evidence::parse_registry_section(&spooled.about().registry).map_err(FinishError::Registry)?,
    };
    let mut builder = EvidenceFileBuilder::new(sealed)?.blocks(blocks);
    for (sequence, disclosure) in disclosures {
        builder = builder.disclosure(sequence, disclosure);
    }
    for (sealed, receipt) in section {
        builder = builder.registry(sealed, receipt);
    }
    Ok(with_receipts(builder, spooled)?.build()?)
}

fn with_receipts(
    mut builder: EvidenceFileBuilder,
    spooled: &Spooled,
) -> Result<EvidenceFileBuilder, FinishError> {
    let wanted: BTreeSet<Sequence> = builder.wanted_receipts().into_iter().collect();
    let mut receipts = Vec::new();
    spooled.replay_receipts(|sealed| {
        let sequence = Sequence::new(sealed.sequence);
        // invariant: a receipt was parsed from an outcome, within its bound, before it was stored.
        if let (true, Some(receipt)) = (wanted.contains(&sequence), Receipt::new(sealed.receipt)) {
            receipts.push((sequence, receipt));
        }
    })?;
    for (sequence, receipt) in receipts {
        builder = builder.receipt(sequence, receipt);
    }
    Ok(builder)
}

fn submission(spooled: &Spooled, sequence: u64) -> Result<evidence::Submission, FinishError> {
    let bytes = spooled.submission(sequence)?;
    parse_submission(&bytes).map_err(|reason| FinishError::Unreadable { sequence, reason })
}
