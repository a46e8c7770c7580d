//! Where the segments of a file lie whose structure may be damaged; for verifiers only.
//!
//! One altered byte in the size of a box hides every boundary after it from a [`Scanner`]. The media that follows may
//! be untouched, and its digests would still find the evidence. [`Boundaries`] drives a `Scanner` and, where its walk
//! ends in doubt, reads on from the last `moof` for the next one and walks again from there
//! (`docs/spec/segmentation.md`, Finding the way back). What it finds are hints: good for a lookup, never trusted.
//!
//! Cost: an undamaged file is read as a `Scanner` reads it, headers only. From the first doubt on, at most
//! [`Boundaries::allowance`] bytes are read in all, twice the file and a constant, whatever the file holds; then it
//! gives up and what has been found stands. A single damage costs one read-through up to the next sound `moof`.

use std::ops::Range;

use crate::boxes::be32;
use crate::found::{Event, MAX_SEGMENTS, Purpose, SegmentError, SegmentKind};
use crate::scanner::{READ_AHEAD, Scanner, SupplyError};

/// One read of a search.
const SEARCH_LEN: u64 = 1 << 20;

/// How far a file that is no fragmented MP4 by its first boxes is searched. In a video whose first bytes are damaged
/// the first fragment begins within the first megabytes; every other kind of file costs no more than this.
const SEARCH_AT_START: u64 = 64 << 20;

/// What finding the way back may cost besides twice the file: false trails in a short file.
const ALLOWANCE_AT_LEAST: u64 = 64 << 20;

/// How a `moof` begins after its size: its type, and size and type of the `mfhd` that must come first (ISO/IEC
/// 14496-12 §8.8.4, §8.8.5).
const PATTERN: &[u8; 12] = b"moof\0\0\0\x10mfhd";

/// Bytes of a `moof` before [`PATTERN`]: its size.
const SIZE_LEN: usize = 4;

/// The bytes by which a `moof` is recognised.
const SIGNATURE_LEN: usize = SIZE_LEN + PATTERN.len();

/// A `moof` that holds nothing but its `mfhd`.
const MIN_MOOF_LEN: u32 = 8 + 16;

/// Finds the ranges of a file's fragments by random access: ask [`Self::next_read`], read that range, give it to
/// [`Self::supply`], until there is nothing more to read. Then [`Self::finish`].
#[derive(Debug)]
pub struct Boundaries {
    total_len: u64,
    step: Step,
    /// Ascending, without gap or overlap, from byte 0.
    found: Vec<Range<u64>>,
    /// Ends of ranges above, beginning where a fragment may begin whose predecessor is damaged.
    parts: Vec<Range<u64>>,
    /// What may still be read; unlimited before the first doubt.
    allowance: Option<u64>,
    understood: u64,
}

#[derive(Debug)]
enum Step {
    Walk(Box<Scanner>),
    /// Looking for a `moof` that lies within these bytes.
    Search(Range<u64>),
    Done,
}

impl Boundaries {
    /// For a file of `total_len` bytes.
    pub fn new(total_len: u64) -> Self {
        let mut boundaries = Self {
            total_len,
            step: Step::Walk(Box::new(Scanner::new(Purpose::Verify, total_len))),
            found: Vec::new(),
            parts: Vec::new(),
            allowance: None,
            understood: 0,
        };
        boundaries.settle();
        boundaries
    }

    /// The most bytes that are read of a file of this length from the first doubt about its structure on. Reads of
    /// less than 4 KiB count as 4 KiB, so that it bounds their number too.
    pub fn allowance(total_len: u64) -> u64 {
        total_len.saturating_mul(2).saturating_add(ALLOWANCE_AT_LEAST)
    }

    /// The range to read next, never empty, or `None` at the end. Longer than
    /// [`MAX_STRUCTURE_LEN`](crate::cut::MAX_STRUCTURE_LEN) it never is.
    pub fn next_read(&self) -> Option<Range<u64>> {
        match &self.step {
            Step::Walk(scanner) => scanner.next_read(),
            Step::Search(within) => {
                Some(within.start..within.end.min(within.start.saturating_add(SEARCH_LEN)))
            }
            Step::Done => None,
        }
    }

    /// Takes the bytes of [`Self::next_read`], which begin at `offset`.
    ///
    /// # Errors
    /// If these are other bytes than those asked for. Nothing is taken then.
    pub fn supply(&mut self, offset: u64, bytes: &[u8]) -> Result<(), SupplyError> {
        let Some(wanted) = self.next_read() else { return Ok(()) };
        let supplied = offset..offset.saturating_add(bytes.len() as u64);
        if supplied != wanted {
            return Err(SupplyError { wanted, supplied });
        }
        self.allowance = self.allowance.map(|left| left.saturating_sub(cost(&wanted)));
        match &mut self.step {
            Step::Walk(scanner) => {
                let events = scanner.supply(offset, bytes)?;
                self.collect(events);
            }
            Step::Search(within) => match find_moof(bytes) {
                Some(at) => self.walk_from(wanted.start + at as u64),
                None => {
                    // The end of this piece may be the beginning of a signature.
                    within.start = wanted.end - (SIGNATURE_LEN as u64 - 1);
                    self.understood = self.understood.max(within.start);
                }
            },
            Step::Done => {}
        }
        self.settle();
        Ok(())
    }

