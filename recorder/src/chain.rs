//! What the device remembers of the notary chain, and what it demands of it: every tree that it is shown continues, or is an
//! earlier stage of, the largest one that it has seen (`docs/spec/roots.md`). `start`, and a segment every 30 s, state that one:
//! they cannot be older than it.
//!
//! Whatever asks the network holds no lock that the recording needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{ClientError, PinError, PinStore, RootsClient, ServerUrl, accepted, pin_slots, save_alarm};
use evidence::report::{AlarmKind, RootSource, RootsAlarm, SignedRoot};
use evidence::statement::ChainHead;
use evidence::{Comparison, Digest, RootsRequest, TrustFile, pin_slot};
use tlog::tile_reader::{growth, growth_tiles};
use tlog::{HashReader, TileId, TreeSize, VerifiedCheckpoint};

use crate::outbox::locked;

/// A receipt waits for this: three or four small files, in parallel.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Tiles kept in memory, 8 KiB each: the receipts of one answer need nearly the same ones.
const MAX_TILES: usize = 64;

/// Trees seen in enrolments that wait for the next [`Chain::cross_check`]: as many as one enrolment can bring.
const MAX_GLANCED: usize = 64;

/// Another thread replaces the pin at most now and then.
const MAX_ROUNDS: usize = 4;

/// Why a tree is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Two histories.
    #[error(transparent)]
    Alarm(#[from] ChainAlarm),
    /// Nothing is proven.
    #[error(
        "The server at {server} did not show that its chain of {shown} entries and the one of {seen} entries that this device has seen are one chain. What it says is sealed there is not accepted yet; it stays in the spool."
    )]
    Unconnected {
        /// Base address.
        server: String,
        /// Size of the tree shown now.
        shown: TreeSize,
        /// Size of the pinned tree.
        seen: TreeSize,
    },
}

/// A proof against the chain, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ALARM: {what} {kept} Nothing that this chain seals can be relied on until this is explained.")]
pub struct ChainAlarm {
    /// Of which kind.
    pub kind: AlarmKind,
    what: String,
    kept: String,
}

/// What a look around brought that a person should read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A proof against the chain.
    Alarm(ChainAlarm),
    /// Something that proves nothing.
    Warning {
        /// Of which kind.
        kind: AlarmKind,
        /// For the person.
        sentence: String,
    },
    /// The pin could not be kept on the medium.
    Trouble(String),
}

/// The pins of one device.
pub struct Chain {
    trust: TrustFile,
    server: ServerUrl,
    asking: RootsClient,
    pins: PinStore,
    alarms: PathBuf,
    state: Mutex<State>,
    /// Held while a pin is replaced, medium included. Never taken by the recording.
    replacing: Mutex<()>,
    tiles: Mutex<BTreeMap<TileId, Vec<u8>>>,
    alarmed: AtomicBool,
}

#[derive(Default)]
struct State {
    pinned: BTreeMap<String, VerifiedCheckpoint>,
    /// The chain that the service shows: of the pin seen or replaced last.
    newest: Option<String>,
    glanced: Vec<VerifiedCheckpoint>,
    /// Why the pin on the medium is older than the one in memory.
    trouble: Option<PinError>,
}

impl State {
    /// A pin of the medium: of several of one chain, whose key was changed, the largest.
    fn remember(&mut self, pin: VerifiedCheckpoint) {
        let origin = pin.origin().to_owned();
        self.newest = Some(origin.clone());
        let known = self.pinned.get(&origin);
        if known.is_none_or(|known| known.head().size < pin.head().size) {
            self.pinned.insert(origin, pin);
        }
    }
}

/// How two trees are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// One tree at two times.
    Same,
    /// Both signed, and not both true.
    Contradicts,
    /// Nothing is known.
    Unknown,
}

