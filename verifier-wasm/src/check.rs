//! Checking one entry of the chain, or a receipt for one. What it rests on is compared with what the witnesses show, as
//! for a verdict.

use evidence::report::{ErrorCode, ReasonCode};
use evidence::{
    CoveringRoot, Digest, EntryKind, EntryProof, EntryProofError, FoundEntry, MAX_ARCHIVE_LEN, ReceiptError,
    RootsRequest, RootsStep, TrustFile, UnixSeconds, archive_path, covering_root, examine_receipt,
};
use protocol::chain::{CheckResult, Checked, EntryFacts, ToCheck};
use protocol::report::WitnessState;
use tlog::{LeafIndex, VerifiedCheckpoint};
use web_sys::DedicatedWorkerGlobalScope;

use crate::http::{Ask, FetchError, Patience, fetch};
use crate::look::pin_message;
use crate::roots::{Cancelled, Deadline, compare, fetch_all};
use crate::session::CancelFlag;

/// Checks `what`.
///
/// # Errors
///
/// If the user cancels.
pub async fn check(
    scope: &DedicatedWorkerGlobalScope,
    what: &ToCheck,
    trust: Result<TrustFile, ErrorCode>,
    pins: Vec<Vec<u8>>,
    cancelled: &CancelFlag,
) -> Result<Checked, Cancelled> {
    let Ok(trust) = trust else {
        return Ok(only(CheckResult::NoTrust));
    };
    let checker = Checker { scope, trust: &trust, pins, cancelled };
    match what {
        ToCheck::Receipt(text) => checker.receipt(text).await,
        ToCheck::Index(index) => checker.entry(LeafIndex::new(*index), None).await,
        ToCheck::Statement(statement) => match checker.index_of(*statement).await? {
            Ok(index) => checker.entry(index, Some(*statement)).await,
            Err(result) => Ok(only(result)),
        },
    }
}

/// What a check rests on.
struct Basis {
    checkpoint: VerifiedCheckpoint,
    proven: Option<UnixSeconds>,
}

struct Checker<'a> {
    scope: &'a DedicatedWorkerGlobalScope,
    trust: &'a TrustFile,
    pins: Vec<Vec<u8>>,
    cancelled: &'a CancelFlag,
}

