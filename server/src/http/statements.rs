//! `POST /api/v1/statements`: intake.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use evidence::{MAX_SUBMISSION_LEN, Outcome, Submission, SubmissionsError};

use super::App;
use super::limits::{read_body, require_type};
use super::problem::{Code, Problem};
use crate::service::SubmitError;

pub(super) async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    require_type(&headers, "application/cbor-seq")?;
    let _place = app.submissions.take()?;
    let body = read_body(body, MAX_SUBMISSION_LEN, app.body_timeout).await?;
    let submissions = Submission::parse_all(&body).map_err(malformed)?;
    // Not needed while the batch is sealed.
    drop(body);
    let outcomes = app.service.submit(submissions).await?;
    Ok(([(CONTENT_TYPE, "application/cbor")], Outcome::encode_all(&outcomes)))
}

fn malformed(error: SubmissionsError) -> Problem {
    Problem::with_detail(Code::SubmissionMalformed, error)
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => Self::new(Code::Overloaded),
            SubmitError::Stopping => Self::new(Code::NotReady),
            SubmitError::Quota(exceeded) => {
                Self::with_detail(Code::QuotaExceeded, exceeded).retry_after(exceeded.retry_after_s)
            }
            SubmitError::Store(error) => Self::internal(&error),
            SubmitError::Receipt(error) => Self::internal(&error),
        }
    }
}
