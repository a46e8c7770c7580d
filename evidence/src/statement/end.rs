//! `end`: a recording is complete.

use super::codes::codes;
use super::value::{VERSION, Wire};
use crate::cbor::{CborError, Reader, Writer};
use crate::ids::{Digest, RecordingId, Sequence};
use crate::limits::MAX_SEGMENTS;
use crate::time::{MAX_SAFE_INTEGER, UnixMillis};

codes! {
    /// Why a recording ended.
    EndReason {
        /// Somebody stopped it.
        Stopped = 0,
        /// The input ended.
        InputEnded = 1,
        /// The device crashed and closed the recording at its next start.
        Recovered = 2,
        /// The storage was full.
        StorageFull = 3,
        /// The battery was empty.
        BatteryEmpty = 4,
    }
}

/// The last statement of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The recording.
    pub recording: RecordingId,
    /// Number of segments + 1.
    pub sequence: Sequence,
    /// Statement digest of the statement before it.
    pub previous: Digest,
    /// Why.
    pub reason: EndReason,
    /// When capture ended, by the device's clock.
    pub capture_end: UnixMillis,
    /// Length of the file in bytes.
    pub total_length: u64,
    /// Number of segments.
    pub segments: u64,
    /// Root over the segments, [`segments_root`](crate::segments_root()).
    pub root: Digest,
    /// SHA-256 of the first 64 KiB of the file, where no segment stated it.
    pub head: Option<Digest>,
}

impl Wire for End {
    fn write(&self, w: &mut Writer) {
        w.map(9, &[self.head.is_some()]);
        w.uint(1).uint(VERSION);
        w.uint(2).bytes(self.recording.as_bytes());
        w.uint(3).uint(self.sequence.get());
        w.uint(4).digest(&self.previous);
        w.uint(5).uint(self.reason.code());
        w.uint(6).millis(self.capture_end);
        w.uint(7).uint(self.total_length);
        w.uint(8).uint(self.segments);
        w.uint(9).digest(&self.root);
        w.optional(10, self.head, |w, digest| w.digest(&digest));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut f = r.map("end")?;
        r.required(&mut f, 1, "version")?;
        r.version()?;
        r.required(&mut f, 2, "recording id")?;
        let recording = r.recording()?;
        r.required(&mut f, 3, "sequence")?;
        let sequence = r.sequence()?;
        r.required(&mut f, 4, "previous statement")?;
        let previous = r.digest("previous statement")?;
        r.required(&mut f, 5, "end reason")?;
        let reason = EndReason::read(r, "end reason")?;
        r.required(&mut f, 6, "capture end")?;
        let capture_end = r.millis("capture end")?;
        r.required(&mut f, 7, "total length")?;
        let total_length = r.uint("total length", MAX_SAFE_INTEGER)?;
        r.required(&mut f, 8, "number of segments")?;
        let segments = r.uint("number of segments", MAX_SEGMENTS)?;
        r.required(&mut f, 9, "root over the segments")?;
        let root = r.digest("root over the segments")?;
        let head = r.optional(&mut f, 10, "head", |r| r.digest("head"))?;
        r.end(f, "end")?;
        Ok(Self { recording, sequence, previous, reason, capture_end, total_length, segments, root, head })
    }
}
