//! Evidence files: what parses is encoded as it was.
#![no_main]

use evidence::EvidenceFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = EvidenceFile::parse(bytes) {
        assert_eq!(file.encode(), bytes);
    }
});
