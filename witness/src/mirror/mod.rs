//! Verified copies of logs (`docs/spec/witness.md`, "Mirror"), so that a chain outlives its operator.
//!
//! | module | what |
//! | --- | --- |
//! | [`source`] | bounded requests to the log |
//! | [`authentic`] | a signed tree of the log, of which every tile and bundle is checked on arrival |
//! | [`copy`] | the files and the database of one copy |
//! | [`pull`] | what is taken over, and when |

pub mod authentic;
pub mod copy;
pub mod pull;
pub mod source;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use self::copy::{Copy, CopyError};
use self::pull::{PullError, Pulled, Puller};
use self::source::{FetchError, Source};
use crate::config::MirrorSettings;
use crate::logs::{Log, LogList, OriginHash};
use crate::metrics::{FailureLabel, LogLabel};
use crate::witness::Witness;

/// The longest pause after failures.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// All copies, and the tasks that keep those up to date whose log is configured with an address. A copy of a log that is configured no
/// more is still served.
pub struct Mirrors {
    directory: PathBuf,
    witness: Arc<Witness>,
    settings: MirrorSettings,
    copies: RwLock<HashMap<OriginHash, Arc<Copy>>>,
    tasks: Mutex<Vec<Task>>,
}

struct Task {
    stop: watch::Sender<bool>,
    handle: JoinHandle<()>,
}

/// Why a copy cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The directory of the copies cannot be read.
    #[error("The directory of the copies {path} cannot be read: {source}.")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A copy cannot be opened.
    #[error("{0}")]
    Copy(#[from] CopyError),
    /// The log cannot be asked.
    #[error("{0}")]
    Source(#[from] FetchError),
    /// The state is older than the copy.
    #[error(
        "The copy of {origin} has {copy} entries, but the witness's state says that it has cosigned no more than {cosigned}. The \
         state is an older copy, and the witness could cosign what it has contradicted before: it must not run. See docs/witness.md."
    )]
    StateSetBack {
        /// The log.
        origin: String,
        /// Entries in the copy.
        copy: u64,
        /// Entries in the newest tree cosigned.
        cosigned: u64,
    },
    /// The state cannot be read.
    #[error("{0}")]
    Store(#[from] crate::store::StoreError),
}

impl Mirrors {
    /// The copies in `directory`; nothing is read yet.
    pub fn open(directory: PathBuf, witness: Arc<Witness>, settings: MirrorSettings) -> Self {
        Self { directory, witness, settings, copies: RwLock::default(), tasks: Mutex::default() }
    }

    /// Opens every copy that is there, and keeps those of `logs` up to date that have an address; ends the tasks that ran before.
    ///
    /// # Errors
    /// Every [`MirrorError`]; then some copies may not be kept up to date.
    pub async fn follow(&self, logs: &LogList) -> Result<(), MirrorError> {
        let mut tasks = self.tasks.lock().await;
        end(&mut tasks).await;
        for log in logs.iter() {
            let Some(address) = log.mirror() else { continue };
            let copy = match self.get(&log.hash()) {
                Some(copy) => copy,
                None => {
                    let directory = self.directory.join(log.hash().to_string());
                    self.take(log.hash(), Copy::create(&directory, log.origin()).await?).await?
                }
            };
            let (stop, stopped) = watch::channel(false);
            let source = Source::new(address.clone(), self.settings.timeout(), stopped.clone())?;
            let witness = self.witness.clone();
            let puller = Puller { log: log.clone(), witness: witness.clone(), copy, source };
            let handle = tokio::spawn(keep(puller, self.settings.poll(), stopped));
            tasks.push(Task { stop, handle });
        }
        for hash in present(&self.directory)? {
            if self.get(&hash).is_none()
                && let Some(copy) = Copy::open(&self.directory.join(hash.to_string())).await?
            {
                self.take(hash, copy).await?;
            }
        }
        Ok(())
    }

    /// Ends all tasks; what they are writing is written first.
    pub async fn stop(&self) {
        end(&mut *self.tasks.lock().await).await;
        let copies: Vec<_> =
            self.copies.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for copy in copies {
            copy.close().await;
        }
    }

    /// The copy of the log with this origin hash.
    pub fn get(&self, hash: &OriginHash) -> Option<Arc<Copy>> {
        self.copies.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    async fn take(&self, hash: OriginHash, copy: Copy) -> Result<Arc<Copy>, MirrorError> {
        self.check_state(&copy).await?;
        let copy = Arc::new(copy);
        self.copies.write().unwrap_or_else(PoisonError::into_inner).insert(hash, copy.clone());
        Ok(copy)
    }

    /// Only what was cosigned is ever copied: a copy that is ahead shows that the state was exchanged for an older one.
    async fn check_state(&self, copy: &Copy) -> Result<(), MirrorError> {
        let newest = self.witness.store().newest(copy.origin()).await?;
        let cosigned = newest.map_or(0, |newest| newest.head.size.get());
        let size = copy.head().size.get();
        if size > cosigned {
            return Err(MirrorError::StateSetBack { origin: copy.origin().to_owned(), copy: size, cosigned });
        }
        Ok(())
    }
}

/// The hashes of the copies in `directory`, which need not exist.
///
/// # Errors
/// [`MirrorError::Directory`].
pub fn present(directory: &Path) -> Result<Vec<OriginHash>, MirrorError> {
    let failed = |source| MirrorError::Directory { path: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut present = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let hash = entry.file_name().to_str().and_then(OriginHash::parse);
        // Without its database it is the beginning of one, made by a process that was killed.
        present.extend(hash.filter(|_| Copy::is_one(&entry.path())));
    }
    Ok(present)
}

async fn end(tasks: &mut Vec<Task>) {
    for task in tasks.iter() {
        let _ = task.stop.send(true);
    }
    for task in tasks.drain(..) {
        // A task that panicked has said so on standard error.
        let _ = task.handle.await;
    }
}

/// Brings one copy up to date again and again, until told to stop.
async fn keep(puller: Puller, poll: Duration, mut stopped: watch::Receiver<bool>) {
    let mut failures: u32 = 0;
    loop {
        let pulled = puller.pull().await;
        report(&puller.log, &puller.witness, &puller.copy, &pulled);
        failures = if pulled.is_ok() { 0 } else { failures.saturating_add(1) };
        let pause = poll.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(MAX_PAUSE.max(poll));
        let pause = if failures == 0 { poll } else { pause };
        let stop = stopped.wait_for(|stop| *stop);
        // The sender gone means the same as the word.
        if tokio::time::timeout(pause, stop).await.is_ok() {
            return;
        }
    }
}

fn report(log: &Log, witness: &Witness, copy: &Copy, pulled: &Result<Pulled, PullError>) {
    let (metrics, label) = (witness.metrics(), LogLabel::of(log.origin()));
    let size = copy.head().size.get();
    metrics.mirror_size.get_or_create(&label).set(size);
    match pulled {
        Ok(pulled) => {
            metrics.mirror_lag.get_or_create(&label).set(pulled.published.get().saturating_sub(size));
            if pulled.advanced {
                tracing::debug!(log = log.origin(), size, "the copy has grown");
            }
        }
        Err(PullError::Stopped) => {}
        Err(error) => {
            let label = FailureLabel { log: log.origin().to_owned(), reason: error.word() };
            metrics.mirror_failures.get_or_create(&label).inc();
            if error.is_misbehaviour() {
                tracing::error!(log = log.origin(), size, %error, "the copy stays as it is");
            } else {
                tracing::warn!(log = log.origin(), size, %error, "the copy stays as it is");
            }
        }
    }
}
