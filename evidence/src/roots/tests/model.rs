//! Against models: whatever an honest log, its witnesses and its network do, there is no false alarm; whatever a hostile one does,
//! what is said is true, and a fork that the answers show is an alarm.

use proptest::collection::vec;
use proptest::prelude::*;
use tlog::{KeyAlgorithm, SignedNote, SigningKey, TreeHead};

use super::{
    History, Net, ORIGIN, also_signed, key, log_key, note, policy_text, signed, trust, trust_of, url,
    verified, witness_key,
};
use crate::UnixSeconds;
use crate::report::{AlarmKind, WitnessState};
use crate::roots::{MAX_TILES, RootsRequest};
use crate::trust::{TrustFile, Window};

/// What happens in one second of an honest log's life.
#[derive(Debug, Clone)]
struct Second {
    growth: u16,
    /// Which of four witnesses answer in time.
    present: [bool; 4],
}

fn seconds() -> impl Strategy<Value = Vec<Second>> {
    let growth = prop_oneof![2 => Just(0), 3 => 1u16..4, 1 => 1u16..120];
    let second = (growth, any::<[bool; 4]>()).prop_map(|(growth, present)| Second { growth, present });
    vec(second, 1..25)
}

/// An honest log: grows, offers its newest tree, and publishes it when two of the three witnesses of the policy in force have
/// cosigned. In the second `rotation` its key, the key of w2 and one witness change.
struct Log {
    history: History,
    trust: TrustFile,
    /// Published checkpoints and what each witness showed, second by second.
    published: Vec<Option<SignedNote>>,
    shown: Vec<[Option<SignedNote>; 4]>,
}

struct Keys {
    old: SigningKey,
    new: SigningKey,
    witnesses: Vec<SigningKey>,
    changed: SigningKey,
}

impl Keys {
    fn new() -> Self {
        Self {
            old: log_key(),
            new: key(ORIGIN, KeyAlgorithm::Ed25519, 2),
            witnesses: (1..=4).map(witness_key).collect(),
            changed: key("w2.example", KeyAlgorithm::CosignatureV1, 202),
        }
    }

    fn witness(&self, at: usize, rotated: bool) -> &SigningKey {
        if at == 1 && rotated { &self.changed } else { &self.witnesses[at] }
    }

    fn policy(&self, members: [usize; 3], rotated: bool) -> String {
        let log = if rotated { &self.new } else { &self.old };
        let mut text = format!("log {}\n", log.verifier_key());
        for at in members {
            let (witness, number) = (self.witness(at, rotated), u8::try_from(at + 1).unwrap());
            text += &format!("witness w{number} {} {}\n", witness.verifier_key(), url(number));
        }
        let names = members.map(|at| format!("w{}", at + 1)).join(" ");
        text + &format!("group two 2 {names}\nquorum two\n")
    }
}

fn live(life: &[Second], rotation: usize) -> Log {
    let keys = Keys::new();
    let total: u32 = life.iter().map(|second| u32::from(second.growth)).sum();
    let history = History::new(total);
    let edge = UnixSeconds::new(1000 + rotation as u64);
    let trust = trust_of(&[
        (keys.policy([0, 1, 2], false), Window { from: None, until: Some(edge) }, None),
        (keys.policy([1, 2, 3], true), Window { from: Some(edge), until: None }, None),
    ]);
    let mut log = Log { history, trust, published: Vec::new(), shown: Vec::new() };
    let (mut size, mut latest) = (0, [const { None }; 4]);
    let mut cosigned: [Option<(u64, u64)>; 4] = [None; 4];
    let mut published: Option<(u64, SignedNote)> = None;
    for (at, second) in life.iter().enumerate() {
        let (now, rotated) = (1000 + at as u64, at >= rotation);
        size += u64::from(second.growth);
        let members: [usize; 3] = if rotated { [1, 2, 3] } else { [0, 1, 2] };
        let head = log.history.head(size);
        if at == rotation {
            // with its new key w2 has said nothing yet
            cosigned[1] = None;
        }
        for member in members.into_iter().filter(|member| second.present[*member]) {
            cosigned[member] = Some((size, now));
            let witness = keys.witness(member, rotated);
            latest[member] = Some(sign(&keys, head, rotated, at == rotation, &[(witness, now)]));
        }
        let of_head: Vec<_> = members
            .into_iter()
            .filter_map(|member| {
                let (_, time) = cosigned[member].filter(|(of, _)| *of == size)?;
                Some((keys.witness(member, rotated), time))
            })
            .collect();
        if of_head.len() >= 2 {
            published = Some((size, sign(&keys, head, rotated, at == rotation, &of_head)));
        }
        log.published.push(published.as_ref().map(|(_, note)| note.clone()));
        log.shown.push(latest.clone());
    }
    log
}

