//! One receipt: does it prove that the chain holds this statement, and since when?

use tlog::{CheckpointError, ProofError, TlogProofError, VerifiedCheckpoint};

use crate::evidence_file::{Receipt, Sealed};
use crate::report::ReasonCode;
use crate::time::UnixSeconds;
use crate::trust::{TrustFile, TrustedLogs};

/// A statement that is in the chain.
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    pub(crate) index: u64,
    pub(crate) sealed_at: UnixSeconds,
    pub(crate) checkpoint: VerifiedCheckpoint,
    /// When a quorum had cosigned; none with `quorum none`.
    pub(crate) proven_time: Option<UnixSeconds>,
}

impl Proven {
    /// The proven sealing time where a quorum vouches for one, else the operator's word.
    pub(crate) fn sealing_time(&self) -> UnixSeconds {
        self.proven_time.unwrap_or(self.sealed_at)
    }
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The trust file knows no such log: nothing can be said.
    UnknownLog,
    /// The proof does not hold.
    Inclusion(ReasonCode),
    /// The proof's checkpoint cannot be believed.
    Checkpoint(ReasonCode),
}

/// Checks that `receipt` proves `sealed` to be in a chain of `trust`. Where several policies know the log, such as
/// before and after a change of witnesses, one that is satisfied suffices; of several, the one that proves the earliest time
/// counts, because the operator's word does not stand in for a time that is proven.
pub(crate) fn prove(sealed: &Sealed, receipt: &Receipt, trust: &TrustFile) -> Result<Proven, Fault> {
    let proof = receipt.proof().map_err(|error| fault_of(&error))?;
    if proof.index() != sealed.index {
        return Err(Fault::Inclusion(ReasonCode::ReceiptIndex));
    }
    let entry = sealed.entry();
    // `extra` proves nothing, but a receipt that contradicts itself has been tampered with.
    if proof.unauthenticated_extra().is_some_and(|extra| extra != entry.to_bytes()) {
        return Err(Fault::Inclusion(ReasonCode::ReceiptMalformed));
    }
    let leaf = entry.leaf_hash();
    let mut fault = Fault::UnknownLog;
    let mut satisfied: Vec<Proven> = Vec::new();
    for logs in trust.logs() {
        let verified = proof.verify(&leaf, &logs.policy).map_err(|error| fault_of(&error));
        match verified.and_then(|inclusion| accept(sealed, inclusion.checkpoint(), logs)) {
            Ok(proven) => satisfied.push(proven),
            Err(Fault::UnknownLog) => {}
            Err(other) => fault = other,
        }
    }
    let best = satisfied.into_iter().min_by_key(|one| (one.proven_time.is_none(), one.proven_time));
    best.ok_or(fault)
}

fn accept(sealed: &Sealed, checkpoint: &VerifiedCheckpoint, logs: &TrustedLogs) -> Result<Proven, Fault> {
    let proven = Proven {
        index: sealed.index.get(),
        sealed_at: sealed.sealed_at,
        checkpoint: checkpoint.clone(),
        proven_time: logs.policy.quorum_time(checkpoint).map(UnixSeconds::new),
    };
    if !logs.window.contains(proven.sealing_time()) {
        return Err(Fault::Checkpoint(ReasonCode::PolicyNotValidThen));
    }
    let head = checkpoint.head();
    let beyond_end = logs
        .closed
        .is_some_and(|last| head.size > last.size || (head.size == last.size && head.root != last.root));
    if beyond_end { Err(Fault::Checkpoint(ReasonCode::LogClosed)) } else { Ok(proven) }
}

fn fault_of(error: &TlogProofError) -> Fault {
    match error {
        TlogProofError::Checkpoint(CheckpointError::UnknownLog { .. }) => Fault::UnknownLog,
        TlogProofError::Checkpoint(error) => Fault::Checkpoint(match error {
            CheckpointError::MissingLogSignature { .. } | CheckpointError::LogSignature(_) => {
                ReasonCode::LogSignatureInvalid
            }
            CheckpointError::WitnessSignature(_) => ReasonCode::WitnessSignatureInvalid,
            CheckpointError::NoQuorum { .. } => ReasonCode::NoQuorum,
            _ => ReasonCode::CheckpointMalformed,
        }),
        TlogProofError::Note(_) | TlogProofError::CheckpointBody(_) => {
            Fault::Checkpoint(ReasonCode::CheckpointMalformed)
        }
        TlogProofError::Inclusion(ProofError::TooManyHashes { .. }) => {
            Fault::Inclusion(ReasonCode::ReceiptMalformed)
        }
        TlogProofError::Inclusion(_) => Fault::Inclusion(ReasonCode::ProofInvalid),
        _ => Fault::Inclusion(ReasonCode::ReceiptMalformed),
    }
}
