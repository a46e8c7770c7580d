//! The listening socket, TLS, and stopping.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinHandle};

use crate::metrics::HttpMetrics;
use crate::net::{Connections, CountingAcceptor, SILENCE};

/// Certificate chain and private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM certificate chain, the service's own first.
    pub cert: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

/// TLS from files that were read and fit together.
#[derive(Debug, Clone)]
pub struct Tls(RustlsConfig);

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many there may be.
    pub connections: Connections,
    /// How long the header of a connection's first request may take.
    pub first_request: Duration,
    /// Requests of one HTTP/2 connection at the same time.
    pub streams: u32,
}

/// A bound socket that accepts nothing yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

/// A socket whose requests are answered.
#[derive(Debug)]
pub struct Listening {
    handle: Handle<SocketAddr>,
    /// `None` once it has ended.
    server: Option<JoinHandle<io::Result<()>>>,
}

/// Why nobody is listened to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there, or the address is not this machine's.
    #[error("The address {address} cannot be listened on: {source}.")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket failed.
    #[error("The socket cannot be used: {0}.")]
    Socket(#[source] io::Error),
    /// The files do not make TLS.
    #[error("TLS cannot use {cert} with {key}: {source}.")]
    Tls {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
        /// What is wrong with them.
        source: io::Error,
    },
    /// It ended while it ran.
    #[error("The HTTP server failed: {0}.")]
    Failed(#[source] io::Error),
    /// It panicked or was cancelled.
    #[error("The HTTP server was interrupted: {0}.")]
    Interrupted(#[source] JoinError),
}

/// One of the two TLS files is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfTls;

impl TlsFiles {
    /// The files that flags name, else the configured ones.
    ///
    /// # Errors
    /// [`HalfTls`] if flags name one of the two.
    pub fn chosen(
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
        configured: Option<Self>,
    ) -> Result<Option<Self>, HalfTls> {
        match (cert, key) {
            (Some(cert), Some(key)) => Ok(Some(Self { cert, key })),
            (None, None) => Ok(configured),
            _ => Err(HalfTls),
        }
    }
}

impl Tls {
    /// Reads the files, where some are configured.
    ///
    /// # Errors
    /// [`ListenError::Tls`].
    pub async fn configured(files: Option<&TlsFiles>) -> Result<Option<Self>, ListenError> {
        match files {
            Some(files) => Self::load(files).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`ListenError::Tls`].
    pub async fn load(files: &TlsFiles) -> Result<Self, ListenError> {
        // A second call finds the provider that the first one installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let loaded = RustlsConfig::from_pem_file(&files.cert, &files.key).await;
        let failed = |source| ListenError::Tls { cert: files.cert.clone(), key: files.key.clone(), source };
        loaded.map(Self).map_err(failed)
    }
}

impl Listener {
    /// Takes the address; port 0 means any free one.
    ///
    /// # Errors
    /// [`ListenError::Bind`], [`ListenError::Socket`].
    pub fn bind(address: SocketAddr, tls: Option<Tls>) -> Result<Self, ListenError> {
        let socket = TcpListener::bind(address).map_err(|source| ListenError::Bind { address, source })?;
        socket.set_nonblocking(true).map_err(ListenError::Socket)?;
        let address = socket.local_addr().map_err(ListenError::Socket)?;
        Ok(Self { socket, address, tls })
    }

    /// The address that was taken, as a base URL.
    pub fn base_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers requests with `app`, within `bounds`.
    ///
    /// # Errors
    /// [`ListenError::Socket`], [`ListenError::Failed`].
    pub async fn serve(
        self,
        app: Router,
        metrics: HttpMetrics,
        bounds: Bounds,
    ) -> Result<Listening, ListenError> {
        let acceptor = CountingAcceptor::new(metrics, bounds.connections);
        let app = app.into_make_service();
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(self.socket).map_err(ListenError::Socket)?;
        // From one request to the end of the next one's header, however busily the bytes drip.
        server.http_builder().http1().header_read_timeout(SILENCE);
        server.http_builder().http2().max_concurrent_streams(bounds.streams);
        let server = server.handle(handle.clone()).first_request_timeout(bounds.first_request);
        let server = match self.tls {
            None => tokio::spawn(server.acceptor(acceptor).serve(app)),
            Some(Tls(config)) => {
                let tls = RustlsAcceptor::new(config).acceptor(acceptor);
                tokio::spawn(server.acceptor(tls).serve(app))
            }
        };
        let mut listening = Listening { handle, server: Some(server) };
        if listening.handle.listening().await.is_none() {
            listening.ended().await?;
        }
        Ok(listening)
    }
}

impl Listening {
    /// Waits until it ends. May be called again after it has.
    ///
    /// # Errors
    /// [`ListenError::Failed`], [`ListenError::Interrupted`].
    pub async fn ended(&mut self) -> Result<(), ListenError> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let ended = server.await;
        self.server = None;
        ended.map_err(ListenError::Interrupted)?.map_err(ListenError::Failed)
    }

    /// Accepts nothing more, and closes what is open after its request, at the latest after `grace`.
    pub fn stop(&self, grace: Duration) {
        self.handle.graceful_shutdown(Some(grace));
    }
}
