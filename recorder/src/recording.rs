//! Signing a recording: the hash chain of its statements, and the file they tile.
//!
//! No I/O and no clock. The order of the caller is: bytes of the segment on the medium, statement from here, statement
//! into the spool, and only then anywhere else.

use evidence::statement::{ChainHead, End, EndReason, Event, Percent, Segment, Start, Timeline};
use evidence::{
    ByteRange, DeviceKey, Digest, Payload, RecordingId, Sequence, Statement, StatementError, UnixMillis,
    segments_root,
};

/// What the caller knows about a segment; its place in the chain is added here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Which bytes of the file.
    pub range: ByteRange,
    /// Their SHA-256.
    pub digest: Digest,
    /// When capture of it began.
    pub capture_begin: UnixMillis,
    /// When its last byte was read.
    pub capture_end: UnixMillis,
    /// Where it lies on the media timeline.
    pub timeline: Option<Timeline>,
    /// Charge of the battery.
    pub battery: Option<Percent>,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// Newest verified checkpoint, when it is time to state it.
    pub chain_head: Option<ChainHead>,
    /// Commitment to the position.
    pub position: Option<Digest>,
    /// SHA-256 of the first [`HEAD_LEN`](evidence::HEAD_LEN) bytes, if this segment contains the last of them.
    pub head: Option<Digest>,
}

/// Why a statement cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A segment that does not follow the one before it: a bug in the caller, which must not be signed.
    #[error("A segment at byte {found} cannot follow segments that end at byte {expected}.")]
    Gap {
        /// Where it should begin.
        expected: u64,
        /// Where it begins.
        found: u64,
    },
    /// It says something that the specification does not allow.
    #[error("The statement cannot be signed: {0}.")]
    Statement(#[from] StatementError),
}

/// The state of a recording between two statements.
#[derive(Debug)]
pub struct Recording {
    id: RecordingId,
    next: Sequence,
    previous: Digest,
    segments: Vec<(ByteRange, Digest)>,
    head_stated: bool,
}

impl Recording {
    /// Signs `start`.
    ///
    /// # Errors
    /// [`SignError::Statement`], for tracks whose parameters do not fit into a statement.
    pub fn start(start: Start, key: &DeviceKey) -> Result<(Self, Statement), SignError> {
        let id = start.recording;
        let statement = Statement::sign(&Payload::Start(start), key)?;
        Ok((Self::after_start(id, &statement), statement))
    }

    /// The state after a `start` that was signed before.
    #[must_use]
    pub fn after_start(id: RecordingId, start: &Statement) -> Self {
        let previous = start.digest();
        Self { id, next: Sequence::START.next(), previous, segments: Vec::new(), head_stated: false }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// The sequence of the next statement.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.next
    }

    /// How many bytes of the file are signed.
    #[must_use]
    pub fn signed_length(&self) -> u64 {
        self.segments.last().map_or(0, |(range, _)| range.end())
    }

    /// The signed ranges and their digests.
    #[must_use]
    pub fn segments(&self) -> &[(ByteRange, Digest)] {
        &self.segments
    }

    /// Whether a segment has stated `head`.
    #[must_use]
    pub fn head_stated(&self) -> bool {
        self.head_stated
    }

    /// Signs the next segment.
    ///
    /// # Errors
    /// When it does not begin where the one before it ends.
    pub fn segment(&mut self, facts: SegmentFacts, key: &DeviceKey) -> Result<Statement, SignError> {
        let segment = Segment {
            recording: self.id,
            sequence: self.next,
            previous: self.previous,
            capture_begin: facts.capture_begin,
            capture_end: facts.capture_end,
            range: facts.range,
            digest: facts.digest,
            fingerprints: Vec::new(),
            timeline: facts.timeline,
            battery: facts.battery,
            events: facts.events,
            chain_head: facts.chain_head,
            position: facts.position,
            head: facts.head,
        };
        self.check_place(segment.range)?;
        let statement = Statement::sign(&Payload::Segment(segment.clone()), key)?;
        self.advance(&segment, statement.digest());
        Ok(statement)
    }

    /// The state after a segment that was signed before.
    ///
    /// # Errors
    /// When it does not follow.
    pub fn after_segment(&mut self, segment: &Segment, statement: &Statement) -> Result<(), SignError> {
        self.check_place(segment.range)?;
        self.advance(segment, statement.digest());
        Ok(())
    }

    /// Signs `end`.
    ///
    /// # Errors
    /// [`SignError::Statement`]
    pub fn end(
        &self,
        reason: EndReason,
        capture_end: UnixMillis,
        head: Option<Digest>,
        key: &DeviceKey,
    ) -> Result<Statement, SignError> {
        let end = End {
            recording: self.id,
            sequence: self.next,
            previous: self.previous,
            reason,
            capture_end,
            total_length: self.signed_length(),
            segments: self.segments.len() as u64,
            root: segments_root(self.segments.iter().map(|(range, digest)| (*range, digest))),
            head: head.filter(|_| !self.head_stated),
        };
        Ok(Statement::sign(&Payload::End(end), key)?)
    }

    fn check_place(&self, range: ByteRange) -> Result<(), SignError> {
        let (expected, found) = (self.signed_length(), range.offset());
        if expected == found { Ok(()) } else { Err(SignError::Gap { expected, found }) }
    }

    fn advance(&mut self, segment: &Segment, digest: Digest) {
        self.segments.push((segment.range, segment.digest));
        self.head_stated |= segment.head.is_some();
        self.next = self.next.next();
        self.previous = digest;
    }
}
