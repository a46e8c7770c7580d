//! `deposit`: seals a finished file whole.

use anyhow::Context;
use evidence::statement::Deposit as DepositStatement;
use evidence::{Payload, RecordingId, Statement, Submission, segments_root};

use crate::background::Background;
use crate::cli::Deposit;
use crate::clock::wall_clock;
use crate::commands::Outcome;
use crate::commands::outcome::settle;
use crate::digests;
use crate::display::Display;
use crate::media_type;
use crate::paths;
use crate::random;
use crate::session::Session;
use crate::spool::{About, Spooled, Subject};
use crate::watch::Watch;

pub(super) fn run(args: &Deposit) -> anyhow::Result<Outcome> {
    let file = paths::absolute(&args.file)?;
    let evidence = match &args.output_evidence {
        Some(path) => paths::absolute(path)?,
        None => paths::evidence_beside(&file),
    };
    paths::must_be_free(&evidence)?;
    let media_type = match &args.media_type {
        Some(given) if media_type::is_media_type(given) => given.clone(),
        Some(given) => anyhow::bail!("{given:?} is not a media type like video/mp4."),
        None => media_type::by_name(&file).to_owned(),
    };
    let session = Session::open(&args.online.connection(), Display::new())?;
    let sender = session.sender()?;
    let registry = session.registry(sender.service())?;
    let digests = digests::of_file(&file)?;
    let ranges = DepositStatement::blocks(digests.length);
    let id = RecordingId::from_bytes(random::bytes()?);
    let deposit = DepositStatement {
        recording: id,
        enrolment: registry.enrolment(),
        deposited_at: wall_clock(),
        length: digests.length,
        digest: digests.whole,
        root: segments_root(ranges.zip(&digests.blocks)),
        head: digests.head,
        media_type,
        captured_at: None,
        depositor: None,
        position: None,
    };
    let statement = Statement::sign(&Payload::Deposit(deposit), &session.device.key)
        .context("The deposit cannot be signed.")?;
    let submission = Submission { blocks: digests.blocks, ..Submission::of(statement) };
    let about = About { subject: Subject::Deposit, file, evidence, registry: registry.bytes().to_vec() };
    let mut spooled = Spooled::create(&session.device.spool.path(&id.to_string()), &about)?;
    spooled.append(0, &submission.encode())?;
    session.outbox.add_live(spooled);
    let watch = Watch::start(&session.chain, &session.display);
    let background = Background::start(sender, &session.outbox, &session.display)?;
    settle(&session, background, watch, args.online.patience())
}
