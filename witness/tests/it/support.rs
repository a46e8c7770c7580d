//! A log that can do everything a log can, also wrong; a witness in process with a clock that tests set.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use evidence::{Digest, Entry, EntryKind, UnixSeconds};
use http_body_util::BodyExt as _;
use jianzhen_witness::clock::Clock;
use jianzhen_witness::config::{Limits, MirrorSettings};
use jianzhen_witness::http::router;
use jianzhen_witness::logs::{Log, LogList};
use jianzhen_witness::mirror::Mirrors;
use jianzhen_witness::store::Store;
use jianzhen_witness::witness::Witness;
use serving::key_file::generate;
use tempfile::TempDir;
use tlog::tile_reader::{consistency_proof, root};
use tlog::{
    AddCheckpoint, BundleId, Checkpoint, ConsistencyProof, EntryBundle, HashReader, KeyAlgorithm, SignedNote,
    SigningKey, TileBuilder, TileId, TreeHead, TreeSize, VerifierKey, leaf_hash,
};
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "test.example/log";

/// 2026-11-22T00:00:00Z.
pub(crate) const NOW: u64 = 1_795_305_600;

pub(crate) fn log_key(name: &str) -> SigningKey {
    generate(name, KeyAlgorithm::Ed25519).unwrap()
}

pub(crate) fn size(number: u64) -> TreeSize {
    TreeSize::new(number)
}

/// A log of which every stage can be had.
#[derive(Clone)]
pub(crate) struct TestLog {
    pub(crate) key: SigningKey,
    entries: Vec<Vec<u8>>,
    /// The widest tile of each place.
    tiles: HashMap<(u8, u64), Vec<u8>>,
    builder: TileBuilder,
    pub(crate) statements: HashMap<u64, Vec<u8>>,
    pub(crate) archive: BTreeMap<u64, SignedNote>,
}

impl HashReader for TestLog {
    type Error = &'static str;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error> {
        let widest = self.tiles.get(&(id.level(), id.index())).ok_or("no such tile")?;
        widest.get(..id.byte_len()).map(<[u8]>::to_vec).ok_or("too narrow")
    }
}

impl TestLog {
    pub(crate) fn new(key: SigningKey) -> Self {
        Self {
            key,
            entries: Vec::new(),
            tiles: HashMap::new(),
            builder: TileBuilder::new(),
            statements: HashMap::new(),
            archive: BTreeMap::new(),
        }
    }

    /// A log of `count` entries named after `story`.
    pub(crate) fn of(count: u64, story: &str) -> Self {
        let mut log = Self::new(log_key(ORIGIN));
        log.grow(count, story);
        log
    }

    /// Another history from entry `at` on, up to `count` entries, signed with the same key.
    pub(crate) fn forked(&self, at: usize, count: u64, story: &str) -> Self {
        let mut fork = Self::new(self.key.clone());
        for entry in &self.entries[..at] {
            fork.push(entry.clone());
        }
        fork.statements = self.statements.clone();
        fork.grow(count - u64::try_from(at).unwrap(), story);
        fork
    }

    pub(crate) fn grow(&mut self, count: u64, story: &str) {
        for _ in 0..count {
            let index = self.len();
            // Every 50th is one of the device registry.
            let kind = if index % 50 == 7 { EntryKind::Registry } else { EntryKind::Evidence };
            let statement = format!("{story} {index}").into_bytes();
            let entry =
                Entry { kind, sealed_at: UnixSeconds::new(NOW + index), statement: Digest::of(&statement) };
            if kind == EntryKind::Registry {
                self.statements.insert(index, statement);
            }
            self.push(entry.to_bytes().to_vec());
        }
    }

    pub(crate) fn push(&mut self, entry: Vec<u8>) {
        for tile in self.builder.append([leaf_hash(&entry)]) {
            self.tiles.insert((tile.id.level(), tile.id.index()), tile.data);
        }
        self.entries.push(entry);
    }

    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    pub(crate) fn head(&self, at: u64) -> TreeHead {
        TreeHead { size: size(at), root: root(self, size(at)).unwrap() }
    }

    pub(crate) fn note(&self, at: u64) -> SignedNote {
        self.note_by(at, &self.key)
    }

    pub(crate) fn note_by(&self, at: u64, key: &SigningKey) -> SignedNote {
        Checkpoint::new(ORIGIN, self.head(at)).unwrap().sign(key).unwrap()
    }

