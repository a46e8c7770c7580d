//! How each witness does, for the chain page and for operators.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tlog::{TreeSize, VerifierKey};

use super::{Trouble, Witness};

/// How a witness does, in the words of `docs/spec/http.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has cosigned the published tree.
    Current,
    /// It has cosigned a smaller one.
    Behind,
    /// It did not answer, or has not yet.
    Silent,
    /// It answered with an error.
    Refusing,
    /// Its cosignature did not verify, or its clock is wrong.
    Unusable,
    /// It holds a checkpoint of this log that is no stage of it.
    Contradicting,
}

impl State {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Silent => "silent",
            Self::Refusing => "refusing",
            Self::Unusable => "unusable",
            Self::Contradicting => "contradicting",
        }
    }
}

/// What is known of one witness.
#[derive(Debug, Clone)]
pub struct WitnessFacts {
    /// Its name in the policy.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where everybody finds it.
    pub url: Option<String>,
    /// Size and time, in seconds since 1970, of its last cosignature.
    pub cosigned: Option<(TreeSize, u64)>,
    /// What was wrong when it was asked last.
    pub trouble: Option<(State, String)>,
}

impl WitnessFacts {
    /// How it does while the tree of `published` entries is published.
    pub fn state(&self, published: TreeSize) -> State {
        match (&self.trouble, self.cosigned) {
            (Some((state, _)), _) => *state,
            (None, Some((size, _))) if size >= published => State::Current,
            (None, Some(_)) => State::Behind,
            (None, None) => State::Silent,
        }
    }
}

/// What is known of all witnesses. Clones share it.
#[derive(Debug, Clone)]
pub struct Board(Arc<Mutex<Vec<WitnessFacts>>>);

impl Board {
    /// A board on which nothing is known of these witnesses.
    pub fn new(witnesses: &[Witness]) -> Self {
        let facts = witnesses.iter().map(|witness| {
            let nowhere = (State::Silent, "The trust file names no address.".to_owned());
            WitnessFacts {
                name: witness.name.clone(),
                key: witness.key.clone(),
                url: witness.url.clone(),
                cosigned: None,
                trouble: witness.client.is_none().then_some(nowhere),
            }
        });
        Self(Arc::new(Mutex::new(facts.collect())))
    }

    /// A witness has cosigned.
    pub fn cosigned(&self, key: &VerifierKey, size: TreeSize, time: u64) {
        self.update(key, |facts| {
            if facts.trouble.take().is_some() {
                tracing::info!(witness = facts.name, size = size.get(), "the witness cosigns again");
            }
            facts.cosigned = Some((size, time));
        });
    }

    /// A witness was asked and gave nothing of use.
    pub fn trouble(&self, key: &VerifierKey, trouble: &Trouble) {
        let Some(state) = trouble.state() else {
            tracing::warn!(%trouble, "a witness could not be asked");
            return;
        };
        let sentence = trouble.to_string();
        self.update(key, |facts| {
            if facts.trouble.as_ref().is_none_or(|(before, said)| *before != state || *said != sentence) {
                tracing::warn!(witness = facts.name, state = state.as_str(), "{sentence}");
            }
            facts.trouble = Some((state, sentence.clone()));
        });
    }

    /// What is known, in the order of the trust file.
    pub fn facts(&self) -> Vec<WitnessFacts> {
        self.lock().clone()
    }

    fn update(&self, key: &VerifierKey, change: impl FnOnce(&mut WitnessFacts)) {
        if let Some(facts) = self.lock().iter_mut().find(|facts| facts.key == *key) {
            change(facts);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WitnessFacts>> {
        // invariant: no code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
