//! Roots seen elsewhere: is the chain that is shown here the one that is shown to everybody else, and the one that was shown
//! here yesterday? `docs/spec/roots.md` is the specification.
//!
//! A [`Comparison`] does no I/O: it says what it wants to have, is told, and comes to a [`RootsOutcome`]. The page, the command
//! line and the recorder drive this one, and whatever a hostile server answers, what is asked for is bounded.

mod accepted;
mod connections;
mod entry_proof;
mod outcome;
mod request;
mod tiles;
mod witnesses;

pub use entry_proof::{EntryProof, EntryProofError, FoundEntry};
pub use outcome::{Pin, PublishedRoot, RootsOutcome, WitnessRoot, pin_slot, was_set_back};
pub use request::{RootsAddress, RootsRequest};

use tlog::{Checkpoint, SignedNote, VerifiedCheckpoint};

use accepted::Accepted;
use connections::Connections;
use outcome::Compared;
use tiles::Tiles;
use witnesses::{Answer, Witness};

use crate::report::RootSource;
use crate::trust::TrustFile;

/// Witnesses that are asked: more do not make a fork easier to see.
pub const MAX_WITNESSES: usize = 16;

/// Tiles that are asked for. Two roots in the largest possible tree need 20.
pub const MAX_TILES: usize = 256;

/// Pins that are looked at. There is one for each chain, and a trust file knows a few.
const MAX_PINS: usize = 64;

/// What a comparison wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootsStep {
    /// These, in any order and in parallel. Answer each with [`Comparison::answered`].
    Ask(Vec<RootsRequest>),
    /// Nothing: the outcome is ready.
    Done,
}

/// What roots are compared with besides those of the evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootsInput {
    /// Signed notes that were remembered, of whatever chains.
    pub pins: Vec<Vec<u8>>,
    /// Whether service and witnesses are to be asked.
    pub online: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Asking the service, to learn which of several chains it shows.
    Origin,
    /// Asking the witnesses.
    Witnesses,
    /// Asking the service: after the witnesses, because it publishes what they have cosigned a moment later.
    Published,
    /// Reading tiles.
    Tiles,
    /// Asking the service once more, because a witness is ahead of it.
    Again,
    Done,
}

/// The comparison of the roots of one chain.
#[derive(Debug)]
pub struct Comparison {
    trust: TrustFile,
    anchor: Option<VerifiedCheckpoint>,
    pins: Vec<Vec<u8>>,
    online: bool,
    origin: Option<String>,
    roots: Vec<Accepted>,
    witnesses: Vec<Witness>,
    connections: Option<Connections>,
    tiles: Tiles,
    wanted: Vec<RootsRequest>,
    phase: Phase,
    answered: bool,
    asked_again: bool,
}

impl Comparison {
    /// Compares `anchor`, or, without one, what the service publishes, with what was remembered and with what the witnesses of
    /// `trust` show.
    pub fn new(trust: &TrustFile, anchor: Option<VerifiedCheckpoint>, pins: Vec<Vec<u8>>) -> Self {
        let mut all = Self::begin(trust, anchor, pins, true);
        match all.origin {
            Some(_) => all.enter_witnesses(),
            None => all.wanted = vec![RootsRequest::Published],
        }
        all
    }

    /// Compares `anchor` with what was remembered, and asks nobody.
    pub fn offline(trust: &TrustFile, anchor: Option<VerifiedCheckpoint>, pins: Vec<Vec<u8>>) -> Self {
        let mut all = Self::begin(trust, anchor, pins, false);
        all.enter_tiles();
        all
    }

    fn begin(
        trust: &TrustFile,
        anchor: Option<VerifiedCheckpoint>,
        pins: Vec<Vec<u8>>,
        online: bool,
    ) -> Self {
        let origin = match &anchor {
            Some(anchor) => Some(anchor.origin().to_owned()),
            None => only_origin(trust),
        };
        let mut all = Self {
            trust: trust.clone(),
            roots: anchor.iter().map(|anchor| Accepted::anchor(anchor, trust)).collect(),
            anchor,
            pins,
            online,
            origin: None,
            witnesses: Vec::new(),
            connections: None,
            tiles: Tiles::default(),
            wanted: Vec::new(),
            phase: Phase::Origin,
            answered: false,
            asked_again: false,
        };
        if let Some(origin) = origin {
            all.settle_origin(origin);
        }
        all
    }

    /// The chain is known now: only its pins count.
    fn settle_origin(&mut self, origin: String) {
        let of_origin = |pin: &Vec<u8>| origin_of(pin).as_deref() == Some(origin.as_str());
        let pins = std::mem::take(&mut self.pins);
        let accepted = pins
            .iter()
            .filter(|pin| of_origin(pin))
            .take(MAX_PINS)
            .filter_map(|pin| Accepted::quorum(RootSource::Pin, pin, &self.trust, Some(&origin)));
        self.roots.extend(accepted.collect::<Vec<_>>());
        self.origin = Some(origin);
    }

