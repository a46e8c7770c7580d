//! Running other programs so that none of them outlives xtask.
//!
//! - Each child leads a process group of its own; ending a [`Group`] ends all of it, politely first.
//! - SIGINT, SIGTERM and SIGHUP set a flag that every wait in xtask looks at; the wait fails with [`Interrupted`],
//!   the error travels up, and dropping the groups on its way stops what was started.
//! - Should xtask itself be killed without a chance to clean up, the kernel kills its children: they are started
//!   through util-linux's `setpriv --pdeathsig`, which spares us a `pre_exec` hook and with it `unsafe`.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a child may take to end after SIGTERM: a server finishes what it has accepted.
const GRACE: Duration = Duration::from_secs(10);

/// How often a wait looks at its child and at the signal flag.
const POLL: Duration = Duration::from_millis(20);

/// A signal asked xtask to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted(u8);

impl Interrupted {
    /// What a shell reports for a program that this signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        self.0.saturating_add(128)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

/// Starts programs and waits for them, or for a signal.
pub(crate) struct Runner {
    /// The number of the signal received last, 0 before any.
    signal: Arc<AtomicUsize>,
    /// `setpriv`, where the system has it.
    guard: Option<&'static Path>,
}

impl Runner {
    /// Takes over the signals that ask a program to end.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        for (number, value) in [(SIGINT, 2), (SIGTERM, 15), (SIGHUP, 1)] {
            signal_hook::flag::register_usize(number, Arc::clone(&signal), value)
                .with_context(|| format!("signal {number} could not be handled"))?;
        }
        Ok(Self { signal, guard: setpriv() })
    }

    /// Leaves the signals of the test process as they are.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self { signal: Arc::new(AtomicUsize::new(0)), guard: setpriv() }
    }

    /// Fails once a signal has asked xtask to stop.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        match u8::try_from(self.signal.load(Ordering::Relaxed)) {
            Ok(0) | Err(_) => Ok(()),
            Ok(number) => Err(Interrupted(number)),
        }
    }

    /// Sleeps until `deadline` or a signal.
    pub(crate) fn pause(&self, duration: Duration) -> Result<(), Interrupted> {
        let deadline = Instant::now() + duration;
        loop {
            self.check()?;
            match deadline.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(left) => std::thread::sleep(left.min(POLL)),
            }
        }
    }

    /// Starts a program that runs beside xtask until its [`Group`] is dropped.
    pub(crate) fn spawn(&self, command: &Command, stdout: Stdio, stderr: Stdio) -> anyhow::Result<Group> {
        self.check()?;
        let name = describe(command);
        let child = self
            .guarded(command)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .with_context(|| format!("`{name}` could not be started"))?;
        let pid = Pid::from_child(&child);
        Ok(Group { name, child, pid, status: None })
    }

    /// Runs a program to its end; its output goes where ours goes. Anything but success is an error.
    pub(crate) fn run(&self, command: &Command) -> anyhow::Result<()> {
        let mut group = self.spawn(command, Stdio::inherit(), Stdio::inherit())?;
        let status = self.wait(&mut group)?;
        if !status.success() {
            bail!("`{}` failed ({status})", group.name);
        }
        Ok(())
    }

    /// Runs a program to its end and hands each line of its standard output to `line`.
    pub(crate) fn run_lines(
        &self,
        command: &Command,
        mut line: impl FnMut(&str),
    ) -> anyhow::Result<ExitStatus> {
        let mut group = self.spawn(command, Stdio::piped(), Stdio::inherit())?;
        let stdout = group.child.stdout.take();
        let (send, receive) = std::sync::mpsc::sync_channel(256);
        let reader = std::thread::spawn(move || {
            // A test may print anything; what is not UTF-8 must not end the reading and with it the program.
            for bytes in stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n')) {
                let Ok(bytes) = bytes else { break };
                if send.send(String::from_utf8_lossy(&bytes).into_owned()).is_err() {
                    break;
                }
            }
        });
        let status = loop {
            match receive.recv_timeout(POLL) {
                Ok(text) => line(&text),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => self.check()?,
                // The pipe is closed: the program has ended or is about to.
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break self.wait(&mut group)?,
            }
            self.check()?;
        };
        // invariant: the reader ended when it dropped its sender, which is how the loop ended.
        let _ = reader.join();
        Ok(status)
    }

    /// Runs a program to its end and returns what it printed. Anything but success is an error.
    pub(crate) fn output(&self, command: &Command) -> anyhow::Result<String> {
        let name = describe(command);
        let mut text = String::new();
        let status = self.run_lines(command, |line| {
            text.push_str(line);
            text.push('\n');
        })?;
        if !status.success() {
            bail!("`{name}` failed ({status})");
        }
        Ok(text)
    }

    /// Waits for the end of a program, or for a signal.
    pub(crate) fn wait(&self, group: &mut Group) -> anyhow::Result<ExitStatus> {
        loop {
            self.check()?;
            if let Some(status) = group.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
    }

    /// The same command, killed by the kernel when xtask dies.
    fn guarded(&self, command: &Command) -> Command {
        let mut guarded = match self.guard {
            Some(setpriv) => {
                let mut guarded = Command::new(setpriv);
                guarded.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program());
                guarded
            }
            None => Command::new(command.get_program()),
        };
        guarded.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(name, value),
                None => guarded.env_remove(name),
            };
        }
        guarded
    }
}

