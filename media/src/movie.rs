//! The header of a recording: `moov` (ISO/IEC 14496-12 §8.2) reduced to what decides how its fragments are shown.
//!
//! Fixed layouts (`mvhd`, `tkhd`, `mdhd`, `elst`, `trex`) are decoded by mp4-atom, each from a slice of bounded
//! length. The containers around them, `hdlr` and `stsd` are walked here: see `docs/decisions/0009-boxes-that-mp4-atom-reads.md`.

use mp4_atom::{Atom, Elst, Mdhd, Mvhd, Tkhd, Trex};

use crate::boxes::{self, BadChild, Child, FourCc};
use crate::sample_entry::{self, SampleEntry};

/// The most tracks a recording may have; a `start` statement holds no more (`docs/spec/statement.md`).
pub const MAX_TRACKS: usize = 16;

/// The most entries of one edit list. Encoders write one or two (a delay, then the media); a statement of 64 KiB
/// has to hold those of all tracks.
pub const MAX_EDITS: usize = 16;

/// The longest codec configuration box, header included (`docs/spec/statement.md`): parameter sets take a few
/// hundred bytes, and three kilobytes where every profile has its own.
pub const MAX_CONFIG_LEN: usize = 8 << 10;

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// Handler `vide`.
    Video,
    /// Handler `soun`.
    Audio,
    /// Anything else: timed text, metadata, time code.
    Other,
}

/// One entry of an edit list (§8.6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// Length in units of the movie's time scale.
    pub duration: u64,
    /// Where it begins in units of the track's time scale; −1 for an empty edit.
    pub media_time: i64,
    /// Playback rate as a signed 16.16 fixed-point number.
    pub rate: i32,
}

/// Dimensions of the pictures of a video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Width in pixels, from the sample entry.
    pub width: u16,
    /// Height in pixels, from the sample entry.
    pub height: u16,
}

/// Sound of an audio track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// Number of channels, from the sample entry.
    pub channels: u16,
    /// Samples per second, from the sample entry. 0 where the entry leaves it to the codec configuration.
    pub sample_rate: u32,
}

/// The configuration of one track as the file states it, for the `start` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackConfig {
    /// Track id, not 0, distinct within the file.
    pub track_id: u32,
    /// What it carries.
    pub kind: TrackKind,
    /// The handler type, `vide`, `soun`, ….
    pub handler: FourCc,
    /// Whether the track is enabled (`tkhd` flag 1).
    pub enabled: bool,
    /// Units per second of the track's times, not 0.
    pub time_scale: u32,
    /// ISO 639-2/T code, as stored: `und`, `zho`, ….
    pub language: String,
    /// Sample entry type of the first sample description: `avc1`, `hvc1`, `mp4a`, ….
    pub codec: FourCc,
    /// The codec configuration box of the first sample description as stored, header included (`avcC`, `hvcC`,
    /// `esds`, …); empty where the codec has none. At most [`MAX_CONFIG_LEN`] bytes.
    pub config: Vec<u8>,
    /// How many sample descriptions there are. `codec` and `config` are those of the first.
    pub sample_descriptions: u32,
    /// Video only.
    pub dimensions: Option<Dimensions>,
    /// Audio only.
    pub sound: Option<Sound>,
    /// The size at which the track is shown (`tkhd`), as unsigned 16.16 fixed-point numbers.
    pub display_size: (u32, u32),
    /// The display matrix of `tkhd` in the order stored: a b u c d v x y w.
    pub matrix: [i32; 9],
    /// The edit list; empty where there is none.
    pub edits: Vec<Edit>,
}

/// What `moov` says about the movie and its tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movie {
    /// Units per second of edit durations.
    pub time_scale: u32,
    /// The matrix of `mvhd`, which players apply after the track's.
    pub matrix: [i32; 9],
    /// The tracks in the order stored, at least one.
    pub tracks: Vec<TrackConfig>,
    pub(crate) defaults: Vec<Defaults>,
}

impl Movie {
    /// The track whose times stand for the recording: the first video track, else the first track.
    pub fn reference_track(&self) -> Option<&TrackConfig> {
        self.tracks.iter().find(|track| track.kind == TrackKind::Video).or(self.tracks.first())
    }

    pub(crate) fn track(&self, track_id: u32) -> Option<&TrackConfig> {
        self.tracks.iter().find(|track| track.track_id == track_id)
    }

    pub(crate) fn defaults(&self, track_id: u32) -> Option<Defaults> {
        self.defaults.iter().copied().find(|defaults| defaults.track_id == track_id)
    }
}

/// Defaults for the samples of a track's fragments (`trex`, §8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defaults {
    track_id: u32,
    pub(crate) duration: u32,
    pub(crate) size: u32,
}

