//! Bounds on requests: how many at a time, how long, how large.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::problem::{Kind, Problem};

/// Requests that may be answered at the same time. Clones share the places.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// `count` places.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, if one is free. Waiting for one would only move the queue to where nobody sees it.
    pub fn take(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.0.try_acquire().map_err(|_| Problem::new(Kind::OVERLOADED))
    }
}

/// Refuses requests beyond the limit with 503 and `Retry-After`.
pub async fn limit(State(places): State<Places>, request: Request, next: Next) -> Response {
    match places.take() {
        Ok(_place) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Demands the content type `expected`; parameters behind it do not matter.
pub fn require_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let found = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Problem::with_detail(Kind::UNSUPPORTED_MEDIA_TYPE, format!("This address takes {expected}.")))
}

/// Reads a body of at most `max` bytes that arrives within `timeout`.
pub async fn read_body(body: Body, max: usize, timeout: Duration) -> Result<Bytes, Problem> {
    match tokio::time::timeout(timeout, Limited::new(body, max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::with_detail(Kind::BODY_TOO_LARGE, format!("At most {max} bytes are allowed.")))
        }
        // The connection broke; nobody will read the answer.
        Ok(Err(_)) => Err(Problem::new(Kind::REQUEST_TIMEOUT)),
        Err(_) => Err(Problem::new(Kind::REQUEST_TIMEOUT)),
    }
}
