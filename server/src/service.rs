//! The service: its parts put together, and what requests ask of it.

use std::sync::Arc;
use std::time::Duration;

use evidence::{
    Digest, KeyDigest, LookupRequest, LookupResponse, Outcome, Submission, SubmissionError, TrustFile,
    UnixMillis,
};
use tlog::{LeafIndex, SigningKey, TreeSize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::Limits;
use crate::intake::{Admitted, Intake, Quota, QuotaExceeded, Refusal, Returned, Shares};
use crate::lookup::Lookup;
use crate::metrics::{CodeLabel, Metrics, Word};
use crate::objects::Objects;
use crate::pool::{Phase, Pool, PoolError, Ticket};
use crate::receipts::{ReceiptError, Receipts};
use crate::recover::{RecoverError, recover};
use crate::registry::{AssembleError, Attested, Wanted, section};
use crate::sequencer::{Sequencer, Stop};
use crate::store::index::RevocationState;
use crate::store::{CommitPoint, SealedPlace, SealedRow, Store, StoreError};
use crate::tiles::Tiles;

/// What a service is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Where batches become true: the database, or a double in tests.
    pub commit_point: Arc<dyn CommitPoint>,
    /// The published log.
    pub objects: Objects,
    /// The log's key; its name is the origin.
    pub key: SigningKey,
    /// The trust file that is published; its registrars are obeyed.
    pub trust: Arc<TrustFile>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub limits: Limits,
}

/// A running service. Requests use it; the sequencer runs beside it.
pub struct Service {
    store: Store,
    receipts: Receipts,
    tiles: Tiles,
    objects: Objects,
    intake: Intake,
    quota: Quota,
    pool: Arc<Pool>,
    lookup: Lookup,
    healthy: watch::Receiver<bool>,
    answer_timeout: Duration,
    origin: String,
    trust: Arc<TrustFile>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// Why a submission as a whole is not answered with outcomes.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too much at once; the request was not accepted, or waits and is not durable yet. Repeat it.
    #[error("The service is at its limit.")]
    Overloaded,
    /// The service is stopping.
    #[error("The service is stopping.")]
    Stopping,
    /// A key signed more than its share.
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    /// The service's own trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service's own trouble.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

/// What the chain is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainFacts {
    /// The published tree.
    pub head: tlog::TreeHead,
    /// Sealing time of its newest entry, and seconds since.
    pub newest: Option<(u64, u64)>,
}

/// A statement on its way through intake.
enum Progress {
    Refused(Refusal),
    /// To be answered when its entry is published.
    Sealing(Digest),
}

impl Service {
    /// Brings the log up to date and starts the sequencer. The handle ends when the pool is closed and empty, or with the reason
    /// why the process must stop.
    pub async fn start(parts: Parts) -> Result<(Arc<Self>, JoinHandle<Result<(), Stop>>), RecoverError> {
        let Parts { store, commit_point, objects, key, trust, clock, limits } = parts;
        let metrics = Arc::new(Metrics::default());
        let origin = key.verifier_key().name().as_str().to_owned();
        let tiles = Tiles::new(objects.clone());
        let sealing = store.for_sealing();
        let (publisher, head) = recover(&sealing, &objects, &tiles, key).await?;
        let sealed_at = sealing.head().await?.sealed_at;
        metrics.committed_size.set(head.size.get());
        metrics.published_size.set(head.size.get());
        let (published, published_reader) = watch::channel(head.size);
        let (healthy, healthy_reader) = watch::channel(true);
        let pool = Arc::new(Pool::new(&limits, metrics.clone()));
        let sequencer = Sequencer {
            pool: pool.clone(),
            store: sealing,
            commit_point,
            publisher,
            clock: clock.clone(),
            metrics: metrics.clone(),
            published,
            healthy,
            interval: limits.batch_interval(),
            sealed_at,
        };
        let receipts = Receipts::new(store.clone(), tiles.clone(), published_reader);
        let service = Self {
            intake: Intake::new(store.clone(), trust.clone(), clock.clone()),
            lookup: Lookup::new(store.clone(), receipts.clone()),
            quota: Quota::new(limits.statements_per_minute),
            answer_timeout: limits.answer_timeout(),
            healthy: healthy_reader,
            store,
            receipts,
            tiles,
            objects,
            pool,
            origin,
            trust,
            clock,
            metrics,
        };
        Ok((Arc::new(service), tokio::spawn(sequencer.run())))
    }

