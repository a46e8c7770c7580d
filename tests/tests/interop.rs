//! The running programs and those that others wrote to the same specifications.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evidence::{Entry, Outcome, Submission};
use jianzhen_tests::foreign::{AicsWitness, script};
use jianzhen_tests::http;
use jianzhen_tests::load::device::{Device, seal};
use jianzhen_tests::load::notary::{Answer, Notary};
use jianzhen_tests::load::receipts::Checker;
use jianzhen_tests::process::{program, run};
use jianzhen_tests::server::Server;
use jianzhen_tests::stack::{QUORUM, Stack, utf8};
use jianzhen_tests::witness::Witness;
use tlog::{SignedNote, VerifierKey};

/// A service and a device that hands in statements.
struct Client {
    runtime: tokio::runtime::Runtime,
    notary: Notary,
    checker: Checker,
    devices: Vec<Device>,
}

/// One statement, sealed.
struct Sealed {
    entry: Entry,
    receipt: Vec<u8>,
    checkpoint: SignedNote,
}

impl Client {
    fn of(server: &Server, devices: u64) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let notary = Notary::new(&server.url).unwrap();
        let checker = Checker::load(&server.trust()).unwrap();
        let devices = runtime.block_on(Device::enrol(server, &notary, &checker, 1, devices)).unwrap();
        Self { runtime, notary, checker, devices }
    }

    fn submissions(&mut self, each: usize) -> Vec<Submission> {
        let mut submissions = Vec::new();
        for device in &mut self.devices {
            submissions.extend((0..each).map(|_| device.submission().unwrap()));
        }
        submissions
    }

    fn outcomes(&self, submissions: &[Submission]) -> Vec<Outcome> {
        let answer = self.runtime.block_on(self.notary.submit(Submission::encode_all(submissions)));
        match answer.unwrap() {
            Answer::Outcomes(outcomes) => outcomes,
            other => panic!("{other:?}"),
        }
    }

    /// Seals statements and gives their receipts, which verify.
    fn seal(&self, submissions: &[Submission]) -> Vec<Sealed> {
        self.runtime.block_on(seal(&self.notary, &self.checker, submissions)).unwrap();
        let outcomes = self.outcomes(submissions);
        let sealed = submissions.iter().zip(outcomes).map(|(submission, outcome)| {
            let Outcome::Sealed { index, sealed_at, receipt } = outcome else { panic!("{outcome:?}") };
            let entry = Entry::sealing(&submission.statement, sealed_at);
            let checkpoint = self.checker.check(&entry, index, receipt.as_bytes()).unwrap();
            Sealed { entry, receipt: receipt.as_bytes().to_vec(), checkpoint }
        });
        sealed.collect()
    }
}

fn impatient(server: &Server) {
    let config = server.data.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let impatient = text.replace("answer_timeout_s = 20", "answer_timeout_s = 2");
    assert_ne!(text, impatient);
    std::fs::write(config, impatient).unwrap();
}

fn signed_by(note: &SignedNote, vkey: &str) -> bool {
    let key: VerifierKey = vkey.parse().unwrap();
    !note.verify(std::slice::from_ref(&key)).unwrap().is_empty()
}

