//! What a comparison has come to: states of the witnesses, alarm, and what to remember.

use tlog::{TreeSize, VerifiedCheckpoint, VerifierKey};

use super::accepted::Accepted;
use super::connections::Connections;
use super::witnesses::{Answer, Witness};
use crate::report::{
    AlarmKind, RootSource, RootsAlarm, RootsFacts, SignedRoot, WitnessFacts, WitnessStanding, WitnessState,
};
use crate::time::UnixSeconds;

/// What comparing roots has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootsOutcome {
    /// The chain whose roots were compared; none if it could not be found out which.
    pub origin: Option<String>,
    /// Whether anybody was asked.
    pub asked: bool,
    /// Whether anybody answered anything.
    pub answered: bool,
    /// The root that the verdict rests on, if there is one.
    pub anchor: Option<VerifiedCheckpoint>,
    /// Whether that root is of one tree with the root of at least one witness.
    pub anchor_witnessed: bool,
    /// The published root, if there was one that counts.
    pub published: Option<PublishedRoot>,
    /// The witnesses that were asked, in the order of the trust file.
    pub witnesses: Vec<WitnessRoot>,
    /// What is wrong, if anything is.
    pub alarm: Option<RootsAlarm>,
    /// What is to be remembered instead of the pin there was; none if that stays.
    pub pin: Option<Pin>,
}

/// The root that the service publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedRoot {
    /// Name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// The root hash.
    pub root: tlog::Hash,
    /// When a quorum had cosigned; none with `quorum none`.
    pub cosigned: Option<u64>,
    /// Cosignatures by witnesses of the policy that proves that time.
    pub cosignatures: Vec<WitnessFacts>,
    /// The signed note, as received.
    pub note: String,
    /// The same, as verified: what further proofs rest on.
    pub checkpoint: VerifiedCheckpoint,
}

/// A witness and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRoot {
    /// Its name in the trust file.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What its root says.
    pub state: WitnessState,
    /// Size of the tree that it has cosigned last, if its answer counts.
    pub size: Option<u64>,
    /// When it did so.
    pub cosigned: Option<u64>,
}

/// A root to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The chain.
    pub origin: String,
    /// Under which name it is kept: see [`pin_slot`].
    pub slot: String,
    /// The signed note.
    pub note: Vec<u8>,
}

/// The name under which roots signed by `key` are remembered: the log's name and the id of its key. Somebody who writes another
/// key for this log into a trust file does not get at what is remembered of this one.
pub fn pin_slot(key: &VerifierKey) -> String {
    format!("{}+{}", key.name(), key.id())
}

impl RootsOutcome {
    /// What a report tells; none if nobody was asked and nothing is wrong.
    pub fn facts(&self) -> Option<RootsFacts> {
        let standing =
            |witness: &WitnessRoot| WitnessStanding { name: witness.name.clone(), state: witness.state };
        let facts = RootsFacts {
            witnesses: self.witnesses.iter().map(standing).collect(),
            alarm: self.alarm.clone(),
        };
        (self.asked || facts.alarm.is_some()).then_some(facts)
    }

    /// Whether the alarm proves that the chain is not what it is said to be.
    pub fn is_proof(&self) -> bool {
        let kind = self.alarm.as_ref().map(|alarm| alarm.kind);
        matches!(kind, Some(AlarmKind::Forked | AlarmKind::Shrunk))
    }
}

/// Seconds by which the clock of an honest witness may be set back between two cosignatures (`witness.md`, "add-checkpoint").
const CLOCK_STEP: u64 = 10;

/// Whether `theirs` is smaller than `ours`, and every witness that cosigned both cosigned `theirs` later. Only times of one
/// witness are compared: those of two say more about their clocks than about the order of what they signed.
pub fn was_set_back(ours: &VerifiedCheckpoint, theirs: &VerifiedCheckpoint) -> bool {
    if theirs.head().size >= ours.head().size {
        return false;
    }
    let mut common = ours.cosignatures().iter().filter_map(|before| {
        let after = theirs.cosignatures().iter().find(|after| after.key() == before.key())?;
        Some((before.timestamp(), after.timestamp()))
    });
    let went_back = |(before, after): (u64, u64)| after > before.saturating_add(CLOCK_STEP);
    common.next().is_some_and(|first| went_back(first) && common.all(went_back))
}

