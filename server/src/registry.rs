//! The registry section of evidence: enrolment, revocations, newest snapshot, each with its receipt.

use evidence::{Digest, KeyDigest, Receipt, Sealed, Statement};
use tlog::LeafIndex;

use crate::receipts::{ReceiptError, Receipts};
use crate::store::{SealedRow, Store, StoreError};

/// One sealed statement with its receipt.
pub type Attested = (Sealed, Receipt);

/// Why evidence cannot be put together although it is published.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A receipt cannot be made.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The work was broken off.
    #[error("Reading the statements was interrupted: {0}.")]
    Interrupted(String),
    /// The statement behind an entry was lost with an earlier database.
    #[error("The statement of entry {0} is missing: the log was restored from a mirror.")]
    Missing(LeafIndex),
    /// A stored statement cannot be read.
    #[error("Entry {index} cannot be read: {source}.")]
    Statement {
        /// Its position.
        index: LeafIndex,
        /// What is wrong with it.
        source: evidence::StatementError,
    },
}

/// Which enrolment of a key comes first.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// The one that was sealed last.
    Newest,
    /// The one with this digest, else the newest.
    Named(Digest),
}

/// The registry section for the key `kid`; `None` if no enrolment of it is published.
pub async fn section(
    store: &Store,
    receipts: &Receipts,
    kid: &KeyDigest,
    wanted: Wanted,
) -> Result<Option<Vec<Attested>>, AssembleError> {
    let size = receipts.published();
    let Some(facts) = store.key_facts(kid, size).await? else { return Ok(None) };
    let named = match wanted {
        Wanted::Newest => None,
        Wanted::Named(digest) => facts.enrolments.iter().find(|enrolment| enrolment.digest == digest),
    };
    let Some(enrolment) = named.or(facts.enrolments.first()) else { return Ok(None) };
    let mut indices = vec![enrolment.index];
    indices.extend(facts.revocations.iter().map(|(index, _)| *index));
    indices.extend(store.newest_snapshot(size).await?);
    let mut section = Vec::with_capacity(indices.len());
    for index in indices {
        if let Some(attested) = attested(store, receipts, index).await? {
            section.push(attested);
        }
    }
    Ok(Some(section))
}

async fn attested(
    store: &Store,
    receipts: &Receipts,
    index: LeafIndex,
) -> Result<Option<Attested>, AssembleError> {
    let Some(row) = store.entry(index).await? else { return Ok(None) };
    let Some(receipt) = receipts.of_row(&row).await? else { return Ok(None) };
    Ok(Some((sealed(&row)?, receipt)))
}

/// A stored entry in the form in which evidence carries it.
pub fn sealed(row: &SealedRow) -> Result<Sealed, AssembleError> {
    let bytes = row.statement.as_deref().ok_or(AssembleError::Missing(row.index))?;
    let statement =
        Statement::parse(bytes).map_err(|source| AssembleError::Statement { index: row.index, source })?;
    Ok(Sealed { statement, index: row.index, sealed_at: row.sealed_at })
}
