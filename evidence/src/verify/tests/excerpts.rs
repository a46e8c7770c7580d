//! Excerpts: all of the file matches a part of one recording.

use super::world::{World, examine, noise, ranges, reason, video};
use crate::report::{ErrorCode, FindingName, ReasonCode, State, Verdict};
use crate::statement::Role;

#[test]
fn the_begin_of_a_recording_is_an_excerpt_and_says_of_what() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record(1, &chunks);
    let report = examine(&chunks[..3].concat(), &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Excerpt);
    assert_eq!(reason(&report, FindingName::Content), (State::Proven, ReasonCode::PartMatches));
    let facts = report.excerpt.unwrap();
    assert_eq!((facts.first_segment, facts.last_segment, facts.of), (0, 2, Some(8)));
    assert_eq!((facts.from_ms, facts.to_ms), (Some(0), Some(6000)));
    assert_eq!(report.telemetry.len(), 3);
}

#[test]
fn a_run_from_the_middle_is_an_excerpt_with_and_without_boundaries() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record(1, &chunks);
    for (first, last) in [(1, 7), (3, 5), (6, 6)] {
        let part = &chunks[first..=last];
        for boundaries in [ranges(part), Vec::new()] {
            let report = examine(
                &part.concat(),
                &boundaries,
                std::slice::from_ref(&recording.evidence),
                &world.trust(),
            );
            assert_eq!(report.verdict, Verdict::Excerpt, "{first}..={last}");
            let facts = report.excerpt.unwrap();
            assert_eq!((facts.first_segment, facts.last_segment), (first as u64, last as u64));
        }
    }
}

#[test]
fn a_recording_without_end_is_an_excerpt() {
    let mut world = World::new();
    let recording = world.record_with(1, &video(1), false, |_| {});
    let report = examine(&recording.bytes, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Excerpt);
    let facts = report.excerpt.unwrap();
    assert_eq!((facts.complete, facts.of), (false, None));
}

#[test]
fn a_file_that_goes_on_after_unfinished_evidence_is_neither_consistent_nor_inconsistent() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record_with(1, &chunks[..5], false, |_| {});
    let report = examine(
        &chunks.concat(),
        &ranges(&chunks),
        std::slice::from_ref(&recording.evidence),
        &world.trust(),
    );
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::EvidenceIncomplete)));
    // but what the evidence covers must match
    let mut bytes = chunks.concat();
    bytes[0] ^= 1;
    let report = examine(&bytes, &ranges(&chunks), &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    assert_eq!(report.mismatch_count, 1, "what follows is not called foreign: {:?}", report.mismatches);
}

#[test]
fn runs_that_leave_something_out_or_change_something_are_no_excerpts() {
    let mut world = World::new();
    let chunks = video(1);
    let recording = world.record(1, &chunks);
    let gap = [&chunks[1..3], &chunks[4..7]].concat();
    let mut altered = chunks[1..6].to_vec();
    altered[2][7] ^= 1;
    let foreign_tail = [&chunks[1..6], &[noise(5, 40)]].concat();
    let reversed: Vec<_> = chunks.iter().rev().cloned().collect();
    for parts in [gap, altered, foreign_tail, reversed] {
        let report = examine(
            &parts.concat(),
            &ranges(&parts),
            std::slice::from_ref(&recording.evidence),
            &world.trust(),
        );
        assert_eq!(report.verdict, Verdict::Inconsistent);
    }
}

#[test]
fn a_deposit_has_no_excerpts() {
    let mut world = World::new();
    let deposit = world.deposit(1, Role::Account, &noise(1, 3 << 20));
    let report = examine(&deposit.bytes[..2 << 20], &[], &[deposit.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
}

#[test]
fn an_excerpt_is_found_however_many_runs_are_as_long_as_it() {
    let mut world = World::new();
    // a header, then segments of one length, as of uncompressed sound: a run may begin with any of them
    let chunks: Vec<_> = (0..200).map(|i| noise(1000 + i, if i == 0 { 700 } else { 17_000 })).collect();
    let recording = world.record(1, &chunks);
    let part = chunks[150..180].concat();
    let report = examine(&part, &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Excerpt);
    let facts = report.excerpt.unwrap();
    assert_eq!((facts.first_segment, facts.last_segment), (150, 179));
}

#[test]
fn an_excerpt_is_found_however_often_its_first_segment_repeats() {
    let mut world = World::new();
    let silence = noise(1, 2000);
    // silence of two lengths, so that places do not coincide, and a voice at the end
    let mut chunks = vec![noise(2, 500)];
    for i in 0..100 {
        chunks.push(silence.clone());
        chunks.push(noise(3000 + i, 1500 + usize::try_from(i).unwrap()));
    }
    let recording = world.record(1, &chunks);
    let part = chunks[171..].concat();
    let report = examine(&part, &ranges(&chunks[171..]), &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Excerpt);
}

#[test]
fn evidence_made_to_be_tried_at_many_places_costs_few_readings() {
    let mut world = World::new();
    // every other piece is almost as long as the file, and with the next one exactly as long
    let length = 40_000;
    let mut chunks = Vec::new();
    for i in 0..100 {
        chunks.push(noise(i, length - 1 - usize::try_from(i).unwrap()));
        chunks.push(noise(i, 1 + usize::try_from(i).unwrap()));
    }
    let hostile = world.record(1, &chunks);
    let bytes = noise(9999, length);
    let mut examination = crate::Examination::new(
        length as u64,
        Vec::new(),
        vec![hostile.evidence],
        world.trust(),
        crate::RootsInput::default(),
    );
    let mut read = 0;
    loop {
        match examination.next() {
            crate::Step::Hash(wanted) => {
                for range in wanted {
                    read += range.length();
                    examination.hashed(range, crate::Digest::of(super::world::slice(&bytes, range)));
                }
            }
            crate::Step::Lookup(_) => panic!("evidence was supplied"),
            crate::Step::Roots(_) => panic!("nobody is to be asked"),
            crate::Step::Done => break,
        }
    }
    // its pieces, twice for its first pieces, and for the digest; no run begins there
    assert!(read <= 4 * length as u64, "{read} bytes of {length} were read");
}

#[test]
fn one_segment_is_an_excerpt_although_shorter_ones_are_as_long_together() {
    let mut world = World::new();
    let chunks = [500, 30_000, 20_000, 10_000].map(|length| noise(length, usize::try_from(length).unwrap()));
    let recording = world.record(1, &chunks);
    let report = examine(&chunks[1], &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Excerpt);
}

#[test]
fn runs_that_share_their_first_segment_share_its_reading() {
    let mut world = World::new();
    let shared = noise(1, 20_000);
    let run = |seed: u64, first: usize| [shared.clone(), noise(seed, first), noise(seed + 1, 10_000 - first)];
    let chunks =
        [vec![noise(2, 500)], run(10, 4000).into(), run(20, 3000).into(), run(30, 2000).into()].concat();
    let recording = world.record(1, &chunks);
    let report = examine(&chunks[7..].concat(), &[], &[recording.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Excerpt);
    assert_eq!(report.excerpt.map(|facts| facts.first_segment), Some(7));
}
