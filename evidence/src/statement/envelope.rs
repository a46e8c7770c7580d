//! The envelope of a statement: COSE_Sign1 (RFC 9052) in one fixed shape.
//!
//! ```text
//! 18([ << {1: -19, 4: kid, 16: typ} >>, {}, << payload >>, signature ])
//! ```
//!
//! Out of scope: every other COSE structure, algorithm and header.

use super::value::Wire;
use super::{Deposit, End, Enrol, Payload, Registry, Revoke, Segment, Start, StatementKind};
use crate::cbor::{CborError, Fields, Reader, Writer};
use crate::ids::KeyDigest;
use crate::key::DeviceKey;
use crate::limits::{MAX_REGISTRY_LEN, MAX_STATEMENT_LEN};

/// RFC 9052, section 4.2.
const TAG_COSE_SIGN1: u64 = 18;
/// Ed25519, RFC 9864, section 2.2.
const ALG_ED25519: i64 = -19;
const HEADER_ALG: u64 = 1;
const HEADER_KID: u64 = 4;
/// RFC 9596.
const HEADER_TYP: u64 = 16;
const TYP_PREFIX: &str = "application/vnd.jianzhen.";

/// Why bytes are no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Longer than a statement of its kind may be.
    #[error("The statement has {length} bytes, more than the {max} that its kind may have.")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// The outer structure is no tagged COSE_Sign1 of the specified shape.
    #[error("The envelope of the statement is malformed. {0}")]
    Envelope(#[source] CborError),
    /// The unprotected header holds something; it is not signed, so it must be empty.
    #[error("The unprotected header of the statement is not empty.")]
    UnprotectedHeader,
    /// The protected header is malformed or has other members than alg, kid and typ.
    #[error("The protected header of the statement is malformed. {0}")]
    Header(#[source] CborError),
    /// Signed with another algorithm than Ed25519.
    #[error("The signature algorithm {0} is not Ed25519 (-19).")]
    Algorithm(i64),
    /// A type that this version does not know.
    #[error("The statement type {0:?} is unknown.")]
    Type(String),
    /// The payload does not say what its type requires.
    #[error("The payload of the {kind} statement is malformed. {source}")]
    Payload {
        /// The kind that the header announces.
        kind: StatementKind,
        /// What is wrong with it.
        source: CborError,
    },
    /// Another encoding of the same statement exists, and this is not the one that is allowed.
    #[error("The {part} of the statement is not in deterministic encoding (RFC 8949, section 4.2.1).")]
    NotDeterministic {
        /// Envelope, header or payload.
        part: &'static str,
    },
}

/// The parts of a well-formed envelope.
pub(super) struct Envelope {
    pub(super) kid: KeyDigest,
    pub(super) payload: Payload,
    pub(super) signature: [u8; 64],
}

pub(super) fn parse(bytes: &[u8]) -> Result<Envelope, StatementError> {
    if bytes.len() > MAX_REGISTRY_LEN {
        return Err(StatementError::TooLong { length: bytes.len(), max: MAX_REGISTRY_LEN });
    }
    let Outer { protected, payload: payload_bytes, signature } = parse_outer(bytes)?;
    let (kid, kind) = parse_header(protected)?;
    if kind != StatementKind::Registry && bytes.len() > MAX_STATEMENT_LEN {
        return Err(StatementError::TooLong { length: bytes.len(), max: MAX_STATEMENT_LEN });
    }
    let payload =
        parse_payload(kind, payload_bytes).map_err(|source| StatementError::Payload { kind, source })?;

    let differs = |part, ours: &[u8], received: &[u8]| {
        if ours == received { Ok(()) } else { Err(StatementError::NotDeterministic { part }) }
    };
    differs("payload", &encode_payload(&payload), payload_bytes)?;
    differs("header", &encode_header(&kid, kind), protected)?;
    differs("envelope", &encode_outer(protected, payload_bytes, &signature), bytes)?;
    Ok(Envelope { kid, payload, signature })
}

pub(super) fn seal(payload: &Payload, key: &DeviceKey) -> Vec<u8> {
    let protected = encode_header(&key.digest(), payload.kind());
    let payload = encode_payload(payload);
    let signature = key.sign(&signed_message(&protected, &payload));
    encode_outer(&protected, &payload, &signature)
}

/// The bytes that the signature of a statement is over, from the received bytes; none if they are no envelope.
pub(super) fn signed_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
    let Outer { protected, payload, .. } = parse_outer(bytes).ok()?;
    Some(signed_message(protected, payload))
}

struct Outer<'b> {
    protected: &'b [u8],
    payload: &'b [u8],
    signature: [u8; 64],
}

