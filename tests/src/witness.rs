//! A witness, as another institution would run it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::process::{Running, program, reserve_port, run, wait_until_ready};
use crate::stack::utf8;

/// How long a witness may take to finish what it was asked.
const STOP: Duration = Duration::from_secs(30);

/// An initialised witness, running or not.
#[derive(Debug)]
pub struct Witness {
    /// Its name in policies.
    pub name: String,
    /// Its verifier key.
    pub vkey: String,
    /// Where others reach it, without a trailing slash.
    pub url: String,
    /// Its data directory.
    pub data: PathBuf,
    /// What stands before its program's name on the command line: `ip netns exec …`, or nothing.
    pub within: Vec<String>,
    /// Where it listens; differs from [`url`](Self::url) behind a forwarder.
    pub listen: String,
    process: Option<Running>,
}

impl Witness {
    /// Makes the key and the state of a witness under `data`, and gives it a port of its own. It does not run yet.
    pub fn init(data: &Path, name: &str) -> Result<Self> {
        let key_name = format!("{name}.example");
        let output =
            run(&program("jianzhen-witness")?, &["init", "--data", utf8(data), "--name", &key_name])?;
        let printed = String::from_utf8(output.stdout)?;
        let vkey = find_vkey(&printed, &key_name)?;
        let listen = format!("127.0.0.1:{}", reserve_port()?);
        Ok(Self {
            name: name.to_owned(),
            vkey,
            url: format!("http://{listen}"),
            data: data.to_owned(),
            within: Vec::new(),
            listen,
            process: None,
        })
    }

    /// Lets it witness a log, and keep a copy of it where `mirrored` names the address of its `/log`.
    pub fn add_log(&self, vkey: &str, mirrored: Option<&str>) -> Result<()> {
        let mut arguments = vec!["add-log", "--data", utf8(&self.data), "--vkey", vkey];
        arguments.extend(mirrored.map(|log| ["--mirror", log]).into_iter().flatten());
        run(&program("jianzhen-witness")?, &arguments).map(drop)
    }

    /// Starts it (again) and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    /// Waits until it answers.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let (ready, log) = (self.ready(), self.log());
        let process = self.process.as_mut().context("the witness was not started")?;
        wait_until_ready(&format!("witness {}", self.name), process, &ready, &log).map(drop)
    }

    /// Starts it (again) without waiting.
    pub fn launch(&mut self) -> Result<()> {
        self.process = None;
        let _ = std::fs::remove_file(self.ready());
        let witness = program("jianzhen-witness")?;
        let (ready, log) = (self.ready(), self.log());
        let mut line: Vec<&str> = self.within.iter().map(String::as_str).collect();
        line.push(utf8(&witness));
        line.extend(["serve", "--data", utf8(&self.data), "--listen", &self.listen]);
        line.extend(["--ready-file", utf8(&ready)]);
        self.process = Some(Running::start(Path::new(line[0]), &line[1..], &log)?);
        Ok(())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ending().is_some())
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let status = process.terminate(STOP)?;
        anyhow::ensure!(status.success(), "the witness {} ended with {status}", self.name);
        Ok(())
    }

    /// Stops it without killing it: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::STOP));
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// Checks its state and its copies.
    pub fn fsck(&self) -> Result<()> {
        run(&program("jianzhen-witness")?, &["fsck", "--data", utf8(&self.data)]).map(drop)
    }

    /// As `jianzhen-server policy` takes it.
    pub fn argument(&self) -> String {
        format!("{},{},{}", self.name, self.vkey, self.url)
    }

    /// Its output.
    pub fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    fn ready(&self) -> PathBuf {
        self.data.with_extension("ready")
    }
}

/// The verifier key of `name` in what an `init` command prints: `NAME+HASH+KEY`.
pub fn find_vkey(printed: &str, name: &str) -> Result<String> {
    printed
        .split_whitespace()
        .find(|word| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('+')))
        .map(str::to_owned)
        .with_context(|| format!("`init` printed no verifier key of {name}:\n{printed}"))
}
