//! `record`: from the first byte of the input to the evidence file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context;
use evidence::statement::{ClockSource, EndReason, Role, SelfCheck};
use media::{Ending, Purpose, SegmentError, Segmenter, Truncation};

use crate::background::Background;
use crate::capture::{Capture, CaptureError, Captured, Setting};
use crate::cli::Record;
use crate::clock::SystemClock;
use crate::commands::Outcome;
use crate::commands::outcome::settle;
use crate::display::Display;
use crate::gpx;
use crate::input::{FromInput, Source};
use crate::machine;
use crate::paths;
use crate::service::Service;
use crate::session::Session;
use crate::spool::{About, Subject};
use crate::watch::Watch;

/// After a stop signal a pipe may still deliver the end of its stream: ffmpeg, stopped by the same Ctrl-C, writes out what
/// it has.
const DRAIN: Duration = Duration::from_secs(3);

/// Exit code of a second Ctrl-C, which does not wait for anything. The spool is made for that.
const INTERRUPTED: i32 = 130;

pub(super) fn run(args: &Record) -> anyhow::Result<Outcome> {
    let output = paths::absolute(&args.output)?;
    let evidence = paths::evidence_beside(&output);
    paths::must_be_free(&output)?;
    paths::must_be_free(&evidence)?;
    let track = args.gpx.as_deref().map(gpx::Track::open).transpose()?;
    let stop = stop_flag()?;

    let mut session = Session::open(&args.online.connection(), Display::new())?;
    let sender = session.sender()?;
    let registry = session.registry(sender.service())?;
    if registry.enrol().role == Role::Account {
        anyhow::bail!(
            "This key is enrolled for an account, whose recordings would be refused. To seal a finished file whole, use: jianzhen-recorder deposit FILE"
        );
    }
    let clock = SystemClock::start();
    let self_check = self_check(sender.service(), &output, track.is_some());
    let watch = Watch::start(&session.chain, &session.display);
    let background = Background::start(sender, &session.outbox, &session.display)?;
    let source = Source::named(&args.input);
    let input = source.open(clock)?;

    let mut capture = Capture::new(Setting {
        key: &session.device.key,
        enrolment: registry.enrolment(),
        spool: &session.device.spool,
        about: About {
            subject: Subject::Recording,
            file: output,
            evidence,
            registry: registry.bytes().to_vec(),
        },
        ledger: &mut session.ledger,
        outbox: &session.outbox,
        chain: &session.chain,
        display: Arc::clone(&session.display),
        track,
        self_check,
        clock,
        realtime: args.realtime,
        stop: Arc::clone(&stop),
    });
    let ended = film(&mut capture, &input, &source, &stop);
    let closed = close(&mut capture, &ended);
    let captured = match closed {
        Ok(captured) => captured,
        Err(error) => {
            // What is in the spool stays there, and the next start closes it.
            let _sender = background.stop();
            session.display.finish();
            return Err(error);
        }
    };
    session.display.say(&format!(
        "Recorded {} segments, {} bytes; recording {}.",
        captured.segments, captured.length, captured.id
    ));
    let outcome = settle(&session, background, watch, args.online.patience())?;
    match ended {
        Ended::Input(Some(truncation)) => {
            let cut = describe(truncation);
            session.display.say(&format!("The input was cut off ({cut}); what there was of it is signed."));
            Ok(outcome)
        }
        Ended::Input(None) | Ended::Stopped => Ok(outcome),
        Ended::Broken(error) => {
            Err(error.context("The recording ended early; everything up to there is signed."))
        }
    }
}

/// How filming ended.
enum Ended {
    /// The input was over.
    Input(Option<Truncation>),
    /// Somebody stopped it.
    Stopped,
    /// Something broke.
    Broken(anyhow::Error),
}

