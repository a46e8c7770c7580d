//! Comparing roots with a hostile service and hostile witnesses: it ends, what it asks for is bounded, and what it says of two
//! histories is true.
//!
//! The input is a script: which of three histories a log with two faces has signed, at which sizes and for whom, which one's tiles
//! are served, and what is done to each answer.
#![no_main]

use std::sync::LazyLock;

use evidence::report::{AlarmKind, WitnessState};
use evidence::{Comparison, MAX_TILES, Operator, RootsRequest, RootsStep, TrustFile, TrustedLogs, Window};
use libfuzzer_sys::fuzz_target;
use tlog::{
    Checkpoint, Hash, KeyAlgorithm, KeyName, Policy, SignedNote, SigningKey, TileId, TreeHead, TreeSize,
    cosignature, leaf_hash, root_of,
};

const ORIGIN: &str = "log.example/fuzz";
/// Leaves in each history. They part at leaf 2 and at leaf 270.
const LEAVES: u32 = 300;

struct World {
    log: SigningKey,
    witnesses: Vec<SigningKey>,
    trust: TrustFile,
    histories: Vec<Vec<Hash>>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = |name: &str, algorithm, seed| {
        let name = KeyName::new(name).expect("a name");
        SigningKey::from_seed(name, algorithm, &[seed; 32]).expect("a key")
    };
    let log = key(ORIGIN, KeyAlgorithm::Ed25519, 1);
    let mut text = format!("log {}\n", log.verifier_key());
    let mut witnesses = Vec::new();
    for number in 0..3u8 {
        let witness = key(&format!("w{number}.example"), KeyAlgorithm::CosignatureV1, 10 + number);
        text += &format!("witness w{number} {} https://w{number}.example\n", witness.verifier_key());
        witnesses.push(witness);
    }
    text += "group two 2 w0 w1 w2\nquorum two\n";
    let policy = Policy::parse(text.as_bytes()).expect("a policy");
    let registrar = key("registrar.example", KeyAlgorithm::Ed25519, 9).verifier_key().clone();
    let logs = TrustedLogs { policy, window: Window::default(), closed: None };
    let operator = Operator { name: "fuzz".to_owned(), url: None };
    let trust =
        TrustFile::compose(operator, &[logs], &[(registrar, Window::default())]).expect("a trust file");
    let history = |fork: u32, version: u8| {
        let leaf =
            |i: u32| leaf_hash(&[&i.to_be_bytes()[..], &[if i < fork { 0 } else { version }]].concat());
        (0..LEAVES).map(leaf).collect()
    };
    World { log, witnesses, trust, histories: vec![history(0, 0), history(2, 1), history(270, 2)] }
});

/// The bytes of the script, zeros after its end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    /// A root: of one of the histories, at some size; none sometimes.
    fn root(&mut self) -> Option<TreeHead> {
        let (which, size) = (self.byte(), u16::from(self.byte()) + u16::from(self.byte() % 45));
        let history = WORLD.histories.get(usize::from(which % 4))?;
        Some(head(history, usize::from(size)))
    }

    fn note(&mut self, head: TreeHead, witnesses: std::ops::Range<usize>) -> SignedNote {
        let mut note =
            Checkpoint::new(ORIGIN, head).map(|body| body.sign(&WORLD.log)).expect("a body").expect("a note");
        for witness in &WORLD.witnesses[witnesses] {
            let time = u64::from(self.byte()) + 1;
            let line = cosignature::sign(witness, time, note.text()).expect("a cosignature");
            note = note.with_signature(&line).expect("room for it");
        }
        note
    }
}

fn head(history: &[Hash], size: usize) -> TreeHead {
    let leaves = history[..size.min(history.len())].iter().copied();
    TreeHead { size: TreeSize::new(leaves.len() as u64), root: root_of(leaves) }
}

fn tile(history: &[Hash], id: TileId) -> Option<Vec<u8>> {
    let span = 256usize.checked_pow(u32::from(id.level()))?;
    let first = usize::try_from(id.index()).ok()?.checked_mul(256)?;
    let nodes = (first..first + usize::from(id.width())).map(|at| {
        let begin = at.checked_mul(span)?;
        Some(root_of(history.get(begin..begin.checked_add(span)?)?.iter().copied()))
    });
    let nodes: Option<Vec<Hash>> = nodes.collect();
    Some(nodes?.iter().flat_map(|hash| *hash.as_bytes()).collect())
}

