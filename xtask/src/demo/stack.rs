//! The server and its witnesses, running, and one enrolled recorder.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;

use super::scratch::Scratch;
use super::service::Service;
use super::witnesses::{QUORUM, Witness};
use super::{existing, http};
use crate::process::Runner;

/// The chain's name; a domain that cannot exist, so that no demonstration is taken for an operator.
pub(super) const ORIGIN: &str = "demo.jianzhen.invalid/log";

/// How long a quorum of witnesses may take to be there.
const READY: Duration = Duration::from_secs(30);

/// The native programs.
pub(super) struct Programs {
    pub(super) server: PathBuf,
    pub(super) witness: PathBuf,
    pub(super) audit: PathBuf,
    pub(super) recorder: PathBuf,
    pub(super) verify: PathBuf,
}

impl Programs {
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let program = |name: &str| existing(folder.join(name), "the program");
        Ok(Self {
            server: program("jianzhen-server")?,
            witness: program("jianzhen-witness")?,
            audit: program("jianzhen-audit")?,
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
    // Before the witnesses: it is stopped first.
    server: Service,
    witnesses: Vec<Witness>,
}

/// What `jianzhen-recorder init --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct NewDevice {
    public_key: String,
}

impl<'a> Stack<'a> {
    /// Makes keys, starts witnesses and server, enrols a recorder.
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
        let log_vkey = find_vkey(&runner.output(&init)?, ORIGIN)?;

        // The mirror must know where the log will be, and the server where the witnesses are.
        let listen = format!("127.0.0.1:{}", if port == 0 { free_port()? } else { port });
        let witnesses =
            Witness::start_all(runner, programs, scratch, &log_vkey, &format!("http://{listen}"))?;
        let mut policy = Command::new(&programs.server);
        policy.arg("policy").arg("--data").arg(&data).args(["--quorum", &QUORUM.to_string()]);
        for witness in &witnesses {
            policy.args(["--witness", &witness.argument()]);
        }
        runner.output(&policy)?;

        let mut serve = Command::new(&programs.server);
        serve.arg("serve").arg("--data").arg(&data).args(["--listen", &listen]).arg("--page").arg(page);
        let mut server = Service::start(runner, scratch, "server", "server", serve)?;
        wait_until_ready(runner, &mut server)?;
        // A server without a page answers, and is no demonstration.
        http::demand_success(server.url(), "/")?;

        let stack = Self { programs, scratch, log_vkey, server, witnesses };
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
        enrol.arg("enrol").arg("--data").arg(self.server_data()).args(["--server", self.url()]);
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
        record.arg("record").arg("--data").arg(self.recorder_data()).args(["--server", self.url()]);
        record.arg("--trust").arg(self.trust()).arg("--input").arg(input);
        record.arg("--gpx").arg(gpx).arg("--output").arg(output);
        runner.run(&record)
    }

    /// Fails once the server or a witness has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.server.check()?;
        self.witnesses.iter_mut().try_for_each(Witness::check)
    }

    /// The page's address, without a trailing slash.
    pub(super) fn url(&self) -> &str {
        self.server.url()
    }

    pub(super) fn log_vkey(&self) -> &str {
        &self.log_vkey
    }

    pub(super) fn witnesses(&self) -> &[Witness] {
        &self.witnesses
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

/// The verifier key of `name` in what an `init` command prints: `NAME+HASH+KEY`.
pub(super) fn find_vkey(printed: &str, name: &str) -> anyhow::Result<String> {
    printed
        .split_whitespace()
        .find(|word| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('+')))
        .map(str::to_owned)
        .with_context(|| format!("`init` printed no verifier key of {name}"))
}

/// Waits until the server has heard from a quorum of its witnesses: before that it seals nothing.
fn wait_until_ready(runner: &Runner, server: &mut Service) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY;
    loop {
        server.check()?;
        match http::demand_success(server.url(), "/readyz") {
            Err(_) if Instant::now() < deadline => runner.pause(Duration::from_millis(50))?,
            answer => return answer,
        }
    }
}

/// A port of the loopback interface that nobody listens at now.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port of 127.0.0.1 is free")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::{ORIGIN, find_vkey};

    #[test]
    fn the_log_key_is_found_wherever_it_is_printed() {
        let vkey = "demo.jianzhen.invalid/log+0a1b2c3d+AQIDBA==";
        assert_eq!(find_vkey(&format!("{vkey}\n"), ORIGIN).unwrap(), vkey);
        assert_eq!(find_vkey(&format!("made keys\n  log:  {vkey}\nand more"), ORIGIN).unwrap(), vkey);
        for printed in ["", "demo.jianzhen.invalid/log", "other.example/log+0a1b2c3d+AQIDBA=="] {
            assert!(find_vkey(printed, ORIGIN).is_err(), "{printed}");
        }
    }
}
