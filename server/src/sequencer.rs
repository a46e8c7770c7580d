//! The sequencer (steps 2 to 6 of the write path). There is one; it does one batch at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::{Entry, UnixSeconds};
use tlog::{LeafIndex, TileBuilder, TreeSize};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::intake::Admitted;
use crate::metrics::Metrics;
use crate::pool::{Phase, Pool, Taken};
use crate::publish::{PublishError, Publisher};
use crate::random::{RandomError, shuffle};
use crate::store::{Batch, BatchItem, CommitError, CommitPoint, Store, StoreError};

/// The pauses between attempts to publish: doubled from the first up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Everything the sequencer works with.
pub struct Sequencer {
    /// Where statements wait.
    pub pool: Arc<Pool>,
    /// For finding what is sealed already.
    pub store: Store,
    /// Where a batch becomes true.
    pub commit_point: Arc<dyn CommitPoint>,
    /// Steps 4 and 5.
    pub publisher: Publisher,
    /// The sealing time.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells everybody the size of the published tree.
    pub published: watch::Sender<TreeSize>,
    /// Whether the last attempt to publish succeeded.
    pub healthy: watch::Sender<bool>,
    /// How long a batch collects.
    pub interval: Duration,
    /// Sealing time of the newest entry; never decreases.
    pub sealed_at: UnixSeconds,
}

/// Why the service must stop. What is durable stays so; start-up finds out what is.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// It is not known whether the batch is durable.
    #[error("It is not known whether the last batch is stored. {0}")]
    Commit(#[from] CommitError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored contradicts itself.
    #[error("The log cannot be published. {0}")]
    Publish(#[from] PublishError),
    /// No randomness for the order of a batch.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Sequencer {
    /// Seals what arrives until the pool is closed and empty.
    pub async fn run(mut self) -> Result<(), Stop> {
        while self.pool.wait().await {
            // Whoever waits for the whole batch waits no longer than the interval.
            let _ = tokio::time::timeout(self.interval, self.pool.wait_for_batch()).await;
            if let Some(taken) = self.pool.take() {
                self.seal(taken).await?;
            }
        }
        Ok(())
    }

    async fn seal(&mut self, taken: Taken) -> Result<(), Stop> {
        let started = Instant::now();
        // Intake asks the database too, but another batch may have sealed the same bytes in between.
        let mut statements = self.new_ones(taken.statements).await?;
        if !statements.is_empty() {
            // The order of arrival would show the rhythm of one device.
            shuffle(&mut statements)?;
            let batch = self.batch(statements);
            self.commit_point.commit(&batch).await?;
            self.sealed_at = batch.sealed_at;
            self.metrics.committed_size.set(batch.after.size.get());
            self.metrics.sealed.inc_by(u64::try_from(batch.items.len()).unwrap_or(u64::MAX));
            taken.phase.send_replace(Phase::Durable);
        }
        self.pool.finish();
        let size = self.publish().await?;
        taken.phase.send_replace(Phase::Published);
        self.metrics.seal_duration.observe(started.elapsed().as_secs_f64());
        tracing::debug!(size = size.get(), "published");
        Ok(())
    }

    async fn new_ones(&self, statements: Vec<Arc<Admitted>>) -> Result<Vec<Arc<Admitted>>, StoreError> {
        let mut seen = HashSet::new();
        let mut new = Vec::with_capacity(statements.len());
        for statement in statements {
            let digest = statement.digest();
            if seen.insert(digest) && self.store.find(&digest).await?.is_none() {
                new.push(statement);
            }
        }
        Ok(new)
    }

    /// Step 2: positions, sealing time and new root, in memory.
    fn batch(&self, statements: Vec<Arc<Admitted>>) -> Batch {
        let mut edge: TileBuilder = self.publisher.edge().clone();
        let before = edge.head();
        let sealed_at = self.sealed_at.max(self.clock.now_seconds());
        let items: Vec<BatchItem> = (before.size.get()..)
            .zip(statements)
            .map(|(index, admitted)| BatchItem {
                index: LeafIndex::new(index),
                entry: Entry::sealing(admitted.statement(), sealed_at),
                admitted,
            })
            .collect();
        edge.append(items.iter().map(|item| item.entry.leaf_hash()));
        Batch { before, after: edge.head(), sealed_at, items }
    }

    /// Steps 4 and 5, repeated until they succeed: the batch is true already. Meanwhile no other batch is taken, so the
    /// pool fills up and intake says that it is overloaded.
    async fn publish(&mut self) -> Result<TreeSize, PublishError> {
        let mut pause = FIRST_RETRY;
        loop {
            match self.publisher.publish().await {
                Ok(head) => {
                    self.healthy.send_replace(true);
                    self.metrics.published_size.set(head.size.get());
                    self.published.send_replace(head.size);
                    return Ok(head.size);
                }
                Err(error) if error.is_transient() => {
                    self.healthy.send_replace(false);
                    self.metrics.publish_failures.inc();
                    tracing::error!(%error, "the log could not be published; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_RETRY);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
