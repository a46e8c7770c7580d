//! The object store: the published log as static files. The second of the two storage seams.
//!
//! Promises that the service relies on: `put` is atomic and, after `Ok`, durable; `Create` fails if the object exists.
//! `LocalFileSystem` keeps them with `with_fsync`. Everything but `checkpoint` is written once; a partial tile or bundle goes when the
//! full one is durable.
//!
//! A store across a network may carry out a write long after it was given up. So `checkpoint` is replaced conditionally (`Update`)
//! wherever the store can do that: a late write of an older one then finds another version there and fails. A directory on this
//! machine cannot, and needs not: a write there is over when the call returns, and the data directory has one writer (its lock).

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, UpdateVersion};
use tokio::sync::Mutex;

/// The address of the newest published checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// The published log.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Held while `checkpoint` is written.
    version: Arc<Mutex<Version>>,
}

/// What is known of the stored `checkpoint`.
#[derive(Debug, Default)]
enum Version {
    /// Nothing: the last write failed, or there was none.
    #[default]
    Unknown,
    /// It is as this process wrote it.
    Known(UpdateVersion),
    /// The store does not do conditional replacement.
    Unsupported,
}

/// Why the object store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The store failed; the object may have been written.
    #[error("The object store failed on {path}: {source}.")]
    Store {
        /// The object.
        path: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// An immutable object is there with other bytes.
    #[error("The object {path} is there already with other bytes; published objects never change.")]
    Contradiction {
        /// The object.
        path: String,
    },
    /// The directory cannot be used.
    #[error("The object store cannot be opened: {0}.")]
    Open(#[source] object_store::Error),
}

impl Objects {
    /// Objects as files below `directory`, which exists; every write is followed by fsync of file and directory.
    pub fn local(directory: &FilePath) -> Result<Self, ObjectError> {
        let store = LocalFileSystem::new_with_prefix(directory).map_err(ObjectError::Open)?;
        Ok(Self::new(Arc::new(store.with_fsync(true).with_automatic_cleanup(true))))
    }

    /// Objects in any store that keeps the promises above.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, version: Arc::default() }
    }

    /// Writes an object that never changes. Writing the same bytes again is fine, and makes them durable: that an object can be
    /// read does not say that the write that failed, or the process that died over it, got it onto the medium.
    pub async fn put_once(&self, path: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let options = PutMode::Create.into();
        match self.store.put_opts(&Path::from(path), PutPayload::from_bytes(bytes.clone()), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => match self.get(path).await? {
                Some(found) if found == bytes => self.put(path, bytes).await,
                _ => Err(ObjectError::Contradiction { path: path.to_owned() }),
            },
            Err(source) => Err(ObjectError::Store { path: path.to_owned(), source }),
        }
    }

    /// Replaces the published checkpoint. Not to be given up halfway: the caller awaits it to its end.
    pub async fn put_checkpoint(&self, note: Bytes) -> Result<(), ObjectError> {
        let failed = |source| ObjectError::Store { path: CHECKPOINT.to_owned(), source };
        let mut version = self.version.lock().await;
        let mode = match std::mem::take(&mut *version) {
            Version::Known(known) => PutMode::Update(known),
            Version::Unknown => match self.store.head(&Path::from(CHECKPOINT)).await {
                Ok(found) => PutMode::Update(UpdateVersion { e_tag: found.e_tag, version: found.version }),
                Err(object_store::Error::NotFound { .. }) => PutMode::Create,
                Err(source) => return Err(failed(source)),
            },
            Version::Unsupported => PutMode::Overwrite,
        };
        let overwritten = matches!(mode, PutMode::Overwrite);
        let payload = PutPayload::from_bytes(note.clone());
        match self.store.put_opts(&Path::from(CHECKPOINT), payload, mode.into()).await {
            Ok(written) => {
                *version = if overwritten { Version::Unsupported } else { Version::Known(written.into()) };
                Ok(())
            }
            Err(object_store::Error::NotImplemented { .. }) => {
                *version = Version::Unsupported;
                self.put(CHECKPOINT, note).await
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// Removes the partial versions of a full tile or bundle, which is durable; gives how many there were.
    pub async fn collect_partials(&self, full: &str) -> Result<usize, ObjectError> {
        let prefix = format!("{full}.p");
        let failed = |source| ObjectError::Store { path: prefix.clone(), source };
        let partials: Vec<_> =
            self.store.list(Some(&Path::from(prefix.as_str()))).try_collect().await.map_err(failed)?;
        for partial in &partials {
            self.store.delete(&partial.location).await.map_err(failed)?;
        }
        Ok(partials.len())
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let written = self.store.put(&Path::from(path), PutPayload::from_bytes(bytes)).await;
        written.map(drop).map_err(|source| ObjectError::Store { path: path.to_owned(), source })
    }

    /// The published checkpoint; `None` before the first publication.
    pub async fn checkpoint(&self) -> Result<Option<Bytes>, ObjectError> {
        self.get(CHECKPOINT).await
    }

    /// The addresses of everything that is stored, in no order.
    pub fn paths(&self) -> BoxStream<'_, Result<String, ObjectError>> {
        let failed = |source| ObjectError::Store { path: "/".to_owned(), source };
        Box::pin(self.store.list(None).map_ok(|found| found.location.to_string()).map_err(failed))
    }

    /// An object's bytes; `None` if there is no such object.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, ObjectError> {
        let failed = |source| ObjectError::Store { path: path.to_owned(), source };
        match self.store.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_immutable_object_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::local(dir.path()).unwrap();
        assert_eq!(objects.get("tile/0/000.p/1").await.unwrap(), None);
        objects.put_once("tile/0/000.p/1", Bytes::from_static(b"a")).await.unwrap();
        objects.put_once("tile/0/000.p/1", Bytes::from_static(b"a")).await.unwrap();
        let other = objects.put_once("tile/0/000.p/1", Bytes::from_static(b"b")).await;
        assert!(matches!(other, Err(ObjectError::Contradiction { .. })));
        assert_eq!(objects.get("tile/0/000.p/1").await.unwrap().unwrap(), "a");
        // The address is a file below the directory, as `tlog-tiles` has it.
        assert!(dir.path().join("tile/0/000.p/1").is_file());
    }
}
