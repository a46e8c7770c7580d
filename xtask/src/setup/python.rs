//! The Python environment of `testdata/generate_*.py`: an implementation of the C2SP formats that is not ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::cache::Cache;
use crate::process::Runner;
use crate::report;
use crate::workspace::Workspace;

/// Written last; without it the environment is half made, and made again.
const COMPLETE: &str = ".complete";

/// Makes the environment where it is missing; returns its interpreter.
pub(super) fn ensure(workspace: &Workspace, runner: &Runner, cache: &Cache) -> anyhow::Result<PathBuf> {
    let tlog = workspace.pins().python("aics-tlog")?;
    let cryptography = workspace.pins().python("cryptography")?;
    let root = cache.folder(&format!("python-aics-tlog-{tlog}-cryptography-{cryptography}"));
    if !is_complete(&root) {
        let _lock = cache.lock()?;
        if !is_complete(&root) {
            make(runner, &root, tlog, cryptography)
                .with_context(|| format!("the Python environment {} could not be made", root.display()))?;
        }
    }
    Ok(root.join("bin/python"))
}

/// Also false when the interpreter it was made with has gone.
fn is_complete(root: &Path) -> bool {
    root.join(COMPLETE).exists() && root.join("bin/python").exists()
}

fn make(runner: &Runner, root: &Path, tlog: &str, cryptography: &str) -> anyhow::Result<()> {
    report::step("Making the Python environment of the test vectors");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(root);
    runner.run(&venv)?;

    let pip = |arguments: &[&str]| {
        let mut command = Command::new(root.join("bin/python"));
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(arguments);
        command
    };
    runner.run(&pip(&[&format!("cryptography=={cryptography}")]))?;
    // It asks for Python 3.12 and runs on Debian 12's 3.11; what it depends on has just been installed.
    runner.run(&pip(&["--no-deps", "--ignore-requires-python", &format!("aics-tlog=={tlog}")]))?;
    fs::write(root.join(COMPLETE), "")?;
    Ok(())
}
