//! `reindex`: the lookup index, built again from what is sealed.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::data_dir::DataDir;

pub(super) async fn run(data: &DataDir) -> anyhow::Result<ExitCode> {
    let _lock = data.lock()?;
    let (_, store) = super::open(data).await?;
    store.rebuild_index().await.context("The lookup index is unchanged")?;
    let size = store.head().await?.head.size;
    store.close().await;
    println!("The lookup index was built again from {size} entries.");
    Ok(ExitCode::SUCCESS)
}
