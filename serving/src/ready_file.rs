//! The file that tells whoever started the program where it answers.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file with the base URL and a newline; it appears whole, once the program answers, and goes when this is dropped.
#[derive(Debug)]
#[must_use = "the file is removed when this is dropped"]
pub struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Writes `url` to `path` by rename.
    ///
    /// # Errors
    /// What the file system said.
    pub fn write(path: &Path, url: &str) -> io::Result<Self> {
        let staging = path.with_extension("new");
        fs::write(&staging, format!("{url}\n"))?;
        fs::rename(&staging, path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // It may be gone with its directory; there is nobody left to tell.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_while_the_program_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ready");
        let file = ReadyFile::write(&path, "http://127.0.0.1:1").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "http://127.0.0.1:1\n");
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
