//! What devices and watchers were told while everything around them broke.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use evidence::{Digest, Entry, MAX_SUBMISSION_LEN, MAX_SUBMISSIONS, Outcome, Submission};
use tlog::{LeafIndex, TreeSize};

use crate::load::device::Device;
use crate::load::history::History;
use crate::load::notary::{Answer, Notary};
use crate::load::receipts::Checker;
use crate::random::Random;

/// A receipt that was handed out: from then on this is what the service must answer.
#[derive(Debug, Clone)]
struct Promise {
    /// The submission, encoded.
    submission: Vec<u8>,
    entry: Entry,
    index: LeafIndex,
    /// Of its bytes.
    receipt: Digest,
}

/// Everything that was handed in, handed out and shown.
#[derive(Debug)]
pub(super) struct World {
    notary: Notary,
    checker: Checker,
    history: Mutex<History>,
    promises: Mutex<Vec<Promise>>,
    /// Statements handed in.
    pub(super) statements: AtomicU64,
    /// Receipts that were asked for again while everything broke.
    pub(super) asked_again: AtomicU64,
    /// Nothing new is handed in any more.
    draining: AtomicBool,
    /// What must never happen, and did.
    violations: Mutex<Vec<String>>,
}

impl World {
    pub(super) fn new(notary: Notary, checker: Checker, vkey: &str) -> Result<Self> {
        Ok(Self {
            notary,
            checker,
            history: Mutex::new(History::new(vkey)?),
            promises: Mutex::default(),
            statements: AtomicU64::new(0),
            asked_again: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            violations: Mutex::default(),
        })
    }

    /// How many receipts were handed out.
    pub(super) fn receipts(&self) -> usize {
        locked(&self.promises).len()
    }

    /// What must never happen, and did.
    pub(super) fn violations(&self) -> Vec<String> {
        locked(&self.violations).clone()
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        locked(&self.history)
    }

    /// Ends the load: what was handed in is still asked for until it is answered.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// One device: films, signs, hands in, keeps what is not answered, and never lets go of a receipt.
    pub(super) async fn film(&self, device: Device, random: Random) {
        if let Err(error) = self.try_film(device, random).await {
            self.violated(format!("{error:#}"));
        }
    }

    async fn try_film(&self, mut device: Device, mut random: Random) -> Result<()> {
        let mut spool: Vec<Submission> = Vec::new();
        loop {
            let draining = self.draining.load(Ordering::SeqCst);
            if !draining && spool.len() < 16 {
                for _ in 0..=random.below(3) {
                    spool.push(device.submission()?);
                    self.statements.fetch_add(1, Ordering::Relaxed);
                }
            }
            if spool.is_empty() {
                return Ok(());
            }
            let pause = match self.notary.submit(Submission::encode_all(&spool)).await? {
                Answer::Outcomes(outcomes) => {
                    spool = self.answered(spool, outcomes)?;
                    random.millis(20, 200)
                }
                // A device would wait longer; here the next kill is near.
                Answer::Later(pause) => pause.min(random.millis(100, 400)),
                Answer::Nothing(_) => random.millis(50, 250),
            };
            tokio::time::sleep(pause).await;
            if random.chance(5) {
                self.ask_again(&mut random).await?;
            }
        }
    }