/// Why a header cannot be described. Offsets count from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The header is longer than is held in memory.
    #[error("the header has {size} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A box inside does not fit its parent.
    #[error("the header holds a malformed box at byte {offset}")]
    BadBox {
        /// Where it begins.
        offset: u64,
    },
    /// A box that must be there is not.
    #[error("the header has no box {kind:?} where one is required, in the box at byte {offset}")]
    Missing {
        /// The missing box.
        kind: FourCc,
        /// Where its parent begins.
        offset: u64,
    },
    /// The content of a box does not follow its specification.
    #[error("the box {kind:?} at byte {offset} of the header is malformed")]
    BadContent {
        /// The box.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
    },
    /// More of something than is recorded.
    #[error("the header has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Two tracks have the same id.
    #[error("two tracks of the header have the id {track_id}")]
    DuplicateTrack {
        /// The id.
        track_id: u32,
    },
    /// No track at all.
    #[error("the header describes no track")]
    NoTracks,
}

/// Whether a `moov` announces fragments, and whether it describes samples of its own. Read from as much as can be
/// walked, so that a file with a damaged header is still named correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) announces_fragments: bool,
    pub(crate) has_samples: bool,
}

pub(crate) fn shape(moov: &[u8]) -> Shape {
    let has_samples = |trak: &Child<'_>| {
        let table = [b"mdia", b"minf", b"stbl"]
            .iter()
            .try_fold(trak.payload, |payload, kind| Some(boxes::find(payload, kind).ok()??.payload));
        table.is_some_and(|stbl| {
            boxes::children(stbl).map_while(Result::ok).any(|child| match &child.kind.0 {
                b"stsz" | b"stz2" => boxes::be32(child.payload, 8).is_some_and(|count| count > 0),
                b"stts" => boxes::be32(child.payload, 4).is_some_and(|count| count > 0),
                _ => false,
            })
        })
    };
    let all = || boxes::children(moov).map_while(Result::ok);
    Shape {
        announces_fragments: all().any(|child| &child.kind.0 == b"mvex"),
        has_samples: all().any(|child| &child.kind.0 == b"trak" && has_samples(&child)),
    }
}

/// Where a payload lies in the file, so that errors name absolute offsets.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    payload: &'a [u8],
    /// Offset of the payload's first byte.
    at: u64,
    /// Offset of the box it belongs to.
    owner: u64,
}

impl<'a> Place<'a> {
    pub(crate) fn new(payload: &'a [u8], at: u64, owner: u64) -> Self {
        Self { payload, at, owner }
    }

    pub(crate) fn payload(&self) -> &'a [u8] {
        self.payload
    }

    fn bad(&self, bad: BadChild) -> HeaderError {
        HeaderError::BadBox { offset: self.at.saturating_add(bad.offset as u64) }
    }

    pub(crate) fn children(self) -> impl Iterator<Item = Result<(FourCc, &'a [u8], Place<'a>), HeaderError>> {
        boxes::children(self.payload).map(move |child| {
            let child = child.map_err(|bad| self.bad(bad))?;
            let owner = self.at.saturating_add(child.offset as u64);
            let header_len = (child.whole.len() - child.payload.len()) as u64;
            Ok((child.kind, child.whole, Place::new(child.payload, owner.saturating_add(header_len), owner)))
        })
    }

    fn find(self, kind: &[u8; 4]) -> Result<Option<Place<'a>>, HeaderError> {
        for child in self.children() {
            let (found, _, place) = child?;
            if found.0 == *kind {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn require(self, kind: &[u8; 4]) -> Result<Place<'a>, HeaderError> {
        self.find(kind)?.ok_or(HeaderError::Missing { kind: FourCc(*kind), offset: self.owner })
    }

    pub(crate) fn malformed(&self, kind: FourCc) -> HeaderError {
        HeaderError::BadContent { kind, offset: self.owner }
    }

    /// Decodes a box of fixed layout. Bytes after it are left alone: later versions of a box append fields.
    fn decode<T: Atom>(self) -> Result<T, HeaderError> {
        let mut body = self.payload;
        T::decode_body(&mut body).map_err(|_| self.malformed(FourCc(T::KIND.into())))
    }
}

