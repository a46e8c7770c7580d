//! The registrar as a client of the service's intake: sign, submit, verify the receipt, tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use client::{Client, ClientError, ServerUrl, durable};
use evidence::{
    DeviceKey, MAX_OUTCOMES_LEN, Outcome, Payload, Receipt, ReceiptVerifier, Statement, Submission, TrustFile,
};
use jiff::Timestamp;

use crate::clock::{Clock as _, SystemClock};
use crate::data_dir::DataDir;
use crate::keys;

/// How often a pending statement is asked for again, and how long.
const RETRIES: u32 = 30;
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Longer than the service waits for a batch to be published.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What every registrar command needs.
#[derive(Debug, Args)]
pub(super) struct Registrar {
    /// The data directory, for the registrar's key and the trust file
    #[arg(long, value_name = "DIR", env = "JIANZHEN_DATA")]
    data: PathBuf,
    /// Base URL of the service: https, or http to this machine itself
    #[arg(long, value_name = "URL", env = "JIANZHEN_SERVER")]
    server: ServerUrl,
    /// The registrar's key, where it is not registrar.key in the data directory
    #[arg(long, value_name = "FILE")]
    registrar: Option<PathBuf>,
    /// Keep the verified receipt in this file (NAME.tlog-proof), which must not be there yet: it shows with the trust file alone that
    /// the chain holds the statement
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

/// Everybody may read what proves something.
const RECEIPT_MODE: u32 = 0o644;

impl Registrar {
    /// Signs `payload`, has it sealed, verifies the receipt against the trust file of the data directory, and prints the facts.
    pub(super) fn seal(&self, payload: &Payload) -> anyhow::Result<()> {
        let data = DataDir::new(&self.data);
        let key = self.key(&data)?;
        let trust = read_trust(&data.trust())?;
        let statement = Statement::sign(payload, &key).context("The statement cannot be signed")?;
        if let Some(path) = self.receipt.as_ref().filter(|path| path.exists()) {
            bail!("{} is there already, and nothing was sealed.", path.display());
        }
        let outcome = submit(self.server.clone(), &statement)?;
        let receipt = report(&statement, &outcome, &trust)?;
        if let Some(path) = &self.receipt {
            // The statement is sealed whatever happens here.
            durable::create(path, receipt.as_bytes(), RECEIPT_MODE)
                .context("The statement is sealed, but its receipt could not be kept")?;
            println!("receipt file     {}", path.display());
        }
        Ok(())
    }

    /// The trust file of the data directory.
    pub(super) fn trust(&self) -> anyhow::Result<TrustFile> {
        read_trust(&DataDir::new(&self.data).trust())
    }

    /// The address of the service.
    pub(super) fn server(&self) -> &ServerUrl {
        &self.server
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

/// Hands in the statement until it is published or refused.
fn submit(server: ServerUrl, statement: &Statement) -> anyhow::Result<Outcome> {
    let client = Client::new(server)?;
    let body = Submission::of(statement.clone()).encode();
    for _ in 0..RETRIES {
        let answer = client.post(
            "/api/v1/statements",
            "application/cbor-seq",
            body.clone(),
            "application/cbor",
            MAX_OUTCOMES_LEN,
            ANSWER_TIMEOUT,
        );
        let body = match answer {
            Ok(answer) => answer.body,
            // The service is there and cannot take it at present.
            Err(ClientError::Refused { problem, .. }) if problem.status == 503 => {
                std::thread::sleep(problem.retry_after.unwrap_or(RETRY_PAUSE));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let outcomes = Outcome::parse_all(&body).context("The answer is not one to a submission")?;
        let [outcome] = <[Outcome; 1]>::try_from(outcomes).map_err(|outcomes| {
            anyhow!("The service answered {} outcomes to one statement.", outcomes.len())
        })?;
        match outcome {
            Outcome::Pending => std::thread::sleep(RETRY_PAUSE),
            outcome => return Ok(outcome),
        }
    }
    bail!("The statement is not published yet; run the command again later.")
}

/// Verifies and tells; gives the receipt.
fn report<'o>(statement: &Statement, outcome: &'o Outcome, trust: &TrustFile) -> anyhow::Result<&'o Receipt> {
    let (index, sealed_at, receipt) = match outcome {
        Outcome::Sealed { index, sealed_at, receipt } => (index, sealed_at, receipt),
        Outcome::Refused { code, detail } => bail!("The service refused the statement ({code}): {detail}"),
        Outcome::Pending => bail!("The statement is not published yet; run the command again later."),
    };
    let verified = ReceiptVerifier::new(trust.clone())
        .verify(statement, *index, *sealed_at, receipt.as_bytes())
        .context("The service's receipt does not verify against trust.json; do not rely on this service")?;
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
    Ok(receipt)
}

/// The time at which a statement begins to hold when the command line names none.
pub(super) fn now() -> evidence::UnixMillis {
    SystemClock.now()
}
