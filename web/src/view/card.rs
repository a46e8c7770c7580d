//! One file: its name, its progress, and in the end its verdict with all behind it.

use leptos::prelude::*;
use protocol::report::ErrorCode;

use crate::case::{Case, Stage};
use crate::format;
use crate::i18n::{t_string, use_i18n};
use crate::view::actions::Actions;
use crate::view::limits::Limits;
use crate::view::progress::ProgressPanel;
use crate::view::verdict::VerdictPanel;
use crate::words::fill;

/// The `id` of a file's element.
pub(crate) fn case_element(case: Case) -> String {
    format!("case-{}", case.id)
}

/// One file.
#[component]
pub(crate) fn CaseCard(case: Case) -> impl IntoView {
    let i18n = use_i18n();
    let heading = StoredValue::new(format!("file-{}", case.id));
    let verdict =
        move || case.outcome.with(|outcome| outcome.as_ref().map(|outcome| outcome.report.verdict.as_str()));
    let error = move || {
        case.outcome
            .with(|outcome| outcome.as_ref().and_then(|outcome| outcome.error()).map(ErrorCode::as_str))
    };
    let is_done = move || case.stage.get() == Stage::Done;
    view! {
        <article
            class="case"
            id=case_element(case)
            tabindex="-1"
            data-file=case.name()
            data-phase=move || case.stage.get().word()
            data-verdict=verdict
            data-error=error
            aria-labelledby=heading.get_value()
            aria-busy=move || (!is_done()).to_string()
        >
            <header class="case-header">
                <h2 class="file-name" id=heading.get_value()>{case.name()}</h2>
                {case.length.map(|length| view! {
                    <p class="file-size">
                        {move || fill(t_string!(i18n, case.size), &[("size", &format::bytes(length)), ("bytes", &format::grouped(length))])}
                    </p>
                })}
            </header>
            <Show when=is_done fallback=move || view! { <ProgressPanel case /> }>
                {move || case.outcome.get().map(|outcome| view! { <VerdictPanel outcome /> })}
                <Actions case />
                <Limits is_for_print=true />
            </Show>
        </article>
    }
}
