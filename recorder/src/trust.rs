//! Which trust file counts: the one given by `--trust`, else the one pinned in the device's folder. Never one that a
//! server just handed out; pinning what it hands out takes an explicit `--pin`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use client::durable::{self, FileError, PRIVATE};
use evidence::{Digest, MAX_TRUST_LEN, TrustError, TrustFile};

use crate::device::Folder;

/// Why there is no trust file.
#[derive(Debug, thiserror::Error)]
pub enum TrustChoiceError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// It does not parse.
    #[error("{} is not usable: {source}", path.display())]
    Malformed {
        /// Where it came from.
        path: PathBuf,
        /// What is wrong.
        source: TrustError,
    },
    /// None given, none pinned.
    #[error(
        "No trust file: receipts could not be verified. Give one with --trust FILE (add --pin to keep it), or let the server's own be fetched and kept with --pin after comparing its digest with the operator's."
    )]
    None,
    /// Another one is pinned.
    #[error("Another trust file is pinned ({pinned}); the one offered has the digest {offered}. To change trust on purpose, remove {} first.", path.display())]
    OtherPinned {
        /// Digest of the pinned one.
        pinned: Digest,
        /// Digest of the one offered.
        offered: Digest,
        /// The pinned file.
        path: PathBuf,
    },
}

/// Reads a trust file.
///
/// # Errors
/// When it cannot be read or parsed.
pub fn read(path: &Path) -> Result<TrustFile, TrustChoiceError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TRUST_LEN as u64 + 1).read_to_end(&mut bytes))
        .map_err(FileError::on("read", path))?;
    TrustFile::parse(&bytes).map_err(|source| TrustChoiceError::Malformed { path: path.to_owned(), source })
}

/// The pinned trust file, if there is one.
///
/// # Errors
/// When it cannot be read or parsed.
pub fn pinned(folder: &Folder) -> Result<Option<TrustFile>, TrustChoiceError> {
    match read(&folder.trust()) {
        Err(TrustChoiceError::File(error)) if error.source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Pins `trust`.
///
/// # Errors
/// When another one is pinned.
pub fn pin(folder: &Folder, trust: &TrustFile) -> Result<(), TrustChoiceError> {
    match pinned(folder)? {
        Some(old) if old.digest() == trust.digest() => Ok(()),
        Some(old) => Err(TrustChoiceError::OtherPinned {
            pinned: old.digest(),
            offered: trust.digest(),
            path: folder.trust(),
        }),
        None => Ok(durable::replace(&folder.trust(), trust.bytes(), PRIVATE)?),
    }
}

/// The trust file that counts for this run.
///
/// # Errors
/// When there is none.
pub fn choose(folder: &Folder, given: Option<&Path>) -> Result<TrustFile, TrustChoiceError> {
    match given {
        Some(path) => read(path),
        None => pinned(folder)?.ok_or(TrustChoiceError::None),
    }
}

/// Parses the trust file that a server handed out, to be pinned.
///
/// # Errors
/// When it does not parse.
pub fn handed_out(url: &str, bytes: &[u8]) -> Result<TrustFile, TrustChoiceError> {
    TrustFile::parse(bytes).map_err(|source| TrustChoiceError::Malformed { path: PathBuf::from(url), source })
}
