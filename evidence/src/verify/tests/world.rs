//! The world of the tests.

use tlog::{Checkpoint, KeyAlgorithm, KeyName, LeafIndex, SigningKey, TlogProof, TreeHead, TreeSize};

use crate::evidence_file::{EvidenceFile, EvidenceFileBuilder, Place, Receipt, Sealed};
use crate::examination::{Examination, LookupAnswer, Step};
use crate::report::{FindingName, ReasonCode, Report, State};
use crate::statement::{
    Deposit, End, EndReason, Enrol, Payload, Registry, RevocationReason, Revoke, Role, Segment, SelfCheck,
    Start, Statement, Timeline,
};
use crate::trust::{Operator, TrustFile, TrustedLogs, Window};
use crate::{
    ByteRange, DeviceKey, Digest, Entry, KeyDigest, RecordingId, Sequence, UnixMillis, UnixSeconds,
    segments_root,
};

pub(super) const ORIGIN: &str = "log.example/test";
/// 2026-01-01T00:00:00Z.
pub(super) const NEW_YEAR: u64 = 1_767_225_600;

/// A chain, its operator, and whoever else is needed.
pub(super) struct World {
    pub(super) log: SigningKey,
    pub(super) registrar: DeviceKey,
    registrar_vkey: tlog::VerifierKey,
    pub(super) witness: SigningKey,
    pub(super) witnessed: bool,
    /// Whether a second witness has cosigned, three seconds before the first.
    pub(super) second_witness: bool,
    pub(super) entries: Vec<Entry>,
    /// Seconds since the epoch; every sealing takes one.
    pub(super) clock: u64,
}

/// A video and its evidence.
#[derive(Clone)]
pub(super) struct Recording {
    pub(super) bytes: Vec<u8>,
    pub(super) ranges: Vec<ByteRange>,
    pub(super) evidence: EvidenceFile,
    /// Where the chain really holds the statements.
    pub(super) sealed: Vec<Sealed>,
}

impl Recording {
    /// The receipt of the statement at `sequence` in the chain as it is now, as an evidence file holds it.
    pub(super) fn receipt(&self, world: &World, sequence: usize) -> (Sequence, Place, Receipt) {
        let sealed = &self.sealed[sequence];
        let place = Place { index: sealed.index, sealed_at: sealed.sealed_at };
        (Sequence::new(sequence as u64), place, world.receipt(sealed))
    }
}

/// Bytes that no other seed gives.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Eight fragments of different lengths, each long enough to be distinctive.
pub(super) fn video(seed: u64) -> Vec<Vec<u8>> {
    (0..8).map(|i| noise(seed * 100 + i, 20_000 + 777 * usize::try_from(i).unwrap())).collect()
}

pub(super) fn signing_key(name: &str, algorithm: KeyAlgorithm, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
}

/// A witness that the policy of [`World::policy`] does not know.
pub(super) fn second_witness() -> SigningKey {
    signing_key("second.example", KeyAlgorithm::CosignatureV1, 0x33)
}

impl World {
    /// A chain without witnesses, as in the demonstration.
    pub(super) fn new() -> Self {
        Self::of_operator(1)
    }

    /// A chain with one witness, which makes the quorum.
    pub(super) fn witnessed() -> Self {
        Self { witnessed: true, ..Self::new() }
    }

    /// The chain of another operator, with the same name or not: its keys are others.
    pub(super) fn of_operator(seed: u8) -> Self {
        let registrar = signing_key("registrar.example", KeyAlgorithm::Ed25519, seed ^ 0x40);
        let origin = if seed == 1 { ORIGIN.to_owned() } else { format!("other.example/{seed}") };
        let mut world = Self {
            log: signing_key(&origin, KeyAlgorithm::Ed25519, seed),
            registrar: DeviceKey::from_seed([seed ^ 0x40; 32]),
            registrar_vkey: registrar.verifier_key().clone(),
            witness: signing_key("witness.example", KeyAlgorithm::CosignatureV1, seed ^ 0x80),
            witnessed: false,
            second_witness: false,
            entries: Vec::new(),
            clock: NEW_YEAR,
        };
        // somebody else's entries, so that nothing of interest has index 0
        for i in 0..3 {
            world.entries.push(Entry {
                kind: crate::EntryKind::Evidence,
                sealed_at: UnixSeconds::new(world.clock),
                statement: Digest::of(&[i]),
            });
        }
        world
    }

