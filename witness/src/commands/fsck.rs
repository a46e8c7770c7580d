//! `fsck`: checking a witness that does not run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::fsck::{Findings, check_copy, check_state};
use crate::mirror::copy::Copy;
use crate::mirror::present;

#[derive(Debug, Args)]
pub(super) struct Fsck {
    /// The data directory
    #[arg(long, value_name = "DIR", env = "JIANZHEN_WITNESS_DATA")]
    data: PathBuf,
}

impl Fsck {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        Config::load(&data.config())?;
        let _lock = data.lock()?;
        let witness = super::serve::open(&data).await?;
        let mut findings = Findings::default();
        check_state(&witness, &mut findings).await?;
        println!("state     {} log(s), {} contradiction(s) kept", findings.logs, findings.contradictions);
        let logs = witness.logs();
        for hash in present(&data.mirror())? {
            let Some(copy) = Copy::open(&data.mirror().join(hash.to_string())).await? else { continue };
            let newest = witness.store().newest(copy.origin()).await?;
            let cosigned = newest.map_or(0, |newest| newest.head.size.get());
            if copy.head().size.get() > cosigned {
                findings.problems.push(format!(
                    "The copy of {} has {} entries, more than were ever cosigned ({cosigned}): the state is an older copy.",
                    copy.origin(),
                    copy.head().size
                ));
            }
            check_copy(&copy, logs.get(copy.origin()).map(|log| &**log), &mut findings).await?;
            println!("copy      {}: {} entries", copy.origin(), copy.head().size);
            copy.close().await;
        }
        witness.store().close().await;
        for problem in &findings.problems {
            println!("problem   {problem}");
        }
        if findings.further > 0 {
            println!("problem   and {} more", findings.further);
        }
        if findings.is_sound() {
            println!("sound");
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }
}
