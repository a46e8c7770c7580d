//! Several candidates, shared contents, and candidates that somebody made up.

use super::world::{Recording, World, examine, examine_online, noise, ranges, reason, video};
use crate::examination::LookupAnswer;
use crate::report::{ErrorCode, FindingName, ReasonCode, State, Verdict};
use crate::statement::{Payload, Role, Statement};
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
    assert_eq!(report.verdict, Verdict::NotDeposited, "most of this deposit is zeros, and they match");
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
        // everything after the older copy ends is altered: that copy alone would leave it open
        let mut altered = recording.bytes.clone();
        let known = usize::try_from(recording.ranges[2].end()).unwrap();
        altered[known..].iter_mut().for_each(|byte| *byte ^= 1);
        let report = examine(&altered, &recording.ranges, &evidence, &trust);
        assert_eq!(report.verdict, Verdict::Inconsistent);
        assert_eq!(report.mismatches.len(), 5);
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

#[test]
fn bogus_evidence_does_not_end_the_search_for_an_excerpt() {
    let mut world = World::new();
    let chunks = video(1);
    let good = world.record(1, &chunks);
    let excerpt = chunks[3..6].concat();
    // made up to match the whole file by ranges that tell nothing about those of the true recording
    let fake = bogus(std::slice::from_ref(&excerpt));
    // an excerpt of made-up evidence, likewise
    let longer = bogus(&[excerpt.clone(), noise(5, 100)]);
    for served in [found(&[&good, &fake]), found(&[&fake, &good]), found(&[&longer, &good])] {
        let report = examine_online(&excerpt, &[], &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Excerpt);
        assert_eq!(report.excerpt.map(|facts| (facts.first_segment, facts.last_segment)), Some((3, 5)));
    }
}

#[test]
fn the_half_that_a_short_recording_shares_with_a_video_accuses_nobody() {
    let mut world = World::new();
    // somebody pressed the button by mistake: a black second or three, and one of something else
    let blacks: Vec<_> = (0..4).map(black).collect();
    let other = [blacks.clone(), vec![noise(5, 90_000)]].concat();
    for chunks in [blacks[..1].to_vec(), blacks.clone(), [blacks, vec![noise(6, 3000)]].concat()] {
        for end in [true, false] {
            let sealed = world.record_with(1, &chunks, end, |_| {});
            let report = examine_online(&other.concat(), &ranges(&other), &found(&[&sealed]), &world.trust());
            assert_eq!(report.verdict, Verdict::NotDeposited, "{} segments", chunks.len());
            let own = examine_online(&sealed.bytes, &sealed.ranges, &found(&[&sealed]), &world.trust());
            assert_eq!(own.verdict, if end { Verdict::Consistent } else { Verdict::Excerpt });
        }
    }
}

#[test]
fn many_short_segments_identify_together_unless_they_repeat() {
    let mut world = World::new();
    let short: Vec<_> = (0..20).map(|i| noise(300 + i, 3000)).collect();
    let sealed = world.record(1, &short);
    let served = found(&[&sealed]);
    let with_other = |count: usize| {
        let others = (0..count as u64).map(|i| noise(600 + i, 3000));
        let parts: Vec<_> = short[..20 - count].iter().cloned().chain(others).collect();
        examine_online(&parts.concat(), &ranges(&parts), &served, &world.trust()).verdict
    };
    assert_eq!(with_other(10), Verdict::Inconsistent);
    assert_eq!(with_other(11), Verdict::NotDeposited);
    // silence that repeats is no sign of one recording rather than another
    let silent: Vec<_> = (0..20).map(|i| if i < 15 { black(0) } else { noise(700 + i, 3000) }).collect();
    let sealed = world.record(2, &silent);
    let other: Vec<_> = (0..20).map(|i| if i < 15 { black(0) } else { noise(800 + i, 3000) }).collect();
    let report = examine_online(&other.concat(), &ranges(&other), &found(&[&sealed]), &world.trust());
    assert_eq!(report.verdict, Verdict::NotDeposited);
}

#[test]
fn an_excerpt_of_short_segments_is_recognised_from_16_kib_on() {
    let mut world = World::new();
    let short: Vec<_> = (0..20).map(|i| noise(300 + i, 3000)).collect();
    let served = found(&[&world.record(1, &short)]);
    for (run, verdict) in [(2..7, Verdict::NotDeposited), (2..8, Verdict::Excerpt)] {
        let report = examine_online(&short[run].concat(), &[], &served, &world.trust());
        assert_eq!(report.verdict, verdict);
    }
}