    pub(super) fn policy(&self) -> String {
        let log = self.log.verifier_key();
        if self.witnessed {
            let witness = self.witness.verifier_key();
            format!("log {log}\nwitness w1 {witness} https://w1.example\nquorum w1\n")
        } else {
            format!("log {log}\nquorum none\n")
        }
    }

    pub(super) fn trust(&self) -> TrustFile {
        self.trust_with(Window::default(), None, Window::default())
    }

    pub(super) fn trust_with(
        &self,
        window: Window,
        closed: Option<TreeHead>,
        registrar: Window,
    ) -> TrustFile {
        let policy = tlog::Policy::parse(self.policy().as_bytes()).unwrap();
        let operator = Operator { name: "测试公证处".to_owned(), url: None };
        let logs = [TrustedLogs { policy, window, closed }];
        TrustFile::compose(operator, &logs, &[(self.registrar_vkey.clone(), registrar)]).unwrap()
    }

    /// Trust in this registrar, and in these policies.
    pub(super) fn trust_in(&self, logs: &[TrustedLogs]) -> TrustFile {
        let operator = Operator { name: "测试公证处".to_owned(), url: None };
        TrustFile::compose(operator, logs, &[(self.registrar_vkey.clone(), Window::default())]).unwrap()
    }

    /// Trust in this operator and in another one.
    pub(super) fn trust_beside(&self, other: &Self) -> TrustFile {
        let operator = Operator { name: "测试公证处".to_owned(), url: None };
        let logs = [self, other].map(|world| TrustedLogs {
            policy: tlog::Policy::parse(world.policy().as_bytes()).unwrap(),
            window: Window::default(),
            closed: None,
        });
        let registrars = [self, other].map(|world| (world.registrar_vkey.clone(), Window::default()));
        TrustFile::compose(operator, &logs, &registrars).unwrap()
    }

    pub(super) fn seal(&mut self, statement: Statement) -> Sealed {
        self.clock += 1;
        let sealed_at = UnixSeconds::new(self.clock);
        let index = LeafIndex::new(self.entries.len() as u64);
        let sealed = Sealed { statement, index, sealed_at };
        self.entries.push(sealed.entry());
        sealed
    }

    pub(super) fn head(&self) -> TreeHead {
        let leaves: Vec<_> = self.entries.iter().map(Entry::leaf_hash).collect();
        TreeHead { size: TreeSize::new(leaves.len() as u64), root: naive_root(&leaves) }
    }

    pub(super) fn checkpoint(&self) -> tlog::SignedNote {
        let body = Checkpoint::new(self.log.verifier_key().name().as_str(), self.head()).unwrap();
        let note = body.sign(&self.log).unwrap();
        if !self.witnessed {
            return note;
        }
        let cosignature = tlog::cosignature::sign(&self.witness, self.clock + 5, note.text()).unwrap();
        let note = note.with_signature(&cosignature).unwrap();
        if !self.second_witness {
            return note;
        }
        let earlier = tlog::cosignature::sign(&second_witness(), self.clock + 2, note.text()).unwrap();
        note.with_signature(&earlier).unwrap()
    }

    /// What service and witness would answer: this chain, as it is now.
    pub(super) fn network(&self) -> impl Fn(&crate::RootsRequest) -> Option<Vec<u8>> + use<> {
        use crate::RootsRequest::{Bundle, Index, Published, Tile, Witness};
        let checkpoint = self.checkpoint().as_bytes().to_vec();
        let mut builder = tlog::TileBuilder::new();
        let tiles: std::collections::BTreeMap<_, _> = builder
            .append(self.entries.iter().map(Entry::leaf_hash))
            .into_iter()
            .map(|tile| (tile.id, tile.data))
            .collect();
        move |request| match request {
            Witness { .. } | Published => Some(checkpoint.clone()),
            Tile(id) => tiles.get(id).cloned(),
            Bundle(_) | Index(_) => None,
        }
    }

    pub(super) fn receipt(&self, sealed: &Sealed) -> Receipt {
        let leaves: Vec<_> = self.entries.iter().map(Entry::leaf_hash).collect();
        let place = usize::try_from(sealed.index.get()).unwrap();
        let proof = tlog::InclusionProof::new(naive_path(&leaves, place)).unwrap();
        let proof =
            TlogProof::new(Some(sealed.entry().to_bytes().to_vec()), sealed.index, proof, self.checkpoint());
        Receipt::new(proof.unwrap().to_string().into_bytes()).unwrap()
    }

