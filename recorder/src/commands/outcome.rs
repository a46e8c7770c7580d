//! How a run ends, and the steps that every sending command ends with.

use std::process::ExitCode;
use std::time::Duration;

use crate::background::Background;
use crate::session::{RefusedRest, Session};
use crate::watch::Watch;

/// BSD `EX_TEMPFAIL`: try again later.
const NOT_SEALED_YET: u8 = 75;

/// BSD `EX_PROTOCOL`: the other side did something that it must not do.
const CHAIN_ALARM: u8 = 76;

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is sealed and every evidence file written.
    Done,
    /// Safe in the spool, not all sealed.
    Waiting,
    /// There is proof that the chain has contradicted itself. What is not sealed is safe in the spool.
    Alarm,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Waiting => Self::from(NOT_SEALED_YET),
            Outcome::Alarm => Self::from(CHAIN_ALARM),
        }
    }
}

/// Waits for receipts, writes what evidence files it can, and says how things stand.
///
/// # Errors
/// When the sending thread died.
pub(super) fn settle(
    session: &Session,
    background: Background,
    watch: Watch,
    patience: Duration,
) -> anyhow::Result<Outcome> {
    let waited = session.wait_until_sealed(&background, patience);
    let sender = background.stop().ok_or_else(|| {
        anyhow::anyhow!("The sending thread died; nothing is lost: run `jianzhen-recorder flush`.")
    })?;
    let mut outcome = Outcome::Done;
    let finished = session.finish_complete(sender.service());
    session.display.finish();
    for written in finished {
        match written {
            Ok(path) => session.display.result(&format!("Evidence file: {}", path.display())),
            Err(error) => {
                outcome = Outcome::Waiting;
                session.display.say(&error.to_string());
            }
        }
    }
    let refused = session.finish_refused(&sender);
    refused.iter().for_each(|rest| tell_refused(session, rest));
    let counts = session.outbox.counts();
    if counts.waiting() > 0 {
        outcome = Outcome::Waiting;
    }
    let hopeful = counts.waiting() - refused.iter().map(|rest| rest.waiting).sum::<u64>();
    if hopeful > 0 {
        let reason = match waited.trouble {
            Some(_) if session.chain.is_alarmed() => " See the alarm above.".to_owned(),
            Some(trouble) => format!(" {trouble}"),
            None => String::new(),
        };
        session.display.say(&format!(
            "{hopeful} of {} statements wait to be sealed; they are safe in the spool.{reason} Run `jianzhen-recorder flush` later.",
            counts.signed
        ));
    }
    // Last: nothing that was recorded waits for a silent witness.
    watch.stop(patience);
    if session.chain.is_alarmed() {
        outcome = Outcome::Alarm;
    }
    Ok(outcome)
}

fn tell_refused(session: &Session, rest: &RefusedRest) {
    let RefusedRest { name, folder, refusal, sealed, .. } = rest;
    let folder = folder.display();
    let sealed = match sealed {
        Ok(Some(part)) => format!(
            "The server refuses the rest of {name} for good: {refusal}. Its first {} segments, {} bytes, are sealed: {} is the evidence for them.",
            part.segments,
            part.bytes,
            part.path.display()
        ),
        Ok(None) => format!("The server refuses {name} for good: {refusal}. No part of it is sealed."),
        Err(error) => format!("The server refuses the rest of {name} for good: {refusal}. {error}"),
    };
    session.display.say(&format!("{sealed} What was refused stays in {folder}; move it away to give it up."));
}
