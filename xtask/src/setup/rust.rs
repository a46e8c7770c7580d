//! The Rust toolchain's optional parts, by rustup.

use std::path::Path;

use anyhow::{Context, bail};

use super::{Needs, on_path};
use crate::process::Runner;
use crate::report;
use crate::workspace::Workspace;

/// The target that browsers run.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Adds the WebAssembly target and, for checks, rustfmt and clippy.
pub(super) fn ensure(workspace: &Workspace, runner: &Runner, needs: Needs) -> anyhow::Result<()> {
    if needs.page && !has_wasm_target(workspace, runner)? {
        rustup(workspace, runner, &["target", "add", WASM_TARGET])?;
    }
    if needs.lints {
        for (component, program) in [("rustfmt", "rustfmt"), ("clippy", "clippy-driver")] {
            if !has_component(workspace, runner, program)? {
                rustup(workspace, runner, &["component", "add", component])?;
            }
        }
    }
    Ok(())
}

/// Whether the toolchain in use has a standard library for the target, wherever the toolchain came from.
fn has_wasm_target(workspace: &Workspace, runner: &Runner) -> anyhow::Result<bool> {
    let mut command = workspace.command("rustc");
    command.args(["--print", "target-libdir", "--target", WASM_TARGET]);
    Ok(Path::new(runner.output(&command)?.trim()).exists())
}

/// Whether the toolchain in use has the program. On `PATH` there is only rustup's proxy, which is always there.
fn has_component(workspace: &Workspace, runner: &Runner, program: &str) -> anyhow::Result<bool> {
    let mut command = workspace.command("rustc");
    command.args(["--print", "sysroot"]);
    Ok(Path::new(runner.output(&command)?.trim()).join("bin").join(program).exists())
}

fn rustup(workspace: &Workspace, runner: &Runner, arguments: &[&str]) -> anyhow::Result<()> {
    let line = arguments.join(" ");
    if !on_path("rustup") {
        bail!("the Rust toolchain lacks a part that `rustup {line}` would add, and there is no rustup");
    }
    report::step(&format!("rustup {line}"));
    let mut command = workspace.command("rustup");
    command.args(arguments);
    runner.run(&command).context("the Rust toolchain could not be completed")
}
