//! Publication (steps 4 to 6 of the write path): tiles and bundles to the object store, the signed checkpoint to the witnesses, and with a
//! quorum to everybody.
//!
//! | module | what |
//! | --- | --- |
//! | [`tree`] | tiles and bundles, derived from stored bytes |
//! | [`slot`] | what is published: the one place that writes it, and it never goes back |
//! | [`offering`] | one tree on its way: who has cosigned it |
//! | [`run`](run()) | when what happens |
//!
//! One tree is offered at a time, until it is published: a slow quorum would never agree on a moving target. What is committed
//! meanwhile comes with the next.

pub mod offering;
mod run;
pub mod slot;
pub mod tree;

use std::sync::Arc;

use evidence::UnixSeconds;
use tlog::{
    Checkpoint, CheckpointParseError, Hash, LeafIndex, NoteError, NoteSignature, SignedNote, TreeHead,
    TreeSize, VerifierKey,
};
use tokio::sync::watch;

use self::offering::Offering;
pub use self::run::{Feeds, Pace, run};
pub use self::slot::{PublishedCheckpoint, Slot};
pub use self::tree::TreeWriter;
use crate::clock::{Clock, Vouched};
use crate::health::{Health, Part};
use crate::keys::KeyRing;
use crate::metrics::Metrics;
use crate::objects::ObjectError;
use crate::policies::Policies;
use crate::store::commit::BoxFuture;
use crate::store::{Store, StoreError};
use crate::witnesses::{Offer, WitnessContradiction};

/// How far the time of a quorum may lie before the sealing time of the newest entry: a checkpoint that is older than what it covers
/// would be a lie, and readers may refuse it. The witnesses' clocks and ours are not the same clock.
pub(crate) const MAX_AHEAD: u64 = 60;

/// Where the first published checkpoint of each size is kept for ever.
///
/// Promises: durable after `Ok`; a size has one note, and archiving another one for it fails. `Err` promises nothing.
pub trait Archive: Send + Sync + 'static {
    /// Archives `note` as the checkpoint of `size`.
    fn archive<'a>(&'a self, size: TreeSize, note: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl Archive for Store {
    fn archive<'a>(&'a self, size: TreeSize, note: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.archive_checkpoint(size, note))
    }
}

/// Why a tree is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The database failed; it may work later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store failed; it may work later.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// No policy of the trust file is in force, or none that names a key of this service; a window may open later.
    #[error(
        "No policy of trust.json that is in force names a key that this service holds, so nothing can be signed."
    )]
    NoPolicy,
    /// What is stored contradicts itself. Nothing may be signed.
    #[error("{0}")]
    Contradiction(#[from] Contradiction),
}

/// Two stored facts that cannot both be true.
#[derive(Debug, thiserror::Error)]
pub enum Contradiction {
    /// The committed tree is smaller than the published one.
    #[error(
        "The database holds {committed} entries, but {published} are published: it was restored from a copy."
    )]
    Behind {
        /// Size in the database.
        committed: TreeSize,
        /// Size published.
        published: TreeSize,
    },
    /// An entry is missing from the database.
    #[error("The database has no entry {0}.")]
    MissingEntry(LeafIndex),
    /// A statement's bytes are not those that were sealed.
    #[error("The statement of entry {0} does not hash to the digest beside it.")]
    Digest(LeafIndex),
    /// The sealing times go back.
    #[error("Entry {0} was sealed before the entry in front of it.")]
    TimeGoesBack(LeafIndex),
    /// The entries hash to another root than the committed one.
    #[error("The {size} stored entries hash to {found}, not to the committed root {expected}.")]
    Root {
        /// Size of the tree.
        size: TreeSize,
        /// The root of the stored entries.
        found: Hash,
        /// The committed root.
        expected: Hash,
    },
    /// A published object has other bytes than it must have.
    #[error("{0}")]
    Object(ObjectError),
    /// The tree cannot be signed.
    #[error("The checkpoint cannot be made. {0}")]
    Checkpoint(#[from] CheckpointParseError),
    /// The tree cannot be signed.
    #[error("The checkpoint cannot be signed. {0}")]
    Sign(#[from] NoteError),
    /// An entry does not fit a bundle.
    #[error("{0}")]
    Bundle(#[from] tlog::BundleError),
    /// The published checkpoint is not by this log.
    #[error("The published checkpoint is not this log's. {0}")]
    Published(String),
    /// The archive and the object store disagree.
    #[error("The published checkpoint of size {0} is not of the archived tree.")]
    Archive(TreeSize),
    /// A witness proves that there was another history.
    #[error("{0}")]
    Witness(#[from] WitnessContradiction),
}

impl PublishError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(StoreError::Database(_))
            | Self::Objects(ObjectError::Store { .. })
            | Self::NoPolicy => true,
            Self::Store(_) | Self::Objects(_) | Self::Contradiction(_) => false,
        }
    }
}

