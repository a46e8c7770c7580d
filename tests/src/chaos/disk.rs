//! A disk that can be full: a file system in memory whose size is set to what lies on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// More than any run writes.
const SIZE: &str = "2g";

/// A mounted file system; unmounted when dropped.
#[derive(Debug)]
pub(super) struct Disk(PathBuf);

impl Disk {
    /// Mounts one at `directory`, which is made. Needs root.
    pub(super) fn mount(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        mount(&["-t", "tmpfs", "-o", &format!("size={SIZE},mode=0700"), "tmpfs"], directory)?;
        Ok(Self(directory.to_owned()))
    }

    /// Leaves no room on it.
    pub(super) fn fill(&self) -> Result<()> {
        // Between asking and setting, more may be written: the smaller size is refused then.
        let mut refusal = None;
        for _ in 0..20 {
            let size = format!("remount,size={}", self.used()?);
            match mount(&["-o", &size], &self.0) {
                Ok(()) => return Ok(()),
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.context("invariant: tried before")?)
    }

    /// Makes room again.
    pub(super) fn relieve(&self) -> Result<()> {
        mount(&["-o", &format!("remount,size={SIZE}")], &self.0)
    }

    fn used(&self) -> Result<u64> {
        let status = rustix::fs::statvfs(&self.0)?;
        Ok((status.f_blocks - status.f_bfree) * status.f_frsize)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where it does not work, the mount goes with this process's mount namespace.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

fn mount(arguments: &[&str], directory: &Path) -> Result<()> {
    let output = Command::new("mount").args(arguments).arg(directory).output().context("no `mount`")?;
    ensure!(
        output.status.success(),
        "`mount {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
