//! The one place where the service reads the time, so that tests can set it.

use std::time::{SystemTime, UNIX_EPOCH};

use evidence::{UnixMillis, UnixSeconds};
use tokio::time::Instant;

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

/// What time it is by a quorum of witnesses: what it stated last, and how long ago that was by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct Vouched {
    stated: UnixSeconds,
    heard: Instant,
}

impl Vouched {
    /// A quorum has just stated this time.
    pub fn now_at(stated: UnixSeconds) -> Self {
        Self { stated, heard: Instant::now() }
    }

    /// What was stated.
    pub fn stated(&self) -> UnixSeconds {
        self.stated
    }

    /// What time it should be now. Too early where the machine slept meanwhile: its steady clock stands still then.
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds::new(self.stated.get().saturating_add(self.heard.elapsed().as_secs()))
    }
}
