//! What must hold for everything that one device ever had sealed, whatever happened to it.

use evidence::{Digest, Payload, Sequence, Statement};

use super::notary::Notary;

/// Every recording is one unbroken chain from `start` to `end` with no second statement for any place, and the recordings
/// count from 1 without a hole, each naming the `end` of the one before it. Gives the number of recordings.
pub fn check(notary: &Notary, expected: Option<u64>) -> u64 {
    let mut recordings: Vec<(u64, Option<Digest>, Digest)> = Vec::new();
    for (id, statements) in notary.recordings() {
        let Payload::Start(start) = statements[0].payload() else { continue };
        for (place, statement) in statements.iter().enumerate() {
            assert_eq!(
                statement.payload().sequence(),
                Some(Sequence::new(place as u64)),
                "{id}: a gap or a conflict"
            );
            let before = place.checked_sub(1).map(|before| statements[before].digest());
            assert_eq!(statement.payload().previous(), before, "{id}: statement {place} names another one");
        }
        let last = statements.last().unwrap();
        check_end(&statements, last);
        recordings.push((start.counter, start.previous_final, last.digest()));
    }
    recordings.sort_by_key(|(counter, ..)| *counter);
    let mut before = None;
    for (place, (counter, previous, end)) in recordings.iter().enumerate() {
        assert_eq!(*counter, place as u64 + 1, "a recording number was skipped or used twice");
        assert_eq!(*previous, before, "recording {counter} names another predecessor");
        before = Some(*end);
    }
    let count = recordings.len() as u64;
    assert!(expected.is_none_or(|expected| expected == count), "{count} recordings instead of {expected:?}");
    count
}

fn check_end(statements: &[Statement], last: &Statement) {
    let Payload::End(end) = last.payload() else { panic!("the recording has no end") };
    let mut total = 0;
    for statement in &statements[1..statements.len() - 1] {
        let Payload::Segment(segment) = statement.payload() else { panic!("{statement:?}") };
        assert_eq!(segment.range.offset(), total, "the segments do not tile the file");
        total = segment.range.end();
    }
    assert_eq!((end.total_length, end.segments), (total, statements.len() as u64 - 2));
}
