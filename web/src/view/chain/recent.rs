//! The roots that were published last, by the operator's word.

use leptos::prelude::*;
use protocol::chain::{OperatorsWord, RecentRoot};

use crate::chain::{ChainDesk, Seen};
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::chain::{Word, WordBadge};
use crate::words;

/// Rows; the service sends no more.
const MAX_ROWS: usize = 20;

/// The recent roots.
#[component]
pub(super) fn Recent() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let newest =
        |word: &OperatorsWord| -> Vec<RecentRoot> { word.recent.iter().take(MAX_ROWS).cloned().collect() };
    let recent = Memo::new(move |_| {
        let word = |seen: &Seen| seen.look.operator.as_ref().map(newest);
        chain.seen.with(|seen| seen.as_ref().and_then(word)).unwrap_or_default()
    });
    view! {
        <section class="sheet" hidden=move || recent.with(Vec::is_empty)>
            <details class="screen-only">
                <summary>{t!(i18n, chain.recent.title)}</summary>
                <div class="inside">
                    <WordBadge word=Word::Operator />
                    <p class="source">{t!(i18n, chain.recent.archived)}</p>
                    <table class="listed">
                        <thead>
                            <tr>
                                <th scope="col">{t!(i18n, chain.recent.size)}</th>
                                <th scope="col">{t!(i18n, chain.recent.cosigned)}</th>
                                <th scope="col">{t!(i18n, chain.recent.witnesses)}</th>
                                <th scope="col">{t!(i18n, chain.recent.root)}</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || recent.get() key=|root| (root.size, root.root.clone()) let:root>
                                <Row root />
                            </For>
                        </tbody>
                    </table>
                </div>
            </details>
        </section>
    }
}

#[component]
fn Row(root: RecentRoot) -> impl IntoView {
    let i18n = use_i18n();
    let RecentRoot { size, root, cosigned, witnesses } = root;
    view! {
        <tr>
            <td data-label=move || t_string!(i18n, chain.recent.size)>{format::grouped(size)}</td>
            <td data-label=move || t_string!(i18n, chain.recent.cosigned)>
                {move || cosigned.map(|seconds| words::chain::short(i18n, seconds))}
            </td>
            <td data-label=move || t_string!(i18n, chain.recent.witnesses)>
                {move || witnesses.join(t_string!(i18n, guard.separator))}
            </td>
            <td class="digest" data-label=move || t_string!(i18n, chain.recent.root)>{root}</td>
        </tr>
    }
}
