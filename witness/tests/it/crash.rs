//! `kill -9` under load, and at every system call that writes; a medium that fails or is full. After a restart the state includes every
//! cosignature that was ever handed out, and nothing is cosigned that contradicts one.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tlog::{Checkpoint, SignedNote};

use crate::process::{Installation, PROGRAM, Process, exchange, post};
use crate::support::{TestLog, assert_cosigned};

/// Everything by which SQLite changes the medium.
const CALLS: [&str; 5] = ["pwrite64", "write", "fdatasync", "fsync", "ftruncate"];

/// More calls of one kind than a run makes; a loop beyond it means that nothing is counted.
const MAX_CALLS: u32 = 200;

fn size_of(note: &SignedNote) -> u64 {
    Checkpoint::unverified(note).unwrap().head().size.get()
}

/// What a witness has promised: the largest tree it has cosigned of `log`, and when.
struct Promised<'a> {
    log: &'a TestLog,
    fork: TestLog,
    size: u64,
    time: u64,
}

impl<'a> Promised<'a> {
    fn nothing(log: &'a TestLog) -> Self {
        Self { log, fork: log.forked(0, log.len(), "fork"), size: 0, time: 0 }
    }

    fn note(&mut self, size: u64, time: u64) {
        assert!(self.size < size || (self.size == size && self.time <= time));
        (self.size, self.time) = (size, time);
    }

    /// The restarted witness includes it, and no fork gets anywhere.
    fn assert_kept(&mut self, installation: &Installation, process: &Process, place: &str) {
        let newest = process.newest();
        let at = newest.as_ref().map_or(0, size_of);
        assert!(at >= self.size, "{place}: the state is at {at}, and {} was cosigned", self.size);
        if let Some(newest) = newest {
            assert_eq!(newest.text(), self.log.note(at).text(), "{place}");
            let keys = [self.log.key.verifier_key().clone(), installation.vkey.clone()];
            let verified = newest.verify(&keys).unwrap();
            let time = verified.iter().find_map(tlog::VerifiedSignature::timestamp).unwrap();
            assert!(time >= self.time, "{place}: time went back");
            let fork = (at + 1).min(self.log.len());
            assert_eq!(process.post(&self.fork.request(at, fork)).unwrap().0, 422, "{place}: a fork");
            self.note(at, time);
        }
    }

    /// One honest step; notes what was answered.
    fn step(&mut self, installation: &Installation, address: &str, by: u64) -> Option<u16> {
        let new = self.size + by;
        let (status, answer) = exchange(address, &post(&self.log.request(self.size, new)))?;
        match status {
            200 => {
                let time = assert_cosigned(&installation.vkey, &self.log.note(new), &answer);
                self.note(new, time);
            }
            _ => assert!(!answer.contains('\u{2014}'), "{answer}"),
        }
        Some(status)
    }
}

#[test]
fn killed_at_any_moment_under_load_it_never_forgets() {
    let log = TestLog::of(4000, "a");
    let installation = Installation::of(&log);
    let promised = Mutex::new(Promised::nothing(&log));
    let forks: Vec<TestLog> = (0..2).map(|number| log.forked(0, 400, &format!("fork {number}"))).collect();
    for round in 0..12 {
        let process = installation.serve(&[]);
        promised.lock().unwrap().assert_kept(&installation, &process, &format!("round {round}"));
        let stop = AtomicBool::new(false);
        let address = process.address().to_owned();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let answered = promised.lock().unwrap().step(&installation, &address, 3);
                    assert!(matches!(answered, None | Some(200)), "{answered:?}");
                }
            });
            // Hostile company: signed by the log's key, and contradicting it.
            for fork in &forks {
                scope.spawn(|| {
                    let mut old = 2;
                    while !stop.load(Ordering::SeqCst) {
                        if let Some((status, answer)) = exchange(&address, &post(&fork.request(old, old + 1)))
                        {
                            assert_ne!(status, 200, "round {round}: a fork was cosigned");
                            old = if status == 409 { answer.trim_end().parse().unwrap() } else { old }
                                .clamp(2, 399);
                        }
                    }
                });
            }
            let moment = getrandom::u64().unwrap() % 250;
            std::thread::sleep(Duration::from_millis(20 + moment));
            process.kill();
            stop.store(true, Ordering::SeqCst);
        });
    }
    let process = installation.serve(&[]);
    let mut promised = promised.into_inner().unwrap();
    promised.assert_kept(&installation, &process, "the end");
    assert!(promised.size > 30, "hardly anything was cosigned: {}", promised.size);
    drop(process);
    installation.assert_sound();
}

