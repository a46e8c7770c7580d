//! Three witnesses, two of which must have cosigned: slow, dead and lying ones; a lost quorum; changes of policy and key.

use std::time::Duration;

use axum::http::StatusCode;
use evidence::{Outcome, Submission, UnixSeconds, Window};
use jianzhen_server::keys;
use tlog::{SignedNote, TreeSize};

use super::support::{NOW_MS, ORIGIN, Running, World};
use super::witness::{Mood, WitnessDouble};

const NOW: u64 = NOW_MS / 1000;

fn signers(note: &SignedNote) -> Vec<String> {
    let mut names: Vec<String> =
        note.signatures().iter().map(|line| line.name().to_string()).filter(|name| name != ORIGIN).collect();
    names.sort();
    names
}

fn receipt_signers(outcome: &Outcome) -> Vec<String> {
    let Outcome::Sealed { receipt, .. } = outcome else { panic!("no receipt: {outcome:?}") };
    signers(receipt.proof().unwrap().checkpoint())
}

async fn archived(world: &World, size: u64) -> SignedNote {
    let note = world.store().await.checkpoint_at(TreeSize::new(size)).await.unwrap().unwrap();
    SignedNote::parse(&note).unwrap()
}

/// Waits until `done`; what is waited for happens by itself.
async fn until(done: impl AsyncFn() -> bool) {
    while !done().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn one_bad_witness_of_three_neither_delays_nor_breaks_the_rest() {
    for (mood, state) in [
        (Mood::Dead, "silent"),
        (Mood::Hanging, "behind"),
        (Mood::BadSignature, "unusable"),
        (Mood::OtherKey, "unusable"),
        (Mood::OtherCheckpoint, "unusable"),
        (Mood::Twice, "unusable"),
        (Mood::NoTime, "unusable"),
        (Mood::WrongClock(-301), "unusable"),
        (Mood::WrongClock(301), "unusable"),
        (Mood::WrongClock(1 << 40), "unusable"),
        (Mood::Garbage, "unusable"),
        // More than the log has, and its own checkpoint does not say so; what it has already; something in between.
        (Mood::Conflict(u64::MAX >> 1), "unusable"),
        (Mood::Conflict(u64::MAX), "unusable"),
        (Mood::Conflict(0), "unusable"),
        (Mood::Conflict(1), "unusable"),
        (Mood::Refusing(302), "refusing"),
        (Mood::Refusing(404), "refusing"),
        (Mood::Refusing(422), "refusing"),
        (Mood::Refusing(500), "refusing"),
    ] {
        let world = World::witnessed().await;
        let running = world.start().await;
        let device = world.with_device(&running).await;
        let bad = &world.witnesses[2];
        until(async || bad.size() == 1).await;
        bad.set(mood);
        for id in 0..4 {
            let start = Submission::of(device.start(id));
            let outcome = running.seal_one(start.clone()).await;
            world.assert_receipt(&start.statement, &outcome);
            assert_eq!(receipt_signers(&outcome), ["w1.example", "w2.example"], "{mood:?}");
        }
        until(async || running.state_of("w3").await == state).await;
        assert!(running.service.is_ready(), "{mood:?}: {:?}", running.service.troubles());
        assert!(!running.sequencer.is_finished());
        // Back to its senses, it catches up.
        if mood != Mood::Hanging {
            bad.set(Mood::Honest);
            until(async || running.state_of("w3").await == "current").await;
            assert_eq!(bad.size(), 5);
        }
        running.crash().await;
    }
}

#[tokio::test]
async fn without_a_quorum_nothing_is_published_and_it_goes_on_by_itself() {
    let mut world = World::witnessed().await;
    world.limits.witness_timeout_ms = 50;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let (_, _, before) = running.get("/log/checkpoint").await;
    for witness in &world.witnesses[1..] {
        witness.set(Mood::Dead);
    }
    let starts: Vec<Submission> = (0..3).map(|id| Submission::of(device.start(id))).collect();
    for start in &starts {
        // Durable, each of them, and no receipt, however often it is asked for.
        assert_eq!(running.seal_one(start.clone()).await, Outcome::Pending);
    }
    assert_eq!(running.seal_one(starts[0].clone()).await, Outcome::Pending);
    assert_eq!(running.get("/log/checkpoint").await.2, before);
    assert_eq!(running.get("/log/checkpoints/2").await.0, StatusCode::NOT_FOUND);
    assert_eq!(running.get("/log/statement/1").await.0, StatusCode::NOT_FOUND);
    let (status, _, body) = running.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&body).contains("Too few witnesses cosign"));

    world.witnesses[1].set(Mood::Honest);
    for start in &starts {
        let outcome = running.seal_at_last(start).await;
        world.assert_receipt(&start.statement, &outcome);
    }
    running.until_ready().await;
    world.witnesses[2].set(Mood::Honest);
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn entries_that_cannot_be_published_are_bounded() {
    let mut world = World::witnessed().await;
    world.limits.unpublished = 3.try_into().unwrap();
    world.limits.batch = 1.try_into().unwrap();
    let running = world.start().await;
    let device = world.with_device(&running).await;
    world.witnesses.iter().for_each(|witness| witness.set(Mood::Dead));
    let starts: Vec<Submission> = (0..4).map(|id| Submission::of(device.start(id))).collect();
    for start in &starts[..3] {
        assert_eq!(running.seal_one(start.clone()).await, Outcome::Pending);
    }
    let (status, _) = running.submit(&starts[3..]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "it waits, and is not durable");
    world.witnesses.iter().for_each(|witness| witness.set(Mood::Honest));
    for start in &starts {
        let outcome = running.seal_at_last(start).await;
        world.assert_receipt(&start.statement, &outcome);
    }
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_witness_that_was_away_catches_up_with_one_proof() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let away = &world.witnesses[2];
    until(async || away.size() == 1).await;
    away.set(Mood::Dead);
    for id in 0..20 {
        running.seal_one(Submission::of(device.start(id))).await;
    }
    away.set(Mood::Honest);
    until(async || away.size() == 21).await;
    let sizes = away.cosigned();
    assert_eq!(sizes.iter().filter(|size| (2..21).contains(*size)).count(), 0, "{sizes:?}");
    running.stop().await;
    world.assert_sound().await;
}

