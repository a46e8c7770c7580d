//! Chains of honest and dishonest operators.

use evidence::statement::{Enrol, Role};
use evidence::{
    DeviceKey, EntryKind, KeyDigest, Payload, Statement, TrustFile, TrustedLogs, UnixSeconds, Window,
};
use jianzhen_audit::history::{Audited, HistoryAudit};
use jianzhen_audit::registry::{Event, Fact, Gap, Listener, RegistryAudit};
use jianzhen_audit::{Code, Expectation, Finding, Start, Trusted, WalkError, walk};
use tlog::{Checkpoint, TreeHead, TreeSize};

use super::chain::*;

#[derive(Default)]
struct Heard {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
}

impl Listener for Heard {
    type Error = WalkError;

    fn fact(&mut self, fact: &Fact) -> Result<(), WalkError> {
        self.facts.push(fact.clone());
        Ok(())
    }

    fn finding(&mut self, finding: Finding) -> Result<(), WalkError> {
        self.findings.push(finding);
        Ok(())
    }

    fn gap(&mut self, gap: Gap) -> Result<(), WalkError> {
        self.gaps.push(gap);
        Ok(())
    }
}

fn target(chain: &Chain, trust: &TrustFile) -> Trusted {
    Trusted::new(trust, &chain.checkpoint, None).unwrap()
}

fn registry(chain: &Chain, trust: &TrustFile) -> (Heard, Vec<KeyDigest>) {
    let mut heard = Heard::default();
    let mut audit = RegistryAudit::new(chain, trust, &mut heard);
    walk(chain, trust, &target(chain, trust), Start::default(), Vec::new(), &mut audit).unwrap();
    let revoked = audit.finish().unwrap();
    (heard, revoked)
}

fn codes(findings: &[Finding]) -> Vec<(Code, Option<u64>)> {
    findings.iter().map(|finding| (finding.code, finding.index.or(finding.size))).collect()
}

fn history_from(chain: &Chain, start: Start, expected: Vec<Expectation>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut audit = HistoryAudit::new(UnixSeconds::new(0), |finding| findings.push(finding));
    walk(chain, &trust(), &target(chain, &trust()), start, expected, &mut audit).unwrap();
    findings
}

fn history(chain: &Chain) -> Vec<Finding> {
    history_from(chain, Start::default(), Vec::new())
}

#[test]
fn of_an_honest_chain_everything_is_listed_and_nothing_is_found() {
    let chain = honest();
    let (heard, revoked) = registry(&chain, &trust());
    assert_eq!(heard.findings, []);
    assert_eq!(heard.gaps, []);
    let places: Vec<(u64, u64)> = heard.facts.iter().map(|fact| (fact.index, fact.sealed)).collect();
    // With the time that a quorum vouches for, not with the operator's.
    assert_eq!(places, [(0, NOW + 1), (201, NOW + 3), (502, NOW + 21), (503, NOW + 101)]);
    assert!(matches!(&heard.facts[0].event, Event::Enrol { id, .. } if id == "device-1"));
    assert_eq!(heard.facts[0].registrar, "registrar.test");
    assert!(matches!(heard.facts[3].event, Event::Registry { revoked: 1, .. }));
    assert_eq!(revoked, [KeyDigest::of(&device(1))]);
    assert_eq!(history(&chain), []);
}

#[test]
fn a_withheld_or_exchanged_statement_is_named() {
    let mut chain = honest();
    chain.statements.remove(&502);
    let (heard, revoked) = registry(&chain, &trust());
    // The snapshot lists what nobody may see.
    assert_eq!(codes(&heard.findings), [(Code::Withheld, Some(502)), (Code::SnapshotUnexplained, Some(503))]);
    assert!(revoked.is_empty());

    let mut chain = honest();
    let other = chain.statements[&0].clone();
    chain.statements.insert(201, other);
    assert_eq!(codes(&registry(&chain, &trust()).0.findings), [(Code::WrongStatement, Some(201))]);

    // A rogue key in an entry that says to be of the registry, and is no statement.
    let mut chain = honest();
    chain.seal_bytes(EntryKind::Registry, b"junk", NOW + 100);
    // An enrolment of an account as a public entry, and the reverse.
    let Payload::Enrol(enrolment) = enrol(7) else { unreachable!() };
    let account =
        Statement::sign(&Payload::Enrol(Enrol { role: Role::Account, ..enrolment }), &registrar()).unwrap();
    chain.seal_bytes(EntryKind::Registry, account.bytes(), NOW + 100);
    chain.publish(NOW + 102);
    let found = codes(&registry(&chain, &trust()).0.findings);
    assert_eq!(found, [(Code::MalformedStatement, Some(544)), (Code::MalformedStatement, Some(545))]);
}

