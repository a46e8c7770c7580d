//! `fsck`: says whether everything that is stored agrees.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::data_dir::DataDir;
use crate::objects::Objects;
use crate::store::Store;
use crate::{fsck, keys};

/// Problems that are printed one by one.
const MAX_PRINTED: usize = 100;

pub(super) async fn run(data: &DataDir) -> anyhow::Result<ExitCode> {
    let _lock = data.lock()?;
    let (_, store) = super::open(data).await?;
    let key = keys::load(&data.log_key())?;
    let objects = Objects::local(&data.objects())?;
    let scratch_path = data.scratch_database();
    remove_database(&scratch_path);
    let scratch = Store::create(&scratch_path).await.context("The scratch database cannot be made")?;
    let checked = fsck::check(&store, &scratch, &objects, &key).await;
    scratch.close().await;
    store.close().await;
    remove_database(&scratch_path);
    let findings = checked?;
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
    for problem in findings.problems.iter().take(MAX_PRINTED) {
        println!("{problem}");
    }
    if let Some(more) = findings.problems.len().checked_sub(MAX_PRINTED).filter(|more| *more > 0) {
        println!("… and {more} more.");
    }
    if findings.problems.is_empty() {
        println!("Everything agrees.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// What an earlier run that was broken off left behind.
fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}
