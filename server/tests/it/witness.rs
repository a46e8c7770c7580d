//! Witnesses as doubles: honest ones that remember, and others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::StatusCode;
use axum::routing::{get, post};
use evidence::UnixMillis;
use jianzhen_server::clock::Clock as _;
use jianzhen_server::store::commit::BoxFuture;
use jianzhen_server::witnesses::{Answer, AskError, Witness, WitnessClient};
use tlog::{
    AddCheckpoint, Checkpoint, KeyAlgorithm, KeyName, SigningKey, TreeHead, TreeSize, VerifierKey,
    cosignature,
};

use super::faults::{Fault, Steps};
use super::support::TestClock;

/// What a witness does with what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// What the specification says.
    Honest,
    /// Nobody is there.
    Dead,
    /// Never answers, and never ends the connection either.
    Hanging,
    /// A cosignature with a flipped bit.
    BadSignature,
    /// A cosignature by a key of the same name that is not its own.
    OtherKey,
    /// A cosignature of another checkpoint.
    OtherCheckpoint,
    /// Two lines.
    Twice,
    /// A cosignature without a time.
    NoTime,
    /// A clock that is off by so many seconds.
    WrongClock(i64),
    /// No lines at all.
    Garbage,
    /// 409, whatever it is asked.
    Conflict(u64),
    /// Another status.
    Refusing(u16),
}

/// What outlives a witness's process.
#[derive(Default)]
struct Memory {
    newest: Option<(TreeHead, Vec<u8>)>,
    time: u64,
    /// Requests that it has had.
    asked: usize,
    /// Sizes that it has cosigned.
    cosigned: Vec<u64>,
    /// Every tree that this log signed and showed to it, by size; and the sizes of which there were two.
    seen: BTreeMap<u64, tlog::Hash>,
    forked: Vec<u64>,
}

/// A witness that cosigns in this process.
pub(crate) struct WitnessDouble {
    pub(crate) name: String,
    pub(crate) key: SigningKey,
    log_keys: Vec<VerifierKey>,
    clock: Arc<TestClock>,
    memory: Mutex<Memory>,
    mood: Mutex<Mood>,
    pub(crate) steps: Mutex<Option<Arc<Steps>>>,
}

pub(crate) fn witness_key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), KeyAlgorithm::CosignatureV1, &[seed; 32]).unwrap()
}

impl WitnessDouble {
    pub(crate) fn new(name: &str, seed: u8, log_keys: Vec<VerifierKey>, clock: Arc<TestClock>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            key: witness_key(&format!("{name}.example"), seed),
            log_keys,
            clock,
            memory: Mutex::default(),
            mood: Mutex::new(Mood::Honest),
            steps: Mutex::default(),
        })
    }

    pub(crate) fn line(&self) -> String {
        format!("witness {} {} https://{}.example\n", self.name, self.key.verifier_key(), self.name)
    }

    pub(crate) fn witness(self: &Arc<Self>) -> Witness {
        Witness {
            name: self.name.clone(),
            key: self.key.verifier_key().clone(),
            url: Some(format!("https://{}.example", self.name)),
            client: Some(self.clone()),
        }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    pub(crate) fn size(&self) -> u64 {
        self.memory().newest.as_ref().map_or(0, |(head, _)| head.size.get())
    }

    pub(crate) fn asked(&self) -> usize {
        self.memory().asked
    }

    pub(crate) fn cosigned(&self) -> Vec<u64> {
        self.memory().cosigned.clone()
    }

    /// Sizes of which this log signed two trees.
    pub(crate) fn forked(&self) -> Vec<u64> {
        self.memory().forked.clone()
    }

    /// Shows this note as its newest checkpoint, and believes to have this tree.
    pub(crate) fn plant(&self, head: TreeHead, note: Vec<u8>) {
        self.memory().newest = Some((head, note));
    }

    fn now(&self) -> u64 {
        let now = UnixMillis::seconds(self.clock.now()).get();
        match self.mood() {
            Mood::WrongClock(by) => now.saturating_add_signed(by),
            _ => now,
        }
    }

    /// C2SP `tlog-witness`, in its order.
    fn honest(&self, request: &AddCheckpoint) -> Result<Answer, AskError> {
        let refused = |status, detail: &str| Err(AskError::Refused { status, detail: detail.to_owned() });
        let checkpoint = Checkpoint::unverified(&request.checkpoint).unwrap();
        if request.checkpoint.verify(&self.log_keys).is_err() {
            return refused(403, "signature");
        }
        let (head, mut memory) = (checkpoint.head(), self.memory());
        let size = head.size.get();
        if memory.seen.insert(size, head.root).is_some_and(|before| before != head.root) {
            memory.forked.push(size);
        }
        let empty = TreeHead { size: TreeSize::ZERO, root: tlog::empty_root() };
        let before = memory.newest.as_ref().map_or(empty, |(head, _)| *head);
        if request.old_size != before.size {
            return Ok(Answer::Conflict(before.size));
        }
        if request.proof.verify(&before, &head).is_err() {
            return refused(422, "proof");
        }
        // A clock that is wrong may be wrong backwards, too.
        let time = if self.mood() == Mood::Honest { self.now().max(memory.time) } else { self.now() };
        if self.mood() == Mood::Honest {
            memory.time = time;
        }
        let line = cosignature::sign(&self.key, time, request.checkpoint.text()).unwrap();
        let shown = request.checkpoint.with_signature(&line).unwrap();
        memory.newest = Some((head, shown.as_bytes().to_vec()));
        memory.cosigned.push(head.size.get());
        Ok(Answer::Cosigned(format!("{line}\n").into_bytes()))
    }

    fn dishonest(&self, request: &AddCheckpoint) -> Vec<u8> {
        let text = request.checkpoint.text();
        let line = cosignature::sign(&self.key, self.now(), text).unwrap();
        match self.mood() {
            Mood::BadSignature => {
                let mut signature = line.signature().to_vec();
                *signature.last_mut().unwrap() ^= 1;
                self.raw(signature)
            }
            Mood::OtherKey => {
                let other = witness_key(self.key.verifier_key().name().as_str(), 200);
                format!("{}\n", cosignature::sign(&other, self.now(), text).unwrap()).into_bytes()
            }
            Mood::OtherCheckpoint => {
                let head = TreeHead { size: TreeSize::new(77), root: tlog::leaf_hash(b"other") };
                let origin = Checkpoint::unverified(&request.checkpoint).unwrap().origin().to_owned();
                let other = Checkpoint::new(origin, head).unwrap().to_string();
                format!("{}\n", cosignature::sign(&self.key, self.now(), &other).unwrap()).into_bytes()
            }
            Mood::Twice => format!("{line}\n{line}\n").into_bytes(),
            Mood::NoTime => {
                let mut signature = line.signature().to_vec();
                signature[..8].fill(0);
                self.raw(signature)
            }
            _ => b"\xff\x00<html>".to_vec(),
        }
    }

    fn raw(&self, signature: Vec<u8>) -> Vec<u8> {
        let key = self.key.verifier_key();
        let line = tlog::NoteSignature::new(key.name().clone(), key.id(), signature).unwrap();
        format!("{line}\n").into_bytes()
    }

    async fn absent(&self) -> Option<AskError> {
        match self.mood() {
            Mood::Dead => Some(AskError::Silent("connection refused".to_owned())),
            Mood::Hanging => std::future::pending().await,
            Mood::Refusing(status) => Some(AskError::Refused { status, detail: "no".to_owned() }),
            _ => None,
        }
    }
}