    /// What is wanted next. Not an iterator: it needs the answers in between. Asking again without having answered gives what is
    /// still missing.
    #[expect(
        clippy::should_implement_trait,
        reason = "see above: each step needs the answers to the one before"
    )]
    pub fn next(&mut self) -> RootsStep {
        loop {
            if !self.wanted.is_empty() {
                return RootsStep::Ask(self.wanted.clone());
            }
            match self.phase {
                Phase::Origin if self.origin.is_some() => self.enter_witnesses(),
                Phase::Origin => self.phase = Phase::Done,
                Phase::Witnesses => {
                    self.phase = Phase::Published;
                    self.wanted = vec![RootsRequest::Published];
                }
                Phase::Published | Phase::Again => self.enter_tiles(),
                Phase::Tiles => self.read_on(),
                Phase::Done => return RootsStep::Done,
            }
        }
    }

    /// Answers one request of [`RootsStep::Ask`]: the body of a successful answer, or none. What was not asked for is ignored.
    pub fn answered(&mut self, request: &RootsRequest, answer: Option<Vec<u8>>) {
        let Some(place) = self.wanted.iter().position(|wanted| wanted == request) else { return };
        self.wanted.swap_remove(place);
        self.answered |= answer.is_some();
        // What is too long is refused by those who read it: notes and tiles are bounded there.
        match request {
            RootsRequest::Published => self.published(answer),
            RootsRequest::Witness { url, .. } => self.witness(url, answer),
            RootsRequest::Tile(id) => self.tiles.insert(*id, answer),
            // Never asked for here.
            RootsRequest::Bundle(_) | RootsRequest::Index(_) => {}
        }
    }

    fn published(&mut self, answer: Option<Vec<u8>>) {
        let Some(bytes) = answer else { return };
        let found = Accepted::quorum(RootSource::Published, &bytes, &self.trust, self.origin.as_deref());
        let Some(root) = found else { return };
        if self.origin.is_none()
            && let Some(satisfied) = &root.satisfied
        {
            self.settle_origin(satisfied.checkpoint.origin().to_owned());
        }
        self.roots.push(root);
    }

    fn witness(&mut self, url: &str, answer: Option<Vec<u8>>) {
        let Some(place) = self.witnesses.iter().position(|witness| witness.url == url) else { return };
        let (Some(bytes), Some(origin)) = (answer, &self.origin) else { return };
        let witness = &mut self.witnesses[place];
        match Accepted::witness(place, witness, &bytes, &self.trust, origin) {
            Some(root) => {
                witness.answer = Answer::Accepted;
                self.roots.push(root);
            }
            None => witness.answer = Answer::Unusable,
        }
    }

    fn enter_witnesses(&mut self) {
        self.phase = Phase::Witnesses;
        let Some(origin) = &self.origin else { return };
        self.witnesses = witnesses::of_origin(&self.trust, origin);
        self.wanted = self.witnesses.iter().map(|witness| witness.request(origin)).collect();
    }

    fn enter_tiles(&mut self) {
        self.phase = Phase::Tiles;
        self.connections = Some(self.connect());
        self.want_tiles();
    }

    fn connect(&self) -> Connections {
        Connections::new(self.roots.iter().map(|root| root.head).collect())
    }

    /// The tiles that were asked for are there, as far as they will ever be.
    fn read_on(&mut self) {
        if let Some(connections) = &mut self.connections {
            connections.compare(&self.tiles);
        }
        self.want_tiles();
    }

    /// Asks for the next tiles; there is nothing left to do if no comparison is left, or nobody can be asked.
    fn want_tiles(&mut self) {
        let next = self.connections.as_mut().filter(|_| self.online).and_then(Connections::next_tiles);
        match next {
            Some(tiles) => {
                self.wanted = self.tiles.to_ask(tiles).into_iter().map(RootsRequest::Tile).collect();
            }
            None if self.online
                && !self.asked_again
                && self.compared(|compared| compared.overtaking().is_some()) =>
            {
                self.asked_again = true;
                self.phase = Phase::Again;
                self.wanted = vec![RootsRequest::Published];
            }
            None => self.phase = Phase::Done,
        }
    }

    /// What has come of it. Before [`RootsStep::Done`], what is known so far.
    pub fn outcome(&self) -> RootsOutcome {
        self.compared(|compared| {
            let alarm = compared.alarm();
            RootsOutcome {
                origin: self.origin.clone(),
                asked: self.online,
                answered: self.answered,
                anchor: self.anchor.clone(),
                anchor_witnessed: compared.anchor_witnessed(),
                published: compared.published(),
                witnesses: compared.witness_roots(),
                pin: if alarm.is_none() { compared.pin() } else { None },
                alarm,
            }
        })
    }

    fn compared<T>(&self, read: impl FnOnce(&Compared<'_>) -> T) -> T {
        let so_far;
        let connections = match &self.connections {
            Some(connections) => connections,
            None => {
                so_far = self.connect();
                &so_far
            }
        };
        read(&Compared { roots: &self.roots, witnesses: &self.witnesses, connections })
    }
}

/// The one origin that a trust file knows, if it knows one.
fn only_origin(trust: &TrustFile) -> Option<String> {
    let logs = trust.logs().iter().flat_map(|logs| logs.policy.logs());
    let mut origins = logs.map(|log| log.key().name().as_str());
    let first = origins.next()?;
    origins.all(|origin| origin == first).then(|| first.to_owned())
}

/// Which chain a note claims to be of. Only to choose: nothing is verified.
fn origin_of(note: &[u8]) -> Option<String> {
    let note = SignedNote::parse(note).ok()?;
    Checkpoint::unverified(&note).ok().map(|checkpoint| checkpoint.origin().to_owned())
}

#[cfg(test)]
mod tests;
