//! Capture times: honest readings of the device's clock that never run backwards.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use evidence::UnixMillis;
use evidence::statement::{Event, EventKind};

/// How far the wall clock may drift from the monotonic one between two readings before it counts as set by hand or by a
/// time server. Slewing moves it by 0.5 ms a second at most.
const STEP_MS: u64 = 1_000;

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The device's wall clock.
    pub wall: UnixMillis,
    /// A clock that nobody can set, from an arbitrary zero.
    pub monotonic: Duration,
}

/// Reads the system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    zero: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    pub fn start() -> Self {
        Self { zero: Instant::now() }
    }

    /// Reads both clocks.
    #[must_use]
    pub fn read(&self) -> Reading {
        Reading { wall: wall_clock(), monotonic: self.zero.elapsed() }
    }
}

/// The wall clock. Before 1970 it reads 1970: such a clock is wrong anyway, and the self-check says by how much.
#[must_use]
pub fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis::saturating(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Turns readings into capture times.
#[derive(Debug)]
pub struct CaptureClock {
    last: Reading,
    /// The last capture time given out.
    given: UnixMillis,
}

impl CaptureClock {
    /// Capture begins at this reading.
    #[must_use]
    pub fn begin(first: Reading) -> Self {
        Self { last: first, given: first.wall }
    }

    /// The last capture time given out.
    #[must_use]
    pub fn last(&self) -> UnixMillis {
        self.given
    }

    /// The capture time of a reading. It is what the wall clock says, unless that lies before the last capture time: then
    /// it is that one again. A step of the clock in either direction is an event, which carries the raw reading.
    pub fn observe(&mut self, reading: Reading) -> (UnixMillis, Option<Event>) {
        let passed = reading.monotonic.saturating_sub(self.last.monotonic).as_millis();
        let expected = self.last.wall.get().saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        let stepped = reading.wall.get().abs_diff(expected) > STEP_MS;
        self.last = reading;
        self.given = self.given.max(reading.wall);
        (self.given, stepped.then_some(Event { at: reading.wall, kind: EventKind::ClockStep }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall: u64, monotonic: u64) -> Reading {
        Reading { wall: UnixMillis::saturating(wall), monotonic: Duration::from_millis(monotonic) }
    }

    #[test]
    fn a_clock_set_back_never_runs_backwards_and_is_told() {
        let mut clock = CaptureClock::begin(reading(100_000, 0));
        assert_eq!(clock.observe(reading(102_000, 2_000)), (UnixMillis::saturating(102_000), None));
        let (time, event) = clock.observe(reading(50_000, 4_000));
        assert_eq!(time.get(), 102_000);
        assert_eq!(event, Some(Event { at: UnixMillis::saturating(50_000), kind: EventKind::ClockStep }));
        // One step is one event, and time stands still until the clock has caught up.
        assert_eq!(clock.observe(reading(52_000, 6_000)), (UnixMillis::saturating(102_000), None));
    }

    #[test]
    fn a_clock_set_forward_is_believed_and_told() {
        let mut clock = CaptureClock::begin(reading(100_000, 0));
        let (time, event) = clock.observe(reading(1_000_000, 1_000));
        assert_eq!(time.get(), 1_000_000);
        assert!(event.is_some());
        assert_eq!(clock.observe(reading(1_002_000, 3_000)).1, None);
    }

    #[test]
    fn slewing_is_no_step() {
        let mut clock = CaptureClock::begin(reading(100_000, 0));
        assert_eq!(clock.observe(reading(110_005, 10_000)).1, None);
        assert_eq!(clock.observe(reading(119_990, 20_000)).1, None);
    }
}
