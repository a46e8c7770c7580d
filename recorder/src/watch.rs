//! Looking around while the recording goes on: does the service show everybody the chain that it shows this device? Nothing
//! waits for this.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chain::{Chain, News};
use crate::display::Display;
use crate::outbox::locked;

/// How often. Receipts are checked one by one by the sender; this finds what only others can see.
const INTERVAL: Duration = Duration::from_secs(60);

/// A thread that cross-checks the chain until it is stopped.
pub struct Watch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// The thread has ended, or never began.
    ended: bool,
}

impl Watch {
    /// Starts at once. Without a thread nothing is cross-checked, and the recording goes on.
    #[must_use]
    pub fn start(chain: &Arc<Chain>, display: &Arc<Display>) -> Self {
        let shared = Arc::new(Shared::default());
        let (chain, display, inside) = (Arc::clone(chain), Arc::clone(display), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            run(&chain, &display, &inside);
            locked(&inside.state).ended = true;
            inside.changed.notify_all();
        });
        if thread.is_err() {
            locked(&shared.state).ended = true;
        }
        Self { shared }
    }

    /// Stops, after the look that is under way, but waits no longer than this: a witness may be silent.
    pub fn stop(self, patience: Duration) {
        let mut state = locked(&self.shared.state);
        state.stopping = true;
        self.shared.changed.notify_all();
        let _ended = self
            .shared
            .changed
            .wait_timeout_while(state, patience, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn run(chain: &Chain, display: &Display, shared: &Shared) {
    let mut said = BTreeSet::new();
    loop {
        for news in chain.cross_check() {
            // A warning of one kind is no news a minute later, whatever its sizes are then.
            let (what, sentence) = match news {
                News::Alarm(alarm) => (alarm.to_string(), alarm.to_string()),
                News::Warning { kind, sentence } => (kind.as_str().to_owned(), sentence),
                News::Trouble(sentence) => (sentence.clone(), sentence),
            };
            if said.insert(what) {
                display.say(&sentence);
            }
        }
        let until = Instant::now() + INTERVAL;
        let mut state = locked(&shared.state);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.stopping {
                return;
            }
            if left.is_zero() {
                break;
            }
            state = shared
                .changed
                .wait_timeout(state, left)
                .map_or_else(|poison| poison.into_inner().0, |woken| woken.0);
        }
    }
}
