//! Inclusion and consistency proofs, RFC 6962 §2.1.1 and §2.1.2, verified by the algorithms of RFC 9162 §2.1.3.2
//! and §2.1.4.2.

use crate::hash::{Hash, empty_root, node_hash};
use crate::tree::{LeafIndex, TreeHead, TreeSize};

/// The most hashes in a proof: C2SP `tlog-witness` allows 63, and trees of up to 2^63 leaves need no more.
pub const MAX_PROOF_HASHES: usize = 63;

/// The hashes that lead from a leaf to the root, sibling of the leaf first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof(Vec<Hash>);

/// The hashes that show one tree to be the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof(Vec<Hash>);

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// More hashes than any tree needs.
    #[error("The proof has {found} hashes; at most {MAX_PROOF_HASHES} are possible.")]
    TooManyHashes {
        /// How many there were.
        found: usize,
    },
    /// The leaf lies outside the tree.
    #[error("The leaf index {index} lies outside the tree of size {size}.")]
    IndexOutOfTree {
        /// The index claimed.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The old tree is larger than the new one.
    #[error("The old tree has {old} leaves, more than the {new} of the new tree.")]
    SizesReversed {
        /// Leaves in the old tree.
        old: TreeSize,
        /// Leaves in the new tree.
        new: TreeSize,
    },
    /// Hashes are missing.
    #[error("The proof ends before it reaches the root.")]
    TooShort,
    /// Hashes are left over.
    #[error("The proof goes on after it has reached the root.")]
    TooLong,
    /// An inclusion proof leads to another root: leaf, index, a hash or the root is not the right one.
    #[error("The inclusion proof leads to a different root hash.")]
    RootMismatch,
    /// A consistency proof leads to another new root. It says nothing about the old one: any hashes can do this, and where the old
    /// size is a power of two, whose root is no part of the proof, so does a fork.
    #[error("The consistency proof leads to a different root hash for the new tree.")]
    NewRootMismatch,
    /// A consistency proof leads to the new root, so its hashes are that tree's own, and to another old root: the old root is
    /// not that of a beginning of the new tree. If one log has signed both, it has forked.
    #[error("The consistency proof leads to the new root hash, and to a different one for the old tree.")]
    OldRootMismatch,
    /// Two heads of the same size have different roots: the log has forked.
    #[error("Two trees of the same size have different root hashes.")]
    Fork,
    /// A tree without leaves whose root is not the hash of the empty string.
    #[error("The root hash given for a tree of size 0 is not that of the empty tree.")]
    EmptyTreeRoot,
}

fn bounded(hashes: Vec<Hash>) -> Result<Vec<Hash>, ProofError> {
    if hashes.len() > MAX_PROOF_HASHES {
        return Err(ProofError::TooManyHashes { found: hashes.len() });
    }
    Ok(hashes)
}

fn lsb(n: u64) -> bool {
    n & 1 == 1
}

impl InclusionProof {
    /// A proof of at most [`MAX_PROOF_HASHES`] hashes.
    pub fn new(hashes: Vec<Hash>) -> Result<Self, ProofError> {
        bounded(hashes).map(Self)
    }

    /// The hashes, sibling of the leaf first.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Checks that `leaf`, a leaf hash, is at `index` in the tree of `head`. Steps as in RFC 9162 §2.1.3.2.
    pub fn verify(&self, leaf: &Hash, index: LeafIndex, head: &TreeHead) -> Result<(), ProofError> {
        // 1. If leaf_index is greater than or equal to tree_size, then fail.
        if index.get() >= head.size.get() {
            return Err(ProofError::IndexOutOfTree { index, size: head.size });
        }
        // 2. Set fn to leaf_index and sn to tree_size - 1.
        let (mut f, mut s) = (index.get(), head.size.get() - 1);
        // 3. Set r to hash.
        let mut r = *leaf;
        // 4. For each value p in the inclusion_path array:
        for p in &self.0 {
            // a. If sn is 0, then stop the iteration and fail.
            if s == 0 {
                return Err(ProofError::TooLong);
            }
            // b. If LSB(fn) is set, or if fn is equal to sn, then:
            if lsb(f) || f == s {
                // i. Set r to HASH(0x01 || p || r).
                r = node_hash(p, &r);
                // ii. If LSB(fn) is not set, right-shift both until LSB(fn) is set or fn is 0.
                while !lsb(f) && f != 0 {
                    f >>= 1;
                    s >>= 1;
                }
            } else {
                // Otherwise, set r to HASH(0x01 || r || p).
                r = node_hash(&r, p);
            }
            // c. Right-shift both fn and sn one time.
            f >>= 1;
            s >>= 1;
        }
        // 5. Compare sn to 0, and r against the root_hash.
        if s != 0 {
            return Err(ProofError::TooShort);
        }
        if r != head.root {
            return Err(ProofError::RootMismatch);
        }
        Ok(())
    }
}

