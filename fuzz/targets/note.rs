//! Signed notes and verifier keys: what parses prints as it was, and parses again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{SignedNote, VerifierKey};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.as_bytes(), bytes);
        let again = SignedNote::from_parts(note.text(), note.signatures()).expect("its parts are valid");
        assert_eq!(again.as_bytes(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = text.parse::<VerifierKey>()
    {
        assert_eq!(key.to_string(), text);
    }
});
