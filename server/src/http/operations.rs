//! What operators, integrators and the page ask about the service itself.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::{Code, Problem};

const OPENAPI: &str = include_str!("openapi.json");

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    match app.service.troubles() {
        None => Ok("ready\n"),
        Some(sentences) => Err(Problem::with_detail(Code::NotReady, sentences)),
    }
}

pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    serving::metrics::answer(app.service.metrics().render())
}

pub(super) async fn chain(State(app): State<App>) -> Result<Response, Problem> {
    let facts = app.service.chain().await.map_err(|error| Problem::internal(&error))?;
    let facts = facts.ok_or(Problem::new(Code::NotReady))?;
    let body = serde_json::to_vec(&facts).map_err(|error| Problem::internal(&error))?;
    Ok(json_response(body.into()))
}

pub(super) async fn trust(State(app): State<App>) -> Response {
    json_response(bytes::Bytes::copy_from_slice(app.service.trust().bytes()))
}

pub(super) async fn openapi() -> Response {
    json_response(bytes::Bytes::from_static(OPENAPI.as_bytes()))
}

fn json_response(body: bytes::Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], body).into_response()
}
