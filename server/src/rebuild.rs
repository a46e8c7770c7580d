//! The object store, made again from the database: after a restore.

use evidence::{TrustFile, UnixSeconds};
use tlog::{LeafIndex, TreeSize};

use crate::derive::{Derivation, ObjectId};
use crate::objects::{ObjectError, Objects};
use crate::store::{Store, StoreError};

/// Entries that are read at a time.
const CHUNK: u32 = 1024;

/// Archived checkpoints that are read at a time.
const CHECKPOINTS: u32 = 256;

/// Why the object store could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The database does not answer, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store does not answer, or holds something else.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The entries are not those of the tree head.
    #[error("The stored entries do not have the committed root; run fsck on the source of this copy.")]
    Root,
}

/// Writes every object that the archived checkpoints need: all full tiles and bundles, those partial ones of archived sizes that no full
/// one replaces, and at last the newest archived checkpoint. What is there already must be the same.
pub async fn rebuild(store: &Store, objects: &Objects) -> Result<TreeSize, RebuildError> {
    let committed = store.head().await?.head;
    let mut derivation = Derivation::new();
    let mut after = None;
    loop {
        let archived = store.checkpoints_after(after, CHECKPOINTS).await?;
        let Some((last, _)) = archived.last() else { break };
        after = Some(*last);
        for (size, _) in archived {
            grow(store, objects, &mut derivation, size, committed.size).await?;
        }
    }
    let published = derivation.size();
    grow(store, objects, &mut derivation, committed.size, committed.size).await?;
    if derivation.head() != committed {
        return Err(RebuildError::Root);
    }
    if let Some((_, note)) = store.newest_checkpoint().await? {
        objects.put_checkpoint(note.into()).await?;
    }
    Ok(published)
}

/// Appends the entries up to `size`.
async fn grow(
    store: &Store,
    objects: &Objects,
    derivation: &mut Derivation,
    size: TreeSize,
    committed: TreeSize,
) -> Result<(), RebuildError> {
    while derivation.size() < size {
        let left = u32::try_from(size.get() - derivation.size().get()).unwrap_or(CHUNK).min(CHUNK);
        let rows = store.entries(LeafIndex::new(derivation.size().get()), left).await?;
        if rows.is_empty() {
            return Err(RebuildError::Root);
        }
        let changed = derivation.append(&rows)?;
        for (id, bytes) in changed {
            // At the end of a chunk nothing was published.
            let at_edge =
                derivation.size() == size && id.in_tree(committed).is_some_and(ObjectId::is_partial);
            if !id.is_partial() || at_edge {
                objects.put_once(&id.path(), bytes).await?;
            }
        }
    }
    Ok(())
}

/// Whether the newest archived checkpoint satisfies a policy of `trust`; gives its size.
pub async fn newest_trusted(store: &Store, trust: &TrustFile) -> Result<Option<TreeSize>, StoreError> {
    let Some((size, note)) = store.newest_checkpoint().await? else { return Ok(None) };
    let sealed_at: Option<UnixSeconds> = match size.get().checked_sub(1) {
        Some(last) => store.entry(LeafIndex::new(last)).await?.map(|row| row.sealed_at),
        None => None,
    };
    Ok(jianzhen_audit::Trusted::new(trust, &note, sealed_at).is_ok().then_some(size))
}
