//! From tokens to evidence: the right recording, and no personal fact for somebody who does not hold the file.

use evidence::statement::Role;
use evidence::{
    Examination, LookupAnswer, LookupResponse, Outcome, Report, RootsInput, Step, Token, Verdict,
};

use super::support::{Recording, Running, World, bytes_of, content};

/// Verifies a file as page and command line do: all that is asked for is hashed, and the service is asked.
async fn examine(world: &World, running: &Running, recording: &Recording, file: &[u8]) -> Report {
    let trust = (*world.trust).clone();
    let boundaries = recording.ranges.clone();
    let mut examination =
        Examination::new(file.len() as u64, boundaries, Vec::new(), trust, RootsInput::default());
    loop {
        match examination.next() {
            Step::Hash(ranges) => {
                for range in ranges {
                    examination.hashed(range, evidence::Digest::of(bytes_of(file, range)));
                }
            }
            Step::Lookup(request) => {
                let (_, body) =
                    running.post("/api/v1/evidence/lookup", "application/cbor", request.encode()).await;
                let files = LookupResponse::parse(&body).unwrap().files;
                examination.looked_up(LookupAnswer::Found(files));
            }
            Step::Roots(_) => unreachable!("nobody is asked"),
            Step::Done => return examination.report(),
        }
    }
}

fn segments(seeds: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    seeds.map(content).collect()
}

#[tokio::test]
async fn what_is_found_verifies() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    running.seal_one(evidence::Submission::of(world.snapshot(vec![]))).await;
    let recording = device.record(1, &segments(0..10));
    running.seal(&recording.submissions).await;

    let report = examine(&world, &running, &recording, &recording.file).await;
    assert_eq!(report.verdict, Verdict::Consistent, "{report:?}");
    assert_eq!(report.telemetry.len(), 10);

    let mut altered = recording.file.clone();
    altered[45_000] ^= 1;
    let report = examine(&world, &running, &recording, &altered).await;
    assert_eq!(report.verdict, Verdict::Inconsistent, "{report:?}");

    let unrelated = device.record(2, &segments(100..110));
    let report = examine(&world, &running, &unrelated, &unrelated.file).await;
    assert_eq!(report.verdict, Verdict::NotDeposited, "{report:?}");
}

#[tokio::test]
async fn a_deposit_is_found_by_its_blocks_and_by_its_head() {
    let world = World::new().await;
    let running = world.start().await;
    let account = world.enrolled(&running, 8, Role::Account).await;
    let file: Vec<u8> = (0..150).flat_map(content).collect();
    let deposit = account.deposit(1, &file);
    let outcome = running.seal_one(deposit.clone()).await;
    world.assert_receipt(&deposit.statement, &outcome);

    let head = Token::head(&evidence::Digest::of(&file[..64 << 10]));
    let found = running.lookup(vec![head]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].blocks(), deposit.blocks);
    assert!(found[0].disclosures().is_empty(), "the head is not the file");

    let blocks: Vec<Token> = deposit.blocks.iter().map(Token::segment).collect();
    assert!(running.lookup(blocks[1..].to_vec()).await[0].disclosures().is_empty());
    assert_eq!(running.lookup(blocks).await[0].disclosures().len(), 1);
}

