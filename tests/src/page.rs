//! The page as a user sees it; the stable `data-` attributes of the design are its contract.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::stack::utf8;

/// One file's card on the page.
#[derive(Debug, Clone)]
pub struct Card {
    /// The name shown.
    pub name: String,
    /// `data-phase`.
    pub phase: String,
    /// `data-verdict`, once there is one.
    pub verdict: Option<String>,
    /// `data-error`, where the work could not be done.
    pub error: Option<String>,
    /// The report as the page saves it.
    pub report: Value,
    /// `data-state` and `data-reason` of each `[data-finding]`.
    pub findings: Vec<(String, String, String)>,
    /// `data-segment`, `data-from-ms`, `data-to-ms` of each `[data-mismatch]`.
    pub mismatches: Vec<(Option<u64>, Option<u64>, Option<u64>)>,
    /// The text a person reads.
    pub text: String,
}

impl Card {
    /// The state of a finding.
    pub fn state(&self, finding: &str) -> &str {
        let found = self.findings.iter().find(|(name, _, _)| name == finding);
        found.map_or("absent", |(_, state, _)| state)
    }

    /// The reason code of a finding.
    pub fn reason(&self, finding: &str) -> &str {
        let found = self.findings.iter().find(|(name, _, _)| name == finding);
        found.map_or("absent", |(_, _, reason)| reason)
    }

    /// The segments named as not matching, in order.
    pub fn mismatched_segments(&self) -> Vec<u64> {
        self.mismatches.iter().filter_map(|(segment, _, _)| *segment).collect()
    }
}

