//! From bytes to signed statements. For each segment, in this order and no other:
//!
//! 1. its bytes are on the medium (video file, synced);
//! 2. its statement is signed;
//! 3. the statement is on the medium (spool, synced);
//! 4. the sender and the display are told.
//!
//! A crash between any two of them loses at most a segment that nobody has been told of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::durable::FileError;
use evidence::statement::{EndReason, Event as DeviceEvent, SelfCheck, Start, Timeline};
use evidence::{ByteRange, DeviceKey, Digest, Disclosure, RecordingId, Statement, Submission, UnixMillis};
use media::{Event, Header, MediaTimes, Sink};
use sha2::{Digest as _, Sha256};

use crate::chain::Chain;
use crate::clock::{CaptureClock, Reading, SystemClock};
use crate::display::Display;
use crate::gpx;
use crate::ledger::{Ledger, LedgerError};
use crate::machine::{self, Watch};
use crate::outbox::{Outbox, Shared, locked};
use crate::output::Output;
use crate::random::{self, RandomError};
use crate::recording::{Recording, SegmentFacts, SignError};
use crate::spool::{About, Spool, Spooled, SpooledError};
use crate::tracks;

/// What comes before the header of a live stream is `ftyp` and perhaps padding.
const MAX_PREAMBLE: usize = 8 * 1024 * 1024;

/// How often a segment states the newest checkpoint.
const CHAIN_HEAD_INTERVAL_MS: u64 = 30_000;

/// Why a recording stops.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The video file.
    #[error(transparent)]
    Output(#[from] FileError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpooledError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A statement that cannot be made.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No randomness for ids and salts.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The input has no usable beginning.
    #[error("The input ended before its header was complete.")]
    NoHeader,
    /// Padding without end.
    #[error("The input has more than {MAX_PREAMBLE} bytes before its header.")]
    LongPreamble,
    /// A range that no statement can carry.
    #[error("{0}.")]
    Range(#[from] evidence::RangeError),
}

impl CaptureError {
    /// Whether the medium is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Output(error) => error.is_storage_full(),
            Self::Spool(error) => error.is_storage_full(),
            _ => false,
        }
    }
}

/// What is known before the first byte.
pub struct Setting<'a> {
    /// Signs.
    pub key: &'a DeviceKey,
    /// Statement digest of the enrolment.
    pub enrolment: Digest,
    /// Where statements go.
    pub spool: &'a Spool,
    /// What `about.json` will say.
    pub about: About,
    /// Counts recordings.
    pub ledger: &'a mut Ledger,
    /// Told of every statement.
    pub outbox: &'a Outbox,
    /// Knows the newest verified checkpoint.
    pub chain: &'a Chain,
    /// Shown to the person.
    pub display: Arc<Display>,
    /// Where the device was.
    pub track: Option<gpx::Track>,
    /// Before capture.
    pub self_check: SelfCheck,
    /// Reads time.
    pub clock: SystemClock,
    /// Hold segments back until their media time has passed.
    pub realtime: bool,
    /// Set when somebody wants to stop.
    pub stop: Arc<AtomicBool>,
}

/// What a finished recording was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its id.
    pub id: RecordingId,
    /// Segments signed.
    pub segments: u64,
    /// Bytes signed.
    pub length: u64,
}

/// The sink of a [`media::Segmenter`]: writes, digests, signs.
pub struct Capture<'a> {
    setting: Setting<'a>,
    first: Option<Reading>,
    at: Option<Reading>,
    stage: Stage,
    failure: Option<CaptureError>,
}

enum Stage {
    /// Bytes that came before the header.
    Waiting(Vec<u8>),
    Running(Box<Running>),
}

struct Running {
    recording: Recording,
    counter: u64,
    shared: Shared,
    output: Output,
    segment: Sha256,
    head: HeadDigest,
    clock: CaptureClock,
    watch: Watch,
    chain_head_stated: UnixMillis,
}

impl<'a> Capture<'a> {
    /// Nothing is written before the input has shown a header that can be recorded.
    #[must_use]
    pub fn new(setting: Setting<'a>) -> Self {
        Self { setting, first: None, at: None, stage: Stage::Waiting(Vec::new()), failure: None }
    }

    /// The bytes pushed next were read at this time.
    pub fn arrived(&mut self, at: Reading) {
        self.first.get_or_insert(at);
        self.at = Some(at);
    }

    /// Whether there is a recording.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }

    /// What went wrong, once.
    pub fn take_failure(&mut self) -> Option<CaptureError> {
        self.failure.take()
    }

