//! System packages, by apt: installed where xtask runs as root, named exactly where it does not.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::{Needs, on_path};
use crate::process::Runner;
use crate::report;

/// A Debian package, and how to see that what it provides is there (by whatever way it came).
struct Package {
    name: &'static str,
    present: fn() -> bool,
    needed: fn(Needs) -> bool,
}

const PACKAGES: &[Package] = &[
    Package { name: "build-essential", present: || on_path("cc") && on_path("make"), needed: |_| true },
    Package { name: "chromium", present: || on_path("chromium"), needed: |needs| needs.browser },
    Package { name: "chromium-driver", present: || on_path("chromedriver"), needed: |needs| needs.browser },
    Package { name: "fonts-noto-cjk", present: has_cjk_font, needed: |needs| needs.browser },
    Package {
        name: "ffmpeg",
        present: || on_path("ffmpeg") && on_path("ffprobe"),
        needed: |needs| needs.videos,
    },
    Package { name: "strace", present: || on_path("strace"), needed: |needs| needs.faults },
    Package { name: "iproute2", present: || on_path("ip"), needed: |needs| needs.faults },
    Package { name: "python3-venv", present: has_venv, needed: |needs| needs.vectors },
];

/// Installs the packages that are needed and missing.
pub(super) fn ensure(runner: &Runner, needs: Needs) -> anyhow::Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|package| (package.needed)(needs) && !(package.present)())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !rustix::process::geteuid().is_root() || !on_path("apt-get") {
        bail!(
            "these system packages are missing: {names}. Install them and run the command again:\n\n    \
             sudo apt-get update && sudo apt-get install --yes --no-install-recommends {names}\n"
        );
    }
    report::step(&format!("Installing system packages: {names}"));
    runner.run(&apt(&["update", "--quiet"]))?;
    let mut install = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
    install.args(&missing);
    runner.run(&install)?;
    match PACKAGES.iter().find(|package| missing.contains(&package.name) && !(package.present)()) {
        Some(package) => bail!("{} is installed, but what it should provide is still missing", package.name),
        None => Ok(()),
    }
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    // Another apt may be at work, on a fresh machine its own start-up timer for one: wait for it.
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    command
}

fn has_cjk_font() -> bool {
    Path::new("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").exists()
        || answers("fc-match", &["--format=%{lang}", ":lang=zh-cn"], "zh-cn")
}

fn has_venv() -> bool {
    answers("python3", &["-c", "import ensurepip, venv; print('yes')"], "yes")
}

/// Whether the program can be run and prints `expected` somewhere.
fn answers(program: &str, arguments: &[&str], expected: &str) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| {
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains(expected)
    })
}
