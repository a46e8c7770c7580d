//! The service: its parts put together, and what requests ask of it.

use std::sync::Arc;
use std::time::Duration;

use evidence::{
    Digest, KeyDigest, LookupRequest, LookupResponse, Outcome, Submission, SubmissionError, TrustFile,
    UnixMillis,
};
use tlog::{LeafIndex, TreeSize};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::chain::ChainCache;
use crate::clock::Clock;
use crate::config::Limits;
use crate::health::{Health, Part};
use crate::intake::{Admitted, Intake, Quota, QuotaExceeded, Refusal, Returned, Shares};
use crate::keys::KeyRing;
use crate::lookup::Lookup;
use crate::metrics::{CodeLabel, Metrics, Word};
use crate::objects::Objects;
use crate::policies::Policies;
use crate::pool::{Phase, Pool, PoolError, Ticket};
use crate::publish::{self, Archive, Feeds, Pace, PublishedCheckpoint, Publisher, Slot};
use crate::receipts::{ReceiptError, Receipts};
use crate::recover::{RecoverError, Recovered, recover};
use crate::registry::{AssembleError, Attested, Wanted, section};
use crate::sequencer::{Sequencer, Stop};
use crate::store::index::RevocationState;
use crate::store::{CommitPoint, SealedPlace, SealedRow, Store, StoreError};
use crate::tiles::Tiles;
use crate::witnesses::{Board, OurLog, Witness, WitnessFacts, Witnesses};

/// How long start-up waits for witnesses. A contradiction is then a clean refusal to start; who answers later is heard later.
const FIRST_ROUND: Duration = Duration::from_secs(5);

/// What couriers may have brought back and nobody has looked at yet.
const HEARD: usize = 64;

/// What a service is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Where batches become true: the database, or a double in tests.
    pub commit_point: Arc<dyn CommitPoint>,
    /// Where published checkpoints are archived: the database, or a double in tests.
    pub archive: Arc<dyn Archive>,
    /// The published log.
    pub objects: Objects,
    /// The log's keys; their name is the origin.
    pub keys: KeyRing,
    /// The witnesses of the trust file.
    pub witnesses: Vec<Witness>,
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
    health: Health,
    gate: watch::Receiver<bool>,
    shown: watch::Receiver<Option<PublishedCheckpoint>>,
    policies: Arc<Policies>,
    board: Board,
    chain: ChainCache,
    answer_timeout: Duration,
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
    /// Nothing is sealed yet: too few witnesses have answered since the start.
    #[error("The service does not seal yet: it has not heard from enough witnesses since it started.")]
    Unchecked,
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

/// A statement on its way through intake.
enum Progress {
    Refused(Refusal),
    /// To be answered when its entry is published.
    Sealing(Digest),
}

impl Service {
    /// Brings the log up to date, asks the witnesses, and starts sequencer and publisher. The handle ends when the pool is closed and
    /// everything is published, or with the reason why the process must stop.
    pub async fn start(parts: Parts) -> Result<(Arc<Self>, JoinHandle<Result<(), Stop>>), RecoverError> {
        let Parts { store, commit_point, archive, objects, keys, witnesses, trust, clock, limits } = parts;
        let metrics = Arc::new(Metrics::default());
        let (health, alive) = Health::starting();
        let policies = Arc::new(Policies::of(&trust, keys.origin().as_str()));
        let tiles = Tiles::new(objects.clone());
        let sealing = store.for_sealing();
        let Recovered { tree, committed, published } = recover(&sealing, &objects, &tiles, &policies).await?;
        metrics.committed_size.set(committed.head.size.get());

        let board = Board::new(&witnesses);
        let log = OurLog {
            origin: policies.origin().to_owned(),
            keys: policies.log_keys().to_vec(),
            store: store.clone(),
            tiles: tiles.clone(),
        };
        let witnesses = Witnesses {
            list: witnesses,
            log,
            clock: clock.clone(),
            board: board.clone(),
            metrics: metrics.clone(),
        };
        let agreed = witnesses.first_round(FIRST_ROUND).await?;

        let (offers, offered) = watch::channel(None);
        let (vouched, vouched_reader) = watch::channel(None);
        let doubts = Arc::new(Notify::new());
        let slot = Slot::new(objects.clone(), published);
        let (shown, sizes) = (slot.watch(), slot.sizes());
        metrics.published_size.set(sizes.borrow().get());
        let edge = tree.edge().clone();
        let mut publisher = Publisher {
            store: sealing.clone(),
            archive,
            tree,
            keys,
            policies: policies.clone(),
            clock: clock.clone(),
            slot,
            vouched,
            offers,
            health: health.clone(),
            metrics: metrics.clone(),
            current: None,
            previous: None,
        };
        let keys_that_agreed: Vec<_> = agreed.iter().map(|(key, _)| key.clone()).collect();
        let checked = publisher.is_checked(&keys_that_agreed);
        let (gate, gate_reader) = watch::channel(checked);
        if shown.borrow().is_none() {
            health.awaits(Part::Published, "Nothing has been published yet.");
        }
        if checked {
            publisher.resume().await?;
            publisher.offer().await?;
        } else {
            health.trouble(Part::StartCheck, SubmitError::Unchecked.to_string());
        }
        let (heard, hearing) = mpsc::channel(HEARD);
        let couriers = witnesses.couriers(&agreed, &offered, &gate_reader, &heard);
        let (committing, committed_reader) = watch::channel(committed.head.size);
        let feeds = Feeds {
            committed: committed_reader,
            heard: hearing,
            gate,
            agreed: keys_that_agreed,
            doubts: doubts.clone(),
        };

        let pool = Arc::new(Pool::new(&limits, metrics.clone()));
        let sequencer = Sequencer {
            pool: pool.clone(),
            store: sealing,
            commit_point,
            edge,
            clock: clock.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            gate: gate_reader.clone(),
            policies: policies.clone(),
            vouched: vouched_reader,
            doubts,
            committed: committing,
            published: sizes.clone(),
            unpublished: u64::try_from(limits.unpublished.get()).unwrap_or(u64::MAX),
            interval: limits.batch_interval(),
            sealed_at: committed.sealed_at,
        };
        let pace = Pace {
            interval: limits.checkpoint_interval(),
            freshness: limits.freshness(),
            patience: limits.witness_timeout(),
        };
        let running = async move {
            // They live as long as this: dropped with it, they stop.
            let (_alive, _couriers, _heard) = (alive, couriers, heard);
            let sequencing = sequencer.run();
            let publishing = async { publish::run(publisher, feeds, pace).await.map_err(Stop::from) };
            tokio::try_join!(sequencing, publishing).map(|_| ())
        };
        let receipts = Receipts::new(store.clone(), tiles.clone(), sizes);
        let service = Self {
            intake: Intake::new(store.clone(), trust.clone(), clock.clone()),
            lookup: Lookup::new(store.clone(), receipts.clone()),
            quota: Quota::new(limits.statements_per_minute),
            answer_timeout: limits.answer_timeout(),
            health,
            gate: gate_reader,
            shown,
            policies,
            board,
            chain: ChainCache::default(),
            store,
            receipts,
            tiles,
            objects,
            pool,
            trust,
            clock,
            metrics,
        };
        Ok((Arc::new(service), tokio::spawn(running)))
    }

