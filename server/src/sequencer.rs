//! The sequencer (steps 2 and 3 of the write path). There is one; it does one batch at a time, and tells the publisher what is
//! committed.
//!
//! It seals nothing that would have to be taken back: not before enough witnesses have said that they know no other history of this
//! log, not while the clock stands before what is sealed already, and not much further than what could be published.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::{Entry, UnixSeconds};
use tlog::{LeafIndex, TileBuilder, TreeSize};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::health::{Health, Part};
use crate::intake::Admitted;
use crate::metrics::Metrics;
use crate::pool::{Phase, Pool, Taken};
use crate::publish::PublishError;
use crate::random::{RandomError, shuffle};
use crate::store::{Batch, BatchItem, CommitError, CommitPoint, Store, StoreError};

/// How far the clock may stand before the newest sealing time, in seconds: clocks are corrected by less.
const MAX_BEHIND: u64 = 10;

/// How often a wrong clock is looked at again.
const CLOCK_RETRY: Duration = Duration::from_millis(500);

/// Everything the sequencer works with.
pub struct Sequencer {
    /// Where statements wait.
    pub pool: Arc<Pool>,
    /// For finding what is sealed already.
    pub store: Store,
    /// Where a batch becomes true.
    pub commit_point: Arc<dyn CommitPoint>,
    /// The edge of the committed tree.
    pub edge: TileBuilder,
    /// The sealing time.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What is wrong.
    pub health: Health,
    /// Whether enough witnesses agree with the database.
    pub gate: watch::Receiver<bool>,
    /// Tells the publisher the size of the committed tree.
    pub committed: watch::Sender<TreeSize>,
    /// The size of the published tree.
    pub published: watch::Receiver<TreeSize>,
    /// Entries that may be committed and not published.
    pub unpublished: u64,
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
    /// What is stored contradicts itself, or a witness.
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
            self.permitted().await;
            if let Some(taken) = self.pool.take() {
                self.seal(taken).await?;
            }
        }
        Ok(())
    }

    /// Waits until something may be sealed.
    async fn permitted(&mut self) {
        // The sender lives as long as the publisher, whose end is the service's.
        let _ = self.gate.wait_for(|open| *open).await;
        let (committed, unpublished) = (self.edge.size().get(), self.unpublished);
        let _ = self.published.wait_for(|size| committed.saturating_sub(size.get()) < unpublished).await;
        while self.clock.now_seconds().get().saturating_add(MAX_BEHIND) < self.sealed_at.get() {
            let sentence = format!(
                "The clock says {}, but an entry was sealed at {} already. Nothing is sealed until the clock is right.",
                self.clock.now_seconds(),
                self.sealed_at
            );
            self.health.trouble(Part::SealingClock, sentence);
            tokio::time::sleep(CLOCK_RETRY).await;
        }
        self.health.well(Part::SealingClock);
    }

    async fn seal(&mut self, taken: Taken) -> Result<(), Stop> {
        let started = Instant::now();
        // Intake asks the database too, but another batch may have sealed the same bytes in between.
        let mut statements = self.new_ones(taken.statements).await?;
        if !statements.is_empty() {
            // The order of arrival would show the rhythm of one device.
            shuffle(&mut statements)?;
            let (batch, edge) = self.batch(statements);
            self.commit_point.commit(&batch).await?;
            self.edge = edge;
            self.sealed_at = batch.sealed_at;
            self.metrics.committed_size.set(batch.after.size.get());
            self.metrics.sealed.inc_by(u64::try_from(batch.items.len()).unwrap_or(u64::MAX));
            self.committed.send_replace(batch.after.size);
        }
        taken.phase.send_replace(Phase::Durable);
        self.pool.finish();
        self.metrics.seal_duration.observe(started.elapsed().as_secs_f64());
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
    fn batch(&self, statements: Vec<Arc<Admitted>>) -> (Batch, TileBuilder) {
        let mut edge = self.edge.clone();
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
        (Batch { before, after: edge.head(), sealed_at, items }, edge)
    }
}
