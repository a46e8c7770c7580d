//! The chain roots that this browser remembers (`docs/spec/roots.md`, “Pins”). They live here and not in the worker,
//! which has no such storage.

use std::collections::BTreeMap;

use leptos::prelude::window;
use protocol::chain::Pin;

/// Before the name of the log and of its key in the browser's storage.
const PREFIX: &str = "jianzhen.pin.";
/// A signed note is no longer (`docs/spec/log.md`).
const MAX_PIN_LEN: usize = 512 << 10;

/// The pins as they were when some work began, by the name under which they are kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pins(BTreeMap<String, String>);

impl Pins {
    /// What this browser remembers now. A browser that forbids storage remembers nothing, and the page works.
    pub(crate) fn read() -> Self {
        let Some(storage) = storage() else {
            return Self::default();
        };
        let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok().flatten());
        Self::sorted_out(keys.filter_map(|key| {
            let note = storage.get_item(&key).ok().flatten()?;
            Some((key, note))
        }))
    }

    fn sorted_out(items: impl Iterator<Item = (String, String)>) -> Self {
        let pins = items.filter_map(|(key, note)| Some((key.strip_prefix(PREFIX)?.to_owned(), note)));
        // However many there are, none is left out: another one's chains must not crowd out ours. Browsers give 5 MB in all.
        Self(pins.filter(|(_, note)| note.len() <= MAX_PIN_LEN).collect())
    }

    /// The notes, to be passed with the work.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.0.values().cloned().collect()
    }

    /// Remembers what came of the work that began with these pins.
    pub(crate) fn keep(&self, pin: &Pin) {
        let Some(storage) = storage() else {
            return;
        };
        let key = format!("{PREFIX}{}", pin.slot);
        let stored = storage.get_item(&key).ok().flatten();
        if self.may_replace(&pin.slot, stored.as_deref()) {
            // Where the storage is full the browser goes on remembering what it has.
            drop(storage.set_item(&key, &pin.note));
        }
    }

    /// Only what the new pin was compared with may give way to it: another tab may have stored a later one meanwhile.
    fn may_replace(&self, slot: &str, stored: Option<&str>) -> bool {
        match stored {
            None => true,
            // What is too long to be a pin was never passed.
            Some(note) if note.len() > MAX_PIN_LEN => true,
            Some(note) => self.0.get(slot).is_some_and(|passed| passed == note),
        }
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn pins(items: &[(&str, &str)]) -> Pins {
        Pins::sorted_out(items.iter().map(|(key, note)| ((*key).to_owned(), (*note).to_owned())))
    }

    #[wasm_bindgen_test]
    fn only_pins_are_passed_and_none_crowds_out_another() {
        let read =
            pins(&[("jianzhen.pin.a.test/log", "note a"), ("jianzhen.language", "zh"), ("other", "x")]);
        assert_eq!(read.notes(), ["note a"]);
        let long = "x".repeat(MAX_PIN_LEN + 1);
        assert_eq!(pins(&[("jianzhen.pin.a.test/log", &long)]).notes(), [""; 0]);
        let many: Vec<String> = (0..100).map(|number| format!("{PREFIX}{number}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "note")).collect();
        assert_eq!(pins(&many).notes().len(), 100);
    }

    #[wasm_bindgen_test]
    fn a_pin_gives_way_only_to_what_was_compared_with_it() {
        let passed = pins(&[("jianzhen.pin.a.test/log", "old")]);
        assert!(passed.may_replace("a.test/log", Some("old")));
        assert!(!passed.may_replace("a.test/log", Some("newer, of another tab")));
        assert!(!passed.may_replace("b.test/log", Some("stored meanwhile by another tab")));
        assert!(passed.may_replace("b.test/log", None));
        assert!(passed.may_replace("a.test/log", Some(&"x".repeat(MAX_PIN_LEN + 1))));
    }
}
