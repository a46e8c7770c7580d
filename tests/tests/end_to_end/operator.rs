//! A malicious operator. Each case says who catches it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use jianzhen_tests::forger::Forger;
use jianzhen_tests::process::{copy_tree, program, tail, wait_for};
use jianzhen_tests::proxy::Proxy;
use jianzhen_tests::stack::{Sealed, Stack, utf8};
use jianzhen_tests::{http, page, video};
use thirtyfour::By;

use crate::chain;
use crate::screens::look_at;
use crate::world::{Case, PATIENCE, World};

pub(crate) const CASES: &[Case] = &[
    ("operator::a_rolled_back_server_is_caught_by_the_witnesses", rolled_back_server),
    ("operator::a_split_view_is_caught_by_recorder_pin_and_honest_witness", split_view),
    ("operator::a_rollback_is_caught_by_the_pin_and_by_the_honest_witness", rollback),
    ("operator::a_re_signed_history_is_caught_by_every_witness_and_by_the_mirror", re_signed_history),
    ("operator::a_back_dated_entry_is_caught_by_the_auditor", back_dated_entry),
    ("operator::a_withheld_revocation_is_caught_by_the_auditor", withheld_revocation),
];

/// A chain of two histories: everybody has seen the longer one; `dark` holds server, recorder, and the first two
/// witnesses as they were before its last recording.
struct Universe {
    stack: Stack,
    /// Sealed before the histories part.
    common: Sealed,
    /// Sealed in the one that everybody has seen.
    seen: Sealed,
    size: u64,
}

const DARK: &str = "dark";

impl Universe {
    fn new(world: &World, name: &str) -> Result<Self> {
        let directory = world.scratch(name)?;
        let mut stack = Stack::start(&directory, &format!("{name}.example/log"))?;
        let common = stack.record(&source(&directory, "common", 81)?, "common.mp4")?;
        stack.stop_all();
        for part in ["server", "w1", "w2", "recorder"] {
            copy_tree(&directory.join(part), &directory.join(DARK).join(part))?;
        }
        stack.start_all()?;
        let seen = stack.record(&source(&directory, "seen", 82)?, "seen.mp4")?;
        let size = published(&stack)?;
        Ok(Self { stack, common, seen, size })
    }

    /// The operator goes back to the dark copy of the server, under the same address. With `colluding` the first two
    /// witnesses have forgotten as much; the third never does.
    fn turn_dark(&mut self, colluding: bool) -> Result<()> {
        let dark = self.stack.directory.join(DARK);
        self.stack.stop_server();
        if colluding {
            for (witness, name) in self.stack.witnesses.iter_mut().zip(["w1", "w2"]) {
                witness.kill();
                witness.data = dark.join(name);
                witness.start()?;
            }
            // The operator's server does not ask the one that would contradict it.
            let config = dark.join("server/config.toml");
            let mut text = std::fs::read_to_string(&config)?;
            text.push_str("\n[witnesses]\nw3 = \"http://127.0.0.1:1\"\n");
            std::fs::write(&config, text)?;
        }
        self.stack.server.data = dark.join("server");
        Ok(())
    }

    /// Seals another recording, by a device that has not seen what happened since.
    fn record_in_the_dark(&self, name: &str, seed: u32) -> Result<(Sealed, bool)> {
        let input = source(&self.stack.directory, name, seed)?;
        let recorder = self.stack.path(DARK).join("recorder");
        self.stack.record_by(&recorder, &input, &format!("{name}.mp4"))
    }
}

fn source(directory: &Path, name: &str, seed: u32) -> Result<std::path::PathBuf> {
    video::fragmented(directory, &format!("{name}-source.mp4"), video::CODECS[0], 4, seed)
}

fn published(stack: &Stack) -> Result<u64> {
    let note = tlog::SignedNote::parse(&http::get(&format!("{}/log/checkpoint", stack.url))?)?;
    Ok(tlog::Checkpoint::unverified(&note)?.head().size.get())
}

/// What a browser finds that has been here before, and one that has not.
#[derive(Debug)]
struct Seen {
    verdict: String,
    roots: (String, String),
    alarm: Option<String>,
    report: serde_json::Value,
}

async fn look(browser: &thirtyfour::WebDriver, url: &str, sealed: &Sealed) -> Result<Seen> {
    page::open(browser, url).await?;
    page::pick(browser, &[&sealed.file, &sealed.evidence]).await?;
    let card = page::cards(browser, 1, PATIENCE).await?.pop().context("one file, one card")?;
    Ok(Seen {
        verdict: card.verdict.clone().unwrap_or_default(),
        roots: (card.state("roots").to_owned(), card.reason("roots").to_owned()),
        alarm: page::alarm(browser).await?,
        report: card.report,
    })
}

fn is(state: &str, reason: &str) -> (String, String) {
    (state.to_owned(), reason.to_owned())
}

