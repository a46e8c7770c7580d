//! Which bytes to read, in which order, so that every wanted digest is computed in one pass.
//!
//! Sans-I/O: [`Sweep::reads`] names the pieces to read, [`Sweep::feed`] takes their bytes in that order, and a
//! digest comes out as soon as its range is complete. Wanted ranges may overlap (a signed range and the
//! container's own one that differs from it, the whole file) or leave gaps: bytes that nothing wants are never
//! read, bytes that several ranges want are read once.

use std::collections::VecDeque;

use evidence::{ByteRange, Digest};
use sha2::{Digest as _, Sha256};

/// Bytes of one read. Larger pieces are not faster (800–1,100 MiB/s from 16 MiB on, in Chromium), and two are in
/// flight, so this bounds a verification's memory whatever the file's size.
pub const READ_LENGTH: u64 = 16 << 20;

/// One pass over a file that computes the digests of many ranges.
pub struct Sweep {
    /// Ranges that have not begun, by offset.
    waiting: VecDeque<ByteRange>,
    /// Ranges that have begun and are not complete.
    open: Vec<(ByteRange, Sha256)>,
    /// What is still to be fed: ascending, disjoint, not adjacent.
    spans: VecDeque<(u64, u64)>,
}

/// More bytes than the span being fed has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("bytes were fed beyond the end of the span that was asked for")]
pub struct BeyondSpan;

impl Sweep {
    /// A pass for `ranges`, in any order. Repeated ranges count once.
    pub fn new(mut ranges: Vec<ByteRange>) -> Self {
        ranges.sort_unstable_by_key(|range| (range.offset(), range.length()));
        ranges.dedup();
        Self { spans: union(&ranges), waiting: ranges.into(), open: Vec::new() }
    }

    /// The pieces to read, ascending and disjoint: offset and length, at most [`READ_LENGTH`].
    pub fn reads(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        self.spans.clone().into_iter().flat_map(|(begin, end)| {
            let pieces = (end - begin).div_ceil(READ_LENGTH);
            (0..pieces).map(move |piece| {
                let offset = begin + piece * READ_LENGTH;
                (offset, READ_LENGTH.min(end - offset))
            })
        })
    }

    /// Bytes that are still to be fed.
    pub fn remaining(&self) -> u64 {
        self.spans.iter().map(|(begin, end)| end - begin).sum()
    }

    /// Takes the next bytes, any number up to the end of a piece, and returns the digests that they complete.
    ///
    /// # Errors
    ///
    /// If `bytes` reach beyond what was asked for. Nothing is taken then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<(ByteRange, Digest)>, BeyondSpan> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let length = u64::try_from(bytes.len()).map_err(|_| BeyondSpan)?;
        let span = self.spans.front_mut().ok_or(BeyondSpan)?;
        let begin = span.0;
        let end = begin.checked_add(length).filter(|end| *end <= span.1).ok_or(BeyondSpan)?;
        span.0 = end;
        if span.0 == span.1 {
            self.spans.pop_front();
        }
        while let Some(range) = self.waiting.pop_front_if(|range| range.offset() < end) {
            self.open.push((range, Sha256::new()));
        }
        for (range, hasher) in &mut self.open {
            let from = range.offset().max(begin) - begin;
            let to = range.end().min(end) - begin;
            hasher.update(part(bytes, from, to));
        }
        let complete = self.open.extract_if(.., |(range, _)| range.end() <= end);
        Ok(complete.map(|(range, hasher)| (range, Digest::from_bytes(hasher.finalize().into()))).collect())
    }
}

fn part(bytes: &[u8], from: u64, to: u64) -> &[u8] {
    let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
    // invariant: from ≤ to ≤ bytes.len(), both being positions inside the bytes just fed.
    bytes.get(index(from)..index(to)).unwrap_or_default()
}

