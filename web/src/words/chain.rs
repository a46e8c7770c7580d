//! Words about the chain itself.

use protocol::report::WitnessState;

use super::{Words, fill, short_time};
use crate::i18n::t_string;

/// What a witness answered to this browser.
pub(crate) fn witness(i18n: Words, state: WitnessState) -> &'static str {
    match state {
        WitnessState::Agrees => t_string!(i18n, chain.witness.agrees),
        WitnessState::NoAnswer => t_string!(i18n, chain.witness.no_answer),
        WitnessState::Unusable => t_string!(i18n, chain.witness.unusable),
        WitnessState::Unconnected => t_string!(i18n, chain.witness.unconnected),
        WitnessState::Contradicts => t_string!(i18n, chain.witness.contradicts),
    }
}

/// How a witness does by the operator's word; a word that this page does not know is shown as it is.
pub(crate) fn health(i18n: Words, state: &str) -> &str {
    match state {
        "current" => t_string!(i18n, chain.witness.current),
        "behind" => t_string!(i18n, chain.witness.behind),
        "silent" => t_string!(i18n, chain.witness.silent),
        "refusing" => t_string!(i18n, chain.witness.refusing),
        "unusable" => t_string!(i18n, chain.witness.bad),
        "contradicting" => t_string!(i18n, chain.witness.contradicting),
        other => other,
    }
}

/// “12 s”, “3 min”, “5 h”, “2 d”: the time since, rounded down.
pub(crate) fn age(i18n: Words, since: u64, now: u64) -> String {
    let seconds = now.saturating_sub(since) / 1000;
    let (count, text) = match seconds {
        0..60 => (seconds, t_string!(i18n, chain.age.seconds)),
        60..3600 => (seconds / 60, t_string!(i18n, chain.age.minutes)),
        3600..86_400 => (seconds / 3600, t_string!(i18n, chain.age.hours)),
        _ => (seconds / 86_400, t_string!(i18n, chain.age.days)),
    };
    let age = fill(text, &[("count", &count)]);
    fill(t_string!(i18n, chain.ago), &[("age", &age)])
}

/// An instant, in seconds, and how long ago it was.
pub(crate) fn time_and_age(i18n: Words, seconds: u64, now: u64) -> String {
    let millis = seconds.saturating_mul(1000);
    fill(
        t_string!(i18n, chain.with_age),
        &[("time", &super::time(i18n, millis)), ("age", &age(i18n, millis, now))],
    )
}

/// An instant, in seconds, in Beijing time without its offset.
pub(crate) fn short(i18n: Words, seconds: u64) -> String {
    short_time(i18n, seconds.saturating_mul(1000))
}
