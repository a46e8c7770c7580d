//! Speed and time left, from what the worker says about bytes.

use std::collections::VecDeque;

use protocol::{Phase, Progress};

/// The speed is that of the last few seconds: long enough to be calm, short enough to follow a slow drive.
const WINDOW_MS: f64 = 4000.0;
/// Before this there is nothing to conclude from.
const WARM_UP_MS: f64 = 600.0;

/// What is shown while a file is being verified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// What the worker said.
    pub(crate) progress: Progress,
    /// Bytes per second.
    pub(crate) speed: Option<u64>,
    /// Seconds until this phase ends.
    pub(crate) seconds_left: Option<u64>,
}

impl Reading {
    /// Whole percent done; `None` where the phase counts no bytes.
    pub(crate) fn percent(&self) -> Option<u64> {
        let Progress { done, total, .. } = self.progress;
        let percent = u128::from(done.min(total)) * 100 / u128::from(total.max(1));
        (total > 0).then(|| u64::try_from(percent).unwrap_or(100))
    }
}

/// Turns progress into readings.
#[derive(Default)]
pub(crate) struct Meter {
    phase: Option<Phase>,
    samples: VecDeque<(f64, u64)>,
}

impl Meter {
    /// What to show for `progress`, heard at `now` (milliseconds of a clock that never goes back).
    pub(crate) fn read(&mut self, progress: Progress, now: f64) -> Reading {
        let restarted = self.samples.back().is_some_and(|(_, done)| *done > progress.done);
        if self.phase != Some(progress.phase) || restarted {
            self.phase = Some(progress.phase);
            self.samples.clear();
        }
        self.samples.push_back((now, progress.done));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - at > WINDOW_MS) {
            self.samples.pop_front();
        }
        let speed = self.speed(now);
        let left = progress.total.saturating_sub(progress.done);
        Reading { progress, speed, seconds_left: speed.map(|speed| left.div_ceil(speed)) }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a display value; float-to-integer casts saturate"
    )]
    fn speed(&self, now: f64) -> Option<u64> {
        let (since, done_then) = self.samples.front()?;
        let (_, done_now) = self.samples.back()?;
        let elapsed = now - since;
        let speed = ((done_now - done_then) as f64 * 1000.0 / elapsed) as u64;
        (elapsed >= WARM_UP_MS && speed > 0).then_some(speed)
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn hashing(done: u64, total: u64) -> Progress {
        Progress { phase: Phase::Hashing, done, total }
    }

    #[wasm_bindgen_test]
    fn speed_and_time_left_follow_the_last_seconds() {
        let mut meter = Meter::default();
        assert_eq!(meter.read(hashing(0, 10_000), 0.0).speed, None);
        for second in 1..=8_u32 {
            let speed = if second <= 4 { 100 } else { 1000 };
            let done = u64::from(second.min(4)) * 100 + u64::from(second.saturating_sub(4)) * speed;
            meter.read(hashing(done, 10_000), f64::from(second) * 1000.0);
        }
        let reading = meter.read(hashing(5400, 10_000), 9000.0);
        assert_eq!((reading.speed, reading.seconds_left), (Some(1000), Some(5)));
        assert_eq!(reading.percent(), Some(54));
    }

    #[wasm_bindgen_test]
    fn a_new_phase_starts_anew() {
        let mut meter = Meter::default();
        meter.read(Progress { phase: Phase::Finding, done: 50_000, total: 50_000 }, 0.0);
        assert_eq!(meter.read(hashing(0, 6_442_450_944), 5000.0).speed, None);
    }

    #[wasm_bindgen_test]
    fn a_second_pass_of_the_same_phase_starts_anew() {
        let mut meter = Meter::default();
        meter.read(hashing(900, 900), 0.0);
        assert_eq!(meter.read(hashing(0, 100), 1000.0).speed, None);
    }

    #[wasm_bindgen_test]
    fn a_standstill_has_no_time_left_and_no_division_by_nothing() {
        let mut meter = Meter::default();
        meter.read(hashing(5, 10), 0.0);
        let reading = meter.read(hashing(5, 10), 3000.0);
        assert_eq!((reading.speed, reading.seconds_left), (None, None));
        assert_eq!(meter.read(hashing(0, 0), 3100.0).percent(), None);
    }
}
