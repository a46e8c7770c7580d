//! The rule on files made by hand: the corners of `docs/spec/segmentation.md`, attacks and clumsy use.

use crate::common::*;
use media::boxes::{BoxError, MAX_FILE_LEN};
use media::cut::MAX_STRUCTURE_LEN;
use media::found::MAX_MEDIA_MS;
use media::{
    Event, FourCc, HeaderError, MAX_SEGMENTS, MediaTimes, Purpose, Scanner, SegmentError, SegmentKind,
    Segmenter, Truncation, Unsuitable,
};

const RECORD: Purpose = Purpose::Record;

fn both(file: &[u8], purpose: Purpose) -> Outcome {
    let outcome = stream(file, purpose, [64]);
    outcome.assert_tiles(file.len() as u64);
    assert_eq!(scan(file, purpose).0, outcome);
    outcome
}

/// Lengths of the segments of a header followed by these boxes; the header's length is taken off the first.
fn cut(parts: &[Vec<u8>]) -> Vec<u64> {
    let header = header();
    let outcome = both(&[header.clone(), parts.concat()].concat(), RECORD);
    let mut lengths: Vec<_> = outcome.segments().iter().map(|s| s.length).collect();
    lengths[0] -= header.len() as u64;
    lengths
}

fn len(parts: &[&Vec<u8>]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}

/// A `moof` whose data begins right behind it, after the header of `mdat`.
fn moof_for(size: u32) -> Vec<u8> {
    let len = i32::try_from(moof(0, 1, 0, 0).len()).expect("small");
    moof(0, 1, size, len + 8)
}

#[test]
fn boxes_between_fragments_belong_to_the_next() {
    let (f, m) = (moof_for(5), bx(b"mdat", &[1; 5]));
    let [styp, sidx, emsg, free] = [b"styp", b"sidx", b"emsg", b"free"].map(|kind| bx(kind, &[0; 20]));
    let mfra = bx(b"mfra", &[0; 9]);
    let parts = [&styp, &sidx, &f, &m, &styp, &emsg, &free, &f, &m, &mfra, &free].map(Clone::clone);
    assert_eq!(
        cut(&parts),
        [len(&[&styp, &sidx, &f, &m]), len(&[&styp, &emsg, &free, &f, &m]), len(&[&mfra, &free])]
    );
}

#[test]
fn media_of_one_fragment_may_lie_in_several_boxes() {
    // The fragment refers to 12 bytes of media: 4, a box header of 8 that is never shown, and so on.
    let (f, m) = (moof_for(12), bx(b"mdat", &[1; 4]));
    assert_eq!(
        cut(&[f.clone(), m.clone(), m.clone(), f.clone(), m.clone(), m.clone()]),
        [len(&[&f, &m, &m]), len(&[&f, &m, &m])]
    );
    // What it does not refer to belongs to the next.
    assert_eq!(
        cut(&[f.clone(), m.clone(), m.clone(), m.clone(), f.clone(), m.clone(), m.clone()]),
        [len(&[&f, &m, &m]), len(&[&m, &f, &m, &m])]
    );
}

#[test]
fn a_fragment_that_refers_too_far_ends_at_the_next_box() {
    let (f, m, free) = (moof_for(u32::MAX), bx(b"mdat", &[1; 4]), bx(b"free", &[]));
    let parts = [&f, &m, &m, &free, &f, &m, &f, &m, &m].map(Clone::clone);
    assert_eq!(cut(&parts), [len(&[&f, &m, &m]), len(&[&free, &f, &m]), len(&[&f, &m, &m])]);
}

#[test]
fn a_fragment_without_media_ends_at_the_next() {
    let (f, m, free) = (moof_for(4), bx(b"mdat", &[1; 4]), bx(b"free", &[]));
    assert_eq!(cut(&[f.clone(), free.clone(), f.clone(), m.clone()]), [len(&[&f, &free]), len(&[&f, &m])]);
    let empty = moof(0, 0, 0, 0);
    let outcome = both(&[header(), empty.clone(), free].concat(), RECORD);
    assert_eq!(outcome.segments().len(), 1);
    assert_eq!(outcome.segments()[0].kind, SegmentKind::Fragment);
    assert_eq!(outcome.ending.expect("whole").truncation, None);
}

