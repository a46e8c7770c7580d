//! `cargo xtask build`: the page by Trunk, the native programs by cargo.

mod compress;
pub(crate) mod hook;
mod html;
mod size;
mod worker;

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
    let mut trunk = toolbox.equip(workspace.command("trunk"));
    // Trunk refuses `NO_COLOR=1`: it wants a boolean word.
    trunk.env_remove("NO_COLOR").args(["build", "--release", "--log", "warn"]);
    runner.run(&trunk)?;
    size::print(&workspace.dist())
}

/// Builds the native programs in release: the workspace's default members.
pub(crate) fn programs(workspace: &Workspace, runner: &Runner) -> anyhow::Result<()> {
    report::step("Building the native programs");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release"]);
    runner.run(&cargo)
}
