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
            eprintln!("{}", sentences(&error));
            ExitCode::FAILURE
        }
    }
}

/// Most errors are whole sentences that contain their cause; of the others the cause is said as well.
fn sentences(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(cause.trim_end_matches('.')) {
            said.push_str(if said.ends_with('.') { " " } else { ": " });
            said.push_str(&cause);
        }
    }
    said
}
