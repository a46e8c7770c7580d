//! Each rule of `docs/spec/roots.md`.

use tlog::{KeyAlgorithm, SignedNote, SigningKey, TreeHead, TreeSize};

use super::{
    History, Net, ORIGIN, also_signed, key, log_key, note, policy_text, signed, trust, trust_of, url,
    verified, witness_key,
};
use crate::UnixSeconds;
use crate::report::{AlarmKind, RootSource, WitnessState};
use crate::roots::{Comparison, Pin, RootsOutcome, pin_slot};
use crate::trust::Window;

const Q: &[(u8, u64)] = &[(1, 10), (2, 20)];

fn states(outcome: &RootsOutcome) -> Vec<WitnessState> {
    outcome.witnesses.iter().map(|witness| witness.state).collect()
}

/// Kind and the two sources of the alarm.
fn alarm(outcome: &RootsOutcome) -> Option<(AlarmKind, RootSource, RootSource)> {
    outcome.alarm.as_ref().map(|alarm| (alarm.kind, alarm.ours.source, alarm.theirs.source))
}

/// At these sizes, of two histories that part at leaf 3.
fn fork() -> (History, History) {
    (History::forked(700, 3, 0), History::forked(700, 3, 1))
}

#[test]
fn one_chain_shown_to_everybody() {
    let chain = History::new(700);
    let anchor = note(chain.head(5), Q);
    let published = note(chain.head(600), &[(1, 30), (3, 31)]);
    let pin = note(chain.head(256), Q);
    let mut net = Net::new()
        .witness(1, &note(chain.head(600), &[(1, 30)]))
        .witness(2, &note(chain.head(7), &[(2, 25)]))
        .publish(&published)
        .serve(&chain);
    let outcome = net.compare(&trust(), Some(&anchor), &[&pin]);
    use WitnessState::{Agrees, NoAnswer};
    assert_eq!(states(&outcome), [Agrees, Agrees, NoAnswer]);
    assert_eq!((alarm(&outcome), outcome.anchor_witnessed), (None, true));
    assert_eq!((outcome.asked, outcome.answered), (true, true));
    let shown = outcome.published.unwrap();
    assert_eq!((shown.origin.as_str(), shown.size, shown.cosigned), (ORIGIN, 600, Some(31)));
    assert_eq!(shown.root, chain.head(600).root);
    assert_eq!(shown.note, published.as_str());
    assert_eq!(outcome.witnesses[1].size, Some(7));
    assert_eq!(outcome.witnesses[1].cosigned, Some(25));
    let slot = pin_slot(log_key().verifier_key());
    let replaced = Pin { origin: ORIGIN.to_owned(), slot, note: published.as_bytes().to_vec() };
    assert_eq!(outcome.pin, Some(replaced), "the largest root is remembered");
}

#[test]
fn witnesses_are_asked_first_and_the_service_afterwards() {
    let chain = History::new(10);
    let mut comparison = Comparison::new(&trust(), Some(verified(&note(chain.head(5), Q), &trust())), vec![]);
    let crate::RootsStep::Ask(first) = comparison.next() else { panic!("nobody is asked") };
    let names: Vec<_> = first
        .iter()
        .map(|request| match request {
            crate::RootsRequest::Witness { name, .. } => name.as_str(),
            other => panic!("{other:?} is asked for at once"),
        })
        .collect();
    assert_eq!(names, ["w1", "w2", "w3"]);
    assert_eq!(comparison.next(), crate::RootsStep::Ask(first.clone()), "asking again changes nothing");
    first.iter().for_each(|request| comparison.answered(request, None));
    assert_eq!(comparison.next(), crate::RootsStep::Ask(vec![crate::RootsRequest::Published]));
}

#[test]
fn two_roots_of_one_size_are_a_fork() {
    let (ours, theirs) = fork();
    let anchor = note(ours.head(5), Q);
    for net in [
        Net::new().witness(2, &note(theirs.head(5), &[(2, 30)])),
        Net::new().publish(&note(theirs.head(5), Q)),
        // a smaller fork between two others does not hide behind a larger root, and needs no tiles
        Net::new()
            .witness(1, &note(theirs.head(4), &[(1, 30)]))
            .witness(2, &note(ours.head(4), &[(2, 30)]))
            .publish(&note(ours.head(500), Q)),
    ] {
        let outcome = net.clone().compare(&trust(), Some(&anchor), &[]);
        assert_eq!(alarm(&outcome).map(|alarm| alarm.0), Some(AlarmKind::Forked), "{net:?}");
        assert!(outcome.is_proof());
        assert_eq!(outcome.pin, None, "while there is an alarm, nothing is remembered");
    }
}

