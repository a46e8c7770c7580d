//! Every answer of `add-checkpoint`, from the words of C2SP `tlog-witness` and of `docs/spec/witness.md`. What must be refused first.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use jianzhen_witness::fsck::{Findings, check_state};
use tlog::add_checkpoint::MAX_ADD_CHECKPOINT_LEN;
use tlog::{
    ConsistencyProof, Hash, KeyId, KeyName, NoteSignature, SignedNote, TreeHead, leaf_hash, sign_note,
    sign_text,
};

use crate::support::{NOW, ORIGIN, TestLog, World, configured, hash, log_key, request, size};

/// The request of the specification, byte for byte.
const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

async fn assert_refused(world: &World, body: impl Into<Body>, status: u16, code: &str, case: &str) {
    let before = world.newest().await;
    let answer = world.post(body).await;
    assert_eq!(answer.status.as_u16(), status, "{case}: {}", answer.text());
    assert_eq!(answer.code(), code, "{case}");
    assert!(!answer.text().contains('\u{2014}'), "{case}: a refusal carries no signature");
    assert_eq!(world.newest().await, before, "{case}: a refusal changes nothing");
}

#[tokio::test]
async fn malformed_bodies() {
    let log = TestLog::of(20, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 10).await;
    let good = log.request(10, 20);
    let hash_line = format!("{}\n", leaf_hash(b"x").to_base64());
    let many = |count: usize| good.replacen("\n\n", &format!("\n{}\n", hash_line.repeat(count)), 1);
    let proof_lines = log.proof(10, 20).hashes().len();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("no old line", good.split_once('\n').unwrap().1.into()),
        ("capitals", good.replacen("old", "OLD", 1).into()),
        ("leading zero", good.replacen("old 10", "old 010", 1).into()),
        ("zero twice", good.replacen("old 10", "old 00", 1).into()),
        ("plus", good.replacen("old 10", "old +10", 1).into()),
        ("minus", good.replacen("old 10", "old -1", 1).into()),
        ("two spaces", good.replacen("old 10", "old  10", 1).into()),
        ("space behind", good.replacen("old 10", "old 10 ", 1).into()),
        ("hexadecimal", good.replacen("old 10", "old 0xa", 1).into()),
        ("no number", good.replacen("old 10", "old ", 1).into()),
        ("too large a number", good.replacen("old 10", "old 18446744073709551616", 1).into()),
        ("CRLF", good.replace('\n', "\r\n").into()),
        ("CR in the first line", good.replacen("old 10\n", "old 10\r\n", 1).into()),
        ("missing newline at the end", good[..good.len() - 1].into()),
        ("a byte order mark", format!("\u{feff}{good}").into()),
        ("not UTF-8", [b"old 10\n\xff".as_slice(), good.as_bytes()].concat()),
        ("a NUL", good.replacen("old 10\n", "old 10\n\0", 1).into()),
        ("no empty line", good.replacen("\n\n", "\n", 1).into()),
        ("base64 without padding", good.replacen("=\n", "\n", 1).into()),
        ("a hash that is too short", good.replacen("old 10\n", "old 10\nAAAA\n", 1).into()),
        ("64 proof lines", many(64 - proof_lines).into()),
        ("no signature", good[..good.rfind('\u{2014}').unwrap()].into()),
        ("text behind the signatures", format!("{good}more\n").into()),
        ("a size with a leading zero", good.replacen("\n20\n", "\n020\n", 1).into()),
        ("a size beyond all trees", good.replacen("\n20\n", "\n9223372036854775808\n", 1).into()),
        ("an empty origin", good.replacen(&format!("{ORIGIN}\n20"), "\n20", 1).into()),
        ("an old size that is larger", good.replacen("old 10", "old 21", 1).into()),
        ("JSON", b"{}".to_vec()),
    ];
    for (case, body) in cases {
        assert_refused(&world, body, 400, "checkpoint-malformed", case).await;
    }
    for cut in 0..good.len() {
        let answer = world.post(good.as_bytes()[..cut].to_vec()).await;
        assert_eq!(answer.status, 400, "cut at {cut}");
    }
    // 63 lines are allowed; that they prove nothing is another matter.
    assert_refused(&world, many(63 - proof_lines), 422, "not-consistent", "63 proof lines").await;
    world.add(&log, 10, 20).await;
}

