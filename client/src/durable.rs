//! Files that are either wholly there after a crash or not there at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Mode of a file that its user only can read and write: keys, positions and statements are nobody else's business.
pub const PRIVATE: u32 = 0o600;

/// A file operation that failed, and on what.
#[derive(Debug, thiserror::Error)]
#[error("Cannot {action} {}: {source}.", path.display())]
pub struct FileError {
    /// "read", "write", …
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: names the action and the path.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// Whether the medium is full (or the user's quota used up).
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Makes names created, renamed or removed in `folder` survive a power failure.
///
/// # Errors
/// When the system refuses.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(FileError::on("sync the folder", folder))
}

/// Replaces `path` with `bytes`, or leaves it as it was. One writer at a time: see to it with a lock.
///
/// # Errors
/// When the system refuses.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    finish(&beside(path), path, bytes, mode)
}

fn finish(temporary: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    write_whole(temporary, bytes, mode)?;
    fs::rename(temporary, path).map_err(FileError::on("rename a finished copy to", path))?;
    sync_folder(parent(path))
}

/// Like [`replace`], for a file that several processes or threads may replace at the same time.
///
/// # Errors
/// When the system refuses.
pub fn replace_shared(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let temporary = with_suffix(path, &format!(".{process}.{number}.partial"));
    finish(&temporary, path, bytes, mode)
}

/// Creates `path` with `bytes`; fails with `AlreadyExists` rather than touch a file that is there.
///
/// # Errors
/// When it exists, or the system refuses.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = beside(path);
    write_whole(&temporary, bytes, mode)?;
    // A hard link is the one portable "rename unless it exists".
    let linked = fs::hard_link(&temporary, path).map_err(FileError::on("create", path));
    fs::remove_file(&temporary).map_err(FileError::on("remove", &temporary))?;
    linked?;
    sync_folder(parent(path))
}

/// Creates `path` and the folders above it, and makes their names durable.
///
/// # Errors
/// When the system refuses.
pub fn create_folders(path: &Path) -> Result<(), FileError> {
    create_folders_with(path, 0o777)
}

/// The same, with the folder itself, if it is created, for its user only.
///
/// # Errors
/// When the system refuses.
pub fn create_private_folder(path: &Path) -> Result<(), FileError> {
    create_folders_with(path, 0o700)
}

fn create_folders_with(path: &Path, mode: u32) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    create_folders(above)?;
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result.map_err(FileError::on("create the folder", path))?,
    }
    sync_folder(above)
}

/// The folder that holds `path`; "." for a bare name.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// `path` with `suffix` appended to its whole name: `video.mp4` becomes `video.mp4.evidence`.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn beside(path: &Path) -> PathBuf {
    with_suffix(path, ".partial")
}

fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let write = || {
        // A leftover of a crash may have any mode or length: start afresh.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(FileError::on("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn create_never_touches_a_file_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"first", PRIVATE).unwrap();
        let error = create(&path, b"second", PRIVATE).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no leftover");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_leftover_of_a_crash_neither_hinders_nor_leaks_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(with_suffix(&path, ".partial"), b"torn").unwrap();
        replace(&path, b"whole", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!with_suffix(&path, ".partial").exists());
    }

    #[test]
    fn folders_are_made_all_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        create_folders(&deep).unwrap();
        create_folders(&deep).unwrap();
        assert!(deep.is_dir());
        let private = deep.join("d/e");
        create_private_folder(&private).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&private), 0o700);
    }
}
