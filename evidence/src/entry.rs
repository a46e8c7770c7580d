//! Entries: what the chain holds, 42 public bytes for each statement (`docs/spec/log.md`).
//!
//! ```text
//! version 1 byte 01 ‖ kind 1 byte ‖ sealed-at 8 bytes, big-endian seconds ‖ statement digest 32 bytes
//! ```

use crate::ids::Digest;
use crate::statement::Statement;
use crate::time::UnixSeconds;

const ENTRY_VERSION: u8 = 1;

/// Who may see the statement behind an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// Evidence: only holders of the file, and those it concerns.
    Evidence = 0,
    /// The device registry: everybody.
    Registry = 1,
}

/// One entry of the notary chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Who may see the statement.
    pub kind: EntryKind,
    /// When the operator says that it sealed the statement; never decreasing along the chain.
    pub sealed_at: UnixSeconds,
    /// The statement digest.
    pub statement: Digest,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not 42 bytes.
    #[error("An entry has 42 bytes, not {0}.")]
    Length(usize),
    /// A version that this program does not know.
    #[error("The entry has the unknown version {0}.")]
    Version(u8),
    /// A kind that this program does not know.
    #[error("The entry has the unknown kind {0}.")]
    Kind(u8),
}

impl Entry {
    /// Length of every entry in bytes.
    pub const LEN: usize = 42;

    /// The entry that seals `statement` at `sealed_at`.
    pub fn sealing(statement: &Statement, sealed_at: UnixSeconds) -> Self {
        Self { kind: statement.payload().entry_kind(), sealed_at, statement: statement.digest() }
    }

    /// The bytes in the chain.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = ENTRY_VERSION;
        bytes[1] = self.kind as u8;
        bytes[2..10].copy_from_slice(&self.sealed_at.get().to_be_bytes());
        bytes[10..].copy_from_slice(self.statement.as_bytes());
        bytes
    }

    /// Parses the bytes in the chain.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| EntryError::Length(bytes.len()))?;
        if bytes[0] != ENTRY_VERSION {
            return Err(EntryError::Version(bytes[0]));
        }
        let kind = match bytes[1] {
            0 => EntryKind::Evidence,
            1 => EntryKind::Registry,
            other => return Err(EntryError::Kind(other)),
        };
        let mut sealed_at = [0; 8];
        sealed_at.copy_from_slice(&bytes[2..10]);
        let mut statement = [0; 32];
        statement.copy_from_slice(&bytes[10..]);
        Ok(Self {
            kind,
            sealed_at: UnixSeconds::new(u64::from_be_bytes(sealed_at)),
            statement: Digest::from_bytes(statement),
        })
    }

    /// The RFC 6962 leaf hash.
    pub fn leaf_hash(&self) -> tlog::Hash {
        tlog::leaf_hash(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_one_form_and_no_other_parses() {
        let entry = Entry {
            kind: EntryKind::Registry,
            sealed_at: UnixSeconds::new(0x0102_0304),
            statement: Digest::of(b"x"),
        };
        let bytes = entry.to_bytes();
        assert_eq!(bytes[..10], [1, 1, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(Entry::parse(&bytes), Ok(entry));
        assert_eq!(Entry::parse(&bytes[1..]), Err(EntryError::Length(41)));
        for (at, error) in [(0, EntryError::Version(9)), (1, EntryError::Kind(9))] {
            let mut wrong = bytes;
            wrong[at] = 9;
            assert_eq!(Entry::parse(&wrong), Err(error));
        }
    }
}
