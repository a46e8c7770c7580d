//! How far a verification is.

use leptos::prelude::*;

use crate::case::{Case, Stage};
use crate::desk::Desk;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::words::{self, fill};

/// Stage, bar, bytes, speed, time left, and the button that stops it.
#[component]
pub(crate) fn ProgressPanel(case: Case) -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let percent = move || case.reading.get().and_then(|reading| reading.percent());
    let stage = move || words::stage(i18n, case.stage.get());
    view! {
        <div class="progress">
            <p class="stage">{stage}</p>
            // Without a value the bar moves to and fro: waiting for the server has no measure.
            <progress
                max="100"
                aria-label=stage
                value=move || percent().filter(|_| case.stage.get() != Stage::Waiting)
            ></progress>
            <p class="numbers">{move || numbers(case, i18n)}</p>
            <button type="button" data-action="cancel" on:click=move |_| desk.cancel(case)>
                {t!(i18n, case.cancel)}
            </button>
        </div>
    }
}

fn numbers(case: Case, i18n: words::Words) -> String {
    let Some(reading) = case.reading.get().filter(|reading| reading.progress.total > 0) else {
        return String::new();
    };
    let done = format::bytes(reading.progress.done);
    let total = format::bytes(reading.progress.total);
    let mut parts = vec![fill(t_string!(i18n, progress.of), &[("done", &done), ("total", &total)])];
    if let Some(speed) = reading.speed.filter(|_| case.stage.get() == Stage::Hashing) {
        parts.push(fill(t_string!(i18n, progress.speed), &[("speed", &format::bytes(speed))]));
    }
    match reading.seconds_left.filter(|_| case.stage.get() == Stage::Hashing) {
        Some(seconds) if seconds > 90 => {
            parts.push(fill(t_string!(i18n, progress.left_minutes), &[("minutes", &seconds.div_ceil(60))]));
        }
        Some(seconds) => parts.push(fill(t_string!(i18n, progress.left_seconds), &[("seconds", &seconds)])),
        None => {}
    }
    parts.join(" · ")
}