/// Reads the payload of a `moov`.
pub(crate) fn parse(moov: Place<'_>) -> Result<Movie, HeaderError> {
    let mvhd: Mvhd = moov.require(b"mvhd")?.decode()?;
    let mut movie = Movie {
        time_scale: mvhd.timescale,
        matrix: matrix(&mvhd.matrix),
        tracks: Vec::new(),
        defaults: Vec::new(),
    };
    for child in moov.children() {
        let (kind, _, place) = child?;
        match &kind.0 {
            b"trak" => {
                let track = parse_track(place)?;
                if movie.track(track.track_id).is_some() {
                    return Err(HeaderError::DuplicateTrack { track_id: track.track_id });
                }
                if movie.tracks.len() == MAX_TRACKS {
                    return Err(HeaderError::TooMany { what: "tracks", limit: MAX_TRACKS });
                }
                movie.tracks.push(track);
            }
            b"mvex" => parse_defaults(place, &mut movie.defaults)?,
            _ => {}
        }
    }
    if movie.tracks.is_empty() { Err(HeaderError::NoTracks) } else { Ok(movie) }
}

fn parse_defaults(mvex: Place<'_>, defaults: &mut Vec<Defaults>) -> Result<(), HeaderError> {
    for child in mvex.children() {
        let (kind, _, place) = child?;
        if &kind.0 == b"trex" {
            if defaults.len() == MAX_TRACKS {
                return Err(HeaderError::TooMany { what: "track defaults", limit: MAX_TRACKS });
            }
            let trex: Trex = place.decode()?;
            defaults.push(Defaults {
                track_id: trex.track_id,
                duration: trex.default_sample_duration,
                size: trex.default_sample_size,
            });
        }
    }
    Ok(())
}

fn parse_track(trak: Place<'_>) -> Result<TrackConfig, HeaderError> {
    let tkhd_at = trak.require(b"tkhd")?;
    let tkhd: Tkhd = tkhd_at.decode()?;
    if tkhd.track_id == 0 {
        return Err(tkhd_at.malformed(FourCc(*b"tkhd")));
    }
    let mdia = trak.require(b"mdia")?;
    let mdhd_at = mdia.require(b"mdhd")?;
    let mdhd: Mdhd = mdhd_at.decode()?;
    if mdhd.timescale == 0 {
        return Err(mdhd_at.malformed(FourCc(*b"mdhd")));
    }
    let handler = handler(mdia.require(b"hdlr")?)?;
    let kind = match &handler.0 {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        _ => TrackKind::Other,
    };
    let stsd = mdia.require(b"minf")?.require(b"stbl")?.require(b"stsd")?;
    let (entry, sample_descriptions) = sample_entry::parse(stsd, kind)?;
    let SampleEntry { codec, config, dimensions, sound } = entry;
    let fixed = |int: u16, dec: u16| u32::from(int) << 16 | u32::from(dec);
    Ok(TrackConfig {
        track_id: tkhd.track_id,
        kind,
        handler,
        enabled: tkhd.enabled,
        time_scale: mdhd.timescale,
        language: mdhd.language,
        codec,
        config,
        sample_descriptions,
        dimensions,
        sound,
        display_size: (
            fixed(tkhd.width.integer(), tkhd.width.decimal()),
            fixed(tkhd.height.integer(), tkhd.height.decimal()),
        ),
        matrix: matrix(&tkhd.matrix),
        edits: edits(trak)?,
    })
}

/// The handler type. The name after it is not read: writers put text of any encoding there.
fn handler(hdlr: Place<'_>) -> Result<FourCc, HeaderError> {
    let code = hdlr.payload.get(8..).and_then(|rest| rest.first_chunk::<4>());
    code.map(|code| FourCc(*code)).ok_or(hdlr.malformed(FourCc(*b"hdlr")))
}

fn edits(trak: Place<'_>) -> Result<Vec<Edit>, HeaderError> {
    let Some(elst) = trak.find(b"edts")?.map(|edts| edts.find(b"elst")).transpose()?.flatten() else {
        return Ok(Vec::new());
    };
    // The stated count bounds what the decoder allocates, so it is looked at first.
    if boxes::be32(elst.payload, 4).is_some_and(|count| count as usize > MAX_EDITS) {
        return Err(HeaderError::TooMany { what: "edits in one track", limit: MAX_EDITS });
    }
    let elst: Elst = elst.decode()?;
    let edits = elst.entries.iter().map(|entry| Edit {
        duration: entry.segment_duration,
        // The decoder maps −1 to None, refuses other negative values, and so stays within i64.
        media_time: entry.media_time.map_or(-1, |time| i64::try_from(time).unwrap_or(i64::MAX)),
        rate: i32::from(entry.media_rate.integer()) << 16 | i32::from(entry.media_rate.decimal() as u16),
    });
    Ok(edits.collect())
}

fn matrix(m: &mp4_atom::Matrix) -> [i32; 9] {
    [m.a, m.b, m.u, m.c, m.d, m.v, m.x, m.y, m.w]
}
