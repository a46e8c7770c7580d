//! Enrolment and revocation.

use super::world::{NEW_YEAR, Recording, World, examine, reason, video};
use crate::report::{FindingName, ReasonCode, Report, State, Verdict};
use crate::statement::{Payload, Role, Statement};
use crate::trust::Window;
use crate::{DeviceKey, UnixMillis, UnixSeconds};

const ENROLMENT: FindingName = FindingName::DeviceEnrolment;

fn check(world: &World, recording: &Recording) -> Report {
    examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &world.trust())
}

fn fails(report: &Report, why: ReasonCode) {
    assert_eq!(report.verdict, Verdict::EvidenceInvalid, "{why}");
    assert_eq!(reason(report, ENROLMENT), (State::Failed, why));
}

fn holds(report: &Report, why: ReasonCode) {
    assert_eq!(report.verdict, Verdict::Consistent, "{why}");
    assert_eq!(reason(report, ENROLMENT), (State::Proven, why));
}

#[test]
fn no_enrolment_or_another_one() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let mut recording = world.record(1, &video(1));
    let again = world.enrol_with(&key, |enrol| enrol.model = "DSJ-2".to_owned());
    let stranger = world.enrol(&DeviceKey::from_seed([2; 32]), Role::Device);
    recording.evidence.registry = vec![world.prove(stranger)];
    fails(&check(&world, &recording), ReasonCode::EnrolmentMissing);
    recording.evidence.registry = vec![world.prove(again)];
    fails(&check(&world, &recording), ReasonCode::EnrolmentOther);
}

#[test]
fn an_enrolment_by_a_stranger_or_with_a_damaged_signature() {
    let mut world = World::new();
    let registrar = std::mem::replace(&mut world.registrar, DeviceKey::from_seed([77; 32]));
    let recording = world.record(1, &video(1));
    fails(&check(&world, &recording), ReasonCode::RegistrarUnknown);

    world.registrar = registrar;
    let key = DeviceKey::from_seed([3; 32]);
    let enrolment = world.enrol(&key, Role::Device);
    let mut bytes = enrolment.statement.bytes().to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let damaged = world.seal(Statement::parse(&bytes).unwrap());
    let recording = world.record_as(&key, &damaged, &video(3), true, |_| {});
    fails(&check(&world, &recording), ReasonCode::RegistrarSignatureInvalid);
}

#[test]
fn an_enrolment_that_is_not_in_the_public_registry() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let enrolment = world.enrol(&key, Role::Device);
    // the operator sealed it as private evidence, out of auditors' sight
    let place = usize::try_from(enrolment.index.get()).unwrap();
    world.entries[place].kind = crate::EntryKind::Evidence;
    let recording = world.record_as(&key, &enrolment, &video(1), true, |_| {});
    fails(&check(&world, &recording), ReasonCode::EnrolmentNotSealed);
}

#[test]
fn an_enrolment_sealed_after_the_recording() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let early = world.enrol(&key, Role::Device);
    let mut recording = world.record_as(&key, &early, &video(1), true, |_| {});
    let late = world.seal(early.statement);
    recording.evidence.registry = vec![world.prove(late)];
    fails(&check(&world, &recording), ReasonCode::EnrolmentTooLate);
}

#[test]
fn an_account_may_deposit_but_not_record() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let account = world.enrol(&key, Role::Account);
    let recording = world.record_as(&key, &account, &video(1), true, |_| {});
    fails(&check(&world, &recording), ReasonCode::EnrolmentRole);
}

#[test]
fn the_window_of_validity_is_compared_with_the_time_of_sealing() {
    let start = NEW_YEAR + 2; // enrolment takes the first second, start the second one
    let cases = [
        (start * 1000, (start + 1) * 1000, true),
        (start * 1000 + 999, (start + 1) * 1000, true),
        ((start + 1) * 1000, (start + 2) * 1000, false),
        (0, start * 1000, false),
        (0, start * 1000 + 1, true),
    ];
    for (from, until, valid) in cases {
        let mut world = World::new();
        let key = DeviceKey::from_seed([1; 32]);
        let enrolment = world.enrol_with(&key, |enrol| {
            enrol.valid_from = UnixMillis::saturating(from);
            enrol.valid_until = UnixMillis::saturating(until);
        });
        let recording = world.record_as(&key, &enrolment, &video(1), true, |payload| {
            // whatever capture time the device claims
            if let Payload::Start(start) = payload {
                start.capture_begin = UnixMillis::saturating(from);
            }
        });
        let report = check(&world, &recording);
        if valid {
            holds(&report, ReasonCode::EnrolledNoSnapshot);
        } else {
            fails(&report, ReasonCode::EnrolmentNotValidThen);
        }
    }
}