/// The witnesses remember what they cosigned; a server that has forgotten it must not even start.
fn rolled_back_server(world: &World) -> Result<()> {
    let mut universe = Universe::new(world, "rolled-back")?;
    universe.turn_dark(false)?;
    let server = &mut universe.stack.server;
    server.launch()?;
    let status =
        wait_for("the end of a server that was set back", Duration::from_secs(60), || Ok(server.ending()))?;
    ensure!(!status.success(), "the server ended with {status}");
    let said = tail(&server.log());
    ensure!(said.contains("older copy"), "it does not say why:\n{said}");
    Ok(())
}

/// Two of three witnesses collude: two histories, each with a quorum.
fn split_view(world: &World) -> Result<()> {
    let mut universe = Universe::new(world, "split-view")?;
    let url = universe.stack.url.clone();
    world.with_browser(async |returning| {
        let before = look(returning, &url, &universe.seen).await?;
        ensure!(before.roots == is("proven", "roots-agree") && before.alarm.is_none(), "{before:?}");

        universe.turn_dark(true)?;
        universe.stack.start_server()?;
        let (other, _) = universe.record_in_the_dark("other", 83)?;
        // Caught by the recorder, which asks the witnesses too; what it films is sealed and kept all the same.
        let (more, alarmed) = universe.record_in_the_dark("more", 84)?;
        ensure!(alarmed, "the recorder has noticed nothing");
        ensure!(published(&universe.stack)? > universe.size, "the dark history must be the longer one");

        // Caught by the pin: this browser was shown the other history.
        let after = look(returning, &url, &other).await?;
        ensure!(after.roots == is("failed", "chain-forked"), "{after:?}");
        ensure!(after.verdict == "evidence-invalid" && after.alarm.as_deref() == Some("forked"), "{after:?}");
        let notes = &after.report["roots"]["alarm"];
        for side in ["ours", "theirs"] {
            let note = notes[side]["note"].as_str().context("the alarm carries no note")?;
            ensure!(note.starts_with("split-view.example/log\n"), "{notes:#}");
        }
        look_at(returning, "alarm-forked-zh-CN").await?;
        // The page about the chain says so too, and both roots can be saved from there.
        chain::open(returning, &url).await?;
        chain::state(returning, &["alarm"]).await?;
        returning.find(By::Css("[data-alarm] [data-save-roots]")).await?;
        look_at(returning, "alarm-chain-zh-CN").await?;
        page::switch_language(returning, "en").await?;
        look_at(returning, "alarm-chain-en-US").await?;

        // Caught by the third witness: a browser that has never been here.
        let first = world.driver.browser("zh-CN", 1280).await?;
        let newcomer = look(&first, &url, &more).await;
        first.quit().await?;
        let newcomer = newcomer?;
        ensure!(newcomer.roots == is("failed", "chain-forked"), "{newcomer:?}");
        ensure!(newcomer.alarm.as_deref() == Some("forked"), "{newcomer:?}");
        Ok(())
    })
}

/// Two of three witnesses collude, and the chain is set back without growing beyond what was seen.
fn rollback(world: &World) -> Result<()> {
    let mut universe = Universe::new(world, "rollback")?;
    let url = universe.stack.url.clone();
    world.with_browser(async |returning| {
        let before = look(returning, &url, &universe.seen).await?;
        ensure!(before.alarm.is_none(), "{before:?}");

        universe.turn_dark(true)?;
        universe.stack.start_server()?;
        ensure!(published(&universe.stack)? < universe.size, "the chain must be shorter");
        freshly_cosigned(&universe.stack)?;

        let after = look(returning, &url, &universe.common).await?;
        look_at(returning, "alarm-shrunk-zh-CN").await?;
        ensure!(after.roots == is("failed", "chain-shrunk"), "{after:?}");
        ensure!(after.alarm.as_deref() == Some("shrunk"), "{after:?}");

        let first = world.driver.browser("zh-CN", 1280).await?;
        let newcomer = look(&first, &url, &universe.common).await;
        let looked = look_at(&first, "alarm-unconnected-zh-CN").await;
        first.quit().await?;
        let newcomer = newcomer?;
        looked?;
        ensure!(newcomer.alarm.as_deref() == Some("unconnected"), "{newcomer:?}");
        Ok(())
    })
}

/// Waits until the published root was cosigned so long after now that no witness's clock explains it: what the operator says now,
/// it says knowingly.
fn freshly_cosigned(stack: &Stack) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    wait_for("a fresh cosignature", Duration::from_secs(60), || {
        let chain: serde_json::Value =
            serde_json::from_slice(&http::get(&format!("{}/api/v1/chain", stack.url))?)?;
        Ok((chain["cosigned"].as_u64() > Some(now + 11)).then_some(()))
    })
}

