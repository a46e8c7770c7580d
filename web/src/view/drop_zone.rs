//! Where files come in: a button first, dragging as the alternative. It never goes away.

use leptos::html::Input;
use leptos::prelude::*;
use web_sys::DragEvent;

use crate::desk::Desk;
use crate::i18n::{t, t_string, use_i18n};
use crate::intake;
use crate::words::fill;

/// The drop zone with its button.
#[component]
pub(crate) fn DropZone() -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let input = NodeRef::<Input>::new();
    let is_over = RwSignal::new(false);
    keep_drops_from_navigating(desk);

    let choose = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let picked = move |_| {
        if let Some(input) = input.get_untracked() {
            let handover = intake::from_list(input.files());
            // So that the same file can be picked again.
            input.set_value("");
            desk.take(handover);
        }
    };
    view! {
        <section
            class="drop-zone"
            data-drop-zone=""
            class:over=move || is_over.get()
            class:compact=move || desk.cases.with(|cases| !cases.is_empty())
            aria-label=move || t_string!(i18n, drop.label)
            on:dragenter=move |_| is_over.set(true)
            on:dragover=move |_| is_over.set(true)
            on:dragleave=move |_| is_over.set(false)
            on:drop=move |_| is_over.set(false)
        >
            <button type="button" class="primary" data-action="choose" on:click=choose>
                {t!(i18n, drop.choose)}
            </button>
            <input
                node_ref=input
                id="file"
                class="visually-hidden"
                type="file"
                multiple=true
                tabindex="-1"
                aria-label=move || t_string!(i18n, drop.choose)
                on:change=picked
            />
            <p class="or-drag">{t!(i18n, drop.or_drag)}</p>
            <p class="hint">{t!(i18n, drop.hint)}</p>
            <Show when=move || desk.waiting_evidence.with(|waiting| !waiting.is_empty())>
                <p class="notice" role="status">{t!(i18n, drop.evidence_waiting)}</p>
            </Show>
            {move || desk.chosen_trust.get().and_then(|chosen| chosen.name.clone()).map(|name| view! {
                <p class="notice" role="status">
                    {move || fill(t_string!(i18n, trust.notice), &[("name", &name)])}
                </p>
            })}
        </section>
    }
}

/// Takes drops anywhere on the page: a file that misses the zone would otherwise replace the page.
fn keep_drops_from_navigating(desk: Desk) {
    let over = window_event_listener(leptos::ev::dragover, |event: DragEvent| event.prevent_default());
    let dropped = window_event_listener(leptos::ev::drop, move |event: DragEvent| {
        event.prevent_default();
        desk.take(intake::from_drop(event.data_transfer()));
    });
    on_cleanup(move || {
        over.remove();
        dropped.remove();
    });
}
