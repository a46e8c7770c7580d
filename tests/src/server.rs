//! The verification service, as an operator starts it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

use crate::process::{Running, program, reserve_port, run, tail, wait_for, wait_until_ready};
use crate::stack::utf8;
use crate::witness::find_vkey;

/// How long a quorum may take to be there, on a busy machine and after a crash.
const READY: Duration = Duration::from_secs(120);

/// How long the service may take to answer what it has accepted.
const STOP: Duration = Duration::from_secs(60);

/// An initialised service, running or not.
#[derive(Debug)]
pub struct Server {
    /// Its address, without a trailing slash.
    pub url: String,
    /// Its data directory.
    pub data: PathBuf,
    /// The name of its log.
    pub origin: String,
    /// The log's verifier key.
    pub vkey: String,
    /// The built page, where it serves one.
    pub page: Option<PathBuf>,
    /// What stands before its program's name on the command line: `strace …`, or nothing.
    pub within: Vec<String>,
    process: Option<Running>,
}

impl Server {
    /// Makes a service under `data`, and gives it a port of its own. It does not run yet.
    pub fn init(data: &Path, origin: &str) -> Result<Self> {
        let named = ["init", "--data", utf8(data), "--origin", origin, "--name", "某市公证处（测试）"];
        let output = run(&program("jianzhen-server")?, &named)?;
        Ok(Self {
            url: format!("http://127.0.0.1:{}", reserve_port()?),
            data: data.to_owned(),
            origin: origin.to_owned(),
            vkey: find_vkey(&String::from_utf8(output.stdout)?, origin)?,
            page: None,
            within: Vec::new(),
            process: None,
        })
    }

    /// Says whose cosignatures count: each witness `NAME,VKEY,URL`.
    pub fn set_policy(&self, witnesses: &[String], quorum: usize) -> Result<()> {
        let quorum = quorum.to_string();
        let mut arguments = vec!["policy", "--data", utf8(&self.data), "--quorum", &quorum];
        arguments.extend(witnesses.iter().flat_map(|witness| ["--witness", witness]));
        run(&program("jianzhen-server")?, &arguments).map(drop)
    }

    /// Starts it (again) and waits until it seals statements.
    pub fn start(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    /// Starts it (again) without waiting.
    pub fn launch(&mut self) -> Result<()> {
        self.process = None;
        let _ = std::fs::remove_file(self.ready());
        let server = program("jianzhen-server")?;
        let (ready, log) = (self.ready(), self.log());
        let listen = self.url.strip_prefix("http://").context("invariant: a URL of loopback")?;
        let mut line: Vec<&str> = self.within.iter().map(String::as_str).collect();
        line.push(utf8(&server));
        line.extend(["serve", "--data", utf8(&self.data), "--listen", listen, "--ready-file", utf8(&ready)]);
        line.extend(self.page.iter().flat_map(|page| ["--page", utf8(page)]));
        self.process = Some(Running::start(Path::new(line[0]), &line[1..], &log)?);
        Ok(())
    }

    /// Waits until it answers, and has heard from enough of its witnesses.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let (ready, log) = (self.ready(), self.log());
        let process = self.process.as_mut().context("the server was not started")?;
        wait_until_ready("server", process, &ready, &log)?;
        wait_for("/readyz", READY, || {
            if let Some(status) = process.ending() {
                anyhow::bail!("the server ended ({status}):\n{}", tail(&log));
            }
            Ok((crate::http::status(&format!("{}/readyz", self.url)).ok() == Some(200)).then_some(()))
        })
        .with_context(|| tail(&log))
    }

    /// How it ended, if it ended by itself.
    pub fn ending(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.ending()
    }

    /// Stops it without killing it: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::STOP));
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let status = process.terminate(STOP)?;
        anyhow::ensure!(status.success(), "the server ended with {status}:\n{}", tail(&self.log()));
        Ok(())
    }

    /// Derives everything again from the stored entries; fails where something disagrees. It must not run.
    pub fn fsck(&self) -> Result<()> {
        run(&program("jianzhen-server")?, &["fsck", "--data", utf8(&self.data)]).map(drop)
    }

    /// The operator's trust file.
    pub fn trust(&self) -> PathBuf {
        self.data.join("trust.json")
    }

    /// The name under which witnesses and mirrors have this log (docs/spec/witness.md).
    pub fn origin_hash(&self) -> String {
        hex::encode(Sha256::digest(&self.origin))
    }

    /// Its output.
    pub fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    fn ready(&self) -> PathBuf {
        self.data.with_extension("ready")
    }
}
