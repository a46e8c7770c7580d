//! The media type of a deposit, told from the file's name. It is informational: nothing is verified by it.

use std::path::Path;

const KNOWN: [(&str, &str); 24] = [
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("csv", "text/csv"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ts", "video/mp2t"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
];

/// The media type that the extension stands for, else "any bytes".
#[must_use]
pub fn by_name(path: &Path) -> &'static str {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let known = extension.and_then(|extension| KNOWN.iter().find(|(name, _)| *name == extension));
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

/// Whether `text` has the form of a media type that a statement can carry: `type/subtype`, perhaps with parameters.
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let halves = text.split_once('/');
    text.len() <= 128
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && halves.is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_types_and_nonsense_is_none() {
        assert_eq!(by_name(Path::new("a/现场.JPG")), "image/jpeg");
        assert_eq!(by_name(Path::new("README")), "application/octet-stream");
        assert!(KNOWN.iter().all(|(_, media_type)| is_media_type(media_type)));
        for wrong in ["", "video", "/mp4", "video/", "video/\nmp4", &format!("a/{}", "b".repeat(127))] {
            assert!(!is_media_type(wrong), "{wrong}");
        }
    }
}
