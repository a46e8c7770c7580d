//! Receipts: verified as a device verifies them, by the operator's trust file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use evidence::{Digest, Entry, TrustFile};
use tlog::{LeafIndex, SignedNote, TlogProof, TreeHead};

/// Verifies receipts. Thousands share one checkpoint, so each note is verified once.
#[derive(Debug)]
pub struct Checker {
    trust: TrustFile,
    notes: Mutex<HashMap<Digest, TreeHead>>,
}

impl Checker {
    /// By the trust file at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self { trust: TrustFile::parse(&bytes)?, notes: Mutex::default() })
    }

    /// The trust file.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Demands that `receipt` proves `entry` to be at `index`; gives the checkpoint in it.
    pub fn check(&self, entry: &Entry, index: LeafIndex, receipt: &[u8]) -> Result<SignedNote> {
        let proof = TlogProof::parse(receipt).context("the receipt does not parse")?;
        ensure!(proof.index() == index, "the receipt is for entry {}, not {index}", proof.index());
        let head = self.verified(proof.checkpoint())?;
        proof.proof().verify(&entry.leaf_hash(), index, &head).context("the receipt proves no inclusion")?;
        Ok(proof.checkpoint().clone())
    }

    /// The tree that a note with a quorum vouches for.
    pub fn verified(&self, note: &SignedNote) -> Result<TreeHead> {
        let digest = Digest::of(note.as_bytes());
        let known = self.notes.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).copied();
        if let Some(head) = known {
            return Ok(head);
        }
        let mut refusal = None;
        let head = self.trust.logs().iter().find_map(|logs| match logs.policy.verify_checkpoint(note) {
            Ok(checkpoint) => Some(checkpoint.head()),
            Err(error) => {
                refusal = Some(error);
                None
            }
        });
        let Some(head) = head else {
            anyhow::bail!("no policy is satisfied by this checkpoint ({refusal:?}):\n{note}");
        };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, head);
        Ok(head)
    }
}
