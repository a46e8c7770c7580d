//! A server that is away, talks nonsense, or serves a broken verifier.

use anyhow::Result;
use jianzhen_tests::proxy::Proxy;
use jianzhen_tests::stack::Stack;
use jianzhen_tests::{page, video};

use crate::world::{Case, Given, PATIENCE, World, expect_error};

pub(crate) const CASES: &[Case] = &[
    ("hostile_server::down", down),
    ("hostile_server::answers_nonsense", answers_nonsense),
    ("hostile_server::answers_with_an_error", answers_with_an_error),
    ("hostile_server::trust_file_is_nonsense", trust_file_is_nonsense),
    ("hostile_server::verifier_does_not_start", verifier_does_not_start),
];

fn down(world: &World) -> Result<()> {
    let mut stack = Stack::start(&world.scratch("down")?, "down.example/log")?;
    let unknown = video::fragmented(&stack.directory, "unknown.mp4", video::CODECS[0], 4, 61)?;
    let url = stack.url.clone();
    let cards = world.with_browser(async |browser| {
        page::open(browser, &url).await?;
        page::ready_offline(browser).await?;
        stack.stop_server();
        page::pick(browser, &[&unknown]).await?;
        page::cards(browser, 1, PATIENCE).await
    })?;
    expect_error(&cards[0], "no-answer")?;
    world.same_on_command_line(&stack, Given { file: &unknown, evidence: None }, &cards[0])
}

fn behind(world: &World, proxy: &Proxy, code: &str) -> Result<()> {
    let given = Given { file: &world.sealed.file, evidence: None };
    expect_error(&world.on_page(&proxy.url(), given)?, code)
}

fn answers_nonsense(world: &World) -> Result<()> {
    let proxy = Proxy::start(&world.stack.url, "/api/v1/evidence/lookup", 200, b"<html>hello</html>")?;
    behind(world, &proxy, "server-nonsense")
}

fn answers_with_an_error(world: &World) -> Result<()> {
    let proxy = Proxy::start(&world.stack.url, "/api/v1/evidence/lookup", 503, b"")?;
    behind(world, &proxy, "no-answer")
}

fn trust_file_is_nonsense(world: &World) -> Result<()> {
    let proxy = Proxy::start(&world.stack.url, "/trust.json", 200, b"{\"version\":1}")?;
    behind(world, &proxy, "trust-unreadable")
}

/// The worker's module arrives broken: the page must say so instead of waiting for ever.
fn verifier_does_not_start(world: &World) -> Result<()> {
    let proxy = Proxy::start(&world.stack.url, "/verifier-wasm", 200, b"no module")?;
    behind(world, &proxy, "worker-crashed")
}