/// Signed by the key in force; in the second of the rotation by both.
fn sign(
    keys: &Keys,
    head: TreeHead,
    rotated: bool,
    both: bool,
    cosigners: &[(&SigningKey, u64)],
) -> SignedNote {
    let (log, other) = if rotated { (&keys.new, &keys.old) } else { (&keys.old, &keys.new) };
    let note = signed(head, log, cosigners);
    if both { also_signed(&note, other) } else { note }
}

/// When the verifier asks, which copies it gets, and which tiles are missing.
#[derive(Debug, Clone)]
struct Moment {
    anchor: Option<prop::sample::Index>,
    pin: Option<prop::sample::Index>,
    witnesses: [prop::sample::Index; 4],
    reached: [bool; 4],
    published: prop::sample::Index,
    /// How many seconds a cache is behind.
    behind: usize,
    missing: Vec<prop::sample::Index>,
}

fn moment() -> impl Strategy<Value = Moment> {
    let index = any::<prop::sample::Index>;
    (
        proptest::option::of(index()),
        proptest::option::of(index()),
        [index(), index(), index(), index()],
        any::<[bool; 4]>(),
        index(),
        prop_oneof![3 => Just(0usize), 1 => 1usize..20],
        prop_oneof![3 => Just(Vec::new()), 1 => vec(index(), 1..6)],
    )
        .prop_map(|(anchor, pin, witnesses, reached, published, behind, missing)| Moment {
            anchor,
            pin,
            witnesses,
            reached,
            published,
            behind,
            missing,
        })
}

/// The network at a moment: the witnesses' answers are of earlier seconds than the service's, or of the same.
fn network(log: &Log, moment: &Moment) -> (Net, usize) {
    let now = moment.published.index(log.published.len());
    let mut net = Net::new().serve(&log.history);
    for (at, (when, reached)) in moment.witnesses.iter().zip(moment.reached).enumerate() {
        let shown = &log.shown[when.index(now + 1)][at];
        if let Some(note) = shown.as_ref().filter(|_| reached) {
            net = net.witness(u8::try_from(at + 1).unwrap(), note);
        }
    }
    let seen = log.published[now.saturating_sub(moment.behind)].as_ref();
    net.published = vec![seen.map(|note| note.as_bytes().to_vec())];
    (net, now)
}

fn size_of(note: &SignedNote) -> u64 {
    tlog::Checkpoint::unverified(note).unwrap().head().size.get()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn an_honest_chain_raises_no_false_alarm(
        life in seconds(),
        rotation in 0usize..30,
        moment in moment(),
    ) {
        let log = live(&life, rotation);
        let (net, now) = network(&log, &moment);
        let remembered = |at: &prop::sample::Index| log.published[at.index(now + 1)].clone();
        let anchor = moment.anchor.as_ref().and_then(remembered).filter(|note| size_of(note) > 0);
        let pin = moment.pin.as_ref().and_then(remembered);
        let pins: Vec<_> = pin.iter().collect();
        // first to learn what is asked for, then without some of it
        let mut complete = net.clone();
        let outcome = complete.compare(&log.trust, anchor.as_ref(), &pins);
        let published = outcome.published.as_ref().map(|published| published.size);
        let stale = published.zip(pin.as_ref()).is_some_and(|(size, pin)| size < size_of(pin));
        prop_assert_eq!(outcome.alarm.map(|alarm| alarm.kind), stale.then_some(AlarmKind::Stale));
        for witness in &outcome.witnesses {
            let fine = matches!(witness.state, WitnessState::Agrees | WitnessState::NoAnswer);
            prop_assert!(fine || witness.size == Some(0), "{:?}", witness);
        }
        let seen = outcome.witnesses.iter().any(|witness| witness.size > Some(0));
        prop_assert_eq!(outcome.anchor_witnessed, anchor.is_some() && seen);

        let tiles: Vec<_> = complete.asked.iter().filter_map(|request| match request {
            RootsRequest::Tile(id) => Some(*id),
            _ => None,
        }).collect();
        if tiles.is_empty() || moment.missing.is_empty() {
            return Ok(());
        }
        let mut poor = net;
        poor.spoiled = moment.missing.iter().map(|at| (tiles[at.index(tiles.len())], None)).collect();
        let outcome = poor.compare(&log.trust, anchor.as_ref(), &pins);
        prop_assert!(!outcome.is_proof());
        if let Some(alarm) = &outcome.alarm {
            prop_assert!(matches!(alarm.kind, AlarmKind::Stale | AlarmKind::Unconnected));
            prop_assert_eq!(alarm.kind == AlarmKind::Stale, stale);
        }
    }
}

