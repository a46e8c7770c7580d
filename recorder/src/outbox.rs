//! The open spooled recordings of this process, shared between the thread that signs and the one that sends.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::spool::{Counts, Spooled};

/// One spooled recording, shared.
pub type Shared = Arc<Mutex<Spooled>>;

/// Locks a shared value. A thread that panicked while it held the lock cannot have left a journal half-changed in memory
/// that matters: its fields follow the medium, and appends fail once poisoned.
pub fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All recordings that wait for receipts, the live one first, and a bell for the sender.
#[derive(Default)]
pub struct Outbox {
    items: Mutex<Vec<Shared>>,
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Outbox {
    /// With recordings that earlier runs left.
    #[must_use]
    pub fn new(items: Vec<Spooled>) -> Self {
        let items = items.into_iter().map(|item| Arc::new(Mutex::new(item))).collect();
        Self { items: Mutex::new(items), ..Self::default() }
    }

    /// Adds the recording of this run, ahead of the others: what is live is sealed at once.
    pub fn add_live(&self, spooled: Spooled) -> Shared {
        let shared = Arc::new(Mutex::new(spooled));
        locked(&self.items).insert(0, Arc::clone(&shared));
        shared
    }

    /// The recordings, the live one first.
    #[must_use]
    pub fn items(&self) -> Vec<Shared> {
        locked(&self.items).clone()
    }

    /// Takes a recording out once its evidence file is written.
    pub fn retire(&self, done: &Shared) {
        locked(&self.items).retain(|item| !Arc::ptr_eq(item, done));
    }

    /// How far all of them have come together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.items().iter().map(|item| locked(item).counts()).fold(Counts::default(), |sum, counts| Counts {
            signed: sum.signed + counts.signed,
            sealed: sum.sealed + counts.sealed,
        })
    }

    /// Tells the sender that there is something new.
    pub fn ring(&self) {
        *locked(&self.rung) = true;
        self.bell.notify_all();
    }

    /// Waits until the bell rings, at most this long.
    pub fn wait(&self, at_most: Duration) {
        let rung = locked(&self.rung);
        let (mut rung, _) = self
            .bell
            .wait_timeout_while(rung, at_most, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
