//! The Merkle tree hash of leaves that arrive one by one, RFC 6962 §2.1.

use crate::hash::{Hash, empty_root, node_hash};
use crate::tree::TreeSize;

/// Computes a root in O(log n) memory.
///
/// Holds the roots of the complete subtrees that the leaves so far fall into, largest first: one per set bit of
/// the size.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
    subtrees: Vec<Hash>,
    size: u64,
}

impl RootBuilder {
    /// A builder for an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the hash of the next leaf ([`crate::leaf_hash`]).
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one bit of the old size is a complete subtree as large as the one just finished.
        for _ in 0..self.size.trailing_ones() {
            // invariant: there is one subtree per set bit of `size`.
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        // invariant: nobody hashes 2^64 leaves, and overflow checks are on in every profile.
        self.size += 1;
    }

    /// The number of leaves pushed.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The root over the leaves pushed so far; [`empty_root`] if there is none.
    pub fn root(&self) -> Hash {
        self.fold(None).unwrap_or_else(empty_root)
    }

    /// The root with `tail`, the root of a tree smaller than any of ours, to the right of our leaves.
    pub(crate) fn fold(&self, tail: Option<Hash>) -> Option<Hash> {
        self.subtrees.iter().rev().fold(tail, |right, left| match right {
            Some(right) => Some(node_hash(left, &right)),
            None => Some(*left),
        })
    }
}

impl Extend<Hash> for RootBuilder {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

/// The root over leaf hashes in memory.
pub fn root_of(leaf_hashes: impl IntoIterator<Item = Hash>) -> Hash {
    let mut builder = RootBuilder::new();
    builder.extend(leaf_hashes);
    builder.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    // RFC 6962 §2.1 as it is written: recursive, split at the largest power of two below n.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
            }
        }
    }

    #[test]
    fn equals_the_definition_at_every_size() {
        let leaves: Vec<Hash> = (0u32..520).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let mut builder = RootBuilder::new();
        for n in 0..=leaves.len() {
            assert_eq!(builder.root(), mth(&leaves[..n]), "size {n}");
            assert_eq!(builder.size().get(), n as u64);
            assert!(builder.subtrees.len() <= 10);
            if let Some(leaf) = leaves.get(n) {
                builder.push(*leaf);
            }
        }
        assert_eq!(root_of(leaves.iter().copied()), mth(&leaves));
    }

    // The tree of the certificate-transparency reference tests.
    #[test]
    fn reference_tree() {
        let leaves: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        assert_eq!(
            root_of(leaves.iter().map(|l| leaf_hash(l))).to_string(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }
}
