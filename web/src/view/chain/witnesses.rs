//! Who guards the chain: what each witness has answered to this browser, beside what the operator says of it.

use leptos::prelude::*;
use protocol::chain::{Guard, Look, OperatorsWitness, WitnessAnswer};
use protocol::report::WitnessState;

use crate::chain::ChainDesk;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::guard::Guards;
use crate::words::{self, Words, fill};

/// One row: a witness of the trust file, of the operator's list, or of both.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Row {
    name: String,
    asked: Option<WitnessAnswer>,
    said: Option<OperatorsWitness>,
}

/// The witnesses of the trust file in its order, then those that only the operator speaks of.
fn rows(look: &Look) -> Vec<Row> {
    let said = look.operator.as_ref().map(|word| word.witnesses.as_slice()).unwrap_or_default();
    let (asked, guards) = match &look.verified {
        Ok(verified) => (verified.witnesses.as_slice(), verified.guards.as_slice()),
        Err(_) => Default::default(),
    };
    let named = guards.iter().flat_map(|guard| &guard.witnesses).map(|witness| &witness.name);
    let names = named.chain(asked.iter().map(|one| &one.name)).chain(said.iter().map(|one| &one.name));
    let mut rows: Vec<Row> = Vec::new();
    for name in names {
        if !rows.iter().any(|row| row.name == *name) {
            rows.push(Row {
                name: name.clone(),
                asked: asked.iter().find(|one| one.name == *name).cloned(),
                said: said.iter().find(|one| one.name == *name).cloned(),
            });
        }
    }
    rows
}

/// The witnesses, and the rule by which their cosignatures count.
#[component]
pub(super) fn Witnesses() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let all = Memo::new(move |_| {
        chain.seen.with(|seen| seen.as_ref().map(|seen| rows(&seen.look)).unwrap_or_default())
    });
    let names =
        Memo::new(move |_| all.with(|all| all.iter().map(|row| row.name.clone()).collect::<Vec<_>>()));
    let guards = Memo::new(move |_| {
        chain.seen.with(|seen| seen.as_ref().map(|seen| guards(&seen.look)).unwrap_or_default())
    });
    view! {
        <section class="sheet" hidden=move || chain.seen.with(Option::is_none)>
            <div class="section">
                <h2>{t!(i18n, chain.witness.title)}</h2>
                {move || view! { <Guards guards=guards.get() /> }}
                <Show when=move || !names.with(Vec::is_empty)>
                    <table class="listed witnesses">
                        <thead>
                            <tr>
                                <th scope="col">{t!(i18n, chain.witness.name)}</th>
                                <th scope="col">{t!(i18n, chain.witness.asked)}</th>
                                <th scope="col">{t!(i18n, chain.witness.said)}</th>
                            </tr>
                        </thead>
                        <tbody>
                            // Keyed by name: what has not changed stays as it is.
                            <For each=move || names.get() key=Clone::clone let:name>
                                {
                                    let row = Memo::new(move |_| {
                                        all.with(|all| all.iter().find(|row| row.name == name).cloned())
                                    });
                                    view! { <WitnessRow row /> }
                                }
                            </For>
                        </tbody>
                    </table>
                </Show>
            </div>
        </section>
    }
}

