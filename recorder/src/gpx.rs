//! GPX 1.0/1.1 tracks: where the device was, by media time.
//!
//! Read are the `trkpt` elements with their `lat`, `lon` and `time`; everything else of a GPX file is skipped. The first
//! point stands for the first picture of the recording. Out of scope: routes, way points, elevation.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::durable::FileError;
use evidence::Position;
use quick_xml::events::{BytesStart, Event};

/// A track of a whole shift at one point a second is 4 MB.
const MAX_FILE_LEN: u64 = 16 * 1024 * 1024;

/// One point a second for four days, the longest recording.
const MAX_POINTS: usize = 400_000;

/// How long the last known position still stands for a position: a receiver that lost the satellites in a doorway.
const TAIL: Duration = Duration::from_secs(10);

/// Between points further apart than this nothing is interpolated: the receiver had no fix.
const GAP: Duration = Duration::from_secs(60);

/// Why a GPX file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GpxError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Too long to be the track of one recording.
    #[error("{} is longer than {MAX_FILE_LEN} bytes, too long for the track of one recording.", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Not well-formed XML.
    #[error("The GPX file is not well-formed at byte {at}: {reason}.")]
    Xml {
        /// Where.
        at: u64,
        /// What the parser says.
        reason: String,
    },
    /// A point whose numbers make no sense.
    #[error("Track point {point} of the GPX file has no usable {what}.")]
    Point {
        /// Counted from 1.
        point: usize,
        /// `lat`, `lon` or `time`.
        what: &'static str,
    },
    /// Time runs backwards.
    #[error("Track point {point} of the GPX file is not later than the point before it.")]
    Order {
        /// Counted from 1.
        point: usize,
    },
    /// More points than a recording can last.
    #[error("The GPX file has more than {MAX_POINTS} track points.")]
    TooMany,
    /// No point at all.
    #[error("The GPX file has no track points.")]
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    /// Since the first point.
    at: Duration,
    /// 1e-7 degrees.
    lat: i64,
    lon: i64,
}

/// A track: at least one point, ascending in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    points: Vec<Point>,
}

impl Track {
    /// Reads a file.
    ///
    /// # Errors
    /// [`GpxError`]
    pub fn open(path: &Path) -> Result<Self, GpxError> {
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_LEN + 1).read_to_end(&mut text))
            .map_err(FileError::on("read", path))?;
        if text.len() as u64 > MAX_FILE_LEN {
            return Err(GpxError::TooLong { path: path.to_owned() });
        }
        Self::parse(&text)
    }

    /// Parses the text of a GPX file.
    ///
    /// # Errors
    /// [`GpxError`], but not `File` or `TooLong`.
    pub fn parse(text: &[u8]) -> Result<Self, GpxError> {
        let mut reader = quick_xml::Reader::from_reader(text);
        let mut builder = Builder::default();
        loop {
            let event = reader
                .read_event()
                .map_err(|error| GpxError::Xml { at: reader.error_position(), reason: error.to_string() })?;
            match event {
                Event::Start(tag) if tag.local_name().as_ref() == "trkpt" => builder.open(&tag)?,
                Event::Empty(tag) if tag.local_name().as_ref() == "trkpt" => {
                    builder.open(&tag)?;
                    builder.close()?;
                }
                Event::Start(tag) if tag.local_name().as_ref() == "time" => builder.in_time = true,
                Event::Text(text) if builder.in_time => builder.time(text.as_ref()),
                Event::End(tag) if tag.local_name().as_ref() == "time" => builder.in_time = false,
                Event::End(tag) if tag.local_name().as_ref() == "trkpt" => builder.close()?,
                Event::Eof => break,
                _ => {}
            }
        }
        if builder.points.is_empty() {
            return Err(GpxError::Empty);
        }
        Ok(Self { points: builder.points })
    }

    /// The position at this time of the recording: between two points on the straight line between them, after the last
    /// one for a few seconds the last one. `None` where the receiver had no fix.
    #[must_use]
    pub fn at(&self, media: Duration) -> Option<Position> {
        let after = self.points.partition_point(|point| point.at <= media);
        // invariant: the first point is at zero, so `after` is at least 1.
        let before = self.points.get(after.checked_sub(1)?)?;
        let since = media.saturating_sub(before.at);
        let (lat, lon) = match self.points.get(after) {
            Some(next) if next.at.saturating_sub(before.at) <= GAP => {
                let span = next.at.saturating_sub(before.at);
                (between(before.lat, next.lat, since, span), between(before.lon, next.lon, since, span))
            }
            _ if since <= TAIL => (before.lat, before.lon),
            _ => return None,
        };
        Some(Position { latitude_e7: lat, longitude_e7: lon, accuracy_cm: None })
    }
}

/// Exact in integers: at most 3.6e9 units times 60,000 ms.
fn between(from: i64, to: i64, since: Duration, span: Duration) -> i64 {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    // invariant: `span` is positive, because points ascend in time by whole milliseconds.
    from + (to - from) * millis(since) / millis(span).max(1)
}

#[derive(Default)]
struct Builder {
    points: Vec<Point>,
    first: Option<jiff::Timestamp>,
    open: Option<(i64, i64)>,
    open_time: Option<jiff::Timestamp>,
    in_time: bool,
}

