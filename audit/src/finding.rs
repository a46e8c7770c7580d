//! What can be wrong with a chain.

use serde::Serialize;

/// The kind of a finding; stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// An entry is none of this version.
    MalformedEntry,
    /// The entries do not make the tree whose root was signed.
    WrongTree,
    /// Two roots that the log has signed, or that it has signed and the trust file names, cannot both be true.
    Forked,
    /// The chain is smaller than one that was verified before, although witnesses of that one cosigned it later.
    Shrunk,
    /// What is published is smaller than what was verified before, and was not cosigned later: a mirror that is behind, an old copy, or
    /// a chain that was set back.
    Stale,
    /// The service did not show that its chain is the one that a witness has cosigned.
    Unconnected,
    /// The chain has grown although the trust file says that it was closed.
    BeyondClosed,
    /// No archived checkpoint covers the newest entries, so that they have no proven sealing time.
    ArchiveMissing,
    /// The archive is not in order, or not readable.
    ArchiveMalformed,
    /// An archived checkpoint does not satisfy a policy of the trust file in its window.
    ArchiveUntrusted,
    /// An entry's sealed-at is smaller than that of the entry before it.
    TimeGoesBack,
    /// An entry's sealed-at lies later than a quorum had cosigned it.
    SealedTooLate,
    /// The statement behind an entry of the device registry is not given out.
    Withheld,
    /// What is given out is not the statement of the entry.
    WrongStatement,
    /// The statement is none, or belongs to another kind of entry.
    MalformedStatement,
    /// The statement is signed by nobody whom the trust file names.
    UnknownRegistrar,
    /// The registrar was not valid when the statement was sealed.
    RegistrarNotValidThen,
    /// The signature does not verify.
    BadSignature,
    /// A snapshot does not list a key that was revoked before.
    SnapshotIncomplete,
    /// A snapshot lists a key that no entry before it revokes.
    SnapshotUnexplained,
}

impl Code {
    /// Whether this only says that something could not be found out.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Stale | Self::Unconnected)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind.
    pub code: Code,
    /// The entry that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The tree size that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What is wrong, as a sentence.
    pub sentence: String,
    /// The signed notes that prove it, where notes do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Finding {
    /// A finding about an entry.
    pub fn entry(code: Code, index: tlog::LeafIndex, sentence: impl Into<String>) -> Self {
        Self { code, index: Some(index.get()), size: None, sentence: sentence.into(), notes: Vec::new() }
    }

    /// A finding about a tree.
    pub fn tree(code: Code, size: tlog::TreeSize, sentence: impl Into<String>) -> Self {
        Self { code, index: None, size: Some(size.get()), sentence: sentence.into(), notes: Vec::new() }
    }

    /// The same with a note that proves it.
    #[must_use]
    pub fn with_note(mut self, note: &[u8]) -> Self {
        self.notes.push(String::from_utf8_lossy(note).into_owned());
        self
    }
}
