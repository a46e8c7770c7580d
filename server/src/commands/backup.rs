//! `backup`: a private copy of everything that cannot be made again. The service may run meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use client::durable::{self, PRIVATE};
use serde::{Deserialize, Serialize};
use tlog::TreeHead;

use crate::data_dir::DataDir;
use crate::store::Store;

/// The file that makes a copy a whole one; written last.
pub(super) const LABEL: &str = "backup.json";

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The data directory; the service may run
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// The directory to make; must be empty or not exist. It holds personal facts and, unless left out, the keys
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Leave the signing keys out, for a copy that is kept elsewhere than they are
    #[arg(long)]
    without_keys: bool,
}

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) version: u64,
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: String,
    pub(super) keys: bool,
}

impl Label {
    pub(super) const VERSION: u64 = 1;

    pub(super) fn head(head: &TreeHead) -> (u64, String) {
        (head.size.get(), head.root.to_base64())
    }
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        let (config, store) = super::open(&data).await?;
        make_empty(&self.to)?;
        let copy = DataDir::new(&self.to);
        // The trust file before the keys, so that every key that it names is there. Both before the database: a rotation needs the
        // service to stand still, and what is sealed after it is in the next backup.
        for path in [data.config(), data.trust()] {
            copy_file(&path, &self.to)?;
        }
        if !self.without_keys {
            let mut keys = data.log_keys().context("The data directory cannot be read")?;
            keys.push(data.registrar_key());
            for path in keys.iter().filter(|path| path.exists()) {
                copy_file(path, &self.to)?;
            }
        }
        let head = copy_database(store, &copy).await?;
        let (size, root) = Label::head(&head);
        let label =
            Label { version: Label::VERSION, origin: config.origin, size, root, keys: !self.without_keys };
        let json = serde_json::to_vec_pretty(&label).context("The label cannot be written")?;
        durable::replace(&self.to.join(LABEL), &json, PRIVATE)?;
        println!("{} entries, root {}.", label.size, label.root);
        if self.without_keys {
            println!("The signing keys are not in it.");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes a directory for its owner only, or takes an empty one.
pub(super) fn make_empty(path: &Path) -> anyhow::Result<()> {
    durable::create_private_folder(path)?;
    let empty = fs::read_dir(path).map(|mut entries| entries.next().is_none());
    ensure!(empty.unwrap_or(false), "The directory {} is not empty.", path.display());
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("The directory {} cannot be made private", path.display()))
}

pub(super) fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
    let name = from.file_name().context("A file has no name")?;
    Ok(durable::replace(&to.join(name), &bytes, PRIVATE)?)
}

/// One state of the database, whatever is written meanwhile.
async fn copy_database(store: Store, copy: &DataDir) -> anyhow::Result<TreeHead> {
    let path = copy.database();
    durable::create(&path, b"", PRIVATE)?;
    store.copy_to(&path).await.context("The database cannot be copied")?;
    store.close().await;
    fs::File::open(&path).and_then(|file| file.sync_all()).context("The copy cannot be made durable")?;
    let copied = Store::open_for_reading(&path).await.context("The copy of the database cannot be read")?;
    let head = copied.head().await?.head;
    let counted = copied.count_entries().await?;
    copied.close().await;
    ensure!(counted == head.size, "The copy has {counted} entries, but its tree head says {}.", head.size);
    Ok(head)
}
