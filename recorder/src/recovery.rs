//! After a crash. What is in the spool is all that was ever signed for anybody to see; an unfinished recording is closed
//! with an `end` (recovered) over it and never continued.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use client::durable::{FileError, parent, sync_folder, with_suffix};
use evidence::statement::EndReason;
use evidence::{ByteRange, DeviceKey, Digest, HEAD_LEN, Payload, Statement, Submission, UnixMillis};
use sha2::{Digest as _, Sha256};

use crate::ledger::{Ledger, LedgerError};
use crate::recording::{Recording, SignError};
use crate::sender::parse_submission;
use crate::spool::{Spool, Spooled, SpooledError};

/// Why a spooled recording cannot be closed. It stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpooledError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The statements do not follow one another.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A record that is no statement, or not one of this device.
    #[error(
        "Statement {sequence} of recording {recording} in the spool is not one that this device signed there: {reason}."
    )]
    Statement {
        /// The recording.
        recording: String,
        /// Its sequence.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
}

/// What start-up found in the spool.
#[derive(Default)]
pub struct Recovered {
    /// Complete recordings and deposits that wait for receipts or for their evidence file.
    pub spooled: Vec<Spooled>,
    /// Sentences for the person.
    pub notes: Vec<String>,
}

/// Opens everything in the spool and closes what a crash left open.
///
/// # Errors
/// When the spool itself cannot be listed. A damaged recording is a note and does not hold up the others.
pub fn recover(spool: &Spool, key: &DeviceKey, ledger: &mut Ledger) -> Result<Recovered, FileError> {
    let mut recovered = Recovered::default();
    for id in spool.ids()? {
        match recover_one(spool, &id, key, ledger) {
            Ok(Some((spooled, note))) => {
                recovered.spooled.push(spooled);
                recovered.notes.extend(note);
            }
            Ok(None) => {}
            Err(error) => recovered.notes.push(format!("Recording {id} is left as it is. {error}")),
        }
    }
    Ok(recovered)
}

fn recover_one(
    spool: &Spool,
    id: &str,
    key: &DeviceKey,
    ledger: &mut Ledger,
) -> Result<Option<(Spooled, Option<String>)>, RecoveryError> {
    let Some(mut spooled) = Spooled::open(&spool.path(id))? else {
        spool.remove(id)?;
        return Ok(None);
    };
    let replayed = replay(&spooled, key)?;
    let note = match replayed {
        Replayed::Deposit => None,
        Replayed::Ended { counter, end } => {
            ledger.enter(counter, Some(end))?;
            None
        }
        Replayed::Open { recording, counter, last_capture } => {
            let note = close(&mut spooled, &recording, counter, last_capture, key, ledger)?;
            Some(note)
        }
    };
    Ok(Some((spooled, note)))
}

enum Replayed {
    Deposit,
    Ended { counter: u64, end: Digest },
    Open { recording: Box<Recording>, counter: u64, last_capture: UnixMillis },
}

fn replay(spooled: &Spooled, key: &DeviceKey) -> Result<Replayed, RecoveryError> {
    let first = statement(spooled, 0, key)?;
    let start = match first.payload() {
        Payload::Deposit(_) => return Ok(Replayed::Deposit),
        Payload::Start(start) => start.clone(),
        _ => return Err(foreign(spooled, 0, "it begins no recording")),
    };
    let mut recording = Box::new(Recording::after_start(start.recording, &first));
    let mut last_capture = start.capture_begin;
    let signed = spooled.counts().signed;
    for sequence in 1..signed {
        let statement = statement(spooled, sequence, key)?;
        match statement.payload() {
            Payload::Segment(segment) if segment.sequence == recording.next_sequence() => {
                recording.after_segment(segment, &statement)?;
                last_capture = segment.capture_end;
            }
            Payload::End(_) if sequence + 1 == signed => {
                return Ok(Replayed::Ended { counter: start.counter, end: statement.digest() });
            }
            _ => return Err(foreign(spooled, sequence, "it does not follow")),
        }
    }
    Ok(Replayed::Open { recording, counter: start.counter, last_capture })
}

fn statement(spooled: &Spooled, sequence: u64, key: &DeviceKey) -> Result<Statement, RecoveryError> {
    let bytes = spooled.submission(sequence)?;
    let submission = parse_submission(&bytes).map_err(|reason| foreign(spooled, sequence, &reason))?;
    submission
        .statement
        .verify(&key.public())
        .map_err(|error| foreign(spooled, sequence, &error.to_string()))?;
    Ok(submission.statement)
}

