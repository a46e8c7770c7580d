//! MP4 boxes: the segments tile the file, streaming in two chunks agrees with random access, and finding the way back
//! into a damaged file ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Boundaries, Event, Purpose, Scanner, Segmenter};

fuzz_target!(|input: (u16, &[u8])| {
    let (split, bytes) = input;
    for purpose in [Purpose::Record, Purpose::Verify] {
        let scanned = scan(purpose, bytes);
        assert_eq!(scanned, stream(purpose, bytes, usize::from(split).min(bytes.len())));
        assert_tiles(&scanned, bytes.len() as u64);
    }
    find_way_back(bytes);
});

/// Ends within the work that is promised, and gives ranges of the file.
fn find_way_back(bytes: &[u8]) {
    let len = bytes.len() as u64;
    let mut boundaries = Boundaries::new(len);
    let mut read = 0;
    while let Some(range) = boundaries.next_read() {
        read += range.end - range.start;
        assert!(read <= len + Boundaries::allowance(len), "{read} bytes read of {len}");
        let wanted = &bytes[range.start as usize..range.end as usize];
        boundaries.supply(range.start, wanted).expect("the range asked for was supplied");
    }
    for range in boundaries.finish() {
        assert!(range.start < range.end && range.end <= len);
    }
}

/// The events, and whether the end was understood.
type Found = (Vec<Event>, bool);

fn scan(purpose: Purpose, bytes: &[u8]) -> Found {
    let mut scanner = Scanner::new(purpose, bytes.len() as u64);
    let mut events = Vec::new();
    while let Some(range) = scanner.next_read() {
        let wanted = &bytes[range.start as usize..range.end as usize];
        events.extend(scanner.supply(range.start, wanted).expect("the range asked for was supplied"));
    }
    let (rest, ending) = scanner.finish().expect("nothing more is to be read");
    events.extend(rest);
    (events, ending.is_ok())
}

fn stream(purpose: Purpose, bytes: &[u8], split: usize) -> Found {
    let mut segmenter = Segmenter::new(purpose);
    let mut events = Vec::new();
    for chunk in [&bytes[..split], &bytes[split..]] {
        if segmenter.push(chunk, &mut events).is_err() {
            return (events, false);
        }
    }
    let ending = segmenter.finish(&mut events);
    (events, ending.is_ok())
}

fn assert_tiles((events, _): &Found, len: u64) {
    let mut end = 0;
    for event in events {
        if let Event::Segment(segment) = event {
            assert_eq!(segment.offset, end);
            assert!(segment.length > 0);
            end += segment.length;
        }
    }
    assert!(end <= len);
}
