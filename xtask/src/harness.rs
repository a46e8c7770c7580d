//! Long runs of the test harness with real programs: `cargo xtask chaos` and `cargo xtask bench`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::build;
use crate::process::Runner;
use crate::report;
use crate::setup::{self, Needs};
use crate::workspace::Workspace;

/// The package with the harness.
pub(crate) const PACKAGE: &str = "jianzhen-tests";

/// Where figures are written.
const BENCHMARKS: &str = "docs/benchmarks.md";

/// Kills under load.
#[derive(Args)]
pub(crate) struct Chaos {
    /// How many processes to kill.
    #[arg(long, default_value_t = 30)]
    kills: u64,
    /// Repeats the same choices; when they take effect still depends on the machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How long devices wait for their receipts; writes its section of docs/benchmarks.md.
    Receipts {
        /// Statements a second.
        #[arg(long, default_value_t = 1000)]
        rate: u64,
        /// For how long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only print the figures.
        #[arg(long)]
        dry: bool,
    },
}

/// Kills processes, fills disks and cuts cables under load; fails unless every promise was kept.
pub(crate) fn chaos(workspace: &Workspace, runner: &Runner, options: &Chaos) -> anyhow::Result<()> {
    setup::ensure(workspace, runner, Needs::faults())?;
    build::programs(workspace, runner)?;
    let mut command = program(workspace, runner, "chaos")?;
    command.args(["--kills", &options.kills.to_string(), "--seed", &options.seed.to_string()]);
    report::step(&format!("Chaos: {} kills, seed {}", options.kills, options.seed));
    runner.run(&command)
}

/// Measures, on programs as they are released.
pub(crate) fn bench(workspace: &Workspace, runner: &Runner, what: &Bench) -> anyhow::Result<()> {
    setup::ensure(workspace, runner, Needs::default())?;
    build::programs(workspace, runner)?;
    let Bench::Receipts { rate, seconds, dry } = what;
    let mut command = program(workspace, runner, "bench-receipts")?;
    command.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()]);
    if !dry {
        command.arg("--write").arg(workspace.root().join(BENCHMARKS));
    }
    report::step(&format!("Receipts: {rate} statements/s for {seconds} s"));
    runner.run(&command)
}

/// Builds a program of the harness; gives the command that starts it.
pub(crate) fn program(workspace: &Workspace, runner: &Runner, name: &str) -> anyhow::Result<Command> {
    report::step(&format!("Building the test harness ({name})"));
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--package", PACKAGE, "--bin", name]);
    runner.run(&cargo).context("the test harness was not built")?;
    let path: PathBuf = workspace.programs().join(name);
    let mut command = workspace.command(path);
    command.env("JIANZHEN_BIN", workspace.programs());
    Ok(command)
}
