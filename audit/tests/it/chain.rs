//! A log, its witness and its registrar, in memory; the operator has every key and may lie.

use std::cell::Cell;
use std::collections::HashMap;

use evidence::statement::{Enrol, Registry, RevocationReason, Revoke, Role};
use evidence::{
    DeviceKey, Digest, Entry, EntryKind, KeyDigest, Operator, Payload, PublicKey, Statement, TrustFile,
    TrustedLogs, UnixMillis, UnixSeconds, Window,
};
use jianzhen_audit::{LogObject, LogReader, ReadLogError};
use tlog::{
    BundleId, Checkpoint, EntryBundle, KeyAlgorithm, KeyName, Policy, SigningKey, TileBuilder, TileId,
    TreeHead, cosignature,
};

pub(crate) const NOW: u64 = 1_795_305_600;
pub(crate) const ORIGIN: &str = "log.test/2026";

/// A log, its witness and its registrar; the operator has every key and may lie.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) statements: HashMap<u64, Vec<u8>>,
    pub(crate) archive: Vec<(u64, Vec<u8>)>,
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) asked: Cell<u64>,
    pub(crate) without_partials: bool,
}

pub(crate) fn key(name: &str, algorithm: KeyAlgorithm, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
}

pub(crate) fn log_key() -> SigningKey {
    key(ORIGIN, KeyAlgorithm::Ed25519, 1)
}

pub(crate) fn witness_key() -> SigningKey {
    key("witness.test", KeyAlgorithm::CosignatureV1, 2)
}

pub(crate) fn registrar() -> DeviceKey {
    DeviceKey::from_seed([3; 32])
}

pub(crate) fn trust_with(registrar_window: Window, quorum: bool) -> TrustFile {
    compose(registrar_window, quorum.then_some(""))
}

/// The witness has an address.
pub(crate) fn trust_witnessed_at(url: &str) -> TrustFile {
    compose(Window::default(), Some(url))
}

/// With the address of the witness, or without witnesses.
fn compose(registrar_window: Window, witness: Option<&str>) -> TrustFile {
    let policy = if let Some(url) = witness {
        let witness = format!("{} {url}", witness_key().verifier_key());
        format!("log {}\nwitness w {}\nquorum w\n", log_key().verifier_key(), witness.trim_end())
    } else {
        format!("log {}\nquorum none\n", log_key().verifier_key())
    };
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let logs = TrustedLogs { policy, window: Window::default(), closed: None };
    let registrar = key("registrar.test", KeyAlgorithm::Ed25519, 3);
    let operator = Operator { name: "Test".to_owned(), url: None };
    TrustFile::compose(operator, &[logs], &[(registrar.verifier_key().clone(), registrar_window)]).unwrap()
}

pub(crate) fn trust() -> TrustFile {
    trust_with(Window::default(), true)
}

pub(crate) fn note(head: TreeHead, time: u64) -> Vec<u8> {
    let note = Checkpoint::new(ORIGIN, head).unwrap().sign(&log_key()).unwrap();
    let cosignature = cosignature::sign(&witness_key(), time, note.text()).unwrap();
    note.with_signature(&cosignature).unwrap().as_bytes().to_vec()
}

pub(crate) fn device(number: u8) -> PublicKey {
    DeviceKey::from_seed([100 + number; 32]).public()
}

pub(crate) fn enrol(number: u8) -> Payload {
    Payload::Enrol(Enrol {
        key: device(number),
        id: format!("device-{number}"),
        role: Role::Device,
        model: "M".to_owned(),
        agency: "A".to_owned(),
        valid_from: UnixMillis::saturating(1),
        valid_until: UnixMillis::saturating(2_000_000_000_000),
    })
}

pub(crate) fn revoke(number: u8) -> Payload {
    Payload::Revoke(Revoke {
        key: KeyDigest::of(&device(number)),
        effective_from: UnixMillis::saturating(NOW * 1000),
        reason: RevocationReason::DeviceLost,
    })
}