impl Chain {
    /// What is remembered in `folder` of the chains that `trust` names, and pins that could not be read. A pin that `trust` does
    /// not accept is none.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn open(
        pins: &Path,
        alarms: &Path,
        trust: TrustFile,
        server: ServerUrl,
    ) -> Result<(Self, Vec<PinError>), ClientError> {
        let pins = PinStore::new(pins.to_owned());
        let (mut state, mut troubles) = (State::default(), Vec::new());
        for slot in pin_slots(&trust) {
            match pins.read(&slot) {
                Ok(None) => {}
                Ok(Some(note)) => {
                    if let Some(pin) = accepted(&trust, &note) {
                        // Later policies are about newer logs, or newer keys of the same.
                        state.remember(pin);
                    }
                }
                Err(trouble) => troubles.push(trouble),
            }
        }
        let chain = Self {
            asking: RootsClient::new(Some(server.clone()))?,
            trust,
            server,
            pins,
            alarms: alarms.to_owned(),
            state: Mutex::new(state),
            replacing: Mutex::default(),
            tiles: Mutex::default(),
            alarmed: AtomicBool::new(false),
        };
        Ok((chain, troubles))
    }

    /// Size and root for a statement. The empty tree bounds nothing, and is never pinned.
    #[must_use]
    pub fn chain_head(&self) -> Option<ChainHead> {
        let state = locked(&self.state);
        let head = state.pinned.get(state.newest.as_ref()?)?.head();
        Some(ChainHead { size: head.size.get(), root: Digest::from_bytes(*head.root.as_bytes()) })
    }

    /// Whether this run has come upon a proof against the chain.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        self.alarmed.load(Ordering::Relaxed)
    }

    /// Lets a verified tree in: it is the pinned one, an earlier stage of it, or continues it and is pinned from now on. Asks the
    /// service for the tiles that show this.
    ///
    /// # Errors
    /// [`ChainError`]
    pub fn admit(&self, shown: &VerifiedCheckpoint) -> Result<(), ChainError> {
        for _ in 0..MAX_ROUNDS {
            let pin = locked(&self.state).pinned.get(shown.origin()).cloned();
            let Some(pin) = pin else {
                if self.replace(None, shown) {
                    return Ok(());
                }
                continue;
            };
            match self.connect(&pin, shown) {
                Connection::Same if shown.head().size <= pin.head().size => return Ok(()),
                Connection::Same if self.replace(Some(&pin), shown) => return Ok(()),
                // Another thread has replaced the pin meanwhile.
                Connection::Same => {}
                Connection::Contradicts => return Err(self.contradiction(&pin, shown).into()),
                Connection::Unknown => return Err(self.unconnected(&pin, shown)),
            }
        }
        let seen =
            locked(&self.state).pinned.get(shown.origin()).map_or(shown.head().size, |pin| pin.head().size);
        Err(ChainError::Unconnected { server: self.server.to_string(), shown: shown.head().size, seen })
    }

    /// Takes note of a verified tree without asking anybody: what is about to record does not wait. Two roots of one size are
    /// found at once, everything else at the next [`Self::cross_check`].
    ///
    /// # Errors
    /// [`ChainAlarm`]
    pub fn glance(&self, shown: &VerifiedCheckpoint) -> Result<(), ChainAlarm> {
        let pin = locked(&self.state).pinned.get(shown.origin()).cloned();
        match pin {
            None => {
                self.replace(None, shown);
            }
            Some(pin) if pin.head() == shown.head() => {}
            Some(pin) if pin.head().size == shown.head().size => return Err(self.contradiction(&pin, shown)),
            Some(_) => {
                let mut state = locked(&self.state);
                if state.glanced.len() < MAX_GLANCED {
                    state.glanced.push(shown.clone());
                }
            }
        }
        Ok(())
    }

    /// Compares what is remembered with what the service publishes and with what the witnesses of the trust file show. May take as
    /// long as the slowest witness.
    #[must_use]
    pub fn cross_check(&self) -> Vec<News> {
        let (pins, glanced) = {
            let mut state = locked(&self.state);
            (state.pinned.clone(), std::mem::take(&mut state.glanced))
        };
        let mut news = Vec::new();
        for shown in glanced {
            if let Err(ChainError::Alarm(alarm)) = self.admit(&shown) {
                news.push(News::Alarm(alarm));
            }
        }
        let notes = pins.values().map(|pin| pin.note().as_bytes().to_vec()).collect();
        let mut comparison = Comparison::new(&self.trust, None, notes);
        self.asking.settle(&mut comparison);
        let outcome = comparison.outcome();
        match outcome.alarm {
            Some(alarm) if matches!(alarm.kind, AlarmKind::Forked | AlarmKind::Shrunk) => {
                news.push(News::Alarm(self.raise(&alarm)));
            }
            Some(alarm) => news.push(News::Warning { kind: alarm.kind, sentence: warning(&alarm) }),
            None => {
                let pin = outcome.pin.and_then(|pin| accepted(&self.trust, &pin.note));
                if let Some(pin) = pin {
                    // Where a receipt was faster, its tree is pinned, and this one is looked at again next time.
                    self.replace(pins.get(pin.origin()), &pin);
                }
            }
        }
        let trouble = locked(&self.state).trouble.take();
        news.extend(trouble.map(|trouble| News::Trouble(trouble.to_string())));
        news
    }

    /// Pins `new`, provided that `seen` still is the pin. A medium that refuses makes the pin one for this run: the next
    /// one begins with the older one, which holds as well.
    fn replace(&self, seen: Option<&VerifiedCheckpoint>, new: &VerifiedCheckpoint) -> bool {
        let origin = new.origin();
        if new.head().size == TreeSize::ZERO {
            return true;
        }
        let _replacing = locked(&self.replacing);
        if locked(&self.state).pinned.get(origin) != seen {
            return false;
        }
        let kept = self.keep(new);
        let mut state = locked(&self.state);
        state.trouble = kept.err();
        state.pinned.insert(origin.to_owned(), new.clone());
        state.newest = Some(origin.to_owned());
        true
    }

    /// What is on the medium is this process's own: the folder is locked.
    fn keep(&self, new: &VerifiedCheckpoint) -> Result<(), PinError> {
        let slot = pin_slot(new.log_key());
        let seen = self.pins.read(&slot)?;
        self.pins.keep(&slot, seen.as_deref(), new.note().as_bytes()).map(|_| ())
    }

    fn connect(&self, a: &VerifiedCheckpoint, b: &VerifiedCheckpoint) -> Connection {
        let (a, b) = (a.head(), b.head());
        let (small, large) = if a.size <= b.size { (a, b) } else { (b, a) };
        if small.size == large.size {
            return if small.root == large.root { Connection::Same } else { Connection::Contradicts };
        }
        if small.size == TreeSize::ZERO {
            return Connection::Same;
        }
        let tiles = Tiles(self.tiles(&growth_tiles(small.size, large.size)));
        match growth(&tiles, small.size, large.size) {
            // The hashes are the larger tree's own: what they say about the smaller one is what the log has signed.
            Ok(grown) if grown.new == large.root => {
                self.remember_tiles(tiles);
                if grown.old == small.root { Connection::Same } else { Connection::Contradicts }
            }
            _ => Connection::Unknown,
        }
    }

    /// The tiles, of memory or of the service; those that it did not give are missing.
    fn tiles(&self, wanted: &[TileId]) -> BTreeMap<TileId, Vec<u8>> {
        let known = locked(&self.tiles).clone();
        let missing: Vec<_> = wanted.iter().filter(|id| !known.contains_key(id)).copied().collect();
        let requests: Vec<_> = missing.iter().map(|id| RootsRequest::Tile(*id)).collect();
        let answers = self.asking.ask(&requests, Instant::now() + CONNECT_TIMEOUT);
        let fetched = missing.into_iter().zip(answers).filter_map(|(id, tile)| Some((id, tile?)));
        let known = known.into_iter().filter(|(id, _)| wanted.contains(id));
        known.chain(fetched.collect::<Vec<_>>()).collect()
    }

    /// Only tiles that have led to a signed root are remembered: wrong ones are asked for again.
    fn remember_tiles(&self, Tiles(new): Tiles) {
        let mut tiles = locked(&self.tiles);
        if tiles.len() + new.len() > MAX_TILES {
            tiles.clear();
        }
        tiles.extend(new);
    }

    fn contradiction(&self, pin: &VerifiedCheckpoint, shown: &VerifiedCheckpoint) -> ChainAlarm {
        let root = |source, checkpoint: &VerifiedCheckpoint| SignedRoot {
            source,
            name: None,
            size: checkpoint.head().size.get(),
            note: checkpoint.note().as_str().to_owned(),
        };
        let (ours, theirs) = (root(RootSource::Pin, pin), root(RootSource::Anchor, shown));
        self.raise(&RootsAlarm { kind: AlarmKind::Forked, ours, theirs })
    }

    fn raise(&self, alarm: &RootsAlarm) -> ChainAlarm {
        self.alarmed.store(true, Ordering::Relaxed);
        let kept = match save_alarm(&self.alarms, alarm) {
            Ok(saved) => format!(
                "Both signed notes prove it and are kept: {} and {}. Give them to the notary office or a witness.",
                saved.ours.display(),
                saved.theirs.display()
            ),
            Err(error) => format!("The two signed notes that prove it could not be kept: {error}"),
        };
        let (ours, theirs) = (described(&alarm.ours), described(&alarm.theirs));
        let what = match alarm.kind {
            AlarmKind::Forked => format!(
                "the notary chain has two histories: the root {ours} and the root {theirs} contradict each other."
            ),
            _ => format!(
                "the notary chain has lost entries: the root {theirs} was cosigned later than the root {ours}, and is smaller."
            ),
        };
        ChainAlarm { kind: alarm.kind, what, kept }
    }

    fn unconnected(&self, pin: &VerifiedCheckpoint, shown: &VerifiedCheckpoint) -> ChainError {
        let (shown, seen) = (shown.head().size, pin.head().size);
        ChainError::Unconnected { server: self.server.to_string(), shown, seen }
    }
}