#[test]
fn a_fork_is_seen_at_every_smaller_size_also_at_powers_of_two() {
    let (ours, theirs) = fork();
    for size in [4, 5, 7, 8, 255, 256, 257, 300, 512, 513] {
        let anchor = note(ours.head(size), Q);
        let mut net = Net::new().publish(&note(theirs.head(600), &[(1, 30), (2, 31)])).serve(&theirs);
        let outcome = net.compare(&trust(), Some(&anchor), &[]);
        let expected = (AlarmKind::Forked, RootSource::Anchor, RootSource::Published);
        assert_eq!(alarm(&outcome), Some(expected), "size {size}");
        let proof = outcome.alarm.unwrap();
        assert_eq!((proof.ours.size, proof.theirs.size), (size, 600));
        assert_eq!(proof.ours.note, anchor.as_str(), "both notes can be saved");
        proof.theirs.note.parse::<SignedNote>().unwrap();
    }
    // the pin convicts, too, and the log's own keys suffice
    let pin = note(ours.head(300), Q);
    let witness = note(theirs.head(600), &[(3, 99)]);
    let outcome = Net::new().witness(3, &witness).serve(&theirs).compare(&trust(), None, &[&pin]);
    assert_eq!(alarm(&outcome), Some((AlarmKind::Forked, RootSource::Pin, RootSource::Witness)));
    assert_eq!(states(&outcome)[2], WitnessState::Contradicts);
    assert_eq!(outcome.alarm.unwrap().theirs.name.as_deref(), Some("w3"));
}

#[test]
fn wrong_tiles_prove_nothing() {
    let (ours, theirs) = fork();
    let anchor = note(ours.head(300), Q);
    // the published root is of one history, the tiles are of the other
    let published = note(ours.head(600), &[(1, 30), (2, 31)]);
    let mut net = Net::new().witness(1, &note(ours.head(600), &[(1, 30)])).publish(&published).serve(&theirs);
    let outcome = net.compare(&trust(), Some(&anchor), &[]);
    assert_eq!((alarm(&outcome), outcome.anchor_witnessed), (None, false));
    assert_eq!(states(&outcome)[0], WitnessState::Unconnected);
    // so do tiles that are cut short, too long, or missing
    let honest = Net { tiles: Some(ours), ..net };
    for spoil in [None, Some(vec![]), Some(vec![7; 31]), Some(vec![7; 9000])] {
        let mut net = honest.clone();
        let before: Vec<_> = std::mem::take(&mut net.asked);
        let tiles = before.iter().filter_map(|request| match request {
            crate::RootsRequest::Tile(id) => Some((*id, spoil.clone())),
            _ => None,
        });
        net.spoiled = tiles.collect();
        let outcome = net.compare(&trust(), Some(&anchor), &[]);
        assert_eq!((alarm(&outcome), outcome.anchor_witnessed), (None, false));
    }
    let outcome =
        Net { spoiled: Default::default(), asked: vec![], ..honest }.compare(&trust(), Some(&anchor), &[]);
    assert!(outcome.anchor_witnessed, "with the right ones it is connected");
}