#[test]
fn media_between_moof_and_its_mdat_may_be_kept_apart() {
    let (f, m, free) = (moof_for(4), bx(b"mdat", &[1; 12]), bx(b"free", &[]));
    assert_eq!(
        cut(&[f.clone(), free.clone(), m.clone(), f.clone(), m.clone()]),
        [len(&[&f, &free, &m]), len(&[&f, &m])]
    );
}

#[test]
fn the_last_media_may_have_no_size() {
    let mut file = [header(), moof_for(4), bx(b"mdat", &[1; 12])].concat();
    let at = file.len() - 20;
    file[at..at + 4].fill(0);
    let outcome = both(&file, RECORD);
    assert_eq!(outcome.segments().len(), 1);
    assert_eq!(outcome.segments()[0].kind, SegmentKind::Fragment);
    assert_eq!(outcome.ending.expect("whole").truncation, None);
    // Cut off, it lacks what the fragment refers to.
    let outcome = both(&file[..file.len() - 10], RECORD);
    assert_eq!(outcome.ending.expect("cut off").truncation, Some(Truncation::Media { offset: 0 }));
}

#[test]
fn a_box_without_a_size_is_no_media_unless_it_says_so() {
    let file = [header(), moof_for(4), b"\0\0\0\0freeABCDEFGH".to_vec()].concat();
    let outcome = both(&file, RECORD);
    assert_eq!(outcome.segments()[0].kind, SegmentKind::Incomplete);
    assert_eq!(outcome.ending.expect("read").truncation, Some(Truncation::Media { offset: 0 }));
}

#[test]
fn a_fragment_that_is_not_understood_does_not_move_the_clock() {
    // Without `tfdt`, times go on where the last understood fragment ended.
    let tfhd = bx(b"tfhd", &[&0x08u32.to_be_bytes()[..], &[0, 0, 0, 1], &1024u32.to_be_bytes()].concat());
    let trun = bx(b"trun", &[0u32.to_be_bytes(), 10u32.to_be_bytes()].concat());
    let traf = bx(b"traf", &[tfhd, trun].concat());
    let media = bx(b"mdat", &[1; 4]);
    let good = [bx(b"moof", &traf), media.clone()].concat();
    let bad = [bx(b"moof", &[&traf[..], b"\0\0\0\x04oops"].concat()), media].concat();
    let outcome = both(&[header(), good.clone(), bad, good].concat(), RECORD);
    let times: Vec<_> = outcome.segments().iter().map(|s| s.times.map(|t| (t.begin_ms, t.end_ms))).collect();
    assert_eq!(times, [Some((0, 1000)), None, Some((1000, 2000))]);
}

#[test]
fn structure_without_a_size_is_refused() {
    let mut file = [header(), moof_for(4), bx(b"mdat", &[1; 4])].concat();
    let offset = file.len() as u64;
    file.extend(b"\0\0\0\0moof");
    let error = BoxError::Endless { kind: FourCc(*b"moof") };
    assert_eq!(both(&file, RECORD).ending, Err(SegmentError::Malformed { offset, error }));
}

#[test]
fn damage_is_located_and_earlier_segments_stand() {
    let mut file = [LIVE, b"\0\0\0\x04oops"].concat();
    let outcome = both(&file, RECORD);
    let error = BoxError::TooSmall { kind: FourCc(*b"oops"), size: 4 };
    assert_eq!(outcome.ending, Err(SegmentError::Malformed { offset: LIVE.len() as u64, error }));
    assert_eq!(outcome.boundaries(), [0, 3593, 5174]);
    file[5174 + 3] = 0; // the size of `mfra`
    file[5174..5178].copy_from_slice(&7u32.to_be_bytes());
    assert!(matches!(both(&file, RECORD).ending, Err(SegmentError::Malformed { offset: 5174, .. })));
}

#[test]
fn an_abandoned_stream_is_tiled_all_the_same() {
    let file = [LIVE, b"\0\0\0\x04oops and more"].concat();
    for chunk in [1, 10, file.len()] {
        let (mut segmenter, mut sink) = (Segmenter::new(RECORD), Recorder::default());
        let failed = file.chunks(chunk).any(|chunk| segmenter.push(chunk, &mut sink).is_err());
        assert!(failed);
        let read = segmenter.position();
        assert_eq!(segmenter.open_segment(), 5174);
        segmenter.abandon(&mut sink);
        let Some(Event::Segment(last)) = sink.events.last() else { panic!("a last segment") };
        assert_eq!((last.offset, last.end(), last.kind), (5174, read, SegmentKind::Incomplete));
        assert_eq!(sink.bytes, &file[..usize::try_from(read).expect("small")]);
    }
}