pub(crate) fn snapshot(as_of: u64, numbers: &[u8]) -> Payload {
    let mut revoked: Vec<KeyDigest> = numbers.iter().map(|number| KeyDigest::of(&device(*number))).collect();
    revoked.sort();
    Payload::Registry(Registry { as_of: UnixMillis::saturating(as_of * 1000), revoked })
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            statements: HashMap::new(),
            archive: Vec::new(),
            checkpoint: Vec::new(),
            asked: Cell::new(0),
            without_partials: false,
        }
    }

    pub(crate) fn seal_bytes(&mut self, kind: EntryKind, bytes: &[u8], sealed_at: u64) -> u64 {
        let index = self.entries.len() as u64;
        let entry = Entry { kind, sealed_at: UnixSeconds::new(sealed_at), statement: Digest::of(bytes) };
        self.entries.push(entry.to_bytes().to_vec());
        if kind == EntryKind::Registry {
            self.statements.insert(index, bytes.to_vec());
        }
        index
    }

    pub(crate) fn seal(&mut self, payload: &Payload, sealed_at: u64) -> u64 {
        self.seal_by(payload, &registrar(), sealed_at)
    }

    pub(crate) fn seal_by(&mut self, payload: &Payload, signer: &DeviceKey, sealed_at: u64) -> u64 {
        let statement = Statement::sign(payload, signer).unwrap();
        self.seal_bytes(payload.entry_kind(), statement.bytes(), sealed_at)
    }

    /// Evidence of which nothing is public.
    pub(crate) fn fill(&mut self, many: u64, sealed_at: u64) {
        for _ in 0..many {
            let bytes = (self.entries.len() as u64).to_be_bytes();
            self.seal_bytes(EntryKind::Evidence, &bytes, sealed_at);
        }
    }

    pub(crate) fn tree(&self) -> TileBuilder {
        let mut builder = TileBuilder::new();
        builder.append(self.entries.iter().map(|entry| tlog::leaf_hash(entry)));
        builder
    }

    pub(crate) fn publish(&mut self, time: u64) {
        self.checkpoint = note(self.tree().head(), time);
        self.archive.push((self.entries.len() as u64, self.checkpoint.clone()));
    }

    /// Whether an object of this width is full, or the one at the edge of level 0 or 1.
    fn is_newest(&self, width: u16) -> bool {
        let size = self.entries.len();
        [256, size % 256, size / 256 % 256].contains(&usize::from(width))
    }

    fn bundle(&self, id: BundleId) -> Option<Vec<u8>> {
        let begin = usize::try_from(id.index() * 256).unwrap();
        let entries = self.entries.get(begin..begin + usize::from(id.width()))?;
        let mut bundle = EntryBundle::new();
        entries.iter().for_each(|entry| bundle.push(entry.clone()).unwrap());
        Some(bundle.encode())
    }

    fn tile(&self, id: TileId) -> Option<Vec<u8>> {
        let mut builder = TileBuilder::new();
        let tiles = builder.append(self.entries.iter().map(|entry| tlog::leaf_hash(entry)));
        let wider =
            tiles.into_iter().find(|tile| tile.id.level() == id.level() && tile.id.index() == id.index())?;
        wider.data.get(..id.byte_len()).map(<[u8]>::to_vec)
    }
}

impl LogReader for Chain {
    fn get(&self, object: LogObject) -> Result<Option<Vec<u8>>, ReadLogError> {
        self.asked.set(self.asked.get() + 1);
        Ok(match object {
            LogObject::Checkpoint => Some(self.checkpoint.clone()),
            LogObject::Tile(id) if self.without_partials && !self.is_newest(id.width()) => None,
            LogObject::Tile(id) => self.tile(id),
            LogObject::Bundle(id) if self.without_partials && !self.is_newest(id.width()) => None,
            LogObject::Bundle(id) => self.bundle(id),
            LogObject::Statement(index) => self.statements.get(&index.get()).cloned(),
            LogObject::ArchivedAfter(size) => {
                let above = self.archive.iter().filter(|(archived, _)| *archived > size.get()).take(256);
                Some(above.flat_map(|(_, note)| framed(note)).collect())
            }
        })
    }
}

pub(crate) fn framed(note: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(note.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(note);
    bytes
}

/// More than one bundle, several archived checkpoints, none at the edge of a bundle.
pub(crate) fn honest() -> Chain {
    let mut chain = Chain::new();
    chain.seal(&enrol(1), NOW);
    chain.publish(NOW + 1);
    chain.fill(200, NOW + 2);
    chain.seal(&enrol(2), NOW + 3);
    chain.publish(NOW + 3);
    chain.fill(300, NOW + 10);
    chain.seal(&revoke(1), NOW + 20);
    chain.publish(NOW + 21);
    chain.seal(&snapshot(NOW + 100, &[1]), NOW + 100);
    chain.fill(40, NOW + 100);
    chain.publish(NOW + 101);
    chain
}
