//! The page about the chain itself: what this browser has verified, and receipts and entries that it checks.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use evidence::{EvidenceFile, TrustFile};
use jianzhen_tests::{http, page};
use thirtyfour::prelude::*;

use crate::screens::{in_language, look_at};
use crate::world::{Case, World};

pub(crate) const CASES: &[Case] = &[
    ("chain::verified_by_this_browser", verified),
    ("chain::a_witness_that_is_away_is_not_checked", witness_away),
    ("chain::receipts_are_checked_in_the_browser", receipts),
    ("chain::entries_are_found_and_proven", entries),
    ("chain::screens", screens),
];

/// How long an answer may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Opens the chain page and waits until it has an opinion about the chain.
pub(crate) async fn open(browser: &WebDriver, url: &str) -> Result<()> {
    browser.goto(format!("{url}/chain")).await?;
    state(browser, &["verified", "unverified", "alarm"]).await.map(drop)
}

/// Waits until the chain is in one of `states`.
pub(crate) async fn state(browser: &WebDriver, states: &[&str]) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Ok(chain) = browser.find(By::Css("[data-chain]")).await
            && let Some(state) = chain.attr("data-state").await?
            && states.contains(&state.as_str())
        {
            return Ok(state);
        }
        if begun.elapsed() > LIMIT {
            bail!(
                "the chain is in none of {states:?}:\n{}",
                browser.find(By::Css("body")).await?.text().await?
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Name and state of each witness.
async fn witnesses(browser: &WebDriver) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for row in browser.find_all(By::Css("[data-witness]")).await? {
        let of = async |name| Ok::<_, anyhow::Error>(row.attr(name).await?.unwrap_or_default());
        found.push((of("data-name").await?, of("data-state").await?));
    }
    Ok(found)
}

fn verified(world: &World) -> Result<()> {
    world.with_browser(async |browser| {
        open(browser, &world.stack.url).await?;
        ensure!(state(browser, &["verified"]).await? == "verified");
        let note = tlog::SignedNote::parse(&http::get(&format!("{}/log/checkpoint", world.stack.url))?)?;
        let head = tlog::Checkpoint::unverified(&note)?.head();
        let chain = browser.find(By::Css("[data-chain]")).await?;
        ensure!(chain.attr("data-size").await? == Some(head.size.to_string()));
        let expected = ["w1", "w2", "w3"].map(|name| (name.to_owned(), "agrees".to_owned()));
        ensure!(witnesses(browser).await? == expected, "{:?}", witnesses(browser).await?);
        ensure!(page::alarm(browser).await?.is_none());
        // There and back again without losing the way.
        browser.goto(&world.stack.url).await?;
        page::ready_offline(browser).await
    })
}

fn witness_away(world: &World) -> Result<()> {
    let away = &world.stack.witnesses[1];
    away.freeze();
    let looked = world.with_browser(async |browser| {
        open(browser, &world.stack.url).await?;
        state(browser, &["verified"]).await?;
        witnesses(browser).await
    });
    away.thaw();
    let looked = looked?;
    ensure!(looked.contains(&("w2".to_owned(), "no-answer".to_owned())), "{looked:?}");
    ensure!(looked.contains(&("w1".to_owned(), "agrees".to_owned())), "{looked:?}");
    Ok(())
}

/// The result of the newest check, once it is there.
async fn result(browser: &WebDriver, subject: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Ok(checked) = browser.find(By::Css("[data-checked]")).await
            && let Some(result) = checked.attr("data-result").await?.filter(|result| !result.is_empty())
            && checked.text().await?.contains(subject)
        {
            return Ok(result);
        }
        if begun.elapsed() > LIMIT {
            bail!("nothing was checked:\n{}", browser.find(By::Css("body")).await?.text().await?);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn receipts(world: &World) -> Result<()> {
    let directory = world.scratch("receipts")?;
    let evidence = EvidenceFile::parse(&std::fs::read(&world.sealed.evidence)?)?;
    let (_, _, receipt) = evidence.receipts().last().context("the evidence has receipts")?;
    let text = std::str::from_utf8(receipt.as_bytes())?;
    let hash = text.lines().find(|line| line.len() == 44).context("the receipt has a proof")?;
    let other = hash.chars().rev().collect::<String>();
    let other = format!("{}=", other.trim_start_matches('='));
    let cases = [
        ("good.tlog-proof", text.to_owned(), "proven"),
        ("altered.tlog-proof", text.replacen(hash, &flipped(hash), 1), "failed"),
        ("damaged.tlog-proof", text.replacen(hash, &other[1..], 1), "unreadable"),
        ("nonsense.tlog-proof", "这不是回执\n".to_owned(), "unreadable"),
    ];
    world.with_browser(async |browser| {
        open(browser, &world.stack.url).await?;
        for (name, text, expected) in cases {
            let file = directory.join(name);
            std::fs::write(&file, text)?;
            browser.find(By::Css("#receipt")).await?.send_keys(jianzhen_tests::stack::utf8(&file)).await?;
            let found = result(browser, name).await?;
            ensure!(found == expected, "{name}: {found}");
        }
        Ok(())
    })
}

/// Another hash in the same spelling.
fn flipped(hash: &str) -> String {
    let first = if hash.starts_with('A') { 'B' } else { 'A' };
    format!("{first}{}", &hash[1..])
}

fn entries(world: &World) -> Result<()> {
    let evidence = EvidenceFile::parse(&std::fs::read(&world.sealed.evidence)?)?;
    let digest = evidence.first().digest().to_string();
    let trust = TrustFile::parse(&http::get(&format!("{}/trust.json", world.stack.url))?)?;
    let cases = [
        ("0", "proven"),
        (digest.as_str(), "proven"),
        ("999999", "not-found"),
        ("00000000000000000000000000000000000000000000000000000000000000aa", "not-found"),
    ];
    world.with_browser(async |browser| {
        open(browser, &world.stack.url).await?;
        for (typed, expected) in cases {
            let field = browser.find(By::Css("#entry")).await?;
            field.clear().await?;
            field.send_keys(typed).await?;
            browser.find(By::Css("[data-action=check-entry]")).await?.click().await?;
            let found = result(browser, typed).await?;
            ensure!(found == expected, "{typed}: {found}");
            let buttons = browser.find_all(By::Css("[data-save-receipt]")).await?.len();
            ensure!(buttons == usize::from(expected == "proven"), "{typed}: {buttons}");
            if expected == "proven" {
                let receipt = saved_receipt(browser).await?;
                let proven = evidence::examine_receipt(receipt.as_bytes(), &trust)?;
                let is_meant = typed == "0" && proven.index().get() == 0;
                ensure!(is_meant || proven.entry().statement.to_string() == typed, "{typed}: {receipt}");
            }
        }
        // What is neither is said at the field, and nothing is asked.
        let field = browser.find(By::Css("#entry")).await?;
        field.clear().await?;
        field.send_keys("abc").await?;
        browser.find(By::Css("[data-action=check-entry]")).await?.click().await?;
        ensure!(field.attr("aria-invalid").await?.as_deref() == Some("true"));
        Ok(())
    })
}

/// Presses the button that saves the receipt, and reads what the browser is given to save.
async fn saved_receipt(browser: &WebDriver) -> Result<String> {
    let hook = "window.savedReceipt = null; \
        URL.createObjectURL = (blob) => { blob.text().then((text) => { window.savedReceipt = text; }); return '#saved'; };";
    browser.execute(hook, Vec::new()).await?;
    let button = browser.find(By::Css("[data-save-receipt]")).await?;
    // The link that is clicked then would save the page itself: that is of no interest.
    let press = "HTMLAnchorElement.prototype.click = () => {}; arguments[0].click();";
    browser.execute(press, vec![button.to_json()?]).await?;
    let begun = Instant::now();
    loop {
        let saved = browser.execute("return window.savedReceipt;", Vec::new()).await?;
        if let Some(text) = saved.json().as_str() {
            return Ok(text.to_owned());
        }
        ensure!(begun.elapsed() < LIMIT, "no receipt is saved");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn screens(world: &World) -> Result<()> {
    for language in ["zh-CN", "en-US"] {
        in_language(world, language, async |browser| {
            open(browser, &world.stack.url).await?;
            state(browser, &["verified"]).await?;
            look_at(browser, &format!("chain-{language}")).await?;
            browser.find(By::Css("#entry")).await?.send_keys("0").await?;
            browser.find(By::Css("[data-action=check-entry]")).await?.click().await?;
            ensure!(result(browser, "0").await? == "proven");
            look_at(browser, &format!("chain-checked-{language}")).await
        })?;
    }
    Ok(())
}
