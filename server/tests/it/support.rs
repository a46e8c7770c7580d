//! A service in process, with a clock that tests set, and statements to seal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use evidence::statement::{
    End, EndReason, Enrol, Registry, RevocationReason, Revoke, Role, Segment, SelfCheck, Start,
};
use evidence::{
    ByteRange, DeviceKey, Digest, Disclosure, EvidenceFile, KeyDigest, LookupRequest, LookupResponse,
    Operator, Outcome, Payload, Position, RecordingId, Sequence, Statement, Submission, Token, TrustFile,
    TrustedLogs, UnixMillis, UnixSeconds, Window, segments_root, statement,
};
use http_body_util::BodyExt as _;
use jianzhen_server::clock::Clock;
use jianzhen_server::config::Limits;
use jianzhen_server::data_dir::DataDir;
use jianzhen_server::http::{SecurityHeaders, router};
use jianzhen_server::keys::KeyRing;
use jianzhen_server::objects::Objects;
use jianzhen_server::page::Page;
use jianzhen_server::recover::RecoverError;
use jianzhen_server::sequencer::Stop;
use jianzhen_server::service::{Parts, Service};
use jianzhen_server::store::{CommitPoint, Store};
use jianzhen_server::{fsck, keys};
use tempfile::TempDir;
use tlog::{Policy, SignedNote};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::witness::WitnessDouble;

/// 2026-11-22T00:00:00Z.
pub(crate) const NOW_MS: u64 = 1_795_305_600_000;

/// The log's name.
pub(crate) const ORIGIN: &str = "test.example/log";

pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::saturating(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    /// A clock that stands at the machine's present.
    pub(crate) fn present() -> Arc<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Arc::new(Self(AtomicU64::new(u64::try_from(now.as_millis()).unwrap())))
    }

    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

/// What outlives a process: files and keys.
pub(crate) struct World {
    _directory: TempDir,
    pub(crate) data: DataDir,
    pub(crate) keys: KeyRing,
    pub(crate) witnesses: Vec<Arc<WitnessDouble>>,
    pub(crate) registrar: DeviceKey,
    registrar_vkey: tlog::VerifierKey,
    pub(crate) trust: Arc<TrustFile>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) limits: Limits,
}