    /// Signs the bytes that were written since the last segment, if the container could not (a full medium).
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn sign_rest(&mut self) -> Result<(), CaptureError> {
        let Stage::Running(running) = &self.stage else { return Ok(()) };
        let (from, to) = (running.recording.signed_length(), running.output.written());
        if to == from { Ok(()) } else { self.sign_segment(from, to - from, None) }
    }

    /// Signs `end`, if there is a recording.
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn end(&mut self, reason: EndReason) -> Result<Option<Captured>, CaptureError> {
        let Stage::Running(running) = &mut self.stage else { return Ok(None) };
        let (at, _) = running.clock.observe(self.setting.clock.read());
        let head = running.head.complete(running.output.written());
        let statement = running.recording.end(reason, at, head, self.setting.key)?;
        let sequence = running.recording.next_sequence().get();
        append(&running.shared, sequence, &Submission::of(statement.clone()))?;
        self.setting.ledger.enter(running.counter, Some(statement.digest()))?;
        self.setting.outbox.ring();
        Ok(Some(Captured {
            id: running.recording.id(),
            segments: running.recording.segments().len() as u64,
            length: running.recording.signed_length(),
        }))
    }

    /// The recording in the outbox.
    #[must_use]
    pub fn shared(&self) -> Option<Shared> {
        match &self.stage {
            Stage::Running(running) => Some(Arc::clone(&running.shared)),
            Stage::Waiting(_) => None,
        }
    }

    fn try_event(&mut self, event: Event) -> Result<(), CaptureError> {
        match event {
            Event::Header(header) => self.begin(&header),
            Event::Segment(segment) => {
                self.pace(segment.times);
                self.sign_segment(segment.offset, segment.length, segment.times)?;
                Ok(())
            }
        }
    }

    fn begin(&mut self, header: &Header) -> Result<(), CaptureError> {
        let Stage::Waiting(preamble) = &mut self.stage else { return Ok(()) };
        // invariant: recording was asked for, so a header that cannot be described was an error and no event.
        let Ok(movie) = &header.movie else { return Err(CaptureError::NoHeader) };
        let preamble = std::mem::take(preamble);
        let setting = &mut self.setting;
        let first = self.first.unwrap_or_else(|| setting.clock.read());
        let disclosure = position(setting.track.as_ref(), Duration::ZERO)?;
        let start = Start {
            recording: RecordingId::from_bytes(random::bytes()?),
            counter: setting.ledger.next_counter(),
            previous_final: setting.ledger.last_final(),
            enrolment: setting.enrolment,
            capture_begin: first.wall,
            tracks: tracks::describe(movie),
            self_check: setting.self_check.clone(),
            chain_head: setting.chain.chain_head(),
            position: disclosure.as_ref().map(Disclosure::commitment),
        };
        let (id, counter) = (start.recording, start.counter);
        let (recording, statement) = Recording::start(start, setting.key)?;
        let output = Output::create(&setting.about.file)?;
        let mut spooled = Spooled::create(&setting.spool.path(&id.to_string()), &setting.about)?;
        spooled.append(0, &submission(statement, disclosure).encode())?;
        setting.ledger.enter(counter, None)?;
        let shared = setting.outbox.add_live(spooled);
        setting.outbox.ring();
        self.stage = Stage::Running(Box::new(Running {
            recording,
            counter,
            shared,
            output,
            segment: Sha256::new(),
            head: HeadDigest::default(),
            clock: CaptureClock::begin(first),
            watch: Watch::default(),
            chain_head_stated: first.wall,
        }));
        self.try_data(&preamble)
    }

    fn try_data(&mut self, bytes: &[u8]) -> Result<(), CaptureError> {
        match &mut self.stage {
            Stage::Waiting(preamble) if preamble.len() + bytes.len() > MAX_PREAMBLE => {
                Err(CaptureError::LongPreamble)
            }
            Stage::Waiting(preamble) => {
                preamble.extend_from_slice(bytes);
                Ok(())
            }
            Stage::Running(running) => {
                // Written before it is digested: after a refused write the digest is still that of the file.
                running.output.write(bytes)?;
                running.segment.update(bytes);
                running.head.update(bytes);
                Ok(())
            }
        }
    }

