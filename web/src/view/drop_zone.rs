//! Where files come in: a button first, dragging as the alternative. It never goes away.

use leptos::prelude::*;
use web_sys::DragEvent;

use crate::desk::Desk;
use crate::i18n::{t, t_string, use_i18n};
use crate::intake;
use crate::route::{Place, Route};
use crate::view::file_button::FileButton;
use crate::words::fill;

/// The drop zone with its button.
#[component]
pub(crate) fn DropZone() -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let is_over = RwSignal::new(false);
    keep_drops_from_navigating(desk);

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
            <FileButton
                action="choose"
                id="file"
                class="primary"
                label=move || t_string!(i18n, drop.choose)
                is_multiple=true
                picked=move |handover| desk.take(handover)
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
    let route = expect_context::<Route>();
    let over = window_event_listener(leptos::ev::dragover, |event: DragEvent| event.prevent_default());
    let dropped = window_event_listener(leptos::ev::drop, move |event: DragEvent| {
        event.prevent_default();
        if route.is(Place::Home) {
            desk.take(intake::from_drop(event.data_transfer()));
        }
    });
    on_cleanup(move || {
        over.remove();
        dropped.remove();
    });
}