/// The archive keeps the first quorum for ever; who comes late is shown at `/log/checkpoint` only.
#[tokio::test]
async fn late_cosignatures_are_merged_into_the_published_checkpoint_only() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let late = &world.witnesses[0];
    late.set(Mood::Dead);
    let start = Submission::of(device.start(1));
    let outcome = running.seal_one(start.clone()).await;
    let first = archived(&world, 2).await;
    assert_eq!(signers(&first), ["w2.example", "w3.example"]);
    late.set(Mood::Honest);
    until(async || signers(&running.checkpoint().await).len() == 3).await;
    assert_eq!(archived(&world, 2).await, first);
    let (_, headers, body) = running.get("/log/checkpoints/2").await;
    assert_eq!(&body[..], first.as_bytes());
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(running.seal_one(start.clone()).await, outcome);
    running.stop().await;
    // The third is in the object store too, and the next process goes on from there.
    let published = SignedNote::parse(&world.objects().checkpoint().await.unwrap().unwrap()).unwrap();
    assert_eq!(signers(&published).len(), 3);
    world.assert_sound().await;
    let running = world.start().await;
    assert_eq!(running.seal_one(start).await, outcome);
    running.stop().await;
}

/// While nothing happens, the age of the newest quorum stays visible: the same tree is cosigned again, and the archive stays as it is.
#[tokio::test]
async fn an_idle_log_is_cosigned_again() {
    let mut world = World::witnessed().await;
    world.limits.freshness_s = 1.try_into().unwrap();
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let start = Submission::of(device.start(1));
    let outcome = running.seal_one(start.clone()).await;
    let first = archived(&world, 2).await;
    world.clock.set(NOW_MS + 30_000);
    until(async || running.chain().await["cosigned"] == NOW + 30).await;
    let chain = running.chain().await;
    assert_eq!((&chain["size"], &chain["checkpoint_age"], &chain["age"]), (&2.into(), &0.into(), &30.into()));
    let now = running.checkpoint().await;
    assert_eq!(now.text(), first.text());
    assert_ne!(now, first);
    assert_eq!(archived(&world, 2).await, first);
    assert_eq!(running.seal_one(start).await, outcome);
    running.stop().await;
    world.assert_sound().await;
}

