//! Building evidence files: which receipts belong into one, in which order.

use std::collections::BTreeMap;

use super::wire::check_blocks;
use super::{EvidenceFile, EvidenceFileError, Place, Receipt, Sealed};
use crate::commitment::Disclosure;
use crate::ids::{Digest, Sequence};
use crate::limits::{MAX_CONFLICTS, MAX_EVIDENCE_LEN, MAX_REGISTRY_ITEMS, MAX_SEGMENTS};
use crate::statement::Payload;
use crate::time::UnixMillis;

/// An evidence file holds one receipt for this much capture time, besides those of the first and last statement.
pub const RECEIPT_INTERVAL_MS: u64 = 30_000;

/// Collects the parts of an evidence file.
#[derive(Debug)]
pub struct EvidenceFileBuilder {
    file: EvidenceFile,
    /// Which statements need a receipt, and where they stand.
    wanted: Vec<(Sequence, Place)>,
    receipts: BTreeMap<Sequence, Receipt>,
}

/// Why the parts make no evidence file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to give evidence of.
    #[error("An evidence file needs at least one statement.")]
    Empty,
    /// More statements than a recording may have.
    #[error("A recording has at most {max} statements, not {found}.", max = MAX_SEGMENTS + 2)]
    TooManyStatements {
        /// How many there are.
        found: usize,
    },
    /// A receipt that the file needs is absent: its statement may not be sealed yet.
    #[error("The receipt for the statement with sequence {0} is missing.")]
    ReceiptMissing(Sequence),
    /// The enrolment of the signer is absent.
    #[error("The enrolment of the signer is missing.")]
    EnrolmentMissing,
    /// The digests of the segments of a deposit do not fit the deposit.
    #[error("The segment digests do not fit. {0}")]
    Blocks(#[source] EvidenceFileError),
    /// The file would be longer than evidence files may be.
    #[error("The evidence would have {length} bytes, more than the 64 MiB that a file may have.")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
}

impl EvidenceFileBuilder {
    /// Evidence for a recording, from `start` on in sequence, or for one deposit.
    pub fn new(sealed: Vec<Sealed>) -> Result<Self, BuildError> {
        if sealed.is_empty() {
            return Err(BuildError::Empty);
        }
        if sealed.len() as u64 > MAX_SEGMENTS + 2 {
            return Err(BuildError::TooManyStatements { found: sealed.len() });
        }
        let wanted = select_receipts(&sealed);
        let file = EvidenceFile {
            statements: sealed.into_iter().map(|sealed| sealed.statement).collect(),
            receipts: Vec::new(),
            registry: Vec::new(),
            disclosures: Vec::new(),
            conflicts: Vec::new(),
            blocks: Vec::new(),
        };
        Ok(Self { file, wanted, receipts: BTreeMap::new() })
    }

    /// The places whose receipts the file needs: first, last, and one per 30 s of capture time between.
    pub fn wanted_receipts(&self) -> Vec<Sequence> {
        self.wanted.iter().map(|(sequence, _)| *sequence).collect()
    }

    /// Adds the receipt of the statement at `sequence`; one that is not wanted is left out.
    #[must_use]
    pub fn receipt(mut self, sequence: Sequence, receipt: Receipt) -> Self {
        if self.wanted.binary_search_by_key(&sequence, |(wanted, _)| *wanted).is_ok() {
            self.receipts.insert(sequence, receipt);
        }
        self
    }

    /// Adds a statement of the registry: the enrolment, a revocation, or the newest snapshot. Any order will do.
    #[must_use]
    pub fn registry(mut self, sealed: Sealed, receipt: Receipt) -> Self {
        self.file.registry.push((sealed, receipt));
        self
    }

    /// Adds a disclosed fact.
    #[must_use]
    pub fn disclosure(mut self, sequence: Sequence, disclosure: Disclosure) -> Self {
        self.file.disclosures.push((sequence, disclosure));
        self
    }

    /// Adds another statement by the same key for the same recording and place.
    #[must_use]
    pub fn conflict(mut self, sealed: Sealed, receipt: Receipt) -> Self {
        self.file.conflicts.push((sealed, receipt));
        self
    }

    /// Adds the digests of the 1 MiB segments of a deposit.
    #[must_use]
    pub fn blocks(mut self, blocks: Vec<Digest>) -> Self {
        self.file.blocks = blocks;
        self
    }

    /// The evidence file.
    pub fn build(self) -> Result<EvidenceFile, BuildError> {
        let Self { mut file, wanted, mut receipts } = self;
        for (sequence, place) in wanted {
            let receipt = receipts.remove(&sequence).ok_or(BuildError::ReceiptMissing(sequence))?;
            file.receipts.push((sequence, place, receipt));
        }
        let signer = file.first().kid();
        let enrols = |sealed: &Sealed| match sealed.statement.payload() {
            Payload::Enrol(enrol) => crate::ids::KeyDigest::of(&enrol.key) == signer,
            _ => false,
        };
        // the enrolment comes first; the order of the rest is the chain's
        file.registry.sort_by_key(|(sealed, _)| (!enrols(sealed), sealed.index));
        if !file.registry.first().is_some_and(|(sealed, _)| enrols(sealed)) {
            return Err(BuildError::EnrolmentMissing);
        }
        file.registry.truncate(MAX_REGISTRY_ITEMS);
        file.conflicts.truncate(MAX_CONFLICTS);
        file.disclosures.sort_by_key(|(sequence, _)| *sequence);
        check_blocks(&file).map_err(BuildError::Blocks)?;
        let length = file.encode().len();
        if length > MAX_EVIDENCE_LEN {
            return Err(BuildError::TooLong { length });
        }
        Ok(file)
    }
}

/// First, last, and one per interval. Goes by the device's clock, which decides nothing but the density.
fn select_receipts(sealed: &[Sealed]) -> Vec<(Sequence, Place)> {
    let last = sealed.len() - 1;
    let mut next = UnixMillis::EPOCH;
    let mut wanted = Vec::new();
    for (place, item) in sealed.iter().enumerate() {
        let captured = capture_time(item.statement.payload());
        if place == 0 || place == last || captured >= next {
            let there = Place { index: item.index, sealed_at: item.sealed_at };
            wanted.push((Sequence::new(place as u64), there));
            next = UnixMillis::saturating(captured.get().saturating_add(RECEIPT_INTERVAL_MS));
        }
    }
    wanted
}

fn capture_time(payload: &Payload) -> UnixMillis {
    match payload {
        Payload::Start(start) => start.capture_begin,
        Payload::Segment(segment) => segment.capture_end,
        Payload::End(end) => end.capture_end,
        _ => UnixMillis::EPOCH,
    }
}