/// The bytes that at least one of the sorted `ranges` wants, as begin and end.
fn union(ranges: &[ByteRange]) -> VecDeque<(u64, u64)> {
    let mut spans: VecDeque<(u64, u64)> = VecDeque::new();
    for range in ranges {
        match spans.back_mut() {
            Some(last) if range.offset() <= last.1 => last.1 = last.1.max(range.end()),
            _ => spans.push_back((range.offset(), range.end())),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    use super::*;

    // Of the whole crate: without it the tests would need Node.js.
    wasm_bindgen_test_configure!(run_in_dedicated_worker);

    fn range(offset: u64, length: u64) -> ByteRange {
        ByteRange::new(offset, length).unwrap()
    }

    /// A file whose bytes differ from place to place.
    fn file(length: usize) -> Vec<u8> {
        (0..length).map(|index| u8::try_from((index * 31 + index / 251) % 256).unwrap()).collect()
    }

    /// Sweeps `file` in chunks of `chunk` bytes and checks every digest against hashing the range alone.
    fn check(file: &[u8], ranges: &[ByteRange], chunk: usize) {
        let mut sweep = Sweep::new(ranges.to_vec());
        let reads: Vec<_> = sweep.reads().collect();
        let mut found = std::collections::BTreeMap::new();
        for (offset, length) in reads {
            let begin = usize::try_from(offset).unwrap();
            let piece = &file[begin..begin + usize::try_from(length).unwrap()];
            for part in piece.chunks(chunk) {
                for (range, digest) in sweep.feed(part).unwrap() {
                    assert!(found.insert(range, digest).is_none(), "{range:?} came out twice");
                }
            }
        }
        assert_eq!(sweep.remaining(), 0);
        for range in ranges {
            let begin = usize::try_from(range.offset()).unwrap();
            let end = usize::try_from(range.end()).unwrap();
            assert_eq!(found.get(range), Some(&Digest::of(&file[begin..end])), "{range:?}");
        }
        let distinct: std::collections::BTreeSet<_> = ranges.iter().collect();
        assert_eq!(found.len(), distinct.len(), "only what was asked for");
    }

    #[wasm_bindgen_test]
    fn tiling_overlapping_nested_repeated_and_scattered_ranges() {
        let file = file(10_000);
        let ranges = [
            range(0, 10_000),
            range(0, 1),
            range(0, 4000),
            range(4000, 3000),
            range(3999, 2),
            range(7000, 3000),
            range(7000, 3000),
            range(9999, 1),
        ];
        for chunk in [1, 7, 4000, 4001, 10_000] {
            check(&file, &ranges, chunk);
            check(&file, &ranges[3..], chunk);
        }
    }

    #[wasm_bindgen_test]
    fn random_ranges_in_random_chunks() {
        let file = file(3000);
        // A linear congruential generator: the same cases on every run.
        let mut state = 12_345_u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let ranges: Vec<_> = (0..=next(12))
                .map(|_| {
                    let offset = next(3000);
                    range(offset, 1 + next(3000 - offset))
                })
                .collect();
            check(&file, &ranges, usize::try_from(1 + next(500)).unwrap());
        }
    }

    #[wasm_bindgen_test]
    fn what_nobody_wants_is_not_read_and_nothing_is_read_twice() {
        let sweep = Sweep::new(vec![range(100, 50), range(120, 80), range(1000, 10), range(200, 5)]);
        assert_eq!(sweep.reads().collect::<Vec<_>>(), [(100, 105), (1000, 10)]);
        assert_eq!(sweep.remaining(), 115);
    }

    #[wasm_bindgen_test]
    fn long_spans_are_read_in_pieces_also_beyond_four_gib() {
        let begin = (4 << 30) - 5;
        let sweep = Sweep::new(vec![range(begin, 2 * READ_LENGTH + 1)]);
        let reads: Vec<_> = sweep.reads().collect();
        assert_eq!(
            reads,
            [(begin, READ_LENGTH), (begin + READ_LENGTH, READ_LENGTH), (begin + 2 * READ_LENGTH, 1)]
        );
    }

    #[wasm_bindgen_test]
    fn bytes_beyond_the_plan_are_refused_and_change_nothing() {
        let mut sweep = Sweep::new(vec![range(0, 3), range(10, 3)]);
        assert_eq!(sweep.feed(b"abcd"), Err(BeyondSpan), "it would run into bytes that nobody wants");
        assert_eq!(sweep.feed(b"abc").unwrap(), [(range(0, 3), Digest::of(b"abc"))]);
        sweep.feed(b"xyz").unwrap();
        assert_eq!(sweep.feed(b"x"), Err(BeyondSpan));
    }
}
