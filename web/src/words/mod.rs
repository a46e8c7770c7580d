//! The words for what the report says: one sentence for each verdict, finding, reason and error.

pub(crate) mod alarm;
pub(crate) mod chain;
pub(crate) mod device;
pub(crate) mod error;
pub(crate) mod finding;
pub(crate) mod guard;
pub(crate) mod verdict;

use std::fmt::Display;

use leptos_i18n::I18nContext;
use protocol::report::MismatchKind;

use crate::case::Stage;
use crate::format::Beijing;
use crate::i18n::{Locale, t_string};

/// The page's language, as components pass it on.
pub(crate) type Words = I18nContext<Locale>;

/// What a verification is busy with.
pub(crate) fn stage(i18n: Words, stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => t_string!(i18n, phase.waiting),
        Stage::Finding => t_string!(i18n, phase.finding),
        Stage::Hashing => t_string!(i18n, phase.hashing),
        Stage::Comparing => t_string!(i18n, phase.comparing),
        Stage::Verifying | Stage::Done => t_string!(i18n, phase.verifying),
    }
}

/// Two sentences, one after the other.
pub(crate) fn both(i18n: Words, first: &str, second: &str) -> String {
    match i18n.get_locale() {
        Locale::zh => format!("{first}{second}"),
        Locale::en => format!("{first} {second}"),
    }
}

/// An instant in Beijing time, without its offset: for tables whose heading names it.
pub(crate) fn short_time(i18n: Words, millis: u64) -> String {
    let beijing = Beijing::from_millis(millis);
    match i18n.get_locale() {
        Locale::zh => beijing.chinese(),
        Locale::en => beijing.iso(),
    }
}

/// An instant in Beijing time, with its offset.
pub(crate) fn time(i18n: Words, millis: u64) -> String {
    fill(t_string!(i18n, facts.beijing), &[("time", &short_time(i18n, millis))])
}

/// A period in Beijing time.
pub(crate) fn period(i18n: Words, from: u64, to: u64) -> String {
    if from / 1000 == to / 1000 {
        return time(i18n, from);
    }
    let period =
        fill(t_string!(i18n, facts.to), &[("from", &short_time(i18n, from)), ("to", &short_time(i18n, to))]);
    fill(t_string!(i18n, facts.beijing), &[("time", &period)])
}

/// What is wrong with a place of the file.
pub(crate) fn mismatch(i18n: Words, kind: MismatchKind) -> &'static str {
    match kind {
        MismatchKind::Altered => t_string!(i18n, mismatch.altered),
        MismatchKind::Missing => t_string!(i18n, mismatch.missing),
        MismatchKind::Moved => t_string!(i18n, mismatch.moved),
        MismatchKind::Foreign => t_string!(i18n, mismatch.foreign),
    }
}

/// A sentence with its placeholders, `{name}`, filled in. The texts of both languages have the same ones (tested
/// below); that a sentence gets what it has places for is the caller's business.
pub(crate) fn fill(sentence: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut filled = String::with_capacity(sentence.len());
    let mut rest = sentence;
    // One pass: what is filled in (a file's name) is never taken for a placeholder.
    while let Some((before, from)) = rest.split_once('{')
        && let Some((name, after)) = from.split_once('}')
    {
        filled.push_str(before);
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            filled.push_str(&value.to_string());
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_sentence_is_filled() {
        assert_eq!(fill("{done} / {total}", &[("done", &1), ("total", &"2 GB")]), "1 / 2 GB");
        assert_eq!(fill("{name}: {n}", &[("name", &"{n}.mp4"), ("n", &3)]), "{n}.mp4: 3");
        assert_eq!(fill("no { place", &[]), "no { place");
    }

    fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    flatten(&format!("{prefix}.{key}"), value, into);
                }
            }
            text => {
                into.insert(prefix.to_owned(), text.as_str().unwrap().to_owned());
            }
        }
    }

    fn texts(json: &str) -> BTreeMap<String, String> {
        let mut into = BTreeMap::new();
        flatten("", &serde_json::from_str(json).unwrap(), &mut into);
        into
    }

    fn placeholders(text: &str) -> Vec<&str> {
        let mut found: Vec<&str> =
            text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        found.sort_unstable();
        found
    }

    #[wasm_bindgen_test]
    fn both_languages_say_everything_with_the_same_placeholders() {
        let chinese = texts(include_str!("../../locales/zh.json"));
        let english = texts(include_str!("../../locales/en.json"));
        assert!(chinese.keys().eq(english.keys()), "a text is missing in one of the languages");
        for (key, text) in &chinese {
            assert!(!text.is_empty() && !english[key].is_empty(), "{key} is empty");
            assert_eq!(placeholders(text), placeholders(&english[key]), "{key}");
        }
    }

    #[wasm_bindgen_test]
    fn chinese_sentences_use_chinese_punctuation() {
        for (key, text) in texts(include_str!("../../locales/zh.json")) {
            assert!(!text.contains([',', ';', '?', '!']), "{key}: {text}");
            assert!(!text.ends_with('.'), "{key}: {text}");
        }
    }
}