/// A running program and everything it starts; dropping it ends them all.
pub(crate) struct Group {
    name: String,
    child: Child,
    pid: Pid,
    status: Option<ExitStatus>,
}

impl Group {
    /// The program's status, once it has ended.
    pub(crate) fn try_wait(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.ended() {
            self.reap();
        }
        Ok(self.status)
    }

    /// Asks the group to end, then makes it. Afterwards nothing of it runs.
    pub(crate) fn stop(&mut self) {
        if self.status.is_some() {
            return;
        }
        // A group that is gone already is what we want; there is nothing else these calls can report about our own child.
        let _ = kill_process_group(self.pid, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while !self.ended() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        self.reap();
    }

    /// Whether the leader has ended. It is not reaped, so that the group's number stays ours until [`Self::reap`].
    fn ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Ends whatever is left of the group, and takes the leader's status.
    fn reap(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.status = self.child.wait().ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop();
    }
}

fn setpriv() -> Option<&'static Path> {
    ["/usr/bin/setpriv", "/bin/setpriv"].map(Path::new).into_iter().find(|path| path.exists())
}

/// The command line, for messages.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Process ids that the script printed, once `count` of them are there.
    fn pids(file: &Path, count: usize) -> Vec<Pid> {
        loop {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let pids: Vec<Pid> = text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect();
            if pids.len() == count && text.ends_with('\n') {
                return pids;
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until the process is gone or only waits to be reaped by whoever inherited it.
    fn is_gone(pid: Pid) -> bool {
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        for _ in 0..500 {
            match std::fs::read_to_string(&stat) {
                Err(_) => return true,
                Ok(text)
                    if text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')) =>
                {
                    return true;
                }
                Ok(_) => std::thread::sleep(POLL),
            }
        }
        false
    }

    #[test]
    fn failure_is_an_error_that_names_the_command() {
        let error = Runner::for_test().run(&shell("exit 3")).unwrap_err().to_string();
        assert!(error.contains("exit 3") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert!(Runner::for_test().run(&Command::new("/nonexistent/program")).is_err());
    }

    #[test]
    fn output_is_read_whatever_its_encoding() {
        let text = Runner::for_test().output(&shell("printf 'one\\n\\377two\\nlast'")).unwrap();
        assert_eq!(text, "one\n\u{fffd}two\nlast\n");
    }

    #[test]
    fn environment_and_folder_reach_the_program() {
        let mut command = shell("echo $JIANZHEN_PROBE; pwd");
        command.env("JIANZHEN_PROBE", "here").current_dir("/");
        assert_eq!(Runner::for_test().output(&command).unwrap(), "here\n/\n");
    }

    #[test]
    fn dropping_a_group_ends_children_of_children_and_the_stubborn() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        // The leader ends at SIGTERM; its child ignores SIGTERM and must be killed.
        let script = format!(
            "trap 'exit 0' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! >>{0}; echo $$ >>{0}; wait",
            file.display()
        );
        let group = Runner::for_test().spawn(&shell(&script), Stdio::null(), Stdio::null()).unwrap();
        let pids = pids(&file, 2);
        drop(group);
        for pid in pids {
            assert!(is_gone(pid), "process {} outlived its group", pid.as_raw_nonzero());
        }
    }

    #[test]
    fn a_signal_ends_the_wait_and_the_program() {
        let runner = Runner::for_test();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let command = shell(&format!("echo $$ >>{}; sleep 1000", file.display()));
        let mut group = runner.spawn(&command, Stdio::null(), Stdio::null()).unwrap();
        let pids = pids(&file, 1);
        runner.signal.store(15, Ordering::Relaxed);
        let error = runner.wait(&mut group).unwrap_err();
        assert_eq!(error.downcast_ref::<Interrupted>().unwrap().exit_code(), 143);
        drop(group);
        assert!(is_gone(pids[0]));
        assert!(runner.run(&shell("true")).is_err(), "nothing starts after a signal");
    }
}
