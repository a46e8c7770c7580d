//! Receipts (`tlog-proof`): what parses prints as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::TlogProof;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
    }
});