#[test]
fn nothing_to_abandon_gives_no_segment() {
    let (mut segmenter, mut sink) = (Segmenter::new(RECORD), Recorder::default());
    segmenter.push(&LIVE[..3593], &mut sink).expect("two boxes and a fragment");
    segmenter.abandon(&mut sink);
    assert_eq!(sink.events.len(), 2);
}

#[test]
fn a_segment_is_reported_with_its_last_byte() {
    let (mut segmenter, mut sink) = (Segmenter::new(RECORD), Recorder::default());
    segmenter.push(&LIVE[..3592], &mut sink).expect("good");
    assert_eq!(sink.events.len(), 1);
    segmenter.push(&LIVE[3592..3593], &mut sink).expect("good");
    assert!(matches!(sink.events[1], Event::Segment(_)), "without waiting for the next fragment");
}

#[test]
fn media_beyond_4_gib_is_cut_by_both_drivers() {
    const MEDIA: u64 = (5 << 30) + 3;
    let head = [header(), moof(0, 1 << 16, 1 << 16, 0)].concat();
    let tail = [moof(900, 1, 4, 0), bx(b"mdat", &[1; 4]), bx(b"mfra", &[])].concat();
    let front = [head, large_header(b"mdat", MEDIA)].concat();
    let begin_of_tail = front.len() as u64 + MEDIA;
    let total = begin_of_tail + tail.len() as u64;

    let (mut segmenter, mut streamed) = (Segmenter::new(RECORD), Vec::new());
    let zeros = vec![0; 64 << 20];
    segmenter.push(&front, &mut streamed).expect("good");
    let mut left = usize::try_from(MEDIA).expect("a 64-bit test machine");
    while left > 0 {
        let chunk = &zeros[..left.min(zeros.len())];
        segmenter.push(chunk, &mut streamed).expect("good");
        left -= chunk.len();
    }
    segmenter.push(&tail, &mut streamed).expect("good");
    let ending = segmenter.finish(&mut streamed);

    let (mut scanner, mut scanned, mut read) = (Scanner::new(RECORD, total), Vec::new(), 0);
    while let Some(range) = scanner.next_read() {
        read += range.end - range.start;
        let byte = |at: u64| match at.checked_sub(begin_of_tail) {
            Some(at) => tail[usize::try_from(at).expect("small")],
            None => front.get(usize::try_from(at).expect("small")).copied().unwrap_or(0),
        };
        let bytes: Vec<_> = range.clone().map(byte).collect();
        scanned.extend(scanner.supply(range.start, &bytes).expect("as asked"));
    }
    let (rest, scan_ending) = scanner.finish().expect("done");
    scanned.extend(rest);
    assert_eq!((&scanned, &scan_ending), (&streamed, &ending));
    assert!(read < 20_000, "{read}");
    let outcome = Outcome { events: streamed, ending };
    outcome.assert_tiles(total);
    assert_eq!(outcome.boundaries(), [0, begin_of_tail, total - 8, total]);
}

#[test]
fn sizes_beyond_every_file_are_refused() {
    for size in [MAX_FILE_LEN, 1 << 53, u64::MAX] {
        let file = [header(), moof_for(4), [&b"\0\0\0\x01mdat"[..], &size.to_be_bytes()].concat()].concat();
        let ending = both(&file, RECORD).ending;
        assert!(
            matches!(ending, Err(SegmentError::Malformed { error: BoxError::TooLarge { .. }, .. })),
            "{ending:?}"
        );
    }
    let scanner = Scanner::new(RECORD, MAX_FILE_LEN + 1);
    assert_eq!(scanner.finish().expect("over").1, Err(SegmentError::TooLong));
}

#[test]
fn the_number_of_segments_is_bounded() {
    let fragment = [bx(b"moof", &[]), bx(b"mdat", &[])].concat();
    let most = MAX_SEGMENTS as usize - 1;
    let file = [header(), fragment.repeat(most), bx(b"mfra", &[])].concat();
    let outcome = scan(&file, RECORD).0;
    outcome.assert_tiles(file.len() as u64);
    assert_eq!(outcome.ending.as_ref().map(|e| e.segments), Ok(MAX_SEGMENTS));
    let file = [header(), fragment.repeat(most + 1)].concat();
    let outcome = scan(&file, RECORD).0;
    assert!(matches!(outcome.ending, Err(SegmentError::TooManySegments { .. })));
    // The one in reserve makes the segments tile even then.
    let (mut segmenter, mut sink) = (Segmenter::new(RECORD), Recorder::default());
    assert!(segmenter.push(&file, &mut sink).is_err());
    segmenter.abandon(&mut sink);
    let outcome = Outcome { events: sink.events, ending: Err(SegmentError::TooLong) };
    assert_eq!(outcome.segments().len(), MAX_SEGMENTS as usize);
    assert_eq!(outcome.boundaries().last(), Some(&(file.len() as u64)));
}

