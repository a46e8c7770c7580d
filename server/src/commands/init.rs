//! `init`: a new service.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use evidence::{Operator, TrustFile, TrustedLogs, Window};
use tlog::VerifierKey;

use super::policy::Guards;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::keys;
use crate::store::Store;
use crate::trust_edit::policy_text;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The data directory to make; must be empty or not exist
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// The log's origin: a name that nobody else uses, such as log.example.org/2026. It can never be changed
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// Who runs the service; shown to people
    #[arg(long, value_name = "OPERATOR")]
    name: Option<String>,
    #[command(flatten)]
    guards: Guards,
}

impl Init {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        fs::create_dir_all(data.path())
            .with_context(|| format!("The directory {} cannot be made", data.path().display()))?;
        let empty = fs::read_dir(data.path()).map(|mut entries| entries.next().is_none());
        ensure!(empty.unwrap_or(false), "The directory {} is not empty.", data.path().display());

        let log = keys::generate(&self.origin)?;
        let registrar = keys::generate(&format!("{}/registrar", self.origin))?;
        let name = self.name.unwrap_or_else(|| self.origin.clone());
        let trust = trust_file(name, log.verifier_key(), registrar.verifier_key(), &self.guards)?;
        let config = Config::new(self.origin).to_toml().context("The configuration cannot be written")?;

        keys::save(&data.log_key(), &log)?;
        keys::save(&data.registrar_key(), &registrar)?;
        fs::create_dir(data.objects()).context("The object store cannot be made")?;
        write(&data.trust(), trust.bytes())?;
        Store::create(&data.database()).await.context("The database cannot be made")?.close().await;
        // Last: without it no other command accepts the directory.
        write(&data.config(), config.as_bytes())?;
        // The names too: a key that is lost with the power cannot be made again.
        fs::File::open(data.path())
            .and_then(|directory| directory.sync_all())
            .with_context(|| format!("The directory {} cannot be synced", data.path().display()))?;
        println!("{}", log.verifier_key());
        Ok(ExitCode::SUCCESS)
    }
}

fn trust_file(
    name: String,
    log: &VerifierKey,
    registrar: &VerifierKey,
    guards: &Guards,
) -> anyhow::Result<TrustFile> {
    let policy = policy_text(std::slice::from_ref(log), &guards.witnesses, guards.quorum)?;
    let logs = TrustedLogs { policy, window: Window::default(), closed: None };
    let operator = Operator { name, url: None };
    Ok(TrustFile::compose(operator, &[logs], &[(registrar.clone(), Window::default())])?)
}

fn write(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = fs::write(path, bytes).and_then(|()| fs::File::open(path)?.sync_all());
    written.with_context(|| format!("{} cannot be written", path.display()))
}
