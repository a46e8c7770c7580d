//! The project's commands: `cargo xtask setup | build | demo | test | check | fuzz | chaos | bench | ci`.
//!
//! A command does all the set-up it needs and nothing else; what is there already is found in milliseconds.
//! Everything a command starts is in a process group of its own and is gone when the command is gone
//! (see [`process`]).

mod build;
mod cache;
mod check;
mod ci;
mod demo;
mod fuzz;
mod harness;
mod process;
mod report;
mod setup;
mod test;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::process::{Interrupted, Runner};
use crate::setup::Needs;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, build, demonstrate, test and check Jianzhen")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building and testing need; does nothing where it is there already.
    Setup,
    /// Build the page (`dist/`) and the native programs, and print the page's size over the wire.
    Build,
    /// Start a complete stack on loopback, record the bundled sample into it, and print what to try.
    Demo(demo::Options),
    /// Run every test: native, test vectors, WebAssembly in a browser, end to end, a short chaos.
    Test(test::Options),
    /// Format, clippy (native and wasm), documentation, dependencies.
    Check,
    /// Fuzz every parser, on the stable toolchain.
    Fuzz(fuzz::Options),
    /// Kill servers and witnesses, fill disks and cut cables under load; check that nothing is lost or forked.
    Chaos(harness::Chaos),
    /// Measure, and write the figures into docs/benchmarks.md.
    #[command(subcommand)]
    Bench(harness::Bench),
    /// What continuous integration runs: `check`, then `test`.
    Ci,
    /// Trunk's post-build hook; see Trunk.toml.
    #[command(hide = true)]
    TrunkHook {
        /// The folder where Trunk assembles the page.
        #[arg(long, env = "TRUNK_STAGING_DIR")]
        staging: PathBuf,
        /// The path under which the page is served, with its trailing slash.
        #[arg(long, env = "TRUNK_PUBLIC_URL", default_value = "/")]
        public_url: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => {
                eprintln!("{interrupted}");
                ExitCode::from(interrupted.exit_code())
            }
            None => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // The hook is a child of Trunk, which is a child of ours: it needs no tools and starts nothing.
    if let Command::TrunkHook { staging, public_url } = &cli.command {
        return build::hook::finish_page(staging, public_url);
    }
    let workspace = Workspace::find()?;
    let runner = Runner::new()?;
    match cli.command {
        Command::Setup => setup::ensure(&workspace, &runner, Needs::all()).map(drop),
        Command::Build => build::run(&workspace, &runner).map(drop),
        Command::Demo(options) => demo::run(&workspace, &runner, &options),
        Command::Test(options) => test::run(&workspace, &runner, &options),
        Command::Check => check::run(&workspace, &runner),
        Command::Fuzz(options) => fuzz::run(&workspace, &runner, &options),
        Command::Chaos(options) => harness::chaos(&workspace, &runner, &options),
        Command::Bench(what) => harness::bench(&workspace, &runner, &what),
        Command::Ci => ci::run(&workspace, &runner),
        Command::TrunkHook { .. } => Ok(()), // invariant: handled above
    }
}
