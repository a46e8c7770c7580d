//! Reading and writing evidence files.

use super::{EvidenceFile, Place, Receipt, Sealed};
use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::commitment::Disclosure;
use crate::ids::{Digest, Sequence};
use crate::limits::{
    MAX_CONFLICTS, MAX_EVIDENCE_LEN, MAX_RECEIPT_LEN, MAX_REGISTRY_ITEMS, MAX_REGISTRY_LEN, MAX_SEGMENTS,
};
use crate::report::ErrorCode;
use crate::statement::{Deposit, Payload, Statement, StatementError};
use crate::time::{MAX_SAFE_INTEGER, UnixSeconds};

/// The first bytes of every evidence file; a transfer as text destroys them visibly.
pub const EVIDENCE_MAGIC: [u8; 8] = *b"\x89JZEV\r\n\x1a";
const VERSION: u8 = 1;

/// Why bytes are no evidence file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceFileError {
    /// Longer than 64 MiB.
    #[error("The evidence file has {length} bytes, more than the 64 MiB that one may have.")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Another kind of file.
    #[error("The file does not begin like an evidence file.")]
    Magic,
    /// A version that this program does not know.
    #[error("The evidence file has version {0}, which this program does not know.")]
    Version(u8),
    /// The structure is not the specified one.
    #[error("The structure of the evidence file is damaged. {0}")]
    Malformed(#[from] CborError),
    /// A statement in it does not parse.
    #[error("Statement {index} of the {part} in the evidence file is damaged. {source}")]
    Statement {
        /// Which list it is in.
        part: &'static str,
        /// Its place in that list, from 0.
        index: u64,
        /// What is wrong with it.
        source: StatementError,
    },
    /// Another encoding of the same content exists, and this is not the one that is allowed.
    #[error("The evidence file is not in deterministic encoding (RFC 8949, section 4.2.1).")]
    NotDeterministic,
    /// A deposit needs the digests of its segments, one for each MiB.
    #[error("The evidence file holds {found} segment digests where its deposit has {expected} segments.")]
    Blocks {
        /// How many it holds.
        found: u64,
        /// How many segments there are; 0 for a recording.
        expected: u64,
    },
}

impl EvidenceFileError {
    /// The code that stands for it in a report.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Version(_) => ErrorCode::UnknownVersion,
            _ => ErrorCode::EvidenceUnreadable,
        }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<EvidenceFile, EvidenceFileError> {
    if bytes.len() > MAX_EVIDENCE_LEN {
        return Err(EvidenceFileError::TooLong { length: bytes.len() });
    }
    let rest = bytes.strip_prefix(&EVIDENCE_MAGIC).ok_or(EvidenceFileError::Magic)?;
    let body = match rest.split_first() {
        Some((&VERSION, body)) => body,
        Some((&other, _)) => return Err(EvidenceFileError::Version(other)),
        None => return Err(EvidenceFileError::Magic),
    };
    let mut r = Reader::new(body);
    let file = read_body(&mut r)?;
    r.finish("end of the evidence file")?;
    check_blocks(&file)?;
    if encode(&file) != bytes {
        return Err(EvidenceFileError::NotDeterministic);
    }
    Ok(file)
}

fn read_body(r: &mut Reader<'_>) -> Result<EvidenceFile, EvidenceFileError> {
    let mut f = r.map("evidence file")?;
    r.required(&mut f, 1, "statements")?;
    let statements = read_items(r, "statements", 1, MAX_SEGMENTS + 2, read_statement)?;
    r.required(&mut f, 2, "receipts")?;
    let receipts = read_receipts(r)?;
    r.required(&mut f, 3, "registry")?;
    let registry = read_items(r, "registry", 1, MAX_REGISTRY_ITEMS as u64, read_proven)?;
    let present = r.optional(&mut f, 4, "disclosures", |r| read_disclosures(r))?;
    let disclosures = present.unwrap_or_default();
    let mut conflicts = Vec::new();
    if r.optional(&mut f, 5, "conflicts", |_| Ok(()))?.is_some() {
        conflicts = read_items(r, "conflicts", 1, MAX_CONFLICTS as u64, read_proven)?;
    }
    let blocks =
        r.optional(&mut f, 6, "segment digests", |r| read_digests(r, "segment digests", MAX_EVIDENCE_LEN))?;
    r.end(f, "evidence file")?;
    Ok(EvidenceFile {
        statements,
        receipts,
        registry,
        disclosures,
        conflicts,
        blocks: blocks.unwrap_or_default(),
    })
}

