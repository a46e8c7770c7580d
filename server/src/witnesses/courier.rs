//! One witness's courier: takes the newest offer to it and brings the cosignature back, at the witness's own pace.
//!
//! A witness that was away is brought up to date with one proof, from whatever it has to the newest offer; what was offered in between
//! is passed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tlog::note::MAX_SIGNATURES;
use tlog::{AddCheckpoint, NoteSignature, TreeSize, VerifierKey, cosignature};
use tokio::sync::{mpsc, watch};

use super::client::{Answer, AskError, WitnessClient};
use super::examine::{Trouble, examine};
use super::our_log::OurLog;
use super::{Board, Heard, Offer, Witness};
use crate::clock::Clock;
use crate::metrics::{Metrics, WitnessLabel, WitnessResult, Word};

/// The pauses after a failure: doubled from the first up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How far a witness's clock may be from ours, in seconds. Proven sealing times rest on it.
const MAX_SKEW: u64 = 300;

/// How often the witness may correct what it was believed to have seen before it is left alone for a while.
const MAX_CORRECTIONS: u32 = 3;

/// The courier of one witness.
pub(super) struct Courier {
    /// What the witness has cosigned last, as far as known.
    pub(super) known: Option<TreeSize>,
    pub(super) witness: Witness,
    pub(super) client: Arc<dyn WitnessClient>,
    pub(super) log: OurLog,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) board: Board,
    pub(super) metrics: Arc<Metrics>,
    pub(super) offers: watch::Receiver<Option<Arc<Offer>>>,
    /// Whether enough witnesses have been examined.
    pub(super) gate: watch::Receiver<bool>,
    pub(super) heard: mpsc::Sender<Heard>,
}

