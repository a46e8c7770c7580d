//! Deterministic CBOR (RFC 8949 §4.2.1) for the fixed shapes of our formats.
//!
//! [`Reader`] decodes by shape and names what it misses, and where; it does not look at how integers are spelled.
//! That is the caller's part: whatever was decoded is encoded again by [`Writer`], which knows one spelling only, and
//! refused unless the bytes are the same.

use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// What is wrong with CBOR input, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("At byte {offset}, in {field}: {problem}.")]
pub struct CborError {
    /// Offset in the decoded item.
    pub offset: usize,
    /// The member that was being read, by its name in the specification.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: CborProblem,
}

/// One way in which CBOR input can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborProblem {
    /// Truncated, of another type, indefinite, or no CBOR at all.
    #[error("the bytes are not of the expected type, of indefinite length, or cut off")]
    Malformed,
    /// A number, a length or a code outside its limits.
    #[error("the value is outside its limits")]
    OutOfRange,
    /// A map key that the specification does not list here, a repeated one, or one out of order.
    #[error("the map key {0} is not expected here")]
    UnexpectedKey(u64),
    /// A required map key is absent.
    #[error("the required map key {0} is missing")]
    MissingKey(u64),
    /// Bytes after the item.
    #[error("bytes follow the end of the item")]
    Trailing,
    /// Decodes, but is not the deterministic encoding of what it says.
    #[error("the encoding is not deterministic (RFC 8949, section 4.2.1)")]
    NotDeterministic,
}

/// Reads one item of known shape.
pub(crate) struct Reader<'b>(Decoder<'b>);

/// The rest of a map that is being read: keys come in ascending order.
pub(crate) struct Fields {
    left: u64,
    next: Option<u64>,
}

impl Fields {
    /// Whether the map has no members, before any was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.left == 0 && self.next.is_none()
    }
}