/// Signs and publishes committed trees.
pub struct Publisher {
    /// What is committed, and what is archived.
    pub store: Store,
    /// Where the archive is written: the same database, or a double in tests.
    pub archive: Arc<dyn Archive>,
    /// Tiles.
    pub tree: TreeWriter,
    /// The log's keys.
    pub keys: KeyRing,
    /// Who must have cosigned.
    pub policies: Arc<Policies>,
    /// For windows of validity, and for a time that cannot be.
    pub clock: Arc<dyn Clock>,
    /// What is published.
    pub slot: Slot,
    /// What time it is by the newest quorum since the start.
    pub vouched: watch::Sender<Option<Vouched>>,
    /// What witnesses are to cosign.
    pub offers: watch::Sender<Option<Arc<Offer>>>,
    /// What is wrong.
    pub health: Health,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The tree on its way, or the one that was published last.
    pub current: Option<Offering>,
    /// The tree that was published before it: cosignatures of it may still come.
    pub previous: Option<Offering>,
}

impl Publisher {
    /// Publishes what was archived and then not published: the process ended in between. Nothing new is signed.
    pub async fn resume(&mut self) -> Result<(), PublishError> {
        let Some((size, note)) = self.store.newest_checkpoint().await? else { return Ok(()) };
        if self.slot.size() >= Some(size) || size > self.tree.edge().size() {
            return Ok(());
        }
        let note = SignedNote::parse(&note).map_err(|error| Contradiction::Published(error.to_string()))?;
        let head = Checkpoint::unverified(&note).map_err(Contradiction::from)?.head();
        let quorum_time = self.policies.quorum_time(&note);
        self.slot.put(PublishedCheckpoint::new(head, &note, quorum_time)).await?;
        self.published(size);
        Ok(())
    }

    /// Writes the committed tree, signs it and offers it to the witnesses: the same tree again if there is no newer one. Where no
    /// witness is asked, it is published at once.
    pub async fn offer(&mut self) -> Result<(), PublishError> {
        let committed = self.store.head().await?;
        self.tree.put(&committed.head).await?;
        let now = self.clock.now_seconds();
        let note = self.sign(&committed.head, now)?;
        let asked: Vec<VerifierKey> =
            self.policies.asked(now).into_iter().map(|witness| witness.key().clone()).collect();
        let number = 1 + self.current.as_ref().map_or(0, |current| current.number);
        let offer = Offer { number, head: committed.head, note: note.clone(), asked };
        match &mut self.current {
            Some(current) if current.head == committed.head => current.renew(number, note),
            current => {
                let next = Offering::new(number, committed.head, committed.sealed_at, note);
                self.previous = current.replace(next).filter(|offering| offering.published);
            }
        }
        self.offers.send_replace(Some(Arc::new(offer)));
        self.advance().await
    }

