//! Chain roots remembered from run to run and compared with a service and a witness that are honest, dead or lying.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use evidence::report::{AlarmKind, FindingName, ReasonCode, Report, RootSource, State, WitnessState};
use evidence::{Digest, TrustFile, Verdict};
use support::{Case, ORIGIN, content, note, sealed, signing_key, text, trust_with, witness_key};
use tlog::{Hash, SignedNote, leaf_hash, root_of};

const LOG: u8 = 1;
/// When the receipts were cosigned.
const COSIGNED: u64 = 1_800_000_100;

/// What service and witness show. The witness is at `/w` of the service.
#[derive(Clone, Default)]
struct Shown {
    published: Option<Vec<u8>>,
    tiles: Vec<Hash>,
    witness: Option<Vec<u8>>,
}

struct Stage {
    case: Case,
    url: String,
    shown: Arc<Mutex<Shown>>,
    /// Enrolment, deposit, and what others sealed.
    leaves: Vec<Hash>,
    trust: TrustFile,
}

impl Stage {
    /// A chain of five entries with its service and one witness, whose cosignature is the quorum.
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shown: Arc<Mutex<Shown>> = Arc::default();
        let inside = Arc::clone(&shown);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                answer(socket, &inside.lock().unwrap().clone());
            }
        });
        let witness = format!("{url}/w");
        Self::with(url, shown, &witness)
    }

    fn with(url: String, shown: Arc<Mutex<Shown>>, witness: &str) -> Self {
        let rest = format!("witness w1 {} {witness}\nquorum w1\n", witness_key().verifier_key());
        let trust = trust_with(LOG, "Notary of the tests", &rest);
        let cosigned = |leaves: &[Hash]| note(leaves, &signing_key(ORIGIN, LOG), Some(COSIGNED));
        let (evidence, mut leaves) = sealed(&content(), cosigned);
        leaves.extend([b"2", b"3", b"4"].map(|leaf| leaf_hash(leaf)));
        let stage = Self { case: Case::with(&evidence, &trust), url, shown, leaves, trust };
        let leaves = stage.leaves.clone();
        stage.show(&leaves, COSIGNED + 10);
        stage
    }

    /// Service and witness show this tree.
    fn show(&self, leaves: &[Hash], cosigned: u64) {
        let note = self.note(leaves, cosigned);
        let note = Some(note.as_bytes().to_vec());
        *self.shown.lock().unwrap() =
            Shown { published: note.clone(), tiles: leaves.to_vec(), witness: note };
    }

    fn note(&self, leaves: &[Hash], cosigned: u64) -> SignedNote {
        note(leaves, &signing_key(ORIGIN, LOG), Some(cosigned))
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.lock().unwrap());
    }

    /// Another history from entry 3 on, longer by this many entries.
    fn fork(&self, more: usize) -> Vec<Hash> {
        let mut leaves = self.leaves.clone();
        leaves[3] = leaf_hash(b"another history");
        leaves.resize(leaves.len() + more, leaf_hash(b"more"));
        leaves
    }

    /// `--json`, with the evidence and the service.
    fn run(&self, more: &[&str]) -> (i32, Report, Output) {
        let mut args = vec![text(&self.case.file), "--json", "--trust", text(&self.case.trust)];
        args.extend(["--evidence", text(&self.case.evidence), "--server", &self.url]);
        args.extend(more);
        let output = self.case.run(&args);
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        (output.status.code().unwrap(), report, output)
    }

    fn pins(&self) -> PathBuf {
        self.case.path("state/jianzhen/pins")
    }

    fn pin(&self) -> PathBuf {
        let slot = evidence::pin_slot(signing_key(ORIGIN, LOG).verifier_key());
        self.pins().join(Digest::of(slot.as_bytes()).to_string())
    }

    fn pinned(&self) -> Vec<u8> {
        std::fs::read(self.pin()).unwrap()
    }

    /// Both notes that were saved in `folder`; each is what the log has signed.
    fn saved(&self, folder: &Path, kind: AlarmKind) -> Vec<Vec<u8>> {
        let mut notes = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with(&format!("alarm-{}-", kind.as_str())) {
                let note = std::fs::read(&path).unwrap();
                let parsed = SignedNote::parse(&note).unwrap();
                self.trust.logs()[0].policy.verify_log_signature(&parsed).unwrap();
                notes.push(note);
            }
        }
        notes
    }
}

fn roots(report: &Report) -> (State, ReasonCode) {
    let finding = report.finding(FindingName::Roots).unwrap();
    (finding.state, finding.reason)
}

fn alarm(report: &Report) -> Option<(AlarmKind, RootSource, RootSource)> {
    let alarm = report.roots.as_ref()?.alarm.as_ref()?;
    Some((alarm.kind, alarm.ours.source, alarm.theirs.source))
}

