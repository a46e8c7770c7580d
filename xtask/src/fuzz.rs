//! `cargo xtask fuzz`: coverage-guided fuzzing of every parser with libFuzzer, on the stable toolchain.
//!
//! The coverage instrumentation is LLVM's own pass, which rustc takes on stable; only the sanitizers need a nightly
//! compiler, and code without `unsafe` needs them least. Programs are built into a target directory of their own,
//! because their flags would throw away every other build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::process::Runner;
use crate::workspace::Workspace;

/// Every target, named as the files in `fuzz/targets`.
const TARGETS: [&str; 11] = [
    "note",
    "checkpoint",
    "policy",
    "receipt",
    "tiles",
    "statement",
    "evidence-file",
    "submission",
    "trust",
    "roots",
    "mp4",
];

/// LLVM's sanitizer coverage as libFuzzer expects it.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=yes";

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target; all of them where none is named.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 120)]
    seconds: u32,
}

/// Builds and runs the targets. Fails at the first input that breaks one, and says where it was kept.
pub(crate) fn run(workspace: &Workspace, runner: &Runner, options: &Options) -> Result<()> {
    let root = workspace.root();
    let built = build(workspace, runner)?;
    for target in
        TARGETS.iter().filter(|name| options.target.as_deref().is_none_or(|wanted| wanted == **name))
    {
        let found = workspace.target().join("fuzz-found").join(target);
        std::fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
        println!("fuzz {target}: {} s", options.seconds);
        let mut command = Command::new(built.join(format!("fuzz-{target}")));
        command
            // New inputs go to the first folder; those in the repository hold only seeds.
            .arg(&found)
            .args(seeds(target).map(|folder| root.join(folder)).filter(|folder| folder.is_dir()))
            .arg(format!("-max_total_time={}", options.seconds))
            .arg(format!("-artifact_prefix={}/crash-", found.display()))
            // A parser that needs more for an input of at most 64 KiB has an allocation without a bound.
            .args(["-max_len=65536", "-rss_limit_mb=512", "-malloc_limit_mb=64", "-timeout=10"])
            .args(["-print_final_stats=1", "-verbosity=0"]);
        runner.run(&command).with_context(|| {
            format!("the fuzz target {target} failed; the input is in {}", found.display())
        })?;
    }
    Ok(())
}

/// The folders with seeds for a target, from the root of the checkout.
fn seeds(target: &str) -> impl Iterator<Item = PathBuf> {
    let shared = (target == "mp4").then(|| PathBuf::from("testdata/media"));
    shared.into_iter().chain([Path::new("fuzz/corpus").join(target)])
}

fn build(workspace: &Workspace, runner: &Runner) -> Result<PathBuf> {
    let host = host()?;
    let directory = workspace.target().join("fuzz");
    let mut command = workspace.cargo();
    command
        // Naming the target keeps the flags away from build scripts and procedural macros.
        .args(["build", "--release", "--locked", "--package", "fuzz", "--bins", "--target", &host])
        .env("CARGO_TARGET_DIR", &directory)
        .env("RUSTFLAGS", FLAGS);
    runner.run(&command).context("the fuzz targets were not built")?;
    Ok(directory.join(host).join("release"))
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    ensure!(output.status.success(), "rustc -vV ended with {}", output.status);
    let text = String::from_utf8(output.stdout).context("rustc printed no UTF-8")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}
