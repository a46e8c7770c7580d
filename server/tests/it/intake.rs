//! What is sealed, what is refused, and what happens twice.

use std::sync::Arc;

use axum::http::StatusCode;
use evidence::statement::Role;
use evidence::{
    DeviceKey, Disclosure, KeyDigest, Outcome, Payload, Position, Statement, Submission,
    parse_registry_section,
};

use jianzhen_server::objects::Objects;

use super::faults::{Fault, FaultyObjects};
use super::support::{Device, NOW_MS, World, content, problem_code, refusal_code};

#[tokio::test]
async fn a_repeated_statement_gets_its_old_receipt() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let start = Submission::of(device.start(1));
    let first = running.seal_one(start.clone()).await;
    world.clock.set(NOW_MS + 60_000);
    // Twice in one request, after other entries: still one entry.
    running.seal_one(Submission::of(device.start(2))).await;
    let again = running.seal(&[start.clone(), start.clone()]).await;
    assert_eq!(again, vec![first.clone(), first.clone()]);
    // Even after the key was revoked: a receipt is for ever.
    running.seal_one(Submission::of(world.revoke(device.key.digest(), NOW_MS))).await;
    assert_eq!(running.seal_one(start.clone()).await, first);
    assert_eq!(running.service.published().get(), 4);
    world.assert_sound().await;
}

#[tokio::test]
async fn the_same_statement_many_times_at_once_is_sealed_once() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let start = Submission::of(device.start(1));
    let requests = (0..20).map(|_| running.seal_one(start.clone()));
    let outcomes = futures_util::future::join_all(requests).await;
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(running.service.published().get(), 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn unknown_revoked_expired_and_overreaching_keys_are_refused() {
    let world = World::new().await;
    let running = world.start().await;
    let stranger = Device { key: DeviceKey::from_seed([99; 32]), enrolment: evidence::Digest::of(b"") };
    assert_eq!(refusal_code(&running.seal_one(Submission::of(stranger.start(1))).await), "key-unknown");

    let account = world.enrolled(&running, 8, Role::Account).await;
    assert_eq!(refusal_code(&running.seal_one(Submission::of(account.start(1))).await), "role-forbidden");
    assert!(matches!(running.seal_one(account.deposit(1, b"photo")).await, Outcome::Sealed { .. }));

    let device = world.enrolled(&running, 9, Role::Device).await;
    world.clock.set(NOW_MS + 1_000_000_000);
    assert_eq!(refusal_code(&running.seal_one(Submission::of(device.start(1))).await), "key-not-valid");
    world.clock.set(NOW_MS - 1001);
    assert_eq!(refusal_code(&running.seal_one(Submission::of(device.start(1))).await), "key-not-valid");
    world.clock.set(NOW_MS);

    // A revocation that lies in the future does not stop the device yet.
    running.seal_one(Submission::of(world.revoke(device.key.digest(), NOW_MS + 5000))).await;
    assert!(matches!(running.seal_one(Submission::of(device.start(1))).await, Outcome::Sealed { .. }));
    world.clock.set(NOW_MS + 5000);
    assert_eq!(refusal_code(&running.seal_one(Submission::of(device.start(2))).await), "key-revoked");
    // A new enrolment does not bring a revoked key back.
    let again = world.enrol(&device.key, Role::Device);
    running.seal_one(Submission::of(again)).await;
    assert_eq!(refusal_code(&running.seal_one(Submission::of(device.start(2))).await), "key-revoked");
}

#[tokio::test]
async fn only_a_trusted_registrar_enrols() {
    let world = World::new().await;
    let running = world.start().await;
    let rogue = DeviceKey::from_seed([66; 32]);
    let enrol = world.enrol(&rogue, Role::Device);
    let forged = Statement::sign(enrol.payload(), &rogue).unwrap();
    assert_eq!(refusal_code(&running.seal_one(Submission::of(forged)).await), "registrar-unknown");
    // Nor does an enrolled device.
    let device = world.with_device(&running).await;
    let forged = device.sign(enrol.payload());
    assert_eq!(refusal_code(&running.seal_one(Submission::of(forged)).await), "registrar-unknown");
}

#[tokio::test]
async fn a_forged_signature_is_refused_and_does_not_spoil_its_neighbours() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let mut forged = device.start(1).bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = Submission::of(Statement::parse(&forged).unwrap());
    let outcomes = running.seal(&[forged, Submission::of(device.start(2))]).await;
    assert_eq!(refusal_code(&outcomes[0]), "signature-invalid");
    world.assert_receipt(&device.start(2), &outcomes[1]);
}

