//! Roots seen elsewhere, and windows and ends of trusted logs.

use tlog::{TreeHead, TreeSize};

use super::world::{NEW_YEAR, Recording, World, examine, reason, video};
use crate::report::{FindingName, ReasonCode, Report, State, Verdict};
use crate::trust::{TrustedLogs, Window};
use crate::verify::{Input, LookupOutcome, Observation, RootsObservation, SeenRoot, verify};
use crate::{Digest, UnixSeconds};

fn observe(recording: &Recording) -> Observation {
    let pieces = recording
        .ranges
        .iter()
        .map(|range| (*range, Digest::of(super::world::slice(&recording.bytes, *range))))
        .collect();
    Observation { length: recording.bytes.len() as u64, pieces, ..Observation::default() }
}

fn with_roots(world: &World, recording: &Recording, roots: Vec<SeenRoot>) -> Report {
    let input = Input {
        candidates: std::slice::from_ref(&recording.evidence),
        trust: &world.trust(),
        observation: &observe(recording),
        lookup: LookupOutcome::NotAsked,
        roots: Some(RootsObservation { roots }),
    };
    verify(&input)
}

fn seen(world: &World) -> SeenRoot {
    SeenRoot { checkpoint: world.checkpoint().as_bytes().to_vec(), proof: Vec::new() }
}

#[test]
fn the_same_root_elsewhere_agrees() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let report = with_roots(&world, &recording, vec![seen(&world)]);
    assert_eq!(reason(&report, FindingName::Roots), (State::Proven, ReasonCode::RootsAgree));
    assert_eq!(report.verdict, Verdict::Consistent);
}

#[test]
fn another_root_of_the_same_size_is_a_fork_with_and_without_witnesses() {
    for mut world in [World::new(), World::witnessed()] {
        let recording = world.record(1, &video(1));
        let mut other = World::new();
        other.entries.clone_from(&world.entries);
        other.witnessed = world.witnessed;
        other.entries[0].statement = Digest::of(b"another history");
        let report = with_roots(&world, &recording, vec![seen(&world), seen(&other)]);
        assert_eq!(reason(&report, FindingName::Roots), (State::Failed, ReasonCode::ChainForked));
        assert_eq!(report.verdict, Verdict::EvidenceInvalid);
    }
}

#[test]
fn a_larger_root_needs_a_consistency_proof() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let old: Vec<_> = world.entries.iter().map(crate::Entry::leaf_hash).collect();
    // grow to the next power of two and double: the proof is the old root's complement
    while !world.entries.len().is_power_of_two() {
        world.entries.push(world.entries[0]);
    }
    let whole: Vec<_> = world.entries.iter().map(crate::Entry::leaf_hash).collect();
    let without = with_roots(&world, &recording, vec![seen(&world)]);
    assert_eq!(reason(&without, FindingName::Roots), (State::NotChecked, ReasonCode::RootsUnavailable));
    assert_eq!(without.verdict, Verdict::Consistent, "an unproven root says nothing");
    let mut root = seen(&world);
    root.proof = naive_consistency(old.len(), &whole, true);
    let proven = with_roots(&world, &recording, vec![root]);
    assert_eq!(reason(&proven, FindingName::Roots), (State::Proven, ReasonCode::RootsAgree));
}

/// RFC 6962, section 2.1.2, word for word.
fn naive_consistency(m: usize, leaves: &[tlog::Hash], whole: bool) -> Vec<tlog::Hash> {
    use super::world::naive_root;
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    if m <= k {
        let mut path = naive_consistency(m, left, whole);
        path.push(naive_root(right));
        path
    } else {
        let mut path = naive_consistency(m - k, right, false);
        path.push(naive_root(left));
        path
    }
}

#[test]
fn nonsense_from_elsewhere_says_nothing() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let mut stranger = World::of_operator(5);
    stranger.witnessed = true;
    let nonsense = SeenRoot { checkpoint: b"nonsense".to_vec(), proof: Vec::new() };
    for roots in [vec![], vec![nonsense], vec![seen(&stranger)]] {
        let report = with_roots(&world, &recording, roots);
        assert_eq!(reason(&report, FindingName::Roots), (State::NotChecked, ReasonCode::RootsUnavailable));
        assert_eq!(report.verdict, Verdict::Consistent);
    }
}

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
fn an_empty_chain_elsewhere_agrees_with_nothing() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let entries = std::mem::take(&mut world.entries);
    let empty = seen(&world);
    world.entries = entries;
    let report = with_roots(&world, &recording, vec![empty]);
    assert_eq!(reason(&report, FindingName::Roots), (State::NotChecked, ReasonCode::RootsUnavailable));
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

#[test]
fn the_root_of_another_trusted_log_is_no_fork_of_this_one() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let mut neighbour = World::of_operator(5);
    neighbour.entries.clone_from(&world.entries);
    neighbour.entries.swap(0, 1);
    let report = verify(&Input {
        candidates: std::slice::from_ref(&recording.evidence),
        trust: &world.trust_beside(&neighbour),
        observation: &observe(&recording),
        lookup: LookupOutcome::NotAsked,
        roots: Some(RootsObservation { roots: vec![seen(&neighbour)] }),
    });
    assert_eq!(reason(&report, FindingName::Roots), (State::NotChecked, ReasonCode::Unwitnessed));
    assert_eq!(report.verdict, Verdict::Consistent);
}

#[test]
fn roots_are_compared_with_the_receipt_that_the_verdict_rests_on() {
    let mut world = World::witnessed();
    let mut recording = world.record(1, &video(1));
    // the receipt of the last statement is of a larger tree than that of the first
    world.entries.push(world.entries[0]);
    let last = recording.sealed.len() - 1;
    *recording.evidence.receipts.last_mut().unwrap() = recording.receipt(&world, last);
    let report = with_roots(&world, &recording, vec![seen(&world)]);
    assert_eq!(reason(&report, FindingName::Roots), (State::Proven, ReasonCode::RootsAgree));
    assert_eq!(report.chain.unwrap().size, world.entries.len() as u64);
}
