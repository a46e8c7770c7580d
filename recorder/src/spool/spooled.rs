//! One recording or deposit in the spool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use client::durable::{self, FileError, PRIVATE, sync_folder};

use super::about::About;
use super::journal::{Journal, JournalError, Place};

const ABOUT: &str = "about.json";
const STATEMENTS: &str = "statements";
const RECEIPTS: &str = "receipts";

/// Why a spooled recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpooledError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A journal is damaged or cannot be appended to.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// `about.json` is not what the recorder wrote.
    #[error("{} cannot be understood: {reason}.", path.display())]
    About {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A journal frame that its checksum protects is nevertheless not one of ours.
    #[error("A record in {} has an unknown form: another version of the recorder wrote it.", path.display())]
    Form {
        /// The folder.
        path: PathBuf,
    },
    /// A statement out of order: a bug in the caller, which must not reach the medium.
    #[error("Statement {sequence} does not follow statement {after} in the spool.")]
    Order {
        /// The sequence offered.
        sequence: u64,
        /// How many there are.
        after: u64,
    },
    /// A sequence that was never spooled.
    #[error("The spool has no statement {sequence}.")]
    NoSuch {
        /// The sequence asked for.
        sequence: u64,
    },
}

impl SpooledError {
    /// Whether the medium is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::File(error) | Self::Journal(JournalError::File(error)) => error.is_storage_full(),
            _ => false,
        }
    }
}

/// Where a statement stands in the log, and the proof, which has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAs {
    /// The statement.
    pub sequence: u64,
    /// Its index in the log.
    pub index: u64,
    /// The entry's sealed-at, in seconds.
    pub sealed_at: u64,
    /// The receipt as received.
    pub receipt: Vec<u8>,
}

/// How far a recording has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements on the medium.
    pub signed: u64,
    /// Those with a verified receipt.
    pub sealed: u64,
}

impl Counts {
    /// Those still to be sealed.
    #[must_use]
    pub fn waiting(self) -> u64 {
        self.signed - self.sealed
    }
}

/// An open recording or deposit in the spool. Sequence numbers count from 0 without gaps.
pub struct Spooled {
    id: String,
    path: PathBuf,
    about: About,
    statements: Journal,
    receipts: Journal,
    places: Vec<Place>,
    /// Sequence and, for statements of this process, when they were signed.
    waiting: BTreeMap<u64, Option<Instant>>,
}

impl Spooled {
    /// Makes a folder at `path` for a new recording; its first statement follows by [`Spooled::append`].
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn create(path: &Path, about: &About) -> Result<Self, SpooledError> {
        fs::create_dir(path).map_err(FileError::on("create the folder", path))?;
        let text = serde_json::to_vec_pretty(about)
            .map_err(|error| SpooledError::About { path: path.join(ABOUT), reason: error.to_string() })?;
        durable::replace(&path.join(ABOUT), &text, PRIVATE)?;
        let statements = Journal::create(&path.join(STATEMENTS))?;
        let receipts = Journal::create(&path.join(RECEIPTS))?;
        sync_folder(path)?;
        sync_folder(durable::parent(path))?;
        Ok(Self {
            id: folder_name(path),
            path: path.to_owned(),
            about: about.clone(),
            statements,
            receipts,
            places: Vec::new(),
            waiting: BTreeMap::new(),
        })
    }

    /// Opens what an earlier run left. `None`: that run died before its first statement was on the medium, so nothing was
    /// ever signed that anybody could have seen.
    ///
    /// # Errors
    /// When the medium is damaged or unreadable.
    pub fn open(path: &Path) -> Result<Option<Self>, SpooledError> {
        let about = match read_about(&path.join(ABOUT)) {
            Err(SpooledError::File(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            about => about?,
        };
        if !path.join(RECEIPTS).exists() {
            return Ok(None);
        }
        let (mut places, mut bad) = (Vec::new(), false);
        let (statements, _torn) = Journal::open(&path.join(STATEMENTS), |place, frame| {
            bad |= split_sequence(frame).is_none_or(|(sequence, _)| sequence != places.len() as u64);
            places.push(place);
        })?;
        if places.is_empty() {
            return Ok(None);
        }
        let mut waiting: BTreeMap<u64, Option<Instant>> =
            (0..places.len() as u64).map(|sequence| (sequence, None)).collect();
        let (receipts, _torn) =
            Journal::open(&path.join(RECEIPTS), |_, frame| match split_receipts(frame) {
                Some(receipts) => receipts.iter().for_each(|receipt| {
                    bad |= receipt.sequence >= places.len() as u64;
                    waiting.remove(&receipt.sequence);
                }),
                None => bad = true,
            })?;
        if bad {
            return Err(SpooledError::Form { path: path.to_owned() });
        }
        let id = folder_name(path);
        Ok(Some(Self { id, path: path.to_owned(), about, statements, receipts, places, waiting }))
    }

    /// Looks at a spooled recording without touching it, also while another process records it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn peek(path: &Path) -> Result<(About, Counts), SpooledError> {
        let about = read_about(&path.join(ABOUT))?;
        let mut counts = Counts::default();
        Journal::peek(&path.join(STATEMENTS), |_| counts.signed += 1)?;
        Journal::peek(&path.join(RECEIPTS), |frame| {
            counts.sealed += split_receipts(frame).map_or(0, |receipts| receipts.len() as u64);
        })?;
        // Receipts may have come while the statements were being counted.
        counts.signed = counts.signed.max(counts.sealed);
        Ok((about, counts))
    }

    /// The recording's id in hexadecimal, which names its folder.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it belongs to.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How far it has come.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let signed = self.places.len() as u64;
        Counts { signed, sealed: signed - self.waiting.len() as u64 }
    }

