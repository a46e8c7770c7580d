//! `serve`: the running witness.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serving::{Bounds, Connections, Listener, ReadyFile, Tls, key_file, log_lines};
use tlog::KeyAlgorithm;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::SystemClock;
use crate::config::{Config, Limits, Overrides};
use crate::data_dir::DataDir;
use crate::http::router;
use crate::logs::LogList;
use crate::mirror::Mirrors;
use crate::store::Store;
use crate::witness::Witness;

/// How long requests may take to end after the signal to stop.
const GRACE: Duration = Duration::from_secs(15);

/// A connection that was silent for so long gives way to a new one when all places are taken. A log that comes back finds one.
const IDLE: Duration = Duration::from_secs(1);

/// Requests of one HTTP/2 connection at the same time: a log has one under way.
const STREAMS: u32 = 8;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The data directory that `init` made
    #[arg(long, value_name = "DIR", env = "JIANZHEN_WITNESS_DATA")]
    data: PathBuf,
    /// Write the base URL to this file (by rename) once the witness answers
    #[arg(long, value_name = "FILE", env = "JIANZHEN_WITNESS_READY_FILE")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        let config = Config::load(&data.config())?.with(self.overrides)?;
        log_lines::init(config.log_format);
        // First: a SIGHUP that comes while everything is opened must not end the process.
        let mut signals = Signals::new()?;
        let _lock = data.lock()?;
        let witness = Arc::new(open(&data).await?);
        let mirrors = Arc::new(Mirrors::open(data.mirror(), witness.clone(), config.mirror.clone()));
        mirrors.follow(&witness.logs()).await?;

        let tls = Tls::configured(config.tls.as_ref()).await?;
        let app = router(witness.clone(), mirrors.clone(), &config.limits, tls.is_some());
        let listener = Listener::bind(config.listen, tls)?;
        let url = config.url.clone().unwrap_or_else(|| listener.base_url());
        let http = witness.metrics().http.clone();
        let mut listening = listener.serve(app, http, bounds(&config.limits)).await?;
        let ready_file = match &self.ready_file {
            Some(path) => Some(
                ReadyFile::write(path, &url)
                    .with_context(|| format!("The ready file {} cannot be written", path.display()))?,
            ),
            None => None,
        };
        tracing::info!(%url, key = %witness.key().verifier_key(), logs = witness.logs().iter().count(), "witnessing");

        loop {
            tokio::select! {
                stop = signals.next() => match stop {
                    Asked::Reload => reload(&data, &witness, &mirrors).await,
                    Asked::Stop => break,
                },
                ended = listening.ended() => {
                    ended?;
                    break;
                }
            }
        }
        tracing::info!("stopping");
        listening.stop(GRACE);
        listening.ended().await?;
        mirrors.stop().await;
        witness.store().close().await;
        drop(ready_file);
        Ok(ExitCode::SUCCESS)
    }
}

/// Key and state of an initialised data directory.
pub(super) async fn open(data: &DataDir) -> anyhow::Result<Witness> {
    let key = key_file::load(&data.key())?;
    ensure!(
        key.verifier_key().algorithm() == KeyAlgorithm::CosignatureV1,
        "The key {} is not that of a witness: its type is not 0x04.",
        key.verifier_key()
    );
    let logs = LogList::load(&data.logs())?;
    let store = Store::open(&data.database(), key.verifier_key()).await.with_context(|| {
        format!(
            "The state {} cannot be used. Never replace it by an older copy or an empty one: the witness could cosign what it \
             has contradicted before",
            data.database().display()
        )
    })?;
    Ok(Witness::new(key, store, logs, Arc::new(SystemClock)))
}

fn bounds(limits: &Limits) -> Bounds {
    let connections = Connections { at_most: limits.connections, silent_for: IDLE };
    Bounds { connections, first_request: limits.body_timeout(), streams: STREAMS }
}

/// Takes the list of logs in again. A list with a mistake changes nothing.
async fn reload(data: &DataDir, witness: &Witness, mirrors: &Mirrors) {
    let logs = match LogList::load(&data.logs()) {
        Ok(logs) => logs,
        Err(error) => {
            tracing::error!(%error, "the list of logs stays as it was");
            return;
        }
    };
    let count = logs.iter().count();
    witness.set_logs(logs);
    if let Err(error) = mirrors.follow(&witness.logs()).await {
        tracing::error!(%error, "a copy cannot be kept");
    }
    tracing::info!(logs = count, "took in the list of logs");
}

enum Asked {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let receive = |kind| signal(kind).context("Signals cannot be received");
        Ok(Self {
            hangup: receive(SignalKind::hangup())?,
            terminate: receive(SignalKind::terminate())?,
            interrupt: receive(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
        }
    }
}