    pub(super) fn prove(&self, sealed: Sealed) -> (Sealed, Receipt) {
        let receipt = self.receipt(&sealed);
        (sealed, receipt)
    }

    pub(super) fn enrol(&mut self, key: &DeviceKey, role: Role) -> Sealed {
        self.enrol_with(key, |enrol| enrol.role = role)
    }

    pub(super) fn enrol_with(&mut self, key: &DeviceKey, change: impl FnOnce(&mut Enrol)) -> Sealed {
        let mut enrol = Enrol {
            key: key.public(),
            id: "device-1".to_owned(),
            role: Role::Device,
            model: "DSJ-1".to_owned(),
            agency: "某市公安局".to_owned(),
            valid_from: UnixMillis::saturating((NEW_YEAR - 86_400) * 1000),
            valid_until: UnixMillis::saturating((NEW_YEAR + 86_400 * 365) * 1000),
        };
        change(&mut enrol);
        let statement = Statement::sign(&Payload::Enrol(enrol), &self.registrar).unwrap();
        self.seal(statement)
    }

    pub(super) fn revoke(&mut self, key: KeyDigest, effective_from: u64) -> Sealed {
        let revoke = Revoke {
            key,
            effective_from: UnixMillis::saturating(effective_from * 1000),
            reason: RevocationReason::DeviceLost,
        };
        let statement = Statement::sign(&Payload::Revoke(revoke), &self.registrar).unwrap();
        self.seal(statement)
    }

    pub(super) fn snapshot(&mut self, mut revoked: Vec<KeyDigest>) -> Sealed {
        revoked.sort_unstable();
        let registry = Registry { as_of: UnixMillis::saturating(self.clock * 1000), revoked };
        let statement = Statement::sign(&Payload::Registry(registry), &self.registrar).unwrap();
        self.seal(statement)
    }

    /// Records `chunks` with a freshly enrolled device.
    pub(super) fn record(&mut self, seed: u8, chunks: &[Vec<u8>]) -> Recording {
        self.record_with(seed, chunks, true, |_| {})
    }

    /// Records `chunks`; `change` sees every payload before it is signed, so that a device can lie.
    pub(super) fn record_with(
        &mut self,
        seed: u8,
        chunks: &[Vec<u8>],
        end: bool,
        change: impl FnMut(&mut Payload),
    ) -> Recording {
        let key = DeviceKey::from_seed([seed; 32]);
        let enrolment = self.enrol(&key, Role::Device);
        self.record_as(&key, &enrolment, chunks, end, change)
    }

    pub(super) fn record_as(
        &mut self,
        key: &DeviceKey,
        enrolment: &Sealed,
        chunks: &[Vec<u8>],
        end: bool,
        mut change: impl FnMut(&mut Payload),
    ) -> Recording {
        let payloads = payloads(enrolment, chunks, end, self.clock);
        let mut sealed: Vec<Sealed> = Vec::new();
        for mut payload in payloads {
            if let Some(last) = sealed.last() {
                link(&mut payload, last.statement.digest());
            }
            change(&mut payload);
            let statement = Statement::sign(&payload, key).unwrap();
            sealed.push(self.seal(statement));
        }
        let evidence = self.evidence(sealed.clone(), enrolment);
        let ranges = ranges(chunks);
        Recording { bytes: chunks.concat(), ranges, evidence, sealed }
    }

    /// The evidence file for `sealed`, with receipts of the chain as it is now.
    pub(super) fn evidence(&self, sealed: Vec<Sealed>, enrolment: &Sealed) -> EvidenceFile {
        let mut builder = EvidenceFileBuilder::new(sealed.clone()).unwrap();
        for sequence in builder.wanted_receipts() {
            let of = &sealed[usize::try_from(sequence.get()).unwrap()];
            builder = builder.receipt(sequence, self.receipt(of));
        }
        builder.registry(enrolment.clone(), self.receipt(enrolment)).build().unwrap()
    }

    pub(super) fn deposit(&mut self, seed: u8, role: Role, bytes: &[u8]) -> Recording {
        self.deposit_with(seed, role, bytes, |_| {})
    }

