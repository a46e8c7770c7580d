//! The way back into files whose structure is damaged, and what a hostile file can make it cost.

use std::ops::Range;

use crate::common::*;
use media::cut::MAX_STRUCTURE_LEN;
use media::{Boundaries, MAX_SEGMENTS, Purpose};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

/// What a run gave, and what it cost.
struct Run {
    ranges: Vec<Range<u64>>,
    read: u64,
    reads: u64,
}

impl Run {
    fn has(&self, range: &Range<u64>) -> bool {
        self.ranges.contains(range)
    }
}

/// Runs over a file of this length whose bytes `fill` writes, and checks what holds for every file.
fn run(total: u64, mut fill: impl FnMut(u64, &mut [u8])) -> Run {
    let (mut boundaries, mut bytes) = (Boundaries::new(total), Vec::new());
    let (mut read, mut reads, mut understood) = (0, 0, 0);
    while let Some(wanted) = boundaries.next_read() {
        assert!(wanted.start < wanted.end && wanted.end <= total, "{wanted:?}");
        let len = wanted.end - wanted.start;
        assert!(len <= MAX_STRUCTURE_LEN);
        bytes.clear();
        bytes.resize(usize::try_from(len).expect("small"), 0);
        fill(wanted.start, &mut bytes);
        boundaries.supply(wanted.start, &bytes).expect("as asked");
        (read, reads) = (read + len, reads + 1);
        let now = boundaries.understood();
        assert!(now >= understood && now <= total, "progress goes forward");
        assert_eq!(now == total, boundaries.next_read().is_none(), "and ends with the reading");
        understood = now;
    }
    // One undamaged walk reads no byte more than twice.
    assert!(read <= 2 * total + Boundaries::allowance(total), "{read} of {total}");
    let ranges = boundaries.finish();
    assert!(ranges.iter().all(|range| range.start < range.end && range.end <= total), "{ranges:?}");
    assert!(ranges.is_sorted_by_key(|range| range.start));
    let mut at = 0;
    for range in &ranges {
        assert!(range.start <= at, "no byte lies between ranges: {ranges:?}");
        at = at.max(range.end);
    }
    assert!(at == total || ranges.is_empty());
    Run { ranges, read, reads }
}

fn of(file: &[u8]) -> Run {
    run(file.len() as u64, |at, bytes| {
        let at = usize::try_from(at).expect("small");
        bytes.copy_from_slice(&file[at..at + bytes.len()]);
    })
}

fn segments(file: &[u8]) -> Vec<Range<u64>> {
    let outcome = stream(file, Purpose::Verify, []);
    outcome.segments().iter().map(|segment| segment.offset..segment.end()).collect()
}

/// Positions of a box type at the top level.
fn boxes(file: &[u8]) -> Vec<(usize, [u8; 4])> {
    let (mut at, mut found) = (0, Vec::new());
    while at < file.len() {
        let word = |at: usize| *file[at..].first_chunk::<4>().expect("whole");
        found.push((at, word(at + 4)));
        at += u32::from_be_bytes(word(at)) as usize;
    }
    found
}

#[test]
fn an_undamaged_file_is_read_as_by_a_scanner() {
    for file in ALL {
        let (outcome, read) = scan(file, Purpose::Verify);
        if outcome.ending.is_ok() {
            let run = of(file);
            assert_eq!(run.ranges, segments(file));
            assert_eq!(run.read, read);
        } else {
            assert!(of(file).ranges.is_empty());
        }
    }
}

/// A real header and fragments of different content.
fn video(fragments: u8, media_len: usize) -> Vec<u8> {
    let fragment = |n: u8| {
        let len = u32::try_from(media_len).expect("small");
        let data = i32::try_from(moof(0, 1, 0, 0).len() + 8).expect("small");
        [moof(u64::from(n) * 100, 1, len, data), bx(b"mdat", &vec![n; media_len])].concat()
    };
    [header(), (1..=fragments).flat_map(fragment).collect(), bx(b"mfra", &[0; 40])].concat()
}

