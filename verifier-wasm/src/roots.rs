//! Fetching what `evidence` compares roots with, from the page's own server and from the witnesses.

use evidence::{Comparison, RootsAddress, RootsOutcome, RootsRequest, RootsStep, TrustFile};
use futures_util::future::join_all;
use tlog::VerifiedCheckpoint;
use web_sys::DedicatedWorkerGlobalScope;

use crate::http::{Ask, FetchError, Patience, fetch};
use crate::session::CancelFlag;

/// Requests under way at once: each has its time from the moment it is made, and browsers make few of them at once.
const AT_ONCE: usize = 12;

/// Why there is no outcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the comparison was cancelled")]
pub struct Cancelled;

/// All answers of one comparison (`docs/spec/roots.md`, “Limits”): a service that stalls every answer keeps nobody waiting
/// for minutes.
const PATIENCE_MS: f64 = 30_000.0;

/// When a comparison has to be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(f64);

impl Deadline {
    /// Of a comparison that begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self(js_sys::Date::now() + PATIENCE_MS)
    }

    /// One that has passed.
    #[must_use]
    pub fn passed() -> Self {
        Self(f64::NEG_INFINITY)
    }

    fn is_over(self) -> bool {
        js_sys::Date::now() >= self.0
    }
}

/// Compares the roots of a chain; without an `anchor`, of the one that the service publishes.
///
/// # Errors
///
/// If the user cancels.
pub async fn compare(
    scope: &DedicatedWorkerGlobalScope,
    trust: &TrustFile,
    anchor: Option<VerifiedCheckpoint>,
    pins: Vec<Vec<u8>>,
    cancelled: &CancelFlag,
) -> Result<RootsOutcome, Cancelled> {
    let mut comparison = Comparison::new(trust, anchor, pins);
    let deadline = Deadline::begin();
    while let RootsStep::Ask(requests) = comparison.next() {
        for (request, answer) in fetch_all(scope, requests, deadline, cancelled).await? {
            comparison.answered(&request, answer.ok());
        }
    }
    Ok(comparison.outcome())
}

/// The answers to `requests`, some at a time; after the deadline nobody is asked any more, and nobody has answered.
///
/// # Errors
///
/// If the user cancels.
pub async fn fetch_all(
    scope: &DedicatedWorkerGlobalScope,
    requests: Vec<RootsRequest>,
    deadline: Deadline,
    cancelled: &CancelFlag,
) -> Result<Vec<(RootsRequest, Result<Vec<u8>, FetchError>)>, Cancelled> {
    let mut answers = Vec::with_capacity(requests.len());
    for some in requests.chunks(AT_ONCE) {
        if deadline.is_over() {
            answers.resize(requests.len(), Err(FetchError::Unreachable));
            break;
        }
        answers.extend(join_all(some.iter().map(|request| fetch_one(scope, request))).await);
        if cancelled.is_set() {
            return Err(Cancelled);
        }
    }
    Ok(requests.into_iter().zip(answers).collect())
}

async fn fetch_one(
    scope: &DedicatedWorkerGlobalScope,
    request: &RootsRequest,
) -> Result<Vec<u8>, FetchError> {
    let (address, is_elsewhere) = match request.address() {
        RootsAddress::Service(path) => (path, false),
        RootsAddress::Elsewhere(address) => (address, true),
    };
    let ask = Ask {
        address: &address,
        body: None,
        media_type: request.media_type(),
        may_be_any_type: is_elsewhere,
        max_length: request.max_len(),
        patience: Patience::SHORT,
        may_be_cached: matches!(request, RootsRequest::Tile(_) | RootsRequest::Bundle(_)),
    };
    fetch(scope, &ask).await
}
