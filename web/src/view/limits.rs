//! What no verdict proves: a fixed text of the product, always on the page.

use leptos::prelude::*;

use crate::i18n::{t, use_i18n};

/// The box with what a verdict does not prove. On paper each result carries its own.
#[component]
pub(crate) fn Limits(#[prop(optional)] is_for_print: bool) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <section class="limits" class:print-only=is_for_print>
            <h2>{t!(i18n, limits.title)}</h2>
            <ul>
                <li>{t!(i18n, limits.scene)}</li>
                <li>{t!(i18n, limits.outside)}</li>
                <li>{t!(i18n, limits.hands)}</li>
                <li>{t!(i18n, limits.code)}</li>
                <li>{t!(i18n, limits.withheld)}</li>
                <li>{t!(i18n, limits.collusion)}</li>
            </ul>
        </section>
    }
}
