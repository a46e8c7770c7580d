//! Receipts: inclusion proof and checkpoint of one sealed entry.
//!
//! A receipt always carries the first published checkpoint that covers its entry, which is archived for ever. So a
//! receipt that is asked for again is the same, byte for byte.

use evidence::{Entry, EntryKind, Receipt};
use tlog::{LeafIndex, SignedNote, TlogProof, tile_reader};
use tokio::sync::watch;

use crate::store::{SealedRow, Store, StoreError};
use crate::tiles::{NotFetched, TileReadError, Tiles};

/// Makes receipts of what has been published.
#[derive(Debug, Clone)]
pub struct Receipts {
    store: Store,
    tiles: Tiles,
    published: watch::Receiver<tlog::TreeSize>,
}

/// Why there is no receipt although the entry is published.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tile could not be read.
    #[error(transparent)]
    Tiles(#[from] TileReadError),
    /// The tiles give no proof.
    #[error("{0}")]
    Proof(#[from] tlog::ReadError<NotFetched>),
    /// The archived checkpoint is not one.
    #[error("The archived checkpoint cannot be used. {0}")]
    Note(#[from] tlog::NoteError),
    /// More cosignatures than a receipt may carry.
    #[error("The receipt would have {0} bytes, more than a receipt may have.")]
    TooLong(usize),
    /// The parts do not make a receipt.
    #[error("{0}")]
    Parts(#[from] tlog::TlogProofError),
}

impl Receipts {
    /// Receipts for what `published` covers.
    pub fn new(store: Store, tiles: Tiles, published: watch::Receiver<tlog::TreeSize>) -> Self {
        Self { store, tiles, published }
    }

    /// The size of the published tree. Nothing beyond it is shown to anybody.
    pub fn published(&self) -> tlog::TreeSize {
        *self.published.borrow()
    }

    /// Tells whenever the published tree has grown.
    pub fn watch(&self) -> watch::Receiver<tlog::TreeSize> {
        self.published.clone()
    }

    /// Whether the entry at `index` is published.
    pub fn covers(&self, index: LeafIndex) -> bool {
        index.get() < self.published().get()
    }

    /// The receipt of the entry at `index`; `None` while it is not published.
    pub async fn receipt(&self, index: LeafIndex, entry: &Entry) -> Result<Option<Receipt>, ReceiptError> {
        let Some((size, note)) = self.store.checkpoint_covering(index).await? else { return Ok(None) };
        // Archived a moment before it is published. Other cosignatures may be published than those that were archived; receipts carry
        // the archived ones for ever.
        if size > self.published() {
            return Ok(None);
        }
        let tiles = self.tiles.set(tile_reader::inclusion_proof_tiles(index, size)).await?;
        let proof = tile_reader::inclusion_proof(&tiles, index, size)?;
        let extra = entry.to_bytes().to_vec();
        let receipt = TlogProof::new(Some(extra), index, proof, SignedNote::parse(&note)?)?;
        let bytes = receipt.to_string().into_bytes();
        let length = bytes.len();
        Receipt::new(bytes).map(Some).ok_or(ReceiptError::TooLong(length))
    }

    /// The receipt of a stored entry.
    pub async fn of_row(&self, row: &SealedRow) -> Result<Option<Receipt>, ReceiptError> {
        let entry = entry_of(row)?;
        self.receipt(row.index, &entry).await
    }
}

/// The entry that commits to a stored statement, as the database has it.
pub fn entry_of(row: &SealedRow) -> Result<Entry, StoreError> {
    let kind = match row.kind {
        0 => EntryKind::Evidence,
        1 => EntryKind::Registry,
        kind => return Err(StoreError::Damaged(format!("Entry {} has the unknown kind {kind}.", row.index))),
    };
    Ok(Entry { kind, sealed_at: row.sealed_at, statement: row.digest })
}