#[tokio::test]
async fn disclosures_and_blocks_must_belong_to_the_statement() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let recording = device.record(1, &[content(1)]);
    let elsewhere = Position { latitude_e7: 1, longitude_e7: 2, accuracy_cm: None };
    let wrong = Disclosure::position([9; 16], &elsewhere).unwrap();
    let mut segment = recording.submissions[1].clone();
    segment.disclosures = vec![wrong.clone()];
    assert_eq!(refusal_code(&running.seal_one(segment.clone()).await), "disclosure-mismatch");
    segment.disclosures = vec![recording.submissions[1].disclosures[0].clone(); 2];
    assert_eq!(refusal_code(&running.seal_one(segment).await), "disclosure-mismatch");
    let start = Submission { disclosures: vec![wrong], ..Submission::of(device.start(1)) };
    assert_eq!(refusal_code(&running.seal_one(start).await), "disclosure-mismatch");

    let mut deposit = device.deposit(2, &content(2));
    deposit.blocks.clear();
    assert_eq!(refusal_code(&running.seal_one(deposit.clone()).await), "blocks-mismatch");
    deposit.blocks = vec![evidence::Digest::of(b"other")];
    assert_eq!(refusal_code(&running.seal_one(deposit).await), "blocks-mismatch");
    let start = Submission { blocks: vec![evidence::Digest::of(b"")], ..Submission::of(device.start(1)) };
    assert_eq!(refusal_code(&running.seal_one(start).await), "blocks-mismatch");
}

#[tokio::test]
async fn nonsense_is_told_where_it_is() {
    let world = World::new().await;
    let running = world.start().await;
    let path = "/api/v1/statements";
    for body in [Vec::new(), b"hello".to_vec(), vec![0x83, 0x41, 0x00], vec![0x9f; 1000], vec![0xff; 10]] {
        let (status, answer) = running.post(path, "application/cbor-seq", body).await;
        assert_eq!(
            (status, problem_code(&answer).as_str()),
            (StatusCode::BAD_REQUEST, "submission-malformed")
        );
    }
    // A submission whose statement is nonsense is refused by itself.
    let body = vec![0x83, 0x41, 0x00, 0x80, 0xf6];
    let (status, answer) = running.post(path, "application/cbor-seq", body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(refusal_code(&Outcome::parse_all(&answer).unwrap()[0]), "statement-malformed");

    let (status, answer) = running.post(path, "application/cbor-seq", vec![0; (4 << 20) + 1]).await;
    assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"));
    let (status, answer) = running.post(path, "application/json", b"{}".to_vec()).await;
    assert_eq!(
        (status, problem_code(&answer).as_str()),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type")
    );
    for body in [Vec::new(), b"hello".to_vec(), vec![0xa1, 0x01, 0x80], vec![0xa1, 0x01, 0x81, 0x41, 0x00]] {
        let (status, answer) = running.post("/api/v1/evidence/lookup", "application/cbor", body).await;
        assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::BAD_REQUEST, "lookup-malformed"));
    }
    assert_eq!(running.service.published().get(), 0);
}

