//! What clumsy users, broken disks and mixed-up files lead to: a sentence each, never a verdict on the content.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use jianzhen_tests::stack::Stack;
use jianzhen_tests::{page, video};

use crate::world::{Case, Given, PATIENCE, World, expect_error};

pub(crate) const CASES: &[Case] = &[
    ("bad_input::empty_file", empty_file),
    ("bad_input::directory", directory),
    ("bad_input::unreadable_file", unreadable_file),
    ("bad_input::file_that_changes_while_being_read", changing_file),
    ("bad_input::evidence_for_another_file", evidence_for_another_file),
    ("bad_input::evidence_from_another_chain", evidence_from_another_chain),
    ("bad_input::damaged_evidence", damaged_evidence),
    ("bad_input::cancelled", cancelled),
];

fn empty_file(world: &World) -> Result<()> {
    let empty = world.scratch("empty")?.join("empty.mp4");
    std::fs::write(&empty, b"")?;
    let card = world.verify(&world.stack, Given { file: &empty, evidence: None })?;
    expect_error(&card, "empty-file")
}

/// A directory can only come by dragging.
fn directory(world: &World) -> Result<()> {
    let directory = world.scratch("a-directory")?;
    std::fs::write(directory.join("inside.txt"), b"inside")?;
    let cards = world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::drop_files(browser, &[&directory]).await?;
        page::cards(browser, 1, PATIENCE).await
    })?;
    expect_error(&cards[0], "directory")
}

/// The file is gone when the page begins to read it.
fn unreadable_file(world: &World) -> Result<()> {
    let gone = world.scratch("unreadable")?.join("gone.mp4");
    let cards = world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::pick_unchecked(browser, &[&gone]).await?;
        page::cards(browser, 1, PATIENCE).await
    })?;
    expect_error(&cards[0], "unreadable")
}

fn changing_file(world: &World) -> Result<()> {
    let changing = world.scratch("changing")?.join("changing.bin");
    std::fs::File::create(&changing)?.set_len(4 << 30)?;
    let cards = world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::pick(browser, &[&changing]).await?;
        page::phase(browser, "hashing").await?;
        std::fs::File::options().append(true).open(&changing)?.write_all(b"more")?;
        page::cards(browser, 1, PATIENCE).await
    })?;
    std::fs::remove_file(&changing)?;
    expect_error(&cards[0], "changed-while-reading")
}

fn evidence_for_another_file(world: &World) -> Result<()> {
    let scratch = world.scratch("another-file")?;
    let other = video::fragmented(&scratch, "other.mp4", video::CODECS[0], 4, 55)?;
    let given = Given { file: &other, evidence: Some(&world.sealed.evidence) };
    expect_error(&world.verify(&world.stack, given)?, "other-file")
}

fn evidence_from_another_chain(world: &World) -> Result<()> {
    let stack = Stack::start(&world.scratch("another-chain")?, "another.example/log")?;
    let source = video::fragmented(&stack.directory, "source.mp4", video::CODECS[0], 4, 56)?;
    let sealed = stack.record(&source, "sealed.mp4")?;
    let given = Given { file: &sealed.file, evidence: Some(&sealed.evidence) };
    expect_error(&world.verify(&world.stack, given)?, "other-chain")
}

/// Every eighth of the evidence file damaged in turn, and the file cut short.
fn damaged_evidence(world: &World) -> Result<()> {
    let bytes = std::fs::read(&world.sealed.evidence)?;
    let scratch = world.scratch("damaged-evidence")?;
    let mut damaged = Vec::new();
    for eighth in 0..8 {
        let mut copy = bytes.clone();
        copy[bytes.len() * eighth / 8 + 20] ^= 0x10;
        damaged.push(copy);
    }
    damaged.push(bytes[..bytes.len() / 2].to_vec());
    for (number, bytes) in damaged.iter().enumerate() {
        let path = scratch.join(format!("damaged-{number}.evidence"));
        std::fs::write(&path, bytes)?;
        let card = world.verify(&world.stack, Given { file: &world.sealed.file, evidence: Some(&path) })?;
        let verdict = card.verdict.as_deref().unwrap_or_default();
        ensure!(["evidence-invalid", "not-completed"].contains(&verdict), "damage {number} gave {verdict}");
    }
    Ok(())
}

fn cancelled(world: &World) -> Result<()> {
    let large = world.scratch("cancelled")?.join("large.bin");
    std::fs::File::create(&large)?.set_len(4 << 30)?;
    let files: [&Path; 1] = [&large];
    let cards = world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::pick(browser, &files).await?;
        page::phase(browser, "hashing").await?;
        page::cancel(browser).await?;
        page::cards(browser, 1, PATIENCE).await
    })?;
    std::fs::remove_file(&large)?;
    expect_error(&cards[0], "cancelled")
}
