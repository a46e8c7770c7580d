//! A log that was restored from a mirror has entries without statements. They come back in any order, and everything is as it was.

use axum::http::StatusCode;
use evidence::statement::Role;
use evidence::{Outcome, Submission};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::support::{Recording, Running, World, content, refusal_code};

/// What a mirror does not have: statements of kind 0, and what hangs on them.
async fn lose_statements(world: &World) {
    let options = SqliteConnectOptions::new().filename(world.data.database());
    let mut connection = options.connect().await.unwrap();
    for sql in
        ["UPDATE entries SET statement = x'' WHERE kind = 0", "DELETE FROM blocks", "DELETE FROM disclosures"]
    {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    world.store().await.rebuild_index().await.unwrap();
}

/// Two recordings and a deposit, with their receipts; the second recording's statements lie between the first one's.
async fn sealed(world: &World, running: &Running) -> (Vec<Recording>, Vec<(Submission, Outcome)>) {
    let device = world.with_device(running).await;
    let account = world.enrolled(running, 8, Role::Account).await;
    let segments = |seeds: std::ops::Range<u64>| seeds.map(content).collect::<Vec<_>>();
    let recordings = vec![device.record(1, &segments(0..12)), device.record(2, &segments(50..62))];
    let mut promised = Vec::new();
    for place in 0..recordings[0].submissions.len() {
        for recording in &recordings {
            let submission = recording.submissions[place].clone();
            promised.push((submission.clone(), running.seal_one(submission).await));
        }
    }
    let deposit = account.deposit(3, &(0..150).flat_map(content).collect::<Vec<u8>>());
    promised.push((deposit.clone(), running.seal_one(deposit).await));
    (recordings, promised)
}

async fn found(running: &Running, recordings: &[Recording]) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for recording in recordings {
        let found = running.lookup(recording.tokens(0..12)).await;
        assert_eq!(found.len(), 1);
        files.push(found[0].encode());
    }
    files
}

#[tokio::test]
async fn statements_that_come_back_in_any_order_restore_receipts_lookups_and_index() {
    for order in 0..3 {
        let world = World::new().await;
        let running = world.start().await;
        let (recordings, mut promised) = sealed(&world, &running).await;
        let before = found(&running, &recordings).await;
        running.stop().await;
        lose_statements(&world).await;
        let findings = world.findings().await;
        assert_eq!((findings.problems.len(), findings.missing), (0, promised.len() as u64 + 1));

        let running = world.start().await;
        assert!(running.lookup(recordings[0].tokens(0..12)).await.is_empty());
        match order {
            0 => {}
            1 => promised.reverse(),
            _ => promised.sort_by_key(|(submission, _)| *submission.statement.digest().as_bytes()),
        }
        for (number, (submission, outcome)) in promised.iter().enumerate() {
            assert_eq!(running.seal_one(submission.clone()).await, *outcome);
            if number % 7 == 0 {
                assert_eq!(world.findings().await.problems, Vec::<String>::new(), "order {order}, {number}");
            }
        }
        assert_eq!(found(&running, &recordings).await, before);
        running.stop().await;
        world.assert_sound().await;
        // Only the enrolment of the account was not handed in again.
        assert_eq!(world.findings().await.missing, 1);
    }
}

#[tokio::test]
async fn the_same_statement_from_many_sides_fills_its_gap_once() {
    let world = World::new().await;
    let running = world.start().await;
    let (_, promised) = sealed(&world, &running).await;
    running.stop().await;
    lose_statements(&world).await;
    let running = world.start().await;
    let (submission, outcome) = promised.last().unwrap();
    let many = (0..20).map(|_| running.submit(std::slice::from_ref(submission)));
    for (status, body) in futures_util::future::join_all(many).await {
        assert_eq!(status, StatusCode::OK);
        assert_eq!(Outcome::parse_all(&body).unwrap(), std::slice::from_ref(outcome));
    }
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_comes_back_with_other_facts_fills_nothing() {
    let world = World::new().await;
    let running = world.start().await;
    let (_, promised) = sealed(&world, &running).await;
    running.stop().await;
    lose_statements(&world).await;
    let running = world.start().await;
    let with_facts = promised.iter().find(|(submission, _)| !submission.disclosures.is_empty());
    let (submission, outcome) = with_facts.expect("a statement with a disclosure");
    let before = world.findings().await.missing;
    // Twice the same field, which no statement commits to.
    let mut forged = submission.clone();
    forged.disclosures.push(forged.disclosures[0].clone());
    let (_, body) = running.submit(&[forged]).await;
    let refused = Outcome::parse_all(&body).unwrap().remove(0);
    assert_eq!(refusal_code(&refused), "disclosure-mismatch");
    assert_eq!(world.findings().await.missing, before);
    assert_eq!(running.seal_one(submission.clone()).await, *outcome);
    assert_eq!(world.findings().await.missing, before - 1);
    running.stop().await;
}
