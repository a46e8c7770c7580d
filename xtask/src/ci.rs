//! `cargo xtask ci`: what `.ci/run` runs, here for whoever wants the same answer before pushing.

use crate::process::Runner;
use crate::workspace::Workspace;
use crate::{check, test};

/// `check`, then `test`.
pub(crate) fn run(workspace: &Workspace, runner: &Runner) -> anyhow::Result<()> {
    check::run(workspace, runner)?;
    test::run(workspace, runner, &test::Options::default())
}
