//! An append-only file of checksummed frames that survives a crash at any moment.
//!
//! ```text
//! frame = "JZfr" ‖ u32 big-endian length ‖ first 16 bytes of SHA-256(length ‖ payload) ‖ payload
//! ```
//!
//! A frame is *committed* when [`Journal::append`] has returned: its bytes are on the medium. A crash can leave one
//! torn frame at the end, which was never committed; opening cuts it off. Bytes that do not decode *before* a frame that
//! does were committed once: that is a damaged medium, and opening refuses instead of cutting.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use client::durable::{FileError, PRIVATE};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 4] = b"JZfr";
const CHECKSUM_LEN: usize = 16;
const HEADER_LEN: usize = MAGIC.len() + 4 + CHECKSUM_LEN;

/// The largest payload: the submission of a deposit, whose limit is 4 MiB, and what frames it here.
pub(crate) const MAX_PAYLOAD: usize = 4 * 1024 * 1024 + 64 * 1024;

/// Where a committed payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    offset: u64,
    len: u32,
}

impl Place {
    /// Length of the payload in bytes.
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Committed bytes have changed: a broken medium, or somebody's hand.
    #[error("{} is damaged at byte {offset}, and intact records follow. It is left as it is: copy it away and have it examined.", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The first byte that makes no sense.
        offset: u64,
    },
    /// A payload longer than any submission.
    #[error("A record of {len} bytes is longer than the spool's limit of {MAX_PAYLOAD} bytes.")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// An earlier append failed in a way that leaves the medium's state unknown.
    #[error("{} cannot be appended to after a failed write; the next start recovers what is on the medium.", path.display())]
    Poisoned {
        /// The journal.
        path: PathBuf,
    },
}

/// An open journal.
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    committed: u64,
    poisoned: bool,
}

/// Bytes that opening has cut off: the torn frame of a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Torn(pub(crate) u64);

impl Journal {
    /// Creates an empty journal. The caller syncs the folder once it has made everything in it.
    pub(crate) fn create(path: &Path) -> Result<Self, JournalError> {
        let file =
            options().create_new(true).mode(PRIVATE).open(path).map_err(FileError::on("create", path))?;
        Ok(Self { file, path: path.to_owned(), committed: 0, poisoned: false })
    }

    /// Opens a journal, hands each committed payload and its place to `visit`, and cuts off a torn frame.
    pub(crate) fn open(path: &Path, visit: impl FnMut(Place, &[u8])) -> Result<(Self, Torn), JournalError> {
        let file = options().open(path).map_err(FileError::on("open", path))?;
        let (committed, torn) = scan(&file, path, visit)?;
        if torn > 0 {
            if intact_frame_after(&file, committed, committed + torn).map_err(FileError::on("read", path))? {
                return Err(JournalError::Damaged { path: path.to_owned(), offset: committed });
            }
            file.set_len(committed).map_err(FileError::on("cut the torn end of", path))?;
        }
        // What was read may so far be in memory only (the process died, not the machine); it is about to be relied on.
        file.sync_all().map_err(FileError::on("sync", path))?;
        Ok((Self { file, path: path.to_owned(), committed, poisoned: false }, Torn(torn)))
    }

    /// Hands each committed payload to `visit` and changes nothing: for looking on while another process appends.
    pub(crate) fn peek(path: &Path, mut visit: impl FnMut(&[u8])) -> Result<(), JournalError> {
        let file = File::open(path).map_err(FileError::on("open", path))?;
        scan(&file, path, |_, payload| visit(payload)).map(drop)
    }

