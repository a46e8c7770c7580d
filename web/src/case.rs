//! One file on the page and what is known about it.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::report::{ErrorCode, Report, Verdict};
use web_sys::File;

use crate::meter::Reading;
use crate::pool::JobId;

/// Where a case stands. The words are those of `data-phase`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Queued behind other files.
    Waiting,
    /// Looking for the evidence.
    Finding,
    /// Hashing the file.
    Hashing,
    /// Checking signatures and proofs.
    Verifying,
    /// Comparing the chain root with other sources.
    Comparing,
    /// Over.
    Done,
}

impl Stage {
    /// The word in `data-phase`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Finding => "finding",
            Self::Hashing => "hashing",
            Self::Verifying => "verifying",
            Self::Comparing => "comparing",
            Self::Done => "done",
        }
    }
}

impl From<protocol::Phase> for Stage {
    fn from(phase: protocol::Phase) -> Self {
        match phase {
            protocol::Phase::Finding => Self::Finding,
            protocol::Phase::Hashing => Self::Hashing,
            protocol::Phase::Verifying => Self::Verifying,
            protocol::Phase::Comparing => Self::Comparing,
        }
    }
}

/// How a verification ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The verdict and all behind it.
    pub(crate) report: Report,
    /// The report as the command line prints it.
    pub(crate) json: String,
    /// The name of the trust file that the user had put in place of the operator's.
    pub(crate) own_trust: Option<String>,
    /// When the page learned it, in milliseconds since 1970. Not part of the report, which depends on no clock.
    pub(crate) at: u64,
}

impl Outcome {
    /// Why the verification could not be completed.
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        self.report.reason
    }

    /// Whether it ended without a verdict on the file.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.report.verdict == Verdict::NotCompleted
    }
}

/// One file on the page. Copying it copies handles, not state.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Tells the cases of one page apart.
    pub(crate) id: u32,
    /// What it is called.
    pub(crate) name: StoredValue<String>,
    /// Bytes; `None` for what is no file.
    pub(crate) length: Option<u64>,
    /// Where it stands.
    pub(crate) stage: RwSignal<Stage>,
    /// How far the present stage is.
    pub(crate) reading: RwSignal<Option<Reading>>,
    /// How it ended.
    pub(crate) outcome: RwSignal<Option<Arc<Outcome>>>,
    /// The file, unless there is none (a folder).
    pub(crate) file: StoredValue<Option<File>, LocalStorage>,
    /// Evidence files that were supplied with it.
    pub(crate) evidence: StoredValue<Vec<File>, LocalStorage>,
    /// The verification under way.
    pub(crate) job: StoredValue<Option<JobId>>,
}

impl Case {
    /// A case that waits.
    pub(crate) fn new(id: u32, name: String, file: Option<File>, evidence: Vec<File>) -> Self {
        Self {
            id,
            name: StoredValue::new(name),
            length: file.as_ref().map(file_length),
            stage: RwSignal::new(Stage::Waiting),
            reading: RwSignal::new(None),
            outcome: RwSignal::new(None),
            file: StoredValue::new_local(file),
            evidence: StoredValue::new_local(evidence),
            job: StoredValue::new(None),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> String {
        self.name.get_value()
    }

    /// Whether further evidence could lead to another outcome.
    pub(crate) fn wants_evidence(self) -> bool {
        let has_file = self.file.with_value(Option::is_some);
        has_file
            && self.outcome.with(|outcome| {
                outcome.as_ref().is_some_and(|outcome| match outcome.report.verdict {
                    Verdict::NotDeposited | Verdict::EvidenceInvalid => true,
                    Verdict::NotCompleted => !outcome.error().is_some_and(is_about_the_file),
                    Verdict::Consistent | Verdict::Excerpt | Verdict::Inconsistent => false,
                })
            })
    }

    /// Whether it can be verified again.
    pub(crate) fn can_retry(self) -> bool {
        self.file.with_value(Option::is_some) && self.stage.get() == Stage::Done
    }
}

/// Whether the file itself stood in the way, so that no evidence helps.
fn is_about_the_file(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::EmptyFile
            | ErrorCode::Directory
            | ErrorCode::Unreadable
            | ErrorCode::ChangedWhileReading
            | ErrorCode::BrowserUnsupported
            | ErrorCode::TooManyFiles
    )
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a file's size is an integer")]
fn file_length(file: &File) -> u64 {
    file.size() as u64
}
