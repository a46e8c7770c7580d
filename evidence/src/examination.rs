//! The examination of one file, without I/O: it says what it wants to know, is told, and ends in a report. The page and
//! the command line both drive this one, so they cannot come to different verdicts.
//!
//! 1. Without evidence: hash the head and some ranges of the file, and look them up.
//! 2. With evidence: hash every signed range. If file and evidence differ, hash the container's own ranges too, so that
//!    moved and foreign ones can be named and an excerpt recognised.
//! 3. If the evidence is not about this file: hash all of it, for its SHA-256.
//! 4. If it is: compare the root that the verdict rests on with those that are shown elsewhere.

use std::collections::BTreeSet;

use crate::evidence_file::EvidenceFile;
use crate::ids::Digest;
use crate::limits::{HEAD_LEN, MAX_SEGMENTS};
use crate::lookup::{LookupRequest, Token};
use crate::range::ByteRange;
use crate::report::{ErrorCode, FileFacts, Report, TrustFacts};
use crate::roots::{Comparison, Pin, RootsInput, RootsOutcome, RootsRequest, RootsStep};
use crate::statement::Deposit;
use crate::trust::TrustFile;
use crate::verify::layout::Layout;
use crate::verify::{Assessment, Input, LookupOutcome, Observation, excerpt, verify};

/// Fragments whose tokens are looked up: enough that some are unaltered in any file that is worth recognising.
const MAX_FRAGMENT_PROBES: usize = 64;
/// Blocks of 1 MiB that are looked up beside fragments, in case the file was deposited rather than recorded.
const MAX_BLOCK_PROBES_BESIDE: usize = 32;
/// Fragments shorter than this are looked up only where longer ones are few: black and silent seconds are short.
const LONG_FRAGMENT: u64 = 16 << 10;

/// What an examination wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// SHA-256 of these ranges, in any order and in parallel; they may overlap. Answer each with
    /// [`Examination::hashed`].
    Hash(Vec<ByteRange>),
    /// The evidence for these tokens. Answer with [`Examination::looked_up`].
    Lookup(LookupRequest),
    /// Checkpoints and tiles, in any order and in parallel. Answer each with [`Examination::root_answered`].
    Roots(Vec<RootsRequest>),
    /// Nothing: the report is ready.
    Done,
}

/// What came of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    /// The server answered with this evidence, possibly none.
    Found(Vec<EvidenceFile>),
    /// The server did not answer.
    NoAnswer,
    /// The server answered something that is no answer.
    Nonsense,
    /// There is no server to ask.
    NoServer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Hashing what is to be looked up.
    Probe,
    /// Waiting for the answer.
    Lookup,
    /// Hashing the signed ranges.
    Signed,
    /// Hashing the container's own ranges, and the begins of possible excerpts.
    Container,
    /// Hashing the ranges of an excerpt that does not begin with the recording.
    Shifted,
    /// Hashing all of the file.
    Whole,
    /// Comparing roots.
    Roots,
    Done,
}

/// The examination of one file.
#[derive(Debug)]
pub struct Examination {
    trust: TrustFile,
    roots: RootsInput,
    comparison: Option<Comparison>,
    compared: Vec<RootsOutcome>,
    boundaries: Vec<ByteRange>,
    candidates: Vec<EvidenceFile>,
    layouts: Vec<Layout>,
    lookup: LookupOutcome,
    observation: Observation,
    wanted: BTreeSet<ByteRange>,
    probes: Vec<ByteRange>,
    phase: Phase,
    /// A range that was hashed twice had two digests.
    changed: bool,
}

impl Examination {
    /// Examines a file of `length` bytes. `boundaries` are the ranges that the file's own container shows, none if it
    /// shows none; `supplied` is evidence that came with the file: if there is some, it is not looked up. `roots` says what the
    /// chain is compared with.
    pub fn new(
        length: u64,
        boundaries: Vec<ByteRange>,
        supplied: Vec<EvidenceFile>,
        trust: TrustFile,
        roots: RootsInput,
    ) -> Self {
        let within = |range: &ByteRange| range.end() <= length;
        let boundaries: BTreeSet<_> =
            boundaries.into_iter().filter(within).zip(0..MAX_SEGMENTS).map(|(range, _)| range).collect();
        let mut examination = Self {
            trust,
            roots,
            comparison: None,
            compared: Vec::new(),
            boundaries: boundaries.into_iter().collect(),
            layouts: supplied.iter().map(Layout::of).collect(),
            candidates: supplied,
            lookup: LookupOutcome::NotAsked,
            observation: Observation { length, ..Observation::default() },
            wanted: BTreeSet::new(),
            probes: Vec::new(),
            phase: Phase::Done,
            changed: false,
        };
        if length == 0 {
            return examination;
        }
        if examination.candidates.is_empty() {
            examination.enter_probe();
        } else {
            examination.enter_signed();
        }
        examination
    }