#[test]
fn a_statement_by_nobody_who_is_known_is_named() {
    let mut chain = honest();
    let rogue = chain.seal_by(&enrol(9), &DeviceKey::from_seed([77; 32]), NOW + 101);
    // Names the registrar, and is signed by nobody.
    let mut forged = Statement::sign(&enrol(8), &registrar()).unwrap().bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = chain.seal_bytes(EntryKind::Registry, &forged, NOW + 101);
    chain.publish(NOW + 102);
    let (heard, _) = registry(&chain, &trust());
    assert_eq!(
        codes(&heard.findings),
        [(Code::UnknownRegistrar, Some(rogue)), (Code::BadSignature, Some(forged))]
    );
    assert_eq!(heard.facts.len(), 4);
}

#[test]
fn a_registrar_counts_only_within_his_window_by_proven_time() {
    let until = Window { from: None, until: Some(UnixSeconds::new(NOW + 50)) };
    let (heard, revoked) = registry(&honest(), &trust_with(until, true));
    assert_eq!(codes(&heard.findings), [(Code::RegistrarNotValidThen, Some(503))]);
    assert_eq!(revoked.len(), 1);

    // The operator dates back; the witnesses do not.
    let mut chain = honest();
    let mut backdated = Chain::new();
    backdated.entries = chain.entries.clone();
    chain.seal(&enrol(5), NOW + 100);
    chain.publish(NOW + 500);
    let until = Window { from: None, until: Some(UnixSeconds::new(NOW + 200)) };
    assert_eq!(
        codes(&registry(&chain, &trust_with(until, true)).0.findings),
        [(Code::RegistrarNotValidThen, Some(544))]
    );
    // Without witnesses there is only the operator's word.
    assert_eq!(registry(&chain, &trust_with(until, false)).0.findings, []);
}

#[test]
fn a_snapshot_lists_every_key_revoked_before_it_and_no_other() {
    let mut chain = honest();
    let empty = chain.seal(&snapshot(NOW + 200, &[]), NOW + 200);
    chain.seal(&revoke(2), NOW + 300);
    // Signed a moment before the revocation was sealed.
    chain.seal(&snapshot(NOW + 300, &[1]), NOW + 300);
    let stale = chain.seal(&snapshot(NOW + 400, &[1]), NOW + 400);
    let invented = chain.seal(&snapshot(NOW + 500, &[1, 2, 3]), NOW + 500);
    chain.publish(NOW + 501);
    let found = codes(&registry(&chain, &trust()).0.findings);
    assert_eq!(
        found,
        [
            (Code::SnapshotIncomplete, Some(empty)),
            (Code::SnapshotIncomplete, Some(stale)),
            (Code::SnapshotUnexplained, Some(invented)),
        ]
    );
}

#[test]
fn days_without_a_snapshot_are_told() {
    let mut chain = honest();
    chain.seal(&snapshot(NOW + 90_000, &[1]), NOW + 90_000);
    chain.fill(1, NOW + 300_000);
    chain.publish(NOW + 300_000);
    let (heard, _) = registry(&chain, &trust());
    assert_eq!(heard.findings, []);
    let expected = [(NOW + 100, NOW + 90_000), (NOW + 90_000, NOW + 300_000)];
    assert_eq!(heard.gaps.iter().map(|gap| (gap.from, gap.until)).collect::<Vec<_>>(), expected);
}

