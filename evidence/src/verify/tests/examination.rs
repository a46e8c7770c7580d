//! The driver: what it asks for, in which order, and what it does with odd answers.

use std::collections::BTreeSet;

use super::world::{World, drive, noise, ranges, slice, video};
use crate::examination::{Examination, LookupAnswer, Step};
use crate::report::{ErrorCode, Verdict};
use crate::statement::Role;
use crate::{ByteRange, Digest, Token};

fn answer(examination: &mut Examination, bytes: &[u8], wanted: &[ByteRange]) {
    for range in wanted.iter().rev() {
        examination.hashed(*range, Digest::of(slice(bytes, *range)));
    }
}

#[test]
fn the_lookup_carries_tokens_of_head_fragments_and_blocks_and_nothing_else() {
    let world = World::new();
    let chunks = video(1);
    let bytes = chunks.concat();
    let mut examination = Examination::new(
        bytes.len() as u64,
        ranges(&chunks),
        Vec::new(),
        world.trust(),
        crate::RootsInput::default(),
    );
    let Step::Hash(wanted) = examination.next() else { panic!("nothing to hash") };
    answer(&mut examination, &bytes, &wanted);
    let Step::Lookup(request) = examination.next() else { panic!("no lookup") };
    let mut expected = BTreeSet::from([Token::head(&Digest::of(&bytes[..65_536]))]);
    expected.extend(chunks.iter().map(|chunk| Token::segment(&Digest::of(chunk))));
    expected.insert(Token::segment(&Digest::of(&bytes)));
    assert_eq!(request.tokens().iter().copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(examination.next(), Step::Lookup(request), "asking again changes nothing");
}

#[test]
fn a_long_file_is_probed_in_bounded_work_from_begin_to_end() {
    let world = World::new();
    let length = 6 << 30;
    let fragments: Vec<_> =
        (0..6000).map(|i| ByteRange::new(i << 20, if i % 2 == 0 { 1 << 20 } else { 900 }).unwrap()).collect();
    let mut examination =
        Examination::new(length, fragments.clone(), Vec::new(), world.trust(), crate::RootsInput::default());
    let Step::Hash(wanted) = examination.next() else { panic!("nothing to hash") };
    assert!(wanted.len() <= 64 + 32 + 1);
    assert!(wanted.contains(&fragments[0]));
    assert!(wanted.contains(&fragments[5998]), "the last long one");
    assert!(wanted.iter().all(|range| range.length() > 900), "long fragments suffice");
    let mut blind =
        Examination::new(length, Vec::new(), Vec::new(), world.trust(), crate::RootsInput::default());
    let Step::Hash(wanted) = blind.next() else { panic!("nothing to hash") };
    assert_eq!(wanted.len(), 65);
}

#[test]
fn a_deposited_video_with_fragments_of_its_own_is_found_by_its_blocks() {
    let mut world = World::new();
    let chunks: Vec<_> = (0..90).map(|i| noise(900 + i, 50_000)).collect();
    let bytes = chunks.concat();
    let deposit = world.deposit(1, Role::Account, &bytes);
    let tokens: BTreeSet<_> = deposit.evidence.blocks().iter().map(Token::segment).collect();
    let mut examination = Examination::new(
        bytes.len() as u64,
        ranges(&chunks),
        Vec::new(),
        world.trust(),
        crate::RootsInput::default(),
    );
    let Step::Hash(wanted) = examination.next() else { panic!("nothing to hash") };
    answer(&mut examination, &bytes, &wanted);
    let Step::Lookup(request) = examination.next() else { panic!("no lookup") };
    assert!(tokens.is_subset(&request.tokens().iter().copied().collect()));
}

#[test]
fn an_unaltered_file_is_hashed_once() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let mut examination = Examination::new(
        recording.bytes.len() as u64,
        recording.ranges.clone(),
        vec![recording.evidence.clone()],
        world.trust(),
        crate::RootsInput::default(),
    );
    let Step::Hash(wanted) = examination.next() else { panic!("nothing to hash") };
    assert_eq!(wanted, recording.ranges);
    answer(&mut examination, &recording.bytes, &wanted);
    assert_eq!(examination.next(), Step::Done);
}

