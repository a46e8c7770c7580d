//! The audit of the chain's history: sealing times against cosignatures, and what was audited before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use client::durable::{self, FileError, PRIVATE};
use evidence::{Digest, Entry, TrustFile, UnixSeconds};
use serde::{Deserialize, Serialize};
use tlog::LeafIndex;

use crate::finding::{Code, Finding};
use crate::trusted::Trusted;
use crate::walk::{Archived, Visitor, WalkError};

/// How far the operator's clock may be ahead of the witnesses'.
const CLOCK_SLACK_S: u64 = 60;

/// Audits times while walking along the chain.
#[derive(Debug)]
pub struct HistoryAudit<F> {
    /// Called with everything that is wrong.
    report: F,
    /// Sealing time of the newest entry, and the greatest since the last archived checkpoint with where it is.
    sealed_at: UnixSeconds,
    latest: Option<(LeafIndex, UnixSeconds)>,
    archived: u64,
    entries: u64,
}

impl<F: FnMut(Finding)> HistoryAudit<F> {
    /// An audit that begins after an entry sealed at `sealed_at`.
    pub fn new(sealed_at: UnixSeconds, report: F) -> Self {
        Self { report, sealed_at, latest: None, archived: 0, entries: 0 }
    }

    /// Sealing time of the newest entry.
    pub fn sealed_at(&self) -> UnixSeconds {
        self.sealed_at
    }

    /// Archived checkpoints that hold.
    pub fn archived(&self) -> u64 {
        self.archived
    }

    /// Entries that were read.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

impl<F: FnMut(Finding)> Visitor for HistoryAudit<F> {
    type Error = WalkError;

    fn entry(&mut self, index: LeafIndex, entry: &Entry) -> Result<(), WalkError> {
        self.entries += 1;
        self.sealed_at = self.sealed_at.max(entry.sealed_at);
        if self.latest.is_none_or(|(_, latest)| latest < entry.sealed_at) {
            self.latest = Some((index, entry.sealed_at));
        }
        Ok(())
    }

    fn archived(&mut self, archived: &Archived<'_>) -> Result<(), WalkError> {
        self.archived += 1;
        // Of the entries that this checkpoint is the first to cover, the latest decides for all.
        if let (Some((index, sealed_at)), Some(time)) = (self.latest.take(), archived.time)
            && sealed_at.get() > time.get().saturating_add(CLOCK_SLACK_S)
        {
            let sentence = format!(
                "It states that it was sealed at {sealed_at}, but a quorum had cosigned it at {time} already."
            );
            (self.report)(Finding::entry(Code::SealedTooLate, index, sentence).with_note(archived.note));
        }
        Ok(())
    }

    fn finding(&mut self, finding: Finding) -> Result<(), WalkError> {
        (self.report)(finding);
        Ok(())
    }
}

/// Up to where a chain was audited without a finding, in `DIR/{hash of the origin}.audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audited {
    /// The digest of the trust file: another one may judge differently.
    pub trust: String,
    /// The checkpoint up to which everything was read.
    pub note: String,
    /// Sealing time of its newest entry.
    pub sealed_at: UnixSeconds,
}

impl Audited {
    /// What is remembered of an earlier audit under this trust file; `None` also where it cannot be used any more.
    pub fn load(
        folder: &Path,
        origin: &str,
        trust: &TrustFile,
    ) -> Result<Option<(Self, Trusted)>, FileError> {
        let path = Self::path(folder, origin);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::on("read", &path)(error)),
        };
        let Ok(audited) = serde_json::from_slice::<Self>(&bytes) else { return Ok(None) };
        if audited.trust != trust.digest().to_string() {
            return Ok(None);
        }
        let trusted = Trusted::new(trust, audited.note.as_bytes(), None).ok();
        Ok(trusted.filter(|trusted| trusted.origin() == origin).map(|trusted| (audited, trusted)))
    }

    /// Remembers that everything up to `target` was read without a finding.
    pub fn save(
        folder: &Path,
        trust: &TrustFile,
        target: &Trusted,
        sealed_at: UnixSeconds,
    ) -> Result<(), FileError> {
        let note = String::from_utf8_lossy(target.note()).into_owned();
        let audited = Self { trust: trust.digest().to_string(), note, sealed_at };
        let json = serde_json::to_vec_pretty(&audited).map_err(io::Error::other);
        let path = Self::path(folder, target.origin());
        let json = json.map_err(FileError::on("write", &path))?;
        durable::create_private_folder(folder)?;
        durable::replace(&path, &json, PRIVATE)
    }

    fn path(folder: &Path, origin: &str) -> PathBuf {
        folder.join(format!("{}.audit", Digest::of(origin.as_bytes())))
    }
}
