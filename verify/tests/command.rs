//! The command as a court's script would call it: exit codes, JSON, and what is never a verdict. Evidence is made here,
//! from a log of two entries.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use evidence::report::{ErrorCode, Report};
use evidence::statement::{Deposit, Enrol, Role};
use evidence::{
    DeviceKey, Digest, EvidenceFile, EvidenceFileBuilder, LookupResponse, Operator, Payload, Receipt,
    RecordingId, Sealed, Sequence, Statement, TrustFile, TrustedLogs, UnixMillis, UnixSeconds, Verdict,
    Window, segments_root,
};
use tlog::{
    Checkpoint, InclusionProof, KeyAlgorithm, KeyName, LeafIndex, Policy, SigningKey, TlogProof, TreeHead,
    TreeSize, node_hash,
};

const SEALED_AT: UnixSeconds = UnixSeconds::new(1_800_000_000);

/// A log of two entries: the enrolment of a key, and one deposit by it.
struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    evidence: PathBuf,
    trust: PathBuf,
}

fn signing_key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
}

fn content() -> Vec<u8> {
    (0..2_500_000_u32).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect()
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let case = Self {
            file: path("photo.jpg"),
            evidence: path("photo.jpg.evidence"),
            trust: path("trust.json"),
            folder,
        };
        std::fs::write(&case.file, content()).unwrap();
        std::fs::write(&case.evidence, evidence(&content(), 1).encode()).unwrap();
        std::fs::write(&case.trust, trust(1).bytes()).unwrap();
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_jianzhen-verify"))
            .args(args)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }

    /// `--json` with the trust file.
    fn report(&self, file: &Path, more: &[&str]) -> (i32, Report) {
        let mut args = vec![text(file), "--json", "--trust", text(&self.trust)];
        args.extend(more);
        let output = self.run(&args);
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code().unwrap(), report)
    }
}

/// Evidence for a deposit of `bytes`, sealed by the log whose key has this seed.
fn evidence(bytes: &[u8], log: u8) -> EvidenceFile {
    let (registrar, device) = (DeviceKey::from_seed([3; 32]), DeviceKey::from_seed([4; 32]));
    let enrol = Statement::sign(
        &Payload::Enrol(Enrol {
            key: device.public(),
            id: "recorder-01".to_owned(),
            role: Role::Device,
            model: "T1".to_owned(),
            agency: String::new(),
            valid_from: UnixMillis::EPOCH,
            valid_until: UnixMillis::saturating(u64::MAX),
        }),
        &registrar,
    )
    .unwrap();
    let blocks: Vec<Digest> = bytes.chunks(1 << 20).map(Digest::of).collect();
    let deposit = Statement::sign(
        &Payload::Deposit(Deposit {
            recording: RecordingId::from_bytes([5; 16]),
            enrolment: enrol.digest(),
            deposited_at: SEALED_AT.millis(),
            length: bytes.len() as u64,
            digest: Digest::of(bytes),
            root: segments_root(Deposit::blocks(bytes.len() as u64).zip(&blocks)),
            head: Digest::of(&bytes[..65_536]),
            media_type: "image/jpeg".to_owned(),
            captured_at: None,
            depositor: None,
            position: None,
        }),
        &device,
    )
    .unwrap();
    let sealed = |statement: Statement, index| Sealed {
        statement,
        index: LeafIndex::new(index),
        sealed_at: SEALED_AT,
    };
    let (enrol, deposit) = (sealed(enrol, 0), sealed(deposit, 1));
    let leaves = [enrol.entry().leaf_hash(), deposit.entry().leaf_hash()];
    let head = TreeHead { size: TreeSize::new(2), root: node_hash(&leaves[0], &leaves[1]) };
    let receipt = |index: usize| {
        let checkpoint =
            Checkpoint::new("log.test", head).unwrap().sign(&signing_key("log.test", log)).unwrap();
        let proof = InclusionProof::new(vec![leaves[1 - index]]).unwrap();
        let proof = TlogProof::new(None, LeafIndex::new(index as u64), proof, checkpoint).unwrap();
        Receipt::new(proof.to_string().into_bytes()).unwrap()
    };
    EvidenceFileBuilder::new(vec![deposit])
        .unwrap()
        .receipt(Sequence::START, receipt(1))
        .registry(enrol, receipt(0))
        .blocks(blocks)
        .build()
        .unwrap()
}

fn trust(log: u8) -> TrustFile {
    trust_of(log, "Notary of the tests")
}

