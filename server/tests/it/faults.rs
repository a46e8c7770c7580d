//! Storage that fails: without persisting, or although it persisted.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jianzhen_server::publish::Archive;
use jianzhen_server::store::commit::BoxFuture;
use jianzhen_server::store::{Batch, CommitError, CommitPoint, Store, StoreError};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tlog::TreeSize;

/// How a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was written.
    Lost,
    /// It was written all the same.
    Kept,
}

pub(crate) const FAULTS: [Fault; 2] = [Fault::Lost, Fault::Kept];

/// Counts the steps of a run over all that can fail in it; one of them does.
#[derive(Debug)]
pub(crate) struct Steps {
    taken: AtomicUsize,
    fails: usize,
    fault: Fault,
}

impl Steps {
    /// Step `fails`, from 1, fails like this.
    pub(crate) fn new(fails: usize, fault: Fault) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), fails, fault })
    }

    /// Takes a step; says whether and how it fails.
    pub(crate) fn next(&self) -> Option<Fault> {
        (self.taken.fetch_add(1, Ordering::SeqCst) + 1 == self.fails).then_some(self.fault)
    }

    /// How many steps there were.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// A commit point that fails once armed.
pub(crate) struct FaultyCommit {
    pub(crate) store: Store,
    pub(crate) armed: Mutex<Option<Fault>>,
}

impl FaultyCommit {
    pub(crate) fn new(store: Store) -> Arc<Self> {
        Arc::new(Self { store, armed: Mutex::new(None) })
    }

    pub(crate) fn arm(&self, fault: Fault) {
        *self.armed.lock().unwrap() = Some(fault);
    }
}

impl CommitPoint for FaultyCommit {
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, std::result::Result<(), CommitError>> {
        Box::pin(async move {
            let armed = *self.armed.lock().unwrap();
            if armed != Some(Fault::Lost) {
                self.store.commit(batch).await?;
            }
            match armed {
                Some(_) => Err(CommitError::Store(StoreError::Database(sqlx::Error::PoolTimedOut))),
                None => Ok(()),
            }
        })
    }
}

/// A database of which commit and archive are steps that may fail.
pub(crate) struct SteppedStore {
    pub(crate) store: Store,
    pub(crate) steps: Arc<Steps>,
}

fn injected() -> StoreError {
    StoreError::Database(sqlx::Error::PoolTimedOut)
}

impl CommitPoint for SteppedStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, std::result::Result<(), CommitError>> {
        Box::pin(async move {
            let fault = self.steps.next();
            if fault != Some(Fault::Lost) {
                self.store.commit(batch).await?;
            }
            fault.map_or(Ok(()), |_| Err(injected().into()))
        })
    }
}

impl Archive for SteppedStore {
    fn archive<'a>(
        &'a self,
        size: TreeSize,
        note: &'a [u8],
    ) -> BoxFuture<'a, std::result::Result<(), StoreError>> {
        Box::pin(async move {
            let fault = self.steps.next();
            if fault != Some(Fault::Lost) {
                self.store.archive(size, note).await?;
            }
            fault.map_or(Ok(()), |_| Err(injected()))
        })
    }
}

/// An object store that fails on some of its writes.
#[derive(Debug)]
pub(crate) struct FaultyObjects {
    inner: LocalFileSystem,
    /// Writes until the next fault; negative: never.
    countdown: AtomicI64,
    /// Faults in a row.
    repeat: AtomicI64,
    fault: Mutex<Fault>,
    pub(crate) failed: AtomicUsize,
    /// Objects that are there, and of which the store never said that they are durable: a power failure may take them.
    doubtful: Mutex<BTreeSet<String>>,
    pub(crate) steps: Mutex<Option<Arc<Steps>>>,
}

impl FaultyObjects {
    pub(crate) fn new(directory: &std::path::Path) -> Arc<Self> {
        Arc::new(Self {
            inner: LocalFileSystem::new_with_prefix(directory).unwrap().with_fsync(true),
            countdown: AtomicI64::new(-1),
            repeat: AtomicI64::new(0),
            fault: Mutex::new(Fault::Lost),
            failed: AtomicUsize::new(0),
            doubtful: Mutex::default(),
            steps: Mutex::default(),
        })
    }

    /// The `nth` write from now on (from 0) fails, and `repeat - 1` after it.
    pub(crate) fn arm(&self, nth: i64, repeat: i64, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        self.repeat.store(repeat, Ordering::SeqCst);
        self.countdown.store(nth, Ordering::SeqCst);
    }

    pub(crate) fn doubtful(&self) -> Vec<String> {
        self.doubtful.lock().unwrap().iter().cloned().collect()
    }

    fn due(&self) -> Option<Fault> {
        if let Some(fault) = self.steps.lock().unwrap().as_ref().and_then(|steps| steps.next()) {
            return Some(fault);
        }
        let before = self.countdown.load(Ordering::SeqCst);
        if before < 0 {
            return None;
        }
        if before > 0 {
            self.countdown.store(before - 1, Ordering::SeqCst);
            return None;
        }
        if self.repeat.fetch_sub(1, Ordering::SeqCst) <= 1 {
            self.countdown.store(-1, Ordering::SeqCst);
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        Some(*self.fault.lock().unwrap())
    }
}

impl fmt::Display for FaultyObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyObjects")
    }
}

#[async_trait]
impl ObjectStore for FaultyObjects {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let fault = self.due();
        let written = match fault {
            Some(Fault::Lost) => None,
            Some(Fault::Kept) | None => Some(self.inner.put_opts(location, payload, opts).await),
        };
        let mut doubtful = self.doubtful.lock().unwrap();
        match (fault, &written) {
            (None, Some(Ok(_))) => doubtful.remove(location.as_ref()),
            (Some(Fault::Kept), _) => doubtful.insert(location.to_string()),
            _ => false,
        };
        match (fault, written) {
            (None, Some(result)) => result,
            _ => Err(object_store::Error::Generic { store: "faulty", source: "injected fault".into() }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
