//! `segment`: a byte range of the file, and what the device knows about it.

use super::chain_head::ChainHead;
use super::event::Event;
use super::fingerprint::Fingerprint;
use super::value::{Percent, VERSION, Wire};
use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::ids::{Digest, RecordingId, Sequence};
use crate::range::ByteRange;
use crate::time::{MAX_SAFE_INTEGER, UnixMillis};

/// One for each track, and one more algorithm does not need more either.
const MAX_FINGERPRINTS: u64 = 16;
/// A segment lasts a second or two; more events than this are noise.
const MAX_EVENTS: u64 = 64;

/// A stretch of the recording's own timeline, in milliseconds from its first picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// Where the segment begins.
    pub begin_ms: u64,
    /// Where it ends; not before `begin_ms`.
    pub end_ms: u64,
}

/// One segment of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The recording.
    pub recording: RecordingId,
    /// Its place: 1 for the first segment.
    pub sequence: Sequence,
    /// Statement digest of the statement before it.
    pub previous: Digest,
    /// When capture of it began, by the device's clock.
    pub capture_begin: UnixMillis,
    /// When it ended.
    pub capture_end: UnixMillis,
    /// Which bytes of the file.
    pub range: ByteRange,
    /// SHA-256 of those bytes.
    pub digest: Digest,
    /// Fingerprints of its tracks, at most 16.
    pub fingerprints: Vec<Fingerprint>,
    /// Where it lies on the recording's own timeline; bytes that trail the last fragment lie nowhere.
    pub timeline: Option<Timeline>,
    /// Charge of the battery.
    pub battery: Option<Percent>,
    /// What happened, at most 64 events.
    pub events: Vec<Event>,
    /// The newest checkpoint that the device has verified.
    pub chain_head: Option<ChainHead>,
    /// Commitment to the position.
    pub position: Option<Digest>,
    /// SHA-256 of the first 64 KiB of the file, in the segment that contains byte 65,535.
    pub head: Option<Digest>,
}

impl Wire for Segment {
    fn write(&self, w: &mut Writer) {
        let present = [
            self.timeline.is_some(),
            self.battery.is_some(),
            !self.events.is_empty(),
            self.chain_head.is_some(),
            self.position.is_some(),
            self.head.is_some(),
        ];
        w.map(10, &present);
        w.uint(1).uint(VERSION);
        w.uint(2).bytes(self.recording.as_bytes());
        w.uint(3).uint(self.sequence.get());
        w.uint(4).digest(&self.previous);
        w.uint(5).millis(self.capture_begin);
        w.uint(6).millis(self.capture_end);
        w.uint(7).uint(self.range.offset());
        w.uint(8).uint(self.range.length());
        w.uint(9).digest(&self.digest);
        w.uint(10).list(&self.fingerprints, |w, fingerprint| {
            fingerprint.write(w);
            w
        });
        w.optional(11, self.timeline, |w, timeline| {
            w.array(2).uint(timeline.begin_ms).uint(timeline.end_ms);
            w
        });
        w.optional(12, self.battery, |w, battery| w.percent(battery));
        let events = (!self.events.is_empty()).then_some(&self.events);
        w.optional(13, events, |w, events| {
            w.list(events, |w, event| {
                event.write(w);
                w
            })
        });
        w.optional(14, self.chain_head, |w, head| {
            head.write(w);
            w
        });
        w.optional(15, self.position, |w, digest| w.digest(&digest));
        w.optional(16, self.head, |w, digest| w.digest(&digest));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut f = r.map("segment")?;
        r.required(&mut f, 1, "version")?;
        r.version()?;
        r.required(&mut f, 2, "recording id")?;
        let recording = r.recording()?;
        r.required(&mut f, 3, "sequence")?;
        let sequence = r.sequence()?;
        r.required(&mut f, 4, "previous statement")?;
        let previous = r.digest("previous statement")?;
        r.required(&mut f, 5, "capture begin")?;
        let capture_begin = r.millis("capture begin")?;
        r.required(&mut f, 6, "capture end")?;
        let capture_end = r.millis("capture end")?;
        r.required(&mut f, 7, "offset")?;
        let offset = r.uint("offset", MAX_SAFE_INTEGER)?;
        r.required(&mut f, 8, "length")?;
        let length = r.uint("length", MAX_SAFE_INTEGER)?;
        let range = ByteRange::new(offset, length).map_err(|_| r.error("length", CborProblem::OutOfRange))?;
        r.required(&mut f, 9, "segment digest")?;
        let digest = r.digest("segment digest")?;
        r.required(&mut f, 10, "fingerprints")?;
        let fingerprints = r.list("fingerprints", 0, MAX_FINGERPRINTS, Fingerprint::read)?;
        let timeline = r.optional(&mut f, 11, "timeline", read_timeline)?;
        let battery = r.optional(&mut f, 12, "battery", |r| r.percent("battery"))?;
        let events = r.optional(&mut f, 13, "events", |r| r.list("events", 1, MAX_EVENTS, Event::read))?;
        let chain_head = r.optional(&mut f, 14, "chain head", ChainHead::read)?;
        let position = r.optional(&mut f, 15, "position commitment", |r| r.digest("position commitment"))?;
        let head = r.optional(&mut f, 16, "head", |r| r.digest("head"))?;
        r.end(f, "segment")?;
        Ok(Self {
            recording,
            sequence,
            previous,
            capture_begin,
            capture_end,
            range,
            digest,
            fingerprints,
            timeline,
            battery,
            events: events.unwrap_or_default(),
            chain_head,
            position,
            head,
        })
    }
}

fn read_timeline(r: &mut Reader<'_>) -> Result<Timeline, CborError> {
    r.array("timeline", 2, 2)?;
    let begin_ms = r.uint("timeline begin", MAX_SAFE_INTEGER)?;
    let end_ms = r.uint("timeline end", MAX_SAFE_INTEGER)?;
    if end_ms < begin_ms {
        return Err(r.error("timeline end", CborProblem::OutOfRange));
    }
    Ok(Timeline { begin_ms, end_ms })
}
