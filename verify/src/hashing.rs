//! SHA-256 of many ranges on all processors, with constant memory.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use evidence::report::ErrorCode;
use evidence::{ByteRange, Digest};
use sha2::{Digest as _, Sha256};

use crate::opened::Opened;

/// One read. Larger ones are not faster.
const READ_LEN: usize = 1 << 20;

/// More threads than this wait for the medium, not for a processor.
const MAX_THREADS: usize = 8;

/// Hashes each of `ranges`, in no particular order, and hands each digest to `found`.
///
/// # Errors
/// The first read that fails; some digests may have been handed out by then.
pub fn hash_ranges(
    file: &Opened,
    ranges: &[ByteRange],
    mut found: impl FnMut(ByteRange, Digest),
) -> Result<(), ErrorCode> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS).min(ranges.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let mut buffer = vec![0; READ_LEN];
                while let Some(range) = ranges.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let digest = hash(file, *range, &mut buffer);
                    // The other end hangs up at the first error.
                    if sender.send((*range, digest)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (range, digest) in receiver {
            found(range, digest?);
        }
        Ok(())
    })
}

fn hash(file: &Opened, range: ByteRange, buffer: &mut [u8]) -> Result<Digest, ErrorCode> {
    let mut hasher = Sha256::new();
    let mut at = range.offset();
    while at < range.end() {
        let take = usize::try_from(range.end() - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let bytes = &mut buffer[..take];
        file.read(bytes, at)?;
        hasher.update(bytes);
        at += take as u64;
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_fails_ends_the_hashing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 4096]).unwrap();
        let file = Opened::open(&path).unwrap();
        let beyond: Vec<ByteRange> = (0..100).map(|at| ByteRange::new(at, 4096).unwrap()).collect();
        assert_eq!(hash_ranges(&file, &beyond, |_, _| {}), Err(ErrorCode::ChangedWhileReading));
    }

    #[test]
    fn every_range_is_hashed_once_whatever_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = Opened::open(&path).unwrap();
        let ranges = [(0, 1), (0, 3_000_000), (1_048_575, 1_048_578), (2_999_999, 1)];
        let ranges = ranges.map(|(offset, length)| ByteRange::new(offset, length).unwrap());
        let mut digests = Vec::new();
        hash_ranges(&file, &ranges, |range, digest| digests.push((range, digest))).unwrap();
        digests.sort_unstable();
        let expected = |range: ByteRange| {
            let at = |position: u64| usize::try_from(position).unwrap();
            (range, Digest::of(&bytes[at(range.offset())..at(range.end())]))
        };
        let mut expected: Vec<_> = ranges.into_iter().map(expected).collect();
        expected.sort_unstable();
        assert_eq!(digests, expected);
        hash_ranges(&file, &[], |_, _| panic!("nothing was asked for")).unwrap();
    }
}
