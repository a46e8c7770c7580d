//! The finding `roots`, and windows and ends of trusted logs. What is compared, and how, is tested in `crate::roots`.

use tlog::{TreeHead, TreeSize};

use super::world::{NEW_YEAR, Network, Recording, World, drive, examine, examine_with_roots, reason, video};
use crate::examination::{Examination, LookupAnswer};
use crate::report::{AlarmKind, FindingName, ReasonCode, Report, State, Verdict, WitnessState};
use crate::trust::{TrustedLogs, Window};
use crate::{Digest, RootsRequest, UnixSeconds};

fn with_policy(world: &World, recording: &Recording, window: Window, closed: Option<TreeHead>) -> Report {
    let trust = world.trust_with(window, closed, Window::default());
    examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust)
}

#[test]
fn a_policy_counts_only_for_its_window() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let until = Window { from: None, until: Some(UnixSeconds::new(NEW_YEAR + 5)) };
    let report = with_policy(&world, &recording, until, None);
    assert_eq!(report.verdict, Verdict::EvidenceInvalid);
    assert_eq!(reason(&report, FindingName::Checkpoint), (State::Failed, ReasonCode::PolicyNotValidThen));
    let around =
        Window { from: Some(UnixSeconds::new(NEW_YEAR)), until: Some(UnixSeconds::new(NEW_YEAR + 500)) };
    assert_eq!(with_policy(&world, &recording, around, None).verdict, Verdict::Consistent);
}

#[test]
fn a_closed_log_does_not_grow() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let head = world.head();
    let open = Window::default();
    assert_eq!(with_policy(&world, &recording, open, Some(head)).verdict, Verdict::Consistent);
    let smaller = TreeHead { size: TreeSize::new(head.size.get() - 1), root: head.root };
    let other_root = TreeHead { size: head.size, root: tlog::empty_root() };
    for closed in [smaller, other_root] {
        let report = with_policy(&world, &recording, open, Some(closed));
        assert_eq!(report.verdict, Verdict::EvidenceInvalid);
        assert_eq!(reason(&report, FindingName::Checkpoint), (State::Failed, ReasonCode::LogClosed));
    }
}

#[test]
fn of_two_policies_the_one_that_proves_a_time_counts() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let log = world.log.verifier_key();
    let lax = tlog::Policy::parse(format!("log {log}\nquorum none\n").as_bytes()).unwrap();
    let strict = tlog::Policy::parse(world.policy().as_bytes()).unwrap();
    let logs = |policy: &tlog::Policy, window| TrustedLogs { policy: policy.clone(), window, closed: None };
    let always = Window::default();
    for policies in [[logs(&lax, always), logs(&strict, always)], [logs(&strict, always), logs(&lax, always)]]
    {
        let trust = world.trust_in(&policies);
        let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust);
        assert_eq!(report.verdict, Verdict::Consistent);
        assert_eq!(reason(&report, FindingName::Checkpoint), (State::Proven, ReasonCode::Cosigned));
        assert_eq!(
            report.chain.unwrap().proven_sealing_time,
            Some(UnixSeconds::new(world.clock + 5)),
            "the operator's word does not stand in for a time that is proven"
        );
    }
    // one that is satisfied suffices, whatever the others say, and in whatever order
    let over = Window { from: None, until: Some(UnixSeconds::new(NEW_YEAR)) };
    for policies in [[logs(&lax, always), logs(&strict, over)], [logs(&strict, over), logs(&lax, always)]] {
        let trust = world.trust_in(&policies);
        let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust);
        assert_eq!(report.verdict, Verdict::Consistent);
        assert_eq!(reason(&report, FindingName::Checkpoint), (State::Proven, ReasonCode::LogSigned));
    }
}

#[test]
fn a_policy_for_another_log_does_not_stand_in_the_way() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let policy = |world: &World| tlog::Policy::parse(world.policy().as_bytes()).unwrap();
    let logs = |policy| TrustedLogs { policy, window: Window::default(), closed: None };
    let (ours, other) = (logs(policy(&world)), logs(policy(&World::of_operator(5))));
    let evidence = std::slice::from_ref(&recording.evidence);
    for policies in [[ours.clone(), other.clone()], [other, ours]] {
        let report = examine(&recording.bytes, &[], evidence, &world.trust_in(&policies));
        assert_eq!(report.verdict, Verdict::Consistent);
    }
}

