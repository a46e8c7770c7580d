//! When what is published: the loop around the [`Publisher`].

use std::sync::Arc;
use std::time::Duration;

use evidence::UnixSeconds;
use tlog::{TreeSize, VerifierKey};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::{Contradiction, PublishError, Publisher};
use crate::health::Part;
use crate::witnesses::Heard;

/// The pauses between attempts when storage fails: doubled from the first up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// How soon a tree is offered again whose quorum states a time that cannot be.
const STALE_RETRY: Duration = Duration::from_secs(1);

/// How long cosignatures that came late may be shown before they are stored.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// The longest the loop sleeps: troubles are told within this time.
const TICK: Duration = Duration::from_secs(1);

/// How fast.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The least time from when a new checkpoint was first offered to the next.
    pub interval: Duration,
    /// How old the newest quorum may grow while nothing is sealed.
    pub freshness: Duration,
    /// How long a quorum may take before it counts as lost.
    pub patience: Duration,
}

/// What the loop is told.
pub struct Feeds {
    /// The size of the committed tree. When its sender is gone, the loop publishes what is left and ends.
    pub committed: watch::Receiver<TreeSize>,
    /// What comes back from witnesses.
    pub heard: mpsc::Receiver<Heard>,
    /// Opened when enough witnesses have said that they know no other history.
    pub gate: watch::Sender<bool>,
    /// Who has said so.
    pub agreed: Vec<VerifierKey>,
    /// Told when the sequencer needs to know from the witnesses what time it is.
    pub doubts: Arc<Notify>,
}

struct Loop {
    publisher: Publisher,
    feeds: Feeds,
    pace: Pace,
    /// No new checkpoint before.
    next: Instant,
    /// When to try again, and how long the pause was.
    retry: Option<(Instant, Duration)>,
    /// When the quorum time grew last.
    fresh: Instant,
    /// When something was shown that is not stored.
    dirty: Option<Instant>,
    /// Whether the witnesses are to be asked again, because it is in doubt what time it is.
    doubted: bool,
    ending: bool,
}

/// Publishes until `feeds.committed` ends and everything committed is published, or until nothing may be signed any more.
pub async fn run(publisher: Publisher, feeds: Feeds, pace: Pace) -> Result<(), PublishError> {
    let now = Instant::now();
    let mut this = Loop {
        publisher,
        feeds,
        pace,
        next: now,
        retry: None,
        fresh: now,
        dirty: None,
        doubted: false,
        ending: false,
    };
    loop {
        let wake = this.wake();
        let heard = tokio::select! {
            biased;
            heard = this.feeds.heard.recv() => heard,
            changed = this.feeds.committed.changed(), if !this.ending => {
                this.ending = changed.is_err();
                None
            }
            () = this.feeds.doubts.notified() => {
                this.doubted = true;
                None
            }
            () = tokio::time::sleep_until(wake) => None,
        };
        // From here on nothing is given up halfway: a write to storage is awaited to its end.
        let before = this.published();
        match this.step(heard).await {
            Ok(()) => this.worked(),
            Err(error) if error.is_transient() => this.failed(&error),
            Err(error) => return Err(error),
        }
        this.progressed(before);
        this.look_after_quorum();
        if this.ending && this.is_done() {
            return Ok(());
        }
    }
}

impl Loop {
    async fn step(&mut self, heard: Option<Heard>) -> Result<(), PublishError> {
        match heard {
            None => {}
            Some(Heard::Contradiction(contradiction)) => {
                return Err(Contradiction::from(contradiction).into());
            }
            Some(Heard::Examined(key)) => {
                self.feeds.agreed.push(key);
            }
            Some(Heard::Cosigned { key, head, signature }) => {
                self.publisher.cosigned(&key, &head, signature).await?;
            }
        }
        // Not only when somebody was heard: a policy may have come into force.
        if !self.is_open() && self.publisher.is_checked(&self.feeds.agreed) {
            self.publisher.resume().await?;
            self.publisher.health.well(Part::StartCheck);
            self.feeds.gate.send_replace(true);
        }
        self.drive().await
    }