type Result<T> = std::result::Result<T, CborError>;

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    pub(crate) fn error(&self, field: &'static str, problem: CborProblem) -> CborError {
        CborError { offset: self.0.position(), field, problem }
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Decoder<'b>) -> std::result::Result<T, minicbor::decode::Error>,
    ) -> Result<T> {
        let offset = self.0.position();
        read(&mut self.0).map_err(|_| CborError { offset, field, problem: CborProblem::Malformed })
    }

    /// Refuses anything after the item.
    pub(crate) fn finish(&self, field: &'static str) -> Result<()> {
        if self.is_at_end() { Ok(()) } else { Err(self.error(field, CborProblem::Trailing)) }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.position() >= self.0.input().len()
    }

    pub(crate) fn tag(&mut self, field: &'static str, tag: u64) -> Result<()> {
        let found = self.read(field, Decoder::tag)?;
        if found.as_u64() == tag { Ok(()) } else { Err(self.error(field, CborProblem::OutOfRange)) }
    }

    /// An unsigned integer of at most `max`.
    pub(crate) fn uint(&mut self, field: &'static str, max: u64) -> Result<u64> {
        let value = self.read(field, Decoder::u64)?;
        if value <= max { Ok(value) } else { Err(self.error(field, CborProblem::OutOfRange)) }
    }

    /// An integer of any sign.
    pub(crate) fn int(&mut self, field: &'static str) -> Result<i64> {
        self.read(field, Decoder::i64)
    }

    pub(crate) fn bool(&mut self, field: &'static str) -> Result<bool> {
        self.read(field, Decoder::bool)
    }

    /// A byte string of at most `max` bytes.
    pub(crate) fn bytes(&mut self, field: &'static str, max: usize) -> Result<&'b [u8]> {
        let value = self.read(field, Decoder::bytes)?;
        if value.len() <= max { Ok(value) } else { Err(self.error(field, CborProblem::OutOfRange)) }
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn byte_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        let value = self.read(field, Decoder::bytes)?;
        value.try_into().map_err(|_| self.error(field, CborProblem::OutOfRange))
    }

    /// A text string of `min` to `max` bytes.
    pub(crate) fn text(&mut self, field: &'static str, min: usize, max: usize) -> Result<&'b str> {
        let value = self.read(field, Decoder::str)?;
        let fits = (min..=max).contains(&value.len());
        if fits { Ok(value) } else { Err(self.error(field, CborProblem::OutOfRange)) }
    }

    pub(crate) fn null_or<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.read(field, |d| d.datatype())? == Type::Null {
            self.read(field, Decoder::null)?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// The head of an array of `min` to `max` elements.
    pub(crate) fn array(&mut self, field: &'static str, min: u64, max: u64) -> Result<u64> {
        let length = self.read(field, Decoder::array)?;
        let length = length.ok_or_else(|| self.error(field, CborProblem::Malformed))?;
        let fits = (min..=max).contains(&length);
        if fits { Ok(length) } else { Err(self.error(field, CborProblem::OutOfRange)) }
    }

    /// An array of `min` to `max` elements. Memory grows with what is really there, never with what the head claims.
    pub(crate) fn list<T>(
        &mut self,
        field: &'static str,
        min: u64,
        max: u64,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let length = self.array(field, min, max)?;
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// The head of a map.
    pub(crate) fn map(&mut self, field: &'static str) -> Result<Fields> {
        let left = self.read(field, Decoder::map)?;
        let left = left.ok_or_else(|| self.error(field, CborProblem::Malformed))?;
        Ok(Fields { left, next: None })
    }

    fn peek_key(&mut self, fields: &mut Fields, field: &'static str) -> Result<Option<u64>> {
        if fields.next.is_none() && fields.left > 0 {
            fields.left -= 1;
            fields.next = Some(self.read(field, Decoder::u64)?);
        }
        Ok(fields.next)
    }

    /// Goes to the value of `key`, which must come next.
    pub(crate) fn required(&mut self, fields: &mut Fields, key: u64, field: &'static str) -> Result<()> {
        match self.peek_key(fields, field)? {
            Some(found) if found == key => {
                fields.next = None;
                Ok(())
            }
            Some(found) if found < key => Err(self.error(field, CborProblem::UnexpectedKey(found))),
            _ => Err(self.error(field, CborProblem::MissingKey(key))),
        }
    }

    /// Reads the value of `key` if it comes next.
    pub(crate) fn optional<T>(
        &mut self,
        fields: &mut Fields,
        key: u64,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.peek_key(fields, field)? != Some(key) {
            return Ok(None);
        }
        fields.next = None;
        read(self).map(Some)
    }

    /// Refuses whatever else the map holds.
    pub(crate) fn end(&mut self, mut fields: Fields, field: &'static str) -> Result<()> {
        match self.peek_key(&mut fields, field)? {
            None => Ok(()),
            Some(key) => Err(self.error(field, CborProblem::UnexpectedKey(key))),
        }
    }
}

/// Writes deterministic CBOR: shortest integers, definite lengths. Map keys are ascending because callers write them so.
pub(crate) struct Writer(Encoder<Vec<u8>>);

fn sure<T>(result: std::result::Result<T, minicbor::encode::Error<Infallible>>) {
    // invariant: a `Vec` takes every write, and the methods used here make no errors of their own
    if result.is_err() {
        unreachable!("writing to memory failed");
    }
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }

    pub(crate) fn tag(&mut self, tag: u64) -> &mut Self {
        sure(self.0.tag(minicbor::data::Tag::new(tag)));
        self
    }

    pub(crate) fn uint(&mut self, value: u64) -> &mut Self {
        sure(self.0.u64(value));
        self
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        sure(self.0.i64(value));
        self
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        sure(self.0.bool(value));
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        sure(self.0.null());
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        sure(self.0.bytes(value));
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        sure(self.0.str(value));
        self
    }

    pub(crate) fn array(&mut self, length: usize) -> &mut Self {
        sure(self.0.array(length as u64));
        self
    }

    pub(crate) fn list<T>(
        &mut self,
        items: &[T],
        mut write: impl for<'a> FnMut(&'a mut Self, &T) -> &'a mut Self,
    ) -> &mut Self {
        self.array(items.len());
        for item in items {
            write(self, item);
        }
        self
    }

    /// The head of a map of `required` members and as many optional ones as are present.
    pub(crate) fn map(&mut self, required: usize, optional: &[bool]) -> &mut Self {
        let present = optional.iter().filter(|present| **present).count();
        sure(self.0.map((required + present) as u64));
        self
    }

    /// A map member, if present.
    pub(crate) fn optional<T>(
        &mut self,
        key: u64,
        value: Option<T>,
        write: impl for<'a> FnOnce(&'a mut Self, T) -> &'a mut Self,
    ) -> &mut Self {
        if let Some(value) = value {
            self.uint(key);
            write(self, value);
        }
        self
    }
}
