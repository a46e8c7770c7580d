//! What the device said while it filmed, segment by segment.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::report::Telemetry;

use crate::case::Outcome;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::words::{self, fill};

/// Rows on the page; the saved report has all.
const MAX_ROWS: usize = 300;

/// A table of segments. It is built when it is opened: a day of filming has tens of thousands.
#[component]
pub(crate) fn TelemetryTable(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let total = outcome.report.telemetry.len();
    let segments: Vec<Telemetry> = outcome.report.telemetry.iter().take(MAX_ROWS).cloned().collect();
    let rows = segments.into_iter().map(|segment| view! { <Row segment /> }).collect_view();
    view! {
        <div class="scroll">
            <table>
                <thead>
                    <tr>
                        <th scope="col">{t!(i18n, telemetry.segment)}</th>
                        <th scope="col">{t!(i18n, telemetry.media)}</th>
                        <th scope="col">{t!(i18n, telemetry.captured)}</th>
                        <th scope="col">{t!(i18n, telemetry.battery)}</th>
                        <th scope="col">{t!(i18n, telemetry.position)}</th>
                        <th scope="col">{t!(i18n, telemetry.events)}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <Show when=move || { total > MAX_ROWS }>
            <p>{move || fill(t_string!(i18n, telemetry.more), &[("shown", &MAX_ROWS)])}</p>
        </Show>
    }
}

#[component]
fn Row(segment: Telemetry) -> impl IntoView {
    let i18n = use_i18n();
    let media = segment.from_ms.zip(segment.to_ms);
    let media = media.map(|(from, to)| format!("{} – {}", format::timecode(from), format::timecode(to)));
    let begin = segment.capture_begin.get();
    let battery = segment.battery.map(|battery| format!("{}%", battery.get()));
    let (position, events) = (segment.position, segment.events);
    view! {
        <tr>
            <td>{format::grouped(segment.segment.saturating_add(1))}</td>
            <td>{media.unwrap_or_else(none)}</td>
            <td>{move || words::short_time(i18n, begin)}</td>
            <td>{battery.unwrap_or_else(none)}</td>
            <td>
                {move || {
                    position.as_ref().map_or_else(none, |position| words::device::position(i18n, position))
                }}
            </td>
            <td>
                {move || {
                    let words: Vec<&str> =
                        events.iter().map(|event| words::device::event(i18n, event.kind)).collect();
                    if words.is_empty() { none() } else { words.join(" / ") }
                }}
            </td>
        </tr>
    }
}

/// What a cell says where the device said nothing.
fn none() -> String {
    "–".to_owned()
}
