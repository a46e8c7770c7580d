//! Every screen in both languages, at a desktop's and at a phone's width: nothing sticks out, nothing fails in the
//! console, the language is declared. With `JIANZHEN_SCREENSHOTS` set, a picture of each is kept there to be looked at.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jianzhen_tests::{page, video};
use thirtyfour::prelude::*;

use crate::world::{Case, PATIENCE, World};

pub(crate) const CASES: &[Case] = &[
    ("screens::start", start),
    ("screens::results_in_chinese", |world| results(world, "zh-CN")),
    ("screens::results_in_english", |world| results(world, "en-US")),
    ("screens::language_switch", language_switch),
    ("screens::by_keyboard_alone", by_keyboard_alone),
];

const WIDTHS: [(u32, u32); 2] = [(1280, 900), (390, 844)];

fn start(world: &World) -> Result<()> {
    for language in ["zh-CN", "en-US"] {
        in_language(world, language, async |browser| {
            page::open(browser, &world.stack.url).await?;
            page::ready_offline(browser).await?;
            look_at(browser, &format!("start-{language}")).await
        })?;
    }
    Ok(())
}

/// One file for each verdict, each alone on the page.
fn results(world: &World, language: &str) -> Result<()> {
    let sealed = &world.sealed;
    let scratch = world.scratch("screens")?;
    let segments = video::segments(&sealed.file)?;
    let middle = segments[6].0 + 2000;
    let cut = usize::try_from(segments[4].0 + segments[4].1)?;
    let altered = video::flipped(&sealed.file, "执法录像_改动.mp4", middle)?;
    let excerpt = video::edited(&sealed.file, "执法录像_片段.mp4", |bytes| bytes.truncate(cut))?;
    let unknown = video::fragmented(&scratch, "未存证.mp4", video::CODECS[0], 4, 77)?;
    let forged = scratch.join("伪造.evidence");
    let mut bytes = std::fs::read(&sealed.evidence)?;
    // Within the signature of the first segment's statement: well-formed, and false.
    let segment = video::find(&bytes, b"application/vnd.jianzhen.segment").context("no segment")?;
    let place = segment + video::find(&bytes[segment..], b"\x58\x40").context("no signature")? + 10;
    bytes[place] ^= 1;
    std::fs::write(&forged, bytes)?;
    let empty = scratch.join("空文件.mp4");
    std::fs::write(&empty, b"")?;
    let states: [(&str, Vec<&Path>); 6] = [
        ("consistent", vec![&sealed.file]),
        ("inconsistent", vec![&altered]),
        ("excerpt", vec![&excerpt]),
        ("not-deposited", vec![&unknown]),
        ("evidence-invalid", vec![&sealed.file, &forged]),
        ("not-completed", vec![&empty]),
    ];
    in_language(world, language, async |browser| {
        for (state, files) in &states {
            page::open(browser, &world.stack.url).await?;
            page::pick(browser, files).await?;
            let cards = page::cards(browser, 1, PATIENCE).await?;
            ensure!(
                cards[0].verdict.as_deref() == Some(*state),
                "{state}: {:?} {:#}",
                cards[0].verdict,
                cards[0].report
            );
            look_at(browser, &format!("{state}-{language}")).await?;
            browser
                .execute("for (const d of document.querySelectorAll('details')) d.open = true", vec![])
                .await?;
            look_at(browser, &format!("{state}-{language}-details")).await?;
        }
        Ok(())
    })
}

fn language_switch(world: &World) -> Result<()> {
    in_language(world, "zh-CN", async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::pick(browser, &[&world.sealed.file]).await?;
        page::cards(browser, 1, PATIENCE).await?;
        page::switch_language(browser, "en").await?;
        let cards = page::cards(browser, 1, PATIENCE).await?;
        ensure!(!cards[0].text.contains("核验通过"), "still Chinese:\n{}", cards[0].text);
        ensure!(cards[0].verdict.as_deref() == Some("consistent"), "the verdict was lost by the switch");
        // The choice is remembered.
        page::open(browser, &world.stack.url).await?;
        ensure!(page::language(browser).await? == "en", "the choice was forgotten");
        Ok(())
    })
}

/// Tab leads to the button that opens the file dialogue, and its focus can be seen.
fn by_keyboard_alone(world: &World) -> Result<()> {
    in_language(world, "zh-CN", async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::ready_offline(browser).await?;
        for _ in 0..12 {
            browser.action_chain().send_keys(Key::Tab).perform().await?;
            let focused = browser.active_element().await?;
            let chooses = focused.attr("data-action").await?.as_deref() == Some("choose")
                || focused.id().await?.as_deref() == Some("file");
            if chooses {
                let outline = focused.css_value("outline-style").await?;
                ensure!(outline != "none", "the focus cannot be seen");
                return Ok(());
            }
        }
        anyhow::bail!("twelve presses of Tab do not reach the button that chooses a file")
    })
}

/// Runs `work` in a browser of `language`.
pub(crate) fn in_language(
    world: &World,
    language: &str,
    work: impl AsyncFnOnce(&WebDriver) -> Result<()>,
) -> Result<()> {
    world.runtime.block_on(async {
        let browser = world.driver.browser(language, 1280).await?;
        let worked = work(&browser).await;
        browser.quit().await?;
        worked
    })
}

/// Checks the present screen at both widths and keeps pictures of it.
pub(crate) async fn look_at(browser: &WebDriver, name: &str) -> Result<()> {
    let expected = if name.contains("en-US") { "en" } else { "zh" };
    let language = page::language(browser).await?;
    ensure!(language.starts_with(expected), "{name}: lang is {language}");
    for (width, height) in WIDTHS {
        page::resize(browser, width, height).await?;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let size = browser
            .execute(
                "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]",
                vec![],
            )
            .await?;
        let size: (u32, u32) = serde_json::from_value(size.json().clone())?;
        ensure!(size.0 <= width, "{name}: the page is {} pixels wide on a screen of {width}", size.0);
        if let Some(directory) = std::env::var_os("JIANZHEN_SCREENSHOTS") {
            page::resize(browser, width, size.1.max(height)).await?;
            std::fs::create_dir_all(&directory)?;
            browser.screenshot(&PathBuf::from(directory).join(format!("{name}-{width}.png"))).await?;
            page::resize(browser, width, height).await?;
        }
    }
    Ok(())
}
