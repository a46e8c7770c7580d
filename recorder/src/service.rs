//! What the recorder asks of the verification service (`docs/spec/http.md`). Answers are parsed here and trusted nowhere:
//! receipts and enrolments go to [`crate::chain`] and [`crate::registry`].

use std::time::{Duration, Instant};

use client::{Client, ClientError, ServerUrl};
use evidence::{KeyDigest, MAX_OUTCOMES_LEN, Outcome, OutcomesError, UnixMillis};

use crate::clock::wall_clock;

/// Intake answers after the next batch is published, normally within a second.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Small answers. Short, because a recording that is about to begin waits for them.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// A registry section: 64 statements, a snapshot of 1 MiB among them, and their receipts.
const MAX_REGISTRY_SECTION: usize = 8 * 1024 * 1024;

/// A trust file is a few kilobytes.
const MAX_TRUST: usize = 1024 * 1024;

/// Why the service gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No answer, or a refusal of the whole request.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that is none.
    #[error("The server at {server} answered nonsense: {source}")]
    Nonsense {
        /// Base address.
        server: String,
        /// What is wrong with it.
        source: OutcomesError,
    },
    /// Another number of outcomes than of submissions.
    #[error("The server at {server} answered {found} outcomes to {expected} statements.")]
    Count {
        /// Base address.
        server: String,
        /// Outcomes.
        found: usize,
        /// Submissions.
        expected: usize,
    },
}

impl ServiceError {
    /// How long the server asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Client(ClientError::Refused { problem, .. }) => problem.retry_after,
            _ => None,
        }
    }

    /// Whether the service is just not there, rather than there and wrong.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_temporary())
    }
}

/// The service at one address.
pub struct Service {
    client: Client,
}

impl Service {
    /// The service at `server`; nothing is asked yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(server: ServerUrl) -> Result<Self, ServiceError> {
        Ok(Self { client: Client::new(server)? })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &ServerUrl {
        self.client.base()
    }

    /// Submits a CBOR sequence of `count` submissions.
    ///
    /// # Errors
    /// [`ServiceError`]
    pub fn submit(&self, body: Vec<u8>, count: usize) -> Result<Vec<Outcome>, ServiceError> {
        let answer = self.client.post(
            "/api/v1/statements",
            "application/cbor-seq",
            body,
            "application/cbor",
            MAX_OUTCOMES_LEN,
            SUBMIT_TIMEOUT,
        )?;
        let server = || self.url().to_string();
        let outcomes = Outcome::parse_all(&answer.body)
            .map_err(|source| ServiceError::Nonsense { server: server(), source })?;
        if outcomes.len() != count {
            return Err(ServiceError::Count { server: server(), found: outcomes.len(), expected: count });
        }
        Ok(outcomes)
    }

    /// The registry section of a key, unverified.
    ///
    /// # Errors
    /// [`ServiceError`]; a key that is not enrolled is a refusal with status 404.
    pub fn registry(&self, key: KeyDigest) -> Result<Vec<u8>, ServiceError> {
        let path = format!("/api/v1/enrolments/{key}");
        Ok(self.client.get(&path, "application/cbor", MAX_REGISTRY_SECTION, ASK_TIMEOUT)?.body)
    }

    /// The operator's trust file. It says whom to trust, so it is worth as much as the person who pins it.
    ///
    /// # Errors
    /// [`ServiceError`]
    pub fn trust_file(&self) -> Result<Vec<u8>, ServiceError> {
        Ok(self.client.get("/trust.json", "application/json", MAX_TRUST, ASK_TIMEOUT)?.body)
    }

    /// The device's clock minus the service's, in milliseconds, by the `Date` of an answer: good to a second or so.
    ///
    /// # Errors
    /// [`ServiceError`]; an answer without a usable date is `Ok(None)`.
    pub fn clock_offset(&self) -> Result<Option<i64>, ServiceError> {
        let (before, began) = (wall_clock(), Instant::now());
        let answer = self.client.get("/api/v1/chain", "application/json", MAX_TRUST, ASK_TIMEOUT)?;
        let Some(date) = answer.date.as_deref().and_then(parse_date) else { return Ok(None) };
        // The answer was dated somewhere between question and answer; `Date` drops the fraction of its second.
        let half = u64::try_from(began.elapsed().as_millis() / 2).unwrap_or(0);
        let here = i64::try_from(before.get().saturating_add(half)).unwrap_or(i64::MAX);
        let there = i64::try_from(date.get()).unwrap_or(i64::MAX).saturating_add(500);
        Ok(Some(here.saturating_sub(there)))
    }
}

/// An IMF-fixdate (RFC 9110 §5.6.7) in the years that a clock can show.
fn parse_date(text: &str) -> Option<UnixMillis> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    UnixMillis::new(u64::try_from(time.as_millisecond()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_answers_are_read_strictly() {
        assert_eq!(parse_date("Sun, 06 Nov 1994 08:49:37 GMT").map(UnixMillis::get), Some(784_111_777_000));
        for text in ["", "yesterday", "Sun, 06 Nov 1894 08:49:37 GMT", "784111777"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
