//! `jianzhen-audit`: see `jianzhen-audit --help`.

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use jianzhen_audit::cli::{Cli, NOT_COMPLETED, USAGE};

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
    match cli.run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("jianzhen-audit: {}", client::sentences(error.as_ref()));
            ExitCode::from(NOT_COMPLETED)
        }
    }
}