    /// Puts a submission on the medium. When this returns, a crash loses it no more.
    ///
    /// # Errors
    /// When it is out of order or cannot be written; then it must not be sent.
    pub fn append(&mut self, sequence: u64, submission: &[u8]) -> Result<(), SpooledError> {
        let after = self.places.len() as u64;
        if sequence != after {
            return Err(SpooledError::Order { sequence, after });
        }
        let mut frame = sequence.to_be_bytes().to_vec();
        frame.extend_from_slice(submission);
        self.places.push(self.statements.append(&frame)?);
        self.waiting.insert(sequence, Some(Instant::now()));
        Ok(())
    }

    /// The submission with this sequence.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn submission(&self, sequence: u64) -> Result<Vec<u8>, SpooledError> {
        let place = usize::try_from(sequence).ok().and_then(|index| self.places.get(index));
        let mut frame = self.statements.read(*place.ok_or(SpooledError::NoSuch { sequence })?)?;
        // invariant: every frame begins with its sequence, checked when it was opened or made so by `append`.
        frame.drain(..size_of::<u64>());
        Ok(frame)
    }

    /// The sequences that have no receipt yet, ascending, with the length of each submission.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, usize)> {
        self.waiting.keys().filter_map(|sequence| {
            let place = self.places.get(usize::try_from(*sequence).ok()?)?;
            Some((*sequence, place.len() - size_of::<u64>()))
        })
    }

    /// How many statements from the first on have their receipts without a gap.
    #[must_use]
    pub fn sealed_from_start(&self) -> u64 {
        self.waiting.keys().next().copied().unwrap_or(self.places.len() as u64)
    }

    /// When a waiting statement was signed, if this process signed it.
    #[must_use]
    pub fn signed_at(&self, sequence: u64) -> Option<Instant> {
        self.waiting.get(&sequence).copied().flatten()
    }

    /// Records receipts that the caller has verified. Statements that have one already keep the first.
    ///
    /// # Errors
    /// When a sequence was never spooled, or the medium refuses; then the statements keep waiting.
    pub fn seal(&mut self, receipts: &[SealedAs]) -> Result<(), SpooledError> {
        let mut frame = Vec::new();
        for sealed in receipts.iter().filter(|sealed| self.waiting.contains_key(&sealed.sequence)) {
            frame.extend_from_slice(&sealed.sequence.to_be_bytes());
            frame.extend_from_slice(&sealed.index.to_be_bytes());
            frame.extend_from_slice(&sealed.sealed_at.to_be_bytes());
            let len = u32::try_from(sealed.receipt.len())
                .map_err(|_| JournalError::TooLong { len: sealed.receipt.len() })?;
            frame.extend_from_slice(&len.to_be_bytes());
            frame.extend_from_slice(&sealed.receipt);
        }
        if frame.is_empty() {
            return Ok(());
        }
        self.receipts.append(&frame)?;
        for sealed in receipts {
            self.waiting.remove(&sealed.sequence);
        }
        Ok(())
    }

    /// Reads all receipts again, in the order in which they came.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn replay_receipts(&self, mut visit: impl FnMut(SealedAs)) -> Result<(), SpooledError> {
        Ok(self.receipts.replay(|frame| {
            // invariant: the form was checked when the journal was opened, or made by `seal`.
            split_receipts(frame).into_iter().flatten().for_each(&mut visit);
        })?)
    }
}

