//! Where file and evidence differ: `docs/spec/verdict.md`, "Mismatches".

use std::collections::BTreeMap;

use super::Observation;
use super::content::Comparison;
use super::layout::{Content, Layout, Piece};
use super::observation::ContentIndex;
use crate::range::ByteRange;
use crate::report::{MAX_MISMATCHES, Mismatch, MismatchKind};

/// The mismatches, ascending and bounded, and how many there are.
pub(crate) fn mismatches(
    layout: &Layout,
    comparison: &Comparison,
    observation: &Observation,
    index: &ContentIndex,
) -> (Vec<Mismatch>, u64) {
    let mut spare = spare_places(layout, comparison, index);
    let mut covered = Coverage::default();
    let mut moved = Vec::new();
    let mut lost = Vec::new();
    for (place, piece) in layout.pieces.iter().enumerate() {
        if comparison.at_place[place] {
            covered.add(piece.range);
        } else if let Some(found) = spare.get_mut(&piece.content()).and_then(Vec::pop) {
            covered.add(found);
            moved.push((place, found));
        } else {
            lost.push(place);
        }
    }
    covered.merge();
    let length = observation.length;
    let mut all: Vec<Mismatch> = Vec::new();
    for (place, found) in moved {
        all.push(of_piece(place, &layout.pieces[place], MismatchKind::Moved, Some(found.offset())));
    }
    let mut claimed = Coverage::default();
    for place in lost {
        let piece = &layout.pieces[place];
        let within = ByteRange::between(piece.range.offset(), piece.range.end().min(length)).ok();
        // A piece whose place is taken up by other pieces was cut out; nothing stands there in its stead.
        let gone = piece.range.end() > length || within.is_none_or(|within| covered.contains(within));
        let kind = if gone { MismatchKind::Missing } else { MismatchKind::Altered };
        all.push(of_piece(place, piece, kind, None));
        within.into_iter().for_each(|within| claimed.add(within));
    }
    covered.extend(claimed);
    covered.merge();
    // Of an unfinished recording nobody said where it ends, so nothing after it is foreign.
    let limit = if layout.complete { length } else { length.min(layout.total) };
    all.extend(covered.gaps(limit).map(foreign));
    all.sort_by_key(|mismatch| (mismatch.offset, mismatch.segment));
    let count = all.len() as u64;
    all.truncate(MAX_MISMATCHES);
    (all, count)
}

/// Where contents were seen that no piece claims by standing at its place; the first place is taken first.
fn spare_places(
    layout: &Layout,
    comparison: &Comparison,
    index: &ContentIndex,
) -> BTreeMap<Content, Vec<ByteRange>> {
    let taken: std::collections::BTreeSet<ByteRange> = layout
        .pieces
        .iter()
        .zip(&comparison.at_place)
        .filter_map(|(piece, at_place)| at_place.then_some(piece.range))
        .collect();
    let mut spare = BTreeMap::new();
    for piece in &layout.pieces {
        if let Some(places) = index.get(&piece.content()) {
            spare.entry(piece.content()).or_insert_with(|| {
                places.iter().rev().filter(|place| !taken.contains(place)).copied().collect::<Vec<_>>()
            });
        }
    }
    spare
}

fn of_piece(place: usize, piece: &Piece, kind: MismatchKind, found_at: Option<u64>) -> Mismatch {
    Mismatch {
        segment: Some(place as u64),
        kind,
        offset: piece.range.offset(),
        length: piece.range.length(),
        found_at,
        from_ms: piece.timeline.map(|timeline| timeline.begin_ms),
        to_ms: piece.timeline.map(|timeline| timeline.end_ms),
    }
}

fn foreign(range: ByteRange) -> Mismatch {
    Mismatch {
        segment: None,
        kind: MismatchKind::Foreign,
        offset: range.offset(),
        length: range.length(),
        found_at: None,
        from_ms: None,
        to_ms: None,
    }
}

/// A set of bytes: ranges, ascending and disjoint after `merge`.
#[derive(Default)]
struct Coverage(Vec<ByteRange>);

impl Coverage {
    fn add(&mut self, range: ByteRange) {
        self.0.push(range);
    }

    fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn merge(&mut self) {
        self.0.sort_unstable();
        let mut merged: Vec<ByteRange> = Vec::with_capacity(self.0.len());
        for range in self.0.drain(..) {
            match merged.last_mut() {
                Some(last) if range.offset() <= last.end() => {
                    // invariant: both ends are ends of ranges, so the union is a range
                    *last = ByteRange::between(last.offset(), last.end().max(range.end())).unwrap_or(*last);
                }
                _ => merged.push(range),
            }
        }
        self.0 = merged;
    }

    fn contains(&self, range: ByteRange) -> bool {
        let after = self.0.partition_point(|covered| covered.offset() <= range.offset());
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|covered| range.end() <= covered.end())
    }

    fn gaps(&self, limit: u64) -> impl Iterator<Item = ByteRange> {
        let ends = std::iter::once(0).chain(self.0.iter().map(|range| range.end()));
        let begins = self.0.iter().map(|range| range.offset()).chain(std::iter::once(limit));
        ends.zip(begins).filter_map(move |(end, begin)| ByteRange::between(end, begin.min(limit)).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let count = 12_345;
        let pieces = (0..count).map(|offset| Piece {
            range: ByteRange::new(offset, 1).unwrap(),
            digest: Digest::of(b"signed"),
            timeline: None,
        });
        let layout = Layout { pieces: pieces.collect(), total: count, complete: true, is_recording: true };
        let observation = Observation { length: count, ..Observation::default() };
        let index = observation.index();
        let comparison = Comparison::of(&layout, &observation, &index);
        let (listed, counted) = mismatches(&layout, &comparison, &observation, &index);
        assert_eq!((listed.len(), counted), (MAX_MISMATCHES, count));
    }
}
