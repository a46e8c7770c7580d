//! The verdict in the court's words.

use protocol::report::{FindingName, Report, State, SubjectKind, Verdict};

use super::{Words, error};
use crate::i18n::t_string;

/// The verdict in the court's words.
#[derive(Clone, Copy)]
pub(crate) struct VerdictWords {
    /// What can be quoted.
    pub(crate) title: &'static str,
    /// What it means, in one plain sentence.
    pub(crate) meaning: &'static str,
    /// What to do next.
    pub(crate) next: &'static str,
}

/// The words for a report's verdict.
pub(crate) fn of(i18n: Words, report: &Report) -> VerdictWords {
    let is_deposit = report.subject.as_ref().is_some_and(|subject| subject.kind == SubjectKind::Deposit);
    match report.verdict {
        Verdict::Consistent => VerdictWords {
            title: t_string!(i18n, verdict.consistent.title),
            meaning: if is_deposit {
                t_string!(i18n, verdict.consistent.deposit)
            } else {
                t_string!(i18n, verdict.consistent.recording)
            },
            next: t_string!(i18n, verdict.consistent.next),
        },
        Verdict::Excerpt => VerdictWords {
            title: t_string!(i18n, verdict.excerpt.title),
            meaning: t_string!(i18n, verdict.excerpt.meaning),
            next: t_string!(i18n, verdict.excerpt.next),
        },
        Verdict::Inconsistent => VerdictWords {
            title: t_string!(i18n, verdict.inconsistent.title),
            meaning: if is_deposit {
                t_string!(i18n, verdict.inconsistent.deposit)
            } else {
                t_string!(i18n, verdict.inconsistent.recording)
            },
            next: t_string!(i18n, verdict.inconsistent.next),
        },
        Verdict::NotDeposited => VerdictWords {
            title: t_string!(i18n, verdict.not_deposited.title),
            meaning: t_string!(i18n, verdict.not_deposited.meaning),
            next: t_string!(i18n, verdict.not_deposited.next),
        },
        Verdict::EvidenceInvalid => VerdictWords {
            title: t_string!(i18n, verdict.evidence_invalid.title),
            meaning: t_string!(i18n, verdict.evidence_invalid.meaning),
            // A new evidence file would not help against a chain that contradicts itself.
            next: if contradicts_itself(report) {
                t_string!(i18n, verdict.evidence_invalid.next_alarm)
            } else {
                t_string!(i18n, verdict.evidence_invalid.next)
            },
        },
        Verdict::NotCompleted => {
            let words = report.reason.map(|code| error::of(i18n, code));
            VerdictWords {
                title: t_string!(i18n, verdict.not_completed.title),
                meaning: words.map_or("", |words| words.what),
                next: words.map_or("", |words| words.next),
            }
        }
    }
}

fn contradicts_itself(report: &Report) -> bool {
    report.finding(FindingName::Roots).is_some_and(|finding| finding.state == State::Failed)
}