#[test]
fn an_excerpt_of_two_recordings_is_told_as_the_one_of_complete_evidence() {
    let mut world = World::new();
    let chunks = video(1);
    let unfinished = world.record_with(1, &chunks[..6], false, |_| {});
    let complete = world.record(2, &chunks[..5]);
    let file = chunks[..4].concat();
    for served in [found(&[&unfinished, &complete]), found(&[&complete, &unfinished])] {
        let report = examine_online(&file, &[], &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Excerpt);
        assert_eq!(report.excerpt.unwrap().of, Some(5), "complete before longer");
    }
    // of two alike the longer one, of two of one length the one that was sealed first
    let longer = world.record(3, &chunks[..6]);
    let later = world.record(4, &chunks[..6]);
    for served in [found(&[&complete, &longer, &later]), found(&[&later, &longer, &complete])] {
        let report = examine_online(&file, &[], &served, &world.trust());
        assert_eq!(report.excerpt.unwrap().of, Some(6));
        assert_eq!(report.subject.unwrap().key, longer.evidence.first().kid());
    }
}

#[test]
fn an_excerpt_of_made_up_evidence_yields_to_one_that_holds() {
    let mut world = World::new();
    let chunks = video(1);
    let good = world.record(1, &chunks);
    // longer than the true recording, so that it would come first if it held
    let fake = bogus(&[chunks.clone(), video(2)].concat());
    let file = chunks[..6].concat();
    for served in [found(&[&good, &fake]), found(&[&fake, &good])] {
        let report = examine_online(&file, &[], &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Excerpt);
        assert_eq!(report.excerpt.unwrap().of, Some(8));
    }
}

#[test]
fn copies_of_one_recording_do_not_make_its_segments_common() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record(1, &chunks);
    let copy = recording.evidence.clone().without_disclosures();
    let montage = [noise(7, 40_000), chunks[5].clone(), noise(8, 30_000)];
    let evidence = [recording.evidence, copy];
    let report = examine(&montage.concat(), &ranges(&montage), &evidence, &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
}

#[test]
fn recordings_without_a_segment_are_about_no_file() {
    let mut world = World::new();
    let bytes = noise(9, 50_000);
    for end in [true, false] {
        let empty = world.record_with(1, &[], end, |_| {});
        assert_eq!(empty.evidence.statements().len(), 1 + usize::from(end));
        let report = examine(&bytes, &[], std::slice::from_ref(&empty.evidence), &world.trust());
        assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherFile)));
    }
    // a device that claims the file in the end alone
    let claimed = world.record_with(2, &[], true, |payload| {
        if let Payload::End(end) = payload {
            end.total_length = 50_000;
        }
    });
    let report = examine(&bytes, &[], std::slice::from_ref(&claimed.evidence), &world.trust());
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherFile)));
}

/// One device signs two versions of a recording, and the chain holds both.
fn two_versions(world: &mut World) -> [Recording; 2] {
    let key = crate::DeviceKey::from_seed([1; 32]);
    let enrolment = world.enrol(&key, Role::Device);
    let chunks = video(1);
    let mut second = chunks.clone();
    second[5][0] ^= 1;
    let id = crate::RecordingId::from_bytes([9; 16]);
    let at = crate::UnixMillis::saturating(world.clock * 1000);
    [chunks, second].map(|chunks| {
        // both begin with the same statements
        world.record_as(&key, &enrolment, &chunks, true, |payload| match payload {
            Payload::Start(one) => {
                one.recording = id;
                one.capture_begin = at;
            }
            Payload::Segment(one) => {
                one.recording = id;
                one.capture_begin = at;
                one.capture_end = at;
            }
            Payload::End(one) => one.recording = id,
            _ => {}
        })
    })
}

#[test]
fn two_versions_of_one_recording_contradict_each_other() {
    let mut world = World::new();
    let versions = two_versions(&mut world);
    let evidence = versions.clone().map(|version| version.evidence);
    for (at, version) in versions.iter().enumerate() {
        let trust = world.trust();
        let alone = examine(&version.bytes, &version.ranges, &evidence[at..=at], &trust);
        assert_eq!(alone.verdict, Verdict::Consistent, "nobody can know of the other one");
        for both in [evidence.clone(), [evidence[1].clone(), evidence[0].clone()]] {
            let report = examine(&version.bytes, &version.ranges, &both, &trust);
            assert_eq!(report.verdict, Verdict::EvidenceInvalid);
            assert_eq!(reason(&report, FindingName::Continuity), (State::Failed, ReasonCode::Conflict));
        }
    }
}