    /// Keeps the receipts; gives what is still without one.
    fn answered(&self, spool: Vec<Submission>, outcomes: Vec<Outcome>) -> Result<Vec<Submission>> {
        ensure!(outcomes.len() == spool.len(), "{} outcomes for {}", outcomes.len(), spool.len());
        let mut left = Vec::new();
        for (submission, outcome) in spool.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Sealed { index, sealed_at, receipt } => {
                    let entry = Entry::sealing(&submission.statement, sealed_at);
                    let note = self.checker.check(&entry, index, receipt.as_bytes())?;
                    self.history().saw(note.as_bytes())?;
                    locked(&self.promises).push(Promise {
                        submission: submission.encode(),
                        entry,
                        index,
                        receipt: Digest::of(receipt.as_bytes()),
                    });
                }
                Outcome::Pending => left.push(submission),
                Outcome::Refused { code, detail } => bail!("refused ({code}): {detail}"),
            }
        }
        Ok(left)
    }

    async fn ask_again(&self, random: &mut Random) -> Result<()> {
        let promise = {
            let promises = locked(&self.promises);
            if promises.is_empty() {
                return Ok(());
            }
            promises[random.place(promises.len())].clone()
        };
        if let Answer::Outcomes(outcomes) = self.notary.submit(promise.submission.clone()).await? {
            let [outcome] = outcomes.as_slice() else { bail!("{} outcomes for one", outcomes.len()) };
            self.asked_again.fetch_add(1, Ordering::Relaxed);
            self.kept(&promise, outcome).context("a receipt was taken back while the service ran")?;
        }
        Ok(())
    }

    fn kept(&self, promise: &Promise, outcome: &Outcome) -> Result<()> {
        let Outcome::Sealed { index, sealed_at, receipt } = outcome else {
            bail!("entry {} had a receipt, and is now answered {outcome:?}", promise.index);
        };
        ensure!(*index == promise.index, "entry {} is now at {index}", promise.index);
        ensure!(*sealed_at == promise.entry.sealed_at, "entry {index} has another sealing time");
        ensure!(Digest::of(receipt.as_bytes()) == promise.receipt, "entry {index} has another receipt");
        self.checker.check(&promise.entry, *index, receipt.as_bytes()).map(drop)
    }

    /// Asks for every receipt that was ever handed out; gives how many are not the same, byte for byte, or do not verify.
    pub(super) async fn ask_for_all(&self) -> Result<u64> {
        let promises = locked(&self.promises).clone();
        let mut lost = 0;
        let mut rest = promises.as_slice();
        while !rest.is_empty() {
            let mut body = Vec::new();
            let count = rest
                .iter()
                .take(MAX_SUBMISSIONS)
                .take_while(|promise| {
                    let fits = body.len() + promise.submission.len() <= MAX_SUBMISSION_LEN;
                    if fits {
                        body.extend_from_slice(&promise.submission);
                    }
                    fits
                })
                .count();
            let outcomes = self.outcomes(&body).await?;
            ensure!(outcomes.len() == count, "{} outcomes for {count}", outcomes.len());
            let (asked, later) = rest.split_at(count);
            for (promise, outcome) in asked.iter().zip(&outcomes) {
                if let Err(error) = self.kept(promise, outcome) {
                    lost += 1;
                    self.violated(format!("{error:#}"));
                }
            }
            rest = later;
        }
        Ok(lost)
    }

    async fn outcomes(&self, body: &[u8]) -> Result<Vec<Outcome>> {
        for _ in 0..600 {
            match self.notary.submit(body.to_vec()).await? {
                Answer::Outcomes(outcomes) => return Ok(outcomes),
                Answer::Later(pause) => tokio::time::sleep(pause).await,
                Answer::Nothing(error) => bail!("the service does not answer: {error}"),
            }
        }
        bail!("the service does not take what it once answered")
    }

    /// Somebody who looks at one published checkpoint again and again; it never becomes smaller.
    pub(super) async fn watch(&self, url: String, mut random: Random) {
        let mut largest = TreeSize::new(0);
        loop {
            if let Some(note) = self.notary.fetch(&url).await {
                match self.history().saw(&note) {
                    Ok(size) if size < largest => {
                        self.violated(format!("{url} went from {largest} back to {size}"))
                    }
                    Ok(size) => largest = size,
                    Err(error) => self.violated(format!("{url}: {error:#}")),
                }
            }
            tokio::time::sleep(random.millis(50, 300)).await;
        }
    }

    pub(super) fn violated(&self, what: String) {
        let mut violations = locked(&self.violations);
        // The first ones tell the story.
        if violations.len() < 20 {
            violations.push(what);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // invariant: no code panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
