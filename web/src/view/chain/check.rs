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
use crate::view::chain::{Word, WordBadge};
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
                neutral(t_string!(i18n, chain.check.stopped.title), format!("{} {}", words.what, words.next))
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
                format!("{meaning} {}", words::finding::reason(i18n, reason))
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
    let EntryFacts { origin, index, is_registry, sealed_at, statement, size, root, witnesses, proven } =
        entry;
    let kind = move || {
        if is_registry {
            t_string!(i18n, chain.check.registry)
        } else {
            t_string!(i18n, chain.check.evidence)
        }
    };
    let cosigned = witnesses.into_iter().map(|(name, seconds)| {
        view! {
            <li><span class="digest">{name}</span> " · " {move || words::time(i18n, seconds.saturating_mul(1000))}</li>
        }
    });
    let cosigned = cosigned.collect_view();
    view! {
        <div class="section">
            {is_proven.then(|| view! { <WordBadge word=Word::Browser /> })}
            <dl class="facts">
                <dt>{t!(i18n, chain.check.index)}</dt>
                <dd class="numbers">{format::grouped(index)}</dd>
                <dt>{t!(i18n, chain.check.kind)}</dt>
                <dd>{kind}</dd>
                <dt>{t!(i18n, facts.sealed)}</dt>
                <dd>
                    {move || words::time(i18n, sealed_at.saturating_mul(1000))} " "
                    <span class="source">{t!(i18n, facts.operators_word)}</span>
                </dd>
                {proven.map(|seconds| view! {
                    <dt>{t!(i18n, facts.proven)}</dt>
                    <dd>{move || words::time(i18n, seconds.saturating_mul(1000))}</dd>
                })}
                <dt>{t!(i18n, chain.check.statement)}</dt>
                <dd class="digest">{statement.to_string()}</dd>
                <dt>{t!(i18n, chain.check.size)}</dt>
                <dd class="numbers">{format::grouped(size)}</dd>
                <dt>{t!(i18n, facts.chain_root)}</dt>
                <dd class="digest">{root}</dd>
                <dt hidden=proven.is_none()>{t!(i18n, chain.check.cosigned)}</dt>
                <dd hidden=proven.is_none()><ul class="bare">{cosigned}</ul></dd>
                {checked.roots.map(|(state, reason)| view! {
                    <dt>{t!(i18n, chain.check.roots)}</dt>
                    <dd>{move || compared(i18n, state, reason, &checked.agreeing)}</dd>
                })}
                <dt>{t!(i18n, facts.chain)}</dt>
                <dd class="digest">{origin}</dd>
                {(is_registry && is_proven).then(|| view! {
                    <dt>{t!(i18n, chain.check.public)}</dt>
                    <dd>
                        <a href=format!("/log/statement/{index}") download=format!("statement-{index}.cose")>
                            {move || fill(t_string!(i18n, chain.check.download), &[("index", &index)])}
                        </a>
                    </dd>
                })}
            </dl>
        </div>
    }
}

fn compared(i18n: Words, state: State, reason: ReasonCode, agreeing: &[String]) -> String {
    let how = words::finding::state(i18n, state);
    let separator = t_string!(i18n, announce.colon);
    format!("{how}{separator}{}", words::finding::why(i18n, reason, agreeing))
}
