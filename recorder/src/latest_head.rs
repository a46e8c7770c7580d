//! The newest verified checkpoint, shared between the sender, which learns of it, and the capture, which states it.

use std::sync::{Arc, Mutex};

use client::durable::FileError;
use evidence::statement::ChainHead;
use tlog::VerifiedCheckpoint;

use crate::checkpoint::{NewestCheckpoint, SplitView};
use crate::outbox::locked;

/// A shared [`NewestCheckpoint`].
#[derive(Debug, Clone)]
pub struct LatestHead(Arc<Mutex<NewestCheckpoint>>);

impl LatestHead {
    /// Shares it.
    #[must_use]
    pub fn new(newest: NewestCheckpoint) -> Self {
        Self(Arc::new(Mutex::new(newest)))
    }

    /// Size and root for a statement.
    #[must_use]
    pub fn chain_head(&self) -> Option<ChainHead> {
        locked(&self.0).chain_head()
    }

    /// Takes note of a verified checkpoint.
    ///
    /// # Errors
    /// [`SplitView`]
    pub fn observe(&self, checkpoint: &VerifiedCheckpoint) -> Result<(), SplitView> {
        locked(&self.0).observe(checkpoint)
    }

    /// Keeps it for the next run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), FileError> {
        locked(&self.0).save()
    }
}
