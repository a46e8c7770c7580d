//! Entry bundles, C2SP `tlog-tiles` ("Log entries") at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! bundle = 1*256( u16 big-endian length || entry )
//! ```

use crate::hash::{Hash, leaf_hash};
use crate::tile::{BundleId, TILE_WIDTH};

/// Bytes in the longest entry.
pub const MAX_ENTRY_LEN: usize = 0xffff;

/// Up to 256 consecutive entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryBundle {
    entries: Vec<Vec<u8>>,
}

/// Why bytes are not the entry bundle that was asked for, or an entry does not fit one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bytes end inside a length prefix.
    #[error("The entry bundle ends inside the length of entry {entry}.")]
    TruncatedLength {
        /// Position of the entry in the bundle, from 0.
        entry: usize,
    },
    /// The bytes end inside an entry.
    #[error("The entry bundle ends inside entry {entry}: {found} of {expected} bytes are there.")]
    TruncatedEntry {
        /// Position of the entry in the bundle, from 0.
        entry: usize,
        /// Bytes that are there.
        found: usize,
        /// Bytes that the length prefix promises.
        expected: usize,
    },
    /// Entries are missing.
    #[error("The entry bundle has {found} entries instead of {expected}.")]
    TooFewEntries {
        /// Entries found.
        found: usize,
        /// The bundle's width.
        expected: usize,
    },
    /// Bytes follow the last entry.
    #[error("The entry bundle has {found} bytes after its last entry.")]
    TrailingBytes {
        /// Bytes left over.
        found: usize,
    },
    /// An entry is longer than its length prefix can say.
    #[error("The entry has {found} bytes; at most {MAX_ENTRY_LEN} are allowed.")]
    EntryTooLong {
        /// Bytes in the entry.
        found: usize,
    },
    /// The bundle has 256 entries already.
    #[error("The entry bundle is full.")]
    Full,
}

impl EntryBundle {
    /// A bundle without entries, to be filled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the bundle at `id`, which must have exactly that many entries. Their hashes are not checked: compare
    /// [`EntryBundle::leaf_hashes`] with the tile of level 0.
    pub fn parse(id: BundleId, data: &[u8]) -> Result<Self, BundleError> {
        let expected = usize::from(id.width());
        let mut entries = Vec::with_capacity(expected);
        let mut rest = data;
        while entries.len() < expected {
            let entry = entries.len();
            if rest.is_empty() {
                return Err(BundleError::TooFewEntries { found: entry, expected });
            }
            let (length, tail) =
                rest.split_first_chunk::<2>().ok_or(BundleError::TruncatedLength { entry })?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (bytes, tail) = tail.split_at_checked(length).ok_or(BundleError::TruncatedEntry {
                entry,
                found: tail.len(),
                expected: length,
            })?;
            entries.push(bytes.to_vec());
            rest = tail;
        }
        if !rest.is_empty() {
            return Err(BundleError::TrailingBytes { found: rest.len() });
        }
        Ok(Self { entries })
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: Vec<u8>) -> Result<(), BundleError> {
        if entry.len() > MAX_ENTRY_LEN {
            return Err(BundleError::EntryTooLong { found: entry.len() });
        }
        if self.entries.len() == usize::from(TILE_WIDTH) {
            return Err(BundleError::Full);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// The entries in order.
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    /// The leaf hashes of the entries: the tile of level 0 with the same index and width.
    pub fn leaf_hashes(&self) -> impl Iterator<Item = Hash> + '_ {
        self.entries.iter().map(|entry| leaf_hash(entry))
    }

    /// The bytes that [`EntryBundle::parse`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.entries.iter().map(|entry| entry.len() + 2).sum());
        for entry in &self.entries {
            // invariant: `push` and `parse` bound the length; a longer entry cannot be in here.
            let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(entry);
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(width: u16) -> BundleId {
        BundleId::new(0, width).unwrap()
    }

    #[test]
    fn round_trip() {
        let mut bundle = EntryBundle::new();
        for entry in [vec![], vec![1, 2, 3], vec![0; MAX_ENTRY_LEN]] {
            bundle.push(entry).unwrap();
        }
        let data = bundle.encode();
        assert_eq!(data[..7], [0, 0, 0, 3, 1, 2, 3]);
        assert_eq!(EntryBundle::parse(id(3), &data), Ok(bundle.clone()));
        assert_eq!(bundle.leaf_hashes().nth(1), Some(leaf_hash(&[1, 2, 3])));
    }

    #[test]
    fn malformed_bundles() {
        use BundleError as E;
        let cases: [(u16, &[u8], E); 7] = [
            (1, &[], E::TooFewEntries { found: 0, expected: 1 }),
            (2, &[0, 1, 9], E::TooFewEntries { found: 1, expected: 2 }),
            (1, &[0], E::TruncatedLength { entry: 0 }),
            (2, &[0, 1, 9, 0], E::TruncatedLength { entry: 1 }),
            (1, &[0, 2, 9], E::TruncatedEntry { entry: 0, found: 1, expected: 2 }),
            (1, &[0xff, 0xff], E::TruncatedEntry { entry: 0, found: 0, expected: 65_535 }),
            (1, &[0, 1, 9, 0, 0], E::TrailingBytes { found: 2 }),
        ];
        for (width, data, error) in cases {
            assert_eq!(EntryBundle::parse(id(width), data), Err(error), "{data:?}");
        }
    }

    #[test]
    fn limits() {
        let mut bundle = EntryBundle::new();
        let found = MAX_ENTRY_LEN + 1;
        assert_eq!(bundle.push(vec![0; found]), Err(BundleError::EntryTooLong { found }));
        for _ in 0..256 {
            bundle.push(vec![]).unwrap();
        }
        assert_eq!(bundle.push(vec![]), Err(BundleError::Full));
        assert_eq!(EntryBundle::parse(id(256), &bundle.encode()), Ok(bundle));
    }
}
