//! The boundaries that the file's own container shows. They help to find evidence and to say where bytes have gone; the
//! signed ranges decide.

use evidence::ByteRange;
use evidence::report::ErrorCode;
use media::Boundaries;

use crate::opened::Opened;

/// The ranges of the file's own fragments, those of a damaged structure included; none if it is no fragmented MP4.
///
/// # Errors
/// If the file cannot be read.
pub fn boundaries(file: &Opened) -> Result<Vec<ByteRange>, ErrorCode> {
    let mut boundaries = Boundaries::new(file.length());
    let mut bytes = Vec::new();
    while let Some(wanted) = boundaries.next_read() {
        // invariant: a few megabytes at most are asked for.
        bytes.resize(usize::try_from(wanted.end - wanted.start).map_err(|_| ErrorCode::Unreadable)?, 0);
        file.read(&mut bytes, wanted.start)?;
        // invariant: these are the bytes asked for.
        boundaries.supply(wanted.start, &bytes).map_err(|_| ErrorCode::Unreadable)?;
    }
    let found = boundaries.finish().into_iter();
    Ok(found.filter_map(|range| ByteRange::between(range.start, range.end).ok()).collect())
}
