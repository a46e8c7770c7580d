//! Posting events to the page.

use std::cell::Cell;
use std::rc::Rc;

use protocol::{Event, Progress};
use web_sys::DedicatedWorkerGlobalScope;

/// Ten times a second is as much as a person sees, and keeps the page's thread free.
const PROGRESS_INTERVAL_MS: f64 = 100.0;

/// Posts events to the page.
#[derive(Clone)]
pub struct Outbox {
    scope: DedicatedWorkerGlobalScope,
    last: Rc<Cell<Option<(Progress, f64)>>>,
}

impl Outbox {
    /// An outbox to whoever started this worker.
    pub fn new(scope: DedicatedWorkerGlobalScope) -> Self {
        Self { scope, last: Rc::default() }
    }

    /// Posts an event.
    pub fn post(&self, event: &Event) {
        let posted = protocol::to_js(event)
            .map_err(|error| error.to_string())
            .and_then(|value| self.scope.post_message(&value).map_err(|error| format!("{error:?}")));
        if let Err(error) = posted {
            // Nothing can be told to the page then, except by dying: it sees an `error` event.
            panic!("an event could not be posted: {error}");
        }
    }

    /// Posts progress: the first and the last of each phase, and no more than people can see between.
    pub fn progress(&self, progress: Progress) {
        let now = js_sys::Date::now();
        let is_due = self.last.get().is_none_or(|(last, at)| {
            last.phase != progress.phase
                || progress.done == progress.total
                || (now - at).abs() >= PROGRESS_INTERVAL_MS
        });
        if is_due {
            self.last.set(Some((progress, now)));
            self.post(&Event::Progress(progress));
        }
    }
}
