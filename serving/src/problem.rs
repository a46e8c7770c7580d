//! Errors as `application/problem+json` (RFC 9457) with stable codes. The cause of an internal error goes to the log, never
//! to a client.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// When a client should come back after an overload, in seconds.
const RETRY_SECONDS: u64 = 2;

/// A kind of problem: its stable code, and what goes with it. Programs define their own besides these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The last part of the problem's `type`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// One sentence.
    pub title: &'static str,
}

impl Kind {
    /// There is nothing at this address.
    pub const NOT_FOUND: Self =
        Self::new("not-found", StatusCode::NOT_FOUND, "There is nothing at this address.");
    /// The address exists, the method does not.
    pub const METHOD_NOT_ALLOWED: Self = Self::new(
        "method-not-allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "The address does not answer this method.",
    );
    /// Another content type than specified.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self::new(
        "unsupported-media-type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The address wants another content type.",
    );
    /// The body is too long.
    pub const BODY_TOO_LARGE: Self =
        Self::new("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.");
    /// The body did not arrive in time.
    pub const REQUEST_TIMEOUT: Self =
        Self::new("request-timeout", StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.");
    /// The service is at its limit.
    pub const OVERLOADED: Self = Self::new(
        "overloaded",
        StatusCode::SERVICE_UNAVAILABLE,
        "The service is at its limit; nothing of this request was promised.",
    );
    /// The service's own trouble.
    pub const INTERNAL: Self =
        Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong inside the service.");

    /// A kind of problem.
    pub const fn new(code: &'static str, status: StatusCode, title: &'static str) -> Self {
        Self { code, status, title }
    }
}

/// An error as a client sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Option<String>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem without detail. What is the service's state at present (503) says when to come back.
    pub fn new(kind: impl Into<Kind>) -> Self {
        let kind = kind.into();
        let retry_after = (kind.status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS);
        Self { kind, detail: None, retry_after }
    }

    /// A problem with a sentence for whoever reads it.
    pub fn with_detail(kind: impl Into<Kind>, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..Self::new(kind) }
    }

    /// Logs `cause` and tells the client only that it happened.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(Kind::INTERNAL)
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("/problems/{}", self.kind.code),
            "title": self.kind.title,
            "status": self.kind.status.as_u16(),
        });
        if let Some(detail) = self.detail {
            body["detail"] = detail.into();
        }
        let mut response = (self.kind.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
