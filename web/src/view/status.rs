//! What a screen reader says while files are being verified.

use leptos::prelude::*;

use crate::case::{Case, Stage};
use crate::desk::Desk;
use crate::i18n::{t_string, use_i18n};
use crate::words::{self, fill};

/// The one live region of the page: the state of the file that changed last.
#[component]
pub(crate) fn Announcer() -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let states = Memo::new(move |_| -> Vec<String> {
        desk.cases.get().into_iter().map(|case| describe(case, i18n)).collect()
    });
    // Only what is new since the last change is said, not the state of every file again.
    let spoken = Memo::new(move |last: Option<&(Vec<String>, String)>| {
        let now = states.get();
        let (before, said) = last.cloned().unwrap_or_default();
        let news: Vec<String> = now.iter().filter(|state| !before.contains(state)).cloned().collect();
        let said = if news.is_empty() { said } else { news.join(" ") };
        (now, said)
    });
    view! {
        <p class="visually-hidden" role="status" aria-live="polite">
            {move || spoken.get().1}
        </p>
    }
}

/// One sentence about a case; it changes with the stage and each quarter, not with every byte.
fn describe(case: Case, i18n: words::Words) -> String {
    let name = case.name();
    let stage = case.stage.get();
    if let Some(outcome) = case.outcome.get() {
        let words = words::verdict::of(i18n, &outcome.report);
        return fill(
            t_string!(i18n, announce.verdict),
            &[("name", &name), ("verdict", &words.title), ("meaning", &words.meaning)],
        );
    }
    let phase = words::stage(i18n, stage);
    let quarter = case.reading.get().and_then(|reading| reading.percent()).map(|percent| percent / 25 * 25);
    match quarter {
        Some(percent) if percent > 0 && stage == Stage::Hashing => fill(
            t_string!(i18n, announce.percent),
            &[("name", &name), ("phase", &phase), ("percent", &percent)],
        ),
        _ => fill(t_string!(i18n, announce.phase), &[("name", &name), ("phase", &phase)]),
    }
}
