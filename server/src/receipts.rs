//! Receipts: inclusion proof and checkpoint of one sealed entry.
//!
//! A receipt always carries the first published checkpoint that covers its entry, which is archived for ever. So a
//! receipt that is asked for again is the same, byte for byte.

use std::sync::Arc;

use evidence::{Entry, EntryKind, Receipt};
use tlog::{LeafIndex, SignedNote, TlogProof, tile_reader};
use tokio::sync::{Mutex, watch};

use crate::store::{SealedRow, Store, StoreError};
use crate::tiles::{NotFetched, TileReadError, Tiles};

/// Entries before the first known one of the newest checkpoint that may be covered by it, too: a batch.
const NEAR: u64 = 2048;

/// Makes receipts of what has been published.
#[derive(Debug, Clone)]
pub struct Receipts {
    store: Store,
    tiles: Tiles,
    published: watch::Receiver<tlog::TreeSize>,
    /// Held while it is asked for, so that the receipts of one batch ask once.
    newest: Arc<Mutex<Option<Covering>>>,
}

/// An archived checkpoint that is published, and the entries of which it is known to be the first that covers them. Both never change.
#[derive(Debug, Clone)]
struct Covering {
    first: LeafIndex,
    size: tlog::TreeSize,
    note: SignedNote,
}

impl Covering {
    fn covers(&self, index: LeafIndex) -> bool {
        self.first <= index && index.get() < self.size.get()
    }

    /// Whether `index` may be of the same batch, or of a later one.
    fn is_near(&self, index: LeafIndex) -> bool {
        index.get().saturating_add(NEAR) >= self.first.get()
    }
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
        Self { store, tiles, published, newest: Arc::default() }
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
        let Some((size, note)) = self.covering(index).await? else { return Ok(None) };
        let tiles = self.tiles.set(tile_reader::inclusion_proof_tiles(index, size)).await?;
        let proof = tile_reader::inclusion_proof(&tiles, index, size)?;
        let extra = entry.to_bytes().to_vec();
        let receipt = TlogProof::new(Some(extra), index, proof, note)?;
        let bytes = receipt.to_string().into_bytes();
        let length = bytes.len();
        Receipt::new(bytes).map(Some).ok_or(ReceiptError::TooLong(length))
    }

    /// The first published checkpoint that covers `index`.
    async fn covering(&self, index: LeafIndex) -> Result<Option<(tlog::TreeSize, SignedNote)>, ReceiptError> {
        let mut newest = self.newest.lock().await;
        if let Some(known) = newest.as_ref().filter(|known| known.covers(index)) {
            return Ok(Some((known.size, known.note.clone())));
        }
        if newest.as_ref().is_some_and(|known| !known.is_near(index)) {
            // Of long ago: whoever asks for the newest does not wait for it.
            drop(newest);
            return self.archived(index).await;
        }
        let found = self.archived(index).await?;
        if let Some((size, note)) = &found
            && newest.as_ref().is_none_or(|known| known.size <= *size)
        {
            *newest = Some(Covering { first: index, size: *size, note: note.clone() });
        }
        Ok(found)
    }

    async fn archived(&self, index: LeafIndex) -> Result<Option<(tlog::TreeSize, SignedNote)>, ReceiptError> {
        let Some((size, note)) = self.store.checkpoint_covering(index).await? else { return Ok(None) };
        // Archived a moment before it is published. Other cosignatures may be published than those that were archived; receipts carry
        // the archived ones for ever.
        if size > self.published() {
            return Ok(None);
        }
        Ok(Some((size, SignedNote::parse(&note)?)))
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