/// C2SP `tlog-tiles` for trees of up to 256 entries: one tile at level 0.
fn answer(mut socket: TcpStream, shown: &Shown) {
    let mut request = [0; 4096];
    let read = socket.read(&mut request).unwrap_or(0);
    let line = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let body = match path {
        "/log/checkpoint" => shown.published.clone(),
        _ if path.starts_with("/w/") => shown.witness.clone(),
        _ => path.strip_prefix("/log/tile/0/000.p/").and_then(|width| {
            let leaves = shown.tiles.get(..width.parse().ok()?)?;
            Some(leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect())
        }),
    };
    let (status, body) = body.map_or((404, Vec::new()), |body| (200, body));
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
}

#[test]
fn an_honest_chain_agrees_and_is_remembered_as_it_grows() {
    let stage = Stage::new();
    let (code, report, output) = stage.run(&[]);
    assert_eq!((code, report.verdict), (0, Verdict::Consistent), "{report:?}");
    assert_eq!(roots(&report), (State::Proven, ReasonCode::RootsAgree));
    let witnesses = &report.roots.as_ref().unwrap().witnesses;
    assert_eq!((witnesses.len(), witnesses[0].state), (1, WitnessState::Agrees));
    assert_eq!((alarm(&report), output.stderr.len()), (None, 0));
    assert_eq!(std::fs::metadata(stage.pins()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(stage.pinned(), stage.note(&stage.leaves, COSIGNED + 10).as_bytes());

    let mut grown = stage.leaves.clone();
    grown.extend([b"5", b"6"].map(|leaf| leaf_hash(leaf)));
    stage.show(&grown, COSIGNED + 20);
    assert_eq!(roots(&stage.run(&[]).1), (State::Proven, ReasonCode::RootsAgree));
    assert_eq!(stage.pinned(), stage.note(&grown, COSIGNED + 20).as_bytes());

    // Words, with the witness's name.
    let said = stage.case.run(&[
        text(&stage.case.file),
        "--trust",
        text(&stage.case.trust),
        "--evidence",
        text(&stage.case.evidence),
        "--server",
        &stage.url,
    ]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("Witnesses: w1: agrees"), "{said}");
}

#[test]
fn a_fork_of_what_was_remembered_is_shown_first_fails_and_is_saved() {
    let stage = Stage::new();
    stage.run(&[]);
    let before = stage.pinned();
    // The receipts are beginnings of both histories: only what was remembered tells.
    stage.show(&stage.fork(1), COSIGNED + 20);
    let (code, report, output) = stage.run(&[]);
    assert_eq!((code, report.verdict), (2, Verdict::EvidenceInvalid), "{report:?}");
    assert_eq!(roots(&report), (State::Failed, ReasonCode::ChainForked));
    assert_eq!(alarm(&report).unwrap().0, AlarmKind::Forked);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("ALARM: this notary chain has two histories"), "{stderr}");
    assert_eq!(stage.pinned(), before, "what was remembered stays");

    let saved = stage.saved(&stage.pins(), AlarmKind::Forked);
    assert_eq!(saved.len(), 2);
    assert_ne!(saved[0], saved[1]);
    let both = report.roots.unwrap().alarm.unwrap();
    assert!(saved.contains(&both.ours.note.into_bytes()) && saved.contains(&both.theirs.note.into_bytes()));

    for (lang, words) in [("en", "!!! ALARM"), ("zh", "!!! 警报")] {
        let folder = stage.case.path(lang);
        let args = [
            text(&stage.case.file),
            "--trust",
            text(&stage.case.trust),
            "--evidence",
            text(&stage.case.evidence),
            "--server",
            &stage.url,
            "--lang",
            lang,
            "--save-roots",
            text(&folder),
        ];
        let said = stage.case.run(&args);
        assert_eq!(said.status.code(), Some(2));
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.starts_with(words), "before everything else: {said}");
        assert!(said.contains(text(&folder)), "where the notes are: {said}");
        assert_eq!(stage.saved(&folder, AlarmKind::Forked).len(), 2);
    }
    assert_eq!(stage.saved(&stage.pins(), AlarmKind::Forked).len(), 2, "no more than the first time");
}

#[test]
fn a_witness_that_has_seen_another_history_convicts_the_chain_at_first_sight() {
    let stage = Stage::new();
    let lying = stage.note(&stage.fork(0), COSIGNED + 15);
    stage.change(|shown| shown.witness = Some(lying.as_bytes().to_vec()));
    let (code, report, _) = stage.run(&[]);
    assert_eq!((code, roots(&report)), (2, (State::Failed, ReasonCode::ChainForked)), "{report:?}");
    let facts = report.roots.unwrap();
    assert_eq!(facts.witnesses[0].state, WitnessState::Contradicts);
    assert_eq!(facts.alarm.unwrap().theirs.name.as_deref(), Some("w1"));
    assert!(!stage.pin().exists(), "a chain that contradicts itself is not remembered");
}

