//! What the cases share, and the one way in which they verify a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jianzhen_tests::browser::Driver;
use jianzhen_tests::page::{self, Card};
use jianzhen_tests::stack::{Sealed, Stack};
use jianzhen_tests::{cli, video};
use tempfile::TempDir;
use thirtyfour::WebDriver;

/// A case: its name, and what it does.
pub(crate) type Case = (&'static str, fn(&World) -> Result<()>);

/// Long enough for the largest file on a busy machine; no case is judged by its speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// One running stack, ChromeDriver, and a sealed video that several cases use.
pub(crate) struct World {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) driver: Driver,
    pub(crate) stack: Stack,
    /// A recording of twelve seconds, sealed in `stack`.
    pub(crate) sealed: Sealed,
    // Last, so that it outlives the programs that write into it.
    directory: TempDir,
}

/// A file given to the page and to the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) file: &'a Path,
    pub(crate) evidence: Option<&'a Path>,
}

impl World {
    pub(crate) fn start() -> Result<Self> {
        let directory = TempDir::with_prefix("jianzhen-tests-")?;
        let driver = Driver::start(directory.path())?;
        let stack = Stack::start(&directory.path().join("stack"), "demo.jianzhen.example/log")?;
        let source = video::fragmented(directory.path(), "source.mp4", video::CODECS[0], 12, 1)?;
        let sealed = stack.record(&source, "sealed.mp4")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, driver, stack, sealed, directory })
    }

    /// A new directory for a case's files.
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.path().join("scratch").join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Runs `work` in a new Chinese desktop browser and closes it, also when `work` fails.
    pub(crate) fn with_browser<T>(&self, work: impl AsyncFnOnce(&WebDriver) -> Result<T>) -> Result<T> {
        self.runtime.block_on(async {
            let browser = self.driver.browser("zh-CN", 1280).await?;
            let worked = work(&browser).await;
            browser.quit().await?;
            worked
        })
    }

    /// The page's card for one file.
    pub(crate) fn on_page(&self, url: &str, given: Given<'_>) -> Result<Card> {
        let mut cards = self.with_browser(async |browser| {
            page::open(browser, url).await?;
            let mut files = vec![given.file];
            files.extend(given.evidence);
            page::pick(browser, &files).await?;
            page::cards(browser, 1, PATIENCE).await
        })?;
        ensure!(cards.len() == 1, "one file gave {} cards", cards.len());
        cards.pop().context("invariant: one card")
    }

    /// Verifies a file on the page of `stack` and on the command line, and demands the same report from both.
    pub(crate) fn verify(&self, stack: &Stack, given: Given<'_>) -> Result<Card> {
        let card = self.on_page(&stack.url, given)?;
        self.same_on_command_line(stack, given, &card)?;
        Ok(card)
    }

    /// Demands from the command line the report and the exit code that belong to a card.
    pub(crate) fn same_on_command_line(&self, stack: &Stack, given: Given<'_>, card: &Card) -> Result<()> {
        let evidence: Vec<&Path> = given.evidence.into_iter().collect();
        let said = cli::verify(given.file, &evidence, Some(&stack.url), &stack.trust())?;
        ensure!(
            said.report == card.report,
            "page and command line disagree:\n{:#}\n{:#}",
            card.report,
            said.report
        );
        let verdict = card.verdict.as_deref().context("the card has no verdict")?;
        ensure!(card.report["verdict"] == verdict, "the card says {verdict}, its report {:#}", card.report);
        ensure!(said.code == cli::exit_code(verdict), "exit code {} for {verdict}", said.code);
        Ok(())
    }
}

/// Demands a verdict, and shows the whole card if it is another one.
pub(crate) fn expect(card: &Card, verdict: &str) -> Result<()> {
    ensure!(
        card.verdict.as_deref() == Some(verdict),
        "expected {verdict}, got {:?} ({:?})\n{:#}\n{}",
        card.verdict,
        card.error,
        card.report,
        card.text
    );
    Ok(())
}

/// Demands `not-completed` with a code, and a sentence for a person.
pub(crate) fn expect_error(card: &Card, code: &str) -> Result<()> {
    expect(card, "not-completed")?;
    ensure!(card.error.as_deref() == Some(code), "expected {code}, got {:?}\n{}", card.error, card.text);
    ensure!(card.text.contains("核验未完成"), "no headline in:\n{}", card.text);
    Ok(())
}