/// Every byte of every header of a top-level box is altered, one at a time: all segments after the one that holds it
/// are found again. Only a trailer right after it may be lost: it has no `moof` to be found by. A size that happens to
/// lead to another box, be it inside a `moof`, shows no damage and is passed over.
fn every_header_byte(file: &[u8]) {
    let whole = segments(file);
    let trailer = boxes(file).iter().find(|(_, kind)| kind == b"mfra").map(|(at, _)| *at as u64);
    for (at, kind) in boxes(file) {
        for byte in at..at + 8 {
            for value in [!file[byte], file[byte] ^ 1, file[byte] ^ 0x80, 0, 1, 0xff] {
                if value == file[byte] {
                    continue;
                }
                let mut damaged = file.to_vec();
                damaged[byte] = value;
                let size = damaged[at..].first_chunk().map_or(0, |size| u32::from_be_bytes(*size)) as usize;
                let next_kind = file.get(at + size + 4..).and_then(<[u8]>::first_chunk::<4>);
                if byte < at + 4
                    && size > 0
                    && next_kind.is_some_and(|kind| kind.iter().all(u8::is_ascii_lowercase))
                {
                    continue;
                }
                let run = of(&damaged);
                let damaged = whole.iter().find(|segment| segment.contains(&(byte as u64)));
                let next = damaged.map(|damaged| damaged.end).filter(|next| Some(*next) == trailer);
                let after = whole.iter().filter(|segment| segment.start > byte as u64);
                let after = after.filter(|segment| Some(segment.start) != next);
                let before = whole.iter().filter(|segment| segment.end <= at as u64);
                for segment in before.chain(after) {
                    assert!(
                        run.has(segment),
                        "byte {byte} in {:?} at {at} set to {value}: {segment:?} is not among {:?}",
                        kind.escape_ascii().to_string(),
                        run.ranges
                    );
                }
            }
        }
    }
}

#[test]
fn every_header_byte_of_real_files() {
    for file in [LIVE, DEFAULT_BASE, PER_FRAME, H265, VP9, AV1, AUDIO] {
        every_header_byte(file);
    }
}

#[test]
fn every_header_byte_of_longer_fragments() {
    every_header_byte(&video(6, 300));
    every_header_byte(&video(5, 70_000));
}

#[test]
fn boxes_before_a_fragment_are_lost_to_the_first_one_found_only() {
    let prft = bx(b"prft", &[7; 30]);
    let mut file = header();
    for fragment in boxes(&video(4, 300)).windows(2).filter(|pair| pair[0].1 == *b"moof") {
        let (moof, mdat) = (fragment[0].0, fragment[1].0);
        file.extend([&prft, &video(4, 300)[moof..mdat + 308]].concat());
    }
    let whole = segments(&file);
    assert_eq!(whole.len(), 4);
    let mdat = usize::try_from(whole[0].end).expect("small") - 308;
    file[mdat] = 0xff;
    let ranges = of(&file).ranges;
    assert_eq!(ranges[1], whole[1].start + prft.len() as u64..whole[1].end);
    assert_eq!(ranges[2..], whole[2..]);
}

#[test]
fn every_byte_of_a_fragments_description() {
    // Whatever a `moof` says inside, the next segment begins at the next `moof` at the latest.
    for file in [LIVE, PER_FRAME, AUDIO] {
        let whole = segments(file);
        let moofs = boxes(file).into_iter().filter(|(_, kind)| kind == b"moof").map(|(at, _)| at);
        for byte in moofs.flat_map(|moof| moof + 8..moof + 100) {
            let mut damaged = file.to_vec();
            damaged[byte] = !damaged[byte];
            let run = of(&damaged);
            assert!(whole.iter().filter(|segment| segment.start > byte as u64).all(|after| run.has(after)));
        }
    }
}

#[test]
fn a_damaged_size_costs_one_look_at_the_next_megabytes() {
    let mut file = video(200, 100_000);
    let undamaged = of(&file).read;
    file[0] = 1;
    let run = of(&file);
    assert!(run.read < undamaged + 3 * MIB, "{} instead of {undamaged}", run.read);
    assert_eq!(run.ranges.len(), 202);
}

#[test]
fn zeros_and_noise_are_passed() {
    let mut file = video(20, 100_000);
    let whole = segments(&file);
    for noise in [0, 1, 0x66, 0xff] {
        file[250_000..1_150_000].fill(noise);
        let run = of(&file);
        let sound = |segment: &&Range<u64>| segment.end <= 250_000 || segment.start >= 1_150_000;
        assert!(whole.iter().filter(sound).all(|segment| run.has(segment)), "{noise}: {:?}", run.ranges);
    }
    file[..1_150_000].fill(0);
    let run = of(&file);
    assert!(whole.iter().filter(|segment| segment.start >= 1_150_000).all(|segment| run.has(segment)));
}

#[test]
fn a_signature_is_found_wherever_pieces_of_the_search_meet() {
    for shift in 0..40 {
        let before = vec![0xff; usize::try_from(MIB).expect("small") - shift];
        let file = [&before, &video(3, 50)[header().len()..]].concat();
        let run = of(&file);
        assert!(run.ranges.iter().any(|range| range.start == before.len() as u64), "{shift}");
        assert_eq!(run.ranges.len(), 5);
    }
}

#[test]
fn what_is_no_video_is_searched_at_its_start_only() {
    let run = run(6 << 30, |_, bytes| bytes.fill(0x20));
    assert!(run.ranges.is_empty());
    assert!(run.read < 66 * MIB && run.reads < 70, "{} bytes, {} reads", run.read, run.reads);
    for file in [&b""[..], b"x", b"\0\0\0\x18moof\0\0\0\x10mfhd", &[0; 15], &[0xff; 16], &[0; 5000]] {
        of(file);
    }
}

