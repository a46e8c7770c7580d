//! Bounded requests to the log that is copied.

use std::time::Duration;

use client::ServerUrl;
use reqwest::StatusCode;
use tokio::sync::watch;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A log served at an address, as `tlog-tiles` has it.
#[derive(Debug)]
pub struct Source {
    http: reqwest::Client,
    base: ServerUrl,
    stopped: watch::Receiver<bool>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The TLS or connection machinery could not be set up.
    #[error("The HTTPS client cannot be set up: {0}.")]
    Setup(String),
    /// No connection, no answer in time, or it broke off.
    #[error("{url} did not answer: {reason}.")]
    Away {
        /// The address.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// An answer that is neither 200 nor 404.
    #[error("{url} answered with status {status}.")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// More bytes than what was asked for can have.
    #[error("{url} answered with more than {max} bytes.")]
    TooLong {
        /// The address.
        url: String,
        /// The bound.
        max: usize,
    },
    /// The witness stops, or takes in another list of logs.
    #[error("The work was broken off.")]
    Stopped,
}

impl Source {
    /// A log at this address. Every request is answered within `timeout`, or not at all; none outlives `stopped`.
    ///
    /// # Errors
    /// [`FetchError::Setup`].
    pub fn new(
        base: ServerUrl,
        timeout: Duration,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, FetchError> {
        // A second call finds the provider that the first one installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            // Nothing of a log redirects, and a redirect could lead to another machine or to plain HTTP.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("jianzhen-witness/", env!("CARGO_PKG_VERSION")));
        if base.is_loopback() {
            // A proxy from the environment is meant for other machines.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| FetchError::Setup(innermost(&error)))?;
        Ok(Self { http, base, stopped })
    }

    /// `GET path`, answered by at most `max` bytes; `None` where there is no such thing (404).
    ///
    /// # Errors
    /// Every [`FetchError`] but `Setup`.
    pub async fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => Err(FetchError::Stopped),
            answer = self.fetch(path, max) => answer,
        }
    }

    async fn fetch(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let url = self.base.join(path);
        let away = |error: reqwest::Error| FetchError::Away { url: url.clone(), reason: innermost(&error) };
        let mut response = self.http.get(&url).send().await.map_err(away)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(FetchError::Status { url, status: status.as_u16() }),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > max {
                return Err(FetchError::TooLong { url, max });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}

/// reqwest's own sentence repeats the URL; the innermost cause is what a person can act on.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
