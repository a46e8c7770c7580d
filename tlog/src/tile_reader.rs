//! Roots and proofs computed from tiles, C2SP `tlog-tiles` and RFC 6962 §2.1 to §2.1.2.
//!
//! Nothing here checks the tiles against a signed root: verify the proof, or compare the root, before use.

use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::{ConsistencyProof, InclusionProof, ProofError};
use crate::root::RootBuilder;
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileError, TileId};
use crate::tree::{LeafIndex, TreeSize};

/// Where tiles come from.
pub trait HashReader {
    /// Why a tile could not be had.
    type Error;

    /// The bytes of the tile at `id`, [`TileId::byte_len`] of them. A reader that holds only a wider version of a
    /// partial tile gives its beginning.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<R: HashReader + ?Sized> HashReader for &R {
    type Error = R::Error;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(id)
    }
}

/// Why a root or proof could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// The reader failed.
    #[error("The tile {id} could not be read.")]
    Tile {
        /// The tile asked for.
        id: TileId,
        /// What the reader said.
        source: E,
    },
    /// The reader gave bytes that are not the tile.
    #[error("The tile {id} is malformed. {source}")]
    Malformed {
        /// The tile asked for.
        id: TileId,
        /// What is wrong with it.
        source: TileError,
    },
    /// There is no such proof, or no such tree.
    #[error("No such proof exists. {0}")]
    NoProof(#[source] ProofError),
    /// The tree is larger than 2^63 - 1 leaves.
    #[error("A tree of {size} leaves is larger than any that tiles can hold.")]
    TreeTooLarge {
        /// The size asked for.
        size: TreeSize,
    },
}

/// The leaves `start..end`, one node of the RFC 6962 tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    fn len(self) -> u64 {
        self.end - self.start
    }

    /// The two children: the left one is the largest complete subtree smaller than the whole. For `len > 1`.
    fn split(self) -> (Self, Self) {
        let k = 1 << (self.len() - 1).ilog2();
        let middle = self.start + k;
        (Self { end: middle, ..self }, Self { start: middle, ..self })
    }
}

/// PATH(m, D\[n\]) of RFC 6962 §2.1.1, from the leaf's sibling to the root's child.
fn inclusion_spans(index: LeafIndex, size: TreeSize) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut node = Span { start: 0, end: size.get() };
    while node.len() > 1 {
        let (left, right) = node.split();
        let (next, sibling) = if index.get() < left.end { (left, right) } else { (right, left) };
        spans.push(sibling);
        node = next;
    }
    spans.reverse();
    spans
}

/// PROOF(m, D\[n\]) of RFC 6962 §2.1.2 for 0 < m < n.
fn consistency_spans(old: TreeSize, new: TreeSize) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut node = Span { start: 0, end: new.get() };
    while node.end != old.get() {
        let (left, right) = node.split();
        let (next, sibling) = if old.get() <= left.end { (left, right) } else { (right, left) };
        spans.push(sibling);
        node = next;
    }
    // SUBPROOF's flag: the old root itself is known to the verifier and left out.
    if node.start != 0 {
        spans.push(node);
    }
    spans.reverse();
    spans
}

/// A complete subtree as hashes of one tile: `count` (a power of two) of them from `offset`.
struct Slot {
    level: u8,
    tile: u64,
    offset: usize,
    count: usize,
}

/// The complete subtrees that make up `span`, largest first.
fn slots(span: Span) -> impl Iterator<Item = Slot> {
    let mut start = span.start;
    std::iter::from_fn(move || {
        let height = (span.end - start).checked_ilog2()?;
        // invariant: heights are below 64, so level and offsets are small; the masks keep them in a tile.
        let level = u8::try_from(height).ok()? / TILE_HEIGHT;
        let shift = u32::from(level * TILE_HEIGHT);
        let first = start >> shift;
        start += 1 << height;
        Some(Slot {
            level,
            tile: first / u64::from(TILE_WIDTH),
            offset: usize::try_from(first % u64::from(TILE_WIDTH)).ok()?,
            count: 1 << (height - shift),
        })
    })
}

