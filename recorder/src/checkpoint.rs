//! The newest checkpoint that the device has verified. `start` and a segment every 30 s state it: they cannot be older
//! than it.

use std::path::{Path, PathBuf};

use client::durable::{self, FileError, PRIVATE};
use evidence::Digest;
use evidence::statement::ChainHead;
use serde::{Deserialize, Serialize};
use tlog::VerifiedCheckpoint;

/// Two roots for one size: the log, or somebody in its place, shows two histories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The log {origin} showed two different roots for its size {size}: {first} and {second}. Keep both and report this; nothing that it seals can be relied on."
)]
pub struct SplitView {
    /// The log.
    pub origin: String,
    /// The size.
    pub size: u64,
    /// The root that was verified before.
    pub first: Digest,
    /// The root that came now.
    pub second: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    origin: String,
    size: u64,
    root: Digest,
}

/// `checkpoint.json`
#[derive(Debug)]
pub struct NewestCheckpoint {
    path: PathBuf,
    seen: Option<Seen>,
    saved: Option<Seen>,
}

impl NewestCheckpoint {
    /// Opens the file; without one, nothing has been seen. A file that does not parse is as good as none: it is a lower
    /// bound, and a lower one is still true.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let seen: Option<Seen> = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            text => serde_json::from_slice(&text.map_err(FileError::on("read", path))?).ok(),
        };
        Ok(Self { path: path.to_owned(), saved: seen.clone(), seen })
    }

    /// Size and root for a statement. The empty tree bounds nothing.
    #[must_use]
    pub fn chain_head(&self) -> Option<ChainHead> {
        self.seen
            .as_ref()
            .filter(|seen| seen.size > 0)
            .map(|seen| ChainHead { size: seen.size, root: seen.root })
    }

    /// Takes note of a verified checkpoint.
    ///
    /// # Errors
    /// [`SplitView`]
    pub fn observe(&mut self, checkpoint: &VerifiedCheckpoint) -> Result<(), SplitView> {
        let head = checkpoint.head();
        self.note(Seen {
            origin: checkpoint.origin().to_owned(),
            size: head.size.get(),
            root: Digest::from_bytes(*head.root.as_bytes()),
        })
    }

    fn note(&mut self, new: Seen) -> Result<(), SplitView> {
        match &self.seen {
            Some(old) if old.origin == new.origin && old.size == new.size && old.root != new.root => {
                Err(SplitView { origin: new.origin, size: new.size, first: old.root, second: new.root })
            }
            Some(old) if old.origin == new.origin && old.size >= new.size => Ok(()),
            _ => {
                self.seen = Some(new);
                Ok(())
            }
        }
    }

    /// Keeps it for the next run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&mut self) -> Result<(), FileError> {
        if self.seen == self.saved {
            return Ok(());
        }
        // invariant: a struct of a string, a number and hexadecimal text always has a JSON form.
        let text = serde_json::to_vec(&self.seen).unwrap_or_default();
        durable::replace(&self.path, &text, PRIVATE)?;
        self.saved.clone_from(&self.seen);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(origin: &str, size: u64, root: &[u8]) -> Seen {
        Seen { origin: origin.to_owned(), size, root: Digest::of(root) }
    }

    #[test]
    fn two_roots_for_one_size_are_a_split_view() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.json");
        let mut newest = NewestCheckpoint::open(&path).unwrap();
        assert_eq!(newest.chain_head(), None);
        newest.note(seen("log.example", 7, b"seven")).unwrap();
        newest.save().unwrap();
        let mut newest = NewestCheckpoint::open(&path).unwrap();
        let split = newest.note(seen("log.example", 7, b"other")).unwrap_err();
        assert_eq!((split.size, split.first), (7, Digest::of(b"seven")));
        newest.note(seen("log.example", 7, b"seven")).unwrap();
        newest.note(seen("log.example", 5, b"five")).unwrap();
        assert_eq!(newest.chain_head().unwrap().size, 7, "an older checkpoint is no news");
        newest.note(seen("log.example", 9, b"nine")).unwrap();
        assert_eq!(newest.chain_head().unwrap().size, 9);
        newest.note(seen("next.example", 1, b"one")).unwrap();
        assert_eq!(newest.chain_head().unwrap().size, 1, "another log counts anew");
    }
}