/// A running service.
pub(crate) struct Running {
    pub(crate) service: Arc<Service>,
    pub(crate) sequencer: JoinHandle<Result<(), Stop>>,
    pub(crate) router: Router,
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::new(directory.path());
        std::fs::create_dir(data.objects()).unwrap();
        Store::create(&data.database()).await.unwrap().close().await;
        let key = keys::generate(ORIGIN).unwrap();
        let registrar = keys::generate("test.example/registrar").unwrap();
        let logs = policy(&format!("log {}\nquorum none\n", key.verifier_key()), Window::default());
        let operator = Operator { name: "Test".to_owned(), url: None };
        let registrars = [(registrar.verifier_key().clone(), Window::default())];
        let trust = TrustFile::compose(operator, &[logs], &registrars).unwrap();
        let limits = Limits {
            batch_interval_ms: 5,
            checkpoint_interval_ms: 5,
            answer_timeout_s: 1,
            ..Limits::default()
        };
        Self {
            _directory: directory,
            data,
            keys: KeyRing::of(key),
            witnesses: Vec::new(),
            registrar_vkey: registrar.verifier_key().clone(),
            registrar: keys::statement_key(&registrar),
            trust: Arc::new(trust),
            clock: Arc::new(TestClock(AtomicU64::new(NOW_MS))),
            limits,
        }
    }

    /// A log that three witnesses guard, two of which must have cosigned.
    pub(crate) async fn witnessed() -> Self {
        let mut world = Self::new().await;
        let keys = vec![world.keys.keys()[0].verifier_key().clone()];
        world.witnesses = (1..=3)
            .map(|n: u8| WitnessDouble::new(&format!("w{n}"), n, keys.clone(), world.clock.clone()))
            .collect();
        let policy = world.policy_of(&[0, 1, 2], 2, Window::default());
        world.trust_in(&[policy]);
        world
    }

    /// A policy with the log's keys and some of its witnesses.
    pub(crate) fn policy_of(&self, witnesses: &[usize], quorum: usize, window: Window) -> TrustedLogs {
        let mut text = String::new();
        for key in self.keys.keys() {
            text += &format!("log {}\n", key.verifier_key());
        }
        let witnesses: Vec<_> = witnesses.iter().map(|at| &self.witnesses[*at]).collect();
        witnesses.iter().for_each(|witness| text += &witness.line());
        let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
        text += &format!("group quorum-group {quorum} {}\nquorum quorum-group\n", names.join(" "));
        policy(&text, window)
    }

    /// Replaces the trust file.
    pub(crate) fn trust_in(&mut self, policies: &[TrustedLogs]) {
        let operator = Operator { name: "Test".to_owned(), url: None };
        let registrars = [(self.registrar_vkey.clone(), Window::default())];
        self.trust = Arc::new(TrustFile::compose(operator, policies, &registrars).unwrap());
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.data.database()).await.unwrap()
    }

    pub(crate) fn objects(&self) -> Objects {
        Objects::local(&self.data.objects()).unwrap()
    }

    pub(crate) async fn start(&self) -> Running {
        let store = self.store().await;
        self.start_with(store.clone(), Arc::new(store), self.objects()).await
    }

    pub(crate) async fn start_with(
        &self,
        store: Store,
        commit_point: Arc<dyn CommitPoint>,
        objects: Objects,
    ) -> Running {
        self.run(self.parts(store, commit_point, objects)).await.unwrap()
    }

    /// Starts a service of these parts.
    pub(crate) async fn run(&self, parts: Parts) -> Result<Running, RecoverError> {
        let (service, sequencer) = Service::start(parts).await?;
        let headers = SecurityHeaders::new(&self.trust, false);
        let router = router(service.clone(), Page::none(), &self.limits, headers);
        Ok(Running { service, sequencer, router })
    }

    pub(crate) fn parts(&self, store: Store, commit_point: Arc<dyn CommitPoint>, objects: Objects) -> Parts {
        Parts {
            archive: Arc::new(store.clone()),
            store,
            commit_point,
            objects,
            keys: self.keys.clone(),
            witnesses: self.witnesses.iter().map(WitnessDouble::witness).collect(),
            trust: self.trust.clone(),
            clock: self.clock.clone(),
            limits: self.limits.clone(),
        }
    }

    /// Everything derived again agrees, and everything durable is published.
    pub(crate) async fn assert_sound(&self) {
        let findings = self.findings().await;
        assert_eq!(findings.problems, Vec::<String>::new());
        assert_eq!(findings.unpublished, 0);
    }

    pub(crate) async fn findings(&self) -> fsck::Findings {
        let scratch = self.data.path().join(format!("scratch-{}.sqlite", rand_name()));
        let scratch = Store::create(&scratch).await.unwrap();
        let (store, objects) = (self.store().await, self.objects());
        let subject = fsck::Subject {
            store: &store,
            scratch: &scratch,
            objects: &objects,
            trust: &self.trust,
            origin: ORIGIN,
        };
        fsck::check(&subject).await.unwrap()
    }

    /// The receipt proves that `statement` is sealed, by this log's key.
    pub(crate) fn assert_receipt(&self, statement: &Statement, outcome: &Outcome) -> Vec<u8> {
        let Outcome::Sealed { index, sealed_at, receipt } = outcome else {
            panic!("no receipt: {outcome:?}")
        };
        let leaf = evidence::Entry::sealing(statement, *sealed_at).leaf_hash();
        let proof = receipt.proof().unwrap();
        let verified = self.trust.logs().iter().find_map(|logs| {
            let verified = proof.verify(&leaf, &logs.policy).ok()?;
            let time = logs.policy.quorum_time(verified.checkpoint());
            let within = time.is_none_or(|time| logs.window.contains(UnixSeconds::new(time)));
            within.then_some(verified)
        });
        assert_eq!(verified.expect("no policy accepts the receipt").index(), *index);
        receipt.as_bytes().to_vec()
    }

    pub(crate) fn enrol(&self, key: &DeviceKey, role: Role) -> Statement {
        self.registry_statement(&Payload::Enrol(Enrol {
            key: key.public(),
            id: "device-1".to_owned(),
            role,
            model: "M".to_owned(),
            agency: "A".to_owned(),
            valid_from: UnixMillis::saturating(NOW_MS - 1000),
            valid_until: UnixMillis::saturating(NOW_MS + 1_000_000_000),
        }))
    }

    pub(crate) fn revoke(&self, key: KeyDigest, effective_from: u64) -> Statement {
        let effective_from = UnixMillis::saturating(effective_from);
        let reason = RevocationReason::DeviceLost;
        self.registry_statement(&Payload::Revoke(Revoke { key, effective_from, reason }))
    }

    pub(crate) fn snapshot(&self, revoked: Vec<KeyDigest>) -> Statement {
        self.snapshot_as_of(NOW_MS, revoked)
    }

    pub(crate) fn snapshot_as_of(&self, as_of: u64, revoked: Vec<KeyDigest>) -> Statement {
        self.registry_statement(&Payload::Registry(Registry {
            as_of: UnixMillis::saturating(as_of),
            revoked,
        }))
    }

    fn registry_statement(&self, payload: &Payload) -> Statement {
        Statement::sign(payload, &self.registrar).unwrap()
    }

    /// A service with one enrolled device.
    pub(crate) async fn with_device(&self, running: &Running) -> Device {
        self.enrolled(running, 7, Role::Device).await
    }

    pub(crate) async fn enrolled(&self, running: &Running, seed: u8, role: Role) -> Device {
        let key = DeviceKey::from_seed([seed; 32]);
        let enrolment = self.enrol(&key, role);
        let outcome = running.seal_one(Submission::of(enrolment.clone())).await;
        self.assert_receipt(&enrolment, &outcome);
        Device { key, enrolment: enrolment.digest() }
    }
}

