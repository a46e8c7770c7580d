//! A chain that is not what it was: the recording goes on, what is sealed on another history is not accepted, and the proof is
//! kept.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod support;

use std::path::PathBuf;

use evidence::{Digest, Payload, Verdict};
use support::notary::{LOG_KEY, Mood, Notary, ORIGIN, signing_key};
use support::recorder::{ALARM, Recorder, WAITING, said, sample};
use tlog::{Checkpoint, SignedNote};

const LIVE: &str = "h264-aac-live.mp4";

fn pin(recorder: &Recorder) -> PathBuf {
    let slot = evidence::pin_slot(signing_key(ORIGIN, LOG_KEY).verifier_key());
    recorder.path("device/pins").join(Digest::of(slot.as_bytes()).to_string())
}

fn pinned_size(recorder: &Recorder) -> u64 {
    let note = SignedNote::parse(&std::fs::read(pin(recorder)).unwrap()).unwrap();
    Checkpoint::unverified(&note).unwrap().head().size.get()
}

fn alarms(recorder: &Recorder) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(recorder.path("device/alarms")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn status(recorder: &Recorder) -> (Option<i32>, serde_json::Value) {
    let output = recorder.run(&["status", "--data", &recorder.data(), "--json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// A recorder that has sealed one recording, on a chain with somebody else's entry at index 1.
fn seasoned(notary: &Notary) -> Recorder {
    let recorder = Recorder::enrolled(notary);
    notary.seal_another(9);
    let output = recorder.record(&sample(LIVE), "before.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    recorder
}

fn is_whole(recorder: &Recorder, name: &str) {
    assert_eq!(std::fs::read(recorder.path(name)).unwrap(), std::fs::read(sample(LIVE)).unwrap());
}

#[test]
fn a_forked_history_is_not_accepted_and_the_proof_is_kept() {
    let notary = Notary::start();
    let recorder = seasoned(&notary);
    assert_eq!(status(&recorder).0, Some(0));
    let before = std::fs::read(pin(&recorder)).unwrap();

    notary.mood(Mood::Forked);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(ALARM), "{}", said(&output));
    assert!(said(&output).contains("ALARM: the notary chain has two histories"), "{}", said(&output));
    is_whole(&recorder, "video.mp4");
    assert!(!recorder.path("video.mp4.evidence").exists());
    assert_eq!(recorder.spooled().len(), 1, "nothing left the spool");
    assert_eq!(std::fs::read(pin(&recorder)).unwrap(), before, "what was remembered stays");

    // Both notes are signed by the log, and cannot both be true.
    let (code, said) = status(&recorder);
    assert_eq!(code, Some(ALARM));
    assert_eq!(said["alarms"][0]["kind"], "forked");
    let trust = notary.trust();
    let [ours, theirs] = ["ours", "theirs"].map(|which| {
        let path = said["alarms"][0][which].as_str().unwrap().to_owned();
        let note = SignedNote::parse(&std::fs::read(path).unwrap()).unwrap();
        trust.logs()[0].policy.verify_checkpoint(&note).unwrap().head()
    });
    assert_ne!(ours, theirs);

    // The operator repents: everything is sealed, and the proof stays until a person takes it away.
    notary.mood(Mood::Honest);
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(0), "{}", support::recorder::said(&flushed));
    assert_eq!(recorder.verify("video.mp4", &trust).verdict, Verdict::Consistent);
    let heads: Vec<u64> = recorder.evidence("video.mp4").statements().iter().filter_map(stated).collect();
    assert!(heads.iter().all(|size| *size < 8), "no root of the fork was signed as seen: {heads:?}");
    assert_eq!(status(&recorder).0, Some(ALARM));
    std::fs::remove_dir_all(recorder.path("device/alarms")).unwrap();
    assert_eq!(status(&recorder).0, Some(0));
}

/// Size of the newest chain that a statement says its signer has seen.
fn stated(statement: &evidence::Statement) -> Option<u64> {
    match statement.payload() {
        Payload::Start(start) => start.chain_head.map(|head| head.size),
        Payload::Segment(segment) => segment.chain_head.map(|head| head.size),
        _ => None,
    }
}

#[test]
fn a_chain_that_was_set_back_keeps_the_spool_and_convicts_itself_when_it_grows() {
    let notary = Notary::start();
    let recorder = seasoned(&notary);
    let pinned = pinned_size(&recorder);
    let copy = notary.copy();

    notary.roll_back(1);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(WAITING), "{}", said(&output));
    assert!(said(&output).contains("did not show that its chain"), "{}", said(&output));
    assert!(said(&output).contains("old state of the notary chain"), "{}", said(&output));
    is_whole(&recorder, "video.mp4");
    assert_eq!(recorder.spooled().len(), 1);
    assert_eq!(pinned_size(&recorder), pinned);
    assert!(alarms(&recorder).is_empty(), "nothing is proven yet");

    for seed in 10..20 {
        notary.seal_another(seed);
    }
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(ALARM), "{}", said(&flushed));
    assert_eq!(recorder.spooled().len(), 1);
    assert!(!alarms(&recorder).is_empty());

    notary.restore(copy);
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(0), "{}", said(&flushed));
    assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

#[test]
fn a_tree_that_is_not_shown_to_continue_the_pinned_one_is_neither_stated_nor_let_in() {
    for mood in [Mood::NoTiles, Mood::WrongTiles] {
        proves_nothing(mood);
    }
}

fn proves_nothing(mood: Mood) {
    let notary = Notary::start();
    let recorder = seasoned(&notary);
    let pinned = pinned_size(&recorder);
    notary.mood(mood);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(WAITING), "{}", said(&output));
    assert!(said(&output).contains("did not show that its chain"), "{}", said(&output));
    assert_eq!(pinned_size(&recorder), pinned);
    assert!(alarms(&recorder).is_empty());

    notary.mood(Mood::Honest);
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(0), "{}", said(&flushed));
    let heads: Vec<u64> = recorder.evidence("video.mp4").statements().iter().filter_map(stated).collect();
    assert_eq!(heads, [pinned], "the largest tree known to be one with all before");
    assert!(pinned_size(&recorder) > pinned);
}