    /// Does what is due.
    async fn drive(&mut self) -> Result<(), PublishError> {
        let now = Instant::now();
        if !self.is_open() || self.retry.is_some_and(|(at, _)| at > now) {
            return Ok(());
        }
        let retrying = self.retry.is_some();
        let again = self.offer_again_at().is_some_and(|at| at <= now);
        if again {
            self.doubted = false;
        }
        if self.publisher.is_underway() {
            if again {
                self.publisher.offer().await?;
            } else if retrying {
                self.publisher.advance().await?;
            }
        } else if self.is_behind() {
            if now >= self.next {
                self.publisher.offer().await?;
            }
        } else if again {
            self.publisher.offer().await?;
        }
        if self.dirty.is_some_and(|since| since + FLUSH_AFTER <= now) || self.ending {
            self.publisher.slot.flush().await?;
        }
        Ok(())
    }

    fn worked(&mut self) {
        // Success while a pause lasts says nothing.
        if self.retry.is_some_and(|(at, _)| at <= Instant::now()) {
            self.retry = None;
            self.publisher.health.well(Part::Publication);
        }
    }

    fn failed(&mut self, error: &PublishError) {
        let pause = self.retry.map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LAST_RETRY));
        self.retry = Some((Instant::now() + pause, pause));
        self.publisher.metrics.publish_failures.inc();
        let sentence = format!("The log could not be published, and is tried again: {error}");
        self.publisher.health.trouble(Part::Publication, sentence);
    }

    fn published(&self) -> (Option<TreeSize>, Option<UnixSeconds>) {
        let shown = self.publisher.slot.watch();
        let shown = shown.borrow();
        (shown.as_ref().map(|shown| shown.head.size), shown.as_ref().and_then(|shown| shown.quorum_time))
    }

    fn progressed(&mut self, before: (Option<TreeSize>, Option<UnixSeconds>)) {
        let (now, after) = (Instant::now(), self.published());
        if after.0 > before.0 {
            let begun = self.publisher.current.as_ref().map_or(now, |current| current.begun);
            self.next = begun + self.pace.interval;
        }
        if after > before {
            self.fresh = now;
            if let Some(time) = after.1 {
                self.publisher.metrics.quorum_time.set(time.get());
            }
        }
        self.dirty = match self.publisher.slot.is_dirty() {
            true => self.dirty.or(Some(now)),
            false => None,
        };
    }

    fn look_after_quorum(&self) {
        if !self.is_open() {
            return;
        }
        let now = Instant::now();
        let lost = match &self.publisher.current {
            Some(current) if !current.published => current.begun + self.pace.patience <= now,
            Some(_) => self.asks_somebody() && self.fresh + self.pace.freshness + self.pace.patience <= now,
            None => false,
        };
        if lost {
            let sentence = "Too few witnesses cosign: what is sealed stays durable, and nothing is published until they do.";
            self.publisher.health.trouble(Part::Quorum, sentence);
        } else {
            self.publisher.health.well(Part::Quorum);
        }
    }

    /// When the current tree is to be offered again: for a newer time, for a time that can be, or because policies or keys may have
    /// changed since.
    fn offer_again_at(&self) -> Option<Instant> {
        // After a gate that opened late: what was published before is to be cosigned again, too.
        let Some(current) = self.publisher.current.as_ref() else { return Some(self.fresh) };
        match (current.stale, current.published) {
            _ if self.doubted && self.asks_somebody() => Some(current.offered + self.pace.interval),
            (true, _) => Some(current.offered + STALE_RETRY),
            (false, true) if !self.asks_somebody() => None,
            (false, _) => Some(current.offered + self.pace.freshness),
        }
    }

    fn wake(&self) -> Instant {
        let now = Instant::now();
        if let Some((at, _)) = self.retry {
            return at;
        }
        let mut wake = now + TICK;
        if !self.is_open() {
            return wake;
        }
        if !self.publisher.is_underway() && self.is_behind() {
            wake = wake.min(self.next);
        }
        let patience = self.publisher.current.as_ref().map(|current| current.begun + self.pace.patience);
        let flush = self.dirty.map(|since| since + FLUSH_AFTER);
        for at in [self.offer_again_at(), flush, patience.filter(|at| *at > now)].into_iter().flatten() {
            wake = wake.min(at);
        }
        wake
    }

    fn asks_somebody(&self) -> bool {
        let publisher = &self.publisher;
        !publisher.policies.is_quorum_none(publisher.clock.now_seconds())
    }

    fn is_open(&self) -> bool {
        *self.feeds.gate.borrow()
    }

    /// Whether more is committed than published.
    fn is_behind(&self) -> bool {
        self.publisher.slot.size() < Some(*self.feeds.committed.borrow())
    }

    fn is_done(&self) -> bool {
        !self.is_open() || (!self.is_behind() && !self.publisher.slot.is_dirty())
    }
}
