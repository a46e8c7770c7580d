//! The boundaries that the file's own container shows. They help to find evidence and to say where bytes have gone; the
//! signed ranges decide.

use evidence::ByteRange;
use evidence::report::ErrorCode;
use media::{Event, Purpose, Scanner};

use crate::opened::Opened;

/// The ranges of the file's own fragments, in order; none if it is no fragmented MP4. A structure that stops making sense
/// half-way ends the list.
///
/// # Errors
/// If the file cannot be read.
pub fn boundaries(file: &Opened) -> Result<Vec<ByteRange>, ErrorCode> {
    let mut scanner = Scanner::new(Purpose::Verify, file.length());
    let mut found = Vec::new();
    let mut bytes = Vec::new();
    while let Some(wanted) = scanner.next_read() {
        // invariant: the scanner asks for a few megabytes at most.
        bytes.resize(usize::try_from(wanted.end - wanted.start).map_err(|_| ErrorCode::Unreadable)?, 0);
        file.read(&mut bytes, wanted.start)?;
        let Ok(events) = scanner.supply(wanted.start, &bytes) else { break };
        collect(events, &mut found);
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
