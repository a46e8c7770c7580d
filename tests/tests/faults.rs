//! Faults beneath the real server: at each system call by which it changes the disk, in turn, the kernel reports an I/O error,
//! reports a full disk from then on, or kills the process (by strace's fault injection; SQLite's own calls included). After
//! each the server is started again, everything that was handed in gets its receipt, every receipt ever handed out is
//! answered byte for byte, and `fsck` finds nothing that disagrees.
//!
//! All places and faults are some hundred and take a quarter of an hour; `JIANZHEN_FAULTS` says how many of them are tried,
//! evenly chosen, or `all`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evidence::{Digest, Entry, Outcome, Submission};
use jianzhen_tests::load::device::{Device, seal};
use jianzhen_tests::load::notary::{Answer, Notary};
use jianzhen_tests::load::receipts::Checker;
use jianzhen_tests::process::wait_for;
use jianzhen_tests::stack::{Stack, utf8};
use tlog::{LeafIndex, TreeSize};

/// How many are tried where `JIANZHEN_FAULTS` says nothing.
const SOME: usize = 18;

/// Everything by which the server changes the disk. `openat` is not among them: nothing is written by it that a later call does
/// not make durable.
const CALLS: [&str; 10] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "linkat",
    "ftruncate",
    "mkdir",
    "unlink",
    "fallocate",
];

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// This call fails with EIO.
    Error,
    /// This call and all that follow fail with ENOSPC.
    Full,
    /// The process is killed as it enters this call.
    Kill,
}

/// The `nth` call of a kind, counted in each thread.
#[derive(Debug, Clone, Copy)]
struct Point {
    call: &'static str,
    nth: u32,
    fault: Fault,
}

/// A receipt that was handed out.
struct Promise {
    submission: Submission,
    index: LeafIndex,
    entry: Entry,
    receipt: Vec<u8>,
}

struct World {
    // Before the directory: the programs end first.
    stack: Stack,
    directory: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    notary: Notary,
    checker: Checker,
    device: Device,
    promises: Vec<Promise>,
}

impl Point {
    /// strace's words for it.
    fn inject(self) -> String {
        let Self { call, nth, fault } = self;
        match fault {
            Fault::Error => format!("inject={call}:error=EIO:when={nth}"),
            Fault::Full => format!("inject={call}:error=ENOSPC:when={nth}+"),
            Fault::Kill => format!("inject={call}:signal=KILL:when={nth}"),
        }
    }
}

impl World {
    fn new() -> Self {
        let directory = tempfile::TempDir::with_prefix("jianzhen-faults-").unwrap();
        let mut stack = Stack::init(directory.path(), "faults.example/log").unwrap();
        let config = stack.server.data.join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        // A server that cannot publish says so after 20 s; nobody here waits that long.
        let impatient = text.replace("answer_timeout_s = 20", "answer_timeout_s = 2");
        assert_ne!(text, impatient);
        std::fs::write(config, impatient).unwrap();
        stack.start_all().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let notary = Notary::new(&stack.url).unwrap();
        let checker = Checker::load(&stack.server.trust()).unwrap();
        let device =
            runtime.block_on(Device::enrol(&stack.server, &notary, &checker, 1, 1)).unwrap().remove(0);
        stack.server.terminate().unwrap();
        Self { stack, directory, runtime, notary, checker, device, promises: Vec::new() }
    }