/// Runs the witness with an injected fault, and takes some steps. Whether the fault struck.
fn run_injected(
    installation: &Installation,
    promised: &mut Promised<'_>,
    call: &str,
    fault: &str,
    place: &str,
) -> bool {
    let trace = installation.directory.path().join("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-o", trace.to_str().unwrap()])
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}"), "--", PROGRAM])
        .args(installation.serve_args())
        // The log lines are system calls too: none of them is part of what is tested.
        .env("JIANZHEN_LOG", "off")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace is installed by `cargo xtask setup`");
    let mut ended = false;
    while !ended && !installation.ready().exists() {
        ended = strace.try_wait().unwrap().is_some();
        std::thread::sleep(Duration::from_millis(2));
    }
    if !ended {
        let url = std::fs::read_to_string(installation.ready()).unwrap();
        let address = url.trim_end().strip_prefix("http://").unwrap().to_owned();
        for _ in 0..3 {
            match promised.step(installation, &address, 2) {
                None => break,
                Some(status) => assert!(matches!(status, 200 | 409 | 500 | 503), "{place}: {status}"),
            }
        }
        // To the witness itself: strace would not wait for it.
        let children = format!("/proc/{0}/task/{0}/children", strace.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        if let Some(witness) = children.split_whitespace().next() {
            // It may have been killed meanwhile.
            let _ = Command::new("kill").args(["-TERM", witness]).stderr(Stdio::null()).status();
        }
    }
    strace.wait().unwrap();
    let trace = std::fs::read_to_string(trace).unwrap_or_default();
    trace.contains("INJECTED") || trace.contains("killed by SIGKILL")
}

#[test]
fn killed_at_every_write_it_never_forgets() {
    let log = TestLog::of(2000, "a");
    let installation = Installation::of(&log);
    let mut promised = Promised::nothing(&log);
    let mut struck = 0;
    for call in CALLS {
        for nth in 1..MAX_CALLS {
            let place = format!("{call} {nth}");
            let hit =
                run_injected(&installation, &mut promised, call, &format!("signal=KILL:when={nth}"), &place);
            let process = installation.serve(&[]);
            promised.assert_kept(&installation, &process, &place);
            assert_eq!(promised.step(&installation, process.address(), 1), Some(200), "{place}");
            if !hit {
                break;
            }
            struck += 1;
        }
    }
    assert!(struck >= 20, "only {struck} places were tried");
    installation.assert_sound();
}

#[test]
fn a_medium_that_fails_or_is_full_gets_no_cosignature_out_of_it() {
    let log = TestLog::of(3000, "a");
    let installation = Installation::of(&log);
    let mut promised = Promised::nothing(&log);
    let mut struck = 0;
    for (call, error) in [
        ("pwrite64", "ENOSPC"),
        ("pwrite64", "EIO"),
        ("fdatasync", "EIO"),
        ("fsync", "EIO"),
        ("ftruncate", "EIO"),
    ] {
        for nth in 1..MAX_CALLS {
            // Once, and from then on for ever.
            let mut hit = false;
            for when in [format!("{nth}"), format!("{nth}+")] {
                let place = format!("{call} {error} {when}");
                hit |= run_injected(
                    &installation,
                    &mut promised,
                    call,
                    &format!("error={error}:when={when}"),
                    &place,
                );
                let process = installation.serve(&[]);
                promised.assert_kept(&installation, &process, &place);
                assert_eq!(promised.step(&installation, process.address(), 1), Some(200), "{place}");
            }
            if !hit {
                break;
            }
            struck += 1;
        }
    }
    assert!(struck >= 10, "only {struck} places were tried");
    installation.assert_sound();
}
