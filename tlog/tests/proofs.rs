//! Proofs of every size to 300 and of random sizes to 2^40, made from tiles and verified; and what a verifier must
//! refuse.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a panic is how a test fails")]

use std::cell::Cell;
use std::convert::Infallible;

use proptest::prelude::*;
use tlog::{
    ConsistencyProof, Hash, HashReader, InclusionProof, LeafIndex, ProofError, TileBuilder, TileId, TreeHead,
    TreeSize, leaf_hash, node_hash, root_of, tile_reader,
};

/// Tiles of a tree in memory.
struct Leaves(Vec<Hash>);

impl HashReader for Leaves {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Infallible> {
        let span = 256usize.pow(id.level().into());
        let first = usize::try_from(id.index()).unwrap() * 256;
        let hash = |i: usize| root_of(self.0[(first + i) * span..(first + i + 1) * span].iter().copied());
        Ok((0..usize::from(id.width())).flat_map(|i| *hash(i).as_bytes()).collect())
    }
}

/// Tiles of a tree of any size in which all leaves are equal, except one: the hash of a complete subtree depends on
/// its height only, unless it holds the odd leaf.
struct Synthetic {
    equal: Vec<Hash>,
    odd_index: u64,
    odd: Vec<Hash>,
    tiles_read: Cell<u32>,
}

impl Synthetic {
    fn new(odd_index: u64) -> Self {
        let mut equal = vec![leaf_hash(b"equal")];
        let mut odd = vec![leaf_hash(b"odd")];
        for height in 0..62 {
            let (e, o): (Hash, Hash) = (equal[height], odd[height]);
            equal.push(node_hash(&e, &e));
            odd.push(if odd_index >> height & 1 == 0 { node_hash(&o, &e) } else { node_hash(&e, &o) });
        }
        Self { equal, odd_index, odd, tiles_read: Cell::new(0) }
    }

    fn node(&self, height: u32, index: u64) -> Hash {
        let hashes = if self.odd_index >> height == index { &self.odd } else { &self.equal };
        hashes[usize::try_from(height).unwrap()]
    }

    fn leaf(&self, index: u64) -> Hash {
        self.node(0, index)
    }

    /// MTH of RFC 6962 over the leaves `start..end`, written as in the RFC, not as in the code under test.
    fn mth(&self, start: u64, end: u64) -> Hash {
        let n = end - start;
        if n.is_power_of_two() && start.is_multiple_of(n) {
            return self.node(n.ilog2(), start / n);
        }
        let k = n.next_power_of_two() / 2;
        node_hash(&self.mth(start, start + k), &self.mth(start + k, end))
    }

    fn head(&self, size: u64) -> TreeHead {
        let root = if size == 0 { tlog::empty_root() } else { self.mth(0, size) };
        TreeHead { size: TreeSize::new(size), root }
    }
}

