//! Positions and sizes in a tree, kept apart so that they cannot be swapped.

use std::fmt;
use std::str::FromStr;

use crate::encoding::{DecimalError, parse_decimal};
use crate::hash::Hash;

/// The zero-based position of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

/// The number of leaves of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(u64);

/// Size and root of a tree. Says nothing about who vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// The number of leaves.
    pub size: TreeSize,
    /// The RFC 6962 root hash over them.
    pub root: Hash,
}

impl LeafIndex {
    /// The leaf at `index`.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The index as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TreeSize {
    /// The size of the empty tree.
    pub const ZERO: Self = Self(0);

    /// The largest size that a checkpoint may state: other implementations count in signed 64-bit integers, and
    /// the 63 hashes that C2SP allows in a proof reach no further.
    pub const MAX_CHECKPOINT: Self = Self((1 << 63) - 1);

    /// A tree of `size` leaves.
    pub const fn new(size: u64) -> Self {
        Self(size)
    }

    /// The number of leaves.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LeafIndex {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_decimal(text).map(Self)
    }
}

impl FromStr for TreeSize {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_decimal(text).map(Self)
    }
}