impl ConsistencyProof {
    /// A proof of at most [`MAX_PROOF_HASHES`] hashes.
    pub fn new(hashes: Vec<Hash>) -> Result<Self, ProofError> {
        bounded(hashes).map(Self)
    }

    /// The proof from the empty tree, or from a tree to itself.
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The hashes, in the order of RFC 6962 §2.1.2.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Checks that the tree of `old` is the beginning of the tree of `new`. From the empty tree and between equal
    /// sizes the proof must be empty (C2SP `tlog-witness`); otherwise the steps are those of RFC 9162 §2.1.4.2.
    pub fn verify(&self, old: &TreeHead, new: &TreeHead) -> Result<(), ProofError> {
        if old.size > new.size {
            return Err(ProofError::SizesReversed { old: old.size, new: new.size });
        }
        for head in [old, new] {
            if head.size == TreeSize::ZERO && head.root != empty_root() {
                return Err(ProofError::EmptyTreeRoot);
            }
        }
        if old.size == new.size || old.size == TreeSize::ZERO {
            if !self.0.is_empty() {
                return Err(ProofError::TooLong);
            }
            return if old.size == new.size && old.root != new.root { Err(ProofError::Fork) } else { Ok(()) };
        }
        self.verify_growth(old, new)
    }

    /// The case `0 < old.size < new.size`.
    fn verify_growth(&self, old: &TreeHead, new: &TreeHead) -> Result<(), ProofError> {
        let mut path = self.0.iter();
        // 1. If consistency_path is an empty array, stop and fail.
        // 2. If first is an exact power of 2, then prepend first_hash to the consistency_path array.
        // 5. (below) Set both fr and sr to the first value in the consistency_path array.
        let seed = match path.next() {
            None => return Err(ProofError::TooShort),
            Some(_) if old.size.get().is_power_of_two() => {
                path = self.0.iter();
                old.root
            }
            Some(first) => *first,
        };
        // 3. Set fn to first - 1 and sn to second - 1.
        let (mut f, mut s) = (old.size.get() - 1, new.size.get() - 1);
        // 4. If LSB(fn) is set, then right-shift both fn and sn equally until LSB(fn) is not set.
        while lsb(f) {
            f >>= 1;
            s >>= 1;
        }
        let (mut fr, mut sr) = (seed, seed);
        // 6. For each subsequent value c in the consistency_path array:
        for c in path {
            // a. If sn is 0, stop the iteration and fail.
            if s == 0 {
                return Err(ProofError::TooLong);
            }
            // b. If LSB(fn) is set, or if fn is equal to sn, then:
            if lsb(f) || f == s {
                // i. and ii. Set fr to HASH(0x01 || c || fr), and sr to HASH(0x01 || c || sr).
                fr = node_hash(c, &fr);
                sr = node_hash(c, &sr);
                // iii. If LSB(fn) is not set, right-shift both until LSB(fn) is set or fn is 0.
                while !lsb(f) && f != 0 {
                    f >>= 1;
                    s >>= 1;
                }
            } else {
                // Otherwise, set sr to HASH(0x01 || sr || c).
                sr = node_hash(&sr, c);
            }
            // c. Right-shift both fn and sn one time.
            f >>= 1;
            s >>= 1;
        }
        // 7. Verify that fr equals first_hash, that sr equals second_hash, and that sn is 0.
        if s != 0 {
            return Err(ProofError::TooShort);
        }
        // sr first: only hashes that lead to the new root are known to be that tree's own.
        if sr != new.root {
            return Err(ProofError::NewRootMismatch);
        }
        if fr != old.root {
            return Err(ProofError::OldRootMismatch);
        }
        Ok(())
    }
}
