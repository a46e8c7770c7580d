//! One rule, two drivers, any chunking: the same events.

use crate::common::*;
use media::Purpose;
use proptest::prelude::*;

fn all_ways_agree(file: &[u8], purpose: Purpose, lengths: Vec<usize>) {
    let whole = stream(file, purpose, []);
    whole.assert_tiles(file.len() as u64);
    assert_eq!(stream(file, purpose, lengths), whole);
    assert_eq!(scan(file, purpose).0, whole);
}

#[test]
fn every_fixture_in_chunks_of_every_small_size() {
    for file in ALL {
        for purpose in [Purpose::Record, Purpose::Verify] {
            for length in (1..=40).chain([188, 1000, 4096]) {
                all_ways_agree(file, purpose, vec![length]);
            }
        }
    }
}

#[test]
fn truncated_at_every_byte() {
    for file in ALL {
        for end in 0..=file.len() {
            let purpose = if end % 2 == 0 { Purpose::Record } else { Purpose::Verify };
            all_ways_agree(&file[..end], purpose, vec![7]);
        }
    }
}

#[test]
fn a_longer_file_keeps_the_segments_of_a_shorter_one() {
    for file in FRAGMENTED {
        let whole = stream(file, Purpose::Record, []).boundaries();
        for end in (0..file.len()).step_by(13) {
            let cut = stream(&file[..end], Purpose::Record, []).boundaries();
            let kept = cut.len().saturating_sub(1);
            assert_eq!(cut[..kept], whole[..kept]);
        }
    }
}

#[test]
fn a_scan_reads_little() {
    // A real header, then fragments of 1 MiB.
    let fragment = [moof(0, 1, 1 << 20, 0), bx(b"mdat", &vec![7; 1 << 20])].concat();
    let file = [header(), fragment.repeat(20)].concat();
    let (outcome, read) = scan(&file, Purpose::Record);
    assert_eq!(outcome, stream(&file, Purpose::Record, [100_000]));
    assert_eq!(outcome.segments().len(), 20);
    assert!(read < 21 * 4097, "{read} bytes for {} of media", file.len());
}

proptest! {
    #[test]
    fn random_chunks(file in prop::sample::select(&ALL[..]), lengths in prop::collection::vec(0usize..600, 1..200)) {
        all_ways_agree(file, Purpose::Record, lengths);
    }

    #[test]
    fn mutated_bytes(
        file in prop::sample::select(&ALL[..]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        lengths in prop::collection::vec(1usize..600, 1..50),
    ) {
        let mut file = file.to_vec();
        for (at, byte) in edits {
            let at = at.index(file.len());
            file[at] = byte;
        }
        all_ways_agree(&file, Purpose::Record, lengths.clone());
        all_ways_agree(&file, Purpose::Verify, lengths);
    }

    #[test]
    fn spliced_files(
        a in prop::sample::select(&ALL[..]), b in prop::sample::select(&ALL[..]),
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
    ) {
        let file = [&a[..from.index(a.len())], &b[to.index(b.len())..]].concat();
        all_ways_agree(&file, Purpose::Record, vec![31]);
        all_ways_agree(&file, Purpose::Verify, vec![31]);
    }

    #[test]
    fn soups_of_boxes(
        parts in prop::collection::vec((0usize..9, prop::collection::vec(any::<u8>(), 0..40)), 0..40),
        lengths in prop::collection::vec(1usize..100, 1..50),
    ) {
        let kinds = [b"moof", b"mdat", b"free", b"styp", b"sidx", b"mfra", b"moov", b"uuid", b"abcd"];
        let mut file = header();
        for (kind, payload) in parts {
            let payload = if kind == 7 { [&[0; 16], &payload[..]].concat() } else { payload };
            file.extend(bx(kinds[kind], &payload));
        }
        all_ways_agree(&file, Purpose::Verify, lengths);
    }
}
