//! What is left when everything is whole again.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::controller::Tally;
use super::world::World;
use crate::process::{program, run, wait_for};
use crate::stack::{Stack, utf8};

/// How long the last statements may take to be sealed, and the mirror to catch up.
const CATCH_UP: Duration = Duration::from_secs(180);

/// The answers to the questions that matter.
#[derive(Debug)]
pub(super) struct Findings {
    /// Receipts that are no longer answered, byte for byte, or do not verify.
    lost: u64,
    /// Checkpoints that are no stage of the tree.
    forks: u64,
    /// What disagrees when everything is derived again, and what the auditor says.
    disagreements: Vec<String>,
}

impl Findings {
    /// Ends the load, asks for everything again, and has everything checked by the programs that are for it.
    pub(super) fn make(
        stack: &mut Stack,
        world: &Arc<World>,
        runtime: &Runtime,
        films: Vec<JoinHandle<()>>,
    ) -> Result<Self> {
        world.drain();
        let drained = async {
            for film in films {
                film.await?;
            }
            Ok::<(), tokio::task::JoinError>(())
        };
        runtime
            .block_on(async { tokio::time::timeout(CATCH_UP, drained).await })
            .context("statements that were handed in are still without a receipt")??;
        let lost = runtime.block_on(world.ask_for_all())?;

        let forks = world.history().forks(|path| crate::http::get(&format!("{}/log/{path}", stack.url)))?;
        for fork in &forks {
            let notes: Vec<&str> = fork.notes.iter().map(tlog::SignedNote::as_str).collect();
            world.violated(format!(
                "no stage of the tree has size {} and this root:\n{}",
                fork.size,
                notes.join("\n")
            ));
        }
        wait_for_the_mirror(stack, world)?;

        let mut disagreements = Vec::new();
        let mut hear = |what: &str, result: Result<()>| {
            disagreements.extend(result.err().map(|error| format!("{what}: {error:#}")));
        };
        hear("jianzhen-audit, of the service", audit(stack, &["--server", &stack.url]));
        hear("jianzhen-audit, of the mirror", audit(stack, &["--log", &stack.mirror_url()]));
        hear("the server's end", stack.server.terminate());
        hear("fsck of the server", stack.server.fsck());
        for witness in &mut stack.witnesses {
            hear("a witness's end", witness.terminate());
            hear("fsck of a witness", witness.fsck());
        }
        Ok(Self { lost, forks: forks.len() as u64, disagreements })
    }

    /// The answers, for people.
    pub(super) fn table(&self, world: &World) -> String {
        let mut text = String::new();
        let mut row = |what: &str, count: u64| {
            let _ = writeln!(text, "{what:<44} {count:>9}");
        };
        row("statements handed in", world.statements.load(Ordering::Relaxed));
        row("receipts handed out", world.receipts() as u64);
        row("receipts asked for again meanwhile", world.asked_again.load(Ordering::Relaxed));
        row("different checkpoints seen", world.history().notes() as u64);
        row("entries", world.history().largest().get());
        row("receipts lost", self.lost);
        row("forks", self.forks);
        row("disagreements (fsck, audit)", self.disagreements.len() as u64);
        text
    }

    /// Whether that is what was promised.
    pub(super) fn judge(&self, world: &World, tally: &Tally) -> Result<()> {
        let mut complaints = world.violations();
        complaints.extend(self.disagreements.iter().cloned());
        complaints.extend(tally.ended_by_itself.iter().map(|words| format!("ended by itself: {words}")));
        if !complaints.is_empty() || self.lost > 0 || self.forks > 0 {
            bail!("not everything was kept:\n{}", complaints.join("\n"));
        }
        ensure!(world.receipts() > 0, "no receipt was handed out: nothing was tried");
        ensure!(
            world.statements.load(Ordering::Relaxed) == world.receipts() as u64,
            "a statement has no receipt"
        );
        Ok(())
    }
}

fn wait_for_the_mirror(stack: &Stack, world: &World) -> Result<()> {
    let (published, copied) =
        (format!("{}/log/checkpoint", stack.url), format!("{}/checkpoint", stack.mirror_url()));
    let size = |url: &str| world.history().saw(&crate::http::get(url)?);
    wait_for("the mirror's copy of the whole chain", CATCH_UP, || {
        let whole = size(&published)?;
        Ok(size(&copied).is_ok_and(|size| size >= whole).then_some(()))
    })
}

fn audit(stack: &Stack, whose: &[&str]) -> Result<()> {
    let pins = tempfile::tempdir()?;
    let trust = stack.server.trust();
    let mut arguments = vec!["log"];
    arguments.extend(whose);
    arguments.extend(["--trust", utf8(&trust), "--pins", utf8(pins.path())]);
    run(&program("jianzhen-audit")?, &arguments).map(drop)
}
