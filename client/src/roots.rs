//! Asking for the roots and tiles that a comparison wants (`docs/spec/roots.md`), of the service and of witnesses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use evidence::report::RootsAlarm;
use evidence::{Comparison, Pin, RootsAddress, RootsRequest, RootsStep, TrustFile, pin_slot};
use tlog::{SignedNote, VerifiedCheckpoint};

use crate::{Client, ClientError, Kept, PinError, PinStore, ServerUrl};

/// One answer (`roots.md`, "Limits").
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// All answers of one comparison. Normally it takes a second; a service that stalls every answer must not make it minutes.
const COMPARISON_TIMEOUT: Duration = Duration::from_secs(30);

/// Requests under way at once: as many as there can be witnesses, so that a silent one delays no other.
const MAX_THREADS: usize = 16;

/// Rounds against other runs that replace the same pin. Each lost round means that another run has kept a good one.
const MAX_ROUNDS: usize = 3;

/// Asks a service, and the witnesses that a trust file names. Nothing that goes wrong is an error: who does not answer usably has
/// not answered.
pub struct RootsClient {
    service: Option<Client>,
    /// What the paths of the service begin with that its address says already.
    mounted: &'static str,
}

impl RootsClient {
    /// For one service; without one, nobody is asked.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(service: Option<ServerUrl>) -> Result<Self, ClientError> {
        Ok(Self { service: service.map(Client::new).transpose()?, mounted: "" })
    }

    /// For one log, or a mirror of it, whose address is what `/checkpoint` is appended to.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn of_log(prefix: ServerUrl) -> Result<Self, ClientError> {
        Ok(Self { service: Some(Client::new(prefix)?), mounted: "/log" })
    }

    /// When a comparison that begins now has to be over.
    #[must_use]
    pub fn deadline() -> Instant {
        Instant::now() + COMPARISON_TIMEOUT
    }

    /// The answers to `requests`, in their order. Returns soon after `deadline` at the latest.
    #[must_use]
    pub fn ask(&self, requests: &[RootsRequest], deadline: Instant) -> Vec<Option<Vec<u8>>> {
        let next = AtomicUsize::new(0);
        let mut answers = vec![None; requests.len()];
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for _ in 0..requests.len().min(MAX_THREADS) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(request) = requests.get(at) else { return };
                        // The receiver outlives the threads.
                        let _ = sender.send((at, self.ask_one(request, deadline)));
                    }
                });
            }
            drop(sender);
            for (at, answer) in receiver {
                if let Some(place) = answers.get_mut(at) {
                    *place = answer;
                }
            }
        });
        answers
    }

    fn ask_one(&self, request: &RootsRequest, deadline: Instant) -> Option<Vec<u8>> {
        let timeout = deadline.saturating_duration_since(Instant::now()).min(ANSWER_TIMEOUT);
        if timeout.is_zero() {
            return None;
        }
        let get = |client: &Client, path: &str| {
            client.get_unlabelled(path, request.media_type(), request.max_len(), timeout)
        };
        let answer = match request.address() {
            RootsAddress::Service(path) => get(self.service.as_ref()?, path.strip_prefix(self.mounted)?),
            RootsAddress::Elsewhere(url) => get(&Client::new(url.parse().ok()?).ok()?, ""),
        };
        Some(answer.ok()?.body)
    }

    /// Drives a comparison to its end.
    pub fn settle(&self, comparison: &mut Comparison) {
        let deadline = Self::deadline();
        while let RootsStep::Ask(requests) = comparison.next() {
            for (request, answer) in requests.iter().zip(self.ask(&requests, deadline)) {
                comparison.answered(request, answer);
            }
        }
    }

    /// Keeps a pin that a comparison came to, which had `seen` the pin before. Where another run has replaced that meanwhile,
    /// the two are compared: a service can show two runs two histories, too. That is the alarm returned.
    ///
    /// # Errors
    /// [`PinError`]; the pin is as it was.
    pub fn remember(
        &self,
        store: &PinStore,
        trust: &TrustFile,
        mut seen: Option<Vec<u8>>,
        mut pin: Pin,
    ) -> Result<Option<RootsAlarm>, PinError> {
        for _ in 0..MAX_ROUNDS {
            seen = match store.keep(&pin.slot, seen.as_deref(), &pin.note)? {
                Kept::Stored => return Ok(None),
                Kept::Moved(current) => current,
            };
            let Some(current) = &seen else { continue };
            // Ours against theirs: it takes the place of theirs if it is larger and connected.
            let Some(ours) = accepted(trust, &pin.note) else { return Ok(None) };
            let compare = if self.service.is_some() { Comparison::new } else { Comparison::offline };
            let mut comparison = compare(trust, Some(ours), vec![current.clone()]);
            self.settle(&mut comparison);
            let outcome = comparison.outcome();
            match (outcome.alarm, outcome.pin) {
                (None, Some(larger)) => pin = larger,
                (alarm, _) => return Ok(alarm),
            }
        }
        Ok(None)
    }
}

