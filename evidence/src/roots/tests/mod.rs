//! The world of these tests: histories, keys, and a service and witnesses that answer whatever a test wants.

mod entries;
mod model;
mod requests;
mod rules;

use std::collections::BTreeMap;

use tlog::{
    Checkpoint, Hash, KeyAlgorithm, KeyName, Policy, SignedNote, SigningKey, TileId, TreeHead, TreeSize,
    VerifiedCheckpoint, cosignature, leaf_hash, root_of, sign_text,
};

use super::{Comparison, RootsOutcome, RootsRequest, RootsStep};
use crate::trust::{Operator, TrustFile, TrustedLogs, Window};

pub(super) const ORIGIN: &str = "log.example/test";

/// A list of leaves: one of the trees that a log may claim to be.
#[derive(Debug, Clone)]
pub(super) struct History(pub(super) Vec<Hash>);

impl History {
    /// `length` leaves; from `fork` on, those of another `version`.
    pub(super) fn forked(length: u32, fork: u32, version: u8) -> Self {
        let leaf =
            |i: u32| leaf_hash(&[&i.to_be_bytes()[..], &[if i < fork { 0 } else { version }]].concat());
        Self((0..length).map(leaf).collect())
    }

    pub(super) fn new(length: u32) -> Self {
        Self::forked(length, length, 0)
    }

    pub(super) fn head(&self, size: u64) -> TreeHead {
        let leaves = &self.0[..usize::try_from(size).unwrap()];
        TreeHead { size: TreeSize::new(size), root: root_of(leaves.iter().copied()) }
    }

    /// The tile, computed from the leaves; none if the history is too short.
    pub(super) fn tile(&self, id: TileId) -> Option<Vec<u8>> {
        let span = 256usize.checked_pow(u32::from(id.level()))?;
        let first = usize::try_from(id.index()).ok()?.checked_mul(256)?;
        let node = |at: usize| {
            let begin = at.checked_mul(span)?;
            Some(root_of(self.0.get(begin..begin.checked_add(span)?)?.iter().copied()))
        };
        let hashes: Option<Vec<Hash>> = (first..first + usize::from(id.width())).map(node).collect();
        Some(hashes?.iter().flat_map(|hash| *hash.as_bytes()).collect())
    }
}

pub(super) fn key(name: &str, algorithm: KeyAlgorithm, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
}

pub(super) fn log_key() -> SigningKey {
    key(ORIGIN, KeyAlgorithm::Ed25519, 1)
}

/// The witness `w{number}`.
pub(super) fn witness_key(number: u8) -> SigningKey {
    key(&format!("w{number}.example"), KeyAlgorithm::CosignatureV1, 100 + number)
}

pub(super) fn url(number: u8) -> String {
    format!("https://w{number}.example")
}

/// A checkpoint signed by `log`, cosigned by the witnesses with these keys at these times.
pub(super) fn signed(head: TreeHead, log: &SigningKey, cosigners: &[(&SigningKey, u64)]) -> SignedNote {
    let body = Checkpoint::new(log.verifier_key().name().as_str(), head).unwrap();
    let mut note = body.sign(log).unwrap();
    for (witness, time) in cosigners {
        note = note.with_signature(&cosignature::sign(witness, *time, note.text()).unwrap()).unwrap();
    }
    note
}

/// The same by the usual log, with witnesses by number.
pub(super) fn note(head: TreeHead, cosigners: &[(u8, u64)]) -> SignedNote {
    let keys: Vec<_> = cosigners.iter().map(|(number, time)| (witness_key(*number), *time)).collect();
    signed(head, &log_key(), &keys.iter().map(|(key, time)| (key, *time)).collect::<Vec<_>>())
}

pub(super) fn also_signed(note: &SignedNote, log: &SigningKey) -> SignedNote {
    note.with_signature(&sign_text(note.text(), log).unwrap()).unwrap()
}