/// A hostile service gives the tiles that connect each side of a fork with what both have in common, and withholds those that
/// would show the two sides to contradict each other.
#[test]
fn a_common_beginning_connects_nothing() {
    let (ours, theirs) = fork();
    let (anchor, pin) = (note(ours.head(300), Q), note(ours.head(2), Q));
    let witness = note(theirs.head(600), &[(1, 30)]);
    let needed = |old: u64, new: u64| tlog::tile_reader::growth_tiles(TreeSize::new(old), TreeSize::new(new));
    let mut net = Net::new().witness(1, &witness);
    // at 300 its own history is served, at 600 the other one, but for what only the comparison of the two reads
    for id in needed(2, 300) {
        net.spoiled.insert(id, ours.tile(id));
    }
    for id in needed(2, 600) {
        net.spoiled.insert(id, theirs.tile(id));
    }
    for id in needed(300, 600).into_iter().filter(|id| !needed(2, 600).contains(id)) {
        net.spoiled.insert(id, None);
    }
    let outcome = net.compare(&trust(), Some(&anchor), &[&pin]);
    let forked = alarm(&outcome).is_some_and(|alarm| alarm.0 == AlarmKind::Forked);
    assert!(!outcome.anchor_witnessed, "the witness has seen another chain");
    assert!(forked || states(&outcome)[0] == WitnessState::Unconnected, "{outcome:?}");
    // the same through the connections alone, where the two sides cannot be compared at all
    let heads = vec![theirs.head(600), ours.head(300), ours.head(2)];
    let mut connections = crate::roots::connections::Connections::new(heads);
    let served = |history: &History, size: u64| {
        let mut tiles = crate::roots::tiles::Tiles::default();
        needed(2, size).into_iter().for_each(|id| tiles.insert(id, history.tile(id)));
        tiles
    };
    let mut withheld = served(&theirs, 600);
    needed(300, 600).into_iter().for_each(|id| {
        if !needed(2, 600).contains(&id) {
            withheld.insert(id, None);
        }
    });
    connections.next_tiles();
    connections.compare(&withheld);
    connections.next_tiles();
    connections.compare(&served(&ours, 300));
    assert!(connections.are_connected(0, 2) && connections.are_connected(1, 2));
    assert!(!connections.are_connected(0, 1));
}

#[test]
fn what_a_witness_shows_must_be_signed_by_the_log_and_by_this_witness() {
    let chain = History::new(10);
    let (head, anchor) = (chain.head(5), note(chain.head(5), Q));
    let stranger = key("other.example/log", KeyAlgorithm::Ed25519, 77);
    let namesake = key(ORIGIN, KeyAlgorithm::Ed25519, 78);
    let (w1, w2) = (witness_key(1), witness_key(2));
    let good = note(head, &[(1, 10)]);
    let damaged = good.as_str().replace("\n5\n", "\n6\n");
    let unusable: [(&str, Vec<u8>); 8] = [
        ("nonsense", b"nonsense".to_vec()),
        ("nothing", vec![]),
        ("no cosignature", note(head, &[]).as_bytes().to_vec()),
        ("another witness's only", note(head, &[(2, 10)]).as_bytes().to_vec()),
        ("another origin", signed(head, &stranger, &[(&w1, 10)]).as_bytes().to_vec()),
        ("another key of this origin", signed(head, &namesake, &[(&w1, 10), (&w2, 10)]).as_bytes().to_vec()),
        ("altered", damaged.into_bytes()),
        ("too long", vec![b'a'; tlog::note::MAX_NOTE_LEN + 1]),
    ];
    for (what, bytes) in unusable {
        let mut net = Net::new();
        net.witnesses.insert(url(1), bytes);
        let outcome = net.compare(&trust(), Some(&anchor), &[]);
        assert_eq!(states(&outcome)[0], WitnessState::Unusable, "{what}");
        assert_eq!((alarm(&outcome), outcome.anchor_witnessed), (None, false), "{what}");
        assert_eq!(outcome.witnesses[0].size, None);
    }
    let outcome = Net::new().witness(1, &good).compare(&trust(), Some(&anchor), &[]);
    assert_eq!(states(&outcome)[0], WitnessState::Agrees);
    assert!(outcome.anchor_witnessed, "no tiles are needed for an equal root");
}

#[test]
fn log_and_witness_must_be_of_one_policy() {
    let chain = History::new(10);
    let rotated = key(ORIGIN, KeyAlgorithm::Ed25519, 2);
    let only = |log: &tlog::SigningKey, number: u8| {
        let witness = witness_key(number);
        format!(
            "log {}\nwitness w{number} {} {}\nquorum w{number}\n",
            log.verifier_key(),
            witness.verifier_key(),
            url(number)
        )
    };
    let trust = trust_of(&[
        (only(&log_key(), 1), Window::default(), None),
        (only(&rotated, 2), Window::default(), None),
    ]);
    let anchor = note(chain.head(5), &[(1, 10)]);
    let crossed = note(chain.head(5), &[(2, 10)]);
    let outcome = Net::new().witness(2, &crossed).compare(&trust, Some(&anchor), &[]);
    assert_eq!(states(&outcome), [WitnessState::NoAnswer, WitnessState::Unusable]);
    let both = also_signed(&crossed, &rotated);
    let outcome = Net::new().witness(2, &both).compare(&trust, Some(&anchor), &[]);
    assert_eq!(states(&outcome), [WitnessState::NoAnswer, WitnessState::Agrees]);
}

