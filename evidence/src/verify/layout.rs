//! What the evidence says about the bytes of the file: ranges and digests, in order, before anything is verified.

use crate::evidence_file::EvidenceFile;
use crate::ids::Digest;
use crate::range::ByteRange;
use crate::statement::{Deposit, Payload, Timeline};

/// One signed range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) range: ByteRange,
    pub(crate) digest: Digest,
    pub(crate) timeline: Option<Timeline>,
}

impl Piece {
    /// What makes two pieces the same bytes.
    pub(crate) fn content(&self) -> Content {
        (self.range.length(), self.digest)
    }
}

/// Length and digest.
pub(crate) type Content = (u64, Digest);

/// The pieces of one recording or deposit. They tile [0, `total`): pieces after a gap or an overlap are left out, so
/// that hostile evidence cannot make a verifier hash one byte twice; `continuity` fails such evidence.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) total: u64,
    /// Whether the signer said that nothing follows: `end`, or a deposit.
    pub(crate) complete: bool,
    pub(crate) is_recording: bool,
}

impl Layout {
    pub(crate) fn of(file: &EvidenceFile) -> Self {
        match file.first().payload() {
            Payload::Deposit(deposit) => Self::of_deposit(deposit, &file.blocks),
            _ => Self::of_recording(file),
        }
    }

    fn of_deposit(deposit: &Deposit, blocks: &[Digest]) -> Self {
        let pieces = Deposit::blocks(deposit.length)
            .zip(blocks)
            .map(|(range, digest)| Piece { range, digest: *digest, timeline: None })
            .collect();
        Self { pieces, total: deposit.length, complete: true, is_recording: false }
    }

    fn of_recording(file: &EvidenceFile) -> Self {
        let mut layout = Self { pieces: Vec::new(), total: 0, complete: false, is_recording: true };
        for statement in &file.statements {
            match statement.payload() {
                Payload::Segment(segment) if segment.range.offset() == layout.total => {
                    layout.total = segment.range.end();
                    layout.pieces.push(Piece {
                        range: segment.range,
                        digest: segment.digest,
                        timeline: segment.timeline,
                    });
                }
                Payload::Segment(_) => break,
                Payload::End(end) => layout.complete = end.total_length == layout.total,
                _ => {}
            }
        }
        layout
    }
}
