//! Statements: `docs/spec/statement.md`. One file a payload kind; the envelope is in `envelope.rs`.
//!
//! A [`Statement`] is well formed and says who *claims* to have signed it; only a [`VerifiedStatement`] was signed by
//! the key that it was checked with.

mod chain_head;
mod codes;
mod deposit;
mod end;
mod enrol;
mod envelope;
mod event;
mod fingerprint;
mod registry;
mod revoke;
mod segment;
mod self_check;
mod start;
mod track;
pub(crate) mod value;

use std::fmt;
use std::sync::Arc;

pub use chain_head::ChainHead;
pub use deposit::Deposit;
pub use end::{End, EndReason};
pub use enrol::{Enrol, Role};
pub use envelope::StatementError;
pub use event::{Event, EventKind};
pub use fingerprint::Fingerprint;
pub use registry::Registry;
pub use revoke::{RevocationReason, Revoke};
pub use segment::{Segment, Timeline};
pub use self_check::{ClockSource, SelfCheck};
pub use start::Start;
pub use track::{AudioFormat, Edit, Track, TrackKind};
pub use value::{Percent, PercentError};

use crate::entry::EntryKind;
use crate::ids::{Digest, KeyDigest, RecordingId, Sequence};
use crate::key::{DeviceKey, PublicKey};

/// The kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementKind {
    /// A registrar enrols a key.
    Enrol,
    /// A registrar revokes a key.
    Revoke,
    /// A registrar's snapshot of all revoked keys.
    Registry,
    /// A recording begins.
    Start,
    /// A segment of a recording.
    Segment,
    /// A recording is complete.
    End,
    /// A finished file.
    Deposit,
}

impl StatementKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Enrol, Self::Revoke, Self::Registry, Self::Start, Self::Segment, Self::End, Self::Deposit];

    /// Its name in the design and in the media type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Revoke => "revoke",
            Self::Registry => "registry",
            Self::Start => "start",
            Self::Segment => "segment",
            Self::End => "end",
            Self::Deposit => "deposit",
        }
    }
}

impl fmt::Display for StatementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A registrar enrols a key.
    Enrol(Enrol),
    /// A registrar revokes a key.
    Revoke(Revoke),
    /// A registrar's snapshot of all revoked keys.
    Registry(Registry),
    /// A recording begins.
    Start(Start),
    /// A segment of a recording.
    Segment(Segment),
    /// A recording is complete.
    End(End),
    /// A finished file.
    Deposit(Deposit),
}

impl Payload {
    /// Its kind.
    pub const fn kind(&self) -> StatementKind {
        match self {
            Self::Enrol(_) => StatementKind::Enrol,
            Self::Revoke(_) => StatementKind::Revoke,
            Self::Registry(_) => StatementKind::Registry,
            Self::Start(_) => StatementKind::Start,
            Self::Segment(_) => StatementKind::Segment,
            Self::End(_) => StatementKind::End,
            Self::Deposit(_) => StatementKind::Deposit,
        }
    }

    /// The kind of entry that seals it. Enrolments of accounts are private: they concern persons.
    pub const fn entry_kind(&self) -> EntryKind {
        match self {
            Self::Enrol(Enrol { role: Role::Device, .. }) | Self::Revoke(_) | Self::Registry(_) => {
                EntryKind::Registry
            }
            Self::Enrol(_) | Self::Start(_) | Self::Segment(_) | Self::End(_) | Self::Deposit(_) => {
                EntryKind::Evidence
            }
        }
    }

    /// The recording or deposit that it belongs to; none for statements of the registry.
    pub const fn recording(&self) -> Option<RecordingId> {
        match self {
            Self::Enrol(_) | Self::Revoke(_) | Self::Registry(_) => None,
            Self::Start(start) => Some(start.recording),
            Self::Segment(segment) => Some(segment.recording),
            Self::End(end) => Some(end.recording),
            Self::Deposit(deposit) => Some(deposit.recording),
        }
    }

