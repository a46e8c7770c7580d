//! The witnesses of this log, C2SP `tlog-witness`, from the log's side: asked at start-up what they saw last, and asked to cosign
//! whatever is to be published.
//!
//! | module | what |
//! | --- | --- |
//! | [`client`], [`http`] | what a witness can be asked, and asking it over HTTP |
//! | [`configured`] | which witnesses the trust file names, and where they are |
//! | [`our_log`] | what this log says of itself: roots and consistency proofs, from its tiles |
//! | [`examine`] | what a witness saw last, compared with this log |
//! | `courier` | one task for each witness: takes the newest offer there, brings the cosignature back |
//! | [`board`] | how each of them does, for people and metrics |
//!
//! No witness is believed without its signature, and none is waited for: whoever is slow, away or lying only fails to cosign.

pub mod board;
pub mod client;
pub mod configured;
mod courier;
pub mod examine;
pub mod http;
pub mod our_log;

use std::sync::Arc;
use std::time::Duration;

use tlog::{NoteSignature, SignedNote, TreeHead, TreeSize, VerifierKey};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use self::board::{Board, State, WitnessFacts};
pub use self::client::{Answer, AskError, WitnessClient};
pub use self::configured::{Witness, WitnessConfigError};
pub use self::examine::{Trouble, WitnessContradiction};
pub use self::our_log::OurLog;
use crate::clock::Clock;
use crate::metrics::Metrics;

/// A signed checkpoint for which cosignatures are wanted.
#[derive(Debug)]
pub struct Offer {
    /// Grows with every offer, also when the same tree is offered again for a newer cosignature.
    pub number: u64,
    /// The tree.
    pub head: TreeHead,
    /// The checkpoint with the log's signatures.
    pub note: SignedNote,
    /// Whom it is offered to.
    pub asked: Vec<VerifierKey>,
}

/// What comes back from a witness.
#[derive(Debug)]
pub enum Heard {
    /// It said what it saw last, and that is a stage of this log.
    Examined(VerifierKey),
    /// It cosigned a tree; the signature was verified.
    Cosigned {
        /// Who.
        key: VerifierKey,
        /// Which tree.
        head: TreeHead,
        /// The line for the note.
        signature: NoteSignature,
    },
    /// It proves that this log has another history than the one in the database.
    Contradiction(WitnessContradiction),
}

/// All witnesses of a log.
pub struct Witnesses {
    /// Whoever the trust file names.
    pub list: Vec<Witness>,
    /// This log.
    pub log: OurLog,
    /// For the times of cosignatures.
    pub clock: Arc<dyn Clock>,
    /// How they do.
    pub board: Board,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Witnesses {
    /// Asks every witness once what it saw last; gives those that agreed within `limit`, with the size they have.
    pub async fn first_round(
        &self,
        limit: Duration,
    ) -> Result<Vec<(VerifierKey, TreeSize)>, WitnessContradiction> {
        let deadline = tokio::time::Instant::now() + limit;
        let mut asking = JoinSet::new();
        for witness in self.list.iter().filter(|witness| witness.client.is_some()).cloned() {
            let log = self.log.clone();
            asking.spawn(async move {
                let seen = examine::examine(&witness, &log).await;
                (witness, seen)
            });
        }
        let mut agreed = Vec::new();
        while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, asking.join_next()).await {
            let Ok((witness, seen)) = joined else { continue };
            match seen {
                Ok(size) => {
                    tracing::info!(witness = witness.name, size = size.get(), "the witness agrees");
                    agreed.push((witness.key, size));
                }
                Err(Trouble::Contradiction(contradiction)) => return Err(contradiction),
                Err(trouble) => self.board.trouble(&witness.key, &trouble),
            }
        }
        Ok(agreed)
    }

    /// Starts a courier for each witness. They end with the set, or when `offers` does.
    pub fn couriers(
        self,
        agreed: &[(VerifierKey, TreeSize)],
        offers: &watch::Receiver<Option<Arc<Offer>>>,
        gate: &watch::Receiver<bool>,
        heard: &mpsc::Sender<Heard>,
    ) -> JoinSet<()> {
        let mut running = JoinSet::new();
        for witness in self.list {
            let Some(client) = witness.client.clone() else { continue };
            let known = agreed.iter().find(|(key, _)| *key == witness.key).map(|(_, size)| *size);
            let courier = courier::Courier {
                known,
                witness,
                client,
                log: self.log.clone(),
                clock: self.clock.clone(),
                board: self.board.clone(),
                metrics: self.metrics.clone(),
                offers: offers.clone(),
                gate: gate.clone(),
                heard: heard.clone(),
            };
            running.spawn(courier.run());
        }
        running
    }
}
