//! The page: takes files, lets workers verify them, shows what comes out. No cryptography happens here.
//!
//! | module | owns |
//! | --- | --- |
//! | [`intake`], [`pairing`], [`trust`] | what was picked or dropped; which evidence goes with which file; the user's trust file |
//! | [`desk`], [`case`] | the files on the page and their state |
//! | [`chain`], [`alarm`], [`pins`] | the notary chain as this browser sees it, what is wrong with it, what is remembered of it |
//! | [`route`] | which of the two pages is shown |
//! | [`pool`] | the workers |
//! | [`meter`], [`mod@format`] | speed and time left; numbers and times as text |
//! | [`words`] | the sentence for each verdict, finding, reason and error |
//! | [`view`], [`mod@print`], [`save`] | what is seen, what is on paper, what is saved |

// The component macro makes the types of properties public, whatever the component is.
#![expect(unreachable_pub)]

mod alarm;
mod app;
mod case;
mod chain;
mod desk;
mod format;
mod intake;
mod language;
mod meter;
mod pairing;
mod pins;
mod pool;
mod print;
mod route;
mod save;
mod trust;
mod view;
mod words;

// The build-script way that this macro is deprecated for generates ICU data, of which the page needs none.
#[expect(deprecated)]
mod translations {
    leptos_i18n::load_locales!();
}
use translations::i18n;

// Without it the tests would need Node.js.
#[cfg(test)]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn main() {
    leptos::mount::mount_to_body(app::App);
}