    /// The files and folders that the server changes from now on. strace looks at calls on these only: a fault in the
    /// runtime's own pipes would be no fault of a disk.
    fn paths(&self) -> Vec<PathBuf> {
        let data = &self.stack.server.data;
        let objects = data.join("objects");
        let mut paths: Vec<PathBuf> =
            ["server.sqlite", "server.sqlite-wal", "server.sqlite-shm"].map(|name| data.join(name)).into();
        paths.extend([data.clone(), objects.clone()]);
        let mut files = vec!["checkpoint".to_owned()];
        let size = self.promises.iter().map(|promise| promise.index.get() + 1).max().unwrap_or(0);
        // Registry snapshots are sealed too: the next trees are somewhat larger than what is handed in here.
        for (old, new) in (size..size + 12).map(|size| (TreeSize::new(size), TreeSize::new(size + 1))) {
            files.extend(tlog::tiles_between(old, new).map(|id| id.path()));
            files.extend(tlog::bundles_between(old, new).map(|id| id.path()));
        }
        for file in files {
            let path = objects.join(file);
            let staged = format!("{}#1", utf8(&path));
            let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&objects));
            paths.extend(folders.map(Path::to_owned));
            paths.extend([path.clone(), staged.into()]);
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// Runs the server under strace, hands in a few statements, and takes what comes; then the power fails.
    fn run_traced(&mut self, options: &[&str], trace: &Path) -> Vec<Submission> {
        let mut within: Vec<String> = ["strace", "-f", "-qq", "-o", utf8(trace)].map(str::to_owned).into();
        within.extend(self.paths().iter().flat_map(|path| ["-P".to_owned(), utf8(path).to_owned()]));
        within.extend(options.iter().map(|&option| option.to_owned()));
        // When strace is killed, so is what it traced.
        within.extend(["--", "setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned));
        self.stack.server.within = within;
        self.stack.server.launch().unwrap();
        let unanswered = self.hand_in();
        self.stack.server.kill();
        self.stack.server.within.clear();
        self.wait_until_gone();
        unanswered
    }

    /// Hands in three statements, one after the other; gives those that got no receipt.
    fn hand_in(&mut self) -> Vec<Submission> {
        let readyz = format!("{}/readyz", self.stack.url);
        let ready = wait_for("/readyz", Duration::from_secs(8), || {
            let up = jianzhen_tests::http::status(&readyz).ok() == Some(200);
            Ok((up || self.stack.server.ending().is_some()).then_some(()))
        });
        let mut unanswered = Vec::new();
        for _ in 0..3 {
            let submission = self.device.submission().unwrap();
            if ready.is_err() || self.stack.server.ending().is_some() {
                unanswered.push(submission);
                continue;
            }
            let body = submission.encode();
            let limit = Duration::from_secs(5);
            let answer =
                self.runtime.block_on(async { tokio::time::timeout(limit, self.notary.submit(body)).await });
            match answer {
                Ok(Ok(Answer::Outcomes(outcomes))) => match outcomes.into_iter().next() {
                    Some(Outcome::Sealed { index, sealed_at, receipt }) => {
                        let entry = Entry::sealing(&submission.statement, sealed_at);
                        self.checker.check(&entry, index, receipt.as_bytes()).unwrap();
                        let receipt = receipt.as_bytes().to_vec();
                        self.promises.push(Promise { submission, index, entry, receipt });
                    }
                    Some(Outcome::Pending) => unanswered.push(submission),
                    other => panic!("a statement is answered {other:?}"),
                },
                // It failed, and said so, or said nothing. It must not have said that it succeeded.
                _ => unanswered.push(submission),
            }
        }
        unanswered
    }

    /// The data directory is locked by whoever writes: when it is free, the process is gone.
    fn wait_until_gone(&self) {
        let lock = std::fs::File::open(self.stack.server.data.join("lock")).unwrap();
        wait_for("the server's end", Duration::from_secs(30), || Ok(lock.try_lock().ok())).unwrap();
    }

    /// Starts the server without faults: what was handed in gets its receipt, and the receipts from `first` on are kept.
    fn recover(&mut self, unanswered: &[Submission], first: usize, place: &str) {
        self.stack.server.start().unwrap_or_else(|error| panic!("{place}: {error:?}"));
        if !unanswered.is_empty() {
            self.runtime
                .block_on(seal(&self.notary, &self.checker, unanswered))
                .unwrap_or_else(|error| panic!("{place}: {error:?}"));
        }
        self.ask_again(first, place);
        self.stack.server.terminate().unwrap_or_else(|error| panic!("{place}: {error:?}"));
        self.stack.server.fsck().unwrap_or_else(|error| panic!("{place}: {error:?}"));
    }

    fn ask_again(&self, first: usize, place: &str) {
        for promise in &self.promises[first..] {
            let answer = self.runtime.block_on(self.notary.submit(promise.submission.encode())).unwrap();
            let Answer::Outcomes(outcomes) = answer else { panic!("{place}: {answer:?}") };
            let [Outcome::Sealed { index, sealed_at, receipt }] = outcomes.as_slice() else {
                panic!("{place}: entry {} had a receipt: {outcomes:?}", promise.index)
            };
            assert_eq!(*index, promise.index, "{place}");
            assert_eq!(*sealed_at, promise.entry.sealed_at, "{place}");
            assert_eq!(
                Digest::of(receipt.as_bytes()),
                Digest::of(&promise.receipt),
                "{place}: entry {index} has another receipt"
            );
        }
    }

    /// All places at which the disk is changed, each with all faults: as many calls as one thread makes in an undisturbed run.
    fn points(&mut self) -> Vec<Point> {
        let trace = self.directory.path().join("calls");
        let calls = format!("trace={}", CALLS.join(","));
        let unanswered = self.run_traced(&["-e", &calls], &trace);
        assert!(unanswered.is_empty(), "without a fault, everything is answered");
        self.recover(&[], 0, "no fault");
        let mut counts: BTreeMap<(String, &str), u32> = BTreeMap::new();
        for line in std::fs::read_to_string(&trace).unwrap().lines() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let name = rest.trim_start().split('(').next().unwrap_or_default();
            // What is resumed was counted when it began.
            if let Some(call) = CALLS.iter().find(|call| **call == name) {
                *counts.entry((thread.to_owned(), call)).or_default() += 1;
            }
        }
        let mut points = Vec::new();
        for call in CALLS {
            let most = counts.iter().filter(|((_, name), _)| *name == call).map(|(_, count)| *count).max();
            for nth in 1..=most.unwrap_or(0) {
                points.extend([Fault::Error, Fault::Full, Fault::Kill].map(|fault| Point {
                    call,
                    nth,
                    fault,
                }));
            }
        }
        points
    }
}

/// Evenly chosen, the same each time.
fn some(points: Vec<Point>) -> Vec<Point> {
    let wanted = match std::env::var("JIANZHEN_FAULTS") {
        Ok(all) if all == "all" => points.len(),
        Ok(number) => number.parse().expect("JIANZHEN_FAULTS is a number, or `all`"),
        Err(_) => SOME,
    };
    let wanted = wanted.min(points.len());
    (0..wanted).map(|place| points[place * points.len() / wanted]).collect()
}

#[test]
fn whatever_fails_beneath_the_server_no_receipt_is_lost() {
    let mut world = World::new();
    let all = world.points();
    let count = all.len();
    assert!(count > 60, "only {count} places and faults were found");
    let chosen = some(all);
    let (mut happened, mut ended, mut refused) = (0, 0, 0);
    for point in &chosen {
        let place = format!("{} {} {:?}", point.call, point.nth, point.fault);
        let trace = world.directory.path().join("trace");
        let first = world.promises.len();
        let select = format!("trace={}", point.call);
        let unanswered = world.run_traced(&["-e", &select, "-e", &point.inject()], &trace);
        let told = std::fs::read_to_string(&trace).unwrap_or_default();
        let killed = told.contains("+++ killed by SIGKILL +++");
        let happens = if point.fault == Fault::Kill { killed } else { told.contains("(INJECTED)") };
        happened += usize::from(happens);
        ended += u32::from(told.contains("+++ "));
        refused += unanswered.len();
        world.recover(&unanswered, first, &place);
    }
    // Once more, all of them, after everything that happened since.
    world.stack.server.start().unwrap();
    world.ask_again(0, "in the end");
    world.stack.server.terminate().unwrap();
    println!(
        "{} of {count} places and faults tried, {happened} happened, {ended} ended the server; {} receipts handed out, all kept; \
         {refused} statements were not answered then, and sealed afterwards",
        chosen.len(),
        world.promises.len(),
    );
    assert!(happened * 2 > chosen.len(), "only {happened} of {} faults happened", chosen.len());
}