impl HashReader for Synthetic {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Infallible> {
        self.tiles_read.set(self.tiles_read.get() + 1);
        let height = u32::from(id.level()) * 8;
        let hash = |i: u64| self.node(height, id.index() * 256 + i);
        Ok((0..u64::from(id.width())).flat_map(|i| *hash(i).as_bytes()).collect())
    }
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn heads(leaves: &[Hash]) -> Vec<TreeHead> {
    let head =
        |n: usize| TreeHead { size: TreeSize::new(n as u64), root: root_of(leaves[..n].iter().copied()) };
    (0..=leaves.len()).map(head).collect()
}

#[test]
fn inclusion_of_every_leaf_in_every_size_to_300() {
    let tree = Leaves(leaves(300));
    let heads = heads(&tree.0);
    for head in &heads {
        assert_eq!(tile_reader::root(&tree, head.size).unwrap(), head.root);
        for (i, leaf) in (0..head.size.get()).zip(&tree.0) {
            let index = LeafIndex::new(i);
            let proof = tile_reader::inclusion_proof(&tree, index, head.size).unwrap();
            proof.verify(leaf, index, head).unwrap();
            // The same hashes prove nothing for the neighbour, for another leaf, or for another tree.
            let next = LeafIndex::new(i + 1);
            assert!(proof.verify(leaf, next, head).is_err());
            assert!(proof.verify(&leaf_hash(b"other"), index, head).is_err());
            if let Some(larger) = heads.get(head.size.get() as usize + 1) {
                assert!(proof.verify(leaf, index, larger).is_err());
            }
        }
    }
}

#[test]
fn consistency_of_every_pair_of_sizes_to_300() {
    let tree = Leaves(leaves(300));
    let heads = heads(&tree.0);
    for (m, old) in heads.iter().enumerate() {
        for new in &heads[m..] {
            let proof = tile_reader::consistency_proof(&tree, old.size, new.size).unwrap();
            proof.verify(old, new).unwrap();
            if old.size < new.size && m > 0 {
                let forged_old = TreeHead { root: leaf_hash(b"old"), ..*old };
                let forged_new = TreeHead { root: leaf_hash(b"new"), ..*new };
                // With a power of two the old root seeds the proof, so it is the new one that comes out wrong.
                let expected = if old.size.get().is_power_of_two() {
                    ProofError::NewRootMismatch
                } else {
                    ProofError::OldRootMismatch
                };
                assert_eq!(proof.verify(&forged_old, new), Err(expected));
                assert_eq!(proof.verify(old, &forged_new), Err(ProofError::NewRootMismatch));
            }
        }
    }
}

#[test]
fn every_missing_added_or_flipped_hash_is_refused() {
    let tree = Leaves(leaves(77));
    let heads = heads(&tree.0);
    for size in 1..=77usize {
        let head = &heads[size];
        for i in 0..size as u64 {
            let (index, leaf) = (LeafIndex::new(i), &tree.0[i as usize]);
            let good = tile_reader::inclusion_proof(&tree, index, head.size).unwrap();
            for hashes in mutations(good.hashes()) {
                assert!(InclusionProof::new(hashes).unwrap().verify(leaf, index, head).is_err());
            }
        }
        for old in &heads[..=size] {
            let good = tile_reader::consistency_proof(&tree, old.size, head.size).unwrap();
            for hashes in mutations(good.hashes()) {
                assert!(ConsistencyProof::new(hashes).unwrap().verify(old, head).is_err());
            }
        }
    }
}

fn mutations(good: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[good, &[leaf_hash(b"extra")]].concat()];
    for i in 0..good.len() {
        let mut missing = good.to_vec();
        missing.remove(i);
        all.push(missing);
        let mut flipped = good.to_vec();
        let mut bytes = *flipped[i].as_bytes();
        bytes[i % 32] ^= 1 << (i % 8);
        flipped[i] = Hash::from_bytes(bytes);
        all.push(flipped);
        let mut doubled = good.to_vec();
        doubled.insert(i, good[i]);
        all.push(doubled);
        if i > 0 && good[i] != good[i - 1] {
            let mut swapped = good.to_vec();
            swapped.swap(i, i - 1);
            all.push(swapped);
        }
    }
    all
}