/// Feeds the input to the capture until it ends, breaks, or somebody stops it.
fn film(capture: &mut Capture<'_>, input: &Receiver<FromInput>, source: &Source, stop: &AtomicBool) -> Ended {
    let mut segmenter = Segmenter::new(Purpose::Record);
    let mut deadline: Option<Instant> = None;
    let drain = if *source == Source::Pipe { DRAIN } else { Duration::ZERO };
    loop {
        if stop.load(Ordering::Relaxed) {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + drain);
            if Instant::now() >= deadline {
                segmenter.abandon(capture);
                return Ended::Stopped;
            }
        }
        let chunk = match input.recv_timeout(Duration::from_millis(100)) {
            Ok(FromInput::Chunk(chunk)) => chunk,
            Ok(FromInput::End) => return finish(segmenter, capture, stop),
            Ok(FromInput::Broken(error)) => {
                segmenter.abandon(capture);
                return Ended::Broken(error.into());
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                segmenter.abandon(capture);
                return Ended::Broken(anyhow::anyhow!("The thread that reads the input died."));
            }
        };
        capture.arrived(chunk.at);
        let pushed = segmenter.push(&chunk.bytes, capture);
        if let Some(failure) = capture.take_failure() {
            return Ended::Broken(failure.into());
        }
        if let Err(error) = pushed {
            if capture.is_running() {
                segmenter.abandon(capture);
            }
            return Ended::Broken(unsuitable(error));
        }
    }
}

fn finish(segmenter: Segmenter, capture: &mut Capture<'_>, stop: &AtomicBool) -> Ended {
    match segmenter.finish(capture) {
        Err(error) => Ended::Broken(unsuitable(error)),
        Ok(_) if stop.load(Ordering::Relaxed) => Ended::Stopped,
        Ok(Ending { truncation, .. }) => Ended::Input(truncation),
    }
}

/// Signs `end`. An input that could not be recorded at all is an error; whatever else happened, what was captured is closed.
fn close(capture: &mut Capture<'_>, ended: &Ended) -> anyhow::Result<Captured> {
    if let Some(failure) = capture.take_failure() {
        return Err(failure.into());
    }
    let reason = match ended {
        Ended::Broken(error) => match error.downcast_ref::<CaptureError>() {
            Some(failure) if failure.is_storage_full() => {
                capture.sign_rest().context("The storage is full. The next start closes the recording.")?;
                EndReason::StorageFull
            }
            Some(failure) => {
                anyhow::bail!("{failure} The next start closes the recording with what is signed.")
            }
            None if !capture.is_running() => anyhow::bail!("{error}"),
            None => EndReason::InputEnded,
        },
        Ended::Stopped => EndReason::Stopped,
        Ended::Input(_) => EndReason::InputEnded,
    };
    Ok(capture.end(reason)?.ok_or(CaptureError::NoHeader)?)
}

/// Names the other way for files that cannot be recorded.
fn unsuitable(error: SegmentError) -> anyhow::Error {
    match error {
        SegmentError::Unsuitable(kind) => anyhow::anyhow!(
            "{kind} `record` takes live, fragmented MP4 only. To seal a finished file whole, use: jianzhen-recorder deposit FILE"
        ),
        other => other.into(),
    }
}

fn describe(truncation: Truncation) -> String {
    match truncation {
        Truncation::Header { offset } => format!("within the box header at byte {offset}"),
        Truncation::Box { kind, missing, .. } => {
            format!("{missing} bytes of its last \"{kind}\" box are missing")
        }
        Truncation::Media { offset } => format!("the media of the fragment at byte {offset} is missing"),
    }
}

/// 清洁性检查: what the device can tell about itself before capture.
fn self_check(service: &Service, output: &Path, position_fix: bool) -> SelfCheck {
    let offset = service.clock_offset();
    let clock_offset_ms = offset.as_ref().ok().copied().flatten();
    SelfCheck {
        clock_offset_ms,
        clock_source: Some(if clock_offset_ms.is_some() { ClockSource::Service } else { ClockSource::None }),
        firmware: machine::firmware(),
        free_storage: machine::free_storage(client::durable::parent(output)),
        network: Some(offset.is_ok()),
        battery: machine::battery(),
        position_fix: position_fix.then_some(true),
    }
}

/// Set by the first Ctrl-C or SIGTERM; the second one ends the process at once.
fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the conditional one sees the flag as it was before this signal.
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