#[test]
fn sealing_times_that_go_back_or_lie_after_the_cosignature_are_found() {
    let mut chain = honest();
    chain.fill(1, NOW + 90);
    chain.fill(1, NOW + 200);
    chain.publish(NOW + 139);
    let found = history(&chain);
    assert_eq!(codes(&found), [(Code::TimeGoesBack, Some(544)), (Code::SealedTooLate, Some(545))]);
    // A minute is allowed.
    let mut chain = honest();
    chain.fill(1, NOW + 200);
    chain.publish(NOW + 140);
    assert_eq!(history(&chain), []);
}

#[test]
fn an_exchanged_entry_and_a_malformed_one_are_found() {
    let mut chain = honest();
    chain.entries[300][20] ^= 1;
    let found = codes(&history(&chain));
    // The archived roots from there on, and the published one.
    assert_eq!(found, [(Code::Forked, Some(503)), (Code::Forked, Some(544)), (Code::WrongTree, Some(544))]);

    let mut chain = honest();
    chain.entries.push(b"not an entry of ours".to_vec());
    chain.publish(NOW + 101);
    assert_eq!(codes(&history(&chain)), [(Code::MalformedEntry, Some(544))]);
}

#[test]
fn an_archive_with_a_fork_a_gap_a_forgery_or_in_disorder_is_found() {
    // Another history at one size, signed and cosigned: both notes prove it.
    let mut chain = honest();
    let mut other = honest();
    other.entries[10][30] ^= 1;
    other.entries.truncate(202);
    chain.archive[1].1 = note(other.tree().head(), NOW + 3);
    let found = history(&chain);
    assert_eq!(codes(&found), [(Code::Forked, Some(202))]);
    assert_eq!(found[0].notes.len(), 2);

    let mut chain = honest();
    chain.archive.pop();
    assert_eq!(codes(&history(&chain)), [(Code::ArchiveMissing, Some(544))]);

    // Without the witness.
    let mut chain = honest();
    let mut tree = chain.clone();
    tree.entries.truncate(202);
    let alone = Checkpoint::new(ORIGIN, tree.tree().head()).unwrap().sign(&log_key()).unwrap();
    chain.archive[1].1 = alone.as_bytes().to_vec();
    assert_eq!(codes(&history(&chain)), [(Code::ArchiveUntrusted, Some(202))]);

    for damage in 0..3 {
        let mut chain = honest();
        match damage {
            0 => chain.archive.insert(2, chain.archive[1].clone()),
            1 => chain.archive[1].1 = b"junk".to_vec(),
            _ => chain.archive.swap(0, 1),
        }
        let found = codes(&history(&chain));
        assert_eq!(found.first().map(|(code, _)| *code), Some(Code::ArchiveMalformed), "{damage}");
    }
}

#[test]
fn a_published_checkpoint_that_no_quorum_cosigned_is_no_chain() {
    let mut chain = honest();
    let alone = Checkpoint::new(ORIGIN, chain.tree().head()).unwrap().sign(&log_key()).unwrap();
    chain.checkpoint = alone.as_bytes().to_vec();
    assert!(matches!(jianzhen_audit::walk::published(&chain, &trust()), Err(WalkError::NotTrusted(_))));
}

fn seen(chain: &Chain) -> Expectation {
    let trusted = target(chain, &trust());
    Expectation::of(&trusted, "A pin")
}

#[test]
fn what_was_seen_before_must_still_be_there() {
    let before = honest();
    let mut after = before.clone();
    after.fill(300, NOW + 200);
    after.publish(NOW + 201);
    assert_eq!(history_from(&after, Start::default(), vec![seen(&before)]), []);

    // An old copy: a mirror that is behind has done nothing wrong.
    let found = history_from(&before, Start::default(), vec![seen(&after)]);
    assert_eq!(codes(&found), [(Code::Stale, Some(544))]);
    // Set back, and cosigned again.
    let mut again = before.clone();
    again.checkpoint = note(before.tree().head(), NOW + 212);
    let found = history_from(&again, Start::default(), vec![seen(&after)]);
    assert_eq!(codes(&found), [(Code::Shrunk, Some(544))]);
    assert_eq!(found[0].notes.len(), 2);

    // Written again: everything else about it is in order.
    let mut rewritten = Chain::new();
    rewritten.seal(&enrol(4), NOW);
    rewritten.fill(900, NOW + 200);
    rewritten.publish(NOW + 201);
    let found = history_from(&rewritten, Start::default(), vec![seen(&before)]);
    assert_eq!(codes(&found), [(Code::Forked, Some(544))]);
    assert_eq!(found[0].notes.len(), 2);
    // And it cannot be continued from what was audited, though it has tiles.
    let start =
        Start::at(&rewritten, &seen(&before).head, UnixSeconds::new(NOW + 100), TreeSize::new(901)).unwrap();
    assert!(start.is_none());
}

