//! Excerpts: whether the file is a run of consecutive pieces, and what has to be read to know. Hostile evidence may offer
//! many runs, so reading and comparing are bounded.

use std::collections::BTreeSet;

use super::Observation;
use super::layout::{Layout, Piece};
use crate::range::ByteRange;

/// How often the file is read at most to try one candidate's first pieces, and again to try its runs. One reading is
/// enough for a recording of a camera: that many runs have the length of the file needs segments of equal lengths, and then
/// their ranges coincide.
const MAX_READINGS: u64 = 2;
/// Pieces that are compared at most. A recording would have to repeat itself thousands of times to need as many.
const MAX_STEPS: usize = 1 << 22;

/// Consecutive pieces that are together as long as the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl Run {
    /// Its pieces, and where each stands in the file if the file is this run.
    fn places(self, layout: &Layout) -> impl Iterator<Item = (ByteRange, &Piece)> {
        let pieces = layout.pieces.get(self.first..=self.last).unwrap_or_default();
        let shift = pieces.first().map_or(0, |first| first.range.offset());
        pieces.iter().filter_map(move |piece| {
            let range =
                ByteRange::new(piece.range.offset().checked_sub(shift)?, piece.range.length()).ok()?;
            Some((range, piece))
        })
    }
}

/// The runs that are as long as the file and do not begin with the recording, in order.
fn runs(layout: &Layout, length: u64) -> impl Iterator<Item = Run> {
    let places = if layout.is_recording { 1..layout.pieces.len() } else { 0..0 };
    places.filter_map(move |first| {
        let end = layout.pieces.get(first)?.range.offset().checked_add(length)?;
        // the pieces tile, so their ends ascend
        let last = layout.pieces.binary_search_by_key(&end, |piece| piece.range.end()).ok()?;
        Some(Run { first, last })
    })
}

/// Those of which the first piece stands at the begin of the file.
fn begun<'a>(layout: &'a Layout, observation: &'a Observation) -> impl Iterator<Item = Run> + 'a {
    runs(layout, observation.length).filter(|run| {
        run.places(layout)
            .next()
            .is_some_and(|(range, piece)| observation.pieces.get(&range) == Some(&piece.digest))
    })
}

/// The run that the file is.
pub(crate) fn find(layout: &Layout, observation: &Observation) -> Option<Run> {
    let mut steps = MAX_STEPS;
    for run in begun(layout, observation) {
        let mut differs = false;
        for (range, piece) in run.places(layout) {
            steps = steps.checked_sub(1)?;
            differs = observation.pieces.get(&range) != Some(&piece.digest);
            if differs {
                break;
            }
        }
        if !differs {
            return Some(run);
        }
    }
    None
}

/// The ranges at the begin of the file that tell which runs begin there: one for each length of a first piece, short ones
/// first.
pub(crate) fn first_ranges(layout: &Layout, length: u64) -> Vec<ByteRange> {
    let lengths: BTreeSet<u64> =
        runs(layout, length).filter_map(|run| Some(layout.pieces.get(run.first)?.range.length())).collect();
    within_readings(lengths.into_iter().filter_map(|first| ByteRange::new(0, first).ok()), length)
}

/// The ranges of the runs that have begun.
pub(crate) fn run_ranges(layout: &Layout, observation: &Observation) -> Vec<ByteRange> {
    let mut seen = BTreeSet::new();
    let places = begun(layout, observation).flat_map(|run| run.places(layout)).take(MAX_STEPS);
    within_readings(places.map(|(range, _)| range).filter(|range| seen.insert(*range)), observation.length)
}

fn within_readings(ranges: impl Iterator<Item = ByteRange>, length: u64) -> Vec<ByteRange> {
    let mut left = length.saturating_mul(MAX_READINGS);
    let fits = |range: &ByteRange| match left.checked_sub(range.length()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    ranges.take_while(fits).collect()
}