/// The checkpoint in `note`, if it satisfies a policy of `trust`, whenever that was valid: what was signed stays signed.
#[must_use]
pub fn accepted(trust: &TrustFile, note: &[u8]) -> Option<VerifiedCheckpoint> {
    let note = SignedNote::parse(note).ok()?;
    trust.logs().iter().find_map(|logs| logs.policy.verify_checkpoint(&note).ok())
}

/// The names under which roots are remembered of the logs that `trust` names, in its order: one for each key of a log.
#[must_use]
pub fn pin_slots(trust: &TrustFile) -> Vec<String> {
    let mut slots: Vec<String> = Vec::new();
    for log in trust.logs().iter().flat_map(|logs| logs.policy.logs()) {
        let slot = pin_slot(log.key());
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use evidence::report::AlarmKind;
    use evidence::{Operator, TrustedLogs, Window};
    use tlog::{
        Checkpoint, Hash, KeyAlgorithm, KeyName, Policy, SigningKey, TileId, TreeHead, TreeSize, leaf_hash,
        root_of,
    };

    use super::*;

    const ORIGIN: &str = "log.test";

    fn log_key() -> SigningKey {
        SigningKey::from_seed(KeyName::new(ORIGIN).unwrap(), KeyAlgorithm::Ed25519, &[1; 32]).unwrap()
    }

    fn trust() -> TrustFile {
        let policy = format!("log {}\nquorum none\n", log_key().verifier_key());
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let logs = TrustedLogs { policy, window: Window::default(), closed: None };
        let registrar =
            SigningKey::from_seed(KeyName::new("r").unwrap(), KeyAlgorithm::Ed25519, &[2; 32]).unwrap();
        let operator = Operator { name: "Tests".to_owned(), url: None };
        let registrars = [(registrar.verifier_key().clone(), Window::default())];
        TrustFile::compose(operator, &[logs], &registrars).unwrap()
    }

    fn chain(size: u8) -> Vec<Hash> {
        (0..size).map(|leaf| leaf_hash(&[leaf])).collect()
    }

    fn pin(leaves: &[Hash]) -> Pin {
        let size = TreeSize::new(leaves.len() as u64);
        let head = TreeHead { size, root: root_of(leaves.iter().copied()) };
        let note = Checkpoint::new(ORIGIN, head).unwrap().sign(&log_key()).unwrap();
        let slot = pin_slot(log_key().verifier_key());
        Pin { origin: ORIGIN.to_owned(), slot, note: note.as_bytes().to_vec() }
    }

    /// A service that answers every `GET` by its path, and never where there is no answer.
    fn service(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> RootsClient {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let mut silent = Vec::new();
            for mut socket in listener.incoming().flatten() {
                let mut request = [0; 4096];
                let read = socket.read(&mut request).unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..read]).into_owned();
                let Some(body) = answer(line.split(' ').nth(1).unwrap_or_default()) else {
                    silent.push(socket);
                    continue;
                };
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
            }
        });
        RootsClient::new(Some(url.parse().unwrap())).unwrap()
    }

    /// The service of a chain of up to 256 entries.
    fn chain_service(leaves: Vec<Hash>) -> RootsClient {
        service(move |path| match path.strip_prefix("/log/tile/0/000.p/") {
            Some(width) => {
                let leaves = leaves.get(..width.parse().ok()?).unwrap_or_default();
                Some(leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect())
            }
            None => Some(pin(&leaves).note),
        })
    }

    fn tile(index: u64) -> RootsRequest {
        RootsRequest::Tile(TileId::new(0, index, 256).unwrap())
    }

    #[test]
    fn answers_come_in_the_order_of_the_requests_and_the_silent_keep_nobody_waiting() {
        let client = service(|path| (!path.ends_with("/007")).then(|| path.as_bytes().to_vec()));
        let requests: Vec<_> = (0..40).map(tile).collect();
        let answers = client.ask(&requests, Instant::now() + Duration::from_secs(2));
        for (at, answer) in answers.into_iter().enumerate() {
            let expected = format!("/log/tile/0/{at:03}").into_bytes();
            assert_eq!(answer, (at != 7).then_some(expected), "{at}");
        }
    }

    #[test]
    fn nobody_is_asked_after_the_deadline_nor_without_a_service() {
        let client = service(|_| Some(Vec::new()));
        assert_eq!(client.ask(&[tile(0)], Instant::now()), [None]);
        let nobody = RootsClient::new(None).unwrap();
        assert_eq!(nobody.ask(&[tile(0), RootsRequest::Published], RootsClient::deadline()), [None, None]);
    }

    #[test]
    fn a_log_is_asked_below_its_own_address() {
        let mirror = RootsClient { mounted: "/log", ..service(|path| Some(path.as_bytes().to_vec())) };
        let answers = mirror.ask(&[RootsRequest::Published, tile(3)], RootsClient::deadline());
        assert_eq!(answers, [Some(b"/checkpoint".to_vec()), Some(b"/tile/0/003".to_vec())]);
    }

    #[test]
    fn plain_http_to_another_machine_and_a_longer_answer_are_no_answer() {
        let nobody = RootsClient::new(None).unwrap();
        let far = RootsRequest::Witness {
            name: "w1".to_owned(),
            url: "http://192.0.2.1".to_owned(),
            origin_hash: "00".repeat(32),
        };
        assert_eq!(nobody.ask(&[far], RootsClient::deadline()), [None]);
        let client = service(|_| Some(vec![0; 8193]));
        assert_eq!(client.ask(&[tile(0)], RootsClient::deadline()), [None]);
    }

    #[test]
    fn of_two_runs_the_larger_root_is_kept_whoever_comes_first() {
        let slot = pin_slot(log_key().verifier_key());
        let (trust, folder) = (trust(), tempfile::tempdir().unwrap());
        let client = chain_service(chain(9));
        for (name, first, second) in [("a", 9, 7), ("b", 7, 9)] {
            let store = PinStore::new(folder.path().join(name));
            store.keep(&slot, None, &pin(&chain(5)).note).unwrap();
            let seen = store.read(&slot).unwrap();
            let remember = |size| client.remember(&store, &trust, seen.clone(), pin(&chain(size))).unwrap();
            assert_eq!((remember(first), remember(second)), (None, None));
            assert_eq!(store.read(&slot).unwrap().unwrap(), pin(&chain(9)).note, "{name}");
        }
    }

    #[test]
    fn two_runs_that_were_shown_two_histories_notice() {
        let slot = pin_slot(log_key().verifier_key());
        let (trust, folder) = (trust(), tempfile::tempdir().unwrap());
        let mut fork = chain(9);
        fork[6] = leaf_hash(b"another history");
        let store = PinStore::new(folder.path().to_owned());
        store.keep(&slot, None, &pin(&chain(5)).note).unwrap();
        let seen = store.read(&slot).unwrap();
        // Both continue the five entries that both have seen.
        let client = chain_service(chain(9));
        assert_eq!(client.remember(&store, &trust, seen.clone(), pin(&chain(8))).unwrap(), None);
        let alarm = chain_service(fork.clone()).remember(&store, &trust, seen.clone(), pin(&fork)).unwrap();
        assert_eq!(alarm.unwrap().kind, AlarmKind::Forked);
        assert_eq!(store.read(&slot).unwrap().unwrap(), pin(&chain(8)).note);
        // Of one size, without asking anybody.
        let nobody = RootsClient::new(None).unwrap();
        let alarm = nobody.remember(&store, &trust, seen, pin(&fork[..8])).unwrap();
        assert_eq!(alarm.unwrap().kind, AlarmKind::Forked);
    }
}