    /// What is wanted next. Not an iterator: it needs the answers in between. Asking again without having answered gives what is still missing.
    #[expect(
        clippy::should_implement_trait,
        reason = "see above: each step needs the answer to the one before"
    )]
    pub fn next(&mut self) -> Step {
        loop {
            let missing: Vec<_> = self
                .wanted
                .iter()
                .filter(|range| !self.observation.pieces.contains_key(range))
                .copied()
                .collect();
            if !missing.is_empty() {
                return Step::Hash(missing);
            }
            match self.phase {
                Phase::Probe => self.phase = Phase::Lookup,
                Phase::Lookup => match LookupRequest::new(self.tokens()) {
                    Some(request) => return Step::Lookup(request),
                    None => self.phase = Phase::Done,
                },
                Phase::Signed if self.assess(|all| all.is_settled()) => self.enter_roots(),
                Phase::Signed => self.enter_container(),
                Phase::Container => self.enter_shifted(),
                Phase::Shifted if self.assess(|all| all.is_identified()) => self.enter_roots(),
                Phase::Shifted => self.enter_whole(),
                Phase::Whole => self.phase = Phase::Done,
                Phase::Roots => match self.comparison.as_mut().map(Comparison::next) {
                    Some(RootsStep::Ask(requests)) => return Step::Roots(requests),
                    Some(RootsStep::Done) | None => self.leave_roots(),
                },
                Phase::Done => return Step::Done,
            }
        }
    }

    /// Answers [`Step::Hash`] for one range. Answer all of them before asking for the next step.
    pub fn hashed(&mut self, range: ByteRange, digest: Digest) {
        if self.observation.pieces.insert(range, digest).is_some_and(|before| before != digest) {
            self.changed = true;
        }
        if Some(range) == self.head() {
            self.observation.head = Some(digest);
        }
        if Some(range) == self.whole() {
            self.observation.file_digest = Some(digest);
        }
    }

    /// Answers [`Step::Lookup`].
    pub fn looked_up(&mut self, answer: LookupAnswer) {
        if self.phase != Phase::Lookup {
            return;
        }
        self.lookup = match answer {
            LookupAnswer::Found(files) => {
                self.layouts = files.iter().map(Layout::of).collect();
                self.candidates = files;
                LookupOutcome::Answered
            }
            LookupAnswer::NoAnswer => LookupOutcome::NoAnswer,
            LookupAnswer::Nonsense => LookupOutcome::Nonsense,
            LookupAnswer::NoServer => LookupOutcome::NoServer,
        };
        match self.lookup {
            LookupOutcome::Answered => self.enter_signed(),
            _ => self.phase = Phase::Done,
        }
    }

    /// Answers [`Step::Roots`] for one request: the body of a successful answer, or none. Answer all of them before asking
    /// for the next step.
    pub fn root_answered(&mut self, request: &RootsRequest, answer: Option<Vec<u8>>) {
        if let Some(comparison) = &mut self.comparison {
            comparison.answered(request, answer);
        }
    }

    /// The root to remember from now on, after [`Step::Done`]; none if what was remembered stays.
    pub fn pin(&self) -> Option<Pin> {
        self.compared.last().and_then(|outcome| outcome.pin.clone())
    }

    /// The report. Before [`Step::Done`] the work has not been done, and the report says so.
    pub fn report(&self) -> Report {
        if self.changed {
            return self.failed(ErrorCode::ChangedWhileReading);
        }
        if self.phase != Phase::Done {
            return self.failed(ErrorCode::Cancelled);
        }
        verify(&self.input())
    }

    /// The evidence that the report is about, after [`Step::Done`]; none where the file is identified with none.
    pub fn decisive_evidence(&self) -> Option<&EvidenceFile> {
        let mut decisive = None;
        self.assess(|all| {
            decisive = all.decisive_place();
            decisive.is_some()
        });
        self.candidates.get(decisive?)
    }

    /// The report when the work cannot be done.
    pub fn failed(&self, code: ErrorCode) -> Report {
        let file = FileFacts { length: self.observation.length, sha256: None };
        Report::not_completed(file, code, TrustFacts::of(&self.trust))
    }

    fn input(&self) -> Input<'_> {
        Input {
            candidates: &self.candidates,
            trust: &self.trust,
            observation: &self.observation,
            lookup: self.lookup,
            roots: &self.compared,
        }
    }

    fn assess(&self, question: impl FnOnce(&Assessment<'_>) -> bool) -> bool {
        let input = self.input();
        question(&Assessment::new(&input, &self.layouts))
    }

    fn head(&self) -> Option<ByteRange> {
        ByteRange::between(0, self.observation.length.min(HEAD_LEN)).ok()
    }

    fn whole(&self) -> Option<ByteRange> {
        ByteRange::between(0, self.observation.length).ok()
    }

    fn enter_probe(&mut self) {
        self.phase = Phase::Probe;
        let blocks: Vec<_> = Deposit::blocks(self.observation.length).collect();
        self.probes = fragment_probes(&self.boundaries);
        let beside = if self.probes.is_empty() { MAX_FRAGMENT_PROBES } else { MAX_BLOCK_PROBES_BESIDE };
        self.probes.extend(spread(&blocks, beside));
        self.wanted = self.probes.iter().copied().chain(self.head()).collect();
    }

    fn tokens(&self) -> Vec<Token> {
        let head = self.observation.head.as_ref().map(Token::head);
        let pieces = self.probes.iter().filter_map(|range| self.observation.pieces.get(range));
        head.into_iter().chain(pieces.map(Token::segment)).collect()
    }

    fn enter_signed(&mut self) {
        self.phase = Phase::Signed;
        let length = self.observation.length;
        let pieces = self.layouts.iter().flat_map(|layout| &layout.pieces);
        self.wanted = pieces.map(|piece| piece.range).filter(|range| range.end() <= length).collect();
        // What was hashed for the lookup only is forgotten, so that the report does not depend on how the evidence
        // was found.
        let Self { observation, wanted, boundaries, .. } = self;
        let matters = |range: &ByteRange| wanted.contains(range) || boundaries.binary_search(range).is_ok();
        observation.pieces.retain(|range, _| matters(range));
    }

    fn enter_container(&mut self) {
        self.phase = Phase::Container;
        if !self.layouts.iter().any(|layout| layout.is_recording) {
            return;
        }
        let length = self.observation.length;
        let mut wanted: BTreeSet<_> = self.boundaries.iter().copied().collect();
        wanted.extend(self.layouts.iter().flat_map(|layout| excerpt::first_ranges(layout, length)));
        self.wanted = wanted;
    }

    fn enter_shifted(&mut self) {
        self.phase = Phase::Shifted;
        let Self { layouts, observation, .. } = self;
        self.wanted = layouts.iter().flat_map(|layout| excerpt::run_ranges(layout, observation)).collect();
    }

    /// The candidate is decided: its chain is compared, if it was not yet.
    fn enter_roots(&mut self) {
        self.phase = Phase::Done;
        let mut anchor = None;
        self.assess(|all| {
            anchor = all.anchor().cloned();
            anchor.is_some()
        });
        let Some(anchor) = anchor else { return };
        if self.compared.iter().any(|known| known.origin.as_deref() == Some(anchor.origin())) {
            return;
        }
        let RootsInput { pins, online } = self.roots.clone();
        let begin = if online { Comparison::new } else { Comparison::offline };
        self.comparison = Some(begin(&self.trust, Some(anchor), pins));
        self.phase = Phase::Roots;
    }

    /// A chain that has forked invalidates its candidates, so one of another chain may decide now, and may need more of the file.
    /// Each chain is compared once.
    fn leave_roots(&mut self) {
        self.phase = Phase::Done;
        let Some(outcome) = self.comparison.take().map(|comparison| comparison.outcome()) else { return };
        let is_proof = outcome.is_proof();
        self.compared.push(outcome);
        if is_proof {
            self.phase = Phase::Signed;
        }
    }

    fn enter_whole(&mut self) {
        self.phase = Phase::Whole;
        self.wanted = self.whole().into_iter().collect();
    }
}

/// Which fragments to look up: long ones before short ones, spread over the file, the first and the last included.
fn fragment_probes(boundaries: &[ByteRange]) -> Vec<ByteRange> {
    let (long, short): (Vec<_>, Vec<_>) =
        boundaries.iter().copied().partition(|range| range.length() >= LONG_FRAGMENT);
    let mut probes = spread(&long, MAX_FRAGMENT_PROBES);
    probes.extend(spread(&short, MAX_FRAGMENT_PROBES - probes.len()));
    probes
}

/// At most `count` of `all`, evenly spread, the first and the last included.
fn spread(all: &[ByteRange], count: usize) -> Vec<ByteRange> {
    if all.len() <= count {
        return all.to_vec();
    }
    match count {
        0 => Vec::new(),
        1 => all[..1].to_vec(),
        _ => (0..count).map(|i| all[i * (all.len() - 1) / (count - 1)]).collect(),
    }
}
