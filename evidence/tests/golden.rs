//! The vectors of `testdata/evidence`, which `testdata/generate_statements.py` makes without our code.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use evidence::report::Verdict;
use evidence::{
    ByteRange, CborProblem, DeviceKey, Digest, Disclosure, Entry, EvidenceFile, Examination, LookupAnswer,
    LookupRequest, PublicKey, RootsInput, Statement, StatementError, Step, Submission, Token, TrustFile,
    UnixSeconds, segments_root,
};

struct Case {
    name: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Case {
    fn all(kind: &str) -> Vec<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/evidence");
        let mut cases = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let (head, body) = text.split_once("\n\n").unwrap();
            let split = |line: &str| {
                let (key, value) = line.split_once(": ").unwrap();
                (key.to_owned(), value.to_owned())
            };
            let case = Self {
                name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                headers: head.lines().map(split).collect(),
                body: hex::decode(body.lines().collect::<String>()).unwrap(),
            };
            if case.get("kind") == kind {
                cases.push(case);
            }
        }
        assert!(!cases.is_empty(), "no vectors of the kind {kind}");
        cases
    }

    fn find(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn get(&self, key: &str) -> &str {
        self.find(key).unwrap_or_else(|| panic!("{}: no header {key}", self.name))
    }

    fn succeeds(&self) -> bool {
        self.get("expect") == "success"
    }
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn layer(error: &StatementError) -> &'static str {
    match error {
        StatementError::TooLong { .. } => "too-long",
        StatementError::Envelope(_) => "envelope",
        StatementError::UnprotectedHeader => "unprotected-header",
        StatementError::Header(_) => "header",
        StatementError::Algorithm(_) => "algorithm",
        StatementError::Type(_) => "type",
        StatementError::Payload { .. } => "payload",
        StatementError::NotDeterministic { .. } => "not-deterministic",
    }
}

#[test]
fn statements() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for case in Case::all("statement") {
        let key = PublicKey::from_bytes(&bytes::<32>(case.get("public-key"))).unwrap();
        let outcome = match Statement::parse(&case.body) {
            Err(error) => layer(&error),
            Ok(statement) => match statement.verify(&key) {
                Err(_) => "signature",
                Ok(_) => {
                    if case.succeeds() {
                        check_good_statement(&case, &statement);
                    }
                    "success"
                }
            },
        };
        assert_eq!(outcome, case.get("expect"), "{}", case.name);
        *seen.entry(outcome.to_owned()).or_default() += 1;
    }
    for expected in [
        "success",
        "envelope",
        "unprotected-header",
        "header",
        "algorithm",
        "type",
        "payload",
        "not-deterministic",
        "too-long",
        "signature",
    ] {
        assert!(seen.contains_key(expected), "no vector ends in {expected}");
    }
}

fn check_good_statement(case: &Case, statement: &Statement) {
    assert_eq!(statement.digest().to_string(), case.get("digest"), "{}", case.name);
    assert_eq!(statement.kind().name(), case.get("statement-kind"));
    // Ed25519 is deterministic and the encoding is, so signing again gives the foreign bytes.
    let key = DeviceKey::from_seed(bytes(case.get("seed")));
    let ours = Statement::sign(statement.payload(), &key).unwrap();
    assert_eq!(ours.bytes(), case.body, "{}", case.name);
    let sealed_at = UnixSeconds::new(case.get("sealed-at").parse().unwrap());
    let entry = Entry::sealing(statement, sealed_at);
    assert_eq!(hex::encode(entry.to_bytes()), case.get("entry"), "{}", case.name);
    assert_eq!(hex::encode(entry.leaf_hash().as_bytes()), case.get("leaf"), "{}", case.name);
}

#[test]
fn every_truncation_and_every_flipped_bit_of_a_statement_is_refused() {
    let case = Case::all("statement").into_iter().find(|case| case.name == "statement-segment").unwrap();
    let key = PublicKey::from_bytes(&bytes::<32>(case.get("public-key"))).unwrap();
    for length in 0..case.body.len() {
        assert!(Statement::parse(&case.body[..length]).is_err(), "{length} bytes");
    }
    for bit in 0..case.body.len() * 8 {
        let mut altered = case.body.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let passes = Statement::parse(&altered).is_ok_and(|statement| statement.verify(&key).is_ok());
        assert!(!passes, "bit {bit}");
    }
}

#[test]
fn errors_name_what_and_where() {
    let of = |name: &str| {
        let case = Case::all("statement").into_iter().find(|case| case.name == name).unwrap();
        Statement::parse(&case.body).unwrap_err()
    };
    let StatementError::Payload { source, .. } = of("statement-payload-unknown-key") else { panic!() };
    assert_eq!((source.field, source.problem), ("end", CborProblem::UnexpectedKey(11)));
    let StatementError::Payload { source, .. } = of("statement-payload-key-missing") else { panic!() };
    assert_eq!((source.field, source.problem), ("total length", CborProblem::MissingKey(7)));
    let StatementError::Payload { source, .. } = of("statement-segment-battery") else { panic!() };
    assert_eq!((source.field, source.problem), ("battery", CborProblem::OutOfRange));
    assert_eq!(of("statement-alg-eddsa"), StatementError::Algorithm(-8));
    assert_eq!(of("statement-alg-eddsa").to_string(), "The signature algorithm -8 is not Ed25519 (-19).");
}