/// Parses a registry section on its own: key 3 of an evidence file, as the service answers it to the holder of a key
/// (`docs/spec/http.md`, "Enrolments").
pub fn parse_registry_section(bytes: &[u8]) -> Result<Vec<(Sealed, Receipt)>, EvidenceFileError> {
    if bytes.len() > MAX_EVIDENCE_LEN {
        return Err(EvidenceFileError::TooLong { length: bytes.len() });
    }
    let mut r = Reader::new(bytes);
    let registry = read_items(&mut r, "registry", 1, MAX_REGISTRY_ITEMS as u64, read_proven)?;
    r.finish("end of the registry section")?;
    if encode_registry_section(&registry) != bytes {
        return Err(EvidenceFileError::NotDeterministic);
    }
    Ok(registry)
}

/// The bytes of a registry section on its own.
pub fn encode_registry_section(registry: &[(Sealed, Receipt)]) -> Vec<u8> {
    let mut w = Writer::new();
    w.list(registry, write_proven);
    w.into_bytes()
}

/// A list whose items hold statements; an error says which item.
fn read_items<T>(
    r: &mut Reader<'_>,
    part: &'static str,
    min: u64,
    max: u64,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, ItemError>,
) -> Result<Vec<T>, EvidenceFileError> {
    let length = r.array(part, min, max)?;
    let mut items = Vec::new();
    for index in 0..length {
        items.push(read(r).map_err(|error| match error {
            ItemError::Cbor(source) => EvidenceFileError::Malformed(source),
            ItemError::Statement(source) => EvidenceFileError::Statement { part, index, source },
        })?);
    }
    Ok(items)
}

enum ItemError {
    Cbor(CborError),
    Statement(StatementError),
}

impl From<CborError> for ItemError {
    fn from(error: CborError) -> Self {
        Self::Cbor(error)
    }
}

fn read_sealed(r: &mut Reader<'_>) -> Result<Sealed, ItemError> {
    r.array("sealed statement", 3, 3)?;
    let statement = read_statement(r)?;
    let Place { index, sealed_at } = read_place(r)?;
    Ok(Sealed { statement, index, sealed_at })
}

fn read_statement(r: &mut Reader<'_>) -> Result<Statement, ItemError> {
    let bytes = r.bytes("statement", MAX_REGISTRY_LEN)?;
    Statement::parse(bytes).map_err(ItemError::Statement)
}

fn read_place(r: &mut Reader<'_>) -> Result<Place, CborError> {
    let index = r.uint("index", MAX_SAFE_INTEGER)?;
    let sealed_at = r.uint("sealed-at", MAX_SAFE_INTEGER / 1000)?;
    Ok(Place { index: tlog::LeafIndex::new(index), sealed_at: UnixSeconds::new(sealed_at) })
}

fn read_proven(r: &mut Reader<'_>) -> Result<(Sealed, Receipt), ItemError> {
    r.array("sealed statement with receipt", 2, 2)?;
    let sealed = read_sealed(r)?;
    Ok((sealed, read_receipt(r)?))
}

pub(crate) fn read_receipt(r: &mut Reader<'_>) -> Result<Receipt, CborError> {
    Ok(Receipt(r.bytes("receipt", MAX_RECEIPT_LEN)?.to_vec()))
}

fn read_sequence(r: &mut Reader<'_>) -> Result<Sequence, CborError> {
    Ok(Sequence::new(r.uint("sequence", MAX_SEGMENTS + 1)?))
}