#[test]
fn a_made_up_second_version_frames_nobody() {
    let mut world = World::new();
    let [good, other] = two_versions(&mut world);
    let key = crate::DeviceKey::from_seed([1; 32]);
    let stranger = crate::DeviceKey::from_seed([7; 32]);
    // signed by the device, but the chain does not hold it
    let mut unsealed = other.evidence.clone();
    unsealed.receipts = good.evidence.receipts.clone();
    // the chain holds it, but the device has not signed the part that differs
    let mut unsigned = other.evidence.clone();
    let forged = Statement::sign(unsigned.statements[6].payload(), &stranger).unwrap();
    unsigned.statements[6] = forged;
    // signed, but what the chain holds does not follow from it
    let mut unlinked = other.evidence.clone();
    let Payload::Segment(mut segment) = unlinked.statements[6].payload().clone() else { panic!() };
    segment.capture_end = crate::UnixMillis::saturating(0);
    unlinked.statements[6] = Statement::sign(&Payload::Segment(segment), &key).unwrap();
    // an earlier copy of the evidence, which says the same
    let mut earlier = good.evidence.clone();
    earlier.statements.truncate(4);
    earlier.receipts = vec![good.receipt(&world, 0), good.receipt(&world, 3)];
    // a copy from which a statement was taken out, so that the next one stands in its place; the receipts fit
    let mut shifted = good.evidence.clone();
    shifted.statements.remove(6);
    let (last, place, receipt) = shifted.receipts.pop().unwrap();
    shifted.receipts.push((crate::Sequence::new(last.get() - 1), place, receipt));
    for rival in [unsealed, unsigned, unlinked, earlier, shifted] {
        let report = examine(&good.bytes, &good.ranges, &[good.evidence.clone(), rival], &world.trust());
        assert_eq!(report.verdict, Verdict::Consistent);
    }
}

#[test]
fn a_clip_that_was_deposited_is_consistent_although_it_is_an_excerpt_as_well() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record(1, &chunks);
    let clip = chunks[..3].concat();
    let deposit = world.deposit(2, Role::Account, &clip);
    for served in [found(&[&recording, &deposit]), found(&[&deposit, &recording])] {
        let report = examine_online(&clip, &[], &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Consistent);
    }
}

#[test]
fn of_two_recordings_the_one_that_matches_more_bytes_decides() {
    let mut world = World::new();
    let (first, second) = (video(1), video(2));
    let recordings = [world.record(1, &first), world.record(2, &second)];
    let served = found(&[&recordings[0], &recordings[1]]);
    for (more, other) in [(0, &first), (1, &second)] {
        let own = if more == 0 { &second } else { &first };
        let mixed = [&other[..6], &own[6..7]].concat();
        let report = examine_online(&mixed.concat(), &ranges(&mixed), &served, &world.trust());
        assert_eq!(report.verdict, Verdict::Inconsistent);
        assert_eq!(report.subject.unwrap().key, recordings[more].evidence.first().kid());
    }
}

#[test]
fn half_is_half_of_the_segments_and_half_of_the_bytes() {
    let mut world = World::new();
    let many = |seed: u64, count: u64, length| (0..count).map(move |i| noise(seed + i, length));
    // ten short segments and a long one; two of some length and ten tiny ones
    let short: Vec<_> = many(100, 10, 3000).chain([noise(1, 90_000)]).collect();
    let few: Vec<_> = many(200, 2, 15_000).chain(many(300, 10, 100)).collect();
    for (chunks, shared) in [(short, 10), (few, 2)] {
        let sealed = world.record(1, &chunks);
        let others = chunks[shared..].iter().zip(900..).map(|(chunk, seed)| noise(seed, chunk.len()));
        let file: Vec<_> = chunks[..shared].iter().cloned().chain(others).collect();
        let report = examine_online(&file.concat(), &ranges(&file), &found(&[&sealed]), &world.trust());
        assert_eq!(report.verdict, Verdict::NotDeposited);
    }
}

#[test]
fn what_was_read_to_find_evidence_identifies_nothing() {
    let mut world = World::new();
    let chunks = [noise(1, 500), noise(2, 1 << 20), noise(3, 20_000)];
    let sealed = world.record(1, &chunks);
    // a segment of 1 MiB stands where a block is read for the lookup, and nobody reads with the evidence at hand
    let file = [chunks[1].clone(), noise(4, 30_000)].concat();
    let online = examine_online(&file, &[], &found(&[&sealed]), &world.trust());
    assert_eq!(online.verdict, Verdict::NotDeposited);
    let offline = examine(&file, &[], &[sealed.evidence], &world.trust());
    assert_eq!(offline.reason, Some(ErrorCode::OtherFile));
}
