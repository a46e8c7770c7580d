//! The one `verify`: evidence, what was seen of the file, and whom to believe, in; a report, out. Total: every input
//! has an answer. `docs/spec/verdict.md` is its specification.

mod candidate;
mod content;
mod continuity;
pub(crate) mod excerpt;
mod facts;
mod inclusion;
pub(crate) mod layout;
mod mismatch;
mod observation;
mod receipt;
mod roots;
mod signer;
mod validity;

pub use observation::{LookupOutcome, Observation};

use candidate::Candidate;
use content::Outcome;
use layout::Layout;
use validity::Standing;

use crate::evidence_file::EvidenceFile;
use crate::receipt::ProvenEntry;
use crate::report::{ErrorCode, FileFacts, REPORT_SCHEMA, ReasonCode, Report, TrustFacts, Verdict};
use crate::roots::RootsOutcome;
use crate::trust::TrustFile;

/// What a verdict is made of. The time of verification is no part of it: every rule compares times of sealing, so a report
/// about a file is the same tomorrow.
#[derive(Debug)]
pub struct Input<'a> {
    /// The evidence that may be about the file.
    pub candidates: &'a [EvidenceFile],
    /// Whom to believe.
    pub trust: &'a TrustFile,
    /// What was seen of the file.
    pub observation: &'a Observation,
    /// How the candidates were come by.
    pub lookup: LookupOutcome,
    /// What came of comparing roots, one for each chain; none where nothing was compared.
    pub roots: &'a [RootsOutcome],
}

/// How a check came out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Proven(ReasonCode),
    Failed(ReasonCode),
    NotChecked(ReasonCode),
}

/// Verifies.
pub fn verify(input: &Input<'_>) -> Report {
    if input.observation.length == 0 {
        return not_completed(input, ErrorCode::EmptyFile);
    }
    let layouts: Vec<Layout> = input.candidates.iter().map(Layout::of).collect();
    let assessment = Assessment::new(input, &layouts);
    match assessment.decisive() {
        Some(candidate) => {
            let mut report = about(input, candidate);
            report.roots = candidate.validity().covering().and_then(|ours| roots::facts(ours, input.roots));
            report
        }
        None => unidentified(input),
    }
}

/// All candidates, compared with the file.
pub(crate) struct Assessment<'a> {
    candidates: Vec<Candidate<'a>>,
    identified: Vec<usize>,
}

impl<'a> Assessment<'a> {
    pub(crate) fn new(input: &'a Input<'a>, layouts: &'a [Layout]) -> Self {
        let index = input.observation.index();
        let candidates: Vec<_> = input
            .candidates
            .iter()
            .zip(layouts)
            .map(|(file, layout)| Candidate::new(input, file, layout, input.observation, &index))
            .collect();
        let identified = candidate::identified(&candidates);
        Self { candidates, identified }
    }

    /// Whether the file is identified with a candidate that holds, and of which every byte of the file is known to be a part.
    /// One that does not hold settles nothing: it may have been made up to end the search.
    pub(crate) fn is_settled(&self) -> bool {
        self.identified
            .iter()
            .filter_map(|at| self.candidates.get(*at))
            .filter(|one| matches!(one.comparison.outcome, Outcome::Whole | Outcome::Excerpt { .. }))
            .any(|one| one.standing() == Standing::Valid)
    }

    pub(crate) fn is_identified(&self) -> bool {
        !self.identified.is_empty()
    }

    /// The checkpoint that the verdict would rest on.
    pub(crate) fn anchor(&self) -> Option<&tlog::VerifiedCheckpoint> {
        self.decisive()?.validity().covering().map(ProvenEntry::checkpoint)
    }

    /// Which of the candidates decides.
    pub(crate) fn decisive_place(&self) -> Option<usize> {
        let decisive = self.decisive()?;
        self.candidates.iter().position(|one| std::ptr::eq(one, decisive))
    }

    fn decisive(&self) -> Option<&Candidate<'a>> {
        candidate::decisive(&self.candidates, &self.identified)
    }
}

