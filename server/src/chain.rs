//! What `/api/v1/chain` says about the log, for the chain page and for monitoring: the operator's word. Whoever wants to know asks the
//! witnesses and computes.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tlog::{Checkpoint, LeafIndex, PolicyWitness, SignedNote, TreeSize};

use crate::policies::Policies;
use crate::publish::PublishedCheckpoint;
use crate::service::Service;
use crate::store::{Store, StoreError};
use crate::witnesses::WitnessFacts;

/// Checkpoints that are shown.
const RECENT: u32 = 20;

/// Points of the chart.
const POINTS: u64 = 120;

/// The answer; field names as in `docs/spec/http.md`.
#[derive(Debug, Serialize)]
pub struct ChainFacts {
    origin: String,
    log_vkeys: Vec<String>,
    size: u64,
    root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cosigned: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_age: Option<u64>,
    checkpoint: String,
    quorum_none: bool,
    witnesses: Vec<WitnessEntry>,
    recent: Vec<RecentEntry>,
    growth: Vec<GrowthPoint>,
}

#[derive(Debug, Serialize)]
struct WitnessEntry {
    name: String,
    vkey: String,
    url: Option<String>,
    state: &'static str,
    cosigned: Option<u64>,
    size: Option<u64>,
    lag: Option<u64>,
    detail: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct RecentEntry {
    size: u64,
    root: String,
    cosigned: Option<u64>,
    witnesses: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct GrowthPoint {
    time: u64,
    size: u64,
}

/// What changes only when a new tree is published: some hundred reads of the database.
#[derive(Debug)]
struct History {
    size: TreeSize,
    recent: Vec<RecentEntry>,
    growth: Vec<GrowthPoint>,
}

/// The history that was read last, so that many visitors cost one reading.
#[derive(Debug, Default)]
pub struct ChainCache(Mutex<Option<Arc<History>>>);

impl Service {
    /// What `/api/v1/chain` says; `None` before the first publication.
    pub async fn chain(&self) -> Result<Option<ChainFacts>, StoreError> {
        let Some(shown) = self.checkpoint() else { return Ok(None) };
        let history = self.history(shown.head.size).await?;
        let now = self.now().seconds();
        let since = |time: u64| now.get().saturating_sub(time);
        let published = history.growth.last().map(|point| point.time);
        let cosigned = shown.quorum_time.map(|time| time.get());
        let keys = self.policies().in_force(now).flat_map(|logs| logs.policy.logs());
        let keys = keys.map(|log| log.key()).filter(|key| key.name().as_str() == self.origin());
        let mut log_vkeys: Vec<String> = keys.map(ToString::to_string).collect();
        log_vkeys.dedup();
        Ok(Some(ChainFacts {
            origin: self.origin().to_owned(),
            log_vkeys,
            size: shown.head.size.get(),
            root: shown.head.root.to_base64(),
            published,
            age: published.map(since),
            cosigned,
            checkpoint_age: cosigned.map(since),
            checkpoint: text(&shown.note),
            quorum_none: self.policies().is_quorum_none(now),
            witnesses: self.witnesses().into_iter().map(|facts| entry(facts, &shown)).collect(),
            recent: history.recent.clone(),
            growth: history.growth.clone(),
        }))
    }

    async fn history(&self, size: TreeSize) -> Result<Arc<History>, StoreError> {
        let cache = &self.chain_cache().0;
        // invariant: no code panics while it holds the lock.
        let known = cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(history) = known.filter(|history| history.size == size) {
            return Ok(history);
        }
        let history = Arc::new(History::read(self.store(), self.policies(), size).await?);
        *cache.lock().unwrap_or_else(PoisonError::into_inner) = Some(history.clone());
        Ok(history)
    }
}

impl History {
    async fn read(store: &Store, policies: &Policies, size: TreeSize) -> Result<Self, StoreError> {
        let newest = store.checkpoints_down_from(size, RECENT).await?;
        let recent = newest.into_iter().filter_map(|(_, note)| recent(&note, policies)).collect();
        let mut growth = Vec::new();
        // Evenly spaced in size: each point is one look-up, however long the log is.
        let points = POINTS.min(size.get());
        for point in 1..=points {
            let upto = u64::try_from(u128::from(size.get()) * u128::from(point) / u128::from(points));
            let upto = upto.unwrap_or(size.get());
            if let Some(time) = store.sealed_at(LeafIndex::new(upto - 1)).await? {
                growth.push(GrowthPoint { time: time.get(), size: upto });
            }
        }
        Ok(Self { size, recent, growth })
    }
}

fn recent(note: &[u8], policies: &Policies) -> Option<RecentEntry> {
    let note = SignedNote::parse(note).ok()?;
    let head = Checkpoint::unverified(&note).ok()?.head();
    let cosigned = |witness: &&PolicyWitness| note.signatures().iter().any(|line| line.is_by(witness.key()));
    let witnesses = policies.witnesses().into_iter().filter(cosigned);
    Some(RecentEntry {
        size: head.size.get(),
        root: head.root.to_base64(),
        cosigned: policies.quorum_time(&note).map(|time| time.get()),
        witnesses: witnesses.map(|witness| witness.name().to_string()).collect(),
    })
}

fn entry(facts: WitnessFacts, shown: &PublishedCheckpoint) -> WitnessEntry {
    let published = shown.head.size;
    let state = facts.state(published).as_str();
    let size = facts.cosigned.map(|(size, _)| size.get());
    WitnessEntry {
        state,
        vkey: facts.key.to_string(),
        url: facts.url,
        cosigned: facts.cosigned.map(|(_, time)| time),
        size,
        lag: size.map(|size| published.get().saturating_sub(size)),
        detail: facts.trouble.map(|(_, sentence)| sentence),
        name: facts.name,
    }
}

/// A note is UTF-8; nothing else was published.
fn text(note: &Bytes) -> String {
    String::from_utf8_lossy(note).into_owned()
}