#[tokio::test]
async fn bodies_that_are_too_long() {
    let log = TestLog::of(20, "a");
    let world = World::of(&log).await;
    let long = vec![b'o'; MAX_ADD_CHECKPOINT_LEN + 1];
    assert_refused(&world, long.clone(), 413, "body-too-large", "with its length").await;
    let endless = futures_util::stream::repeat_with(move || std::io::Result::Ok(long.clone()));
    assert_refused(&world, Body::from_stream(endless), 413, "body-too-large", "without its length").await;
    // As long as may be, but nonsense.
    let exactly = vec![b'o'; MAX_ADD_CHECKPOINT_LEN];
    assert_refused(&world, exactly, 400, "checkpoint-malformed", "the longest").await;
    // A checkpoint so long that there is no room for the cosignature.
    let text = format!("{}{}\n", log.note(10).text(), "x".repeat(511 * 1024 + 800));
    let note = SignedNote::parse(sign_note(&text, &log.key).unwrap().as_bytes()).unwrap();
    let body = request(0, &ConsistencyProof::empty(), &note);
    assert_refused(&world, body, 400, "checkpoint-malformed", "no room").await;
}

#[tokio::test]
async fn unknown_origins() {
    let log = TestLog::of(20, "a");
    let world = World::of(&log).await;
    assert_refused(&world, EXAMPLE, 404, "unknown-log", "the specification's example").await;
    let other = log.request(0, 10).replace(ORIGIN, "test.example/log2");
    assert_refused(&world, other, 404, "unknown-log", "a longer name").await;
    // The size is looked at before: 400 comes first.
    let reversed = EXAMPLE.replacen("old 20852014", "old 20852164", 1);
    assert_refused(&world, reversed, 400, "checkpoint-malformed", "larger old size").await;
}

#[tokio::test]
async fn signatures_that_do_not_count() {
    let log = TestLog::of(20, "a");
    let world = World::of(&log).await;
    let stranger = log_key(ORIGIN);
    let note = log.note(10);
    let by_stranger = sign_text(note.text(), &stranger).unwrap();
    let false_line = NoteSignature::new(
        log.key.verifier_key().name().clone(),
        log.key.verifier_key().id(),
        by_stranger.signature().to_vec(),
    )
    .unwrap();
    let only =
        |line: &NoteSignature| SignedNote::from_parts(note.text(), std::slice::from_ref(line)).unwrap();
    let other_tree = SignedNote::from_parts(log.note(11).text(), note.signatures()).unwrap();
    let cases = [
        ("none by a configured key", only(&by_stranger)),
        ("a configured key's name and id over nonsense", only(&false_line)),
        ("a good one and a false one of the same key", note.with_signature(&false_line).unwrap()),
        ("one twice", note.with_signature(&note.signatures()[0]).unwrap()),
        ("over another tree", other_tree),
        ("the witness's own", only(&tlog::cosignature::sign(world.witness.key(), NOW, note.text()).unwrap())),
    ];
    for (case, note) in cases {
        let body = request(0, &ConsistencyProof::empty(), &note);
        assert_refused(&world, body, 403, "not-signed", case).await;
    }
    // The specification's example, for a witness that knows the origin by another key.
    let sofa =
        World::new(&[configured(&[log_key("example.com/behind-the-sofa").verifier_key()], None)]).await;
    assert_refused(&sofa, EXAMPLE, 403, "not-signed", "the specification's example").await;
    // The key of one log does not speak for another.
    let second = log_key("test.example/second");
    let both = World::new(&[
        configured(&[log.key.verifier_key()], None),
        configured(&[second.verifier_key()], None),
    ])
    .await;
    let body = request(0, &ConsistencyProof::empty(), &log.note_by(10, &second));
    assert_refused(&both, body, 403, "not-signed", "another log's key").await;
}

