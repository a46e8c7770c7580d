//! How many statements one key may have sealed in a minute, so that one broken recorder cannot fill the service.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use evidence::{KeyDigest, UnixMillis};

/// Keys that are remembered; only keys that are enrolled get here. When more sign within a minute, those with a full share are forgotten.
const MAX_KEYS: usize = 65_536;

const MINUTE_MS: u64 = 60_000;

/// Refused: come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("One key signed more statements than its share; come back in {retry_after_s} seconds.")]
pub struct QuotaExceeded {
    /// When there will be room again, in seconds.
    pub retry_after_s: u64,
}

/// A token bucket for each key: holds a minute's share, and refills evenly.
#[derive(Debug)]
pub struct Quota {
    per_minute: u64,
    buckets: Mutex<HashMap<KeyDigest, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Thousandths of a statement, so that refilling loses nothing to rounding.
    millis: u64,
    at: UnixMillis,
}

impl Quota {
    /// `per_minute` statements for each key.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self { per_minute: u64::from(per_minute.get()), buckets: Mutex::default() }
    }

    /// Takes `count` statements from the share of `key`, all or none.
    pub fn take(&self, key: KeyDigest, count: usize, now: UnixMillis) -> Result<(), QuotaExceeded> {
        let full = self.per_minute * 1000;
        // A request larger than a minute's share could never pass; it takes the whole share instead.
        let cost = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(1000).min(full);
        // A panic while the lock was held leaves the buckets as they were.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_KEYS {
            buckets.retain(|_, bucket| self.refilled(*bucket, now) < full);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { millis: full, at: now });
        let available = self.refilled(*bucket, now);
        if available < cost {
            let missing = cost - available;
            let wait_ms = (missing * MINUTE_MS).div_ceil(full);
            return Err(QuotaExceeded { retry_after_s: wait_ms.div_ceil(1000).max(1) });
        }
        *bucket = Bucket { millis: available - cost, at: now };
        Ok(())
    }

    fn refilled(&self, bucket: Bucket, now: UnixMillis) -> u64 {
        let full = self.per_minute * 1000;
        let elapsed = now.get().saturating_sub(bucket.at.get()).min(MINUTE_MS);
        (bucket.millis + elapsed * full / MINUTE_MS).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::saturating(millis)
    }

    #[test]
    fn a_share_is_spent_and_refills_and_is_not_shared() {
        let quota = Quota::new(NonZeroU32::new(60).unwrap());
        let (one, two) = (KeyDigest::from_bytes([1; 32]), KeyDigest::from_bytes([2; 32]));
        assert_eq!(quota.take(one, 60, at(0)), Ok(()));
        assert_eq!(quota.take(one, 2, at(500)), Err(QuotaExceeded { retry_after_s: 2 }));
        assert_eq!(quota.take(two, 1, at(500)), Ok(()));
        assert_eq!(quota.take(one, 2, at(2000)), Ok(()));
        assert!(quota.take(one, 1, at(2000)).is_err());
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let quota = Quota::new(NonZeroU32::new(60).unwrap());
        let key = KeyDigest::from_bytes([1; 32]);
        assert_eq!(quota.take(key, 60, at(100_000)), Ok(()));
        assert!(quota.take(key, 1, at(0)).is_err());
    }

    #[test]
    fn a_request_beyond_the_share_takes_all_of_it() {
        let quota = Quota::new(NonZeroU32::new(60).unwrap());
        let key = KeyDigest::from_bytes([1; 32]);
        assert_eq!(quota.take(key, 1000, at(0)), Ok(()));
        assert!(quota.take(key, 1, at(0)).is_err());
    }
}
