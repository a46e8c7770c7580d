//! Counters and gauges for operators. The only label besides routes is the origin of a log, which is public.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use serving::HttpMetrics;
use serving::metrics::{Number, Word};

/// Which log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LogLabel {
    /// Its origin.
    pub log: String,
}

/// Which log, and why its copy could not be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabel {
    /// Its origin.
    pub log: String,
    /// A stable word.
    pub reason: Word,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Connections and requests.
    pub http: HttpMetrics,
    /// Size of the newest checkpoint cosigned.
    pub newest_size: Family<LogLabel, Number>,
    /// Seconds since it was cosigned.
    pub newest_age: Family<LogLabel, Number>,
    /// Contradictions seen since start-up.
    pub contradictions: Family<LogLabel, Counter>,
    /// Contradictions kept as proof.
    pub contradictions_kept: Family<LogLabel, Number>,
    /// Size of the copy.
    pub mirror_size: Family<LogLabel, Number>,
    /// Entries that the published tree has and the copy has not.
    pub mirror_lag: Family<LogLabel, Number>,
    /// Attempts to bring a copy up to date that failed.
    pub mirror_failures: Family<FailureLabel, Counter>,
}

impl LogLabel {
    /// The label of the log with this origin.
    pub fn of(origin: &str) -> Self {
        Self { log: origin.to_owned() }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("jianzhen");
        let http = HttpMetrics::default();
        http.register(&mut registry);
        let newest_size = Family::default();
        registry.register("witness_newest_size", "Entries in the newest tree cosigned", newest_size.clone());
        let newest_age = Family::default();
        registry.register_with_unit(
            "witness_newest_age",
            "Time since the newest cosignature",
            Unit::Seconds,
            newest_age.clone(),
        );
        let contradictions = Family::default();
        registry.register(
            "witness_contradictions",
            "Signed checkpoints that contradict an earlier one, seen since start-up",
            contradictions.clone(),
        );
        let contradictions_kept = Family::default();
        registry.register(
            "witness_contradictions_kept",
            "Contradictions kept as proof",
            contradictions_kept.clone(),
        );
        let mirror_size = Family::default();
        registry.register("mirror_size", "Entries in the copy", mirror_size.clone());
        let mirror_lag = Family::default();
        registry.register("mirror_lag", "Published entries that the copy has not", mirror_lag.clone());
        let mirror_failures = Family::default();
        registry.register(
            "mirror_failures",
            "Attempts to bring the copy up to date that failed",
            mirror_failures.clone(),
        );
        Self {
            registry,
            http,
            newest_size,
            newest_age,
            contradictions,
            contradictions_kept,
            mirror_size,
            mirror_lag,
            mirror_failures,
        }
    }
}

impl Metrics {
    /// All numbers as OpenMetrics text.
    ///
    /// # Errors
    /// When they cannot be written as text, which would be a mistake of this program.
    pub fn render(&self) -> Result<String, fmt::Error> {
        serving::metrics::render(&self.registry)
    }
}