#[tokio::test]
async fn a_second_statement_for_the_same_place_is_sealed_as_a_conflict() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let recording = device.record(1, &[content(1), content(2)]);
    running.seal(&recording.submissions).await;
    let other = device.record(1, &[content(1), content(3)]);
    let outcome = running.seal_one(other.submissions[2].clone()).await;
    world.assert_receipt(&other.submissions[2].statement, &outcome);
    let found = running.lookup(recording.tokens(0..2)).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].statements().len(), 4);
    assert_eq!(found[0].conflicts().len(), 1);
    assert_eq!(found[0].conflicts()[0].0.statement, other.submissions[2].statement);
}

/// Both in one batch, whose order is random: whichever comes first, both are sealed and the other one is the conflict.
#[tokio::test]
async fn two_statements_for_one_place_in_one_batch_are_a_conflict() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    for id in 1..9 {
        let seed = u64::from(id) * 10;
        let one = device.record(id, &[content(seed), content(seed + 1)]);
        let other = device.record(id, &[content(seed), content(seed + 2)]);
        let twins = [&one.submissions[2], &other.submissions[2]].map(|twin| twin.statement.clone());
        let request = [&one.submissions[..], &other.submissions[2..3]].concat();
        assert!(running.seal(&request).await.iter().all(|outcome| matches!(outcome, Outcome::Sealed { .. })));
        let found = running.lookup(one.tokens([0])).await.remove(0);
        let (first, second) = (&found.statements()[2], &found.conflicts()[0].0.statement);
        assert_eq!((found.statements().len(), found.conflicts().len()), (4, 1));
        assert!(twins.contains(first) && twins.contains(second) && first != second);
    }
    world.assert_sound().await;
}

/// What was admitted before a revocation was sealed is sealed with it: a fact for the verifier, which goes by sealing times. Nothing
/// comes after it.
#[tokio::test]
async fn a_revocation_beside_a_statement_stops_what_comes_after() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let revoke = Submission::of(world.revoke(device.key.digest(), NOW_MS));
    let outcomes = running.seal(&[revoke, Submission::of(device.start(1))]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Sealed { .. })), "{outcomes:?}");
    assert_eq!(refusal_code(&running.seal_one(Submission::of(device.start(2))).await), "key-revoked");
    world.assert_sound().await;
}

#[tokio::test]
async fn gaps_and_odd_clocks_are_sealed() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let recording = device.record(1, &[content(1), content(2), content(3)]);
    // The third segment before the start, and the second never.
    for number in [3, 0, 1] {
        let submission = recording.submissions[number].clone();
        let outcome = running.seal_one(submission.clone()).await;
        world.assert_receipt(&submission.statement, &outcome);
    }
    let found = running.lookup(recording.tokens([0])).await;
    assert_eq!(found[0].statements().len(), 3);
}

#[tokio::test]
async fn sealing_times_never_decrease_when_the_clock_does() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    world.clock.set(NOW_MS + 10_000);
    let Outcome::Sealed { sealed_at: first, .. } = running.seal_one(Submission::of(device.start(1))).await
    else {
        panic!("not sealed")
    };
    world.clock.set(NOW_MS);
    running.stop().await;
    // Nor across a restart.
    let running = world.start().await;
    let Outcome::Sealed { sealed_at: second, .. } = running.seal_one(Submission::of(device.start(2))).await
    else {
        panic!("not sealed")
    };
    assert_eq!(first, second);
    world.assert_sound().await;
}

#[tokio::test]
async fn the_order_of_a_batch_is_not_that_of_arrival() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let submissions: Vec<Submission> = (0..60).map(|id| Submission::of(device.start(id))).collect();
    let outcomes = running.seal(&submissions).await;
    let indices: Vec<u64> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Sealed { index, .. } => index.get(),
            other => panic!("not sealed: {other:?}"),
        })
        .collect();
    let mut sorted = indices.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=60).collect::<Vec<_>>());
    assert_ne!(indices, sorted);
}

