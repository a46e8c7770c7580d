//! Where things are: the checkout's root, cargo's target folder, and the pinned versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// The checkout this xtask was started in.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    pins: Pins,
}

/// `[workspace.metadata]` of the root manifest: the only place that pins a tool's version.
#[derive(Deserialize)]
pub(crate) struct Pins {
    /// Crates that are installed as programs.
    pub(crate) tools: BTreeMap<String, String>,
    /// Python packages of the test vectors' generator.
    pub(crate) python: BTreeMap<String, String>,
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    metadata: Pins,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR`, configuration files and subfolders all mean what they mean to cargo.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version=1"])
            .output()
            .context("`cargo metadata` could not be started")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .context("`cargo metadata` printed something unexpected")?;
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory, pins: metadata.metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The built page.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where `cargo build --release` leaves the native programs.
    pub(crate) fn programs(&self) -> PathBuf {
        self.target.join("release")
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    /// A `cargo` command in the checkout's root.
    pub(crate) fn cargo(&self) -> Command {
        self.command("cargo")
    }

    /// A command in the checkout's root.
    ///
    /// `cargo run` describes *xtask* in variables that build scripts watch (`CARGO_MANIFEST_DIR`, …); handing them on
    /// would make a build started by xtask and the same build started by hand rebuild each other's dependencies.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let describes_xtask = name.to_str().is_some_and(|name| {
                name == "CARGO"
                    || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
                        .iter()
                        .any(|prefix| name.starts_with(prefix))
            });
            if describes_xtask {
                command.env_remove(name);
            }
        }
        command
    }
}

impl Pins {
    /// The pinned version of the crate that is installed as a program.
    pub(crate) fn tool(&self, name: &str) -> anyhow::Result<&str> {
        self.tools
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("Cargo.toml pins no version of {name} in [workspace.metadata.tools]"))
    }

    /// The pinned version of a Python package.
    pub(crate) fn python(&self, name: &str) -> anyhow::Result<&str> {
        self.python
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("Cargo.toml pins no version of {name} in [workspace.metadata.python]"))
    }
}
