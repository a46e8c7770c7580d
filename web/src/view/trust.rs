//! By which trust file the page judges, and how to put another in its place: for who keeps a copy of his own.

use std::sync::Arc;

use leptos::html::Input;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::desk::Desk;
use crate::i18n::{t, t_string, use_i18n};
use crate::intake;
use crate::trust;

/// The trust file in use, with its digest, and the buttons that change it.
#[component]
pub(crate) fn TrustPanel() -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let input = NodeRef::<Input>::new();
    let is_refused = RwSignal::new(false);
    let choose = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let picked = move |_| {
        let Some(input) = input.get_untracked() else {
            return;
        };
        let file = intake::from_list(input.files()).files.into_iter().next();
        input.set_value("");
        is_refused.set(false);
        if let Some(file) = file {
            spawn_local(async move {
                let chosen = trust::read(&file).await;
                is_refused.set(chosen.is_none());
                if let Some(chosen) = chosen {
                    desk.chosen_trust.set(Some(Arc::new(chosen)));
                }
            });
        }
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
    view! {
        <details class="trust">
            <summary>{t!(i18n, trust.title)}</summary>
            <div class="inside">
                <p>{t!(i18n, trust.purpose)}</p>
                <dl class="facts">
                    <dt>{t!(i18n, trust.used)}</dt>
                    <dd data-trust-name="">{name}</dd>
                    <dt>{t!(i18n, facts.trust)}</dt>
                    <dd class="digest" data-trust-digest="">{digest}</dd>
                </dl>
                <div class="buttons">
                    <button type="button" data-action="choose-trust" on:click=choose>
                        {t!(i18n, trust.choose)}
                    </button>
                    <Show when=move || desk.chosen_trust.with(Option::is_some)>
                        <button type="button" data-action="restore-trust" on:click=restore>
                            {t!(i18n, trust.restore)}
                        </button>
                    </Show>
                </div>
                <input
                    node_ref=input
                    id="trust"
                    class="visually-hidden"
                    type="file"
                    accept=".json,application/json"
                    tabindex="-1"
                    aria-label=move || t_string!(i18n, trust.choose)
                    on:change=picked
                />
                <p class="refused" role="alert">
                    {move || is_refused.get().then(|| t_string!(i18n, trust.refused))}
                </p>
            </div>
        </details>
    }
}
