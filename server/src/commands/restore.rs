//! `restore`: a data directory from a backup, or the public part of a log from a mirror.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use client::ServerUrl;
use client::durable::{self, PRIVATE};
use jianzhen_audit::HttpLog;
use serving::DirectoryLock;
use tlog::TreeSize;
use tokio::runtime::Runtime;

use super::backup::{LABEL, Label, copy_file, make_empty};
use super::{fsck, policy};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::objects::Objects;
use crate::rebuild::rebuild;
use crate::restore::{restore, target};
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The data directory. With --backup: a new one. With --from: one with config.toml, trust.json and the keys, and with no database
    /// or an older one; the service must not run
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// What `backup` made
    #[arg(long, value_name = "DIR", required_unless_present = "from", conflicts_with = "from")]
    backup: Option<PathBuf>,
    /// The address of a mirror of the log, or of the log itself: what /checkpoint is appended to
    #[arg(long, value_name = "URL")]
    from: Option<ServerUrl>,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(&self.data);
        let runtime = super::runtime()?;
        match (&self.backup, self.from) {
            (Some(backup), None) => from_backup(&runtime, &data, backup)?,
            (None, Some(url)) => {
                let _lock = data.lock()?;
                from_mirror(&runtime, &data, url)?;
            }
            _ => bail!("Give --backup or --from."),
        }
        let findings = runtime.block_on(fsck::check(&data))?;
        if findings.problems.is_empty() {
            finish(&data)?;
        }
        fsck::report(&findings)
    }
}

/// What an unfinished restore was made from; only one from a backup may begin anew by emptying the directory.
const FROM_BACKUP: &[u8] = b"backup\n";
const FROM_MIRROR: &[u8] = b"mirror\n";

/// From here on until [`finish`] no other command accepts the directory.
fn begin(data: &DataDir, source: &[u8]) -> anyhow::Result<()> {
    Ok(durable::replace(&data.unfinished_restore(), source, PRIVATE)?)
}

fn finish(data: &DataDir) -> anyhow::Result<()> {
    fs::remove_file(data.unfinished_restore())
        .context("The mark of an unfinished restore cannot be removed")?;
    Ok(durable::sync_folder(data.path())?)
}

fn from_backup(runtime: &Runtime, data: &DataDir, backup: &Path) -> anyhow::Result<()> {
    let source = DataDir::new(backup);
    let label = fs::read(backup.join(LABEL))
        .with_context(|| format!("{} is no backup, or one that was not finished", backup.display()))?;
    let label: Label = serde_json::from_slice(&label).context("The label of the backup cannot be read")?;
    ensure!(label.version == Label::VERSION, "The backup was made by another version of this program.");
    let _lock = take(data)?;
    let mut files = vec![source.config(), source.trust()];
    files.extend(source.log_keys().context("The backup cannot be read")?);
    files.push(source.registrar_key());
    for path in files.iter().filter(|path| path.exists()) {
        copy_file(path, data.path())?;
    }
    fs::copy(source.database(), data.database())
        .and_then(|_| fs::File::open(data.database())?.sync_all())
        .context("The database cannot be copied")?;
    fs::create_dir(data.objects()).context("The object store cannot be made")?;
    runtime.block_on(async {
        let store =
            Store::open(&data.database()).await.context("The database of the backup cannot be opened")?;
        let found = Label::head(&store.head().await?.head);
        ensure!(
            found == (label.size, label.root.clone()),
            "The backup is labelled with {} entries and root {}, but its database has {} and {}.",
            label.size,
            label.root,
            found.0,
            found.1
        );
        rebuild(&store, &Objects::local(&data.objects())?).await?;
        store.close().await;
        Ok(())
    })?;
    if !label.keys {
        println!(
            "The backup has no keys: put log.key, and registrar.key if it is kept here, into the directory."
        );
    }
    Ok(())
}

/// Takes an empty directory, or one in which a restore from a backup was broken off: that begins anew.
fn take(data: &DataDir) -> anyhow::Result<DirectoryLock> {
    let mark = data.unfinished_restore();
    let unmarked = durable::with_suffix(&mark, ".partial");
    if fs::read(&mark).is_ok_and(|source| source == FROM_BACKUP) {
        let lock = data.lock()?;
        clear(data.path(), &[&mark, &data.lock_file()])?;
        return Ok(lock);
    }
    // Broken off while the mark was being written.
    let _ = fs::remove_file(&unmarked);
    make_empty(data.path())?;
    begin(data, FROM_BACKUP)?;
    Ok(data.lock()?)
}

fn clear(directory: &Path, but: &[&Path]) -> anyhow::Result<()> {
    let failed = || format!("What an unfinished restore left in {} cannot be removed", directory.display());
    for entry in fs::read_dir(directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let path = entry.path();
        if but.contains(&path.as_path()) {
            continue;
        }
        let is_directory = entry.file_type().with_context(failed)?.is_dir();
        let removed = if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(failed)?;
    }
    Ok(())
}

fn from_mirror(runtime: &Runtime, data: &DataDir, url: ServerUrl) -> anyhow::Result<()> {
    let config = Config::load(&data.config())
        .context("Put config.toml, trust.json and the keys of the log into the directory first")?;
    let trust = policy::read_trust(data)?;
    let reader = HttpLog::new(url)?;
    let target = target(&reader, &trust, &config.origin)?;
    if !data.objects().exists() {
        fs::create_dir(data.objects()).context("The object store cannot be made")?;
    }
    let objects = Objects::local(&data.objects())?;
    let published = runtime.block_on(objects.checkpoint())?.and_then(|note| size_of(&note));
    if let Some(published) = published.filter(|published| *published > target.head().size) {
        bail!(
            "{published} entries are published here, and only {} there: that is no copy to restore from.",
            target.head().size
        );
    }
    // A directory that was whole stays so if nothing is taken over.
    let was_whole = data.database().exists() && !data.unfinished_restore().exists();
    begin(data, FROM_MIRROR)?;
    let store = runtime.block_on(Store::create(&data.database()));
    let store = store.context("The database cannot be opened")?;
    println!("Restoring up to {} entries, root {}.", target.head().size, target.head().root.to_base64());
    let mut steps = 0_u64;
    let restored = restore(runtime, &reader, &trust, &target, &store, &mut |_| steps += 1);
    let rebuilt = match restored {
        Ok(restored) => runtime
            .block_on(rebuild(&store, &objects))
            .map(|_| restored)
            .context("The object store could not be made again"),
        Err(error) => Err(error.into()),
    };
    runtime.block_on(store.close());
    if rebuilt.is_err() && steps == 0 && was_whole {
        finish(data)?;
    }
    let restored =
        rebuilt.context("Nothing false was taken over; run the command again, or with another mirror")?;
    println!("{} entries were here, {} are here now.", restored.before, restored.after);
    Ok(())
}

/// The size that a note states. Who signed it does not matter here: nothing is taken from it.
fn size_of(note: &[u8]) -> Option<TreeSize> {
    let note = tlog::SignedNote::parse(note).ok()?;
    tlog::Checkpoint::unverified(&note).ok().map(|checkpoint| checkpoint.head().size)
}
