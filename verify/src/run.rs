//! Verifying one file: does what the examination asks for, and decides nothing itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use client::ServerUrl;
use evidence::report::{ErrorCode, FileFacts, TrustFacts};
use evidence::{EvidenceFile, EvidenceFileError, Examination, MAX_EVIDENCE_LEN, Report, Step, TrustFile};

use crate::ask;
use crate::container;
use crate::hashing;
use crate::opened::Opened;

/// What a verification needs besides the file.
#[derive(Debug)]
pub struct Surroundings {
    /// Whom to believe, or why nobody.
    pub trust: Result<TrustFile, ErrorCode>,
    /// Evidence files that were given.
    pub evidence: Vec<PathBuf>,
    /// Where to look evidence up.
    pub server: Option<ServerUrl>,
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
pub fn verify(path: &Path, surroundings: &Surroundings) -> Report {
    let opened = Opened::open(path);
    let length = opened.as_ref().map_or(0, Opened::length);
    let begin = || {
        let trust = surroundings.trust.clone()?;
        let beside = evidence_beside(path, surroundings);
        let evidence = surroundings.evidence.iter().chain(&beside);
        let evidence = evidence.map(|path| read_evidence(path)).collect::<Result<Vec<_>, _>>()?;
        let file = opened?;
        let boundaries = container::boundaries(&file)?;
        let examination = Examination::new(file.length(), boundaries, evidence, trust);
        Ok((file, examination))
    };
    match begin() {
        Ok((file, mut examination)) => match examine(&file, &mut examination, surroundings.server.as_ref()) {
            Ok(()) => examination.report(),
            Err(code) => examination.failed(code),
        },
        Err(code) => Report::not_completed(FileFacts { length, sha256: None }, code, TrustFacts::default()),
    }
}

fn examine(
    file: &Opened,
    examination: &mut Examination,
    server: Option<&ServerUrl>,
) -> Result<(), ErrorCode> {
    loop {
        match examination.next() {
            Step::Hash(ranges) => {
                hashing::hash_ranges(file, &ranges, |range, digest| examination.hashed(range, digest))?;
            }
            Step::Lookup(request) => examination.looked_up(ask::look_up(server, &request)),
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
