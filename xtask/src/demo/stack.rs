//! The server, running, and one enrolled recorder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::scratch::Scratch;
use super::{existing, http};
use crate::process::{Group, Runner};

/// The chain's name; a domain that cannot exist, so that no demonstration is taken for an operator.
const ORIGIN: &str = "demo.jianzhen.invalid/log";

/// How long the server may take until it answers. It has nothing to recover here.
const START: Duration = Duration::from_secs(60);

/// The native programs.
pub(super) struct Programs {
    pub(super) server: PathBuf,
    pub(super) recorder: PathBuf,
    pub(super) verify: PathBuf,
}

impl Programs {
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let program = |name: &str| existing(folder.join(name), "the program");
        Ok(Self {
            server: program("jianzhen-server")?,
            recorder: program("jianzhen-recorder")?,
            verify: program("jianzhen-verify")?,
        })
    }
}

/// A running stack; dropping it stops it.
pub(super) struct Stack<'a> {
    programs: &'a Programs,
    scratch: &'a Scratch,
    log_vkey: String,
    url: String,
    server: Group,
}

/// What `jianzhen-recorder init --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct NewDevice {
    public_key: String,
}

impl<'a> Stack<'a> {
    /// Makes keys, starts the server, enrols a recorder.
    pub(super) fn start(
        runner: &Runner,
        programs: &'a Programs,
        scratch: &'a Scratch,
        page: &Path,
        port: u16,
    ) -> anyhow::Result<Self> {
        let data = scratch.path("server");
        let mut init = Command::new(&programs.server);
        init.arg("init").arg("--data").arg(&data).args(["--origin", ORIGIN, "--name", "鉴真演示"]);
        let log_vkey = find_vkey(&runner.output(&init)?)?;

        let ready = scratch.path("server.ready");
        let log = scratch.path("server.log");
        let mut serve = Command::new(&programs.server);
        serve.arg("serve").arg("--data").arg(&data).args(["--listen", &format!("127.0.0.1:{port}")]);
        serve.arg("--page").arg(page).arg("--ready-file").arg(&ready);
        let output = File::create(&log).with_context(|| format!("{} could not be made", log.display()))?;
        let errors = output.try_clone().context("the server's log could not be shared")?;
        let mut server = runner.spawn(&serve, Stdio::from(output), Stdio::from(errors))?;
        let url = wait_until_ready(runner, &mut server, &ready, &log)?;
        // Health first, then the page itself: a server without a page answers, and is no demonstration.
        http::demand_success(&url, "/readyz")?;
        http::demand_success(&url, "/")?;

        let stack = Self { programs, scratch, log_vkey, url, server };
        stack.enrol(runner)?;
        Ok(stack)
    }

    fn enrol(&self, runner: &Runner) -> anyhow::Result<()> {
        let mut init = Command::new(&self.programs.recorder);
        init.arg("init").arg("--data").arg(self.recorder_data()).args([
            "--device-id",
            "demo-recorder-01",
            "--json",
        ]);
        let device: NewDevice = serde_json::from_str(&runner.output(&init)?)
            .context("`jianzhen-recorder init --json` printed something unexpected")?;

        let mut enrol = Command::new(&self.programs.server);
        enrol.arg("enrol").arg("--data").arg(self.server_data()).args(["--server", &self.url]);
        enrol.args(["--key", &device.public_key, "--id", "demo-recorder-01"]);
        enrol.args(["--model", "演示记录仪", "--agency", "苏州市演示执法队"]);
        runner.output(&enrol).map(drop)
    }

    /// Records `input` as `output`, and waits until all of it is sealed.
    pub(super) fn record(
        &self,
        runner: &Runner,
        input: &Path,
        gpx: &Path,
        output: &Path,
    ) -> anyhow::Result<()> {
        let mut record = Command::new(&self.programs.recorder);
        record.arg("record").arg("--data").arg(self.recorder_data()).args(["--server", &self.url]);
        record.arg("--trust").arg(self.trust()).arg("--input").arg(input);
        record.arg("--gpx").arg(gpx).arg("--output").arg(output);
        runner.run(&record)
    }

    /// Fails once the server has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.server.try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!(
                    "the server has ended ({status}); its log is {}",
                    self.scratch.path("server.log").display()
                )
            }
        }
    }

    /// The page's address, without a trailing slash.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn log_vkey(&self) -> &str {
        &self.log_vkey
    }

    pub(super) fn programs(&self) -> &Programs {
        self.programs
    }

    pub(super) fn scratch(&self) -> &Scratch {
        self.scratch
    }

    pub(super) fn server_data(&self) -> PathBuf {
        self.scratch.path("server")
    }

    pub(super) fn recorder_data(&self) -> PathBuf {
        self.scratch.path("recorder")
    }

    /// The operator's trust file.
    pub(super) fn trust(&self) -> PathBuf {
        self.server_data().join("trust.json")
    }
}

/// The log's verifier key in what `jianzhen-server init` prints: `NAME+HASH+KEY`, under the chain's name.
fn find_vkey(printed: &str) -> anyhow::Result<String> {
    printed
        .split_whitespace()
        .find(|word| word.strip_prefix(ORIGIN).is_some_and(|rest| rest.starts_with('+')))
        .map(str::to_owned)
        .with_context(|| format!("`jianzhen-server init` printed no verifier key of {ORIGIN}"))
}

/// Waits for the file that the server writes, by rename, once it answers.
fn wait_until_ready(runner: &Runner, server: &mut Group, ready: &Path, log: &Path) -> anyhow::Result<String> {
    let deadline = Instant::now() + START;
    loop {
        if let Ok(text) = fs::read_to_string(ready) {
            return Ok(text.trim().trim_end_matches('/').to_owned());
        }
        if let Some(status) = server.try_wait()? {
            let log = fs::read_to_string(log).unwrap_or_default();
            bail!(
                "the server ended at its start ({status}); is the port taken? --port 0 takes a free one.\n{log}"
            );
        }
        if Instant::now() > deadline {
            bail!("the server did not answer within {} s; its log is {}", START.as_secs(), log.display());
        }
        runner.pause(Duration::from_millis(20))?;
    }
}

#[cfg(test)]
mod tests {
    use super::find_vkey;

    #[test]
    fn the_log_key_is_found_wherever_it_is_printed() {
        let vkey = "demo.jianzhen.invalid/log+0a1b2c3d+AQIDBA==";
        assert_eq!(find_vkey(&format!("{vkey}\n")).unwrap(), vkey);
        assert_eq!(find_vkey(&format!("made keys\n  log:  {vkey}\nand more")).unwrap(), vkey);
        for printed in ["", "demo.jianzhen.invalid/log", "other.example/log+0a1b2c3d+AQIDBA=="] {
            assert!(find_vkey(printed).is_err(), "{printed}");
        }
    }
}
