//! Roots seen elsewhere, and windows and ends of trusted logs.

use tlog::{TreeHead, TreeSize};

use super::world::{NEW_YEAR, Recording, World, examine, reason, video};
use crate::UnixSeconds;
use crate::report::{FindingName, ReasonCode, Report, State, Verdict};
use crate::trust::{TrustedLogs, Window};

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