/// A policy: these logs, the witnesses w1 to w3 at their addresses, two of which are a quorum.
pub(super) fn policy_text(logs: &[&SigningKey]) -> String {
    let mut text = String::new();
    for log in logs {
        text += &format!("log {}\n", log.verifier_key());
    }
    for number in 1..=3 {
        let key = witness_key(number);
        text += &format!("witness w{number} {} {}\n", key.verifier_key(), url(number));
    }
    text + "group two 2 w1 w2 w3\nquorum two\n"
}

pub(super) fn trust_of(policies: &[(String, Window, Option<TreeHead>)]) -> TrustFile {
    let logs: Vec<_> = policies
        .iter()
        .map(|(text, window, closed)| TrustedLogs {
            policy: Policy::parse(text.as_bytes()).unwrap(),
            window: *window,
            closed: *closed,
        })
        .collect();
    let registrar = key("registrar.example", KeyAlgorithm::Ed25519, 9).verifier_key().clone();
    let operator = Operator { name: "测试公证处".to_owned(), url: None };
    TrustFile::compose(operator, &logs, &[(registrar, Window::default())]).unwrap()
}

pub(super) fn trust() -> TrustFile {
    trust_of(&[(policy_text(&[&log_key()]), Window::default(), None)])
}

/// As verified by the first policy that it satisfies.
pub(super) fn verified(note: &SignedNote, trust: &TrustFile) -> VerifiedCheckpoint {
    trust.logs().iter().find_map(|logs| logs.policy.verify_checkpoint(note).ok()).unwrap()
}

/// A network: what each witness, by address, and the service answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Net {
    pub(super) witnesses: BTreeMap<String, Vec<u8>>,
    /// What the service publishes, the first time it is asked and later; the last one goes on.
    pub(super) published: Vec<Option<Vec<u8>>>,
    /// The history whose tiles are served.
    pub(super) tiles: Option<History>,
    /// Served instead; none is a tile that is not there.
    pub(super) spoiled: BTreeMap<TileId, Option<Vec<u8>>>,
    pub(super) asked: Vec<RootsRequest>,
}

impl Net {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn witness(mut self, number: u8, note: &SignedNote) -> Self {
        self.witnesses.insert(url(number), note.as_bytes().to_vec());
        self
    }

    pub(super) fn publish(mut self, note: &SignedNote) -> Self {
        self.published.push(Some(note.as_bytes().to_vec()));
        self
    }

    pub(super) fn serve(mut self, history: &History) -> Self {
        self.tiles = Some(history.clone());
        self
    }

    pub(super) fn answer(&mut self, request: &RootsRequest) -> Option<Vec<u8>> {
        let before = self.asked.iter().filter(|asked| **asked == RootsRequest::Published).count();
        self.asked.push(request.clone());
        match request {
            RootsRequest::Witness { url, .. } => self.witnesses.get(url).cloned(),
            RootsRequest::Published => {
                self.published.get(before).or(self.published.last()).cloned().flatten()
            }
            RootsRequest::Tile(id) => match self.spoiled.get(id) {
                Some(spoiled) => spoiled.clone(),
                None => self.tiles.as_ref()?.tile(*id),
            },
            RootsRequest::Bundle(_) | RootsRequest::Index(_) => panic!("never asked for here"),
        }
    }

    pub(super) fn drive(&mut self, mut comparison: Comparison) -> RootsOutcome {
        for _ in 0..100 {
            match comparison.next() {
                RootsStep::Ask(requests) => {
                    assert!(!requests.is_empty());
                    for request in requests {
                        let answer = self.answer(&request);
                        comparison.answered(&request, answer);
                    }
                }
                RootsStep::Done => return comparison.outcome(),
            }
        }
        panic!("the comparison does not end");
    }

    /// Compares with this trust file.
    pub(super) fn compare(
        &mut self,
        trust: &TrustFile,
        anchor: Option<&SignedNote>,
        pins: &[&SignedNote],
    ) -> RootsOutcome {
        let pins = pins.iter().map(|pin| pin.as_bytes().to_vec()).collect();
        self.drive(Comparison::new(trust, anchor.map(|note| verified(note, trust)), pins))
    }

    pub(super) fn tiles_asked(&self) -> usize {
        self.asked.iter().filter(|asked| matches!(asked, RootsRequest::Tile(_))).count()
    }
}
