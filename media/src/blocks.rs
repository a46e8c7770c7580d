//! The fixed segments of a deposit: a finished file is cut every [`DEPOSIT_SEGMENT_LEN`] bytes, whatever it holds.

use std::ops::Range;

/// Length of every segment of a deposit but the last, which may be shorter: 1 MiB. Small enough to say where a file
/// differs, large enough that the digests of a 4 GiB file (4,096 × 32 bytes) stay small.
pub const DEPOSIT_SEGMENT_LEN: u64 = 1 << 20;

/// The byte ranges that tile a file of `total_len` bytes in a deposit, in order. An empty file has none.
pub fn blocks(total_len: u64) -> impl Iterator<Item = Range<u64>> + Clone {
    (0..total_len.div_ceil(DEPOSIT_SEGMENT_LEN)).map(move |index| block(index, total_len))
}

fn block(index: u64, total_len: u64) -> Range<u64> {
    // invariant: index < ceil(total / LEN), so index * LEN < total and cannot overflow.
    let begin = index * DEPOSIT_SEGMENT_LEN;
    begin..begin.saturating_add(DEPOSIT_SEGMENT_LEN).min(total_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(total: u64, count: usize) {
        let ranges: Vec<_> = blocks(total).collect();
        assert_eq!(ranges.len(), count, "{total}");
        let mut at = 0;
        for range in &ranges {
            assert_eq!(range.start, at);
            assert!(range.end > range.start);
            at = range.end;
        }
        assert_eq!(at, total);
        assert!(ranges.iter().rev().skip(1).all(|r| r.end - r.start == DEPOSIT_SEGMENT_LEN));
    }

    #[test]
    fn blocks_tile_the_file() {
        check(0, 0);
        check(1, 1);
        check(DEPOSIT_SEGMENT_LEN - 1, 1);
        check(DEPOSIT_SEGMENT_LEN, 1);
        check(DEPOSIT_SEGMENT_LEN + 1, 2);
        check((6 << 30) + 5, 6145);
    }

    #[test]
    fn the_largest_length_does_not_overflow() {
        assert_eq!(blocks(u64::MAX).nth(1), Some(DEPOSIT_SEGMENT_LEN..2 * DEPOSIT_SEGMENT_LEN));
        let last = (u64::MAX / DEPOSIT_SEGMENT_LEN) * DEPOSIT_SEGMENT_LEN;
        assert_eq!(block(u64::MAX / DEPOSIT_SEGMENT_LEN, u64::MAX), last..u64::MAX);
    }
}
