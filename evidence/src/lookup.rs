//! Lookup: finding evidence by what only a holder of the file can know (`docs/spec/evidence-file.md`).

use std::collections::BTreeSet;
use std::fmt;

use crate::cbor::{CborError, Reader, Writer};
use crate::evidence_file::{EvidenceFile, EvidenceFileError};
use crate::ids::Digest;
use crate::limits::MAX_EVIDENCE_LEN;

/// A lookup answers with personal disclosures only if at least this many distinct tokens of the recording match, or
/// all of a recording that has fewer: seeing a few seconds is not holding the file.
pub const DISCLOSURE_MIN_TOKENS: usize = 8;

/// Tokens in one request: the head, 64 fragments, 64 blocks, and room.
pub const MAX_LOOKUP_TOKENS: usize = 256;

/// Evidence files in one answer.
pub const MAX_LOOKUP_FILES: usize = 8;

/// A request: 256 tokens of 34 bytes and the map around them.
pub const MAX_LOOKUP_REQUEST_LEN: usize = 16 << 10;

/// An answer: 64 MiB of evidence and the heads around it.
pub const MAX_LOOKUP_RESPONSE_LEN: usize = MAX_EVIDENCE_LEN + 64;

/// What a digest is looked up by. It reveals nothing about the file to somebody who does not have it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of a segment with this digest.
    pub fn segment(digest: &Digest) -> Self {
        Self::tagged(b"jianzhen/lookup/segment/v1\0", digest)
    }

    /// The token of a file whose first 64 KiB have this digest.
    pub fn head(digest: &Digest) -> Self {
        Self::tagged(b"jianzhen/lookup/head/v1\0", digest)
    }

    fn tagged(tag: &[u8], digest: &Digest) -> Self {
        Self(*Digest::of_parts(&[tag, digest.as_bytes()]).as_bytes())
    }

    /// A token received from elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", hex::encode(self.0))
    }
}

/// Why bytes are no lookup request or no answer to one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Longer than allowed.
    #[error("The lookup message has {length} bytes, more than {max}.")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// No message of the specified shape.
    #[error("The lookup message is malformed. {0}")]
    Malformed(#[from] CborError),
    /// A token occurs twice.
    #[error("The lookup request repeats a token.")]
    Repeated,
    /// The encoding is not the deterministic one.
    #[error("The lookup message is not in deterministic encoding (RFC 8949, section 4.2.1).")]
    NotDeterministic,
    /// One of the evidence files does not parse.
    #[error("Evidence file {index} of the answer is malformed. {source}")]
    Evidence {
        /// Its place in the answer, from 0.
        index: usize,
        /// What is wrong with it.
        source: EvidenceFileError,
    },
}

/// A request: distinct tokens of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRequest {
    tokens: Vec<Token>,
}

impl LookupRequest {
    /// A request for `tokens`: repeated ones are dropped, and those beyond the limit. None if there are none.
    pub fn new(tokens: impl IntoIterator<Item = Token>) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let mut tokens: Vec<Token> = tokens.into_iter().filter(|token| seen.insert(*token)).collect();
        tokens.truncate(MAX_LOOKUP_TOKENS);
        (!tokens.is_empty()).then_some(Self { tokens })
    }

    /// The tokens, distinct, 1 to 256.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The body of the request.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(1, &[]).uint(1).list(&self.tokens, |w, token| w.bytes(&token.0));
        w.into_bytes()
    }

    /// Parses the body of a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, LookupError> {
        within(bytes, MAX_LOOKUP_REQUEST_LEN)?;
        let mut r = Reader::new(bytes);
        let mut fields = r.map("lookup request")?;
        r.required(&mut fields, 1, "tokens")?;
        let tokens = r.list("tokens", 1, MAX_LOOKUP_TOKENS as u64, |r| r.byte_array("token").map(Token))?;
        r.end(fields, "lookup request")?;
        r.finish("end of the lookup request")?;
        let distinct: BTreeSet<_> = tokens.iter().collect();
        if distinct.len() != tokens.len() {
            return Err(LookupError::Repeated);
        }
        let request = Self { tokens };
        if request.encode() != bytes {
            return Err(LookupError::NotDeterministic);
        }
        Ok(request)
    }
}

/// An answer: evidence files, best match first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupResponse {
    /// At most 8, 64 MiB together.
    pub files: Vec<EvidenceFile>,
}

impl LookupResponse {
    /// The body of the answer. Files beyond the limits of number and size are left out, worst matches first.
    pub fn encode(&self) -> Vec<u8> {
        let mut bodies = Vec::new();
        let mut room = MAX_EVIDENCE_LEN;
        for file in self.files.iter().take(MAX_LOOKUP_FILES) {
            let body = file.encode();
            let Some(left) = room.checked_sub(body.len()) else { break };
            room = left;
            bodies.push(body);
        }
        let mut w = Writer::new();
        w.list(&bodies, |w, body| w.bytes(body));
        w.into_bytes()
    }

    /// Parses the body of an answer.
    pub fn parse(bytes: &[u8]) -> Result<Self, LookupError> {
        within(bytes, MAX_LOOKUP_RESPONSE_LEN)?;
        let mut r = Reader::new(bytes);
        let bodies = r.list("evidence files", 0, MAX_LOOKUP_FILES as u64, |r| {
            r.bytes("evidence file", MAX_EVIDENCE_LEN)
        })?;
        r.finish("end of the lookup answer")?;
        let mut w = Writer::new();
        w.list(&bodies, |w, body| w.bytes(body));
        if w.into_bytes() != bytes {
            return Err(LookupError::NotDeterministic);
        }
        let files = bodies.iter().enumerate().map(|(index, body)| {
            EvidenceFile::parse(body).map_err(|source| LookupError::Evidence { index, source })
        });
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }
}

fn within(bytes: &[u8], max: usize) -> Result<(), LookupError> {
    if bytes.len() <= max { Ok(()) } else { Err(LookupError::TooLong { length: bytes.len(), max }) }
}