    /// A witness has cosigned. What it cosigned is published if that makes a quorum, or improved if it is published already.
    pub async fn cosigned(
        &mut self,
        key: &VerifierKey,
        head: &TreeHead,
        signature: NoteSignature,
    ) -> Result<(), PublishError> {
        if let Some(current) = self.current.as_mut().filter(|current| current.head == *head) {
            current.add(key, signature);
            return self.advance().await;
        }
        if let Some(previous) = self.previous.as_mut().filter(|previous| previous.head == *head) {
            previous.add(key, signature);
            let note = previous.note()?;
            let quorum_time = self.policies.quorum_time(&note);
            let late = PublishedCheckpoint::new(*head, &note, quorum_time);
            self.slot.improve(late);
        }
        Ok(())
    }

    /// Publishes the current tree if a policy is satisfied. Safe to repeat.
    pub async fn advance(&mut self) -> Result<(), PublishError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let now = self.clock.now_seconds();
        let note = current.note()?;
        let Some(satisfied) = self.policies.satisfied(&note, now) else { return Ok(()) };
        if let Some(stated) = satisfied.quorum_time {
            // Only a later time is news: an old cosignature says nothing about the present.
            self.vouched.send_if_modified(|vouched| {
                let later = vouched.is_none_or(|vouched| vouched.stated() < stated);
                if later {
                    *vouched = Some(Vouched::now_at(stated));
                }
                later
            });
        }
        let time = satisfied.quorum_time.unwrap_or(now);
        if time.get().saturating_add(MAX_AHEAD) < current.sealed_at.get() {
            current.stale = true;
            self.health.trouble(
                Part::Clock,
                format!(
                    "The newest entry was sealed at {}, and it was cosigned at {time}: the service's clock is or was ahead. Nothing is published until the time has come.",
                    current.sealed_at
                ),
            );
            return Ok(());
        }
        current.stale = false;
        self.health.well(Part::Clock);
        let (head, published) = (current.head, current.published);
        let next = PublishedCheckpoint::new(head, &note, satisfied.quorum_time);
        if published {
            self.slot.improve(next);
            return Ok(());
        }
        if self.store.checkpoint_at(head.size).await?.is_none() {
            self.archive.archive(head.size, note.as_bytes()).await?;
            self.metrics.archived.inc();
        }
        self.slot.put(next).await?;
        if let Some(current) = &mut self.current {
            current.published = true;
        }
        self.published(head.size);
        Ok(())
    }

    /// Whether those witnesses that agreed with the database are enough: the others could not have cosigned a newer tree by themselves.
    pub fn is_checked(&self, agreed: &[VerifierKey]) -> bool {
        !self.policies.could_hide_a_tree(self.clock.now_seconds(), &|key| !agreed.contains(key))
    }

    /// Whether a tree is on its way.
    pub fn is_underway(&self) -> bool {
        self.current.as_ref().is_some_and(|current| !current.published)
    }

    fn published(&self, size: TreeSize) {
        self.metrics.published_size.set(size.get());
        self.health.well(Part::Published);
        tracing::debug!(size = size.get(), "published");
    }

    fn sign(&self, head: &TreeHead, now: UnixSeconds) -> Result<SignedNote, PublishError> {
        let checkpoint = Checkpoint::new(self.policies.origin(), *head).map_err(Contradiction::from)?;
        let signers = self.keys.signers(self.policies.in_force(now));
        let mut note: Option<SignedNote> = None;
        for key in signers {
            let signed = checkpoint.sign(key).map_err(Contradiction::from)?;
            note = Some(match note {
                None => signed,
                Some(note) => {
                    // invariant: `sign` gives a note with one signature.
                    let added = signed.signatures().first().map(|signature| note.with_signature(signature));
                    added.unwrap_or(Ok(signed)).map_err(Contradiction::from)?
                }
            });
        }
        note.ok_or(PublishError::NoPolicy)
    }
}
