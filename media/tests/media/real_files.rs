//! Files made by ffmpeg: boundaries, times and track configurations, against values found without this crate.

use crate::common::*;
use media::{Edit, Event, FourCc, Header, MediaTimes, Movie, Purpose, SegmentKind, TrackKind, Truncation};

fn read(file: &[u8]) -> Outcome {
    let outcome = stream(file, Purpose::Record, []);
    outcome.assert_tiles(file.len() as u64);
    outcome
}

fn movie(outcome: &Outcome) -> &Movie {
    let Some(Event::Header(header)) = outcome.events.first() else { panic!("the header comes first") };
    header.movie.as_ref().expect("a readable header")
}

fn times(outcome: &Outcome) -> Vec<Option<(u64, u64)>> {
    let pair = |times: MediaTimes| (times.begin_ms, times.end_ms);
    outcome.segments().iter().map(|segment| segment.times.map(pair)).collect()
}

#[test]
fn one_segment_a_fragment_and_the_trailer_apart() {
    // From the box listing in testdata/media/README.md.
    let expected: [(&[u8], &[u64]); 12] = [
        (LIVE, &[0, 3593, 5174, 5322]),
        (DEFAULT_BASE, &[0, 3569, 5134, 5282]),
        (HYBRID, &[0, 5176, 5286]),
        (PER_FRAME, &[0, 1567, 1683, 1809, 1932, 2052, 2169, 2331]),
        (BFRAMES_CMAF, &[0, 3661, 5463, 5611]),
        (EDIT_LIST, &[0, 3621, 5311, 5459]),
        (DASH, &[0, 1871, 2389]),
        (SEPARATE, &[0, 2286, 3609, 4051, 5206, 5354]),
        (H265, &[0, 2781, 4589, 4737]),
        (AV1, &[0, 3607, 6481, 6629]),
        (VP9, &[0, 3240, 5379, 5527]),
        (AUDIO, &[0, 1486, 2008, 2550, 3175, 3458, 3601]),
    ];
    for (file, boundaries) in expected {
        let outcome = read(file);
        assert_eq!(outcome.boundaries(), boundaries);
        let ending = outcome.ending.as_ref().expect("a whole file");
        assert_eq!(ending.truncation, None);
        let trailer = outcome.segments().iter().filter(|s| s.kind == SegmentKind::Trailer).count();
        assert_eq!(ending.fragments as usize + trailer, outcome.segments().len());
        // The DASH segments end with media; every other file ends with `mfra`.
        assert_eq!(trailer, usize::from(file != DASH));
    }
}

#[test]
fn times_follow_the_video_track() {
    // From ffprobe's presentation times of the key frames. The encoder stretches the first picture of some files.
    for file in [BFRAMES_CMAF, EDIT_LIST] {
        assert_eq!(times(&read(file)), [Some((0, 1000)), Some((1000, 2000)), None]);
    }
    // Open groups of pictures: one picture of the second fragment is shown before its key frame.
    assert_eq!(times(&read(H265)), [Some((0, 900)), Some((900, 2000)), None]);
    for file in [LIVE, DEFAULT_BASE] {
        assert_eq!(times(&read(file)), [Some((0, 1128)), Some((1128, 2128)), None]);
    }
    for file in [VP9, AV1] {
        assert_eq!(times(&read(file)), [Some((0, 1006)), Some((1006, 2006)), None]);
    }
    assert_eq!(times(&read(DASH)), [Some((0, 1000)), Some((1000, 2000))]);
    let frames: Vec<_> = (0..6).map(|n| Some((n * 100, n * 100 + 100))).chain([None]).collect();
    assert_eq!(times(&read(PER_FRAME)), frames);
    // The first second is described by the header itself, and lies in the first segment with the first fragment.
    assert_eq!(times(&read(HYBRID)), [Some((0, 2128)), None]);
    // A `moof` for each track in turn: audio fragments are timed by the audio track.
    let separate = times(&read(SEPARATE));
    assert_eq!((separate[0], separate[2]), (Some((0, 1128)), Some((1128, 2128))));
    let audio = separate[1].expect("audio is timed");
    assert_eq!(audio.0, 0);
    // Without video, the first track counts, and its segments follow each other.
    let audio: Vec<_> = times(&read(AUDIO)).into_iter().flatten().collect();
    assert_eq!(audio.first().map(|t| t.0), Some(0));
    assert!(audio.windows(2).all(|pair| pair[0].1 == pair[1].0));
}

#[test]
fn spans_count_access_units() {
    let outcome = read(LIVE);
    let units: Vec<Vec<_>> =
        outcome.segments().iter().map(|s| s.spans.iter().map(|t| (t.track_id, t.units)).collect()).collect();
    assert_eq!(units[0][0], (1, 10));
    assert_eq!(units[1][0], (1, 10));
    assert_eq!(units[0][1].0, 2);
    assert!(units[2].is_empty());
}

