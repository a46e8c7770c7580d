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

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn witness() -> SigningKey {
        SigningKey::from_seed(KeyName::new("w").unwrap(), KeyAlgorithm::CosignatureV1, &[4; 32]).unwrap()
    }

    #[test]
    fn the_signed_message_is_that_of_the_specification() {
        let expected = format!("cosignature/v1\ntime 1679315147\n{BODY}");
        assert_eq!(message(1_679_315_147, BODY), expected.as_bytes());
    }

    #[test]
    fn time_and_body_are_signed() {
        let key = witness();
        let line = sign(&key, 1_679_315_147, BODY).unwrap();
        let verifier = key.verifier_key();
        assert_eq!(verify(verifier, BODY, line.signature()), Ok(1_679_315_147));
        for bit in 0..line.signature().len() * 8 {
            let mut altered = line.signature().to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(verifier, BODY, &altered).is_err(), "bit {bit}");
        }
        let other = BODY.replace("20852163", "20852164");
        assert_eq!(verify(verifier, &other, line.signature()), Err(CosignatureError::Mismatch));
        for length in [0, 7, 8, 64, 71, 73] {
            let mut cut = line.signature().to_vec();
            cut.resize(length, 0);
            assert_eq!(verify(verifier, BODY, &cut), Err(CosignatureError::Length { found: length }));
        }
    }

    #[test]
    fn times_that_are_none() {
        let key = witness();
        assert_eq!(sign(&key, 0, BODY), Err(CosignatureError::NoTime));
        let found = 1 << 63;
        assert_eq!(sign(&key, found, BODY), Err(CosignatureError::TimeTooLarge { found }));
        assert!(sign(&key, found - 1, BODY).is_ok());
        // Correctly signed all the same.
        for (time, error) in
            [(0, CosignatureError::NoTime), (found, CosignatureError::TimeTooLarge { found })]
        {
            let signature = [&time.to_be_bytes()[..], &key.sign_raw(&message(time, BODY))].concat();
            assert_eq!(verify(key.verifier_key(), BODY, &signature), Err(error));
        }
    }

    #[test]
    fn only_checkpoints_and_only_by_witness_keys() {
        let key = witness();
        assert!(matches!(sign(&key, 1, "a text\n"), Err(CosignatureError::NotACheckpoint(_))));
        let name = KeyName::new("l").unwrap();
        let log = SigningKey::from_seed(name.clone(), KeyAlgorithm::Ed25519, &[4; 32]).unwrap();
        let refused = CosignatureError::NotACosignatureKey { name };
        assert_eq!(sign(&log, 1, BODY), Err(refused.clone()));
        let line = sign(&key, 1, BODY).unwrap();
        assert_eq!(verify(log.verifier_key(), BODY, line.signature()), Err(refused));
    }
}
