//! The bytes of the file against one candidate: `docs/spec/verdict.md`, "Matching".

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Content, Layout};
use super::{Observation, observation::ContentIndex};
use crate::range::ByteRange;

/// Places at which an excerpt may begin that are tried; more than one needs repeated segments, which identify nothing.
const MAX_EXCERPT_STARTS: usize = 64;

/// How file and candidate compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every byte matches the whole of it.
    Whole,
    /// Every byte matches pieces `first` to `last`, in order.
    Excerpt { first: usize, last: usize },
    /// Every piece matches at its place, but the evidence holds no end and the file goes on.
    Open,
    /// Something differs.
    Differs,
}

/// The comparison of the file with one candidate.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) outcome: Outcome,
    /// For each piece, whether its bytes stand at its place.
    pub(crate) at_place: Vec<bool>,
    /// How many bytes match at their place, or as an excerpt.
    pub(crate) matched_bytes: u64,
    /// Pieces that lie within the file and were not hashed: nothing can be said about them.
    pub(crate) unobserved: usize,
    /// Length and digest of the pieces whose bytes stand anywhere in the file.
    pub(crate) found: BTreeSet<Content>,
}

impl Comparison {
    pub(crate) fn of(layout: &Layout, observation: &Observation, index: &ContentIndex) -> Self {
        let mut at_place = Vec::with_capacity(layout.pieces.len());
        let (mut matched_bytes, mut unobserved) = (0, 0);
        let mut found = BTreeSet::new();
        for piece in &layout.pieces {
            let observed = observation.pieces.get(&piece.range);
            let matches = observed == Some(&piece.digest);
            at_place.push(matches);
            if matches {
                matched_bytes += piece.range.length();
            }
            if observed.is_none() && piece.range.end() <= observation.length {
                unobserved += 1;
            }
            if index.contains_key(&piece.content()) {
                found.insert(piece.content());
            }
        }
        let outcome = outcome(layout, observation, &at_place);
        if matches!(outcome, Outcome::Excerpt { .. }) {
            matched_bytes = observation.length;
        }
        Self { outcome, at_place, matched_bytes, unobserved, found }
    }

    /// At least half of the pieces, and at least half of the bytes, stand at their place. Both, because a recording of
    /// one fragment and a short trailer must not be recognised by its trailer.
    pub(crate) fn half_matches(&self, layout: &Layout) -> bool {
        let pieces = self.at_place.iter().filter(|matches| **matches).count();
        pieces > 0 && pieces * 2 >= layout.pieces.len() && self.matched_bytes * 2 >= layout.total
    }
}

fn outcome(layout: &Layout, observation: &Observation, at_place: &[bool]) -> Outcome {
    let length = observation.length;
    let prefix = at_place.iter().take_while(|matches| **matches).count();
    let all = prefix == layout.pieces.len() && prefix > 0;
    if all && layout.complete && layout.total == length {
        return Outcome::Whole;
    }
    if !layout.is_recording {
        return Outcome::Differs;
    }
    if let Some(last) = layout.pieces[..prefix].iter().rposition(|piece| piece.range.end() == length) {
        return Outcome::Excerpt { first: 0, last };
    }
    if all && !layout.complete && layout.total < length {
        return Outcome::Open;
    }
    match shifted_excerpt(layout, observation) {
        Some((first, last)) => Outcome::Excerpt { first, last },
        None => Outcome::Differs,
    }
}

/// Whether the file is a run of consecutive pieces that does not begin with the first one.
fn shifted_excerpt(layout: &Layout, observation: &Observation) -> Option<(usize, usize)> {
    let mut starts: BTreeMap<Content, Vec<usize>> = BTreeMap::new();
    for (place, piece) in layout.pieces.iter().enumerate().skip(1) {
        starts.entry(piece.content()).or_default().push(place);
    }
    let at_file_begin = observation.pieces.iter().take_while(|(range, _)| range.offset() == 0);
    at_file_begin
        .filter_map(|(range, digest)| starts.get(&(range.length(), *digest)))
        .flatten()
        .take(MAX_EXCERPT_STARTS)
        .find_map(|first| Some((*first, run_to_end_of_file(layout, observation, *first)?)))
}

fn run_to_end_of_file(layout: &Layout, observation: &Observation, first: usize) -> Option<usize> {
    let shift = layout.pieces[first].range.offset();
    for (place, piece) in layout.pieces.iter().enumerate().skip(first) {
        let here = ByteRange::new(piece.range.offset() - shift, piece.range.length()).ok()?;
        if observation.pieces.get(&here) != Some(&piece.digest) {
            return None;
        }
        if here.end() == observation.length {
            return Some(place);
        }
    }
    None
}

/// Ranges at the begin of the file that, if they match, make it an excerpt: runs of pieces as long as the file.
pub(crate) fn possible_excerpt_starts(layout: &Layout, length: u64) -> Vec<usize> {
    if !layout.is_recording {
        return Vec::new();
    }
    let ends: BTreeSet<u64> = layout.pieces.iter().map(|piece| piece.range.end()).collect();
    let fits = |place: &usize| {
        let begin = layout.pieces[*place].range.offset();
        begin.checked_add(length).is_some_and(|end| ends.contains(&end))
    };
    (1..layout.pieces.len()).filter(fits).take(MAX_EXCERPT_STARTS).collect()
}

/// The ranges in which the pieces from `first` on would stand, were the file an excerpt that begins with it.
pub(crate) fn excerpt_ranges(layout: &Layout, first: usize, length: u64) -> Vec<ByteRange> {
    let Some(start) = layout.pieces.get(first) else { return Vec::new() };
    let shift = start.range.offset();
    let shifted = layout.pieces[first..]
        .iter()
        .filter_map(|piece| ByteRange::new(piece.range.offset() - shift, piece.range.length()).ok());
    shifted.take_while(|range| range.end() <= length).collect()
}
