//! `deposit`: a finished file is sealed whole.

use super::value::{VERSION, Wire};
use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::ids::{Digest, RecordingId};
use crate::limits::BLOCK_LEN;
use crate::range::{ByteRange, tiles};
use crate::time::{MAX_SAFE_INTEGER, UnixMillis};

/// A deposited file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// Id of the deposit.
    pub recording: RecordingId,
    /// Statement digest of the signer's enrolment.
    pub enrolment: Digest,
    /// When the file was deposited, by the device's clock.
    pub deposited_at: UnixMillis,
    /// Its length in bytes, at least 1.
    pub length: u64,
    /// Its SHA-256.
    pub digest: Digest,
    /// Root over its 1 MiB segments, [`segments_root`](crate::segments_root()).
    pub root: Digest,
    /// SHA-256 of its first 64 KiB.
    pub head: Digest,
    /// Media type, at most 128 bytes.
    pub media_type: String,
    /// Capture time, as the file or the depositor states it.
    pub captured_at: Option<UnixMillis>,
    /// Commitment to the depositor.
    pub depositor: Option<Digest>,
    /// Commitment to the position.
    pub position: Option<Digest>,
}

impl Deposit {
    /// The 1 MiB ranges of a file of `length` bytes, the last one shorter.
    pub fn blocks(length: u64) -> impl Iterator<Item = ByteRange> {
        tiles(length, BLOCK_LEN)
    }
}

impl Wire for Deposit {
    fn write(&self, w: &mut Writer) {
        w.map(9, &[self.captured_at.is_some(), self.depositor.is_some(), self.position.is_some()]);
        w.uint(1).uint(VERSION);
        w.uint(2).bytes(self.recording.as_bytes());
        w.uint(3).digest(&self.enrolment);
        w.uint(4).millis(self.deposited_at);
        w.uint(5).uint(self.length);
        w.uint(6).digest(&self.digest);
        w.uint(7).digest(&self.root);
        w.uint(8).digest(&self.head);
        w.uint(9).text(&self.media_type);
        w.optional(10, self.captured_at, |w, time| w.millis(time));
        w.optional(11, self.depositor, |w, digest| w.digest(&digest));
        w.optional(12, self.position, |w, digest| w.digest(&digest));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut f = r.map("deposit")?;
        r.required(&mut f, 1, "version")?;
        r.version()?;
        r.required(&mut f, 2, "recording id")?;
        let recording = r.recording()?;
        r.required(&mut f, 3, "enrolment")?;
        let enrolment = r.digest("enrolment")?;
        r.required(&mut f, 4, "deposited at")?;
        let deposited_at = r.millis("deposited at")?;
        r.required(&mut f, 5, "length")?;
        let length = r.uint("length", MAX_SAFE_INTEGER)?;
        if length == 0 {
            return Err(r.error("length", CborProblem::OutOfRange));
        }
        r.required(&mut f, 6, "file digest")?;
        let digest = r.digest("file digest")?;
        r.required(&mut f, 7, "root over the segments")?;
        let root = r.digest("root over the segments")?;
        r.required(&mut f, 8, "head")?;
        let head = r.digest("head")?;
        r.required(&mut f, 9, "media type")?;
        let media_type = r.text("media type", 0, 128)?.to_owned();
        let captured_at = r.optional(&mut f, 10, "captured at", |r| r.millis("captured at"))?;
        let depositor =
            r.optional(&mut f, 11, "depositor commitment", |r| r.digest("depositor commitment"))?;
        let position = r.optional(&mut f, 12, "position commitment", |r| r.digest("position commitment"))?;
        r.end(f, "deposit")?;
        Ok(Self {
            recording,
            enrolment,
            deposited_at,
            length,
            digest,
            root,
            head,
            media_type,
            captured_at,
            depositor,
            position,
        })
    }
}