/// Tiles in memory.
struct Tiles(BTreeMap<TileId, Vec<u8>>);

/// There is no such tile here.
struct NoTile;

impl HashReader for Tiles {
    type Error = NoTile;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, NoTile> {
        self.0.get(&id).cloned().ok_or(NoTile)
    }
}

/// "of 12 entries that the witness w1 shows", without what a terminal could take for a command.
fn described(root: &SignedRoot) -> String {
    let name: String = root.name.iter().flat_map(|name| name.chars()).filter(|c| !c.is_control()).collect();
    let source = match root.source {
        RootSource::Anchor => "that a receipt names".to_owned(),
        RootSource::Pin => "that this device has seen before".to_owned(),
        RootSource::Published => "that the service publishes".to_owned(),
        RootSource::Witness => format!("that the witness {name} shows"),
    };
    format!("of {} entries {source}", root.size)
}

fn warning(alarm: &RootsAlarm) -> String {
    let (ours, theirs) = (described(&alarm.ours), described(&alarm.theirs));
    match alarm.kind {
        AlarmKind::Stale => format!(
            "The service shows an old state of the notary chain: the root {theirs} is smaller than the root {ours}. It may be an old copy, or a chain that was set back."
        ),
        _ => format!(
            "The service did not show that the root {theirs} and the root {ours} belong to one notary chain."
        ),
    }
}

