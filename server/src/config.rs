//! Settings. `config.toml` in the data directory is read first, then environment variables (`JIANZHEN_…`), then flags;
//! the later wins. The documentation of the fields is the manual.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serving::HalfTls;
pub use serving::{LogFormat, TlsFiles};

/// What `config.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The log's origin line, as in `trust.json`. Set by `init` and never changed afterwards.
    pub origin: String,
    /// Where to listen: `address:port`, port 0 for any free one. Flag `--listen`, environment `JIANZHEN_LISTEN`.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The base URL under which people reach the service, without a trailing slash; written to the ready file.
    /// Absent: the address that was bound. Flag `--url`, environment `JIANZHEN_URL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The directory with the built page. Absent: no page is served. Flag `--page`, environment `JIANZHEN_PAGE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PathBuf>,
    /// PEM files for TLS; both or neither. Flags `--tls-cert`, `--tls-key`, environment `JIANZHEN_TLS_CERT`, `JIANZHEN_TLS_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// The form of log lines on standard error. Flag `--log-format`, environment `JIANZHEN_LOG_FORMAT`.
    #[serde(default)]
    pub log_format: LogFormat,
    /// Bounds on what clients may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// Where this service asks a witness, by its name in the policy, if that is not the address in `trust.json`: `https`, or `http` to
    /// this machine or to a private address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub witnesses: BTreeMap<String, String>,
}

/// Bounds. The defaults suit a machine with 2 cores and 2 GiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections; further ones are closed at once.
    pub connections: NonZeroUsize,
    /// Requests being answered; further ones get 503 with `Retry-After`.
    pub requests: NonZeroUsize,
    /// Submissions of more than 16 KiB being answered: each may hold 4 MiB, and waits for its batch. As many of more than 64 KiB may be
    /// arriving.
    pub submissions: NonZeroUsize,
    /// Lookups being answered: each may hold 64 MiB.
    pub lookups: NonZeroUsize,
    /// Statements that wait for a batch; a submission that does not fit gets 503 and nothing of it is kept.
    pub queue: NonZeroUsize,
    /// MiB of statements that wait, with their block digests and disclosures: a deposit has up to 4.
    pub queue_mib: NonZeroUsize,
    /// Statements of one batch, that is of one database transaction.
    pub batch: NonZeroUsize,
    /// How long the sequencer collects, in milliseconds.
    pub batch_interval_ms: u64,
    /// How long a request's body may take to arrive, in seconds.
    pub body_timeout_s: u64,
    /// How long a submission waits for publication before it is answered as pending, in seconds.
    pub answer_timeout_s: u64,
    /// Statements that one key may have accepted in a minute; every 64 MiB of a deposit count as one more. A spool of a day (43,200 segments of 2 s) takes four minutes.
    pub statements_per_minute: NonZeroU32,
    /// How long one answer of a witness may take, in milliseconds. After this time without a quorum the service is not ready.
    pub witness_timeout_ms: u64,
    /// While nothing is sealed, witnesses cosign the same tree again after so many seconds, so that its age can be seen.
    pub freshness_s: NonZeroU32,
    /// The least time between two new checkpoints, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// Entries that may be sealed and not published, while witnesses or the object store are away; then no more are sealed.
    pub unpublished: NonZeroUsize,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

const fn at_least_one(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: at_least_one(2048),
            requests: at_least_one(2048),
            submissions: at_least_one(64),
            lookups: at_least_one(8),
            queue: at_least_one(16_384),
            queue_mib: at_least_one(64),
            batch: at_least_one(2048),
            batch_interval_ms: 200,
            body_timeout_s: 30,
            answer_timeout_s: 20,
            statements_per_minute: NonZeroU32::MIN.saturating_add(11_999),
            witness_timeout_ms: 5000,
            freshness_s: NonZeroU32::MIN.saturating_add(9),
            checkpoint_interval_ms: 200,
            unpublished: at_least_one(65_536),
        }
    }
}

impl Limits {
    /// How long the sequencer collects.
    pub fn batch_interval(&self) -> Duration {
        Duration::from_millis(self.batch_interval_ms)
    }

    /// How long a body may take.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }

    /// How long one answer of a witness may take.
    pub fn witness_timeout(&self) -> Duration {
        Duration::from_millis(self.witness_timeout_ms)
    }

    /// How old the newest quorum may grow.
    pub fn freshness(&self) -> Duration {
        Duration::from_secs(u64::from(self.freshness_s.get()))
    }

    /// The least time between two new checkpoints.
    pub fn checkpoint_interval(&self) -> Duration {
        Duration::from_millis(self.checkpoint_interval_ms)
    }

    /// How long a submission waits.
    pub fn answer_timeout(&self) -> Duration {
        Duration::from_secs(self.answer_timeout_s)
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("The configuration {path} cannot be read: {source}. `jianzhen-server init` makes one.")]
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
    /// The settings that `init` writes.
    pub fn new(origin: String) -> Self {
        Self {
            origin,
            listen: default_listen(),
            url: None,
            page: None,
            tls: None,
            log_format: LogFormat::default(),
            limits: Limits::default(),
            witnesses: BTreeMap::new(),
        }
    }

    /// Reads `config.toml`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// The settings as TOML, for `init`.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Lets flags and environment win over the file.
    pub fn with(mut self, overrides: Overrides) -> Result<Self, ConfigError> {
        self.tls = TlsFiles::chosen(overrides.tls_cert, overrides.tls_key, self.tls)
            .map_err(|HalfTls| ConfigError::HalfTls)?;
        self.listen = overrides.listen.unwrap_or(self.listen);
        self.url = overrides.url.map(|url| url.trim_end_matches('/').to_owned()).or(self.url);
        self.page = overrides.page.or(self.page);
        self.log_format = overrides.log_format.unwrap_or(self.log_format);
        Ok(self)
    }
}

/// What flags and environment say.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Where to listen, for example 127.0.0.1:8080; port 0 means any free one
    #[arg(long, env = "JIANZHEN_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The base URL under which people reach the service
    #[arg(long, env = "JIANZHEN_URL")]
    pub url: Option<String>,
    /// The directory with the built page
    #[arg(long, value_name = "DIST", env = "JIANZHEN_PAGE")]
    pub page: Option<PathBuf>,
    /// PEM certificate chain; turns TLS on together with --tls-key
    #[arg(long, value_name = "FILE", env = "JIANZHEN_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// PEM private key
    #[arg(long, value_name = "FILE", env = "JIANZHEN_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// The form of log lines on standard error
    #[arg(long, env = "JIANZHEN_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_read_back() {
        let config = Config::new("example.test/log".to_owned());
        let text = config.to_toml().unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn one_line_is_enough_and_a_misspelt_field_is_refused() {
        let config: Config = toml::from_str("origin = \"example.test/log\"").unwrap();
        assert_eq!(config, Config::new("example.test/log".to_owned()));
        assert!(toml::from_str::<Config>("origin = \"a\"\nlisen = \"127.0.0.1:1\"").is_err());
        assert!(toml::from_str::<Config>("origin = \"a\"\n[limits]\nbatch = 0").is_err());
    }

    #[test]
    fn flags_win_and_half_of_tls_is_refused() {
        let config = Config::new("a".to_owned());
        let overrides = Overrides { url: Some("https://a.test/".to_owned()), ..Overrides::default() };
        assert_eq!(config.clone().with(overrides).unwrap().url.unwrap(), "https://a.test");
        let overrides = Overrides { tls_cert: Some("cert.pem".into()), ..Overrides::default() };
        assert!(matches!(config.with(overrides), Err(ConfigError::HalfTls)));
    }
}
