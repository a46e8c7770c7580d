//! Evidence that was forged, cut, reordered, doubled or damaged: each has its own reason, and none passes.

use super::world::{Recording, World, examine, reason, video};
use crate::evidence_file::{Receipt, Sealed};
use crate::report::{FindingName, ReasonCode, State, Verdict};
use crate::statement::{Payload, Statement};
use crate::{DeviceKey, Digest, Sequence, UnixSeconds};

fn fails(world: &World, recording: &Recording, name: FindingName, why: ReasonCode) {
    let report = examine(
        &recording.bytes,
        &recording.ranges,
        std::slice::from_ref(&recording.evidence),
        &world.trust(),
    );
    assert_eq!(report.verdict, Verdict::EvidenceInvalid, "{why}");
    assert_eq!(reason(&report, name), (State::Failed, why));
}

fn recorded() -> (World, Recording) {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    (world, recording)
}

/// The statement with other bytes at the end: its signature.
fn with_damaged_signature(statement: &Statement) -> Statement {
    let mut bytes = statement.bytes().to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    Statement::parse(&bytes).unwrap()
}

fn text_of(receipt: &Receipt) -> String {
    String::from_utf8(receipt.as_bytes().to_vec()).unwrap()
}

fn replace_last_receipt(recording: &mut Recording, change: impl FnOnce(String) -> String) {
    let last = recording.evidence.receipts.last_mut().unwrap();
    last.2 = Receipt::new(change(text_of(&last.2)).into_bytes()).unwrap();
}

#[test]
fn a_damaged_signature() {
    let (world, mut recording) = recorded();
    let statement = &mut recording.evidence.statements[3];
    *statement = with_damaged_signature(statement);
    fails(&world, &recording, FindingName::DeviceSignature, ReasonCode::SignatureInvalid);
}

#[test]
fn a_statement_signed_by_another_key() {
    let (world, mut recording) = recorded();
    let statement = &mut recording.evidence.statements[3];
    *statement = Statement::sign(statement.payload(), &DeviceKey::from_seed([9; 32])).unwrap();
    fails(&world, &recording, FindingName::DeviceSignature, ReasonCode::SignatureOtherKey);
}

