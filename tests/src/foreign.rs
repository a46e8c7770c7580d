//! Programs that are not ours: what others wrote to the same specifications.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Running, reserve_port, run, tail, wait_for};
use crate::stack::utf8;
use crate::witness::find_vkey;

/// The interpreter of the Python environment that `cargo xtask test` makes.
pub fn python() -> Result<PathBuf> {
    let python =
        std::env::var_os("JIANZHEN_PYTHON").context("JIANZHEN_PYTHON is not set: run `cargo xtask test`")?;
    Ok(PathBuf::from(python))
}

/// Runs a script of `tests/foreign` and gives what it printed.
pub fn script(name: &str, arguments: &[&str]) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign").join(name);
    let output = run(&python()?, &[&[utf8(&path)], arguments].concat())?;
    Ok(String::from_utf8(output.stdout)?)
}

/// `aics-witness` (PyPI), a witness server in Python.
#[derive(Debug)]
pub struct AicsWitness {
    /// Its verifier key.
    pub vkey: String,
    /// Its address, without a trailing slash.
    pub url: String,
    directory: PathBuf,
    process: Option<Running>,
}

impl AicsWitness {
    /// Makes its key and state under `directory`. It does not run yet.
    pub fn init(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let name = "aics.example/witness";
        let listen = format!("127.0.0.1:{}", reserve_port()?);
        let mut witness = Self {
            vkey: String::new(),
            url: format!("http://{listen}"),
            directory: directory.to_owned(),
            process: None,
        };
        let printed = witness.run("init", &["--name", name, "--listen", &listen])?;
        witness.vkey = find_vkey(&printed, name)?;
        Ok(witness)
    }

    /// Lets it witness a log.
    pub fn add_log(&self, origin: &str, vkey: &str) -> Result<()> {
        self.run("add-log", &["--origin", origin, "--vkey", vkey]).map(drop)
    }

    /// Starts it (again) and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        let log = self.directory.join("log");
        let config = self.config();
        let arguments = ["-m", "aics_witness", "serve", "--config", utf8(&config)];
        let mut process = Running::start(&python()?, &arguments, &log)?;
        let healthz = format!("{}/healthz", self.url);
        wait_for("the start of aics-witness", Duration::from_secs(30), || {
            if process.ending().is_some() {
                bail!("aics-witness ended:\n{}", tail(&log));
            }
            Ok((crate::http::status(&healthz).ok() == Some(200)).then_some(()))
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// As `jianzhen-server policy` takes it.
    pub fn argument(&self) -> String {
        format!("aics,{},{}", self.vkey, self.url)
    }

    fn run(&self, command: &str, more: &[&str]) -> Result<String> {
        let config = self.config();
        let output =
            run(&python()?, &[&["-m", "aics_witness", command, "--config", utf8(&config)], more].concat())?;
        Ok(String::from_utf8(output.stdout)?)
    }

    fn config(&self) -> PathBuf {
        self.directory.join("witness.json")
    }
}
