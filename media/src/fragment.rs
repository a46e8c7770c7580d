//! Movie fragments: what a `moof` (ISO/IEC 14496-12 §8.8) says about where its media lies and when it plays.
//!
//! Sums run over the stored fields and hold no table of samples, so a hostile sample count costs no memory.

use mp4_atom::{Atom, Tfdt, Tfhd};

use crate::boxes::{self, be32};
use crate::movie::{MAX_TRACKS, Movie};

/// The samples of one track in one fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackSpan {
    /// Track id.
    pub track_id: u32,
    /// Number of samples (access units).
    pub units: u64,
    /// Decode time of the first sample, in units of the track's time scale.
    pub first_decode_time: u64,
    /// Decode time after the last sample: the first one's plus all durations.
    pub end_decode_time: u64,
    /// When the sample shown first is shown: the least composition time. Saturates, as hostile files state anything.
    pub begin_presentation: i64,
    /// When the sample shown last has been shown: the greatest composition time plus duration.
    pub end_presentation: i64,
}

/// What a `moof` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// One span a track, in the order in which the tracks come first.
    pub(crate) spans: Vec<TrackSpan>,
    /// The offset in the file after the last byte of media that the fragment refers to.
    pub(crate) data_end: u64,
}

/// Decode times carried from fragment to fragment, for fragments without `tfdt` (§8.8.12).
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    next: Vec<(u32, u64)>,
}

impl Clock {
    fn next(&self, track_id: u32) -> u64 {
        self.next.iter().find(|(id, _)| *id == track_id).map_or(0, |(_, time)| *time)
    }

    /// Follows the tracks that the header describes, which bounds their number; others have no time scale anyway.
    fn advance(&mut self, span: &TrackSpan, movie: Option<&Movie>) {
        if movie.is_none_or(|movie| movie.track(span.track_id).is_none()) {
            return;
        }
        match self.next.iter().position(|(id, _)| *id == span.track_id) {
            Some(at) => self.next[at].1 = span.end_decode_time,
            None => self.next.push((span.track_id, span.end_decode_time)),
        }
    }
}

/// The payload of a `moof` cannot be understood. Its boundaries still count; its times are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFragment;

impl From<boxes::BadChild> for BadFragment {
    fn from(_: boxes::BadChild) -> Self {
        Self
    }
}

/// Reads the payload of the `moof` that begins at `moof_offset`. The clock goes on only if all of it is understood.
pub(crate) fn parse(
    payload: &[u8],
    moof_offset: u64,
    movie: Option<&Movie>,
    clock: &mut Clock,
) -> Result<Fragment, BadFragment> {
    let mut fragment = Fragment { spans: Vec::new(), data_end: 0 };
    // §8.8.7: without a stated base, the first track's data counts from the `moof`, each further one's from the end
    // of the data before it.
    let mut implied_base = moof_offset;
    let mut after = clock.clone();
    for child in boxes::children(payload) {
        let child = child?;
        if &child.kind.0 == b"traf" {
            let run = parse_traf(child.payload, moof_offset, implied_base, movie, &after)?;
            implied_base = run.data_end;
            fragment.data_end = fragment.data_end.max(run.furthest);
            after.advance(&run.span, movie);
            merge(&mut fragment.spans, run.span)?;
        }
    }
    *clock = after;
    Ok(fragment)
}

/// A track may have several `traf` in one `moof`; they follow each other.
fn merge(spans: &mut Vec<TrackSpan>, span: TrackSpan) -> Result<(), BadFragment> {
    match spans.iter().position(|known| known.track_id == span.track_id) {
        Some(_) if span.units == 0 => {}
        Some(at) if spans[at].units == 0 => spans[at] = span,
        Some(at) => {
            let known = &mut spans[at];
            known.units = known.units.saturating_add(span.units);
            known.end_decode_time = span.end_decode_time;
            known.begin_presentation = known.begin_presentation.min(span.begin_presentation);
            known.end_presentation = known.end_presentation.max(span.end_presentation);
        }
        None if spans.len() < MAX_TRACKS => spans.push(span),
        None => return Err(BadFragment),
    }
    Ok(())
}

struct Traf {
    span: TrackSpan,
    /// After the data of the last run.
    data_end: u64,
    /// After the data of whichever run reaches furthest.
    furthest: u64,
}

