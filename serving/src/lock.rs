//! One process a data directory.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held by the one process that may write to a directory; released when dropped, and by the system when the process dies.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct DirectoryLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("Another process is using {0}; only one may.")]
    Held(PathBuf),
    /// The lock file cannot be opened or locked.
    #[error("The lock {path} cannot be taken: {source}.")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// The file by which a directory is locked.
    pub fn file(directory: &Path) -> PathBuf {
        directory.join("lock")
    }

    /// Keeps every other process that asks from using `directory`.
    ///
    /// # Errors
    /// Every [`LockError`].
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let path = Self::file(directory);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| LockError::Io { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(directory.to_owned())),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::take(directory.path()).unwrap();
        assert!(matches!(DirectoryLock::take(directory.path()), Err(LockError::Held(_))));
        drop(first);
        assert!(DirectoryLock::take(directory.path()).is_ok());
    }
}
