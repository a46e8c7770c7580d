//! Counters and gauges for operators, in OpenMetrics text. No label ever carries a person, a device or an address.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use serving::HttpMetrics;
use serving::metrics::Number;
pub use serving::metrics::Word;

/// The label of refused statements.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabel {
    /// The refusal's code.
    pub code: Word,
}

/// A witness, by its name in the trust file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WitnessLabel {
    /// The name.
    pub witness: String,
}

/// What came of asking a witness.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WitnessResult {
    /// The name in the trust file.
    pub witness: String,
    /// `cosigned`, or a state as in `docs/spec/http.md`.
    pub result: Word,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Connections and requests.
    pub http: HttpMetrics,
    /// Statements sealed.
    pub sealed: Counter,
    /// Statements refused, by code.
    pub refused: Family<CodeLabel, Counter>,
    /// Statements that were sealed before.
    pub repeated: Counter,
    /// Statements that wait for a batch.
    pub waiting: Number,
    /// Size of the committed tree.
    pub committed_size: Number,
    /// Size of the published tree.
    pub published_size: Number,
    /// Attempts to publish that failed and were repeated.
    pub publish_failures: Counter,
    /// Seconds from taking a batch to its being durable.
    pub seal_duration: Histogram,
    /// Checkpoints that were published for the first time.
    pub archived: Counter,
    /// When a quorum had cosigned the published checkpoint, in seconds since 1970.
    pub quorum_time: Number,
    /// Requests to witnesses, by witness and result.
    pub witness_requests: Family<WitnessResult, Counter>,
    /// Size of the tree that a witness has cosigned last.
    pub witness_size: Family<WitnessLabel, Number>,
    /// Seconds that a witness takes.
    pub witness_duration: Histogram,
    /// Lookups answered with evidence, and without.
    pub lookups: Family<CodeLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("jianzhen");
        let http = HttpMetrics::default();
        http.register(&mut registry);
        let sealed = Counter::default();
        registry.register("statements_sealed", "Statements sealed", sealed.clone());
        let refused = Family::default();
        registry.register("statements_refused", "Statements refused", refused.clone());
        let repeated = Counter::default();
        registry.register("statements_repeated", "Statements that were sealed before", repeated.clone());
        let waiting = Number::default();
        registry.register("statements_waiting", "Statements that wait for a batch", waiting.clone());
        let committed_size = Number::default();
        registry.register("log_committed_size", "Entries in the committed tree", committed_size.clone());
        let published_size = Number::default();
        registry.register("log_published_size", "Entries in the published tree", published_size.clone());
        let publish_failures = Counter::default();
        registry.register(
            "log_publish_failures",
            "Attempts to publish that failed",
            publish_failures.clone(),
        );
        let seal_duration = Histogram::new(exponential_buckets(0.005, 2.0, 12));
        registry.register_with_unit(
            "log_seal_duration",
            "Time from taking a batch to its being durable",
            Unit::Seconds,
            seal_duration.clone(),
        );
        let archived = Counter::default();
        registry.register("log_checkpoints", "Checkpoints published for the first time", archived.clone());
        let quorum_time = Number::default();
        registry.register(
            "log_quorum_time",
            "When a quorum had cosigned the published checkpoint, seconds since 1970",
            quorum_time.clone(),
        );
        let witness_requests = Family::default();
        registry.register("witness_requests", "Requests to witnesses", witness_requests.clone());
        let witness_size = Family::default();
        registry.register(
            "witness_cosigned_size",
            "Entries in the tree that the witness has cosigned last",
            witness_size.clone(),
        );
        let witness_duration = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register_with_unit(
            "witness_request_duration",
            "Time that witnesses take to answer",
            Unit::Seconds,
            witness_duration.clone(),
        );
        let lookups = Family::default();
        registry.register("lookups", "Lookups answered", lookups.clone());
        Self {
            registry,
            http,
            sealed,
            refused,
            repeated,
            waiting,
            committed_size,
            published_size,
            publish_failures,
            seal_duration,
            archived,
            quorum_time,
            witness_requests,
            witness_size,
            witness_duration,
            lookups,
        }
    }
}

impl Metrics {
    /// All numbers as OpenMetrics text.
    pub fn render(&self) -> Result<String, fmt::Error> {
        serving::metrics::render(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_the_no_upload_test_reads_is_stable() {
        let metrics = Metrics::default();
        metrics.http.received_bytes.inc_by(7);
        metrics.refused.get_or_create(&CodeLabel { code: Word("key-unknown") }).inc();
        let text = metrics.render().unwrap();
        assert!(text.contains("\njianzhen_http_received_bytes_total 7\n"), "{text}");
        assert!(text.contains("jianzhen_statements_refused_total{code=\"key-unknown\"} 1\n"), "{text}");
    }
}