    pub(super) fn deposit_with(
        &mut self,
        seed: u8,
        role: Role,
        bytes: &[u8],
        change: impl FnOnce(&mut Deposit),
    ) -> Recording {
        let key = DeviceKey::from_seed([seed; 32]);
        let enrolment = self.enrol(&key, role);
        let ranges: Vec<_> = Deposit::blocks(bytes.len() as u64).collect();
        let blocks: Vec<_> = ranges.iter().map(|range| Digest::of(slice(bytes, *range))).collect();
        let mut deposit = Deposit {
            recording: RecordingId::from_bytes([seed; 16]),
            enrolment: enrolment.statement.digest(),
            deposited_at: UnixMillis::saturating(self.clock * 1000),
            length: bytes.len() as u64,
            digest: Digest::of(bytes),
            root: segments_root(ranges.iter().copied().zip(&blocks)),
            head: Digest::of(&bytes[..bytes.len().min(65_536)]),
            media_type: "video/mp4".to_owned(),
            captured_at: None,
            depositor: None,
            position: None,
        };
        change(&mut deposit);
        let statement = Statement::sign(&Payload::Deposit(deposit), &key).unwrap();
        let sealed = self.seal(statement);
        let builder = EvidenceFileBuilder::new(vec![sealed.clone()]).unwrap();
        let evidence = builder
            .receipt(Sequence::START, self.receipt(&sealed))
            .registry(enrolment.clone(), self.receipt(&enrolment))
            .blocks(blocks)
            .build()
            .unwrap();
        Recording { bytes: bytes.to_vec(), ranges: Vec::new(), evidence, sealed: vec![sealed] }
    }
}

pub(super) fn slice(bytes: &[u8], range: ByteRange) -> &[u8] {
    &bytes[usize::try_from(range.offset()).unwrap()..usize::try_from(range.end()).unwrap()]
}

pub(super) fn ranges(chunks: &[Vec<u8>]) -> Vec<ByteRange> {
    let mut next = 0;
    let mut ranges = Vec::new();
    for chunk in chunks {
        ranges.push(ByteRange::new(next, chunk.len() as u64).unwrap());
        next += chunk.len() as u64;
    }
    ranges
}

fn link(payload: &mut Payload, previous: Digest) {
    match payload {
        Payload::Segment(segment) => segment.previous = previous,
        Payload::End(end) => end.previous = previous,
        _ => {}
    }
}

fn payloads(enrolment: &Sealed, chunks: &[Vec<u8>], end: bool, clock: u64) -> Vec<Payload> {
    let recording = RecordingId::from_bytes(*Digest::of(&chunks.concat()).as_bytes().first_chunk().unwrap());
    let at = |i: usize| UnixMillis::saturating(clock * 1000 + 2000 * i as u64);
    let ranges = ranges(chunks);
    let digests: Vec<_> = chunks.iter().map(|chunk| Digest::of(chunk)).collect();
    let mut payloads = vec![Payload::Start(Start {
        recording,
        counter: 1,
        previous_final: None,
        enrolment: enrolment.statement.digest(),
        capture_begin: at(0),
        tracks: Vec::new(),
        self_check: SelfCheck { network: Some(true), ..SelfCheck::default() },
        chain_head: None,
        position: None,
    })];
    for (i, (range, digest)) in ranges.iter().zip(&digests).enumerate() {
        payloads.push(Payload::Segment(Segment {
            recording,
            sequence: Sequence::new(i as u64 + 1),
            previous: Digest::of(b""),
            capture_begin: at(i),
            capture_end: at(i + 1),
            range: *range,
            digest: *digest,
            fingerprints: Vec::new(),
            timeline: Some(Timeline { begin_ms: 2000 * i as u64, end_ms: 2000 * (i as u64 + 1) }),
            battery: None,
            events: Vec::new(),
            chain_head: None,
            position: None,
            head: None,
        }));
    }
    if end {
        payloads.push(Payload::End(End {
            recording,
            sequence: Sequence::new(chunks.len() as u64 + 1),
            previous: Digest::of(b""),
            reason: EndReason::Stopped,
            capture_end: at(chunks.len()),
            total_length: ranges.last().map_or(0, |range| range.end()),
            segments: chunks.len() as u64,
            root: segments_root(ranges.iter().copied().zip(&digests)),
            head: None,
        }));
    }
    payloads
}

