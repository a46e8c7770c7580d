//! Registry snapshots: a registrar's list of all revoked keys, sealed at start-up, after every revocation, and daily. Without one, a
//! verifier cannot say that a key was not revoked.
//!
//! This runs where the registrar's key lies in the data directory. A registrar whose key lives elsewhere submits snapshots itself.

use std::sync::Arc;
use std::time::Duration;

use evidence::statement::Registry;
use evidence::{DeviceKey, Outcome, Payload, Statement, StatementError, Submission};
use tokio::task::JoinHandle;

use crate::data_dir::DataDir;
use crate::keys::{self, KeyFileError};
use crate::service::{Service, SubmitError};
use crate::store::StoreError;

/// How often it is asked whether a snapshot is due.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// A snapshot is replaced when it is this old, in milliseconds: twice a day, so that a day never passes without one. One from as far in
/// the future is the work of a wrong clock, and is replaced too.
const MAX_AGE_MS: u64 = 12 * 60 * 60 * 1000;

/// Why a snapshot was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Intake did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// More keys are revoked than a snapshot can list.
    #[error("The snapshot cannot be signed: {0}.")]
    Sign(#[from] StatementError),
    /// Intake refused it.
    #[error("The snapshot was refused: {0}")]
    Refused(String),
}

/// Seals snapshots for as long as the service runs, if the registrar's key is here.
pub fn start(data: &DataDir, service: Arc<Service>) -> Result<Option<JoinHandle<()>>, KeyFileError> {
    let path = data.registrar_key();
    if !path.exists() {
        tracing::info!(
            "the registrar's key is not here; snapshots of the registry must be submitted by its holder"
        );
        return Ok(None);
    }
    let key = keys::load_registrar(&path)?;
    Ok(Some(tokio::spawn(async move {
        loop {
            if let Err(error) = seal_if_due(&service, &key).await {
                tracing::warn!(%error, "no snapshot of the registry was sealed");
            }
            tokio::time::sleep(CHECK_EVERY).await;
        }
    })))
}

/// Seals a snapshot if there is none, the newest lists other keys than those that are revoked, or it is old. Says whether it did.
pub async fn seal_if_due(service: &Service, key: &DeviceKey) -> Result<bool, SnapshotError> {
    let state = service.revocation_state().await?;
    let now = service.now();
    // By what it lists, not by where it stands: a revocation may be sealed in one batch with it, and before it.
    let current = state.snapshot.is_some_and(|snapshot| {
        snapshot.revoked == state.revoked && now.get().abs_diff(snapshot.as_of.get()) < MAX_AGE_MS
    });
    if current {
        return Ok(false);
    }
    let registry = Registry { as_of: now, revoked: state.revoked };
    let statement = Statement::sign(&Payload::Registry(registry), key)?;
    let outcomes = service.submit(vec![Ok(Submission::of(statement))]).await?;
    match outcomes.into_iter().next() {
        Some(Outcome::Refused { detail, .. }) => Err(SnapshotError::Refused(detail)),
        _ => Ok(true),
    }
}
