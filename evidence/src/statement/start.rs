//! `start`: a recording begins.

use super::chain_head::ChainHead;
use super::self_check::SelfCheck;
use super::track::Track;
use super::value::{VERSION, Wire};
use crate::cbor::{CborError, Reader, Writer};
use crate::ids::{Digest, RecordingId};
use crate::time::{MAX_SAFE_INTEGER, UnixMillis};

/// More tracks than any recorder writes.
const MAX_TRACKS: u64 = 16;

/// The first statement of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The recording.
    pub recording: RecordingId,
    /// The device's recording counter, 1 for its first: a recording that vanished leaves a hole.
    pub counter: u64,
    /// Statement digest of the device's previous final statement.
    pub previous_final: Option<Digest>,
    /// Statement digest of the device's enrolment.
    pub enrolment: Digest,
    /// When capture begins, by the device's clock.
    pub capture_begin: UnixMillis,
    /// The tracks, at most 16.
    pub tracks: Vec<Track>,
    /// The pre-capture self-check.
    pub self_check: SelfCheck,
    /// The newest checkpoint that the device has verified.
    pub chain_head: Option<ChainHead>,
    /// Commitment to the position.
    pub position: Option<Digest>,
}

impl Wire for Start {
    fn write(&self, w: &mut Writer) {
        w.map(8, &[self.chain_head.is_some(), self.position.is_some()]);
        w.uint(1).uint(VERSION);
        w.uint(2).bytes(self.recording.as_bytes());
        w.uint(3).uint(self.counter);
        w.uint(4);
        match &self.previous_final {
            Some(digest) => w.digest(digest),
            None => w.null(),
        };
        w.uint(5).digest(&self.enrolment);
        w.uint(6).millis(self.capture_begin);
        w.uint(7).list(&self.tracks, |w, track| {
            track.write(w);
            w
        });
        w.uint(8);
        self.self_check.write(w);
        w.optional(9, self.chain_head, |w, head| {
            head.write(w);
            w
        });
        w.optional(10, self.position, |w, digest| w.digest(&digest));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut f = r.map("start")?;
        r.required(&mut f, 1, "version")?;
        r.version()?;
        r.required(&mut f, 2, "recording id")?;
        let recording = r.recording()?;
        r.required(&mut f, 3, "recording counter")?;
        let counter = r.uint("recording counter", MAX_SAFE_INTEGER)?;
        r.required(&mut f, 4, "previous final statement")?;
        let previous_final =
            r.null_or("previous final statement", |r| r.digest("previous final statement"))?;
        r.required(&mut f, 5, "enrolment")?;
        let enrolment = r.digest("enrolment")?;
        r.required(&mut f, 6, "capture begin")?;
        let capture_begin = r.millis("capture begin")?;
        r.required(&mut f, 7, "tracks")?;
        let tracks = r.list("tracks", 0, MAX_TRACKS, Track::read)?;
        r.required(&mut f, 8, "self-check")?;
        let self_check = SelfCheck::read(r)?;
        let chain_head = r.optional(&mut f, 9, "chain head", ChainHead::read)?;
        let position = r.optional(&mut f, 10, "position commitment", |r| r.digest("position commitment"))?;
        r.end(f, "start")?;
        Ok(Self {
            recording,
            counter,
            previous_final,
            enrolment,
            capture_begin,
            tracks,
            self_check,
            chain_head,
            position,
        })
    }
}