    /// Seals submissions; gives one outcome each, in order.
    pub async fn submit(
        &self,
        submissions: Vec<Result<Submission, SubmissionError>>,
    ) -> Result<Vec<Outcome>, SubmitError> {
        let deadline = Instant::now() + self.answer_timeout;
        let (progress, admitted) = self.admit(submissions).await?;
        let tickets = self.enqueue(admitted)?;
        for ticket in tickets {
            wait(ticket, deadline).await?;
        }
        let mut outcomes = Vec::with_capacity(progress.len());
        for item in progress {
            outcomes.push(match item {
                Progress::Refused(refusal) => {
                    let code = CodeLabel { code: Word(refusal.code()) };
                    self.metrics.refused.get_or_create(&code).inc();
                    refusal.outcome()
                }
                Progress::Sealing(digest) => self.sealed(&digest, deadline).await?,
            });
        }
        Ok(outcomes)
    }

    /// Sorts submissions into refused, sealed before, and to be sealed.
    async fn admit(
        &self,
        submissions: Vec<Result<Submission, SubmissionError>>,
    ) -> Result<(Vec<Progress>, Vec<Arc<Admitted>>), SubmitError> {
        let mut progress = Vec::with_capacity(submissions.len());
        let mut new = Vec::new();
        let mut places = Vec::new();
        for submission in submissions {
            match submission {
                Err(error) => progress.push(Progress::Refused(error.into())),
                Ok(submission) => {
                    let digest = submission.statement.digest();
                    progress.push(Progress::Sealing(digest));
                    match self.store.find(&digest).await? {
                        None => {
                            places.push(progress.len() - 1);
                            new.push(submission);
                        }
                        Some(place) => {
                            self.metrics.repeated.inc();
                            if place.missing
                                && let Err(refusal) = self.fill(submission).await?
                            {
                                progress.pop();
                                progress.push(Progress::Refused(refusal));
                            }
                        }
                    }
                }
            }
        }
        let mut admitted = Vec::with_capacity(new.len());
        for (place, result) in places.into_iter().zip(self.intake.admit(new).await?) {
            match result {
                Ok(statement) => admitted.push(Arc::new(statement)),
                Err(refusal) => progress[place] = Progress::Refused(refusal),
            }
        }
        Ok((progress, admitted))
    }

