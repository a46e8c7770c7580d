//! The request body of `add-checkpoint`, C2SP `tlog-witness` at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! "old " <old size> LF
//! *63(base64(hash) LF)
//! LF
//! <checkpoint, a signed note, verbatim>
//! ```
//!
//! Only the wire form. Which key signed, what the witness saw last and whether the proof holds is the witness's to
//! check, in the order and with the HTTP status that the specification gives. Out of scope: `sign-subtree`.

use std::fmt;

use crate::encoding::DecimalError;
use crate::hash::{Hash, HashParseError};
use crate::note::{MAX_NOTE_LEN, NoteError, SignedNote};
use crate::proof::{ConsistencyProof, MAX_PROOF_HASHES, ProofError};
use crate::tree::TreeSize;

/// Bytes in a request: the largest note, 63 hash lines, and the first line.
pub const MAX_ADD_CHECKPOINT_LEN: usize = MAX_NOTE_LEN + MAX_PROOF_HASHES * 45 + 64;

/// A parsed request. Unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the log believes the witness saw last.
    pub old_size: TreeSize,
    /// From the tree of `old_size` to that of the checkpoint.
    pub proof: ConsistencyProof,
    /// The new checkpoint.
    pub checkpoint: SignedNote,
}

/// Why a request body is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// Longer than [`MAX_ADD_CHECKPOINT_LEN`].
    #[error("The request has {found} bytes; at most {MAX_ADD_CHECKPOINT_LEN} are allowed.")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("The request is not UTF-8 text; the first bad byte is at offset {offset}.")]
    NotUtf8 {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// The first line is not the old size.
    #[error("The request does not start with a line \"old <size>\".")]
    MissingOldSize,
    /// The old size is not a strict decimal.
    #[error("The old size cannot be read. {0}")]
    OldSize(#[source] DecimalError),
    /// A proof line is not a hash.
    #[error("Hash {number} of the consistency proof cannot be read. {source}")]
    HashLine {
        /// Number of the hash, from 1.
        number: usize,
        /// What is wrong with it.
        source: HashParseError,
    },
    /// More than 63 proof lines.
    #[error("The consistency proof is malformed. {0}")]
    Proof(#[source] ProofError),
    /// No empty line follows.
    #[error("The request ends before its checkpoint; it may be truncated.")]
    MissingCheckpoint,
    /// The checkpoint is not a signed note.
    #[error("The checkpoint is not a signed note. {0}")]
    Note(#[source] NoteError),
}

impl AddCheckpoint {
    /// Parses a request body. What this accepts, [`Display`](fmt::Display) prints byte for byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        use AddCheckpointError as E;
        if bytes.len() > MAX_ADD_CHECKPOINT_LEN {
            return Err(E::TooLong { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| E::NotUtf8 { offset: e.valid_up_to() })?;
        let (old_size, mut rest) =
            text.strip_prefix("old ").and_then(|tail| tail.split_once('\n')).ok_or(E::MissingOldSize)?;
        let old_size = old_size.parse().map_err(E::OldSize)?;
        let mut hashes = Vec::new();
        loop {
            let (line, tail) = rest.split_once('\n').ok_or(E::MissingCheckpoint)?;
            rest = tail;
            if line.is_empty() {
                break;
            }
            let number = hashes.len() + 1;
            if number > MAX_PROOF_HASHES {
                return Err(E::Proof(ProofError::TooManyHashes { found: number }));
            }
            hashes.push(Hash::from_base64(line).map_err(|source| E::HashLine { number, source })?);
        }
        if rest.is_empty() {
            return Err(E::MissingCheckpoint);
        }
        let proof = ConsistencyProof::new(hashes).map_err(E::Proof)?;
        let checkpoint = SignedNote::parse(rest.as_bytes()).map_err(E::Note)?;
        Ok(Self { old_size, proof, checkpoint })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in self.proof.hashes() {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, byte for byte.
    const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

    #[test]
    fn the_example_of_the_specification() {
        let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(request.old_size.get(), 20_852_014);
        assert_eq!(request.proof.hashes().len(), 4);
        assert_eq!(request.checkpoint.signatures().len(), 2);
        assert_eq!(request.to_string(), EXAMPLE);
    }

    #[test]
    fn malformed_requests() {
        use AddCheckpointError as E;
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
        let cases = [
            (String::new(), E::MissingOldSize),
            ("old 1".into(), E::MissingOldSize),
            (EXAMPLE.replace("old ", "OLD "), E::MissingOldSize),
            (EXAMPLE.replace("old 2", "old 02"), E::OldSize(DecimalError::LeadingZero)),
            (EXAMPLE.replace("old 2", "old  2"), E::OldSize(DecimalError::NotADigit)),
            (EXAMPLE.replace("kaw=", "kax="), E::HashLine { number: 1, source: HashParseError::Base64 }),
            (EXAMPLE.replacen(hash, &hash.repeat(61), 1), E::Proof(ProofError::TooManyHashes { found: 64 })),
            (EXAMPLE[..100].into(), E::MissingCheckpoint),
            (format!("old 0\n{hash}\n"), E::MissingCheckpoint),
            (EXAMPLE[..EXAMPLE.len() - 1].into(), E::Note(NoteError::Truncated)),
        ];
        for (text, error) in cases {
            assert_eq!(AddCheckpoint::parse(text.as_bytes()), Err(error), "{text}");
        }
        let long = vec![b'o'; MAX_ADD_CHECKPOINT_LEN + 1];
        assert_eq!(AddCheckpoint::parse(&long), Err(E::TooLong { found: long.len() }));
        assert_eq!(AddCheckpoint::parse(b"old \xff"), Err(E::NotUtf8 { offset: 4 }));
    }
}
