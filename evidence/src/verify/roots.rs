//! `roots`: is the chain shown here the one that is shown elsewhere? What was compared is in [`crate::roots`].

use tlog::{TreeHead, VerifiedCheckpoint};

use super::Check;
use crate::receipt::ProvenEntry;
use crate::report::{AlarmKind, ReasonCode, RootsFacts, State};
use crate::roots::RootsOutcome;

/// What the comparisons of roots say about `ours`, the receipt that the verdict rests on.
pub(crate) fn check(ours: Option<&ProvenEntry>, seen: &[RootsOutcome]) -> Check {
    let Some(ours) = ours else { return Check::NotChecked(ReasonCode::NotReached) };
    let seen = of_origin(seen, ours.checkpoint().origin());
    decide(ours.checkpoint().head(), ours.proven_time().is_some(), seen)
}

impl RootsOutcome {
    /// State and reason of the finding `roots` for what rests on `ours`, of which a quorum proves a time or none does.
    pub fn finding(&self, ours: &VerifiedCheckpoint, proves_time: bool) -> (State, ReasonCode) {
        let seen = (self.origin.as_deref() == Some(ours.origin())).then_some(self);
        match decide(ours.head(), proves_time, seen) {
            Check::Proven(reason) => (State::Proven, reason),
            Check::Failed(reason) => (State::Failed, reason),
            Check::NotChecked(reason) => (State::NotChecked, reason),
        }
    }
}

fn decide(ours: TreeHead, proves_time: bool, seen: Option<&RootsOutcome>) -> Check {
    let alarm = seen.and_then(|seen| seen.alarm.as_ref()).map(|alarm| alarm.kind);
    match alarm {
        Some(AlarmKind::Forked) => return Check::Failed(ReasonCode::ChainForked),
        Some(AlarmKind::Shrunk) => return Check::Failed(ReasonCode::ChainShrunk),
        _ => {}
    }
    if !proves_time {
        return Check::NotChecked(ReasonCode::Unwitnessed);
    }
    let Some(seen) = seen.filter(|seen| seen.answered) else {
        return Check::NotChecked(ReasonCode::Offline);
    };
    match alarm {
        Some(AlarmKind::Stale) => return Check::NotChecked(ReasonCode::ChainStale),
        Some(AlarmKind::Unconnected) => return Check::NotChecked(ReasonCode::ChainUnconnected),
        _ => {}
    }
    let anchor = seen.anchor.as_ref().map(VerifiedCheckpoint::head);
    if seen.anchor_witnessed && anchor == Some(ours) {
        Check::Proven(ReasonCode::RootsAgree)
    } else {
        Check::NotChecked(ReasonCode::NoWitness)
    }
}

/// What the report tells: about the chain of `ours`, and whatever alarm there is.
pub(crate) fn facts(ours: &ProvenEntry, seen: &[RootsOutcome]) -> Option<RootsFacts> {
    let about = of_origin(seen, ours.checkpoint().origin()).and_then(RootsOutcome::facts);
    let alarm = seen.iter().find_map(|seen| seen.alarm.clone());
    match (about, alarm) {
        (None, None) => None,
        (about, alarm) => Some(RootsFacts { alarm, ..about.unwrap_or_default() }),
    }
}

fn of_origin<'s>(seen: &'s [RootsOutcome], origin: &str) -> Option<&'s RootsOutcome> {
    seen.iter().find(|seen| seen.origin.as_deref() == Some(origin))
}
