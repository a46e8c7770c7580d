//! A whole stack: server, three witnesses and a recorder, each as its operator would start it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use crate::process::{dist, program, run};
use crate::server::Server;
use crate::witness::Witness;

/// How many of the three witnesses must have cosigned a root before it counts.
pub const QUORUM: usize = 2;

/// The names of the witnesses; the last keeps a copy of the chain.
pub const WITNESSES: [&str; 3] = ["w1", "w2", "w3"];

/// The recorder's exit code when the chain contradicts what it, or a witness, has seen.
const ALARM: i32 = 76;

/// A verification service that two of three witnesses guard, with one enrolled recorder, in a directory of its own.
#[derive(Debug)]
pub struct Stack {
    /// Everything this stack writes lies under here.
    pub directory: PathBuf,
    /// The address of the page, without a trailing slash.
    pub url: String,
    /// The service.
    pub server: Server,
    /// Those that guard its chain.
    pub witnesses: Vec<Witness>,
}

/// A sealed file and its evidence file.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The file as the recorder wrote it.
    pub file: PathBuf,
    /// The evidence file beside it.
    pub evidence: PathBuf,
}

impl Stack {
    /// Initialises and starts a service with a page under `directory`, and enrols a recorder with it.
    pub fn start(directory: &Path, origin: &str) -> Result<Self> {
        let mut stack = Self::init(directory, origin)?;
        stack.server.page = Some(dist()?);
        stack.start_all()?;
        stack.enrol_recorder()?;
        Ok(stack)
    }

    /// Initialises a service and its witnesses under `directory`. Nothing runs yet.
    pub fn init(directory: &Path, origin: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let server = Server::init(&directory.join("server"), origin)?;
        let mut witnesses = Vec::new();
        for name in WITNESSES {
            let witness = Witness::init(&directory.join(name), name)?;
            let mirrored = (Some(&name) == WITNESSES.last()).then(|| format!("{}/log", server.url));
            witness.add_log(&server.vkey, mirrored.as_deref())?;
            witnesses.push(witness);
        }
        let arguments: Vec<String> = witnesses.iter().map(Witness::argument).collect();
        server.set_policy(&arguments, QUORUM)?;
        Ok(Self { directory: directory.to_owned(), url: server.url.clone(), server, witnesses })
    }

    /// The witness that keeps a copy of the chain.
    pub fn mirror(&mut self) -> &mut Witness {
        &mut self.witnesses[WITNESSES.len() - 1]
    }

    /// Starts the witnesses, then the server, and waits until all of them answer.
    pub fn start_all(&mut self) -> Result<()> {
        self.witnesses.iter_mut().try_for_each(Witness::launch)?;
        self.witnesses.iter_mut().try_for_each(Witness::wait_until_ready)?;
        self.start_server()
    }

    /// Starts the server (again).
    pub fn start_server(&mut self) -> Result<()> {
        self.server.start()
    }

    /// Stops the server as a power cut would.
    pub fn stop_server(&mut self) {
        self.server.kill();
    }

    /// Stops server and witnesses: nobody answers any more.
    pub fn stop_all(&mut self) {
        self.server.kill();
        self.witnesses.iter_mut().for_each(Witness::kill);
    }

    fn enrol_recorder(&self) -> Result<()> {
        let output = run(
            &program("jianzhen-recorder")?,
            &["init", "--data", &self.recorder_data(), "--device-id", "recorder-01", "--json"],
        )?;
        let made: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let key = made["public_key"].as_str().context("`init --json` names no public_key")?;
        run(
            &program("jianzhen-server")?,
            &[
                "enrol",
                "--data",
                utf8(&self.server.data),
                "--server",
                &self.url,
                "--key",
                key,
                "--id",
                "recorder-01",
                "--model",
                "DSJ-V9",
                "--agency",
                "苏州市某区城市管理局",
            ],
        )?;
        Ok(())
    }

    /// The recorder's public key, in hexadecimal digits.
    fn recorder_key(&self) -> Result<String> {
        let output =
            run(&program("jianzhen-recorder")?, &["status", "--data", &self.recorder_data(), "--json"])?;
        let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        Ok(status["public_key"].as_str().context("`status --json` names no public_key")?.to_owned())
    }

