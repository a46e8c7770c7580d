//! Keeping both notes of an alarm (`docs/spec/roots.md`, "Alarms"), so that they can be given to somebody.
//!
//! ```text
//! DIR/alarm-{kind}-{16 hex digits of both}-ours.txt, …-theirs.txt   signed notes, as received
//! ```

use std::path::{Path, PathBuf};
use std::{fs, io};

use evidence::Digest;
use evidence::report::{AlarmKind, RootsAlarm};

use crate::durable::{self, FileError};

/// Alarms of one kind that are kept: a service can have a new note at every turn, and the medium is needed for other things.
const MAX_ALARMS: usize = 32;

const PREFIX: &str = "alarm-";
const OURS: &str = "-ours.txt";
const THEIRS: &str = "-theirs.txt";

/// Everybody may read what was published.
const MODE: u32 = 0o644;

/// Why the notes of an alarm could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// There are many already.
    #[error("{MAX_ALARMS} alarms of the kind \"{}\" are kept in {} already: move them away.", kind.as_str(), folder.display())]
    Full {
        /// The kind.
        kind: AlarmKind,
        /// The folder.
        folder: PathBuf,
    },
}

/// An alarm whose notes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAlarm {
    /// What it was.
    pub kind: AlarmKind,
    /// One signed note.
    pub ours: PathBuf,
    /// The other.
    pub theirs: PathBuf,
}

/// Saves both notes of `alarm` in `folder`, which is created. The same alarm twice makes the same two files.
///
/// # Errors
/// [`AlarmError`]
pub fn save_alarm(folder: &Path, alarm: &RootsAlarm) -> Result<SavedAlarm, AlarmError> {
    durable::create_private_folder(folder)?;
    let both = [alarm.ours.note.as_bytes(), b"\0", alarm.theirs.note.as_bytes()].concat();
    let digest = Digest::of(&both).to_string();
    let saved = SavedAlarm::at(folder, alarm.kind, &digest[..16]);
    if !saved.theirs.exists() {
        let of_kind = saved_alarms(folder)?.into_iter().filter(|other| other.kind == alarm.kind);
        if of_kind.count() >= MAX_ALARMS {
            return Err(AlarmError::Full { kind: alarm.kind, folder: folder.to_owned() });
        }
    }
    durable::replace_shared(&saved.ours, alarm.ours.note.as_bytes(), MODE)?;
    // Last: an alarm is listed when both are there.
    durable::replace_shared(&saved.theirs, alarm.theirs.note.as_bytes(), MODE)?;
    Ok(saved)
}

/// The alarms saved in `folder`, by name; none if there is no such folder.
///
/// # Errors
/// When the system refuses.
pub fn saved_alarms(folder: &Path) -> Result<Vec<SavedAlarm>, FileError> {
    let names = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(folder)?;
        // Our names are ASCII: what is not UTF-8 is not ours.
        entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default())).collect()
    };
    let mut names = match names() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(FileError::on("list", folder))?,
    };
    names.sort_unstable();
    Ok(names.iter().filter_map(|name| SavedAlarm::named(folder, name)).collect())
}

impl SavedAlarm {
    fn at(folder: &Path, kind: AlarmKind, digest: &str) -> Self {
        let name = |end: &str| folder.join(format!("{PREFIX}{}-{digest}{end}", kind.as_str()));
        Self { kind, ours: name(OURS), theirs: name(THEIRS) }
    }

    fn named(folder: &Path, name: &str) -> Option<Self> {
        let (word, digest) = name.strip_prefix(PREFIX)?.strip_suffix(THEIRS)?.split_once('-')?;
        let kind = AlarmKind::ALL.iter().find(|kind| kind.as_str() == word)?;
        Some(Self::at(folder, *kind, digest))
    }
}

#[cfg(test)]
mod tests {
    use evidence::report::{RootSource, SignedRoot};

    use super::*;

    fn alarm(kind: AlarmKind, theirs: &str) -> RootsAlarm {
        let root = |source, note: &str| SignedRoot { source, name: None, size: 7, note: note.to_owned() };
        RootsAlarm {
            kind,
            ours: root(RootSource::Pin, "ours\n"),
            theirs: root(RootSource::Published, theirs),
        }
    }

    #[test]
    fn both_notes_are_kept_as_received_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let alarms = folder.path().join("deep/alarms");
        assert_eq!(saved_alarms(&alarms).unwrap(), []);
        let saved = save_alarm(&alarms, &alarm(AlarmKind::Forked, "theirs\r\n")).unwrap();
        assert_eq!(fs::read(&saved.ours).unwrap(), b"ours\n");
        assert_eq!(fs::read(&saved.theirs).unwrap(), b"theirs\r\n");
        assert_eq!(save_alarm(&alarms, &alarm(AlarmKind::Forked, "theirs\r\n")).unwrap(), saved);
        let other = save_alarm(&alarms, &alarm(AlarmKind::Shrunk, "theirs\r\n")).unwrap();
        assert_eq!(saved_alarms(&alarms).unwrap(), [saved, other]);
        assert_eq!(fs::read_dir(&alarms).unwrap().count(), 4, "nothing else is left");
    }

    /// A sender and a watch of one process come upon the same fork at the same moment.
    #[test]
    fn one_alarm_that_many_raise_at_once_is_kept_for_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let alarms = folder.path().join("alarms");
        std::thread::scope(|scope| {
            let raise = || {
                for n in 0..30_u8 {
                    save_alarm(&alarms, &alarm(AlarmKind::Forked, &n.to_string())).unwrap();
                }
            };
            (0..4).for_each(|_| drop(scope.spawn(raise)));
        });
        assert_eq!(saved_alarms(&alarms).unwrap().len(), 30);
        assert_eq!(fs::read_dir(&alarms).unwrap().count(), 60, "nothing else is left");
    }

    #[test]
    fn a_service_with_ever_new_notes_does_not_fill_the_medium_or_hide_a_proof() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..MAX_ALARMS {
            save_alarm(folder.path(), &alarm(AlarmKind::Stale, &n.to_string())).unwrap();
        }
        let one_more = save_alarm(folder.path(), &alarm(AlarmKind::Stale, "more"));
        assert!(matches!(one_more, Err(AlarmError::Full { kind: AlarmKind::Stale, .. })));
        save_alarm(folder.path(), &alarm(AlarmKind::Stale, "0")).unwrap();
        save_alarm(folder.path(), &alarm(AlarmKind::Forked, "proof")).unwrap();
        assert_eq!(saved_alarms(folder.path()).unwrap().len(), MAX_ALARMS + 1);
    }

    #[test]
    fn what_others_left_in_the_folder_is_no_alarm() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["alarm-forked-1-ours.txt", "alarm-odd-1-theirs.txt", "alarm--theirs.txt", "notes-theirs.txt"];
        for name in names {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        assert_eq!(saved_alarms(folder.path()).unwrap(), []);
    }
}