/// The report about the candidate that decides.
fn about(input: &Input<'_>, candidate: &Candidate<'_>) -> Report {
    let outcome = candidate.comparison.outcome;
    match (candidate.standing(), outcome) {
        (Standing::OtherChain, _) => not_completed(input, ErrorCode::OtherChain),
        (Standing::Valid, Outcome::Open) => not_completed(input, ErrorCode::EvidenceIncomplete),
        // What was not looked at neither matches nor differs.
        (Standing::Valid, Outcome::Differs) if candidate.comparison.unobserved > 0 => {
            not_completed(input, ErrorCode::Unreadable)
        }
        (Standing::Invalid, _) => decided(input, candidate, Verdict::EvidenceInvalid),
        (Standing::Valid, Outcome::Whole) => decided(input, candidate, Verdict::Consistent),
        (Standing::Valid, Outcome::Excerpt { .. }) => decided(input, candidate, Verdict::Excerpt),
        (Standing::Valid, Outcome::Differs) => decided(input, candidate, Verdict::Inconsistent),
    }
}

fn decided(input: &Input<'_>, candidate: &Candidate<'_>, verdict: Verdict) -> Report {
    let content = match candidate.comparison.outcome {
        Outcome::Whole => Check::Proven(ReasonCode::AllMatch),
        Outcome::Excerpt { .. } => Check::Proven(ReasonCode::PartMatches),
        Outcome::Differs if candidate.comparison.unobserved == 0 => Check::Failed(ReasonCode::Differs),
        Outcome::Differs | Outcome::Open => Check::NotChecked(ReasonCode::NotReached),
    };
    let (mismatches, mismatch_count) = match verdict {
        Verdict::Inconsistent => {
            let index = input.observation.index();
            mismatch::mismatches(candidate.layout, &candidate.comparison, input.observation, &index)
        }
        _ => (Vec::new(), 0),
    };
    // What an invalid signature says about battery and position is not worth showing.
    let telemetry = match verdict {
        Verdict::EvidenceInvalid => Vec::new(),
        _ => facts::telemetry(candidate),
    };
    Report {
        schema: REPORT_SCHEMA.to_owned(),
        verdict,
        reason: None,
        file: file_facts(input),
        subject: Some(facts::subject(candidate)),
        findings: candidate.validity().findings(content),
        mismatches,
        mismatch_count,
        excerpt: (verdict == Verdict::Excerpt).then(|| facts::excerpt(candidate)).flatten(),
        telemetry,
        chain: facts::chain(candidate),
        roots: None,
        trust: TrustFacts::of(input.trust),
    }
}

/// No candidate is about this file.
fn unidentified(input: &Input<'_>) -> Report {
    let code = match (input.lookup, input.candidates.is_empty()) {
        (LookupOutcome::Answered, _) => return not_deposited(input),
        (_, false) => return with_digest(input, not_completed(input, ErrorCode::OtherFile)),
        (LookupOutcome::NotAsked | LookupOutcome::NoServer, true) => ErrorCode::NoServer,
        (LookupOutcome::NoAnswer, true) => ErrorCode::NoAnswer,
        (LookupOutcome::Nonsense, true) => ErrorCode::ServerNonsense,
    };
    not_completed(input, code)
}

fn not_deposited(input: &Input<'_>) -> Report {
    let mut report = not_completed(input, ErrorCode::NoServer);
    report.verdict = Verdict::NotDeposited;
    report.reason = None;
    with_digest(input, report)
}

fn with_digest(input: &Input<'_>, mut report: Report) -> Report {
    report.file.sha256 = input.observation.file_digest;
    report
}

fn not_completed(input: &Input<'_>, code: ErrorCode) -> Report {
    Report::not_completed(file_facts(input), code, TrustFacts::of(input.trust))
}

/// The digest of the whole file is told where no evidence speaks of the file. Elsewhere it would depend on the way that
/// the evidence was found, and reports about one file would differ.
fn file_facts(input: &Input<'_>) -> FileFacts {
    FileFacts { length: input.observation.length, sha256: None }
}

impl TrustFacts {
    /// The facts about `trust`.
    pub fn of(trust: &TrustFile) -> Self {
        Self { digest: Some(trust.digest()), operator: Some(trust.operator().name.clone()) }
    }
}

#[cfg(test)]
mod tests;
