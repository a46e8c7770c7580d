//! Change of the log's key and of witnesses: windows of the trust file, and one log with two keys.

use tlog::{KeyAlgorithm, LeafIndex, Policy};

use super::world::{ORIGIN, Recording, World, examine, reason, signing_key, video};
use crate::evidence_file::{Place, Sealed};
use crate::report::{FindingName, ReasonCode, Report, State, Verdict};
use crate::trust::{TrustFile, TrustedLogs, Window};
use crate::{Digest, Entry, UnixSeconds};

/// Seconds between the recordings, so that each lies clearly in one window.
const PAUSE: u64 = 1000;

fn rotate(world: &mut World) {
    world.log = signing_key(ORIGIN, KeyAlgorithm::Ed25519, 0x51);
    world.witness = signing_key("witness-2.example", KeyAlgorithm::CosignatureV1, 0x52);
}

fn window(from: Option<u64>, until: Option<u64>) -> Window {
    Window { from: from.map(UnixSeconds::new), until: until.map(UnixSeconds::new) }
}

fn logs(policy: &str, window: Window) -> TrustedLogs {
    TrustedLogs { policy: Policy::parse(policy.as_bytes()).unwrap(), window, closed: None }
}

/// A recording before, one after the change of all keys, and the two policies.
struct Rotated {
    world: World,
    before: Recording,
    after: Recording,
    policies: [String; 2],
    edge: u64,
}

impl Rotated {
    fn new() -> Self {
        let mut world = World::witnessed();
        let before = world.record(1, &video(1));
        let old = world.policy();
        let edge = world.clock + PAUSE;
        world.clock += 2 * PAUSE;
        rotate(&mut world);
        let after = world.record(2, &video(2));
        let policies = [old, world.policy()];
        Self { world, before, after, policies, edge }
    }

    fn trust(&self, old: Window, new: Window) -> TrustFile {
        self.world.trust_in(&[logs(&self.policies[0], old), logs(&self.policies[1], new)])
    }
}

fn verdict(recording: &Recording, trust: &TrustFile) -> (Verdict, (State, ReasonCode)) {
    let report = checked(recording, trust);
    (report.verdict, reason(&report, FindingName::Checkpoint))
}

fn checked(recording: &Recording, trust: &TrustFile) -> Report {
    examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), trust)
}

const HOLDS: (Verdict, (State, ReasonCode)) = (Verdict::Consistent, (State::Proven, ReasonCode::Cosigned));
const NOT_THEN: (Verdict, (State, ReasonCode)) =
    (Verdict::EvidenceInvalid, (State::Failed, ReasonCode::PolicyNotValidThen));

#[test]
fn receipts_from_before_and_after_hold_under_one_trust_file() {
    let rotated = Rotated::new();
    let trust = rotated.trust(window(None, Some(rotated.edge)), window(Some(rotated.edge), None));
    assert_eq!(verdict(&rotated.before, &trust), HOLDS);
    assert_eq!(verdict(&rotated.after, &trust), HOLDS);
    // also where the windows overlap, or touch at the second itself
    let sealed = |report: Report| report.chain.unwrap().proven_sealing_time.unwrap().get();
    let at = sealed(checked(&rotated.before, &trust));
    let trust = rotated.trust(window(None, Some(at + 1)), window(Some(at), None));
    assert_eq!((verdict(&rotated.before, &trust), verdict(&rotated.after, &trust)), (HOLDS, HOLDS));
}

#[test]
fn each_policy_vouches_for_its_own_window_only() {
    let rotated = Rotated::new();
    let time = |recording: &Recording| {
        let trust = rotated.trust(Window::default(), Window::default());
        checked(recording, &trust).chain.unwrap().proven_sealing_time.unwrap().get()
    };
    let (old, new) = (time(&rotated.before), time(&rotated.after));
    // The old keys sign on after their time is over: somebody has kept, or stolen, them.
    let trust = rotated.trust(window(None, Some(old)), window(Some(old), None));
    assert_eq!(verdict(&rotated.before, &trust), NOT_THEN);
    // The new keys vouch for a time before they were introduced.
    let trust = rotated.trust(window(None, Some(new + 1)), window(Some(new + 1), None));
    assert_eq!(verdict(&rotated.after, &trust), NOT_THEN);
    assert_eq!(verdict(&rotated.before, &trust), HOLDS);
    // A trust file that has forgotten the old policy knows the log, and not who signed.
    let only_new = rotated.world.trust_in(&[logs(&rotated.policies[1], Window::default())]);
    let (verdict, checkpoint) = verdict(&rotated.before, &only_new);
    assert_eq!(verdict, Verdict::EvidenceInvalid);
    assert_eq!(checkpoint, (State::Failed, ReasonCode::LogSignatureInvalid));
}