fn foreign(spooled: &Spooled, sequence: u64, reason: &str) -> RecoveryError {
    RecoveryError::Statement { recording: spooled.id().to_owned(), sequence, reason: reason.to_owned() }
}

/// Sets bytes aside that nobody signed, then signs `end`. In this order: once `end` is in the spool, start-up has
/// nothing left to do here. Capture ended, as far as anybody knows, with the last segment.
fn close(
    spooled: &mut Spooled,
    recording: &Recording,
    counter: u64,
    at: UnixMillis,
    key: &DeviceKey,
    ledger: &mut Ledger,
) -> Result<String, RecoveryError> {
    let video = spooled.about().file.clone();
    let signed = recording.signed_length();
    let tail = if signed > 0 { set_tail_aside(&video, signed)? } else { Tail::None };
    let head = head_of(&video, recording);
    let end = recording.end(EndReason::Recovered, at, head, key)?;
    spooled.append(recording.next_sequence().get(), &Submission::of(end.clone()).encode())?;
    ledger.enter(counter, Some(end.digest()))?;
    let segments = recording.segments().len();
    let name = spooled.about().name();
    Ok(format!(
        "{name} was cut off by a crash; it is closed with the {segments} segments that were signed.{}",
        tail.note()
    ))
}

enum Tail {
    None,
    Missing,
    SetAside { bytes: u64, path: std::path::PathBuf },
    LeftInPlace { bytes: u64 },
}

impl Tail {
    fn note(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Missing => " The video itself is not where it was.".to_owned(),
            Self::SetAside { bytes, path } => {
                format!(
                    " The {bytes} bytes after them were never signed; they are kept in {}.",
                    path.display()
                )
            }
            Self::LeftInPlace { bytes } => format!(
                " The {bytes} bytes after them were never signed; they stay at the end of the video, because a file to keep them in exists already."
            ),
        }
    }
}

/// Moves what follows the signed bytes into a file beside the video, so that the video is what was signed and nothing is
/// lost. Run again after a crash it does the rest.
fn set_tail_aside(video: &Path, signed: u64) -> Result<Tail, FileError> {
    let mut file = match OpenOptions::new().read(true).write(true).open(video) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tail::Missing),
        file => file.map_err(FileError::on("open", video))?,
    };
    let length = file.metadata().map_err(FileError::on("read", video))?.len();
    let bytes = length.saturating_sub(signed);
    if bytes == 0 {
        return Ok(Tail::None);
    }
    let path = with_suffix(video, ".unsigned");
    let partial = with_suffix(video, ".unsigned.partial");
    if path.exists() && fs::metadata(&path).map_err(FileError::on("read", &path))?.len() != bytes {
        return Ok(Tail::LeftInPlace { bytes });
    }
    let mut copy = || -> io::Result<()> {
        file.seek(SeekFrom::Start(signed))?;
        let mut aside = File::create(&partial)?;
        io::copy(&mut (&file).take(bytes), &mut aside)?;
        aside.sync_all()?;
        fs::rename(&partial, &path)
    };
    copy().map_err(FileError::on("write", &path))?;
    sync_folder(parent(&path))?;
    let shorten = || {
        file.set_len(signed)?;
        file.sync_all()
    };
    shorten().map_err(FileError::on("shorten", video))?;
    Ok(Tail::SetAside { bytes, path })
}

/// The head of a video shorter than 64 KiB, if it still is what was signed.
fn head_of(video: &Path, recording: &Recording) -> Option<Digest> {
    let length = recording.signed_length();
    if recording.head_stated() || length == 0 || length >= HEAD_LEN {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(video).ok()?.take(length).read_to_end(&mut bytes).ok()?;
    let matches = |(range, digest): &(ByteRange, Digest)| {
        let (from, to) = (usize::try_from(range.offset()).ok()?, usize::try_from(range.end()).ok()?);
        Some(Digest::of(bytes.get(from..to)?) == *digest)
    };
    let intact = recording.segments().iter().all(|segment| matches(segment) == Some(true));
    intact.then(|| Digest::from_bytes(Sha256::digest(&bytes).into()))
}