#[test]
fn a_registrar_counts_only_while_it_is_trusted() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let until = Window { from: None, until: Some(UnixSeconds::new(NEW_YEAR)) };
    let trust = world.trust_with(Window::default(), None, until);
    let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust);
    fails(&report, ReasonCode::RegistrarNotValidThen);
}

#[test]
fn a_revocation_before_sealing_fails_whatever_capture_time_is_claimed() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let enrolment = world.enrol(&key, Role::Device);
    let effective = world.clock + 1;
    let mut recording = world.record_as(&key, &enrolment, &video(1), true, |payload| {
        if let Payload::Start(start) = payload {
            start.capture_begin = UnixMillis::saturating((NEW_YEAR - 80_000) * 1000);
        }
    });
    let revocation = world.revoke(key.digest(), effective);
    recording.evidence.registry.push(world.prove(revocation));
    let report = check(&world, &recording);
    fails(&report, ReasonCode::Revoked);
    assert_eq!(report.subject.unwrap().revoked_from, Some(UnixMillis::saturating(effective * 1000)));
}

#[test]
fn a_later_revocation_does_not_touch_what_was_sealed_before() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let effective = world.clock + 1;
    let revocation = world.revoke(DeviceKey::from_seed([1; 32]).digest(), effective);
    recording.evidence.registry.push(world.prove(revocation));
    holds(&check(&world, &recording), ReasonCode::EnrolledRevokedLater);
}

#[test]
fn an_excerpt_sealed_before_a_revocation_in_mid_recording_is_not_touched() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let enrolment = world.enrol(&key, Role::Device);
    let chunks = video(1);
    let mut recording = world.record_as(&key, &enrolment, &chunks, true, |_| {});
    // a receipt for the third segment, which was sealed before the revocation takes effect
    let third = recording.sealed[3].clone();
    recording.evidence.receipts.insert(1, recording.receipt(&world, 3));
    let revocation = world.revoke(key.digest(), third.sealed_at.get() + 1);
    recording.evidence.registry.push(world.prove(revocation));
    fails(&check(&world, &recording), ReasonCode::Revoked);
    let cut = |last: usize| {
        let evidence = std::slice::from_ref(&recording.evidence);
        examine(&chunks[..=last].concat(), &[], evidence, &world.trust())
    };
    let before = cut(2);
    assert_eq!(before.verdict, Verdict::Excerpt);
    assert_eq!(reason(&before, ENROLMENT), (State::Proven, ReasonCode::EnrolledRevokedLater));
    assert_eq!(before.chain.as_ref().map(|chain| chain.index), Some(third.index.get()));
    fails(&cut(3), ReasonCode::Revoked);
}

#[test]
fn a_made_up_revocation_frames_nobody() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let kid = DeviceKey::from_seed([1; 32]).digest();
    let registrar = std::mem::replace(&mut world.registrar, DeviceKey::from_seed([77; 32]));
    let forged = world.revoke(kid, 0);
    world.registrar = registrar;
    let forged = world.prove(forged);
    let real_of_another = world.revoke(DeviceKey::from_seed([2; 32]).digest(), 0);
    let real_of_another = world.prove(real_of_another);
    let mut unsealed = world.revoke(kid, 0);
    world.entries.pop();
    unsealed.index = recording.sealed[0].index;
    let unsealed = (unsealed, world.receipt(&recording.sealed[0]));
    recording.evidence.registry.extend([forged, real_of_another, unsealed]);
    holds(&check(&world, &recording), ReasonCode::EnrolledNoSnapshot);
}

#[test]
fn a_snapshot_proves_that_a_key_was_not_revoked() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let stranger = DeviceKey::from_seed([2; 32]).digest();
    let snapshot = world.snapshot(vec![stranger]);
    let as_of = UnixMillis::saturating((world.clock - 1) * 1000);
    recording.evidence.registry.push(world.prove(snapshot));
    let report = check(&world, &recording);
    holds(&report, ReasonCode::Enrolled);
    assert_eq!(report.subject.unwrap().revocations_as_of, Some(as_of));
}

#[test]
fn evidence_that_withholds_a_revocation_is_invalid() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let snapshot = world.snapshot(vec![DeviceKey::from_seed([1; 32]).digest()]);
    recording.evidence.registry.push(world.prove(snapshot));
    fails(&check(&world, &recording), ReasonCode::RevocationWithheld);
}

#[test]
fn a_snapshot_of_another_chain_says_nothing_about_this_one() {
    let mut world = World::new();
    let mut neighbour = World::of_operator(5);
    let mut recording = world.record(1, &video(1));
    let listed = world.snapshot(vec![DeviceKey::from_seed([1; 32]).digest()]);
    let listed = world.prove(listed);
    neighbour.clock += 500;
    let clean = neighbour.snapshot(Vec::new());
    let clean = neighbour.prove(clean);
    let trust = world.trust_beside(&neighbour);
    let check = |recording: &Recording| {
        examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust)
    };
    recording.evidence.registry.push(clean);
    let report = check(&recording);
    holds(&report, ReasonCode::EnrolledNoSnapshot);
    assert_eq!(report.subject.unwrap().revocations_as_of, None);
    // nor does it take back what a snapshot of this chain says
    recording.evidence.registry.push(listed);
    fails(&check(&recording), ReasonCode::RevocationWithheld);
}

