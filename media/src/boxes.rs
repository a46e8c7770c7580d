//! Box headers of the ISO base media file format (ISO/IEC 14496-12 §4.2).
//!
//! ```text
//! size: u32 | type: u32 | [largesize: u64 when size = 1] | [usertype: 16 bytes when type = 'uuid'] | payload
//! ```
//!
//! `size` counts the header. Size 0 means that the box extends to the end of the file, for top-level boxes only.
//! Offsets are 64-bit everywhere, also on 32-bit targets such as WebAssembly.

use std::fmt;

/// The longest file that is read: 2^53 − 1 bytes, the largest length that JSON and JavaScript can state exactly
/// (`docs/spec/statement.md`, Limits).
pub const MAX_FILE_LEN: u64 = (1 << 53) - 1;

/// The longest box header: size, type and largesize. The usertype of a `uuid` box is counted as payload, as it
/// decides nothing here.
pub const MAX_HEADER_LEN: usize = 16;

/// A box type, brand or codec: four bytes, usually printable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    /// Printable ASCII as it is, anything else as `\xNN`, so that a hostile code cannot disturb a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{self}'")
    }
}

/// How far a box extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Total length in bytes, header included.
    Sized(u64),
    /// To the end of the file.
    ToEnd,
}

/// A parsed box header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHeader {
    /// The box type.
    pub kind: FourCc,
    /// Bytes before the payload: 8, or 16 with a 64-bit size.
    pub header_len: u8,
    /// The stated extent; at least `header_len` when sized.
    pub extent: Extent,
}

/// What the first bytes of a box say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The header is complete.
    Header(BoxHeader),
    /// The header needs this many bytes in all (8 or 16).
    NeedMore(usize),
}

/// Why a box header is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoxError {
    /// The stated size does not even cover the header.
    #[error("the box {kind:?} states a size of {size} bytes, less than its own header")]
    TooSmall {
        /// The box type.
        kind: FourCc,
        /// The size as stated.
        size: u64,
    },
    /// The box would end beyond [`MAX_FILE_LEN`].
    #[error("the box {kind:?} states a size of {size} bytes, more than any file that is read here")]
    TooLarge {
        /// The box type.
        kind: FourCc,
        /// The size as stated.
        size: u64,
    },
    /// A `moov` or `moof` of size 0 ("to the end of the file"), which has no place before media data.
    #[error("the box {kind:?} has no stated size, which only media data at the end of a file may have")]
    Endless {
        /// The box type.
        kind: FourCc,
    },
}

impl BoxHeader {
    /// Parses the header at the start of `bytes`, which may hold more than the header.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, BoxError> {
        let Some((head, rest)) = bytes.split_first_chunk::<8>() else {
            return Ok(Parsed::NeedMore(8));
        };
        let [s0, s1, s2, s3, k0, k1, k2, k3] = *head;
        let kind = FourCc([k0, k1, k2, k3]);
        let (header_len, size) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            0 => return Ok(Parsed::Header(BoxHeader { kind, header_len: 8, extent: Extent::ToEnd })),
            1 => match rest.first_chunk::<8>() {
                Some(large) => (16, u64::from_be_bytes(*large)),
                None => return Ok(Parsed::NeedMore(16)),
            },
            size => (8, u64::from(size)),
        };
        // A `uuid` box carries its 16-byte usertype before anything else.
        let least = u64::from(header_len) + if kind == FourCc(*b"uuid") { 16 } else { 0 };
        if size < least {
            return Err(BoxError::TooSmall { kind, size });
        }
        if size > MAX_FILE_LEN {
            return Err(BoxError::TooLarge { kind, size });
        }
        Ok(Parsed::Header(BoxHeader { kind, header_len, extent: Extent::Sized(size) }))
    }
}

/// A box inside a payload that is held in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) kind: FourCc,
    /// The box as stored, header included.
    pub(crate) whole: &'a [u8],
    pub(crate) payload: &'a [u8],
    /// Where the box begins, relative to the payload that was walked.
    pub(crate) offset: usize,
}

/// A child box that does not fit its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadChild {
    pub(crate) offset: usize,
}

/// Walks the boxes of a payload; ends after the first error. Fewer than 8 bytes at the end are padding (QuickTime
/// ends containers with a zero word), and size 0 means "to the end of the parent" as QuickTime writes it.
pub(crate) fn children(payload: &[u8]) -> impl Iterator<Item = Result<Child<'_>, BadChild>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = payload.get(offset..)?;
        if rest.len() < 8 {
            return None;
        }
        match child_at(rest, offset) {
            Some(child) => {
                offset += child.whole.len();
                Some(Ok(child))
            }
            None => {
                let bad = BadChild { offset };
                offset = payload.len();
                Some(Err(bad))
            }
        }
    })
}

