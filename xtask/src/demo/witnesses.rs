//! The three witnesses: any two of them are a quorum, and the third keeps a copy of the chain.

use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::scratch::Scratch;
use super::service::Service;
use super::stack::{ORIGIN, Programs};
use crate::process::Runner;

/// How many of them must have cosigned a root before it counts.
pub(super) const QUORUM: usize = 2;

const WITNESSES: [Named; 3] = [
    Named { name: "witness-1", spoken: "first witness" },
    Named { name: "witness-2", spoken: "second witness" },
    Named { name: "witness-3", spoken: "third witness (the mirror)" },
];

struct Named {
    name: &'static str,
    spoken: &'static str,
}

/// One running witness.
pub(super) struct Witness {
    name: &'static str,
    vkey: String,
    service: Service,
}

impl Witness {
    /// Makes and starts all of them, for the log with this key, which will be served at `server`.
    pub(super) fn start_all(
        runner: &Runner,
        programs: &Programs,
        scratch: &Scratch,
        log_vkey: &str,
        server: &str,
    ) -> anyhow::Result<Vec<Self>> {
        let mut running = Vec::new();
        for (place, named) in WITNESSES.iter().enumerate() {
            let mirrors = place + 1 == WITNESSES.len();
            let mirrored = mirrors.then(|| format!("{server}/log"));
            running.push(Self::start(runner, programs, scratch, named, log_vkey, mirrored.as_deref())?);
        }
        Ok(running)
    }

    fn start(
        runner: &Runner,
        programs: &Programs,
        scratch: &Scratch,
        named: &Named,
        log_vkey: &str,
        mirrored: Option<&str>,
    ) -> anyhow::Result<Self> {
        let data = scratch.path(named.name);
        let command = |name: &str| {
            let mut command = Command::new(&programs.witness);
            command.arg(name).arg("--data").arg(&data);
            command
        };
        // A domain that cannot exist, as the log's.
        let key_name = format!("{}.demo.jianzhen.invalid", named.name);
        let mut init = command("init");
        init.args(["--name", &key_name]);
        let vkey = super::stack::find_vkey(&runner.output(&init)?, &key_name)?;

        let mut add = command("add-log");
        add.args(["--vkey", log_vkey]);
        if let Some(log) = mirrored {
            add.args(["--mirror", log]);
        }
        runner.output(&add)?;

        let mut serve = command("serve");
        serve.args(["--listen", "127.0.0.1:0"]);
        let service = Service::start(runner, scratch, named.spoken, named.name, serve)?;
        Ok(Self { name: named.name, vkey, service })
    }

    /// As `jianzhen-server policy` takes it.
    pub(super) fn argument(&self) -> String {
        format!("{},{},{}", self.name, self.vkey, self.url())
    }

    pub(super) fn vkey(&self) -> &str {
        &self.vkey
    }

    /// Its address, without a trailing slash.
    pub(super) fn url(&self) -> &str {
        self.service.url()
    }

    /// Where its copy of the chain is, if it keeps one (docs/spec/witness.md).
    pub(super) fn mirror_url(&self) -> String {
        format!("{}/mirror/{}", self.url(), hex::encode(Sha256::digest(ORIGIN)))
    }

    /// Fails once it has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.service.check()
    }
}
