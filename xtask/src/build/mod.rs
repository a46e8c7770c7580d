//! `cargo xtask build`: the page by Trunk, the native programs by cargo.

mod compress;
pub(crate) mod hook;
mod html;
mod size;
mod worker;

use std::fs::{File, TryLockError};
use std::time::Duration;

use anyhow::Context;

use crate::process::Runner;
use crate::report;
use crate::setup::{self, Needs, Toolbox};
use crate::workspace::Workspace;

/// Sets up, builds everything, prints the page's size.
pub(crate) fn run(workspace: &Workspace, runner: &Runner) -> anyhow::Result<Toolbox> {
    let toolbox = setup::ensure(workspace, runner, Needs::page())?;
    page(workspace, runner, &toolbox)?;
    programs(workspace, runner)?;
    Ok(toolbox)
}

/// Builds the page into `dist/` and prints its size.
pub(crate) fn page(workspace: &Workspace, runner: &Runner, toolbox: &Toolbox) -> anyhow::Result<()> {
    report::step("Building the page (dist/)");
    let _lock = lock(workspace, runner)?;
    let mut trunk = toolbox.equip(workspace.command("trunk"));
    // Trunk refuses `NO_COLOR=1`: it wants a boolean word.
    // A backtrace through Trunk's own functions says nothing about the page.
    trunk.env_remove("NO_COLOR").env("RUST_BACKTRACE", "0").args(["build", "--release", "--log", "warn"]);
    runner.run(&trunk)?;
    size::print(&workspace.dist())
}

/// Two Trunks at a time would take each other's staging folder apart.
fn lock(workspace: &Workspace, runner: &Runner) -> anyhow::Result<File> {
    let path = workspace.target().join("page.lock");
    let failed = || format!("{} could not be locked", path.display());
    let file = File::create(&path).with_context(failed)?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
            Err(TryLockError::WouldBlock) if told => runner.pause(Duration::from_millis(200))?,
            Err(TryLockError::WouldBlock) => {
                println!("Waiting for another xtask that is building the page");
                told = true;
            }
        }
    }
}

/// Builds the native programs in release: the workspace's default members.
pub(crate) fn programs(workspace: &Workspace, runner: &Runner) -> anyhow::Result<()> {
    report::step("Building the native programs");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release"]);
    runner.run(&cargo)
}