#[test]
fn published_and_pinned_roots_need_a_quorum() {
    let (ours, theirs) = fork();
    let anchor = note(ours.head(5), Q);
    // one of three witnesses is not enough: such a note says nothing, not even about a fork
    let weak = note(theirs.head(5), &[(1, 10)]);
    let outcome = Net::new().publish(&weak).compare(&trust(), Some(&anchor), &[&weak]);
    assert_eq!((alarm(&outcome), outcome.published.is_none(), outcome.answered), (None, true, true));
    // but the unaccepted pin is replaced
    assert_eq!(outcome.pin.unwrap().note, anchor.as_bytes());
}

#[test]
fn several_keys_of_one_origin_are_one_log() {
    let (ours, theirs) = fork();
    let rotated = key(ORIGIN, KeyAlgorithm::Ed25519, 2);
    let until = Window { until: Some(UnixSeconds::new(15)), from: None };
    let from = Window { from: Some(UnixSeconds::new(15)), until: None };
    let trust =
        trust_of(&[(policy_text(&[&log_key()]), until, None), (policy_text(&[&rotated]), from, None)]);
    let (w1, w2) = (witness_key(1), witness_key(2));
    let anchor = note(ours.head(5), Q);
    let agrees = signed(ours.head(300), &rotated, &[(&w1, 40), (&w2, 40)]);
    let outcome =
        Net::new().witness(1, &agrees).publish(&agrees).serve(&ours).compare(&trust, Some(&anchor), &[]);
    assert!(outcome.anchor_witnessed);
    let forked = signed(theirs.head(300), &rotated, &[(&w1, 40), (&w2, 40)]);
    let outcome = Net::new().publish(&forked).serve(&theirs).compare(&trust, Some(&anchor), &[]);
    assert_eq!(alarm(&outcome).unwrap().0, AlarmKind::Forked, "a new key does not start a new history");
}

#[test]
fn windows_do_not_matter_and_the_end_of_a_closed_log_does() {
    let chain = History::new(10);
    let past = Window { until: Some(UnixSeconds::new(5)), from: None };
    let head = chain.head(5);
    let trust = |closed| trust_of(&[(policy_text(&[&log_key()]), past, closed)]);
    let published = note(chain.head(9), Q);
    let outcome = Net::new().publish(&published).serve(&chain).compare(&trust(None), None, &[]);
    assert_eq!(outcome.published.unwrap().size, 9);
    for (closed, counts) in [
        (chain.head(9), true),
        (chain.head(10), true),
        (chain.head(8), false),
        (TreeHead { root: head.root, size: TreeSize::new(9) }, false),
    ] {
        let witness = note(chain.head(9), &[(1, 10)]);
        let mut net = Net::new().witness(1, &witness).publish(&published).serve(&chain);
        let outcome = net.compare(&trust(Some(closed)), None, &[]);
        assert_eq!(outcome.published.is_some(), counts, "{closed:?}");
        assert_eq!(states(&outcome)[0] == WitnessState::Unusable, !counts, "{closed:?}");
    }
}

#[test]
fn the_empty_tree_agrees_with_every_tree_and_counts_for_nothing() {
    let chain = History::new(10);
    let anchor = note(chain.head(5), Q);
    let mut net = Net::new()
        .witness(1, &note(chain.head(0), &[(1, 10)]))
        .publish(&note(chain.head(0), &[(1, 1), (2, 2)]));
    let outcome = net.compare(&trust(), Some(&anchor), &[]);
    assert_eq!((alarm(&outcome), outcome.anchor_witnessed), (None, false));
    assert_eq!(net.tiles_asked(), 0);
    let outcome = net.clone().compare(&trust(), None, &[]);
    assert_eq!(states(&outcome)[0], WitnessState::Agrees, "two empty trees are equal");
    assert_eq!(outcome.pin, None, "and are not worth remembering");
}

