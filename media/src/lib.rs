//! Reading video containers as sans-I/O state machines: bytes in, segments out.
//!
//! A *segment* is a byte range of a fragmented MP4 file (ISO/IEC 14496-12) that holds one fragment. The segments of
//! a file tile it: they partition `[0, length)` without gap or overlap. The rule is specified in
//! `docs/spec/segmentation.md` and implemented once, in [`cut`]; two drivers feed it:
//!
//! - [`Segmenter`] takes a stream in chunks of any size, as a recorder or a hashing worker has it;
//! - [`Scanner`] asks for the few small ranges that matter, as a reader of a large file wants it.
//!
//! Both report the same events for the same bytes. Neither holds media payload in memory. A verifier uses
//! [`Boundaries`], which drives a [`Scanner`] and finds the way back into a file whose structure is damaged.
//!
//! Files that are not fragmented MP4 are named by [`Unsuitable`] from the earliest bytes that tell; they are sealed
//! whole, in the fixed [`blocks()`] of a deposit.
//!
//! Out of scope: decoding, access units, and every digest.

pub mod blocks;
pub mod boundaries;
pub mod boxes;
pub mod classify;
pub mod cut;
pub mod found;
pub mod fragment;
pub mod movie;
mod sample_entry;
pub mod scanner;
pub mod segmenter;

pub use blocks::{DEPOSIT_SEGMENT_LEN, blocks};
pub use boundaries::Boundaries;
pub use boxes::FourCc;
pub use classify::Unsuitable;
pub use found::{
    Ending, Event, Header, MAX_SEGMENTS, MediaTimes, Purpose, Segment, SegmentError, SegmentKind, Truncation,
};
pub use fragment::TrackSpan;
pub use movie::{Dimensions, Edit, HeaderError, Movie, Sound, TrackConfig, TrackKind};
pub use scanner::{Scanner, SupplyError};
pub use segmenter::{Segmenter, Sink};
