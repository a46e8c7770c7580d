//! The data directory: what lies where, and the lock that keeps a second process out.
//!
//! ```text
//! DIR/config.toml        settings, documented in `config`
//! DIR/trust.json         the trust file that the service publishes
//! DIR/log.key            the log's signing key, mode 0600
//! DIR/log-<key id>.key   further ones after a rotation
//! DIR/registrar.key      the registrar's signing key, mode 0600; may be moved elsewhere
//! DIR/server.sqlite      statements, tree head, archived checkpoints, lookup index
//! DIR/objects/           the published log: checkpoint, tiles, entry bundles
//! DIR/lock               held while a process writes
//! DIR/restoring          a restore has begun and not ended: nothing else may use the directory
//! ```

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tlog::KeyId;

/// The data directory of one service.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Held by the one process that may write; released when dropped.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct DataLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("Another jianzhen-server process is using {0}; only one may write a log.")]
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

impl DataDir {
    /// The data directory at `path`; nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Settings.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The published trust file.
    pub fn trust(&self) -> PathBuf {
        self.0.join("trust.json")
    }

    /// The log's signing key.
    pub fn log_key(&self) -> PathBuf {
        self.0.join("log.key")
    }

    /// The log's signing key with this id, where it is not the first one.
    pub fn rotated_log_key(&self, id: KeyId) -> PathBuf {
        self.0.join(format!("log-{id}.key"))
    }

    /// The files of all signing keys of the log, [`DataDir::log_key`] first, the others by name.
    pub fn log_keys(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with("log-") && name.ends_with(".key") {
                paths.push(self.0.join(name));
            }
        }
        paths.sort_unstable();
        let first = self.log_key();
        if first.try_exists()? {
            paths.insert(0, first);
        }
        Ok(paths)
    }

    /// The registrar's signing key, where it is kept here.
    pub fn registrar_key(&self) -> PathBuf {
        self.0.join("registrar.key")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.0.join("server.sqlite")
    }

    /// The scratch database in which `fsck` builds the lookup index again.
    pub fn scratch_database(&self) -> PathBuf {
        self.0.join("fsck.sqlite")
    }

    /// The mark of a restore that has begun and not ended.
    pub fn unfinished_restore(&self) -> PathBuf {
        self.0.join("restoring")
    }

    /// The root of the object store.
    pub fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    /// The lock.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Keeps every other process from writing here.
    pub fn lock(&self) -> Result<DataLock, LockError> {
        let path = self.lock_file();
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| LockError::Io { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(self.0.clone())),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let first = data.lock().unwrap();
        assert!(matches!(data.lock(), Err(LockError::Held(_))));
        drop(first);
        assert!(data.lock().is_ok());
    }
}