/// With a witness of ours and one that is not ours, both of which must cosign: without the other one there are no receipts.
#[test]
fn aics_witness_is_part_of_the_quorum() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::init(&directory.path().join("server"), "interop.example/log").unwrap();
    impatient(&server);
    let mut ours = Witness::init(&directory.path().join("w1"), "w1").unwrap();
    ours.add_log(&server.vkey, None).unwrap();
    ours.start().unwrap();
    let mut theirs = AicsWitness::init(&directory.path().join("aics")).unwrap();
    theirs.add_log(&server.origin, &server.vkey).unwrap();
    theirs.start().unwrap();
    server.set_policy(&[ours.argument(), theirs.argument()], 2).unwrap();
    server.start().unwrap();

    let mut client = Client::of(&server, 3);
    for _ in 0..4 {
        let submissions = client.submissions(2);
        for sealed in client.seal(&submissions) {
            assert!(signed_by(&sealed.checkpoint, &ours.vkey), "{}", sealed.checkpoint);
            assert!(signed_by(&sealed.checkpoint, &theirs.vkey), "{}", sealed.checkpoint);
        }
    }

    theirs.kill();
    let submissions = client.submissions(1);
    let outcomes = client.outcomes(&submissions);
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Pending), "{outcomes:?}");
    theirs.start().unwrap();
    for sealed in client.seal(&submissions) {
        assert!(signed_by(&sealed.checkpoint, &theirs.vkey), "{}", sealed.checkpoint);
    }

    // What it shows to whoever asks it is the log that we published.
    let shown = http::get(&format!("{}/{}/checkpoint", theirs.url, server.origin_hash())).unwrap();
    let shown = SignedNote::parse(&shown).unwrap();
    assert!(signed_by(&shown, &server.vkey) && signed_by(&shown, &theirs.vkey), "{shown}");
    server.terminate().unwrap();
    server.fsck().unwrap();
}

/// Nobody but a witness that is not ours, also across restarts of both.
#[test]
fn aics_witness_alone_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::init(&directory.path().join("server"), "interop-alone.example/log").unwrap();
    let mut theirs = AicsWitness::init(&directory.path().join("aics")).unwrap();
    theirs.add_log(&server.origin, &server.vkey).unwrap();
    theirs.start().unwrap();
    server.set_policy(&[theirs.argument()], 1).unwrap();
    server.start().unwrap();
    let mut client = Client::of(&server, 2);
    let first = client.submissions(3);
    let before: Vec<Vec<u8>> = client.seal(&first).into_iter().map(|sealed| sealed.receipt).collect();

    server.kill();
    theirs.kill();
    theirs.start().unwrap();
    server.start().unwrap();
    let second = client.submissions(3);
    for sealed in client.seal(&second) {
        assert!(signed_by(&sealed.checkpoint, &theirs.vkey), "{}", sealed.checkpoint);
    }
    let after: Vec<Vec<u8>> = client.seal(&first).into_iter().map(|sealed| sealed.receipt).collect();
    assert!(before == after, "receipts changed");
}

/// A log of some bundles, read from the service and from its mirror by implementations that are not ours.
#[test]
fn a_published_log_is_what_others_expect() {
    let directory = tempfile::tempdir().unwrap();
    let mut stack = Stack::init(directory.path(), "interop-tiles.example/log").unwrap();
    stack.start_all().unwrap();
    // Two full bundles and a part of one.
    let mut client = Client::of(&stack.server, 150);
    let mut sealed = Vec::new();
    for each in [1, 1, 2] {
        let submissions = client.submissions(each);
        sealed.extend(client.seal(&submissions));
    }

    let receipts = directory.path().join("receipts");
    std::fs::create_dir(&receipts).unwrap();
    for (number, sealed) in sealed.iter().step_by(7).enumerate() {
        std::fs::write(receipts.join(format!("{number}.tlog-proof")), &sealed.receipt).unwrap();
        std::fs::write(receipts.join(format!("{number}.entry")), sealed.entry.to_bytes()).unwrap();
    }
    wait_for_the_mirror(&stack);
    for log in [format!("{}/log", stack.url), stack.mirror_url()] {
        aics_tlog_agrees(&stack, &log, &receipts);
        tlog_tiles_agrees(&log, &sealed);
    }
    sigsum_agrees(&stack, &sealed);
}

