//! One look at the chain: what can be verified, and beside it what the operator says.

use evidence::report::ErrorCode;
use evidence::{Pin, PublishedRoot, RootsOutcome, TrustFile, WitnessRoot};
use protocol::chain::{self, Look, OperatorsWord, Root, Verified, WitnessAnswer};
use web_sys::DedicatedWorkerGlobalScope;

use crate::guard::guards;
use crate::http::{Ask, Patience, fetch};
use crate::roots::{Cancelled, compare};
use crate::session::CancelFlag;

const PATH: &str = "/api/v1/chain";
/// Twenty roots with their witnesses, 120 points, 64 witnesses: a fraction of this.
const MAX_WORD_LEN: usize = 512 << 10;

/// Looks at the chain.
///
/// # Errors
///
/// If the user cancels.
pub async fn look(
    scope: &DedicatedWorkerGlobalScope,
    trust: Result<TrustFile, ErrorCode>,
    pins: Vec<Vec<u8>>,
    cancelled: &CancelFlag,
) -> Result<Look, Cancelled> {
    let operator = ask_operator(scope).await;
    let trust = match trust {
        Ok(trust) => trust,
        Err(code) => return Ok(Look { verified: Err(code), operator, pin: None }),
    };
    let outcome = compare(scope, &trust, None, pins, cancelled).await?;
    let pin = outcome.pin.clone().and_then(pin_message);
    Ok(Look { verified: Ok(verified(outcome, &trust)), operator, pin })
}

/// A pin as the page keeps it: a note is text.
pub fn pin_message(pin: Pin) -> Option<chain::Pin> {
    let note = String::from_utf8(pin.note).ok()?;
    Some(chain::Pin { slot: pin.slot, note })
}

fn verified(outcome: RootsOutcome, trust: &TrustFile) -> Verified {
    let witness = |witness: WitnessRoot| WitnessAnswer {
        name: witness.name,
        state: witness.state,
        size: witness.size,
        cosigned: witness.cosigned,
    };
    Verified {
        published: outcome.published.map(root),
        witnesses: outcome.witnesses.into_iter().map(witness).collect(),
        alarm: outcome.alarm,
        guards: guards(trust),
    }
}

fn root(published: PublishedRoot) -> Root {
    Root {
        origin: published.origin,
        size: published.size,
        root: published.root.to_base64(),
        cosigned: published.cosigned,
    }
}

/// Nothing but what can be shown: an answer with numbers that the page cannot even hold is none.
async fn ask_operator(scope: &DedicatedWorkerGlobalScope) -> Option<OperatorsWord> {
    let ask = Ask {
        address: PATH,
        body: None,
        media_type: "application/json",
        may_be_any_type: false,
        max_length: MAX_WORD_LEN,
        patience: Patience::SHORT,
        may_be_cached: false,
    };
    let answer = fetch(scope, &ask).await.ok()?;
    let word: OperatorsWord = serde_json::from_slice(&answer).ok()?;
    protocol::to_js(&word).is_ok().then_some(word)
}
