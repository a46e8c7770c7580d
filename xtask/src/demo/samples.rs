//! The files to try: the sealed video, the same with one byte changed, an unrelated one, the evidence file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::existing;
use super::stack::Stack;
use crate::process::Runner;

/// Absolute paths, all under the demonstration's folder.
pub(super) struct Samples {
    pub(super) sealed: PathBuf,
    pub(super) altered: PathBuf,
    pub(super) unrelated: PathBuf,
    pub(super) evidence: PathBuf,
}

impl Samples {
    /// Records the video of the bundle (`samples/`) into the stack and derives the others.
    pub(super) fn make(bundle: &Path, runner: &Runner, stack: &Stack<'_>) -> anyhow::Result<Self> {
        let bundled = |name: &str| existing(bundle.join(name), "the bundled sample");
        let folder = stack.scratch().path("samples");
        fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;

        let sealed = folder.join("sealed.mp4");
        stack.record(runner, &bundled("patrol.mp4")?, &bundled("patrol.gpx")?, &sealed)?;
        let evidence = existing(folder.join("sealed.mp4.evidence"), "the recorder's evidence file")?;

        let altered = folder.join("altered.mp4");
        change_one_byte(&sealed, &altered)?;
        let unrelated = folder.join("unrelated.mp4");
        fs::copy(bundled("unrelated.mp4")?, &unrelated)
            .with_context(|| format!("{} could not be written", unrelated.display()))?;
        Ok(Self { sealed, altered, unrelated, evidence })
    }
}

/// Copies a video and changes one byte of its middle fragment's pictures or sound, so that it still plays.
fn change_one_byte(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut video = fs::read(from).with_context(|| format!("{} could not be read", from.display()))?;
    let place = middle_of_media(&video).with_context(|| format!("{} has no media data", from.display()))?;
    video[place] ^= 0x01;
    fs::write(to, video).with_context(|| format!("{} could not be written", to.display()))
}

/// A place in the payload of the `mdat` box in the middle of all of them.
fn middle_of_media(video: &[u8]) -> anyhow::Result<usize> {
    let mut payloads = Vec::new();
    let mut at = 0;
    while let Some(header) = video.get(at..at + 8) {
        // Our own sample: 32-bit sizes only. Anything else is not walked any further.
        let length = usize::try_from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]))?;
        ensure!(length >= 8 && video.len() - at >= length, "the box at byte {at} has an impossible length");
        if &header[4..] == b"mdat" && length > 8 {
            payloads.push(at + 8 + (length - 8) / 2);
        }
        at += length;
    }
    payloads.get(payloads.len() / 2).copied().context("there is no mdat box with a payload")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(list: &[(&[u8; 4], usize)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, payload) in list {
            bytes.extend(u32::try_from(payload + 8).unwrap().to_be_bytes());
            bytes.extend(*kind);
            bytes.extend(vec![7; *payload]);
        }
        bytes
    }

    #[test]
    fn the_byte_is_in_the_middle_fragments_media() {
        let video =
            boxes(&[(b"ftyp", 4), (b"moof", 2), (b"mdat", 10), (b"moof", 2), (b"mdat", 20), (b"mdat", 10)]);
        let place = middle_of_media(&video).unwrap();
        // ftyp 12, moof 10, mdat 18, moof 10: the second mdat's payload begins at 58.
        assert_eq!(place, 58 + 10);
    }

    #[test]
    fn a_copy_differs_in_exactly_one_byte() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let video = boxes(&[(b"ftyp", 4), (b"mdat", 9)]);
        fs::write(&from, &video).unwrap();
        change_one_byte(&from, &to).unwrap();
        let copy = fs::read(&to).unwrap();
        assert_eq!(copy.len(), video.len());
        assert_eq!(copy.iter().zip(&video).filter(|(a, b)| a != b).count(), 1);
    }

    #[test]
    fn nonsense_is_an_error() {
        for video in [
            b"".as_slice(),
            b"not a video at all",
            &boxes(&[(b"ftyp", 4)]),
            &[0, 0, 0, 1, b'm', b'd', b'a', b't'],
        ] {
            assert!(middle_of_media(video).is_err());
        }
    }
}