    /// Appends a frame and returns when it is on the medium. After an error it does not count as committed.
    ///
    /// One frame a sync, never several: a power failure can keep the second of two unsynced frames and lose the first,
    /// which would look like damage.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Place, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned { path: self.path.clone() });
        }
        let len = u32::try_from(payload.len())
            .ok()
            .filter(|_| payload.len() <= MAX_PAYLOAD)
            .ok_or(JournalError::TooLong { len: payload.len() })?;
        let mut frame = Vec::with_capacity(HEADER_LEN + payload.len());
        frame.extend_from_slice(MAGIC);
        frame.extend_from_slice(&len.to_be_bytes());
        frame.extend_from_slice(&checksum(len, payload));
        frame.extend_from_slice(payload);
        if let Err(error) = self.file.write_all(&frame) {
            // Nothing was synced, so cutting back to the committed length restores a state that is known.
            self.poisoned = self.file.set_len(self.committed).is_err();
            return Err(FileError::on("write", &self.path)(error).into());
        }
        if let Err(error) = self.file.sync_data() {
            // After a failed sync nobody knows what is on the medium, and a second sync may lie. Only a fresh read tells.
            self.poisoned = true;
            return Err(FileError::on("sync", &self.path)(error).into());
        }
        let place = Place { offset: self.committed + HEADER_LEN as u64, len };
        self.committed += frame.len() as u64;
        Ok(place)
    }

    /// The payload at a place that this journal gave out.
    pub(crate) fn read(&self, place: Place) -> Result<Vec<u8>, JournalError> {
        let mut payload = vec![0; place.len()];
        self.file.read_exact_at(&mut payload, place.offset).map_err(FileError::on("read", &self.path))?;
        Ok(payload)
    }

    /// Reads every committed payload again, in order.
    pub(crate) fn replay(&self, mut visit: impl FnMut(&[u8])) -> Result<(), JournalError> {
        let mut offset = 0;
        let mut payload = Vec::new();
        while offset < self.committed {
            let frame = frame_at(&self.file, offset, self.committed, &mut payload)
                .map_err(FileError::on("read", &self.path))?;
            let Some(place) = frame else {
                return Err(JournalError::Damaged { path: self.path.clone(), offset });
            };
            visit(&payload);
            offset = place.offset + u64::from(place.len);
        }
        Ok(())
    }
}

/// Visits the intact frames from the start; gives their length and that of what follows.
fn scan(file: &File, path: &Path, mut visit: impl FnMut(Place, &[u8])) -> Result<(u64, u64), JournalError> {
    let length = file.metadata().map_err(FileError::on("read", path))?.len();
    let mut committed = 0;
    let mut payload = Vec::new();
    while let Some(place) =
        frame_at(file, committed, length, &mut payload).map_err(FileError::on("read", path))?
    {
        visit(place, &payload);
        committed = place.offset + u64::from(place.len);
    }
    Ok((committed, length - committed))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Append mode: after a failed write and a cut, the next write starts at the cut.
    options.read(true).append(true);
    options
}

fn checksum(len: u32, payload: &[u8]) -> [u8; CHECKSUM_LEN] {
    let digest = Sha256::new().chain_update(len.to_be_bytes()).chain_update(payload).finalize();
    let mut short = [0; CHECKSUM_LEN];
    short.copy_from_slice(&digest[..CHECKSUM_LEN]);
    short
}

/// The frame at `offset`, its payload in `payload`; `None` when the bytes up to `length` are no whole, intact frame.
fn frame_at(file: &File, offset: u64, length: u64, payload: &mut Vec<u8>) -> io::Result<Option<Place>> {
    let mut header = [0; HEADER_LEN];
    let start = offset + HEADER_LEN as u64;
    if start > length {
        return Ok(None);
    }
    file.read_exact_at(&mut header, offset)?;
    let (magic, rest) = header.split_at(MAGIC.len());
    let (len, sum) = rest.split_at(4);
    let len = u32::from_be_bytes([len[0], len[1], len[2], len[3]]);
    if magic != MAGIC || len as usize > MAX_PAYLOAD || start + u64::from(len) > length {
        return Ok(None);
    }
    payload.resize(len as usize, 0);
    file.read_exact_at(payload, start)?;
    Ok((sum == checksum(len, payload)).then_some(Place { offset: start, len }))
}