/// `[+ [sequence, index, sealed-at, receipt]]`, one for a statement, ascending.
fn read_receipts(r: &mut Reader<'_>) -> Result<Vec<(Sequence, Place, Receipt)>, CborError> {
    let receipts = r.list("receipts", 1, MAX_SEGMENTS + 2, |r| {
        r.array("receipts", 4, 4)?;
        Ok((read_sequence(r)?, read_place(r)?, read_receipt(r)?))
    })?;
    if receipts.is_sorted_by(|(a, _, _), (b, _, _)| a < b) {
        return Ok(receipts);
    }
    Err(r.error("receipts", CborProblem::OutOfRange))
}

/// `[+ [sequence, disclosure]]`, ascending; one statement may have several.
fn read_disclosures(r: &mut Reader<'_>) -> Result<Vec<(Sequence, Disclosure)>, CborError> {
    let disclosures = r.list("disclosures", 1, MAX_SEGMENTS + 2, |r| {
        r.array("disclosures", 2, 2)?;
        Ok((read_sequence(r)?, Disclosure::read(r)?))
    })?;
    if disclosures.is_sorted_by_key(|(sequence, _)| *sequence) {
        return Ok(disclosures);
    }
    Err(r.error("disclosures", CborProblem::OutOfRange))
}

/// SHA-256 digests, concatenated; at least one.
pub(crate) fn read_digests(
    r: &mut Reader<'_>,
    field: &'static str,
    max: usize,
) -> Result<Vec<Digest>, CborError> {
    let bytes = r.bytes(field, max)?;
    let (digests, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || digests.is_empty() {
        return Err(r.error(field, CborProblem::OutOfRange));
    }
    Ok(digests.iter().copied().map(Digest::from_bytes).collect())
}

pub(crate) fn write_digests(w: &mut Writer, digests: &[Digest]) {
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| *digest.as_bytes()).collect();
    w.bytes(&bytes);
}

pub(super) fn check_blocks(file: &EvidenceFile) -> Result<(), EvidenceFileError> {
    let found = file.blocks.len() as u64;
    let expected = match file.statements.first().map(Statement::payload) {
        Some(Payload::Deposit(deposit)) => block_count(deposit),
        _ => 0,
    };
    if found == expected { Ok(()) } else { Err(EvidenceFileError::Blocks { found, expected }) }
}

pub(crate) fn block_count(deposit: &Deposit) -> u64 {
    deposit.length.div_ceil(crate::limits::BLOCK_LEN)
}

pub(super) fn encode(file: &EvidenceFile) -> Vec<u8> {
    let mut w = Writer::new();
    let optional = [!file.disclosures.is_empty(), !file.conflicts.is_empty(), !file.blocks.is_empty()];
    w.map(3, &optional);
    w.uint(1).list(&file.statements, |w, statement| w.bytes(statement.bytes()));
    w.uint(2).list(&file.receipts, |w, (sequence, place, receipt)| {
        w.array(4).uint(sequence.get()).uint(place.index.get()).uint(place.sealed_at.get());
        w.bytes(receipt.as_bytes())
    });
    w.uint(3).list(&file.registry, write_proven);
    if optional[0] {
        w.uint(4).list(&file.disclosures, |w, (sequence, disclosure)| {
            w.array(2).uint(sequence.get());
            disclosure.write(w);
            w
        });
    }
    if optional[1] {
        w.uint(5).list(&file.conflicts, write_proven);
    }
    if optional[2] {
        w.uint(6);
        write_digests(&mut w, &file.blocks);
    }
    let mut bytes = EVIDENCE_MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(&w.into_bytes());
    bytes
}

fn write_sealed<'w>(w: &'w mut Writer, sealed: &Sealed) -> &'w mut Writer {
    w.array(3).bytes(sealed.statement.bytes()).uint(sealed.index.get()).uint(sealed.sealed_at.get())
}

fn write_proven<'w>(w: &'w mut Writer, (sealed, receipt): &(Sealed, Receipt)) -> &'w mut Writer {
    write_sealed(w.array(2), sealed).bytes(receipt.as_bytes())
}
