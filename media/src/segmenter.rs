//! Cutting a stream: bytes are pushed in chunks of any size, segments come out as soon as they are complete.

use crate::boxes::MAX_FILE_LEN;
use crate::cut::Cutter;
use crate::found::{Ending, Event, Purpose, SegmentError};

/// Receives the bytes of a stream and what is found in them.
///
/// The bytes come once each and in order. A segment is reported after its last byte and before the first byte of the
/// next, so that a digest of segments needs nothing but "add bytes" and "finish at the event".
pub trait Sink {
    /// The next bytes of the file.
    fn data(&mut self, bytes: &[u8]);
    /// The next event.
    fn event(&mut self, event: Event);
}

/// Collects events where the bytes do not matter.
impl Sink for Vec<Event> {
    fn data(&mut self, _: &[u8]) {}
    fn event(&mut self, event: Event) {
        self.push(event);
    }
}

/// Cuts a stream into segments. Memory stays below
/// [`MAX_STRUCTURE_LEN`](crate::cut::MAX_STRUCTURE_LEN) plus small constants, whatever the file holds.
#[derive(Debug)]
pub struct Segmenter {
    cutter: Cutter,
    /// Bytes of the file passed on to the sink or held.
    position: u64,
    /// Wanted bytes that are not complete yet; they end at `position`.
    held: Vec<u8>,
    events: Vec<Event>,
}

impl Segmenter {
    /// Begins at byte 0.
    pub fn new(purpose: Purpose) -> Self {
        Self { cutter: Cutter::new(purpose), position: 0, held: Vec::new(), events: Vec::new() }
    }

    /// Bytes pushed so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Where the segment begins that is not complete yet.
    pub fn open_segment(&self) -> u64 {
        self.cutter.begin()
    }

    /// Takes the next bytes of the file.
    ///
    /// An error loses no bytes: the sink has been given the whole chunk. No segment follows but the one of
    /// [`Self::abandon`], and every further call fails with the same error and takes nothing.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), SegmentError> {
        if let Some(error) = self.cutter.failure() {
            return Err(error.clone());
        }
        if self.position.saturating_add(chunk.len() as u64) > MAX_FILE_LEN {
            return Err(SegmentError::TooLong);
        }
        let mut rest = chunk;
        while let Some(want) = self.cutter.want() {
            // What is held answered an earlier want, and belongs to the open segment by now.
            if self.held_from() < want.offset {
                self.release(sink);
            }
            if self.position < want.offset {
                let gap = usize::try_from(want.offset - self.position).unwrap_or(usize::MAX);
                self.pass(take(&mut rest, gap), sink);
                if self.position < want.offset {
                    return Ok(());
                }
            }
            let taken = take(&mut rest, want.len - self.held.len());
            self.held.extend_from_slice(taken);
            self.position += taken.len() as u64;
            if self.held.len() < want.len {
                return Ok(());
            }
            let answer = self.cutter.supply(&self.held, &mut self.events);
            // Before anything that is held: an event ends at or before it.
            self.report(sink);
            if let Err(error) = answer {
                self.release(sink);
                self.pass(rest, sink);
                return Err(error);
            }
        }
        self.release(sink);
        self.pass(rest, sink);
        Ok(())
    }

    /// The file ends here: reports the last segment, if there are bytes left for one.
    pub fn finish(mut self, sink: &mut impl Sink) -> Result<Ending, SegmentError> {
        let ending = self.cutter.end(self.position, &self.held, &mut self.events);
        self.release(sink);
        self.report(sink);
        ending
    }

    /// Ends the file here whatever its structure, also after an error: what was pushed since the last segment is
    /// reported as the last, incomplete one, so that the segments tile what was pushed.
    pub fn abandon(mut self, sink: &mut impl Sink) {
        self.release(sink);
        self.cutter.abandon(self.position, &mut self.events);
        self.report(sink);
    }

    fn held_from(&self) -> u64 {
        // invariant: held bytes are counted in `position`.
        self.position - self.held.len() as u64
    }

    fn release(&mut self, sink: &mut impl Sink) {
        if !self.held.is_empty() {
            sink.data(&self.held);
            self.held.clear();
        }
    }

    fn pass(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        if !bytes.is_empty() {
            sink.data(bytes);
            self.position += bytes.len() as u64;
        }
    }

    fn report(&mut self, sink: &mut impl Sink) {
        for event in self.events.drain(..) {
            sink.event(event);
        }
    }
}

/// Splits off at most `len` bytes.
fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::MAX_STRUCTURE_LEN;

    fn held_after(kind: &[u8; 4], size: u32) -> usize {
        let mut segmenter = Segmenter::new(Purpose::Verify);
        let mut sink = Vec::new();
        let head = [&16u32.to_be_bytes()[..], b"ftypisom\0\0\0\0", &size.to_be_bytes(), kind].concat();
        segmenter.push(&head, &mut sink).expect("well-formed so far");
        for _ in 0..10 {
            segmenter.push(&[0; 1 << 20], &mut sink).expect("well-formed so far");
        }
        segmenter.held.capacity()
    }

    #[test]
    fn a_large_structure_is_not_held() {
        let limit = u32::try_from(MAX_STRUCTURE_LEN).expect("small");
        for kind in [b"moov", b"moof", b"free", b"uuid"] {
            assert!(held_after(kind, u32::MAX) <= 64, "{kind:?}");
            assert!(held_after(kind, limit + 9) <= 64, "{kind:?}");
        }
    }

    #[test]
    fn a_stated_size_allocates_nothing_by_itself() {
        let mut segmenter = Segmenter::new(Purpose::Record);
        let size = u32::try_from(MAX_STRUCTURE_LEN).expect("small");
        let head = [&size.to_be_bytes()[..], b"moov", &[0; 100]].concat();
        segmenter.push(&head, &mut Vec::new()).expect("well-formed so far");
        assert!(segmenter.held.capacity() <= 1024);
    }

    #[test]
    fn a_stream_longer_than_any_file_is_refused_before_it_is_taken() {
        let mut segmenter = Segmenter::new(Purpose::Record);
        segmenter.position = MAX_FILE_LEN - 1;
        assert_eq!(segmenter.push(&[0; 2], &mut Vec::new()), Err(SegmentError::TooLong));
        assert_eq!(segmenter.position(), MAX_FILE_LEN - 1);
    }
}
