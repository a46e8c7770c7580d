//! Hashing ranges of a file: reads ahead, constant memory, can be cancelled.

use std::collections::VecDeque;

use evidence::{ByteRange, Digest};
use js_sys::Uint8Array;

use crate::blob::{BlobReader, PendingRead, ReadError};
use crate::sweep::{BeyondSpan, Sweep};

/// Reads in flight: one being hashed, one being read.
const READS_IN_FLIGHT: usize = 2;
/// Bytes that cross into the module's memory at once: small enough to stay in the processor's cache.
const CHUNK_LENGTH: u32 = 256 << 10;

/// Why hashing stopped.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HashingError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The user cancelled.
    #[error("the verification was cancelled")]
    Cancelled,
    /// The file gave more bytes than were asked for.
    #[error(transparent)]
    Plan(#[from] BeyondSpan),
}

/// What a long computation reports to, and asks whether to go on.
pub trait Monitor {
    /// `done` of `total` bytes are done.
    fn progress(&self, done: u64, total: u64);
    /// Whether to stop.
    fn is_cancelled(&self) -> bool;
}

/// Computes the digests of `ranges` of the file in one pass and hands each to `found`.
///
/// # Errors
///
/// If the file cannot be read or changes, or if the user cancels.
pub async fn hash_ranges(
    reader: &BlobReader,
    ranges: Vec<ByteRange>,
    monitor: &impl Monitor,
    mut found: impl FnMut(ByteRange, Digest),
) -> Result<(), HashingError> {
    let mut sweep = Sweep::new(ranges);
    let total = sweep.remaining();
    let mut reads = sweep.reads();
    let mut in_flight: VecDeque<PendingRead> = VecDeque::new();
    let mut chunk = Vec::new();
    monitor.progress(0, total);
    loop {
        while in_flight.len() < READS_IN_FLIGHT
            && let Some((offset, length)) = reads.next()
        {
            in_flight.push_back(reader.begin(offset, length)?);
        }
        let Some(read) = in_flight.pop_front() else {
            break;
        };
        let bytes = reader.finish(read).await?;
        if monitor.is_cancelled() {
            return Err(HashingError::Cancelled);
        }
        feed(&mut sweep, &bytes, &mut chunk, &mut found)?;
        monitor.progress(total - sweep.remaining(), total);
    }
    reader.confirm_unchanged().await?;
    Ok(())
}

fn feed(
    sweep: &mut Sweep,
    bytes: &Uint8Array,
    chunk: &mut Vec<u8>,
    found: &mut impl FnMut(ByteRange, Digest),
) -> Result<(), BeyondSpan> {
    let mut begin = 0;
    while begin < bytes.length() {
        let end = begin.saturating_add(CHUNK_LENGTH).min(bytes.length());
        let part = bytes.subarray(begin, end);
        chunk.resize(part.byte_length() as usize, 0);
        part.copy_to(chunk);
        for (range, digest) in sweep.feed(chunk)? {
            found(range, digest);
        }
        begin = end;
    }
    Ok(())
}