/// An outage while nothing is sealed shows as well.
#[tokio::test]
async fn a_quorum_that_is_lost_while_idle_makes_the_service_unready() {
    let mut world = World::witnessed().await;
    world.limits.freshness_s = 1.try_into().unwrap();
    world.limits.witness_timeout_ms = 50;
    let running = world.start().await;
    world.with_device(&running).await;
    world.witnesses[..2].iter().for_each(|witness| witness.set(Mood::Dead));
    until(async || !running.service.is_ready()).await;
    world.witnesses[..2].iter().for_each(|witness| witness.set(Mood::Honest));
    world.clock.set(NOW_MS + 5000);
    running.until_ready().await;
    running.crash().await;
}

/// An entry from the future would keep the log from sealing until that time has come, so nothing is sealed by a clock that is far ahead
/// of the witnesses: neither when it jumps, nor when the service starts with it.
#[tokio::test]
async fn a_clock_far_ahead_of_the_witnesses_seals_nothing() {
    let world = World::witnessed().await;
    let mut running = world.start().await;
    let device = world.with_device(&running).await;
    let start = Submission::of(device.start(1));
    for ahead in [90, 100_000] {
        world.clock.set(NOW_MS + ahead * 1000);
        let behind = Mood::WrongClock(-i64::try_from(ahead).unwrap());
        world.witnesses.iter().for_each(|witness| witness.set(behind));
        for _ in 0..2 {
            let (status, _) = running.submit(std::slice::from_ref(&start)).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            let (_, _, body) = running.get("/readyz").await;
            let body = String::from_utf8_lossy(&body);
            // The second after a start: witnesses whose time is too far off are not believed.
            assert!(body.contains("far ahead") || body.contains("whether the clock is right"), "{body}");
            assert_eq!(world.store().await.head().await.unwrap().head.size, TreeSize::new(1));
            running.crash().await;
            running = world.start().await;
        }
        // It is put right, and what waits is sealed with the right time.
        world.witnesses.iter().for_each(|witness| witness.set(Mood::Honest));
        world.clock.set(NOW_MS);
        running.until_ready().await;
    }
    let Outcome::Sealed { sealed_at, .. } = running.seal_at_last(&start).await else { panic!("no receipt") };
    assert_eq!(sealed_at, UnixSeconds::new(NOW));
    running.stop().await;
    world.assert_sound().await;
}

/// A clock that was right all along, but the machine slept: the witnesses are asked at once, and agree.
#[tokio::test]
async fn a_clock_that_jumps_with_the_witnesses_seals_on() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    world.clock.set(NOW_MS + 3_600_000);
    let start = Submission::of(device.start(1));
    let outcome = running.seal_one(start.clone()).await;
    world.assert_receipt(&start.statement, &outcome);
    running.stop().await;
    world.assert_sound().await;
}

