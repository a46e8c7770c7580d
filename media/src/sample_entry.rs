//! Sample descriptions: `stsd` and the fixed part of its entries (ISO/IEC 14496-12 §8.5.2, §12.1.3, §12.2.3).
//!
//! Only the first entry is described. Its codec configuration box is kept as stored, because it is signed: a
//! decoded and re-encoded form would drop what the decoder does not know.

use crate::boxes::{self, FourCc, be16, be32};
use crate::movie::{Dimensions, HeaderError, MAX_CONFIG_LEN, Place, Sound, TrackKind};

/// Boxes that configure a decoder, of which the first one stored in an entry counts.
const CONFIGURATIONS: [&[u8; 4]; 14] = [
    b"avcC", b"hvcC", b"vvcC", b"av1C", b"vpcC", b"esds", b"dOps", b"dfLa", b"dac3", b"dec3", b"dac4",
    b"alac", b"pcmC", b"mhaC",
];

/// The first sample description of a track.
pub(crate) struct SampleEntry {
    pub(crate) codec: FourCc,
    pub(crate) config: Vec<u8>,
    pub(crate) dimensions: Option<Dimensions>,
    pub(crate) sound: Option<Sound>,
}

/// Reads an `stsd`; gives its first entry and the number of entries.
pub(crate) fn parse(stsd: Place<'_>, kind: TrackKind) -> Result<(SampleEntry, u32), HeaderError> {
    let malformed = || stsd.malformed(FourCc(*b"stsd"));
    let payload = stsd.payload();
    let count = be32(payload, 4).ok_or_else(malformed)?;
    let entries = payload.get(8..).ok_or_else(malformed)?;
    let entry = boxes::children(entries).next().ok_or_else(malformed)?.map_err(|_| malformed())?;
    let body = entry.payload;
    let (mut dimensions, mut sound) = (None, None);
    // Every entry begins with 6 reserved bytes and the data reference index.
    let extensions = match kind {
        TrackKind::Video => {
            let size = be16(body, 24).zip(be16(body, 26)).ok_or_else(malformed)?;
            dimensions = Some(Dimensions { width: size.0, height: size.1 });
            body.get(78..)
        }
        TrackKind::Audio => {
            let (channels, rate) = be16(body, 16).zip(be32(body, 24)).ok_or_else(malformed)?;
            sound = Some(Sound { channels, sample_rate: rate >> 16 });
            // QuickTime's versions 1 and 2 put 16 and 36 bytes more before the boxes. An ISO file's version 1 puts
            // none, but is told apart by `stsd` being of version 1 itself.
            let quicktime = if payload.first() == Some(&0) { be16(body, 8) } else { None };
            match quicktime {
                Some(1) => body.get(44..),
                Some(2) => body.get(64..),
                _ => body.get(28..),
            }
        }
        // The layout depends on the codec; nothing of it is described.
        TrackKind::Other => Some(&[][..]),
    };
    let config = configuration(extensions.ok_or_else(malformed)?).unwrap_or_default();
    if config.len() > MAX_CONFIG_LEN {
        return Err(malformed());
    }
    Ok((SampleEntry { codec: entry.kind, config: config.to_vec(), dimensions, sound }, count))
}

/// The first configuration box, also inside QuickTime's `wave`.
fn configuration(extensions: &[u8]) -> Option<&[u8]> {
    let known = |payload| {
        boxes::children(payload)
            .map_while(Result::ok)
            .find(|child| CONFIGURATIONS.iter().any(|kind| child.kind.0 == **kind))
    };
    let wave = || known(boxes::find(extensions, b"wave").ok()??.payload);
    known(extensions).or_else(wave).map(|child| child.whole)
}
