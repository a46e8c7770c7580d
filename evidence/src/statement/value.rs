//! Values that several payloads share, and how they are written.

use serde::{Deserialize, Serialize};

use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::ids::{Digest, KeyDigest, RecordingId, Sequence};
use crate::limits::MAX_SEGMENTS;
use crate::time::{MAX_SAFE_INTEGER, UnixMillis};

/// The version of every payload.
pub(crate) const VERSION: u64 = 1;

/// A payload, or a part of one: written and read in one shape.
pub(crate) trait Wire: Sized {
    fn write(&self, w: &mut Writer);
    fn read(r: &mut Reader<'_>) -> Result<Self, CborError>;
}

/// 0 to 100 per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

/// A number above 100 is no percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is more than 100 per cent.")]
pub struct PercentError(u8);

impl TryFrom<u8> for Percent {
    type Error = PercentError;

    fn try_from(value: u8) -> Result<Self, PercentError> {
        if value <= 100 { Ok(Self(value)) } else { Err(PercentError(value)) }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> u8 {
        percent.0
    }
}

impl Percent {
    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Reader<'_> {
    pub(crate) fn version(&mut self) -> Result<(), CborError> {
        match self.uint("version", u64::MAX)? {
            VERSION => Ok(()),
            _ => Err(self.error("version", CborProblem::OutOfRange)),
        }
    }

    pub(crate) fn digest(&mut self, field: &'static str) -> Result<Digest, CborError> {
        self.byte_array(field).map(Digest::from_bytes)
    }

    pub(crate) fn key_digest(&mut self, field: &'static str) -> Result<KeyDigest, CborError> {
        self.byte_array(field).map(KeyDigest::from_bytes)
    }

    pub(crate) fn recording(&mut self) -> Result<RecordingId, CborError> {
        self.byte_array("recording id").map(RecordingId::from_bytes)
    }

    /// The place of a segment or an `end`: never 0, never beyond the longest recording.
    pub(crate) fn sequence(&mut self) -> Result<Sequence, CborError> {
        match self.uint("sequence", MAX_SEGMENTS + 1)? {
            0 => Err(self.error("sequence", CborProblem::OutOfRange)),
            number => Ok(Sequence::new(number)),
        }
    }

    pub(crate) fn millis(&mut self, field: &'static str) -> Result<UnixMillis, CborError> {
        self.uint(field, MAX_SAFE_INTEGER).map(UnixMillis::saturating)
    }

    pub(crate) fn small(&mut self, field: &'static str) -> Result<u32, CborError> {
        let value = self.uint(field, u64::from(u32::MAX))?;
        u32::try_from(value).map_err(|_| self.error(field, CborProblem::OutOfRange))
    }

    /// A signed integer that JSON carries exactly.
    pub(crate) fn signed(&mut self, field: &'static str) -> Result<i64, CborError> {
        let value = self.int(field)?;
        let fits = value.unsigned_abs() <= MAX_SAFE_INTEGER;
        if fits { Ok(value) } else { Err(self.error(field, CborProblem::OutOfRange)) }
    }

    pub(crate) fn percent(&mut self, field: &'static str) -> Result<Percent, CborError> {
        let value = self.uint(field, 100)?;
        u8::try_from(value).map(Percent).map_err(|_| self.error(field, CborProblem::OutOfRange))
    }
}

impl Writer {
    pub(crate) fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.bytes(digest.as_bytes())
    }

    pub(crate) fn millis(&mut self, time: UnixMillis) -> &mut Self {
        self.uint(time.get())
    }

    pub(crate) fn percent(&mut self, percent: Percent) -> &mut Self {
        self.uint(u64::from(percent.0))
    }
}