/// A root that a hostile log has had signed: at a size of one of its histories.
#[derive(Debug, Clone, Copy)]
struct Root {
    history: usize,
    size: u64,
    time: u64,
}

fn root() -> impl Strategy<Value = Root> {
    let size = prop_oneof![1u64..300, prop::sample::select(vec![1u64, 2, 4, 128, 255, 256, 257, 299])];
    (0usize..3, size, 1u64..100).prop_map(|(history, size, time)| Root { history, size, time })
}

/// What a hostile service does to a tile.
#[derive(Debug, Clone)]
enum Spoil {
    Missing,
    Flipped(u8),
    Cut,
    OfAnother,
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        Just(Spoil::Missing),
        any::<u8>().prop_map(Spoil::Flipped),
        Just(Spoil::Cut),
        Just(Spoil::OfAnother)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_of_a_hostile_chain_is_true(
        forks in [0u32..300, 0u32..300],
        anchor in proptest::option::of(root()),
        pin in proptest::option::of(root()),
        published in proptest::option::of(root()),
        witnesses in [proptest::option::of(root()), proptest::option::of(root()), proptest::option::of(root())],
        served in 0usize..3,
        spoils in prop_oneof![1 => Just(Vec::new()), 1 => vec((any::<prop::sample::Index>(), spoil()), 1..4)],
    ) {
        let histories = [
            History::new(300),
            History::forked(300, forks[0], 1),
            History::forked(300, forks[1], 2),
        ];
        let head = |root: Root| histories[root.history].head(root.size);
        let consistent = |a: Root, b: Root| {
            let both = a.size.min(b.size);
            histories[a.history].head(both) == histories[b.history].head(both)
        };
        let quorum = |root: Root| note(head(root), &[(1, root.time), (2, root.time)]);
        let anchor_note = anchor.map(quorum);
        let pin_note = pin.map(quorum);
        let mut net = Net::new().serve(&histories[served]);
        for (number, root) in (1..).zip(witnesses) {
            if let Some(root) = root {
                net = net.witness(number, &note(head(root), &[(number, root.time)]));
            }
        }
        net.published = vec![published.map(|root| quorum(root).as_bytes().to_vec())];
        let pins: Vec<_> = pin_note.iter().collect();
        let trust = trust();
        let mut first = net.clone();
        let honest_tiles = first.compare(&trust, anchor_note.as_ref(), &pins);
        let tiles: Vec<_> = first.asked.iter().filter_map(|request| match request {
            RootsRequest::Tile(id) => Some(*id),
            _ => None,
        }).collect();
        for (at, spoil) in spoils.iter().filter(|_| !tiles.is_empty()) {
            let id = tiles[at.index(tiles.len())];
            let good = histories[served].tile(id);
            let bad = match spoil {
                Spoil::Missing => None,
                Spoil::Flipped(bit) => good.map(|mut bytes| {
                    let place = usize::from(*bit) % bytes.len();
                    bytes[place] ^= 1 << (bit % 8);
                    bytes
                }),
                Spoil::Cut => good.map(|bytes| bytes[1..].to_vec()),
                Spoil::OfAnother => histories[(served + 1) % 3].tile(id),
            };
            net.spoiled.insert(id, bad);
        }
        let spoiled = !net.spoiled.is_empty();
        let outcome = net.compare(&trust, anchor_note.as_ref(), &pins);
        prop_assert!(net.tiles_asked() <= MAX_TILES);
        let all: Vec<Root> = anchor.into_iter().chain(pin).chain(published).chain(witnesses.into_iter().flatten()).collect();

        // What is said is true.
        for outcome in [&outcome, &honest_tiles] {
            if let Some(alarm) = outcome.alarm.as_ref().filter(|alarm| alarm.kind == AlarmKind::Forked) {
                let of = |signed: &str| {
                    let note: SignedNote = signed.parse().unwrap();
                    verified_head(&note, &trust)
                };
                let (ours, theirs) = (of(&alarm.ours.note), of(&alarm.theirs.note));
                let found = |wanted: TreeHead| all.iter().copied().find(|root| head(*root) == wanted).unwrap();
                prop_assert!(!consistent(found(ours), found(theirs)), "a false alarm");
            }
            let subject = anchor.or(published).or(pin);
            for (witness, root) in outcome.witnesses.iter().zip(witnesses) {
                let (Some(root), Some(subject)) = (root, subject) else { continue };
                if witness.state == WitnessState::Agrees {
                    prop_assert!(consistent(root, subject));
                }
            }
            if outcome.anchor_witnessed {
                prop_assert!(witnesses.into_iter().flatten().any(|root| consistent(root, anchor.unwrap())));
            }
            if let (Some(replaced), Some(before)) = (&outcome.pin, pin) {
                let note = SignedNote::parse(&replaced.note).unwrap();
                let new = verified_head(&note, &trust);
                let new = all.iter().copied().find(|root| head(*root) == new).unwrap();
                prop_assert!(consistent(new, before) && new.size >= before.size);
                prop_assert!(outcome.alarm.is_none());
            }
        }

        // Every fork that the answers show is an alarm.
        let forked = |outcome: &crate::RootsOutcome| {
            outcome.alarm.as_ref().is_some_and(|alarm| alarm.kind == AlarmKind::Forked)
        };
        let same_size = all.iter().any(|a| all.iter().any(|b| a.size == b.size && head(*a) != head(*b)));
        prop_assert!(!same_size || forked(&outcome));
        let largest = all.iter().map(|root| root.size).max().unwrap_or(0);
        let largest: Vec<_> = all.iter().copied().filter(|root| root.size == largest).collect();
        let is_served = |root: Root| histories[served].head(root.size) == head(root);
        let shown = largest.iter().any(|big| is_served(*big) && all.iter().any(|one| !consistent(*one, *big)));
        prop_assert!(!shown || forked(&honest_tiles), "the tiles show it");
        prop_assert!(!shown || spoiled || forked(&outcome));
        // and with one history there is none
        if all.iter().all(|a| all.iter().all(|b| consistent(*a, *b))) {
            prop_assert!(!forked(&outcome) && !forked(&honest_tiles));
        }
    }