fn trust_of(log: u8, operator: &str) -> TrustFile {
    let policy = format!("log {}\nquorum none\n", signing_key("log.test", log).verifier_key());
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let logs = TrustedLogs { policy, window: Window::default(), closed: None };
    let registrar = signing_key("registrar.test", 3).verifier_key().clone();
    let operator = Operator { name: operator.to_owned(), url: None };
    TrustFile::compose(operator, &[logs], &[(registrar, Window::default())]).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_verdict_has_its_exit_code() {
    let case = Case::new();
    let given = ["--evidence", text(&case.evidence)];
    let (code, report) = case.report(&case.file, &given);
    assert_eq!((code, report.verdict), (0, Verdict::Consistent), "{report:?}");

    let mut altered = content();
    altered[1_100_000] ^= 1;
    let path = case.path("altered.jpg");
    std::fs::write(&path, altered).unwrap();
    let (code, report) = case.report(&path, &given);
    assert_eq!((code, report.verdict), (1, Verdict::Inconsistent));
    assert_eq!((report.mismatches[0].segment, report.mismatches[0].offset), (Some(1), 1 << 20));

    // The same log name under a forged key.
    let forged = case.path("forged.evidence");
    std::fs::write(&forged, evidence(&content(), 2).encode()).unwrap();
    let (code, report) = case.report(&case.file, &["--evidence", text(&forged)]);
    assert_eq!((code, report.verdict), (2, Verdict::EvidenceInvalid));

    let unrelated = case.path("unrelated.jpg");
    std::fs::write(&unrelated, vec![9; 3_000_000]).unwrap();
    let (code, report) = case.report(&unrelated, &given);
    assert_eq!((code, report.verdict, report.reason), (4, Verdict::NotCompleted, Some(ErrorCode::OtherFile)));
}

#[test]
fn what_could_not_be_checked_is_never_a_verdict() {
    let case = Case::new();
    let given = ["--evidence", text(&case.evidence)];
    let expect = |file: &Path, more: &[&str], reason: ErrorCode| {
        let (code, report) = case.report(file, more);
        assert_eq!((code, report.verdict, report.reason), (4, Verdict::NotCompleted, Some(reason)));
    };
    let write = |name: &str, bytes: &[u8]| {
        let path = case.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let good = std::fs::read(&case.evidence).unwrap();
    let mut version = good.clone();
    version[8] = 2;
    expect(&write("empty", b""), &given, ErrorCode::EmptyFile);
    expect(case.folder.path(), &given, ErrorCode::Directory);
    expect(&case.path("missing"), &given, ErrorCode::Unreadable);
    expect(
        &case.file,
        &["--evidence", text(&write("cut", &good[..good.len() - 1]))],
        ErrorCode::EvidenceUnreadable,
    );
    expect(&case.file, &["--evidence", text(&write("no", b"no evidence"))], ErrorCode::EvidenceUnreadable);
    expect(&case.file, &["--evidence", text(&case.path("none"))], ErrorCode::EvidenceUnreadable);
    expect(&case.file, &["--evidence", text(&write("newer", &version))], ErrorCode::UnknownVersion);
    expect(&case.path("trust.json"), &[], ErrorCode::NoServer);
    // Nothing listens on the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    expect(&case.file, &["--server", &format!("http://{gone}")], ErrorCode::NoAnswer);
}

/// A server that gives every request the same answer.
fn server(status: u16, content_type: &'static str, body: Vec<u8>) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 65_536]);
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
        }
    });
    url
}

#[test]
fn what_a_server_answers_is_told_apart() {
    let case = Case::new();
    let cbor = "application/cbor";
    let nothing = LookupResponse { files: Vec::new() }.encode();
    let found = LookupResponse { files: vec![evidence(&content(), 1)] }.encode();
    let ask = |url: &str| {
        let (code, report) = case.report(&case.file, &["--server", url]);
        (code, report.verdict, report.reason)
    };
    assert_eq!(ask(&server(200, cbor, nothing)), (3, Verdict::NotDeposited, None));
    assert_eq!(ask(&server(200, cbor, found)), (0, Verdict::Consistent, None));
    let not_completed = |code| (4, Verdict::NotCompleted, Some(code));
    assert_eq!(ask(&server(200, cbor, vec![0xff; 9])), not_completed(ErrorCode::ServerNonsense));
    assert_eq!(ask(&server(200, "text/html", b"<html>".to_vec())), not_completed(ErrorCode::ServerNonsense));
    assert_eq!(ask(&server(404, "text/html", Vec::new())), not_completed(ErrorCode::NoServer));
    assert_eq!(ask(&server(503, "text/html", Vec::new())), not_completed(ErrorCode::NoAnswer));
    // The page cannot tell a redirect from no answer, and both are to say the same.
    assert_eq!(ask(&server(302, "text/html", Vec::new())), not_completed(ErrorCode::NoAnswer));
}