    /// Seals submissions; gives one outcome each, in order.
    pub async fn submit(
        &self,
        submissions: Vec<Result<Submission, SubmissionError>>,
    ) -> Result<Vec<Outcome>, SubmitError> {
        if !*self.gate.borrow() {
            return Err(SubmitError::Unchecked);
        }
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

    /// The published checkpoint.
    pub fn checkpoint(&self) -> Option<PublishedCheckpoint> {
        self.shown.borrow().clone()
    }

    /// The archived checkpoint of exactly this size, if that size was published.
    pub async fn archived(&self, size: TreeSize) -> Result<Option<Vec<u8>>, StoreError> {
        if size > self.published() {
            return Ok(None);
        }
        self.store.checkpoint_at(size).await
    }

    /// The archived checkpoints above `size`, at most `limit`, in order; only what is published.
    pub async fn archived_after(
        &self,
        size: TreeSize,
        limit: u32,
    ) -> Result<Vec<(TreeSize, Vec<u8>)>, StoreError> {
        let published = self.published();
        let mut found = self.store.checkpoints_after(Some(size), limit).await?;
        found.retain(|(size, _)| *size <= published);
        Ok(found)
    }

    /// The index of the published entry that commits to this statement.
    pub async fn index_of(&self, statement: &Digest) -> Result<Option<LeafIndex>, StoreError> {
        let place = self.store.find(statement).await?;
        Ok(place.map(|place| place.index).filter(|index| self.receipts.covers(*index)))
    }

    /// What is wrong, in sentences for operators; `None` if the service seals and publishes.
    pub fn troubles(&self) -> Option<String> {
        self.health.troubles()
    }

    /// Whether the service can seal and publish at present.
    pub fn is_ready(&self) -> bool {
        self.troubles().is_none()
    }

    /// How the witnesses of the policies in force do.
    pub fn witnesses(&self) -> Vec<WitnessFacts> {
        let asked = self.policies.asked(self.clock.now_seconds());
        let mut facts = self.board.facts();
        facts.retain(|facts| asked.iter().any(|witness| *witness.key() == facts.key));
        facts
    }

    /// The policies under which the log is published.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// What is sealed.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// What the chain page was told last.
    pub(crate) fn chain_cache(&self) -> &ChainCache {
        &self.chain
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
        self.policies.origin()
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

/// Waits until a statement is durable.
async fn wait(mut ticket: Ticket, deadline: Instant) -> Result<(), SubmitError> {
    let durable = ticket.wait_for(|phase| *phase == Phase::Durable);
    let ended = matches!(tokio::time::timeout_at(deadline, durable).await, Ok(Err(_)));
    let phase = *ticket.borrow();
    match phase {
        Phase::Durable => Ok(()),
        Phase::Waiting if ended => Err(SubmitError::Stopping),
        Phase::Waiting => Err(SubmitError::Overloaded),
    }
}
