//! `fsck`: says whether everything that is stored agrees.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::data_dir::DataDir;
use crate::fsck::{self, Findings, Subject};
use crate::objects::Objects;
use crate::store::Store;

/// Problems that are printed one by one.
const MAX_PRINTED: usize = 100;

pub(super) async fn run(data: &DataDir) -> anyhow::Result<ExitCode> {
    let _lock = data.lock()?;
    // Says so if a restore was not finished.
    super::open(data).await?.1.close().await;
    report(&check(data).await?)
}

/// Checks a data directory that nobody else is using, also one that is being restored.
pub(super) async fn check(data: &DataDir) -> anyhow::Result<Findings> {
    let (config, store) = super::open_unfinished(data).await?;
    let trust = super::policy::read_trust(data)?;
    let objects = Objects::local(&data.objects())?;
    let scratch_path = data.scratch_database();
    remove_database(&scratch_path);
    let scratch = Store::create(&scratch_path).await.context("The scratch database cannot be made")?;
    let origin = config.origin.as_str();
    let subject = Subject { store: &store, scratch: &scratch, objects: &objects, trust: &trust, origin };
    let checked = fsck::check(&subject).await;
    scratch.close().await;
    store.close().await;
    remove_database(&scratch_path);
    Ok(checked?)
}

/// Prints what was found; the exit code says whether anything is wrong.
pub(super) fn report(findings: &Findings) -> anyhow::Result<ExitCode> {
    println!(
        "{} entries, {} checkpoints and {} objects were checked.",
        findings.entries, findings.checkpoints, findings.objects
    );
    if findings.unpublished > 0 {
        println!(
            "{} entries are durable and not published yet; `serve` publishes them.",
            findings.unpublished
        );
    }
    if findings.missing > 0 {
        println!(
            "The statements of {} entries are missing: the log was restored from a mirror. Whoever submits them again fills the gaps.",
            findings.missing
        );
    }
    if !findings.stray.is_empty() {
        println!("Nothing needs these files of the object store: {}.", findings.stray.join(", "));
    }
    for problem in findings.problems.iter().take(MAX_PRINTED) {
        println!("{problem}");
    }
    let unprinted = findings.problems.len().saturating_sub(MAX_PRINTED);
    let more = findings.more_problems + u64::try_from(unprinted).unwrap_or(u64::MAX);
    if more > 0 {
        println!("… and {more} more.");
    }
    if findings.problems.is_empty() {
        println!("Everything agrees.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// What an earlier run that was broken off left behind.
pub(super) fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}
