//! Where in the recording: a bar with the parts marked that differ, or that an excerpt covers.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::report::{ExcerptFacts, Report};

use crate::case::Outcome;
use crate::format;
use crate::i18n::{t_string, use_i18n};

/// Width of the drawing, in its own units.
const WIDTH: u64 = 1000;
/// The least width that can be seen.
const MIN_WIDTH: u64 = 3;
/// Parts that are drawn; more cannot be told apart on this width.
const MAX_PARTS: usize = 1000;

/// What is drawn: parts of a whole, and how its ends are called.
struct Drawing {
    parts: Vec<(u64, u64)>,
    total: u64,
    ends: [String; 2],
}

/// The differences on the recording's own timeline; nothing where its times are not known.
#[component]
pub(crate) fn DifferenceTimeline(outcome: Arc<Outcome>) -> impl IntoView {
    let i18n = use_i18n();
    let total = duration(&outcome.report)?;
    let known = outcome.report.mismatches.iter().filter_map(|mismatch| mismatch.from_ms.zip(mismatch.to_ms));
    let parts = known.take(MAX_PARTS).collect();
    let ends = [0, total].map(format::timecode);
    Some(bar("differences", Drawing { parts, total, ends }, move || t_string!(i18n, mismatch.timeline)))
}

/// The part of a recording that an excerpt is, counted in segments: its times beyond the excerpt are not disclosed.
#[component]
pub(crate) fn ExcerptTimeline(excerpt: ExcerptFacts) -> impl IntoView {
    let i18n = use_i18n();
    let total = excerpt.of.filter(|of| *of > 0)?;
    let parts = vec![(excerpt.first_segment, excerpt.last_segment.saturating_add(1))];
    let ends = [1, total].map(|number| format!("{} {number}", t_string!(i18n, telemetry.segment)));
    Some(bar("excerpt", Drawing { parts, total, ends }, move || t_string!(i18n, excerpt.timeline)))
}

fn bar(
    of: &'static str,
    drawing: Drawing,
    label: impl Fn() -> &'static str + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let Drawing { parts, total, ends: [begin, end] } = drawing;
    let parts = parts.into_iter().map(|(from, to)| {
        let (x, width) = place(from, to, total);
        view! { <rect x=x.to_string() y="0" width=width.to_string() height="10"></rect> }
    });
    view! {
        <svg
            class="timeline"
            data-of=of
            viewBox="0 0 1000 10"
            preserveAspectRatio="none"
            role="img"
            aria-label=label.clone()
        >
            {parts.collect_view()}
        </svg>
        <p class="timeline-ends">
            <span>{begin}</span>
            <span class="timeline-legend">{label}</span>
            <span>{end}</span>
        </p>
    }
}

/// The recording's length on its own timeline, as far as the evidence knows it.
fn duration(report: &Report) -> Option<u64> {
    report.telemetry.iter().filter_map(|segment| segment.to_ms).max().filter(|end| *end > 0)
}

/// Left edge and width in the drawing.
fn place(from: u64, to: u64, total: u64) -> (u64, u64) {
    let scaled = |millis: u64| {
        let position = u128::from(millis.min(total)) * u128::from(WIDTH) / u128::from(total.max(1));
        u64::try_from(position).unwrap_or(WIDTH)
    };
    let width = scaled(to).saturating_sub(scaled(from)).max(MIN_WIDTH);
    (scaled(from).min(WIDTH - MIN_WIDTH), width)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_part_lies_within_the_bar_and_can_be_seen() {
        assert_eq!(place(0, 10_000, 10_000), (0, 1000));
        assert_eq!(place(5_000, 6_000, 10_000), (500, 100));
        assert_eq!(place(9_999, 10_000, 36_000_000), (0, MIN_WIDTH));
        assert_eq!(place(10_000, 10_000, 10_000), (997, MIN_WIDTH));
        assert_eq!(place(u64::MAX, u64::MAX, 1), (997, MIN_WIDTH));
    }
}
