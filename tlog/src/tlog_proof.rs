//! Offline proofs of inclusion, C2SP `tlog-proof` at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! "c2sp.org/tlog-proof@v1" LF
//! ["extra " base64(opaque) LF]
//! "index " <leaf index> LF
//! *(base64(hash) LF)
//! LF
//! <checkpoint, a signed note, verbatim>
//! ```
//!
//! Stricter than the specification: extra data of zero bytes must be left out, and the sizes are bounded.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointParseError};
use crate::encoding::{self, DecimalError};
use crate::hash::{Hash, HashParseError};
use crate::note::{MAX_NOTE_LEN, NoteError, SignedNote};
use crate::policy::Policy;
use crate::proof::{InclusionProof, MAX_PROOF_HASHES, ProofError};
use crate::tree::LeafIndex;
use crate::verified::{CheckpointError, VerifiedCheckpoint};

/// Bytes of opaque extra data: Jianzhen needs 42; other applications carry a VRF proof or a short metadata record.
pub const MAX_EXTRA_LEN: usize = 4096;

/// Bytes in a proof: the largest note, extra data in base64, 63 hash lines, and the fixed words.
pub const MAX_TLOG_PROOF_LEN: usize =
    MAX_NOTE_LEN + MAX_EXTRA_LEN.div_ceil(3) * 4 + MAX_PROOF_HASHES * 45 + 128;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A parsed proof. Unverified, and its extra data remains unauthenticated even after [`TlogProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: LeafIndex,
    proof: InclusionProof,
    checkpoint: SignedNote,
}

/// A leaf's place in a tree that log and quorum vouch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedInclusion {
    checkpoint: VerifiedCheckpoint,
    index: LeafIndex,
    leaf: Hash,
}

/// Why a text is not a proof, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Longer than [`MAX_TLOG_PROOF_LEN`].
    #[error("The proof has {found} bytes; at most {MAX_TLOG_PROOF_LEN} are allowed.")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("The proof is not UTF-8 text; the first bad byte is at offset {offset}.")]
    NotUtf8 {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// Another format, or another version of this one.
    #[error("The proof does not start with the line {HEADER}.")]
    Header,
    /// The extra line is not canonical base64 of 1 to [`MAX_EXTRA_LEN`] bytes.
    #[error("The proof's extra line is not canonical base64 of 1 to {MAX_EXTRA_LEN} bytes.")]
    Extra,
    /// The index line is missing, or something stands before it.
    #[error("The proof has no index line where it must be.")]
    MissingIndex,
    /// The index is not a strict decimal.
    #[error("The proof's index is not a leaf index. {0}")]
    Index(#[source] DecimalError),
    /// A line of the inclusion proof is not a hash.
    #[error("Hash {number} of the inclusion proof cannot be read. {source}")]
    HashLine {
        /// Number of the hash, from 1.
        number: usize,
        /// What is wrong with it.
        source: HashParseError,
    },
    /// No empty line and checkpoint follow.
    #[error("The proof ends before its checkpoint; it may be truncated.")]
    MissingCheckpoint,
    /// The checkpoint is not a signed note.
    #[error("The proof's checkpoint is not a signed note. {0}")]
    Note(#[source] NoteError),
    /// The signed note is not a checkpoint.
    #[error("The proof's signed note is not a checkpoint. {0}")]
    CheckpointBody(#[source] CheckpointParseError),
    /// The policy does not accept the checkpoint.
    #[error("The proof's checkpoint is not trusted. {0}")]
    Checkpoint(#[source] CheckpointError),
    /// The inclusion proof is malformed, or does not lead from the leaf to the checkpoint's root.
    #[error("The inclusion proof does not hold. {0}")]
    Inclusion(#[source] ProofError),
}

impl TlogProof {
    /// A proof from its parts, for a log to hand out. `extra` must not be empty if it is there.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: LeafIndex,
        proof: InclusionProof,
        checkpoint: SignedNote,
    ) -> Result<Self, TlogProofError> {
        if extra.as_ref().is_some_and(|extra| extra.is_empty() || extra.len() > MAX_EXTRA_LEN) {
            return Err(TlogProofError::Extra);
        }
        Checkpoint::unverified(&checkpoint).map_err(TlogProofError::CheckpointBody)?;
        Ok(Self { extra, index, proof, checkpoint })
    }

    /// Parses a proof. What this accepts, [`Display`](fmt::Display) prints byte for byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > MAX_TLOG_PROOF_LEN {
            return Err(TlogProofError::TooLong { found: bytes.len() });
        }
        let text =
            std::str::from_utf8(bytes).map_err(|e| TlogProofError::NotUtf8 { offset: e.valid_up_to() })?;
        let (header, mut rest) = text.split_once('\n').ok_or(TlogProofError::Header)?;
        if header != HEADER {
            return Err(TlogProofError::Header);
        }
        let mut extra = None;
        if let Some(tail) = rest.strip_prefix("extra ") {
            let (encoded, tail) = tail.split_once('\n').ok_or(TlogProofError::MissingIndex)?;
            extra = Some(parse_extra(encoded)?);
            rest = tail;
        }
        let (index, rest) = rest
            .strip_prefix("index ")
            .and_then(|tail| tail.split_once('\n'))
            .ok_or(TlogProofError::MissingIndex)?;
        let index = index.parse().map_err(TlogProofError::Index)?;
        let (proof, note) = parse_hashes(rest)?;
        let checkpoint = SignedNote::parse(note.as_bytes()).map_err(TlogProofError::Note)?;
        Self::new(extra, index, proof, checkpoint)
    }

    /// Opaque data that nobody vouches for: recompute from it, never believe it.
    pub fn unauthenticated_extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The claimed place of the leaf.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// The hashes.
    pub fn proof(&self) -> &InclusionProof {
        &self.proof
    }

    /// The checkpoint, unverified, as received.
    pub fn checkpoint(&self) -> &SignedNote {
        &self.checkpoint
    }

    /// Steps 2 to 4 of the specification's "Verifying a tlog proof"; step 1, computing `leaf` (a leaf hash) from what
    /// is to be proven, is the caller's.
    pub fn verify(&self, leaf: &Hash, policy: &Policy) -> Result<VerifiedInclusion, TlogProofError> {
        // 2. Check that the origin is acceptable and that the log has signed. 3. Verify the cosignatures.
        let checkpoint = policy.verify_checkpoint(&self.checkpoint).map_err(TlogProofError::Checkpoint)?;
        // 4. Check that the inclusion proof is valid.
        self.proof.verify(leaf, self.index, &checkpoint.head()).map_err(TlogProofError::Inclusion)?;
        Ok(VerifiedInclusion { checkpoint, index: self.index, leaf: *leaf })
    }
}

fn parse_extra(encoded: &str) -> Result<Vec<u8>, TlogProofError> {
    if encoded.is_empty() || encoded.len() > MAX_EXTRA_LEN.div_ceil(3) * 4 {
        return Err(TlogProofError::Extra);
    }
    encoding::from_base64(encoded).ok_or(TlogProofError::Extra)
}

/// Reads hash lines up to the empty line; gives what follows it.
fn parse_hashes(mut rest: &str) -> Result<(InclusionProof, &str), TlogProofError> {
    let mut hashes = Vec::new();
    loop {
        let (line, tail) = rest.split_once('\n').ok_or(TlogProofError::MissingCheckpoint)?;
        rest = tail;
        if line.is_empty() {
            break;
        }
        let number = hashes.len() + 1;
        if number > MAX_PROOF_HASHES {
            return Err(TlogProofError::Inclusion(ProofError::TooManyHashes { found: number }));
        }
        hashes.push(Hash::from_base64(line).map_err(|source| TlogProofError::HashLine { number, source })?);
    }
    if rest.is_empty() {
        return Err(TlogProofError::MissingCheckpoint);
    }
    Ok((InclusionProof::new(hashes).map_err(TlogProofError::Inclusion)?, rest))
}

impl VerifiedInclusion {
    /// The checkpoint whose tree holds the leaf.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// The place of the leaf.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// The leaf hash that was proven.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", encoding::to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in self.proof.hashes() {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl std::str::FromStr for TlogProof {
    type Err = TlogProofError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyAlgorithm, KeyName, SigningKey};
    use crate::{TreeHead, TreeSize, leaf_hash};

    fn checkpoint(log: &SigningKey, leaf: Hash) -> SignedNote {
        let head = TreeHead { size: TreeSize::new(1), root: leaf };
        Checkpoint::new("log", head).unwrap().sign(log).unwrap()
    }

    fn log() -> SigningKey {
        SigningKey::from_seed(KeyName::new("log").unwrap(), KeyAlgorithm::Ed25519, &[1; 32]).unwrap()
    }

    fn proof(extra: Option<Vec<u8>>) -> Result<TlogProof, TlogProofError> {
        let empty = InclusionProof::new(Vec::new()).unwrap();
        TlogProof::new(extra, LeafIndex::new(0), empty, checkpoint(&log(), leaf_hash(b"entry")))
    }

    #[test]
    fn the_largest_and_the_smallest() {
        for extra in [None, Some(vec![1]), Some(vec![7; MAX_EXTRA_LEN])] {
            let proof = proof(extra.clone()).unwrap();
            assert_eq!(proof.unauthenticated_extra(), extra.as_deref());
            assert_eq!(proof.to_string().parse(), Ok(proof));
        }
        for extra in [vec![], vec![7; MAX_EXTRA_LEN + 1]] {
            assert_eq!(proof(Some(extra)), Err(TlogProofError::Extra));
        }
        let text = proof(Some(vec![7; MAX_EXTRA_LEN])).unwrap().to_string();
        let longer = text.replace("extra ", "extra BwcH");
        assert_eq!(longer.parse::<TlogProof>(), Err(TlogProofError::Extra));
        let long = vec![b'c'; MAX_TLOG_PROOF_LEN + 1];
        assert_eq!(TlogProof::parse(&long), Err(TlogProofError::TooLong { found: long.len() }));
        assert_eq!(TlogProof::parse(b"c2sp\xff"), Err(TlogProofError::NotUtf8 { offset: 4 }));
    }

    #[test]
    fn a_note_that_is_no_checkpoint() {
        let note = crate::sign_note("log\n", &log()).unwrap().parse().unwrap();
        let empty = InclusionProof::new(Vec::new()).unwrap();
        let error = TlogProof::new(None, LeafIndex::new(0), empty, note);
        assert!(matches!(error, Err(TlogProofError::CheckpointBody(_))));
    }

    #[test]
    fn the_extra_data_is_not_believed() {
        let policy = format!("log {}\nquorum none\n", log().verifier_key());
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let proof = proof(Some(b"entry".to_vec())).unwrap();
        let verified = proof.verify(&leaf_hash(b"entry"), &policy).unwrap();
        assert_eq!((verified.index().get(), verified.leaf()), (0, leaf_hash(b"entry")));
        let error = proof.verify(&leaf_hash(b"another"), &policy).unwrap_err();
        assert_eq!(error, TlogProofError::Inclusion(ProofError::RootMismatch));
        let stranger = Policy::parse(b"quorum none\n").unwrap();
        let error = proof.verify(&leaf_hash(b"entry"), &stranger).unwrap_err();
        assert!(matches!(error, TlogProofError::Checkpoint(CheckpointError::UnknownLog { .. })));
    }
}
