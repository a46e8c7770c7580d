//! One verification: reads what `evidence::Examination` asks for, and decides nothing itself.

use std::cell::Cell;
use std::rc::Rc;

use evidence::report::{ErrorCode, FileFacts, Report, TrustFacts};
use evidence::{EvidenceFile, EvidenceFileError, Examination, MAX_EVIDENCE_LEN, RootsInput, Step};
use js_sys::Array;
use protocol::chain::Pin;
use protocol::{Phase, Progress};
use wasm_bindgen::JsCast as _;
use web_sys::{Blob, DedicatedWorkerGlobalScope, File};

use crate::blob::BlobReader;
use crate::container;
use crate::hashing::{HashingError, Monitor, hash_ranges};
use crate::look::pin_message;
use crate::lookup::look_up;
use crate::outbox::Outbox;
use crate::roots::{Deadline, fetch_all};
use crate::trust::TrustLoader;

/// More evidence files than anybody drops with one video.
const MAX_SUPPLIED: u32 = 16;

/// The user's wish to stop, shared between the message loop and the running session.
#[derive(Clone, Default)]
pub struct CancelFlag(Rc<Cell<bool>>);

impl CancelFlag {
    /// Asks the session to stop at its next step.
    pub fn cancel(&self) {
        self.0.set(true);
    }

    /// Whether somebody has asked.
    pub fn is_set(&self) -> bool {
        self.0.get()
    }
}

/// What a session needs besides the file.
pub struct Session {
    /// For requests and the clock.
    pub scope: DedicatedWorkerGlobalScope,
    /// Where progress goes.
    pub outbox: Outbox,
    /// The operator's trust file.
    pub trust: TrustLoader,
    /// Whether to stop.
    pub cancelled: CancelFlag,
}

/// Progress of one phase.
struct PhaseMonitor<'a> {
    session: &'a Session,
    phase: Phase,
}

impl Monitor for PhaseMonitor<'_> {
    fn progress(&self, done: u64, total: u64) {
        self.session.outbox.progress(Progress { phase: self.phase, done, total });
    }

    fn is_cancelled(&self) -> bool {
        self.session.cancelled.is_set()
    }
}

impl Session {
    /// Verifies `file` with the supplied evidence files, or with what the server holds if there are none; by the trust
    /// file given, or by the operator's. The chain root is compared with the `pins`, with what the witnesses show and what
    /// the service publishes; with the report comes the root to remember instead.
    pub async fn verify(
        &self,
        file: &File,
        supplied: &Array,
        trust: Option<&str>,
        pins: Vec<Vec<u8>>,
    ) -> (Report, Option<Pin>) {
        let reader = BlobReader::new(Blob::from(file.clone()));
        let ended = self.run(&reader, supplied, trust, pins).await;
        ended.unwrap_or_else(|code| (not_completed(reader.length(), code), None))
    }

    async fn run(
        &self,
        reader: &BlobReader,
        supplied: &Array,
        trust: Option<&str>,
        pins: Vec<Vec<u8>>,
    ) -> Result<(Report, Option<Pin>), ErrorCode> {
        let trust = self.trust.load(trust).await?;
        if reader.length() == 0 {
            reader.confirm_unchanged().await.map_err(|error| ErrorCode::from(&error))?;
        }
        let evidence = read_supplied(supplied).await?;
        let finding = self.monitor(Phase::Finding);
        let boundaries = container::boundaries(reader, &finding).await.map_err(|error| code_of(&error))?;
        let mut examination =
            Examination::new(reader.length(), boundaries, evidence, trust, RootsInput { pins, online: true });
        // What is hashed before the evidence is known serves to find it.
        let mut phase = Phase::Finding;
        let mut deadline = None;
        loop {
            match examination.next() {
                Step::Hash(ranges) => {
                    let monitor = self.monitor(phase);
                    let found = |range, digest| examination.hashed(range, digest);
                    if let Err(error) = hash_ranges(reader, ranges, &monitor, found).await {
                        return Ok((examination.failed(code_of(&error)), None));
                    }
                }
                Step::Lookup(request) => {
                    let answer = look_up(&self.scope, &request).await;
                    examination.looked_up(answer);
                    phase = Phase::Hashing;
                }
                Step::Roots(requests) => {
                    self.monitor(Phase::Comparing).progress(0, 0);
                    let until = *deadline.get_or_insert_with(Deadline::begin);
                    let Ok(answers) = fetch_all(&self.scope, requests, until, &self.cancelled).await else {
                        return Ok((examination.failed(ErrorCode::Cancelled), None));
                    };
                    for (request, answer) in answers {
                        examination.root_answered(&request, answer.ok());
                    }
                }
                Step::Done => {
                    self.monitor(Phase::Verifying).progress(0, 0);
                    return Ok((examination.report(), examination.pin().and_then(pin_message)));
                }
            }
        }
    }

    fn monitor(&self, phase: Phase) -> PhaseMonitor<'_> {
        PhaseMonitor { session: self, phase }
    }
}

/// The report on a file that could not even be examined.
fn not_completed(length: u64, code: ErrorCode) -> Report {
    Report::not_completed(
        FileFacts { length, sha256: None },
        code,
        TrustFacts { digest: None, operator: None },
    )
}

fn code_of(error: &HashingError) -> ErrorCode {
    match error {
        HashingError::Read(error) => error.into(),
        HashingError::Cancelled => ErrorCode::Cancelled,
        // A browser that returns more than was asked for returns something else than the file.
        HashingError::Plan(_) => ErrorCode::Unreadable,
    }
}

async fn read_supplied(supplied: &Array) -> Result<Vec<EvidenceFile>, ErrorCode> {
    if supplied.length() > MAX_SUPPLIED {
        return Err(ErrorCode::TooManyFiles);
    }
    let mut files = Vec::new();
    for file in supplied.iter() {
        let blob: Blob = file.dyn_into().map_err(|_| ErrorCode::EvidenceUnreadable)?;
        let reader = BlobReader::new(blob);
        if reader.length() > MAX_EVIDENCE_LEN as u64 {
            return Err(ErrorCode::EvidenceUnreadable);
        }
        let bytes = reader.read(0, reader.length()).await.map_err(|_| ErrorCode::EvidenceUnreadable)?;
        files.push(EvidenceFile::parse(&bytes).map_err(|error: EvidenceFileError| error.code())?);
    }
    Ok(files)
}