#[test]
fn a_chain_that_lost_entries_is_proven_by_the_later_cosignature() {
    let stage = Stage::new();
    stage.run(&[]);
    let before = stage.pinned();
    // Ten seconds are what a clock may have been set back by.
    stage.show(&stage.leaves[..4], COSIGNED + 21);
    let (code, report, _) = stage.run(&[]);
    assert_eq!((code, roots(&report)), (2, (State::Failed, ReasonCode::ChainShrunk)), "{report:?}");
    assert_eq!(alarm(&report), Some((AlarmKind::Shrunk, RootSource::Pin, RootSource::Published)));
    assert_eq!(stage.saved(&stage.pins(), AlarmKind::Shrunk).len(), 2);
    assert_eq!(stage.pinned(), before);
}

#[test]
fn an_old_copy_and_missing_tiles_warn_and_decide_nothing() {
    let stage = Stage::new();
    stage.run(&[]);
    let before = stage.pinned();
    stage.show(&stage.leaves[..4], COSIGNED + 5);
    let (code, report, output) = stage.run(&[]);
    assert_eq!((code, report.verdict), (0, Verdict::Consistent), "{report:?}");
    assert_eq!(roots(&report), (State::NotChecked, ReasonCode::ChainStale));
    assert!(String::from_utf8(output.stderr).unwrap().contains("WARNING: the service shows an old state"));
    assert_eq!(stage.saved(&stage.pins(), AlarmKind::Stale).len(), 2);

    let mut grown = stage.leaves.clone();
    grown.push(leaf_hash(b"5"));
    for tiles in [Vec::new(), vec![leaf_hash(b"wrong"); 6]] {
        stage.show(&grown, COSIGNED + 20);
        stage.change(|shown| shown.tiles = tiles);
        let (code, report, output) = stage.run(&[]);
        assert_eq!((code, report.verdict), (0, Verdict::Consistent), "{report:?}");
        assert_eq!(roots(&report), (State::NotChecked, ReasonCode::ChainUnconnected));
        assert!(String::from_utf8(output.stderr).unwrap().contains("WARNING: it could not be checked"));
    }
    assert_eq!(stage.pinned(), before, "what is not connected is not remembered");
}

#[test]
fn a_dead_witness_and_a_useless_one_are_told_apart_and_alarm_nobody() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let alive = Stage::new();
    let dead = Stage::with(alive.url.clone(), Arc::clone(&alive.shown), &format!("http://{gone}"));
    let (code, report, _) = dead.run(&[]);
    assert_eq!((code, roots(&report)), (0, (State::NotChecked, ReasonCode::NoWitness)), "{report:?}");
    assert_eq!(report.roots.unwrap().witnesses[0].state, WitnessState::NoAnswer);

    let unsigned = note(&alive.leaves, &signing_key(ORIGIN, LOG), None);
    for useless in [b"nonsense".to_vec(), unsigned.as_bytes().to_vec(), vec![b'x'; 2 << 20]] {
        let answered = useless.len() < 1 << 20;
        alive.change(|shown| shown.witness = Some(useless));
        let (code, report, _) = alive.run(&[]);
        assert_eq!((code, roots(&report)), (0, (State::NotChecked, ReasonCode::NoWitness)), "{report:?}");
        let state = report.roots.unwrap().witnesses[0].state;
        assert_eq!(state, if answered { WitnessState::Unusable } else { WitnessState::NoAnswer });
    }
}

#[test]
fn without_a_server_nobody_is_asked_and_what_is_remembered_still_counts() {
    let stage = Stage::new();
    let offline = |case: &Case| case.report(&case.file, &["--evidence", text(&case.evidence)]);
    let (code, report) = offline(&stage.case);
    assert_eq!((code, roots(&report)), (0, (State::NotChecked, ReasonCode::Offline)));
    assert_eq!(report.roots, None);
    let remembered = SignedNote::parse(&stage.pinned()).unwrap();
    assert_eq!(remembered.as_bytes(), stage.note(&stage.leaves[..2], COSIGNED).as_bytes());

    // Evidence of another tree with two entries, signed by the same log.
    let mut other = content();
    other[0] ^= 1;
    let (forged, _) = sealed(&other, |leaves| stage.note(leaves, COSIGNED + 1));
    std::fs::write(&stage.case.file, &other).unwrap();
    std::fs::write(&stage.case.evidence, forged.encode()).unwrap();
    let (code, report) = offline(&stage.case);
    assert_eq!((code, roots(&report)), (2, (State::Failed, ReasonCode::ChainForked)), "{report:?}");
    assert_eq!(alarm(&report), Some((AlarmKind::Forked, RootSource::Anchor, RootSource::Pin)));
}