#[test]
fn of_two_proven_times_the_earlier_one_counts() {
    let mut world = World::witnessed();
    world.second_witness = true;
    let recording = world.record(1, &video(1));
    let second = super::world::second_witness();
    let of_second =
        format!("log {}\nwitness w2 {}\nquorum w2\n", world.log.verifier_key(), second.verifier_key());
    let logs = [world.policy(), of_second].map(|text| TrustedLogs {
        policy: tlog::Policy::parse(text.as_bytes()).unwrap(),
        window: Window::default(),
        closed: None,
    });
    for policies in [logs.clone(), [logs[1].clone(), logs[0].clone()]] {
        let trust = world.trust_in(&policies);
        let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust);
        let time = report.chain.unwrap().proven_sealing_time;
        assert_eq!(time, Some(UnixSeconds::new(world.clock + 2)));
    }
}

const NOBODY: Network<'_> = &|_| None;

fn compared(world: &World, recording: &Recording, pins: &[&World], network: Network<'_>) -> Report {
    let pins = pins.iter().map(|pin| pin.checkpoint().as_bytes().to_vec()).collect();
    let evidence = std::slice::from_ref(&recording.evidence);
    examine_with_roots(&recording.bytes, evidence, &world.trust(), pins, network).0
}

fn roots(report: &Report) -> (Verdict, State, ReasonCode) {
    let (state, reason) = reason(report, FindingName::Roots);
    (report.verdict, state, reason)
}

/// The same operator with another history, or with a part of its own.
fn another(world: &World, change: impl FnOnce(&mut World)) -> World {
    let mut other = World::new();
    other.entries.clone_from(&world.entries);
    other.witnessed = world.witnessed;
    other.clock = world.clock;
    change(&mut other);
    other
}

#[test]
fn a_chain_that_a_witness_shows_as_well_is_proven() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let first = another(&world, |_| {});
    for _ in 0..30 {
        world.entries.push(world.entries[0]);
        let report = compared(&world, &recording, &[&first], &world.network());
        assert_eq!(roots(&report), (Verdict::Consistent, State::Proven, ReasonCode::RootsAgree));
        let facts = report.roots.unwrap();
        let [witness] = facts.witnesses.as_slice() else { panic!("one witness") };
        assert_eq!((witness.name.as_str(), witness.state), ("w1", WitnessState::Agrees));
        assert_eq!(facts.alarm, None);
    }
}

#[test]
fn a_fork_invalidates_whatever_rests_on_the_chain() {
    for witnessed in [true, false] {
        let mut world = if witnessed { World::witnessed() } else { World::new() };
        let recording = world.record(1, &video(1));
        let other = another(&world, |other| {
            other.entries[0].statement = Digest::of(b"another history");
            other.entries.push(other.entries[0]);
        });
        let report = compared(&world, &recording, &[], &other.network());
        assert_eq!(roots(&report), (Verdict::EvidenceInvalid, State::Failed, ReasonCode::ChainForked));
        assert_eq!(report.roots.unwrap().alarm.unwrap().kind, AlarmKind::Forked);
        // remembered from another day, and nobody to ask
        let same_size = another(&world, |other| other.entries[0].statement = Digest::of(b"x"));
        let pins = vec![same_size.checkpoint().as_bytes().to_vec()];
        let offline = crate::RootsInput { pins, online: false };
        let evidence = vec![recording.evidence.clone()];
        let length = recording.bytes.len() as u64;
        let examination = Examination::new(length, Vec::new(), evidence, world.trust(), offline);
        let report = drive(examination, &recording.bytes, &LookupAnswer::NoServer).report();
        assert_eq!(roots(&report), (Verdict::EvidenceInvalid, State::Failed, ReasonCode::ChainForked));
        assert!(report.roots.unwrap().witnesses.is_empty());
    }
}

#[test]
fn the_first_reason_that_applies() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let smaller = another(&world, |other| other.entries.truncate(other.entries.len() - 1));
    let larger = another(&world, |other| other.entries.push(other.entries[0]));
    let consistent = |state, reason| (Verdict::Consistent, state, reason);
    let found = |pins: &[&World], network: Network<'_>| roots(&compared(&world, &recording, pins, network));
    use State::{Failed, NotChecked};
    assert_eq!(found(&[], NOBODY), consistent(NotChecked, ReasonCode::Offline));
    assert_eq!(found(&[&larger], NOBODY), consistent(NotChecked, ReasonCode::Offline));
    assert_eq!(found(&[], &|_| Some(b"nonsense".to_vec())), consistent(NotChecked, ReasonCode::NoWitness));
    // the service shows a smaller tree than was remembered, cosigned before that one
    let stale = another(&smaller, |other| other.clock -= 1);
    assert_eq!(found(&[&larger], &stale.network()), consistent(NotChecked, ReasonCode::ChainStale));
    // and cosigned later: then somebody has set the chain back
    let shrunk = another(&smaller, |other| other.clock += 100);
    let invalid = (Verdict::EvidenceInvalid, Failed, ReasonCode::ChainShrunk);
    assert_eq!(found(&[&larger], &shrunk.network()), invalid);
    // a published tree without tiles
    let grown = larger.network();
    let no_tiles = |request: &RootsRequest| match request {
        RootsRequest::Tile(_) => None,
        other => grown(other),
    };
    assert_eq!(found(&[&smaller], &no_tiles), consistent(NotChecked, ReasonCode::ChainUnconnected));
    assert_eq!(found(&[], &no_tiles), consistent(NotChecked, ReasonCode::NoWitness));
    // the service agrees, and no witness answers
    let alone = |request: &RootsRequest| match request {
        RootsRequest::Witness { .. } => None,
        other => grown(other),
    };
    assert_eq!(found(&[&smaller], &alone), consistent(NotChecked, ReasonCode::NoWitness));
}

