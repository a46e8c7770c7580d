//! Finding the segments of a file that can be read anywhere, without reading its media: of a 6 GiB file only box
//! headers, `moov` and `moof` are asked for.

use std::ops::Range;

use crate::cut::Cutter;
use crate::found::{Ending, Event, Purpose, SegmentError};

/// How much is asked for at once, where the file has it. One round trip then usually brings the header and the body
/// of a `moof`; a smaller number costs reads, a larger one bytes.
pub(crate) const READ_AHEAD: u64 = 4 << 10;

/// Cuts a file of known length into segments by random access: ask [`Self::next_read`], read that range, give it to
/// [`Self::supply`], until there is nothing more to read. Then [`Self::finish`].
#[derive(Debug)]
pub struct Scanner {
    cutter: Cutter,
    total_len: u64,
    ending: Option<Result<Ending, SegmentError>>,
    events: Vec<Event>,
}

/// Bytes were supplied that do not answer [`Scanner::next_read`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bytes {wanted:?} of the file were to be supplied, not {supplied:?}")]
pub struct SupplyError {
    /// The range asked for.
    pub wanted: Range<u64>,
    /// The range supplied.
    pub supplied: Range<u64>,
}

impl Scanner {
    /// For a file of `total_len` bytes.
    pub fn new(purpose: Purpose, total_len: u64) -> Self {
        let mut scanner = Self { cutter: Cutter::new(purpose), total_len, ending: None, events: Vec::new() };
        if total_len > crate::boxes::MAX_FILE_LEN {
            scanner.ending = Some(Err(SegmentError::TooLong));
        }
        scanner.advance(0, &[]);
        scanner
    }

    /// For what follows the offset of a `moof` in a damaged file. The segments are numbered from 0 and begin at
    /// `moof`; the first may lack boxes before its `moof`. They have no times.
    pub(crate) fn resume(total_len: u64, moof: u64) -> Self {
        let mut scanner = Self::new(Purpose::Verify, total_len);
        if scanner.ending.is_none() {
            scanner.cutter = Cutter::resume(moof);
            scanner.advance(0, &[]);
        }
        scanner
    }

    /// The range to read next, never empty, or `None` when the end of the file has been understood or reached.
    /// Longer than [`MAX_STRUCTURE_LEN`](crate::cut::MAX_STRUCTURE_LEN) it never is.
    pub fn next_read(&self) -> Option<Range<u64>> {
        if self.ending.is_some() {
            return None;
        }
        let want = self.cutter.want()?;
        let end = want.offset.saturating_add(READ_AHEAD.max(want.len as u64)).min(self.total_len);
        Some(want.offset..end)
    }

    /// Takes bytes of the file that begin at `offset`: those of [`Self::next_read`], or more on either side. Gives
    /// what is found in them.
    pub fn supply(&mut self, offset: u64, bytes: &[u8]) -> Result<Vec<Event>, SupplyError> {
        if let (Some(wanted), Some(want)) = (self.next_read(), self.cutter.want()) {
            let supplied = offset..offset.saturating_add(bytes.len() as u64);
            let least = want.offset.saturating_add(want.len as u64).min(self.total_len);
            if supplied.start > want.offset || supplied.end < least || supplied.end > self.total_len {
                return Err(SupplyError { wanted, supplied });
            }
        }
        self.advance(offset, bytes);
        Ok(std::mem::take(&mut self.events))
    }

    /// Answers as many wants as these bytes can, and notices the end.
    fn advance(&mut self, offset: u64, bytes: &[u8]) {
        let within = |from: u64, to: u64| {
            let begin = usize::try_from(from.checked_sub(offset)?).ok()?;
            let end = usize::try_from(to.checked_sub(offset)?).ok()?;
            bytes.get(begin..end)
        };
        while self.ending.is_none() {
            let Some(want) = self.cutter.want() else {
                self.ending = Some(self.cutter.end(self.total_len, &[], &mut self.events));
                return;
            };
            let end = want.offset.saturating_add(want.len as u64);
            if end > self.total_len {
                // Cut off; what is there of it may still tell what the file is.
                let rest = match want.offset.min(self.total_len) {
                    from if from == self.total_len => Some(&[][..]),
                    from => within(from, self.total_len),
                };
                let Some(rest) = rest else { return };
                self.ending = Some(self.cutter.end(self.total_len, rest, &mut self.events));
                return;
            }
            let answer = if want.len == 0 { Some(&[][..]) } else { within(want.offset, end) };
            let Some(answer) = answer else { return };
            if let Err(error) = self.cutter.supply(answer, &mut self.events) {
                self.ending = Some(Err(error));
            }
        }
    }

    /// Where the latest `moof` begins.
    pub(crate) fn last_moof(&self) -> Option<u64> {
        self.cutter.last_moof()
    }

    /// Whether the rest of the file is one box that states no size.
    pub(crate) fn ends_openly(&self) -> bool {
        self.cutter.ends_openly()
    }

    /// How the file ended, and the events that no call of [`Self::supply`] was left to give. `None` where reads are
    /// still missing.
    pub fn finish(self) -> Option<(Vec<Event>, Result<Ending, SegmentError>)> {
        self.ending.map(|ending| (self.events, ending))
    }
}