#[tokio::test]
async fn a_conflict_states_the_size_and_nothing_else() {
    let log = TestLog::of(20, "a");
    let world = World::of(&log).await;
    let conflict = async |body: String, newest: &str| {
        let answer = world.post(body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.headers["content-type"], "text/x.tlog.size");
        assert_eq!(answer.text(), newest);
    };
    // Never cosigned: zero.
    conflict(log.request(5, 10), "0\n").await;
    world.add(&log, 0, 10).await;
    // What a client that knows nothing asks.
    conflict(log.request(0, 20), "10\n").await;
    for (old, new) in [(9, 20), (11, 20), (20, 20), (9, 9), (0, 0)] {
        conflict(log.request(old, new), "10\n").await;
    }
    // Signatures come first: who is nobody learns nothing of the state.
    let stranger = request(0, &ConsistencyProof::empty(), &log.note_by(10, &log_key(ORIGIN)));
    assert_refused(&world, stranger, 403, "not-signed", "a stranger").await;
}

#[tokio::test]
async fn proofs_that_do_not_lead_there() {
    let log = TestLog::of(40, "a");
    let world = World::of(&log).await;
    // From nothing, every proof is too much.
    let proof = ConsistencyProof::new(vec![leaf_hash(b"x")]).unwrap();
    assert_refused(&world, request(0, &proof, &log.note(10)), 422, "not-consistent", "old 0").await;
    world.add(&log, 0, 10).await;
    let good = log.proof(10, 40);
    let with = |hashes: Vec<Hash>| request(10, &ConsistencyProof::new(hashes).unwrap(), &log.note(40));
    let mut flipped = good.hashes().to_vec();
    flipped[1] = leaf_hash(b"other");
    let mut swapped = good.hashes().to_vec();
    swapped.swap(0, 1);
    let cases = [
        ("none", with(Vec::new())),
        ("one hash too few", with(good.hashes()[1..].to_vec())),
        ("one hash too many", with([good.hashes(), &[leaf_hash(b"x")]].concat())),
        ("an altered hash", with(flipped)),
        ("another order", with(swapped)),
        ("the proof of another size", request(10, &log.proof(10, 39), &log.note(40))),
        ("a proof for the same size", request(10, &good, &log.note(10))),
    ];
    for (case, body) in cases {
        assert_refused(&world, body, 422, "not-consistent", case).await;
    }
    assert!(world.witness.store().kept().await.unwrap().is_empty(), "a wrong proof convicts nobody");
    // A tree of no entries with a root that is not its own, signed as it is.
    let text = format!("{ORIGIN}\n0\n{}\n", leaf_hash(b"x").to_base64());
    let note = SignedNote::parse(sign_note(&text, &log.key).unwrap().as_bytes()).unwrap();
    let body = request(0, &ConsistencyProof::empty(), &note);
    let fresh = World::of(&log).await;
    assert_refused(&fresh, body.clone(), 422, "not-consistent", "the empty tree").await;
    // In its order: known origin, signature, size.
    assert_eq!(world.post(body.clone()).await.status, 409);
    assert_eq!(fresh.post(body.replacen("old 0", "old 1", 1)).await.status, 400);
    let stranger = SignedNote::parse(sign_note(&text, &log_key(ORIGIN)).unwrap().as_bytes()).unwrap();
    assert_eq!(fresh.post(request(0, &ConsistencyProof::empty(), &stranger)).await.status, 403);
    assert_eq!(fresh.post(body.replace(ORIGIN, "nobody")).await.status, 404);
}