#[test]
fn where_the_service_has_no_tiles_for_the_largest_root_the_others_are_compared() {
    let chain = History::new(700);
    let anchor = note(chain.head(300), Q);
    let pin = note(chain.head(256), Q);
    let published = note(chain.head(500), &[(2, 30), (3, 31)]);
    // the service serves what it has published, and the witness is ahead
    let short = History(chain.0[..500].to_vec());
    let mut net = Net::new()
        .witness(1, &note(chain.head(600), &[(1, 40)]))
        .witness(2, &note(chain.head(400), &[(2, 29)]))
        .publish(&published)
        .serve(&short);
    let outcome = net.compare(&trust(), Some(&anchor), &[&pin]);
    use WitnessState::{Agrees, NoAnswer, Unconnected};
    assert_eq!(states(&outcome), [Unconnected, Agrees, NoAnswer]);
    assert_eq!((alarm(&outcome), outcome.anchor_witnessed), (None, true));
    assert_eq!(outcome.pin.unwrap().note, published.as_bytes());
}

#[test]
fn a_published_tree_that_is_smaller_than_before_has_shrunk_or_is_stale() {
    let chain = History::new(700);
    let pin = note(chain.head(300), &[(1, 40), (2, 50)]);
    let smaller = |times: &[(u8, u64)]| Net::new().publish(&note(chain.head(200), times)).serve(&chain);
    let shrunk = |mut net: Net| alarm(&net.compare(&trust(), None, &[&pin]));
    use AlarmKind::{Shrunk, Stale};
    let of = |kind| Some((kind, RootSource::Pin, RootSource::Published));
    assert_eq!(shrunk(smaller(&[(1, 51), (3, 9)])), of(Shrunk));
    assert_eq!(shrunk(smaller(&[(1, 50), (3, 99)])), of(Stale), "a clock may be set back by ten seconds");
    assert_eq!(shrunk(smaller(&[(1, 51), (2, 61)])), of(Shrunk));
    assert_eq!(shrunk(smaller(&[(1, 51), (2, 49), (3, 90)])), of(Stale), "one of them cosigned before");
    assert_eq!(shrunk(Net::new().publish(&note(chain.head(0), &[(1, 60), (2, 61)]))), of(Shrunk));
    let outcome = smaller(&[(1, 51), (3, 51)]).compare(&trust(), None, &[&pin]);
    assert!(outcome.is_proof());
    assert_eq!(outcome.pin, None, "the pin stays while there is an alarm");
    assert!(!smaller(&[(1, 1), (3, 2)]).compare(&trust(), None, &[&pin]).is_proof());
    // the anchor was published once, so it convicts as well; but a receipt fetched a moment ago beside an old copy is nothing
    let anchor = &pin;
    let outcome = smaller(&[(1, 51), (3, 51)]).compare(&trust(), Some(anchor), &[]);
    assert_eq!(alarm(&outcome), Some((Shrunk, RootSource::Anchor, RootSource::Published)));
    let outcome = smaller(&[(1, 45), (3, 51)]).compare(&trust(), Some(anchor), &[]);
    assert_eq!(alarm(&outcome), None);
}

/// The clock of one witness runs ahead, so the quorum of the older tree looks later than that of the newer one.
#[test]
fn clocks_that_differ_do_not_make_an_old_copy_look_shrunk() {
    let chain = History::new(20);
    let old = note(chain.head(10), &[(1, 300), (2, 40)]);
    let pin = note(chain.head(20), &[(2, 41), (3, 41)]);
    let outcome = Net::new().publish(&old).serve(&chain).compare(&trust(), None, &[&pin]);
    assert_eq!(alarm(&outcome).unwrap().0, AlarmKind::Stale);
}

#[test]
fn notes_without_a_common_witness_do_not_make_an_old_copy_look_shrunk() {
    // The first policy knows w1 and w2, the second one w3 and w4.
    let chain = History::new(20);
    let with = |numbers: [u8; 2]| {
        let mut text = format!("log {}\n", log_key().verifier_key());
        for number in numbers {
            text += &format!("witness w{number} {} {}\n", witness_key(number).verifier_key(), url(number));
        }
        let [a, b] = numbers;
        (text + &format!("group two 2 w{a} w{b}\nquorum two\n"), Window::default(), None)
    };
    let trust = trust_of(&[with([1, 2]), with([3, 4])]);
    let pin = note(chain.head(20), &[(3, 40), (4, 46)]);
    let published = note(chain.head(10), &[(1, 90), (2, 95)]);
    let outcome = Net::new().publish(&published).serve(&chain).compare(&trust, None, &[&pin]);
    assert_eq!(alarm(&outcome).unwrap().0, AlarmKind::Stale);
}

