//! What the tests share: a log of a few entries, evidence of a deposit in it, and the command as a process.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test program uses its part, and nobody else does"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use evidence::report::Report;
use evidence::statement::{Deposit, Enrol, Role};
use evidence::{
    DeviceKey, Digest, EvidenceFile, EvidenceFileBuilder, Operator, Payload, Receipt, RecordingId, Sealed,
    Sequence, Statement, TrustFile, TrustedLogs, UnixMillis, UnixSeconds, Window, segments_root,
};
use tlog::{
    Checkpoint, Hash, InclusionProof, KeyAlgorithm, KeyName, LeafIndex, Policy, SignedNote, SigningKey,
    TlogProof, TreeHead, TreeSize, root_of,
};

pub const SEALED_AT: UnixSeconds = UnixSeconds::new(1_800_000_000);
pub const ORIGIN: &str = "log.test";

/// A folder with a deposited file, its evidence, and a trust file.
pub struct Case {
    pub folder: tempfile::TempDir,
    pub file: PathBuf,
    pub evidence: PathBuf,
    pub trust: PathBuf,
}

pub fn signing_key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
}

/// The one witness.
pub fn witness_key() -> SigningKey {
    SigningKey::from_seed(KeyName::new("witness.test").unwrap(), KeyAlgorithm::CosignatureV1, &[8; 32])
        .unwrap()
}

pub fn content() -> Vec<u8> {
    (0..2_500_000_u32).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect()
}

impl Case {
    /// Without witnesses.
    pub fn new() -> Self {
        Self::with(&evidence(&content(), 1), &trust(1))
    }

    pub fn with(evidence: &EvidenceFile, trust: &TrustFile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let case = Self {
            file: path("photo.jpg"),
            evidence: path("photo.jpg.evidence"),
            trust: path("trust.json"),
            folder,
        };
        std::fs::write(&case.file, content()).unwrap();
        std::fs::write(&case.evidence, evidence.encode()).unwrap();
        std::fs::write(&case.trust, trust.bytes()).unwrap();
        case
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jianzhen-verify"));
        command
            .args(args)
            .env_remove("JIANZHEN_PINS")
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("LC_ALL", "C");
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// `--json` with the trust file.
    pub fn report(&self, file: &Path, more: &[&str]) -> (i32, Report) {
        let mut args = vec![text(file), "--json", "--trust", text(&self.trust)];
        args.extend(more);
        let output = self.run(&args);
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code().unwrap(), report)
    }
}

/// Evidence for a deposit of `bytes`, sealed by the log whose key has this seed, without witnesses.
pub fn evidence(bytes: &[u8], log: u8) -> EvidenceFile {
    sealed(bytes, |leaves| note(leaves, &signing_key(ORIGIN, log), None)).0
}

/// Evidence for a deposit of `bytes`, and the leaves of its log: an enrolment and the deposit. `note` signs them.
pub fn sealed(bytes: &[u8], note: impl Fn(&[Hash]) -> SignedNote) -> (EvidenceFile, Vec<Hash>) {
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
    let receipt = |index: usize| {
        let proof = InclusionProof::new(vec![leaves[1 - index]]).unwrap();
        let proof = TlogProof::new(None, LeafIndex::new(index as u64), proof, note(&leaves)).unwrap();
        Receipt::new(proof.to_string().into_bytes()).unwrap()
    };
    let evidence = EvidenceFileBuilder::new(vec![deposit])
        .unwrap()
        .receipt(Sequence::START, receipt(1))
        .registry(enrol, receipt(0))
        .blocks(blocks)
        .build()
        .unwrap();
    (evidence, leaves.to_vec())
}

/// A checkpoint over `leaves`, cosigned at this second, if at all.
pub fn note(leaves: &[Hash], log: &SigningKey, cosigned: Option<u64>) -> SignedNote {
    let head = TreeHead { size: TreeSize::new(leaves.len() as u64), root: root_of(leaves.iter().copied()) };
    let note = Checkpoint::new(ORIGIN, head).unwrap().sign(log).unwrap();
    let Some(time) = cosigned else { return note };
    let cosignature = tlog::cosignature::sign(&witness_key(), time, note.text()).unwrap();
    note.with_signature(&cosignature).unwrap()
}

pub fn trust(log: u8) -> TrustFile {
    trust_of(log, "Notary of the tests")
}

pub fn trust_of(log: u8, operator: &str) -> TrustFile {
    trust_with(log, operator, "quorum none\n")
}

/// A trust file whose policy ends with these lines.
pub fn trust_with(log: u8, operator: &str, rest: &str) -> TrustFile {
    let policy = format!("log {}\n{rest}", signing_key(ORIGIN, log).verifier_key());
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let logs = TrustedLogs { policy, window: Window::default(), closed: None };
    let registrar = signing_key("registrar.test", 3).verifier_key().clone();
    let operator = Operator { name: operator.to_owned(), url: None };
    TrustFile::compose(operator, &[logs], &[(registrar, Window::default())]).unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