/// What one set of tiles says of two sizes of a tree.
///
/// Where `new` is the root of a tree, the hashes that were read are that tree's own, and `old` is the root of its first
/// leaves, whatever anybody has signed for that size. A consistency proof cannot say as much: where the old size is a power of
/// two, it does not hold the old root, and a wrong old root looks like a wrong proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The root over the leaves of the old tree.
    pub old: Hash,
    /// The root over the leaves of the new tree.
    pub new: Hash,
}

/// The nodes from which [`growth`] computes both roots: the largest ones that lie within `0..old` or within `old..new`.
fn growth_spans(node: Span, old: u64, spans: &mut Vec<Span>) {
    if node.end <= old || old <= node.start {
        spans.push(node);
    } else {
        let (left, right) = node.split();
        growth_spans(left, old, spans);
        growth_spans(right, old, spans);
    }
}

/// Computes hashes from a reader, reading each tile once.
struct Session<'a, R> {
    reader: &'a R,
    size: TreeSize,
    tiles: Vec<(TileId, Vec<Hash>)>,
}

impl<'a, R: HashReader> Session<'a, R> {
    fn new(reader: &'a R, size: TreeSize) -> Result<Self, ReadError<R::Error>> {
        if size > TreeSize::MAX_CHECKPOINT {
            return Err(ReadError::TreeTooLarge { size });
        }
        Ok(Self { reader, size, tiles: Vec::new() })
    }

    fn tile(&mut self, id: TileId) -> Result<&[Hash], ReadError<R::Error>> {
        let position = match self.tiles.iter().position(|(known, _)| *known == id) {
            Some(position) => position,
            None => {
                let data = self.reader.tile(id).map_err(|source| ReadError::Tile { id, source })?;
                let hashes = id.hashes(&data).map_err(|source| ReadError::Malformed { id, source })?;
                self.tiles.push((id, hashes));
                self.tiles.len() - 1
            }
        };
        Ok(&self.tiles[position].1)
    }

    fn slot(&mut self, slot: &Slot) -> Result<Hash, ReadError<R::Error>> {
        let size = self.size;
        let id = TileId::in_tree(slot.level, slot.tile, size).ok_or(ReadError::TreeTooLarge { size })?;
        let hashes = self.tile(id)?;
        // invariant: the subtree is complete in this tree, so the tile is wide enough for all of it.
        let found = hashes.get(slot.offset..slot.offset + slot.count);
        let mut builder = RootBuilder::new();
        builder.extend(found.unwrap_or_default().iter().copied());
        Ok(builder.root())
    }

    fn span(&mut self, span: Span) -> Result<Hash, ReadError<R::Error>> {
        let mut hashes = Vec::new();
        for slot in slots(span) {
            hashes.push(self.slot(&slot)?);
        }
        let root = hashes.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
        Ok(root.unwrap_or_else(empty_root))
    }

    /// The root over the leaves of `node` before `old`, if there are any, and the root over all of them.
    fn growth(&mut self, node: Span, old: u64) -> Result<(Option<Hash>, Hash), ReadError<R::Error>> {
        if node.end <= old || old <= node.start {
            let hash = self.span(node)?;
            return Ok(((node.end <= old).then_some(hash), hash));
        }
        let (left, right) = node.split();
        let (old_left, new_left) = self.growth(left, old)?;
        let (old_right, new_right) = self.growth(right, old)?;
        // RFC 6962 splits the old tree at the same place if it goes beyond: at the largest power of two below either size.
        let old = match (old_left, old_right) {
            (Some(left), Some(right)) => Some(node_hash(&left, &right)),
            (left, _) => left,
        };
        Ok((old, node_hash(&new_left, &new_right)))
    }

    fn spans(&mut self, spans: Vec<Span>) -> Result<Vec<Hash>, ReadError<R::Error>> {
        spans.into_iter().map(|span| self.span(span)).collect()
    }
}

/// The root of the tree of `size` leaves.
pub fn root<R: HashReader>(reader: &R, size: TreeSize) -> Result<Hash, ReadError<R::Error>> {
    Session::new(reader, size)?.span(Span { start: 0, end: size.get() })
}

/// The proof that the leaf at `index` is in the tree of `size` leaves.
pub fn inclusion_proof<R: HashReader>(
    reader: &R,
    index: LeafIndex,
    size: TreeSize,
) -> Result<InclusionProof, ReadError<R::Error>> {
    if index.get() >= size.get() {
        return Err(ReadError::NoProof(ProofError::IndexOutOfTree { index, size }));
    }
    let hashes = Session::new(reader, size)?.spans(inclusion_spans(index, size))?;
    InclusionProof::new(hashes).map_err(ReadError::NoProof)
}

