//! A service that is away, wrong, or lying: the recording goes on, nothing leaves the spool without a receipt that
//! verifies, and an honest service gets everything afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod support;

use std::io::Write;

use evidence::report::ErrorCode;
use evidence::{Payload, Verdict};
use support::notary::{Mood, Notary};
use support::recorder::{ALARM, Recorder, WAITING, examine, said, sample};
use support::{history, wait_for};

const LIVE: &str = "h264-aac-live.mp4";

/// Records in `mood`, expects that nothing left the spool and that `sentence` is said, then flushes honestly.
fn survives(mood: Mood, sentence: &str) {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    assert_eq!(recorder.flush().status.code(), Some(0), "learns its enrolment");
    notary.mood(mood.clone());
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(WAITING), "{mood:?}: {}", said(&output));
    assert!(said(&output).contains(sentence), "{mood:?}: {}", said(&output));
    assert_eq!(std::fs::read(recorder.path("video.mp4")).unwrap(), std::fs::read(sample(LIVE)).unwrap());
    assert!(!recorder.path("video.mp4.evidence").exists());
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(WAITING), "{mood:?}: {}", said(&flushed));
    assert_eq!(recorder.spooled().len(), 1, "{mood:?}");

    notary.mood(Mood::Honest);
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(0), "{mood:?}: {}", said(&flushed));
    assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent, "{mood:?}");
    assert!(recorder.spooled().is_empty());
    history::check(&notary, Some(1));
}

#[test]
fn a_service_that_is_away() {
    survives(Mood::Away, "did not answer");
}

#[test]
fn a_service_under_overload() {
    survives(Mood::Overloaded, "overloaded");
}

#[test]
fn a_login_page_instead_of_a_service() {
    survives(Mood::Portal, "text/html");
}

#[test]
fn random_bytes_instead_of_an_answer() {
    survives(Mood::Garbage, "nonsense");
}

#[test]
fn another_number_of_outcomes_than_of_statements() {
    survives(Mood::TooFew, "outcomes");
}

#[test]
fn a_service_that_refuses() {
    survives(Mood::Refusing, "key-revoked");
}

/// What was sealed before the refusal is evidence, and says so; it gives way to the whole once that is sealed after all.
#[test]
fn a_key_that_is_revoked_in_mid_recording_leaves_evidence_of_what_was_sealed() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    // The enrolment, `start` and two segments.
    notary.mood(Mood::RevokedAfter(4));
    let output = recorder.record(&sample("patrol.mp4"), "video.mp4");
    assert_eq!(output.status.code(), Some(WAITING), "{}", said(&output));
    let sentence = "refuses the rest of video.mp4 for good: Revoked (key-revoked). Its first 2 segments";
    assert!(said(&output).contains(sentence), "{}", said(&output));
    assert!(!said(&output).contains("Run `jianzhen-recorder flush` later"), "{}", said(&output));

    let evidence = recorder.evidence("video.mp4");
    assert_eq!(evidence.statements().len(), 3);
    let Payload::Segment(last) = evidence.statements()[2].payload() else { panic!() };
    let sealed = usize::try_from(last.range.end()).unwrap();
    assert!(said(&output).contains(&format!("{sealed} bytes")), "{}", said(&output));
    let bytes = std::fs::read(recorder.path("video.mp4")).unwrap();
    let trust = notary.trust();
    assert_eq!(examine(&bytes[..sealed], evidence.clone(), &trust).verdict, Verdict::Excerpt);
    // The rest is not called altered.
    let whole = examine(&bytes, evidence, &trust);
    assert_eq!((whole.verdict, whole.reason), (Verdict::NotCompleted, Some(ErrorCode::EvidenceIncomplete)));

    // Asked again, the same answer; somebody else's file in its place is kept.
    let before = std::fs::read(recorder.path("video.mp4.evidence")).unwrap();
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(WAITING), "{}", said(&flushed));
    assert_eq!(std::fs::read(recorder.path("video.mp4.evidence")).unwrap(), before);
    std::fs::write(recorder.path("video.mp4.evidence"), b"mine").unwrap();
    let flushed = recorder.flush();
    assert!(said(&flushed).contains("is not evidence of this recording"), "{}", said(&flushed));
    assert_eq!(std::fs::read(recorder.path("video.mp4.evidence")).unwrap(), b"mine");
    std::fs::write(recorder.path("video.mp4.evidence"), before).unwrap();

    notary.mood(Mood::Honest);
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(0), "{}", said(&flushed));
    assert_eq!(recorder.verify("video.mp4", &trust).verdict, Verdict::Consistent);
    assert!(recorder.spooled().is_empty());
}

#[test]
fn receipts_by_a_forged_log_key() {
    survives(Mood::ForgedKey, "does not verify");
}

#[test]
fn receipts_for_another_statement() {
    survives(Mood::OtherStatement, "does not verify");
}

#[test]
fn receipts_for_another_place() {
    survives(Mood::OtherIndex, "at index");
}

#[test]
fn receipts_for_another_sealing_time() {
    survives(Mood::OtherTime, "does not verify");
}

#[test]
fn receipts_that_are_none() {
    survives(Mood::NoReceipt, "does not verify");
}

#[test]
fn a_pending_statement_is_asked_for_again() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    notary.mood(Mood::PendingFirst);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

#[test]
fn two_histories_of_one_size_are_noticed() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    recorder.flush();
    notary.mood(Mood::Split);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(ALARM), "{}", said(&output));
    assert!(said(&output).contains("ALARM: the notary chain has two histories"), "{}", said(&output));
    assert_eq!(recorder.spooled().len(), 1);
}

/// The medium fails under an old recording while a new one is live.
#[test]
fn a_spool_that_cannot_be_read_any_more_holds_no_live_recording_up() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    recorder.flush();
    notary.mood(Mood::Away);
    recorder.record(&sample(LIVE), "one.mp4");
    let journal = recorder.spooled()[0].join("statements");
    let bytes = std::fs::read(sample("patrol.mp4")).unwrap();
    let mut child = recorder.piped("two.mp4");
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..200_000]).unwrap();
    wait_for(|| recorder.spooled().len() == 2);
    std::fs::File::options().write(true).open(&journal).unwrap().set_len(0).unwrap();
    notary.mood(Mood::Honest);
    wait_for(|| notary.sealed() >= 3);
    input.write_all(&bytes[200_000..]).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(WAITING), "{}", said(&output));
    assert!(said(&output).contains("Cannot read"), "{}", said(&output));
    assert_eq!(recorder.verify("two.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

#[test]
fn a_damaged_spool_is_left_alone_and_holds_nothing_else_up() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    recorder.flush();
    notary.mood(Mood::Away);
    recorder.record(&sample(LIVE), "one.mp4");
    let journal = recorder.spooled()[0].join("statements");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    notary.mood(Mood::Honest);
    let output = recorder.record(&sample(LIVE), "two.mp4");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("is damaged at byte 0"), "{}", said(&output));
    assert_eq!(std::fs::read(&journal).unwrap(), bytes, "evidence of damage is not touched");
    assert_eq!(recorder.verify("two.mp4", &notary.trust()).verdict, Verdict::Consistent);
}