#[tokio::test]
async fn personal_facts_only_for_who_holds_the_file() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let long = device.record(1, &segments(0..20));
    let short = device.record(2, &segments(50..53));
    running.seal(&long.submissions).await;
    running.seal(&short.submissions).await;
    let disclosed = |tokens| async { running.lookup(tokens).await[0].disclosures().len() };

    assert_eq!(disclosed(long.tokens(0..7)).await, 0);
    // Whoever has seen the first seconds has the head.
    let mut seven_and_head = long.tokens(0..7);
    seven_and_head.push(long.head_token());
    assert_eq!(disclosed(seven_and_head).await, 0);
    // A token that is sent twice counts once.
    let (status, _) = running
        .post("/api/v1/evidence/lookup", "application/cbor", repeated_request(&long.tokens(0..1)[0], 8))
        .await;
    assert_eq!(status, axum::http::StatusCode::BAD_REQUEST);
    assert_eq!(disclosed(long.tokens(0..8)).await, 20);
    assert_eq!(disclosed(long.tokens(5..20)).await, 20);

    assert_eq!(disclosed(short.tokens(0..2)).await, 0);
    assert_eq!(disclosed(short.tokens(0..3)).await, 3);
    // Tokens of another recording do not help.
    let mut mixed = short.tokens(0..2);
    mixed.extend(long.tokens(0..7));
    for file in running.lookup(mixed).await {
        assert!(file.disclosures().is_empty());
    }
}

/// A lookup-request that repeats one token, which `LookupRequest` cannot write.
fn repeated_request(token: &Token, times: u8) -> Vec<u8> {
    let mut body = vec![0xa1, 0x01, 0x80 | times];
    for _ in 0..times {
        body.extend([0x58, 0x20]);
        body.extend(token.as_bytes());
    }
    body
}

#[tokio::test]
async fn a_shared_black_start_does_not_mistake_one_recording_for_another() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let black = segments(0..3);
    let record =
        |id: u8, own: std::ops::Range<u64>| device.record(id, &[black.clone(), segments(own)].concat());
    let first = record(1, 10..20);
    let second = record(2, 20..30);
    running.seal(&first.submissions).await;
    running.seal(&second.submissions).await;
    for (recording, other) in [(&first, &second), (&second, &first)] {
        let found = running.lookup(recording.tokens(0..13)).await;
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].statements()[0], recording.submissions[0].statement);
        // The other one shares three tokens: too few for its personal facts.
        assert_eq!(found[1].statements()[0], other.submissions[0].statement);
        assert!(found[1].disclosures().is_empty());
        let report = examine(&world, &running, recording, &recording.file).await;
        assert_eq!(report.verdict, Verdict::Consistent, "{report:?}");
    }
    // An unsealed video with the same black start is not deposited.
    let unsealed = record(3, 30..40);
    let report = examine(&world, &running, &unsealed, &unsealed.file).await;
    assert_eq!(report.verdict, Verdict::NotDeposited, "{report:?}");
}

#[tokio::test]
async fn many_copies_of_a_black_start_do_not_crowd_out_the_recording() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let black = segments(0..4);
    for id in 0..80 {
        running.seal(&device.record(id, &black).submissions).await;
    }
    let recording = device.record(200, &[black, segments(10..12)].concat());
    running.seal(&recording.submissions).await;
    let found = running.lookup(recording.tokens(0..6)).await;
    assert_eq!(found.len(), evidence::MAX_LOOKUP_FILES);
    assert_eq!(found[0].statements()[0], recording.submissions[0].statement);
}

#[tokio::test]
async fn a_later_copy_does_not_stand_before_the_first() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let thief = world.enrolled(&running, 9, Role::Device).await;
    let original = device.record(1, &segments(0..10));
    running.seal(&original.submissions).await;
    for id in 0..20 {
        running.seal(&thief.record(id, &segments(0..10)).submissions).await;
    }
    let found = running.lookup(original.tokens(0..10)).await;
    assert_eq!(found[0].statements()[0], original.submissions[0].statement);
}

#[tokio::test]
async fn nothing_is_found_before_it_is_published_and_nothing_without_a_match() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let recording = device.record(1, &segments(0..3));
    assert!(running.lookup(recording.tokens(0..3)).await.is_empty());
    let outcomes = running.seal(&recording.submissions[..3]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Sealed { .. })));
    // Still being recorded: what is sealed so far is an answer.
    let found = running.lookup(recording.tokens(0..3)).await;
    assert_eq!(found[0].statements().len(), 3);
    assert!(running.lookup(recording.tokens([2])).await.is_empty());
}