/// The proof that the tree of `old` leaves is the beginning of that of `new` leaves; empty from the empty tree and
/// between equal sizes.
pub fn consistency_proof<R: HashReader>(
    reader: &R,
    old: TreeSize,
    new: TreeSize,
) -> Result<ConsistencyProof, ReadError<R::Error>> {
    if old > new {
        return Err(ReadError::NoProof(ProofError::SizesReversed { old, new }));
    }
    if old == TreeSize::ZERO || old == new {
        return Ok(ConsistencyProof::empty());
    }
    let hashes = Session::new(reader, new)?.spans(consistency_spans(old, new))?;
    ConsistencyProof::new(hashes).map_err(ReadError::NoProof)
}

/// The roots of the trees of `old` and of `new` leaves, from the same hashes; 0 < `old` < `new`.
pub fn growth<R: HashReader>(
    reader: &R,
    old: TreeSize,
    new: TreeSize,
) -> Result<Growth, ReadError<R::Error>> {
    if old >= new || old == TreeSize::ZERO {
        return Err(ReadError::NoProof(ProofError::SizesReversed { old, new }));
    }
    let whole = Span { start: 0, end: new.get() };
    let (first, all) = Session::new(reader, new)?.growth(whole, old.get())?;
    // invariant: old > 0, so the leftmost node has leaves before it.
    Ok(Growth { old: first.unwrap_or_else(empty_root), new: all })
}