#[test]
fn sizes_near_the_limit_neither_panic_nor_verify() {
    let root = leaf_hash(b"x");
    let hashes = vec![root; 63];
    let (inclusion, consistency) =
        (InclusionProof::new(hashes.clone()).unwrap(), ConsistencyProof::new(hashes).unwrap());
    for size in [1, 2, u64::MAX - 1, u64::MAX, 1 << 63, (1 << 63) - 1, (1 << 63) + 1] {
        let head = TreeHead { size: TreeSize::new(size), root };
        for other in [0, 1, size - 1, size / 2, 1 << 62] {
            assert!(inclusion.verify(&root, LeafIndex::new(other), &head).is_err());
            let old = TreeHead { size: TreeSize::new(other), root };
            assert!(consistency.verify(&old, &head).is_err());
            assert!(consistency.verify(&head, &old).is_err());
        }
        let reader = Synthetic::new(0);
        let _ = tile_reader::root(&reader, TreeSize::new(size));
        let _ = tile_reader::inclusion_proof(&reader, LeafIndex::new(size - 1), TreeSize::new(size));
        let _ = tile_reader::consistency_proof(&reader, TreeSize::new(size / 2 + 1), TreeSize::new(size));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_inclusion_to_2_to_the_40(bits in 0u32..=40, raw_size: u64, raw_index: u64, raw_odd: u64) {
        let size = 1 + raw_size % (1 << bits);
        let index = raw_index % size;
        // Half of the time the odd leaf is the one to be proven.
        let odd = if raw_odd & 1 == 0 { index } else { raw_odd % size };
        let tree = Synthetic::new(odd);
        let head = tree.head(size);
        let at = LeafIndex::new(index);
        prop_assert_eq!(tile_reader::root(&tree, head.size).unwrap(), head.root);
        tree.tiles_read.set(0);
        let proof = tile_reader::inclusion_proof(&tree, at, head.size).unwrap();
        let planned = tile_reader::inclusion_proof_tiles(at, head.size);
        prop_assert_eq!(planned.len(), tree.tiles_read.get() as usize);
        prop_assert!(proof.verify(&tree.leaf(index), at, &head).is_ok());
        let wrong = if index == odd { b"equal".as_slice() } else { b"odd" };
        prop_assert_eq!(proof.verify(&leaf_hash(wrong), at, &head), Err(ProofError::RootMismatch));
    }

    #[test]
    fn random_consistency_to_2_to_the_40(bits in 0u32..=40, raw_new: u64, raw_old: u64, raw_odd: u64) {
        let new_size = 1 + raw_new % (1 << bits);
        let old_size = raw_old % (new_size + 1);
        let tree = Synthetic::new(raw_odd % new_size);
        let (old, new) = (tree.head(old_size), tree.head(new_size));
        let proof = tile_reader::consistency_proof(&tree, old.size, new.size).unwrap();
        prop_assert_eq!(
            tile_reader::consistency_proof_tiles(old.size, new.size).len(),
            tree.tiles_read.get() as usize
        );
        prop_assert_eq!(proof.verify(&old, &new), Ok(()));
        // A log that rewrote one old leaf cannot prove consistency.
        if old_size > 0 {
            let rewritten = Synthetic::new(raw_odd % old_size);
            let honest = Synthetic::new(u64::MAX);
            let forged = tile_reader::consistency_proof(&rewritten, old.size, new.size).unwrap();
            prop_assert!(forged.verify(&honest.head(old_size), &rewritten.head(new_size)).is_err());
        }
    }

    #[test]
    fn sequencer_edge_equals_the_tree(batches in proptest::collection::vec(0usize..700, 1..6)) {
        let total: usize = batches.iter().sum();
        let all = leaves(total as u64);
        let mut builder = TileBuilder::new();
        let mut store = std::collections::HashMap::new();
        let mut done = 0;
        for batch in batches {
            let old = builder.size();
            let tiles = builder.append(all[done..done + batch].iter().copied());
            done += batch;
            let ids: Vec<TileId> = tiles.iter().map(|tile| tile.id).collect();
            prop_assert_eq!(&ids, &tlog::tiles_between(old, builder.size()).collect::<Vec<_>>());
            for tile in tiles {
                prop_assert_eq!(tile.data.len(), tile.id.byte_len());
                prop_assert!(store.insert(tile.id, tile.data).is_none(), "a tile was published twice");
            }
            prop_assert_eq!(builder.root(), root_of(all[..done].iter().copied()));
            // What a restart finds in the store is the same edge.
            let loaded = TileBuilder::load(&builder.head(), &Store(&store));
            prop_assert_eq!(loaded.as_ref(), Ok(&builder));
        }
    }
}

struct Store<'a>(&'a std::collections::HashMap<TileId, Vec<u8>>);

impl HashReader for Store<'_> {
    type Error = TileId;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, TileId> {
        self.0.get(&id).cloned().ok_or(id)
    }
}

#[test]
fn a_damaged_store_is_noticed_at_start_up() {
    let mut builder = TileBuilder::new();
    let tiles = builder.append(leaves(70_000));
    let head = builder.head();
    let store: std::collections::HashMap<_, _> = tiles.into_iter().map(|tile| (tile.id, tile.data)).collect();
    assert_eq!(TileBuilder::load(&head, &Store(&store)).unwrap(), builder);
    let edge = ["tile/0/273.p/112", "tile/0/272", "tile/1/001.p/17", "tile/1/000", "tile/2/000.p/1"];
    for path in edge {
        let id: TileId = path.parse().unwrap();
        for byte in [0, store[&id].len() - 1] {
            let mut damaged = store.clone();
            damaged.get_mut(&id).unwrap()[byte] ^= 1;
            assert!(TileBuilder::load(&head, &Store(&damaged)).is_err(), "{path} byte {byte}");
        }
        let mut short = store.clone();
        short.get_mut(&id).unwrap().pop();
        let error = TileBuilder::load(&head, &Store(&short)).unwrap_err();
        assert!(matches!(error, tlog::LoadError::Malformed { id: found, .. } if found == id), "{error}");
        let mut missing = store.clone();
        missing.remove(&id);
        let error = TileBuilder::load(&head, &Store(&missing)).unwrap_err();
        assert_eq!(error, tlog::LoadError::Tile { id, source: id });
    }
    let other = TreeHead { root: leaf_hash(b"x"), ..head };
    assert!(matches!(TileBuilder::load(&other, &Store(&store)), Err(tlog::LoadError::RootMismatch { .. })));
}