/// Opens the page and waits until it takes files.
pub async fn open(browser: &WebDriver, url: &str) -> Result<()> {
    browser.goto(url).await?;
    let begun = Instant::now();
    while browser.find(By::Css("#file")).await.is_err() {
        if begun.elapsed() > Duration::from_secs(30) {
            bail!("the page shows no #file within 30 s:\n{}", browser.source().await?);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Gives files to the page through its file input.
pub async fn pick(browser: &WebDriver, files: &[&Path]) -> Result<()> {
    let input = browser.find(By::Css("#file")).await?;
    let paths: Vec<&str> = files.iter().map(|path| utf8(path)).collect();
    input.send_keys(paths.join("\n")).await?;
    Ok(())
}

/// The kind of the alarm about the chain that the page shows, if it shows one.
pub async fn alarm(browser: &WebDriver) -> Result<Option<String>> {
    match browser.find(By::Css("[data-alarm]")).await {
        Ok(banner) => attribute(&banner, "data-alarm").await,
        Err(_) => Ok(None),
    }
}

/// Waits until `count` files are done and reads their cards, in the page's order.
pub async fn cards(browser: &WebDriver, count: usize, limit: Duration) -> Result<Vec<Card>> {
    let begun = Instant::now();
    loop {
        let done = browser.find_all(By::Css("[data-file][data-phase=done]")).await?.len();
        if done >= count {
            break;
        }
        if begun.elapsed() > limit {
            let text = browser.find(By::Css("body")).await?.text().await?;
            bail!("{done} of {count} files were done after {limit:?}; the page says:\n{text}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut cards = Vec::new();
    for element in browser.find_all(By::Css("[data-file]")).await? {
        cards.push(card(&element).await?);
    }
    Ok(cards)
}

async fn card(element: &WebElement) -> Result<Card> {
    let mut findings = Vec::new();
    for finding in element.find_all(By::Css("[data-finding]")).await? {
        findings.push((
            attribute(&finding, "data-finding").await?.context("a finding has no name")?,
            attribute(&finding, "data-state").await?.context("a finding has no state")?,
            attribute(&finding, "data-reason").await?.unwrap_or_default(),
        ));
    }
    let mut mismatches = Vec::new();
    for mismatch in element.find_all(By::Css("[data-mismatch]")).await? {
        let mut numbers = [None; 3];
        for (number, name) in numbers.iter_mut().zip(["data-segment", "data-from-ms", "data-to-ms"]) {
            *number = attribute(&mismatch, name).await?.map(|text| text.parse()).transpose()?;
        }
        mismatches.push((numbers[0], numbers[1], numbers[2]));
    }
    let report = element.find(By::Css("[data-report]")).await?.prop("textContent").await?.unwrap_or_default();
    Ok(Card {
        name: attribute(element, "data-file").await?.unwrap_or_default(),
        phase: attribute(element, "data-phase").await?.unwrap_or_default(),
        verdict: attribute(element, "data-verdict").await?,
        error: attribute(element, "data-error").await?,
        report: serde_json::from_str(&report)
            .with_context(|| format!("the card's report is no JSON: {report:?}"))?,
        findings,
        mismatches,
        text: element.text().await?,
    })
}

/// An attribute, absent when it is empty.
async fn attribute(element: &WebElement, name: &str) -> Result<Option<String>> {
    Ok(element.attr(name).await?.filter(|value| !value.is_empty()))
}

/// Waits until the page says that it can go on without the network.
pub async fn ready_offline(browser: &WebDriver) -> Result<()> {
    wait_for_element(browser, "body[data-ready=true]").await
}

/// Waits until a file is in `phase`.
pub async fn phase(browser: &WebDriver, phase: &str) -> Result<()> {
    wait_for_element(browser, &format!("[data-file][data-phase={phase}]")).await
}

/// Presses the first file's cancel button.
pub async fn cancel(browser: &WebDriver) -> Result<()> {
    browser.find(By::Css("[data-file] [data-action=cancel]")).await?.click().await?;
    Ok(())
}

async fn wait_for_element(browser: &WebDriver, selector: &str) -> Result<()> {
    let begun = Instant::now();
    while browser.find(By::Css(selector)).await.is_err() {
        if begun.elapsed() > Duration::from_secs(60) {
            bail!("the page shows no {selector} within 60 s:\n{}", browser.source().await?);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Gives paths to the file input without ChromeDriver's check that they exist.
pub async fn pick_unchecked(browser: &WebDriver, files: &[&Path]) -> Result<()> {
    let tools = browser.cdp();
    let document = tools.send_raw("DOM.getDocument", json!({})).await?;
    let input = tools
        .send_raw("DOM.querySelector", json!({"nodeId": document["root"]["nodeId"], "selector": "#file"}))
        .await?;
    let paths: Vec<&str> = files.iter().map(|path| utf8(path)).collect();
    tools.send_raw("DOM.setFileInputFiles", json!({"nodeId": input["nodeId"], "files": paths})).await?;
    Ok(())
}

/// Drags files or directories from outside onto the middle of the drop zone and lets them go.
pub async fn drop_files(browser: &WebDriver, files: &[&Path]) -> Result<()> {
    let tools = browser.cdp();
    let zone = browser.find(By::Css("[data-drop-zone]")).await?.rect().await?;
    let paths: Vec<&str> = files.iter().map(|path| utf8(path)).collect();
    for event in ["dragEnter", "dragOver", "drop"] {
        tools
            .send_raw(
                "Input.dispatchDragEvent",
                json!({
                    "type": event,
                    "x": zone.x + zone.width / 2.0,
                    "y": zone.y + zone.height / 2.0,
                    "data": {"items": [], "files": paths, "dragOperationsMask": 1},
                }),
            )
            .await?;
    }
    Ok(())
}

/// Makes the page's viewport `width` × `height` CSS pixels, also below the least width of a window.
pub async fn resize(browser: &WebDriver, width: u32, height: u32) -> Result<()> {
    browser
        .cdp()
        .send_raw(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}),
        )
        .await?;
    Ok(())
}

/// The language that the document declares.
pub async fn language(browser: &WebDriver) -> Result<String> {
    Ok(browser.find(By::Css("html")).await?.attr("lang").await?.unwrap_or_default())
}

/// Uses the page's language switch.
pub async fn switch_language(browser: &WebDriver, language: &str) -> Result<()> {
    browser.find(By::Css(format!("[data-language={language}]"))).await?.click().await?;
    wait_for_element(browser, &format!("html[lang^={language}]")).await
}

/// Puts a trust file in place of the operator's, and waits until the page has taken or refused it.
pub async fn choose_trust(browser: &WebDriver, file: &Path) -> Result<()> {
    // Closed details hold no element that ChromeDriver can use.
    browser.execute("document.querySelector('details.trust').open = true", vec![]).await?;
    browser.find(By::Css("#trust")).await?.send_keys(utf8(file)).await?;
    wait_for_element(browser, "[data-action=restore-trust], .trust .refused:not(:empty)").await
}

/// Goes back to the operator's trust file.
pub async fn restore_trust(browser: &WebDriver) -> Result<()> {
    browser.find(By::Css("[data-action=restore-trust]")).await?.click().await?;
    Ok(())
}

/// Demands that the page has refused what was given as a trust file.
pub async fn trust_refused(browser: &WebDriver) -> Result<()> {
    wait_for_element(browser, ".trust .refused:not(:empty)").await
}

/// The digest of the trust file in use, as the page shows it.
pub async fn trust_digest(browser: &WebDriver) -> Result<String> {
    let shown = browser.find(By::Css("[data-trust-digest]")).await?.prop("textContent").await?;
    Ok(shown.unwrap_or_default())
}