#[test]
fn a_service_that_cannot_connect_its_chain_with_the_pin_is_an_alarm() {
    let chain = History::new(700);
    let pin = note(chain.head(300), Q);
    let published = note(chain.head(600), &[(1, 30), (2, 31)]);
    let outcome = Net::new().publish(&published).compare(&trust(), None, &[&pin]);
    assert_eq!(alarm(&outcome), Some((AlarmKind::Unconnected, RootSource::Pin, RootSource::Published)));
    assert_eq!(outcome.pin, None);
    assert!(!outcome.is_proof());
    // one that does not answer with a checkpoint is none
    for net in [Net::new(), Net { published: vec![Some(b"busy".to_vec())], ..Net::new() }] {
        let outcome = net.clone().compare(&trust(), None, &[&pin]);
        assert_eq!(alarm(&outcome), None);
    }
}

#[test]
fn a_witness_ahead_of_a_freshly_cosigned_chain_is_an_alarm_after_asking_once_more() {
    let chain = History::new(700);
    let short = History(chain.0[..300].to_vec());
    let old = note(chain.head(300), &[(2, 50), (3, 51)]);
    let ahead = |time| Net::new().witness(1, &note(chain.head(600), &[(1, time)])).serve(&short);
    let outcome = ahead(51).publish(&old).compare(&trust(), None, &[]);
    let expected = (AlarmKind::Unconnected, RootSource::Published, RootSource::Witness);
    assert_eq!(alarm(&outcome), Some(expected));
    // the published one is just older: the others are away
    let mut net = ahead(52).publish(&old);
    assert_eq!(alarm(&net.compare(&trust(), None, &[])), None);
    assert_eq!(net.asked.iter().filter(|asked| **asked == crate::RootsRequest::Published).count(), 1);
    // asked again, the service has caught up
    let new = note(chain.head(600), &[(1, 51), (2, 52)]);
    let mut net = ahead(51).publish(&old).publish(&new);
    let outcome = net.compare(&trust(), None, &[]);
    assert_eq!((alarm(&outcome), outcome.published.unwrap().size), (None, 600));
    // a larger witness that is connected worries nobody
    let outcome = ahead(51).publish(&old).serve(&chain).compare(&trust(), None, &[]);
    assert_eq!((alarm(&outcome), states(&outcome)[0]), (None, WitnessState::Agrees));
    // nor does any witness of an empty chain
    let empty = note(chain.head(0), &[(2, 50), (3, 51)]);
    assert_eq!(alarm(&ahead(51).publish(&empty).compare(&trust(), None, &[])), None);
}

#[test]
fn the_first_alarm_of_the_table_and_the_nearest_roots() {
    let (ours, theirs) = fork();
    // forked before shrunk: the pin contradicts the witness, and the published tree is smaller, cosigned later
    let pin = note(ours.head(300), Q);
    let published = note(ours.head(200), &[(1, 90), (2, 91)]);
    let mut net = Net::new().witness(3, &note(theirs.head(300), &[(3, 9)])).publish(&published).serve(&ours);
    assert_eq!(alarm(&net.compare(&trust(), None, &[&pin])).unwrap().0, AlarmKind::Forked);
    // of several forks, that of the anchor; of those, the one with the pin
    let anchor = note(ours.head(100), Q);
    let pin = note(theirs.head(100), Q);
    let mut net = Net::new()
        .witness(3, &note(theirs.head(100), &[(3, 9)]))
        .publish(&note(theirs.head(100), Q))
        .serve(&theirs);
    let outcome = net.compare(&trust(), Some(&anchor), &[&pin]);
    assert_eq!(alarm(&outcome), Some((AlarmKind::Forked, RootSource::Anchor, RootSource::Pin)));
    // a contradicting anchor is not witnessed
    assert!(!outcome.anchor_witnessed);
}