#[tokio::test]
async fn an_overloaded_service_promises_nothing() {
    let mut world = World::new().await;
    world.limits.queue = 1.try_into().unwrap();
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let (status, answer) =
        running.submit(&[Submission::of(device.start(1)), Submission::of(device.start(2))]).await;
    assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    running.seal_one(Submission::of(device.start(3))).await;
    assert_eq!(running.service.published().get(), 2);
}

/// A deposit has up to 4 MiB of block digests: a queue that counted statements only could hold any amount of memory.
#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    let mut world = World::new().await;
    world.limits.queue_mib = 1.try_into().unwrap();
    world.limits.unpublished = 1.try_into().unwrap();
    let objects = FaultyObjects::new(&world.data.objects());
    let store = world.store().await;
    let running = world.start_with(store.clone(), Arc::new(store), Objects::new(objects.clone())).await;
    let device = world.with_device(&running).await;
    objects.arm(0, i64::MAX, Fault::Lost);
    // Durable and not published: the sequencer takes no other batch.
    assert_eq!(running.seal_one(Submission::of(device.start(1))).await, Outcome::Pending);
    let large = |id: u8| device.large_deposit(id, 20_000);
    // The first alone fits, the second would make it more than 1 MiB.
    for id in [2, 3] {
        let (status, answer) = running.submit(&[large(id)]).await;
        assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    }
    let (_, _, metrics) = running.get("/metrics").await;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(metrics.contains("jianzhen_statements_waiting 1\n"), "{metrics}");
}

/// What is larger than the whole queue is no reason to refuse it for ever.
#[tokio::test]
async fn an_empty_queue_takes_any_submission() {
    let mut world = World::new().await;
    world.limits.queue_mib = 1.try_into().unwrap();
    // Tens of thousands of digests take a busy machine a while.
    world.limits.answer_timeout_s = 60;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let deposit = device.large_deposit(1, 40_000);
    world.assert_receipt(&deposit.statement, &running.seal_one(deposit.clone()).await);
}

#[tokio::test]
async fn what_an_overloaded_service_did_not_take_costs_no_share() {
    let mut world = World::new().await;
    world.limits.queue = 1.try_into().unwrap();
    world.limits.statements_per_minute = 2.try_into().unwrap();
    let running = world.start().await;
    let device = world.with_device(&running).await;
    for _ in 0..3 {
        let (status, answer) =
            running.submit(&[Submission::of(device.start(1)), Submission::of(device.start(2))]).await;
        assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    }
    running.seal_one(Submission::of(device.start(1))).await;
}

#[tokio::test]
async fn a_key_beyond_its_share_comes_back_later() {
    let mut world = World::new().await;
    world.limits.statements_per_minute = 2.try_into().unwrap();
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.seal(&[Submission::of(device.start(1)), Submission::of(device.start(2))]).await;
    let (status, answer) = running.submit(&[Submission::of(device.start(3))]).await;
    assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::TOO_MANY_REQUESTS, "quota-exceeded"));
    // What is sealed already costs nothing.
    running.seal_one(Submission::of(device.start(1))).await;
    world.clock.set(NOW_MS + 30_000);
    running.seal_one(Submission::of(device.start(3))).await;
}

/// The index has a row for each MiB of a deposit: it is as much work as many segments.
#[tokio::test]
async fn a_large_deposit_takes_a_larger_share() {
    let mut world = World::new().await;
    world.limits.statements_per_minute = 100.try_into().unwrap();
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.seal_one(device.large_deposit(1, 64 * 98)).await;
    running.seal_one(Submission::of(device.start(2))).await;
    let (status, answer) = running.submit(&[device.large_deposit(3, 64)]).await;
    assert_eq!((status, problem_code(&answer).as_str()), (StatusCode::TOO_MANY_REQUESTS, "quota-exceeded"));
}