#[test]
fn a_later_snapshot_does_not_take_back_a_revocation() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let listed = world.snapshot(vec![DeviceKey::from_seed([1; 32]).digest()]);
    let clean = world.snapshot(Vec::new());
    recording.evidence.registry.extend([world.prove(listed), world.prove(clean)]);
    fails(&check(&world, &recording), ReasonCode::RevocationWithheld);
}

#[test]
fn a_made_up_snapshot_proves_nothing() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let registrar = std::mem::replace(&mut world.registrar, DeviceKey::from_seed([77; 32]));
    let clean = world.snapshot(Vec::new());
    let framing = world.snapshot(vec![DeviceKey::from_seed([1; 32]).digest()]);
    world.registrar = registrar;
    recording.evidence.registry.extend([world.prove(clean), world.prove(framing)]);
    let report = check(&world, &recording);
    holds(&report, ReasonCode::EnrolledNoSnapshot);
    assert_eq!(report.subject.unwrap().revocations_as_of, None);
}

#[test]
fn of_two_snapshots_the_newer_one_is_told() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let older = world.snapshot(Vec::new());
    let newer = world.snapshot(Vec::new());
    let as_of = UnixMillis::saturating((world.clock - 1) * 1000);
    for snapshots in [[&older, &newer], [&newer, &older]] {
        recording.evidence.registry.truncate(1);
        recording.evidence.registry.extend(snapshots.map(|one| world.prove(one.clone())));
        let report = check(&world, &recording);
        holds(&report, ReasonCode::Enrolled);
        assert_eq!(report.subject.unwrap().revocations_as_of, Some(as_of));
    }
}

#[test]
fn of_two_revocations_the_one_that_takes_effect_first_counts() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let kid = DeviceKey::from_seed([1; 32]).digest();
    let late = world.revoke(kid, world.clock + 500);
    let early = world.revoke(kid, NEW_YEAR);
    for revocations in [[&late, &early], [&early, &late]] {
        recording.evidence.registry.truncate(1);
        recording.evidence.registry.extend(revocations.map(|one| world.prove(one.clone())));
        fails(&check(&world, &recording), ReasonCode::Revoked);
    }
}

#[test]
fn what_is_sealed_at_the_very_second_of_a_revocation_is_revoked() {
    let mut world = World::new();
    let mut recording = world.record(1, &video(1));
    let last = recording.sealed.last().unwrap().sealed_at.get();
    let kid = DeviceKey::from_seed([1; 32]).digest();
    for (effective, revoked) in [(last, true), (last + 1, false)] {
        recording.evidence.registry.truncate(1);
        let revocation = world.revoke(kid, effective);
        recording.evidence.registry.push(world.prove(revocation));
        let report = check(&world, &recording);
        if revoked {
            fails(&report, ReasonCode::Revoked);
        } else {
            holds(&report, ReasonCode::EnrolledRevokedLater);
        }
    }
}

#[test]
fn the_proven_time_counts_and_not_the_operators_word() {
    let mut world = World::witnessed();
    let mut recording = world.record(1, &video(1));
    let kid = DeviceKey::from_seed([1; 32]).digest();
    let last = recording.sealed.last().unwrap().sealed_at.get();
    // the operator says that it sealed before the revocation; a witness saw it five seconds later
    let revocation = world.revoke(kid, last + 3);
    recording.evidence.registry.push(world.prove(revocation));
    fails(&check(&world, &recording), ReasonCode::Revoked);
}

#[test]
fn an_enrolment_in_another_chain_has_an_order_of_its_own() {
    let mut world = World::new();
    let mut neighbour = World::of_operator(5);
    let key = DeviceKey::from_seed([1; 32]);
    // our registrar has it sealed in the neighbour's chain, at a higher index than the recording has in ours
    std::mem::swap(&mut world.registrar, &mut neighbour.registrar);
    neighbour.entries.extend_from_within(..);
    let enrolment = neighbour.enrol(&key, Role::Device);
    std::mem::swap(&mut world.registrar, &mut neighbour.registrar);
    let mut recording = world.record_as(&key, &enrolment, &video(1), true, |_| {});
    assert!(enrolment.index > recording.sealed[0].index);
    // both chains have one size and, of course, two roots
    while neighbour.entries.len() < world.entries.len() {
        neighbour.entries.push(neighbour.entries[0]);
    }
    recording.evidence.registry = vec![neighbour.prove(enrolment)];
    let trust = world.trust_beside(&neighbour);
    let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &trust);
    holds(&report, ReasonCode::EnrolledNoSnapshot);
}
