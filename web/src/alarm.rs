//! Chain roots that do not fit together: the one thing that goes before every verdict on the page.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::report::{AlarmKind, FindingName, Report, RootsAlarm, State};

/// The alarm of the page. Copying it copies a handle.
#[derive(Clone, Copy)]
pub(crate) struct Alarm(RwSignal<Option<Arc<RootsAlarm>>>);

impl Alarm {
    /// No alarm.
    pub(crate) fn none() -> Self {
        Self(RwSignal::new(None))
    }

    /// The alarm, if there is one.
    pub(crate) fn get(self) -> Option<Arc<RootsAlarm>> {
        self.0.get()
    }

    /// Takes what a comparison said. `has_compared`: it could tell, so its silence means something.
    pub(crate) fn heard(self, alarm: Option<&RootsAlarm>, has_compared: bool) {
        let before = self.0.with_untracked(|before| before.as_ref().map(|before| before.kind));
        match next(before, alarm.map(|alarm| alarm.kind), has_compared) {
            Next::Stays => {}
            Next::Ends => self.0.set(None),
            Next::Begins => self.0.set(alarm.cloned().map(Arc::new)),
        }
    }

    /// Takes what a report says.
    pub(crate) fn heard_in(self, report: &Report) {
        let alarm = report.roots.as_ref().and_then(|roots| roots.alarm.as_ref());
        let has_compared =
            report.finding(FindingName::Roots).is_some_and(|finding| finding.state == State::Proven);
        self.heard(alarm, has_compared);
    }
}

/// Whether both notes together prove something against the chain. Otherwise a bad connection or an old copy may be
/// behind it.
pub(crate) fn is_proof(kind: AlarmKind) -> bool {
    match kind {
        AlarmKind::Forked | AlarmKind::Shrunk => true,
        AlarmKind::Stale | AlarmKind::Unconnected => false,
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Stays,
    Begins,
    Ends,
}

/// A proof is never taken back while the page is open: a chain that shows two faces may show the right one next. What is
/// no proof ends when a later comparison succeeds.
fn next(before: Option<AlarmKind>, heard: Option<AlarmKind>, has_compared: bool) -> Next {
    match (before, heard) {
        (None, Some(_)) => Next::Begins,
        (Some(before), Some(heard)) if is_proof(heard) && !is_proof(before) => Next::Begins,
        (Some(before), None) if has_compared && !is_proof(before) => Next::Ends,
        _ => Next::Stays,
    }
}

#[cfg(test)]
mod tests {
    use AlarmKind::{Forked, Shrunk, Stale, Unconnected};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_proof_stays_whatever_is_heard_later() {
        for proof in [Forked, Shrunk] {
            for heard in [None, Some(Stale), Some(Unconnected), Some(Forked), Some(Shrunk)] {
                assert_eq!(next(Some(proof), heard, true), Next::Stays, "{proof:?}, then {heard:?}");
            }
            assert_eq!(next(None, Some(proof), true), Next::Begins);
            assert_eq!(next(Some(Stale), Some(proof), true), Next::Begins);
        }
    }

    #[wasm_bindgen_test]
    fn what_is_no_proof_ends_only_with_a_comparison_that_succeeds() {
        assert_eq!(next(Some(Stale), None, true), Next::Ends);
        assert_eq!(
            next(Some(Unconnected), None, false),
            Next::Stays,
            "nobody answered: that is no all-clear"
        );
        assert_eq!(next(Some(Stale), Some(Unconnected), true), Next::Stays);
        assert_eq!(next(None, None, true), Next::Stays);
    }
}
