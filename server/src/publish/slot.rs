//! What is published at `/log/checkpoint`. Every write goes through [`Slot`], and none goes back: neither to a smaller tree nor, with the
//! same tree, to an earlier quorum or to fewer cosignatures.

use bytes::Bytes;
use evidence::UnixSeconds;
use tlog::{SignedNote, TreeHead, TreeSize};
use tokio::sync::watch;

use super::PublishError;
use crate::objects::Objects;

/// A published checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedCheckpoint {
    /// The tree.
    pub head: TreeHead,
    /// When a quorum had cosigned; `None` with `quorum none`.
    pub quorum_time: Option<UnixSeconds>,
    /// The signed note.
    pub note: Bytes,
    signatures: usize,
}

impl PublishedCheckpoint {
    /// The checkpoint of `head` with the signatures of `note`.
    pub fn new(head: TreeHead, note: &SignedNote, quorum_time: Option<UnixSeconds>) -> Self {
        let signatures = note.signatures().len();
        Self { head, quorum_time, note: Bytes::copy_from_slice(note.as_bytes()), signatures }
    }

    /// What may only grow.
    fn rank(&self) -> (TreeSize, Option<UnixSeconds>, usize) {
        (self.head.size, self.quorum_time, self.signatures)
    }
}

/// The one writer of the published checkpoint.
#[derive(Debug)]
pub struct Slot {
    objects: Objects,
    shown: watch::Sender<Option<PublishedCheckpoint>>,
    sizes: watch::Sender<TreeSize>,
    /// Whether more cosignatures are shown than are in the object store.
    dirty: bool,
}

impl Slot {
    /// Continues from what the object store has.
    pub fn new(objects: Objects, stored: Option<PublishedCheckpoint>) -> Self {
        let size = stored.as_ref().map_or(TreeSize::ZERO, |stored| stored.head.size);
        let (shown, sizes) = (watch::Sender::new(stored), watch::Sender::new(size));
        Self { objects, shown, sizes, dirty: false }
    }

    /// What is published, and every change of it.
    pub fn watch(&self) -> watch::Receiver<Option<PublishedCheckpoint>> {
        self.shown.subscribe()
    }

    /// The size of the published tree, and every change of it; zero before the first publication.
    pub fn sizes(&self) -> watch::Receiver<TreeSize> {
        self.sizes.subscribe()
    }

    /// The size of the published tree; `None` before the first publication.
    pub fn size(&self) -> Option<TreeSize> {
        self.shown.borrow().as_ref().map(|shown| shown.head.size)
    }

    /// Publishes `next`: durable when this returns. Whatever would go back is passed over.
    pub async fn put(&mut self, next: PublishedCheckpoint) -> Result<(), PublishError> {
        if !self.supersedes(&next) {
            return Ok(());
        }
        self.objects.put_checkpoint(next.note.clone()).await?;
        self.dirty = false;
        self.sizes.send_replace(next.head.size);
        self.shown.send_replace(Some(next));
        Ok(())
    }

    /// Shows more, or newer, cosignatures of the published tree at once; [`Slot::flush`] makes them durable. Receipts never rest on
    /// them.
    pub fn improve(&mut self, next: PublishedCheckpoint) {
        if self.size() == Some(next.head.size) && self.supersedes(&next) {
            self.dirty = true;
            self.shown.send_replace(Some(next));
        }
    }

    /// Writes what is shown, where that has not happened yet.
    pub async fn flush(&mut self) -> Result<(), PublishError> {
        let shown = self.shown.borrow().clone();
        if let Some(shown) = shown.filter(|_| self.dirty) {
            self.objects.put_checkpoint(shown.note).await?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Whether [`Slot::flush`] has something to do.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    fn supersedes(&self, next: &PublishedCheckpoint) -> bool {
        let shown = self.shown.borrow();
        shown.as_ref().is_none_or(|shown| {
            let same_tree = shown.head.size != next.head.size || shown.head.root == next.head.root;
            same_tree && shown.rank() < next.rank()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use tlog::{Checkpoint, KeyAlgorithm, KeyName, SigningKey, cosignature};

    use super::*;

    fn checkpoint(size: u64, time: Option<u64>, witnesses: u8) -> PublishedCheckpoint {
        let key = |name: &str, algorithm, seed| {
            SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
        };
        let head = TreeHead { size: TreeSize::new(size), root: tlog::leaf_hash(&size.to_be_bytes()) };
        let log = key("o", KeyAlgorithm::Ed25519, 1);
        let mut note = Checkpoint::new("o", head).unwrap().sign(&log).unwrap();
        for seed in 0..witnesses {
            let witness = key("w", KeyAlgorithm::CosignatureV1, 2 + seed);
            let signature = cosignature::sign(&witness, time.unwrap_or(1), note.text()).unwrap();
            note = note.with_signature(&signature).unwrap();
        }
        PublishedCheckpoint::new(head, &note, time.map(UnixSeconds::new))
    }

    #[tokio::test]
    async fn the_published_checkpoint_never_goes_back() {
        let objects = Objects::new(Arc::new(InMemory::new()));
        let mut slot = Slot::new(objects.clone(), None);
        let first = checkpoint(5, Some(100), 2);
        slot.put(first.clone()).await.unwrap();
        // An earlier tree, an earlier quorum, fewer cosignatures, no time; and another tree of the same size.
        let mut forked = checkpoint(5, Some(200), 3);
        forked.head.root = tlog::leaf_hash(b"other");
        for back in [
            checkpoint(4, Some(200), 3),
            checkpoint(5, Some(99), 3),
            checkpoint(5, Some(100), 1),
            checkpoint(5, None, 3),
            forked,
        ] {
            slot.put(back.clone()).await.unwrap();
            slot.improve(back);
            slot.flush().await.unwrap();
            assert_eq!(slot.watch().borrow().as_ref(), Some(&first));
            assert_eq!(objects.checkpoint().await.unwrap().unwrap(), first.note);
        }
        // More cosignatures are shown at once, and written when there is time; a later tree is not "more".
        let more = checkpoint(5, Some(100), 3);
        slot.improve(checkpoint(6, Some(300), 3));
        slot.improve(more.clone());
        assert_eq!(slot.watch().borrow().as_ref(), Some(&more));
        assert_eq!(objects.checkpoint().await.unwrap().unwrap(), first.note);
        slot.flush().await.unwrap();
        assert_eq!(objects.checkpoint().await.unwrap().unwrap(), more.note);
        let later = checkpoint(6, Some(90), 1);
        slot.put(later.clone()).await.unwrap();
        assert_eq!(*slot.sizes().borrow(), TreeSize::new(6));
        assert_eq!(objects.checkpoint().await.unwrap().unwrap(), later.note);
    }
}
