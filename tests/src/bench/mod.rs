//! How long a device waits for its receipt, under a load that does not wait for anybody.
//!
//! The load is open: statement *n* is due at *n*/rate, whatever became of those before it, and its latency counts from then until
//! its receipt has been verified. A service that stalls is charged for everything that was due meanwhile. Statements are
//! signed beforehand: signing is the devices' work, and they have processors of their own. So have witnesses; here they
//! share one machine with the service and the load.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use evidence::{Entry, Outcome, Statement};
use tokio::task::JoinSet;

use crate::load::device::Device;
use crate::load::notary::{Answer, Notary};
use crate::load::receipts::Checker;
use crate::stack::Stack;

pub use report::write_section;

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Statements a second.
    pub rate: u64,
    /// For how long.
    pub seconds: u64,
    /// Load before that which is not counted.
    pub warm_up: u64,
    /// From how many devices, each with a connection of its own when it needs one.
    pub devices: u64,
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// From the moment a statement was due to its verified receipt; ascending.
    pub latencies: Vec<Duration>,
    /// From the first due moment to the last receipt.
    pub elapsed: Duration,
    /// How often the service had no room, gave no receipt yet, or did not answer; each of these statements was handed in again.
    pub put_off: u64,
    /// Entries of the log in the end.
    pub entries: u64,
}

impl Measured {
    /// The latency that so many of a thousand receipts did not exceed.
    pub fn per_mille(&self, share: usize) -> Duration {
        let place = (self.latencies.len() * share).div_ceil(1000).max(1) - 1;
        self.latencies.get(place).copied().unwrap_or_default()
    }

    /// Receipts a second.
    pub fn achieved(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// A statement that is due at some moment.
struct Due {
    body: Vec<u8>,
    statement: Statement,
}

/// Starts a service with three witnesses, puts the load on it, and measures.
pub fn run(options: Options) -> Result<Measured> {
    let directory = tempfile::TempDir::with_prefix("jianzhen-bench-")?;
    let mut stack = Stack::init(directory.path(), "bench.example/log")?;
    stack.start_all()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measured = runtime.block_on(measure(&stack, options))?;
    stack.server.terminate()?;
    stack.server.fsck().context("what was measured is no sound log")?;
    Ok(measured)
}

async fn measure(stack: &Stack, options: Options) -> Result<Measured> {
    let notary = Notary::new(&stack.url)?;
    let checker = Arc::new(Checker::load(&stack.server.trust())?);
    let mut devices = Device::enrol(&stack.server, &notary, &checker, 1, options.devices).await?;
    let count = options.rate * (options.warm_up + options.seconds);
    let due = sign(&mut devices, count)?;

    let uncounted = options.rate * options.warm_up;
    let put_off = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    let begun = Instant::now() + Duration::from_millis(200);
    let moment = |number: u64| begun + Duration::from_nanos(number * 1_000_000_000 / options.rate);
    for (number, due) in (0..).zip(due) {
        tokio::time::sleep_until(moment(number).into()).await;
        let (notary, checker, put_off) = (notary.clone(), Arc::clone(&checker), Arc::clone(&put_off));
        let counts = number >= uncounted;
        let due_at = moment(number);
        running.spawn(async move {
            let later = hand_in(&notary, &checker, due).await?;
            if counts {
                put_off.fetch_add(later, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(counts.then(|| due_at.elapsed()))
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        latencies.extend(done??);
    }
    let elapsed = moment(uncounted).elapsed();
    latencies.sort_unstable();
    ensure!(latencies.len() as u64 == options.rate * options.seconds, "{} receipts", latencies.len());
    // Over a connection that is open: there may be no room for another one.
    let note = notary.fetch(&format!("{}/log/checkpoint", stack.url)).await;
    let note = note.context("the service shows no checkpoint after the load")?;
    let head = checker.verified(&tlog::SignedNote::parse(&note)?)?;
    let put_off = put_off.load(Ordering::Relaxed);
    Ok(Measured { latencies, elapsed, put_off, entries: head.size.get() })
}

/// Round robin: one device's statements are as far apart as can be.
fn sign(devices: &mut [Device], count: u64) -> Result<Vec<Due>> {
    let mut due = Vec::new();
    while (due.len() as u64) < count {
        for device in devices.iter_mut() {
            let submission = device.submission()?;
            due.push(Due { body: submission.encode(), statement: submission.statement });
        }
    }
    due.truncate(usize::try_from(count)?);
    Ok(due)
}

/// Hands a statement in until its receipt has been verified; gives how often that was put off.
async fn hand_in(notary: &Notary, checker: &Checker, due: Due) -> Result<u64> {
    for put_off in 0..100 {
        match notary.submit(due.body.clone()).await? {
            Answer::Outcomes(outcomes) => match outcomes.as_slice() {
                [Outcome::Sealed { index, sealed_at, receipt }] => {
                    let entry = Entry::sealing(&due.statement, *sealed_at);
                    checker.check(&entry, *index, receipt.as_bytes())?;
                    return Ok(put_off);
                }
                [Outcome::Pending] => {}
                other => bail!("a statement is answered {other:?}"),
            },
            Answer::Later(pause) => tokio::time::sleep(pause).await,
            // A connection that was not let in: a device tries again.
            Answer::Nothing(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    bail!("a statement was put off a hundred times")
}

/// The section's text: what was measured, on what, and how to measure it again.
pub fn section(options: Options, measured: &Measured, command: &str) -> Result<String> {
    let machine = report::Machine::this(&std::env::temp_dir())?;
    Ok(report::section(options, measured, command, &machine))
}
