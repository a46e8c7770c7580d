//! The server and the recorder, started as an operator and an officer would start them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{Running, dist, program, run, wait_for};

/// A verification service with one enrolled recorder, in a directory of its own.
#[derive(Debug)]
pub struct Stack {
    /// Everything this stack writes lies under here.
    pub directory: PathBuf,
    /// The address of the page, without a trailing slash.
    pub url: String,
    server: Option<Running>,
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
    /// Initialises and starts a service under `directory`, and enrols a recorder with it.
    pub fn start(directory: &Path, origin: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut stack = Self { directory: directory.to_owned(), url: String::new(), server: None };
        let data = stack.server_data();
        let named = ["init", "--data", &data, "--origin", origin, "--name", "某市公证处（测试）"];
        run(&program("jianzhen-server")?, &named)?;
        stack.start_server()?;
        stack.enrol_recorder()?;
        Ok(stack)
    }

    /// Starts the server (again). On its first start the system chooses the port, and it keeps it afterwards.
    pub fn start_server(&mut self) -> Result<()> {
        let ready = self.path("ready");
        let _ = std::fs::remove_file(&ready);
        let listen = self.url.strip_prefix("http://").unwrap_or("127.0.0.1:0").to_owned();
        let page = dist()?;
        let mut server = Running::start(
            &program("jianzhen-server")?,
            &[
                "serve",
                "--data",
                &self.server_data(),
                "--listen",
                &listen,
                "--page",
                utf8(&page),
                "--ready-file",
                utf8(&ready),
            ],
            &self.path("server.log"),
        )?;
        let log = self.path("server.log");
        self.url = wait_for("the server's start", Duration::from_secs(30), || {
            if server.has_ended() {
                anyhow::bail!("the server ended at once:\n{}", std::fs::read_to_string(&log)?);
            }
            Ok(std::fs::read_to_string(&ready).ok().map(|url| url.trim().trim_end_matches('/').to_owned()))
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// Stops the server as a power cut would.
    pub fn stop_server(&mut self) {
        self.server = None;
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
                &self.server_data(),
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

    /// Records `input` into a new file `name` and waits until everything is sealed.
    pub fn record(&self, input: &Path, name: &str) -> Result<Sealed> {
        let output = self.path(name);
        self.seal(&["record", "--input", utf8(input), "--output", utf8(&output)])?;
        Self::sealed(output)
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
        self.path("server/trust.json")
    }

    /// A path under this stack's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn server_data(&self) -> String {
        utf8(&self.path("server")).to_owned()
    }

    fn recorder_data(&self) -> String {
        utf8(&self.path("recorder")).to_owned()
    }

    /// The bytes that the server has read from its sockets since it started.
    pub fn received_bytes(&self) -> Result<u64> {
        let metrics = crate::browser::get(&format!("{}/metrics", self.url))?;
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
