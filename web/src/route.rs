//! Which of the two pages is shown. Going from one to the other loads nothing anew, so that results are not lost.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlElement;

/// A page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Verifying files.
    Home,
    /// The notary chain itself.
    Chain,
}

impl Place {
    /// Its address.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Chain => "/chain",
        }
    }

    /// What is at an address; what is unknown is the first page.
    fn at(path: &str) -> Self {
        if path.trim_end_matches('/') == Self::Chain.path() { Self::Chain } else { Self::Home }
    }
}

/// The page that is shown.
#[derive(Clone, Copy)]
pub(crate) struct Route(RwSignal<Place>);

impl Route {
    /// The page that the browser's address names, from now on also when the user goes back and forth.
    pub(crate) fn of_address() -> Self {
        let route = Self(RwSignal::new(current()));
        let listener = window_event_listener_untyped("popstate", move |_| route.0.set(current()));
        on_cleanup(move || listener.remove());
        route
    }

    /// The page that is shown.
    pub(crate) fn get(self) -> Place {
        self.0.get()
    }

    /// Whether a page is shown, without following changes.
    pub(crate) fn is(self, place: Place) -> bool {
        self.0.get_untracked() == place
    }

    fn go(self, place: Place) {
        let pushed = window()
            .history()
            .and_then(|history| history.push_state_with_url(&JsValue::NULL, "", Some(place.path())));
        // A browser that keeps no history (a page from a file) still shows the other page.
        drop(pushed);
        self.0.set(place);
        window().scroll_to_with_x_and_y(0.0, 0.0);
        // After the new page is there, so that who reads by ear is told where he is.
        request_animation_frame(|| {
            let heading = document().query_selector("[data-place]:not([hidden]) h1").ok().flatten();
            if let Some(heading) = heading.and_then(|heading| heading.dyn_into::<HtmlElement>().ok()) {
                drop(heading.focus());
            }
        });
    }
}

fn current() -> Place {
    Place::at(&window().location().pathname().unwrap_or_default())
}

/// A link to one of the pages.
#[component]
pub(crate) fn PlaceLink(
    /// Where it leads.
    place: Place,
    /// What it says.
    children: Children,
) -> impl IntoView {
    let route = expect_context::<Route>();
    let follow = move |event: MouseEvent| {
        // Another tab, another window, a download: the browser's own business.
        let is_plain = event.button() == 0
            && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
        if is_plain {
            event.prevent_default();
            if !route.is(place) {
                route.go(place);
            }
        }
    };
    view! {
        <a
            href=place.path()
            data-to=place.path()
            aria-current=move || (route.get() == place).then_some("page")
            on:click=follow
        >
            {children()}
        </a>
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn an_address_names_a_page() {
        for (path, place) in [
            ("/", Place::Home),
            ("", Place::Home),
            ("/index.html", Place::Home),
            ("/chain", Place::Chain),
            ("/chain/", Place::Chain),
            ("/chains", Place::Home),
            ("/x/chain", Place::Home),
        ] {
            assert_eq!(Place::at(path), place, "{path}");
        }
    }
}
