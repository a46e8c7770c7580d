//! A test for every row of the verdict table.

use super::world::{World, examine, examine_online, noise, reason, slice, video};
use crate::examination::LookupAnswer;
use crate::report::{ErrorCode, FindingName, MismatchKind, ReasonCode, Report, State, Verdict};
use crate::statement::Role;
use crate::verify::{Input, LookupOutcome, Observation, verify};
use crate::{Disclosure, Position};

fn places(report: &Report) -> Vec<(Option<u64>, MismatchKind)> {
    report.mismatches.iter().map(|mismatch| (mismatch.segment, mismatch.kind)).collect()
}

#[test]
fn consistent_recording() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let report = examine(&recording.bytes, &recording.ranges, &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
    assert_eq!(reason(&report, FindingName::Content), (State::Proven, ReasonCode::AllMatch));
    assert_eq!(reason(&report, FindingName::Roots), (State::NotChecked, ReasonCode::Unwitnessed));
    assert_eq!(reason(&report, FindingName::SealingDelay), (State::NotChecked, ReasonCode::Unwitnessed));
    assert_eq!(reason(&report, FindingName::PreCapture), (State::Proven, ReasonCode::Reported));
    assert_eq!(
        reason(&report, FindingName::DeviceEnrolment),
        (State::Proven, ReasonCode::EnrolledNoSnapshot)
    );
    let subject = report.subject.unwrap();
    assert_eq!(subject.segments, 8);
    assert_eq!(subject.signer.unwrap().registrar, "registrar.example");
    assert_eq!(report.telemetry.len(), 8);
    assert_eq!(report.chain.unwrap().proven_sealing_time, None);
}

#[test]
fn consistent_with_a_quorum_proves_the_sealing_time() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let report = examine(&recording.bytes, &recording.ranges, &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
    assert_eq!(reason(&report, FindingName::Checkpoint), (State::Proven, ReasonCode::Cosigned));
    assert_eq!(reason(&report, FindingName::Roots), (State::NotChecked, ReasonCode::Offline));
    assert_eq!(reason(&report, FindingName::SealingDelay), (State::Proven, ReasonCode::Measured));
    let chain = report.chain.unwrap();
    assert_eq!(chain.witnesses.len(), 1);
    assert_eq!(chain.proven_sealing_time.map(crate::UnixSeconds::get), Some(world.clock + 5));
    // the longest: from the begin of capture, which start states
    let subject = report.subject.unwrap();
    let proven = i64::try_from((world.clock + 5) * 1000).unwrap();
    let begun = i64::try_from(subject.capture_begin.unwrap().get()).unwrap();
    assert_eq!(subject.sealing_delay_ms, Some(proven - begun));
}

#[test]
fn consistent_deposit() {
    let mut world = World::new();
    for (seed, role, length) in
        [(1, Role::Account, 3_500_000), (2, Role::Device, 10), (3, Role::Device, 1 << 20)]
    {
        let deposit = world.deposit(seed, role, &noise(u64::from(seed), length));
        let report = examine(&deposit.bytes, &[], &[deposit.evidence], &world.trust());
        assert_eq!(report.verdict, Verdict::Consistent, "{length} bytes");
        assert_eq!(reason(&report, FindingName::PreCapture), (State::NotChecked, ReasonCode::NotApplicable));
    }
}

#[test]
fn consistent_by_lookup_gives_the_same_report_as_with_the_evidence_at_hand() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let offline = examine(
        &recording.bytes,
        &recording.ranges,
        std::slice::from_ref(&recording.evidence),
        &world.trust(),
    );
    let served = LookupAnswer::Found(vec![recording.evidence]);
    let online = examine_online(&recording.bytes, &recording.ranges, &served, &world.trust());
    assert_eq!(offline, online);
}

#[test]
fn one_flipped_bit_is_inconsistent_wherever_it_is() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let places_to_flip = [(0, 0), (1, 0), (3, 500), (7, 0)];
    for (segment, within) in places_to_flip {
        let mut bytes = recording.bytes.clone();
        let range = recording.ranges[segment];
        bytes[usize::try_from(range.offset()).unwrap() + within] ^= 0x10;
        let report =
            examine(&bytes, &recording.ranges, std::slice::from_ref(&recording.evidence), &world.trust());
        assert_eq!(report.verdict, Verdict::Inconsistent);
        assert_eq!(reason(&report, FindingName::Content), (State::Failed, ReasonCode::Differs));
        assert_eq!(places(&report), [(Some(segment as u64), MismatchKind::Altered)]);
        let mismatch = &report.mismatches[0];
        assert_eq!((mismatch.offset, mismatch.length), (range.offset(), range.length()));
        assert_eq!(mismatch.from_ms, Some(2000 * segment as u64));
        assert_eq!(mismatch.to_ms, Some(2000 * (segment as u64 + 1)));
        // without the container's boundaries, too
        let blind = examine(&bytes, &[], std::slice::from_ref(&recording.evidence), &world.trust());
        assert_eq!(blind, report);
    }
}