#[test]
fn old_witnesses_with_the_new_log_key_are_no_quorum_of_either_policy() {
    let mut world = World::witnessed();
    let old = world.policy();
    let witness = world.witness.clone();
    rotate(&mut world);
    let new = world.policy();
    world.witness = witness;
    let mixed = world.record(1, &video(1));
    let trust = world.trust_in(&[logs(&old, Window::default()), logs(&new, Window::default())]);
    assert_eq!(verdict(&mixed, &trust), (Verdict::EvidenceInvalid, (State::Failed, ReasonCode::NoQuorum)));
}

#[test]
fn the_sealing_delay_runs_to_the_quorum_of_the_archived_checkpoint() {
    let mut world = World::witnessed();
    let begin = world.clock + 1;
    let recording = world.record(1, &video(1));
    // `start` waits longest: its receipt, too, is of the checkpoint that was cosigned five seconds after the end
    let quorum = world.clock + 5;
    let report = checked(&recording, &world.trust());
    let delay = i64::try_from((quorum - begin) * 1000).unwrap();
    assert_eq!(report.subject.as_ref().unwrap().sealing_delay_ms, Some(delay));
    assert_eq!(reason(&report, FindingName::SealingDelay), (State::Proven, ReasonCode::Measured));
    // A receipt that was fetched after the tree had grown shows when that tree was cosigned, not when its own was: the archive
    // keeps the first, so a server that answers with it does nobody wrong.
    let mut late = recording.clone();
    world.clock += 100;
    world.entries.push(world.entries[0]);
    late.evidence.receipts[0] = late.receipt(&world, 0);
    let report = checked(&late, &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
    let later = i64::try_from((world.clock + 5 - begin) * 1000).unwrap();
    assert_eq!(report.subject.unwrap().sealing_delay_ms, Some(later));
}

/// The same log under its other key, with another history.
fn other_version(world: &World, change: impl FnOnce(&mut Vec<Entry>)) -> (World, TrustFile) {
    let mut other = World::witnessed();
    other.entries.clone_from(&world.entries);
    other.clock = world.clock;
    rotate(&mut other);
    change(&mut other.entries);
    let open = Window::default();
    let trust = world.trust_in(&[logs(&world.policy(), open), logs(&other.policy(), open)]);
    (other, trust)
}

#[test]
fn a_second_key_is_no_second_log_for_a_fork() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let (other, trust) = other_version(&world, |entries| entries[0].statement = Digest::of(b"another"));
    let mut forked = recording.clone();
    let (enrolment, receipt) = &mut forked.evidence.registry[0];
    *receipt = other.receipt(enrolment);
    assert_eq!(
        verdict(&forked, &trust),
        (Verdict::EvidenceInvalid, (State::Failed, ReasonCode::ChainForked))
    );
    let (same, trust) = other_version(&world, |_| {});
    let mut rotated = recording;
    let (enrolment, receipt) = &mut rotated.evidence.registry[0];
    *receipt = same.receipt(enrolment);
    assert_eq!(verdict(&rotated, &trust), HOLDS);
}

#[test]
fn a_second_key_is_no_second_log_for_the_order_of_entries() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let (first, last) = (recording.sealed.first().unwrap(), recording.sealed.last().unwrap());
    let place = usize::try_from(first.index.get()).unwrap();
    let moved = Sealed { index: LeafIndex::new(first.index.get()), ..last.clone() };
    let (other, trust) = other_version(&world, |entries| {
        entries[place] = last.entry();
        entries.push(entries[0]);
    });
    let mut twice = recording.clone();
    let (sequence, _, _) = *twice.evidence.receipts.last().unwrap();
    *twice.evidence.receipts.last_mut().unwrap() =
        (sequence, Place { index: moved.index, sealed_at: moved.sealed_at }, other.receipt(&moved));
    let report = checked(&twice, &trust);
    assert_eq!(report.verdict, Verdict::EvidenceInvalid);
    assert_eq!(reason(&report, FindingName::Inclusion), (State::Failed, ReasonCode::OrderImpossible));
}
