//! `add-log`: one more log, or one more key of a log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use client::ServerUrl;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::logs::{Log, LogList, parse_key};

#[derive(Debug, Args)]
pub(super) struct AddLog {
    /// The data directory that `init` made
    #[arg(long, value_name = "DIR", env = "JIANZHEN_WITNESS_DATA")]
    data: PathBuf,
    /// A key that signs for the log; may be given several times while a key is rotated
    #[arg(long = "vkey", value_name = "VKEY", required = true)]
    vkeys: Vec<String>,
    /// The origin line of the log's checkpoints, where it is not the name of its keys
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Keep a copy of the log that is served at this address, such as `https://notary.example/log`
    #[arg(long, value_name = "URL")]
    mirror: Option<ServerUrl>,
}

impl AddLog {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        Config::load(&data.config())?;
        let keys = self.vkeys.iter().map(|text| parse_key(text)).collect::<Result<_, _>>()?;
        let log = Log::new(self.origin, keys, self.mirror)?;
        let (origin, hash) = (log.origin().to_owned(), log.hash());
        let mut list = LogList::load(&data.logs())?;
        list.add(log)?;
        list.save(&data.logs())?;
        println!("{origin} {hash}");
        Ok(ExitCode::SUCCESS)
    }
}
