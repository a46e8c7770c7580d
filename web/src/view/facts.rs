//! What a court wants to know beside the verdict; digests and the like one click deeper.

use leptos::prelude::*;
use protocol::report::{ChainFacts, ExcerptFacts, Report, Subject, SubjectKind};
use protocol::statement::SelfCheck;

use crate::case::Outcome;
use crate::format;
use crate::i18n::t_string;
use crate::words::{self, Words, fill};

/// A label, what it is, and on whose word.
pub(crate) struct Fact {
    label: &'static str,
    value: String,
    source: Option<&'static str>,
    is_digest: bool,
}

impl Fact {
    /// A fact; each line of `value` gets a line.
    pub(crate) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), source: None, is_digest: false }
    }

    /// A digest, a key, a name of a log.
    pub(crate) fn digest(label: &'static str, value: impl ToString) -> Self {
        Self { label, value: value.to_string(), source: None, is_digest: true }
    }

    /// The same, on somebody's word.
    pub(crate) fn by(self, source: &'static str) -> Self {
        Self { source: Some(source), ..self }
    }
}

/// The facts that belong on the first screen and on paper.
pub(crate) fn key_facts(i18n: Words, outcome: &Outcome) -> impl IntoView + use<> {
    let report = &outcome.report;
    let mut facts = Vec::new();
    if let Some(subject) = &report.subject {
        facts.extend(subject_facts(i18n, subject));
    }
    if let Some(excerpt) = &report.excerpt {
        facts.extend(excerpt_facts(i18n, excerpt));
    }
    facts.extend(report.file.sha256.map(|digest| Fact::digest(t_string!(i18n, facts.sha256), digest)));
    if let Some(operator) = &report.trust.operator {
        facts.push(Fact::new(t_string!(i18n, facts.operator), operator));
    }
    facts.push(Fact::new(t_string!(i18n, case.checked_at), words::time(i18n, outcome.at)));
    list(facts)
}

/// Ids, digests and chain facts.
pub(crate) fn technical_facts(i18n: Words, report: &Report) -> impl IntoView + use<> {
    let mut facts = Vec::new();
    if let Some(subject) = &report.subject {
        facts.extend(subject_details(i18n, subject));
    }
    if let Some(chain) = &report.chain {
        facts.extend(chain_facts(i18n, chain));
    }
    facts.extend(report.trust.digest.map(|digest| Fact::digest(t_string!(i18n, facts.trust), digest)));
    facts.push(Fact::digest(t_string!(i18n, app.build), protocol::BUILD_ID));
    list(facts)
}

/// What the device found before capture.
pub(crate) fn self_check(i18n: Words, check: &SelfCheck) -> impl IntoView + use<> {
    let yes_no = |yes: bool| if yes { t_string!(i18n, check.yes) } else { t_string!(i18n, check.no) };
    let mut facts = Vec::new();
    if let Some(millis) = check.clock_offset_ms {
        let value = match check.clock_source {
            Some(source) => {
                let source = words::device::clock_source(i18n, source);
                fill(t_string!(i18n, check.clock_value), &[("millis", &millis), ("source", &source)])
            }
            None => fill(t_string!(i18n, check.clock_plain), &[("millis", &millis)]),
        };
        facts.push(Fact::new(t_string!(i18n, check.clock), value));
    }
    facts.extend(
        check.battery.map(|battery| Fact::new(t_string!(i18n, check.battery), format!("{}%", battery.get()))),
    );
    facts.extend(
        check.free_storage.map(|free| Fact::new(t_string!(i18n, check.storage), format::bytes(free))),
    );
    facts.extend(check.network.map(|yes| Fact::new(t_string!(i18n, check.network), yes_no(yes))));
    facts.extend(check.position_fix.map(|yes| Fact::new(t_string!(i18n, check.position), yes_no(yes))));
    facts.extend(check.firmware.map(|digest| Fact::digest(t_string!(i18n, check.firmware), digest)));
    list(facts)
}

fn subject_facts(i18n: Words, subject: &Subject) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(signer) = &subject.signer {
        let label = match subject.kind {
            SubjectKind::Recording => t_string!(i18n, facts.device),
            SubjectKind::Deposit => t_string!(i18n, facts.depositor),
        };
        let device = t_string!(i18n, facts.device_model);
        facts.push(Fact::new(
            label,
            match signer.model.as_str() {
                "" => signer.id.clone(),
                model => fill(device, &[("id", &signer.id), ("model", &model)]),
            },
        ));
        if !signer.agency.is_empty() {
            facts.push(Fact::new(t_string!(i18n, facts.agency), &signer.agency));
        }
    }
    let devices_word = t_string!(i18n, facts.devices_word);
    let captured = match (subject.capture_begin, subject.capture_end) {
        (Some(begin), Some(end)) => Some(words::period(i18n, begin.get(), end.get())),
        (Some(begin), None) => Some(words::time(i18n, begin.get())),
        _ => None,
    };
    facts.extend(captured.map(|time| Fact::new(t_string!(i18n, facts.captured), time).by(devices_word)));
    if let Some(at) = subject.deposited_at {
        facts.push(Fact::new(t_string!(i18n, facts.deposited), words::time(i18n, at.get())).by(devices_word));
    }
    // Only where receipts prove that it was sealed at all.
    if let (Some(first), Some(last)) = (subject.sealed_first, subject.sealed_last) {
        let sealed = words::period(i18n, first.millis().get(), last.millis().get());
        facts
            .push(Fact::new(t_string!(i18n, facts.sealed), sealed).by(t_string!(i18n, facts.operators_word)));
    }
    if let Some(delay) = subject.sealing_delay_ms {
        let delay = sealing_delay(i18n, delay);
        facts.push(Fact::new(t_string!(i18n, finding.sealing_delay), delay));
    }
    if let Some(from) = subject.revoked_from {
        facts.push(Fact::new(t_string!(i18n, facts.revoked_from), words::time(i18n, from.get())));
    }
    facts
}

