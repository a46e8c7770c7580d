//! `cargo xtask demo`: a complete stack on loopback, with fresh keys and something to verify.

mod http;
mod samples;
mod scratch;
mod stack;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::build;
use crate::process::Runner;
use crate::report;
use crate::workspace::Workspace;
use samples::Samples;
use scratch::Scratch;
use stack::{Programs, Stack};

/// Where the demonstration lives.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder for keys, databases and samples; emptied first if an earlier demonstration made it.
    #[arg(long, default_value = "demo")]
    dir: PathBuf,
    /// Port of the page on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 8600)]
    port: u16,
}

/// Builds, starts, records, prints, and waits for Ctrl-C.
pub(crate) fn run(workspace: &Workspace, runner: &Runner, options: &Options) -> anyhow::Result<()> {
    let scratch = Scratch::prepare(&options.dir)?;
    build::run(workspace, runner)?;

    report::step("Starting the stack");
    let programs = Programs::find(&workspace.programs())?;
    let mut stack = Stack::start(runner, &programs, &scratch, &workspace.dist(), options.port)?;
    let samples = Samples::make(workspace, runner, &stack)?;
    let _description = scratch.describe(&json!({
        "url": stack.url(),
        "trust": stack.trust(),
        "log_vkey": stack.log_vkey(),
        "server_data": stack.server_data(),
        "recorder_data": stack.recorder_data(),
        "bin": { "server": programs.server, "recorder": programs.recorder, "verify": programs.verify },
        "samples": {
            "sealed": samples.sealed,
            "altered": samples.altered,
            "unrelated": samples.unrelated,
            "evidence": samples.evidence,
        },
    }))?;
    print(&stack, &samples, &scratch);
    loop {
        runner.pause(Duration::from_millis(200))?;
        stack.check()?;
    }
}

fn print(stack: &Stack<'_>, samples: &Samples, scratch: &Scratch) {
    println!(
        "
The page       {url}

Drop one of these on it:
  sealed       {sealed}
  altered      {altered} (one byte changed)
  unrelated    {unrelated}
  evidence     {evidence} (with the sealed or the altered video, also offline)

The same on the command line:
  {verify} {sealed} --server {url} --trust {trust}

All this for scripts: {description}
Ctrl-C stops everything.",
        url = stack.url(),
        sealed = samples.sealed.display(),
        altered = samples.altered.display(),
        unrelated = samples.unrelated.display(),
        evidence = samples.evidence.display(),
        verify = stack.programs().verify.display(),
        trust = stack.trust().display(),
        description = scratch.description().display(),
    );
}

/// Makes an error of a path that is not there.
fn existing(path: PathBuf, what: &str) -> anyhow::Result<PathBuf> {
    std::fs::metadata(&path).with_context(|| format!("{what} {} is missing", path.display()))?;
    Ok(path)
}