    pub(crate) fn proof(&self, old: u64, new: u64) -> ConsistencyProof {
        if old == 0 || old == new {
            return ConsistencyProof::empty();
        }
        consistency_proof(self, size(old), size(new)).unwrap()
    }

    /// The body of an honest request.
    pub(crate) fn request(&self, old: u64, new: u64) -> String {
        request(old, &self.proof(old, new), &self.note(new))
    }

    /// Publishes the tree of this size: the checkpoint is archived.
    pub(crate) fn publish(&mut self, at: u64) {
        let note = self.note(at);
        self.archive.insert(at, note);
    }

    /// What `/log` answers; `None` is 404.
    pub(crate) fn answer(&self, path: &str) -> Option<Vec<u8>> {
        if path == "/checkpoint" {
            return self.archive.values().next_back().map(|note| note.as_bytes().to_vec());
        }
        if let Some(index) = path.strip_prefix("/statement/") {
            return self.statements.get(&index.parse().ok()?).cloned();
        }
        if let Some(after) = path.strip_prefix("/checkpoints/after/") {
            let after: u64 = after.parse().ok()?;
            let notes = self.archive.range(after + 1..).take(256).map(|(_, note)| note.as_bytes());
            return Some(frame(notes));
        }
        if let Some(at) = path.strip_prefix("/checkpoints/") {
            return self.archive.get(&at.parse().ok()?).map(|note| note.as_bytes().to_vec());
        }
        let address = path.strip_prefix('/')?;
        if let Ok(id) = address.parse::<BundleId>() {
            let first = usize::try_from(id.index() * 256).ok()?;
            let mut bundle = EntryBundle::new();
            for entry in self.entries.get(first..first + usize::from(id.width()))? {
                bundle.push(entry.clone()).ok()?;
            }
            return Some(bundle.encode());
        }
        self.tile(address.parse().ok()?).ok()
    }
}

pub(crate) fn frame<'a>(notes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut page = Vec::new();
    for note in notes {
        page.extend_from_slice(&u16::try_from(note.len()).unwrap().to_be_bytes());
        page.extend_from_slice(note);
    }
    page
}

pub(crate) fn request(old: u64, proof: &ConsistencyProof, note: &SignedNote) -> String {
    AddCheckpoint { old_size: size(old), proof: proof.clone(), checkpoint: note.clone() }.to_string()
}

pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl TestClock {
    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

/// A witness in process.
pub(crate) struct World {
    directory: TempDir,
    pub(crate) witness: Arc<Witness>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) mirrors: Arc<Mirrors>,
    pub(crate) router: Router,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
    }
}

impl World {
    pub(crate) async fn new(logs: &[Log]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = generate("witness.example/w", KeyAlgorithm::CosignatureV1).unwrap();
        Store::create(&directory.path().join("witness.sqlite"), key.verifier_key()).await.unwrap();
        Self::open(directory, key, logs).await
    }

    /// For one log, with its key.
    pub(crate) async fn of(log: &TestLog) -> Self {
        Self::new(&[configured(&[log.key.verifier_key()], None)]).await
    }

    async fn open(directory: TempDir, key: SigningKey, logs: &[Log]) -> Self {
        let store = Store::open(&directory.path().join("witness.sqlite"), key.verifier_key()).await.unwrap();
        let mut list = LogList::default();
        for log in logs {
            list.add(log.clone()).unwrap();
        }
        let clock = Arc::new(TestClock(NOW.into()));
        let witness = Arc::new(Witness::new(key, store, list, clock.clone()));
        let settings = MirrorSettings {
            poll_ms: std::num::NonZeroU64::new(5).unwrap(),
            timeout_s: std::num::NonZeroU64::new(1).unwrap(),
        };
        let mirrors = Arc::new(Mirrors::open(directory.path().join("mirror"), witness.clone(), settings));
        let router = router(witness.clone(), mirrors.clone(), &Limits::default(), false);
        Self { directory, witness, clock, mirrors, router }
    }