/// A disclosure has no reader of its own outside evidence files and submissions; it is put into a submission.
#[test]
fn disclosures() {
    let statement =
        Case::all("statement").into_iter().find(|case| case.name == "statement-end-least").unwrap().body;
    for case in Case::all("disclosure") {
        let mut request = vec![0x83, 0x58, u8::try_from(statement.len()).unwrap_or(0)];
        if statement.len() > 255 {
            request = vec![0x83, 0x59];
            request.extend_from_slice(&u16::try_from(statement.len()).unwrap().to_be_bytes());
        }
        request.extend_from_slice(&statement);
        request.push(0x81);
        request.extend_from_slice(&case.body);
        request.push(0xf6);
        let parsed = Submission::parse_all(&request);
        assert_eq!(parsed.is_ok(), case.succeeds(), "{}: {parsed:?}", case.name);
        let Ok(parsed) = parsed else { continue };
        let submission = parsed[0].clone().unwrap();
        let disclosure: &Disclosure = &submission.disclosures[0];
        assert_eq!(disclosure.commitment().to_string(), case.get("commitment"), "{}", case.name);
        assert_eq!(submission.encode(), request, "{}", case.name);
    }
}

#[test]
fn roots_over_segments() {
    for case in Case::all("segments-root") {
        let leaves: Vec<(ByteRange, Digest)> = case
            .body
            .chunks(48)
            .map(|leaf| {
                let number = |at: usize| u64::from_be_bytes(leaf[at..at + 8].try_into().unwrap());
                let digest = Digest::from_bytes(leaf[16..].try_into().unwrap());
                (ByteRange::new(number(0), number(8)).unwrap(), digest)
            })
            .collect();
        let root = segments_root(leaves.iter().map(|(range, digest)| (*range, digest)));
        assert_eq!(root.to_string(), case.get("root"), "{}", case.name);
    }
}

#[test]
fn lookup_tokens_and_requests() {
    for case in Case::all("token") {
        let digest = Digest::from_bytes(case.body.as_slice().try_into().unwrap());
        let token = if case.get("of") == "head" { Token::head(&digest) } else { Token::segment(&digest) };
        assert_eq!(hex::encode(token.as_bytes()), case.get("token"), "{}", case.name);
    }
    for case in Case::all("lookup-request") {
        let parsed = LookupRequest::parse(&case.body);
        assert_eq!(parsed.is_ok(), case.succeeds(), "{}: {parsed:?}", case.name);
        let Ok(request) = parsed else { continue };
        let tokens: Vec<_> =
            case.headers.iter().filter(|(key, _)| key == "token").map(|(_, value)| value.as_str()).collect();
        assert_eq!(
            request.tokens().iter().map(|token| hex::encode(token.as_bytes())).collect::<Vec<_>>(),
            tokens
        );
        assert_eq!(request.encode(), case.body);
    }
}

#[test]
fn evidence_files() {
    for case in Case::all("evidence") {
        let outcome = match EvidenceFile::parse(&case.body) {
            Err(error) => error.code().to_string(),
            Ok(file) => {
                assert_eq!(file.encode(), case.body, "{}", case.name);
                examine(&case, file)
            }
        };
        assert_eq!(outcome, case.get("expect"), "{}", case.name);
    }
}

fn examine(case: &Case, file: EvidenceFile) -> String {
    let pieces: BTreeMap<ByteRange, Digest> = case
        .headers
        .iter()
        .filter(|(key, _)| key == "piece")
        .map(|(_, value)| {
            let mut parts = value.split(' ');
            let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
            let range = ByteRange::new(number(), number()).unwrap();
            (range, parts.next().unwrap().parse().unwrap())
        })
        .collect();
    let trust = TrustFile::parse(case.get("trust").as_bytes()).unwrap();
    let length = case.get("length").parse().unwrap();
    let boundaries = pieces.keys().copied().collect();
    let mut examination = Examination::new(length, boundaries, vec![file], trust, RootsInput::default());
    loop {
        match examination.next() {
            Step::Hash(ranges) => {
                for range in ranges {
                    // what the vector does not state is read as something else
                    let digest = pieces.get(&range).copied().unwrap_or_else(|| Digest::of(b"unknown"));
                    examination.hashed(range, digest);
                }
            }
            Step::Lookup(_) => examination.looked_up(LookupAnswer::NoServer),
            Step::Roots(_) => unreachable!("nobody is asked"),
            Step::Done => break,
        }
    }
    let report = examination.report();
    if case.name == "evidence-consistent" {
        assert!(report.subject.as_ref().unwrap().position.is_some(), "the disclosure opens its commitment");
    }
    match (report.verdict, report.reason) {
        (Verdict::NotCompleted, Some(code)) => code.to_string(),
        (verdict, _) => verdict.to_string(),
    }
}

#[test]
fn sealed_statements_rebuild_their_entries() {
    let case = Case::all("evidence").into_iter().find(|case| case.name == "evidence-consistent").unwrap();
    let file = EvidenceFile::parse(&case.body).unwrap();
    assert!(!file.receipts().is_empty());
    for (sequence, _, _) in file.receipts() {
        let (sealed, receipt) = file.receipt(*sequence).unwrap();
        let entry = sealed.entry();
        assert_eq!(Entry::parse(&entry.to_bytes()), Ok(entry));
        assert_eq!(entry.statement, sealed.statement.digest());
        assert_eq!(receipt.proof().unwrap().unauthenticated_extra(), Some(&entry.to_bytes()[..]));
    }
}
