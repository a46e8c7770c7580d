//! A program of the stack that answers HTTP: started, waited for, watched.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::scratch::Scratch;
use crate::process::{Group, Runner};

/// How long a program may take until it answers. It has nothing to recover here.
const START: Duration = Duration::from_secs(60);

/// A running program; dropping it stops it.
pub(super) struct Service {
    /// What a person calls it.
    name: &'static str,
    url: String,
    log: PathBuf,
    group: Group,
}

impl Service {
    /// Starts `command`, which takes `--ready-file`, and waits until it answers. Its output goes to `{file}.log`.
    pub(super) fn start(
        runner: &Runner,
        scratch: &Scratch,
        name: &'static str,
        file: &str,
        mut command: Command,
    ) -> anyhow::Result<Self> {
        let ready = scratch.path(&format!("{file}.ready"));
        let log = scratch.path(&format!("{file}.log"));
        let output = File::create(&log).with_context(|| format!("{} could not be made", log.display()))?;
        let errors = output.try_clone().with_context(|| format!("{} could not be shared", log.display()))?;
        command.arg("--ready-file").arg(&ready);
        let group = runner.spawn(&command, Stdio::from(output), Stdio::from(errors))?;
        let mut service = Self { name, url: String::new(), log, group };
        service.url = service.wait(runner, &ready)?;
        Ok(service)
    }

    /// Waits for the file that the program writes, by rename, once it answers.
    fn wait(&mut self, runner: &Runner, ready: &PathBuf) -> anyhow::Result<String> {
        let deadline = Instant::now() + START;
        loop {
            if let Ok(text) = fs::read_to_string(ready) {
                return Ok(text.trim().trim_end_matches('/').to_owned());
            }
            if let Some(status) = self.group.try_wait()? {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                bail!(
                    "the {} ended at its start ({status}); is the port taken? --port 0 takes a free one.\n{log}",
                    self.name
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "the {} did not answer within {} s; its log is {}",
                    self.name,
                    START.as_secs(),
                    self.log.display()
                );
            }
            runner.pause(Duration::from_millis(20))?;
        }
    }

    /// Fails once the program has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.group.try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!("the {} has ended ({status}); its log is {}", self.name, self.log.display())
            }
        }
    }

    /// Its address, without a trailing slash.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}