impl Builder {
    fn number(&self) -> usize {
        self.points.len() + 1
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), GpxError> {
        if self.points.len() == MAX_POINTS {
            return Err(GpxError::TooMany);
        }
        let lat = attribute(tag, "lat").and_then(|text| degrees(&text, 90));
        let lon = attribute(tag, "lon").and_then(|text| degrees(&text, 180));
        let lat = lat.ok_or(GpxError::Point { point: self.number(), what: "lat" })?;
        let lon = lon.ok_or(GpxError::Point { point: self.number(), what: "lon" })?;
        self.open = Some((lat, lon));
        self.open_time = None;
        Ok(())
    }

    fn time(&mut self, text: &str) {
        self.open_time = text.trim().parse().ok();
    }

    fn close(&mut self) -> Result<(), GpxError> {
        let Some((lat, lon)) = self.open.take() else { return Ok(()) };
        let point = self.number();
        let time = self.open_time.take().ok_or(GpxError::Point { point, what: "time" })?;
        let first = *self.first.get_or_insert(time);
        let at = Duration::try_from(time.duration_since(first)).map_err(|_| GpxError::Order { point })?;
        let at = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        if self.points.last().is_some_and(|last| at <= last.at) {
            return Err(GpxError::Order { point });
        }
        self.points.push(Point { at, lat, lon });
        Ok(())
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok()??;
    Some(attribute.value.into_owned())
}

/// A decimal number of degrees as 1e-7 degrees, further digits dropped: a centimetre is enough.
fn degrees(text: &str, limit: i64) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("0000000".chars()).take(7).collect();
    let units = whole.parse::<i64>().ok()? * 10_000_000 + fraction.parse::<i64>().ok()?;
    (units <= limit * 10_000_000).then_some(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpx(points: &str) -> Result<Track, GpxError> {
        let text = format!(
            r#"<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><metadata><time>2020-01-01T00:00:00Z</time></metadata><trk><trkseg>{points}</trkseg></trk></gpx>"#
        );
        Track::parse(text.as_bytes())
    }

    fn point(lat: &str, lon: &str, time: &str) -> String {
        format!(r#"<trkpt lat="{lat}" lon="{lon}"><ele>3</ele><time>{time}</time></trkpt>"#)
    }

    fn at(track: &Track, ms: u64) -> Option<(i64, i64)> {
        track.at(Duration::from_millis(ms)).map(|position| (position.latitude_e7, position.longitude_e7))
    }

    #[test]
    fn hostile_numbers_are_refused_with_their_point() {
        let good = point("31.2989", "120.5853", "2026-11-22T08:00:00Z");
        for (lat, lon, what) in [
            ("91", "0", "lat"),
            ("-90.0000001", "0", "lat"),
            ("NaN", "0", "lat"),
            ("1e2", "0", "lat"),
            ("", "0", "lat"),
            ("9999999999999999999999", "0", "lat"),
            ("0", "180.1", "lon"),
            ("0", "12 0", "lon"),
        ] {
            let bad = format!("{good}{}", point(lat, lon, "2026-11-22T08:00:01Z"));
            assert!(
                matches!(gpx(&bad), Err(GpxError::Point { point: 2, what: found }) if found == what),
                "{lat} {lon}"
            );
        }
        let no_time = r#"<trkpt lat="1" lon="1"/>"#;
        assert!(matches!(gpx(no_time), Err(GpxError::Point { point: 1, what: "time" })));
    }

    #[test]
    fn time_runs_forward() {
        for second in ["2026-11-22T08:00:00Z", "2026-11-22T07:59:59Z"] {
            let points = point("1", "1", "2026-11-22T08:00:00Z") + &point("1", "1", second);
            assert!(matches!(gpx(&points), Err(GpxError::Order { point: 2 })));
        }
    }

    #[test]
    fn what_is_no_gpx_file_is_refused() {
        assert!(matches!(Track::parse(b""), Err(GpxError::Empty)));
        assert!(matches!(Track::parse(b"{\"lat\":1}"), Err(GpxError::Empty)));
        assert!(matches!(Track::parse(b"<gpx><trk></gpx>"), Err(GpxError::Xml { .. })));
        assert!(matches!(gpx(""), Err(GpxError::Empty)));
    }

    #[test]
    fn an_entity_bomb_expands_to_nothing() {
        let bomb = br#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><gpx><trk><trkseg><trkpt lat="1" lon="1"><time>&b;</time></trkpt></trkseg></trk></gpx>"#;
        assert!(Track::parse(bomb).is_err());
    }

    #[test]
    fn positions_lie_on_the_line_between_points_and_end_with_the_fix() {
        let track = gpx(&(point("31.0", "-0.5", "2026-11-22T16:00:00+08:00")
            + &point("31.0000100", "0.5", "2026-11-22T08:00:10Z")
            + &point("32", "1", "2026-11-22T09:00:00Z")))
        .unwrap();
        assert_eq!(at(&track, 0), Some((310_000_000, -5_000_000)));
        assert_eq!(at(&track, 5_000), Some((310_000_050, 0)));
        assert_eq!(at(&track, 10_000), Some((310_000_100, 5_000_000)));
        assert_eq!(at(&track, 20_000), Some((310_000_100, 5_000_000)), "last known position");
        assert_eq!(at(&track, 21_000), None, "an hour without a fix is not interpolated");
        assert_eq!(at(&track, 3_600_000), Some((320_000_000, 10_000_000)));
        assert_eq!(at(&track, 3_611_000), None, "the track has ended");
    }
}