fn parse_traf(
    traf: &[u8],
    moof_offset: u64,
    implied_base: u64,
    movie: Option<&Movie>,
    clock: &Clock,
) -> Result<Traf, BadFragment> {
    let tfhd: Tfhd = decode(boxes::find(traf, b"tfhd")?.ok_or(BadFragment)?.payload)?;
    let first_decode_time = match boxes::find(traf, b"tfdt")? {
        Some(tfdt) => decode::<Tfdt>(tfdt.payload)?.base_media_decode_time,
        None => clock.next(tfhd.track_id),
    };
    let base = match tfhd.base_data_offset {
        Some(offset) => offset,
        None if tfhd.default_base_is_moof => moof_offset,
        None => implied_base,
    };
    let defaults = movie.and_then(|movie| movie.defaults(tfhd.track_id));
    let default = RunDefaults {
        duration: tfhd.default_sample_duration.or(defaults.map(|d| d.duration)).unwrap_or(0),
        size: tfhd.default_sample_size.or(defaults.map(|d| d.size)).unwrap_or(0),
    };
    let span = TrackSpan {
        track_id: tfhd.track_id,
        units: 0,
        first_decode_time,
        end_decode_time: first_decode_time,
        begin_presentation: saturate(first_decode_time.into()),
        end_presentation: saturate(first_decode_time.into()),
    };
    let mut result = Traf { span, data_end: base, furthest: 0 };
    for child in boxes::children(traf) {
        let child = child?;
        if &child.kind.0 == b"trun" {
            let run = Run::parse(child.payload, result.span.end_decode_time, default).ok_or(BadFragment)?;
            add_run(&mut result, &run, base);
        }
    }
    Ok(result)
}

fn add_run(traf: &mut Traf, run: &Run, base: u64) {
    let span = &mut traf.span;
    let (begin, end) = (saturate(run.presentation.0), saturate(run.presentation.1));
    if run.count > 0 {
        let first = span.units == 0;
        span.begin_presentation = if first { begin } else { span.begin_presentation.min(begin) };
        span.end_presentation = if first { end } else { span.end_presentation.max(end) };
    }
    span.units = span.units.saturating_add(u64::from(run.count));
    span.end_decode_time = span.end_decode_time.saturating_add(run.duration);
    // §8.8.8: a run without an offset begins where the run before it ends.
    let begin = match run.data_offset {
        Some(offset) => base.saturating_add_signed(offset.into()),
        None => traf.data_end,
    };
    traf.data_end = begin.saturating_add(run.size);
    if run.size > 0 {
        traf.furthest = traf.furthest.max(traf.data_end);
    }
}

fn decode<T: Atom>(mut payload: &[u8]) -> Result<T, BadFragment> {
    T::decode_body(&mut payload).map_err(|_| BadFragment)
}

#[derive(Clone, Copy)]
struct RunDefaults {
    duration: u32,
    size: u32,
}

