//! The segmentation rule of `docs/spec/segmentation.md`, in one place.
//!
//! `Cutter` walks the top-level boxes of a file. It asks for byte ranges at ever larger offsets (`Want`) and is
//! given exactly those; it never asks for media payload. The drivers [`Segmenter`](crate::Segmenter) and
//! [`Scanner`](crate::Scanner) differ only in where the bytes come from.

use crate::boxes::{BoxError, BoxHeader, Extent, FourCc, MAX_FILE_LEN, Parsed};
use crate::classify::{self, SNIFF_LEN, Unsuitable};
use crate::found::{
    Ending, Event, Header, MAX_MEDIA_MS, MAX_SEGMENTS, MediaTimes, Purpose, Segment, SegmentError,
    SegmentKind, Truncation,
};
use crate::fragment::{self, Clock, Fragment, TrackSpan};
use crate::movie::{self, HeaderError, Movie, Place, Shape};

/// The longest `moov` or `moof` that is held in memory. The `moof` of a fragment of ten minutes (18,000 pictures,
/// 28,000 sound frames, 16 bytes each) takes 0.7 MiB; the `moov` of a fragmented file a few kilobytes, or some
/// hundred with a cover picture.
pub const MAX_STRUCTURE_LEN: u64 = 4 << 20;

/// The bytes that the rule wants next. A range of length 0 asks only to be told when the file reaches its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

#[derive(Debug)]
enum State {
    /// The header of the box at `offset`, of which `len` bytes are needed.
    Header {
        offset: u64,
        len: usize,
    },
    /// The first bytes of a file that does not begin with a box.
    Sniff,
    /// The payload of an `ftyp` (its brand), `moov` or `moof`.
    Payload {
        open: OpenBox,
        len: usize,
    },
    /// The rest of a box passes unread.
    Skip {
        open: OpenBox,
    },
    /// The rest of the file is one box of this type.
    ToEnd {
        kind: FourCc,
    },
    Failed(SegmentError),
}

#[derive(Debug, Clone, Copy)]
struct OpenBox {
    kind: FourCc,
    offset: u64,
    payload: u64,
    end: u64,
}

/// The fragment of the segment that is being cut: its `moof` has been seen.
#[derive(Debug, Default)]
struct OpenFragment {
    /// `None` where the `moof` cannot be understood.
    content: Option<Fragment>,
    has_media: bool,
    /// Whether all the media that the `moof` refers to lies before the end of an `mdat` seen.
    whole: bool,
}

/// The state machine of the rule.
#[derive(Debug)]
pub(crate) struct Cutter {
    purpose: Purpose,
    state: State,
    /// Where the open segment begins.
    begin: u64,
    open: Option<OpenFragment>,
    /// Where the latest `moof` begins.
    last_moof: Option<u64>,
    /// Where the latest media of the open segment ends that came before its fragment.
    loose_media_end: Option<u64>,
    brand: Option<FourCc>,
    movie: Option<Movie>,
    header_seen: bool,
    /// The header describes samples of its own, which play before the first fragment.
    header_has_samples: bool,
    clock: Clock,
    /// When the first sample was shown, of each track that a segment's times were taken from.
    origins: Vec<(u32, i128)>,
    segments: u32,
    fragments: u32,
}