fn child_at(rest: &[u8], offset: usize) -> Option<Child<'_>> {
    let Ok(Parsed::Header(header)) = BoxHeader::parse(rest) else {
        return None;
    };
    let whole = match header.extent {
        Extent::ToEnd => rest,
        Extent::Sized(size) => rest.get(..usize::try_from(size).ok()?)?,
    };
    let payload = whole.get(usize::from(header.header_len)..)?;
    Some(Child { kind: header.kind, whole, payload, offset })
}

/// The first child of this type, passing over nothing that is malformed.
pub(crate) fn find<'a>(payload: &'a [u8], kind: &[u8; 4]) -> Result<Option<Child<'a>>, BadChild> {
    for child in children(payload) {
        let child = child?;
        if child.kind.0 == *kind {
            return Ok(Some(child));
        }
    }
    Ok(None)
}

/// Reads a big-endian u16 at `at`.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a big-endian u32 at `at`.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: &[u8]) -> BoxHeader {
        match BoxHeader::parse(bytes) {
            Ok(Parsed::Header(header)) => header,
            other => panic!("{other:?}"),
        }
    }

    fn large(kind: &[u8; 4], size: u64) -> Vec<u8> {
        [&1u32.to_be_bytes()[..], kind, &size.to_be_bytes()].concat()
    }

    #[test]
    fn sizes_of_32_and_64_bits_and_to_the_end() {
        let moof = header(b"\0\0\0\x10moof........");
        assert_eq!((moof.header_len, moof.extent), (8, Extent::Sized(16)));
        let mdat = header(&large(b"mdat", (5 << 30) + 7));
        assert_eq!((mdat.header_len, mdat.extent), (16, Extent::Sized((5 << 30) + 7)));
        assert_eq!(header(b"\0\0\0\0mdat").extent, Extent::ToEnd);
    }

    #[test]
    fn an_incomplete_header_says_how_much_it_needs() {
        for n in 0..8 {
            assert_eq!(BoxHeader::parse(&b"\0\0\0\x08free"[..n]), Ok(Parsed::NeedMore(8)));
        }
        let bytes = large(b"mdat", 1 << 40);
        for n in 8..16 {
            assert_eq!(BoxHeader::parse(&bytes[..n]), Ok(Parsed::NeedMore(16)));
        }
    }

    #[test]
    fn hostile_sizes_are_refused() {
        for size in 2..8u32 {
            let bytes = [&size.to_be_bytes()[..], b"free"].concat();
            assert!(matches!(BoxHeader::parse(&bytes), Err(BoxError::TooSmall { .. })), "{size}");
        }
        for size in 0..16 {
            assert!(matches!(BoxHeader::parse(&large(b"mdat", size)), Err(BoxError::TooSmall { .. })));
        }
        for size in [1 << 53, 1 << 63, u64::MAX] {
            assert!(matches!(BoxHeader::parse(&large(b"mdat", size)), Err(BoxError::TooLarge { .. })));
        }
        assert!(matches!(BoxHeader::parse(b"\0\0\0\x17uuid"), Err(BoxError::TooSmall { .. })));
        assert!(BoxHeader::parse(b"\0\0\0\x18uuid").is_ok());
        assert!(matches!(BoxHeader::parse(&large(b"uuid", 31)), Err(BoxError::TooSmall { .. })));
    }

    #[test]
    fn children_end_at_the_first_bad_box() {
        let payload = b"\0\0\0\x08free\0\0\0\x0cskipABCD\0\0\0\x09free";
        let walked: Vec<_> = children(payload).map(|c| c.map(|c| (c.kind, c.payload.len()))).collect();
        assert_eq!(
            walked,
            [Ok((FourCc(*b"free"), 0)), Ok((FourCc(*b"skip"), 4)), Err(BadChild { offset: 20 })]
        );
    }

    #[test]
    fn a_quicktime_terminator_is_padding() {
        assert_eq!(children(b"\0\0\0\x08free\0\0\0\0").count(), 1);
    }

    #[test]
    fn codes_print_without_control_characters() {
        assert_eq!(FourCc(*b"av\x1b1").to_string(), "av\\x1b1");
    }
}
