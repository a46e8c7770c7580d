//! A button that opens the browser's file dialogue: the browser's own control cannot be translated or styled.

use leptos::html::Input;
use leptos::prelude::*;

use crate::intake::{self, Handover};

/// The button, and the hidden control that does the work.
#[component]
pub(crate) fn FileButton(
    /// The button's `data-action`.
    action: &'static str,
    /// What it says, in the page's present language.
    label: impl Fn() -> &'static str + Copy + Send + Sync + 'static,
    /// The control's `id`.
    #[prop(optional)]
    id: Option<&'static str>,
    /// The button's class.
    #[prop(optional)]
    class: &'static str,
    /// What the dialogue offers; everything where nothing is said.
    #[prop(optional)]
    accept: Option<&'static str>,
    /// Whether several files can be picked at once.
    #[prop(optional)]
    is_multiple: bool,
    /// Takes what was picked, which is not empty.
    picked: impl Fn(Handover) + 'static,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let open = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let changed = move |_| {
        if let Some(input) = input.get_untracked() {
            let handover = intake::from_list(input.files());
            // So that the same file can be picked again.
            input.set_value("");
            if !handover.is_empty() {
                picked(handover);
            }
        }
    };
    view! {
        <button type="button" class=class data-action=action on:click=open>
            {label}
        </button>
        <input
            node_ref=input
            id=id
            class="visually-hidden"
            type="file"
            accept=accept
            multiple=is_multiple
            tabindex="-1"
            aria-label=label
            on:change=changed
        />
    }
}
