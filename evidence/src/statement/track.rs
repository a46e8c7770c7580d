//! The configuration of a track, as `start` signs it: how a player has to show the bytes is part of what was sealed.

use super::codes::codes;
use super::value::Wire;
use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::time::MAX_SAFE_INTEGER;

/// A codec configuration box: 16 tracks of them have to fit into one statement.
const MAX_CONFIGURATION: usize = 8 << 10;
/// Real edit lists have one or two entries; 64 leaves room for a recorder that pauses.
const MAX_EDITS: u64 = 64;

codes! {
    /// What a track carries.
    TrackKind {
        /// Pictures.
        Video = 0,
        /// Sound.
        Audio = 1,
        /// Anything else.
        Other = 2,
    }
}

/// One entry of an edit list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// Duration in the movie's time scale.
    pub duration: u64,
    /// Media time, −1 for an empty edit.
    pub media_time: i64,
    /// Rate as 16.16 fixed point.
    pub rate: i64,
}

/// Channels and sample rate of an audio track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    /// Number of channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
}

/// The configuration of one track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Track id in the container.
    pub id: u32,
    /// What it carries.
    pub kind: TrackKind,
    /// Sample entry code: four characters U+0000 to U+00FF, one for each byte.
    pub codec: String,
    /// Codec configuration box as stored, header included, at most 8 KiB.
    pub configuration: Vec<u8>,
    /// Units per second.
    pub time_scale: u32,
    /// Video: width and height in pixels.
    pub dimensions: Option<(u32, u32)>,
    /// Video: display matrix of `tkhd`.
    pub matrix: Option<[i32; 9]>,
    /// Edit list.
    pub edits: Option<Vec<Edit>>,
    /// Audio: channels and sample rate.
    pub audio: Option<AudioFormat>,
}

impl Wire for Track {
    fn write(&self, w: &mut Writer) {
        let present =
            [self.dimensions.is_some(), self.matrix.is_some(), self.edits.is_some(), self.audio.is_some()];
        w.map(5, &present);
        w.uint(1).uint(u64::from(self.id));
        w.uint(2).uint(self.kind.code());
        w.uint(3).text(&self.codec);
        w.uint(4).bytes(&self.configuration);
        w.uint(5).uint(u64::from(self.time_scale));
        w.optional(6, self.dimensions, |w, (width, height)| {
            w.array(2).uint(u64::from(width)).uint(u64::from(height));
            w
        });
        w.optional(7, self.matrix.as_ref(), |w, matrix| w.list(matrix, |w, v| w.int(i64::from(*v))));
        w.optional(8, self.edits.as_ref(), |w, edits| {
            w.list(edits, |w, edit| w.array(3).uint(edit.duration).int(edit.media_time).int(edit.rate))
        });
        w.optional(9, self.audio, |w, audio| {
            w.array(2).uint(u64::from(audio.channels)).uint(u64::from(audio.sample_rate));
            w
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut f = r.map("track")?;
        r.required(&mut f, 1, "track id")?;
        let id = r.small("track id")?;
        r.required(&mut f, 2, "track kind")?;
        let kind = TrackKind::read(r, "track kind")?;
        r.required(&mut f, 3, "codec")?;
        let codec = r.text("codec", 4, 8)?.to_owned();
        if codec.chars().count() != 4 || codec.chars().any(|c| c > '\u{ff}') {
            return Err(r.error("codec", CborProblem::OutOfRange));
        }
        r.required(&mut f, 4, "codec configuration")?;
        let configuration = r.bytes("codec configuration", MAX_CONFIGURATION)?.to_vec();
        r.required(&mut f, 5, "time scale")?;
        let time_scale = r.small("time scale")?;
        let dimensions = r.optional(&mut f, 6, "dimensions", |r| {
            r.array("dimensions", 2, 2)?;
            Ok((r.small("width")?, r.small("height")?))
        })?;
        let matrix = r.optional(&mut f, 7, "display matrix", read_matrix)?;
        let edits = r.optional(&mut f, 8, "edit list", |r| r.list("edit list", 0, MAX_EDITS, read_edit))?;
        let audio = r.optional(&mut f, 9, "audio format", |r| {
            r.array("audio format", 2, 2)?;
            Ok(AudioFormat { channels: r.small("channels")?, sample_rate: r.small("sample rate")? })
        })?;
        r.end(f, "track")?;
        Ok(Self { id, kind, codec, configuration, time_scale, dimensions, matrix, edits, audio })
    }
}

fn read_matrix(r: &mut Reader<'_>) -> Result<[i32; 9], CborError> {
    r.array("display matrix", 9, 9)?;
    let mut matrix = [0; 9];
    for value in &mut matrix {
        let number = r.int("display matrix")?;
        *value = i32::try_from(number).map_err(|_| r.error("display matrix", CborProblem::OutOfRange))?;
    }
    Ok(matrix)
}

fn read_edit(r: &mut Reader<'_>) -> Result<Edit, CborError> {
    r.array("edit", 3, 3)?;
    Ok(Edit {
        duration: r.uint("edit duration", MAX_SAFE_INTEGER)?,
        media_time: r.signed("edit media time")?,
        rate: r.signed("edit rate")?,
    })
}