    /// Revokes the recorder's key; gives the index of the entry in the chain, as decimal digits, and the digest of the key.
    pub fn revoke_recorder(&self) -> Result<(String, String)> {
        let key = self.recorder_key()?;
        let digest = hex::encode(Sha256::digest(
            hex::decode(&key).map_err(|error| anyhow::anyhow!("{key} is no key: {error}"))?,
        ));
        let output = run(
            &program("jianzhen-server")?,
            &[
                "revoke",
                "--data",
                utf8(&self.server.data),
                "--server",
                &self.url,
                "--key-digest",
                &digest,
                "--reason",
                "device-lost",
            ],
        )?;
        let said = String::from_utf8(output.stdout)?;
        let index =
            said.lines().find_map(|line| line.strip_prefix("index")).context("`revoke` names no index")?;
        Ok((index.trim().to_owned(), digest))
    }

    /// Records `input` into a new file `name` and waits until everything is sealed.
    pub fn record(&self, input: &Path, name: &str) -> Result<Sealed> {
        let output = self.path(name);
        self.seal(&["record", "--input", utf8(input), "--output", utf8(&output)])?;
        Self::sealed(output)
    }

    /// Records `input` into a new file `name` with another recorder's data, such as a copy of an earlier state. Says whether that
    /// recorder raised an alarm about the chain.
    pub fn record_by(&self, recorder: &Path, input: &Path, name: &str) -> Result<(Sealed, bool)> {
        let output = self.path(name);
        let command = ["record", "--input", utf8(input), "--output", utf8(&output)];
        let status = std::process::Command::new(program("jianzhen-recorder")?)
            .args(command)
            .args(["--data", utf8(recorder), "--server", &self.url, "--trust", utf8(&self.trust())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let alarmed = status.code() == Some(ALARM);
        anyhow::ensure!(status.success() || alarmed, "the recorder ended with {status}");
        Ok((Self::sealed(output)?, alarmed))
    }

    /// Deposits `file` whole.
    pub fn deposit(&self, file: &Path) -> Result<Sealed> {
        self.seal(&["deposit", utf8(file)])?;
        Self::sealed(file.to_owned())
    }

    /// Runs a command of the recorder that seals something.
    fn seal(&self, command: &[&str]) -> Result<()> {
        let (data, trust) = (self.recorder_data(), self.trust());
        let mut arguments = command.to_vec();
        arguments.extend(["--data", &data, "--server", &self.url, "--trust", utf8(&trust)]);
        run(&program("jianzhen-recorder")?, &arguments).map(drop)
    }

    fn sealed(file: PathBuf) -> Result<Sealed> {
        let mut evidence = file.clone().into_os_string();
        evidence.push(".evidence");
        let evidence = PathBuf::from(evidence);
        anyhow::ensure!(evidence.is_file(), "{} was not written", evidence.display());
        Ok(Sealed { file, evidence })
    }

    /// The operator's trust file.
    pub fn trust(&self) -> PathBuf {
        self.server.trust()
    }

    /// A path under this stack's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn recorder_data(&self) -> String {
        utf8(&self.path("recorder")).to_owned()
    }

    /// Where the third witness serves its copy of the chain.
    pub fn mirror_url(&self) -> String {
        let mirror = &self.witnesses[WITNESSES.len() - 1];
        format!("{}/mirror/{}", mirror.url, self.server.origin_hash())
    }

    /// The bytes that the server has read from its sockets since it started.
    pub fn received_bytes(&self) -> Result<u64> {
        let metrics = String::from_utf8(crate::http::get(&format!("{}/metrics", self.url))?)?;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("jianzhen_http_received_bytes_total"))
            .context("/metrics has no jianzhen_http_received_bytes_total")?;
        let value = line.rsplit(' ').next().context("the metric has no value")?;
        Ok(value.parse()?)
    }
}

/// Test paths are made by the harness under a temporary directory, so they are UTF-8.
pub fn utf8(path: &Path) -> &str {
    path.to_str().expect("invariant: test paths are UTF-8")
}
