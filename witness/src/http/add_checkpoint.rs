//! `POST /add-checkpoint`.

use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serving::limits::read_body;
use serving::{Kind, Problem};
use tlog::TreeSize;
use tlog::add_checkpoint::MAX_ADD_CHECKPOINT_LEN;

use super::{App, MALFORMED, NOT_CONSISTENT, NOT_READY, NOT_SIGNED, UNKNOWN_LOG};
use crate::add_checkpoint::Refusal;
use crate::witness::AddError;

/// A full proof and dozens of signatures; as many of these as connections are let in fit into memory easily.
pub(super) const SMALL: u64 = 16 << 10;

pub(super) async fn add(State(app): State<App>, body: Body) -> Response {
    let body = match arrive(&app, body).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let _place = match app.places.take() {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    match app.witness.add_checkpoint(&body).await {
        Ok(cosigned) => {
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{}\n", cosigned.line)).into_response()
        }
        Err(AddError::Store(error)) => Problem::internal(&error).into_response(),
        Err(AddError::Refused(refusal)) => refused(&refusal),
    }
}

/// An ordinary request needs no place to arrive in, so that large bodies that drip in keep it out of nothing.
async fn arrive(app: &App, body: Body) -> Result<Bytes, Problem> {
    let length = body.size_hint();
    if length.lower() > u64::try_from(MAX_ADD_CHECKPOINT_LEN).unwrap_or(u64::MAX) {
        return Err(Problem::with_detail(
            Kind::BODY_TOO_LARGE,
            format!("At most {MAX_ADD_CHECKPOINT_LEN} bytes are allowed."),
        ));
    }
    let small = length.exact().is_some_and(|length| length <= SMALL);
    let _place = if small { None } else { Some(app.large.take()?) };
    read_body(body, MAX_ADD_CHECKPOINT_LEN, app.body_timeout).await
}

fn refused(refusal: &Refusal) -> Response {
    let kind = match refusal {
        Refusal::Malformed(_)
        | Refusal::NoCheckpoint(_)
        | Refusal::SizesReversed { .. }
        | Refusal::NoRoom(_) => MALFORMED,
        Refusal::UnknownOrigin(_) => UNKNOWN_LOG,
        Refusal::NotSigned(_) => NOT_SIGNED,
        Refusal::Conflict { newest } => return conflict(*newest),
        Refusal::NotConsistent(_) => NOT_CONSISTENT,
        Refusal::ClockBehind { .. } | Refusal::Cosignature(_) => {
            tracing::error!(%refusal, "nothing is signed");
            NOT_READY
        }
    };
    Problem::with_detail(kind, refusal).into_response()
}

/// The one refusal whose body the specification defines.
fn conflict(newest: TreeSize) -> Response {
    (StatusCode::CONFLICT, [(CONTENT_TYPE, "text/x.tlog.size")], format!("{newest}\n")).into_response()
}
