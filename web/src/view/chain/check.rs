//! Checking a receipt, or one entry of the chain.

use std::sync::Arc;

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::chain::{CheckResult, Checked, EntryFacts};
use protocol::report::{ReasonCode, State};
use web_sys::DragEvent;

use crate::chain::{ChainDesk, Check, CheckProgress, entry};
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::intake::{self, Handover};
use crate::route::{Place, Route};
use crate::save::save;
use crate::view::chain::{Word, WordBadge};
use crate::view::facts::{Fact, list};
use crate::view::file_button::FileButton;
use crate::words::{self, Words, error, fill};

/// The button, the line to type in, and what came of the last check.
#[component]
pub(super) fn CheckPanel() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let is_over = RwSignal::new(false);
    take_drops(chain);
    let picked = move |handover: Handover| check_first(chain, &handover);
    view! {
        <section
            class="sheet checker"
            class:over=move || is_over.get()
            on:dragenter=move |_| is_over.set(true)
            on:dragover=move |_| is_over.set(true)
            on:dragleave=move |_| is_over.set(false)
            on:drop=move |_| is_over.set(false)
        >
            <div class="section">
                <h2>{t!(i18n, chain.check.title)}</h2>
                <p>{t!(i18n, chain.check.hint)}</p>
                <p class="source">{t!(i18n, chain.check.privacy)}</p>
                <div class="ways">
                    <p class="way">
                        <FileButton
                            action="choose-receipt"
                            id="receipt"
                            label=move || t_string!(i18n, chain.check.choose)
                            accept=".tlog-proof,.txt"
                            picked
                        />
                        <span class="source">{t!(i18n, chain.check.or_drag)}</span>
                    </p>
                    <EntryForm />
                </div>
            </div>
            <div aria-live="polite">
                {move || chain.check.get().map(|check| view! { <Outcome check /> })}
            </div>
        </section>
    }
}

#[component]
fn EntryForm() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let input = NodeRef::<Input>::new();
    let is_malformed = RwSignal::new(false);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(input) = input.get_untracked() else {
            return;
        };
        let typed = input.value();
        match entry::parse(&typed) {
            Some(what) => {
                is_malformed.set(false);
                chain.check_entry(typed.trim().to_owned(), what);
            }
            None => {
                is_malformed.set(true);
                drop(input.focus());
            }
        }
    };
    view! {
        <form class="way" on:submit=submit novalidate>
            <label for="entry">{t!(i18n, chain.check.label)}</label>
            <span class="line">
                <input
                    id="entry"
                    type="text"
                    inputmode="text"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    aria-invalid=move || is_malformed.get().then_some("true")
                    aria-describedby="entry-malformed"
                    node_ref=input
                />
                <button type="submit" data-action="check-entry">{t!(i18n, chain.check.run)}</button>
            </span>
            <span id="entry-malformed" class="refused" role="alert">
                {move || is_malformed.get().then(|| t_string!(i18n, chain.check.malformed))}
            </span>
        </form>
    }
}

fn check_first(chain: ChainDesk, handover: &Handover) {
    if let Some(file) = handover.files.first() {
        chain.check_receipt(file);
    }
}

/// Takes drops anywhere on this page: a file that misses the panel would otherwise replace the page.
fn take_drops(chain: ChainDesk) {
    let route = expect_context::<Route>();
    let dropped = window_event_listener(leptos::ev::drop, move |event: DragEvent| {
        event.prevent_default();
        if route.is(Place::Chain) {
            check_first(chain, &intake::from_drop(event.data_transfer()));
        }
    });
    on_cleanup(move || dropped.remove());
}

/// How a check came out, in words and shape.
struct Answer {
    word: Option<&'static str>,
    tone: &'static str,
    mark: &'static str,
    title: &'static str,
    meaning: String,
}

impl Answer {
    fn of(i18n: Words, progress: &CheckProgress) -> Self {
        let neutral =
            |title, meaning: String| Self { word: None, tone: "neutral", mark: "bar", title, meaning };
        match progress {
            CheckProgress::Running => neutral(t_string!(i18n, chain.check.running), String::new()),
            CheckProgress::Stopped(code) => {
                let words = error::of(i18n, *code);
                neutral(t_string!(i18n, chain.check.stopped.title), words::both(i18n, words.what, words.next))
            }
            CheckProgress::NoReceipt => Self::of_result(i18n, CheckResult::Unreadable, None),
            CheckProgress::Done(checked) => {
                let answer = Self::of_result(i18n, checked.result, checked.reason);
                let is_unwitnessed = checked.entry.as_ref().is_some_and(|entry| entry.proven.is_none());
                if checked.result == CheckResult::Proven && is_unwitnessed {
                    let meaning = t_string!(i18n, chain.check.proven.unwitnessed).to_owned();
                    return Self { meaning, ..answer };
                }
                answer
            }
        }
    }

