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