/// The operator's disk is lost, and with it every statement. What a witness has copied brings the chain back, and the recorders' own
/// copies bring back the statements; nobody's receipt changes. From a copy that is behind what the witnesses have seen, nothing goes on.
#[test]
fn a_log_comes_back_from_the_copy_of_a_witness() {
    let directory = tempfile::tempdir().unwrap();
    let mut stack = Stack::init(directory.path(), "interop-restored.example/log").unwrap();
    impatient(&stack.server);
    stack.start_all().unwrap();
    let mut client = Client::of(&stack.server, 150);
    let first = client.submissions(2);
    let receipts: Vec<Vec<u8>> = client.seal(&first).into_iter().map(|sealed| sealed.receipt).collect();
    wait_for_the_mirror(&stack);

    // The copy's witness is away while the two others cosign something more.
    stack.mirror().kill();
    let later = client.submissions(1);
    let later_receipts: Vec<Vec<u8>> = client.seal(&later).into_iter().map(|sealed| sealed.receipt).collect();
    let lost = stack.server.data.clone();
    stack.stop_server();
    stack.mirror().start().unwrap();
    stack.server.data = restored_from_the_mirror(&stack, &lost, "behind");
    let refused = format!("{:?}", stack.start_server().unwrap_err());
    assert!(refused.contains("was restored from an older copy"), "{refused}");

    // The real one once more, until the copy has everything.
    stack.server.data = lost.clone();
    stack.start_server().unwrap();
    wait_for_the_mirror(&stack);
    stack.stop_server();
    stack.server.data = restored_from_the_mirror(&stack, &lost, "restored");
    std::fs::remove_dir_all(lost).unwrap();
    stack.start_server().unwrap();
    for (submissions, before) in [(&first, &receipts), (&later, &later_receipts)] {
        let after: Vec<Vec<u8>> = client.seal(submissions).into_iter().map(|sealed| sealed.receipt).collect();
        assert!(after == *before, "receipts changed");
    }
    let new = client.submissions(1);
    assert_eq!(client.seal(&new).len(), 150);
    wait_for_the_mirror(&stack);
    stack.server.terminate().unwrap();
    stack.server.fsck().unwrap();
    stack.mirror().terminate().unwrap();
    stack.mirror().fsck().unwrap();
}

/// A data directory with the settings and keys of `lost`, and the log as the witness that keeps a copy has it. The server does not run.
fn restored_from_the_mirror(stack: &Stack, lost: &Path, name: &str) -> PathBuf {
    let data = stack.path(name);
    std::fs::create_dir(&data).unwrap();
    for file in ["config.toml", "trust.json", "log.key", "registrar.key"] {
        std::fs::copy(lost.join(file), data.join(file)).unwrap();
    }
    let arguments = ["restore", "--data", utf8(&data), "--from", &stack.mirror_url()];
    let output = run(&program("jianzhen-server").unwrap(), &arguments).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("Everything agrees."), "{said}");
    data
}

fn wait_for_the_mirror(stack: &Stack) {
    let limit = std::time::Duration::from_secs(60);
    let size = |log: &str| {
        let note = http::get(&format!("{log}/checkpoint")).ok()?;
        let note = SignedNote::parse(&note).ok()?;
        Some(tlog::Checkpoint::unverified(&note).ok()?.head().size)
    };
    jianzhen_tests::process::wait_for("the mirror's copy", limit, || {
        let published = size(&format!("{}/log", stack.url));
        Ok((size(&stack.mirror_url()) == published).then_some(()))
    })
    .unwrap();
}

/// Checkpoints with their quorum, every tile and bundle, the archive with a consistency proof each, receipts.
fn aics_tlog_agrees(stack: &Stack, log: &str, receipts: &Path) {
    let quorum = QUORUM.to_string();
    let mut arguments = vec![log, &stack.server.vkey, &quorum, utf8(receipts)];
    arguments.extend(stack.witnesses.iter().map(|witness| witness.vkey.as_str()));
    let said = script("read_log.py", &arguments).unwrap();
    println!("{log}: {said}");
}

/// Serves tiles to the crate `tlog_tiles`, which believes none of them.
struct Served<'a>(&'a str);

