//! The demonstration's folder: one demonstration at a time, and nothing in it that is not a demonstration's.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Marks a folder that a demonstration made and may empty; locked while one runs.
const MARK: &str = ".jianzhen-demo";

/// The description for scripts: there while everything answers, and only then.
const DESCRIPTION: &str = "demo.json";

/// An empty folder of which this process is the only owner.
pub(super) struct Scratch {
    root: PathBuf,
    _lock: File,
}

/// The written description; dropping it removes the file.
pub(super) struct Description(PathBuf);

impl Scratch {
    /// Makes the folder, or empties it if an earlier demonstration made it. Anybody else's folder is refused.
    pub(super) fn prepare(folder: &Path) -> anyhow::Result<Self> {
        let failed =
            |what: &str| format!("the demonstration's folder {} could not be {what}", folder.display());
        fs::create_dir_all(folder).with_context(|| failed("made"))?;
        let root = folder.canonicalize().with_context(|| failed("found"))?;
        let mark = root.join(MARK);
        if !mark.exists() && fs::read_dir(&root).with_context(|| failed("listed"))?.next().is_some() {
            bail!("{} has files that no demonstration made: name an empty folder with --dir", root.display());
        }
        let lock = File::create(&mark).with_context(|| failed("marked"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                bail!(
                    "a demonstration is running in {}: stop it, or name another folder with --dir",
                    root.display()
                )
            }
            Err(fs::TryLockError::Error(error)) => return Err(error).with_context(|| failed("locked")),
        }
        for entry in fs::read_dir(&root).with_context(|| failed("listed"))? {
            let entry = entry.with_context(|| failed("listed"))?;
            if entry.file_name() != MARK {
                remove(&entry.path()).with_context(|| failed("emptied"))?;
            }
        }
        Ok(Self { root, _lock: lock })
    }

    /// A path in the folder. Absolute.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn description(&self) -> PathBuf {
        self.path(DESCRIPTION)
    }

    /// Writes the description, by rename: whoever sees it sees all of it.
    pub(super) fn describe(&self, value: &serde_json::Value) -> anyhow::Result<Description> {
        let path = self.description();
        let partial = self.path("demo.json.partial");
        let write = || {
            fs::write(&partial, format!("{value:#}\n"))?;
            fs::rename(&partial, &path)
        };
        write().with_context(|| format!("{} could not be written", path.display()))?;
        Ok(Description(path))
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        // The next demonstration removes it too; there is nobody left to tell.
        let _ = fs::remove_file(&self.0);
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    let result =
        if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_files_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.odt"), "years").unwrap();
        assert!(Scratch::prepare(folder.path()).is_err());
        assert_eq!(fs::read(folder.path().join("thesis.odt")).unwrap(), b"years");
    }

    #[test]
    fn an_earlier_demonstration_is_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let demo = folder.path().join("new/demo");
        let scratch = Scratch::prepare(&demo).unwrap();
        fs::create_dir(scratch.path("server")).unwrap();
        fs::write(scratch.path("server/log.key"), "old").unwrap();
        drop(scratch);
        let scratch = Scratch::prepare(&demo).unwrap();
        assert!(!scratch.path("server").exists());
    }

    #[test]
    fn two_demonstrations_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Scratch::prepare(folder.path()).unwrap();
        fs::write(first.path("state"), "in use").unwrap();
        let error = Scratch::prepare(folder.path()).err().unwrap().to_string();
        assert!(error.contains("is running"), "{error}");
        assert!(first.path("state").exists());
    }

    #[test]
    fn a_symbolic_link_is_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "").unwrap();
        let demo = folder.path().join("demo");
        let scratch = Scratch::prepare(&demo).unwrap();
        std::os::unix::fs::symlink(&outside, scratch.path("link")).unwrap();
        drop(scratch);
        Scratch::prepare(&demo).unwrap();
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn the_description_goes_when_the_demonstration_goes() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::prepare(folder.path()).unwrap();
        let description = scratch.describe(&serde_json::json!({ "url": "http://127.0.0.1:1" })).unwrap();
        let text = fs::read_to_string(scratch.description()).unwrap();
        assert!(text.contains("127.0.0.1:1"));
        drop(description);
        assert!(!scratch.description().exists());
    }
}
