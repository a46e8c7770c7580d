//! The video file as it grows.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use client::durable::{FileError, parent, sync_folder};

/// A new file that receives every byte of the input, in order.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    written: u64,
}

impl Output {
    /// Creates the file; one that is there is never touched.
    ///
    /// # Errors
    /// When it exists or cannot be created.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(FileError::on("create", path))?;
        sync_folder(parent(path))?;
        Ok(Self { file, path: path.to_owned(), written: 0 })
    }

    /// Bytes accepted.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends all of `bytes` or none of them.
    ///
    /// # Errors
    /// When the medium refuses; the file is then as long as before, so that what is signed next describes it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if let Err(error) = self.file.write_all(bytes) {
            self.rewind().map_err(FileError::on("shorten", &self.path))?;
            return Err(FileError::on("write", &self.path)(error));
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Returns when everything written is on the medium. No statement about bytes is signed before.
    ///
    /// # Errors
    /// When the medium refuses. What is on it is then unknown.
    pub fn sync(&self) -> Result<(), FileError> {
        self.file.sync_data().map_err(FileError::on("sync", &self.path))
    }

    fn rewind(&mut self) -> io::Result<()> {
        use std::io::{Seek, SeekFrom};
        self.file.set_len(self.written)?;
        self.file.seek(SeekFrom::Start(self.written)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        std::fs::write(&path, b"evidence").unwrap();
        let error = Output::create(&path).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"evidence");
    }

    #[test]
    fn a_full_medium_leaves_the_file_as_long_as_was_accepted() {
        // /dev/full accepts nothing; rewinding a device fails, which is an error too and never a silent success.
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut output = Output { file, path: "/dev/full".into(), written: 0 };
        assert!(output.write(b"bytes").is_err());
        assert_eq!(output.written(), 0);
    }
}
