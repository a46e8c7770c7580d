//! The subcommands, one file each. They compose; rules live in the modules that they call.

mod deposit;
mod flush;
mod init;
mod outcome;
mod record;
mod status;

use crate::cli::{Cli, Command};

pub use outcome::Outcome;

/// Runs a command.
///
/// # Errors
/// Whatever stands in its way, as a sentence for the person.
pub fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Deposit(args) => deposit::run(&args),
        Command::Flush(args) => flush::run(&args),
        Command::Status(args) => status::run(&args),
    }
}