    #[test]
    fn nonsense_says_nothing(
        answers in vec(proptest::option::of(vec(any::<u8>(), 0..200)), 0..20),
        pins in vec(vec(any::<u8>(), 0..100), 0..5),
    ) {
        let anchor = verified(&note(History::new(5).head(5), &[(1, 1), (2, 2)]), &trust());
        let mut comparison = crate::Comparison::new(&trust(), Some(anchor), pins);
        let mut answers = answers.into_iter();
        for _ in 0..50 {
            let crate::RootsStep::Ask(requests) = comparison.next() else { break };
            for request in requests {
                comparison.answered(&request, answers.next().flatten());
            }
        }
        prop_assert_eq!(comparison.next(), crate::RootsStep::Done);
        let outcome = comparison.outcome();
        prop_assert_eq!((outcome.alarm, outcome.anchor_witnessed, outcome.published), (None, false, None));
    }
}

fn verified_head(note: &SignedNote, trust: &TrustFile) -> TreeHead {
    trust.logs()[0].policy.verify_log_signature(note).unwrap().head()
}

/// The model itself can be wrong: it must publish, rotate, and show witnesses ahead and behind.
#[test]
fn the_model_of_an_honest_log_is_not_trivial() {
    let second = |growth, present| Second { growth, present };
    let life = [
        second(300, [true, true, false, false]),
        second(5, [true, false, false, false]),
        second(0, [false, true, true, true]),
        second(7, [false, false, true, true]),
    ];
    let log = live(&life, 2);
    let sizes: Vec<_> = log.published.iter().map(|note| note.as_ref().map(size_of)).collect();
    assert_eq!(sizes, [Some(300), Some(300), Some(305), Some(312)]);
    assert_eq!(log.published[2].as_ref().unwrap().signatures().len(), 2 + 3, "both log keys");
    let ahead = log.shown[1][0].as_ref().map(size_of);
    assert_eq!((ahead, log.shown[3][1].as_ref().map(size_of)), (Some(305), Some(305)));
    for note in log.published.iter().flatten() {
        let satisfied = log.trust.logs().iter().filter(|logs| logs.policy.verify_checkpoint(note).is_ok());
        assert_eq!(satisfied.count(), 1);
    }
    let text = policy_text(&[&log_key()]);
    assert!(text.contains("w3"));
}
