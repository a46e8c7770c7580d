//! What a receipt that proves nothing means for the findings.

use tlog::{CheckpointError, TlogProofError};

use crate::evidence_file::{Receipt, Sealed};
use crate::receipt::{self, ProvenEntry, ReceiptError};
use crate::report::ReasonCode;
use crate::trust::TrustFile;

/// Which finding a receipt fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The trust file knows no such log: nothing can be said.
    UnknownLog,
    /// The proof does not hold.
    Inclusion(ReasonCode),
    /// The proof's checkpoint cannot be believed.
    Checkpoint(ReasonCode),
}

/// Checks that `receipt` proves `sealed` to be in a chain of `trust`.
pub(crate) fn prove(sealed: &Sealed, receipt: &Receipt, trust: &TrustFile) -> Result<ProvenEntry, Fault> {
    receipt::prove(&sealed.entry(), sealed.index, receipt.as_bytes(), trust).map_err(|error| fault_of(&error))
}

impl ReceiptError {
    /// The reason that a report would give for it.
    pub fn reason(&self) -> ReasonCode {
        match fault_of(self) {
            Fault::UnknownLog => ReasonCode::UnknownLog,
            Fault::Inclusion(reason) | Fault::Checkpoint(reason) => reason,
        }
    }
}

fn fault_of(error: &ReceiptError) -> Fault {
    match error {
        ReceiptError::UnknownLog { .. } => Fault::UnknownLog,
        ReceiptError::OtherIndex { .. } => Fault::Inclusion(ReasonCode::ReceiptIndex),
        ReceiptError::Inclusion(_) => Fault::Inclusion(ReasonCode::ProofInvalid),
        ReceiptError::OutsideWindow { .. } => Fault::Checkpoint(ReasonCode::PolicyNotValidThen),
        ReceiptError::Closed => Fault::Checkpoint(ReasonCode::LogClosed),
        ReceiptError::Checkpoint(error) => Fault::Checkpoint(match error {
            CheckpointError::MissingLogSignature { .. } | CheckpointError::LogSignature(_) => {
                ReasonCode::LogSignatureInvalid
            }
            CheckpointError::WitnessSignature(_) => ReasonCode::WitnessSignatureInvalid,
            CheckpointError::NoQuorum { .. } => ReasonCode::NoQuorum,
            _ => ReasonCode::CheckpointMalformed,
        }),
        ReceiptError::Malformed(TlogProofError::Note(_) | TlogProofError::CheckpointBody(_)) => {
            Fault::Checkpoint(ReasonCode::CheckpointMalformed)
        }
        ReceiptError::Malformed(_)
        | ReceiptError::OtherEntry
        | ReceiptError::NoEntry
        | ReceiptError::Entry(_) => Fault::Inclusion(ReasonCode::ReceiptMalformed),
    }
}
