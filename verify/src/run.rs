//! Verifying one file: does what the examination asks for, and decides nothing itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use client::durable::FileError;
use client::{AlarmError, PinError, PinStore, RootsClient, SavedAlarm, ServerUrl, save_alarm};
use evidence::report::{ErrorCode, FileFacts, RootsAlarm, TrustFacts};
use evidence::{
    EvidenceFile, EvidenceFileError, Examination, MAX_EVIDENCE_LEN, Pin, Report, RootsInput, Step, TrustFile,
};

use crate::ask;
use crate::container;
use crate::hashing;
use crate::opened::Opened;
use crate::pins::{self, Remembered};
use crate::receipts;

/// What a verification needs besides the file.
#[derive(Debug)]
pub struct Surroundings {
    /// Whom to believe, or why nobody.
    pub trust: Result<TrustFile, ErrorCode>,
    /// Evidence files that were given.
    pub evidence: Vec<PathBuf>,
    /// Where to look evidence up.
    pub server: Option<ServerUrl>,
    /// What is remembered of chains, and where; none if nothing is to be.
    pub pins: Option<PinStore>,
    /// Where both notes of an alarm are saved, if not beside the pins.
    pub save_roots: Option<PathBuf>,
    /// Where the receipts of the evidence that decides are written, if anywhere.
    pub receipts: Option<PathBuf>,
}

/// What came of one verification.
#[derive(Debug)]
pub struct Verified {
    /// The report, which decides.
    pub report: Report,
    /// Alarms about the chain: that of the report, and what appeared while the pin was replaced.
    pub alarms: Vec<Raised>,
    /// Pins that could not be read or kept. They change no verdict.
    pub troubles: Vec<PinError>,
    /// The number of receipts that were written; none where none were to be.
    pub receipts: Option<Result<usize, FileError>>,
}

/// An alarm, and where its notes are.
#[derive(Debug)]
pub struct Raised {
    /// What is wrong.
    pub alarm: RootsAlarm,
    /// The saved notes; none where no folder is known.
    pub saved: Option<Result<SavedAlarm, AlarmError>>,
}

/// The evidence file that lies beside `file`, if neither evidence nor a server was given and there is one.
#[must_use]
pub fn evidence_beside(file: &Path, surroundings: &Surroundings) -> Option<PathBuf> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".evidence");
    let beside = PathBuf::from(beside);
    let nothing_given = surroundings.evidence.is_empty() && surroundings.server.is_none();
    (nothing_given && beside.is_file()).then_some(beside)
}

/// Verifies one file. Total: whatever goes wrong is a report that says so.
#[must_use]
pub fn verify(path: &Path, surroundings: &Surroundings) -> Verified {
    let remembered = match (&surroundings.pins, &surroundings.trust) {
        (Some(store), Ok(trust)) => pins::remembered(store, trust),
        _ => Vec::new(),
    };
    let opened = Opened::open(path);
    let length = opened.as_ref().map_or(0, Opened::length);
    let begin = || {
        let trust = surroundings.trust.clone()?;
        let beside = evidence_beside(path, surroundings);
        let evidence = surroundings.evidence.iter().chain(&beside);
        let evidence = evidence.map(|path| read_evidence(path)).collect::<Result<Vec<_>, _>>()?;
        let file = opened?;
        let boundaries = container::boundaries(&file)?;
        let notes = remembered.iter().filter_map(Remembered::note).map(<[u8]>::to_vec).collect();
        let roots = RootsInput { pins: notes, online: surroundings.server.is_some() };
        let examination = Examination::new(file.length(), boundaries, evidence, trust, roots);
        Ok((file, examination))
    };
    let mut receipts = None;
    let (report, pin) = match begin() {
        Ok((file, mut examination)) => match examine(&file, &mut examination, surroundings.server.as_ref()) {
            Ok(()) => {
                let decisive = surroundings.receipts.as_ref().zip(examination.decisive_evidence());
                receipts = decisive.map(|(folder, evidence)| receipts::save(folder, path, evidence));
                (examination.report(), examination.pin())
            }
            Err(code) => (examination.failed(code), None),
        },
        Err(code) => {
            let facts = FileFacts { length, sha256: None };
            (Report::not_completed(facts, code, TrustFacts::default()), None)
        }
    };
    Verified { receipts, ..conclude(report, pin, remembered, surroundings) }
}

/// Keeps the pin, and the notes of an alarm.
fn conclude(
    report: Report,
    pin: Option<Pin>,
    remembered: Vec<Remembered>,
    surroundings: &Surroundings,
) -> Verified {
    let alarm = report.roots.as_ref().and_then(|roots| roots.alarm.clone());
    let mut alarms: Vec<RootsAlarm> = alarm.into_iter().collect();
    let mut troubles = Vec::new();
    let mut seen = None;
    for pin_before in remembered {
        match pin_before.note {
            Err(trouble) => troubles.push(trouble),
            Ok(note) if pin.as_ref().is_some_and(|pin| pin.slot == pin_before.slot) => seen = Some(note),
            Ok(_) => {}
        }
    }
    // A pin that could not be read is not replaced: it may be larger.
    if let (Some(store), Ok(trust), Some(pin), Some(seen)) =
        (&surroundings.pins, &surroundings.trust, pin, seen)
    {
        match remember(store, trust, surroundings.server.clone(), seen, pin) {
            Ok(None) => {}
            Ok(Some(alarm)) => alarms.push(alarm),
            Err(trouble) => troubles.push(trouble),
        }
    }
    let folder = surroundings.save_roots.as_deref();
    let folder = folder.or_else(|| surroundings.pins.as_ref().map(PinStore::folder));
    let raise = |alarm: RootsAlarm| Raised { saved: folder.map(|folder| save_alarm(folder, &alarm)), alarm };
    Verified { report, alarms: alarms.into_iter().map(raise).collect(), troubles, receipts: None }
}

fn remember(
    store: &PinStore,
    trust: &TrustFile,
    server: Option<ServerUrl>,
    seen: Option<Vec<u8>>,
    pin: Pin,
) -> Result<Option<RootsAlarm>, PinError> {
    // Without TLS nobody was asked either.
    match RootsClient::new(server).or_else(|_| RootsClient::new(None)) {
        Ok(client) => client.remember(store, trust, seen, pin),
        Err(_) => Ok(None),
    }
}

fn examine(
    file: &Opened,
    examination: &mut Examination,
    server: Option<&ServerUrl>,
) -> Result<(), ErrorCode> {
    // Made when it is needed: most of the time goes into hashing, which asks nobody.
    let mut asking = None;
    loop {
        match examination.next() {
            Step::Hash(ranges) => {
                hashing::hash_ranges(file, &ranges, |range, digest| examination.hashed(range, digest))?;
            }
            Step::Lookup(request) => examination.looked_up(ask::look_up(server, &request)),
            Step::Roots(requests) => {
                let (client, deadline) = asking
                    .get_or_insert_with(|| (RootsClient::new(server.cloned()).ok(), RootsClient::deadline()));
                let answers = match client {
                    Some(client) => client.ask(&requests, *deadline),
                    None => vec![None; requests.len()],
                };
                for (request, answer) in requests.iter().zip(answers) {
                    examination.root_answered(request, answer);
                }
            }
            Step::Done => return file.check_unchanged(),
        }
    }
}

fn read_evidence(path: &Path) -> Result<EvidenceFile, ErrorCode> {
    let mut bytes = Vec::new();
    let limit = MAX_EVIDENCE_LEN as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|_| ErrorCode::EvidenceUnreadable)?;
    EvidenceFile::parse(&bytes).map_err(|error: EvidenceFileError| error.code())
}