/// Whether the two can be of one tree, by comparing leaves.
fn consistent(a: TreeHead, b: TreeHead) -> bool {
    let of = |head: TreeHead| {
        let size = usize::try_from(head.size.get()).expect("a small tree");
        WORLD.histories.iter().filter(move |history| self::head(history, size) == head)
    };
    let (small, large) = if a.size < b.size { (a, b) } else { (b, a) };
    let size = usize::try_from(small.size.get()).expect("a small tree");
    of(large).any(|history| head(history, size) == small)
}

fn head_of(note: &str) -> TreeHead {
    let note: SignedNote = note.parse().expect("a note that was accepted");
    Checkpoint::unverified(&note).expect("a checkpoint").head()
}

/// What becomes of an answer on its way.
fn tamper(script: &mut Script<'_>, answer: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut bytes = answer?;
    match script.byte() % 16 {
        0..=9 => {}
        10 => return None,
        11 => bytes.truncate(usize::from(script.byte())),
        12 => bytes.extend_from_slice(&[0; 40]),
        13 => return Some(script.0.to_vec()),
        _ if bytes.is_empty() => {}
        _ => {
            let place = (usize::from(script.byte()) << 8 | usize::from(script.byte())) % bytes.len();
            bytes[place] ^= script.byte();
        }
    }
    Some(bytes)
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script(bytes);
    let policy = &WORLD.trust.logs()[0].policy;
    let quorum = |script: &mut Script<'_>| {
        let root = script.root()?;
        Some(script.note(root, 0..2))
    };
    let anchor = quorum(&mut script).map(|note| policy.verify_checkpoint(&note).expect("a quorum"));
    let pins: Vec<_> = (0..script.byte() % 3).filter_map(|_| quorum(&mut script)).collect();
    let pins: Vec<_> = pins.iter().map(|pin| pin.as_bytes().to_vec()).collect();
    let served = usize::from(script.byte() % 3);
    let subject = anchor.as_ref().map(|anchor| anchor.head());
    let mut comparison = Comparison::new(&WORLD.trust, anchor, pins);
    let mut tiles = 0;
    for round in 0.. {
        assert!(round < 60, "it ends");
        let RootsStep::Ask(requests) = comparison.next() else { break };
        assert!(!requests.is_empty());
        for request in requests {
            let answer = match &request {
                RootsRequest::Witness { name, .. } => {
                    let number = WORLD.trust.logs()[0].policy.witnesses().iter();
                    let at = number.take_while(|witness| witness.name().to_string() != *name).count();
                    script.root().map(|root| script.note(root, at..at + 1).as_bytes().to_vec())
                }
                RootsRequest::Published => quorum(&mut script).map(|note| note.as_bytes().to_vec()),
                RootsRequest::Tile(id) => {
                    tiles += 1;
                    tile(&WORLD.histories[served], *id)
                }
                other => panic!("{other:?} is never asked for"),
            };
            let answer = tamper(&mut script, answer);
            comparison.answered(&request, answer);
        }
    }
    assert!(tiles <= MAX_TILES);
    let outcome = comparison.outcome();
    if let Some(alarm) = &outcome.alarm {
        let (ours, theirs) = (head_of(&alarm.ours.note), head_of(&alarm.theirs.note));
        assert!(alarm.kind != AlarmKind::Forked || !consistent(ours, theirs), "a false alarm");
        assert!(outcome.pin.is_none(), "nothing is remembered beside an alarm");
    }
    if let Some(subject) = subject.filter(|_| outcome.anchor_witnessed) {
        let agrees = outcome.witnesses.iter().any(|witness| witness.state == WitnessState::Agrees);
        let contradicted = outcome.alarm.as_ref().is_some_and(|alarm| alarm.kind == AlarmKind::Forked);
        assert!(agrees || contradicted, "{subject:?}");
    }
});
