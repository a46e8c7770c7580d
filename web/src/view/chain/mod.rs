//! The page of the notary chain: what this browser has verified, and, told apart from it, what the operator says.

mod audit;
mod check;
mod growth;
mod head;
mod recent;
mod witnesses;

use leptos::prelude::*;

use crate::chain::ChainDesk;
use crate::i18n::{t, use_i18n};
use crate::view::chain::audit::Audit;
use crate::view::chain::check::CheckPanel;
use crate::view::chain::growth::Growth;
use crate::view::chain::head::Head;
use crate::view::chain::recent::Recent;
use crate::view::chain::witnesses::Witnesses;

/// On whose word something stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    /// Verified here.
    Browser,
    /// Said by the operator.
    Operator,
}

/// The page. It looks at the chain as long as it is shown.
#[component]
pub(crate) fn ChainPage() -> impl IntoView {
    let i18n = use_i18n();
    expect_context::<ChainDesk>().watch();
    view! {
        <div class="chain-page" data-place="chain">
            <div class="intro">
                <h1 tabindex="-1">{t!(i18n, chain.title)}</h1>
                <p>{t!(i18n, chain.lead)}</p>
            </div>
            <Head />
            <Witnesses />
            <CheckPanel />
            <Growth />
            <Recent />
            <Audit />
        </div>
    }
}

/// Says on whose word a part of the page stands.
#[component]
fn WordBadge(word: Word) -> impl IntoView {
    let i18n = use_i18n();
    match word {
        Word::Browser => view! {
            <p class="word" data-word="browser">
                <span class="mark" data-mark="tick" aria-hidden="true"></span>
                {t!(i18n, chain.by_browser)}
            </p>
        }
        .into_any(),
        Word::Operator => {
            view! { <p class="word" data-word="operator">{t!(i18n, chain.by_operator)}</p> }.into_any()
        }
    }
}
