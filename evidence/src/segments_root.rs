//! The root over the segments of a file: `docs/spec/statement.md`, "Root over the segments".

use crate::ids::Digest;
use crate::range::ByteRange;

/// RFC 6962 root whose leaves are offset ‖ length ‖ SHA-256 of each segment, in order.
pub fn segments_root<'a>(segments: impl IntoIterator<Item = (ByteRange, &'a Digest)>) -> Digest {
    let leaves = segments.into_iter().map(|(range, digest)| {
        let mut leaf = [0; 48];
        leaf[..8].copy_from_slice(&range.offset().to_be_bytes());
        leaf[8..16].copy_from_slice(&range.length().to_be_bytes());
        leaf[16..].copy_from_slice(digest.as_bytes());
        tlog::leaf_hash(&leaf)
    });
    Digest::from_bytes(*tlog::root_of(leaves).as_bytes())
}
