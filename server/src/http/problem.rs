//! The stable codes of the problems that this service answers with, besides those of `serving`.

use axum::http::StatusCode;
use serving::Kind;
pub use serving::Problem;

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
    /// An address below `/log/` with a query.
    QueryRefused,
    /// One key signed more than its share.
    QuotaExceeded,
    /// The service is at its limit.
    Overloaded,
    /// The service cannot seal at present.
    NotReady,
}

impl From<Code> for Kind {
    fn from(code: Code) -> Self {
        match code {
            Code::NotFound => Self::NOT_FOUND,
            Code::NotEnrolled => Self::new(
                "not-enrolled",
                StatusCode::NOT_FOUND,
                "No enrolment of this key is published here.",
            ),
            Code::MethodNotAllowed => Self::METHOD_NOT_ALLOWED,
            Code::SubmissionMalformed => Self::new(
                "submission-malformed",
                StatusCode::BAD_REQUEST,
                "The body is not a sequence of submissions.",
            ),
            Code::LookupMalformed => {
                Self::new("lookup-malformed", StatusCode::BAD_REQUEST, "The body is not a lookup request.")
            }
            Code::QueryRefused => {
                Self::new("query-refused", StatusCode::BAD_REQUEST, "The address does not take a query.")
            }
            Code::QuotaExceeded => Self::new(
                "quota-exceeded",
                StatusCode::TOO_MANY_REQUESTS,
                "One key signed more statements than its share.",
            ),
            Code::Overloaded => Self::OVERLOADED,
            Code::NotReady => {
                Self::new("not-ready", StatusCode::SERVICE_UNAVAILABLE, "The service cannot seal at present.")
            }
        }
    }
}
