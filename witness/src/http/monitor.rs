//! What anybody may ask a witness: the newest checkpoint that it has cosigned of a log, and how it does.

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serving::{Kind, Problem};

use super::{App, NOT_READY, QUERY};
use crate::logs::OriginHash;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the state can be read.
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    match app.witness.store().summary().await {
        Ok(_) => Ok("ready\n"),
        Err(error) => {
            tracing::error!(%error, "the state cannot be read");
            Err(Problem::new(NOT_READY))
        }
    }
}

pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app.witness.metrics_text().await.map_err(|error| Problem::internal(&error))?;
    serving::metrics::answer(text)
}

pub(super) async fn checkpoint(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let hash = origin_hash(query, &hash)?;
    let note = app.witness.newest_note(&hash).await.map_err(|error| Problem::internal(&error))?;
    let note = note.ok_or(Problem::with_detail(
        Kind::NOT_FOUND,
        "This witness has never cosigned a checkpoint of this log.",
    ))?;
    Ok(note_response(note))
}

/// A note that is replaced by and by.
pub(super) fn note_response(note: Vec<u8>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    (headers, note).into_response()
}

/// The log that is asked for, in a request without a query.
pub(super) fn origin_hash(query: Option<String>, text: &str) -> Result<OriginHash, Problem> {
    if query.is_some() {
        return Err(Problem::new(QUERY));
    }
    OriginHash::parse(text).ok_or(Problem::with_detail(
        Kind::NOT_FOUND,
        "A log is named by 64 lowercase hexadecimal digits, the SHA-256 of its origin.",
    ))
}
