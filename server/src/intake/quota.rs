//! How many statements one key may have sealed in a minute, so that one broken recorder cannot fill the service.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evidence::{KeyDigest, UnixMillis};

/// Keys that are remembered; only keys that are enrolled get here. When more sign within a minute, those with a full share are forgotten.
const MAX_KEYS: usize = 65_536;

const MINUTE_MS: u64 = 60_000;

/// What a request asks of the share of each key, in statements.
pub type Shares = BTreeMap<KeyDigest, usize>;

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

    /// Takes all of `shares`, or nothing.
    pub fn take(&self, shares: &Shares, now: UnixMillis) -> Result<(), QuotaExceeded> {
        let full = self.full();
        let mut buckets = self.buckets();
        if buckets.len() >= MAX_KEYS {
            buckets.retain(|_, bucket| self.refilled(*bucket, now) < full);
        }
        let mut taken = Vec::with_capacity(shares.len());
        for (key, count) in shares {
            let available = buckets.get(key).map_or(full, |bucket| self.refilled(*bucket, now));
            let cost = self.cost(*count);
            let Some(left) = available.checked_sub(cost) else {
                let wait_ms = ((cost - available) * MINUTE_MS).div_ceil(full);
                return Err(QuotaExceeded { retry_after_s: wait_ms.div_ceil(1000).max(1) });
            };
            taken.push((*key, Bucket { millis: left, at: now }));
        }
        buckets.extend(taken);
        Ok(())
    }

    /// Undoes [`Quota::take`]: the service could not accept the statements.
    pub fn give_back(&self, shares: &Shares) {
        let mut buckets = self.buckets();
        for (key, count) in shares {
            if let Some(bucket) = buckets.get_mut(key) {
                bucket.millis = (bucket.millis + self.cost(*count)).min(self.full());
            }
        }
    }

    fn full(&self) -> u64 {
        self.per_minute * 1000
    }

    /// A request larger than a minute's share could never pass; it takes the whole share instead.
    fn cost(&self, count: usize) -> u64 {
        u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(1000).min(self.full())
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<KeyDigest, Bucket>> {
        // invariant: no code panics while it holds the lock.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refilled(&self, bucket: Bucket, now: UnixMillis) -> u64 {
        let full = self.full();
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

    const ONE: KeyDigest = KeyDigest::from_bytes([1; 32]);
    const TWO: KeyDigest = KeyDigest::from_bytes([2; 32]);

    fn quota() -> Quota {
        Quota::new(NonZeroU32::new(60).unwrap())
    }

    fn of(key: KeyDigest, count: usize) -> Shares {
        Shares::from([(key, count)])
    }

    #[test]
    fn a_share_is_spent_and_refills_and_is_not_shared() {
        let quota = quota();
        assert_eq!(quota.take(&of(ONE, 60), at(0)), Ok(()));
        assert_eq!(quota.take(&of(ONE, 2), at(500)), Err(QuotaExceeded { retry_after_s: 2 }));
        assert_eq!(quota.take(&of(TWO, 1), at(500)), Ok(()));
        assert_eq!(quota.take(&of(ONE, 2), at(2000)), Ok(()));
        assert!(quota.take(&of(ONE, 1), at(2000)).is_err());
    }

    #[test]
    fn one_key_beyond_its_share_costs_the_others_nothing() {
        let quota = quota();
        assert_eq!(quota.take(&of(TWO, 60), at(0)), Ok(()));
        assert!(quota.take(&Shares::from([(ONE, 60), (TWO, 1)]), at(0)).is_err());
        assert_eq!(quota.take(&of(ONE, 60), at(0)), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_is_no_more_than_a_share() {
        let quota = quota();
        assert_eq!(quota.take(&of(ONE, 60), at(0)), Ok(()));
        quota.give_back(&of(ONE, 60));
        quota.give_back(&of(ONE, 60));
        assert_eq!(quota.take(&of(ONE, 60), at(0)), Ok(()));
        assert!(quota.take(&of(ONE, 1), at(0)).is_err());
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let quota = quota();
        assert_eq!(quota.take(&of(ONE, 60), at(100_000)), Ok(()));
        assert!(quota.take(&of(ONE, 1), at(0)).is_err());
    }

    #[test]
    fn a_request_beyond_the_share_takes_all_of_it() {
        let quota = quota();
        assert_eq!(quota.take(&of(ONE, 1000), at(0)), Ok(()));
        assert!(quota.take(&of(ONE, 1), at(0)).is_err());
    }
}