#[test]
fn one_flipped_bit_of_a_deposit_is_inconsistent() {
    let mut world = World::new();
    let deposit = world.deposit(1, Role::Account, &noise(1, 3_500_000));
    for place in [0, 1 << 20, 3_499_999] {
        let mut bytes = deposit.bytes.clone();
        bytes[place] ^= 1;
        let report = examine(&bytes, &[], std::slice::from_ref(&deposit.evidence), &world.trust());
        assert_eq!(report.verdict, Verdict::Inconsistent);
        assert_eq!(places(&report), [(Some(place as u64 >> 20), MismatchKind::Altered)]);
    }
}

#[test]
fn cut_off_within_a_segment_is_inconsistent() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let bytes = &recording.bytes[..recording.bytes.len() - 30_000];
    let report = examine(bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    assert_eq!(places(&report), [(Some(6), MismatchKind::Missing), (Some(7), MismatchKind::Missing)]);
}

#[test]
fn appended_bytes_are_foreign() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let mut bytes = recording.bytes.clone();
    bytes.push(0);
    let report = examine(&bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    assert_eq!(places(&report), [(None, MismatchKind::Foreign)]);
    assert_eq!((report.mismatches[0].offset, report.mismatches[0].length), (bytes.len() as u64 - 1, 1));
}

#[test]
fn swapped_segments_are_moved() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record(1, &chunks);
    let mut swapped = chunks;
    swapped.swap(2, 5);
    let report =
        examine(&swapped.concat(), &super::world::ranges(&swapped), &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    let moved = places(&report);
    assert!(
        moved.iter().all(|(segment, kind)| segment.is_some() && *kind == MismatchKind::Moved),
        "{moved:?}"
    );
    // those between are shifted, because the swapped ones have different lengths
    assert_eq!(moved.len(), 4);
    assert_eq!(report.mismatches[0].found_at, Some(super::world::ranges(&swapped)[5].offset()));
}

#[test]
fn a_segment_cut_out_is_missing_and_the_rest_moved() {
    let mut world = World::new();
    let mut chunks = video(1);
    let recording = world.record(1, &chunks);
    chunks.remove(4);
    let boundaries = super::world::ranges(&chunks);
    let report = examine(&chunks.concat(), &boundaries, &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    assert_eq!(
        places(&report),
        [
            (Some(4), MismatchKind::Missing),
            (Some(5), MismatchKind::Moved),
            (Some(6), MismatchKind::Moved),
            (Some(7), MismatchKind::Moved),
        ]
    );
}

#[test]
fn a_segment_put_in_is_foreign() {
    let mut world = World::new();
    let mut chunks = video(1);
    let recording = world.record(1, &chunks);
    chunks.insert(3, noise(77, 30_000));
    let boundaries = super::world::ranges(&chunks);
    let report = examine(&chunks.concat(), &boundaries, &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    let foreign: Vec<_> =
        report.mismatches.iter().filter(|mismatch| mismatch.kind == MismatchKind::Foreign).collect();
    assert_eq!(foreign.len(), 1);
    assert_eq!((foreign[0].offset, foreign[0].length), (boundaries[3].offset(), 30_000));
    assert_eq!(places(&report).iter().filter(|(_, kind)| *kind == MismatchKind::Moved).count(), 5);
}

#[test]
fn not_deposited_names_the_digest_of_the_file() {
    let world = World::new();
    let bytes = noise(9, 100_000);
    let report = examine_online(&bytes, &[], &LookupAnswer::Found(Vec::new()), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
    assert_eq!(report.file.sha256, Some(crate::Digest::of(&bytes)));
}

#[test]
fn not_completed_without_an_answer() {
    let world = World::new();
    let bytes = noise(9, 100_000);
    for (answer, code) in [
        (LookupAnswer::NoAnswer, ErrorCode::NoAnswer),
        (LookupAnswer::Nonsense, ErrorCode::ServerNonsense),
        (LookupAnswer::NoServer, ErrorCode::NoServer),
    ] {
        let report = examine_online(&bytes, &[], &answer, &world.trust());
        assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(code)));
    }
}

#[test]
fn not_completed_for_an_empty_file() {
    let world = World::new();
    let report = examine(&[], &[], &[], &world.trust());
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::EmptyFile)));
}

