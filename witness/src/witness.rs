//! The witness: key, state and list of logs put together.

use std::sync::{Arc, PoisonError, RwLock};

use tlog::SigningKey;

use crate::add_checkpoint::{Cosigned, Refusal, Submitted};
use crate::clock::Clock;
use crate::logs::{Log, LogList, OriginHash};
use crate::metrics::{LogLabel, Metrics};
use crate::store::{Store, StoreError};

/// A running witness.
pub struct Witness {
    key: SigningKey,
    store: Store,
    logs: RwLock<Arc<LogList>>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// Why a request got no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The request's fault, or the clock's.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state could not be read or stored: nothing is handed out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Witness {
    /// A witness with this key and its state.
    pub fn new(key: SigningKey, store: Store, logs: LogList, clock: Arc<dyn Clock>) -> Self {
        Self { key, store, logs: RwLock::new(Arc::new(logs)), clock, metrics: Metrics::default() }
    }

    /// Answers the body of an `add-checkpoint` request. A cosignature comes back only once the state that includes it is durable.
    ///
    /// # Errors
    /// Every [`AddError`].
    pub async fn add_checkpoint(&self, body: &[u8]) -> Result<Cosigned, AddError> {
        let submitted = Submitted::parse(body)?;
        let log = self.logs().get(submitted.origin()).cloned();
        let Some(log) = log else {
            return Err(Refusal::UnknownOrigin(submitted.origin().to_owned()).into());
        };
        let signed = submitted.verify(&log)?;
        let decided = self
            .store
            .decide(log.origin(), |newest| {
                // Inside the transaction: a time read before could be older than that of the request before.
                let step = signed.decide(newest, self.clock.now(), &self.key);
                if let crate::store::Step::Convict(contradiction, _) = &step {
                    self.report(&log, contradiction.head.size.get());
                }
                step
            })
            .await?;
        Ok(decided?)
    }

    /// Tells the operator that a log has contradicted itself.
    pub fn report(&self, log: &Log, size: u64) {
        self.metrics.contradictions.get_or_create(&LogLabel::of(log.origin())).inc();
        tracing::error!(
            log = log.origin(),
            size,
            "the log has signed a checkpoint that contradicts one it had signed before; both are kept as proof"
        );
    }

    /// The newest checkpoint cosigned of the log with this origin hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_note(&self, hash: &OriginHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.note_of(hash).await
    }

    /// Brings the numbers up to date that are read off the state, and gives all as OpenMetrics text.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn metrics_text(&self) -> Result<Result<String, std::fmt::Error>, StoreError> {
        let now = self.clock.now();
        for (origin, size, cosigned_at) in self.store.summary().await? {
            let label = LogLabel::of(&origin);
            self.metrics.newest_size.get_or_create(&label).set(size);
            self.metrics.newest_age.get_or_create(&label).set(now.saturating_sub(cosigned_at));
        }
        for (origin, kept) in self.store.contradictions().await? {
            self.metrics.contradictions_kept.get_or_create(&LogLabel::of(&origin)).set(kept);
        }
        Ok(self.metrics.render())
    }

    /// Looks after these logs from now on.
    pub fn set_logs(&self, logs: LogList) {
        *self.logs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(logs);
    }

    /// The logs looked after.
    pub fn logs(&self) -> Arc<LogList> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The signing key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The state.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The numbers.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The time.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }
}