#[test]
fn an_old_published_checkpoint_is_said_and_hinders_nothing() {
    let notary = Notary::start();
    let recorder = seasoned(&notary);
    notary.mood(Mood::OldCheckpoint);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("old state of the notary chain"), "{}", said(&output));
    assert!(alarms(&recorder).is_empty());
    assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

/// The service shows this device one history, and the witness has cosigned another.
#[test]
fn a_witness_that_has_seen_another_history_raises_the_alarm() {
    let notary = Notary::start();
    notary.seal_another(8);
    notary.seal_another(9);
    notary.witness(Some(notary.cosigned(true)));
    let recorder = Recorder::enrolled(&notary);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(ALARM), "{}", said(&output));
    assert!(said(&output).contains("the witness w1 shows"), "{}", said(&output));
    assert_eq!(alarms(&recorder).len(), 2);
    is_whole(&recorder, "video.mp4");
    assert!(recorder.path("video.mp4.evidence").exists(), "what the device was shown hangs together");
}

#[test]
fn an_honest_witness_a_silent_one_and_one_that_talks_nonsense_are_no_alarm() {
    for note in [Some(None), Some(Some(b"nonsense".to_vec())), None] {
        let notary = Notary::start();
        notary.seal_another(8);
        notary.witness(note.unwrap_or_else(|| Some(notary.cosigned(false))));
        let recorder = Recorder::enrolled(&notary);
        let output = recorder.record(&sample(LIVE), "video.mp4");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(!said(&output).contains("ALARM"), "{}", said(&output));
        assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent);
    }
}

#[test]
fn a_pin_that_is_none_is_replaced_and_one_that_cannot_be_kept_stops_nobody() {
    let notary = Notary::start();
    let recorder = seasoned(&notary);
    std::fs::write(pin(&recorder), b"garbage").unwrap();
    let output = recorder.record(&sample(LIVE), "one.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(pinned_size(&recorder) > 2);

    std::fs::remove_dir_all(recorder.path("device/pins")).unwrap();
    std::fs::write(recorder.path("device/pins"), b"in the way").unwrap();
    let output = recorder.record(&sample(LIVE), "two.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("Cannot read"), "{}", said(&output));
    assert_eq!(recorder.verify("two.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

#[test]
fn a_pin_of_a_chain_that_nobody_trusts_any_more_counts_for_nothing() {
    let notary = Notary::start();
    let recorder = seasoned(&notary);
    // The same name, another key: not the pinned chain, and no fork of it.
    let other = Notary::with_log_key(7);
    other.enrol(&recorder.public_key());
    std::fs::write(recorder.path("trust.json"), other.trust().bytes()).unwrap();
    let recorder = Recorder { url: other.url.clone(), ..recorder };
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(alarms(&recorder).is_empty());
    assert_eq!(recorder.verify("video.mp4", &other.trust()).verdict, Verdict::Consistent);
}
