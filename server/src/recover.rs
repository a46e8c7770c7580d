//! Start-up: compares database, object store and published checkpoint, replays what is behind, and refuses to run on
//! a contradiction.
//!
//! What may be found, and what it means:
//!
//! | database | object store | meaning |
//! | --- | --- | --- |
//! | size 0, no archive | no checkpoint | a new log: publish the empty tree |
//! | size n, archive n | checkpoint n | stopped at rest |
//! | size n > m, archive m | checkpoint m | stopped after the commit point: publish |
//! | size n, archive n | checkpoint m < n | stopped between archive and publication: publish |
//! | size n, archive m1 < m2 <= n | checkpoint m1 | an older copy of the objects: replay m2, publish |
//! | size n | checkpoint m > n, or of another root | the database or the objects are another log's, or an old copy: refuse |

use tlog::{Checkpoint, SignedNote, SigningKey, TileBuilder, TreeHead, TreeSize, VerifierKey};

use crate::objects::Objects;
use crate::publish::{Contradiction, PublishError, Publisher};
use crate::store::{Store, StoreError};
use crate::tiles::{TileReadError, Tiles};

/// Archived checkpoints that are read at a time.
const CHUNK: u32 = 256;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The published tree could not be read.
    #[error("The published tree cannot be continued. {0}")]
    Tiles(#[from] TileReadError),
    /// Catching up failed.
    #[error("The log could not be brought up to date. {0}")]
    Publish(#[from] PublishError),
}

impl From<StoreError> for RecoverError {
    fn from(error: StoreError) -> Self {
        Self::Publish(error.into())
    }
}

impl From<Contradiction> for RecoverError {
    fn from(error: Contradiction) -> Self {
        Self::Publish(error.into())
    }
}

/// Brings the published log up to date with the database; gives a publisher that continues from there.
pub async fn recover(
    store: &Store,
    objects: &Objects,
    tiles: &Tiles,
    key: SigningKey,
) -> Result<(Publisher, TreeHead), RecoverError> {
    let edge = published_edge(store, objects, tiles, key.verifier_key()).await?;
    let counted = store.count_entries().await?;
    let committed = store.head().await?.head;
    if counted != committed.size {
        return Err(StoreError::Damaged(format!(
            "The tree head says {} entries, but {counted} are stored.",
            committed.size
        ))
        .into());
    }
    let mut publisher = Publisher::new(store.clone(), objects.clone(), key, edge);
    replay(store, &mut publisher).await?;
    let head = publisher.publish().await?;
    Ok((publisher, head))
}

/// Publishes again, size by size, what was published before and the object store does not have.
async fn replay(store: &Store, publisher: &mut Publisher) -> Result<(), RecoverError> {
    loop {
        let archived = store.checkpoints_after(Some(publisher.edge().size()), CHUNK).await?;
        if archived.is_empty() {
            return Ok(());
        }
        for (_, note) in archived {
            let head = own_checkpoint(&note, publisher.key())?;
            publisher.replay(&head).await?;
        }
    }
}

/// The edge of the tree that the published checkpoint states, recomputed from the published tiles.
async fn published_edge(
    store: &Store,
    objects: &Objects,
    tiles: &Tiles,
    key: &VerifierKey,
) -> Result<TileBuilder, RecoverError> {
    let newest = store.newest_checkpoint().await?;
    let Some(bytes) = objects.checkpoint().await.map_err(PublishError::from)? else {
        return match newest {
            // The empty tree is archived a moment before it is published.
            None | Some((TreeSize::ZERO, _)) => Ok(TileBuilder::new()),
            Some((size, _)) => Err(Contradiction::Published(format!(
                "A checkpoint of size {size} is archived, but none is published: the object store was lost or exchanged."
            ))
            .into()),
        };
    };
    let head = own_checkpoint(&bytes, key)?;
    if store.checkpoint_at(head.size).await?.as_deref() != Some(&bytes[..]) {
        return Err(Contradiction::Archive(head.size).into());
    }
    Ok(tiles.load_edge(&head).await?)
}

/// The tree that a checkpoint of this log states; its signature is checked.
pub fn own_checkpoint(bytes: &[u8], key: &VerifierKey) -> Result<TreeHead, Contradiction> {
    let refuse = |error: &dyn std::fmt::Display| Contradiction::Published(error.to_string());
    let note = SignedNote::parse(bytes).map_err(|error| refuse(&error))?;
    note.verify(std::slice::from_ref(key)).map_err(|error| refuse(&error))?;
    let checkpoint = Checkpoint::unverified(&note).map_err(|error| refuse(&error))?;
    if checkpoint.origin() != key.name().as_str() {
        return Err(Contradiction::Published(format!("Its origin is {}.", checkpoint.origin())));
    }
    Ok(checkpoint.head())
}
