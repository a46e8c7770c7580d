//! Counting what comes in over HTTP, and the OpenMetrics text of whatever a program counts.

use std::fmt;
use std::sync::atomic::AtomicU64;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::problem::Problem;

/// A gauge of something that is never negative.
pub type Number = Gauge<u64, AtomicU64>;

/// A stable word as a label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

/// The labels of answered requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResponseLabels {
    /// The route's pattern, never the path itself.
    pub route: String,
    /// The HTTP status.
    pub status: u16,
}

/// What is counted of connections and requests. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct HttpMetrics {
    /// Bytes read from sockets, below TLS and HTTP: what clients really sent.
    pub received_bytes: Counter,
    /// Connections that are open.
    pub connections: Gauge,
    /// Requests answered, by route and status.
    pub responses: Family<ResponseLabels, Counter>,
}

impl HttpMetrics {
    /// Makes these part of `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "http_received",
            "Bytes read from sockets, below TLS and HTTP",
            Unit::Bytes,
            self.received_bytes.clone(),
        );
        registry.register("http_connections", "Open connections", self.connections.clone());
        registry.register("http_responses", "Requests answered", self.responses.clone());
    }
}

/// Counts answers by route; whatever no route answers counts as one route, `page`.
pub async fn count(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("page", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let labels = ResponseLabels { route, status: response.status().as_u16() };
    metrics.responses.get_or_create(&labels).inc();
    response
}

/// All numbers of `registry` as OpenMetrics text.
pub fn render(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}

/// The answer of `/metrics`.
pub fn answer(rendered: Result<String, fmt::Error>) -> Result<Response, Problem> {
    let text = rendered.map_err(|error| Problem::internal(&error))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
