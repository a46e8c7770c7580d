//! Sending what is spooled and taking in the receipts. A statement leaves the spool by one door: its receipt has been
//! verified here and is on the medium.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::{
    Entry, MAX_SUBMISSION_LEN, MAX_SUBMISSIONS, Outcome, ReceiptError, ReceiptVerifier, Statement, Submission,
};
use tlog::{LeafIndex, VerifiedCheckpoint};

use crate::chain::{Chain, ChainError};
use crate::outbox::{Outbox, Shared, locked};
use crate::service::{Service, ServiceError};
use crate::spool::{SealedAs, SpooledError};

/// How soon a pending statement is asked for again.
const PENDING_PAUSE: Duration = Duration::from_millis(500);

/// How soon a refused statement is offered again: the key may be enrolled meanwhile.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Why a round of sending failed. The spool is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpooledError),
    /// What is spooled is not a statement; its checksum says that we wrote it so.
    #[error("Statement {sequence} of recording {recording} in the spool cannot be read: {reason}.")]
    Unreadable {
        /// The recording.
        recording: String,
        /// Its sequence.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// A receipt that proves nothing.
    #[error(
        "The server at {server} sent a receipt for statement {sequence} that does not verify: {source} The statement stays in the spool."
    )]
    Receipt {
        /// Base address.
        server: String,
        /// The statement.
        sequence: u64,
        /// What is wrong.
        source: ReceiptError,
    },
    /// A receipt that verifies, of a tree that is not accepted.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl SendError {
    /// Whether the service, or a part of it, is just not there.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Service(error) => error.is_away(),
            // The tiles may be there in a moment.
            Self::Chain(ChainError::Unconnected { .. }) => true,
            _ => false,
        }
    }

    /// How long to leave the service alone, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Service(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// A statement that the service does not want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The recording.
    pub recording: String,
    /// Its sequence.
    pub sequence: u64,
    /// The stable code.
    pub code: String,
    /// The service's sentence.
    pub detail: String,
}

impl Refusal {
    /// Whether the service will never want these bytes (`docs/spec/http.md`): all refusals but those that an enrolment cures.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self.code.as_str(), "key-unknown" | "key-not-valid")
    }
}

/// "The key has been revoked (key-revoked)", without a full stop.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail.trim_end_matches('.'), self.code)
    }
}

/// What one round brought.
#[derive(Debug, Default)]
pub struct Round {
    /// Statements submitted.
    pub sent: usize,
    /// Statements sealed.
    pub sealed: usize,
    /// Statements refused.
    pub refused: Vec<Refusal>,
    /// Time from signature to verified receipt, of the newest one sealed.
    pub delay: Option<Duration>,
    /// A recording of which something could not be read; the others were sent.
    pub unreadable: Option<SendError>,
}

/// Sends the outbox, one request a round.
pub struct Sender {
    service: Service,
    verifier: Arc<ReceiptVerifier>,
    chain: Arc<Chain>,
    outbox: Arc<Outbox>,
    /// Statements not to be offered again before the time given.
    paused: HashMap<(String, u64), Instant>,
    /// By recording: the latest refusal that is final.
    refused: HashMap<String, Refusal>,
}

#[derive(Default)]
struct Request {
    items: Vec<Item>,
    body: Vec<u8>,
}

struct Item {
    shared: Shared,
    recording: String,
    sequence: u64,
    statement: Statement,
}

/// A receipt that verifies, and the tree that it is about.
struct Verified<'i> {
    item: &'i Item,
    receipt: SealedAs,
    checkpoint: VerifiedCheckpoint,
}

fn same_tree(a: &VerifiedCheckpoint, b: &VerifiedCheckpoint) -> bool {
    a.origin() == b.origin() && a.head() == b.head()
}

