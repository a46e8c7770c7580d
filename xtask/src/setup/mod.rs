//! Set-up: what a fresh Debian with rustup's stable Rust lacks, and only that.
//!
//! Each command names its [`Needs`]; every need is probed first, so a second run costs milliseconds.

mod debian;
mod python;
mod rust;
mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

pub(crate) use python::videos;
pub(crate) use rust::WASM_TARGET;

use crate::cache::Cache;
use crate::process::Runner;
use crate::workspace::Workspace;

/// What a command cannot do without.
#[derive(Clone, Copy, Default)]
pub(crate) struct Needs {
    /// Trunk, wasm-bindgen and the WebAssembly target.
    page: bool,
    /// A browser that programs can drive, with a font for Chinese text.
    browser: bool,
    /// ffmpeg, the maker of test videos.
    videos: bool,
    /// The Python packages that make test vectors, and those that other implementations are.
    vectors: bool,
    /// strace, which lets the tests break a program at each of its system calls, and `ip`, which cuts one off the network.
    faults: bool,
    /// rustfmt, clippy, cargo-deny.
    lints: bool,
}

impl Needs {
    /// Enough for `build` and `demo`.
    pub(crate) fn page() -> Self {
        Self { page: true, ..Self::default() }
    }

    /// Enough for `test`.
    pub(crate) fn tests() -> Self {
        Self { browser: true, videos: true, vectors: true, faults: true, ..Self::page() }
    }

    /// Enough for `chaos`.
    pub(crate) fn faults() -> Self {
        Self { faults: true, ..Self::default() }
    }

    /// Enough for `check`.
    pub(crate) fn lints() -> Self {
        Self { lints: true, ..Self::page() }
    }

    pub(crate) fn all() -> Self {
        Self { lints: true, ..Self::tests() }
    }
}

/// The installed tools, ready to be run.
pub(crate) struct Toolbox {
    path: OsString,
    python: Option<PathBuf>,
}

impl Toolbox {
    /// Puts the pinned tools before all others on the command's `PATH`.
    pub(crate) fn equip(&self, mut command: Command) -> Command {
        command.env("PATH", &self.path);
        command
    }

    /// The Python that has the packages of the vectors' generator, where it was asked for.
    pub(crate) fn python(&self) -> Option<&Path> {
        self.python.as_deref()
    }
}

/// Installs what is missing, and says where everything is.
pub(crate) fn ensure(workspace: &Workspace, runner: &Runner, needs: Needs) -> anyhow::Result<Toolbox> {
    debian::ensure(runner, needs)?;
    rust::ensure(workspace, runner, needs)?;
    let cache = Cache::find()?;
    let folders = tools::ensure(workspace, runner, &cache, needs)?;
    let python = if needs.vectors { Some(python::ensure(workspace, runner, &cache)?) } else { None };

    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&inherited)))
        .context("the cache folder's path contains a colon, which PATH cannot hold")?;
    Ok(Toolbox { path, python })
}

/// Whether `PATH` has the program.
fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
