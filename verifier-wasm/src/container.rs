//! Finding the container's own fragment boundaries with few small reads.

use evidence::ByteRange;
use media::{Event, Purpose, Scanner};

use crate::blob::BlobReader;
use crate::hashing::{HashingError, Monitor};

/// The byte ranges of the file's own fragments, in order; none if the file is no fragmented MP4.
///
/// The boundaries only help to find evidence and to say where bytes have gone. What is signed decides, so a
/// structure that stops making sense half-way simply ends the list.
///
/// # Errors
///
/// If the file cannot be read or changes, or if the user cancels.
pub async fn boundaries(reader: &BlobReader, monitor: &impl Monitor) -> Result<Vec<ByteRange>, HashingError> {
    let mut scanner = Scanner::new(Purpose::Verify, reader.length());
    let mut found = Vec::new();
    while let Some(wanted) = scanner.next_read() {
        if monitor.is_cancelled() {
            return Err(HashingError::Cancelled);
        }
        let bytes = reader.read(wanted.start, wanted.end - wanted.start).await?;
        let Ok(events) = scanner.supply(wanted.start, &bytes) else {
            break;
        };
        collect(events, &mut found);
        monitor.progress(wanted.start, reader.length());
    }
    if let Some((events, _)) = scanner.finish() {
        collect(events, &mut found);
    }
    Ok(found)
}

fn collect(events: Vec<Event>, found: &mut Vec<ByteRange>) {
    found.extend(events.into_iter().filter_map(|event| match event {
        Event::Segment(segment) => ByteRange::new(segment.offset, segment.length).ok(),
        Event::Header(_) => None,
    }));
}
