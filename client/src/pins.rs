//! Pins: the largest chain root seen before, one file for each key of a log (`docs/spec/roots.md`, "Pins").
//!
//! ```text
//! DIR/{hex SHA-256 of the slot}   a signed note      DIR/lock   held while one is replaced
//! ```
//!
//! A comparison of roots asks the network, so nothing is locked while it runs. A run says what it has seen when it wants to
//! replace a pin; where another run was faster, it compares again.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use evidence::Digest;

use crate::durable::{self, FileError, PRIVATE};

/// A note is at most 512 KiB (`docs/spec/log.md`).
const MAX_PIN_LEN: u64 = 512 << 10;

/// Replacing a pin takes milliseconds. Whoever holds the lock longer has been stopped in the middle.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Why a pin could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process holds the lock and does not let go.
    #[error("Another process is using {} and does not finish.", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
}

/// What came of an attempt to replace a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is on the medium.
    Stored,
    /// Nothing was written: another run has replaced or removed the pin meanwhile. This is there now.
    Moved(Option<Vec<u8>>),
}

/// A folder of pins. Nothing is created before the first pin is kept.
#[derive(Debug, Clone)]
pub struct PinStore {
    folder: PathBuf,
}

impl PinStore {
    /// The pins in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the user's pins are unless something else is asked for: `jianzhen/pins` in the state folder (XDG Base Directory). None
    /// without a home.
    #[must_use]
    pub fn default_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(state.join("jianzhen/pins"))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pin of `slot`, if there is one. What is longer than a note can be is returned cut off: it is none.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn read(&self, slot: &str) -> Result<Option<Vec<u8>>, PinError> {
        let path = self.path(slot);
        let mut note = Vec::new();
        match File::open(&path).and_then(|file| file.take(MAX_PIN_LEN + 1).read_to_end(&mut note)) {
            Ok(_) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::on("read", &path)(error).into()),
        }
    }

    /// Replaces the pin of `slot` by `note`, provided that it still is `seen`.
    ///
    /// # Errors
    /// [`PinError`]; the pin is as it was.
    pub fn keep(&self, slot: &str, seen: Option<&[u8]>, note: &[u8]) -> Result<Kept, PinError> {
        durable::create_private_folder(&self.folder)?;
        let _lock = self.lock()?;
        let current = self.read(slot)?;
        if current.as_deref() == Some(note) {
            return Ok(Kept::Stored);
        }
        if current.as_deref() != seen {
            return Ok(Kept::Moved(current));
        }
        durable::replace(&self.path(slot), note, PRIVATE)?;
        Ok(Kept::Stored)
    }

    fn path(&self, slot: &str) -> PathBuf {
        self.folder.join(Digest::of(slot.as_bytes()).to_string())
    }

    fn lock(&self) -> Result<File, PinError> {
        let path = self.folder.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(&path);
        let file = file.map_err(FileError::on("open", &path))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(PinError::Busy { path }),
                Err(TryLockError::Error(error)) => return Err(FileError::on("lock", &path)(error).into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ORIGIN: &str = "notary.test/log";

    fn store(folder: &tempfile::TempDir) -> PinStore {
        PinStore::new(folder.path().join("state/pins"))
    }

    #[test]
    fn pins_lie_in_the_users_state() {
        let of = |pairs: &'static [(&str, &str)]| {
            PinStore::default_folder(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.local/state/jianzhen/pins".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), Some("/s/jianzhen/pins".into()));
        // The specification: a relative path is invalid and ignored.
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")]),
            Some("/h/.local/state/jianzhen/pins".into())
        );
    }

    #[test]
    fn a_run_that_has_not_seen_the_pin_does_not_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let pins = store(&folder);
        assert_eq!(pins.keep(ORIGIN, None, b"five").unwrap(), Kept::Stored);
        // Two runs have read "five"; the second one to finish knows nothing of "twelve".
        assert_eq!(pins.keep(ORIGIN, Some(b"five"), b"twelve").unwrap(), Kept::Stored);
        let moved = pins.keep(ORIGIN, Some(b"five"), b"ten").unwrap();
        assert_eq!(moved, Kept::Moved(Some(b"twelve".to_vec())));
        assert_eq!(pins.read(ORIGIN).unwrap().unwrap(), b"twelve");
        assert_eq!(pins.keep(ORIGIN, None, b"one").unwrap(), Kept::Moved(Some(b"twelve".to_vec())));
        // The same pin twice is no conflict.
        assert_eq!(pins.keep(ORIGIN, Some(b"five"), b"twelve").unwrap(), Kept::Stored);
    }

    #[test]
    fn origins_do_not_meet_and_no_origin_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let pins = store(&folder);
        for origin in ["a", "b", "../../escaped", "/etc/hosts", "lock"] {
            pins.keep(origin, None, origin.as_bytes()).unwrap();
        }
        for origin in ["a", "b", "../../escaped", "/etc/hosts", "lock"] {
            assert_eq!(pins.read(origin).unwrap().unwrap(), origin.as_bytes());
        }
        assert_eq!(fs::read_dir(pins.folder()).unwrap().count(), 6, "five pins and the lock");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(pins.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn of_many_runs_at_once_none_loses_the_pin_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let pins = store(&folder);
        let stored = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for run in 0..8_usize {
                let (pins, stored) = (&pins, &stored);
                scope.spawn(move || {
                    let mut seen = pins.read(ORIGIN).unwrap();
                    for round in 0..10 {
                        // Each appends to what it has seen, so a lost pin would be missing at the end.
                        let mut note = seen.clone().unwrap_or_default();
                        note.extend(format!("{run}.{round} ").bytes());
                        match pins.keep(ORIGIN, seen.as_deref(), &note).unwrap() {
                            Kept::Stored => {
                                stored.fetch_add(1, Ordering::Relaxed);
                                seen = Some(note);
                            }
                            Kept::Moved(current) => seen = current,
                        }
                    }
                });
            }
        });
        let note = String::from_utf8(pins.read(ORIGIN).unwrap().unwrap()).unwrap();
        assert_eq!(note.split_whitespace().count(), stored.load(Ordering::Relaxed));
    }

    #[test]
    fn what_the_system_refuses_is_said_and_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"in the way").unwrap();
        let pins = PinStore::new(file.join("pins"));
        assert!(matches!(pins.keep(ORIGIN, None, b"note"), Err(PinError::File(_))));
        assert_eq!(fs::read(&file).unwrap(), b"in the way");

        let pins = store(&folder);
        pins.keep(ORIGIN, None, b"note").unwrap();
        let path = pins.path(ORIGIN);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(pins.read(ORIGIN).is_err(), "a folder is no pin, and not as good as none");
        assert!(pins.keep(ORIGIN, None, b"note").is_err());
    }

    #[test]
    fn no_more_is_read_than_a_note_can_have() {
        let folder = tempfile::tempdir().unwrap();
        let pins = store(&folder);
        pins.keep(ORIGIN, None, b"note").unwrap();
        fs::write(pins.path(ORIGIN), vec![b'x'; 2 << 20]).unwrap();
        let read = pins.read(ORIGIN).unwrap().unwrap();
        assert_eq!(read.len() as u64, MAX_PIN_LEN + 1);
        assert_eq!(pins.keep(ORIGIN, Some(&read), b"note").unwrap(), Kept::Stored, "and it is replaced");
        assert_eq!(pins.read(ORIGIN).unwrap().unwrap(), b"note");
    }
}
