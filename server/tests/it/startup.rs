//! Start-up with witnesses: what they saw last is compared before anything is sealed.

use std::path::Path;

use axum::http::StatusCode;
use evidence::Submission;
use jianzhen_server::publish::{Contradiction, PublishError};
use jianzhen_server::recover::RecoverError;
use jianzhen_server::sequencer::Stop;
use jianzhen_server::witnesses::WitnessContradiction;
use tlog::{Checkpoint, TreeHead, TreeSize, cosignature};

use super::support::{NOW_MS, ORIGIN, Running, World};
use super::witness::Mood;

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Puts an older copy of everything in the place of the data directory.
fn restore(world: &World, backup: &Path) {
    for entry in std::fs::read_dir(world.data.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap()
        } else {
            std::fs::remove_file(path).unwrap()
        }
    }
    copy(backup, world.data.path());
}

async fn refusal(world: &World) -> RecoverError {
    let store = world.store().await;
    let parts = world.parts(store.clone(), std::sync::Arc::new(store), world.objects());
    world.run(parts).await.err().expect("it started")
}

/// A checkpoint of this log that the operator signed, and this witness cosigned.
fn planted(world: &World, witness: usize, size: u64, log: &tlog::SigningKey) -> (TreeHead, Vec<u8>) {
    let head = TreeHead { size: TreeSize::new(size), root: tlog::leaf_hash(b"another history") };
    let note = Checkpoint::new(ORIGIN, head).unwrap().sign(log).unwrap();
    let line = cosignature::sign(&world.witnesses[witness].key, NOW_MS / 1000, note.text()).unwrap();
    (head, note.with_signature(&line).unwrap().as_bytes().to_vec())
}

#[tokio::test]
async fn a_log_restored_from_an_older_copy_does_not_start() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy(world.data.path(), backup.path());
    let running = world.start().await;
    running.seal_one(Submission::of(device.start(1))).await;
    running.stop().await;

    restore(&world, backup.path());
    // Everything in it agrees with itself.
    world.assert_sound().await;
    let error = refusal(&world).await;
    let sizes = match &error {
        RecoverError::Witness(WitnessContradiction::Ahead { theirs, ours, .. }) => (theirs.get(), ours.get()),
        other => panic!("{other:?}"),
    };
    assert_eq!(sizes, (2, 1));
    assert!(error.to_string().contains("restored from an older copy"), "{error}");
    // One of them is enough, if the others say nothing.
    for silent in [[0, 1], [0, 2], [1, 2]] {
        world.witnesses.iter().for_each(|witness| witness.set(Mood::Honest));
        silent.iter().for_each(|at| world.witnesses[*at].set(Mood::Dead));
        // The one that answers may be the one that had not cosigned the last tree.
        if world.witnesses.iter().enumerate().any(|(at, w)| !silent.contains(&at) && w.size() == 2) {
            assert!(matches!(refusal(&world).await, RecoverError::Witness(_)));
        }
    }
}

#[tokio::test]
async fn a_log_whose_witness_saw_another_root_of_the_same_size_does_not_start() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.seal_one(Submission::of(device.start(1))).await;
    running.stop().await;
    for size in [1, 2] {
        let (head, note) = planted(&world, 1, size, &world.keys.keys()[0]);
        world.witnesses[1].plant(head, note);
        let error = refusal(&world).await;
        assert!(
            matches!(&error, RecoverError::Witness(WitnessContradiction::Forked { .. })),
            "{size}: {error:?}"
        );
        assert!(error.to_string().contains("w2"), "{error}");
    }
}

/// A witness alone cannot keep the log from starting: what contradicts it must be signed by the log itself.
#[tokio::test]
async fn a_lying_witness_does_not_keep_the_log_from_starting() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.stop().await;
    let other = jianzhen_server::keys::generate(ORIGIN).unwrap();
    // Signed by another key of the same name; by the log, but not by this witness; of another log; nonsense.
    let (head, forged) = planted(&world, 2, 50, &other);
    let (_, by_another_witness) = planted(&world, 1, 50, &world.keys.keys()[0]);
    let other_log = jianzhen_server::keys::generate("other.example/log").unwrap();
    let note = Checkpoint::new("other.example/log", head).unwrap().sign(&other_log).unwrap();
    let line = cosignature::sign(&world.witnesses[2].key, NOW_MS / 1000, note.text()).unwrap();
    let other_log = note.with_signature(&line).unwrap().as_bytes().to_vec();
    for (number, lie) in [forged, by_another_witness, other_log, b"nonsense".to_vec()].into_iter().enumerate()
    {
        world.witnesses[2].plant(head, lie);
        let running = world.start().await;
        running.until_ready().await;
        let start = Submission::of(device.start(u8::try_from(number).unwrap()));
        let outcome = running.seal_one(start.clone()).await;
        world.assert_receipt(&start.statement, &outcome);
        assert_eq!(running.state_of("w3").await, "unusable");
        running.stop().await;
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn with_too_few_answers_the_service_reads_and_does_not_seal() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.stop().await;
    world.witnesses[1..].iter().for_each(|witness| witness.set(Mood::Dead));
    let running = world.start().await;
    let start = Submission::of(device.start(1));
    let refused = async |running: &Running| {
        let (status, body) = running.submit(std::slice::from_ref(&start)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(super::support::problem_code(&body), "not-ready");
    };
    refused(&running).await;
    let (status, _, body) = running.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&body).contains("enough witnesses"));
    for path in ["/log/checkpoint", "/log/statement/0", "/log/tile/0/000.p/1", "/api/v1/chain", "/healthz"] {
        assert_eq!(running.get(path).await.0, StatusCode::OK, "{path}");
    }
    // What does not answer usefully does not count.
    world.witnesses[1].set(Mood::Garbage);
    world.witnesses[2].set(Mood::Refusing(500));
    refused(&running).await;
    let (entries, _) = (world.store().await.head().await.unwrap(), ());
    assert_eq!(entries.head.size.get(), 1);

    world.witnesses[1].set(Mood::Honest);
    running.until_ready().await;
    let outcome = running.seal_at_last(&start).await;
    world.assert_receipt(&start.statement, &outcome);
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_new_log_that_nobody_has_seen_starts() {
    let world = World::witnessed().await;
    let running = world.start().await;
    running.until_ready().await;
    assert_eq!(running.chain().await["size"], 0);
    assert!(world.witnesses.iter().all(|witness| witness.size() == 0));
    running.stop().await;
    world.assert_sound().await;
}

/// It was away at start-up, the others were enough; when it comes back it proves that there is another history.
#[tokio::test]
async fn a_contradiction_that_is_found_later_stops_the_service() {
    for size in [1, 2, 3, 900] {
        let world = World::witnessed().await;
        let running = world.start().await;
        let device = world.with_device(&running).await;
        running.stop().await;
        world.witnesses[2].set(Mood::Dead);
        let (head, note) = planted(&world, 2, size, &world.keys.keys()[0]);
        world.witnesses[2].plant(head, note);
        let running = world.start().await;
        running.seal_one(Submission::of(device.start(1))).await;
        world.witnesses[2].set(Mood::Honest);
        let stopped = running.sequencer.await.unwrap();
        let contradiction = match stopped {
            Err(Stop::Publish(PublishError::Contradiction(Contradiction::Witness(found)))) => found,
            other => panic!("{size}: {other:?}"),
        };
        assert!(contradiction.to_string().contains("w3"), "{contradiction}");
        assert!(running.service.troubles().is_some());
        assert!(matches!(refusal(&world).await, RecoverError::Witness(_)));
    }
}
