//! What is found in a file: header, segments, how it ended, and why nothing more can be found.

use crate::boxes::{BoxError, FourCc, MAX_FILE_LEN};
use crate::classify::Unsuitable;
use crate::fragment::TrackSpan;
use crate::movie::{HeaderError, Movie};

/// The most segments that are cut from one file: as many as a recording may have (`docs/spec/statement.md`), which
/// is four days of 2 s segments. It bounds what a reader collects from a hostile file of empty fragments.
pub const MAX_SEGMENTS: u32 = 200_000;

/// The largest media time, 2^53 − 1 ms: what JSON and JavaScript can state exactly. Hostile times saturate here.
pub const MAX_MEDIA_MS: u64 = (1 << 53) - 1;

/// Why a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To record it: its header must describe tracks that can be signed, and must come before the first fragment.
    Record,
    /// To verify it: boundaries are wanted even where an altered header cannot be understood any more.
    Verify,
}

/// What is reported, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first `moov` has been read.
    Header(Box<Header>),
    /// A segment is complete.
    Segment(Segment),
}

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Major brand of `ftyp`, where the file has one before the header.
    pub brand: Option<FourCc>,
    /// What `moov` says; never an error when recording.
    pub movie: Result<Movie, HeaderError>,
}

/// A byte range of the file. The segments reported for a file tile it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Position among the segments, from 0.
    pub index: u32,
    /// Offset of the first byte.
    pub offset: u64,
    /// Length in bytes, at least 1.
    pub length: u64,
    /// What it holds.
    pub kind: SegmentKind,
    /// When its media plays; `None` where the file does not say.
    pub times: Option<MediaTimes>,
    /// The samples of each track. Empty where the file does not say.
    pub spans: Vec<TrackSpan>,
    /// Where media (`mdat`) ends that comes before the fragment and belongs to none, if there is some. Encoders
    /// write none: a damaged `moof` of another type stands before it.
    pub loose_media_end: Option<u64>,
}

impl Segment {
    /// Offset after the last byte.
    pub fn end(&self) -> u64 {
        // invariant: both lie within a file of at most MAX_FILE_LEN bytes.
        self.offset + self.length
    }
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// A whole fragment, with the boxes before it.
    Fragment,
    /// What follows the last fragment (`mfra`, …), or a whole file that holds no fragment.
    Trailer,
    /// What is there of a fragment or box that the end of the file cuts off.
    Incomplete,
}

/// Media times of a segment, in whole milliseconds from the first picture of the recording (the sample of the
/// reference track shown first). Taken from one track: the first video track, else the first track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaTimes {
    /// When the first of its samples is shown.
    pub begin_ms: u64,
    /// When all of its samples have been shown.
    pub end_ms: u64,
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Its length.
    pub total_len: u64,
    /// Number of segments reported.
    pub segments: u32,
    /// How many of them are whole fragments.
    pub fragments: u32,
    /// What the end of the file cuts off, if anything.
    pub truncation: Option<Truncation>,
}

/// What is missing at the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// The last box header is cut off.
    Header {
        /// Where it begins.
        offset: u64,
    },
    /// The last box is cut off.
    Box {
        /// Its type.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// How many of its bytes are missing.
        missing: u64,
    },
    /// The last fragment refers to media that is not there.
    Media {
        /// Where the segment begins.
        offset: u64,
    },
}

/// Why no further segments can be cut. Those already reported stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The file has no fragments to cut at, or none that can be recorded.
    #[error("{0}")]
    Unsuitable(#[from] Unsuitable),
    /// A top-level box is malformed, so that what follows cannot be found.
    #[error("The structure of the file is damaged at byte {offset}: {error}.")]
    Malformed {
        /// Where the box begins.
        offset: u64,
        /// What is wrong with it.
        error: BoxError,
    },
    /// The file is longer than [`MAX_FILE_LEN`].
    #[error("The file is longer than {MAX_FILE_LEN} bytes.")]
    TooLong,
    /// More than [`MAX_SEGMENTS`] segments, the one that ends the file included.
    #[error("The file has more than {MAX_SEGMENTS} segments; the last one that fits ends at byte {offset}.")]
    TooManySegments {
        /// Where the last complete fragment ends.
        offset: u64,
    },
}