    /// The same files, opened anew.
    pub(crate) async fn reopened(self, logs: &[Log]) -> Self {
        self.mirrors.stop().await;
        self.witness.store().close().await;
        let key = self.witness.key().clone();
        Self::open(self.directory, key, logs).await
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub(crate) fn vkey(&self) -> VerifierKey {
        self.witness.key().verifier_key().clone()
    }

    /// An answer whose body nobody has read.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.respond(request).await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        self.send(Request::post("/add-checkpoint").body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// An honest request, which is cosigned; gives the time.
    pub(crate) async fn add(&self, log: &TestLog, old: u64, new: u64) -> u64 {
        let answer = self.post(log.request(old, new)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        self.assert_cosigned(&log.note(new), answer.text())
    }

    /// The answer is one line, this witness's cosignature on `note`; gives its time.
    pub(crate) fn assert_cosigned(&self, note: &SignedNote, answer: &str) -> u64 {
        assert_cosigned(&self.vkey(), note, answer)
    }

    /// The size of the newest checkpoint cosigned, as everybody may see it.
    pub(crate) async fn newest(&self) -> Option<SignedNote> {
        let answer = self.get(&format!("/{}/checkpoint", hash())).await;
        (answer.status == StatusCode::OK).then(|| SignedNote::parse(&answer.body).unwrap())
    }
}

pub(crate) fn assert_cosigned(key: &VerifierKey, note: &SignedNote, answer: &str) -> u64 {
    let line = answer.strip_suffix('\n').unwrap();
    let cosigned = note.with_signature(&line.parse().unwrap()).unwrap();
    let verified = cosigned.verify(std::slice::from_ref(key)).unwrap();
    assert_eq!(verified.len(), 1);
    verified[0].timestamp().unwrap()
}

pub(crate) fn configured(keys: &[&VerifierKey], mirror: Option<&str>) -> Log {
    let keys = keys.iter().map(|key| (*key).clone()).collect();
    Log::new(None, keys, mirror.map(|url| url.parse().unwrap())).unwrap()
}

pub(crate) fn hash() -> String {
    jianzhen_witness::logs::OriginHash::of(ORIGIN).to_string()
}

/// How a path is answered instead of honestly.
#[derive(Clone)]
pub(crate) enum Lie {
    Bytes(Vec<u8>),
    Status(u16),
    /// Sends whoever asks to another address, which has the honest answer.
    Redirect,
    /// Promises the length of the honest answer and breaks off.
    Truncated,
    /// Never ends.
    Endless,
    /// Says nothing at all.
    Silent,
}

/// A log served over HTTP, honestly except where told otherwise.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) log: Arc<Mutex<TestLog>>,
    pub(crate) lies: Arc<Mutex<HashMap<String, Lie>>>,
    /// Paths asked for, in order.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) url: String,
}

impl Served {
    pub(crate) async fn start(log: TestLog) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/log", listener.local_addr().unwrap());
        let served =
            Self { log: Arc::new(Mutex::new(log)), lies: Arc::default(), asked: Arc::default(), url };
        let app = Router::new().fallback(answer).with_state(served.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        served
    }

    pub(crate) fn lie(&self, path: &str, lie: Lie) {
        self.lies.lock().unwrap().insert(path.to_owned(), lie);
    }

    pub(crate) fn be_honest(&self) {
        self.lies.lock().unwrap().clear();
    }
}

async fn answer(State(served): State<Served>, uri: Uri) -> Response {
    assert_eq!(uri.query(), None, "paths below /log are static");
    let path = uri.path().strip_prefix("/log").unwrap_or_default().to_owned();
    served.asked.lock().unwrap().push(path.clone());
    let lie = served.lies.lock().unwrap().get(&path).cloned();
    let honest = served.log.lock().unwrap().answer(path.strip_prefix("/elsewhere").unwrap_or(&path));
    match lie {
        None => honest.map_or(StatusCode::NOT_FOUND.into_response(), |bytes| bytes.into_response()),
        Some(Lie::Bytes(bytes)) => bytes.into_response(),
        Some(Lie::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Lie::Redirect) => Redirect::temporary(&format!("/log/elsewhere{path}")).into_response(),
        Some(Lie::Truncated) => {
            let bytes = honest.unwrap_or(vec![0; 64]);
            let (length, half) = (bytes.len(), Bytes::from(bytes[..bytes.len() / 2].to_vec()));
            let stream = futures(half, true);
            Response::builder().header("content-length", length).body(Body::from_stream(stream)).unwrap()
        }
        Some(Lie::Endless) => {
            Response::new(Body::from_stream(futures(Bytes::from(vec![b'x'; 1 << 16]), false)))
        }
        Some(Lie::Silent) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
    }
}

/// The same bytes again and again, or once and then an error.
fn futures(bytes: Bytes, once: bool) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::unfold(0, move |count| {
        let bytes = bytes.clone();
        async move {
            match count {
                1 if once => Some((Err(std::io::Error::other("broken off")), 2)),
                2 => None,
                _ => Some((Ok(bytes), if once { 1 } else { 0 })),
            }
        }
    })
}
