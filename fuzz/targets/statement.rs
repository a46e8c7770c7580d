//! Statements and disclosures: one encoding each, kept as received.
#![no_main]

use evidence::{Disclosure, Entry, Statement};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.bytes(), bytes);
        let again = Statement::parse(statement.bytes()).expect("it parsed before");
        assert_eq!(again.payload(), statement.payload());
    }
    if let Ok(disclosure) = Disclosure::parse(bytes) {
        assert_eq!(disclosure.to_bytes(), bytes);
    }
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes(), bytes);
    }
});
