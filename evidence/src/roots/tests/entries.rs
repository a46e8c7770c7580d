//! Entries, found and proven from what anybody may fetch.

use tlog::{EntryBundle, LeafIndex, TreeSize, leaf_hash};

use super::{History, note, trust, verified};
use crate::roots::{EntryProof, EntryProofError, FoundEntry, RootsRequest, RootsStep};
use crate::{Digest, Entry, EntryKind, UnixSeconds, examine_receipt};

/// What becomes of an answer on its way.
type Spoil<'s> = &'s dyn Fn(&RootsRequest, Option<Vec<u8>>) -> Option<Vec<u8>>;

struct Service {
    entries: Vec<Vec<u8>>,
    history: History,
}

fn entry(number: u64) -> Entry {
    Entry {
        kind: EntryKind::Evidence,
        sealed_at: UnixSeconds::new(1000 + number),
        statement: Digest::of(&number.to_be_bytes()),
    }
}

impl Service {
    fn new(count: u64) -> Self {
        Self::of((0..count).map(|number| entry(number).to_bytes().to_vec()).collect())
    }

    fn of(entries: Vec<Vec<u8>>) -> Self {
        let history = History(entries.iter().map(|entry| leaf_hash(entry)).collect());
        Self { entries, history }
    }

    fn answer(&self, request: &RootsRequest) -> Option<Vec<u8>> {
        match request {
            RootsRequest::Index(statement) => {
                let found = self.entries.iter().position(|bytes| bytes[10..] == statement.as_bytes()[..]);
                Some(format!("{}\n", found?).into_bytes())
            }
            RootsRequest::Bundle(id) => {
                let first = usize::try_from(id.index()).unwrap() * 256;
                let mut bundle = EntryBundle::new();
                for bytes in self.entries.get(first..first + usize::from(id.width()))? {
                    bundle.push(bytes.clone()).unwrap();
                }
                Some(bundle.encode())
            }
            RootsRequest::Tile(id) => self.history.tile(*id),
            other => panic!("{other:?} is asked for"),
        }
    }

    fn prove(&self, mut proof: EntryProof, spoil: Spoil<'_>) -> Result<FoundEntry, EntryProofError> {
        for _ in 0..5 {
            match proof.next() {
                RootsStep::Ask(requests) => {
                    for request in requests {
                        let answer = spoil(&request, self.answer(&request));
                        proof.answered(&request, answer);
                    }
                }
                RootsStep::Done => return proof.result().unwrap().clone(),
            }
        }
        panic!("the proof does not end");
    }

    fn root(&self, size: u64) -> tlog::VerifiedCheckpoint {
        verified(&note(self.history.head(size), &[(1, 1), (2, 2)]), &trust())
    }
}

const HONEST: Spoil<'_> = &|_, answer| answer;

#[test]
fn every_entry_is_found_by_its_statement_and_by_its_place() {
    let service = Service::new(600);
    for size in [1, 2, 255, 256, 257, 600] {
        for number in [0, 1, 100, 254, 255, 256, 511, 512, 599].into_iter().filter(|n| *n < size) {
            let found = FoundEntry { entry: entry(number), index: LeafIndex::new(number) };
            let by_digest = EntryProof::of_statement(entry(number).statement, service.root(size));
            assert_eq!(service.prove(by_digest, HONEST), Ok(found.clone()), "{number} of {size}");
            let by_place = EntryProof::at(LeafIndex::new(number), service.root(size));
            assert_eq!(service.prove(by_place, HONEST), Ok(found));
        }
    }
}