/// RFC 6962, section 2.1, word for word.
pub(super) fn naive_root(leaves: &[tlog::Hash]) -> tlog::Hash {
    match leaves {
        [] => tlog::empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            tlog::node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962, section 2.1.1, word for word.
fn naive_path(leaves: &[tlog::Hash], place: usize) -> Vec<tlog::Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if place < left.len() {
        (naive_path(left, place), naive_root(right))
    } else {
        (naive_path(right, place - left.len()), naive_root(left))
    };
    path.push(sibling);
    path
}

/// Drives an examination to its end. `served` is what a server would answer.
pub(super) fn drive(mut examination: Examination, bytes: &[u8], served: &LookupAnswer) -> Examination {
    for _ in 0..100 {
        match examination.next() {
            Step::Hash(ranges) => {
                assert!(!ranges.is_empty());
                for range in ranges {
                    examination.hashed(range, Digest::of(slice(bytes, range)));
                }
            }
            Step::Lookup(_) => examination.looked_up(served.clone()),
            Step::Roots(_) => panic!("nobody is to be asked"),
            Step::Done => return examination,
        }
    }
    panic!("the examination does not end");
}

/// What service and witnesses answer when roots are compared.
pub(super) type Network<'n> = &'n dyn Fn(&crate::RootsRequest) -> Option<Vec<u8>>;

/// Examines `bytes` with evidence that came with them, and compares roots through `network`.
pub(super) fn examine_with_roots(
    bytes: &[u8],
    supplied: &[EvidenceFile],
    trust: &TrustFile,
    pins: Vec<Vec<u8>>,
    network: Network<'_>,
) -> (Report, Option<crate::Pin>) {
    let roots = crate::RootsInput { pins, online: true };
    let length = bytes.len() as u64;
    let mut examination = Examination::new(length, Vec::new(), supplied.to_vec(), trust.clone(), roots);
    for _ in 0..100 {
        match examination.next() {
            Step::Hash(ranges) => {
                for range in ranges {
                    examination.hashed(range, Digest::of(slice(bytes, range)));
                }
            }
            Step::Lookup(_) => panic!("evidence was supplied"),
            Step::Roots(requests) => {
                requests.iter().for_each(|request| examination.root_answered(request, network(request)));
            }
            Step::Done => return (check_shape(examination.report()), examination.pin()),
        }
    }
    panic!("the examination does not end");
}

/// Examines `bytes` with evidence that came with them.
pub(super) fn examine(
    bytes: &[u8],
    boundaries: &[ByteRange],
    supplied: &[EvidenceFile],
    trust: &TrustFile,
) -> Report {
    let examination = Examination::new(
        bytes.len() as u64,
        boundaries.to_vec(),
        supplied.to_vec(),
        trust.clone(),
        crate::RootsInput::default(),
    );
    check_shape(drive(examination, bytes, &LookupAnswer::NoServer).report())
}

/// Examines `bytes` with what a server answers.
pub(super) fn examine_online(
    bytes: &[u8],
    boundaries: &[ByteRange],
    served: &LookupAnswer,
    trust: &TrustFile,
) -> Report {
    let examination = Examination::new(
        bytes.len() as u64,
        boundaries.to_vec(),
        Vec::new(),
        trust.clone(),
        crate::RootsInput::default(),
    );
    check_shape(drive(examination, bytes, served).report())
}

/// What holds of every report, whatever the verdict.
pub(super) fn check_shape(report: Report) -> Report {
    use crate::report::Verdict;
    let names: Vec<_> = report.findings.iter().map(|finding| finding.finding).collect();
    assert_eq!(names, FindingName::ALL, "always all findings, in order");
    assert_eq!(report.reason.is_some(), report.verdict == Verdict::NotCompleted);
    assert_eq!(report.excerpt.is_some(), report.verdict == Verdict::Excerpt);
    assert_eq!(!report.mismatches.is_empty(), report.verdict == Verdict::Inconsistent);
    if matches!(report.verdict, Verdict::NotCompleted | Verdict::NotDeposited) {
        assert!(report.findings.iter().all(|finding| finding.state == State::NotChecked));
    }
    if matches!(report.verdict, Verdict::Consistent | Verdict::Excerpt) {
        for name in &FindingName::ALL[..6] {
            assert_eq!(report.finding(*name).unwrap().state, State::Proven, "{name}");
        }
    }
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    report
}

pub(super) fn reason(report: &Report, name: FindingName) -> (State, ReasonCode) {
    let finding = report.finding(name).unwrap();
    (finding.state, finding.reason)
}
