//! The checks behind a verdict, how each came out, and why.

use protocol::report::{FindingName, ReasonCode, State};

use super::{Words, fill};
use crate::i18n::t_string;

/// What a check is called.
pub(crate) fn name(i18n: Words, finding: FindingName) -> &'static str {
    match finding {
        FindingName::Content => t_string!(i18n, finding.content),
        FindingName::DeviceSignature => t_string!(i18n, finding.device_signature),
        FindingName::DeviceEnrolment => t_string!(i18n, finding.device_enrolment),
        FindingName::Continuity => t_string!(i18n, finding.continuity),
        FindingName::Inclusion => t_string!(i18n, finding.inclusion),
        FindingName::Checkpoint => t_string!(i18n, finding.checkpoint),
        FindingName::Roots => t_string!(i18n, finding.roots),
        FindingName::SealingDelay => t_string!(i18n, finding.sealing_delay),
        FindingName::PreCapture => t_string!(i18n, finding.pre_capture),
    }
}

/// How a check came out.
pub(crate) fn state(i18n: Words, state: State) -> &'static str {
    match state {
        State::Proven => t_string!(i18n, state.proven),
        State::Failed => t_string!(i18n, state.failed),
        State::NotChecked => t_string!(i18n, state.not_checked),
    }
}

/// A match that gives each reason the text of its key.
macro_rules! sentences {
    ($i18n:ident, $reason:ident, { $($variant:ident => $key:ident,)+ }) => {
        match $reason {
            $(ReasonCode::$variant => t_string!($i18n, reason.$key),)+
        }
    };
}

/// Why a check came out as it did, in one plain sentence.
pub(crate) fn reason(i18n: Words, reason: ReasonCode) -> &'static str {
    sentences!(i18n, reason, {
        NotReached => not_reached,
        AllMatch => all_match,
        PartMatches => part_matches,
        Differs => differs,
        SignaturesValid => signatures_valid,
        SignatureInvalid => signature_invalid,
        SignatureOtherKey => signature_other_key,
        Enrolled => enrolled,
        EnrolledNoSnapshot => enrolled_no_snapshot,
        EnrolledRevokedLater => enrolled_revoked_later,
        EnrolmentMissing => enrolment_missing,
        EnrolmentOther => enrolment_other,
        RegistrarUnknown => registrar_unknown,
        RegistrarSignatureInvalid => registrar_signature_invalid,
        RegistrarNotValidThen => registrar_not_valid_then,
        EnrolmentNotSealed => enrolment_not_sealed,
        EnrolmentTooLate => enrolment_too_late,
        EnrolmentNotValidThen => enrolment_not_valid_then,
        EnrolmentRole => enrolment_role,
        Revoked => revoked,
        RevocationWithheld => revocation_withheld,
        Unbroken => unbroken,
        SequenceBroken => sequence_broken,
        ChainBroken => chain_broken,
        SegmentsNotTiled => segments_not_tiled,
        TotalsDiffer => totals_differ,
        Conflict => conflict,
        Included => included,
        ReceiptMissing => receipt_missing,
        ReceiptMalformed => receipt_malformed,
        ReceiptIndex => receipt_index,
        ProofInvalid => proof_invalid,
        OrderImpossible => order_impossible,
        UnknownLog => unknown_log,
        Cosigned => cosigned,
        LogSigned => log_signed,
        LogSignatureInvalid => log_signature_invalid,
        WitnessSignatureInvalid => witness_signature_invalid,
        NoQuorum => no_quorum,
        CheckpointMalformed => checkpoint_malformed,
        PolicyNotValidThen => policy_not_valid_then,
        LogClosed => log_closed,
        ChainForked => chain_forked,
        ChainShrunk => chain_shrunk,
        ChainStale => chain_stale,
        ChainUnconnected => chain_unconnected,
        RootsAgree => roots_agree,
        Offline => offline,
        Unwitnessed => unwitnessed,
        NoWitness => no_witness,
        Measured => measured,
        Reported => reported,
        NotReported => not_reported,
        NotApplicable => not_applicable,
    })
}

/// The same, naming the witnesses whose roots agree.
pub(crate) fn why(i18n: Words, code: ReasonCode, agreeing: &[String]) -> String {
    if code == ReasonCode::RootsAgree && !agreeing.is_empty() {
        let names = agreeing.join(t_string!(i18n, guard.separator));
        return fill(t_string!(i18n, finding.agree_with), &[("names", &names)]);
    }
    reason(i18n, code).to_owned()
}