impl WitnessDouble {
    /// Answers over HTTP, at an address of this machine, as long as the runtime lives.
    pub(crate) async fn listen(self: &Arc<Self>) -> String {
        let (submit, monitor) = (self.clone(), self.clone());
        let router = axum::Router::new()
            .route(
                "/add-checkpoint",
                post(async move |body: String| match submit.add_checkpoint(body).await {
                    Ok(Answer::Cosigned(lines)) => (StatusCode::OK, lines),
                    Ok(Answer::Conflict(size)) => (StatusCode::CONFLICT, format!("{size}\n").into_bytes()),
                    Err(error) => (StatusCode::FORBIDDEN, error.to_string().into_bytes()),
                }),
            )
            .route(
                "/{hash}/checkpoint",
                get(async move || match monitor.newest().await {
                    Ok(Some(note)) => (StatusCode::OK, note),
                    Ok(None) => (StatusCode::NOT_FOUND, Vec::new()),
                    Err(error) => (StatusCode::FORBIDDEN, error.to_string().into_bytes()),
                }),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

impl WitnessClient for WitnessDouble {
    fn add_checkpoint<'a>(&'a self, body: String) -> BoxFuture<'a, Result<Answer, AskError>> {
        Box::pin(async move {
            self.memory().asked += 1;
            if let Some(absent) = self.absent().await {
                return Err(absent);
            }
            let request = AddCheckpoint::parse(body.as_bytes()).unwrap();
            let fault = self.steps.lock().unwrap().as_ref().and_then(|steps| steps.next());
            match (fault, self.mood()) {
                (Some(Fault::Lost), _) => Err(AskError::Silent("injected fault".to_owned())),
                (Some(Fault::Kept), _) => {
                    let _ = self.honest(&request);
                    Err(AskError::Silent("injected fault".to_owned()))
                }
                (None, Mood::Honest | Mood::WrongClock(_)) => self.honest(&request),
                (None, Mood::Conflict(size)) => Ok(Answer::Conflict(TreeSize::new(size))),
                (None, _) => Ok(Answer::Cosigned(self.dishonest(&request))),
            }
        })
    }

    fn newest<'a>(&'a self) -> BoxFuture<'a, Result<Option<Vec<u8>>, AskError>> {
        Box::pin(async move {
            if let Some(absent) = self.absent().await {
                return Err(absent);
            }
            if self.mood() == Mood::Garbage {
                return Ok(Some(b"garbage".to_vec()));
            }
            Ok(self.memory().newest.as_ref().map(|(_, note)| note.clone()))
        })
    }
}
