//! `jianzhen-server`: see `jianzhen-server --help`.

use std::process::ExitCode;

use clap::Parser as _;
use jianzhen_server::commands::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("jianzhen-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
