//! What a report tells about the recording or deposit, besides the findings.

use std::collections::BTreeMap;

use super::candidate::Candidate;
use super::content::Outcome;
use crate::commitment::{DisclosedValue, Position};
use crate::evidence_file::EvidenceFile;
use crate::ids::{Digest, RecordingId, Sequence};
use crate::receipt::ProvenEntry;
use crate::report::{ChainFacts, ExcerptFacts, Subject, SubjectKind, Telemetry, WitnessFacts};
use crate::statement::{Payload, Statement};
use crate::time::{UnixMillis, UnixSeconds};

pub(super) fn subject(candidate: &Candidate<'_>) -> Subject {
    let file = candidate.file;
    let validity = candidate.validity();
    let payload = file.first().payload();
    let disclosed = Disclosed::of(file);
    let sealed_at =
        |sequence| validity.inclusion.proven.get(&sequence).map(|proven| proven.entry().sealed_at);
    let mut subject = Subject {
        kind: SubjectKind::Recording,
        id: payload.recording().unwrap_or(RecordingId::from_bytes([0; 16])),
        signer: validity.signer.signer.clone(),
        key: file.first().kid(),
        capture_begin: None,
        capture_end: capture_end(file),
        deposited_at: None,
        segments: candidate.layout.pieces.len() as u64,
        total_length: candidate.layout.total,
        end_reason: None,
        sealed_first: sealed_at(Sequence::START),
        sealed_last: sealed_at(file.last_sequence()),
        sealing_delay_ms: sealing_delay(file, &validity.inclusion.proven),
        counter: None,
        self_check: None,
        media_type: None,
        depositor: None,
        position: disclosed.positions.get(&Sequence::START).copied(),
        revoked_from: validity.signer.revoked_from,
        revocations_as_of: validity.signer.revocations_as_of,
    };
    match payload {
        Payload::Start(start) => {
            subject.capture_begin = Some(start.capture_begin);
            subject.counter = Some(start.counter);
            subject.self_check = Some(start.self_check.clone());
        }
        Payload::Deposit(deposit) => {
            subject.kind = SubjectKind::Deposit;
            subject.capture_begin = deposit.captured_at;
            subject.deposited_at = Some(deposit.deposited_at);
            subject.media_type = Some(deposit.media_type.clone());
            subject.depositor = disclosed.depositor;
        }
        _ => {}
    }
    if let Some(Payload::End(end)) = file.statements.last().map(Statement::payload) {
        subject.end_reason = Some(end.reason);
    }
    subject
}

fn capture_end(file: &EvidenceFile) -> Option<UnixMillis> {
    match file.statements.last()?.payload() {
        Payload::Segment(segment) => Some(segment.capture_end),
        Payload::End(end) => Some(end.capture_end),
        _ => None,
    }
}

fn sealing_delay(file: &EvidenceFile, proven: &BTreeMap<Sequence, ProvenEntry>) -> Option<i64> {
    let delays = proven.iter().filter_map(|(sequence, proven)| {
        let captured = match file.statement(*sequence)?.payload() {
            Payload::Start(start) => start.capture_begin,
            Payload::Segment(segment) => segment.capture_end,
            Payload::End(end) => end.capture_end,
            _ => return None,
        };
        let sealed_at = i64::try_from(proven.proven_time()?.millis().get()).ok()?;
        Some(sealed_at - i64::try_from(captured.get()).ok()?)
    });
    delays.max()
}

pub(super) fn excerpt(candidate: &Candidate<'_>) -> Option<ExcerptFacts> {
    let Outcome::Excerpt { first, last } = candidate.comparison.outcome else { return None };
    let layout = candidate.layout;
    Some(ExcerptFacts {
        first_segment: first as u64,
        last_segment: last as u64,
        of: layout.complete.then_some(layout.pieces.len() as u64),
        complete: layout.complete,
        from_ms: layout.pieces.get(first)?.timeline.map(|timeline| timeline.begin_ms),
        to_ms: layout.pieces[first..=last]
            .iter()
            .rev()
            .find_map(|piece| piece.timeline)
            .map(|timeline| timeline.end_ms),
    })
}

/// What the device said about each segment; of an excerpt, about the segments in it.
pub(super) fn telemetry(candidate: &Candidate<'_>) -> Vec<Telemetry> {
    let disclosed = Disclosed::of(candidate.file);
    let (first, last) = match candidate.comparison.outcome {
        Outcome::Excerpt { first, last } => (first, last),
        _ => (0, usize::MAX),
    };
    let segments = candidate.file.statements.iter().filter_map(|statement| match statement.payload() {
        Payload::Segment(segment) => Some(segment),
        _ => None,
    });
    let within = segments.enumerate().filter(|(place, _)| (first..=last).contains(place));
    within
        .map(|(place, segment)| Telemetry {
            segment: place as u64,
            capture_begin: segment.capture_begin,
            capture_end: segment.capture_end,
            from_ms: segment.timeline.map(|timeline| timeline.begin_ms),
            to_ms: segment.timeline.map(|timeline| timeline.end_ms),
            battery: segment.battery,
            events: segment.events.clone(),
            position: disclosed.positions.get(&segment.sequence).copied(),
        })
        .collect()
}

/// The disclosed facts that open the commitment of the statement that they belong to; all others are left out.
#[derive(Default)]
struct Disclosed {
    positions: BTreeMap<Sequence, Position>,
    depositor: Option<String>,
}

impl Disclosed {
    fn of(file: &EvidenceFile) -> Self {
        let mut disclosed = Self::default();
        for (sequence, disclosure) in &file.disclosures {
            let Some(statement) = file.statement(*sequence) else { continue };
            let payload = statement.payload();
            let opens = |commitment: Option<Digest>| commitment.is_some_and(|one| disclosure.check(&one));
            match (disclosure.value(), payload) {
                (DisclosedValue::Position(position), _) if opens(payload.position()) => {
                    disclosed.positions.insert(*sequence, *position);
                }
                (DisclosedValue::Depositor(name), Payload::Deposit(deposit)) if opens(deposit.depositor) => {
                    disclosed.depositor = Some(name.clone());
                }
                _ => {}
            }
        }
        disclosed
    }
}

pub(super) fn chain(candidate: &Candidate<'_>) -> Option<ChainFacts> {
    let proven = candidate.validity().covering()?;
    let head = proven.checkpoint().head();
    let mut witnesses: Vec<_> = proven
        .checkpoint()
        .cosignatures()
        .iter()
        .map(|cosignature| WitnessFacts {
            name: cosignature.witness().to_string(),
            time: UnixSeconds::new(cosignature.timestamp()),
        })
        .collect();
    witnesses.sort_by(|a, b| (a.time, &a.name).cmp(&(b.time, &b.name)));
    Some(ChainFacts {
        origin: proven.checkpoint().origin().to_owned(),
        size: head.size.get(),
        root: Digest::from_bytes(*head.root.as_bytes()),
        index: proven.index().get(),
        witnesses,
        proven_sealing_time: proven.proven_time(),
    })
}
