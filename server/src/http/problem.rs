//! Errors as `application/problem+json` (RFC 9457) with stable codes. The cause of an internal error goes to the log, never
//! to a client.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// When a client should come back after an overload, in seconds.
const RETRY_SECONDS: u64 = 2;

/// The stable codes of `docs/spec/http.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// There is nothing at this address.
    NotFound,
    /// No enrolment of this key is sealed and published here.
    NotEnrolled,
    /// The address exists, the method does not.
    MethodNotAllowed,
    /// The body is not a submission-request.
    SubmissionMalformed,
    /// The body is not a lookup-request.
    LookupMalformed,
    /// Another content type than specified.
    UnsupportedMediaType,
    /// The body is too long.
    BodyTooLarge,
    /// The body did not arrive in time.
    RequestTimeout,
    /// One key signed more than its share.
    QuotaExceeded,
    /// The service is at its limit.
    Overloaded,
    /// The service cannot seal at present.
    NotReady,
    /// The service's own trouble.
    Internal,
}

impl Code {
    /// The last part of the problem's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::NotEnrolled => "not-enrolled",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::SubmissionMalformed => "submission-malformed",
            Self::LookupMalformed => "lookup-malformed",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::BodyTooLarge => "body-too-large",
            Self::RequestTimeout => "request-timeout",
            Self::QuotaExceeded => "quota-exceeded",
            Self::Overloaded => "overloaded",
            Self::NotReady => "not-ready",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotEnrolled => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::SubmissionMalformed | Self::LookupMalformed => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this address.",
            Self::NotEnrolled => "No enrolment of this key is published here.",
            Self::MethodNotAllowed => "The address does not answer this method.",
            Self::SubmissionMalformed => "The body is not a sequence of submissions.",
            Self::LookupMalformed => "The body is not a lookup request.",
            Self::UnsupportedMediaType => "The address wants another content type.",
            Self::BodyTooLarge => "The body is too long.",
            Self::RequestTimeout => "The body did not arrive in time.",
            Self::QuotaExceeded => "One key signed more statements than its share.",
            Self::Overloaded => "The service is at its limit; nothing of this request was promised.",
            Self::NotReady => "The service cannot seal at present.",
            Self::Internal => "Something went wrong inside the service.",
        }
    }
}

/// An error as a client sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem without detail.
    pub fn new(code: Code) -> Self {
        let retry_after = matches!(code, Code::Overloaded | Code::NotReady).then_some(RETRY_SECONDS);
        Self { code, detail: None, retry_after }
    }

    /// A problem with a sentence for whoever reads it.
    pub fn with_detail(code: Code, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..Self::new(code) }
    }

    /// Logs `cause` and tells the client only that it happened.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(Code::Internal)
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let mut body = json!({
            "type": format!("/problems/{}", self.code.as_str()),
            "title": self.code.title(),
            "status": status.as_u16(),
        });
        if let Some(detail) = self.detail {
            body["detail"] = detail.into();
        }
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
