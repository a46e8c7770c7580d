//! The roots that were published last, by the operator's word.

use leptos::prelude::*;
use protocol::chain::{OperatorsWord, RecentRoot};

use crate::chain::ChainDesk;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::chain::{Word, WordBadge};
use crate::words::{self, fill};

/// Rows; the service sends no more.
const MAX_ROWS: usize = 20;

/// The recent roots.
#[component]
pub(super) fn Recent() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let of_word = move |part: fn(&OperatorsWord) -> (Vec<RecentRoot>, u64)| {
        chain.seen.with(|seen| seen.as_ref().and_then(|seen| seen.look.operator.as_ref().map(part)))
    };
    let facts = Memo::new(move |_| {
        of_word(|word| (word.recent.iter().take(MAX_ROWS).cloned().collect(), word.archived))
            .unwrap_or_default()
    });
    let recent = move || facts.get().0;
    let archived =
        move || fill(t_string!(i18n, chain.recent.archived), &[("count", &format::grouped(facts.get().1))]);
    view! {
        <section class="sheet" hidden=move || facts.with(|(recent, _)| recent.is_empty())>
            <details class="screen-only">
                <summary>{t!(i18n, chain.recent.title)}</summary>
                <div class="inside">
                    <WordBadge word=Word::Operator />
                    <p class="source">{archived}</p>
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
                            <For each=recent key=|root| (root.size, root.root.clone()) let:root>
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
