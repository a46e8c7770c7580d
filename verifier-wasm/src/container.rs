//! Finding the container's own fragment boundaries: few small reads, or a search where the structure is damaged.

use evidence::ByteRange;
use media::Boundaries;

use crate::blob::{BlobReader, ReadError};
use crate::hashing::{HashingError, Monitor};

/// The byte ranges of the file's own fragments, those of a damaged structure included; none if the file is no
/// fragmented MP4.
///
/// The boundaries only help to find evidence and to say where bytes have gone; what is signed decides.
///
/// # Errors
///
/// If the file cannot be read or changes, or if the user cancels.
pub async fn boundaries(reader: &BlobReader, monitor: &impl Monitor) -> Result<Vec<ByteRange>, HashingError> {
    let mut boundaries = Boundaries::new(reader.length());
    while let Some(wanted) = boundaries.next_read() {
        if monitor.is_cancelled() {
            return Err(HashingError::Cancelled);
        }
        let bytes = reader.read(wanted.start, wanted.end - wanted.start).await?;
        // invariant: `read` gives as many bytes as it is asked for.
        let supplied = boundaries.supply(wanted.start, &bytes);
        supplied.map_err(|error| ReadError::Unreadable(error.to_string()))?;
        monitor.progress(boundaries.understood(), reader.length());
    }
    let found = boundaries.finish().into_iter();
    Ok(found.filter_map(|range| ByteRange::between(range.start, range.end).ok()).collect())
}
