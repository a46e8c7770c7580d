//! The alarm: above everything else, and beside the verdict that it concerns.

use std::sync::Arc;

use leptos::html::Section;
use leptos::prelude::*;
use protocol::report::RootsAlarm;

use crate::alarm::is_proof;
use crate::desk::{Desk, now_wall};
use crate::i18n::{t, t_string, use_i18n};
use crate::route::{Place, Route};
use crate::save::save;
use crate::words;

/// The banner at the top of the page, and the line that stays in sight while somebody reads further down.
#[component]
pub(crate) fn AlarmBanner() -> impl IntoView {
    let desk = expect_context::<Desk>();
    move || desk.alarm.get().map(|alarm| view! { <Banner alarm /> })
}

#[component]
fn Banner(alarm: Arc<RootsAlarm>) -> impl IntoView {
    let i18n = use_i18n();
    let route = expect_context::<Route>();
    let kind = alarm.kind;
    let banner = NodeRef::<Section>::new();
    // Whoever is reading further down has to learn of it now.
    banner.on_load(|banner| {
        window().scroll_to_with_x_and_y(0.0, 0.0);
        drop(banner.focus());
    });
    let tone = if is_proof(kind) { "bad" } else { "caution" };
    // On paper each verdict carries its own.
    let is_elsewhere_on_paper = move || route.get() == Place::Home;
    view! {
        <section
            id="alarm"
            class="alarm"
            class:screen-only=is_elsewhere_on_paper
            role="alert"
            tabindex="-1"
            data-alarm=kind.as_str()
            data-tone=tone
            node_ref=banner
        >
            <div class="alarm-inner">
                <p class="alarm-title">
                    <span class="mark" data-mark="warn" aria-hidden="true"></span>
                    {move || words::alarm::of(i18n, kind).title}
                </p>
                <Account alarm />
            </div>
        </section>
        <a class="alarm-strip screen-only" href="#alarm" data-tone=tone>
            <span>{move || words::alarm::of(i18n, kind).title}</span>
            " "
            <span class="alarm-more">{t!(i18n, alarm.view)}</span>
        </a>
    }
}

/// The alarm as part of one verdict.
#[component]
pub(crate) fn VerdictAlarm(alarm: Arc<RootsAlarm>) -> impl IntoView {
    let i18n = use_i18n();
    let kind = alarm.kind;
    // Closed on the screen, where the banner says it all; open on paper.
    view! {
        <details class="verdict-alarm" data-tone=if is_proof(kind) { "bad" } else { "caution" } data-print="">
            <summary class="alarm-title">
                <span class="mark" data-mark="warn" aria-hidden="true"></span>
                {move || words::alarm::of(i18n, kind).title}
            </summary>
            <div class="inside">
                <Account alarm />
            </div>
        </details>
    }
}

/// What happened, what it means, what to do, and the proof.
#[component]
fn Account(alarm: Arc<RootsAlarm>) -> impl IntoView {
    let i18n = use_i18n();
    let words = {
        let kind = alarm.kind;
        move || words::alarm::of(i18n, kind)
    };
    let roots = [alarm.ours.clone(), alarm.theirs.clone()].map(|root| {
        let source = root.source.as_str();
        view! { <li data-source=source>{move || words::alarm::root(i18n, &root)}</li> }
    });
    // The first line of a signed root is the name of its log: an alarm about one chain accuses no other.
    let origin = alarm.ours.note.lines().next().unwrap_or_default().to_owned();
    let save_roots = move |_| {
        let address = window().location().href().unwrap_or_default();
        let text = words::alarm::file(i18n, &alarm, &address, now_wall());
        save(t_string!(i18n, alarm.file.name), "text/plain;charset=utf-8", &text);
    };
    view! {
        <p>{move || words().what}</p>
        <p class="alarm-means">{move || words().means}</p>
        <p>{t!(i18n, facts.chain)} {t!(i18n, announce.colon)} <span data-alarm-origin="">{origin}</span></p>
        <ul class="alarm-roots" aria-label=move || t_string!(i18n, alarm.roots)>{roots.collect_view()}</ul>
        <p>{move || words().next}</p>
        <p class="screen-only">
            <button type="button" data-save-roots="" on:click=save_roots>{t!(i18n, alarm.save)}</button>
        </p>
    }
}
