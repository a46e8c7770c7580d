//! The command as a court's script would call it: exit codes, JSON, and what is never a verdict. Evidence is made here,
//! from a log of two entries.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod support;

use std::path::Path;

use evidence::report::{ErrorCode, Report};
use evidence::{LookupResponse, Verdict};
use support::{Case, content, evidence, text, trust, trust_of};

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

#[test]
fn receipts_are_written_so_that_each_stands_by_itself() {
    let case = Case::new();
    let folder = case.path("receipts");
    let args = [text(&case.file), "--trust", text(&case.trust), "--receipts", text(&folder)];
    let output = case.run(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 receipts"), "{output:?}");
    let path = folder.join("photo.jpg.0.tlog-proof");
    let receipt = std::fs::read(&path).unwrap();
    let proven = evidence::examine_receipt(&receipt, &trust(1)).unwrap();
    let deposit = support::evidence(&content(), 1).first().digest();
    assert_eq!((proven.entry().statement, proven.index().get()), (deposit, 1));

    // Again: the same. Another file of that name: not touched, and said.
    assert_eq!(case.run(&args).status.code(), Some(0));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::write(&path, b"somebody else's").unwrap();
    let output = case.run(&args);
    assert!(String::from_utf8_lossy(&output.stderr).contains("photo.jpg.0.tlog-proof"), "{output:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
}

#[test]
fn of_evidence_about_another_file_no_receipt_is_written() {
    let case = Case::new();
    let (folder, unrelated) = (case.path("receipts"), case.path("unrelated.jpg"));
    std::fs::write(&unrelated, vec![9; 3_000_000]).unwrap();
    let (code, _) =
        case.report(&unrelated, &["--evidence", text(&case.evidence), "--receipts", text(&folder)]);
    assert_eq!((code, folder.exists()), (4, false));
}
