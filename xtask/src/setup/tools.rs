//! Programs from the crate registry, each in a folder of the cache that is named after its version.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Needs;
use crate::cache::Cache;
use crate::process::Runner;
use crate::report;
use crate::workspace::Workspace;

/// A crate that is installed as one or more programs.
struct Tool {
    name: &'static str,
    programs: &'static [&'static str],
    /// Fewer features, fewer minutes.
    features: &'static [&'static str],
    /// Whether the crate's own lock file is used. wasm-bindgen-cli's own pins need a C library of their own.
    locked: bool,
    needed: fn(Needs) -> bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "wasm-bindgen-cli",
        programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
        features: &[],
        locked: false,
        needed: |needs| needs.page,
    },
    Tool {
        name: "trunk",
        programs: &["trunk"],
        features: &["--no-default-features", "--features", "rustls"],
        locked: true,
        needed: |needs| needs.page,
    },
    Tool {
        name: "cargo-deny",
        programs: &["cargo-deny"],
        features: &[],
        locked: true,
        needed: |needs| needs.lints,
    },
];

/// Installs the tools that are needed and missing; returns the folders of all that are needed.
pub(super) fn ensure(
    workspace: &Workspace,
    runner: &Runner,
    cache: &Cache,
    needs: Needs,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for tool in TOOLS.iter().filter(|tool| (tool.needed)(needs)) {
        let version = workspace.pins().tool(tool.name)?;
        let root = cache.tool(tool.name, version);
        if !is_complete(tool, &root) {
            let _lock = cache.lock()?;
            // Whoever held the lock before may have installed it.
            if !is_complete(tool, &root) {
                install(workspace, runner, tool, version, &root)?;
            }
        }
        folders.push(root.join("bin"));
    }
    Ok(folders)
}

fn is_complete(tool: &Tool, root: &Path) -> bool {
    tool.programs.iter().all(|program| root.join("bin").join(program).is_file())
}

fn install(
    workspace: &Workspace,
    runner: &Runner,
    tool: &Tool,
    version: &str,
    root: &Path,
) -> anyhow::Result<()> {
    report::step(&format!("Installing {} {version} (once, some minutes)", tool.name));
    let mut command = workspace.cargo();
    command
        .args(["install", tool.name, "--version", version, "--force", "--root"])
        .arg(root)
        .args(tool.features);
    if tool.locked {
        command.arg("--locked");
    }
    command
        // These programs only drive others: what an optimised build saves later, it never earns back.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        // Otherwise the tools' own dependencies stay behind in the folder of ours.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR");
    runner.run(&command).with_context(|| format!("{} {version} could not be installed", tool.name))
}