impl Sender {
    /// A sender to one service.
    #[must_use]
    pub fn new(
        service: Service,
        verifier: Arc<ReceiptVerifier>,
        chain: Arc<Chain>,
        outbox: Arc<Outbox>,
    ) -> Self {
        Self { service, verifier, chain, outbox, paused: HashMap::new(), refused: HashMap::new() }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Why the service will never take the rest of this recording, if it said so.
    #[must_use]
    pub fn refused_for_good(&self, recording: &str) -> Option<&Refusal> {
        self.refused.get(recording)
    }

    /// Forgets all pauses: everything that waits is offered in the next rounds.
    pub fn resume_all(&mut self) {
        self.paused.clear();
    }

    /// Submits what fits into one request and takes in the outcomes.
    ///
    /// # Errors
    /// [`SendError`]; receipts that did verify are kept nevertheless.
    pub fn round(&mut self) -> Result<Round, SendError> {
        let (request, unreadable) = self.collect();
        if request.items.is_empty() {
            return unreadable.map_or_else(|| Ok(Round::default()), Err);
        }
        let outcomes = self.service.submit(request.body, request.items.len())?;
        let round = self.take_in(&request.items, outcomes)?;
        Ok(Round { unreadable, ..round })
    }

    /// What fits into one request. A recording that cannot be read is left out and holds up no other.
    fn collect(&mut self) -> (Request, Option<SendError>) {
        let now = Instant::now();
        self.paused.retain(|_, until| *until > now);
        let (mut request, mut failure) = (Request::default(), None);
        for shared in self.outbox.items() {
            if let Err(error) = self.collect_from(&shared, &mut request) {
                failure.get_or_insert(error);
            }
        }
        (request, failure)
    }

    fn collect_from(&self, shared: &Shared, request: &mut Request) -> Result<(), SendError> {
        let spooled = locked(shared);
        for (sequence, length) in spooled.waiting() {
            if request.items.len() == MAX_SUBMISSIONS || request.body.len() + length > MAX_SUBMISSION_LEN {
                break;
            }
            if self.paused.contains_key(&(spooled.id().to_owned(), sequence)) {
                continue;
            }
            let bytes = spooled.submission(sequence)?;
            let recording = spooled.id().to_owned();
            let statement = parse(&bytes).map_err(|reason| SendError::Unreadable {
                recording: recording.clone(),
                sequence,
                reason,
            })?;
            request.body.extend_from_slice(&bytes);
            request.items.push(Item { shared: Arc::clone(shared), recording, sequence, statement });
        }
        Ok(())
    }

    fn take_in(&mut self, items: &[Item], outcomes: Vec<Outcome>) -> Result<Round, SendError> {
        let mut round = Round { sent: items.len(), ..Round::default() };
        let mut failure = None;
        let mut verified: Vec<Verified<'_>> = Vec::new();
        for (item, outcome) in items.iter().zip(outcomes) {
            match outcome {
                Outcome::Sealed { index, sealed_at, receipt } => {
                    match self.verify(item, index, sealed_at, receipt.as_bytes()) {
                        Ok(receipt) => verified.push(receipt),
                        Err(error) => {
                            self.pause(item, REFUSED_PAUSE);
                            failure.get_or_insert(error);
                        }
                    }
                }
                Outcome::Pending => self.pause(item, PENDING_PAUSE),
                Outcome::Refused { code, detail } => {
                    self.pause(item, REFUSED_PAUSE);
                    let recording = item.recording.clone();
                    let detail = detail.chars().filter(|c| !c.is_control()).collect();
                    let refusal = Refusal { recording, sequence: item.sequence, code, detail };
                    if refusal.is_final() {
                        self.refused.insert(refusal.recording.clone(), refusal.clone());
                    }
                    round.refused.push(refusal);
                }
            }
        }
        let sealed = self.admit(verified, &mut failure);
        self.store(&sealed, &mut round)?;
        failure.map_or(Ok(round), Err)
    }

    /// Those of a tree that continues, or is a beginning of, what this device has seen. Each tree is looked at once, the
    /// largest first: it becomes the pin, and the others are stages of it.
    fn admit<'i>(
        &mut self,
        verified: Vec<Verified<'i>>,
        failure: &mut Option<SendError>,
    ) -> Vec<(&'i Item, SealedAs)> {
        let mut trees: Vec<&VerifiedCheckpoint> = Vec::new();
        for one in &verified {
            if !trees.iter().any(|tree| same_tree(tree, &one.checkpoint)) {
                trees.push(&one.checkpoint);
            }
        }
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.head().size));
        let mut refused: Vec<(VerifiedCheckpoint, Duration)> = Vec::new();
        for tree in trees {
            if let Err(error) = self.chain.admit(tree) {
                let pause = match &error {
                    ChainError::Alarm(_) => REFUSED_PAUSE,
                    ChainError::Unconnected { .. } => PENDING_PAUSE,
                };
                refused.push((tree.clone(), pause));
                failure.get_or_insert(error.into());
            }
        }
        let mut sealed = Vec::new();
        for Verified { item, receipt, checkpoint } in verified {
            match refused.iter().find(|(tree, _)| same_tree(tree, &checkpoint)) {
                Some((_, pause)) => self.pause(item, *pause),
                None => sealed.push((item, receipt)),
            }
        }
        sealed
    }

    fn verify<'i>(
        &self,
        item: &'i Item,
        index: LeafIndex,
        sealed_at: evidence::UnixSeconds,
        receipt: &[u8],
    ) -> Result<Verified<'i>, SendError> {
        let entry = Entry::sealing(&item.statement, sealed_at);
        let inclusion = self.verifier.verify_entry(&entry, index, receipt).map_err(|source| {
            SendError::Receipt { server: self.service.url().to_string(), sequence: item.sequence, source }
        })?;
        let receipt = SealedAs {
            sequence: item.sequence,
            index: index.get(),
            sealed_at: sealed_at.get(),
            receipt: receipt.to_vec(),
        };
        Ok(Verified { item, receipt, checkpoint: inclusion.checkpoint().clone() })
    }

    /// One write a recording, not one a receipt.
    fn store(&self, sealed: &[(&Item, SealedAs)], round: &mut Round) -> Result<(), SendError> {
        for of_one in sealed.chunk_by(|(a, _), (b, _)| Arc::ptr_eq(&a.shared, &b.shared)) {
            let Some((item, _)) = of_one.last() else { continue };
            let mut spooled = locked(&item.shared);
            let signed_at = spooled.signed_at(item.sequence);
            let receipts: Vec<SealedAs> = of_one.iter().map(|(_, receipt)| receipt.clone()).collect();
            spooled.seal(&receipts)?;
            round.sealed += receipts.len();
            round.delay = round.delay.or(signed_at.map(|signed_at| signed_at.elapsed()));
        }
        Ok(())
    }

    fn pause(&mut self, item: &Item, pause: Duration) {
        self.paused.insert((item.recording.clone(), item.sequence), Instant::now() + pause);
    }
}

/// The one submission that a spool record holds.
pub(crate) fn parse_submission(bytes: &[u8]) -> Result<Submission, String> {
    let mut parsed = Submission::parse_all(bytes).map_err(|error| error.to_string())?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(submission), true) => submission.map_err(|error| error.to_string()),
        _ => Err("it is not one submission".to_owned()),
    }
}

fn parse(bytes: &[u8]) -> Result<Statement, String> {
    Ok(parse_submission(bytes)?.statement)
}
