//! `flush`: sends what waits.

use crate::background::Background;
use crate::cli::Flush;
use crate::commands::Outcome;
use crate::commands::outcome::settle;
use crate::display::Display;
use crate::session::Session;
use crate::watch::Watch;

pub(super) fn run(args: &Flush) -> anyhow::Result<Outcome> {
    let session = Session::open(&args.online.connection(), Display::new())?;
    let sender = session.sender()?;
    // Also when nothing waits: a device that has been online once can record without a network afterwards.
    if let Err(error) = session.registry(sender.service()) {
        session.display.say(&error.to_string());
    }
    let watch = Watch::start(&session.chain, &session.display);
    let background = Background::start(sender, &session.outbox, &session.display)?;
    settle(&session, background, watch, args.online.patience())
}
