//! The one place where the service reads the time, so that tests can set it.

use std::time::{SystemTime, UNIX_EPOCH};

use evidence::{UnixMillis, UnixSeconds};

/// A source of the current time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> UnixMillis;

    /// The same in whole seconds, rounded down.
    fn now_seconds(&self) -> UnixSeconds {
        self.now().seconds()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // A clock before 1970 is a broken machine; 0 makes every enrolment "not yet valid", which refuses safely.
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis::saturating(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}
