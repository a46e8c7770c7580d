//! How the chain grew, by the operator's word: a chart, and the same as a table.

use leptos::prelude::*;

use crate::chain::ChainDesk;
use crate::chain::growth::Chart;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::chain::{Word, WordBadge};
use crate::words::{self, Words, fill};

/// The chart of growth.
#[component]
pub(super) fn Growth() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let growth = Memo::new(move |_| {
        let word = chain.seen.with(|seen| seen.as_ref().and_then(|seen| seen.look.operator.clone()));
        word.map(|word| word.growth)
    });
    let chart = Memo::new(move |_| growth.with(|growth| growth.as_deref().and_then(Chart::of)));
    view! {
        <section class="sheet" hidden=move || growth.with(Option::is_none)>
            <div class="section">
                <h2>{t!(i18n, chain.growth.title)}</h2>
                <WordBadge word=Word::Operator />
                <Show
                    when=move || chart.with(Option::is_some)
                    fallback=move || view! { <p class="source">{t!(i18n, chain.growth.few)}</p> }
                >
                    <Drawing chart />
                    <Table chart />
                </Show>
            </div>
        </section>
    }
}

#[component]
fn Drawing(chart: Memo<Option<Chart>>) -> impl IntoView {
    let i18n = use_i18n();
    let line = move || chart.with(|chart| chart.as_ref().map(|chart| chart.line.clone()));
    let area = move || chart.with(|chart| chart.as_ref().map(|chart| chart.area.clone()));
    let ends = Memo::new(move |_| chart.with(|chart| chart.as_ref().and_then(Chart::ends)));
    let first = move || ends.get().map(|(first, _)| words::chain::short(i18n, first.time));
    let last = move || ends.get().map(|(_, last)| words::chain::short(i18n, last.time));
    let most = move || ends.get().map(|(_, last)| format::grouped(last.size));
    view! {
        <div class="chart">
            <p class="chart-most">{most}</p>
            <svg viewBox="0 0 1000 240" preserveAspectRatio="none" role="img" aria-label=move || label(i18n, ends)>
                <path class="chart-area" d=area></path>
                <path class="chart-line" d=line></path>
            </svg>
            <p class="timeline-ends">
                <span>{first}</span>
                <span>{last}</span>
            </p>
        </div>
    }
}

fn label(
    i18n: Words,
    ends: Memo<Option<(protocol::chain::GrowthPoint, protocol::chain::GrowthPoint)>>,
) -> String {
    let Some((first, last)) = ends.get() else {
        return String::new();
    };
    fill(
        t_string!(i18n, chain.growth.label),
        &[
            ("from", &words::chain::short(i18n, first.time)),
            ("first", &format::grouped(first.size)),
            ("to", &words::chain::short(i18n, last.time)),
            ("last", &format::grouped(last.size)),
        ],
    )
}

#[component]
fn Table(chart: Memo<Option<Chart>>) -> impl IntoView {
    let i18n = use_i18n();
    let is_open = RwSignal::new(false);
    let points = move || chart.get().map(|chart| chart.points).unwrap_or_default();
    view! {
        <details class="plain screen-only" on:toggle=move |_| is_open.set(true)>
            <summary>{t!(i18n, chain.growth.table)}</summary>
            <Show when=move || is_open.get()>
                <div class="rows" tabindex="0" role="region" aria-label=move || t_string!(i18n, chain.growth.table)><table>
                    <thead>
                        <tr>
                            <th scope="col">{t!(i18n, chain.growth.time)}</th>
                            <th scope="col">{t!(i18n, chain.growth.size)}</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=points key=|point| (point.time, point.size) let:point>
                            <tr>
                                <td>{move || words::chain::short(i18n, point.time)}</td>
                                <td>{format::grouped(point.size)}</td>
                            </tr>
                        </For>
                    </tbody>
                </table></div>
            </Show>
        </details>
    }
}
