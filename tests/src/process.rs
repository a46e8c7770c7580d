//! Children that never outlive a test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take until it answers.
const START: Duration = Duration::from_secs(60);

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

    /// How the program ended, if it has ended.
    pub fn ending(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal. A program that is gone needs none.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Asks the program to end and waits until it has; kills it where it does not within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        wait_for("the program's end", limit, || Ok(self.ending()))
    }

    /// Kills the program, as a power cut would, and waits until it is gone.
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

/// Copies a directory with all that is in it, modes of files included.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    run(Path::new("cp"), &["-a", &format!("{}/.", from.display()), &to.display().to_string()]).map(drop)
}

/// Waits for the ready file that `running` writes once it answers; gives the address in it, without a trailing slash.
pub fn wait_until_ready(what: &str, running: &mut Running, ready: &Path, log: &Path) -> Result<String> {
    wait_for(&format!("the start of the {what}"), START, || {
        if running.ending().is_some() {
            bail!("the {what} ended at once:\n{}", tail(log));
        }
        Ok(std::fs::read_to_string(ready).ok().map(|url| url.trim().trim_end_matches('/').to_owned()))
    })
}

/// The last lines of a program's output.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
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

/// A port of the loopback interface that nobody listens at, below those that the system gives to connections: a program that
/// is killed and started again finds it free, however many connections were opened meanwhile.
pub fn reserve_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const PORTS: std::ops::Range<u16> = 20_000..32_000;
    // Different processes begin at different places.
    let begin = (std::process::id() % 600) as u16 * 20;
    for _ in 0..1000 {
        let place = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let port = PORTS.start + place;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of 127.0.0.1 is free")
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