#[test]
fn track_configurations_are_those_of_the_file() {
    let codes = [
        [b"avc1", b"avcC", b"mp4a", b"esds"],
        [b"avc1", b"avcC", b"mp4a", b"esds"],
        [b"hvc1", b"hvcC", b"mp4a", b"esds"],
        [b"vp09", b"vpcC", b"Opus", b"dOps"],
        [b"av01", b"av1C", b"Opus", b"dOps"],
    ];
    for (file, codes) in [LIVE, BFRAMES_CMAF, H265, VP9, AV1].into_iter().zip(codes) {
        let [video_codec, video_config, audio_codec, audio_config] = codes;
        let outcome = read(file);
        let [video, audio] = &movie(&outcome).tracks[..] else { panic!("two tracks") };
        assert_eq!((video.kind, video.codec), (TrackKind::Video, FourCc(*video_codec)));
        assert_eq!((audio.kind, audio.codec), (TrackKind::Audio, FourCc(*audio_codec)));
        for (track, kind) in [(video, video_config), (audio, audio_config)] {
            // The box as stored: its own size, its type, and found so in the file.
            let config = &track.config;
            assert_eq!(u32::from_be_bytes(config[..4].try_into().expect("4")) as usize, config.len());
            assert_eq!(&config[4..8], kind);
            assert!(file.windows(config.len()).any(|window| window == config));
            assert!(track.enabled && track.sample_descriptions == 1);
        }
        let size = if file == AV1 { (64, 64) } else { (48, 32) };
        assert_eq!(video.dimensions.map(|d| (d.width, d.height)), Some(size));
        assert_eq!(video.display_size, (u32::from(size.0) << 16, u32::from(size.1) << 16));
        assert_eq!(video.matrix, [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
        assert_eq!(video.sound, None);
        // One channel; but ffmpeg states two in the sample entry of AAC.
        let rate = if audio_codec == b"Opus" { 48_000 } else { 8_000 };
        assert_eq!(
            audio.sound.map(|s| (s.channels, s.sample_rate)),
            Some((if file == AV1 || file == VP9 { 1 } else { 2 }, rate))
        );
        assert_eq!(audio.dimensions, None);
        assert_eq!(audio.time_scale, 8_000);
        assert_eq!(video.language, "und");
    }
}

#[test]
fn a_mirrored_display_matrix_is_seen() {
    let find = |file: &[u8], what: &[u8]| file.windows(what.len()).position(|w| w == what).expect("there");
    let mut mirrored = LIVE.to_vec();
    // `a` of the matrix lies 40 bytes after the version of `tkhd` (version 0).
    let a = find(LIVE, b"tkhd") + 4 + 40;
    assert_eq!(mirrored[a..a + 4], 0x1_0000u32.to_be_bytes());
    mirrored[a..a + 4].copy_from_slice(&(-0x1_0000i32).to_be_bytes());
    let (before, after) = (read(LIVE), read(&mirrored));
    assert_eq!(movie(&after).tracks[0].matrix[0], -0x1_0000);
    assert_eq!(movie(&before).tracks[1], movie(&after).tracks[1]);
    assert_eq!(before.boundaries(), after.boundaries());
}

#[test]
fn edit_lists_are_read() {
    let outcome = read(EDIT_LIST);
    let edits: Vec<_> = movie(&outcome).tracks.iter().map(|track| track.edits.clone()).collect();
    // Two pictures of delay at 10,240 units a second; the 1,024 samples that an AAC decoder needs to start.
    let edit = |media_time| vec![Edit { duration: 0, media_time, rate: 0x1_0000 }];
    assert_eq!(edits, [edit(2048), edit(1024)]);
    assert!(movie(&read(LIVE)).tracks.iter().all(|track| track.edits.is_empty()));
}

#[test]
fn a_handler_name_in_a_foreign_encoding_is_no_obstacle() {
    let mut file = LIVE.to_vec();
    let name = file.windows(12).position(|w| w == b"VideoHandler").expect("ffmpeg names its handler");
    file[name..name + 4].copy_from_slice(&[0xca, 0xd3, 0xc6, 0xb5]); // 视频 in GBK
    assert_eq!(movie(&read(&file)).tracks.len(), 2);
}

#[test]
fn what_is_cut_off_is_said() {
    let cut = read(&LIVE[..LIVE.len() - 200]);
    let ending = cut.ending.as_ref().expect("segments all the same");
    assert_eq!(
        ending.truncation,
        Some(Truncation::Box { kind: FourCc(*b"mdat"), offset: 3893, missing: 52 })
    );
    assert_eq!(cut.boundaries(), [0, 3593, 5122]);
    assert_eq!(cut.segments()[1].kind, SegmentKind::Incomplete);

    let cut = read(&LIVE[..3893]);
    assert_eq!(cut.ending.expect("segments").truncation, Some(Truncation::Media { offset: 3593 }));
    let cut = read(&LIVE[..3597]);
    assert_eq!(cut.ending.expect("segments").truncation, Some(Truncation::Header { offset: 3593 }));
    let cut = read(&LIVE[..3593]);
    assert_eq!(cut.ending.expect("segments").truncation, None, "a shorter recording is a recording");
    let header_only = read(&LIVE[..1221]);
    assert_eq!(header_only.segments()[0].kind, SegmentKind::Trailer);
    assert_eq!(header_only.ending.expect("no fragment yet").fragments, 0);
}

#[test]
fn the_header_event_carries_the_brand() {
    let outcome = read(LIVE);
    let Some(Event::Header(header)) = outcome.events.first() else { panic!("a header") };
    let Header { brand, .. } = header.as_ref();
    assert_eq!(*brand, Some(FourCc(*b"isom")));
}