fn read_about(path: &Path) -> Result<About, SpooledError> {
    let text = fs::read(path).map_err(FileError::on("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| SpooledError::About { path: path.to_owned(), reason: error.to_string() })
}

fn folder_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn split_sequence(frame: &[u8]) -> Option<(u64, &[u8])> {
    let (sequence, rest) = frame.split_first_chunk()?;
    Some((u64::from_be_bytes(*sequence), rest))
}

fn split_receipts(mut frame: &[u8]) -> Option<Vec<SealedAs>> {
    let mut receipts = Vec::new();
    while !frame.is_empty() {
        let (sequence, rest) = split_sequence(frame)?;
        let (index, rest) = split_sequence(rest)?;
        let (sealed_at, rest) = split_sequence(rest)?;
        let (len, rest) = rest.split_first_chunk()?;
        let (receipt, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        receipts.push(SealedAs { sequence, index, sealed_at, receipt: receipt.to_vec() });
        frame = rest;
    }
    Some(receipts)
}

#[cfg(test)]
mod tests {
    use super::super::{Spool, Subject};
    use super::*;

    fn about() -> About {
        About {
            subject: Subject::Recording,
            file: "/video.mp4".into(),
            evidence: "/video.mp4.evidence".into(),
            registry: vec![1, 2, 3],
        }
    }

    fn sealed(sequence: u64) -> SealedAs {
        SealedAs { sequence, index: sequence + 100, sealed_at: 7, receipt: vec![9; 30] }
    }

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().join("spool")).unwrap();
        (folder, spool)
    }

    #[test]
    fn what_was_appended_and_sealed_is_there_after_reopening() {
        let (_folder, spool) = spool();
        let path = spool.path("aa");
        let mut one = Spooled::create(&path, &about()).unwrap();
        for sequence in 0..4 {
            one.append(sequence, &[u8::try_from(sequence).unwrap(); 5]).unwrap();
        }
        one.seal(&[sealed(2), sealed(0)]).unwrap();
        one.seal(&[sealed(2)]).unwrap();
        drop(one);
        let mut one = Spooled::open(&path).unwrap().unwrap();
        assert_eq!(one.about(), &about());
        assert_eq!(one.counts(), Counts { signed: 4, sealed: 2 });
        assert_eq!(one.waiting().collect::<Vec<_>>(), [(1, 5), (3, 5)]);
        assert_eq!(one.submission(3).unwrap(), [3; 5]);
        assert!(matches!(one.submission(4), Err(SpooledError::NoSuch { sequence: 4 })));
        let mut receipts = Vec::new();
        one.replay_receipts(|receipt| receipts.push(receipt)).unwrap();
        assert_eq!(receipts, [sealed(2), sealed(0)]);
        assert!(matches!(one.append(5, b"gap"), Err(SpooledError::Order { sequence: 5, after: 4 })));
        assert!(matches!(one.append(3, b"twice"), Err(SpooledError::Order { .. })));
    }

    #[test]
    fn a_crash_before_the_first_statement_leaves_nothing_to_finish() {
        let (_folder, spool) = spool();
        let path = spool.path("aa");
        Spooled::create(&path, &about()).unwrap();
        assert!(Spooled::open(&path).unwrap().is_none());
        for missing in [RECEIPTS, STATEMENTS, ABOUT] {
            fs::remove_file(path.join(missing)).unwrap();
            assert!(Spooled::open(&path).unwrap().is_none(), "{missing}");
        }
    }

    #[test]
    fn a_receipt_for_what_was_never_spooled_is_refused() {
        let (_folder, spool) = spool();
        let path = spool.path("aa");
        let mut one = Spooled::create(&path, &about()).unwrap();
        one.append(0, b"start").unwrap();
        one.seal(&[sealed(1)]).unwrap();
        assert_eq!(one.counts(), Counts { signed: 1, sealed: 0 });
    }

    #[test]
    fn an_interrupted_removal_is_completed() {
        let (_folder, spool) = spool();
        let mut one = Spooled::create(&spool.path("aa"), &about()).unwrap();
        one.append(0, b"start").unwrap();
        fs::rename(spool.path("aa"), spool.path(".done-aa")).unwrap();
        assert!(spool.ids().unwrap().is_empty());
        let spool = Spool::open(spool.folder.clone()).unwrap();
        assert!(!spool.path(".done-aa").exists());
        Spooled::create(&spool.path("bb"), &about()).unwrap();
        assert_eq!(spool.ids().unwrap(), ["bb"]);
        spool.remove("bb").unwrap();
        assert_eq!(fs::read_dir(&spool.folder).unwrap().count(), 0);
    }
}
