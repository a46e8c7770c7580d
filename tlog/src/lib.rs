//! The C2SP transparency-log formats and the RFC 6962 proofs.
//!
//! Every module implements one specification, as published by C2SP at commit
//! `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`; `docs/spec/log.md` lists them together with the limits this
//! implementation adds. The crate does no I/O, reads no clock, draws no randomness, and knows nothing of video.
//!
//! | module | specification |
//! | --- | --- |
//! | [`hash`], [`root`], [`proof`] | RFC 6962 §2.1, RFC 9162 §2.1 |
//! | [`key`], [`note`] | C2SP `signed-note` |
//! | [`checkpoint`] | C2SP `tlog-checkpoint` |
//! | [`cosignature`] | C2SP `tlog-cosignature`, the Ed25519 type |
//! | [`policy`], [`verified`] | C2SP `tlog-policy` |
//! | [`tile`], [`bundle`], [`tile_reader`], [`tile_builder`] | C2SP `tlog-tiles` |
//! | [`tlog_proof`] | C2SP `tlog-proof` |
//! | [`add_checkpoint`] | C2SP `tlog-witness`, the wire form of `add-checkpoint` |
//!
//! What was only parsed and what was verified are different types: a [`SignedNote`], a [`Checkpoint`] or a
//! [`TlogProof`] says nothing about who wrote it; a [`VerifiedCheckpoint`] or a [`VerifiedInclusion`] can only be
//! had from the function that checks it.

pub mod add_checkpoint;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod hash;
pub mod key;
pub mod note;
pub mod policy;
pub mod proof;
pub mod root;
pub mod tile;
pub mod tile_builder;
pub mod tile_reader;
pub mod tlog_proof;
pub mod tree;
pub mod verified;

mod encoding;

pub use add_checkpoint::{AddCheckpoint, AddCheckpointError};
pub use bundle::{BundleError, EntryBundle};
pub use checkpoint::{Checkpoint, CheckpointParseError};
pub use cosignature::CosignatureError;
pub use encoding::DecimalError;
pub use hash::{Hash, HashParseError, empty_root, leaf_hash, node_hash};
pub use key::{KeyAlgorithm, KeyError, KeyId, KeyName, SigningKey, VerifierKey};
pub use note::{NoteError, NoteSignature, SignedNote, VerifiedSignature, sign_note, sign_text};
pub use policy::{Policy, PolicyError, PolicyLog, PolicyName, PolicyWitness, Quorum, QuorumRule};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use root::{RootBuilder, root_of};
pub use tile::{BundleId, TileError, TileId, bundles_between, tiles_between};
pub use tile_builder::{LoadError, Tile, TileBuilder};
pub use tile_reader::{Growth, HashReader, ReadError};
pub use tlog_proof::{TlogProof, TlogProofError, VerifiedInclusion};
pub use tree::{LeafIndex, TreeHead, TreeSize};
pub use verified::{
    CheckpointError, Cosignature, LogSignedCheckpoint, VerifiedCheckpoint, WitnessedCheckpoint,
};
