//! Chaos: a service, its three witnesses and many devices, all of them real programs or as good as real, while processes are killed,
//! disks fill up and cables are cut at random moments. Afterwards nothing that was promised may be lost or contradicted.
//!
//! - `disk`, `island`: what can break besides a process.
//! - `world`: the devices and the watchers, and what they were told.
//! - `controller`: who breaks what, and when.
//! - `findings`: what is checked in the end.

mod controller;
mod disk;
mod findings;
mod island;
mod world;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::load::device::Device;
use crate::load::notary::Notary;
use crate::load::receipts::Checker;
use crate::random::Random;
use crate::stack::{Stack, WITNESSES};
use controller::Controller;
use disk::Disk;
use findings::Findings;
use island::Island;
use world::World;

/// The port of the witness on the island.
const ISLAND_PORT: u16 = 8700;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Processes to kill.
    pub kills: u64,
    /// Repeats the same choices. (When they take effect depends on the machine.)
    pub seed: u64,
    /// Devices that film meanwhile.
    pub devices: u64,
}

/// What can break besides processes; each is absent where this machine does not allow it.
#[derive(Debug)]
struct Equipment {
    server_disk: Option<Disk>,
    mirror_disk: Option<Disk>,
    island: Option<Island>,
}

/// Replaces this process by itself in a mount namespace of its own, if that is allowed: whatever is mounted then goes with it,
/// however it ends.
pub fn enter_own_namespace() -> Result<()> {
    const MARK: &str = "JIANZHEN_CHAOS_ALONE";
    const UNSHARE: [&str; 4] = ["--mount", "--propagation", "private", "--"];
    if std::env::var_os(MARK).is_some() {
        return Ok(());
    }
    let allowed = Command::new("unshare").args(UNSHARE).arg("true").output();
    if allowed.is_ok_and(|output| output.status.success()) {
        let program = std::env::current_exe()?;
        let mut again = Command::new("unshare");
        again.args(UNSHARE).arg(program).args(std::env::args_os().skip(1)).env(MARK, "1");
        return Err(again.exec()).context("`unshare` cannot be started");
    }
    Ok(())
}

/// Breaks things until enough processes were killed, then looks at what is left. Fails unless everything was kept.
pub fn run(options: Options) -> Result<()> {
    let directory = tempfile::TempDir::with_prefix("jianzhen-chaos-")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let equipment = Equipment::prepare(directory.path());
    let mut stack = build(directory.path(), &equipment, &runtime)?;
    stack.start_all()?;

    let mut random = Random::new(options.seed);
    let notary = Notary::new(&stack.url)?;
    let checker = Checker::load(&stack.server.trust())?;
    let enrolled = Device::enrol(&stack.server, &notary, &checker, options.seed, options.devices);
    let devices = runtime.block_on(enrolled)?;
    let world = Arc::new(World::new(notary, checker, &stack.server.vkey)?);
    for url in watched(&stack) {
        let (world, random) = (Arc::clone(&world), Random::new(random.number()));
        runtime.spawn(async move { world.watch(url, random).await });
    }
    let films: Vec<_> = devices
        .into_iter()
        .map(|device| {
            let (world, random) = (Arc::clone(&world), Random::new(random.number()));
            runtime.spawn(async move { world.film(device, random).await })
        })
        .collect();

    let mut controller = Controller::new(&mut stack, &equipment, Arc::clone(&world), random);
    controller.run(options.kills)?;
    let tally = controller.finish()?;
    let findings = Findings::make(&mut stack, &world, &runtime, films)?;
    print!("{}{}", tally.table(options.seed), findings.table(&world));
    findings.judge(&world, &tally)
}

impl Equipment {
    fn prepare(directory: &Path) -> Self {
        let disk = |name: &str| {
            let disk = Disk::mount(&directory.join("disks").join(name));
            said(disk, "No disk is filled: a file system cannot be mounted here.")
        };
        Self {
            server_disk: disk("server"),
            mirror_disk: disk("mirror"),
            island: said(Island::make(), "No witness is cut off: a network namespace cannot be made here."),
        }
    }
}

fn said<T>(made: Result<T>, sentence: &str) -> Option<T> {
    made.map_err(|error| println!("{sentence} ({error:#})")).ok()
}

/// A stack whose server and mirror lie on disks that can be full, and whose first witness is on an island.
fn build(directory: &Path, equipment: &Equipment, runtime: &tokio::runtime::Runtime) -> Result<Stack> {
    // The data directories only: ready files and output are no part of what breaks.
    let place = |disk: &Option<Disk>, disk_name: &str, name: &str| match disk {
        Some(_) => std::os::unix::fs::symlink(directory.join("disks").join(disk_name), directory.join(name)),
        None => Ok(()),
    };
    place(&equipment.server_disk, "server", "server")?;
    place(&equipment.mirror_disk, "mirror", WITNESSES[WITNESSES.len() - 1])?;
    let mut stack = Stack::init(directory, "chaos.example/log")?;
    if let Some(island) = &equipment.island {
        let witness = &mut stack.witnesses[0];
        let here = witness.listen.parse().context("invariant: an address")?;
        let there = Island::address(ISLAND_PORT);
        runtime.block_on(island::forward(here, there))?;
        witness.within = island.within();
        witness.listen = there.to_string();
    }
    Ok(stack)
}

/// Everything that shows checkpoints: the service, each witness, the mirror.
fn watched(stack: &Stack) -> Vec<String> {
    let hash = stack.server.origin_hash();
    let mut urls =
        vec![format!("{}/log/checkpoint", stack.url), format!("{}/checkpoint", stack.mirror_url())];
    urls.extend(stack.witnesses.iter().map(|witness| format!("{}/{hash}/checkpoint", witness.url)));
    urls
}