/// Two tree heads of one size (TrustAsia 2021), and a history rewritten: refused, counted, and kept as proof.
#[tokio::test]
async fn a_log_that_contradicts_itself_is_convicted_by_its_own_signatures() {
    let log = TestLog::of(40, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 10).await;
    let fork = log.forked(4, 40, "b");
    let same_size = request(10, &ConsistencyProof::empty(), &fork.note(10));
    assert_refused(&world, same_size.clone(), 422, "not-consistent", "the same size").await;
    // Its proof is good, only not from here.
    assert_refused(&world, fork.request(10, 40), 422, "not-consistent", "rewritten").await;
    // Asked in passing, with an old size that is not ours.
    assert_eq!(world.post(log.forked(5, 10, "c").request(0, 10)).await.status, 409);
    // The same again is not kept again.
    world.post(same_size).await;
    let kept = world.witness.store().kept().await.unwrap();
    let sizes: Vec<u64> = kept.iter().map(|(_, _, found)| found.head.size.get()).collect();
    assert_eq!(sizes, [10, 40, 10]);
    for (origin, ours, found) in &kept {
        assert_eq!(origin, ORIGIN);
        for note in [ours, &found.theirs] {
            note.verify(std::slice::from_ref(log.key.verifier_key())).unwrap();
        }
    }
    let mut findings = Findings::default();
    check_state(&world.witness, &mut findings).await.unwrap();
    assert_eq!((findings.problems, findings.contradictions), (Vec::new(), 3));
    let metrics = world.get("/metrics").await;
    let label = format!("{{log=\"{ORIGIN}\"}}");
    assert!(
        metrics.text().contains(&format!("jianzhen_witness_contradictions_total{label} 4\n")),
        "{}",
        metrics.text()
    );
    assert!(metrics.text().contains(&format!("jianzhen_witness_contradictions_kept{label} 3\n")));
    // The honest history goes on. From a power of two no proof convicts; it is refused all the same.
    world.add(&log, 10, 16).await;
    assert_refused(&world, fork.request(16, 40), 422, "not-consistent", "a power of two").await;
    assert_eq!(world.witness.store().kept().await.unwrap().len(), 3);
    world.add(&log, 16, 40).await;
}

#[tokio::test]
async fn no_log_fills_the_disk_with_its_contradictions() {
    let log = TestLog::of(5, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 5).await;
    for number in 0..110 {
        let fork = log.forked(2, 5, &format!("fork {number}"));
        assert_eq!(world.post(fork.request(5, 5)).await.status, 422);
    }
    assert_eq!(world.witness.store().kept().await.unwrap().len(), 100);
}

#[tokio::test]
async fn what_continues_is_cosigned_and_shown() {
    let log = TestLog::of(600, "a");
    let world = World::of(&log).await;
    assert_eq!(world.get(&format!("/{}/checkpoint", hash())).await.status, 404);
    let mut old = 0;
    for (step, new) in [0, 1, 2, 2, 3, 255, 256, 257, 512, 600].into_iter().enumerate() {
        let now = NOW + u64::try_from(step).unwrap() * 10;
        world.clock.set(now);
        assert_eq!(world.add(&log, old, new).await, now);
        let shown = world.newest().await.unwrap();
        assert_eq!(shown.text(), log.note(new).text());
        let keys = [log.key.verifier_key().clone(), world.vkey()];
        assert_eq!(shown.verify(&keys).unwrap().len(), 2);
        old = new;
    }
    let answer = world.get(&format!("/{}/checkpoint", hash())).await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let metrics = world.get("/metrics").await;
    assert!(metrics.text().contains(&format!("jianzhen_witness_newest_size{{log=\"{ORIGIN}\"}} 600\n")));
    assert!(
        metrics
            .text()
            .contains("jianzhen_http_responses_total{route=\"/add-checkpoint\",status=\"200\"} 10\n")
    );
}

#[tokio::test]
async fn only_verified_lines_are_shown_again() {
    let log = TestLog::of(20, "a");
    let world = World::of(&log).await;
    let grease = [
        NoteSignature::new(KeyName::new("pq").unwrap(), KeyId::new(6), vec![6; 2428]).unwrap(),
        NoteSignature::new(log.key.verifier_key().name().clone(), KeyId::new(7), vec![1; 64]).unwrap(),
        // In the witness's own name.
        NoteSignature::new(world.vkey().name().clone(), world.vkey().id(), vec![1; 72]).unwrap(),
    ];
    let mut note = log.note(10);
    for line in &grease {
        note = note.with_signature(line).unwrap();
    }
    let answer = world.post(request(0, &ConsistencyProof::empty(), &note)).await;
    assert_eq!(answer.status, 200);
    world.assert_cosigned(&log.note(10), answer.text());
    assert_eq!(world.newest().await.unwrap().signatures().len(), 2);
}