/// Two policies, one after the other: other witnesses, another key of the log. Receipts of either time verify, each under its own.
#[tokio::test]
async fn witnesses_and_key_change_with_the_windows_of_the_trust_file() {
    let mut world = World::witnessed().await;
    let change = NOW + 100;
    let until_then = Window { from: None, until: Some(UnixSeconds::new(change)) };
    let from_then = Window { from: Some(UnixSeconds::new(change)), until: None };
    let old_policy = world.policy_of(&[0, 1], 2, until_then);
    let old = world.keys.clone();
    let new = keys::generate(ORIGIN).unwrap();
    let (old_vkey, new_vkey) = (old.keys()[0].verifier_key().clone(), new.verifier_key().clone());
    world.witnesses = (1..=3)
        .map(|n: u8| {
            let known = vec![old_vkey.clone(), new_vkey.clone()];
            WitnessDouble::new(&format!("w{n}"), n, known, world.clock.clone())
        })
        .collect();
    world.keys = keys::KeyRing::of(new.clone());
    let new_policy = world.policy_of(&[1, 2], 2, from_then);
    world.keys = old.with(new).unwrap();
    world.trust_in(&[old_policy, new_policy]);

    let signed_by = |outcome: &Outcome, key: &tlog::VerifierKey| {
        let Outcome::Sealed { receipt, .. } = outcome else { panic!("no receipt") };
        receipt.proof().unwrap().checkpoint().signatures().iter().any(|line| line.is_by(key))
    };
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let before = Submission::of(device.start(1));
    let first = running.seal_one(before.clone()).await;
    world.assert_receipt(&before.statement, &first);
    assert_eq!(receipt_signers(&first), ["w1.example", "w2.example"]);
    assert!(signed_by(&first, &old_vkey) && !signed_by(&first, &new_vkey));
    assert_eq!(world.witnesses[2].asked(), 0, "its policy is not in force");

    world.clock.set((change + 1) * 1000);
    let after = Submission::of(device.start(2));
    let second = running.seal_at_last(&after).await;
    world.assert_receipt(&after.statement, &second);
    assert_eq!(receipt_signers(&second), ["w2.example", "w3.example"]);
    assert!(signed_by(&second, &new_vkey) && !signed_by(&second, &old_vkey));
    let chain = running.chain().await;
    assert_eq!(chain["log_vkeys"], serde_json::json!([new_vkey.to_string()]));
    assert_eq!(chain["witnesses"].as_array().unwrap().len(), 2);
    assert_eq!(running.seal_one(before.clone()).await, first);
    running.stop().await;
    world.assert_sound().await;

    // The witness that is no longer asked is gone for good, and so may be the old key: nothing needs them.
    world.witnesses[0].set(Mood::Dead);
    let kept = world.keys.keys()[1].clone();
    world.keys = keys::KeyRing::of(kept);
    let running = world.start().await;
    assert_eq!(running.seal_one(before).await, first);
    assert_eq!(running.seal_one(after).await, second);
    let third = Submission::of(device.start(3));
    let outcome = running.seal_at_last(&third).await;
    world.assert_receipt(&third.statement, &outcome);
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_policy_that_is_not_in_force_yet_publishes_nothing_until_it_is() {
    let mut world = World::witnessed().await;
    let window = Window { from: Some(UnixSeconds::new(NOW + 50)), until: None };
    let later = world.policy_of(&[0, 1, 2], 2, window);
    world.trust_in(&[later]);
    let running = world.start().await;
    assert_eq!(running.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(running.get("/log/checkpoint").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(world.witnesses.iter().all(|witness| witness.asked() == 0));
    world.clock.set((NOW + 51) * 1000);
    running.until_ready().await;
    let device = world.with_device(&running).await;
    let start = Submission::of(device.start(1));
    let outcome = running.seal_at_last(&start).await;
    world.assert_receipt(&start.statement, &outcome);
    running.crash().await;
}

/// However fast statements come, a new checkpoint comes no faster than the interval says.
#[tokio::test]
async fn new_checkpoints_keep_their_distance() {
    let mut world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.stop().await;
    // So long that this test ends before.
    world.limits.checkpoint_interval_ms = 3_600_000;
    let running: Running = world.start().await;
    let first = Submission::of(device.start(1));
    assert!(matches!(running.seal_one(first).await, Outcome::Sealed { .. }));
    for id in 2..6 {
        assert_eq!(running.seal_one(Submission::of(device.start(id))).await, Outcome::Pending);
    }
    assert_eq!(running.service.published().get(), 2);
    assert!(running.service.is_ready());
    running.crash().await;
}
