//! `cargo xtask chaos`; see [`jianzhen_tests::chaos`].

use clap::Parser;
use jianzhen_tests::chaos::{self, Options};

#[derive(Parser)]
#[command(
    about = "Kill processes, fill disks and cut cables under load; then check that nothing was lost or forked"
)]
struct Arguments {
    /// How many processes to kill
    #[arg(long, default_value_t = 30)]
    kills: u64,
    /// Repeats the same choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Devices that film meanwhile
    #[arg(long, default_value_t = 48)]
    devices: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    chaos::enter_own_namespace()?;
    chaos::run(Options { kills: arguments.kills, seed: arguments.seed, devices: arguments.devices })
}