#[test]
fn the_pin_moves_forward_only() {
    let chain = History::new(700);
    let remember = |pins: &[&SignedNote], published: &SignedNote| {
        let mut net = Net::new().publish(published).serve(&chain);
        net.compare(&trust(), None, pins).pin.map(|pin| String::from_utf8(pin.note).unwrap())
    };
    let at = |size, times: &[(u8, u64)]| note(chain.head(size), times);
    let small = at(5, Q);
    assert_eq!(remember(&[], &small).as_deref(), Some(small.as_str()));
    assert_eq!(remember(&[&small], &small), None, "nothing new");
    let later = at(5, &[(1, 30), (2, 31)]);
    assert_eq!(remember(&[&small], &later).as_deref(), Some(later.as_str()));
    assert_eq!(remember(&[&later], &small), None);
    let large = at(300, Q);
    assert_eq!(remember(&[&small], &large).as_deref(), Some(large.as_str()));
    // of several pins, the largest counts, and what is none is passed over
    assert_eq!(remember(&[&small, &large], &at(300, Q)), None);
    let garbage = note(chain.head(9), &[]);
    assert_eq!(remember(&[&garbage], &small).as_deref(), Some(small.as_str()));
    let unread = Comparison::offline(&trust(), Some(verified(&small, &trust())), vec![b"damaged".to_vec()]);
    assert_eq!(unread.outcome().pin.unwrap().note, small.as_bytes());
    // what is not connected with the pin is not remembered, whatever its size
    let stranger = note(History::forked(700, 3, 1).head(600), &[(1, 25)]);
    let mut net = Net::new().witness(1, &stranger).publish(&large).serve(&chain);
    let outcome = net.compare(&trust(), None, &[&small]);
    assert_eq!(outcome.pin.unwrap().note, large.as_bytes());
}

#[test]
fn a_witness_that_is_a_quorum_by_itself_is_believed_and_not_remembered() {
    let chain = History::new(10);
    let text = format!(
        "log {}\nwitness w1 {} {}\nquorum w1\n",
        log_key().verifier_key(),
        witness_key(1).verifier_key(),
        url(1)
    );
    let trust = trust_of(&[(text, Window::default(), None)]);
    let witnessed = note(chain.head(9), &[(1, 10)]);
    let outcome = Net::new().witness(1, &witnessed).compare(&trust, None, &[]);
    assert_eq!(outcome.pin, None, "nobody has published it");
    assert_eq!(states(&outcome), [WitnessState::Agrees]);
}

/// Either of two witnesses is a quorum, and the clock of one is ahead: what was published a moment before the other had cosigned the
/// next tree must not look like a tree that has shrunk since.
#[test]
fn a_clock_that_is_ahead_makes_no_tree_shrink() {
    let chain = History::new(10);
    let mut text = format!("log {}\n", log_key().verifier_key());
    for number in [1, 2] {
        text += &format!("witness w{number} {} {}\n", witness_key(number).verifier_key(), url(number));
    }
    let trust = trust_of(&[(text + "group any 1 w1 w2\nquorum any\n", Window::default(), None)]);
    let published = note(chain.head(8), &[(2, 12)]);
    let ahead = note(chain.head(9), &[(1, 10)]);
    let mut net = Net::new().witness(1, &ahead).publish(&published).serve(&chain);
    let first = net.clone().compare(&trust, None, &[]);
    let pin = SignedNote::parse(&first.pin.unwrap().note).unwrap();
    let second = net.compare(&trust, None, &[&pin]);
    assert_eq!(alarm(&second), None);
}

/// Another trust file may give this log another key: what is remembered under the one stays where it is.
#[test]
fn the_roots_of_two_keys_are_kept_apart() {
    let chain = History::new(10);
    let other = key(ORIGIN, KeyAlgorithm::Ed25519, 77);
    let of = |log: &SigningKey| {
        let trust = trust_of(&[(policy_text(&[log]), Window::default(), None)]);
        let (w1, w2) = (witness_key(1), witness_key(2));
        let published = signed(chain.head(5), log, &[(&w1, 1), (&w2, 2)]);
        Net::new().publish(&published).serve(&chain).compare(&trust, None, &[]).pin.unwrap()
    };
    let (ours, theirs) = (of(&log_key()), of(&other));
    assert_eq!(ours.origin, theirs.origin);
    assert_ne!(ours.slot, theirs.slot);
}