    fn of_result(i18n: Words, result: CheckResult, reason: Option<ReasonCode>) -> Self {
        let (tone, mark, title, meaning) = match result {
            CheckResult::Proven => (
                "good",
                "tick",
                t_string!(i18n, chain.check.proven.title),
                t_string!(i18n, chain.check.proven.meaning),
            ),
            CheckResult::Failed => (
                "bad",
                "cross",
                t_string!(i18n, chain.check.failed.title),
                t_string!(i18n, chain.check.failed.meaning),
            ),
            CheckResult::NotFound => (
                "neutral",
                "bar",
                t_string!(i18n, chain.check.not_found.title),
                t_string!(i18n, chain.check.not_found.meaning),
            ),
            CheckResult::Unreadable => (
                "caution",
                "warn",
                t_string!(i18n, chain.check.unreadable.title),
                t_string!(i18n, chain.check.unreadable.meaning),
            ),
            CheckResult::NoAnswer => (
                "neutral",
                "bar",
                t_string!(i18n, chain.check.no_answer.title),
                t_string!(i18n, chain.check.no_answer.meaning),
            ),
            CheckResult::NoTrust => (
                "neutral",
                "bar",
                t_string!(i18n, chain.check.no_trust.title),
                t_string!(i18n, chain.check.no_trust.meaning),
            ),
        };
        // The reason says the same more exactly.
        let meaning = match reason {
            Some(reason) if result == CheckResult::Failed => {
                words::both(i18n, meaning, words::finding::reason(i18n, reason))
            }
            _ => meaning.to_owned(),
        };
        Self { word: Some(result.as_str()), tone, mark, title, meaning }
    }
}

#[component]
fn Outcome(check: Check) -> impl IntoView {
    let i18n = use_i18n();
    let Check { subject, progress } = check;
    let checked = if let CheckProgress::Done(checked) = &progress { Some(checked.clone()) } else { None };
    let is_running = matches!(progress, CheckProgress::Running);
    let answer = Signal::derive(move || Arc::new(Answer::of(i18n, &progress)));
    view! {
        <div data-checked="" data-result=move || answer.get().word aria-busy=is_running.to_string()>
            <div class="verdict" data-tone=move || answer.get().tone>
                <h3 class="headline">
                    <span class="mark" data-mark=move || answer.get().mark aria-hidden="true"></span>
                    {move || answer.get().title}
                </h3>
                <p class="meaning">{move || answer.get().meaning.clone()}</p>
                <p class="next">{t!(i18n, chain.check.subject)} " · " <span class="subject">{subject}</span></p>
            </div>
            {checked
                .and_then(|checked| Some((checked.entry.clone()?, checked)))
                .map(|(entry, checked)| view! { <Facts entry checked /> })}
        </div>
    }
}

/// What is known of the entry.
#[component]
fn Facts(entry: EntryFacts, checked: Arc<Checked>) -> impl IntoView {
    let i18n = use_i18n();
    let is_proven = checked.result == CheckResult::Proven;
    let (index, is_public) = (entry.index, entry.is_registry && is_proven);
    let receipt = checked.receipt.clone();
    view! {
        <div class="section">
            {is_proven.then(|| view! { <WordBadge word=Word::Browser /> })}
            {move || entry_facts(i18n, &entry, &checked)}
            {receipt.map(|receipt| view! { <SaveReceipt index receipt /> })}
            {is_public.then(|| view! {
                <p class="public">
                    <a href=format!("/log/statement/{index}") download=format!("statement-{index}.cose")>
                        {move || fill(t_string!(i18n, chain.check.download), &[("index", &index)])}
                    </a>
                </p>
            })}
        </div>
    }
}

/// The proof as a file that anybody can check again, here or elsewhere.
#[component]
fn SaveReceipt(index: u64, receipt: String) -> impl IntoView {
    let i18n = use_i18n();
    let save_receipt =
        move |_| save(&format!("entry-{index}.tlog-proof"), "text/plain;charset=utf-8", &receipt);
    view! {
        <p class="screen-only">
            <button type="button" data-save-receipt="" on:click=save_receipt>
                {t!(i18n, chain.check.save)}
            </button>
        </p>
    }
}

fn entry_facts(i18n: Words, entry: &EntryFacts, checked: &Checked) -> impl IntoView + use<> {
    let time = |seconds: u64| words::time(i18n, seconds.saturating_mul(1000));
    let kind = if entry.is_registry {
        t_string!(i18n, chain.check.registry)
    } else {
        t_string!(i18n, chain.check.evidence)
    };
    let mut facts = vec![
        Fact::new(t_string!(i18n, chain.check.index), format::grouped(entry.index)),
        Fact::new(t_string!(i18n, chain.check.kind), kind),
        Fact::new(t_string!(i18n, facts.sealed), time(entry.sealed_at))
            .by(t_string!(i18n, facts.operators_word)),
    ];
    facts.extend(entry.proven.map(|seconds| Fact::new(t_string!(i18n, facts.proven), time(seconds))));
    facts.push(Fact::digest(t_string!(i18n, chain.check.statement), entry.statement));
    facts.push(Fact::new(t_string!(i18n, chain.check.size), format::grouped(entry.size)));
    facts.push(Fact::digest(t_string!(i18n, facts.chain_root), &entry.root));
    let cosigned = entry.witnesses.iter().map(|(name, seconds)| format!("{name} · {}", time(*seconds)));
    let cosigned: Vec<String> = cosigned.collect();
    if !cosigned.is_empty() {
        facts.push(Fact::new(t_string!(i18n, chain.check.cosigned), cosigned.join("\n")));
    }
    facts.extend(checked.roots.map(|(state, reason)| {
        Fact::new(t_string!(i18n, chain.check.roots), compared(i18n, state, reason, &checked.agreeing))
    }));
    facts.push(Fact::digest(t_string!(i18n, facts.chain), &entry.origin));
    list(facts)
}

fn compared(i18n: Words, state: State, reason: ReasonCode, agreeing: &[String]) -> String {
    let how = words::finding::state(i18n, state);
    let separator = t_string!(i18n, announce.colon);
    format!("{how}{separator}{}", words::finding::why(i18n, reason, agreeing))
}
