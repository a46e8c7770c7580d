//! The fingerprint of one track of a segment (音视频指纹).

use super::value::Wire;
use crate::cbor::{CborError, Reader, Writer};
use crate::ids::Digest;
use crate::time::MAX_SAFE_INTEGER;

/// Digest of the access units of one track of a segment. A verifier that does not know the algorithm reports it as
/// not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Name of the algorithm, 1 to 32 bytes.
    pub algorithm: String,
    /// Track id in the container.
    pub track: u32,
    /// Number of access units.
    pub units: u64,
    /// Decode time of the first one, in the track's time scale.
    pub first_decode_time: i64,
    /// Decode time of the last one.
    pub last_decode_time: i64,
    /// Merkle root over the length-prefixed access units.
    pub root: Digest,
}

impl Wire for Fingerprint {
    fn write(&self, w: &mut Writer) {
        w.array(6)
            .text(&self.algorithm)
            .uint(u64::from(self.track))
            .uint(self.units)
            .int(self.first_decode_time)
            .int(self.last_decode_time)
            .digest(&self.root);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        r.array("fingerprint", 6, 6)?;
        Ok(Self {
            algorithm: r.text("fingerprint algorithm", 1, 32)?.to_owned(),
            track: r.small("fingerprint track")?,
            units: r.uint("fingerprint unit count", MAX_SAFE_INTEGER)?,
            first_decode_time: r.signed("first decode time")?,
            last_decode_time: r.signed("last decode time")?,
            root: r.digest("fingerprint root")?,
        })
    }
}
