//! By which trust file the page judges, and how to put another in its place: for who keeps a copy of his own.

use std::sync::Arc;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::desk::Desk;
use crate::i18n::{t, t_string, use_i18n};
use crate::intake::Handover;
use crate::trust;
use crate::view::file_button::FileButton;
use crate::view::guard::Guards;

/// The trust file in use, with its digest, and the buttons that change it.
#[component]
pub(crate) fn TrustPanel() -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let is_refused = RwSignal::new(false);
    let picked = move |handover: Handover| {
        is_refused.set(false);
        spawn_local(async move {
            let Some(file) = handover.files.first() else {
                return;
            };
            match trust::read(file).await {
                Some(chosen) => desk.chosen_trust.set(Some(Arc::new(chosen))),
                None => is_refused.set(true),
            }
        });
    };
    let restore = move |_| {
        is_refused.set(false);
        desk.chosen_trust.set(None);
    };
    let name = move || {
        let chosen = desk.chosen_trust.get().and_then(|chosen| chosen.name.clone());
        chosen.unwrap_or_else(|| t_string!(i18n, trust.operators).to_owned())
    };
    let digest = move || {
        let used = desk.chosen_trust.get().or_else(|| desk.operators_trust.get());
        used.map_or_else(|| t_string!(i18n, trust.none).to_owned(), |used| used.digest().to_string())
    };
    // Only for who looks, and anew when another file is put in place.
    let is_open = RwSignal::new(false);
    Effect::new(move |_| {
        desk.chosen_trust.track();
        desk.operators_trust.track();
        if is_open.get() {
            desk.ask_for_guards();
        }
    });
    let guards = move || desk.guards.get().map(|guards| guards.as_ref().clone()).unwrap_or_default();
    view! {
        <details class="trust" on:toggle=move |_| is_open.set(true)>
            <summary>{t!(i18n, trust.title)}</summary>
            <div class="inside">
                <p>{t!(i18n, trust.purpose)}</p>
                <dl class="facts">
                    <dt>{t!(i18n, trust.used)}</dt>
                    <dd data-trust-name="">{name}</dd>
                    <dt>{t!(i18n, facts.trust)}</dt>
                    <dd class="digest" data-trust-digest="">{digest}</dd>
                    <dt>{t!(i18n, guard.title)}</dt>
                    <dd data-guards="">{move || view! { <Guards guards=guards() /> }}</dd>
                </dl>
                <div class="buttons">
                    <FileButton
                        action="choose-trust"
                        id="trust"
                        label=move || t_string!(i18n, trust.choose)
                        accept=".json,application/json"
                        picked
                    />
                    <Show when=move || desk.chosen_trust.with(Option::is_some)>
                        <button type="button" data-action="restore-trust" on:click=restore>
                            {t!(i18n, trust.restore)}
                        </button>
                    </Show>
                </div>
                <p class="refused" role="alert">
                    {move || is_refused.get().then(|| t_string!(i18n, trust.refused))}
                </p>
            </div>
        </details>
    }
}