/// The roots that were compared, and how they are connected.
pub(super) struct Compared<'a> {
    pub(super) roots: &'a [Accepted],
    pub(super) witnesses: &'a [Witness],
    pub(super) connections: &'a Connections,
}

impl Compared<'_> {
    /// The place of the root of this source; of several, the last published one, and else the largest.
    pub(super) fn place_of(&self, source: RootSource) -> Option<usize> {
        let mut places = (0..self.roots.len()).filter(|at| self.roots[*at].source == source);
        match source {
            RootSource::Pin | RootSource::Witness => places.max_by_key(|at| rank(&self.roots[*at])),
            _ => places.next_back(),
        }
    }

    pub(super) fn anchor_witnessed(&self) -> bool {
        let Some(anchor) = self.place_of(RootSource::Anchor) else { return false };
        (0..self.roots.len()).any(|at| {
            self.roots[at].source == RootSource::Witness && self.connections.are_connected(anchor, at)
        })
    }

    /// The root that the states of witnesses are about; an empty one only if there is no other.
    fn subject(&self) -> Option<usize> {
        let sources = [RootSource::Anchor, RootSource::Published, RootSource::Pin, RootSource::Witness];
        let places = || sources.into_iter().filter_map(|source| self.place_of(source));
        let says_something = |at: &usize| self.roots[*at].head.size > TreeSize::ZERO;
        places().find(says_something).or_else(|| places().next())
    }

    pub(super) fn witness_roots(&self) -> Vec<WitnessRoot> {
        let one = |(place, witness): (usize, &Witness)| {
            let at = (0..self.roots.len()).find(|at| self.roots[*at].witness == Some(place));
            let state = match (witness.answer, at) {
                (Answer::None, _) => WitnessState::NoAnswer,
                (_, None) => WitnessState::Unusable,
                (_, Some(at)) => self.witness_state(at),
            };
            let root = at.map(|at| &self.roots[at]);
            WitnessRoot {
                name: witness.name.clone(),
                url: witness.url.clone(),
                state,
                size: root.map(|root| root.head.size.get()),
                cosigned: root.and_then(|root| root.cosigned),
            }
        };
        self.witnesses.iter().enumerate().map(one).collect()
    }

    fn witness_state(&self, at: usize) -> WitnessState {
        if self.connections.forks().iter().any(|(a, b)| *a == at || *b == at) {
            return WitnessState::Contradicts;
        }
        let agrees = self.subject().is_some_and(|subject| {
            self.connections.are_connected(subject, at) || self.roots[subject].head == self.roots[at].head
        });
        if agrees { WitnessState::Agrees } else { WitnessState::Unconnected }
    }

    /// The first that applies, in the order of the specification.
    pub(super) fn alarm(&self) -> Option<RootsAlarm> {
        let nearness = |at: &usize| (self.roots[*at].source, *at);
        let forks = self.connections.forks().iter();
        let ordered = forks.map(|(a, b)| if nearness(a) <= nearness(b) { (*a, *b) } else { (*b, *a) });
        if let Some((ours, theirs)) = ordered.min_by_key(|(a, b)| (nearness(a), nearness(b))) {
            return Some(self.raise(AlarmKind::Forked, ours, theirs));
        }
        let published = self.place_of(RootSource::Published)?;
        let [anchor, pin] = [RootSource::Anchor, RootSource::Pin].map(|source| self.place_of(source));
        let shrunk = |ours: &usize| self.has_shrunk(*ours, published);
        if let Some(ours) = pin.into_iter().chain(anchor).find(shrunk) {
            return Some(self.raise(AlarmKind::Shrunk, ours, published));
        }
        if let Some(pin) = pin.filter(|pin| self.roots[*pin].head.size > TreeSize::ZERO) {
            if self.roots[published].head.size < self.roots[pin].head.size {
                return Some(self.raise(AlarmKind::Stale, pin, published));
            }
            if !self.connections.are_connected(pin, published) {
                return Some(self.raise(AlarmKind::Unconnected, pin, published));
            }
        }
        let witness = self.overtaking()?;
        Some(self.raise(AlarmKind::Unconnected, published, witness))
    }

    /// The larger root of a witness that the published one could not be connected with, although its quorum has cosigned no
    /// earlier: so it is not just older.
    pub(super) fn overtaking(&self) -> Option<usize> {
        let published = self.place_of(RootSource::Published)?;
        // The empty tree is part of every tree; and where a fork is proven, nothing is open.
        if self.roots[published].head.size == TreeSize::ZERO || !self.connections.forks().is_empty() {
            return None;
        }
        let quorum = self.roots[published].satisfied.as_ref().and_then(|satisfied| satisfied.earliest)?;
        (0..self.roots.len()).find(|at| {
            let root = &self.roots[*at];
            root.source == RootSource::Witness
                && root.head.size > self.roots[published].head.size
                && root.cosigned.is_some_and(|cosigned| cosigned <= quorum)
                && !self.connections.are_connected(published, *at)
        })
    }

    fn has_shrunk(&self, ours: usize, theirs: usize) -> bool {
        let [ours, theirs] = [ours, theirs].map(|at| self.roots[at].satisfied.as_ref());
        ours.zip(theirs).is_some_and(|(ours, theirs)| was_set_back(&ours.checkpoint, &theirs.checkpoint))
    }

    fn raise(&self, kind: AlarmKind, ours: usize, theirs: usize) -> RootsAlarm {
        RootsAlarm { kind, ours: self.signed_root(ours), theirs: self.signed_root(theirs) }
    }

    fn signed_root(&self, at: usize) -> SignedRoot {
        let root = &self.roots[at];
        SignedRoot {
            source: root.source,
            name: root.witness.and_then(|place| self.witnesses.get(place)).map(|one| one.name.clone()),
            size: root.head.size.get(),
            note: root.note.as_str().to_owned(),
        }
    }

    pub(super) fn published(&self) -> Option<PublishedRoot> {
        let root = &self.roots[self.place_of(RootSource::Published)?];
        let satisfied = root.satisfied.as_ref()?;
        let checkpoint = &satisfied.checkpoint;
        let cosignatures = checkpoint.cosignatures().iter().map(|cosignature| WitnessFacts {
            name: cosignature.witness().to_string(),
            time: UnixSeconds::new(cosignature.timestamp()),
        });
        Some(PublishedRoot {
            origin: checkpoint.origin().to_owned(),
            size: root.head.size.get(),
            root: root.head.root,
            cosigned: satisfied.earliest,
            cosignatures: cosignatures.collect(),
            note: root.note.as_str().to_owned(),
            checkpoint: checkpoint.clone(),
        })
    }

    /// The pin that replaces the one there was. Call it only where there is no alarm.
    pub(super) fn pin(&self) -> Option<Pin> {
        let before = self.place_of(RootSource::Pin);
        let candidates = (0..self.roots.len()).filter(|at| {
            let root = &self.roots[*at];
            // What a witness has cosigned may never be published, and says nothing of when a quorum had.
            root.source != RootSource::Witness
                && root.satisfied.is_some()
                && root.head.size > TreeSize::ZERO
                && before.is_none_or(|pin| self.connections.are_connected(pin, *at))
        });
        let best = candidates.max_by_key(|at| rank(&self.roots[*at]))?;
        if before.is_some_and(|pin| rank(&self.roots[best]) <= rank(&self.roots[pin])) {
            return None;
        }
        let root = &self.roots[best];
        let checkpoint = &root.satisfied.as_ref()?.checkpoint;
        let (origin, slot) = (checkpoint.origin().to_owned(), pin_slot(checkpoint.log_key()));
        Some(Pin { origin, slot, note: root.note.as_bytes().to_vec() })
    }
}

/// Larger trees first, then those that a quorum has cosigned later.
fn rank(root: &Accepted) -> (TreeSize, Option<u64>) {
    (root.head.size, root.satisfied.as_ref().and_then(|satisfied| satisfied.earliest))
}
