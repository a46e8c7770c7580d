//! `jianzhen-recorder`

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use jianzhen_recorder::cli::Cli;
use jianzhen_recorder::commands;

/// BSD `EX_USAGE`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    match commands::run(cli) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("{}", client::sentences(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
