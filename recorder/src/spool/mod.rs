//! The spool: signed statements on the medium until their receipts are verified and their evidence file is written.
//!
//! ```text
//! DIR/spool/{recording id}/about.json   where the video and its evidence file are, which enrolment counts
//!                         /statements   journal: one frame a statement
//!                         /receipts     journal: one frame a batch of verified receipts
//! ```
//!
//! The spool knows sequence numbers and bytes, not what a statement says: it can neither alter nor misread one.
//! Order is everything: a statement is [`append`](Spooled::append)ed, which returns when it is on the medium, and only
//! then may it be sent or shown.

mod about;
mod journal;
mod spooled;

use std::fs;
use std::path::{Path, PathBuf};

use client::durable::{FileError, create_folders, sync_folder};

pub use about::{About, Subject};
pub use journal::JournalError;
pub use spooled::{Counts, SealedAs, Spooled, SpooledError};

/// A folder whose content has been handed over completely and is being removed.
const DONE_PREFIX: &str = ".done-";

/// The folder of all spooled recordings and deposits of one device.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// Opens or creates the spool in `folder`, and removes what an interrupted removal left.
    ///
    /// # Errors
    /// When the folder cannot be made or cleaned.
    pub fn open(folder: PathBuf) -> Result<Self, FileError> {
        create_folders(&folder)?;
        let spool = Self { folder };
        for name in spool.names()? {
            if name.starts_with(DONE_PREFIX) {
                let path = spool.folder.join(&name);
                fs::remove_dir_all(&path).map_err(FileError::on("remove", &path))?;
            }
        }
        Ok(spool)
    }

    /// The spool in `folder` as it is, for looking on; nothing is created or removed.
    #[must_use]
    pub fn look(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Ids of what is spooled, in no particular order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn ids(&self) -> Result<Vec<String>, FileError> {
        let mut ids = self.names()?;
        ids.retain(|name| !name.starts_with('.'));
        Ok(ids)
    }

    /// Where `id` is or will be.
    #[must_use]
    pub fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Removes what is spooled under `id`, at once or, after a crash, at the next [`Spool::open`].
    ///
    /// # Errors
    /// When the folder cannot be renamed or removed.
    pub fn remove(&self, id: &str) -> Result<(), FileError> {
        let path = self.path(id);
        let done = self.folder.join(format!("{DONE_PREFIX}{id}"));
        // The rename decides: a half-removed journal under its own name would look like damage.
        fs::rename(&path, &done).map_err(FileError::on("rename", &path))?;
        sync_folder(&self.folder)?;
        fs::remove_dir_all(&done).map_err(FileError::on("remove", &done))
    }

    fn names(&self) -> Result<Vec<String>, FileError> {
        names(&self.folder).map_err(FileError::on("list", &self.folder))
    }
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Ids are hexadecimal: what is not UTF-8 is not ours. A stray file is nobody's recording.
        if let (Ok(name), true) = (entry.file_name().into_string(), entry.file_type()?.is_dir()) {
            names.push(name);
        }
    }
    Ok(names)
}
