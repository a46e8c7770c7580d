//! Several candidates, shared contents, and candidates that somebody made up.

use super::world::{Recording, World, examine, examine_online, noise, ranges, reason, video};
use crate::examination::LookupAnswer;
use crate::report::{ErrorCode, FindingName, ReasonCode, State, Verdict};
use crate::statement::{Payload, Role};
use crate::{Digest, EvidenceFile};

/// A black second: shorter than what identifies, equal in every video of one encoder.
fn black(i: u64) -> Vec<u8> {
    noise(1_000_000 + i, 3000)
}

fn with_black_start(seed: u64) -> Vec<Vec<u8>> {
    (0..4).map(black).chain(video(seed)).collect()
}

/// The same bytes, evidence of a device that a rogue registrar has enrolled.
fn bogus(bytes: &[Vec<u8>]) -> Recording {
    let mut rogue = World::new();
    rogue.registrar = crate::DeviceKey::from_seed([99; 32]);
    rogue.record(66, bytes)
}

fn found(evidence: &[&Recording]) -> LookupAnswer {
    LookupAnswer::Found(evidence.iter().map(|one| one.evidence.clone()).collect())
}

#[test]
fn an_unsealed_video_that_shares_a_black_start_is_not_deposited() {
    let mut world = World::new();
    let sealed = world.record(1, &with_black_start(1));
    let other = with_black_start(2);
    let report = examine_online(&other.concat(), &ranges(&other), &found(&[&sealed]), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
    // also if black is most of it, by number
    let mostly_black: Vec<_> = (0..4).map(black).chain([noise(5, 50_000)]).collect();
    let report =
        examine_online(&mostly_black.concat(), &ranges(&mostly_black), &found(&[&sealed]), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
}

#[test]
fn two_recordings_that_share_a_black_start_are_not_mistaken_for_one_another() {
    let mut world = World::new();
    let (first, second) = (with_black_start(1), with_black_start(2));
    let recordings = [world.record(1, &first), world.record(2, &second)];
    for order in [[0, 1], [1, 0]] {
        let served = found(&[&recordings[order[0]], &recordings[order[1]]]);
        for recording in &recordings {
            let report = examine_online(&recording.bytes, &recording.ranges, &served, &world.trust());
            assert_eq!(report.verdict, Verdict::Consistent);
            let id = recording.evidence.first().payload().recording();
            assert_eq!(Some(report.subject.unwrap().id), id);
            let mut altered = recording.bytes.clone();
            altered[50_000] ^= 1;
            let report = examine_online(&altered, &recording.ranges, &served, &world.trust());
            assert_eq!(report.verdict, Verdict::Inconsistent);
            assert_eq!(Some(report.subject.unwrap().id), id);
        }
    }
}

#[test]
fn long_contents_that_two_recordings_share_identify_neither() {
    let mut world = World::new();
    let intro = noise(500, 60_000);
    let make = |seed| [vec![intro.clone()], video(seed)].concat();
    let recordings = [world.record(1, &make(1)), world.record(2, &make(2))];
    let third = make(3);
    let served = found(&[&recordings[0], &recordings[1]]);
    let report = examine_online(&third.concat(), &ranges(&third), &served, &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
}

#[test]
fn the_excerpt_that_two_recordings_share_is_of_neither() {
    let mut world = World::new();
    let intro = noise(500, 60_000);
    let make = |seed| [vec![intro.clone()], video(seed)].concat();
    let recordings = [world.record(1, &make(1)), world.record(2, &make(2))];
    let served = found(&[&recordings[0], &recordings[1]]);
    let report = examine_online(&intro, &[], &served, &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
}

#[test]
fn zero_blocks_identify_nothing() {
    let mut world = World::new();
    let mut bytes = noise(1, 1 << 20);
    bytes.extend(vec![0; 4 << 20]);
    let deposit = world.deposit(1, Role::Account, &bytes);
    let zeros = vec![0; 5 << 20];
    let report = examine_online(&zeros, &[], &found(&[&deposit]), &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent, "most of this deposit is zeros, and they match");
    let mut sparse = noise(2, 3 << 20);
    sparse.extend(vec![0; 1 << 20]);
    let report = examine_online(&sparse, &[], &found(&[&deposit]), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
    let all_zero = world.deposit(2, Role::Account, &vec![0; 3 << 20]);
    let report = examine_online(&vec![0; 3 << 20], &[], &found(&[&all_zero]), &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent, "a whole match is a match");
}

#[test]
fn a_short_trailer_identifies_nothing() {
    let mut world = World::new();
    let trailer = noise(3, 120);
    let sealed = world.record(1, &[noise(1, 90_000), trailer.clone()]);
    // equal length, equal trailer at its place: half of the segments, almost none of the bytes
    let other = [noise(2, 90_000), trailer];
    let report = examine_online(&other.concat(), &ranges(&other), &found(&[&sealed]), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
}

#[test]
fn one_distinctive_segment_elsewhere_identifies() {
    let mut world = World::new();
    let chunks = video(1);
    let sealed = world.record(1, &chunks);
    let montage = [noise(7, 40_000), chunks[5].clone(), noise(8, 30_000)];
    let report = examine_online(&montage.concat(), &ranges(&montage), &found(&[&sealed]), &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    let moved = report.mismatches.iter().find(|mismatch| mismatch.segment == Some(5)).unwrap();
    assert_eq!(moved.found_at, Some(40_000));
}

#[test]
fn bogus_evidence_hides_no_good_evidence() {
    let mut world = World::new();
    let chunks = video(1);
    let good = world.record(1, &chunks);
    let fake = bogus(&chunks);
    for served in [found(&[&good, &fake]), found(&[&fake, &good])] {
        let report = examine_online(&good.bytes, &good.ranges, &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Consistent);
        assert_eq!(reason(&report, FindingName::DeviceEnrolment).0, State::Proven);
        // nor does it hide that something was altered
        let mut altered = good.bytes.clone();
        altered[0] ^= 1;
        let report = examine_online(&altered, &good.ranges, &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Inconsistent);
        // nor an excerpt
        let report = examine_online(&chunks[..4].concat(), &good.ranges, &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Excerpt);
    }
}

#[test]
fn bogus_evidence_makes_no_distinctive_piece_common() {
    let mut world = World::new();
    let chunks = video(1);
    let good = world.record(1, &chunks);
    // a made-up recording that claims the one piece by which the file below is recognised, and much else
    let fake = bogus(&[vec![chunks[5].clone()], video(50), video(51)].concat());
    let montage = [noise(7, 40_000), chunks[5].clone(), noise(8, 30_000)];
    for served in [found(&[&good, &fake]), found(&[&fake, &good])] {
        let report = examine_online(&montage.concat(), &ranges(&montage), &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Inconsistent);
        assert_eq!(report.subject.unwrap().segments, 8);
    }
    // a true one makes it common
    let other = world.record(9, &[vec![chunks[5].clone()], video(50), video(51)].concat());
    let report =
        examine_online(&montage.concat(), &ranges(&montage), &found(&[&good, &other]), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
}

#[test]
fn bogus_evidence_never_makes_an_altered_file_pass() {
    let mut world = World::new();
    let mut chunks = video(1);
    let good = world.record(1, &chunks);
    chunks[2][0] ^= 1;
    let fake = bogus(&chunks);
    for served in [found(&[&good, &fake]), found(&[&fake, &good]), found(&[&fake])] {
        let report = examine_online(&chunks.concat(), &good.ranges, &served, &world.trust());
        assert_eq!(report.verdict, Verdict::EvidenceInvalid, "it matches the made-up evidence best");
        assert_eq!(
            reason(&report, FindingName::DeviceEnrolment),
            (State::Failed, ReasonCode::RegistrarUnknown)
        );
    }
}

#[test]
fn evidence_of_another_chain_never_makes_an_altered_file_pass() {
    let mut world = World::new();
    let mut chunks = video(1);
    let good = world.record(1, &chunks);
    chunks[2][0] ^= 1;
    let foreign = World::of_operator(7).record(1, &chunks);
    for served in [found(&[&good, &foreign]), found(&[&foreign, &good])] {
        let report = examine_online(&chunks.concat(), &good.ranges, &served, &world.trust());
        assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherChain)));
    }
}

#[test]
fn the_same_recording_twice_is_one_recording() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let mut older: EvidenceFile = recording.evidence.clone();
    older.statements.truncate(4);
    older.receipts.truncate(1);
    older.receipts.push(recording.receipt(&world, 3));
    for evidence in [[recording.evidence.clone(), older.clone()], [older, recording.evidence.clone()]] {
        let trust = world.trust();
        let report = examine(&recording.bytes, &recording.ranges, &evidence, &trust);
        assert_eq!(report.verdict, Verdict::Consistent);
        let mut altered = recording.bytes.clone();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        let report = examine(&altered, &recording.ranges, &evidence, &trust);
        assert_eq!(report.verdict, Verdict::Inconsistent);
        assert_eq!(report.mismatches.len(), 1);
        assert_eq!(report.mismatches[0].segment, Some(7));
    }
}

#[test]
fn a_file_deposited_twice_is_consistent_with_the_earlier_deposit() {
    let mut world = World::new();
    let bytes = noise(1, 2_500_000);
    let first = world.deposit(1, Role::Account, &bytes);
    let second = world.deposit(2, Role::Account, &bytes);
    for served in [found(&[&first, &second]), found(&[&second, &first])] {
        let report = examine_online(&bytes, &[], &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Consistent);
        assert_eq!(Some(report.subject.unwrap().id), first.evidence.first().payload().recording());
        let mut altered = bytes.clone();
        altered[9] ^= 1;
        let report = examine_online(&altered, &[], &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Inconsistent);
    }
}

#[test]
fn evidence_that_claims_one_digest_everywhere_costs_one_reading() {
    let mut world = World::new();
    let chunks = video(1);
    // every segment claims all of the file: 8 overlapping ranges
    let all = Digest::of(&chunks.concat());
    let length = chunks.concat().len() as u64;
    let hostile = world.record_with(1, &chunks, true, |payload| {
        if let Payload::Segment(segment) = payload {
            segment.range = crate::ByteRange::new(0, length).unwrap();
            segment.digest = all;
        }
    });
    let layout = crate::verify::layout::Layout::of(&hostile.evidence);
    assert_eq!(layout.pieces.len(), 1);
    let report = examine(&chunks.concat(), &[], &[hostile.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::EvidenceInvalid);
    assert_eq!(reason(&report, FindingName::Continuity), (State::Failed, ReasonCode::SegmentsNotTiled));
}
