//! The registrar as a client of the service's intake: sign, submit, verify the receipt, tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use evidence::{DeviceKey, Outcome, Payload, Statement, Submission, TrustFile};
use jiff::Timestamp;

use crate::clock::{Clock as _, SystemClock};
use crate::data_dir::DataDir;
use crate::keys;

/// How often a pending statement is asked for again, and how long.
const RETRIES: u32 = 30;
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What every registrar command needs.
#[derive(Debug, Args)]
pub(super) struct Registrar {
    /// The data directory, for the registrar's key and the trust file
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// Base URL of the service
    #[arg(long, value_name = "URL", env = "JIANZHEN_SERVER")]
    server: String,
    /// The registrar's key, where it is not registrar.key in the data directory
    #[arg(long, value_name = "FILE")]
    registrar: Option<PathBuf>,
}

impl Registrar {
    /// Signs `payload`, has it sealed, verifies the receipt against the trust file of the data directory, and prints the facts.
    pub(super) async fn seal(&self, payload: &Payload) -> anyhow::Result<()> {
        let data = DataDir::new(&self.data);
        let key = self.key(&data)?;
        let trust = read_trust(&data.trust())?;
        let statement = Statement::sign(payload, &key).context("The statement cannot be signed")?;
        let outcome = submit(&self.server, &statement).await?;
        report(&statement, &outcome, &trust)
    }

    fn key(&self, data: &DataDir) -> anyhow::Result<DeviceKey> {
        let path = self.registrar.clone().unwrap_or_else(|| data.registrar_key());
        Ok(keys::load_registrar(&path)?)
    }
}

fn read_trust(path: &Path) -> anyhow::Result<TrustFile> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(TrustFile::parse(&bytes)?)
}

async fn submit(server: &str, statement: &Statement) -> anyhow::Result<Outcome> {
    let url = format!("{}/api/v1/statements", server.trim_end_matches('/'));
    require_safe(&url)?;
    // A second call finds the provider that the first one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("The HTTP client cannot be made")?;
    let body = Submission::of(statement.clone()).encode();
    for _ in 0..RETRIES {
        let request = client.post(&url).header("content-type", "application/cbor-seq").body(body.clone());
        let response = request.send().await.with_context(|| format!("{url} does not answer"))?;
        let status = response.status();
        let bytes = response.bytes().await.with_context(|| format!("{url} broke off its answer"))?;
        if status.as_u16() == 503 {
            tokio::time::sleep(RETRY_PAUSE).await;
            continue;
        }
        ensure!(status.is_success(), "{url} answered {status}: {}", String::from_utf8_lossy(&bytes));
        match Outcome::parse_all(&bytes).context("The answer is not one to a submission")?.pop() {
            Some(Outcome::Pending) | None => tokio::time::sleep(RETRY_PAUSE).await,
            Some(outcome) => return Ok(outcome),
        }
    }
    bail!("The statement is not published yet; run the command again later.")
}

/// What is enrolled is not secret, but who may enrol is decided by what the service answers.
fn require_safe(url: &str) -> anyhow::Result<()> {
    let url = reqwest::Url::parse(url).with_context(|| format!("{url} is not an address"))?;
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    ensure!(
        url.scheme() == "https" || (url.scheme() == "http" && loopback),
        "Plain HTTP is for loopback only."
    );
    Ok(())
}

fn report(statement: &Statement, outcome: &Outcome, trust: &TrustFile) -> anyhow::Result<()> {
    let (index, sealed_at, receipt) = match outcome {
        Outcome::Sealed { index, sealed_at, receipt } => (index, sealed_at, receipt),
        Outcome::Refused { code, detail } => bail!("The service refused the statement ({code}): {detail}"),
        Outcome::Pending => bail!("The statement is not published yet; run the command again later."),
    };
    let leaf = evidence::Entry::sealing(statement, *sealed_at).leaf_hash();
    let proof = receipt.proof().context("The service's receipt cannot be read")?;
    let verified = trust.logs().iter().find_map(|logs| proof.verify(&leaf, &logs.policy).ok());
    let Some(verified) = verified.filter(|verified| verified.index() == *index) else {
        bail!("The service's receipt does not verify against trust.json; do not rely on this service.");
    };
    let seconds = i64::try_from(sealed_at.get()).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string());
    println!("kind             {}", statement.kind());
    println!("statement        {}", statement.digest());
    println!("log              {}", verified.checkpoint().origin());
    println!("index            {index}");
    println!("sealed at        {time}");
    println!("checkpoint size  {}", verified.checkpoint().head().size);
    println!("checkpoint root  {}", verified.checkpoint().head().root.to_base64());
    println!("receipt          verified");
    Ok(())
}

/// The time at which a statement begins to hold when the command line names none.
pub(super) fn now() -> evidence::UnixMillis {
    SystemClock.now()
}