impl Cutter {
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            state: State::Header { offset: 0, len: 8 },
            begin: 0,
            open: None,
            last_moof: None,
            loose_media_end: None,
            brand: None,
            movie: None,
            header_seen: false,
            header_has_samples: false,
            clock: Clock::default(),
            origins: Vec::new(),
            segments: 0,
            fragments: 0,
        }
    }

    /// Begins at a fragment in the middle of a damaged file, as if a header had been seen.
    pub(crate) fn resume(offset: u64) -> Self {
        Self {
            state: State::Header { offset, len: 8 },
            begin: offset,
            last_moof: Some(offset),
            header_seen: true,
            ..Self::new(Purpose::Verify)
        }
    }

    /// What is wanted next, or `None` when nothing but the end of the file is left.
    pub(crate) fn want(&self) -> Option<Want> {
        match &self.state {
            State::Header { offset, len } => Some(Want { offset: *offset, len: *len }),
            State::Sniff => Some(Want { offset: 0, len: SNIFF_LEN }),
            State::Payload { open, len } => Some(Want { offset: open.payload, len: *len }),
            State::Skip { open } => Some(Want { offset: open.end, len: 0 }),
            State::ToEnd { .. } | State::Failed(_) => None,
        }
    }

    /// Takes the bytes of [`Self::want`], exactly as many as wanted.
    pub(crate) fn supply(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), SegmentError> {
        let step = match std::mem::replace(&mut self.state, State::Sniff) {
            State::Header { offset, .. } => self.on_header(offset, bytes, events),
            State::Sniff => Err(classify::sniff(bytes).into()),
            State::Payload { open, .. } => self.on_payload(open, bytes, events),
            State::Skip { open } => self.on_end_of_box(open, events),
            State::ToEnd { kind } => Ok(State::ToEnd { kind }),
            State::Failed(error) => Err(error),
        };
        match step {
            Ok(state) => {
                self.state = state;
                Ok(())
            }
            Err(error) => {
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn on_header(
        &mut self,
        offset: u64,
        bytes: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<State, SegmentError> {
        let header = match BoxHeader::parse(bytes) {
            // Whatever does not open with a box that a file may open with is no damaged file but another format.
            Ok(Parsed::Header(header)) if offset == 0 && !classify::opens_a_file(header.kind) => {
                return Ok(State::Sniff);
            }
            Ok(Parsed::Header(header)) => header,
            Ok(Parsed::NeedMore(len)) => return Ok(State::Header { offset, len }),
            Err(_) if offset == 0 => return Ok(State::Sniff),
            Err(error) => return Err(SegmentError::Malformed { offset, error }),
        };
        self.on_box(offset, &header, events)?;
        let structural = matches!(&header.kind.0, b"moov" | b"moof");
        let Extent::Sized(size) = header.extent else {
            if structural {
                let error = BoxError::Endless { kind: header.kind };
                return Err(SegmentError::Malformed { offset, error });
            }
            return Ok(State::ToEnd { kind: header.kind });
        };
        let too_large =
            SegmentError::Malformed { offset, error: BoxError::TooLarge { kind: header.kind, size } };
        let end = offset.checked_add(size).filter(|end| *end <= MAX_FILE_LEN).ok_or(too_large)?;
        let payload = offset + u64::from(header.header_len);
        let open = OpenBox { kind: header.kind, offset, payload, end };
        let want = match &header.kind.0 {
            b"ftyp" => (end - payload).min(4),
            b"moov" | b"moof" if end - payload <= MAX_STRUCTURE_LEN => end - payload,
            _ => return Ok(State::Skip { open }),
        };
        // invariant: at most MAX_STRUCTURE_LEN, which fits a usize of 32 bits.
        Ok(State::Payload { open, len: usize::try_from(want).unwrap_or(0) })
    }

    /// A top-level box begins: the rule's decisions that need its type only.
    fn on_box(
        &mut self,
        offset: u64,
        header: &BoxHeader,
        events: &mut Vec<Event>,
    ) -> Result<(), SegmentError> {
        let kind = &header.kind.0;
        if let Some(open) = &self.open
            && (kind == b"moof" || open.has_media && kind != b"mdat")
        {
            self.cut(offset, events)?;
        }
        match kind {
            // Media before any header: the header comes last, and describes all of it.
            b"mdat" if !self.header_seen && self.fragments == 0 && self.open.is_none() => {
                Err(classify::unfragmented(self.brand).into())
            }
            b"moof" if !self.header_seen && self.purpose == Purpose::Record => {
                Err(Unsuitable::NoHeader.into())
            }
            b"moof" => {
                self.open = Some(OpenFragment::default());
                self.last_moof = Some(offset);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_payload(
        &mut self,
        open: OpenBox,
        bytes: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<State, SegmentError> {
        match &open.kind.0 {
            b"ftyp" if self.brand.is_none() => self.brand = bytes.first_chunk().map(|brand| FourCc(*brand)),
            b"moov" if !self.header_seen => self.on_movie(
                movie::shape(bytes),
                movie::parse(Place::new(bytes, open.payload, open.offset)),
                events,
            )?,
            b"moof" => {
                let content = fragment::parse(bytes, open.offset, self.movie.as_ref(), &mut self.clock).ok();
                self.open = Some(OpenFragment { content, ..OpenFragment::default() });
            }
            // Further headers are bytes like any others: players and recorders go by the first.
            _ => {}
        }
        Ok(State::Skip { open })
    }

    fn on_movie(
        &mut self,
        shape: Shape,
        movie: Result<Movie, HeaderError>,
        events: &mut Vec<Event>,
    ) -> Result<(), SegmentError> {
        // A verifier meets headers whose announcement of fragments was altered; samples of its own tell a
        // progressive file.
        let progressive = match self.purpose {
            Purpose::Record => !shape.announces_fragments,
            Purpose::Verify => !shape.announces_fragments && shape.has_samples,
        };
        if progressive {
            return Err(classify::unfragmented(self.brand).into());
        }
        if let (Purpose::Record, Err(error)) = (self.purpose, &movie) {
            return Err(Unsuitable::Header(error.clone()).into());
        }
        self.header_seen = true;
        self.header_has_samples = shape.has_samples;
        self.movie = movie.as_ref().ok().cloned();
        events.push(Event::Header(Box::new(Header { brand: self.brand, movie })));
        Ok(())
    }

    fn on_end_of_box(&mut self, ended: OpenBox, events: &mut Vec<Event>) -> Result<State, SegmentError> {
        if &ended.kind.0 == b"moov" && !self.header_seen {
            // Longer than is held in memory, and so not seen by `on_payload`.
            let error = HeaderError::TooLarge { size: ended.end - ended.offset, limit: MAX_STRUCTURE_LEN };
            let shape = Shape { announces_fragments: true, has_samples: false };
            self.on_movie(shape, Err(error), events)?;
        }
        if &ended.kind.0 == b"mdat" && self.on_media(ended.end) {
            self.cut(ended.end, events)?;
        }
        Ok(State::Header { offset: ended.end, len: 8 })
    }

    /// An `mdat` ends at `end`. Says whether the open fragment is whole with it.
    fn on_media(&mut self, end: u64) -> bool {
        let Some(open) = &mut self.open else {
            let described = self.header_has_samples && self.segments == 0;
            self.loose_media_end = (!described).then_some(end);
            return false;
        };
        open.has_media = true;
        open.whole = open.content.as_ref().is_none_or(|content| content.data_end <= end);
        open.whole
    }

    /// A fragment is complete: its segment ends before `end`.
    fn cut(&mut self, end: u64, events: &mut Vec<Event>) -> Result<(), SegmentError> {
        // One segment stays in reserve for what follows, so that the segments tile the file even at the limit.
        if self.segments + 1 >= MAX_SEGMENTS {
            return Err(SegmentError::TooManySegments { offset: end });
        }
        self.close(end, SegmentKind::Fragment, events);
        Ok(())
    }

    /// Ends the open segment before `end`.
    fn close(&mut self, end: u64, kind: SegmentKind, events: &mut Vec<Event>) {
        let content = self.open.take().and_then(|open| open.content);
        let loose_media_end = self.loose_media_end.take().filter(|loose| *loose < end);
        if end == self.begin {
            return;
        }
        let spans = content.map(|content| content.spans).unwrap_or_default();
        events.push(Event::Segment(Segment {
            index: self.segments,
            offset: self.begin,
            length: end - self.begin,
            kind,
            times: self.times(&spans),
            spans,
            loose_media_end,
        }));
        self.segments += 1;
        self.fragments += u32::from(kind == SegmentKind::Fragment);
        self.begin = end;
    }

    /// Times from the reference track, else from the first track of the fragment that the header describes.
    fn times(&mut self, spans: &[TrackSpan]) -> Option<MediaTimes> {
        let movie = self.movie.as_ref()?;
        let span_of = |id| spans.iter().find(|span| span.track_id == id && span.units > 0);
        let reference = movie.reference_track().and_then(|track| span_of(track.track_id));
        let described = || spans.iter().find(|span| span.units > 0 && movie.track(span.track_id).is_some());
        let span = reference.or_else(described)?;
        let time_scale = movie.track(span.track_id)?.time_scale;
        let (begin, end) = (i128::from(span.begin_presentation), i128::from(span.end_presentation));
        let origin = match self.origins.iter().find(|(id, _)| *id == span.track_id) {
            Some((_, origin)) => *origin,
            None => {
                let origin = if self.header_has_samples { 0 } else { begin };
                // Bounded: only tracks that the header describes come here.
                self.origins.push((span.track_id, origin));
                origin
            }
        };
        // The header's own samples lie in the first segment.
        let begin = if self.header_has_samples && self.segments == 0 { origin } else { begin };
        let ms = |time: i128| {
            let ms = (time - origin).max(0).saturating_mul(1000) / i128::from(time_scale);
            u64::try_from(ms).unwrap_or(MAX_MEDIA_MS).min(MAX_MEDIA_MS)
        };
        Some(MediaTimes { begin_ms: ms(begin), end_ms: ms(end) })
    }

    /// The file ends at `total_len`, where [`Self::want`] could not be satisfied; `rest` are those of the wanted
    /// bytes that there are.
    pub(crate) fn end(
        &mut self,
        total_len: u64,
        rest: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<Ending, SegmentError> {
        let truncation = match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Sniff => return Err(classify::sniff(rest).into()),
            State::Header { offset: 0, .. } => return Err(classify::sniff(rest).into()),
            State::Header { offset, .. } if *offset == total_len => self.missing_media(),
            State::Header { offset, .. } => Some(Truncation::Header { offset: *offset }),
            State::Payload { open, .. } | State::Skip { open } => Some(Truncation::Box {
                kind: open.kind,
                offset: open.offset,
                missing: open.end.saturating_sub(total_len),
            }),
            State::ToEnd { kind } => {
                if &kind.0 == b"mdat" {
                    self.on_media(total_len);
                }
                self.missing_media()
            }
        };
        let kind = match (&truncation, &self.open) {
            (Some(_), _) => SegmentKind::Incomplete,
            (None, Some(_)) => SegmentKind::Fragment,
            (None, None) => SegmentKind::Trailer,
        };
        self.close(total_len, kind, events);
        Ok(Ending { total_len, segments: self.segments, fragments: self.fragments, truncation })
    }

    /// At the end of the file: whether the open fragment refers to media that has not come.
    fn missing_media(&self) -> Option<Truncation> {
        let open = self.open.as_ref()?;
        let refers = open.content.as_ref().is_some_and(|content| content.data_end > 0);
        (refers && !open.whole).then_some(Truncation::Media { offset: self.begin })
    }

    /// Where the open segment begins.
    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }

    /// Where the latest `moof` begins.
    pub(crate) fn last_moof(&self) -> Option<u64> {
        self.last_moof
    }

    /// Whether the rest of the file is one box that states no size.
    pub(crate) fn ends_openly(&self) -> bool {
        matches!(self.state, State::ToEnd { .. })
    }

    /// Gives up on the structure: all up to `total_len` is the last segment.
    pub(crate) fn abandon(&mut self, total_len: u64, events: &mut Vec<Event>) {
        self.close(total_len, SegmentKind::Incomplete, events);
    }

    /// The error that ended the walk, if one did.
    pub(crate) fn failure(&self) -> Option<&SegmentError> {
        match &self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }
}
