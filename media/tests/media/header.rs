//! Headers made by hand: limits, and layouts that ffmpeg does not write.

use crate::common::*;
use media::{Edit, Event, FourCc, HeaderError, Movie, Purpose, SegmentError, Sound, Unsuitable};

fn be(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

/// A track with parts to replace.
struct Track {
    id: u32,
    time_scale: u32,
    handler: [u8; 4],
    edits: Vec<u8>,
    stsd_version: u8,
    entry: Vec<u8>,
}

impl Track {
    fn video(id: u32) -> Self {
        let entry = bx(b"avc1", &[vec![0; 78], bx(b"avcC", &[1, 2, 3])].concat());
        Self { id, time_scale: 1000, handler: *b"vide", edits: Vec::new(), stsd_version: 0, entry }
    }

    /// An audio entry of a QuickTime version, with these boxes behind its fixed fields.
    fn audio(version: u8, extra: usize, boxes: &[u8]) -> Self {
        let mut fixed = vec![0; 28 + extra];
        fixed[9] = version;
        fixed[17] = 2;
        fixed[24..28].copy_from_slice(&be(44_100 << 16));
        let entry = bx(b"mp4a", &[&fixed, boxes].concat());
        Self { id: 1, time_scale: 44_100, handler: *b"soun", edits: Vec::new(), stsd_version: 0, entry }
    }

    fn trak(&self) -> Vec<u8> {
        let tkhd = [vec![0; 12], be(self.id).to_vec(), vec![0; 68]].concat();
        let mdhd = [vec![0; 12], be(self.time_scale).to_vec(), vec![0; 8]].concat();
        let hdlr = [&[0; 8][..], &self.handler, &[0; 13]].concat();
        let stsd = [&[self.stsd_version, 0, 0, 0][..], &be(1), &self.entry].concat();
        let stbl = bx(b"stbl", &bx(b"stsd", &stsd));
        let mdia = [bx(b"mdhd", &mdhd), bx(b"hdlr", &hdlr), bx(b"minf", &stbl)].concat();
        let edts = if self.edits.is_empty() { Vec::new() } else { bx(b"edts", &bx(b"elst", &self.edits)) };
        bx(b"trak", &[bx(b"tkhd", &tkhd), edts, bx(b"mdia", &mdia)].concat())
    }
}

fn file(tracks: &[Track], defaults: usize) -> Vec<u8> {
    let mvex = bx(b"mvex", &bx(b"trex", &[0; 24]).repeat(defaults));
    let traks: Vec<u8> = tracks.iter().flat_map(Track::trak).collect();
    let moov = bx(b"moov", &[bx(b"mvhd", &[0; 100]), traks, mvex].concat());
    [bx(b"ftyp", b"isom\0\0\0\0"), moov, moof(0, 1, 4, 0), bx(b"mdat", &[0; 4])].concat()
}

fn read(tracks: &[Track], defaults: usize) -> Result<Movie, HeaderError> {
    let outcome = stream(&file(tracks, defaults), Purpose::Record, [100]);
    match (outcome.events.into_iter().next(), outcome.ending) {
        (Some(Event::Header(header)), Ok(_)) => header.movie,
        (None, Err(SegmentError::Unsuitable(Unsuitable::Header(error)))) => Err(error),
        other => panic!("{other:?}"),
    }
}

fn elst(entries: &[(u32, i32, u32)]) -> Vec<u8> {
    let entry =
        |&(duration, time, rate): &(u32, i32, u32)| [be(duration), time.to_be_bytes(), be(rate)].concat();
    let count = u32::try_from(entries.len()).expect("few");
    [be(0), be(count)]
        .into_iter()
        .map(Vec::from)
        .chain(entries.iter().map(entry))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn the_smallest_header() {
    let movie = read(&[Track::video(7)], 1).expect("complete");
    assert_eq!((movie.tracks.len(), movie.tracks[0].track_id), (1, 7));
    assert_eq!(movie.tracks[0].config, bx(b"avcC", &[1, 2, 3]));
}

#[test]
fn numbers_that_nothing_can_be_divided_by_or_named_with() {
    assert!(matches!(
        read(&[Track { time_scale: 0, ..Track::video(1) }], 1),
        Err(HeaderError::BadContent { kind, .. }) if kind == FourCc(*b"mdhd")
    ));
    assert!(matches!(
        read(&[Track::video(0)], 1),
        Err(HeaderError::BadContent { kind, .. }) if kind == FourCc(*b"tkhd")
    ));
}

#[test]
fn lists_are_bounded() {
    let tracks = |n| (1..=n).map(Track::video).collect::<Vec<_>>();
    assert_eq!(read(&tracks(16), 16).expect("just so many").tracks.len(), 16);
    assert_eq!(read(&tracks(17), 1), Err(HeaderError::TooMany { what: "tracks", limit: 16 }));
    assert_eq!(read(&tracks(1), 17), Err(HeaderError::TooMany { what: "track defaults", limit: 16 }));
    let edits = |n| elst(&vec![(1, 0, 0x1_0000); n]);
    let with = |edits| read(&[Track { edits, ..Track::video(1) }], 1);
    assert_eq!(with(edits(16)).expect("just so many").tracks[0].edits.len(), 16);
    assert_eq!(with(edits(17)), Err(HeaderError::TooMany { what: "edits in one track", limit: 16 }));
    // A count without entries.
    let lie = [be(0), be(9)].concat();
    assert!(matches!(with(lie), Err(HeaderError::BadContent { .. })));
}

#[test]
fn no_tracks_are_no_recording() {
    assert_eq!(read(&[], 1), Err(HeaderError::NoTracks));
}

#[test]
fn empty_edits_and_rates_are_kept() {
    let edits = elst(&[(500, -1, 0x1_0000), (0, 1024, 0xffff_8000)]);
    let movie = read(&[Track { edits, ..Track::video(1) }], 1).expect("complete");
    assert_eq!(
        movie.tracks[0].edits,
        [
            Edit { duration: 500, media_time: -1, rate: 0x1_0000 },
            Edit { duration: 0, media_time: 1024, rate: -0x8000 },
        ]
    );
}

#[test]
fn codec_configurations_are_bounded() {
    let with = |len| {
        let config = bx(b"avcC", &vec![9; len]);
        let entry = bx(b"avc1", &[vec![0; 78], config].concat());
        read(&[Track { entry, ..Track::video(1) }], 1)
    };
    assert_eq!(with(8192 - 8).expect("just so long").tracks[0].config.len(), 8192);
    assert!(matches!(with(8192 - 7), Err(HeaderError::BadContent { kind, .. }) if kind == FourCc(*b"stsd")));
}

#[test]
fn sound_of_quicktime_versions_is_read() {
    let esds = bx(b"esds", &[4; 10]);
    let wave = bx(b"wave", &[bx(b"frma", b"mp4a"), esds.clone()].concat());
    for (version, extra, boxes) in [(0, 0, &esds), (1, 16, &esds), (2, 36, &esds), (1, 16, &wave)] {
        let movie = read(&[Track::audio(version, extra, boxes)], 1).expect("complete");
        assert_eq!(movie.tracks[0].config, esds, "version {version}");
        assert_eq!(movie.tracks[0].sound, Some(Sound { channels: 2, sample_rate: 44_100 }));
    }
    // ISO's own version 1 has no further fields.
    let iso = Track { stsd_version: 1, ..Track::audio(1, 0, &esds) };
    assert_eq!(read(&[iso], 1).expect("complete").tracks[0].config, esds);
}

#[test]
fn an_entry_shorter_than_its_fields_is_refused() {
    for len in [0, 20, 27, 77] {
        let entry = bx(b"avc1", &vec![0; len]);
        assert!(read(&[Track { entry, ..Track::video(1) }], 1).is_err(), "{len}");
    }
    for entry in [vec![], vec![0; 7], b"\0\0\xff\xffavc1".to_vec()] {
        assert!(read(&[Track { entry, ..Track::video(1) }], 1).is_err());
    }
}

#[test]
fn a_track_of_another_kind_needs_no_known_layout() {
    let track = Track { handler: *b"text", entry: bx(b"tx3g", &[]), ..Track::video(1) };
    let movie = read(&[track], 1).expect("complete");
    assert_eq!((movie.tracks[0].codec, movie.tracks[0].config.len()), (FourCc(*b"tx3g"), 0));
}