pub(crate) fn policy(text: &str, window: Window) -> TrustedLogs {
    TrustedLogs { policy: Policy::parse(text.as_bytes()).unwrap(), window, closed: None }
}

fn rand_name() -> u64 {
    getrandom::u64().unwrap()
}

impl Running {
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, axum::http::HeaderMap, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, axum::http::HeaderMap, Bytes) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> (StatusCode, Bytes) {
        let request =
            Request::post(path).header("content-type", content_type).body(Body::from(body)).unwrap();
        let (status, _, body) = self.send(request).await;
        (status, body)
    }

    pub(crate) async fn submit(&self, submissions: &[Submission]) -> (StatusCode, Bytes) {
        let body = Submission::encode_all(submissions);
        self.post("/api/v1/statements", "application/cbor-seq", body).await
    }

    /// Submits until it is sealed: after an outage, by itself.
    pub(crate) async fn seal_at_last(&self, submission: &Submission) -> Outcome {
        loop {
            let (status, body) = self.submit(std::slice::from_ref(submission)).await;
            if status == StatusCode::OK {
                let outcome = Outcome::parse_all(&body).unwrap().remove(0);
                if matches!(outcome, Outcome::Sealed { .. }) {
                    return outcome;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Waits until `/readyz` says so.
    pub(crate) async fn until_ready(&self) {
        while self.get("/readyz").await.0 != StatusCode::OK {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// `/api/v1/chain`.
    pub(crate) async fn chain(&self) -> serde_json::Value {
        let (status, _, body) = self.get("/api/v1/chain").await;
        assert_eq!(status, StatusCode::OK);
        serde_json::from_slice(&body).unwrap()
    }

    /// What `/api/v1/chain` says of a witness.
    pub(crate) async fn state_of(&self, witness: &str) -> String {
        let chain = self.chain().await;
        let witnesses = chain["witnesses"].as_array().unwrap();
        let found = witnesses.iter().find(|entry| entry["name"] == witness).unwrap();
        found["state"].as_str().unwrap().to_owned()
    }

    /// The published checkpoint.
    pub(crate) async fn checkpoint(&self) -> SignedNote {
        let (status, _, body) = self.get("/log/checkpoint").await;
        assert_eq!(status, StatusCode::OK);
        SignedNote::parse(&body).unwrap()
    }

    pub(crate) async fn seal(&self, submissions: &[Submission]) -> Vec<Outcome> {
        let (status, body) = self.submit(submissions).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        let outcomes = Outcome::parse_all(&body).unwrap();
        assert_eq!(outcomes.len(), submissions.len());
        outcomes
    }

    pub(crate) async fn seal_one(&self, submission: Submission) -> Outcome {
        self.seal(&[submission]).await.remove(0)
    }

    pub(crate) async fn lookup(&self, tokens: Vec<Token>) -> Vec<EvidenceFile> {
        let request = LookupRequest::new(tokens).unwrap().encode();
        let (status, body) = self.post("/api/v1/evidence/lookup", "application/cbor", request).await;
        assert_eq!(status, StatusCode::OK);
        LookupResponse::parse(&body).unwrap().files
    }

    /// What kill -9 does, as far as one process can do it to itself: nothing more is written, nothing is tidied up.
    pub(crate) async fn crash(self) {
        self.sequencer.abort();
        let _ = self.sequencer.await;
    }

    /// What SIGTERM does.
    pub(crate) async fn stop(self) {
        self.service.close();
        self.sequencer.await.unwrap().unwrap();
        self.service.close_store().await;
    }
}

pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    pub(crate) enrolment: Digest,
}

/// A recording with everything that belongs to it.
pub(crate) struct Recording {
    pub(crate) file: Vec<u8>,
    pub(crate) ranges: Vec<ByteRange>,
    pub(crate) submissions: Vec<Submission>,
}

impl Recording {
    /// The tokens that a page would send for the segments with these numbers.
    pub(crate) fn tokens(&self, segments: impl IntoIterator<Item = usize>) -> Vec<Token> {
        segments.into_iter().map(|number| Token::segment(&self.digest(number))).collect()
    }

    pub(crate) fn head_token(&self) -> Token {
        Token::head(&Digest::of(&self.file[..self.file.len().min(64 << 10)]))
    }

    fn digest(&self, number: usize) -> Digest {
        Digest::of(bytes_of(&self.file, self.ranges[number]))
    }
}

pub(crate) fn bytes_of(file: &[u8], range: ByteRange) -> &[u8] {
    &file[usize::try_from(range.offset()).unwrap()..usize::try_from(range.end()).unwrap()]
}

/// 20 KiB that no other seed has.
pub(crate) fn content(seed: u64) -> Vec<u8> {
    let mut block = Digest::of(&seed.to_be_bytes());
    let mut bytes = Vec::new();
    while bytes.len() < 20 << 10 {
        block = Digest::of(block.as_bytes());
        bytes.extend_from_slice(block.as_bytes());
    }
    bytes
}

impl Device {
    pub(crate) fn start(&self, id: u8) -> Statement {
        self.sign(&Payload::Start(Start {
            recording: RecordingId::from_bytes([id; 16]),
            counter: 1,
            previous_final: None,
            enrolment: self.enrolment,
            capture_begin: UnixMillis::saturating(NOW_MS),
            tracks: Vec::new(),
            self_check: SelfCheck::default(),
            chain_head: None,
            position: None,
        }))
    }

    pub(crate) fn sign(&self, payload: &Payload) -> Statement {
        Statement::sign(payload, &self.key).unwrap()
    }

    /// A whole recording; every segment commits to a position, which is disclosed.
    pub(crate) fn record(&self, id: u8, segments: &[Vec<u8>]) -> Recording {
        let recording = RecordingId::from_bytes([id; 16]);
        let file = segments.concat();
        let mut submissions = vec![Submission::of(self.start(id))];
        let mut ranges = Vec::new();
        let mut offset = 0;
        for (number, bytes) in (1_u32..).zip(segments) {
            let range = ByteRange::new(offset, bytes.len() as u64).unwrap();
            let here =
                Position { latitude_e7: i64::from(number), longitude_e7: i64::from(id), accuracy_cm: None };
            let position = Disclosure::position([id; 16], &here).unwrap();
            let head = (range.end() >= 64 << 10 && offset < 64 << 10).then(|| Digest::of(&file[..64 << 10]));
            let capture = |n: u32| UnixMillis::saturating(NOW_MS + u64::from(n) * 2000);
            let segment = Segment {
                recording,
                sequence: Sequence::new(u64::from(number)),
                previous: submissions.last().unwrap().statement.digest(),
                capture_begin: capture(number - 1),
                capture_end: capture(number),
                range,
                digest: Digest::of(bytes),
                fingerprints: Vec::new(),
                timeline: None,
                battery: None,
                events: Vec::new(),
                chain_head: None,
                position: Some(position.commitment()),
                head,
            };
            let statement = self.sign(&Payload::Segment(segment));
            submissions.push(Submission { statement, disclosures: vec![position], blocks: Vec::new() });
            ranges.push(range);
            offset = range.end();
        }
        let digests: Vec<Digest> = segments.iter().map(|bytes| Digest::of(bytes)).collect();
        let end = End {
            recording,
            sequence: Sequence::new(segments.len() as u64 + 1),
            previous: submissions.last().unwrap().statement.digest(),
            reason: EndReason::Stopped,
            capture_end: UnixMillis::saturating(NOW_MS + 1_000_000),
            total_length: offset,
            segments: segments.len() as u64,
            root: segments_root(ranges.iter().copied().zip(&digests)),
            head: (offset < 64 << 10).then(|| Digest::of(&file)),
        };
        submissions.push(Submission::of(self.sign(&Payload::End(end))));
        Recording { file, ranges, submissions }
    }

    pub(crate) fn deposit(&self, id: u8, file: &[u8]) -> Submission {
        let length = file.len() as u64;
        let ranges: Vec<ByteRange> = statement::Deposit::blocks(length).collect();
        let blocks: Vec<Digest> = ranges.iter().map(|range| Digest::of(bytes_of(file, *range))).collect();
        let depositor = Disclosure::depositor([3; 16], "depositor").unwrap();
        let deposit = statement::Deposit {
            recording: RecordingId::from_bytes([id; 16]),
            enrolment: self.enrolment,
            deposited_at: UnixMillis::saturating(NOW_MS),
            length,
            digest: Digest::of(file),
            root: segments_root(ranges.into_iter().zip(&blocks)),
            head: Digest::of(&file[..file.len().min(64 << 10)]),
            media_type: "image/jpeg".to_owned(),
            captured_at: None,
            depositor: Some(depositor.commitment()),
            position: None,
        };
        Submission { statement: self.sign(&Payload::Deposit(deposit)), disclosures: vec![depositor], blocks }
    }

    /// The deposit of a file of `blocks` MiB that nobody has to read.
    pub(crate) fn large_deposit(&self, id: u8, blocks: u64) -> Submission {
        let length = blocks << 20;
        let block = Digest::of(&[id]);
        let blocks = vec![block; usize::try_from(blocks).unwrap()];
        let deposit = statement::Deposit {
            recording: RecordingId::from_bytes([id; 16]),
            enrolment: self.enrolment,
            deposited_at: UnixMillis::saturating(NOW_MS),
            length,
            digest: block,
            root: segments_root(statement::Deposit::blocks(length).zip(&blocks)),
            head: block,
            media_type: "video/mp4".to_owned(),
            captured_at: None,
            depositor: None,
            position: None,
        };
        let statement = self.sign(&Payload::Deposit(deposit));
        Submission { statement, disclosures: Vec::new(), blocks }
    }
}

pub(crate) fn problem_code(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap();
    problem["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
}

pub(crate) fn refusal_code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { code, .. } => code,
        other => panic!("not refused: {other:?}"),
    }
}
