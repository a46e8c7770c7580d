//! Digesting a finished file in one pass: whole, head, and 1 MiB segments.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use client::durable::FileError;
use evidence::{BLOCK_LEN, Digest, HEAD_LEN};
use sha2::{Digest as _, Sha256};

/// Why a file cannot be deposited.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing to seal.
    #[error("{} is empty: there is nothing to seal.", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A folder, a device.
    #[error("{} is not a file.", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Somebody writes to it.
    #[error("{} changed while it was read; deposit it again when it is finished.", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Its digests do not fit into one submission.
    #[error("{} has {length} bytes; a deposit has at most {max}. Split it.", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: u64,
        /// The limit.
        max: u64,
    },
}

/// Digests of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// Its length in bytes, at least 1.
    pub length: u64,
    /// SHA-256 of all of it.
    pub whole: Digest,
    /// SHA-256 of the first 64 KiB.
    pub head: Digest,
    /// SHA-256 of each 1 MiB.
    pub blocks: Vec<Digest>,
}

/// Room in a submission for everything but the digests.
const SUBMISSION_REST: u64 = 128 * 1024;

/// The longest file whose digests fit into one submission: some 124 GiB.
pub const MAX_DEPOSIT_LEN: u64 = (evidence::MAX_SUBMISSION_LEN as u64 - SUBMISSION_REST) / 32 * BLOCK_LEN;

/// Digests the file at `path`, and makes sure that it stayed as it was meanwhile.
///
/// # Errors
/// [`DigestError`]
pub fn of_file(path: &Path) -> Result<Digests, DigestError> {
    let mut file = File::open(path).map_err(FileError::on("open", path))?;
    let before = file.metadata().map_err(FileError::on("read", path))?;
    let path_ = || path.to_owned();
    if !before.is_file() {
        return Err(DigestError::NotAFile { path: path_() });
    }
    match before.len() {
        0 => return Err(DigestError::Empty { path: path_() }),
        length if length > MAX_DEPOSIT_LEN => {
            return Err(DigestError::TooLong { path: path_(), length, max: MAX_DEPOSIT_LEN });
        }
        _ => {}
    }
    let digests = digest(&mut file, before.len()).map_err(FileError::on("read", path))?;
    let after = file.metadata().map_err(FileError::on("read", path))?;
    if digests.length != before.len() || stamp(&before) != stamp(&after) {
        return Err(DigestError::Changed { path: path_() });
    }
    Ok(digests)
}

fn stamp(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

/// Reads at most one byte more than announced, which is enough to see that the file grows.
fn digest(file: &mut File, announced: u64) -> std::io::Result<Digests> {
    let mut whole = Sha256::new();
    let mut digests =
        Digests { length: 0, whole: Digest::of(b""), head: Digest::of(b""), blocks: Vec::new() };
    let mut block = Vec::new();
    loop {
        block.clear();
        let left = (announced + 1).saturating_sub(digests.length);
        (&mut *file).take(left.min(BLOCK_LEN)).read_to_end(&mut block)?;
        if block.is_empty() {
            break;
        }
        if digests.length == 0 {
            let head = usize::try_from(HEAD_LEN).map_or(block.len(), |head| head.min(block.len()));
            digests.head = Digest::of(&block[..head]);
        }
        whole.update(&block);
        digests.blocks.push(Digest::of(&block));
        digests.length += block.len() as u64;
    }
    digests.whole = Digest::from_bytes(whole.finalize().into());
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_tile_the_file_whatever_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for length in [1usize, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 3 << 20] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            std::fs::write(&path, &bytes).unwrap();
            let digests = of_file(&path).unwrap();
            assert_eq!(digests.length, length as u64);
            assert_eq!(digests.whole, Digest::of(&bytes));
            assert_eq!(digests.head, Digest::of(&bytes[..length.min(65_536)]));
            let blocks: Vec<Digest> = bytes.chunks(1 << 20).map(Digest::of).collect();
            assert_eq!(digests.blocks, blocks, "{length}");
        }
    }

    #[test]
    fn what_is_no_finished_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(of_file(&path), Err(DigestError::Empty { .. })));
        assert!(matches!(of_file(folder.path()), Err(DigestError::NotAFile { .. })));
        assert!(matches!(of_file(&folder.path().join("none")), Err(DigestError::File(_))));
        std::fs::File::create(&path).unwrap().set_len(MAX_DEPOSIT_LEN + 1).unwrap();
        assert!(matches!(of_file(&path), Err(DigestError::TooLong { .. })));
    }
}
