//! By whose trust file the page judges: the operator's, until the user puts another in its place.

use std::path::Path;

use anyhow::{Result, ensure};
use jianzhen_tests::page;
use jianzhen_tests::stack::Stack;
use jianzhen_tests::video;
use thirtyfour::WebDriver;

use crate::world::{Case, PATIENCE, World, expect, expect_error};

pub(crate) const CASES: &[Case] =
    &[("trust::file_of_the_user", file_of_the_user), ("trust::what_is_no_trust_file", what_is_no_trust_file)];

/// Evidence of another chain convinces only while that chain's trust file is loaded, and the result says so.
fn file_of_the_user(world: &World) -> Result<()> {
    let stack = Stack::start(&world.scratch("trust-of-the-user")?, "another.example/log")?;
    let source = video::fragmented(&stack.directory, "source.mp4", video::CODECS[0], 4, 57)?;
    let sealed = stack.record(&source, "sealed.mp4")?;
    let files: [&Path; 2] = [&sealed.file, &sealed.evidence];
    world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::ready_offline(browser).await?;
        let operators = page::trust_digest(browser).await?;
        expect_error(&verify(browser, &files, 1).await?, "other-chain")?;

        page::choose_trust(browser, &stack.trust()).await?;
        let users = page::trust_digest(browser).await?;
        ensure!(users != operators, "the digest is still {users}");
        let judged = verify(browser, &files, 2).await?;
        expect(&judged, "consistent")?;
        ensure!(judged.report["trust"]["digest"] == users, "judged by {}", judged.report["trust"]);
        ensure!(judged.text.contains("trust.json"), "the result names no trust file:\n{}", judged.text);

        page::restore_trust(browser).await?;
        ensure!(page::trust_digest(browser).await? == operators, "the operator's did not come back");
        let judged = verify(browser, &files, 3).await?;
        expect_error(&judged, "other-chain")?;
        ensure!(!judged.text.contains("trust.json"), "the result still names it:\n{}", judged.text);
        Ok(())
    })
}

/// What is no trust file changes nothing; what only looks like one is never passed over for the operator's.
fn what_is_no_trust_file(world: &World) -> Result<()> {
    let scratch = world.scratch("no-trust-file")?;
    let other = scratch.join("other.json");
    std::fs::write(&other, br#"{"name": "x"}"#)?;
    let lookalike = scratch.join("lookalike.json");
    std::fs::write(&lookalike, br#"{"version": 1, "logs": [], "registrars": []}"#)?;
    let files: [&Path; 1] = [&world.sealed.file];
    world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::ready_offline(browser).await?;
        let operators = page::trust_digest(browser).await?;
        page::choose_trust(browser, &other).await?;
        page::trust_refused(browser).await?;
        ensure!(page::trust_digest(browser).await? == operators, "it is used all the same");
        expect(&verify(browser, &files, 1).await?, "consistent")?;

        page::choose_trust(browser, &lookalike).await?;
        expect_error(&verify(browser, &files, 2).await?, "trust-unreadable")
    })
}

/// Gives files to the page, on which `count` are then done, and reads the last card.
async fn verify(browser: &WebDriver, files: &[&Path], count: usize) -> Result<page::Card> {
    page::pick(browser, files).await?;
    let mut cards = page::cards(browser, count, PATIENCE).await?;
    ensure!(cards.len() == count, "{} cards instead of {count}", cards.len());
    Ok(cards.swap_remove(count - 1))
}
