//! `serve`: the running service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use evidence::TrustFile;
use serving::{Bounds, Connections, Listener, ReadyFile, Tls, log_lines};
use tlog::SigningKey;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Limits, Overrides};
use crate::data_dir::DataDir;
use crate::http::{SecurityHeaders, router};
use crate::keys::KeyRing;
use crate::objects::Objects;
use crate::open_files;
use crate::page::Page;
use crate::policies::Policies;
use crate::sequencer::Stop;
use crate::service::{Parts, Service};
use crate::snapshots;
use crate::witnesses::configured::configured;

/// How long requests may take to end after the signal to stop: longer than a submission waits for its batch.
const GRACE: Duration = Duration::from_secs(30);

/// How much longer than a submission may take to be answered a connection must have been silent to lose its place.
const SLACK: Duration = Duration::from_secs(5);

/// Requests of one HTTP/2 connection at the same time: what a browser that reads tiles makes use of.
const STREAMS: u32 = 100;

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

        let tls = Tls::configured(config.tls.as_ref()).await?;
        let listener = Listener::bind(config.listen, tls)?;
        let url = config.url.clone().unwrap_or_else(|| listener.base_url());
        let http = service.metrics().http.clone();
        let mut listening = listener.serve(app, http, bounds(&config.limits)).await?;
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
    let keys = KeyRing::load(data)?;
    ensure!(
        keys.origin().as_str() == config.origin,
        "config.toml names the origin {}, but the keys are of {}.",
        config.origin,
        keys.origin()
    );
    let bytes = fs::read(data.trust()).context("trust.json cannot be read")?;
    let trust = Arc::new(TrustFile::parse(&bytes)?);
    ensure!(
        !keys.signers(trust.logs()).is_empty(),
        "trust.json names no key of this log ({}); nobody could verify its receipts.",
        keys.keys()
            .iter()
            .map(SigningKey::verifier_key)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    );
    let policies = Policies::of(&trust, &config.origin);
    let witnesses = configured(&policies, &config.witnesses, config.limits.witness_timeout())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let parts = Parts {
        commit_point: Arc::new(store.clone()),
        archive: Arc::new(store.clone()),
        store,
        objects: Objects::local(&data.objects())?,
        keys,
        witnesses,
        trust,
        clock,
        limits: config.limits.clone(),
    };
    Ok(Service::start(parts).await?)
}

fn bounds(limits: &Limits) -> Bounds {
    // A submission is silent while its batch is sealed.
    let silent_for = limits.answer_timeout() + SLACK;
    let connections = Connections { at_most: open_files::connections(limits.connections), silent_for };
    Bounds { connections, first_request: limits.body_timeout(), streams: STREAMS }
}

fn write_ready(path: &Path, url: &str) -> anyhow::Result<ReadyFile> {
    ReadyFile::write(path, url)
        .with_context(|| format!("The ready file {} cannot be written", path.display()))
}