#[tokio::test]
async fn keys_of_one_origin_are_one_log() {
    let mut log = TestLog::of(40, "a");
    let (old, new) = (log.key.clone(), log_key(ORIGIN));
    let world = World::new(&[configured(&[old.verifier_key(), new.verifier_key()], None)]).await;
    world.add(&log, 0, 10).await;
    // Signed by both while the key is rotated: both lines are shown.
    let both = log.note(20).with_signature(&sign_text(log.note(20).text(), &new).unwrap()).unwrap();
    let answer = world.post(request(10, &log.proof(10, 20), &both)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(world.newest().await.unwrap().signatures().len(), 3);
    // A false line of the other key refuses the note.
    let name = new.verifier_key().name().clone();
    let line = NoteSignature::new(name, new.verifier_key().id(), vec![1; 64]).unwrap();
    let half = log.note(30).with_signature(&line).unwrap();
    assert_refused(&world, request(20, &log.proof(20, 30), &half), 403, "not-signed", "half").await;
    // The new key continues where the old one was, and cannot begin anew.
    log.key = new;
    assert_eq!(world.post(log.request(0, 30)).await.status, 409);
    let fork = log.forked(3, 40, "b");
    assert_refused(&world, fork.request(20, 40), 422, "not-consistent", "a fork by the new key").await;
    world.add(&log, 20, 40).await;
}

#[tokio::test]
async fn an_origin_other_than_the_keys_name() {
    let key = log_key("a-key");
    let head = TreeHead { size: size(3), root: leaf_hash(b"root") };
    let note = tlog::Checkpoint::new("an origin with spaces", head).unwrap().sign(&key).unwrap();
    let origin = Some("an origin with spaces".to_owned());
    let log = jianzhen_witness::logs::Log::new(origin, vec![key.verifier_key().clone()], None).unwrap();
    let world = World::new(&[log]).await;
    assert_eq!(world.post(request(0, &ConsistencyProof::empty(), &note)).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_goes_back_signs_nothing_false() {
    let log = TestLog::of(40, "a");
    let world = World::of(&log).await;
    assert_eq!(world.add(&log, 0, 10).await, NOW);
    // Within what a time server corrects: the former time again.
    world.clock.set(NOW - 10);
    assert_eq!(world.add(&log, 10, 20).await, NOW);
    world.clock.set(NOW - 11);
    assert_refused(&world, log.request(20, 30), 503, "not-ready", "11 seconds").await;
    world.clock.set(0);
    assert_refused(&world, log.request(20, 30), 503, "not-ready", "1970").await;
    world.clock.set(NOW + 1);
    assert_eq!(world.add(&log, 20, 30).await, NOW + 1);
    // A first cosignature at no time at all.
    let fresh = World::of(&log).await;
    fresh.clock.set(0);
    assert_refused(&fresh, log.request(0, 30), 503, "not-ready", "no time").await;
}

#[tokio::test]
async fn a_log_that_is_looked_after_no_more_is_remembered() {
    let log = TestLog::of(40, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 10).await;
    let world = world.reopened(&[]).await;
    assert_refused(&world, log.request(10, 20), 404, "unknown-log", "removed").await;
    // Looked after again: it goes on where it was.
    let world = world.reopened(&[configured(&[log.key.verifier_key()], None)]).await;
    assert_eq!(world.post(log.request(0, 20)).await.status, 409);
    world.add(&log, 10, 20).await;
}

#[tokio::test]
async fn the_rest_of_the_surface() {
    let log = TestLog::of(10, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 10).await;
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/", 404),
        ("/add-checkpoint", 405),
        (&format!("/{}/checkpoint", hash()), 200),
        (&format!("/{}/checkpoint?x=1", hash()), 400),
        (&format!("/{}/checkpoint", hash().to_uppercase()), 404),
        (&format!("/{}/checkpoint", &hash()[1..]), 404),
        (&format!("/{}/checkpoint", "0".repeat(64)), 404),
        (&format!("/mirror/{}/checkpoint", hash()), 404),
        ("/../etc/passwd", 404),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        if status >= 400 {
            answer.code();
        }
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let request = Request::builder().method(method).uri("/add-checkpoint").body(Body::empty()).unwrap();
        assert_eq!(world.send(request).await.status, 405, "{method}");
    }
}
