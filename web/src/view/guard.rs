//! Who guards a chain: each policy of the trust file as a sentence.

use leptos::prelude::*;
use protocol::chain::Guard;

use crate::i18n::use_i18n;
use crate::words;

/// The policies, one sentence each.
#[component]
pub(crate) fn Guards(guards: Vec<Guard>) -> impl IntoView {
    let i18n = use_i18n();
    let sentences = guards.into_iter().map(|guard| {
        let window = words::guard::window(i18n, &guard);
        view! {
            <p class="guard">
                {move || words::guard::quorum(i18n, &guard)}
                {window.map(|window| view! { " " <span class="source">{window}</span> })}
            </p>
        }
    });
    sentences.collect_view()
}
