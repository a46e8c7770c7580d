//! What a file is when it cannot be recorded as segments, named for people: it is sealed by `deposit` instead.

use crate::boxes::FourCc;
use crate::movie::HeaderError;

/// How many leading bytes the classification of a file looks at: two packets of the longest MPEG transport stream
/// form (192 bytes) and the sync byte of the next.
pub(crate) const SNIFF_LEN: usize = 2 * 192 + 5;

/// Why a file has no fragments to cut at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsuitable {
    /// No bytes at all.
    #[error("The file is empty.")]
    Empty,
    /// An MP4 file written in one piece: its header describes all samples, and there are no fragments.
    #[error("This is a progressive MP4 file: it was written in one piece and has no fragments.")]
    ProgressiveMp4,
    /// A QuickTime movie without fragments.
    #[error("This is a QuickTime movie without fragments.")]
    QuickTime,
    /// A still image in the same container (HEIC, AVIF).
    #[error("This is a still image (HEIC or AVIF).")]
    StillImage,
    /// Matroska or WebM.
    #[error("This is a Matroska or WebM file.")]
    Matroska,
    /// AVI, WAV or another RIFF file.
    #[error("This is an AVI or other RIFF file.")]
    Riff,
    /// An MPEG transport stream.
    #[error("This is an MPEG transport stream.")]
    MpegTs,
    /// Flash video.
    #[error("This is a Flash video file.")]
    Flv,
    /// Ogg.
    #[error("This is an Ogg file.")]
    Ogg,
    /// Fragments came before any header (`moov`) that describes them.
    #[error("The fragments of this file have no header that describes them.")]
    NoHeader,
    /// The header does not describe its tracks in a way that can be signed.
    #[error("The header of this MP4 file cannot be read: {0}")]
    Header(#[from] HeaderError),
    /// Anything else.
    #[error("This is not a fragmented MP4 file.")]
    Unknown,
}

/// Box types that may open an ISO or QuickTime file.
const OPENING: [&[u8; 4]; 17] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"pdin",
    b"sidx", b"ssix", b"emsg", b"prft", b"meta", b"mfra",
];

/// Whether a file may open with a box of this type.
pub(crate) fn opens_a_file(kind: FourCc) -> bool {
    OPENING.iter().any(|known| kind.0 == **known)
}

/// Names a file that does not open with a box, by its first bytes: [`SNIFF_LEN`] of them or the whole file.
pub(crate) fn sniff(bytes: &[u8]) -> Unsuitable {
    match bytes {
        [] => Unsuitable::Empty,
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Unsuitable::Matroska,
        [b'R', b'I', b'F', b'F', ..] => Unsuitable::Riff,
        [b'F', b'L', b'V', 1, ..] => Unsuitable::Flv,
        [b'O', b'g', b'g', b'S', ..] => Unsuitable::Ogg,
        // 188-byte packets begin with the sync byte; 192-byte packets (M2TS) carry four bytes before it.
        _ if synced(bytes, 0, 188) || synced(bytes, 4, 192) => Unsuitable::MpegTs,
        _ => Unsuitable::Unknown,
    }
}

fn synced(bytes: &[u8], first: usize, packet: usize) -> bool {
    let mut positions = (0..3).map(|n| bytes.get(first + n * packet).copied());
    bytes.len() > first + packet && positions.all(|byte| byte.is_none_or(|byte| byte == 0x47))
}

/// Names an ISO file without fragments by its major brand, where it has one.
pub(crate) fn unfragmented(brand: Option<FourCc>) -> Unsuitable {
    match brand.map(|brand| brand.0) {
        None => Unsuitable::QuickTime,
        Some(brand) if &brand == b"qt  " => Unsuitable::QuickTime,
        Some(brand) if [b"heic", b"heix", b"heif", b"mif1", b"avif"].contains(&&brand) => {
            Unsuitable::StillImage
        }
        Some(_) => Unsuitable::ProgressiveMp4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_first_bytes() {
        let mut ts = vec![0u8; SNIFF_LEN];
        (ts[0], ts[188], ts[376]) = (0x47, 0x47, 0x47);
        assert_eq!(sniff(&ts), Unsuitable::MpegTs);
        ts[188] = 0;
        assert_eq!(sniff(&ts), Unsuitable::Unknown);
        let mut m2ts = vec![0u8; SNIFF_LEN];
        (m2ts[4], m2ts[196], m2ts[388]) = (0x47, 0x47, 0x47);
        assert_eq!(sniff(&m2ts), Unsuitable::MpegTs);
        assert_eq!(sniff(b"\x1a\x45\xdf\xa3..."), Unsuitable::Matroska);
        assert_eq!(sniff(b"RIFF\0\0\0\0AVI "), Unsuitable::Riff);
        assert_eq!(sniff(b"FLV\x01"), Unsuitable::Flv);
        assert_eq!(sniff(b"OggS"), Unsuitable::Ogg);
        assert_eq!(sniff(b""), Unsuitable::Empty);
        assert_eq!(sniff(b"G"), Unsuitable::Unknown, "one byte is no transport stream");
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Unsuitable::Unknown);
    }
}