    /// Takes back a statement that this log had lost.
    async fn fill(&self, submission: Submission) -> Result<Result<(), Refusal>, StoreError> {
        match Returned::new(submission) {
            Ok(returned) => self.store.fill(&returned).await.map(|_| Ok(())),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Hands all statements to the sequencer, or none. What is not taken costs no share.
    fn enqueue(&self, admitted: Vec<Arc<Admitted>>) -> Result<Vec<Ticket>, SubmitError> {
        let mut shares = Shares::new();
        for statement in &admitted {
            *shares.entry(statement.statement().kid()).or_default() += statement.cost();
        }
        self.quota.take(&shares, self.clock.now())?;
        self.pool.add(admitted).map_err(|error| {
            self.quota.give_back(&shares);
            match error {
                PoolError::Full => SubmitError::Overloaded,
                PoolError::Closed => SubmitError::Stopping,
            }
        })
    }

    /// The outcome of a statement that is durable.
    async fn sealed(&self, digest: &Digest, deadline: Instant) -> Result<Outcome, SubmitError> {
        let Some(SealedPlace { index, sealed_at, .. }) = self.store.find(digest).await? else {
            return Err(SubmitError::Overloaded);
        };
        if !self.wait_published(index, deadline).await {
            return Ok(Outcome::Pending);
        }
        let Some(row) = self.store.entry(index).await? else { return Err(SubmitError::Overloaded) };
        Ok(match self.receipts.of_row(&row).await? {
            Some(receipt) => Outcome::Sealed { index, sealed_at, receipt },
            None => Outcome::Pending,
        })
    }

    /// Whether the entry is published by then.
    async fn wait_published(&self, index: LeafIndex, deadline: Instant) -> bool {
        if self.receipts.covers(index) {
            return true;
        }
        let mut published = self.receipts.watch();
        let covered = published.wait_for(|size| index.get() < size.get());
        matches!(tokio::time::timeout_at(deadline, covered).await, Ok(Ok(_)))
    }

    /// Evidence for a file's tokens.
    pub async fn lookup(&self, request: &LookupRequest) -> Result<LookupResponse, AssembleError> {
        let response = self.lookup.find(request).await?;
        let code = Word(if response.files.is_empty() { "none" } else { "found" });
        self.metrics.lookups.get_or_create(&CodeLabel { code }).inc();
        Ok(response)
    }

    /// The registry section of evidence for a key; `None` if no enrolment of it is published.
    pub async fn enrolment(&self, kid: &KeyDigest) -> Result<Option<Vec<Attested>>, AssembleError> {
        section(&self.store, &self.receipts, kid, Wanted::Newest).await
    }

    /// The published entry at `index` with its statement, if the statement is public.
    pub async fn public_entry(&self, index: LeafIndex) -> Result<Option<SealedRow>, StoreError> {
        if !self.receipts.covers(index) {
            return Ok(None);
        }
        let row = self.store.entry(index).await?;
        Ok(row.filter(|row| row.kind == evidence::EntryKind::Registry as u64))
    }

    /// What `/api/v1/chain` says.
    pub async fn chain(&self) -> Result<Option<ChainFacts>, StoreError> {
        let size = self.published();
        let Some(note) = self.store.checkpoint_at(size).await? else { return Ok(None) };
        let checkpoint = tlog::SignedNote::parse(&note).ok();
        let Some(checkpoint) = checkpoint.and_then(|note| tlog::Checkpoint::unverified(&note).ok()) else {
            return Err(StoreError::Damaged(format!(
                "The archived checkpoint of size {size} cannot be read."
            )));
        };
        let newest = match size.get().checked_sub(1) {
            Some(last) => self.store.entry(LeafIndex::new(last)).await?,
            None => None,
        };
        let now = self.clock.now_seconds().get();
        let newest = newest.map(|row| (row.sealed_at.get(), now.saturating_sub(row.sealed_at.get())));
        Ok(Some(ChainFacts { head: checkpoint.head(), newest }))
    }

    /// What a registrar needs to know for a snapshot.
    pub async fn revocation_state(&self) -> Result<RevocationState, StoreError> {
        self.store.revocation_state().await
    }

    /// The time by the service's clock.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The size of the published tree.
    pub fn published(&self) -> TreeSize {
        self.receipts.published()
    }

    /// Whether the service can seal at present.
    pub fn is_ready(&self) -> bool {
        *self.healthy.borrow() && self.healthy.has_changed().is_ok()
    }

    /// Takes in nothing more; what was accepted is still sealed.
    pub fn close(&self) {
        self.pool.close();
    }

    /// Lets go of the database.
    pub async fn close_store(&self) {
        self.store.close().await;
    }

    /// The log's origin line.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The trust file.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Published tiles.
    pub fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    /// The published log.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Counters.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }
}

/// Waits until a statement is durable at least; published if that takes no longer than the deadline.
async fn wait(mut ticket: Ticket, deadline: Instant) -> Result<(), SubmitError> {
    let published = ticket.wait_for(|phase| *phase == Phase::Published);
    let ended = matches!(tokio::time::timeout_at(deadline, published).await, Ok(Err(_)));
    let phase = *ticket.borrow();
    match phase {
        Phase::Durable | Phase::Published => Ok(()),
        Phase::Waiting if ended => Err(SubmitError::Stopping),
        Phase::Waiting => Err(SubmitError::Overloaded),
    }
}
