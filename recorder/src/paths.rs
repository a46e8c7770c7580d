//! Where the video and its evidence file go.

use std::io;
use std::path::{Path, PathBuf};

use client::durable::{FileError, parent, with_suffix};

/// What is appended to the name of the video.
const EVIDENCE_SUFFIX: &str = ".evidence";

/// A path as it will still be right when another run, started in another folder, writes to it. The file itself need not
/// exist yet, the folder must.
///
/// # Errors
/// When the folder does not exist, or the path names no file.
pub fn absolute(path: &Path) -> Result<PathBuf, FileError> {
    let name = path
        .file_name()
        .ok_or_else(|| FileError::on("write to", path)(io::Error::from(io::ErrorKind::IsADirectory)))?;
    let folder = parent(path);
    Ok(folder.canonicalize().map_err(FileError::on("find the folder", folder))?.join(name))
}

/// The evidence file that belongs to `file`.
#[must_use]
pub fn evidence_beside(file: &Path) -> PathBuf {
    with_suffix(file, EVIDENCE_SUFFIX)
}

/// Refuses a path at which something exists: evidence is never overwritten.
///
/// # Errors
/// `AlreadyExists`
pub fn must_be_free(path: &Path) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(_) => Err(FileError::on("write to", path)(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "it exists already, and evidence is never overwritten",
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::on("look at", path)(error)),
    }
}