#[test]
fn a_fragment_description_too_large_to_hold_is_cut_without_times() {
    let big = bx(b"moof", &vec![0; usize::try_from(MAX_STRUCTURE_LEN).expect("small") + 1]);
    let media = bx(b"mdat", &[1; 4]);
    let file = [header(), big.clone(), media.clone(), moof_for(4), media].concat();
    let outcome = both(&file, RECORD);
    assert_eq!(outcome.segments().len(), 2);
    assert_eq!(outcome.segments()[0].times, None);
    assert!(outcome.segments()[1].times.is_some());
}

#[test]
fn hostile_times_saturate() {
    let media = bx(b"mdat", &[1; 4]);
    let file = [header(), moof_for(4), media.clone(), moof(u64::MAX, u32::MAX, 1, 0), media].concat();
    let outcome = both(&file, RECORD);
    let times = outcome.segments()[1].times;
    assert_eq!(times, Some(MediaTimes { begin_ms: MAX_MEDIA_MS, end_ms: MAX_MEDIA_MS }));
    assert_eq!(outcome.segments()[1].spans[0].units, u64::from(u32::MAX));
}

#[test]
fn times_going_back_stay_at_zero() {
    let media = bx(b"mdat", &[1; 4]);
    let file = [header(), moof(50_000, 1, 4, 0), media.clone(), moof(0, 1, 4, 0), media].concat();
    let times = both(&file, RECORD).segments().iter().map(|s| s.times).collect::<Vec<_>>();
    assert_eq!(times[1], Some(MediaTimes { begin_ms: 0, end_ms: 0 }));
}

#[test]
fn a_sample_count_that_is_not_there_costs_nothing() {
    // A run of 2^32 − 1 samples with stated sizes and no table.
    let tfhd = bx(b"tfhd", &[0, 0, 0, 0, 0, 0, 0, 1]);
    let trun = bx(b"trun", &[0, 0, 0x0f, 0, 0xff, 0xff, 0xff, 0xff]);
    let f = bx(b"moof", &bx(b"traf", &[tfhd, trun].concat()));
    let outcome = both(&[header(), f, bx(b"mdat", &[1; 4])].concat(), RECORD);
    assert_eq!(outcome.segments()[0].times, None);
    assert!(outcome.segments()[0].spans.is_empty());
}

#[test]
fn other_files_are_named_and_early() {
    let cases: [(&[u8], Unsuitable, usize); 6] = [
        (PROGRESSIVE, Unsuitable::ProgressiveMp4, 882),
        (PROGRESSIVE_MOOV_LAST, Unsuitable::ProgressiveMp4, 48),
        (QUICKTIME, Unsuitable::QuickTime, 36),
        (MATROSKA, Unsuitable::Matroska, 389),
        (AVI, Unsuitable::Riff, 389),
        (TRANSPORT, Unsuitable::MpegTs, 389),
    ];
    for (file, expected, within) in cases {
        for purpose in [Purpose::Record, Purpose::Verify] {
            let (mut segmenter, mut sink) = (Segmenter::new(purpose), Recorder::default());
            let mut pushed = 0;
            let error = file.iter().find_map(|byte| {
                pushed += 1;
                segmenter.push(&[*byte], &mut sink).err()
            });
            assert_eq!(error, Some(expected.clone().into()));
            assert_eq!(pushed, within, "{expected:?}");
        }
    }
    for (file, expected) in [
        (&b""[..], Unsuitable::Empty),
        (b"\0", Unsuitable::Unknown),
        (b"hello, world", Unsuitable::Unknown),
        (&[0; 5000], Unsuitable::Unknown),
        (&MATROSKA[..20], Unsuitable::Matroska),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf\0\0\0\x08meta\0\0\0\x08mdat", Unsuitable::StillImage),
    ] {
        assert_eq!(both(file, RECORD).ending, Err(expected.clone().into()), "{expected:?}");
    }
}

