//! Asking the page's own server for evidence. Only tokens leave the machine (`docs/spec/evidence-file.md`).

use evidence::{LookupAnswer, LookupRequest, LookupResponse, MAX_LOOKUP_RESPONSE_LEN};
use web_sys::DedicatedWorkerGlobalScope;

use crate::http::{Ask, FetchError, Patience, fetch};

const PATH: &str = "/api/v1/evidence/lookup";

/// Asks for the evidence that `request` describes. Every way to get none is told apart: it decides which sentence
/// the user reads.
pub async fn look_up(scope: &DedicatedWorkerGlobalScope, request: &LookupRequest) -> LookupAnswer {
    let body = request.encode();
    let ask = Ask {
        address: PATH,
        body: Some(&body),
        media_type: "application/cbor",
        may_be_any_type: false,
        max_length: MAX_LOOKUP_RESPONSE_LEN,
        patience: Patience::LONG,
        may_be_cached: false,
    };
    match fetch(scope, &ask).await {
        Ok(answer) => LookupResponse::parse(&answer)
            .map_or(LookupAnswer::Nonsense, |response| LookupAnswer::Found(response.files)),
        Err(FetchError::Unreachable | FetchError::Status(408 | 429 | 500..)) => LookupAnswer::NoAnswer,
        // A static file server: the page was opened without its verification service.
        Err(FetchError::Status(404 | 405)) => LookupAnswer::NoServer,
        Err(FetchError::Status(_) | FetchError::TooLong(_) | FetchError::ContentType(_)) => {
            LookupAnswer::Nonsense
        }
    }
}
