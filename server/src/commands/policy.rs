//! `policy` and `rotate-key`: who guards the log, and with which key it signs, from when on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use client::durable;
use evidence::{TrustFile, UnixSeconds};
use tlog::{KeyName, VerifierKey};

use crate::clock::{Clock as _, SystemClock};
use crate::data_dir::DataDir;
use crate::keys;
use crate::store::Store;
use crate::trust_edit::{self, Change, WitnessLine};

/// The mode of trust.json.
const PUBLIC: u32 = 0o644;

/// Witnesses and how many of them must cosign.
#[derive(Debug, Args)]
pub(super) struct Guards {
    /// A witness: its name in the policy, its verifier key, its address (https, or http to this machine itself). Repeat it for each
    #[arg(long = "witness", value_name = "NAME,VKEY,URL")]
    pub(super) witnesses: Vec<WitnessLine>,
    /// How many of the witnesses must cosign before a checkpoint is published
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(super) quorum: usize,
}

#[derive(Debug, Args)]
pub(super) struct SetPolicy {
    /// The data directory; the service must not run
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    #[command(flatten)]
    guards: Guards,
    /// From when on, in seconds since 1970; as soon as possible, where it is left out. Without effect while nothing is sealed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    from: Option<UnixSeconds>,
}

#[derive(Debug, Args)]
pub(super) struct RotateKey {
    /// The data directory; the service must not run
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// From when on the new key signs, in seconds since 1970. Leave time for every witness to learn it
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    from: UnixSeconds,
}

fn seconds(text: &str) -> Result<UnixSeconds, std::num::ParseIntError> {
    text.parse().map(UnixSeconds::new)
}

impl SetPolicy {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        let _lock = data.lock()?;
        let (config, store) = super::open(&data).await?;
        let trust = read_trust(&data)?;
        let origin = KeyName::new(config.origin).context("The origin in config.toml is no name of a log")?;
        let change = Change::new(vouched(&store, &trust).await?, self.from, SystemClock.now_seconds())?;
        store.close().await;
        let Guards { witnesses, quorum } = &self.guards;
        let edited = trust_edit::with_witnesses(&trust, &origin, witnesses, *quorum, change)?;
        durable::replace(&data.trust(), edited.bytes(), PUBLIC)?;
        report(change, &edited);
        Ok(ExitCode::SUCCESS)
    }
}

impl RotateKey {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        let _lock = data.lock()?;
        let (config, store) = super::open(&data).await?;
        let trust = read_trust(&data)?;
        // An archived checkpoint of the empty tree needs its key too.
        let archived = store.newest_checkpoint().await?.map(|_| UnixSeconds::new(0));
        let vouched = vouched(&store, &trust).await?.max(archived);
        let change = Change::new(vouched, Some(self.from), SystemClock.now_seconds())?;
        store.close().await;
        let key = keys::generate(&config.origin)?;
        let vkey: &VerifierKey = key.verifier_key();
        let edited = trust_edit::with_log_key(&trust, vkey, change)?;
        // The key first: a trust file must not name a key that nobody has.
        keys::save(&data.rotated_log_key(vkey.id()), &key)?;
        durable::sync_folder(data.path())?;
        durable::replace(&data.trust(), edited.bytes(), PUBLIC)?;
        println!("{vkey}");
        report(change, &edited);
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn read_trust(data: &DataDir) -> anyhow::Result<TrustFile> {
    let path = data.trust();
    let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(TrustFile::parse(&bytes)?)
}

/// The newest time that the present policies vouch for; `None` while nothing is sealed.
async fn vouched(store: &Store, trust: &TrustFile) -> anyhow::Result<Option<UnixSeconds>> {
    let head = store.head().await?;
    if head.head.size == tlog::TreeSize::ZERO {
        return Ok(None);
    }
    let archived = store.newest_checkpoint().await?;
    let cosigned = archived.and_then(|(_, note)| trust_edit::newest_quorum_time(trust, &note));
    Ok(Some(cosigned.map_or(head.sealed_at, |cosigned| cosigned.max(head.sealed_at))))
}

fn report(change: Change, trust: &TrustFile) {
    match change {
        Change::Replace => println!("Nothing is sealed yet: the policy was replaced."),
        Change::At(from) => println!("In force from        {from}"),
    }
    println!("Digest of trust.json {}", trust.digest());
    println!("Give the new trust.json to everybody who verifies, and start the service again.");
}
