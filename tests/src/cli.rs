//! `jianzhen-verify`: the same verdict on the command line.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::program;
use crate::stack::utf8;

/// What the command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// The object printed by `--json`.
    pub report: Value,
}

/// Verifies `file` with `--json`, as somebody who has never seen this chain: with no pins, as a fresh browser.
pub fn verify(file: &Path, evidence: &[&Path], server: Option<&str>, trust: &Path) -> Result<Said> {
    let mut command = Command::new(program("jianzhen-verify")?);
    let pins = tempfile::tempdir()?;
    command.arg(file).arg("--json").args(["--trust", utf8(trust), "--pins", utf8(pins.path())]);
    for evidence in evidence {
        command.args(["--evidence", utf8(evidence)]);
    }
    if let Some(server) = server {
        command.args(["--server", server]);
    }
    let output = command.output()?;
    let code = output.status.code().context("jianzhen-verify was killed")?;
    let report = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "jianzhen-verify printed no JSON (exit code {code}):\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    Ok(Said { code, report })
}

/// The exit code that belongs to a verdict (docs/spec/verdict.md).
pub fn exit_code(verdict: &str) -> i32 {
    match verdict {
        "consistent" | "excerpt" => 0,
        "inconsistent" => 1,
        "evidence-invalid" => 2,
        "not-deposited" => 3,
        "not-completed" => 4,
        other => panic!("{other} is not a verdict"),
    }
}
