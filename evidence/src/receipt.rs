//! Receipts: does one prove that a chain holds an entry, and since when? The one place that decides it; `verify`, the recorder, the
//! registrar and the chain page all ask here (`docs/spec/log.md`, "Receipt", and `trust.md` for windows and closed logs).

use tlog::{CheckpointError, LeafIndex, ProofError, TlogProof, TlogProofError, VerifiedCheckpoint};

use crate::entry::{Entry, EntryError};
use crate::statement::Statement;
use crate::time::UnixSeconds;
use crate::trust::{TrustFile, TrustedLogs};

/// An entry that is in a chain of the trust file. Only a verification makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry {
    entry: Entry,
    index: LeafIndex,
    checkpoint: VerifiedCheckpoint,
    proven_time: Option<UnixSeconds>,
}

impl ProvenEntry {
    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its place in the chain.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// The root that commits to it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// When a quorum had cosigned that root; none with `quorum none`, which proves no time.
    pub fn proven_time(&self) -> Option<UnixSeconds> {
        self.proven_time
    }

    /// The proven sealing time where a quorum vouches for one, else the operator's word.
    pub fn sealing_time(&self) -> UnixSeconds {
        self.proven_time.unwrap_or(self.entry.sealed_at)
    }
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// It does not parse.
    #[error("The receipt cannot be read. {0}")]
    Malformed(#[source] TlogProofError),
    /// It is for another place of the chain.
    #[error("The receipt is for the entry at index {found}, not {expected}.")]
    OtherIndex {
        /// Where the entry is said to be.
        expected: LeafIndex,
        /// What the receipt says.
        found: LeafIndex,
    },
    /// Its `extra` line names another entry: somebody has tampered with it.
    #[error("The receipt names another entry than the one it is to prove.")]
    OtherEntry,
    /// It has no `extra` line, so that it cannot be read by itself.
    #[error("The receipt does not say which entry it proves.")]
    NoEntry,
    /// Its `extra` line is no entry of this chain.
    #[error("The receipt does not hold an entry of a notary chain. {0}")]
    Entry(#[source] EntryError),
    /// The trust file knows no such log: nothing can be said.
    #[error("The trust file knows no log with the origin {origin:?}.")]
    UnknownLog {
        /// The origin that the receipt states.
        origin: String,
    },
    /// Its checkpoint cannot be believed.
    #[error("The receipt's checkpoint cannot be believed. {0}")]
    Checkpoint(#[source] CheckpointError),
    /// Its proof does not lead from the entry to the root.
    #[error("The receipt does not prove the entry. {0}")]
    Inclusion(#[source] ProofError),
    /// No policy that it satisfies is valid at that time.
    #[error("The receipt satisfies no policy that is valid at its sealing time, {at} s.")]
    OutsideWindow {
        /// The sealing time, in seconds since 1970.
        at: UnixSeconds,
    },
    /// The tree is none of the closed log.
    #[error("The trust file says that the log was closed with another tree.")]
    Closed,
}

impl From<TlogProofError> for ReceiptError {
    fn from(error: TlogProofError) -> Self {
        match error {
            TlogProofError::Checkpoint(CheckpointError::UnknownLog { origin }) => Self::UnknownLog { origin },
            TlogProofError::Checkpoint(error) => Self::Checkpoint(error),
            // Too many hashes is found by parsing, before there is anything to prove.
            TlogProofError::Inclusion(error) if !matches!(error, ProofError::TooManyHashes { .. }) => {
                Self::Inclusion(error)
            }
            error => Self::Malformed(error),
        }
    }
}

/// Verifies receipts against one trust file.
#[derive(Debug, Clone)]
pub struct ReceiptVerifier {
    trust: TrustFile,
}

impl ReceiptVerifier {
    /// Against this trust file.
    pub fn new(trust: TrustFile) -> Self {
        Self { trust }
    }

    /// The trust file.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Verifies that `receipt` proves `statement`, sealed at `sealed_at`, to be at `index`.
    pub fn verify(
        &self,
        statement: &Statement,
        index: LeafIndex,
        sealed_at: UnixSeconds,
        receipt: &[u8],
    ) -> Result<ProvenEntry, ReceiptError> {
        self.verify_entry(&Entry::sealing(statement, sealed_at), index, receipt)
    }

    /// Verifies that `receipt` proves `entry` to be at `index`.
    pub fn verify_entry(
        &self,
        entry: &Entry,
        index: LeafIndex,
        receipt: &[u8],
    ) -> Result<ProvenEntry, ReceiptError> {
        prove(entry, index, receipt, &self.trust)
    }
}

/// Reads and verifies a receipt by itself: the entry is the one that it carries. That says nothing about a statement until
/// somebody compares the statement's digest with the entry's.
pub fn examine_receipt(receipt: &[u8], trust: &TrustFile) -> Result<ProvenEntry, ReceiptError> {
    let proof = TlogProof::parse(receipt)?;
    let extra = proof.unauthenticated_extra().ok_or(ReceiptError::NoEntry)?;
    let entry = Entry::parse(extra).map_err(ReceiptError::Entry)?;
    prove_parsed(&entry, proof.index(), &proof, trust)
}

/// Checks that `receipt` proves `entry` to be at `index` of a chain of `trust`. Where several policies know the log, such as
/// before and after a change of witnesses, one that is satisfied suffices; of several, the one that proves the earliest time
/// counts, because the operator's word does not stand in for a time that is proven.
pub(crate) fn prove(
    entry: &Entry,
    index: LeafIndex,
    receipt: &[u8],
    trust: &TrustFile,
) -> Result<ProvenEntry, ReceiptError> {
    prove_parsed(entry, index, &TlogProof::parse(receipt)?, trust)
}

fn prove_parsed(
    entry: &Entry,
    index: LeafIndex,
    proof: &TlogProof,
    trust: &TrustFile,
) -> Result<ProvenEntry, ReceiptError> {
    if proof.index() != index {
        return Err(ReceiptError::OtherIndex { expected: index, found: proof.index() });
    }
    // `extra` proves nothing, but a receipt that contradicts itself has been tampered with.
    if proof.unauthenticated_extra().is_some_and(|extra| extra != entry.to_bytes()) {
        return Err(ReceiptError::OtherEntry);
    }
    let leaf = entry.leaf_hash();
    let mut error = None;
    let mut satisfied: Vec<ProvenEntry> = Vec::new();
    for logs in trust.logs() {
        let verified = proof.verify(&leaf, &logs.policy).map_err(ReceiptError::from);
        match verified.and_then(|inclusion| accept(entry, index, inclusion.checkpoint(), logs)) {
            Ok(proven) => satisfied.push(proven),
            Err(other) if error.as_ref().is_none_or(|known| depth(known) <= depth(&other)) => {
                error = Some(other);
            }
            Err(_) => {}
        }
    }
    let best = satisfied.into_iter().min_by_key(|one| (one.proven_time.is_none(), one.proven_time));
    // invariant: a trust file has a policy, which is satisfied or gives an error.
    best.ok_or_else(|| error.unwrap_or(ReceiptError::UnknownLog { origin: String::new() }))
}

/// How far a policy got with a receipt. Of several that fail, the one that got furthest says why: a policy for another log, or
/// for another key of this log, does not know this receipt, and the one whose window has ended does.
fn depth(error: &ReceiptError) -> u8 {
    match error {
        ReceiptError::UnknownLog { .. } => 0,
        ReceiptError::Checkpoint(CheckpointError::MissingLogSignature { .. }) => 1,
        ReceiptError::Checkpoint(_) => 2,
        ReceiptError::OutsideWindow { .. } | ReceiptError::Closed => 4,
        _ => 3,
    }
}

fn accept(
    entry: &Entry,
    index: LeafIndex,
    checkpoint: &VerifiedCheckpoint,
    logs: &TrustedLogs,
) -> Result<ProvenEntry, ReceiptError> {
    let proven_time = logs.policy.quorum_time(checkpoint).map(UnixSeconds::new);
    let proven = ProvenEntry { entry: *entry, index, checkpoint: checkpoint.clone(), proven_time };
    let at = proven.sealing_time();
    if !logs.window.contains(at) {
        return Err(ReceiptError::OutsideWindow { at });
    }
    if logs.admits(checkpoint.head()) { Ok(proven) } else { Err(ReceiptError::Closed) }
}
