//! What felled real transparency logs, each as a test that it does not fell this one.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::http::StatusCode;
use evidence::{Outcome, Submission};
use futures_util::stream::BoxStream;
use jianzhen_server::objects::Objects;
use jianzhen_server::sequencer::Stop;
use jianzhen_server::store::CommitError;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tlog::{Checkpoint, TreeSize};

use super::faults::{FAULTS, Fault, FaultyCommit, FaultyObjects, SteppedStore, Steps};
use super::support::{NOW_MS, World, problem_code};
use super::witness::Mood;

async fn execute(world: &World, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.data.database());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
}

/// DigiCert's Yeti 2022 (2021): one bit of a stored leaf hash flipped, the log signed a root over it, and no proof fitted ever after.
/// Here every stored byte is hashed again before anything is signed.
#[tokio::test]
async fn yeti_2022_a_flipped_bit_in_a_stored_leaf_is_never_signed_over() {
    for damage in [
        "UPDATE entries SET statement = CAST(substr(statement, 1, 9) || x'55' || substr(statement, 11) AS BLOB) WHERE idx = 1",
        "UPDATE entries SET digest = CAST(substr(digest, 1, 31) || x'55' AS BLOB) WHERE idx = 1",
        "UPDATE entries SET sealed_at = sealed_at + 1 WHERE idx = 1",
        "UPDATE entries SET sealed_at = sealed_at - 1 WHERE idx = 1",
        "UPDATE entries SET kind = 1 WHERE idx = 1",
        "UPDATE tree_head SET root = CAST(substr(root, 1, 31) || x'55' AS BLOB)",
    ] {
        let world = World::witnessed().await;
        let objects = FaultyObjects::new(&world.data.objects());
        let store = world.store().await;
        let running = world.start_with(store.clone(), Arc::new(store), Objects::new(objects.clone())).await;
        let device = world.with_device(&running).await;
        // Durable, and not offered to anybody yet.
        objects.arm(0, i64::MAX, Fault::Lost);
        assert_eq!(running.seal_one(Submission::of(device.start(1))).await, Outcome::Pending);
        running.crash().await;
        execute(&world, damage).await;
        let store = world.store().await;
        let parts = world.parts(store.clone(), Arc::new(store), world.objects());
        assert!(world.run(parts).await.is_err(), "{damage}");
        assert!(world.witnesses.iter().all(|witness| witness.size() <= 1), "{damage}: it was offered");
        assert_eq!(world.store().await.checkpoint_at(TreeSize::new(2)).await.unwrap(), None, "{damage}");
        assert!(!world.data.objects().join("tile/0/000.p/2").exists(), "{damage}: a tile was written");
        assert!(!world.findings().await.problems.is_empty(), "{damage}");
    }
}

/// TrustAsia (2021): after a failover two tree heads of one size were signed. Here a tree is signed only when it is the committed one, so
/// whatever becomes of a batch whose commit failed, there is one tree of its size; and the first archived note of a size stays.
#[tokio::test]
async fn trustasia_2021_there_is_one_tree_head_of_a_size() {
    for fault in FAULTS {
        let world = World::witnessed().await;
        let store = world.store().await;
        let commit = FaultyCommit::new(store.clone());
        let running = world.start_with(store, commit.clone(), world.objects()).await;
        let device = world.with_device(&running).await;
        commit.arm(fault);
        // What the first process was about to seal, and what the second gets first.
        let (one, other) = (Submission::of(device.start(1)), Submission::of(device.start(2)));
        assert_eq!(running.submit(std::slice::from_ref(&one)).await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert!(matches!(running.sequencer.await.unwrap(), Err(Stop::Commit(_))));
        let running = world.start().await;
        for statement in [&other, &one] {
            let outcome = running.seal_at_last(statement).await;
            world.assert_receipt(&statement.statement, &outcome);
        }
        running.stop().await;
        world.assert_sound().await;
        assert!(world.witnesses.iter().all(|witness| witness.forked().is_empty()), "{fault:?}");
    }
    // The archive: the note was written, the answer got lost, and meanwhile a third witness has cosigned.
    let world = World::witnessed().await;
    let store = world.store().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.stop().await;
    // Step 1 of this process is the commit, step 2 the archive.
    let steps = Steps::new(2, Fault::Kept);
    let stepped = Arc::new(SteppedStore { store: store.clone(), steps });
    let mut parts = world.parts(store.clone(), stepped.clone(), world.objects());
    parts.archive = stepped;
    let running = world.run(parts).await.unwrap();
    let start = Submission::of(device.start(1));
    let outcome = running.seal_one(start.clone()).await;
    let archived = store.checkpoint_at(TreeSize::new(2)).await.unwrap().unwrap();
    let Outcome::Sealed { receipt, .. } = &outcome else { panic!("no receipt") };
    assert_eq!(receipt.proof().unwrap().checkpoint().as_bytes(), archived);
    assert_eq!(running.seal_one(start).await, outcome);
    running.stop().await;
    world.assert_sound().await;
}

/// TrustAsia (2026): a proxy cached answers and ignored the query, so that the log seemed to answer with other trees' proofs. Here every
/// address of the log is static, and says so to whoever adds a query.
#[tokio::test]
async fn trustasia_2026_no_address_of_the_log_depends_on_a_query() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    for address in [
        "/log/checkpoint",
        "/log/checkpoints/1",
        "/log/checkpoints/after/0",
        "/log/tile/0/000.p/1",
        "/log/tile/entries/000.p/1",
        "/log/statement/0",
        &format!("/log/index/{}", device.enrolment),
        "/log/nothing",
    ] {
        for query in ["?", "?size=2", "?first=1&second=2"] {
            let (status, headers, body) = running.get(&format!("{address}{query}")).await;
            assert_eq!(
                (status, problem_code(&body).as_str()),
                (StatusCode::BAD_REQUEST, "query-refused"),
                "{address}{query}"
            );
            assert_eq!(headers["cache-control"], "no-store");
        }
        let expected = if address == "/log/nothing" { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(running.get(address).await.0, expected, "{address}");
    }
    // None is documented to have one either.
    let document: serde_json::Value =
        serde_json::from_slice(&running.get("/api/v1/openapi.json").await.2).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
        assert!(parameters.iter().all(|parameter| parameter["in"] != "query"), "{path}");
    }
    assert_eq!(running.get("/healthz?x").await.0, StatusCode::OK, "a query elsewhere is nobody's business");
}

