//! `POST /api/v1/statements`: intake.

use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use evidence::{MAX_SUBMISSION_LEN, Outcome, Submission, SubmissionsError};
use serving::limits::{read_body, require_type};

use super::App;
use super::problem::{Code, Problem};
use crate::service::SubmitError;

/// What a live recorder sends: a few statements. So many of these may wait for their batch as requests are let in: a thousand a second
/// that each wait a quarter of a second are 250.
const LIVE: u64 = 16 << 10;

/// A body of some dozen statements; as many of these as requests are let in fit into memory easily.
const SMALL: u64 = 64 << 10;

pub(super) async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    require_type(&headers, "application/cbor-seq")?;
    let live = body.size_hint().exact().is_some_and(|length| length <= LIVE);
    let body = arrive(&app, body).await?;
    let _place = if live { None } else { Some(app.submissions.take()?) };
    let submissions = Submission::parse_all(&body).map_err(malformed)?;
    // Not needed while the batch is sealed.
    drop(body);
    let outcomes = app.service.submit(submissions).await?;
    Ok(([(CONTENT_TYPE, "application/cbor")], Outcome::encode_all(&outcomes)))
}

/// A live recorder's few statements need no place to arrive in, so that large bodies that drip in keep it out of nothing.
async fn arrive(app: &App, body: Body) -> Result<Bytes, Problem> {
    let small = body.size_hint().exact().is_some_and(|length| length <= SMALL);
    let _place = if small { None } else { Some(app.arriving.take()?) };
    read_body(body, MAX_SUBMISSION_LEN, app.body_timeout).await
}

fn malformed(error: SubmissionsError) -> Problem {
    Problem::with_detail(Code::SubmissionMalformed, error)
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => Self::new(Code::Overloaded),
            SubmitError::Stopping => Self::new(Code::NotReady),
            SubmitError::Unchecked => Self::with_detail(Code::NotReady, error),
            SubmitError::Quota(exceeded) => {
                Self::with_detail(Code::QuotaExceeded, exceeded).retry_after(exceeded.retry_after_s)
            }
            SubmitError::Store(error) => Self::internal(&error),
            SubmitError::Receipt(error) => Self::internal(&error),
        }
    }
}