#[test]
fn a_pin_that_is_none_is_passed_over_and_replaced() {
    let stage = Stage::new();
    std::fs::create_dir_all(stage.pins()).unwrap();
    let foreign = note(&stage.leaves, &signing_key(ORIGIN, 2), Some(COSIGNED + 99));
    let good = stage.note(&stage.leaves, COSIGNED + 10);
    for garbage in [Vec::new(), b"garbage".to_vec(), foreign.as_bytes().to_vec(), vec![0; 2 << 20]] {
        std::fs::write(stage.pin(), garbage).unwrap();
        let (code, report, output) = stage.run(&[]);
        assert_eq!((code, roots(&report).1), (0, ReasonCode::RootsAgree));
        assert_eq!((alarm(&report), String::from_utf8(output.stderr).unwrap()), (None, String::new()));
        assert_eq!(stage.pinned(), good.as_bytes());
    }
}

#[test]
fn pins_that_cannot_be_kept_change_no_verdict_and_are_said() {
    let stage = Stage::new();
    let file = stage.case.path("file");
    std::fs::write(&file, b"in the way").unwrap();
    for pins in [file.join("pins"), PathBuf::from("/proc/pins")] {
        let (code, report, output) = stage.run(&["--pins", text(&pins)]);
        assert_eq!((code, report.verdict), (0, Verdict::Consistent));
        assert_eq!(roots(&report), (State::Proven, ReasonCode::RootsAgree));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("Cannot ") && stderr.lines().count() == 1, "{stderr}");
    }
    // What cannot be read may be larger: it is left alone.
    std::fs::create_dir_all(stage.pin()).unwrap();
    let (code, _, output) = stage.run(&[]);
    assert_eq!(code, 0);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("Cannot read"));
    assert!(stage.pin().is_dir());

    let args = [text(&stage.case.file), "--trust", text(&stage.case.trust), "--json"];
    let homeless =
        stage.case.command(&args).env_remove("XDG_STATE_HOME").env_remove("HOME").output().unwrap();
    assert_eq!(homeless.status.code(), Some(0));
    assert!(String::from_utf8(homeless.stderr).unwrap().contains("--pins DIR"));
}

#[test]
fn nothing_is_remembered_where_nothing_is_to_be() {
    let stage = Stage::new();
    let folder = stage.case.path("elsewhere");
    for _ in 0..2 {
        assert_eq!(stage.run(&["--no-pins"]).0, 0);
        assert!(!stage.case.path("state").exists());
    }
    let (code, _, output) = stage.run(&["--no-pins", "--pins", text(&folder)]);
    assert_eq!((code, output.stderr.len(), folder.exists()), (0, 0, false));
    // An alarm is one all the same, and says that it was not saved.
    let lying = stage.note(&stage.fork(0), COSIGNED + 15);
    stage.change(|shown| shown.witness = Some(lying.as_bytes().to_vec()));
    let (code, _, output) = stage.run(&["--no-pins"]);
    assert_eq!(code, 2);
    assert!(String::from_utf8(output.stderr).unwrap().contains("--save-roots DIR"));
    assert_eq!(stage.run(&["--no-pins", "--save-roots", text(&folder)]).0, 2);
    assert_eq!(stage.saved(&folder, AlarmKind::Forked).len(), 2);

    // The environment names a folder like the option does.
    let stage = Stage::new();
    let args = [text(&stage.case.file), "--trust", text(&stage.case.trust)];
    assert!(stage.case.command(&args).env("JIANZHEN_PINS", &folder).output().unwrap().status.success());
    assert!(folder.join(stage.pin().file_name().unwrap()).exists() && !stage.pins().exists());
}

#[test]
fn many_runs_at_once_keep_the_largest_root() {
    let stage = Stage::new();
    let mut grown = stage.leaves.clone();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|run| {
                grown.push(leaf_hash(&[run]));
                stage.show(&grown, COSIGNED + 20 + u64::from(run));
                scope.spawn(|| stage.run(&[]))
            })
            .collect();
        for run in runs {
            let (code, report, output) = run.join().unwrap();
            assert_eq!((code, alarm(&report)), (0, None), "{report:?} {output:?}");
        }
    });
    let pin = SignedNote::parse(&stage.pinned()).unwrap();
    let pinned = stage.trust.logs()[0].policy.verify_checkpoint(&pin).unwrap().head();
    assert_eq!(pinned.root, root_of(grown[..usize::try_from(pinned.size.get()).unwrap()].iter().copied()));
    // Nobody saw more than what the next run still agrees with.
    assert_eq!(roots(&stage.run(&[]).1), (State::Proven, ReasonCode::RootsAgree));
    assert_eq!(stage.pinned(), stage.note(&grown, COSIGNED + 25).as_bytes());
}