impl Checker<'_> {
    async fn receipt(self, text: &str) -> Result<Checked, Cancelled> {
        let proven = match examine_receipt(text.as_bytes(), self.trust) {
            Ok(proven) => proven,
            Err(error) => return Ok(refused(&error)),
        };
        let found = FoundEntry { entry: *proven.entry(), index: proven.index() };
        let basis = Basis { checkpoint: proven.checkpoint().clone(), proven: proven.proven_time() };
        let checked = Checked { entry: Some(facts(&found, &basis)), ..only(CheckResult::Proven) };
        self.compared(basis, checked).await
    }

    async fn entry(self, index: LeafIndex, statement: Option<Digest>) -> Result<Checked, Cancelled> {
        let basis = match self.basis(index).await {
            Ok(basis) => basis,
            Err(result) => return Ok(only(result)),
        };
        let mut proof = match statement {
            Some(statement) => EntryProof::of_statement(statement, basis.checkpoint.clone()),
            None => EntryProof::at(index, basis.checkpoint.clone()),
        };
        let deadline = Deadline::begin();
        while let RootsStep::Ask(requests) = proof.next() {
            for (request, answer) in fetch_all(self.scope, requests, deadline, self.cancelled).await? {
                proof.answered(&request, answer.ok());
            }
        }
        let checked = match proof.result() {
            Some(Ok(found)) => Checked {
                entry: Some(facts(found, &basis)),
                receipt: proof.receipt().map(|receipt| receipt.to_string()),
                ..only(CheckResult::Proven)
            },
            Some(Err(error)) => unproven(*error),
            None => only(CheckResult::NoAnswer),
        };
        self.compared(basis, checked).await
    }

    /// Where the service says that a statement is sealed.
    async fn index_of(&self, statement: Digest) -> Result<Result<LeafIndex, CheckResult>, Cancelled> {
        let request = RootsRequest::Index(statement);
        let mut answers = fetch_all(self.scope, vec![request], Deadline::begin(), self.cancelled).await?;
        Ok(match answers.pop().map(|(_, answer)| answer) {
            Some(Ok(text)) => RootsRequest::index_in(&text).ok_or(CheckResult::NoAnswer),
            Some(Err(FetchError::Status(404))) => Err(CheckResult::NotFound),
            _ => Err(CheckResult::NoAnswer),
        })
    }

    /// The first archived root that covers the entry.
    async fn basis(&self, index: LeafIndex) -> Result<Basis, CheckResult> {
        let path = archive_path(index);
        let ask = Ask {
            address: &path,
            body: None,
            media_type: "application/octet-stream",
            may_be_any_type: false,
            max_length: MAX_ARCHIVE_LEN,
            patience: Patience::LONG,
            may_be_cached: false,
        };
        match fetch(self.scope, &ask).await {
            // Nothing is published above this size yet.
            Ok(answer) if answer.is_empty() => Err(CheckResult::NotFound),
            Err(FetchError::Status(404)) => Err(CheckResult::NotFound),
            Ok(answer) => covering_root(&answer, index, self.trust)
                .map(|CoveringRoot { checkpoint, cosigned }| Basis { checkpoint, proven: cosigned })
                .ok_or(CheckResult::NoAnswer),
            Err(_) => Err(CheckResult::NoAnswer),
        }
    }

    async fn compared(self, basis: Basis, checked: Checked) -> Result<Checked, Cancelled> {
        let anchor = basis.checkpoint.clone();
        let outcome = compare(self.scope, self.trust, Some(anchor), self.pins, self.cancelled).await?;
        let roots = outcome.finding(&basis.checkpoint, basis.proven.is_some());
        let agreeing = outcome.witnesses.iter().filter(|witness| witness.state == WitnessState::Agrees);
        // As in a verdict: an entry of a chain that contradicts itself proves nothing.
        let is_undone = checked.result == CheckResult::Proven && outcome.is_proof();
        Ok(Checked {
            result: if is_undone { CheckResult::Failed } else { checked.result },
            reason: if is_undone { Some(roots.1) } else { checked.reason },
            receipt: checked.receipt.filter(|_| !is_undone),
            roots: Some(roots),
            agreeing: agreeing.map(|witness| witness.name.clone()).collect(),
            alarm: outcome.alarm,
            pin: outcome.pin.and_then(pin_message),
            ..checked
        })
    }
}

fn only(result: CheckResult) -> Checked {
    Checked {
        result,
        reason: None,
        entry: None,
        receipt: None,
        roots: None,
        agreeing: Vec::new(),
        alarm: None,
        pin: None,
    }
}

/// A receipt that proves nothing, and why.
fn refused(error: &ReceiptError) -> Checked {
    let reason = error.reason();
    let result = match reason {
        ReasonCode::UnknownLog => CheckResult::NoTrust,
        ReasonCode::ReceiptMalformed | ReasonCode::CheckpointMalformed => CheckResult::Unreadable,
        _ => CheckResult::Failed,
    };
    Checked { reason: Some(reason), ..only(result) }
}

/// An entry that could not be proven, and why.
fn unproven(error: EntryProofError) -> Checked {
    match error {
        EntryProofError::NotFound | EntryProofError::BeyondTree { .. } => only(CheckResult::NotFound),
        EntryProofError::Entry(_) | EntryProofError::OtherStatement | EntryProofError::NotIncluded => {
            Checked { reason: Some(ReasonCode::ProofInvalid), ..only(CheckResult::Failed) }
        }
        _ => only(CheckResult::NoAnswer),
    }
}

fn facts(found: &FoundEntry, basis: &Basis) -> EntryFacts {
    let checkpoint = &basis.checkpoint;
    let witnesses = checkpoint.cosignatures().iter();
    EntryFacts {
        origin: checkpoint.origin().to_owned(),
        index: found.index.get(),
        is_registry: found.entry.kind == EntryKind::Registry,
        sealed_at: found.entry.sealed_at.get(),
        statement: found.entry.statement,
        size: checkpoint.head().size.get(),
        root: checkpoint.head().root.to_base64(),
        witnesses: witnesses.map(|one| (one.witness().to_string(), one.timestamp())).collect(),
        proven: basis.proven.map(UnixSeconds::get),
    }
}