#[test]
fn fragments_without_a_header_cannot_be_recorded_but_can_be_verified() {
    let clip = &LIVE[1221..];
    assert_eq!(both(clip, RECORD).ending, Err(Unsuitable::NoHeader.into()));
    let outcome = both(clip, Purpose::Verify);
    assert_eq!(outcome.boundaries(), [0, 3593 - 1221, 5174 - 1221, 5322 - 1221]);
    assert!(outcome.segments().iter().all(|segment| segment.times.is_none()));
}

#[test]
fn a_damaged_header_cannot_be_recorded_but_can_be_verified() {
    let at = LIVE.windows(4).position(|w| w == b"mdhd").expect("there");
    let mut file = LIVE.to_vec();
    file[at] = b'X';
    let error = HeaderError::Missing { kind: FourCc(*b"mdhd"), offset: 252 };
    assert_eq!(both(&file, RECORD).ending, Err(Unsuitable::Header(error.clone()).into()));
    let outcome = both(&file, Purpose::Verify);
    assert_eq!(outcome.boundaries(), [0, 3593, 5174, 5322]);
    let Some(Event::Header(header)) = outcome.events.first() else { panic!("a header") };
    assert_eq!(header.movie, Err(error));

    // The announcement of fragments altered: still no progressive file.
    let at = LIVE.windows(4).position(|w| w == b"mvex").expect("there");
    let mut file = LIVE.to_vec();
    file[at] = b'X';
    assert_eq!(both(&file, RECORD).ending, Err(Unsuitable::ProgressiveMp4.into()));
    assert_eq!(both(&file, Purpose::Verify).boundaries(), [0, 3593, 5174, 5322]);
}

#[test]
fn a_header_too_large_to_hold() {
    let size = usize::try_from(MAX_STRUCTURE_LEN).expect("small") + 1;
    let file = [bx(b"ftyp", b"isom\0\0\0\0"), bx(b"moov", &vec![0; size]), moof_for(4), bx(b"mdat", &[1; 4])];
    let ending = both(&file.concat(), RECORD).ending;
    assert!(matches!(
        ending,
        Err(SegmentError::Unsuitable(Unsuitable::Header(HeaderError::TooLarge { .. })))
    ));
    assert_eq!(both(&file.concat(), Purpose::Verify).segments().len(), 1);
}

#[test]
fn a_second_header_is_a_box_like_any_other() {
    let media = bx(b"mdat", &[1; 4]);
    let moov = LIVE[36..1221].to_vec();
    let file = [header(), moof_for(4), media.clone(), moov, moof_for(4), media].concat();
    let outcome = both(&file, RECORD);
    assert_eq!(outcome.events.iter().filter(|e| matches!(e, Event::Header(_))).count(), 1);
    assert_eq!(outcome.segments().len(), 2);
}

#[test]
fn two_tracks_of_one_id_are_refused() {
    let mut file = LIVE.to_vec();
    let second = LIVE.windows(4).rposition(|w| w == b"tkhd").expect("there");
    assert_eq!(file[second + 19], 2);
    file[second + 19] = 1;
    let expected = Unsuitable::Header(HeaderError::DuplicateTrack { track_id: 1 });
    assert_eq!(both(&file, RECORD).ending, Err(expected.into()));
}

#[test]
fn a_scanner_refuses_other_bytes_than_asked_for() {
    let mut scanner = Scanner::new(RECORD, LIVE.len() as u64);
    assert!(scanner.supply(1, &LIVE[1..]).is_err());
    assert!(scanner.supply(0, &LIVE[..4]).is_err(), "too few");
    assert!(scanner.supply(0, &[LIVE, LIVE].concat()).is_err(), "more than the file has");
    assert!(scanner.supply(u64::MAX, LIVE).is_err());
    let wanted = scanner.next_read();
    assert_eq!(wanted, Some(0..4096));
    let events = scanner.supply(0, LIVE).expect("more than asked for will do");
    assert_eq!(events, stream(LIVE, RECORD, []).events);
    assert_eq!(scanner.next_read(), None);
    assert_eq!(scanner.supply(0, LIVE), Ok(Vec::new()), "nothing is found twice");
}

#[test]
fn an_unfinished_scan_has_no_ending() {
    let scanner = Scanner::new(RECORD, 100);
    assert!(scanner.finish().is_none());
}
