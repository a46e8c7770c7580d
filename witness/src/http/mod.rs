//! The HTTP surface, `docs/spec/witness.md`. The router is a function of its state; tests call it in process.

mod add_checkpoint;
mod headers;
mod mirror;
mod monitor;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use serving::{Kind, Places, Problem, Sending, limits};

use crate::config::Limits;
use crate::mirror::Mirrors;
use crate::witness::Witness;

/// Bodies of more than [`add_checkpoint::SMALL`] that may be arriving at a time, each of half a MiB.
const LARGE_BODIES: usize = 16;

/// Memory for long answers: pages of the archive and registry statements of copies.
const SENDING: usize = 64 << 20;

/// What handlers work with.
#[derive(Clone)]
struct App {
    witness: Arc<Witness>,
    mirrors: Arc<Mirrors>,
    places: Places,
    large: Places,
    body_timeout: Duration,
}

/// The whole surface. `tls`: whether it is reached by HTTPS.
pub fn router(witness: Arc<Witness>, mirrors: Arc<Mirrors>, bounds: &Limits, tls: bool) -> Router {
    let places = Places::new(bounds.requests.get());
    let app = App {
        witness: witness.clone(),
        mirrors,
        places: places.clone(),
        large: Places::new(LARGE_BODIES),
        body_timeout: bounds.body_timeout(),
    };
    // It takes its place itself, once the body is there; and operators must be able to ask how an overloaded witness does.
    let unlimited = Router::new()
        .route("/add-checkpoint", post(add_checkpoint::add))
        .route("/healthz", get(monitor::healthz))
        .route("/readyz", get(monitor::readyz))
        .route("/metrics", get(monitor::metrics));
    let limited = Router::new()
        .route("/{hash}/checkpoint", get(monitor::checkpoint))
        .route("/mirror/{hash}/checkpoint", get(mirror::checkpoint))
        .route("/mirror/{hash}/tile/{*address}", get(mirror::tile))
        .route("/mirror/{hash}/statement/{index}", get(mirror::statement))
        .route("/mirror/{hash}/checkpoints/{size}", get(mirror::archived))
        .route("/mirror/{hash}/checkpoints/after/{size}", get(mirror::archived_after))
        .layer(middleware::from_fn_with_state(Sending::new(SENDING), limits::hold))
        .layer(middleware::from_fn_with_state(places, limits::limit));
    limited
        .merge(unlimited)
        .fallback(nothing)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(witness.metrics().http.clone(), serving::metrics::count))
        .layer(middleware::from_fn_with_state(headers::Headers { tls }, headers::add))
        .with_state(app)
}

/// 400 where the specification defines no body.
const MALFORMED: Kind = Kind::new(
    "checkpoint-malformed",
    StatusCode::BAD_REQUEST,
    "The body is not a request to add a checkpoint.",
);
const QUERY: Kind =
    Kind::new("query-refused", StatusCode::BAD_REQUEST, "The address takes no query: a cache may ignore it.");
const UNKNOWN_LOG: Kind = Kind::new(
    "unknown-log",
    StatusCode::NOT_FOUND,
    "This witness does not look after a log with this origin.",
);
const NOT_SIGNED: Kind =
    Kind::new("not-signed", StatusCode::FORBIDDEN, "The checkpoint is not properly signed by its log.");
const NOT_CONSISTENT: Kind = Kind::new(
    "not-consistent",
    StatusCode::UNPROCESSABLE_ENTITY,
    "The checkpoint is not proven to continue the newest one that was cosigned.",
);
const NOT_READY: Kind =
    Kind::new("not-ready", StatusCode::SERVICE_UNAVAILABLE, "The witness cannot sign at present.");

async fn nothing() -> Problem {
    Problem::new(Kind::NOT_FOUND)
}

async fn method_not_allowed() -> Problem {
    Problem::new(Kind::METHOD_NOT_ALLOWED)
}
