//! Trust files: bounded, and kept byte for byte.
#![no_main]

use evidence::TrustFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(trust) = TrustFile::parse(bytes) {
        assert_eq!(trust.bytes(), bytes);
    }
});