#[test]
fn a_large_file_that_lost_its_middle_is_searched_once() {
    // 4 GiB of zeros after the first fragments, where a size was; then fragments again.
    let front = video(3, 1000);
    let back = video(3, 2000)[header().len()..].to_vec();
    let hole = (4 << 30) + 5;
    let (front_len, total) = (front.len() as u64, front.len() as u64 + hole + back.len() as u64);
    let run = run(total, |at, bytes| {
        for (place, part) in [(0, &front), (front_len + hole, &back)] {
            let (from, to) = (at.max(place), (at + bytes.len() as u64).min(place + part.len() as u64));
            if from < to {
                let index = |at: u64, base: u64| usize::try_from(at - base).expect("small");
                bytes[index(from, at)..index(to, at)]
                    .copy_from_slice(&part[index(from, place)..index(to, place)]);
            }
        }
    });
    for segment in segments(&back) {
        let (start, end) = (segment.start + front_len + hole, segment.end + front_len + hole);
        assert!(run.has(&(start..end)), "{start}..{end}");
    }
    assert!(run.read < total + 4 * MIB, "{}", run.read);
}

/// A fragment description that states to be of this size, and holds nothing.
fn fake(size: u32) -> Vec<u8> {
    [&size.to_be_bytes()[..], b"moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\0"].concat()
}

#[test]
fn false_trails_cost_no_more_than_is_allowed() {
    let limit = u32::try_from(MAX_STRUCTURE_LEN).expect("small");
    // The asserts in `run` bound all of these; sizes that lead nowhere, to each other, and to the end of the file.
    for size in [24, 25, 32, 48, 4096, limit, limit + 8, u32::MAX] {
        let soup = fake(size).repeat(100_000);
        let run = of(&[header(), soup.clone()].concat());
        assert!(run.reads < 60_000, "{size}: {} reads", run.reads);
        let run = of(&[header(), moof(0, 1, 1, 0), bx(b"mdat", &soup), vec![0xff; 9]].concat());
        assert!(run.reads < 60_000, "{size}: {} reads", run.reads);
    }
    // Each nested in the media of the one before.
    let mut nested = vec![0xff; 9];
    for _ in 0..3000 {
        nested = [fake(24), bx(b"mdat", &nested), vec![0xff; 9]].concat();
    }
    let run = of(&[header(), nested].concat());
    assert!(run.reads < 60_000, "{} reads", run.reads);
}

#[test]
fn a_sound_file_may_hold_signatures_in_its_media() {
    let inner = [fake(24), video(3, 500)].concat();
    let outer =
        [header(), moof(0, 1, 0, 0), bx(b"mdat", &inner), moof(0, 1, 0, 0), bx(b"mdat", &inner)].concat();
    assert_eq!(of(&outer).ranges, segments(&outer));
}

#[test]
fn the_number_of_ranges_is_bounded_over_all_walks() {
    let fragment = [bx(b"moof", &[]), bx(b"mdat", &[])].concat();
    let most = MAX_SEGMENTS as usize;
    let half = fragment.repeat(most * 2 / 3);
    let run = of(&[header(), half.clone(), vec![0xff; 9], fake(24), half].concat());
    assert_eq!(run.ranges.len(), most);
}

#[test]
fn other_bytes_than_asked_for_are_refused_and_change_nothing() {
    let mut file = LIVE.to_vec();
    file[3] ^= 1;
    let mut boundaries = Boundaries::new(file.len() as u64);
    while let Some(wanted) = boundaries.next_read() {
        let range =
            usize::try_from(wanted.start).expect("small")..usize::try_from(wanted.end).expect("small");
        assert!(boundaries.supply(wanted.start + 1, &file[range.clone()]).is_err());
        assert!(boundaries.supply(wanted.start, &file[range.start..range.end - 1]).is_err());
        boundaries.supply(wanted.start, &file[range]).expect("as asked");
    }
    assert!(boundaries.supply(0, &file).is_ok(), "nothing is asked for any more, and nothing taken");
    assert_eq!(boundaries.finish(), [0..1221, 1221..3593, 3593..5174, 5174..5322]);
}

proptest! {
    #[test]
    fn whatever_the_file_holds(
        pieces in prop::collection::vec((
            prop::sample::select(&ALL[..]), any::<prop::sample::Index>(), any::<prop::sample::Index>(),
        ), 1..6),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let parts = pieces.iter().map(|(file, from, to)| {
            let (from, to) = (from.index(file.len()), to.index(file.len()));
            &file[from.min(to)..from.max(to)]
        });
        let mut file = parts.collect::<Vec<_>>().concat();
        file.push(0);
        for (at, byte) in edits {
            let at = at.index(file.len());
            file[at] = byte;
        }
        // The asserts are in `run`.
        of(&file);
    }
}