fn saturate(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

/// The sums of a track run, `trun` (§8.8.8):
///
/// ```text
/// version: u8 | flags: u24 | sample_count: u32 | [data_offset: i32] | [first_sample_flags: u32]
/// then per sample: [duration: u32] | [size: u32] | [flags: u32] | [composition offset: u32, i32 in version 1]
/// ```
struct Run {
    count: u32,
    data_offset: Option<i32>,
    duration: u64,
    size: u64,
    /// Least composition time, and greatest composition time plus duration.
    presentation: (i128, i128),
}

impl Run {
    const DATA_OFFSET: u32 = 0x1;
    const FIRST_SAMPLE_FLAGS: u32 = 0x4;
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    const FLAGS: u32 = 0x400;
    const COMPOSITION: u32 = 0x800;

    fn parse(payload: &[u8], first_decode_time: u64, default: RunDefaults) -> Option<Self> {
        let flags = be32(payload, 0)?;
        let count = be32(payload, 4)?;
        let mut at = 8;
        let mut data_offset = None;
        if flags & Self::DATA_OFFSET != 0 {
            data_offset = Some(be32(payload, at)?.cast_signed());
            at += 4;
        }
        if flags & Self::FIRST_SAMPLE_FLAGS != 0 {
            be32(payload, at)?;
            at += 4;
        }
        // Where each present field lies within the record of a sample.
        let mut width = 0;
        let [duration, size, _, composition] = [Self::DURATION, Self::SIZE, Self::FLAGS, Self::COMPOSITION]
            .map(|flag| {
                (flags & flag != 0).then(|| {
                    width += 4;
                    width - 4
                })
            });
        // The table is there before anything is counted.
        let table_len = usize::try_from(count).ok()?.checked_mul(width)?;
        let table = payload.get(at..)?.get(..table_len)?;

        let begin = i128::from(first_decode_time);
        let mut run = Self { count, data_offset, duration: 0, size: 0, presentation: (i128::MAX, i128::MIN) };
        if width == 0 {
            run.duration = u64::from(count).saturating_mul(default.duration.into());
            run.size = u64::from(count).saturating_mul(default.size.into());
            run.presentation = (begin, begin + i128::from(run.duration));
            return Some(run);
        }
        for sample in table.chunks_exact(width) {
            let field = |at: Option<usize>| at.and_then(|at| be32(sample, at));
            let sample_duration = field(duration).unwrap_or(default.duration);
            let offset = field(composition).unwrap_or(0);
            let offset = if flags >> 24 == 0 { i64::from(offset) } else { i64::from(offset.cast_signed()) };
            let shown = begin + i128::from(run.duration) + i128::from(offset);
            run.presentation.0 = run.presentation.0.min(shown);
            run.presentation.1 = run.presentation.1.max(shown + i128::from(sample_duration));
            run.duration = run.duration.saturating_add(sample_duration.into());
            run.size = run.size.saturating_add(field(size).unwrap_or(default.size).into());
        }
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bx(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len() + 8).expect("small");
        [&size.to_be_bytes()[..], kind, payload].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// A `traf` with a sample duration of 10 and these runs, each given by its words.
    fn traf(track: u32, flags: u32, runs: &[&[u32]]) -> Vec<u8> {
        let tfhd = bx(b"tfhd", &words(&[flags | 0x8, track, 10]));
        let runs = runs.iter().flat_map(|run| bx(b"trun", &words(run)));
        bx(b"traf", &tfhd.into_iter().chain(runs).collect::<Vec<_>>())
    }

    fn read(trafs: &[Vec<u8>]) -> Fragment {
        parse(&trafs.concat(), 1000, None, &mut Clock::default()).expect("well-formed")
    }

    // Two samples of 50 bytes, with or without an offset.
    const AT_100: &[u32] = &[0x201, 2, 100, 50, 50];
    const IMPLIED: &[u32] = &[0x200, 2, 50, 50];

    #[test]
    fn data_of_runs_follows_each_other() {
        assert_eq!(read(&[traf(1, 0, &[IMPLIED])]).data_end, 1100);
        assert_eq!(read(&[traf(1, 0, &[AT_100])]).data_end, 1200);
        assert_eq!(read(&[traf(1, 0, &[AT_100, IMPLIED])]).data_end, 1300);
        assert_eq!(
            read(&[traf(1, 0, &[AT_100, IMPLIED, AT_100])]).data_end,
            1300,
            "the furthest, not the last"
        );
    }

    #[test]
    fn data_of_tracks_follows_each_other_unless_it_counts_from_the_moof() {
        assert_eq!(read(&[traf(1, 0, &[AT_100]), traf(2, 0, &[IMPLIED])]).data_end, 1300);
        assert_eq!(read(&[traf(1, 0, &[AT_100]), traf(2, 0, &[AT_100])]).data_end, 1400);
        assert_eq!(read(&[traf(1, 0x2_0000, &[AT_100]), traf(2, 0x2_0000, &[AT_100])]).data_end, 1200);
    }

    #[test]
    fn runs_without_bytes_refer_to_nothing() {
        assert_eq!(read(&[traf(1, 0, &[&[0x1, 5, 1_000_000]])]).data_end, 0);
    }

    #[test]
    fn offsets_before_the_file_stay_at_its_start() {
        assert_eq!(read(&[traf(1, 0, &[&[0x201, 1, 0x8000_0000, 7]])]).data_end, 7);
    }

    #[test]
    fn composition_offsets_are_signed_in_version_1_only() {
        let shown = |version: u32| {
            let span = read(&[traf(1, 0, &[&[version << 24 | 0x800, 2, 0xffff_fff6, 20]])]).spans[0];
            (span.begin_presentation, span.end_presentation)
        };
        assert_eq!(shown(1), (-10, 40));
        assert_eq!(shown(0), (30, 0xffff_fff6 + 10));
    }

    #[test]
    fn several_parts_of_a_track_are_one_span() {
        let late = traf(1, 0, &[&[0x800, 1, 100]]);
        let none = traf(1, 0, &[]);
        let early = traf(1, 0, &[&[0x800, 1, 3]]);
        let orders = [[&late, &none, &early], [&none, &late, &early], [&early, &late, &none]];
        for parts in orders.map(|order| order.map(Clone::clone)) {
            let fragment = read(&parts);
            let [span] = fragment.spans[..] else { panic!("one track") };
            assert_eq!((span.units, span.begin_presentation, span.end_presentation), (2, 3, 110));
        }
    }

    #[test]
    fn more_tracks_than_a_header_may_describe_are_refused() {
        let parts: Vec<u8> = (1..=17).flat_map(|track| traf(track, 0, &[IMPLIED])).collect();
        assert_eq!(parse(&parts, 0, None, &mut Clock::default()), Err(BadFragment));
    }

    #[test]
    fn fields_cut_off_are_refused() {
        for run in [&[][..], &[0], &[1, 1], &[4, 1], &[0x200, 2, 50], &[0xf00, u32::MAX, 0, 0, 0, 0]] {
            let parts = traf(1, 0, &[run]);
            assert_eq!(parse(&parts, 0, None, &mut Clock::default()), Err(BadFragment), "{run:?}");
        }
        let headless = bx(b"traf", &bx(b"trun", &words(IMPLIED)));
        assert_eq!(parse(&headless, 0, None, &mut Clock::default()), Err(BadFragment));
    }
}
