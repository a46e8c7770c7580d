//! Bounds on requests: how many at a time, how long, how large.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

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

/// Bytes in an answer that is not counted: what so many connections as are let in can hold without harm.
const SHORT: u64 = 32 << 10;

/// Memory for long answers from when they are made until they are sent. Who asks and does not read holds it, and a connection
/// may have asked many times; without a bound, that would be all the memory there is. Clones share it.
#[derive(Debug, Clone)]
pub struct Sending {
    /// In KiB.
    free: Arc<Semaphore>,
    all: u32,
}

/// An answer, and its part of the memory; both go when the last byte is sent.
struct Held {
    bytes: Bytes,
    _part: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Sending {
    /// So much memory. An answer that is longer still is sent while no other is.
    pub fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(Semaphore::MAX_PERMITS))), all }
    }

    async fn hold(&self, response: Response) -> Response {
        let length = response.body().size_hint().exact();
        let Some(length) = length.filter(|length| *length > SHORT) else { return response };
        let part = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX).min(self.all);
        let Ok(part) = self.free.clone().try_acquire_many_owned(part) else {
            return Problem::new(Kind::OVERLOADED).into_response();
        };
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => {
                // The body itself is gone as soon as the connection has taken its bytes over; these are not.
                let held = Held { bytes: body.to_bytes(), _part: part };
                Response::from_parts(head, Body::from(Bytes::from_owner(held)))
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// Refuses long answers with 503 and `Retry-After` while too many are on their way.
pub async fn hold(State(sending): State<Sending>, request: Request, next: Next) -> Response {
    sending.hold(next.run(request).await).await
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize) -> Response {
        vec![0_u8; bytes].into_response()
    }

    #[tokio::test]
    async fn answers_that_nobody_reads_are_bounded_until_their_last_byte_is_gone() {
        let sending = Sending::new(128 << 10);
        let (first, second) = (sending.hold(answer(64 << 10)).await, sending.hold(answer(64 << 10)).await);
        assert_eq!((first.status(), second.status()), (200.try_into().unwrap(), 200.try_into().unwrap()));
        let refused = sending.hold(answer(33 << 10)).await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        // Short ones need no place.
        assert_eq!(sending.hold(answer(32 << 10)).await.status(), 200);
        // A connection takes the bytes over and lets the body go: they are held all the same.
        let taken = first.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(taken.len(), 64 << 10);
        assert_eq!(sending.hold(answer(33 << 10)).await.status(), 503);
        drop(taken);
        assert_eq!(sending.hold(answer(64 << 10)).await.status(), 200);
        drop(second);
        // Longer than all of it: only alone.
        let long = sending.hold(answer(1 << 20)).await;
        assert_eq!(
            (long.status(), long.body().size_hint().exact()),
            (200.try_into().unwrap(), Some(1 << 20))
        );
        assert_eq!(sending.hold(answer(33 << 10)).await.status(), 503);
    }
}
