//! Each check behind the verdict.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::report::{Report, State, WitnessState};

use crate::case::Outcome;
use crate::i18n::use_i18n;
use crate::words;

/// Every finding with its state and its reason in words.
#[component]
pub(crate) fn Findings(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let agreeing = agreeing(&outcome.report);
    let items = outcome.report.findings.iter().copied().map(|finding| {
        let agreeing = agreeing.clone();
        view! {
            <li
                data-finding=finding.finding.as_str()
                data-state=finding.state.as_str()
                data-reason=finding.reason.as_str()
            >
                <span class="mark" data-mark=mark(finding.state) aria-hidden="true"></span>
                <p>
                    <span class="finding-name">{move || words::finding::name(i18n, finding.finding)}</span>
                    " "
                    <span class="finding-state">{move || words::finding::state(i18n, finding.state)}</span>
                </p>
                <p class="finding-reason">{move || words::finding::why(i18n, finding.reason, &agreeing)}</p>
            </li>
        }
    });
    view! { <ul class="findings">{items.collect_view()}</ul> }
}

/// Names of the witnesses whose roots agree.
fn agreeing(report: &Report) -> Vec<String> {
    let witnesses = report.roots.iter().flat_map(|roots| &roots.witnesses);
    let agreeing = witnesses.filter(|witness| witness.state == WitnessState::Agrees);
    agreeing.map(|witness| witness.name.clone()).collect()
}

fn mark(state: State) -> &'static str {
    match state {
        State::Proven => "tick",
        State::Failed => "cross",
        State::NotChecked => "bar",
    }
}
