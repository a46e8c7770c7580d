//! `cargo xtask check`: everything that reads the code without running it.

use std::path::PathBuf;

use crate::process::Runner;
use crate::report::{self, Sections};
use crate::setup::{self, Needs, Toolbox, WASM_TARGET};
use crate::workspace::Workspace;

/// Crates that only exist in a browser.
pub(crate) const BROWSER_CRATES: [&str; 3] = ["protocol", "verifier-wasm", "web"];

/// Crates that run in the browser and outside it. Their tests use native crates, so here they are checked without.
const SHARED_CRATES: [&str; 3] = ["tlog", "media", "evidence"];

/// Runs all checks; the first that fails ends the command.
pub(crate) fn run(workspace: &Workspace, runner: &Runner) -> anyhow::Result<()> {
    let mut sections = Sections::new();
    let result = all(workspace, runner, &mut sections);
    sections.print();
    result
}

fn all(workspace: &Workspace, runner: &Runner, sections: &mut Sections) -> anyhow::Result<()> {
    let toolbox = sections.run("set-up", || setup::ensure(workspace, runner, Needs::lints()))?;
    let cargo = |arguments: &[&str]| {
        let mut command = workspace.cargo();
        command.args(arguments);
        command
    };
    sections.run("format", || runner.run(&cargo(&["fmt", "--all", "--check"])))?;
    sections.run("clippy, native", || {
        let mut command = cargo(&["clippy", "--workspace", "--all-targets"]);
        command.args(BROWSER_CRATES.map(|name| format!("--exclude={name}")));
        runner.run(command.args(["--", "-D", "warnings"]))
    })?;
    sections.run("clippy, wasm", || {
        let mut shared = cargo(&["clippy", "--target", WASM_TARGET]);
        shared.args(SHARED_CRATES.map(|name| format!("--package={name}")));
        runner.run(shared.args(["--", "-D", "warnings"]))?;
        let mut browser = cargo(&["clippy", "--target", WASM_TARGET, "--all-targets"]);
        browser.args(BROWSER_CRATES.map(|name| format!("--package={name}")));
        runner.run(browser.args(["--", "-D", "warnings"]))
    })?;
    sections.run("documentation", || {
        let mut native = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
        native.args(BROWSER_CRATES.map(|name| format!("--exclude={name}")));
        runner.run(native.env("RUSTDOCFLAGS", "-D warnings"))?;
        let mut browser = cargo(&["doc", "--no-deps", "--document-private-items", "--target", WASM_TARGET]);
        browser.args(BROWSER_CRATES.map(|name| format!("--package={name}")));
        runner.run(browser.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    sections.run("dependencies", || dependencies(workspace, runner, &toolbox))
}

/// cargo-deny: licences, sources and duplicates always; advisories where their database is on this machine.
fn dependencies(workspace: &Workspace, runner: &Runner, toolbox: &Toolbox) -> anyhow::Result<()> {
    let advisories = has_advisory_database();
    let mut command = toolbox.equip(workspace.command("cargo-deny"));
    command.args(["--workspace", "--all-features", "check"]);
    if advisories {
        command.arg("--disable-fetch").arg("advisories");
    }
    // An exception that nothing needs any more is a lie about the dependencies.
    command.args([
        "-D",
        "unmatched-skip",
        "-D",
        "unnecessary-skip",
        "-D",
        "license-exception-not-encountered",
    ]);
    runner.run(command.args(["bans", "licenses", "sources"]))?;
    if !advisories {
        report::warn(
            "security advisories were NOT checked: there is no advisory database on this machine \
             (`cargo deny fetch db` gets one where the network allows it)",
        );
    }
    Ok(())
}

/// Whether cargo-deny's advisory database has been fetched before.
fn has_advisory_database() -> bool {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    cargo_home
        .and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok())
        .is_some_and(|databases| databases.flatten().any(|database| database.path().join("crates").is_dir()))
}