#[test]
fn a_proven_entry_has_a_receipt_that_stands_by_itself_and_nothing_else_has() {
    let service = Service::new(600);
    for (number, size) in [(0, 1), (255, 256), (256, 300), (599, 600)] {
        let mut proof = EntryProof::at(LeafIndex::new(number), service.root(size));
        assert!(proof.receipt().is_none(), "nothing was proven yet");
        while let RootsStep::Ask(requests) = proof.next() {
            for request in requests {
                proof.answered(&request, service.answer(&request));
            }
        }
        let receipt = proof.receipt().unwrap().to_string();
        let proven = examine_receipt(receipt.as_bytes(), &trust()).unwrap();
        assert_eq!((*proven.entry(), proven.index().get()), (entry(number), number));
        assert_eq!(proven.checkpoint().head(), service.root(size).head());
    }
    let mut unproven = EntryProof::at(LeafIndex::new(7), service.root(600));
    while let RootsStep::Ask(requests) = unproven.next() {
        for request in requests {
            let answer = service.answer(&request).map(|bytes| vec![1; bytes.len()]);
            unproven.answered(&request, answer);
        }
    }
    assert!(unproven.result().unwrap().is_err() && unproven.receipt().is_none());
}

#[test]
fn what_the_tree_does_not_hold() {
    let service = Service::new(300);
    let proof = EntryProof::of_statement(Digest::of(b"never sealed"), service.root(300));
    assert_eq!(service.prove(proof, HONEST), Err(EntryProofError::NotFound));
    let (index, size) = (LeafIndex::new(299), TreeSize::new(299));
    let beyond = Err(EntryProofError::BeyondTree { index, size });
    assert_eq!(service.prove(EntryProof::at(index, service.root(299)), HONEST), beyond);
    let proof = EntryProof::of_statement(entry(299).statement, service.root(299));
    assert_eq!(service.prove(proof, HONEST), beyond);
    let proof = EntryProof::at(LeafIndex::new(u64::MAX), service.root(299));
    assert!(matches!(service.prove(proof, HONEST), Err(EntryProofError::BeyondTree { .. })));
}

#[test]
fn a_service_that_lies_proves_nothing() {
    let service = Service::new(300);
    let statement = entry(7).statement;
    let prove =
        |spoil: Spoil<'_>| service.prove(EntryProof::of_statement(statement, service.root(300)), spoil);
    let index = |text: &'static [u8]| {
        prove(&move |request, answer| match request {
            RootsRequest::Index(_) => Some(text.to_vec()),
            _ => answer,
        })
    };
    assert_eq!(index(b"8"), Err(EntryProofError::OtherStatement));
    for nonsense in [&b""[..], b"-1", b"07", b"7\n\n", b" 7", b"\xff", b"seven", b"99999999999999999999999"] {
        assert!(matches!(index(nonsense), Err(EntryProofError::NoIndex | EntryProofError::NotFound)));
    }
    // an entry that somebody would like to be there: tiles and root do not know it
    let forged = prove(&|request, answer| match request {
        RootsRequest::Bundle(_) => {
            let mut bytes = answer.unwrap();
            bytes[44 * 7 + 5] ^= 1;
            Some(bytes)
        }
        _ => answer,
    });
    assert_eq!(forged, Err(EntryProofError::NotIncluded));
    let tile = prove(&|request, answer| match request {
        RootsRequest::Tile(_) => answer.map(|bytes| vec![1; bytes.len()]),
        _ => answer,
    });
    assert_eq!(tile, Err(EntryProofError::NotIncluded));
    let silent = prove(&|request, answer| match request {
        RootsRequest::Tile(_) => None,
        _ => answer,
    });
    assert_eq!(silent, Err(EntryProofError::NoAnswer));
    for bundle in [vec![], vec![0; 9], vec![0xff; 100], vec![0; 1 << 20]] {
        let answer = prove(&|request, answer| match request {
            RootsRequest::Bundle(_) => Some(bundle.clone()),
            _ => answer,
        });
        assert!(matches!(answer, Err(EntryProofError::NoBundle | EntryProofError::NoAnswer)));
    }
}

#[test]
fn a_leaf_that_is_no_entry() {
    let service = Service::of(vec![entry(0).to_bytes().to_vec(), vec![9; 42]]);
    let result = service.prove(EntryProof::at(LeafIndex::new(1), service.root(2)), HONEST);
    assert!(matches!(result, Err(EntryProofError::Entry(_))), "{result:?}");
}