fn parse_outer(bytes: &[u8]) -> Result<Outer<'_>, StatementError> {
    let mut r = Reader::new(bytes);
    let (protected, unprotected) = read_headers(&mut r).map_err(StatementError::Envelope)?;
    if !unprotected.is_empty() {
        return Err(StatementError::UnprotectedHeader);
    }
    let (payload, signature) = read_body(&mut r).map_err(StatementError::Envelope)?;
    Ok(Outer { protected, payload, signature })
}

fn read_headers<'b>(r: &mut Reader<'b>) -> Result<(&'b [u8], Fields), CborError> {
    r.tag("COSE_Sign1 tag", TAG_COSE_SIGN1)?;
    r.array("COSE_Sign1", 4, 4)?;
    Ok((r.bytes("protected header", MAX_STATEMENT_LEN)?, r.map("unprotected header")?))
}

fn read_body<'b>(r: &mut Reader<'b>) -> Result<(&'b [u8], [u8; 64]), CborError> {
    let payload = r.bytes("payload", MAX_REGISTRY_LEN)?;
    let signature = r.byte_array("signature")?;
    r.finish("end of the statement")?;
    Ok((payload, signature))
}

fn parse_header(bytes: &[u8]) -> Result<(KeyDigest, StatementKind), StatementError> {
    let mut r = Reader::new(bytes);
    let (alg, kid, typ) = read_header(&mut r).map_err(StatementError::Header)?;
    if alg != ALG_ED25519 {
        return Err(StatementError::Algorithm(alg));
    }
    let kind = StatementKind::ALL
        .into_iter()
        .find(|kind| typ.strip_prefix(TYP_PREFIX) == Some(kind.name()))
        .ok_or_else(|| StatementError::Type(typ.to_owned()))?;
    Ok((kid, kind))
}

fn read_header<'b>(r: &mut Reader<'b>) -> Result<(i64, KeyDigest, &'b str), CborError> {
    let mut fields = r.map("protected header")?;
    r.required(&mut fields, HEADER_ALG, "alg")?;
    let alg = r.int("alg")?;
    r.required(&mut fields, HEADER_KID, "kid")?;
    let kid = r.key_digest("kid")?;
    r.required(&mut fields, HEADER_TYP, "typ")?;
    let typ = r.text("typ", 1, 64)?;
    r.end(fields, "protected header")?;
    r.finish("end of the protected header")?;
    Ok((alg, kid, typ))
}

fn parse_payload(kind: StatementKind, bytes: &[u8]) -> Result<Payload, CborError> {
    let mut r = Reader::new(bytes);
    let payload = match kind {
        StatementKind::Enrol => Payload::Enrol(Enrol::read(&mut r)?),
        StatementKind::Revoke => Payload::Revoke(Revoke::read(&mut r)?),
        StatementKind::Registry => Payload::Registry(Registry::read(&mut r)?),
        StatementKind::Start => Payload::Start(Start::read(&mut r)?),
        StatementKind::Segment => Payload::Segment(Segment::read(&mut r)?),
        StatementKind::End => Payload::End(End::read(&mut r)?),
        StatementKind::Deposit => Payload::Deposit(Deposit::read(&mut r)?),
    };
    r.finish("end of the payload")?;
    Ok(payload)
}

fn encode_header(kid: &KeyDigest, kind: StatementKind) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(3, &[]);
    w.uint(HEADER_ALG).int(ALG_ED25519);
    w.uint(HEADER_KID).bytes(kid.as_bytes());
    w.uint(HEADER_TYP).text(&format!("{TYP_PREFIX}{kind}"));
    w.into_bytes()
}

fn encode_payload(payload: &Payload) -> Vec<u8> {
    let mut w = Writer::new();
    match payload {
        Payload::Enrol(enrol) => enrol.write(&mut w),
        Payload::Revoke(revoke) => revoke.write(&mut w),
        Payload::Registry(registry) => registry.write(&mut w),
        Payload::Start(start) => start.write(&mut w),
        Payload::Segment(segment) => segment.write(&mut w),
        Payload::End(end) => end.write(&mut w),
        Payload::Deposit(deposit) => deposit.write(&mut w),
    }
    w.into_bytes()
}

fn encode_outer(protected: &[u8], payload: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let mut w = Writer::new();
    w.tag(TAG_COSE_SIGN1).array(4).bytes(protected).map(0, &[]).bytes(payload).bytes(signature);
    w.into_bytes()
}

/// `Sig_structure` of RFC 9052, section 4.4, without external data.
fn signed_message(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(4).text("Signature1").bytes(protected).bytes(&[]).bytes(payload);
    w.into_bytes()
}