#[test]
fn offline_nobody_is_asked_and_pins_are_still_compared() {
    let (ours, theirs) = fork();
    let anchor = note(ours.head(5), Q);
    let offline = |pin: &SignedNote| {
        let anchor = verified(&anchor, &trust());
        let mut comparison = Comparison::offline(&trust(), Some(anchor), vec![pin.as_bytes().to_vec()]);
        assert_eq!(comparison.next(), crate::RootsStep::Done);
        comparison.outcome()
    };
    let outcome = offline(&note(theirs.head(5), Q));
    assert_eq!(alarm(&outcome), Some((AlarmKind::Forked, RootSource::Anchor, RootSource::Pin)));
    assert!(outcome.facts().unwrap().witnesses.is_empty());
    // nothing can be said about other sizes without tiles, and the pin stays
    for pin in [note(theirs.head(4), Q), note(theirs.head(6), Q)] {
        let outcome = offline(&pin);
        assert_eq!((alarm(&outcome), &outcome.pin, outcome.facts()), (None, &None, None));
        assert_eq!((outcome.asked, outcome.answered), (false, false));
    }
}

#[test]
fn pins_of_other_chains_are_no_business_of_this_one() {
    let (ours, theirs) = fork();
    let neighbour = key("other.example/log", KeyAlgorithm::Ed25519, 7);
    let (w1, w2) = (witness_key(1), witness_key(2));
    let trust = trust_of(&[
        (policy_text(&[&log_key()]), Window::default(), None),
        (policy_text(&[&neighbour]), Window::default(), None),
    ]);
    let anchor = note(ours.head(5), Q);
    let pin = signed(theirs.head(5), &neighbour, &[(&w1, 1), (&w2, 2)]);
    let outcome = Net::new().publish(&pin).compare(&trust, Some(&anchor), &[&pin]);
    assert_eq!((alarm(&outcome), outcome.published.is_none()), (None, true));
    assert_eq!(outcome.pin.unwrap().note, anchor.as_bytes());
    // the same witness guards both, and shows the wrong one
    let outcome = Net::new().witness(1, &pin).compare(&trust, Some(&anchor), &[]);
    assert_eq!((alarm(&outcome), states(&outcome)[0]), (None, WitnessState::Unusable));
    // without an anchor the service says which chain it is, and that one's pin counts
    let shown = signed(ours.head(5), &neighbour, &[(&w1, 1), (&w2, 2)]);
    let mut net = Net::new().witness(1, &shown).publish(&shown);
    let outcome = net.compare(&trust, None, &[&anchor, &pin]);
    assert_eq!(outcome.origin.as_deref(), Some("other.example/log"));
    assert_eq!(alarm(&outcome).unwrap().0, AlarmKind::Forked);
    // and if it says nothing, nothing is compared
    let outcome = Net::new().compare(&trust, None, &[&anchor]);
    assert_eq!((outcome.origin, outcome.alarm, outcome.pin), (None, None, None));
}

#[test]
fn unknown_signatures_are_ignored_and_known_bad_ones_refuse_the_note() {
    let chain = History::new(10);
    let anchor = note(chain.head(5), Q);
    let stranger = key("w9.example", KeyAlgorithm::CosignatureV1, 9);
    let (w1, log) = (witness_key(1), log_key());
    let greased = signed(chain.head(5), &log, &[(&stranger, 3), (&w1, 10), (&stranger, 4)]);
    let outcome = Net::new().witness(1, &greased).compare(&trust(), Some(&anchor), &[]);
    assert_eq!(states(&outcome)[0], WitnessState::Agrees);
    // w2's line was cut out of another note
    let moved = note(chain.head(5), &[(1, 10)]);
    let moved = moved.with_signature(&note(chain.head(6), &[(2, 10)]).signatures()[1]).unwrap();
    let twice = note(chain.head(5), &[(1, 10), (1, 11)]);
    for bad in [moved, twice] {
        let outcome = Net::new().witness(1, &bad).publish(&bad).compare(&trust(), Some(&anchor), &[]);
        assert_eq!(states(&outcome)[0], WitnessState::Unusable);
        assert!(outcome.published.is_none());
    }
}
