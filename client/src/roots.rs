//! Asking for the roots and tiles that a comparison wants (`docs/spec/roots.md`), of the service and of witnesses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use evidence::report::RootsAlarm;
use evidence::{Comparison, Pin, RootsAddress, RootsRequest, RootsStep, TrustFile};

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
}

impl RootsClient {
    /// For one service; without one, nobody is asked.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(service: Option<ServerUrl>) -> Result<Self, ClientError> {
        Ok(Self { service: service.map(Client::new).transpose()? })
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
            RootsAddress::Service(path) => get(self.service.as_ref()?, &path),
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
            seen = match store.keep(&pin.origin, seen.as_deref(), &pin.note)? {
                Kept::Stored => return Ok(None),
                Kept::Moved(current) => current,
            };
            let Some(current) = &seen else { continue };
            let pins = vec![current.clone(), pin.note.clone()];
            let mut comparison = match self.service {
                Some(_) => Comparison::new(trust, None, pins),
                None => Comparison::offline(trust, None, pins),
            };
            self.settle(&mut comparison);
            let outcome = comparison.outcome();
            match (outcome.alarm, outcome.pin) {
                (None, Some(both)) if both.origin == pin.origin => pin = both,
                (alarm, _) => return Ok(alarm),
            }
        }
        Ok(None)
    }
}