#[test]
fn a_statement_taken_out() {
    let (world, mut recording) = recorded();
    recording.evidence.statements.remove(3);
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn the_start_taken_out() {
    let (world, mut recording) = recorded();
    recording.evidence.statements.remove(0);
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn two_statements_swapped() {
    let (world, mut recording) = recorded();
    recording.evidence.statements.swap(6, 7);
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn a_statement_doubled() {
    let (world, mut recording) = recorded();
    let again = recording.evidence.statements[7].clone();
    recording.evidence.statements.insert(8, again);
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn something_after_the_end() {
    let (world, mut recording) = recorded();
    let again = recording.evidence.statements[8].clone();
    recording.evidence.statements.push(again);
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn a_segment_of_another_recording() {
    let mut world = World::new();
    let mut count = 0;
    let recording = world.record_with(1, &video(1), true, |payload| {
        count += 1;
        if let (Payload::Segment(segment), 5) = (payload, count) {
            segment.recording = crate::RecordingId::from_bytes([0; 16]);
        }
    });
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn a_device_that_signs_a_broken_chain() {
    let mut world = World::new();
    let mut count = 0;
    let recording = world.record_with(1, &video(1), true, |payload| {
        count += 1;
        if let (Payload::Segment(segment), 5) = (payload, count) {
            segment.previous = Digest::of(b"something else");
        }
    });
    fails(&world, &recording, FindingName::Continuity, ReasonCode::ChainBroken);
}

#[test]
fn a_device_that_leaves_a_gap() {
    let mut world = World::new();
    let recording = world.record_with(1, &video(1), true, |payload| {
        if let Payload::Segment(segment) = payload
            && segment.sequence.get() == 7
        {
            segment.range = crate::ByteRange::new(segment.range.offset() + 1, 5).unwrap();
        }
    });
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SegmentsNotTiled);
}

#[test]
fn a_device_that_states_wrong_totals() {
    for wrong in 0..3 {
        let mut world = World::new();
        let recording = world.record_with(1, &video(1), true, |payload| {
            if let Payload::End(end) = payload {
                match wrong {
                    0 => end.total_length += 1,
                    1 => end.segments -= 1,
                    _ => end.root = Digest::of(b""),
                }
            }
        });
        fails(&world, &recording, FindingName::Continuity, ReasonCode::TotalsDiffer);
    }
}

#[test]
fn block_digests_of_another_file() {
    let mut world = World::new();
    let bytes = super::world::noise(1, 5 << 20);
    let mut deposit = world.deposit(1, crate::statement::Role::Account, &bytes);
    let mut altered = bytes;
    altered[0] ^= 1;
    deposit.evidence.blocks[0] = Digest::of(&altered[..1 << 20]);
    deposit.bytes = altered;
    fails(&world, &deposit, FindingName::Continuity, ReasonCode::TotalsDiffer);
}

#[test]
fn missing_and_surplus_receipts() {
    let (world, recording) = recorded();
    let mut cut = recording.clone();
    cut.evidence.receipts.remove(0);
    fails(&world, &cut, FindingName::Inclusion, ReasonCode::ReceiptMissing);
    let mut surplus = recording;
    let (_, place, last) = surplus.evidence.receipts.last().unwrap().clone();
    surplus.evidence.receipts.push((Sequence::new(50), place, last));
    fails(&world, &surplus, FindingName::Inclusion, ReasonCode::ReceiptIndex);
}

#[test]
fn receipts_swapped() {
    let (world, mut recording) = recorded();
    let last = recording.evidence.receipts.len() - 1;
    let (first_receipt, last_receipt) =
        (recording.evidence.receipts[0].2.clone(), recording.evidence.receipts[last].2.clone());
    recording.evidence.receipts[0].2 = last_receipt;
    recording.evidence.receipts[last].2 = first_receipt;
    fails(&world, &recording, FindingName::Inclusion, ReasonCode::ReceiptIndex);
}

#[test]
fn a_receipt_that_is_none() {
    let (world, recording) = recorded();
    for damage in ["", "nonsense", "c2sp.org/tlog-proof@v1\nindex 7\n"] {
        let mut damaged = recording.clone();
        replace_last_receipt(&mut damaged, |_| damage.to_owned());
        fails(&world, &damaged, FindingName::Inclusion, ReasonCode::ReceiptMalformed);
        let none = Receipt::new(damage.as_bytes().to_vec()).unwrap();
        damaged.evidence.receipts.iter_mut().for_each(|receipt| receipt.2 = none.clone());
        let report = examine(&damaged.bytes, &[], std::slice::from_ref(&damaged.evidence), &world.trust());
        assert_eq!(
            reason(&report, FindingName::Checkpoint),
            (State::NotChecked, ReasonCode::NotReached),
            "no checkpoint was seen"
        );
    }
}

#[test]
fn a_receipt_with_a_hash_left_out() {
    let (world, mut recording) = recorded();
    replace_last_receipt(&mut recording, |text| {
        let mut lines: Vec<_> = text.lines().collect();
        lines.remove(3);
        lines.join("\n") + "\n"
    });
    fails(&world, &recording, FindingName::Inclusion, ReasonCode::ProofInvalid);
}

#[test]
fn a_sealing_time_changed() {
    let (world, mut recording) = recorded();
    let (_, place, _) = recording.evidence.receipts.last_mut().unwrap();
    place.sealed_at = UnixSeconds::new(place.sealed_at.get() - 1);
    let without_extra = {
        let mut recording = recording.clone();
        replace_last_receipt(&mut recording, |text| {
            text.lines().filter(|line| !line.starts_with("extra ")).map(|line| format!("{line}\n")).collect()
        });
        recording
    };
    fails(&world, &without_extra, FindingName::Inclusion, ReasonCode::ProofInvalid);
    // the entry beside the proof tells the true time
    fails(&world, &recording, FindingName::Inclusion, ReasonCode::ReceiptMalformed);
}

#[test]
fn an_entry_beside_the_proof_that_is_another_one() {
    let (world, mut recording) = recorded();
    let entry = recording.sealed[2].entry().to_bytes();
    let last = recording.sealed.last().unwrap().entry().to_bytes();
    replace_last_receipt(&mut recording, |text| {
        let parsed = tlog::TlogProof::parse(text.as_bytes()).unwrap();
        assert_eq!(parsed.unauthenticated_extra(), Some(&last[..]));
        let (index, note) = (parsed.index(), parsed.checkpoint().clone());
        tlog::TlogProof::new(Some(entry.to_vec()), index, parsed.proof().clone(), note).unwrap().to_string()
    });
    fails(&world, &recording, FindingName::Inclusion, ReasonCode::ReceiptMalformed);
}

#[test]
fn a_checkpoint_altered() {
    let (world, mut recording) = recorded();
    replace_last_receipt(&mut recording, |text| {
        let size = format!("\n{}\n", world.entries.len());
        assert!(text.contains(&size));
        text.replace(&size, &format!("\n{}\n", world.entries.len() + 1))
    });
    fails(&world, &recording, FindingName::Checkpoint, ReasonCode::LogSignatureInvalid);
    let report = examine(&recording.bytes, &[], std::slice::from_ref(&recording.evidence), &world.trust());
    assert_eq!(
        reason(&report, FindingName::Inclusion),
        (State::NotChecked, ReasonCode::NotReached),
        "nothing is included in a chain that nobody signed"
    );
}

#[test]
fn a_checkpoint_that_only_a_stranger_has_signed() {
    let (world, mut recording) = recorded();
    replace_last_receipt(&mut recording, |text| {
        let (body, _) = text.rsplit_once("\n\n").unwrap();
        let stranger = World::of_operator(3).checkpoint();
        let (_, signature) = stranger.as_str().rsplit_once("\n\n").unwrap();
        format!("{body}\n\n{signature}")
    });
    fails(&world, &recording, FindingName::Checkpoint, ReasonCode::LogSignatureInvalid);
}

#[test]
fn a_quorum_that_is_missing_or_forged() {
    let mut world = World::witnessed();
    let recording = world.record(1, &video(1));
    let mut without = recording.clone();
    replace_last_receipt(&mut without, |text| {
        text.lines().filter(|line| !line.contains("witness.example")).collect::<Vec<_>>().join("\n") + "\n"
    });
    fails(&world, &without, FindingName::Checkpoint, ReasonCode::NoQuorum);
    let mut forged = recording;
    replace_last_receipt(&mut forged, |text| {
        // the cosignature of an earlier, smaller tree
        let mut earlier = World::witnessed();
        earlier.clock += 1;
        let line = earlier.checkpoint().as_str().lines().last().unwrap().to_owned();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        *lines.last_mut().unwrap() = line;
        lines.join("\n") + "\n"
    });
    fails(&world, &forged, FindingName::Checkpoint, ReasonCode::WitnessSignatureInvalid);
}

#[test]
fn two_roots_for_one_size() {
    let (world, mut recording) = recorded();
    // the operator shows a second history, of the same size, in which another entry differs
    let mut second = World::new();
    second.entries = world.entries.clone();
    second.entries[1].statement = Digest::of(b"another history");
    let first = recording.sealed[0].clone();
    recording.evidence.receipts[0].2 = second.receipt(&first);
    fails(&world, &recording, FindingName::Checkpoint, ReasonCode::ChainForked);
}

#[test]
fn two_sealed_statements_for_one_place_are_a_conflict() {
    let (mut world, mut recording) = recorded();
    let key = DeviceKey::from_seed([1; 32]);
    let Payload::Segment(mut other) = recording.evidence.statements[3].payload().clone() else {
        panic!("no segment")
    };
    other.digest = Digest::of(b"a second version");
    let sealed: Sealed = world.seal(Statement::sign(&Payload::Segment(other), &key).unwrap());
    let conflict = world.prove(sealed);
    recording.evidence.conflicts.push(conflict);
    fails(&world, &recording, FindingName::Continuity, ReasonCode::Conflict);
}

#[test]
fn a_made_up_conflict_frames_nobody() {
    let (mut world, recording) = recorded();
    let Payload::Segment(mut other) = recording.evidence.statements[3].payload().clone() else {
        panic!("no segment")
    };
    other.digest = Digest::of(b"a second version");
    let own = DeviceKey::from_seed([1; 32]);
    let stranger = DeviceKey::from_seed([9; 32]);
    let payload = Payload::Segment(other.clone());
    // signed by somebody else, and sealed
    let foreign = Statement::sign(&payload, &stranger).unwrap();
    let foreign = world.seal(foreign);
    let foreign = world.prove(foreign);
    // signed by the device, but the signature is damaged
    let damaged = with_damaged_signature(&Statement::sign(&payload, &own).unwrap());
    let damaged = world.seal(damaged);
    let damaged = world.prove(damaged);
    // signed by the device, never sealed: a receipt for something else
    let unsealed = Statement::sign(&payload, &own).unwrap();
    let place = &recording.sealed[2];
    let unsealed = (
        Sealed { statement: unsealed, index: place.index, sealed_at: place.sealed_at },
        world.receipt(place),
    );
    // the very statement of the recording, repeated
    let same = world.prove(recording.sealed[3].clone());
    // of another recording
    other.recording = crate::RecordingId::from_bytes([0; 16]);
    let elsewhere = world.seal(Statement::sign(&Payload::Segment(other), &own).unwrap());
    let elsewhere = world.prove(elsewhere);
    let mut accused = recording;
    accused.evidence.conflicts = vec![foreign, damaged, unsealed, same, elsewhere];
    let report = examine(&accused.bytes, &[], &[accused.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
}

#[test]
fn two_roots_for_one_size_in_whatever_receipts() {
    let (mut world, recording) = recorded();
    let key = DeviceKey::from_seed([1; 32]);
    let second_history = |world: &World| {
        let mut second = World::new();
        second.entries.clone_from(&world.entries);
        second.entries[1].statement = Digest::of(b"another history");
        second
    };
    // the enrolment is shown in another history than the recording
    let mut enrolled_elsewhere = recording.clone();
    let (enrolment, _) = enrolled_elsewhere.evidence.registry[0].clone();
    enrolled_elsewhere.evidence.registry[0].1 = second_history(&world).receipt(&enrolment);
    fails(&world, &enrolled_elsewhere, FindingName::Checkpoint, ReasonCode::ChainForked);
    // a snapshot is, which tells that the key was not revoked
    let snapshot = world.snapshot(Vec::new());
    let mut told_elsewhere = recording.clone();
    let last = told_elsewhere.sealed.len() - 1;
    *told_elsewhere.evidence.receipts.last_mut().unwrap() = told_elsewhere.receipt(&world, last);
    let receipt = second_history(&world).receipt(&snapshot);
    told_elsewhere.evidence.registry.push((snapshot, receipt));
    fails(&world, &told_elsewhere, FindingName::Checkpoint, ReasonCode::ChainForked);
    // what is shown as a conflict and is none may still show a fork
    let mut beside = recording.clone();
    *beside.evidence.receipts.last_mut().unwrap() = beside.receipt(&world, last);
    let again = beside.sealed[3].clone();
    let receipt = second_history(&world).receipt(&again);
    beside.evidence.conflicts.push((again, receipt));
    fails(&world, &beside, FindingName::Checkpoint, ReasonCode::ChainForked);
    // what nobody has signed proves no fork
    let mut stranger = second_history(&world);
    stranger.log = World::of_operator(3).log;
    let revocation = world.revoke(key.digest(), 0);
    stranger.entries.push(revocation.entry());
    let mut framed = recording;
    framed.evidence.registry.push((revocation.clone(), stranger.receipt(&revocation)));
    let report = examine(&framed.bytes, &[], &[framed.evidence], &world.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
}

#[test]
fn one_entry_for_two_statements_and_times_that_run_backwards() {
    let mut world = World::new();
    let key = DeviceKey::from_seed([1; 32]);
    let enrolment = world.enrol(&key, crate::statement::Role::Device);
    let honest = world.record_as(&key, &enrolment, &video(1), true, |_| {});
    // the operator gives the last statement an earlier time than the first
    let last = honest.sealed.len() - 1;
    let mut backwards = honest.clone();
    let early = UnixSeconds::new(honest.sealed[0].sealed_at.get() - 1);
    backwards.sealed[last].sealed_at = early;
    let place = usize::try_from(honest.sealed[last].index.get()).unwrap();
    world.entries[place].sealed_at = early;
    let first = backwards.receipt(&world, 0);
    *backwards.evidence.receipts.first_mut().unwrap() = first;
    *backwards.evidence.receipts.last_mut().unwrap() = backwards.receipt(&world, last);
    let (sealed, _) = backwards.evidence.registry[0].clone();
    backwards.evidence.registry[0].1 = world.receipt(&sealed);
    fails(&world, &backwards, FindingName::Inclusion, ReasonCode::OrderImpossible);
    // in a second, longer history the last statement stands where the first one stands in this
    let (mut world, mut doubled) = recorded();
    doubled.sealed[last].index = doubled.sealed[0].index;
    let place = usize::try_from(doubled.sealed[0].index.get()).unwrap();
    let first = world.entries[place];
    world.entries[place] = doubled.sealed[last].entry();
    world.entries.push(first);
    *doubled.evidence.receipts.last_mut().unwrap() = doubled.receipt(&world, last);
    fails(&world, &doubled, FindingName::Inclusion, ReasonCode::OrderImpossible);
}

#[test]
fn a_deposit_beside_another_statement_is_no_evidence() {
    let mut world = World::new();
    let mut deposit = world.deposit(1, crate::statement::Role::Account, &super::world::noise(1, 3 << 20));
    let again = deposit.evidence.statements[0].clone();
    deposit.evidence.statements.push(again);
    fails(&world, &deposit, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn a_segment_with_another_number() {
    let mut world = World::new();
    let recording = world.record_with(1, &video(1), true, |payload| {
        if let Payload::Segment(segment) = payload
            && segment.sequence.get() == 5
        {
            segment.sequence = Sequence::new(6);
        }
    });
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

#[test]
fn an_end_in_the_middle() {
    let mut world = World::new();
    let whole = video(1);
    let mut recording = world.record(1, &whole);
    // signed by the device in every respect, but for the place of the end
    let key = DeviceKey::from_seed([1; 32]);
    let statements = &mut recording.evidence.statements;
    let Payload::Segment(mut after) = statements[8].payload().clone() else { panic!("no segment") };
    let end = statements[9].clone();
    after.sequence = Sequence::new(10);
    after.previous = end.digest();
    after.range = crate::ByteRange::new(recording.bytes.len() as u64, 4).unwrap();
    after.digest = Digest::of(b"more");
    statements.push(Statement::sign(&Payload::Segment(after), &key).unwrap());
    recording.bytes.extend_from_slice(b"more");
    fails(&world, &recording, FindingName::Continuity, ReasonCode::SequenceBroken);
}

/// The last statement replaced, and sealed like any other: nothing but its signature is wrong.
fn with_last(world: &mut World, mut recording: Recording, statement: Statement) -> Recording {
    let last = recording.sealed.len() - 1;
    recording.sealed[last] = world.seal(statement.clone());
    recording.evidence.statements[last] = statement;
    *recording.evidence.receipts.last_mut().unwrap() = recording.receipt(world, last);
    recording
}

#[test]
fn a_chain_that_seals_what_the_device_has_not_signed() {
    let (mut world, recording) = recorded();
    let end = recording.evidence.statements.last().unwrap().clone();
    let by_stranger = Statement::sign(end.payload(), &DeviceKey::from_seed([9; 32])).unwrap();
    let cases = [
        (with_damaged_signature(&end), ReasonCode::SignatureInvalid),
        (by_stranger, ReasonCode::SignatureOtherKey),
    ];
    for (statement, why) in cases {
        let forged = with_last(&mut world, recording.clone(), statement);
        fails(&world, &forged, FindingName::DeviceSignature, why);
        let report = examine(&forged.bytes, &[], std::slice::from_ref(&forged.evidence), &world.trust());
        for other in [FindingName::Continuity, FindingName::Inclusion, FindingName::Checkpoint] {
            assert_eq!(report.finding(other).unwrap().state, State::Proven, "the signature alone is wrong");
        }
    }
}
