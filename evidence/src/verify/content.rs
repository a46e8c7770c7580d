//! The bytes of the file against one candidate: `docs/spec/verdict.md`, "Matching".

use std::collections::BTreeSet;

use super::excerpt::{self, Run};
use super::layout::{Content, Layout};
use super::{Observation, observation::ContentIndex};

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
    match excerpt::find(layout, observation) {
        Some(Run { first, last }) => Outcome::Excerpt { first, last },
        None => Outcome::Differs,
    }
}
