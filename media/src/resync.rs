//! Finding the way back into a file whose box structure is damaged, for verifiers only.
//!
//! One altered byte in the size of a box hides every boundary after it. The media that follows may be untouched, and
//! its digests would still find the evidence. A `moof` is recognised by its first twelve bytes after the size: its
//! type and the `mfhd` that it must begin with (ISO/IEC 14496-12 §8.8.4, §8.8.5). What is found is a hint: the
//! boundaries from there on are looked up, never trusted.

/// The type of a `moof`, and size and type of the `mfhd` that it begins with.
const PATTERN: &[u8; 12] = b"moof\0\0\0\x10mfhd";

/// Bytes of the box before [`PATTERN`]: its size.
const BEFORE: u64 = 4;

/// Looks for the next `moof` in bytes that are pushed in order.
#[derive(Debug)]
pub struct Resync {
    start: u64,
    position: u64,
    /// The last bytes pushed, fewer than the pattern has.
    tail: Vec<u8>,
}

impl Resync {
    /// Begins to look at byte `start` of the file: where the last whole segment ends, after an error or a truncation
    /// (a damaged size often looks like a box that the end of the file cuts off).
    pub fn new(start: u64) -> Self {
        Self { start, position: start, tail: Vec::new() }
    }

    /// Takes the next bytes. Gives the offset in the file of the first `moof` in what was pushed so far, which may
    /// begin some bytes before this chunk; continue with [`Scanner::resume`](crate::Scanner::resume) there. To look
    /// further, begin anew behind it.
    pub fn push(&mut self, chunk: &[u8]) -> Option<u64> {
        let seam: Vec<u8> = self.tail.iter().chain(chunk.iter().take(PATTERN.len() - 1)).copied().collect();
        let seam_at = self.position.saturating_sub(self.tail.len() as u64);
        let hit = |bytes: &[u8], at: u64| {
            let matches = bytes.windows(PATTERN.len()).enumerate().filter(|(_, window)| window == PATTERN);
            let mut offsets =
                matches.filter_map(|(from, _)| at.saturating_add(from as u64).checked_sub(BEFORE));
            offsets.find(|moof| *moof >= self.start)
        };
        let found = hit(&seam, seam_at).or_else(|| hit(chunk, self.position));
        self.position = self.position.saturating_add(chunk.len() as u64);
        let kept = if chunk.len() < PATTERN.len() { &seam } else { chunk };
        self.tail = kept[kept.len().saturating_sub(PATTERN.len() - 1)..].to_vec();
        found
    }
}
