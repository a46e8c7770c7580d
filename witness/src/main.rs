//! `jianzhen-witness`: see `jianzhen-witness --help`.

use std::process::ExitCode;

use clap::Parser as _;
use jianzhen_witness::commands::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("jianzhen-witness: {error:#}");
            ExitCode::FAILURE
        }
    }
}