    fn sign_segment(
        &mut self,
        offset: u64,
        length: u64,
        times: Option<MediaTimes>,
    ) -> Result<(), CaptureError> {
        let reading = self.reading();
        let setting = &mut self.setting;
        let Stage::Running(running) = &mut self.stage else { return Err(CaptureError::NoHeader) };
        let range = ByteRange::new(offset, length)?;
        let capture_begin = running.clock.last();
        let (capture_end, step) = running.clock.observe(reading);
        let battery = machine::battery();
        let free = machine::free_storage(client::durable::parent(&setting.about.file));
        let mut events: Vec<DeviceEvent> = step.into_iter().collect();
        events.extend(running.watch.observe(capture_end, battery, free));
        let chain_head = running.chain_head_due(capture_end, setting.chain);
        let media = times.map(|times| Duration::from_millis(times.begin_ms));
        let disclosure = match media {
            Some(media) => position(setting.track.as_ref(), media)?,
            None => None,
        };
        running.output.sync()?;
        let facts = SegmentFacts {
            range,
            digest: Digest::from_bytes(running.segment.finalize_reset().into()),
            capture_begin,
            capture_end,
            timeline: times.map(|times| Timeline { begin_ms: times.begin_ms, end_ms: times.end_ms }),
            battery,
            events,
            chain_head,
            position: disclosure.as_ref().map(Disclosure::commitment),
            head: running.head.stated_by(range),
        };
        let sequence = running.recording.next_sequence().get();
        let statement = running.recording.segment(facts, setting.key)?;
        append(&running.shared, sequence, &submission(statement, disclosure))?;
        setting.outbox.ring();
        setting.display.captured(running.recording.segments().len() as u64, setting.outbox.counts());
        Ok(())
    }

    /// When the last byte was read. A replay in real time stands for a camera, which would deliver it now.
    fn reading(&self) -> Reading {
        match self.at {
            Some(at) if !self.setting.realtime => at,
            _ => self.setting.clock.read(),
        }
    }

    /// A replay in real time: waits until a camera would have delivered the segment.
    fn pace(&self, times: Option<MediaTimes>) {
        let (Some(first), Some(times), true) = (self.first, times, self.setting.realtime) else { return };
        let due = first.monotonic.saturating_add(Duration::from_millis(times.end_ms));
        while !self.setting.stop.load(Ordering::Relaxed) {
            let left = due.saturating_sub(self.setting.clock.read().monotonic);
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

impl Running {
    fn chain_head_due(&mut self, now: UnixMillis, chain: &Chain) -> Option<evidence::statement::ChainHead> {
        if now.get().saturating_sub(self.chain_head_stated.get()) < CHAIN_HEAD_INTERVAL_MS {
            return None;
        }
        let head = chain.chain_head()?;
        self.chain_head_stated = now;
        Some(head)
    }
}

impl Sink for Capture<'_> {
    fn data(&mut self, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.try_data(bytes).err();
        }
    }

    fn event(&mut self, event: Event) {
        if self.failure.is_none() {
            self.failure = self.try_event(event).err();
        }
    }
}

fn submission(statement: Statement, disclosure: Option<Disclosure>) -> Submission {
    Submission { disclosures: disclosure.into_iter().collect(), ..Submission::of(statement) }
}

fn append(shared: &Shared, sequence: u64, submission: &Submission) -> Result<(), SpooledError> {
    locked(shared).append(sequence, &submission.encode())
}

/// The position at a media time, salted; `None` without a track or without a fix.
fn position(track: Option<&gpx::Track>, media: Duration) -> Result<Option<Disclosure>, CaptureError> {
    let Some(position) = track.and_then(|track| track.at(media)) else { return Ok(None) };
    let salt = random::bytes()?;
    // invariant: a track holds positions on earth only.
    Ok(Disclosure::position(salt, &position).ok())
}

/// SHA-256 of the first 64 KiB.
#[derive(Debug, Clone, Default)]
struct HeadDigest {
    hasher: Sha256,
    taken: u64,
}

impl HeadDigest {
    fn update(&mut self, bytes: &[u8]) {
        let left = evidence::HEAD_LEN - self.taken;
        let take = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.hasher.update(&bytes[..take]);
        self.taken += take as u64;
    }

    /// The digest, if `range` contains the last of the bytes that it covers.
    fn stated_by(&self, range: ByteRange) -> Option<Digest> {
        let last = evidence::HEAD_LEN - 1;
        (range.offset() <= last && last < range.end()).then(|| self.digest())
    }

    /// The digest for `end`: of a whole file shorter than the head.
    fn complete(&self, length: u64) -> Option<Digest> {
        (0 < length && length < evidence::HEAD_LEN).then(|| self.digest())
    }

    fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }
}
