//! Instants. The crate has no clock: every instant is read from evidence or passed in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest integer that JSON and JavaScript carry exactly, 2^53 − 1; instants, offsets and lengths stay below.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Milliseconds since 1970-01-01T00:00:00Z, at most [`MAX_SAFE_INTEGER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct UnixMillis(u64);

/// A number of milliseconds beyond [`MAX_SAFE_INTEGER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The time {0} ms lies beyond 2^53 - 1.")]
pub struct TimeOutOfRange(u64);

impl UnixMillis {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The instant, unless it lies beyond the limit.
    pub const fn new(millis: u64) -> Option<Self> {
        if millis <= MAX_SAFE_INTEGER { Some(Self(millis)) } else { None }
    }

    /// The instant, or the last one that can be written. For clocks, whose readings never come near it.
    pub const fn saturating(millis: u64) -> Self {
        if millis <= MAX_SAFE_INTEGER { Self(millis) } else { Self(MAX_SAFE_INTEGER) }
    }

    /// Milliseconds since the epoch.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The second that contains this instant.
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1000)
    }
}

impl TryFrom<u64> for UnixMillis {
    type Error = TimeOutOfRange;

    fn try_from(millis: u64) -> Result<Self, TimeOutOfRange> {
        Self::new(millis).ok_or(TimeOutOfRange(millis))
    }
}

impl From<UnixMillis> for u64 {
    fn from(time: UnixMillis) -> u64 {
        time.0
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(u64);

impl UnixSeconds {
    /// The instant with this many seconds since the epoch.
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The first millisecond of this second.
    pub const fn millis(self) -> UnixMillis {
        UnixMillis::saturating(self.0.saturating_mul(1000))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
