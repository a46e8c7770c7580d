//! Timestamped Ed25519 cosignatures of checkpoints, C2SP `tlog-cosignature` at commit
//! `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! signature bytes = u64 big-endian timestamp || 64-byte Ed25519 signature
//! signed message  = "cosignature/v1" LF "time " <timestamp> LF <checkpoint body>
//! ```
//!
//! Stricter than the specification: a timestamp of zero, which states no time, is refused, because the sealing time
//! of evidence is derived from it. Out of scope: the ML-DSA-44 type and subtrees.

use crate::checkpoint::{Checkpoint, CheckpointParseError};
use crate::key::{KeyAlgorithm, KeyName, SigningKey, VerifierKey};
use crate::note::NoteSignature;

/// The latest timestamp that the specification allows.
pub const MAX_TIMESTAMP: u64 = i64::MAX.unsigned_abs();

const SIGNATURE_LEN: usize = 8 + 64;

/// Why a cosignature cannot be made or does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignatureError {
    /// The signature has the wrong length.
    #[error("The cosignature has {found} bytes; a timestamp and an Ed25519 signature have {SIGNATURE_LEN}.")]
    Length {
        /// Bytes after the key id.
        found: usize,
    },
    /// The timestamp is zero: no time is stated.
    #[error("The cosignature states no time: its timestamp is zero.")]
    NoTime,
    /// The timestamp is above [`MAX_TIMESTAMP`].
    #[error("The cosignature's timestamp {found} is above the allowed {MAX_TIMESTAMP}.")]
    TimeTooLarge {
        /// The timestamp.
        found: u64,
    },
    /// The signature does not verify: body, time or signature was altered, or another key signed.
    #[error("The cosignature does not verify over its timestamp and the checkpoint.")]
    Mismatch,
    /// The key does not make cosignatures.
    #[error("The key {name} is not a cosignature key.")]
    NotACosignatureKey {
        /// Name of the key.
        name: KeyName,
    },
    /// The text to be cosigned is not a checkpoint.
    #[error("Only a checkpoint can be cosigned. {0}")]
    NotACheckpoint(#[from] CheckpointParseError),
}

fn message(timestamp: u64, body: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp}\n{body}").into_bytes()
}

fn check_timestamp(timestamp: u64) -> Result<(), CosignatureError> {
    match timestamp {
        0 => Err(CosignatureError::NoTime),
        1..=MAX_TIMESTAMP => Ok(()),
        found => Err(CosignatureError::TimeTooLarge { found }),
    }
}

fn check_algorithm(key: &VerifierKey) -> Result<(), CosignatureError> {
    if key.algorithm() == KeyAlgorithm::CosignatureV1 {
        return Ok(());
    }
    Err(CosignatureError::NotACosignatureKey { name: key.name().clone() })
}

/// Cosigns the checkpoint `body` (the text of the note, with its final newline) as of `timestamp`, in seconds
/// since 1970. The caller has verified the log's signature and consistency with the largest tree it has seen.
pub fn sign(key: &SigningKey, timestamp: u64, body: &str) -> Result<NoteSignature, CosignatureError> {
    let verifier = key.verifier_key();
    check_algorithm(verifier)?;
    check_timestamp(timestamp)?;
    Checkpoint::parse(body)?;
    let signature = key.sign_raw(&message(timestamp, body));
    let bytes = [&timestamp.to_be_bytes()[..], &signature].concat();
    Ok(NoteSignature::of_key(verifier, bytes))
}

/// Checks the bytes after the key id as `key`'s cosignature of the checkpoint `body`; gives its timestamp.
pub fn verify(key: &VerifierKey, body: &str, signature: &[u8]) -> Result<u64, CosignatureError> {
    check_algorithm(key)?;
    let length = CosignatureError::Length { found: signature.len() };
    let (timestamp, signature) = signature.split_first_chunk::<8>().ok_or(length.clone())?;
    let signature: &[u8; 64] = signature.try_into().map_err(|_| length)?;
    let timestamp = u64::from_be_bytes(*timestamp);
    check_timestamp(timestamp)?;
    if key.verify_raw(&message(timestamp, body), signature) {
        Ok(timestamp)
    } else {
        Err(CosignatureError::Mismatch)
    }
}