/// One sealed entry is replaced and everything signed anew.
fn re_signed_history(world: &World) -> Result<()> {
    let universe = Universe::new(world, "re-signed")?;
    let mut forger = Forger::of(&universe.stack.server)?;
    let size = forger.head().size;
    let entry = forger.entries.first_mut().context("the chain has entries")?;
    *entry.last_mut().context("entries have bytes")? ^= 1;
    let checkpoint = forger.checkpoint()?;
    for witness in &universe.stack.witnesses {
        let (status, body) = forger.offer(&witness.url, size, &checkpoint)?;
        ensure!(status == 422, "{} answers {status}: {}", witness.name, String::from_utf8_lossy(&body));
    }
    // Grown as well, so that the tree is a new one: the proof leads to the new root and not to the old.
    forger.entries.push(forger.entries[0].clone());
    let checkpoint = forger.checkpoint()?;
    for witness in &universe.stack.witnesses {
        let (status, _) = forger.offer(&witness.url, size, &checkpoint)?;
        ensure!(status == 422, "{} answers {status}", witness.name);
        // The first of the two proves the forgery by itself: two signed roots of one size.
        let metrics = String::from_utf8(http::get(&format!("{}/metrics", witness.url))?)?;
        let kept = metrics.lines().find(|line| line.starts_with("jianzhen_witness_contradictions_kept{"));
        ensure!(kept.is_some_and(|line| !line.ends_with(" 0")), "{} kept no proof:\n{metrics}", witness.name);
    }
    // The mirror holds the history that was cosigned.
    let mirror = format!("{}/checkpoint", universe.stack.mirror_url());
    wait_for("the mirror's copy", Duration::from_secs(60), || {
        let Ok(note) = http::get(&mirror) else { return Ok(None) };
        let note = tlog::SignedNote::parse(&note)?;
        let head = tlog::Checkpoint::unverified(&note)?.head();
        ensure!(head.root != forger.head().root, "the mirror took the forgery over");
        Ok((head.size == size).then_some(()))
    })
}

/// An entry that claims to be sealed a year ago. It only appends, so the witnesses cosign it; their times are the present's.
fn back_dated_entry(world: &World) -> Result<()> {
    let universe = Universe::new(world, "back-dated")?;
    ensure!(audit(&universe.stack, "log", &universe.stack.url)?.0 == 0, "an honest chain passes");
    let mut forger = Forger::of(&universe.stack.server)?;
    let old = forger.head().size;
    let mut entry = forger.entries.last().context("the chain has entries")?.clone();
    let sealed_at = u64::from_be_bytes(entry[2..10].try_into()?) - 365 * 24 * 3600;
    entry[2..10].copy_from_slice(&sealed_at.to_be_bytes());
    entry[10] ^= 1;
    forger.entries.push(entry);
    // The operator's own server must not interfere while another program speaks for the log.
    let checkpoint = forger.checkpoint()?;
    universe.stack.server.freeze();
    let witnesses: Vec<&str> = universe.stack.witnesses.iter().map(|witness| witness.url.as_str()).collect();
    let cosigned = forger.cosigned(&checkpoint, &witnesses, old);
    universe.stack.server.thaw();
    let proxy = Proxy::overlay(&universe.stack.url, forger.files(&cosigned?)?)?;
    let (code, said) = audit(&universe.stack, "log", &proxy.url())?;
    ensure!(code != 0, "the auditor finds nothing:\n{said}");
    ensure!(said.contains(&old.to_string()), "the auditor does not name entry {old}:\n{said}");
    Ok(())
}

/// The operator does not show the statement behind an entry of the device registry.
fn withheld_revocation(world: &World) -> Result<()> {
    let universe = Universe::new(world, "withheld")?;
    let (index, key) = universe.stack.revoke_recorder()?;
    let (code, said) = audit(&universe.stack, "registry", &universe.stack.url)?;
    ensure!(code == 0, "an honest registry passes:\n{said}");
    ensure!(said.contains(&key), "the revocation is not listed:\n{said}");

    let path = format!("/log/statement/{index}");
    let proxy = Proxy::start(&universe.stack.url, &path, 404, b"")?;
    let (code, said) = audit(&universe.stack, "registry", &proxy.url())?;
    ensure!(code != 0, "the auditor finds nothing:\n{said}");
    ensure!(said.contains(&index), "the auditor does not name entry {index}:\n{said}");
    Ok(())
}

/// Runs the auditor's program with pins of its own; gives exit code and output.
fn audit(stack: &Stack, command: &str, server: &str) -> Result<(i32, String)> {
    let pins = stack.path("auditor");
    let mut audit = std::process::Command::new(program("jianzhen-audit")?);
    audit.args([command, "--server", server, "--trust", utf8(&stack.trust()), "--pins", utf8(&pins)]);
    let output = audit.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.code().context("jianzhen-audit was killed")?,
        String::from_utf8_lossy(&said).into_owned(),
    ))
}