#[test]
fn half_the_answers_leave_the_other_half_wanted() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let mut examination = Examination::new(
        recording.bytes.len() as u64,
        Vec::new(),
        vec![recording.evidence],
        world.trust(),
        crate::RootsInput::default(),
    );
    let Step::Hash(wanted) = examination.next() else { panic!("nothing to hash") };
    answer(&mut examination, &recording.bytes, &wanted[..4]);
    assert_eq!(examination.next(), Step::Hash(wanted[4..].to_vec()));
    let early = examination.report();
    assert_eq!((early.verdict, early.reason), (Verdict::NotCompleted, Some(ErrorCode::Cancelled)));
}

#[test]
fn a_range_that_reads_differently_the_second_time_has_changed() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let examination = Examination::new(
        recording.bytes.len() as u64,
        Vec::new(),
        vec![recording.evidence],
        world.trust(),
        crate::RootsInput::default(),
    );
    let mut done = drive(examination, &recording.bytes, &LookupAnswer::NoServer);
    assert_eq!(done.report().verdict, Verdict::Consistent);
    done.hashed(recording.ranges[3], Digest::of(b"later"));
    let report = done.report();
    assert_eq!(
        (report.verdict, report.reason),
        (Verdict::NotCompleted, Some(ErrorCode::ChangedWhileReading))
    );
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_heard() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let bytes = noise(9, 1000);
    let mut examination =
        Examination::new(1000, Vec::new(), Vec::new(), world.trust(), crate::RootsInput::default());
    examination.looked_up(LookupAnswer::Found(vec![recording.evidence]));
    let report = drive(examination, &bytes, &LookupAnswer::NoServer).report();
    assert_eq!(report.reason, Some(ErrorCode::NoServer));
}

#[test]
fn boundaries_beyond_the_file_are_never_asked_for() {
    let world = World::new();
    let outside = vec![ByteRange::new(500, 501).unwrap(), ByteRange::new(5000, 1).unwrap()];
    let mut examination =
        Examination::new(1000, outside, Vec::new(), world.trust(), crate::RootsInput::default());
    let Step::Hash(wanted) = examination.next() else { panic!("nothing to hash") };
    assert_eq!(wanted, [ByteRange::new(0, 1000).unwrap()]);
}

#[test]
fn failing_says_why_and_proves_nothing() {
    let world = World::new();
    let examination =
        Examination::new(1000, Vec::new(), Vec::new(), world.trust(), crate::RootsInput::default());
    for code in ErrorCode::ALL {
        let report = examination.failed(*code);
        assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(*code)));
    }
}

#[test]
fn an_excerpt_from_the_begin_and_a_deposit_are_read_once() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let bytes = noise(1, (2 << 20) + 70_000);
    let deposit = world.deposit(2, Role::Account, &bytes);
    let prefix = ranges(&video(1))[4].end();
    // the deposit without its first block: its other two are together as long as that
    let files = [
        (recording.bytes[..usize::try_from(prefix).unwrap()].to_vec(), recording.evidence),
        (bytes[1 << 20..].to_vec(), deposit.evidence),
    ];
    for (file, evidence) in files {
        let length = file.len() as u64;
        // a boundary that no evidence knows
        let boundaries = vec![ByteRange::new(1, length - 1).unwrap()];
        let mut examination =
            Examination::new(length, boundaries, vec![evidence], world.trust(), crate::RootsInput::default());
        let mut steps = 0;
        while let Step::Hash(wanted) = examination.next() {
            steps += 1;
            assert!(wanted.iter().all(|range| range.offset() != 1), "{wanted:?}");
            answer(&mut examination, &file, &wanted);
        }
        assert_eq!((examination.next(), steps), (Step::Done, 1));
    }
}
