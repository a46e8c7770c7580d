//! `cargo xtask bench receipts`; see [`mod@jianzhen_tests::bench`].

use std::path::PathBuf;

use clap::Parser;
use jianzhen_tests::bench::{self, Options};

#[derive(Parser)]
#[command(about = "Measure how long devices wait for their receipts under a steady load")]
struct Arguments {
    /// Statements a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// For how long
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Load before that which is not counted
    #[arg(long, default_value_t = 5)]
    warm_up: u64,
    /// From how many devices; by default each signs a segment every two seconds, as a recorder does
    #[arg(long)]
    devices: Option<u64>,
    /// The file whose section is written; without it the figures are only printed
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { rate, seconds, warm_up, devices, write } = Arguments::parse();
    let options = Options { rate, seconds, warm_up, devices: devices.unwrap_or(rate * 2).max(1) };
    let measured = bench::run(options)?;
    let command = format!("cargo xtask bench receipts --rate {rate} --seconds {seconds}");
    let section = bench::section(options, &measured, &command)?;
    println!("{section}");
    println!("{} entries in the log; fsck finds nothing that disagrees.", measured.entries);
    match write {
        Some(path) => bench::write_section(&path, &section),
        None => Ok(()),
    }
}