    /// Up to where the file has been understood, or been searched; never goes back, and reaches the end of the file
    /// only when nothing is left to read.
    pub fn understood(&self) -> u64 {
        if matches!(self.step, Step::Done) { self.total_len } else { self.understood }
    }

    /// The ranges found: ascending; those of a file with fragments tile it, and a range may be given once more
    /// without its beginning, where that may be a damaged fragment of its own. None where no structure was found.
    pub fn finish(mut self) -> Vec<Range<u64>> {
        if let Some(end) = self.found.last().map(|last| last.end)
            && end < self.total_len
        {
            self.found.push(end..self.total_len);
        }
        self.found.append(&mut self.parts);
        self.found.sort_unstable_by_key(|range| (range.start, range.end));
        self.found
    }

    /// Goes on until something has to be read.
    fn settle(&mut self) {
        loop {
            match &self.step {
                Step::Walk(scanner) if scanner.next_read().is_none() => self.end_walk(),
                Step::Search(within) if within.end - within.start < SIGNATURE_LEN as u64 => {
                    self.step = Step::Done;
                }
                _ => break,
            }
        }
        let too_far = |left| self.next_read().is_some_and(|wanted| cost(&wanted) > left);
        if self.allowance.is_some_and(too_far) {
            self.step = Step::Done;
        }
    }

    /// The walk came to an end: at the end of the file, or where its structure is in doubt.
    fn end_walk(&mut self) {
        let Step::Walk(scanner) = std::mem::replace(&mut self.step, Step::Done) else { return };
        // The last fragment may have been damaged and be taken for longer than it is.
        let from = scanner.last_moof().map_or(0, |moof| moof + 1);
        let ends_openly = scanner.ends_openly();
        let Some((events, ending)) = scanner.finish() else { return };
        let until = match ending {
            // No encoder leaves the size of a box open but that of the last media.
            Ok(ending) if ending.truncation.is_some() || ends_openly => self.total_len,
            Err(SegmentError::Malformed { .. }) => self.total_len,
            Err(SegmentError::Unsuitable(_)) => self.total_len.min(SEARCH_AT_START),
            Ok(_) | Err(SegmentError::TooLong | SegmentError::TooManySegments { .. }) => 0,
        };
        if from < until {
            self.allowance.get_or_insert(Self::allowance(self.total_len));
            self.step = Step::Search(from..until);
        }
        self.collect(events);
    }

    /// A `moof` was found in a search: what was taken for a segment around it was none.
    fn walk_from(&mut self, moof: u64) {
        while self.found.pop_if(|range| range.start >= moof).is_some() {}
        while self.parts.pop_if(|range| range.end > moof).is_some() {}
        match self.found.last_mut() {
            Some(last) if last.end >= moof => last.end = moof,
            _ => {
                let begin = self.found.last().map_or(0, |last| last.end);
                self.push(begin..moof);
            }
        }
        if !matches!(self.step, Step::Done) {
            self.step = Step::Walk(Box::new(Scanner::resume(self.total_len, moof)));
        }
    }

    fn collect(&mut self, events: Vec<Event>) {
        for event in events {
            let Event::Segment(segment) = event else { continue };
            if segment.kind == SegmentKind::Fragment {
                self.understood = self.understood.max(segment.offset);
            }
            if let Some(loose) = segment.loose_media_end {
                self.parts.push(loose..segment.end());
            }
            self.push(segment.offset..segment.end());
        }
    }

    /// One range stays in reserve for what follows, as in the rule itself.
    fn push(&mut self, range: Range<u64>) {
        if self.found.len() + 1 >= MAX_SEGMENTS as usize {
            self.step = Step::Done;
        } else if !range.is_empty() {
            self.found.push(range);
        }
    }
}

/// What a read counts.
fn cost(read: &Range<u64>) -> u64 {
    (read.end - read.start).max(READ_AHEAD)
}

/// Where the first `moof` begins whose signature lies within `bytes`. Horspool's algorithm: most steps pass over
/// twelve bytes.
fn find_moof(bytes: &[u8]) -> Option<usize> {
    const LAST: usize = PATTERN.len() - 1;
    let mut steps = [PATTERN.len(); 256];
    for (at, byte) in PATTERN[..LAST].iter().enumerate() {
        steps[usize::from(*byte)] = LAST - at;
    }
    let mut at = SIZE_LEN;
    while let Some(window) = bytes.get(at..at + PATTERN.len()) {
        let moof = at - SIZE_LEN;
        if window == PATTERN && be32(bytes, moof).is_some_and(|size| size >= MIN_MOOF_LEN) {
            return Some(moof);
        }
        at += steps[usize::from(window[LAST])];
    }
    None
}