#[cfg(test)]
mod tests {
    use evidence::{Operator, TrustedLogs, Window};
    use tlog::{Checkpoint, KeyAlgorithm, KeyName, Policy, SigningKey, TreeHead, leaf_hash};

    use super::*;

    const ORIGIN: &str = "log.test";

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::new(name).unwrap(), KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
    }

    fn trust() -> TrustFile {
        let policy = format!("log {}\nquorum none\n", key(ORIGIN, 1).verifier_key());
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let logs = TrustedLogs { policy, window: Window::default(), closed: None };
        let registrars = [(key("registrar.test", 2).verifier_key().clone(), Window::default())];
        let operator = Operator { name: "Tests".to_owned(), url: None };
        TrustFile::compose(operator, &[logs], &registrars).unwrap()
    }

    fn tree(size: u64, root: &[u8]) -> VerifiedCheckpoint {
        let head = TreeHead { size: TreeSize::new(size), root: leaf_hash(root) };
        let note = Checkpoint::new(ORIGIN, head).unwrap().sign(&key(ORIGIN, 1)).unwrap();
        accepted(&trust(), note.as_bytes()).unwrap()
    }

    /// A chain of which nobody answers: nothing listens at the port of a listener that is gone.
    fn alone(folder: &tempfile::TempDir) -> Chain {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = format!("http://{gone}").parse().unwrap();
        let (pins, alarms) = (folder.path().join("pins"), folder.path().join("alarms"));
        let (chain, troubles) = Chain::open(&pins, &alarms, trust(), server).unwrap();
        assert!(troubles.is_empty());
        chain
    }

    fn size(chain: &Chain) -> Option<u64> {
        chain.chain_head().map(|head| head.size)
    }

    #[test]
    fn the_first_tree_is_believed_and_a_glance_moves_it_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let chain = alone(&folder);
        assert_eq!(size(&chain), None);
        chain.glance(&tree(7, b"seven")).unwrap();
        for other in [tree(9, b"nine"), tree(5, b"five"), tree(7, b"seven")] {
            chain.glance(&other).unwrap();
            assert_eq!(size(&chain), Some(7), "nobody has shown that these are one chain");
        }
        assert_eq!(size(&alone(&folder)), Some(7), "and it is remembered");
    }

    #[test]
    fn two_roots_of_one_size_need_nobody_to_be_asked() {
        let folder = tempfile::tempdir().unwrap();
        let chain = alone(&folder);
        chain.admit(&tree(7, b"seven")).unwrap();
        assert!(!chain.is_alarmed());
        let alarm = chain.glance(&tree(7, b"other")).unwrap_err();
        assert_eq!(alarm.kind, AlarmKind::Forked);
        assert!(matches!(chain.admit(&tree(7, b"other")), Err(ChainError::Alarm(same)) if same == alarm));
        assert!(chain.is_alarmed());
        let saved = client::saved_alarms(&folder.path().join("alarms")).unwrap();
        assert_eq!(saved.len(), 1, "the same alarm twice is one");
        assert_eq!(std::fs::read(&saved[0].ours).unwrap(), tree(7, b"seven").note().as_bytes());
        assert_eq!(std::fs::read(&saved[0].theirs).unwrap(), tree(7, b"other").note().as_bytes());
        assert_eq!(size(&chain), Some(7));
    }

    #[test]
    fn without_tiles_neither_a_larger_nor_a_smaller_tree_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let chain = alone(&folder);
        chain.admit(&tree(7, b"seven")).unwrap();
        for other in [tree(9, b"nine"), tree(5, b"five")] {
            assert!(matches!(chain.admit(&other), Err(ChainError::Unconnected { .. })));
        }
        chain.admit(&tree(7, b"seven")).unwrap();
        assert_eq!((size(&chain), chain.is_alarmed()), (Some(7), false));
        assert_eq!(chain.cross_check(), [], "who does not answer proves nothing");
    }

    #[test]
    fn a_pin_that_cannot_be_kept_holds_for_this_run_and_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let chain = alone(&folder);
        std::fs::write(folder.path().join("pins"), b"in the way").unwrap();
        chain.admit(&tree(7, b"seven")).unwrap();
        assert_eq!(size(&chain), Some(7));
        assert!(matches!(&chain.cross_check()[..], [News::Trouble(_)]));
        assert!(chain.glance(&tree(7, b"other")).is_err());
    }
}
