//! The evidence file: everything, besides the video and the trust file, to verify one recording or deposit offline.
//! `docs/spec/evidence-file.md`.
//!
//! ```text
//! magic 89 4A 5A 45 56 0D 0A 1A ‖ version 01 ‖ one deterministic CBOR item
//! ```

mod builder;
mod wire;

pub use builder::{BuildError, EvidenceFileBuilder, RECEIPT_INTERVAL_MS};
pub use wire::{EVIDENCE_MAGIC, EvidenceFileError, encode_registry_section, parse_registry_section};
pub(crate) use wire::{block_count, read_digests, read_receipt, write_digests};

use tlog::{LeafIndex, TlogProof, TlogProofError};

use crate::commitment::Disclosure;
use crate::entry::Entry;
use crate::ids::{Digest, Sequence};
use crate::limits::MAX_RECEIPT_LEN;
use crate::statement::Statement;
use crate::time::UnixSeconds;

/// A statement and where the chain is said to hold it. Only a receipt proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The statement.
    pub statement: Statement,
    /// Index of its entry.
    pub index: LeafIndex,
    /// When the operator says that it sealed it.
    pub sealed_at: UnixSeconds,
}

impl Sealed {
    /// The entry in the chain.
    pub fn entry(&self) -> Entry {
        Entry::sealing(&self.statement, self.sealed_at)
    }
}

/// Where the chain is said to hold a statement. Only a receipt proves it, so nothing without one has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the entry.
    pub index: LeafIndex,
    /// When the operator says that it sealed the statement.
    pub sealed_at: UnixSeconds,
}

/// The bytes of a C2SP `tlog-proof`, bounded in length and otherwise unread: a damaged receipt fails the verification
/// of the evidence, not its reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(Vec<u8>);

impl Receipt {
    /// A receipt of at most 8 KiB.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= MAX_RECEIPT_LEN).then_some(Self(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses the proof.
    pub fn proof(&self) -> Result<TlogProof, TlogProofError> {
        TlogProof::parse(&self.0)
    }
}

/// A parsed evidence file. **Unverified**: only [`verify`](crate::verify()) says what it proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFile {
    /// Never empty.
    pub(crate) statements: Vec<Statement>,
    /// Ascending.
    pub(crate) receipts: Vec<(Sequence, Place, Receipt)>,
    pub(crate) registry: Vec<(Sealed, Receipt)>,
    /// Ascending.
    pub(crate) disclosures: Vec<(Sequence, Disclosure)>,
    pub(crate) conflicts: Vec<(Sealed, Receipt)>,
    pub(crate) blocks: Vec<Digest>,
}

impl EvidenceFile {
    /// Parses an evidence file.
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceFileError> {
        wire::parse(bytes)
    }

    /// The bytes of the file. The same content always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The statements of the recording from sequence 0, or the one deposit. Never empty.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The first statement: `start` of a recording, or the deposit, if the file is sound.
    pub fn first(&self) -> &Statement {
        // invariant: `parse` and the builder refuse a file without statements
        &self.statements[0]
    }

    /// The place of the last statement, if the file is sound.
    pub(crate) fn last_sequence(&self) -> Sequence {
        Sequence::new((self.statements.len() as u64).saturating_sub(1))
    }

    /// The statements that have receipts, ascending: sequence, the place in the chain that the receipt is to prove, and
    /// the receipt.
    pub fn receipts(&self) -> &[(Sequence, Place, Receipt)] {
        &self.receipts
    }

    /// The statement at `sequence`, its claimed place in the chain, and the receipt for it, if it has one.
    pub fn receipt(&self, sequence: Sequence) -> Option<(Sealed, &Receipt)> {
        let at = self.receipts.binary_search_by_key(&sequence, |(of, _, _)| *of).ok()?;
        let (_, place, receipt) = self.receipts.get(at)?;
        let statement = self.statement(sequence)?.clone();
        Some((Sealed { statement, index: place.index, sealed_at: place.sealed_at }, receipt))
    }

    /// The receipts of the statements as `.tlog-proof` files, ascending: each names its entry, so that it can be read without this
    /// file. Unverified. One that cannot be read is left out.
    pub fn standalone_receipts(&self) -> Vec<(Sequence, String)> {
        let standalone = |(sequence, _, _): &(Sequence, Place, Receipt)| {
            let (sealed, receipt) = self.receipt(*sequence)?;
            let proof = receipt.proof().ok()?;
            let (index, hashes, note) = (proof.index(), proof.proof().clone(), proof.checkpoint().clone());
            let extra = match proof.unauthenticated_extra() {
                Some(extra) => extra.to_vec(),
                None => sealed.entry().to_bytes().to_vec(),
            };
            let proof = TlogProof::new(Some(extra), index, hashes, note).ok()?;
            Some((*sequence, proof.to_string()))
        };
        self.receipts.iter().filter_map(standalone).collect()
    }

    /// The statement at `sequence`, if the file is sound.
    pub(crate) fn statement(&self, sequence: Sequence) -> Option<&Statement> {
        self.statements.get(usize::try_from(sequence.get()).ok()?)
    }

    /// Enrolment of the signer, its revocations, and the newest registry snapshot.
    pub fn registry(&self) -> &[(Sealed, Receipt)] {
        &self.registry
    }

    /// Disclosed facts and the places of the statements that commit to them, ascending.
    pub fn disclosures(&self) -> &[(Sequence, Disclosure)] {
        &self.disclosures
    }

    /// Other statements by the same key for the same recording and place.
    pub fn conflicts(&self) -> &[(Sealed, Receipt)] {
        &self.conflicts
    }

    /// Of a deposit, and only of one: the digests of its 1 MiB segments.
    pub fn blocks(&self) -> &[Digest] {
        &self.blocks
    }

    /// The same evidence without any personal disclosure.
    #[must_use]
    pub fn without_disclosures(mut self) -> Self {
        self.disclosures.clear();
        self
    }
}
