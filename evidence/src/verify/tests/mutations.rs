//! Ten thousand random changes of evidence, receipts and file: nothing panics, and an altered file never passes.

use super::world::{World, drive, noise, video};
use crate::EvidenceFile;
use crate::examination::{Examination, LookupAnswer};
use crate::report::Verdict;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Small pieces, so that ten thousand rounds are quick, and a piece or two that identify.
fn small_video() -> Vec<Vec<u8>> {
    (0..6).map(|i| noise(40 + i, if i == 2 { 17_000 } else { 300 })).collect()
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.roll(bytes.len());
    match dice.roll(6) {
        0..=2 => bytes[at] ^= 1 << dice.roll(8),
        3 => bytes.truncate(at),
        4 => bytes.insert(at, u8::try_from(dice.roll(256)).unwrap()),
        _ => drop(bytes.remove(at)),
    }
}

#[test]
fn an_altered_file_never_passes_and_nothing_panics() {
    let mut world = World::new();
    let chunks = small_video();
    let recording = world.record(1, &chunks);
    let trust = world.trust();
    let encoded = recording.evidence.encode();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (mut parsed, mut invalid) = (0, 0);
    for round in 0..10_000 {
        let mut evidence = encoded.clone();
        for _ in 0..=dice.roll(2) {
            if !evidence.is_empty() {
                mutate(&mut evidence, &mut dice);
            }
        }
        let Ok(evidence) = EvidenceFile::parse(&evidence) else { continue };
        parsed += 1;
        let mut file = recording.bytes.clone();
        let altered = dice.roll(3) > 0;
        if altered {
            mutate(&mut file, &mut dice);
        }
        let examination = Examination::new(
            file.len() as u64,
            recording.ranges.clone(),
            vec![evidence.clone()],
            trust.clone(),
            crate::RootsInput::default(),
        );
        let report = drive(examination, &file, &LookupAnswer::NoServer).report();
        let is_prefix = recording.bytes.starts_with(&file);
        let passed = matches!(report.verdict, Verdict::Consistent | Verdict::Excerpt);
        assert!(!passed || file == recording.bytes || is_prefix, "round {round}: {:?}", report.verdict);
        if evidence != recording.evidence {
            assert_ne!(report.verdict, Verdict::Consistent, "round {round}");
            invalid += usize::from(report.verdict == Verdict::EvidenceInvalid);
        }
    }
    assert!(parsed > 500, "enough mutants parse to mean something: {parsed}");
    assert!(invalid > 200, "and most of them are found out: {invalid}");
}

#[test]
fn a_mutant_that_parses_is_written_as_it_was_read() {
    let mut world = World::new();
    let recording = world.record(1, &video(1));
    let encoded = recording.evidence.encode();
    let mut dice = Dice(77);
    for _ in 0..3000 {
        let mut mutant = encoded.clone();
        mutate(&mut mutant, &mut dice);
        if let Ok(parsed) = EvidenceFile::parse(&mutant) {
            assert_eq!(parsed.encode(), mutant);
        }
    }
}