#[test]
fn nobody_is_believed_without_being_named() {
    let case = Case::new();
    let code = |args: &[&str]| {
        let output = case.run(args);
        let report: Report = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report.reason)
    };
    let file = text(&case.file);
    assert_eq!(code(&[file, "--json"]), (4, Some(ErrorCode::TrustUnavailable)));
    let nonsense = case.path("nonsense.json");
    std::fs::write(&nonsense, b"{}").unwrap();
    assert_eq!(code(&[file, "--json", "--trust", text(&nonsense)]), (4, Some(ErrorCode::TrustUnreadable)));

    let pinned = case.run(&["--pin", "--trust", text(&case.trust)]);
    assert_eq!(pinned.status.code(), Some(0), "{pinned:?}");
    assert!(String::from_utf8_lossy(&pinned.stderr).contains(&trust(1).digest().to_string()));
    assert_eq!(code(&[file, "--json"]), (0, None), "the pinned one counts from now on");

    let other = case.path("other.json");
    std::fs::write(&other, trust(2).bytes()).unwrap();
    let replaced = case.run(&["--pin", "--trust", text(&other)]);
    assert_eq!(replaced.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&replaced.stderr).contains("Another trust file is pinned"));
    assert_eq!(code(&[file, "--json"]), (0, None), "and is not replaced");
}

#[test]
fn usage_errors_are_64_and_help_is_not() {
    let case = Case::new();
    for args in
        [&[][..], &["a", "--server", "http://notary.example"], &["a", "--lang", "fr"], &["a", "--nonsense"]]
    {
        assert_eq!(case.run(args).status.code(), Some(64), "{args:?}");
    }
    assert_eq!(case.run(&["--help"]).status.code(), Some(0));
}

#[test]
fn several_files_give_a_line_each_and_the_most_serious_code() {
    let case = Case::new();
    let mut altered = content();
    altered[0] ^= 1;
    let path = case.path("altered.jpg");
    std::fs::write(&path, altered).unwrap();
    let (trust, evidence) = (text(&case.trust), text(&case.evidence));
    let args = [text(&case.file), text(&path), text(&case.file), "--trust", trust, "--evidence", evidence];
    let output = case.run(&[&args[..], &["--json"]].concat());
    let verdicts: Vec<Verdict> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Report>(line).unwrap().verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Consistent, Verdict::Inconsistent, Verdict::Consistent]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(case.run(&[&args[..], &["--lang", "zh"]].concat()).stdout).unwrap();
    assert!(
        said.contains("核验通过 (consistent)") && said.contains("与链上数据不一致 (inconsistent)"),
        "{said}"
    );
}

#[test]
fn the_evidence_beside_the_file_is_used_and_said_to_be() {
    let case = Case::new();
    let (code, report) = case.report(&case.file, &[]);
    assert_eq!((code, report.verdict), (0, Verdict::Consistent));
    let said = case.run(&[text(&case.file), "--trust", text(&case.trust)]);
    assert!(String::from_utf8_lossy(&said.stdout).starts_with("Using the evidence file"), "{said:?}");
}

#[test]
fn nothing_that_others_wrote_can_repaint_the_terminal() {
    // Clears the screen, starts a line of its own, and turns the order of what follows.
    const PAINT: &str = "\u{1b}[2J\nconsistent\u{202e}\u{2066}";
    let case = Case::new();
    let calm = |said: &[u8], lines: usize| {
        let said = String::from_utf8_lossy(said);
        let paints = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}".contains(c);
        assert!(!said.contains(paints), "{said:?}");
        assert!(lines == 0 || said.lines().count() == lines, "{said:?}");
    };
    let hostile = case.path("hostile.json");
    std::fs::write(&hostile, trust_of(1, PAINT).bytes()).unwrap();
    let pinned = case.run(&["--pin", "--trust", text(&hostile)]);
    assert_eq!(pinned.status.code(), Some(0));
    calm(&pinned.stderr, 1);

    let file = case.path(&format!("{PAINT}.jpg"));
    std::fs::copy(&case.file, &file).unwrap();
    std::fs::copy(&case.evidence, case.path(&format!("{PAINT}.jpg.evidence"))).unwrap();
    let said = case.run(&[text(&file)]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    calm(&said.stdout, 0);
    assert!(!String::from_utf8_lossy(&said.stdout).lines().any(|line| line.starts_with("consistent")));

    let missing = case.run(&["--pin", "--trust", text(&case.path(PAINT))]);
    assert_eq!(missing.status.code(), Some(4));
    calm(&missing.stderr, 1);
}
