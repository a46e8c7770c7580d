//! Submissions, outcomes, lookup requests and answers: what parses is encoded as it was.
#![no_main]

use evidence::{LookupRequest, LookupResponse, Outcome, Submission};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(submissions) = Submission::parse_all(bytes)
        && let Ok(submissions) = submissions.into_iter().collect::<Result<Vec<_>, _>>()
    {
        assert_eq!(Submission::encode_all(&submissions), bytes);
    }
    if let Ok(outcomes) = Outcome::parse_all(bytes) {
        assert_eq!(Outcome::encode_all(&outcomes), bytes);
    }
    if let Ok(request) = LookupRequest::parse(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    if let Ok(response) = LookupResponse::parse(bytes) {
        // An answer is not signed, so it may have been encoded in another way; the evidence in it may not.
        assert_eq!(LookupResponse::parse(&response.encode()), Ok(response));
    }
});
