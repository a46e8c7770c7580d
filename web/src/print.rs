//! Printing: what is closed on the screen is open on paper, because paper cannot be clicked.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlDetailsElement, NodeList};

/// The details that belong on paper.
const CLOSED: &str = "details[data-print]:not([open])";
/// Marks what was opened only for printing.
const OPENED: &str = "data-opened-for-print";

/// Opens the details before the browser prints, and closes them again afterwards.
pub(crate) fn open_details_on_paper() {
    let before = window_event_listener_untyped("beforeprint", |_| {
        each(CLOSED, |details| {
            details.set_open(true);
            drop(details.set_attribute(OPENED, ""));
        });
    });
    let after = window_event_listener_untyped("afterprint", |_| {
        each(&format!("details[{OPENED}]"), |details| {
            details.set_open(false);
            drop(details.remove_attribute(OPENED));
        });
    });
    on_cleanup(move || {
        before.remove();
        after.remove();
    });
}

fn each(selector: &str, act: impl Fn(&HtmlDetailsElement)) {
    // Fails only for what is no selector.
    let Ok(found): Result<NodeList, _> = document().query_selector_all(selector) else {
        return;
    };
    for node in (0..found.length()).filter_map(|index| found.item(index)) {
        if let Some(details) = node.dyn_ref::<HtmlDetailsElement>() {
            act(details);
        }
    }
}
