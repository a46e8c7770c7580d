//! The vectors in `testdata/tlog`, made by an implementation that is not ours (`testdata/generate_tlog.py`).

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tlog::{
    BundleId, CheckpointError, ConsistencyProof, Hash, KeyError, NoteError, Policy, ProofError, TileBuilder,
    TileId, TlogProof, TlogProofError, TreeHead, TreeSize, VerifierKey, leaf_hash,
};

struct Case {
    name: String,
    headers: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

impl Case {
    fn header(&self, key: &str) -> &str {
        &self.headers.get(key).unwrap_or_else(|| panic!("{}: no header {key}", self.name))[0]
    }

    fn policy(&self) -> Policy {
        let text: String = self.headers["policy"].iter().map(|line| format!("{line}\n")).collect();
        Policy::parse(text.as_bytes()).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn cases(kind: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/tlog");
    let mut cases = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let data = fs::read(&path).unwrap();
        let end = data.windows(2).position(|w| w == b"\n\n").unwrap();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in std::str::from_utf8(&data[..end]).unwrap().lines() {
            let (key, value) = line.split_once(": ").unwrap();
            headers.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case = Case { name, headers, body: data[end + 2..].to_vec() };
        if case.header("kind") == kind {
            cases.push(case);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn check(cases: Vec<Case>, at_least: usize, run: impl Fn(&Case) -> &'static str) {
    assert!(cases.len() >= at_least, "only {} vectors found", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .map(|case| (case, run(case)))
        .filter(|(case, found)| case.header("expect") != *found)
        .map(|(case, found)| format!("{}: expected {}, found {found}", case.name, case.header("expect")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn proof_layer(error: ProofError) -> &'static str {
    match error {
        ProofError::TooManyHashes { .. } => "too-many-hashes",
        ProofError::SizesReversed { .. } => "sizes-reversed",
        ProofError::TooShort => "too-short",
        ProofError::TooLong => "too-long",
        ProofError::OldRootMismatch => "old-root-mismatch",
        ProofError::NewRootMismatch => "new-root-mismatch",
        ProofError::Fork => "fork",
        ProofError::EmptyTreeRoot => "empty-tree-root",
        _ => "other",
    }
}

fn receipt_layer(error: TlogProofError) -> &'static str {
    use TlogProofError as E;
    match error {
        E::Header => "parse/header",
        E::Extra => "parse/extra",
        E::MissingIndex => "parse/missing-index",
        E::Index(_) => "parse/index",
        E::HashLine { .. } => "parse/hash-line",
        E::MissingCheckpoint => "parse/missing-checkpoint",
        E::Note(_) => "parse/note",
        E::CheckpointBody(_) => "parse/checkpoint",
        E::Inclusion(ProofError::TooManyHashes { .. }) => "parse/too-many-hashes",
        E::Inclusion(ProofError::RootMismatch) => "inclusion/root-mismatch",
        E::Inclusion(ProofError::TooShort) => "inclusion/too-short",
        E::Inclusion(ProofError::TooLong) => "inclusion/too-long",
        E::Inclusion(ProofError::IndexOutOfTree { .. }) => "inclusion/index-out-of-tree",
        E::Checkpoint(error) => match error {
            CheckpointError::UnknownLog { .. } => "checkpoint/unknown-log",
            CheckpointError::MissingLogSignature { .. } => "checkpoint/missing-log-signature",
            CheckpointError::LogSignature(NoteError::DuplicateSignature { .. }) => {
                "checkpoint/log-signature-duplicate"
            }
            CheckpointError::LogSignature(NoteError::BadSignature { .. }) => "checkpoint/log-signature",
            CheckpointError::WitnessSignature(NoteError::DuplicateSignature { .. }) => {
                "checkpoint/witness-signature-duplicate"
            }
            CheckpointError::WitnessSignature(NoteError::BadCosignature { .. }) => {
                "checkpoint/witness-signature"
            }
            CheckpointError::NoQuorum { .. } => "checkpoint/no-quorum",
            _ => "checkpoint/other",
        },
        _ => "other",
    }
}

#[test]
fn receipts() {
    check(cases("receipt"), 60, |case| {
        let proof = match TlogProof::parse(&case.body) {
            Ok(proof) => proof,
            Err(error) => return receipt_layer(error),
        };
        // Byte exact, whatever the verdict.
        assert_eq!(proof.to_string().as_bytes(), case.body, "{}", case.name);
        let leaf = leaf_hash(&hex::decode(case.header("entry")).unwrap());
        match proof.verify(&leaf, &case.policy()) {
            Ok(verified) => {
                assert_eq!(verified.index(), proof.index());
                assert_eq!(verified.checkpoint().origin(), "log.example/jianzhen");
                "success"
            }
            Err(error) => receipt_layer(error),
        }
    });
}

#[test]
fn receipts_fail_with_every_single_bit_flipped() {
    let case = cases("receipt").into_iter().find(|c| c.name == "receipt-good-two-of-three").unwrap();
    let leaf = leaf_hash(&hex::decode(case.header("entry")).unwrap());
    let policy = case.policy();
    let good = TlogProof::parse(&case.body).unwrap().verify(&leaf, &policy).unwrap();
    for position in 0..case.body.len() * 8 {
        let mut body = case.body.clone();
        body[position / 8] ^= 1 << (position % 8);
        let Ok(verified) = TlogProof::parse(&body).and_then(|proof| proof.verify(&leaf, &policy)) else {
            continue;
        };
        // A flip in the name or id of a signature line makes it an unknown one; the quorum of two needs all here.
        panic!("bit {position} flipped, still verified as {:?} (good: {:?})", verified, good);
    }
}

#[test]
fn consistency_proofs() {
    check(cases("consistency"), 25, |case| {
        let head = |key: &str| {
            let (size, root) = case.header(key).split_once(' ').unwrap();
            TreeHead { size: size.parse().unwrap(), root: Hash::from_base64(root).unwrap() }
        };
        let hashes = case.text().lines().map(|line| Hash::from_base64(line).unwrap()).collect();
        match ConsistencyProof::new(hashes).and_then(|proof| proof.verify(&head("old"), &head("new"))) {
            Ok(()) => "success",
            Err(error) => proof_layer(error),
        }
    });
}

#[test]
fn verifier_keys() {
    check(cases("vkey"), 15, |case| match case.text().parse::<VerifierKey>() {
        Ok(key) => {
            assert_eq!(key.to_string(), case.text());
            "success"
        }
        Err(KeyError::KeyIdMismatch { .. }) => "id-mismatch",
        Err(KeyError::KeyIdSyntax) => "id-syntax",
        Err(KeyError::EmptyName) => "empty-name",
        Err(KeyError::NameCharacter { .. }) => "name-character",
        Err(KeyError::VerifierKeyParts) => "parts",
        Err(KeyError::Base64) => "base64",
        Err(KeyError::Algorithm { .. }) => "algorithm",
        Err(KeyError::Length { .. }) => "length",
        Err(KeyError::Weak) => "weak",
        Err(KeyError::NotAPoint) => "not-a-point",
        Err(_) => "other",
    });
}

#[test]
fn tiles() {
    use sha2::{Digest as _, Sha256};

    check(cases("tiles"), 9, |case| {
        let size: u64 = case.header("size").parse().unwrap();
        let entry = |i: u64| i.to_be_bytes().to_vec();
        let mut builder = TileBuilder::new();
        let mut found: Vec<String> = Vec::new();
        for tile in builder.append((0..size).map(|i| leaf_hash(&entry(i)))) {
            found.push(format!("{} {}", tile.id.path(), hex::encode(Sha256::digest(&tile.data))));
        }
        for id in tlog::bundles_between(TreeSize::ZERO, TreeSize::new(size)) {
            let mut bundle = tlog::EntryBundle::new();
            let first = id.index() * 256;
            for i in first..first + u64::from(id.width()) {
                bundle.push(entry(i)).unwrap();
            }
            found.push(format!("{} {}", id.path(), hex::encode(Sha256::digest(bundle.encode()))));
        }
        found.sort();
        let mut expected: Vec<&str> = case.text().lines().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", case.name);
        assert_eq!(builder.root().to_base64(), case.header("root"), "{}", case.name);
        for line in expected {
            let path = line.split(' ').next().unwrap();
            match path.parse::<TileId>() {
                Ok(id) => assert_eq!(id.path(), path),
                Err(_) => assert_eq!(path.parse::<BundleId>().unwrap().path(), path),
            }
        }
        "success"
    });
}