#[test]
fn without_witnesses_nobody_independent_has_seen_the_root() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let report = compared(&world, &recording, &[], &world.network());
    assert_eq!(roots(&report), (Verdict::Consistent, State::NotChecked, ReasonCode::Unwitnessed));
}

#[test]
fn what_is_compared_is_the_receipt_that_the_verdict_rests_on() {
    let mut world = World::witnessed();
    let mut recording = world.record(1, &video(1));
    // the receipt of the last statement is of a larger tree than that of the first
    world.entries.push(world.entries[0]);
    let last = recording.sealed.len() - 1;
    *recording.evidence.receipts.last_mut().unwrap() = recording.receipt(&world, last);
    let checkpoint = world.checkpoint().as_bytes().to_vec();
    let only_witness = |request: &RootsRequest| match request {
        RootsRequest::Witness { .. } => Some(checkpoint.clone()),
        _ => None,
    };
    let report = compared(&world, &recording, &[], &only_witness);
    assert_eq!(roots(&report), (Verdict::Consistent, State::Proven, ReasonCode::RootsAgree));
    assert_eq!(report.chain.unwrap().size, world.entries.len() as u64);
}

#[test]
fn a_chain_that_has_forked_lets_evidence_of_another_chain_decide() {
    let chunks = video(1);
    let mut world = World::witnessed();
    let recording = world.record(1, &chunks);
    let mut neighbour = World::of_operator(5);
    neighbour.witnessed = true;
    neighbour.clock += 50;
    let second = neighbour.record(2, &chunks);
    let trust = world.trust_beside(&neighbour);
    let other = another(&world, |other| other.entries[0].statement = Digest::of(b"x"));
    let forked = other.network();
    let (honest, origin) = (neighbour.network(), neighbour.log.verifier_key().name().to_string());
    let hash = Digest::of(origin.as_bytes()).to_string();
    let asked = std::cell::Cell::new(0);
    let network = |request: &RootsRequest| match request {
        RootsRequest::Witness { origin_hash, .. } if *origin_hash == hash => honest(request),
        RootsRequest::Witness { .. } => {
            asked.set(asked.get() + 1);
            forked(request)
        }
        _ => None,
    };
    let both = [recording.evidence, second.evidence];
    let (report, pin) = examine_with_roots(&recording.bytes, &both, &trust, vec![], &network);
    assert_eq!(roots(&report), (Verdict::Consistent, State::Proven, ReasonCode::RootsAgree));
    assert_eq!(report.chain.unwrap().origin, origin);
    assert_eq!(asked.get(), 1, "each chain is compared once");
    let shown = report.roots.unwrap().alarm.unwrap();
    assert_eq!(shown.kind, AlarmKind::Forked, "the alarm is shown all the same");
    assert_eq!(pin.unwrap().origin, origin);
    // with nothing else there is nothing else to decide
    let (report, pin) = examine_with_roots(&recording.bytes, &both[..1], &trust, vec![], &network);
    assert_eq!(roots(&report), (Verdict::EvidenceInvalid, State::Failed, ReasonCode::ChainForked));
    assert_eq!(pin, None);
}

#[test]
fn a_fork_is_looked_for_even_where_the_file_was_altered() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let other = another(&world, |other| other.entries[0].statement = Digest::of(b"x"));
    let mut bytes = recording.bytes.clone();
    bytes[70_000] ^= 1;
    let evidence = [recording.evidence];
    let (report, _) = examine_with_roots(&bytes, &evidence, &world.trust(), vec![], &other.network());
    assert_eq!(roots(&report), (Verdict::EvidenceInvalid, State::Failed, ReasonCode::ChainForked));
    let (report, pin) = examine_with_roots(&bytes, &evidence, &world.trust(), vec![], &world.network());
    assert_eq!(roots(&report), (Verdict::Inconsistent, State::Proven, ReasonCode::RootsAgree));
    assert_eq!(pin.unwrap().note, world.checkpoint().as_bytes());
}
