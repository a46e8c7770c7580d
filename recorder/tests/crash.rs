//! `kill -9` at every system call that writes. The kernel kills the recorder by strace's fault injection when it enters its
//! N-th call of a kind, for every N, until a run is left alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod support;

use std::process::{Command, Output, Stdio};

use evidence::{Payload, Verdict};
use support::history;
use support::notary::{Mood, Notary};
use support::recorder::{PROGRAM, Recorder, said, sample};

/// A few segments of a few kilobytes: every step of the write path, and not one more.
const LIVE: &str = "h264-aac-live.mp4";

/// Everything by which the recorder changes the medium.
const CALLS: [&str; 10] =
    ["openat", "mkdir", "write", "fdatasync", "fsync", "ftruncate", "rename", "linkat", "unlink", "unlinkat"];

/// More calls of one kind than a run makes; a loop beyond it means that nothing is counted.
const MAX_CALLS: u32 = 500;

/// Runs the recorder and kills it as it enters its `nth` call of this kind (counted in each thread).
fn run_and_kill(args: &[String], call: &str, nth: u32) -> Output {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={nth}"));
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "--", PROGRAM])
        .args(args)
        // Plain HTTP to loopback: the system's root certificates are hundreds of files to be killed at in vain.
        .env("SSL_CERT_FILE", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .expect("strace is installed by `cargo xtask setup`");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("strace:"), "{}", said(&output));
    output
}

/// strace ends as its tracee ended.
fn was_killed(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    output.status.signal() == Some(9) || output.status.code() == Some(128 + 9)
}

/// Statements that are on the medium, counted without the recorder: intact frames of the journals (`journal.rs` gives the
/// format).
fn on_medium(recorder: &Recorder) -> Vec<Vec<u8>> {
    let mut statements = Vec::new();
    for folder in recorder.spooled() {
        let Ok(bytes) = std::fs::read(folder.join("statements")) else { continue };
        let mut rest = &bytes[..];
        while let Some((header, tail)) = rest.split_at_checked(24) {
            let length = u32::from_be_bytes(header[4..8].try_into().unwrap()) as usize;
            let Some((payload, tail)) = tail.split_at_checked(length) else { break };
            let digest = evidence::Digest::of(&[&header[4..8], payload].concat());
            if &header[..4] != b"JZfr" || header[8..] != digest.as_bytes()[..16] {
                break;
            }
            statements.push(payload.to_vec());
            rest = tail;
        }
    }
    statements
}

/// After a crash: one `flush` brings everything to the notary that was on the medium, and the history has no hole.
fn assert_recovers(recorder: &Recorder, notary: &Notary, output: &str, place: &str) {
    let before = on_medium(recorder);
    let flushed = recorder.flush();
    assert_eq!(flushed.status.code(), Some(0), "{place}: {}", said(&flushed));
    assert!(recorder.spooled().is_empty(), "{place}");
    history::check(notary, None);
    let sealed: Vec<Vec<u8>> =
        notary.recordings().into_values().flatten().map(|statement| statement.bytes().to_vec()).collect();
    for frame in before {
        let survived = sealed.iter().any(|bytes| frame.windows(bytes.len()).any(|window| window == bytes));
        assert!(survived, "{place}: a signed statement was lost");
    }
    let evidence = recorder.path(&format!("{output}.evidence"));
    if evidence.exists() {
        let Some(Payload::End(end)) =
            recorder.evidence(output).statements().last().map(|last| last.payload().clone())
        else {
            panic!("{place}: the evidence has no end")
        };
        if end.segments > 0 {
            let verdict = recorder.verify(output, &notary.trust()).verdict;
            assert_eq!(verdict, Verdict::Consistent, "{place}: {} segments", end.segments);
        }
    }
}

#[test]
fn killed_while_recording_it_loses_no_signed_segment() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    assert_eq!(recorder.flush().status.code(), Some(0));
    let (mut kills, mut recovered) = (0, 0);
    for call in CALLS {
        for nth in 1..MAX_CALLS {
            let output = format!("{call}-{nth}.mp4");
            let run = run_and_kill(&recorder.record_args(&sample(LIVE), &output), call, nth);
            if !was_killed(&run) {
                assert_eq!(run.status.code(), Some(0), "{call} {nth}: {}", said(&run));
                break;
            }
            kills += 1;
            assert_recovers(&recorder, &notary, &output, &format!("{call} {nth}"));
            recovered += u32::from(recorder.path(&format!("{output}.evidence")).exists());
        }
    }
    assert!(kills > 60, "only {kills} places were tried");
    assert!(recovered > 20, "only {recovered} crashes left a recording to close");
}

#[test]
fn killed_while_flushing_it_loses_nothing_either() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    assert_eq!(recorder.flush().status.code(), Some(0));
    let mut flush = vec!["flush".to_owned()];
    flush.extend(recorder.online());
    let mut kills = 0;
    for call in CALLS {
        for nth in 1..MAX_CALLS {
            let output = format!("{call}-{nth}.mp4");
            notary.mood(Mood::Away);
            // Half of the time, what is to be flushed is itself the leftover of a crash.
            if nth % 2 == 0 {
                // Nobody answers: there is nothing to wait for.
                let args = recorder.record_args_waiting(&sample(LIVE), &output, "0");
                recorder.run_owned(&args);
            } else {
                run_and_kill(&recorder.record_args(&sample(LIVE), &output), "fdatasync", 4);
            }
            notary.mood(Mood::Honest);
            let run = run_and_kill(&flush, call, nth);
            let killed = was_killed(&run);
            kills += u32::from(killed);
            assert_recovers(&recorder, &notary, &output, &format!("flush, {call} {nth}"));
            if !killed {
                break;
            }
        }
    }
    assert!(kills > 40, "only {kills} places were tried");
}