#[component]
fn WitnessRow(row: Memo<Option<Row>>) -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let name = move || row.with(|row| row.as_ref().map(|row| row.name.clone()));
    let asked = move || row.with(|row| row.as_ref().and_then(|row| row.asked.clone()));
    let said = move || row.with(|row| row.as_ref().and_then(|row| row.said.clone()));
    let state = move || asked().map(|asked| asked.state);
    let details = move |seconds: Option<u64>, size: Option<String>| {
        let last = seconds.map(|seconds| {
            let age = words::chain::age(i18n, seconds.saturating_mul(1000), chain.now.get());
            fill(t_string!(i18n, chain.witness.last), &[("time", &age)])
        });
        let parts: Vec<String> = size.into_iter().chain(last).collect();
        parts.join(" · ")
    };
    let answer = move || {
        asked().map(|asked| {
            let size = asked
                .size
                .map(|size| fill(t_string!(i18n, chain.witness.holds), &[("size", &format::grouped(size))]));
            details(asked.cosigned, size)
        })
    };
    let account = move || {
        said().map(|said| {
            let lag = said.lag.filter(|lag| *lag > 0);
            let lag =
                lag.map(|lag| fill(t_string!(i18n, chain.witness.lag), &[("count", &format::grouped(lag))]));
            details(said.cosigned, lag)
        })
    };
    view! {
        <tr data-witness="" data-name=name data-state=move || state().map_or("not-asked", WitnessState::as_str)>
            <th scope="row" class="digest">{name}</th>
            <td class="asked" data-label=move || t_string!(i18n, chain.witness.asked)>
                <span class="standing" data-tone=move || tone(state())>
                    <span class="mark" data-mark=move || mark(state()) aria-hidden="true"></span>
                    {move || answered(i18n, state())}
                </span>
                <span class="detail">{answer}</span>
            </td>
            <td data-label=move || t_string!(i18n, chain.witness.said)>
                <span>{move || said().map(|said| words::chain::health(i18n, &said.state).to_owned())}</span>
                <span class="detail">{account}</span>
            </td>
        </tr>
    }
}

fn answered(i18n: Words, state: Option<WitnessState>) -> &'static str {
    match state {
        Some(state) => words::chain::witness(i18n, state),
        None => t_string!(i18n, chain.witness.not_asked),
    }
}

fn mark(state: Option<WitnessState>) -> &'static str {
    match state {
        Some(WitnessState::Agrees) => "tick",
        Some(WitnessState::Contradicts) => "cross",
        Some(WitnessState::Unusable) => "warn",
        Some(WitnessState::NoAnswer | WitnessState::Unconnected) | None => "bar",
    }
}

fn tone(state: Option<WitnessState>) -> &'static str {
    match state {
        Some(WitnessState::Agrees) => "good",
        Some(WitnessState::Contradicts) => "bad",
        Some(WitnessState::Unusable) => "caution",
        Some(WitnessState::NoAnswer | WitnessState::Unconnected) | None => "neutral",
    }
}

fn guards(look: &Look) -> Vec<Guard> {
    look.verified.as_ref().map(|verified| verified.guards.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use protocol::chain::{Verified, Witness};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn each_witness_has_one_row_whoever_names_it() {
        let answer = |name: &str| WitnessAnswer {
            name: name.to_owned(),
            state: WitnessState::Agrees,
            size: Some(1),
            cosigned: None,
        };
        let guard = |names: &[&str]| Guard {
            logs: Vec::new(),
            witnesses: names
                .iter()
                .map(|name| Witness { name: (*name).to_owned(), vkey: String::new(), url: None })
                .collect(),
            quorum: None,
            from: None,
            until: None,
        };
        let word = r#"{"origin":"a","size":1,"witnesses":[{"name":"w2","state":"current"},{"name":"ghost","state":"current"}]}"#;
        let look = Look {
            verified: Ok(Verified {
                published: None,
                witnesses: vec![answer("w1"), answer("w2")],
                alarm: None,
                // A witness without an address is asked by nobody, and is one all the same; w2 guards in both periods.
                guards: vec![guard(&["w1", "w2", "mute"]), guard(&["w2"])],
            }),
            operator: serde_json::from_str(word).ok(),
            pin: None,
        };
        let rows: Vec<(String, bool, bool)> =
            rows(&look).into_iter().map(|row| (row.name, row.asked.is_some(), row.said.is_some())).collect();
        let expected =
            [("w1", true, false), ("w2", true, true), ("mute", false, false), ("ghost", false, true)];
        assert_eq!(rows, expected.map(|(name, asked, said)| (name.to_owned(), asked, said)));
    }
}