impl Courier {
    /// Runs until offers end, or until the witness contradicts the log.
    pub(super) async fn run(mut self) {
        if self.examine_until_open().await.is_none() {
            return;
        }
        let mut done = 0;
        let mut pause = FIRST_PAUSE;
        while let Some(offer) = self.next(done).await {
            match self.carry(&offer).await {
                Ok(signature) => {
                    done = offer.number;
                    pause = FIRST_PAUSE;
                    let (key, head) = (self.witness.key.clone(), offer.head);
                    if self.heard.send(Heard::Cosigned { key, head, signature }).await.is_err() {
                        return;
                    }
                }
                Err(trouble) => {
                    if self.tell(trouble).await.is_none() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    /// Before anything is sealed: asks until this witness has answered, or enough others have. `None` if the log must stop.
    async fn examine_until_open(&mut self) -> Option<()> {
        let mut gate = self.gate.clone();
        let mut pause = FIRST_PAUSE;
        while self.known.is_none() && !*gate.borrow() {
            match examine(&self.witness, &self.log).await {
                Ok(size) => {
                    self.known = Some(size);
                    self.heard.send(Heard::Examined(self.witness.key.clone())).await.ok()?;
                }
                Err(trouble) => {
                    self.tell(trouble).await?;
                    let _ = tokio::time::timeout(pause, gate.wait_for(|open| *open)).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
        Some(())
    }

    /// The newest offer to this witness that is newer than `done`; `None` when there will be no more.
    async fn next(&mut self, done: u64) -> Option<Arc<Offer>> {
        let key = self.witness.key.clone();
        let newer = |offer: &Option<Arc<Offer>>| {
            offer.as_ref().is_some_and(|offer| offer.number > done && offer.asked.contains(&key))
        };
        self.offers.wait_for(newer).await.ok()?.clone()
    }

    /// Takes an offer there. The signature that comes back is verified.
    async fn carry(&mut self, offer: &Offer) -> Result<NoteSignature, Trouble> {
        let started = Instant::now();
        let result = self.submit(offer).await;
        self.metrics.witness_duration.observe(started.elapsed().as_secs_f64());
        let word = match &result {
            Ok(_) => "cosigned",
            Err(trouble) => trouble.state().map_or("own-trouble", super::State::as_str),
        };
        let label = WitnessResult { witness: self.witness.name.clone(), result: Word(word) };
        self.metrics.witness_requests.get_or_create(&label).inc();
        let (signature, time) = result?;
        self.known = Some(offer.head.size);
        self.board.cosigned(&self.witness.key, offer.head.size, time);
        let label = WitnessLabel { witness: self.witness.name.clone() };
        self.metrics.witness_size.get_or_create(&label).set(offer.head.size.get());
        Ok(signature)
    }

    async fn submit(&mut self, offer: &Offer) -> Result<(NoteSignature, u64), Trouble> {
        for _ in 0..=MAX_CORRECTIONS {
            let old_size = self.known.unwrap_or(TreeSize::ZERO);
            if old_size > offer.head.size {
                // It has a later stage of this log already; the next offer is larger.
                return Err(Trouble::Unusable("it has seen more than is offered at present".to_owned()));
            }
            let proof = self.log.proof(old_size, offer.head.size).await?;
            let body = AddCheckpoint { old_size, proof, checkpoint: offer.note.clone() }.to_string();
            match self.client.add_checkpoint(body).await {
                Ok(Answer::Cosigned(lines)) => return self.cosignature(&lines, offer),
                Ok(Answer::Conflict(size)) if size == old_size => {
                    return Err(Trouble::Unusable(format!(
                        "it was told that it has {size} entries, and answered that it has {size} instead"
                    )));
                }
                Ok(Answer::Conflict(size)) => self.corrected(size).await?,
                Err(refused @ AskError::Refused { status: 422, .. }) => {
                    // The proof is right, so the witness has another root at that size, or is wrong: its own checkpoint tells.
                    self.known = Some(examine(&self.witness, &self.log).await?);
                    return Err(refused.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::Unusable("it says each time that it has another size".to_owned()))
    }

    /// The witness says that it has another size than believed. That it has more than this log must be proven by a checkpoint.
    async fn corrected(&mut self, size: TreeSize) -> Result<(), Trouble> {
        if size <= self.log.committed().await? {
            self.known = Some(size);
            return Ok(());
        }
        let proven = examine(&self.witness, &self.log).await?;
        self.known = Some(proven);
        Err(Trouble::Unusable(format!(
            "it says that it has {size} entries of this log, and shows a checkpoint of {proven}"
        )))
    }

    /// This witness's cosignature among the lines of its answer; lines by others are ignored.
    fn cosignature(&self, lines: &[u8], offer: &Offer) -> Result<(NoteSignature, u64), Trouble> {
        let (signature, time) =
            find(lines, &self.witness.key, offer.note.text()).map_err(Trouble::Unusable)?;
        let now = self.clock.now_seconds().get();
        if time.abs_diff(now) > MAX_SKEW {
            return Err(Trouble::Unusable(format!(
                "its cosignature states the time {time}, and here it is {now}; the clocks differ by more than {MAX_SKEW} s"
            )));
        }
        Ok((signature, time))
    }

    /// Says what is wrong. `None` if the log must stop for it, or is stopping.
    async fn tell(&self, trouble: Trouble) -> Option<()> {
        self.board.trouble(&self.witness.key, &trouble);
        match trouble {
            Trouble::Contradiction(contradiction) => {
                let _ = self.heard.send(Heard::Contradiction(contradiction)).await;
                None
            }
            _ => (!self.heard.is_closed()).then_some(()),
        }
    }
}

fn find(lines: &[u8], key: &VerifierKey, text: &str) -> Result<(NoteSignature, u64), String> {
    let lines = std::str::from_utf8(lines).map_err(|_| "it is not text".to_owned())?;
    let Some(lines) = lines.strip_suffix('\n') else {
        return Err("it does not end in a newline".to_owned());
    };
    let mut found = None;
    for (number, line) in lines.split('\n').enumerate() {
        if number >= MAX_SIGNATURES {
            return Err(format!("it has more than {MAX_SIGNATURES} lines"));
        }
        let signature: NoteSignature = line
            .parse()
            .map_err(|error: tlog::NoteError| error.to_string().trim_end_matches('.').to_owned())?;
        if signature.is_by(key) {
            if found.is_some() {
                return Err("it has two lines by the witness's key".to_owned());
            }
            found = Some(signature);
        }
    }
    let signature = found.ok_or_else(|| "it has no line by the witness's key".to_owned())?;
    let time = cosignature::verify(key, text, signature.signature())
        .map_err(|error| error.to_string().trim_end_matches('.').to_owned())?;
    Ok((signature, time))
}
