//! The object store: what must be there, byte for byte, and what else is there.

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::{Check, FsckError};
use crate::derive::ObjectId;
use crate::objects::CHECKPOINT;

/// Stray files that are listed.
const MAX_STRAY: usize = 100;

impl Check<'_> {
    /// One object against what the entries give. A partial one may be gone once the full one is there.
    pub(super) async fn compare(
        &mut self,
        id: ObjectId,
        expected: &Bytes,
        required: bool,
    ) -> Result<(), FsckError> {
        self.findings.objects += 1;
        match self.subject.objects.get(&id.path()).await? {
            Some(found) if found == *expected => {}
            Some(_) => self.problem(format!("{} has other bytes than the entries give.", Self::name(id))),
            None if required && !self.is_replaced(id).await? => {
                self.problem(format!("{} is missing.", Self::name(id)));
            }
            None => {}
        }
        Ok(())
    }

    async fn is_replaced(&self, id: ObjectId) -> Result<bool, FsckError> {
        match id.full() {
            Some(full) if id.is_partial() => Ok(self.subject.objects.get(&full.path()).await?.is_some()),
            _ => Ok(false),
        }
    }

    /// Everything that the store holds: each object is an object of this tree. Full ones were compared already.
    pub(super) async fn listed(&mut self) -> Result<(), FsckError> {
        let objects = self.subject.objects;
        let mut paths = objects.paths();
        while let Some(path) = paths.try_next().await? {
            if path == CHECKPOINT {
                continue;
            }
            match ObjectId::parse(&path) {
                Some(id) => self.object(id).await?,
                None if self.findings.stray.len() < MAX_STRAY => self.findings.stray.push(path),
                None => {}
            }
        }
        Ok(())
    }

    async fn object(&mut self, id: ObjectId) -> Result<(), FsckError> {
        let widest = id.in_tree(self.derivation.size());
        if widest.is_none_or(|widest| widest.width() < id.width()) {
            self.problem(format!("{} lies beyond the log.", Self::name(id)));
            return Ok(());
        }
        if !id.is_partial() {
            return Ok(());
        }
        // The same hashes or entries, and more of them: what was compared already, or is the last thing that was written.
        let published = id.in_tree(self.archived).filter(|wider| wider.width() >= id.width());
        for wider in [id.full(), published, widest].into_iter().flatten() {
            if wider == id {
                // Compared at its size, if a checkpoint of that size is archived.
                return Ok(());
            }
            if let Some(bytes) = self.subject.objects.get(&wider.path()).await? {
                self.findings.objects += 1;
                let found = self.subject.objects.get(&id.path()).await?;
                if found.is_some_and(|found| !bytes.starts_with(&found) || found.is_empty()) {
                    self.problem(format!("{} is not the beginning of {}.", Self::name(id), wider.path()));
                }
                return Ok(());
            }
        }
        self.findings.stray.push(id.path());
        Ok(())
    }
}
