//! Candidates: which of them the file is identified with, and which of those decides.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::content::{Comparison, Outcome};
use super::layout::{Content, Layout, Piece};
use super::observation::ContentIndex;
use super::validity::{Standing, Validity};
use super::{Input, Observation};
use crate::evidence_file::EvidenceFile;
use crate::ids::{Digest, Sequence};
use crate::time::UnixSeconds;

/// A piece that identifies a recording by itself is at least this long: a black and silent second is shorter, and
/// equal in videos that have nothing else in common.
pub(crate) const MIN_DISTINCTIVE_LEN: u64 = 16 << 10;

/// One candidate, compared with the file. Its signatures are only checked when they matter.
pub(crate) struct Candidate<'a> {
    pub(crate) file: &'a EvidenceFile,
    pub(crate) layout: &'a Layout,
    pub(crate) comparison: Comparison,
    input: &'a Input<'a>,
    validity: OnceCell<Validity>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(
        input: &'a Input<'a>,
        file: &'a EvidenceFile,
        layout: &'a Layout,
        observation: &Observation,
        index: &ContentIndex,
    ) -> Self {
        let comparison = Comparison::of(layout, observation, index);
        Self { file, layout, comparison, input, validity: OnceCell::new() }
    }

    /// Two evidence files with one first statement are about one recording.
    fn recording(&self) -> Digest {
        self.file.first().digest()
    }

    pub(crate) fn validity(&self) -> &Validity {
        self.validity.get_or_init(|| Validity::of(self.file, self.input, self.needed()))
    }

    pub(crate) fn standing(&self) -> Standing {
        self.validity().standing()
    }

    /// The last statement that a verdict about this file rests on.
    fn needed(&self) -> Sequence {
        match self.comparison.outcome {
            // piece 0 is the segment with sequence 1
            Outcome::Excerpt { last, .. } => Sequence::new(last as u64 + 1),
            _ => self.file.last_sequence(),
        }
    }

    /// When the operator says that it sealed the first statement; nothing sorts before anything.
    fn sealed(&self) -> Option<(UnixSeconds, u64)> {
        self.file.receipts.first().map(|(_, place, _)| (place.sealed_at, place.index.get()))
    }
}

/// Indices of the candidates that the file is identified with.
pub(crate) fn identified(candidates: &[Candidate<'_>]) -> Vec<usize> {
    let counts: Vec<BTreeMap<Content, usize>> = candidates.iter().map(count_contents).collect();
    (0..candidates.len()).filter(|at| is_identified(candidates, &counts, *at)).collect()
}

/// How often each content that was found in the file occurs in the candidate.
fn count_contents(candidate: &Candidate<'_>) -> BTreeMap<Content, usize> {
    let mut counts = BTreeMap::new();
    let found = candidate.layout.pieces.iter().map(super::layout::Piece::content);
    for content in found.filter(|content| candidate.comparison.found.contains(content)) {
        *counts.entry(content).or_insert(0) += 1;
    }
    counts
}

fn is_identified(candidates: &[Candidate<'_>], counts: &[BTreeMap<Content, usize>], at: usize) -> bool {
    let candidate = &candidates[at];
    if half_matches(candidate, &counts[at]) {
        return true;
    }
    // Only a recording whose evidence holds can make a content common: bogus evidence must not hide a good one.
    let others = |occurs: &dyn Fn(usize) -> bool| {
        (0..candidates.len()).any(|other| {
            candidates[other].recording() != candidate.recording()
                && occurs(other)
                && candidates[other].standing() == Standing::Valid
        })
    };
    let distinctive = counts[at].iter().any(|(content, count)| {
        content.0 >= MIN_DISTINCTIVE_LEN
            && *count == 1
            && !others(&|other| counts[other].contains_key(content))
    });
    if distinctive {
        return true;
    }
    // A whole run of segments is long enough together, unless it could be of another recording as well.
    let is_excerpt = |other: usize| {
        matches!(candidates[other].comparison.outcome, Outcome::Excerpt { .. } | Outcome::Whole)
    };
    is_excerpt(at) && candidate.comparison.matched_bytes >= MIN_DISTINCTIVE_LEN && !others(&is_excerpt)
}

/// At least half of the pieces, and of the bytes, stand at their place. Both, because a recording of one fragment and a
/// short trailer must not be recognised by its trailer. Where something differs, pieces that repeat count for nothing, and what
/// matches must be long enough: an unrelated video may begin with the same black second as a recording that has
/// little else.
fn half_matches(candidate: &Candidate<'_>, counts: &BTreeMap<Content, usize>) -> bool {
    let Candidate { layout, comparison, .. } = candidate;
    let accuses = matches!(comparison.outcome, Outcome::Open | Outcome::Differs);
    let counts = |piece: &Piece| !accuses || counts.get(&piece.content()) == Some(&1);
    let at_place = layout.pieces.iter().zip(&comparison.at_place);
    let matching = at_place.filter(|(piece, at_place)| **at_place && counts(piece));
    let (pieces, bytes) =
        matching.fold((0, 0), |(pieces, bytes), (piece, _)| (pieces + 1, bytes + piece.range.length()));
    let half = pieces * 2 >= layout.pieces.len() && bytes * 2 >= layout.total;
    half && (!accuses || bytes >= MIN_DISTINCTIVE_LEN)
}

/// The candidate that decides, of those that the file is identified with.
///
/// A whole match with evidence that holds comes first, then an excerpt with evidence that holds: any match wins.
/// Otherwise the one that matches the content best decides, so evidence that does not hold can turn *inconsistent* into
/// *evidence-invalid*, but neither into a match, and it can hide no match.
pub(crate) fn decisive<'c, 'a>(
    candidates: &'c [Candidate<'a>],
    identified: &[usize],
) -> Option<&'c Candidate<'a>> {
    let identified = || identified.iter().filter_map(|at| candidates.get(*at));
    let valid_whole = identified()
        .filter(|one| one.comparison.outcome == Outcome::Whole && one.standing() == Standing::Valid)
        .min_by_key(|one| one.sealed());
    if valid_whole.is_some() {
        return valid_whole;
    }
    let valid_excerpt = identified()
        .filter(|one| matches!(one.comparison.outcome, Outcome::Excerpt { .. }))
        .filter(|one| one.standing() == Standing::Valid)
        .max_by_key(|one| (one.layout.complete, one.layout.pieces.len(), std::cmp::Reverse(one.sealed())));
    if valid_excerpt.is_some() {
        return valid_excerpt;
    }
    identified().max_by_key(|one| {
        let tie = (one.standing(), one.layout.complete, std::cmp::Reverse(one.sealed()));
        (one.comparison.matched_bytes, tie)
    })
}
