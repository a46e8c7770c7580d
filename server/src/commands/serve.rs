//! `serve`: the running service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use evidence::TrustFile;
use serving::{Listener, ReadyFile, Tls, log_lines};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Overrides};
use crate::data_dir::DataDir;
use crate::http::{SecurityHeaders, router};
use crate::keys;
use crate::objects::Objects;
use crate::page::Page;
use crate::sequencer::Stop;
use crate::service::{Parts, Service};
use crate::snapshots;

/// How long requests may take to end after the signal to stop: longer than a submission waits for its batch.
const GRACE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The data directory that `init` made
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// Write the base URL to this file (by rename) once the service answers
    #[arg(long, value_name = "FILE", env = "JIANZHEN_READY_FILE")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let data = DataDir::new(self.data);
        let config = Config::load(&data.config())?.with(self.overrides)?;
        log_lines::init(config.log_format);
        let _lock = data.lock()?;
        let page = match &config.page {
            Some(directory) => Page::load(directory)?,
            None => Page::none(),
        };
        let (service, mut sequencer) = start(&data, &config).await?;
        let registrar = snapshots::start(&data, service.clone())?;
        let headers = SecurityHeaders::new(service.trust(), config.tls.is_some());
        let app = router(service.clone(), page, &config.limits, headers);

        let tls = match &config.tls {
            Some(files) => Some(Tls::load(files).await?),
            None => None,
        };
        let listener = Listener::bind(config.listen, tls)?;
        let url = config.url.clone().unwrap_or_else(|| listener.base_url());
        let http = service.metrics().http.clone();
        let (connections, first_request) = (config.limits.connections.get(), config.limits.body_timeout());
        let mut listening = listener.serve(app, http, connections, first_request).await?;
        let ready_file = match &self.ready_file {
            Some(path) => Some(write_ready(path, &url)?),
            None => None,
        };
        tracing::info!(%url, size = service.published().get(), "serving");

        let mut terminate = signal(SignalKind::terminate()).context("Signals cannot be received")?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = tokio::signal::ctrl_c() => tracing::info!("stopping: SIGINT"),
            ended = listening.ended() => ended?,
            stopped = &mut sequencer => abort(stopped),
        }
        // Requests first: what they hand in is still sealed, and they get their receipts.
        listening.stop(GRACE);
        tokio::select! {
            _ = listening.ended() => {}
            stopped = &mut sequencer => abort(stopped),
        }
        if let Some(registrar) = registrar {
            registrar.abort();
        }
        service.close();
        let published = match tokio::time::timeout(GRACE, &mut sequencer).await {
            Ok(Ok(Ok(()))) => true,
            Ok(stopped) => abort(stopped),
            // The object store does not take it. What is sealed is durable, and the next start publishes it.
            Err(_) => false,
        };
        service.close_store().await;
        drop(ready_file);
        if !published {
            tracing::error!("stopped before everything was published; the next start publishes it");
            return Ok(ExitCode::FAILURE);
        }
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// The sequencer ended although the service runs: what is durable is in doubt, so nothing more may be promised. Start-up finds
/// out what is true.
fn abort(stopped: Result<Result<(), Stop>, tokio::task::JoinError>) -> ! {
    match stopped {
        Ok(Ok(())) => tracing::error!("the sequencer ended early"),
        Ok(Err(stop)) => tracing::error!(error = %stop, "the service stops: {stop}"),
        Err(error) => tracing::error!(%error, "the sequencer was interrupted"),
    }
    std::process::abort()
}

async fn start(
    data: &DataDir,
    config: &Config,
) -> anyhow::Result<(Arc<Service>, JoinHandle<Result<(), Stop>>)> {
    let (_, store) = super::open(data).await?;
    let key = keys::load(&data.log_key())?;
    ensure!(
        key.verifier_key().name().as_str() == config.origin,
        "config.toml names the origin {}, but log.key is the key of {}.",
        config.origin,
        key.verifier_key().name()
    );
    let bytes = fs::read(data.trust()).context("trust.json cannot be read")?;
    let trust = Arc::new(TrustFile::parse(&bytes)?);
    let trusted = trust.logs().iter().flat_map(|logs| logs.policy.logs());
    ensure!(
        trusted.into_iter().any(|log| log.key() == key.verifier_key()),
        "trust.json does not name this log ({}); nobody could verify its receipts.",
        key.verifier_key()
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let parts = Parts {
        commit_point: Arc::new(store.clone()),
        store,
        objects: Objects::local(&data.objects())?,
        key,
        trust,
        clock,
        limits: config.limits.clone(),
    };
    Ok(Service::start(parts).await?)
}

fn write_ready(path: &Path, url: &str) -> anyhow::Result<ReadyFile> {
    ReadyFile::write(path, url)
        .with_context(|| format!("The ready file {} cannot be written", path.display()))
}
