//! The HTTP surface, `docs/spec/http.md`. The router is a function of its state; tests call it in process.

mod evidence;
pub mod headers;
mod log;
mod operations;
mod page;
mod problem;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

pub use self::headers::SecurityHeaders;
pub use self::problem::{Code, Problem};
use crate::config::Limits;
use crate::page::Page;
use crate::service::Service;
pub use serving::Places;
use serving::{Sending, limits, metrics};

/// Memory for long answers that are on their way: four pieces of evidence of the greatest length, or some hundred ordinary ones.
const SENDING: usize = 4 * ::evidence::MAX_EVIDENCE_LEN;

/// What handlers work with.
#[derive(Clone)]
pub struct App {
    service: Arc<Service>,
    page: Arc<Page>,
    submissions: Places,
    arriving: Places,
    lookups: Places,
    body_timeout: Duration,
}

/// The whole surface.
pub fn router(service: Arc<Service>, page: Page, limits: &Limits, headers: SecurityHeaders) -> Router {
    let app = App {
        service: service.clone(),
        page: Arc::new(page),
        submissions: Places::new(limits.submissions.get()),
        arriving: Places::new(limits.submissions.get()),
        lookups: Places::new(limits.lookups.get()),
        body_timeout: limits.body_timeout(),
    };
    // Operators must be able to ask how an overloaded service does.
    let operations = Router::new()
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics));
    // Anybody may ask for these, and ask for many without reading one.
    let long = Router::new()
        .route("/api/v1/evidence/lookup", post(evidence::lookup))
        .route("/api/v1/enrolments/{kid}", get(evidence::enrolment))
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/tile/{*address}", get(log::tile))
        .route("/log/statement/{index}", get(log::statement))
        .route("/log/checkpoints/{size}", get(log::archived))
        .route("/log/checkpoints/after/{size}", get(log::archived_after))
        .route("/log/index/{statement}", get(log::index))
        .layer(middleware::from_fn_with_state(Sending::new(SENDING), limits::hold));
    let public = Router::new()
        .route("/api/v1/statements", post(statements::submit))
        .route("/api/v1/chain", get(operations::chain))
        .route("/api/v1/openapi.json", get(operations::openapi))
        .route("/trust.json", get(operations::trust))
        .merge(long)
        .fallback(page::file)
        .method_not_allowed_fallback(page::method_not_allowed)
        .layer(middleware::from_fn_with_state(Places::new(limits.requests.get()), limits::limit));
    public
        .merge(operations)
        .layer(middleware::from_fn(log::static_only))
        .layer(middleware::from_fn_with_state(service.metrics().http.clone(), metrics::count))
        .layer(middleware::from_fn_with_state(headers, headers::add))
        .with_state(app)
}