impl tlog_tiles::TileReader for Served<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let fetch = |tile: &tlog_tiles::Tile| {
            // Go's paths name the height, those of C2SP do not.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            http::get(&format!("{}/{path}", self.0)).unwrap()
        };
        Ok(tiles.iter().map(fetch).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// Leaf hashes and consistency proofs from authenticated tiles.
fn tlog_tiles_agrees(log: &str, sealed: &[Sealed]) {
    use tlog_tiles::{HashReader as _, check_record, check_tree, prove_record, prove_tree};

    let checkpoint = |note: &SignedNote| tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()).unwrap();
    let newest = SignedNote::parse(&http::get(&format!("{log}/checkpoint")).unwrap()).unwrap();
    let newest = checkpoint(&newest);
    let (size, root) = (newest.size(), *newest.hash());
    let served = Served(log);
    let reader = tlog_tiles::TileHashReader::new(size, root, &served);
    let mut stages = BTreeMap::new();
    for sealed in sealed.iter().step_by(5) {
        let index = tlog::TlogProof::parse(&sealed.receipt).unwrap().index().get();
        let leaf = tlog_tiles::record_hash(&sealed.entry.to_bytes());
        let place = tlog_tiles::stored_hash_index(0, index);
        assert_eq!(reader.read_hashes(&[place]).unwrap(), [leaf], "entry {index}");
        let proof = prove_record(size, index, &reader).unwrap();
        check_record(&proof, size, root, index, leaf).unwrap();
        let old = checkpoint(&sealed.checkpoint);
        stages.insert(old.size(), *old.hash());
    }
    assert!(stages.len() > 1, "there is nothing to compare");
    for (old, old_root) in stages {
        let proof = prove_tree(size, old, &reader).unwrap();
        check_tree(&proof, size, root, old, old_root).unwrap();
    }
}

/// Signatures and quorum by the crate `sigsum`. Sigsum logs hold leaves of another form, so its inclusion proofs are compared in
/// `tlog/tests/differential.rs`.
fn sigsum_agrees(stack: &Stack, sealed: &[Sealed]) {
    let key = |vkey: &str| vkey.parse::<VerifierKey>().unwrap();
    let public = |key: &VerifierKey| {
        let bytes: [u8; 32] = key.public_key().try_into().unwrap();
        sigsum::PublicKey::from(bytes)
    };
    let log = key(&stack.server.vkey);
    let mut policy = format!("log {}\n", hex::encode(log.public_key()));
    for witness in &stack.witnesses {
        policy += &format!("witness {} {}\n", witness.name, hex::encode(key(&witness.vkey).public_key()));
    }
    policy += &format!("group all {QUORUM} w1 w2 w3\nquorum all\n");
    let policy = sigsum::Policy::parse(&policy).unwrap();
    for sealed in sealed.iter().step_by(11) {
        let note = &sealed.checkpoint;
        let verifies = |key: &VerifierKey, message: &[u8], signature: &[u8]| {
            let signature: [u8; 64] = signature.try_into().unwrap();
            public(key).verify_signature(message, &sigsum::Signature::from(signature))
        };
        let mut cosigned = Vec::new();
        for line in note.signatures() {
            if line.is_by(&log) {
                assert!(verifies(&log, note.text().as_bytes(), line.signature()), "{note}");
            }
            for witness in stack.witnesses.iter().map(|witness| key(&witness.vkey)) {
                if line.is_by(&witness) {
                    let (time, signature) = line.signature().split_at(8);
                    let time = u64::from_be_bytes(time.try_into().unwrap());
                    // As Sigsum defines it (and C2SP took over).
                    let message = format!("cosignature/v1\ntime {time}\n{}", note.text());
                    assert!(verifies(&witness, message.as_bytes(), signature), "{note}");
                    cosigned.push(sigsum::Hash::new(witness.public_key()));
                }
            }
        }
        assert!(policy.check_quorum(&cosigned), "{note}");
        assert!(!policy.check_quorum(&cosigned[..1]), "one is no quorum");
    }
}
