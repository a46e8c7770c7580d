//! What was seen of the file and of the world.

use std::collections::BTreeMap;

use super::layout::Content;
use crate::ids::Digest;
use crate::range::ByteRange;

/// What was seen of the file: digests of ranges of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Length of the file in bytes.
    pub length: u64,
    /// SHA-256 of its first 64 KiB, or of all of it if it is shorter.
    pub head: Option<Digest>,
    /// SHA-256 of ranges of it.
    pub pieces: BTreeMap<ByteRange, Digest>,
    /// SHA-256 of all of it.
    pub file_digest: Option<Digest>,
}

/// Where each content was seen, ascending.
pub(crate) type ContentIndex = BTreeMap<Content, Vec<ByteRange>>;

impl Observation {
    pub(crate) fn index(&self) -> ContentIndex {
        let mut index = ContentIndex::new();
        for (range, digest) in self.pieces.iter().filter(|(range, _)| range.end() <= self.length) {
            index.entry((range.length(), *digest)).or_default().push(*range);
        }
        index
    }
}

/// How the candidates were come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupOutcome {
    /// Evidence was supplied with the file, so nobody was asked.
    NotAsked,
    /// A server answered; the candidates are its answer, possibly none.
    Answered,
    /// A server was asked and did not answer.
    NoAnswer,
    /// A server answered something that is no answer.
    Nonsense,
    /// There was no server to ask.
    NoServer,
}