/// Mammoth (2024): the disk filled up, the database was damaged, and promises had been given out that could not be kept. Here a failed
/// commit stops the process and nothing was promised; a full object store only delays.
#[tokio::test]
async fn mammoth_2024_a_full_disk_costs_no_promise() {
    let world = World::witnessed().await;
    let store = world.store().await;
    let commit = FaultyCommit::new(store.clone());
    let running = world.start_with(store, commit.clone(), world.objects()).await;
    let device = world.with_device(&running).await;
    let starts: Vec<Submission> = (0..3).map(|id| Submission::of(device.start(id))).collect();
    let first = running.seal_one(starts[0].clone()).await;
    // The database's disk.
    commit.arm(Fault::Lost);
    assert_eq!(running.submit(&starts[1..2]).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(matches!(running.sequencer.await.unwrap(), Err(Stop::Commit(_))), "the process ends");
    let (status, body) = {
        let request = Submission::encode_all(&starts[2..]);
        let response = tower::ServiceExt::oneshot(
            running.router.clone(),
            axum::http::Request::post("/api/v1/statements")
                .header("content-type", "application/cbor-seq")
                .body(axum::body::Body::from(request))
                .unwrap(),
        );
        let response = response.await.unwrap();
        (response.status(), http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes())
    };
    assert_ne!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    world.assert_sound().await;

    // The object store's disk, full at each write of a publication in turn.
    for nth in 0..3 {
        let objects = FaultyObjects::new(&world.data.objects());
        let store = world.store().await;
        let running = world.start_with(store.clone(), Arc::new(store), Objects::new(objects.clone())).await;
        running.until_ready().await;
        let start = Submission::of(device.start(10 + u8::try_from(nth).unwrap()));
        objects.arm(nth, i64::MAX, Fault::Lost);
        assert_eq!(running.seal_one(start.clone()).await, Outcome::Pending, "{nth}");
        assert_eq!(running.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        // Somebody makes room.
        objects.arm(-1, 0, Fault::Lost);
        let outcome = running.seal_at_last(&start).await;
        world.assert_receipt(&start.statement, &outcome);
        assert_eq!(running.seal_one(starts[0].clone()).await, first);
        running.stop().await;
        world.assert_sound().await;
    }
}

/// Mammoth (2025): the clock jumped, and a checkpoint was signed that was older than entries below it. Here neither is sealed by a clock
/// that stands before what is sealed, nor published what was cosigned long before it was sealed.
#[tokio::test]
async fn mammoth_2025_no_checkpoint_is_older_than_its_entries() {
    let mut world = World::witnessed().await;
    world.limits.witness_timeout_ms = 100;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let starts: Vec<Submission> = (0..4).map(|id| Submission::of(device.start(id))).collect();

    // Our clock is ahead, by less than keeps it from sealing; and the witnesses come back with clocks that stand two minutes before it.
    world.witnesses.iter().for_each(|witness| witness.set(Mood::Dead));
    world.clock.set(NOW_MS + 50_000);
    assert_eq!(running.seal_one(starts[0].clone()).await, Outcome::Pending);
    world.witnesses.iter().for_each(|witness| witness.set(Mood::WrongClock(-120)));
    loop {
        let (status, _, body) = running.get("/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        if String::from_utf8_lossy(&body).contains("clock is or was ahead") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(running.service.published().get(), 1);
    // It is put right: nothing more is sealed until the time has come.
    world.witnesses.iter().for_each(|witness| witness.set(Mood::Honest));
    world.clock.set(NOW_MS + 5_000);
    let (status, _) = running.submit(&starts[1..2]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "not durable");
    assert_eq!(world.store().await.head().await.unwrap().head.size.get(), 2);
    world.clock.set(NOW_MS + 48_000);
    for start in &starts {
        let outcome = running.seal_at_last(start).await;
        world.assert_receipt(&start.statement, &outcome);
    }
    running.until_ready().await;
    running.stop().await;
    world.assert_sound().await;

    let policy = &world.trust.logs()[0].policy;
    let store = world.store().await;
    let (mut size, mut sealed_at) = (0, 0);
    for (_, note) in store.checkpoints_after(None, 100).await.unwrap() {
        let verified = policy.verify_checkpoint(&tlog::SignedNote::parse(&note).unwrap()).unwrap();
        while size < verified.head().size.get() {
            let at = store.sealed_at(tlog::LeafIndex::new(size)).await.unwrap().unwrap().get();
            assert!(at >= sealed_at, "sealing times never decrease");
            (size, sealed_at) = (size + 1, at);
        }
        let time = policy.quorum_time(&verified).unwrap();
        assert!(time + 60 >= sealed_at, "cosigned at {time}, sealed at {sealed_at}");
    }
}

/// A store across a network: the write of one checkpoint is given up by its caller, and carried out after the next one's.
#[derive(Debug, Default)]
struct LateWrites {
    inner: InMemory,
    checkpoints: AtomicUsize,
    /// The number of the write that is late, from 1; 0: none.
    late: usize,
    kept: Mutex<Option<(PutPayload, PutOptions)>>,
    /// What became of the late write.
    outcome: Mutex<Option<Result<PutResult>>>,
}

impl fmt::Display for LateWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LateWrites")
    }
}

#[async_trait]
impl ObjectStore for LateWrites {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if location.as_ref() != "checkpoint" {
            return self.inner.put_opts(location, payload, opts).await;
        }
        if self.checkpoints.fetch_add(1, Ordering::SeqCst) + 1 == self.late {
            *self.kept.lock().unwrap() = Some((payload, opts));
            return Err(object_store::Error::Generic { store: "late", source: "timed out".into() });
        }
        let written = self.inner.put_opts(location, payload, opts).await;
        let kept = self.kept.lock().unwrap().take();
        if let Some((payload, opts)) = kept {
            let late = self.inner.put_opts(location, payload, opts).await;
            *self.outcome.lock().unwrap() = Some(late);
        }
        written
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Sunlight, issue 13: a slow write of an older checkpoint arrived after a newer one, and the log seemed to shrink. Here the checkpoint is
/// replaced conditionally, so that the late write fails.
#[tokio::test]
async fn sunlight_13_a_delayed_write_never_overwrites_a_newer_checkpoint() {
    for late in 1..=4 {
        let mut world = World::new().await;
        world.limits.answer_timeout_s = 5;
        let store = Arc::new(LateWrites { late, ..LateWrites::default() });
        let objects = Objects::new(store.clone());
        let database = world.store().await;
        let parts = || world.parts(database.clone(), Arc::new(database.clone()), objects.clone());
        // The very first write is that of the empty tree, at the start.
        let running = match world.run(parts()).await {
            Ok(running) => running,
            Err(_) => world.run(parts()).await.unwrap(),
        };
        let device = world.with_device(&running).await;
        for id in 0..4 {
            let outcome = running.seal_one(Submission::of(device.start(id))).await;
            assert!(matches!(outcome, Outcome::Sealed { .. }));
            let note = objects.checkpoint().await.unwrap().unwrap();
            let head = Checkpoint::unverified(&tlog::SignedNote::parse(&note).unwrap()).unwrap().head();
            assert_eq!(head.size, running.service.published(), "write {late} came late");
        }
        let outcome = store.outcome.lock().unwrap().take().expect("the late write was carried out");
        assert!(outcome.is_err(), "write {late}: {outcome:?}");
        running.stop().await;
    }
}

/// Sunlight, issue 11: two processes wrote one log. Here the second finds the data directory locked (`process.rs`), and where there is no
/// such lock, the tree head in the database is moved by one of them only; the other stops.
#[tokio::test]
async fn sunlight_11_of_two_writers_one_stops() {
    let world = World::witnessed().await;
    let one = world.start().await;
    let other = world.start().await;
    let device = world.with_device(&one).await;
    // The other believes that the log is empty, and that the device is enrolled, which it reads from the same database.
    let start = Submission::of(device.start(1));
    assert_eq!(other.submit(std::slice::from_ref(&start)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let stopped = other.sequencer.await.unwrap();
    assert!(matches!(stopped, Err(Stop::Commit(CommitError::HeadMoved { .. }))), "{stopped:?}");
    let outcome = one.seal_one(start.clone()).await;
    world.assert_receipt(&start.statement, &outcome);
    one.stop().await;
    world.assert_sound().await;
    assert!(world.witnesses.iter().all(|witness| witness.forked().is_empty()));
    // The lock, within one process.
    let _held = world.data.lock().unwrap();
    assert!(world.data.lock().is_err());
}