/// Whether an intact frame begins anywhere behind `offset`. Only reached after a crash, on what is normally less than one
/// frame.
fn intact_frame_after(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    const WINDOW: usize = 64 * 1024;
    let mut window = vec![0; WINDOW];
    let mut payload = Vec::new();
    let mut at = offset + 1;
    while at < length {
        let take = usize::try_from(length - at).map_or(WINDOW, |left| left.min(WINDOW));
        file.read_exact_at(&mut window[..take], at)?;
        for (position, found) in window[..take].windows(MAGIC.len()).enumerate() {
            if found == MAGIC && frame_at(file, at + position as u64, length, &mut payload)?.is_some() {
                return Ok(true);
            }
        }
        // Overlap, so that a magic across two windows is seen.
        at += (take.saturating_sub(MAGIC.len() - 1)).max(1) as u64;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(payloads: &[&[u8]]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path).unwrap();
        for payload in payloads {
            journal.append(payload).unwrap();
        }
        (folder, path)
    }

    fn reopen(path: &Path) -> Result<(Vec<Vec<u8>>, Torn), JournalError> {
        let mut payloads = Vec::new();
        let (_, torn) = Journal::open(path, |_, payload| payloads.push(payload.to_vec()))?;
        Ok((payloads, torn))
    }

    #[test]
    fn a_cut_at_every_byte_keeps_exactly_the_whole_frames() {
        let (_folder, path) = written(&[b"one", b"", b"three"]);
        let whole = fs::read(&path).unwrap();
        let ends = [HEADER_LEN + 3, 2 * HEADER_LEN + 3, 3 * HEADER_LEN + 8];
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (payloads, torn) = reopen(&path).unwrap();
            let kept = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(payloads, [&b"one"[..], b"", b"three"][..kept]);
            let committed = if kept == 0 { 0 } else { ends[kept - 1] };
            assert_eq!(torn, Torn((cut - committed) as u64));
            // The cut is final: what follows is appended right behind the whole frames.
            let (mut journal, _) = Journal::open(&path, |_, _| {}).unwrap();
            journal.append(b"after").unwrap();
            assert_eq!(reopen(&path).unwrap().0.last().unwrap(), b"after");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_last_frame_is_torn_and_before_it_is_damage() {
        let (_folder, path) = written(&[b"first", b"second"]);
        let whole = fs::read(&path).unwrap();
        let boundary = HEADER_LEN + 5;
        for byte in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[byte] ^= 1 << bit;
                fs::write(&path, &flipped).unwrap();
                match reopen(&path) {
                    Err(JournalError::Damaged { offset: 0, .. }) => {
                        assert!(byte < boundary, "byte {byte}");
                        assert_eq!(fs::read(&path).unwrap(), flipped, "a damaged journal is left as it is");
                    }
                    Ok((payloads, _)) => {
                        assert!(byte >= boundary, "byte {byte}");
                        assert_eq!(payloads, [b"first"]);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }

    #[test]
    fn zeros_that_a_power_failure_left_behind_the_end_are_torn() {
        let (_folder, path) = written(&[b"first"]);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[0; 5000]);
        fs::write(&path, &bytes).unwrap();
        let (payloads, torn) = reopen(&path).unwrap();
        assert_eq!((payloads.len(), torn), (1, Torn(5000)));
    }

    #[test]
    fn a_hostile_length_allocates_nothing() {
        let (_folder, path) = written(&[]);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        bytes.extend_from_slice(&[0; 100]);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(reopen(&path).unwrap().0.len(), 0);
    }

    #[test]
    fn damage_is_seen_across_the_search_windows() {
        let long = vec![7; 200_000];
        let (_folder, path) = written(&[&long, b"second"]);
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEADER_LEN + 10] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(reopen(&path), Err(JournalError::Damaged { offset: 0, .. })));
    }

    #[test]
    fn too_long_a_record_is_refused_before_anything_is_written() {
        let (_folder, path) = written(&[b"first"]);
        let (mut journal, _) = Journal::open(&path, |_, _| {}).unwrap();
        let error = journal.append(&vec![0; MAX_PAYLOAD + 1]).unwrap_err();
        assert!(matches!(error, JournalError::TooLong { .. }));
        assert_eq!(reopen(&path).unwrap().0, [b"first"]);
    }

    #[test]
    fn places_and_replay_give_what_was_appended() {
        let (_folder, path) = written(&[]);
        let (mut journal, _) = Journal::open(&path, |_, _| {}).unwrap();
        journal.append(b"a").unwrap();
        let second = journal.append(b"bc").unwrap();
        let last = journal.append(b"def").unwrap();
        assert_eq!(journal.read(second).unwrap(), b"bc");
        assert_eq!(journal.read(last).unwrap(), b"def");
        let mut all = Vec::new();
        journal.replay(|payload| all.push(payload.to_vec())).unwrap();
        assert_eq!(all, [&b"a"[..], b"bc", b"def"]);
    }
}
