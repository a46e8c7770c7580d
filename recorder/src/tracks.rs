//! The tracks that a container describes, as `start` states them.

use evidence::statement::{AudioFormat, Edit, Track, TrackKind};
use media::{FourCc, Movie, TrackConfig};

/// All tracks, in the order of the container.
#[must_use]
pub fn describe(movie: &Movie) -> Vec<Track> {
    movie.tracks.iter().map(track).collect()
}

fn track(config: &TrackConfig) -> Track {
    let kind = match config.kind {
        media::TrackKind::Video => TrackKind::Video,
        media::TrackKind::Audio => TrackKind::Audio,
        media::TrackKind::Other => TrackKind::Other,
    };
    let edit = |edit: &media::Edit| Edit {
        duration: edit.duration,
        media_time: edit.media_time,
        rate: i64::from(edit.rate),
    };
    Track {
        id: config.track_id,
        kind,
        codec: four_characters(config.codec),
        configuration: config.config.clone(),
        time_scale: config.time_scale,
        dimensions: config.dimensions.map(|size| (u32::from(size.width), u32::from(size.height))),
        matrix: (kind == TrackKind::Video).then_some(config.matrix),
        edits: (!config.edits.is_empty()).then(|| config.edits.iter().map(edit).collect()),
        audio: config
            .sound
            .map(|sound| AudioFormat { channels: u32::from(sound.channels), sample_rate: sound.sample_rate }),
    }
}

/// One character a byte (ISO 8859-1), so that every code has four.
fn four_characters(code: FourCc) -> String {
    code.0.iter().map(|byte| char::from(*byte)).collect()
}
