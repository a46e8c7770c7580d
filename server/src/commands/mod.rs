//! The command line.

mod backup;
mod enrol;
mod fsck;
mod init;
mod policy;
mod registrar;
mod reindex;
mod restore;
mod revoke;
mod serve;
mod snapshot;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::store::Store;

/// Seals statements of recorders into a public log and helps everybody to verify them.
#[derive(Debug, Parser)]
#[command(name = "jianzhen-server", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys, database, config.toml and trust.json of a new service
    Init(init::Init),
    /// Run the service
    Serve(serve::Serve),
    /// Enrol the key of a device or of an account
    Enrol(enrol::Enrol),
    /// Revoke a key
    Revoke(revoke::Revoke),
    /// Sign and seal a snapshot of all revoked keys, which are read from the log itself
    Snapshot(snapshot::Snapshot),
    /// Copy database, settings, trust file and keys; the service may run
    Backup(backup::Backup),
    /// Make a data directory from a backup, or the public part of a log from a mirror
    Restore(restore::Restore),
    /// Set the witnesses of the log, and how many of them must cosign; the service must not run
    Policy(policy::SetPolicy),
    /// Make a new key of the log and let it sign from a time on; the service must not run
    RotateKey(policy::RotateKey),
    /// Derive everything again from the stored entries and say what disagrees (exit code 1); the service must not run
    Fsck(Offline),
    /// Build the lookup index again from the stored entries; the service must not run
    Reindex(Offline),
}

/// A command on the data directory of a service that does not run.
#[derive(Debug, Args)]
struct Offline {
    /// The data directory
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Init(init) => run_async(init.run()),
            Command::Serve(serve) => run_async(serve.run()),
            // They ask the service as any other program does, and block.
            Command::Enrol(enrol) => enrol.run(),
            Command::Revoke(revoke) => revoke.run(),
            Command::Snapshot(snapshot) => snapshot.run(),
            Command::Backup(backup) => run_async(backup.run()),
            Command::Restore(restore) => restore.run(),
            Command::Policy(policy) => run_async(policy.run()),
            Command::RotateKey(rotate) => run_async(rotate.run()),
            Command::Fsck(offline) => run_async(fsck::run(&DataDir::new(offline.data))),
            Command::Reindex(offline) => run_async(reindex::run(&DataDir::new(offline.data))),
        }
    }
}

fn run_async(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(command)
}

fn runtime() -> anyhow::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("The asynchronous runtime cannot be started")
}

/// Opens an initialised data directory: its settings and its database.
async fn open(data: &DataDir) -> anyhow::Result<(Config, Store)> {
    ensure!(
        !data.unfinished_restore().exists(),
        "A restore of {} has begun and not ended; run it again.",
        data.path().display()
    );
    open_unfinished(data).await
}

/// The same while it is being restored.
async fn open_unfinished(data: &DataDir) -> anyhow::Result<(Config, Store)> {
    let config = Config::load(&data.config())?;
    let store = Store::open(&data.database())
        .await
        .with_context(|| format!("The database {} cannot be opened", data.database().display()))?;
    Ok((config, store))
}