#[test]
fn evidence_for_another_file_completes_nothing() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let bytes = noise(9, 100_000);
    let report = examine(&bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherFile)));
    assert_eq!(report.file.sha256, Some(crate::Digest::of(&bytes)));
}

#[test]
fn evidence_from_another_chain_completes_nothing() {
    let mut other = World::of_operator(2);
    let recording = other.record(1, &video(1));
    let trust = World::new().trust();
    let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust);
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherChain)));
    // altered, it is neither inconsistent
    let mut bytes = recording.bytes.clone();
    bytes[0] ^= 1;
    let report = examine(&bytes, &[], &[recording.evidence], &trust);
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherChain)));
}

#[test]
fn evidence_that_does_not_hold_is_invalid_even_if_every_byte_matches() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    recording.evidence.receipts.pop();
    let report = examine(&recording.bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::EvidenceInvalid);
    assert_eq!(reason(&report, FindingName::Inclusion), (State::Failed, ReasonCode::ReceiptMissing));
    assert!(report.telemetry.is_empty());
}

#[test]
fn what_was_not_read_neither_matches_nor_differs() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let pieces = |except: usize| {
        let read = recording.ranges.iter().enumerate().filter(|(place, _)| *place != except);
        read.map(|(_, range)| (*range, crate::Digest::of(slice(&recording.bytes, *range)))).collect()
    };
    let mut observation =
        Observation { length: recording.bytes.len() as u64, pieces: pieces(3), ..Observation::default() };
    let judge = |observation: &Observation, evidence: &crate::EvidenceFile| {
        verify(&Input {
            candidates: std::slice::from_ref(evidence),
            trust: &world.trust(),
            observation,
            lookup: LookupOutcome::NotAsked,
            roots: &[],
        })
    };
    let report = judge(&observation, &recording.evidence);
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::Unreadable)));
    // evidence that does not hold is invalid all the same, but nothing is said about the content
    recording.evidence.receipts.pop();
    let report = judge(&observation, &recording.evidence);
    assert_eq!(report.verdict, Verdict::EvidenceInvalid);
    assert_eq!(reason(&report, FindingName::Content), (State::NotChecked, ReasonCode::NotReached));
    // what is said to stand behind the end of the file stands nowhere
    let beyond = crate::ByteRange::new(observation.length, recording.ranges[3].length()).unwrap();
    let digest = crate::Digest::of(slice(&recording.bytes, recording.ranges[3]));
    observation.pieces = std::collections::BTreeMap::from([(beyond, digest)]);
    let report = judge(&observation, &recording.evidence);
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherFile)));
}

#[test]
fn a_device_that_checked_nothing_before_capture_is_not_said_to_have_checked() {
    let mut world = World::new();
    let recording = world.record_with(1, &video(1), true, |payload| {
        if let crate::Payload::Start(start) = payload {
            start.self_check = crate::statement::SelfCheck::default();
        }
    });
    let report = examine(&recording.bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
    assert_eq!(reason(&report, FindingName::PreCapture), (State::NotChecked, ReasonCode::NotReported));
}

#[test]
fn a_place_that_another_segment_claims_is_not_where_one_went() {
    let mut world = World::new();
    let mut chunks = video(1);
    chunks[5] = chunks[1].clone();
    let recording = world.record(1, &chunks);
    chunks[5][0] ^= 1;
    let boundaries = super::world::ranges(&chunks);
    let report = examine(&chunks.concat(), &boundaries, &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    assert_eq!(places(&report), [(Some(5), MismatchKind::Altered)]);
}

#[test]
fn what_was_disclosed_about_the_whole_is_told() {
    let mut world = World::new();
    let here = Position { latitude_e7: 1, longitude_e7: 2, accuracy_cm: None };
    let position = Disclosure::position([1; 16], &here).unwrap();
    let mut recording = world.record_with(1, &video(1), true, |payload| {
        if let crate::Payload::Start(start) = payload {
            start.position = Some(position.commitment());
        }
    });
    recording.evidence.disclosures = vec![(crate::Sequence::START, position)];
    let report = examine(&recording.bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.subject.unwrap().position, Some(here));
    let depositor = Disclosure::depositor([2; 16], "某人").unwrap();
    let mut deposit = world.deposit_with(2, Role::Account, &noise(1, 100), |deposit| {
        deposit.depositor = Some(depositor.commitment());
    });
    deposit.evidence.disclosures = vec![(crate::Sequence::START, depositor)];
    let report = examine(&deposit.bytes, &[], &[deposit.evidence], &world.trust());
    assert_eq!(report.subject.unwrap().depositor.as_deref(), Some("某人"));
}
