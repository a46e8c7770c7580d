//! The sequencer (steps 2 and 3 of the write path). There is one; it does one batch at a time, and tells the publisher what is
//! committed.
//!
//! It seals nothing that would have to be taken back: not before enough witnesses have said that they know no other history of this
//! log, not while the clock stands before what is sealed already or far ahead of the witnesses', and not much further than what could
//! be published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::{Digest, Entry, UnixSeconds};
use tlog::{LeafIndex, TileBuilder, TreeSize};
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, Vouched};
use crate::health::{Health, Part};
use crate::intake::Admitted;
use crate::metrics::Metrics;
use crate::policies::Policies;
use crate::pool::{Phase, Pool, Taken};
use crate::publish::{MAX_AHEAD, PublishError};
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
    /// Which witnesses are asked.
    pub policies: Arc<Policies>,
    /// What time it is by the witnesses; `None` until a quorum has cosigned since the start.
    pub vouched: watch::Receiver<Option<Vouched>>,
    /// Has the publisher ask them again.
    pub doubts: Arc<Notify>,
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

/// Why nothing is sealed at present.
#[derive(Debug, thiserror::Error)]
enum WrongClock {
    #[error(
        "The clock says {now}, but an entry was sealed at {sealed_at} already. Nothing is sealed until the clock is right."
    )]
    Behind { now: UnixSeconds, sealed_at: UnixSeconds },
    #[error(
        "The clock says {now}, which is far ahead of the witnesses: the newest quorum stated {stated}. Nothing is sealed until they agree."
    )]
    Ahead { now: UnixSeconds, stated: UnixSeconds },
    #[error(
        "No quorum of witnesses has cosigned since the start, so it is not known whether the clock is right."
    )]
    Unknown,
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
        while let Some(wrong) = self.wrong_clock() {
            match wrong {
                WrongClock::Unknown => self.health.awaits(Part::SealingClock, wrong.to_string()),
                WrongClock::Behind { .. } | WrongClock::Ahead { .. } => {
                    self.health.trouble(Part::SealingClock, wrong.to_string());
                }
            }
            self.doubts.notify_one();
            let _ = tokio::time::timeout(CLOCK_RETRY, self.vouched.changed()).await;
        }
        self.health.well(Part::SealingClock);
    }

    /// Whether the clock must not be sealed by. An entry from the future could not be published before that time has come, and
    /// nothing after it could be sealed.
    fn wrong_clock(&mut self) -> Option<WrongClock> {
        let now = self.clock.now_seconds();
        if now.get().saturating_add(MAX_BEHIND) < self.sealed_at.get() {
            return Some(WrongClock::Behind { now, sealed_at: self.sealed_at });
        }
        if !self.policies.tell_time(now) {
            return None;
        }
        match *self.vouched.borrow_and_update() {
            None => Some(WrongClock::Unknown),
            Some(vouched) if vouched.now().get().saturating_add(MAX_AHEAD) < now.get() => {
                Some(WrongClock::Ahead { now, stated: vouched.stated() })
            }
            Some(_) => None,
        }
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
        let digests: Vec<Digest> = statements.iter().map(|statement| statement.digest()).collect();
        let mut seen = self.store.sealed_among(&digests).await?;
        Ok(statements.into_iter().filter(|statement| seen.insert(statement.digest())).collect())
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
