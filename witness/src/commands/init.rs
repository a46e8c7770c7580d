//! `init`: a new witness.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use client::durable;
use serving::key_file;
use tlog::KeyAlgorithm;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::logs::LogList;
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The data directory to make; must be empty or not exist
    #[arg(long, value_name = "DIR", env = "JIANZHEN_WITNESS_DATA")]
    data: PathBuf,
    /// The witness's name: one that nobody else uses, such as witness.example.org. It is part of the key and can never be changed
    #[arg(long, value_name = "NAME")]
    name: String,
}

impl Init {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        durable::create_private_folder(data.path())?;
        let empty = fs::read_dir(data.path()).map(|mut entries| entries.next().is_none());
        ensure!(empty.unwrap_or(false), "The directory {} is not empty.", data.path().display());
        let key = key_file::generate(&self.name, KeyAlgorithm::CosignatureV1)?;
        let config = Config::default().to_toml().context("The configuration cannot be written")?;

        Store::create(&data.database(), key.verifier_key()).await.context("The database cannot be made")?;
        key_file::save(&data.key(), &key)?;
        LogList::default().save(&data.logs())?;
        // Last: without it no other command accepts the directory. Makes all names durable, the key's too.
        durable::replace(&data.config(), config.as_bytes(), 0o644)?;
        println!("{}", key.verifier_key());
        Ok(ExitCode::SUCCESS)
    }
}