/// Witnesses state whole seconds, so that less than one of them, in either direction, is no measure.
fn sealing_delay(i18n: Words, millis: i64) -> String {
    if millis.unsigned_abs() < 1000 {
        return t_string!(i18n, facts.under_a_second).to_owned();
    }
    let (sign, whole, tenths) =
        (if millis < 0 { "-" } else { "" }, millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000 / 100);
    fill(t_string!(i18n, facts.seconds), &[("seconds", &format!("{sign}{whole}.{tenths}"))])
}

fn excerpt_facts(i18n: Words, excerpt: &ExcerptFacts) -> Vec<Fact> {
    let (first, last) = (excerpt.first_segment.saturating_add(1), excerpt.last_segment.saturating_add(1));
    let segments = match excerpt.of {
        Some(of) => {
            fill(t_string!(i18n, facts.segments_of), &[("first", &first), ("last", &last), ("of", &of)])
        }
        None => fill(t_string!(i18n, facts.segments_open), &[("first", &first), ("last", &last)]),
    };
    let covers = match excerpt.from_ms.zip(excerpt.to_ms) {
        Some((from, to)) => format!("{} – {} · {segments}", format::timecode(from), format::timecode(to)),
        None => segments,
    };
    vec![Fact::new(t_string!(i18n, facts.covers), covers)]
}

fn subject_details(i18n: Words, subject: &Subject) -> Vec<Fact> {
    let id = match subject.kind {
        SubjectKind::Recording => t_string!(i18n, facts.recording_id),
        SubjectKind::Deposit => t_string!(i18n, facts.deposit_id),
    };
    let mut facts = vec![
        Fact::digest(id, subject.id),
        Fact::new(
            t_string!(i18n, facts.segments),
            fill(t_string!(i18n, facts.segments_all), &[("count", &subject.segments)]),
        ),
        Fact::digest(t_string!(i18n, facts.device_key), subject.key),
    ];
    if let Some(signer) = &subject.signer {
        facts.push(Fact::new(t_string!(i18n, facts.registrar), &signer.registrar));
    }
    if let Some(at) = subject.revocations_as_of {
        facts.push(Fact::new(t_string!(i18n, facts.revocations_as_of), words::time(i18n, at.get())));
    }
    if let Some(reason) = subject.end_reason {
        facts.push(Fact::new(t_string!(i18n, facts.end_reason), words::device::end_reason(i18n, reason)));
    }
    facts.extend(
        subject.counter.map(|counter| Fact::new(t_string!(i18n, facts.counter), counter.to_string())),
    );
    facts.extend(subject.media_type.as_ref().map(|kind| Fact::new(t_string!(i18n, facts.media_type), kind)));
    facts.extend(subject.depositor.as_ref().map(|name| Fact::new(t_string!(i18n, facts.depositor), name)));
    if let Some(position) = &subject.position {
        facts.push(Fact::new(t_string!(i18n, facts.position), words::device::position(i18n, position)));
    }
    facts
}

fn chain_facts(i18n: Words, chain: &ChainFacts) -> Vec<Fact> {
    let mut facts = vec![
        Fact::digest(t_string!(i18n, facts.chain), &chain.origin),
        Fact::new(t_string!(i18n, facts.chain_size), format::grouped(chain.size)),
        Fact::digest(t_string!(i18n, facts.chain_root), chain.root),
    ];
    if let Some(time) = chain.proven_sealing_time {
        facts.push(Fact::new(t_string!(i18n, facts.proven), words::time(i18n, time.millis().get())));
    }
    for witness in &chain.witnesses {
        let cosigned = format!("{} · {}", witness.name, words::time(i18n, witness.time.millis().get()));
        facts.push(Fact::new(t_string!(i18n, finding.roots), cosigned));
    }
    facts
}

/// The facts as a list.
pub(crate) fn list(facts: Vec<Fact>) -> impl IntoView + use<> {
    let rows = facts.into_iter().map(|fact| {
        view! {
            <dt>{fact.label}</dt>
            <dd>
                <span class:digest=fact.is_digest>{fact.value}</span>
                {fact.source.map(|source| view! { " " <span class="source">{source}</span> })}
            </dd>
        }
    });
    view! { <dl class="facts">{rows.collect_view()}</dl> }
}
