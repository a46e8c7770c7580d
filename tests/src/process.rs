//! Children that never outlive a test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A started program. It is killed when this value is dropped, and by the kernel when the thread that started it
/// ends in any other way (`setpriv --pdeathsig`, part of Debian's essential util-linux).
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts `program` with its output going to `log`.
    pub fn start(program: &Path, arguments: &[&str], log: &Path) -> Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    /// Whether the program has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Kills the program and waits until it is gone.
    pub fn stop(&mut self) {
        // Both fail only when the program is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a program to its end and demands success; the error carries what it printed.
pub fn run(program: &Path, arguments: &[&str]) -> Result<Output> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(
        output.status.success(),
        "{} {} ended with {}:\n{}{}",
        program.display(),
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// Waits until `probe` gives a value; fails with `what` after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if begun.elapsed() > limit {
            bail!("{what} did not happen within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The directory with the programs under test: beside the test binary's `deps`, or `JIANZHEN_BIN`.
pub fn program(name: &str) -> Result<PathBuf> {
    let directory = match std::env::var_os("JIANZHEN_BIN") {
        Some(directory) => PathBuf::from(directory),
        None => {
            let test = std::env::current_exe()?;
            let deps = test.parent().context("the test binary has no directory")?;
            deps.parent().context("the test binary's directory has no parent")?.to_owned()
        }
    };
    let path = directory.join(name);
    ensure!(path.is_file(), "{} is missing: `cargo xtask test` builds it", path.display());
    Ok(path)
}

/// The built page: `JIANZHEN_DIST`, or `dist` at the root of the workspace.
pub fn dist() -> Result<PathBuf> {
    let path = match std::env::var_os("JIANZHEN_DIST") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").canonicalize()?,
    };
    ensure!(
        path.join("index.html").is_file(),
        "{} holds no page: `cargo xtask test` builds it",
        path.display()
    );
    Ok(path)
}
