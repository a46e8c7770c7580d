//! The verdict: what can be quoted, what it means, what to do next; then the facts, and the details one click deeper.

use std::sync::Arc;

use leptos::html::H3;
use leptos::prelude::*;
use protocol::report::{FindingName, ReasonCode, State, Verdict};

use crate::case::Outcome;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::alarm::VerdictAlarm;
use crate::view::facts;
use crate::view::findings::Findings;
use crate::view::mismatches::Mismatches;
use crate::view::telemetry::TelemetryTable;
use crate::view::timeline::ExcerptTimeline;
use crate::words::{self, fill};

/// The verdict and all behind it.
#[component]
pub(crate) fn VerdictPanel(outcome: Arc<Outcome>) -> impl IntoView {
    let verdict = outcome.report.verdict;
    let alarm = outcome.report.roots.as_ref().and_then(|roots| roots.alarm.clone()).map(Arc::new);
    view! {
        {alarm.map(|alarm| view! { <VerdictAlarm alarm /> })}
        <Headline outcome=outcome.clone() />
        {(!outcome.report.mismatches.is_empty()).then(|| view! { <Mismatches outcome=outcome.clone() /> })}
        <KeyFacts outcome=outcome.clone() />
        // Nothing was checked where the work could not be done: that is said once, above, and not nine times more.
        <Checks outcome=outcome.clone() is_open=verdict == Verdict::EvidenceInvalid />
        <Technical outcome=outcome.clone() />
        <output hidden data-report="">{outcome.json.clone()}</output>
    }
}

#[component]
fn Headline(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let headline = NodeRef::<H3>::new();
    // Who cannot go on should not have to search for the reason.
    let takes_focus = outcome.is_incomplete();
    headline.on_load(move |headline| {
        if takes_focus {
            drop(headline.focus());
        }
    });
    let tone = tone(outcome.report.verdict);
    let roots = roots_not_checked(&outcome);
    let own_trust = outcome.own_trust.clone();
    let may_be_withheld = outcome.report.verdict == Verdict::NotDeposited;
    let words = move || words::verdict::of(i18n, &outcome.report);
    let (title, meaning, next) = (words.clone(), words.clone(), words);
    view! {
        <div class="verdict" data-tone=tone.name>
            <h3 class="headline" tabindex="-1" node_ref=headline>
                <span class="mark" data-mark=tone.mark aria-hidden="true"></span>
                {move || title().title}
            </h3>
            <p class="meaning">{move || meaning().meaning}</p>
            <p class="next">{move || next().next}</p>
            <Show when=move || may_be_withheld>
                <p class="aside">{t!(i18n, verdict.not_deposited.withholding)}</p>
            </Show>
            {own_trust.map(|name| view! {
                <p class="aside" data-own-trust="">
                    {move || fill(t_string!(i18n, trust.aside), &[("name", &name)])}
                </p>
            })}
            {roots.map(|reason| view! {
                <p class="aside">
                    {move || match reason {
                        ReasonCode::Unwitnessed => t_string!(i18n, witness.none),
                        other => words::finding::reason(i18n, other),
                    }}
                </p>
            })}
        </div>
    }
}

#[component]
fn KeyFacts(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let excerpt = outcome.report.excerpt.clone();
    view! {
        <section class="section">
            <h4>{t!(i18n, facts.title)}</h4>
            {move || excerpt.clone().map(|excerpt| view! { <ExcerptTimeline excerpt /> })}
            {move || facts::key_facts(i18n, &outcome)}
        </section>
    }
}

#[component]
fn Checks(outcome: Arc<Outcome>, is_open: bool) -> impl IntoView {
    let i18n = use_i18n();
    let not_reached = outcome.report.findings.iter().all(|finding| finding.reason == ReasonCode::NotReached);
    view! {
        <details open=is_open hidden=not_reached data-print="">
            <summary>{t!(i18n, finding.title)}</summary>
            <div class="inside">
                <Findings outcome />
            </div>
        </details>
    }
}

#[component]
fn Technical(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let self_check = outcome.report.subject.as_ref().and_then(|subject| subject.self_check.clone());
    let telemetry = (!outcome.report.telemetry.is_empty()).then(|| outcome.clone());
    let is_open = RwSignal::new(false);
    view! {
        <details data-print="">
            <summary>{t!(i18n, facts.technical)}</summary>
            <div class="inside">
                {move || facts::technical_facts(i18n, &outcome.report)}
                {self_check
                    .map(|check| {
                        view! {
                            <div class="screen-only">
                                <h4>{t!(i18n, check.title)}</h4>
                                {move || facts::self_check(i18n, &check)}
                            </div>
                        }
                    })}
            </div>
        </details>
        {telemetry.map(|outcome| view! {
            <details class="screen-only" on:toggle=move |_| is_open.set(true)>
                <summary>{t!(i18n, telemetry.title)}</summary>
                <div class="inside">
                    <Show when=move || is_open.get()>
                        <TelemetryTable outcome=outcome.clone() />
                    </Show>
                </div>
            </details>
        })}
    }
}

/// How a verdict looks: never by colour alone.
struct Tone {
    name: &'static str,
    mark: &'static str,
}

fn tone(verdict: Verdict) -> Tone {
    let (name, mark) = match verdict {
        Verdict::Consistent | Verdict::Excerpt => ("good", "tick"),
        Verdict::Inconsistent => ("bad", "cross"),
        Verdict::EvidenceInvalid => ("caution", "warn"),
        Verdict::NotDeposited | Verdict::NotCompleted => ("neutral", "bar"),
    };
    Tone { name, mark }
}

/// Why the chain root was compared with no other source, where a verdict was reached: that belongs beside it.
fn roots_not_checked(outcome: &Outcome) -> Option<ReasonCode> {
    let roots = outcome.report.finding(FindingName::Roots)?;
    (roots.state == State::NotChecked && roots.reason != ReasonCode::NotReached).then_some(roots.reason)
}