fn tiles_of(spans: Vec<Span>, size: TreeSize) -> Vec<TileId> {
    let mut tiles: Vec<TileId> = spans
        .into_iter()
        .flat_map(slots)
        .filter_map(|slot| TileId::in_tree(slot.level, slot.tile, size))
        .collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

/// The tiles that [`root`] will read, so that they can be fetched beforehand and at once.
pub fn root_tiles(size: TreeSize) -> Vec<TileId> {
    tiles_of(vec![Span { start: 0, end: size.get() }], size)
}

/// The tiles that [`inclusion_proof`] will read; none if there is no such proof.
pub fn inclusion_proof_tiles(index: LeafIndex, size: TreeSize) -> Vec<TileId> {
    if index.get() >= size.get() { Vec::new() } else { tiles_of(inclusion_spans(index, size), size) }
}

/// The tiles that [`consistency_proof`] will read; none if there is no such proof or it is empty.
pub fn consistency_proof_tiles(old: TreeSize, new: TreeSize) -> Vec<TileId> {
    if old == TreeSize::ZERO || old >= new { Vec::new() } else { tiles_of(consistency_spans(old, new), new) }
}

/// The tiles that [`growth`] will read; none if there is no such growth.
pub fn growth_tiles(old: TreeSize, new: TreeSize) -> Vec<TileId> {
    if old == TreeSize::ZERO || old >= new || new > TreeSize::MAX_CHECKPOINT {
        return Vec::new();
    }
    let mut spans = Vec::new();
    growth_spans(Span { start: 0, end: new.get() }, old.get(), &mut spans);
    tiles_of(spans, new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tile_builder::TileBuilder;
    use std::collections::HashMap;

    struct Store(HashMap<TileId, Vec<u8>>);

    impl HashReader for Store {
        type Error = &'static str;

        fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error> {
            self.0.get(&id).cloned().ok_or("missing")
        }
    }

    fn store(size: u32) -> (Store, TileBuilder) {
        let mut builder = TileBuilder::new();
        let tiles = builder.append((0..size).map(|i| leaf_hash(&i.to_be_bytes())));
        (Store(tiles.into_iter().map(|tile| (tile.id, tile.data)).collect()), builder)
    }

    #[test]
    fn only_published_tiles_are_read() {
        // Exactly the planned tiles suffice, and each of them is needed.
        let (all, builder) = store(70_000);
        let size = builder.size();
        let (index, old) = (LeafIndex::new(66_000), TreeSize::new(300));
        let only = |ids: &[TileId]| Store(ids.iter().map(|id| (*id, all.0[id].clone())).collect());
        let plan = inclusion_proof_tiles(index, size);
        assert_eq!(inclusion_proof(&only(&plan), index, size), inclusion_proof(&all, index, size));
        for missing in 0..plan.len() {
            let mut some = plan.clone();
            let id = some.remove(missing);
            let error = inclusion_proof(&only(&some), index, size).unwrap_err();
            assert_eq!(error, ReadError::Tile { id, source: "missing" });
        }
        let plan = consistency_proof_tiles(old, size);
        assert_eq!(consistency_proof(&only(&plan), old, size), consistency_proof(&all, old, size));
        assert_eq!(root(&only(&root_tiles(size)), size), Ok(builder.root()));
    }

    #[test]
    fn what_does_not_exist() {
        let (store, builder) = store(10);
        let size = builder.size();
        let index = LeafIndex::new(10);
        let outside = ReadError::NoProof(ProofError::IndexOutOfTree { index, size });
        assert_eq!(inclusion_proof(&store, index, size), Err(outside));
        assert!(inclusion_proof_tiles(index, size).is_empty());
        let old = TreeSize::new(11);
        let reversed = ReadError::NoProof(ProofError::SizesReversed { old, new: size });
        assert_eq!(consistency_proof(&store, old, size), Err(reversed));
        assert_eq!(consistency_proof(&store, TreeSize::ZERO, size), Ok(ConsistencyProof::empty()));
        assert_eq!(root(&store, TreeSize::ZERO), Ok(empty_root()));
        let size = TreeSize::new(1 << 63);
        assert_eq!(root(&store, size), Err(ReadError::TreeTooLarge { size }));
    }

    #[test]
    fn growth_is_that_of_the_tree_at_every_pair_of_sizes() {
        let root_at = |size: u32| crate::root_of((0..size).map(|i| leaf_hash(&i.to_be_bytes())));
        let roots: Vec<Hash> = (0..=300).map(root_at).collect();
        for new in (1..=300u32).filter(|n| *n < 70 || *n > 250) {
            let (all, _) = store(new);
            for old in 1..new {
                let (m, n) = (TreeSize::new(old.into()), TreeSize::new(new.into()));
                let found = growth(&all, m, n).unwrap();
                assert_eq!((found.old, found.new), (roots[old as usize], roots[new as usize]), "{old} {new}");
            }
        }
    }

    #[test]
    fn growth_reads_what_it_plans_and_nothing_else() {
        let (all, builder) = store(70_000);
        let size = builder.size();
        for old in [1, 2, 255, 256, 257, 32_768, 65_536, 65_537, 69_999] {
            let old = TreeSize::new(old);
            let plan = growth_tiles(old, size);
            let only = |ids: &[TileId]| Store(ids.iter().map(|id| (*id, all.0[id].clone())).collect());
            assert_eq!(growth(&only(&plan), old, size).map(|found| found.new), Ok(builder.root()), "{old}");
            for missing in 0..plan.len() {
                let mut some = plan.clone();
                let id = some.remove(missing);
                let error = growth(&only(&some), old, size).unwrap_err();
                assert_eq!(error, ReadError::Tile { id, source: "missing" });
            }
        }
    }

    #[test]
    fn growth_that_does_not_exist() {
        let (all, builder) = store(10);
        let (zero, size) = (TreeSize::ZERO, builder.size());
        for (old, new) in [(zero, size), (size, size), (TreeSize::new(11), size)] {
            let error = ReadError::NoProof(ProofError::SizesReversed { old, new });
            assert_eq!(growth(&all, old, new), Err(error));
            assert!(growth_tiles(old, new).is_empty());
        }
        let large = TreeSize::new(1 << 63);
        assert_eq!(growth(&all, size, large), Err(ReadError::TreeTooLarge { size: large }));
        assert!(growth_tiles(size, large).is_empty());
        // The largest tree: as many tiles as its proof has levels, twice.
        assert!(growth_tiles(TreeSize::new((1 << 62) + 12345), TreeSize::MAX_CHECKPOINT).len() <= 20);
    }

    #[test]
    fn a_tile_of_another_length_is_refused() {
        let (mut store, builder) = store(10);
        let id = TileId::in_tree(0, 0, builder.size()).unwrap();
        store.0.insert(id, vec![0; 319]);
        let source = TileError::Length { found: 319, expected: 320 };
        assert_eq!(root(&store, builder.size()), Err(ReadError::Malformed { id, source }));
    }
}
