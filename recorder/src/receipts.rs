//! Verifying receipts against the trust file. The verifier's own rules are in `evidence`; here only what a recorder must
//! know before it lets go of a statement: this entry is in a tree that a trusted log signed and a quorum cosigned.

use evidence::{Entry, TrustFile, UnixSeconds};
use tlog::{LeafIndex, TlogProof, TlogProofError, VerifiedInclusion};

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// It does not parse.
    #[error("{0}")]
    Malformed(#[source] TlogProofError),
    /// It parses and does not verify under any policy of the trust file. The reason is that of the last policy tried.
    #[error("{0}")]
    Refused(#[source] TlogProofError),
    /// The outcome and its receipt name different places.
    #[error("It is for the entry at index {proven}, not {claimed}.")]
    OtherIndex {
        /// The outcome's index.
        claimed: LeafIndex,
        /// The receipt's.
        proven: LeafIndex,
    },
    /// No policy of the trust file is valid at that time.
    #[error("The trust file has no policy that is valid at the sealing time {at} s.")]
    OutsideWindow {
        /// The sealing time.
        at: UnixSeconds,
    },
    /// A log that was closed has grown.
    #[error("The trust file says that the log was closed with fewer entries.")]
    Closed,
}

/// Verifies receipts against one trust file.
#[derive(Debug)]
pub struct ReceiptVerifier {
    trust: TrustFile,
}

impl ReceiptVerifier {
    /// Against this trust file.
    #[must_use]
    pub fn new(trust: TrustFile) -> Self {
        Self { trust }
    }

    /// The trust file.
    #[must_use]
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Verifies that `receipt` proves `entry` to be at `index`.
    ///
    /// # Errors
    /// [`ReceiptError`]
    pub fn verify(
        &self,
        entry: &Entry,
        index: LeafIndex,
        receipt: &[u8],
    ) -> Result<VerifiedInclusion, ReceiptError> {
        let proof = TlogProof::parse(receipt).map_err(ReceiptError::Malformed)?;
        if proof.index() != index {
            return Err(ReceiptError::OtherIndex { claimed: index, proven: proof.index() });
        }
        let leaf = entry.leaf_hash();
        let mut reason = ReceiptError::OutsideWindow { at: entry.sealed_at };
        for logs in self.trust.logs() {
            match proof.verify(&leaf, &logs.policy) {
                Ok(inclusion) => {
                    let proven = logs.policy.quorum_time(inclusion.checkpoint()).map(UnixSeconds::new);
                    let at = proven.unwrap_or(entry.sealed_at);
                    if logs.closed.is_some_and(|closed| inclusion.checkpoint().head().size > closed.size) {
                        reason = ReceiptError::Closed;
                    } else if logs.window.contains(at) {
                        return Ok(inclusion);
                    } else {
                        reason = ReceiptError::OutsideWindow { at };
                    }
                }
                Err(error) => reason = ReceiptError::Refused(error),
            }
        }
        Err(reason)
    }
}
