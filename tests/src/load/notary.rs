//! The service as a device sees it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evidence::{MAX_OUTCOMES_LEN, Outcome};

/// Longer than the service waits for a batch to be published.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where statements are handed in. Connections are kept open and used again.
#[derive(Debug, Clone)]
pub struct Notary {
    client: reqwest::Client,
    url: String,
}

/// What came of handing something in.
#[derive(Debug)]
pub enum Answer {
    /// One outcome for each statement.
    Outcomes(Vec<Outcome>),
    /// It cannot be accepted at present; come back after this long.
    Later(Duration),
    /// There was no answer, or half of one. Nothing is known about the statements.
    Nothing(String),
}

impl Notary {
    /// The service at `url`.
    pub fn new(url: &str) -> Result<Self> {
        // A second call finds the provider that the first one installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(5))
            .build()
            .context("no HTTP client")?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Hands in a sequence of submissions. Whatever a service never says is an error.
    pub async fn submit(&self, body: Vec<u8>) -> Result<Answer> {
        let request = self
            .client
            .post(format!("{}/api/v1/statements", self.url))
            .header("content-type", "application/cbor-seq")
            .body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Answer::Nothing(format!("{error:?}"))),
        };
        let status = response.status().as_u16();
        if status == 503 || status == 429 {
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let seconds: u64 = after.context("503 without Retry-After")?.parse()?;
            return Ok(Answer::Later(Duration::from_secs(seconds)));
        }
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Answer::Nothing(format!("{error:?}"))),
        };
        if status != 200 {
            bail!("a submission is answered {status}: {}", String::from_utf8_lossy(&bytes));
        }
        ensure!(bytes.len() <= MAX_OUTCOMES_LEN, "{} bytes", bytes.len());
        Ok(Answer::Outcomes(Outcome::parse_all(&bytes)?))
    }

    /// Fetches `url`, if it answers with success.
    pub async fn fetch(&self, url: &str) -> Option<Vec<u8>> {
        let request = self.client.get(url).timeout(Duration::from_secs(5));
        let response = request.send().await.ok()?.error_for_status().ok()?;
        Some(response.bytes().await.ok()?.to_vec())
    }
}
