//! The page as a whole.

use leptos::prelude::*;

use crate::chain::ChainDesk;
use crate::desk::Desk;
use crate::i18n::{I18nContextProvider, t, t_string, use_i18n};
use crate::language::{LanguageSwitch, keep_document_language};
use crate::print::open_details_on_paper;
use crate::route::{Place, PlaceLink, Route};
use crate::view::alarm::AlarmBanner;
use crate::view::card::CaseCard;
use crate::view::chain::ChainPage;
use crate::view::drop_zone::DropZone;
use crate::view::limits::Limits;
use crate::view::status::Announcer;
use crate::view::trust::TrustPanel;

/// The page.
#[component]
pub(crate) fn App() -> impl IntoView {
    view! {
        <I18nContextProvider set_lang_attr_on_html=false set_dir_attr_on_html=false>
            <Page />
        </I18nContextProvider>
    }
}

#[component]
fn Page() -> impl IntoView {
    let i18n = use_i18n();
    let route = Route::of_address();
    provide_context(route);
    keep_document_language();
    open_details_on_paper();
    let desk = Desk::new();
    provide_context(desk);
    provide_context(ChainDesk::new(desk));
    // The scripts of tests, and of people who embed the page, wait for this.
    Effect::new(move |_| {
        if let Some(body) = document().body() {
            drop(body.set_attribute("data-ready", &desk.operators_trust.with(Option::is_some).to_string()));
        }
    });
    view! {
        <AlarmBanner />
        <header class="masthead">
            <div class="masthead-inner">
                <p class="brand">
                    <span class="brand-mark" aria-hidden="true"></span>
                    <span class="brand-name">{t!(i18n, app.name)}</span>
                    <span class="brand-service">{t!(i18n, app.service)}</span>
                </p>
                <nav class="places" aria-label=move || t_string!(i18n, nav.label)>
                    <PlaceLink place=Place::Home>{t!(i18n, nav.home)}</PlaceLink>
                    <PlaceLink place=Place::Chain>{t!(i18n, nav.chain)}</PlaceLink>
                </nav>
                <LanguageSwitch />
            </div>
        </header>
        <main>
            // Kept while the other page is shown: results are not lost, nor what was opened.
            <div data-place="home" hidden=move || route.get() != Place::Home>
                <HomePage />
            </div>
            <Show when=move || route.get() == Place::Chain>
                <ChainPage />
            </Show>
            <TrustPanel />
        </main>
        <footer class="colophon">
            <p>{t!(i18n, app.build)} " " <code>{protocol::BUILD_ID}</code></p>
        </footer>
        <Announcer />
    }
}

#[component]
fn HomePage() -> impl IntoView {
    let i18n = use_i18n();
    let desk = expect_context::<Desk>();
    let has_cases = move || desk.cases.with(|cases| !cases.is_empty());
    view! {
        <div class="intro">
            <h1 tabindex="-1">{t!(i18n, app.intro)}</h1>
            <p>{t!(i18n, app.privacy)}</p>
        </div>
        <DropZone />
        <section class="cases" aria-label=move || t_string!(i18n, case.files) hidden=move || !has_cases()>
            <For each=move || desk.cases.get() key=|case| case.id let:case>
                <CaseCard case />
            </For>
        </section>
        <Limits />
    }
}
