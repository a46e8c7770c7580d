//! SHA-256 hashes of the Merkle tree, RFC 6962 §2.1.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::encoding;

/// A SHA-256 value: of a leaf, of an interior node, or the root of a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Hash::LEN]);

/// Text is not the base64, or the hex, of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashParseError {
    /// Not the canonical RFC 4648 §4 base64 of 32 bytes.
    #[error("A hash must be the base64 encoding of exactly 32 bytes, with canonical padding.")]
    Base64,
    /// Not 64 lowercase hexadecimal digits.
    #[error("A hash in hexadecimal must be exactly 64 lowercase digits.")]
    Hex,
}

impl Hash {
    /// Bytes in a hash.
    pub const LEN: usize = 32;

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The standard base64 of the bytes, 44 characters, as checkpoints and proofs carry it.
    pub fn to_base64(&self) -> String {
        encoding::to_base64(&self.0)
    }

    /// Reads what [`Hash::to_base64`] writes, and no other spelling of it.
    pub fn from_base64(text: &str) -> Result<Self, HashParseError> {
        encoding::array_from_base64(text).map(Self).ok_or(HashParseError::Base64)
    }

    /// Plain SHA-256 of `data`, without the domain separation of tree hashes.
    pub(crate) fn sha256(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashParseError;

    /// Reads the lowercase hexadecimal form that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; Self::LEN];
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(HashParseError::Hex);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HashParseError::Hex)?;
        Ok(Self(bytes))
    }
}

impl From<[u8; Hash::LEN]> for Hash {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The hash of a leaf, `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut state = Sha256::new();
    state.update([0]);
    state.update(entry);
    Hash(state.finalize().into())
}

/// The hash of an interior node, `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut state = Sha256::new();
    state.update([1]);
    state.update(left.0);
    state.update(right.0);
    Hash(state.finalize().into())
}

/// The root of the empty tree, `SHA-256()`.
pub fn empty_root() -> Hash {
    Hash::sha256(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6962's own test values, as in the certificate-transparency reference implementation.
    #[test]
    fn known_values() {
        assert_eq!(
            empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            leaf_hash(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            node_hash(&leaf_hash(b""), &leaf_hash(&[0])).to_string(),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
    }

    #[test]
    fn a_leaf_is_not_a_node() {
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let both = [a.as_ref(), b.as_ref()].concat();
        assert_ne!(leaf_hash(&both), node_hash(&a, &b));
    }

    #[test]
    fn text_forms_round_trip_and_are_strict() {
        let hash = leaf_hash(b"text");
        assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let upper = hash.to_string().to_uppercase();
        assert_eq!(upper.parse::<Hash>(), Err(HashParseError::Hex));
        assert_eq!(hash.to_string()[1..].parse::<Hash>(), Err(HashParseError::Hex));
        assert_eq!(Hash::from_base64(&hash.to_base64()[..43]), Err(HashParseError::Base64));
        assert_eq!(Hash::from_base64(&encoding::to_base64(&[0; 31])), Err(HashParseError::Base64));
    }
}
