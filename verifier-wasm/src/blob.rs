//! Reading pieces of a file that the browser holds, without ever holding all of it.

use evidence::report::ErrorCode;
use js_sys::{ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, DomException};

/// A file (or any blob) being read.
pub struct BlobReader {
    blob: Blob,
    length: u64,
    /// Whether any read has succeeded: a later failure then means that the file changed under the reader, an
    /// earlier one that it cannot be read at all.
    has_read: std::cell::Cell<bool>,
}

/// Why a piece could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The browser cannot read the file: no permission, a directory, a disconnected drive.
    #[error("the file cannot be read ({0})")]
    Unreadable(String),
    /// The file was readable and is no more, or is shorter than it was.
    #[error("the file changed while it was being read ({0})")]
    Changed(String),
}

impl From<&ReadError> for ErrorCode {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Unreadable(_) => ErrorCode::Unreadable,
            ReadError::Changed(_) => ErrorCode::ChangedWhileReading,
        }
    }
}

/// A read that has begun.
pub struct PendingRead {
    promise: Promise,
    length: u64,
}

impl BlobReader {
    /// A reader of `blob`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a blob's size is an integer"
    )]
    pub fn new(blob: Blob) -> Self {
        let length = blob.size() as u64;
        Self { blob, length, has_read: std::cell::Cell::new(false) }
    }

    /// The file's length in bytes, as it was when the browser opened it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Begins to read `length` bytes at `offset`. The browser reads while the caller does other work.
    ///
    /// # Errors
    ///
    /// If the browser refuses the range.
    #[expect(clippy::cast_precision_loss, reason = "offsets in a blob are below 2^53")]
    pub fn begin(&self, offset: u64, length: u64) -> Result<PendingRead, ReadError> {
        let piece = self
            .blob
            .slice_with_f64_and_f64(offset as f64, (offset + length) as f64)
            .map_err(|error| self.failed(&error))?;
        Ok(PendingRead { promise: piece.array_buffer(), length })
    }

    /// Waits for a read.
    ///
    /// # Errors
    ///
    /// If the file could not be read, or holds fewer bytes there than asked for.
    pub async fn finish(&self, read: PendingRead) -> Result<Uint8Array, ReadError> {
        let buffer: ArrayBuffer =
            JsFuture::from(read.promise).await.map_err(|error| self.failed(&error))?.unchecked_into();
        let bytes = Uint8Array::new(&buffer);
        if u64::from(bytes.length()) != read.length {
            return Err(ReadError::Changed(format!("{} bytes instead of {}", bytes.length(), read.length)));
        }
        self.has_read.set(true);
        Ok(bytes)
    }

    /// Reads one small piece.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin) and [`finish`](Self::finish).
    pub async fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
        Ok(self.finish(self.begin(offset, length)?).await?.to_vec())
    }

    /// Asks the browser for the file once more, at its end: it refuses if the file was written to since it was
    /// opened, also when that happened behind the bytes already read.
    ///
    /// A file without bytes is asked for as a whole, since browsers also give the length 0 to a file that they cannot
    /// find or may not open: only reading tells.
    ///
    /// # Errors
    ///
    /// If the file has changed, or never could be read.
    pub async fn confirm_unchanged(&self) -> Result<(), ReadError> {
        match self.length.checked_sub(1) {
            Some(last) => self.read(last, 1).await.map(drop),
            None => {
                let whole = PendingRead { promise: self.blob.array_buffer(), length: 0 };
                self.finish(whole).await.map(drop)
            }
        }
    }

    fn failed(&self, error: &JsValue) -> ReadError {
        let name = error.dyn_ref::<DomException>().map_or_else(|| format!("{error:?}"), DomException::name);
        if self.has_read.get() { ReadError::Changed(name) } else { ReadError::Unreadable(name) }
    }
}
