//! Everything about one candidate that does not depend on the file's bytes: whether the evidence itself holds.

use super::inclusion::{self, Inclusion};
use super::signer::{self, SignerCheck};
use super::{Check, Input, continuity, roots};
use crate::evidence_file::EvidenceFile;
use crate::ids::Sequence;
use crate::receipt::ProvenEntry;
use crate::report::{Finding, FindingName, ReasonCode, State};
use crate::statement::Payload;

/// What may be made of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// A check failed.
    Invalid,
    /// Nothing failed, but the trust file does not know the chain.
    OtherChain,
    /// Every check that a verdict needs is proven.
    Valid,
}

/// The checks of one candidate, but for `content`.
#[derive(Debug)]
pub(crate) struct Validity {
    pub(crate) signer: SignerCheck,
    pub(crate) inclusion: Inclusion,
    continuity: Check,
    roots: Check,
    sealing_delay: Check,
    pre_capture: Check,
    needed: Sequence,
}

impl Validity {
    /// Checks `file`, one of the candidates of `input`, of which the statements up to `needed` matter.
    pub(crate) fn of(file: &EvidenceFile, input: &Input<'_>, needed: Sequence) -> Self {
        let trust = input.trust;
        let inclusion = inclusion::check(file, trust);
        let signer = signer::check(file, trust, &inclusion, needed);
        let continuity = continuity::check(file, input.candidates, trust, signer.key.as_ref());
        let roots = roots::check(inclusion.covering(needed), input.roots);
        let sealing_delay = sealing_delay(file, &inclusion);
        Self { signer, inclusion, continuity, roots, sealing_delay, pre_capture: pre_capture(file), needed }
    }

    /// The receipt that the verdict rests on.
    pub(crate) fn covering(&self) -> Option<&ProvenEntry> {
        self.inclusion.covering(self.needed)
    }

    pub(crate) fn standing(&self) -> Standing {
        let needed = [
            self.signer.signature,
            self.signer.enrolment,
            self.continuity,
            self.inclusion.inclusion,
            self.inclusion.checkpoint,
        ];
        let failed = needed.iter().chain([&self.roots]).any(|check| matches!(check, Check::Failed(_)));
        let proven = needed.iter().all(|check| matches!(check, Check::Proven(_)));
        match (failed, proven) {
            (true, _) => Standing::Invalid,
            (false, true) => Standing::Valid,
            (false, false) => Standing::OtherChain,
        }
    }

    /// The findings, in the order of their names.
    pub(crate) fn findings(&self, content: Check) -> Vec<Finding> {
        let checks = FindingName::ALL.iter().map(|name| {
            let check = match name {
                FindingName::Content => content,
                FindingName::DeviceSignature => self.signer.signature,
                FindingName::DeviceEnrolment => self.signer.enrolment,
                FindingName::Continuity => self.continuity,
                FindingName::Inclusion => self.inclusion.inclusion,
                FindingName::Checkpoint => self.inclusion.checkpoint,
                FindingName::Roots => self.roots,
                FindingName::SealingDelay => self.sealing_delay,
                FindingName::PreCapture => self.pre_capture,
            };
            let (state, reason) = match check {
                Check::Proven(reason) => (State::Proven, reason),
                Check::Failed(reason) => (State::Failed, reason),
                Check::NotChecked(reason) => (State::NotChecked, reason),
            };
            Finding { finding: *name, state, reason }
        });
        checks.collect()
    }
}

fn sealing_delay(file: &EvidenceFile, inclusion: &Inclusion) -> Check {
    if matches!(file.first().payload(), Payload::Deposit(_)) {
        return Check::NotChecked(ReasonCode::NotApplicable);
    }
    match inclusion.proven.values().next() {
        None => Check::NotChecked(ReasonCode::NotReached),
        Some(proven) if proven.proven_time().is_none() => Check::NotChecked(ReasonCode::Unwitnessed),
        Some(_) => Check::Proven(ReasonCode::Measured),
    }
}

fn pre_capture(file: &EvidenceFile) -> Check {
    match file.first().payload() {
        Payload::Start(start) if start.self_check.is_empty() => Check::NotChecked(ReasonCode::NotReported),
        Payload::Start(_) => Check::Proven(ReasonCode::Reported),
        _ => Check::NotChecked(ReasonCode::NotApplicable),
    }
}
