//! Looking evidence up at a verification service. Only tokens leave the machine (`docs/spec/evidence-file.md`).

use std::time::Duration;

use client::{Client, ClientError, ServerUrl};
use evidence::{LookupAnswer, LookupRequest, LookupResponse, MAX_LOOKUP_RESPONSE_LEN, MAX_TRUST_LEN};

const LOOKUP: &str = "/api/v1/evidence/lookup";
const TRUST: &str = "/trust.json";

/// 64 MiB of evidence over a slow line.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Asks `server`, if there is one. Every way to get no evidence is told apart: it decides what the user reads.
#[must_use]
pub fn look_up(server: Option<&ServerUrl>, request: &LookupRequest) -> LookupAnswer {
    let Some(server) = server else { return LookupAnswer::NoServer };
    let answer = Client::new(server.clone()).and_then(|client| {
        let (cbor, body) = ("application/cbor", request.encode());
        client.post(LOOKUP, cbor, body, cbor, MAX_LOOKUP_RESPONSE_LEN, TIMEOUT)
    });
    match answer {
        Ok(answer) => LookupResponse::parse(&answer.body)
            .map_or(LookupAnswer::Nonsense, |response| LookupAnswer::Found(response.files)),
        Err(error) if error.is_temporary() => LookupAnswer::NoAnswer,
        // Somebody on the way redirects, a network's log-in page for example. A browser cannot tell that from silence.
        Err(ClientError::Refused { problem, .. }) if matches!(problem.status, 300..=399) => {
            LookupAnswer::NoAnswer
        }
        // Some other web server: there is no verification service at this address.
        Err(ClientError::Refused { problem, .. }) if matches!(problem.status, 404 | 405) => {
            LookupAnswer::NoServer
        }
        Err(ClientError::Setup { .. }) => LookupAnswer::NoAnswer,
        Err(_) => LookupAnswer::Nonsense,
    }
}

/// The trust file that `server` hands out, to be pinned by somebody who compares its digest.
///
/// # Errors
/// When the server gives none.
pub fn trust_file(server: &ServerUrl) -> Result<Vec<u8>, ClientError> {
    Ok(Client::new(server.clone())?.get(TRUST, "application/json", MAX_TRUST_LEN, TIMEOUT)?.body)
}
