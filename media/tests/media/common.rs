//! Fixtures, drivers and a box builder that the tests share.

use media::{Ending, Event, Purpose, Scanner, Segment, SegmentError, Segmenter, Sink};

macro_rules! fixtures {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(crate) const $constant: &[u8] = include_bytes!(concat!("../../../testdata/media/", $name));)*
    };
}

fixtures! {
    LIVE = "h264-aac-live.mp4";
    DEFAULT_BASE = "h264-aac-dbm.mp4";
    HYBRID = "h264-aac-hybrid.mp4";
    PER_FRAME = "h264-per-frame.mp4";
    BFRAMES_CMAF = "h264-bframes-cmaf.mp4";
    EDIT_LIST = "h264-edit-list.mp4";
    DASH = "h264-dash-segments.mp4";
    SEPARATE = "h264-aac-separate.mp4";
    H265 = "h265-aac.mp4";
    VP9 = "vp9-opus.mp4";
    AV1 = "av1-opus.mp4";
    AUDIO = "aac-only.mp4";
    PROGRESSIVE = "progressive.mp4";
    PROGRESSIVE_MOOV_LAST = "progressive-moov-last.mp4";
    QUICKTIME = "quicktime.mov";
    MATROSKA = "matroska.mkv";
    AVI = "riff.avi";
    TRANSPORT = "transport.ts";
}

/// Every fragmented fixture.
pub(crate) const FRAGMENTED: [&[u8]; 12] =
    [LIVE, DEFAULT_BASE, HYBRID, PER_FRAME, BFRAMES_CMAF, EDIT_LIST, DASH, SEPARATE, H265, VP9, AV1, AUDIO];

/// Every fixture.
pub(crate) const ALL: [&[u8]; 18] = [
    LIVE,
    DEFAULT_BASE,
    HYBRID,
    PER_FRAME,
    BFRAMES_CMAF,
    EDIT_LIST,
    DASH,
    SEPARATE,
    H265,
    VP9,
    AV1,
    AUDIO,
    PROGRESSIVE,
    PROGRESSIVE_MOOV_LAST,
    QUICKTIME,
    MATROSKA,
    AVI,
    TRANSPORT,
];

/// What reading a file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) ending: Result<Ending, SegmentError>,
}

impl Outcome {
    pub(crate) fn segments(&self) -> Vec<&Segment> {
        let segment = |event| match event {
            &Event::Header(_) => None,
            Event::Segment(segment) => Some(segment),
        };
        self.events.iter().filter_map(segment).collect()
    }

    /// Offsets where segments begin, and where the last one ends.
    pub(crate) fn boundaries(&self) -> Vec<u64> {
        let segments = self.segments();
        segments.iter().map(|s| s.offset).chain(segments.last().map(|s| s.end())).collect()
    }

    /// Panics unless the segments are numbered, not empty, and partition `[0, len)`; in a failed file, a prefix.
    pub(crate) fn assert_tiles(&self, len: u64) {
        let mut at = 0;
        for (index, segment) in self.segments().into_iter().enumerate() {
            assert_eq!((segment.index as usize, segment.offset), (index, at));
            assert!(segment.length > 0);
            at = segment.end();
            if let Some(times) = segment.times {
                assert!(times.begin_ms <= times.end_ms);
            }
        }
        match &self.ending {
            Ok(ending) => {
                assert_eq!(at, len);
                assert_eq!(ending.total_len, len);
                assert_eq!(ending.segments as usize, self.segments().len());
            }
            Err(_) => assert!(at <= len),
        }
    }
}

/// A sink that checks the promise of [`Sink`]: a segment comes after its last byte and before the next.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) events: Vec<Event>,
    pub(crate) bytes: Vec<u8>,
}

impl Sink for Recorder {
    fn data(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn event(&mut self, event: Event) {
        if let Event::Segment(segment) = &event {
            assert_eq!(segment.end(), self.bytes.len() as u64, "a segment is reported exactly at its end");
        }
        self.events.push(event);
    }
}

/// Streams a file in the chunks that `lengths` gives (repeating the last), and checks that every byte came through.
pub(crate) fn stream(file: &[u8], purpose: Purpose, lengths: impl IntoIterator<Item = usize>) -> Outcome {
    let mut lengths = lengths.into_iter();
    let (mut rest, mut last) = (file, file.len().max(1));
    let (mut segmenter, mut sink) = (Segmenter::new(purpose), Recorder::default());
    while !rest.is_empty() {
        last = lengths.next().unwrap_or(last).min(rest.len());
        let (chunk, after) = rest.split_at(last);
        rest = after;
        last = last.max(1);
        if let Err(error) = segmenter.push(chunk, &mut sink) {
            assert_eq!(segmenter.push(b"more", &mut sink), Err(error.clone()), "an error stays");
            let read = file.len() - rest.len();
            assert_eq!(sink.bytes, &file[..read], "an error loses no bytes");
            return Outcome { events: sink.events, ending: Err(error) };
        }
    }
    let ending = segmenter.finish(&mut sink);
    assert_eq!(sink.bytes, file);
    Outcome { events: sink.events, ending }
}

/// Scans a file by random access and says how many bytes were read.
pub(crate) fn scan(file: &[u8], purpose: Purpose) -> (Outcome, u64) {
    let mut scanner = Scanner::new(purpose, file.len() as u64);
    let (mut events, mut read) = (Vec::new(), 0);
    while let Some(range) = scanner.next_read() {
        assert!(range.start < range.end && range.end <= file.len() as u64, "{range:?}");
        read += range.end - range.start;
        let index = |at: u64| usize::try_from(at).expect("a file in memory");
        let bytes = &file[index(range.start)..index(range.end)];
        events.extend(scanner.supply(range.start, bytes).expect("the range asked for"));
    }
    let (rest, ending) = scanner.finish().expect("nothing left to read");
    events.extend(rest);
    (Outcome { events, ending }, read)
}

/// A box with a 32-bit size.
pub(crate) fn bx(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 8).expect("a small box");
    [&size.to_be_bytes()[..], kind, payload].concat()
}

/// The header of a box with a 64-bit size for a payload of this length.
pub(crate) fn large_header(kind: &[u8; 4], payload_len: u64) -> Vec<u8> {
    [&1u32.to_be_bytes()[..], kind, &(payload_len + 16).to_be_bytes()].concat()
}

/// A `moof` of track 1 with one run: `count` samples of `size` bytes at `data_offset`, and a decode time.
pub(crate) fn moof(time: u64, count: u32, size: u32, data_offset: i32) -> Vec<u8> {
    let tfhd = [&0x02_0018u32.to_be_bytes()[..], &[0, 0, 0, 1], &100u32.to_be_bytes(), &size.to_be_bytes()];
    let tfdt = [&(1u32 << 24).to_be_bytes()[..], &time.to_be_bytes()];
    let trun = [&1u32.to_be_bytes()[..], &count.to_be_bytes(), &data_offset.to_be_bytes()];
    let traf = [bx(b"tfhd", &tfhd.concat()), bx(b"tfdt", &tfdt.concat()), bx(b"trun", &trun.concat())];
    bx(b"moof", &[bx(b"mfhd", &[0; 8]), bx(b"traf", &traf.concat())].concat())
}

/// `ftyp` and `moov` of a real file: one video track of id 1 with 10,240 units a second.
pub(crate) fn header() -> Vec<u8> {
    PER_FRAME[..734].to_vec()
}
