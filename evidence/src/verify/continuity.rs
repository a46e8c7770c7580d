//! `continuity`: the statements form one unbroken recording, and nobody signed another version of it.

use super::Check;
use super::receipt::prove;
use crate::evidence_file::EvidenceFile;
use crate::ids::{Digest, Sequence};
use crate::key::PublicKey;
use crate::range::ByteRange;
use crate::report::ReasonCode;
use crate::segments_root;
use crate::statement::{Deposit, End, Payload, Segment, Start, Statement};
use crate::trust::TrustFile;

/// Checks `file`. `candidates` are all that were offered: another one may hold a second version of the recording.
pub(crate) fn check(
    file: &EvidenceFile,
    candidates: &[EvidenceFile],
    trust: &TrustFile,
    key: Option<&PublicKey>,
) -> Check {
    let unbroken = match file.statements.as_slice() {
        [only] if matches!(only.payload(), Payload::Deposit(_)) => check_deposit(file),
        all => check_recording(all),
    };
    if let Err(reason) = unbroken {
        return Check::Failed(reason);
    }
    let Some(key) = key else { return Check::NotChecked(ReasonCode::NotReached) };
    if has_conflict(file, trust, key)
        || candidates.iter().any(|other| is_second_version(file, other, trust, key))
    {
        return Check::Failed(ReasonCode::Conflict);
    }
    Check::Proven(ReasonCode::Unbroken)
}

fn check_deposit(file: &EvidenceFile) -> Result<(), ReasonCode> {
    let Payload::Deposit(deposit) = file.first().payload() else {
        return Err(ReasonCode::SequenceBroken);
    };
    let root = segments_root(Deposit::blocks(deposit.length).zip(&file.blocks));
    if root == deposit.root { Ok(()) } else { Err(ReasonCode::TotalsDiffer) }
}

/// A recording as far as it has been walked.
struct Walk<'a> {
    start: &'a Start,
    previous: Digest,
    next: Sequence,
    total: u64,
    segments: Vec<(ByteRange, Digest)>,
}

fn check_recording(all: &[Statement]) -> Result<(), ReasonCode> {
    let (first, rest) = all.split_first().ok_or(ReasonCode::SequenceBroken)?;
    let Payload::Start(start) = first.payload() else { return Err(ReasonCode::SequenceBroken) };
    let mut walk = Walk {
        start,
        previous: first.digest(),
        next: Sequence::START.next(),
        total: 0,
        segments: Vec::new(),
    };
    for (place, statement) in rest.iter().enumerate() {
        walk.step(statement)?;
        match statement.payload() {
            Payload::Segment(segment) => walk.segment(segment)?,
            // Nothing follows `end`.
            Payload::End(end) if place + 1 == rest.len() => walk.end(end)?,
            _ => return Err(ReasonCode::SequenceBroken),
        }
    }
    Ok(())
}

impl Walk<'_> {
    fn step(&mut self, statement: &Statement) -> Result<(), ReasonCode> {
        let payload = statement.payload();
        let in_place =
            payload.recording() == Some(self.start.recording) && payload.sequence() == Some(self.next);
        if !in_place {
            return Err(ReasonCode::SequenceBroken);
        }
        if payload.previous() != Some(self.previous) {
            return Err(ReasonCode::ChainBroken);
        }
        self.previous = statement.digest();
        self.next = self.next.next();
        Ok(())
    }

    fn segment(&mut self, segment: &Segment) -> Result<(), ReasonCode> {
        if segment.range.offset() != self.total {
            return Err(ReasonCode::SegmentsNotTiled);
        }
        self.total = segment.range.end();
        self.segments.push((segment.range, segment.digest));
        Ok(())
    }

    fn end(&self, end: &End) -> Result<(), ReasonCode> {
        let root = segments_root(self.segments.iter().map(|(range, digest)| (*range, digest)));
        let fits =
            end.total_length == self.total && end.segments == self.segments.len() as u64 && end.root == root;
        if fits { Ok(()) } else { Err(ReasonCode::TotalsDiffer) }
    }
}

/// Whether the same key has signed, and the chain holds, another statement for a place of this recording. What does
/// not verify is passed over, so that nobody can frame a good recording with a forged conflict.
fn has_conflict(file: &EvidenceFile, trust: &TrustFile, key: &PublicKey) -> bool {
    let recording = file.first().payload().recording();
    file.conflicts.iter().any(|(sealed, receipt)| {
        let payload = sealed.statement.payload();
        let ours = payload.sequence().and_then(|sequence| file.statement(sequence));
        ours.is_some_and(|ours| ours.digest() != sealed.statement.digest())
            && payload.recording() == recording
            && sealed.statement.verify(key).is_ok()
            && prove(sealed, receipt, trust).is_ok()
    })
}

/// Whether `other` goes on differently from some statement of this recording on, by the same key, and the chain holds what it
/// says there: that statement, or a later one that leads back to it.
fn is_second_version(file: &EvidenceFile, other: &EvidenceFile, trust: &TrustFile, key: &PublicKey) -> bool {
    let recording = file.first().payload().recording();
    let mut pairs = file.statements.iter().zip(&other.statements);
    let Some(at) = pairs.position(|(ours, theirs)| ours.bytes() != theirs.bytes()) else { return false };
    let place = |file: &EvidenceFile| file.statements[at].payload().sequence();
    let theirs = &other.statements[at];
    if theirs.payload().recording() != recording || place(other) != place(file) {
        return false;
    }
    let first = Sequence::new(at as u64);
    let sealed =
        other.receipts.iter().filter(|(sequence, _, _)| *sequence >= first).any(|(sequence, _, _)| {
            let Some((sealed, receipt)) = other.receipt(*sequence) else { return false };
            leads_back(other, first, *sequence) && prove(&sealed, receipt, trust).is_ok()
        });
    sealed && theirs.verify(key).is_ok()
}

/// Whether each statement after `first` up to `last` names the digest of the one before it.
fn leads_back(file: &EvidenceFile, first: Sequence, last: Sequence) -> bool {
    let at = |sequence: Sequence| usize::try_from(sequence.get()).ok();
    let (Some(first), Some(last)) = (at(first), at(last)) else { return false };
    let run = file.statements.get(first..=last).unwrap_or_default();
    run.windows(2).all(|pair| match pair {
        [before, after] => after.payload().previous() == Some(before.digest()),
        _ => false,
    })
}
