//! Submissions, outcomes, lookup requests and answers: what parses is encoded as it was.
#![no_main]

use evidence::{LookupRequest, LookupResponse, Outcome, Submission};
use libfuzzer_sys::fuzz_target;

// The frames around statements and evidence files are not signed and may have been encoded in another way; what parses
// must survive our own encoding. A lookup request has one encoding, so that it can be counted and limited by its length.
fuzz_target!(|bytes: &[u8]| {
    if let Ok(submissions) = Submission::parse_all(bytes)
        && let Ok(submissions) = submissions.into_iter().collect::<Result<Vec<_>, _>>()
    {
        let again = Submission::parse_all(&Submission::encode_all(&submissions)).expect("our own encoding");
        assert_eq!(again.into_iter().collect::<Result<Vec<_>, _>>(), Ok(submissions));
    }
    if let Ok(outcomes) = Outcome::parse_all(bytes) {
        assert_eq!(Outcome::parse_all(&Outcome::encode_all(&outcomes)), Ok(outcomes));
    }
    if let Ok(request) = LookupRequest::parse(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    if let Ok(response) = LookupResponse::parse(bytes) {
        assert_eq!(LookupResponse::parse(&response.encode()), Ok(response));
    }
});
