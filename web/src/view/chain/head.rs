//! The chain root as this browser has verified it.

use leptos::prelude::*;
use protocol::chain::{Root, Verified};
use protocol::report::AlarmKind;

use crate::alarm::is_proof;
use crate::chain::{ChainDesk, Seen};
use crate::desk::Desk;
use crate::format;
use crate::i18n::{t, t_string, use_i18n};
use crate::view::chain::{Word, WordBadge};
use crate::view::facts::{Fact, list};
use crate::words::{self, Words, error};

/// Where the verification of the chain root stands. The words are those of `data-state`, but for `Pending`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ChainState {
    /// Not yet known.
    Pending,
    /// The published root satisfies the policy, and nothing contradicts it.
    Verified,
    /// There is no root that could be verified.
    Unverified,
    /// Roots do not fit together: proof against the chain, or not.
    Alarm {
        /// Whether it is.
        is_proof: bool,
    },
}

impl ChainState {
    fn of(seen: Option<&Seen>, alarm: Option<AlarmKind>) -> Self {
        if let Some(kind) = alarm {
            return Self::Alarm { is_proof: is_proof(kind) };
        }
        match seen.map(|seen| &seen.look.verified) {
            None => Self::Pending,
            Some(Ok(Verified { published: Some(_), .. })) => Self::Verified,
            Some(_) => Self::Unverified,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Pending | Self::Unverified => "unverified",
            Self::Alarm { .. } => "alarm",
        }
    }

    fn tone(self) -> (&'static str, &'static str) {
        match self {
            Self::Pending => ("neutral", "bar"),
            Self::Verified => ("good", "tick"),
            Self::Unverified | Self::Alarm { is_proof: false } => ("caution", "warn"),
            Self::Alarm { is_proof: true } => ("bad", "cross"),
        }
    }

    fn title(self, i18n: Words) -> &'static str {
        match self {
            Self::Pending => t_string!(i18n, chain.state.pending),
            Self::Verified => t_string!(i18n, chain.state.verified),
            Self::Unverified => t_string!(i18n, chain.state.unverified),
            Self::Alarm { .. } => t_string!(i18n, chain.state.alarm),
        }
    }
}

/// Size, root and age, under one word that says whether they were verified.
#[component]
pub(super) fn Head() -> impl IntoView {
    let i18n = use_i18n();
    let chain = expect_context::<ChainDesk>();
    let desk = expect_context::<Desk>();
    let published = Memo::new(move |_| chain.seen.with(|seen| seen.as_ref().and_then(published)));
    let state = Memo::new(move |_| {
        let alarm = desk.alarm.get().map(|alarm| alarm.kind);
        chain.seen.with(|seen| ChainState::of(seen.as_ref(), alarm))
    });
    let meaning = move || chain.seen.with(|seen| meaning(i18n, state.get(), seen.as_ref()));
    view! {
        <section
            class="sheet"
            data-chain=""
            data-state=move || state.get().word()
            data-size=move || published.get().map(|root| root.size.to_string())
            data-root=move || published.get().map(|root| root.root)
            aria-busy=move || (state.get() == ChainState::Pending).to_string()
        >
            <div class="verdict" data-tone=move || state.get().tone().0>
                <h2 class="headline">
                    <span class="mark" data-mark=move || state.get().tone().1 aria-hidden="true"></span>
                    {move || state.get().title(i18n)}
                </h2>
                <p class="meaning">{meaning}</p>
                <p class="next">{t!(i18n, chain.every)}</p>
                <Show when=move || chain.has_crashed.get()>
                    <p class="aside" role="alert">{t!(i18n, chain.state.crashed)}</p>
                </Show>
            </div>
            <Show when=move || published.with(Option::is_some)>
                <div class="section">
                    // Not beside what contradicts it.
                    <Show when=move || state.get() == ChainState::Verified>
                        <WordBadge word=Word::Browser />
                    </Show>
                    {move || published.get().map(|root| root_facts(i18n, chain, root))}
                </div>
            </Show>
            // One sentence when the state changes; not every new entry, and not every second.
            <p class="visually-hidden" role="status" aria-live="polite">
                {move || state.get().title(i18n)}
            </p>
        </section>
    }
}

fn root_facts(i18n: Words, chain: ChainDesk, root: Root) -> impl IntoView + use<> {
    let Root { origin, size, root, cosigned } = root;
    let now = chain.now.get();
    let mut facts = vec![
        Fact::new(t_string!(i18n, facts.chain_size), format::grouped(size)),
        Fact::digest(t_string!(i18n, facts.chain_root), root),
    ];
    facts.extend(cosigned.map(|seconds| {
        Fact::new(t_string!(i18n, chain.cosigned), words::chain::time_and_age(i18n, seconds, now))
    }));
    let last_look = chain.seen.with(|seen| seen.as_ref().map(|seen| words::chain::age(i18n, seen.at, now)));
    facts.extend(last_look.map(|age| Fact::new(t_string!(i18n, chain.last_look), age)));
    facts.push(Fact::digest(t_string!(i18n, facts.chain), origin));
    list(facts)
}

fn published(seen: &Seen) -> Option<Root> {
    seen.look.verified.as_ref().ok().and_then(|verified| verified.published.clone())
}

fn meaning(i18n: Words, state: ChainState, seen: Option<&Seen>) -> String {
    match (state, seen.map(|seen| &seen.look.verified)) {
        (ChainState::Alarm { .. }, _) => t_string!(i18n, chain.meaning.alarm).to_owned(),
        (_, None) => t_string!(i18n, chain.meaning.pending).to_owned(),
        (_, Some(Err(code))) => {
            let words = error::of(i18n, *code);
            words::both(i18n, words.what, words.next)
        }
        (_, Some(Ok(Verified { published: Some(Root { cosigned: None, .. }), .. }))) => {
            t_string!(i18n, chain.meaning.unwitnessed).to_owned()
        }
        (_, Some(Ok(Verified { published: Some(_), .. }))) => {
            t_string!(i18n, chain.meaning.verified).to_owned()
        }
        (_, Some(Ok(_))) => t_string!(i18n, chain.meaning.unverified).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::chain::Look;
    use protocol::report::ErrorCode;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn seen(verified: Result<Option<Root>, ErrorCode>) -> Seen {
        let verified = verified.map(|published| Verified {
            published,
            witnesses: Vec::new(),
            alarm: None,
            guards: Vec::new(),
        });
        Seen { look: Arc::new(Look { verified, operator: None, pin: None }), at: 0 }
    }

    #[wasm_bindgen_test]
    fn only_a_root_that_was_verified_is_called_so_and_an_alarm_goes_before_it() {
        let root = Root { origin: "a".to_owned(), size: 1, root: String::new(), cosigned: Some(1) };
        let of = |seen: Option<&Seen>, alarm| ChainState::of(seen, alarm).word();
        assert_eq!(of(Some(&seen(Ok(Some(root.clone())))), None), "verified");
        assert_eq!(of(Some(&seen(Ok(Some(root.clone())))), Some(AlarmKind::Forked)), "alarm");
        assert_eq!(of(Some(&seen(Ok(Some(root)))), Some(AlarmKind::Stale)), "alarm");
        assert_eq!(of(Some(&seen(Ok(None))), None), "unverified");
        assert_eq!(of(Some(&seen(Err(ErrorCode::TrustUnavailable))), None), "unverified");
        assert_eq!(of(None, None), "unverified");
        assert_eq!(of(None, Some(AlarmKind::Forked)), "alarm");
    }
}
