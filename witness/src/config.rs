//! Settings. `config.toml` in the data directory is read first, then environment variables (`JIANZHEN_WITNESS_…`), then flags; the
//! later wins. The documentation of the fields is the manual.

use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serving::{HalfTls, LogFormat, TlsFiles};

/// What `config.toml` says. An empty file is a good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen: `address:port`, port 0 for any free one. Flag `--listen`, environment `JIANZHEN_WITNESS_LISTEN`.
    pub listen: SocketAddr,
    /// The base URL under which logs reach the witness, without a trailing slash; written to the ready file.
    /// Absent: the address that was bound. Flag `--url`, environment `JIANZHEN_WITNESS_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// PEM files for TLS; both or neither. Flags `--tls-cert`, `--tls-key`, environment `JIANZHEN_WITNESS_TLS_CERT`, `…_TLS_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// The form of log lines on standard error. Flag `--log-format`, environment `JIANZHEN_WITNESS_LOG_FORMAT`.
    pub log_format: LogFormat,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// How copies are kept.
    pub mirror: MirrorSettings,
}

/// Bounds, as in `docs/spec/witness.md`. The defaults suit a machine with 1 core and 512 MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections. For a further one, that which has been silent for longest is closed, if it was for at least a second.
    pub connections: NonZeroUsize,
    /// Requests being answered; further ones get 503 with `Retry-After`. A body that still arrives takes no place.
    pub requests: NonZeroUsize,
    /// How long a body, or the header of a connection's first request, may take to arrive, in seconds.
    pub body_timeout_s: NonZeroU64,
}

/// How copies are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MirrorSettings {
    /// How often the published checkpoint is asked for, in milliseconds.
    pub poll_ms: NonZeroU64,
    /// How long a log may take to answer one request, in seconds.
    pub timeout_s: NonZeroU64,
}

const fn at_least_one(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8700)),
            url: None,
            tls: None,
            log_format: LogFormat::default(),
            limits: Limits::default(),
            mirror: MirrorSettings::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: at_least_one(512),
            requests: at_least_one(64),
            body_timeout_s: NonZeroU64::MIN.saturating_add(9),
        }
    }
}

impl Default for MirrorSettings {
    fn default() -> Self {
        Self { poll_ms: NonZeroU64::MIN.saturating_add(1999), timeout_s: NonZeroU64::MIN.saturating_add(29) }
    }
}

impl Limits {
    /// How long a body may take.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s.get())
    }
}

impl MirrorSettings {
    /// How often the published checkpoint is asked for.
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms.get())
    }

    /// How long a log may take to answer one request.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s.get())
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("The configuration {path} cannot be read: {source}. `jianzhen-witness init` makes one.")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not valid.
    #[error("The configuration {path} is not valid: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// One of the two TLS files is missing.
    #[error("TLS needs a certificate and a key; only one of the two is given.")]
    HalfTls,
}

impl Config {
    /// Reads `config.toml`.
    ///
    /// # Errors
    /// [`ConfigError::Read`], [`ConfigError::Parse`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// The settings as TOML, for `init`.
    ///
    /// # Errors
    /// None that settings made by this program can cause.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Lets flags and environment win over the file.
    ///
    /// # Errors
    /// [`ConfigError::HalfTls`].
    pub fn with(mut self, overrides: Overrides) -> Result<Self, ConfigError> {
        self.tls = TlsFiles::chosen(overrides.tls_cert, overrides.tls_key, self.tls)
            .map_err(|HalfTls| ConfigError::HalfTls)?;
        self.listen = overrides.listen.unwrap_or(self.listen);
        self.url = overrides.url.map(|url| url.trim_end_matches('/').to_owned()).or(self.url);
        self.log_format = overrides.log_format.unwrap_or(self.log_format);
        Ok(self)
    }
}

/// What flags and environment say.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Where to listen, for example 0.0.0.0:8700; port 0 means any free one
    #[arg(long, env = "JIANZHEN_WITNESS_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The base URL under which logs reach the witness
    #[arg(long, env = "JIANZHEN_WITNESS_URL")]
    pub url: Option<String>,
    /// PEM certificate chain; turns TLS on together with --tls-key
    #[arg(long, value_name = "FILE", env = "JIANZHEN_WITNESS_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// PEM private key
    #[arg(long, value_name = "FILE", env = "JIANZHEN_WITNESS_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// The form of log lines on standard error
    #[arg(long, env = "JIANZHEN_WITNESS_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_read_back_and_nothing_need_be_written() {
        let config = Config::default();
        assert_eq!(toml::from_str::<Config>(&config.to_toml().unwrap()).unwrap(), config);
        assert_eq!(toml::from_str::<Config>("").unwrap(), config);
    }

    #[test]
    fn a_misspelt_field_and_a_limit_of_nothing_are_refused() {
        for text in ["lisen = \"127.0.0.1:1\"", "[limits]\nrequests = 0", "[mirror]\npoll_ms = 0"] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_win_and_half_of_tls_is_refused() {
        let overrides = Overrides { url: Some("https://w.test/".to_owned()), ..Overrides::default() };
        assert_eq!(Config::default().with(overrides).unwrap().url.unwrap(), "https://w.test");
        let overrides = Overrides { tls_cert: Some("cert.pem".into()), ..Overrides::default() };
        assert!(matches!(Config::default().with(overrides), Err(ConfigError::HalfTls)));
    }
}
