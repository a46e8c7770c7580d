//! The data directory: what lies where.
//!
//! ```text
//! DIR/config.toml        settings, documented in `config`
//! DIR/logs.toml          the logs that are witnessed, documented in `logs`
//! DIR/witness.key        the signing key, mode 0600
//! DIR/witness.sqlite     the newest checkpoint cosigned of each log; refused contradictions
//! DIR/mirror/HASH/       the copy of the log with this origin hash
//! DIR/lock               held while a process writes
//! ```

use std::path::{Path, PathBuf};

use serving::{DirectoryLock, LockError};

/// The data directory of one witness.
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

    /// The logs that are witnessed.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs.toml")
    }

    /// The signing key.
    pub fn key(&self) -> PathBuf {
        self.0.join("witness.key")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.0.join("witness.sqlite")
    }

    /// The copies of logs.
    pub fn mirror(&self) -> PathBuf {
        self.0.join("mirror")
    }

    /// Keeps every other process from writing here.
    ///
    /// # Errors
    /// Every [`LockError`].
    pub fn lock(&self) -> Result<DirectoryLock, LockError> {
        DirectoryLock::take(&self.0)
    }
}
