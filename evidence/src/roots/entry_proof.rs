//! Finding one entry of the chain and proving that it is there, from what anybody may fetch: the index by the statement's
//! digest, the bundle that holds the entry, and tiles up to a root that was verified before.

use tlog::{BundleId, EntryBundle, LeafIndex, TlogProof, TreeSize, VerifiedCheckpoint, tile_reader};

use super::RootsStep;
use super::request::RootsRequest;
use super::tiles::Tiles;
use crate::entry::{Entry, EntryError};
use crate::ids::Digest;

/// Proves one entry. Does no I/O: says what it wants to have, and is told.
#[derive(Debug)]
pub struct EntryProof {
    checkpoint: VerifiedCheckpoint,
    wanted_statement: Option<Digest>,
    index: Option<LeafIndex>,
    bundle: Option<Vec<u8>>,
    tiles: Tiles,
    wanted: Vec<RootsRequest>,
    result: Option<Result<FoundEntry, EntryProofError>>,
}

/// An entry that the chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// The entry.
    pub entry: Entry,
    /// Its place in the chain.
    pub index: LeafIndex,
}

/// Why an entry could not be proven. Nothing of this shows that the chain does not hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryProofError {
    /// The service names no index for this digest.
    #[error("The service knows no published entry for this statement digest.")]
    NotFound,
    /// The service's answer is no index.
    #[error("The service answered something that is no index.")]
    NoIndex,
    /// The index lies beyond the root that the proof was to lead to: the entry is newer.
    #[error("The entry {index} is not in the tree of {size} entries that was to prove it.")]
    BeyondTree {
        /// The index.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// A bundle or tile could not be had.
    #[error("The service did not answer with what proves the entry.")]
    NoAnswer,
    /// The bundle cannot be read.
    #[error("The service answered something that is no bundle of entries.")]
    NoBundle,
    /// What stands at the index is no entry.
    #[error("The chain holds something else than an entry at this index. {0}")]
    Entry(EntryError),
    /// The entry is about another statement.
    #[error("The service names an index where another statement is sealed.")]
    OtherStatement,
    /// Bundle and tiles do not lead to the root.
    #[error("What the service answered does not lead to the signed root.")]
    NotIncluded,
}

impl EntryProof {
    /// Looks for the statement with this digest in the tree of `checkpoint`.
    pub fn of_statement(statement: Digest, checkpoint: VerifiedCheckpoint) -> Self {
        let wanted = vec![RootsRequest::Index(statement)];
        Self { wanted_statement: Some(statement), wanted, ..Self::begin(checkpoint) }
    }

    /// Reads the entry at `index` of the tree of `checkpoint`.
    pub fn at(index: LeafIndex, checkpoint: VerifiedCheckpoint) -> Self {
        let mut proof = Self::begin(checkpoint);
        proof.found_index(index);
        proof
    }

    fn begin(checkpoint: VerifiedCheckpoint) -> Self {
        Self {
            checkpoint,
            wanted_statement: None,
            index: None,
            bundle: None,
            tiles: Tiles::default(),
            wanted: Vec::new(),
            result: None,
        }
    }

    /// What is wanted next. Not an iterator: it needs the answers in between.
    #[expect(
        clippy::should_implement_trait,
        reason = "see above: each step needs the answers to the one before"
    )]
    pub fn next(&mut self) -> RootsStep {
        if self.result.is_none() && !self.wanted.is_empty() {
            return RootsStep::Ask(self.wanted.clone());
        }
        RootsStep::Done
    }

    /// Answers one request of [`RootsStep::Ask`]: the body of a successful answer, or none. What was not asked for is ignored.
    pub fn answered(&mut self, request: &RootsRequest, answer: Option<Vec<u8>>) {
        let Some(place) = self.wanted.iter().position(|wanted| wanted == request) else { return };
        self.wanted.swap_remove(place);
        let answer = answer.filter(|bytes| bytes.len() <= request.max_len());
        match (request, answer) {
            (RootsRequest::Index(_), None) => self.fail(EntryProofError::NotFound),
            (RootsRequest::Index(_), Some(text)) => match RootsRequest::index_in(&text) {
                Some(index) => self.found_index(index),
                None => self.fail(EntryProofError::NoIndex),
            },
            (_, None) => self.fail(EntryProofError::NoAnswer),
            (RootsRequest::Bundle(_), Some(bytes)) => self.bundle = Some(bytes),
            (RootsRequest::Tile(id), bytes) => self.tiles.insert(*id, bytes),
            // Never asked for here.
            (RootsRequest::Witness { .. } | RootsRequest::Published, Some(_)) => {}
        }
        if self.wanted.is_empty() && self.result.is_none() {
            self.result = Some(self.prove());
        }
    }

    /// What has come of it; none before [`RootsStep::Done`].
    pub fn result(&self) -> Option<&Result<FoundEntry, EntryProofError>> {
        self.result.as_ref()
    }

    /// The root that the proof leads to.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// The proof as a receipt (`docs/spec/log.md`, "Receipt"), which can be read by itself; none unless the entry was proven.
    pub fn receipt(&self) -> Option<TlogProof> {
        let found = self.result.as_ref()?.as_ref().ok()?;
        let size = self.checkpoint.head().size;
        let proof = tile_reader::inclusion_proof(&self.tiles, found.index, size).ok()?;
        let (extra, note) = (found.entry.to_bytes().to_vec(), self.checkpoint.note().clone());
        TlogProof::new(Some(extra), found.index, proof, note).ok()
    }

    fn fail(&mut self, error: EntryProofError) {
        self.result = Some(Err(error));
    }

    fn found_index(&mut self, index: LeafIndex) {
        let size = self.checkpoint.head().size;
        self.index = Some(index);
        match bundle_of(index, size) {
            Some(bundle) => {
                self.wanted = vec![RootsRequest::Bundle(bundle)];
                let tiles = tile_reader::inclusion_proof_tiles(index, size);
                self.wanted.extend(tiles.into_iter().map(RootsRequest::Tile));
            }
            None => self.fail(EntryProofError::BeyondTree { index, size }),
        }
    }

    fn prove(&self) -> Result<FoundEntry, EntryProofError> {
        let head = self.checkpoint.head();
        let index = self.index.ok_or(EntryProofError::NoIndex)?;
        let id = bundle_of(index, head.size).ok_or(EntryProofError::NoIndex)?;
        let bytes = self.bundle.as_ref().ok_or(EntryProofError::NoAnswer)?;
        let bundle = EntryBundle::parse(id, bytes).map_err(|_| EntryProofError::NoBundle)?;
        let place = usize::try_from(index.get() % u64::from(tlog::tile::TILE_WIDTH)).ok();
        let leaf = place.and_then(|place| bundle.entries().get(place)).ok_or(EntryProofError::NoBundle)?;
        let proof = tile_reader::inclusion_proof(&self.tiles, index, head.size)
            .map_err(|_| EntryProofError::NoAnswer)?;
        proof.verify(&tlog::leaf_hash(leaf), index, &head).map_err(|_| EntryProofError::NotIncluded)?;
        let entry = Entry::parse(leaf).map_err(EntryProofError::Entry)?;
        if self.wanted_statement.is_some_and(|wanted| wanted != entry.statement) {
            return Err(EntryProofError::OtherStatement);
        }
        Ok(FoundEntry { entry, index })
    }
}

fn bundle_of(index: LeafIndex, size: TreeSize) -> Option<BundleId> {
    let number = index.get() / u64::from(tlog::tile::TILE_WIDTH);
    BundleId::in_tree(number, size).filter(|_| index.get() < size.get())
}
