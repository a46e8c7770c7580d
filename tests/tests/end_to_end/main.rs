//! End-to-end tests: the real server, the real recorder and the real page in a real Chromium. Every case that the
//! command line can be given runs through `jianzhen-verify` too, and its JSON must equal the page's.
//!
//! One stack and one ChromeDriver serve all cases; both are gone when this program ends, however it ends.

#![allow(clippy::unwrap_used)]

mod altered;
mod bad_input;
mod chain;
mod consistent;
mod hostile_server;
mod large;
mod operator;
mod screens;
mod trust;
mod world;

use std::sync::Arc;

use libtest_mimic::{Arguments, Conclusion, Trial};
use world::World;

fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::from_args();
    // The cases share one browser host and two cores: one at a time, on the main thread.
    arguments.test_threads = Some(1);
    let conclusion =
        if arguments.list { libtest_mimic::run(&arguments, trials(None)) } else { run(&arguments)? };
    conclusion.exit_if_failed();
    Ok(())
}

fn run(arguments: &Arguments) -> anyhow::Result<Conclusion> {
    let world = Arc::new(World::start()?);
    Ok(libtest_mimic::run(arguments, trials(Some(&world))))
}

/// All cases. Without a world they can only be listed.
fn trials(world: Option<&Arc<World>>) -> Vec<Trial> {
    let cases = [
        consistent::CASES,
        altered::CASES,
        bad_input::CASES,
        chain::CASES,
        hostile_server::CASES,
        large::CASES,
        operator::CASES,
        screens::CASES,
        trust::CASES,
    ]
    .concat();
    cases
        .into_iter()
        .map(|(name, case)| {
            let world = world.cloned();
            Trial::test(name, move || {
                let world = world.ok_or("listed only")?;
                case(&world).map_err(|error| format!("{error:?}").into())
            })
        })
        .collect()
}
