//! What outlives every recording: how many there were, and how the last one ended.
//!
//! `start` states both, so a recording that vanishes from the device leaves a hole that a verifier can see.

use std::path::{Path, PathBuf};

use client::durable::{self, FileError, PRIVATE};
use evidence::Digest;
use serde::{Deserialize, Serialize};

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not what the recorder wrote.
    #[error("{} cannot be understood: {reason}.", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    /// Recordings started.
    counter: u64,
    /// Statement digest of the last `end`.
    last_final: Option<Digest>,
}

/// The ledger file. It follows the spool: a recording is entered once its statements are on the medium, and start-up
/// enters again what a crash left out.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    lines: Lines,
}

impl Ledger {
    /// Opens the ledger; a missing file is that of a new device.
    ///
    /// # Errors
    /// [`LedgerError`]
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let lines = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Lines::default(),
            text => serde_json::from_slice(&text.map_err(FileError::on("read", path))?).map_err(|error| {
                LedgerError::Malformed { path: path.to_owned(), reason: error.to_string() }
            })?,
        };
        Ok(Self { path: path.to_owned(), lines })
    }

    /// The counter of the next recording.
    #[must_use]
    pub fn next_counter(&self) -> u64 {
        self.lines.counter.saturating_add(1)
    }

    /// Statement digest of the last `end`.
    #[must_use]
    pub fn last_final(&self) -> Option<Digest> {
        self.lines.last_final
    }

    /// Enters that the recording with this counter began, and how it ended if it did. Older ones change nothing.
    ///
    /// # Errors
    /// [`LedgerError::File`]
    pub fn enter(&mut self, counter: u64, last: Option<Digest>) -> Result<(), LedgerError> {
        if counter < self.lines.counter {
            return Ok(());
        }
        let entered = Lines { counter, last_final: last.or(self.lines.last_final) };
        if entered == self.lines {
            return Ok(());
        }
        let text = serde_json::to_vec(&entered)
            .map_err(|error| LedgerError::Malformed { path: self.path.clone(), reason: error.to_string() })?;
        durable::replace(&self.path, &text, PRIVATE)?;
        self.lines = entered;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_start_up_enters_again_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.json");
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!((ledger.next_counter(), ledger.last_final()), (1, None));
        ledger.enter(1, None).unwrap();
        ledger.enter(1, Some(Digest::of(b"end 1"))).unwrap();
        ledger.enter(2, None).unwrap();
        // The first recording is still in the spool when the device starts again.
        ledger.enter(1, Some(Digest::of(b"end 1"))).unwrap();
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!((ledger.next_counter(), ledger.last_final()), (3, Some(Digest::of(b"end 1"))));
    }

    #[test]
    fn a_damaged_ledger_is_not_a_new_device() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.json");
        for text in ["", "{}", r#"{"counter":1,"last_final":"xx"}"#] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Ledger::open(&path), Err(LedgerError::Malformed { .. })), "{text}");
        }
    }
}