#[tokio::test]
async fn the_holder_of_a_key_gets_enrolment_revocations_and_snapshot() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let account = world.enrolled(&running, 8, Role::Account).await;
    running.seal_one(Submission::of(world.snapshot(vec![]))).await;
    running.seal_one(Submission::of(world.revoke(device.key.digest(), NOW_MS))).await;
    let newest = world.snapshot(vec![device.key.digest()]);
    running.seal_one(Submission::of(newest.clone())).await;

    let section = |kid: KeyDigest| {
        let running = &running;
        async move {
            let (status, _, body) = running.get(&format!("/api/v1/enrolments/{kid}")).await;
            (status, body)
        }
    };
    let (status, body) = section(device.key.digest()).await;
    assert_eq!(status, StatusCode::OK);
    let registry = parse_registry_section(&body).unwrap();
    assert_eq!(registry.len(), 3);
    assert_eq!(registry[0].0.statement.digest(), device.enrolment);
    assert!(matches!(registry[1].0.statement.payload(), Payload::Revoke(_)));
    assert_eq!(registry[2].0.statement, newest);
    let policy = &world.trust.logs()[0].policy;
    for (sealed, receipt) in &registry {
        receipt.proof().unwrap().verify(&sealed.entry().leaf_hash(), policy).unwrap();
    }
    let (_, body) = section(account.key.digest()).await;
    assert_eq!(parse_registry_section(&body).unwrap()[0].0.statement.digest(), account.enrolment);

    let (status, body) = section(KeyDigest::from_bytes([0; 32])).await;
    assert_eq!((status, problem_code(&body).as_str()), (StatusCode::NOT_FOUND, "not-enrolled"));
    let (status, _, body) = running.get("/api/v1/enrolments/XYZ").await;
    assert_eq!((status, problem_code(&body).as_str()), (StatusCode::NOT_FOUND, "not-found"));
}

#[tokio::test]
async fn snapshots_are_sealed_when_due() {
    let world = World::new().await;
    let running = world.start().await;
    let seal_if_due = || jianzhen_server::snapshots::seal_if_due(&running.service, &world.registrar);
    assert!(seal_if_due().await.unwrap());
    assert!(!seal_if_due().await.unwrap());
    let device = world.with_device(&running).await;
    assert!(!seal_if_due().await.unwrap());
    running.seal_one(Submission::of(world.revoke(device.key.digest(), NOW_MS))).await;
    assert!(seal_if_due().await.unwrap());
    assert!(!seal_if_due().await.unwrap());
    world.clock.set(NOW_MS + 12 * 60 * 60 * 1000);
    assert!(seal_if_due().await.unwrap());
    assert!(!seal_if_due().await.unwrap());
    world.assert_sound().await;
}

/// A snapshot of the year 2099 must neither count as fresh for decades, nor make every later one look old.
#[tokio::test]
async fn a_clock_that_was_wrong_once_does_not_spoil_the_snapshots() {
    let world = World::new().await;
    let running = world.start().await;
    let seal_if_due = || jianzhen_server::snapshots::seal_if_due(&running.service, &world.registrar);
    // A registrar elsewhere signed it; the service's own clock would not have sealed anything by such a time.
    let future = NOW_MS + 73 * 365 * 24 * 60 * 60 * 1000;
    running.seal_one(Submission::of(world.snapshot_as_of(future, vec![]))).await;
    assert!(seal_if_due().await.unwrap());
    assert!(!seal_if_due().await.unwrap());
    let device = world.with_device(&running).await;
    running.seal_one(Submission::of(world.revoke(device.key.digest(), NOW_MS))).await;
    assert!(seal_if_due().await.unwrap());
    assert!(!seal_if_due().await.unwrap());
    let (_, _, body) = running.get(&format!("/api/v1/enrolments/{}", device.key.digest())).await;
    let registry = parse_registry_section(&body).unwrap();
    let Payload::Registry(newest) = registry.last().unwrap().0.statement.payload() else { panic!() };
    assert_eq!(newest.revoked, [device.key.digest()]);
}
