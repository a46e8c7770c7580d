//! What can be done with a finished file.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use crate::case::Case;
use crate::desk::Desk;
use crate::i18n::{t, t_string, use_i18n};
use crate::intake::Handover;
use crate::save::save;
use crate::view::card::case_element;
use crate::view::file_button::FileButton;
use crate::words::fill;

/// Print, save, add evidence, verify again, remove.
#[component]
pub(crate) fn Actions(case: Case) -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    // These buttons vanish with what they do; whoever pressed one by keyboard goes on from there.
    let add_evidence = move |handover: Handover| {
        desk.retry_with(case, handover.files);
        focus(&format!("#{}", case_element(case)));
    };
    let retry = move |_| {
        desk.retry(case);
        focus(&format!("#{}", case_element(case)));
    };
    let remove = move |_| {
        desk.remove(case);
        focus("[data-action=choose]");
    };
    view! {
        <div class="actions">
            <button type="button" data-action="print" on:click=|_| drop(window().print())>
                {t!(i18n, case.print)}
            </button>
            <button type="button" data-action="save" on:click=move |_| save_report(case)>
                {t!(i18n, case.save)}
            </button>
            <Show when=move || case.wants_evidence()>
                <FileButton
                    action="add-evidence"
                    label=move || t_string!(i18n, case.add_evidence)
                    accept=".evidence"
                    is_multiple=true
                    picked=add_evidence
                />
            </Show>
            <Show when=move || case.can_retry()>
                <button type="button" data-action="retry" on:click=retry>
                    {t!(i18n, case.retry)}
                </button>
            </Show>
            <button
                type="button"
                data-action="remove"
                aria-label=move || fill(t_string!(i18n, case.remove_named), &[("name", &case.name())])
                on:click=remove
            >
                {t!(i18n, case.remove)}
            </button>
        </div>
    }
}

fn focus(selector: &str) {
    // Fails only for what is no selector.
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        drop(element.focus());
    }
}

/// Lets the browser save the report, under the name of the file.
fn save_report(case: Case) {
    if let Some(outcome) = case.outcome.get_untracked() {
        save(&format!("{}.report.json", case.name()), "application/json", &outcome.json);
    }
}
