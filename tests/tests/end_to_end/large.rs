//! Files beyond 32-bit offsets, and how little leaves the browser.

use anyhow::{Result, ensure};
use jianzhen_tests::{page, video};

use crate::world::{Case, Given, PATIENCE, World, expect};

pub(crate) const CASES: &[Case] =
    &[("large::nothing_is_uploaded", nothing_is_uploaded), ("large::six_gibibytes", six_gibibytes)];

/// What the browser sends while it verifies 256 MiB is counted where it arrives: at the server's sockets.
fn nothing_is_uploaded(world: &World) -> Result<()> {
    let scratch = world.scratch("no-upload")?;
    let source = video::huge(&scratch, "source.mp4", &world.sealed.file, 256 << 20)?;
    let sealed = world.stack.record(&source, "sealed-256.mp4")?;
    let sent = world.with_browser(async |browser| {
        page::open(browser, &world.stack.url).await?;
        page::ready_offline(browser).await?;
        let before = world.stack.received_bytes()?;
        page::pick(browser, &[&sealed.file]).await?;
        let cards = page::cards(browser, 1, PATIENCE).await?;
        expect(&cards[0], "consistent")?;
        Ok(world.stack.received_bytes()? - before)
    })?;
    ensure!(sent < 64 << 10, "{sent} bytes left the browser");
    println!("{sent} bytes left the browser while it verified 256 MiB");
    std::fs::remove_file(&sealed.file)?;
    Ok(())
}

fn six_gibibytes(world: &World) -> Result<()> {
    const LENGTH: u64 = 6 << 30;
    let scratch = world.scratch("six")?;
    let source = video::huge(&scratch, "source.mp4", &world.sealed.file, LENGTH)?;
    let sealed = world.stack.record(&source, "sealed-six.mp4")?;
    std::fs::remove_file(&source)?;
    let given = Given { file: &sealed.file, evidence: None };
    expect(&world.verify(&world.stack, given)?, "consistent")?;

    let place = (4 << 30) + 12_345;
    video::flip(&sealed.file, place)?;
    let card = world.verify(&world.stack, given)?;
    expect(&card, "inconsistent")?;
    let hit = video::segments(&sealed.file)?
        .iter()
        .position(|(offset, length)| (*offset..offset + length).contains(&place));
    let hit: Vec<u64> = hit.into_iter().map(|index| u64::try_from(index).unwrap()).collect();
    ensure!(card.mismatched_segments() == hit, "{hit:?} was altered, {:?} was named", card.mismatches);
    std::fs::remove_file(&sealed.file)?;
    Ok(())
}
