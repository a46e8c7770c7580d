//! Where a file differs from what was sealed.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::report::Mismatch;

use crate::case::Outcome;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::timeline::DifferenceTimeline;
use crate::words::{self, fill};

/// Rows on the page; the saved report has all. Who has more differences than this is not helped by reading them.
const MAX_ROWS: usize = 500;

/// The differences: on a timeline, and as a table.
#[component]
pub(crate) fn Mismatches(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let report = &outcome.report;
    let count = report.mismatch_count;
    let shown = report.mismatches.len().min(MAX_ROWS);
    let has_more = count > u64::try_from(shown).unwrap_or(u64::MAX);
    // Of a deposit no times are known.
    let has_times = report.mismatches.iter().any(|mismatch| mismatch.from_ms.is_some());
    let rows = report.mismatches.iter().take(MAX_ROWS).cloned();
    let rows = rows.map(|mismatch| view! { <Row mismatch has_times /> });
    let rows = rows.collect_view();
    view! {
        <section class="section">
            <h4>
                {t!(i18n, mismatch.title)} " " <small>{move || fill(t_string!(i18n, mismatch.count), &[("count", &format::grouped(count))])}</small>
            </h4>
            <DifferenceTimeline outcome=outcome.clone() />
            <table class="mismatches">
                <thead>
                    <tr>
                        <th scope="col" hidden=!has_times>{t!(i18n, mismatch.time)}</th>
                        <th scope="col">{t!(i18n, mismatch.kind)}</th>
                        <th scope="col">{t!(i18n, mismatch.segment)}</th>
                        <th scope="col">{t!(i18n, mismatch.place)}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <Show when=move || has_more>
                <p>{move || fill(t_string!(i18n, mismatch.more), &[("shown", &shown)])}</p>
            </Show>
        </section>
    }
}

#[component]
fn Row(mismatch: Mismatch, has_times: bool) -> impl IntoView {
    let i18n = use_i18n();
    let Mismatch { segment, kind, offset, length, found_at, from_ms, to_ms } = mismatch;
    let span = |begin: u64| {
        format!("{} – {}", format::grouped(begin), format::grouped(begin.saturating_add(length)))
    };
    let place = match found_at {
        Some(found) => format!("{} → {}", span(offset), span(found)),
        None => span(offset),
    };
    let time =
        from_ms.zip(to_ms).map(|(from, to)| format!("{} – {}", format::timecode(from), format::timecode(to)));
    // People count from 1, the format from 0.
    let number = segment.map(|segment| format::grouped(segment.saturating_add(1)));
    let none = move || t_string!(i18n, mismatch.unknown_time).to_owned();
    view! {
        <tr
            data-mismatch=kind.as_str()
            data-segment=segment.map(|segment| segment.to_string())
            data-from-ms=from_ms.map(|millis| millis.to_string())
            data-to-ms=to_ms.map(|millis| millis.to_string())
        >
            <td hidden=!has_times data-label=move || t_string!(i18n, mismatch.time)>{move || time.clone().unwrap_or_else(none)}</td>
            <td data-label=move || t_string!(i18n, mismatch.kind)>{move || words::mismatch(i18n, kind)}</td>
            <td data-label=move || t_string!(i18n, mismatch.segment)>{move || number.clone().unwrap_or_else(none)}</td>
            <td data-label=move || t_string!(i18n, mismatch.place)>{place}</td>
        </tr>
    }
}
