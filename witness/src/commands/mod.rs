//! The command line.

mod add_log;
mod fsck;
mod init;
mod serve;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Cosigns the checkpoints of logs that only grow, and may keep verified copies of them.
#[derive(Debug, Parser)]
#[command(name = "jianzhen-witness", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make key, database and configuration of a new witness; prints its verifier key
    Init(init::Init),
    /// Look after a log, or take a further key of one; a running witness hears of it by SIGHUP
    AddLog(add_log::AddLog),
    /// Run the witness
    Serve(serve::Serve),
    /// Check the state and derive the copies again from their entries; says what is wrong (exit code 1). The witness must not run
    Fsck(fsck::Fsck),
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Init(init) => run_async(init.run()),
            Command::AddLog(add) => add.run(),
            Command::Serve(serve) => run_async(serve.run()),
            Command::Fsck(fsck) => run_async(fsck.run()),
        }
    }
}

fn run_async(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("The asynchronous runtime cannot be started")?;
    runtime.block_on(command)
}
