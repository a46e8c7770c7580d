//! `serve`: the running service.

use std::fs;
use std::io::IsTerminal as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use clap::Args;
use evidence::TrustFile;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, LogFormat, Overrides, TlsFiles};
use crate::data_dir::DataDir;
use crate::http::{SecurityHeaders, router};
use crate::keys;
use crate::net::{CountingAcceptor, SILENCE};
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
        init_logging(config.log_format);
        let _lock = data.lock()?;
        let page = match &config.page {
            Some(directory) => Page::load(directory)?,
            None => Page::none(),
        };
        let (service, mut sequencer) = start(&data, &config).await?;
        let registrar = snapshots::start(&data, service.clone())?;
        let headers = SecurityHeaders::new(service.trust(), config.tls.is_some());
        let app = router(service.clone(), page, &config.limits, headers);

        let listener = TcpListener::bind(config.listen)
            .with_context(|| format!("The address {} cannot be listened on", config.listen))?;
        listener.set_nonblocking(true).context("The socket cannot be used")?;
        let address = listener.local_addr().context("The socket has no address")?;
        let handle = Handle::new();
        let mut server = serve(listener, app, &config, &service, handle.clone()).await?;
        ensure!(handle.listening().await.is_some(), "The service cannot listen on {address}.");
        let url = config.url.clone().unwrap_or_else(|| base_url(&config, address));
        if let Some(path) = &self.ready_file {
            write_ready(path, &url)?;
        }
        tracing::info!(%url, size = service.published().get(), "serving");

        let mut terminate = signal(SignalKind::terminate()).context("Signals cannot be received")?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = tokio::signal::ctrl_c() => tracing::info!("stopping: SIGINT"),
            ended = &mut server => {
                ended.context("The HTTP server was interrupted")?.context("The HTTP server failed")?;
            }
            stopped = &mut sequencer => abort(stopped),
        }
        // Requests first: what they hand in is still sealed, and they get their receipts.
        handle.graceful_shutdown(Some(GRACE));
        tokio::select! {
            _ = async { if !server.is_finished() { let _ = (&mut server).await; } } => {}
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
        if let Some(path) = &self.ready_file {
            let _ = fs::remove_file(path);
        }
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

async fn serve(
    listener: TcpListener,
    app: Router,
    config: &Config,
    service: &Service,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<JoinHandle<std::io::Result<()>>> {
    let acceptor = CountingAcceptor::new(service.metrics(), config.limits.connections.get());
    let app = app.into_make_service();
    let first_request = config.limits.body_timeout();
    let mut server = axum_server::from_tcp(listener).context("The socket cannot be used")?;
    // From one request to the end of the next one's header, however busily the bytes drip.
    server.http_builder().http1().header_read_timeout(SILENCE);
    let server = server.handle(handle).first_request_timeout(first_request);
    Ok(match &config.tls {
        None => tokio::spawn(server.acceptor(acceptor).serve(app)),
        Some(files) => {
            let tls = RustlsAcceptor::new(tls_config(files).await?).acceptor(acceptor);
            tokio::spawn(server.acceptor(tls).serve(app))
        }
    })
}

async fn tls_config(files: &TlsFiles) -> anyhow::Result<RustlsConfig> {
    // A second call finds the provider that the first one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    RustlsConfig::from_pem_file(&files.cert, &files.key)
        .await
        .with_context(|| format!("TLS cannot use {} with {}", files.cert.display(), files.key.display()))
}

fn base_url(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

fn write_ready(path: &Path, url: &str) -> anyhow::Result<()> {
    let staging = path.with_extension("new");
    fs::write(&staging, format!("{url}\n"))
        .and_then(|()| fs::rename(&staging, path))
        .with_context(|| format!("The ready file {} cannot be written", path.display()))
}

fn init_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_env("JIANZHEN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
