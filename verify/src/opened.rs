//! The file under examination: read by position, and watched for changes.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use evidence::report::ErrorCode;

/// What must not change between the first and the last read. The change time is set by the system on every write, also by
/// one that resets the modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// An opened regular file.
#[derive(Debug)]
pub struct Opened {
    file: File,
    stamp: Stamp,
}

impl Opened {
    /// Opens a file.
    ///
    /// # Errors
    /// `directory`, or `unreadable` for what cannot be opened or is no regular file.
    pub fn open(path: &Path) -> Result<Self, ErrorCode> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let metadata = std::fs::metadata(path).map_err(|_| ErrorCode::Unreadable)?;
        if metadata.is_dir() {
            return Err(ErrorCode::Directory);
        }
        if !metadata.is_file() {
            return Err(ErrorCode::Unreadable);
        }
        let file = File::open(path).map_err(|_| ErrorCode::Unreadable)?;
        let stamp = Stamp::of(&file.metadata().map_err(|_| ErrorCode::Unreadable)?);
        Ok(Self { file, stamp })
    }

    /// Its length when it was opened.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.stamp.length
    }

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// `changed-while-reading` where the file has become shorter, else `unreadable`.
    pub fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), ErrorCode> {
        self.file.read_exact_at(bytes, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ErrorCode::ChangedWhileReading,
            _ => ErrorCode::Unreadable,
        })
    }

    /// Whether it is still as it was when it was opened.
    ///
    /// # Errors
    /// `changed-while-reading`, or `unreadable` if that cannot be told.
    pub fn check_unchanged(&self) -> Result<(), ErrorCode> {
        let now = self.file.metadata().map_err(|_| ErrorCode::Unreadable)?;
        if Stamp::of(&now) == self.stamp { Ok(()) } else { Err(ErrorCode::ChangedWhileReading) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_write_that_hides_itself_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        std::fs::write(&path, b"original").unwrap();
        let opened = Opened::open(&path).unwrap();
        opened.check_unchanged().unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        // Some file systems stamp in steps of a few milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(&path, b"altered!").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(opened.check_unchanged(), Err(ErrorCode::ChangedWhileReading));
        assert!(modified < SystemTime::now());
    }

    #[test]
    fn shorter_folders_and_missing_files_have_their_own_codes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        std::fs::write(&path, b"original").unwrap();
        let opened = Opened::open(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(3).unwrap();
        assert_eq!(opened.read(&mut [0; 8], 0), Err(ErrorCode::ChangedWhileReading));
        assert_eq!(Opened::open(folder.path()).unwrap_err(), ErrorCode::Directory);
        assert_eq!(Opened::open(&folder.path().join("none")).unwrap_err(), ErrorCode::Unreadable);
        assert_eq!(Opened::open(Path::new("/dev/null")).unwrap_err(), ErrorCode::Unreadable);
    }
}
