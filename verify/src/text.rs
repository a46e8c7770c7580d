//! The sentences, in the product's languages. `locales/*.json` has one for every word of a report; a test holds them to it.

use serde_json::Value;

use crate::cli::Lang;

const ZH: &str = include_str!("../locales/zh.json");
const EN: &str = include_str!("../locales/en.json");

/// The sentences of one language.
#[derive(Debug)]
pub struct Text {
    sentences: Value,
}

impl Text {
    /// The sentences of `lang`.
    #[must_use]
    pub fn of(lang: Lang) -> Self {
        let text = match lang {
            Lang::Zh => ZH,
            Lang::En => EN,
        };
        // invariant: the files are part of the program and parsed by the tests.
        Self { sentences: serde_json::from_str(text).unwrap_or_default() }
    }

    /// The sentence for `word` in `section`; the word itself where there is none.
    #[must_use]
    pub fn get<'a>(&'a self, section: &str, word: &'a str) -> &'a str {
        self.find(section, word).unwrap_or(word)
    }

    /// The sentence with `{name}` replaced by values.
    #[must_use]
    pub fn fill(&self, section: &str, word: &str, values: &[(&str, &str)]) -> String {
        let mut sentence = self.get(section, word).to_owned();
        for (name, value) in values {
            sentence = sentence.replace(&format!("{{{name}}}"), value);
        }
        sentence
    }

    fn find(&self, section: &str, word: &str) -> Option<&str> {
        self.sentences.get(section)?.get(word)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use evidence::Verdict;
    use evidence::report::{
        AlarmKind, ErrorCode, FindingName, MismatchKind, ReasonCode, RootSource, State, WitnessState,
    };

    use super::*;

    #[test]
    fn every_word_of_a_report_has_a_sentence_in_both_languages() {
        for lang in [Lang::Zh, Lang::En] {
            let text = Text::of(lang);
            let has = |section: &str, word: &str| {
                assert!(
                    text.find(section, word).is_some_and(|sentence| !sentence.is_empty()),
                    "{lang:?} {section} {word}"
                );
            };
            Verdict::ALL.iter().for_each(|word| has("verdict", word.as_str()));
            Verdict::ALL.iter().for_each(|word| has("meaning", word.as_str()));
            FindingName::ALL.iter().for_each(|word| has("finding", word.as_str()));
            State::ALL.iter().for_each(|word| has("state", word.as_str()));
            ReasonCode::ALL.iter().for_each(|word| has("reason", word.as_str()));
            ErrorCode::ALL.iter().for_each(|word| has("error", word.as_str()));
            MismatchKind::ALL.iter().for_each(|word| has("mismatch", word.as_str()));
            AlarmKind::ALL.iter().for_each(|word| has("alarm", word.as_str()));
            AlarmKind::ALL.iter().for_each(|word| has("alarm-meaning", word.as_str()));
            RootSource::ALL.iter().for_each(|word| has("source", word.as_str()));
            WitnessState::ALL.iter().for_each(|word| has("witness-state", word.as_str()));
        }
    }

    #[test]
    fn both_languages_have_the_same_sentences() {
        let keys = |text: &str| {
            let parsed: Value = serde_json::from_str(text).unwrap();
            let sections = parsed.as_object().unwrap().iter();
            let mut keys: Vec<String> = sections
                .flat_map(|(section, words)| {
                    words.as_object().unwrap().keys().map(move |word| format!("{section}.{word}"))
                })
                .collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(ZH), keys(EN));
    }
}
