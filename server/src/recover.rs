//! Start-up: compares database, object store and published checkpoint, replays what is behind, and refuses to run on
//! a contradiction. Nothing is signed and nothing is published here: first the witnesses are asked ([`crate::witnesses`]), who may
//! know of more.
//!
//! What may be found, and what it means:
//!
//! | database | object store | meaning |
//! | --- | --- | --- |
//! | size 0, no archive | no checkpoint | a new log: the empty tree is to be published |
//! | size n, archive n | checkpoint n | stopped at rest |
//! | size n > m, archive m | checkpoint m | stopped after the commit point: write the tiles, publish |
//! | size n, archive n | checkpoint m < n | stopped between archive and publication: publish what is archived |
//! | size n, archive m1 < m2 <= n | checkpoint m1 | an older copy of the objects: replay m2, publish |
//! | size n | checkpoint m > n, or of another root | the database or the objects are another log's, or an old copy: refuse |
//!
//! The published checkpoint may have other cosignatures than the archived one of its size: late ones, and newer ones.

use tlog::{Checkpoint, SignedNote, TileBuilder, TreeHead, TreeSize, VerifierKey};

use crate::objects::Objects;
use crate::policies::Policies;
use crate::publish::{Contradiction, PublishError, PublishedCheckpoint, TreeWriter};
use crate::store::{Store, StoreError, StoredHead};
use crate::tiles::{TileReadError, Tiles};
use crate::witnesses::WitnessContradiction;

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
    /// A witness has seen another history.
    #[error(transparent)]
    Witness(#[from] WitnessContradiction),
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

/// What start-up found, and made whole.
#[derive(Debug)]
pub struct Recovered {
    /// The committed tree, all of whose tiles are written.
    pub tree: TreeWriter,
    /// Its head.
    pub committed: StoredHead,
    /// What is published, with the time of its quorum.
    pub published: Option<PublishedCheckpoint>,
}

/// Brings the object store up to date with the database.
pub async fn recover(
    store: &Store,
    objects: &Objects,
    tiles: &Tiles,
    policies: &Policies,
) -> Result<Recovered, RecoverError> {
    let published = published(store, objects, policies).await?;
    let edge = match &published {
        Some(published) => tiles.load_edge(&published.head).await?,
        None => TileBuilder::new(),
    };
    let counted = store.count_entries().await?;
    let committed = store.head().await?;
    if counted != committed.head.size {
        return Err(StoreError::Damaged(format!(
            "The tree head says {} entries, but {counted} are stored.",
            committed.head.size
        ))
        .into());
    }
    let mut tree = TreeWriter::new(store.clone(), objects.clone(), tiles.clone(), edge);
    replay(store, &mut tree, policies.log_keys()).await?;
    tree.put(&committed.head).await?;
    Ok(Recovered { tree, committed, published })
}

/// Writes again, size by size, what was published before and the object store does not have: older receipts are made from it.
async fn replay(store: &Store, tree: &mut TreeWriter, keys: &[VerifierKey]) -> Result<(), RecoverError> {
    loop {
        let archived = store.checkpoints_after(Some(tree.edge().size()), CHUNK).await?;
        if archived.is_empty() {
            return Ok(());
        }
        for (_, note) in archived {
            tree.put(&own_checkpoint(&note, keys)?).await?;
        }
    }
}

/// The published checkpoint: signed by this log, and of an archived tree.
async fn published(
    store: &Store,
    objects: &Objects,
    policies: &Policies,
) -> Result<Option<PublishedCheckpoint>, RecoverError> {
    let keys = policies.log_keys();
    let Some(bytes) = objects.checkpoint().await.map_err(PublishError::from)? else {
        return match store.newest_checkpoint().await? {
            // The empty tree is archived a moment before it is published.
            None | Some((TreeSize::ZERO, _)) => Ok(None),
            Some((size, _)) => Err(Contradiction::Published(format!(
                "A checkpoint of size {size} is archived, but none is published: the object store was lost or exchanged."
            ))
            .into()),
        };
    };
    let head = own_checkpoint(&bytes, keys)?;
    let archived =
        store.checkpoint_at(head.size).await?.map(|note| own_checkpoint(&note, keys)).transpose()?;
    if archived != Some(head) {
        return Err(Contradiction::Archive(head.size).into());
    }
    let note = SignedNote::parse(&bytes).map_err(|error| Contradiction::Published(error.to_string()))?;
    let quorum_time = policies.quorum_time(&note);
    Ok(Some(PublishedCheckpoint::new(head, &note, quorum_time)))
}

/// The tree that a checkpoint of this log states; the signature of one of its `keys` is checked.
pub fn own_checkpoint(bytes: &[u8], keys: &[VerifierKey]) -> Result<TreeHead, Contradiction> {
    let refuse = |error: &dyn std::fmt::Display| Contradiction::Published(error.to_string());
    let note = SignedNote::parse(bytes).map_err(|error| refuse(&error))?;
    note.verify(keys).map_err(|error| refuse(&error))?;
    let checkpoint = Checkpoint::unverified(&note).map_err(|error| refuse(&error))?;
    if !keys.iter().any(|key| key.name().as_str() == checkpoint.origin()) {
        return Err(Contradiction::Published(format!("Its origin is {}.", checkpoint.origin())));
    }
    Ok(checkpoint.head())
}
