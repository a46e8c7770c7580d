//! Packing: what a builder puts into an evidence file, and what a lookup answers.

use super::world::{Recording, World, examine, noise, video};
use crate::commitment::{Disclosure, Position};
use crate::evidence_file::{BuildError, EvidenceFile, EvidenceFileBuilder, EvidenceFileError};
use crate::lookup::{LookupError, LookupResponse, MAX_LOOKUP_FILES};
use crate::report::Verdict;
use crate::statement::{Payload, Role};
use crate::{DeviceKey, Sequence};

const HERE: Position = Position { latitude_e7: 1, longitude_e7: 2, accuracy_cm: None };

fn long_recording(world: &mut World) -> Recording {
    let chunks: Vec<_> = (0..40).map(|i| noise(300 + i, 100)).collect();
    world.record(1, &chunks)
}

#[test]
fn receipts_of_first_and_last_and_one_for_every_thirty_seconds() {
    let mut world = World::new();
    let recording = long_recording(&mut world);
    // 40 segments of 2 s: captured at 30 and 60 s are segments 15 and 30; `end` is 41
    let sequences: Vec<_> = recording.evidence.receipts().iter().map(|(at, _, _)| at.get()).collect();
    assert_eq!(sequences, [0, 15, 30, 41]);
}

#[test]
fn parts_that_are_missing_make_no_evidence_file() {
    let mut world = World::new();
    let recording = long_recording(&mut world);
    let sealed = recording.sealed.clone();
    assert_eq!(EvidenceFileBuilder::new(Vec::new()).unwrap_err(), BuildError::Empty);
    let builder = || EvidenceFileBuilder::new(sealed.clone()).unwrap();
    assert_eq!(builder().build(), Err(BuildError::ReceiptMissing(Sequence::START)));
    let mut with_receipts = builder();
    for (sequence, _, receipt) in recording.evidence.receipts() {
        with_receipts = with_receipts.receipt(*sequence, receipt.clone());
    }
    assert_eq!(with_receipts.build(), Err(BuildError::EnrolmentMissing));
    let deposit = world.deposit(2, Role::Account, &noise(2, 2_000_000));
    let builder = EvidenceFileBuilder::new(deposit.sealed).unwrap();
    let deposit = deposit.evidence;
    let (enrolment, receipt) = deposit.registry()[0].clone();
    let builder =
        builder.receipt(Sequence::START, deposit.receipts()[0].2.clone()).registry(enrolment, receipt);
    let error = builder.blocks(deposit.blocks()[1..].to_vec()).build();
    assert_eq!(error, Err(BuildError::Blocks(EvidenceFileError::Blocks { found: 1, expected: 2 })));
}

#[test]
fn the_registry_is_put_in_order() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let snapshot = world.snapshot(Vec::new());
    let revocation = world.revoke(DeviceKey::from_seed([1; 32]).digest(), world.clock + 100);
    let mut builder = EvidenceFileBuilder::new(recording.sealed.clone()).unwrap();
    for (sequence, _, receipt) in recording.evidence.receipts() {
        builder = builder.receipt(*sequence, receipt.clone());
    }
    for sealed in [revocation, snapshot, recording.evidence.registry()[0].0.clone()] {
        let receipt = world.receipt(&sealed);
        builder = builder.registry(sealed, receipt);
    }
    let kinds: Vec<_> = builder
        .build()
        .unwrap()
        .registry()
        .iter()
        .map(|(sealed, _)| sealed.statement.kind().name())
        .collect();
    assert_eq!(kinds, ["enrol", "registry", "revoke"]);
}

#[test]
fn disclosures_are_told_only_where_they_open_the_commitment() {
    let mut world = World::new();
    let chunks = video(1);
    let committed = Disclosure::position([1; 16], &HERE).unwrap();
    let mut recording = world.record_with(1, &chunks, true, |payload| {
        if let Payload::Segment(segment) = payload {
            segment.position = Some(committed.commitment());
        }
    });
    let elsewhere = Position { latitude_e7: 3, ..HERE };
    recording.evidence.disclosures = vec![
        // start commits to nothing
        (Sequence::START, committed.clone()),
        (Sequence::new(2), committed.clone()),
        (Sequence::new(3), Disclosure::position([1; 16], &elsewhere).unwrap()),
        (Sequence::new(4), Disclosure::position([2; 16], &HERE).unwrap()),
        (Sequence::new(5), Disclosure::depositor([1; 16], "x").unwrap()),
        (Sequence::new(99), committed),
    ];
    let evidence = EvidenceFile::parse(&recording.evidence.encode()).unwrap();
    let report = examine(&recording.bytes, &[], std::slice::from_ref(&evidence), &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
    assert_eq!(report.subject.unwrap().position, None);
    let told: Vec<_> = report.telemetry.iter().map(|segment| segment.position).collect();
    assert_eq!(told.iter().flatten().count(), 1);
    assert_eq!(told[1], Some(HERE));
    assert!(evidence.without_disclosures().disclosures().is_empty());
}

#[test]
fn answers_survive_and_keep_to_their_limits() {
    let mut world = World::new();
    let files: Vec<_> =
        (1..=10).map(|seed| world.record(seed, &[noise(u64::from(seed), 50)]).evidence).collect();
    let answer = LookupResponse { files: files.clone() };
    let parsed = LookupResponse::parse(&answer.encode()).unwrap();
    assert_eq!(parsed.files, files[..MAX_LOOKUP_FILES], "the best matches come first and stay");
    let none = LookupResponse { files: Vec::new() };
    assert_eq!(LookupResponse::parse(&none.encode()), Ok(none));
    let mut damaged = answer.encode();
    let last = damaged.len() - 1;
    damaged.truncate(last);
    assert!(matches!(LookupResponse::parse(&damaged), Err(LookupError::Malformed(_))));
    // a string of one byte is no evidence file
    assert!(matches!(
        LookupResponse::parse(&[0x81, 0x41, 0x00]),
        Err(LookupError::Evidence { index: 0, source: EvidenceFileError::Magic })
    ));
    // the head spelled in two bytes
    assert_eq!(LookupResponse::parse(&[0x98, 0x00]), Err(LookupError::NotDeterministic));
}
