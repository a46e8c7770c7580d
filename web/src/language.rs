//! Which language the page speaks: the browser's, until the user chooses one.

use leptos::prelude::*;

use crate::i18n::{Locale, t_string, use_i18n};
use crate::route::{Place, Route};

/// Where the choice is kept in this browser.
const STORAGE_KEY: &str = "jianzhen.language";

/// The languages, each by its own name.
const LANGUAGES: [(Locale, &str); 2] = [(Locale::zh, "中文"), (Locale::en, "English")];

/// The language tag for `lang`: for Chinese with its script's region, which decides the shapes of characters.
pub(crate) fn tag(locale: Locale) -> &'static str {
    match locale {
        Locale::zh => "zh-CN",
        Locale::en => "en",
    }
}

/// The word in `data-language`, and in the browser's storage.
fn word(locale: Locale) -> &'static str {
    match locale {
        Locale::zh => "zh",
        Locale::en => "en",
    }
}

fn storage() -> Option<web_sys::Storage> {
    // A browser that forbids storage still gets the page, only without a memory of the choice.
    window().local_storage().ok().flatten()
}

fn remembered() -> Option<Locale> {
    let stored = storage()?.get_item(STORAGE_KEY).ok().flatten()?;
    LANGUAGES.into_iter().map(|(locale, _)| locale).find(|locale| word(*locale) == stored)
}

/// Applies the remembered choice, and keeps `lang` and the title of the document true.
pub(crate) fn keep_document_language() {
    let i18n = use_i18n();
    let route = expect_context::<Route>();
    Effect::new(move |_| {
        if let Some(locale) = remembered() {
            i18n.set_locale(locale);
        }
    });
    Effect::new(move |_| {
        let document = document();
        if let Some(root) = document.document_element() {
            // Fails only for names that are no attribute names.
            drop(root.set_attribute("lang", tag(i18n.get_locale())));
        }
        let place = match route.get() {
            Place::Home => t_string!(i18n, app.service),
            Place::Chain => t_string!(i18n, chain.service),
        };
        document.set_title(&format!("{} · {place}", t_string!(i18n, app.name)));
    });
}

/// A button for each language.
#[component]
pub(crate) fn LanguageSwitch() -> impl IntoView {
    let i18n = use_i18n();
    let choose = move |locale: Locale| {
        i18n.set_locale(locale);
        if let Some(storage) = storage() {
            drop(storage.set_item(STORAGE_KEY, word(locale)));
        }
    };
    let buttons = LANGUAGES.map(|(locale, name)| {
        view! {
            <button
                type="button"
                lang=tag(locale)
                data-language=word(locale)
                aria-pressed=move || (i18n.get_locale() == locale).to_string()
                on:click=move |_| choose(locale)
            >
                {name}
            </button>
        }
    });
    view! {
        <div class="language" role="group" aria-label=move || t_string!(i18n, language.label)>
            {buttons.into_iter().collect_view()}
        </div>
    }
}
