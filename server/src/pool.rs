//! What waits for the sequencer: admitted statements, and who waits for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evidence::Digest;
use tokio::sync::{Notify, watch};

use crate::config::Limits;
use crate::intake::Admitted;
use crate::metrics::Metrics;

/// A batch to which nothing more is added: a transaction, and the copy of it that is read back before it is signed, must fit into
/// memory. One statement with its block digests is as much as it can exceed this by.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// How far a batch has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// In memory only.
    Waiting,
    /// In the database. Its receipt can be had when a checkpoint that covers it is published.
    Durable,
}

/// Tells how far the batch of a statement has got. The sender goes away without [`Phase::Durable`] only when the
/// service stops.
pub type Ticket = watch::Receiver<Phase>;

/// The waiting room between intake and sequencer.
#[derive(Debug)]
pub struct Pool {
    capacity: usize,
    capacity_bytes: usize,
    batch: usize,
    state: Mutex<State>,
    arrived: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    /// Batches in the order of arrival; all but the last are full.
    batches: VecDeque<Collecting>,
    waiting: usize,
    waiting_bytes: usize,
    /// Statements of the batch that the sequencer is working on.
    in_flight: HashMap<Digest, Ticket>,
    closed: bool,
}

#[derive(Debug)]
struct Collecting {
    statements: Vec<Arc<Admitted>>,
    bytes: usize,
    tickets: HashMap<Digest, Ticket>,
    phase: watch::Sender<Phase>,
}

/// A batch that the sequencer has taken.
#[derive(Debug)]
pub struct Taken {
    /// The statements, distinct, in the order of arrival.
    pub statements: Vec<Arc<Admitted>>,
    /// Where the sequencer says how far it has got.
    pub phase: watch::Sender<Phase>,
}

/// Why statements cannot wait here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Too many wait already.
    #[error("Too many statements are waiting to be sealed.")]
    Full,
    /// The service is stopping.
    #[error("The service is stopping.")]
    Closed,
}

impl Collecting {
    fn new() -> Self {
        let phase = watch::Sender::new(Phase::Waiting);
        Self { statements: Vec::new(), bytes: 0, tickets: HashMap::new(), phase }
    }

    fn is_full(&self, batch: usize) -> bool {
        self.statements.len() >= batch || self.bytes >= MAX_BATCH_BYTES
    }

    fn add(&mut self, statement: Arc<Admitted>) -> Ticket {
        let ticket = self.phase.subscribe();
        self.tickets.insert(statement.digest(), ticket.clone());
        self.bytes += statement.weight();
        self.statements.push(statement);
        ticket
    }
}

impl State {
    fn add(&mut self, statement: Arc<Admitted>, batch: usize) -> Ticket {
        let digest = statement.digest();
        let known = self.batches.iter().map(|collecting| &collecting.tickets).chain([&self.in_flight]);
        if let Some(ticket) = known.filter_map(|tickets| tickets.get(&digest)).next() {
            return ticket.clone();
        }
        self.waiting += 1;
        self.waiting_bytes += statement.weight();
        match self.batches.back_mut() {
            Some(last) if !last.is_full(batch) => last.add(statement),
            _ => {
                let mut next = Collecting::new();
                let ticket = next.add(statement);
                self.batches.push_back(next);
                ticket
            }
        }
    }
}

impl Pool {
    /// A pool within these limits.
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            capacity: limits.queue.get(),
            capacity_bytes: limits.queue_mib.get().saturating_mul(1 << 20),
            batch: limits.batch.get(),
            state: Mutex::default(),
            arrived: Notify::new(),
            metrics,
        }
    }

    /// Adds statements, all or none. One that waits already, or is being sealed, shares its ticket. An empty pool takes any number
    /// of bytes, so that nothing is too large for ever.
    pub fn add(&self, statements: Vec<Arc<Admitted>>) -> Result<Vec<Ticket>, PoolError> {
        let mut state = self.lock();
        if state.closed {
            return Err(PoolError::Closed);
        }
        let bytes: usize = statements.iter().map(|statement| statement.weight()).sum();
        let too_large = state.waiting > 0 && state.waiting_bytes + bytes > self.capacity_bytes;
        if too_large || state.waiting + statements.len() > self.capacity {
            return Err(PoolError::Full);
        }
        let tickets = statements.into_iter().map(|statement| state.add(statement, self.batch)).collect();
        self.count(&state);
        drop(state);
        self.arrived.notify_one();
        Ok(tickets)
    }

    /// Waits until a statement is there; `false` when the pool is closed and empty.
    pub async fn wait(&self) -> bool {
        loop {
            {
                let state = self.lock();
                if state.waiting > 0 {
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Waits until a whole batch is there, or no more will come.
    pub async fn wait_for_batch(&self) {
        loop {
            {
                let state = self.lock();
                if state.closed || state.batches.front().is_some_and(|first| first.is_full(self.batch)) {
                    return;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Takes the oldest batch. It counts as in flight until [`Pool::finish`].
    pub fn take(&self) -> Option<Taken> {
        let mut state = self.lock();
        let oldest = state.batches.pop_front()?;
        state.waiting -= oldest.statements.len();
        state.waiting_bytes -= oldest.bytes;
        state.in_flight = oldest.tickets;
        self.count(&state);
        Some(Taken { statements: oldest.statements, phase: oldest.phase })
    }

    /// The batch that was taken last can be found in the database.
    pub fn finish(&self) {
        self.lock().in_flight.clear();
    }

    /// Takes in nothing more; what waits is still sealed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn count(&self, state: &State) {
        self.metrics.waiting.set(u64::try_from(state.waiting).unwrap_or(u64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // invariant: no code panics while it holds the lock, so a poisoned state is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
