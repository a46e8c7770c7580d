//! What the witnesses of the trust file say of the chain (`docs/spec/roots.md`): the one that is audited may be shown to nobody
//! else.

use client::RootsClient;
use evidence::report::{AlarmKind, RootSource, RootsAlarm, SignedRoot};
use evidence::{Comparison, RootsOutcome, TrustFile};
use serde::Serialize;
use tlog::TreeSize;

use crate::finding::{Code, Finding};
use crate::trusted::Trusted;

/// One witness, and how its root compares with the audited one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessSaid {
    /// Its name in the trust file.
    pub name: String,
    /// A word of `docs/spec/verdict.md`.
    pub state: &'static str,
    /// Number of entries of the tree that it has cosigned last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it did, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<u64>,
}

/// Asks every witness of `trust` that has an address, and compares its root with `target`.
pub fn ask(asking: &RootsClient, trust: &TrustFile, target: &Trusted) -> (Vec<WitnessSaid>, Option<Finding>) {
    // What was seen before is compared by reading every entry.
    let mut comparison = Comparison::new(trust, Some(target.checkpoint().clone()), Vec::new());
    asking.settle(&mut comparison);
    let RootsOutcome { witnesses, alarm, .. } = comparison.outcome();
    let said = witnesses.into_iter().map(|witness| WitnessSaid {
        name: witness.name,
        state: witness.state.as_str(),
        size: witness.size,
        cosigned: witness.cosigned,
    });
    (said.collect(), alarm.as_ref().map(finding))
}

/// An alarm as a finding, with both notes.
pub fn finding(alarm: &RootsAlarm) -> Finding {
    let RootsAlarm { kind, ours, theirs } = alarm;
    let (ours_is, theirs_is) = (subject(ours), subject(theirs));
    let (code, sentence) = match kind {
        AlarmKind::Forked => {
            (Code::Forked, format!("Two signed roots cannot both be true: {ours_is}, and {theirs_is}."))
        }
        AlarmKind::Shrunk => {
            (Code::Shrunk, format!("There was {ours_is}; later, and smaller, there was {theirs_is}."))
        }
        AlarmKind::Stale => (Code::Stale, format!("There was {ours_is}; now there is {theirs_is}.")),
        AlarmKind::Unconnected => (
            Code::Unconnected,
            format!("The tiles do not connect {ours_is} with {theirs_is}. That proves nothing."),
        ),
    };
    let size = TreeSize::new(ours.size.min(theirs.size));
    Finding::tree(code, size, sentence).with_note(ours.note.as_bytes()).with_note(theirs.note.as_bytes())
}

fn subject(root: &SignedRoot) -> String {
    let source = match root.source {
        RootSource::Anchor => "the audited root".to_owned(),
        RootSource::Pin => "the root that was seen before".to_owned(),
        RootSource::Published => "the published root".to_owned(),
        RootSource::Witness => format!("the root of the witness {}", root.name.as_deref().unwrap_or("?")),
    };
    format!("{source} ({} entries)", root.size)
}
