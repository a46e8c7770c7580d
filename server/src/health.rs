//! Whether the service can seal and publish at present, and if not, why: what `/readyz` says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may be in trouble; each part says so, and takes it back, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The sequencer has ended: the service stops.
    Running,
    /// Too few witnesses have said yet that they know no newer tree.
    StartCheck,
    /// The clock stands before what was sealed, or far ahead of the witnesses.
    SealingClock,
    /// What was sealed was sealed after the time at which witnesses cosign it.
    Clock,
    /// Database or object store do not take it, or no policy is in force.
    Publication,
    /// Too few witnesses cosign.
    Quorum,
    /// Nothing has been published yet.
    Published,
}

/// The troubles of a service. Clones share them.
#[derive(Debug, Clone)]
pub struct Health(Arc<Mutex<BTreeMap<Part, String>>>);

/// While this lives, the sequencer does.
#[derive(Debug)]
pub struct Alive(Health);

impl Health {
    /// A service that is starting.
    pub fn starting() -> (Self, Alive) {
        let health = Self(Arc::default());
        (health.clone(), Alive(health))
    }

    /// Says what is wrong with a part.
    pub fn trouble(&self, part: Part, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let mut troubles = self.lock();
        if troubles.get(&part) != Some(&sentence) {
            tracing::error!(?part, "not ready: {sentence}");
            troubles.insert(part, sentence);
        }
    }

    /// Says what is still to come before a part is ready, in the ordinary course of things.
    pub fn awaits(&self, part: Part, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let mut troubles = self.lock();
        if troubles.get(&part) != Some(&sentence) {
            tracing::info!(?part, "not ready yet: {sentence}");
            troubles.insert(part, sentence);
        }
    }

    /// Says that a part is well.
    pub fn well(&self, part: Part) {
        if self.lock().remove(&part).is_some() {
            tracing::info!(?part, "well");
        }
    }

    /// Whether a part is in trouble.
    pub fn is_troubled(&self, part: Part) -> bool {
        self.lock().contains_key(&part)
    }

    /// What is wrong, in one sentence for each part; `None` if nothing is.
    pub fn troubles(&self) -> Option<String> {
        let troubles = self.lock();
        let sentences: Vec<&str> = troubles.values().map(String::as_str).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, String>> {
        // invariant: no code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // Not `trouble`: a graceful stop is no error.
        self.0.lock().insert(Part::Running, "The service is stopping.".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_part_is_well_and_never_after_the_end() {
        let (health, alive) = Health::starting();
        assert_eq!(health.troubles(), None);
        health.trouble(Part::Clock, "The clock is wrong.");
        health.trouble(Part::Quorum, "No quorum.");
        health.well(Part::Clock);
        assert_eq!(health.troubles().unwrap(), "No quorum.");
        health.well(Part::Quorum);
        assert_eq!(health.troubles(), None);
        drop(alive);
        assert!(health.troubles().is_some());
    }
}