    /// Its place in the recording; none for statements of the registry.
    pub const fn sequence(&self) -> Option<Sequence> {
        match self {
            Self::Enrol(_) | Self::Revoke(_) | Self::Registry(_) => None,
            Self::Start(_) | Self::Deposit(_) => Some(Sequence::START),
            Self::Segment(segment) => Some(segment.sequence),
            Self::End(end) => Some(end.sequence),
        }
    }

    /// Statement digest of the statement before it in the recording.
    pub const fn previous(&self) -> Option<Digest> {
        match self {
            Self::Segment(segment) => Some(segment.previous),
            Self::End(end) => Some(end.previous),
            _ => None,
        }
    }

    /// SHA-256 of the first 64 KiB of the file, where the statement says it.
    pub const fn head(&self) -> Option<Digest> {
        match self {
            Self::Segment(segment) => segment.head,
            Self::End(end) => end.head,
            Self::Deposit(deposit) => Some(deposit.head),
            _ => None,
        }
    }

    /// The commitment to the position, where there is one.
    pub const fn position(&self) -> Option<Digest> {
        match self {
            Self::Start(start) => start.position,
            Self::Segment(segment) => segment.position,
            Self::Deposit(deposit) => deposit.position,
            _ => None,
        }
    }
}

/// A well-formed statement. **Unverified**: who signed it is a claim until [`Statement::verify`]. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    bytes: Vec<u8>,
    digest: Digest,
    kid: KeyDigest,
    payload: Payload,
    signature: [u8; 64],
}

/// The signature of a statement is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The statement names another key.
    #[error("The statement names the key {named}, not {given}.")]
    OtherKey {
        /// The `kid` of the statement.
        named: KeyDigest,
        /// The key that was to verify it.
        given: KeyDigest,
    },
    /// The signature does not verify.
    #[error("The signature of the statement does not verify.")]
    Invalid,
}

impl Statement {
    /// Parses the bytes of one statement.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let envelope = envelope::parse(bytes)?;
        Ok(Self(Arc::new(Parts {
            digest: Digest::of(bytes),
            bytes: bytes.to_vec(),
            kid: envelope.kid,
            payload: envelope.payload,
            signature: envelope.signature,
        })))
    }

    /// Signs `payload`. An error means that it says something the specification does not allow, such as a device id
    /// of 65 bytes: what is signed here is parsed first, so nothing is signed that a verifier would refuse.
    pub fn sign(payload: &Payload, key: &DeviceKey) -> Result<Self, StatementError> {
        Self::parse(&envelope::seal(payload, key))
    }

    /// The received bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// SHA-256 of the received bytes, signature included.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The key that it claims to be signed by.
    pub fn kid(&self) -> KeyDigest {
        self.0.kid
    }

    /// Its kind.
    pub fn kind(&self) -> StatementKind {
        self.0.payload.kind()
    }

    /// What it says. Unverified: good for finding keys and records, for nothing else.
    pub fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// Checks the signature, strictly.
    pub fn verify(&self, key: &PublicKey) -> Result<VerifiedStatement, SignatureError> {
        let given = KeyDigest::of(key);
        if given != self.0.kid {
            return Err(SignatureError::OtherKey { named: self.0.kid, given });
        }
        let message = envelope::signed_bytes(&self.0.bytes).ok_or(SignatureError::Invalid)?;
        if !key.verifies(&message, &self.0.signature) {
            return Err(SignatureError::Invalid);
        }
        Ok(VerifiedStatement { statement: self.clone(), key: *key })
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("digest", &self.0.digest)
            .field("kid", &self.0.kid)
            .field("payload", &self.0.payload)
            .finish_non_exhaustive()
    }
}

/// A statement whose signature was checked. It says nothing about whether the key may be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedStatement {
    statement: Statement,
    key: PublicKey,
}

impl VerifiedStatement {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// What it says.
    pub fn payload(&self) -> &Payload {
        self.statement.payload()
    }

    /// SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        self.statement.digest()
    }

    /// The key that signed it.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}
