//! A receipt is for ever: storage fails at every step, and nothing that was promised is lost or contradicted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use evidence::{Outcome, Submission};
use jianzhen_server::objects::Objects;
use jianzhen_server::publish::{Contradiction, PublishError};
use jianzhen_server::recover::RecoverError;
use jianzhen_server::sequencer::Stop;
use jianzhen_server::service::Service;

use super::faults::{FAULTS, Fault, FaultyCommit, FaultyObjects};
use super::support::World;

/// A batch of one statement writes a tile, a bundle and the checkpoint.
const WRITES: i64 = 3;

#[tokio::test]
async fn a_failed_commit_stops_the_sequencer_and_gives_no_receipt() {
    for fault in FAULTS {
        let world = World::new().await;
        let store = world.store().await;
        let commit = FaultyCommit::new(store.clone());
        let running = world.start_with(store, commit.clone(), world.objects()).await;
        let device = world.with_device(&running).await;
        let start = Submission::of(device.start(1));

        commit.arm(fault);
        let (status, body) = running.submit(std::slice::from_ref(&start)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}: {}", String::from_utf8_lossy(&body));
        assert!(!running.service.is_ready());
        assert!(matches!(running.sequencer.await.unwrap(), Err(Stop::Commit(_))));

        // The next process finds out what is true; the device asks again and gets one entry, not two.
        let running = world.start().await;
        let outcome = running.seal_one(start.clone()).await;
        world.assert_receipt(&start.statement, &outcome);
        assert!(matches!(outcome, Outcome::Sealed { index, .. } if index.get() == 1), "{fault:?}");
        running.stop().await;
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn a_failed_write_to_the_object_store_is_repeated_until_it_succeeds() {
    for fault in FAULTS {
        for nth in 0..WRITES {
            let world = World::new().await;
            let objects = FaultyObjects::new(&world.data.objects());
            let store = world.store().await;
            let running =
                world.start_with(store.clone(), Arc::new(store), Objects::new(objects.clone())).await;
            let device = world.with_device(&running).await;
            objects.arm(nth, 1, fault);
            let start = Submission::of(device.start(1));
            let outcome = running.seal_one(start.clone()).await;
            assert_eq!(objects.failed.load(Ordering::SeqCst), 1, "{fault:?} {nth}");
            world.assert_receipt(&start.statement, &outcome);
            assert_eq!(objects.doubtful(), Vec::<String>::new(), "{fault:?} {nth}: a receipt rests on it");
            assert!(running.service.is_ready());
            running.stop().await;
            world.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn without_publication_a_statement_is_pending_and_the_next_process_publishes_it() {
    for fault in FAULTS {
        for nth in 0..WRITES {
            let world = World::new().await;
            let objects = FaultyObjects::new(&world.data.objects());
            let store = world.store().await;
            let running =
                world.start_with(store.clone(), Arc::new(store), Objects::new(objects.clone())).await;
            let device = world.with_device(&running).await;
            objects.arm(nth, i64::MAX, fault);
            let start = Submission::of(device.start(1));
            assert_eq!(running.seal_one(start.clone()).await, Outcome::Pending, "{fault:?} {nth}");
            let (status, _, _) = running.get("/readyz").await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            // Nothing of it is shown: not in the log, not by lookup, not by repeating.
            assert_eq!(running.service.published().get(), 1);
            assert_eq!(running.seal_one(start.clone()).await, Outcome::Pending);
            running.crash().await;

            let running = world.start().await;
            let outcome = running.seal_one(start.clone()).await;
            world.assert_receipt(&start.statement, &outcome);
            running.stop().await;
            world.assert_sound().await;
        }
    }
}

#[tokio::test]
async fn receipts_are_the_same_for_ever() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let mut receipts = Vec::new();
    for id in 0..5 {
        let start = Submission::of(device.start(id));
        let outcome = running.seal_one(start.clone()).await;
        receipts.push((start.clone(), world.assert_receipt(&start.statement, &outcome)));
    }
    running.crash().await;
    let running = world.start().await;
    for (start, receipt) in receipts {
        let outcome = running.seal_one(start.clone()).await;
        assert_eq!(world.assert_receipt(&start.statement, &outcome), receipt);
    }
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_refused() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.stop().await;
    let copy = std::fs::read(world.data.database()).unwrap();
    let running = world.start().await;
    running.seal_one(Submission::of(device.start(1))).await;
    running.stop().await;

    std::fs::write(world.data.database(), copy).unwrap();
    let store = world.store().await;
    let parts = world.parts(store.clone(), Arc::new(store), world.objects());
    let refused = Service::start(parts).await.err();
    let archive = matches!(
        refused,
        Some(RecoverError::Publish(PublishError::Contradiction(Contradiction::Archive(size)))) if size.get() == 2
    );
    assert!(archive, "{refused:?}");
    assert!(!world.findings().await.problems.is_empty());
}

#[tokio::test]
async fn an_older_copy_of_the_object_store_is_caught_up_size_by_size() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let copied = ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"]
        .map(|object| (object, std::fs::read(world.data.objects().join(object)).unwrap()));
    let mut receipts = Vec::new();
    for id in 0..4 {
        let start = Submission::of(device.start(id));
        receipts.push((start.clone(), running.seal_one(start).await));
    }
    running.stop().await;
    std::fs::remove_dir_all(world.data.objects()).unwrap();
    for (object, bytes) in copied {
        let path = world.data.objects().join(object);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let running = world.start().await;
    for (start, receipt) in receipts {
        assert_eq!(running.seal_one(start).await, receipt);
    }
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_lost_object_store_is_refused() {
    let world = World::new().await;
    let running = world.start().await;
    world.with_device(&running).await;
    running.stop().await;
    std::fs::remove_dir_all(world.data.objects()).unwrap();
    std::fs::create_dir(world.data.objects()).unwrap();
    let store = world.store().await;
    let parts = world.parts(store.clone(), Arc::new(store), world.objects());
    assert!(Service::start(parts).await.is_err());
}

/// One changed value in the database is never signed over, and `fsck` names it.
#[tokio::test]
async fn a_damaged_database_is_never_signed_over() {
    for (damage, finding) in [
        ("UPDATE entries SET statement = x'00' WHERE idx = 1", "does not hash to the digest"),
        ("UPDATE entries SET sealed_at = sealed_at + 1 WHERE idx = 1", "the entries have 2 with"),
        ("UPDATE tree_head SET root = zeroblob(32)", "The tree head states 2 entries"),
        ("DELETE FROM entries WHERE idx = 1", "Entry 1 is missing"),
    ] {
        let world = World::new().await;
        let objects = FaultyObjects::new(&world.data.objects());
        let store = world.store().await;
        let running = world.start_with(store.clone(), Arc::new(store), Objects::new(objects.clone())).await;
        let device = world.with_device(&running).await;
        // Durable, but not published: the damage happens before the signature.
        objects.arm(0, i64::MAX, Fault::Lost);
        assert_eq!(running.seal_one(Submission::of(device.start(1))).await, Outcome::Pending);
        running.crash().await;
        execute(&world, damage).await;
        let store = world.store().await;
        let parts = world.parts(store.clone(), Arc::new(store), world.objects());
        assert!(Service::start(parts).await.is_err(), "{damage}");
        let problems = world.findings().await.problems.join("\n");
        assert!(problems.contains(finding), "{damage}: {problems}");
    }
}

#[tokio::test]
async fn fsck_names_a_damaged_index_and_reindex_repairs_it() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let recording = device.record(1, &[super::support::content(1), super::support::content(2)]);
    running.seal(&recording.submissions).await;
    running.seal_one(device.deposit(2, &super::support::content(3))).await;
    running.stop().await;
    world.assert_sound().await;
    for damage in [
        "DELETE FROM tokens WHERE head = 0",
        "UPDATE parts SET sequence = sequence + 1 WHERE sequence = 3",
        "UPDATE enrolments SET valid_until = valid_until + 1",
        "INSERT INTO revocations (idx, kid, effective_from) VALUES (3, zeroblob(32), 0)",
        "DELETE FROM recordings",
    ] {
        execute(&world, damage).await;
        let problems = world.findings().await.problems;
        assert!(problems.iter().any(|problem| problem.contains("lookup index")), "{damage}: {problems:?}");
        world.store().await.rebuild_index().await.unwrap();
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn fsck_names_a_damaged_object() {
    let world = World::new().await;
    let running = world.start().await;
    world.with_device(&running).await;
    running.stop().await;
    for object in ["tile/0/000.p/1", "tile/entries/000.p/1", "checkpoint"] {
        let path = world.data.objects().join(object);
        let intact = std::fs::read(&path).unwrap();
        let mut damaged = intact.clone();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert!(!world.findings().await.problems.is_empty(), "{object}");
        std::fs::write(&path, intact).unwrap();
    }
    world.assert_sound().await;
}

async fn execute(world: &World, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.data.database());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
}
