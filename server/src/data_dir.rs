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

use std::io;
use std::path::{Path, PathBuf};

use serving::{DirectoryLock, LockError};
use tlog::KeyId;

/// The data directory of one service.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

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
        DirectoryLock::file(&self.0)
    }

    /// Keeps every other process from writing here.
    pub fn lock(&self) -> Result<DirectoryLock, LockError> {
        DirectoryLock::take(&self.0)
    }
}