#[test]
fn a_second_audit_reads_only_what_is_new() {
    let before = honest();
    let mut after = before.clone();
    after.fill(3000, NOW + 200);
    after.publish(NOW + 201);
    let folder = tempfile::tempdir().unwrap();
    Audited::save(folder.path(), &trust(), &target(&before, &trust()), UnixSeconds::new(NOW + 100)).unwrap();
    let (audited, trusted) = Audited::load(folder.path(), ORIGIN, &trust()).unwrap().unwrap();
    let mut next = after.clone();
    next.fill(10, NOW + 300);
    next.publish(NOW + 301);
    // Partial tiles of former sizes are not kept for ever.
    next.without_partials = true;
    let start = Start::at(&next, &trusted.head(), audited.sealed_at, TreeSize::new(3554)).unwrap().unwrap();
    assert_eq!(start.size(), TreeSize::new(544));
    next.asked.set(0);
    assert_eq!(history_from(&next, start, vec![]), []);
    // The bundles from the one with entry 544 on, and two pages of the archive.
    assert!(next.asked.get() <= 3554 / 256 - 544 / 256 + 1 + 2, "{}", next.asked.get());

    // Another trust file, or junk: from the beginning.
    let other = trust_with(Window { from: Some(UnixSeconds::new(1)), until: None }, true);
    assert!(Audited::load(folder.path(), ORIGIN, &other).unwrap().is_none());
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(path, b"junk").unwrap();
    assert!(Audited::load(folder.path(), ORIGIN, &trust()).unwrap().is_none());
}

#[test]
fn a_log_that_dropped_its_partial_bundles_is_read_from_the_full_ones() {
    let mut chain = honest();
    let published = chain.checkpoint.clone();
    chain.fill(300, NOW + 300);
    chain.checkpoint = published;
    chain.without_partials = true;
    assert_eq!(history(&chain), []);
}

#[test]
fn a_missing_bundle_is_not_a_finding_but_an_audit_that_was_not_completed() {
    let mut chain = honest();
    chain.entries.truncate(500);
    let mut audit = HistoryAudit::new(UnixSeconds::new(0), |_| {});
    let walked = walk(&chain, &trust(), &target(&chain, &trust()), Start::default(), Vec::new(), &mut audit);
    assert!(matches!(walked, Err(WalkError::MissingBundle(path)) if path.contains("tile/entries/001")));
}

#[test]
fn a_closed_log_that_goes_on_is_found() {
    let mut chain = honest();
    let closed = chain.tree().head();
    let with = |closed: TreeHead| {
        let trust = trust();
        let logs = TrustedLogs { closed: Some(closed), ..trust.logs()[0].clone() };
        let registrars: Vec<_> = trust.registrars().iter().map(|r| (r.vkey.clone(), r.window)).collect();
        TrustFile::compose(trust.operator().clone(), &[logs], &registrars).unwrap()
    };
    let audit = |chain: &Chain, trust: &TrustFile| {
        let mut findings = Vec::new();
        let mut audit = HistoryAudit::new(UnixSeconds::new(0), |finding| findings.push(finding));
        walk(chain, trust, &target(chain, trust), Start::default(), Vec::new(), &mut audit).unwrap();
        codes(&findings)
    };
    assert_eq!(audit(&chain, &with(closed)), []);
    chain.fill(1, NOW + 200);
    chain.publish(NOW + 201);
    assert_eq!(audit(&chain, &with(closed)), [(Code::BeyondClosed, Some(545))]);
    let other = TreeHead { size: closed.size, root: tlog::empty_root() };
    assert_eq!(audit(&chain, &with(other)), [(Code::BeyondClosed, Some(545)), (Code::Forked, Some(544))]);
}
