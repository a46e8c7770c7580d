//! Byte ranges of a file.

use serde::{Deserialize, Serialize};

use crate::time::MAX_SAFE_INTEGER;

/// A non-empty range of bytes of a file that ends at or before byte 2^53 − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawRange", into = "RawRange")]
pub struct ByteRange {
    offset: u64,
    length: u64,
}

/// A pair of offset and length that is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// A range has at least one byte.
    #[error("The range at byte {offset} is empty.")]
    Empty {
        /// Where it begins.
        offset: u64,
    },
    /// Files end at or before byte 2^53 − 1.
    #[error("The range of {length} bytes at byte {offset} ends beyond 2^53 - 1.")]
    TooFar {
        /// Where it begins.
        offset: u64,
        /// How many bytes it has.
        length: u64,
    },
}

impl ByteRange {
    /// `length` bytes from `offset` on.
    pub const fn new(offset: u64, length: u64) -> Result<Self, RangeError> {
        if length == 0 {
            return Err(RangeError::Empty { offset });
        }
        match offset.checked_add(length) {
            Some(end) if end <= MAX_SAFE_INTEGER => Ok(Self { offset, length }),
            _ => Err(RangeError::TooFar { offset, length }),
        }
    }

    /// The bytes from `offset` up to, and without, `end`.
    pub const fn between(offset: u64, end: u64) -> Result<Self, RangeError> {
        Self::new(offset, end.saturating_sub(offset))
    }

    /// Where it begins.
    pub const fn offset(self) -> u64 {
        self.offset
    }

    /// How many bytes it has; never 0.
    pub const fn length(self) -> u64 {
        self.length
    }

    /// Where the next range begins.
    pub const fn end(self) -> u64 {
        // invariant: checked at construction
        self.offset + self.length
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    offset: u64,
    length: u64,
}

impl TryFrom<RawRange> for ByteRange {
    type Error = RangeError;

    fn try_from(raw: RawRange) -> Result<Self, RangeError> {
        Self::new(raw.offset, raw.length)
    }
}

impl From<ByteRange> for RawRange {
    fn from(range: ByteRange) -> Self {
        Self { offset: range.offset, length: range.length }
    }
}

/// Consecutive ranges of `step` bytes that tile a file of `length` bytes, the last one shorter.
pub(crate) fn tiles(length: u64, step: u64) -> impl Iterator<Item = ByteRange> {
    let count = if length <= MAX_SAFE_INTEGER { length.div_ceil(step) } else { 0 };
    (0..count).filter_map(move |i| ByteRange::between(i * step, length.min((i + 1) * step)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_empty_or_wrap_cannot_be_made() {
        assert_eq!(ByteRange::new(7, 0), Err(RangeError::Empty { offset: 7 }));
        assert!(ByteRange::new(u64::MAX, 1).is_err());
        assert!(ByteRange::new(MAX_SAFE_INTEGER, 1).is_err());
        assert!(ByteRange::between(9, 8).is_err());
        assert_eq!(ByteRange::new(MAX_SAFE_INTEGER - 1, 1).map(ByteRange::end), Ok(MAX_SAFE_INTEGER));
    }

    #[test]
    fn tiles_cover_the_file_once() {
        for length in [0, 1, 9, 10, 11, 20, 21] {
            let tiles: Vec<_> = tiles(length, 10).collect();
            let mut next = 0;
            for tile in &tiles {
                assert_eq!(tile.offset(), next);
                next = tile.end();
            }
            assert_eq!(next, length);
        }
    }
}
