//! Files that are not what was sealed: found, and the place named.

use anyhow::{Context, Result, ensure};
use jianzhen_tests::video;

use crate::world::{Case, Given, World, expect};

pub(crate) const CASES: &[Case] = &[
    ("altered::one_byte_in_the_first_a_middle_and_the_last_segment", one_byte),
    ("altered::a_box_header_that_hides_what_follows", box_headers),
    ("altered::truncated_within_a_segment", truncated),
    ("altered::appended", appended),
    ("altered::segments_swapped", segments_swapped),
    ("altered::picture_mirrored_by_the_header", mirrored),
    ("altered::not_deposited", not_deposited),
];

fn one_byte(world: &World) -> Result<()> {
    let segments = video::segments(&world.sealed.file)?;
    let media = segments.len() - 1;
    for index in [0, media / 2, media - 1, media] {
        let (offset, length) = segments[index];
        let name = format!("flipped-{index}.mp4");
        let altered = video::flipped(&world.sealed.file, &name, offset + length / 2)?;
        for evidence in [None, Some(world.sealed.evidence.as_path())] {
            let card = world.verify(&world.stack, Given { file: &altered, evidence })?;
            expect(&card, "inconsistent")?;
            ensure!(card.text.contains("与链上数据不一致"), "no headline in:\n{}", card.text);
            ensure!(
                card.mismatched_segments() == [u64::try_from(index)?],
                "segment {index} was altered, {:?} was named",
                card.mismatches
            );
            ensure!(card.state("content") == "failed" && card.state("device-signature") == "proven");
            if index < media {
                let (_, from, to) = card.mismatches[0];
                let second = u64::try_from(index)? * 1000;
                let (from, to) = (from.context("no from-ms")?, to.context("no to-ms")?);
                ensure!(from.abs_diff(second) < 200 && to.abs_diff(second + 1000) < 200, "{from}–{to} ms");
            }
        }
    }
    Ok(())
}

/// The size of a box decides where a reader looks for the next one; damaging it must not hide the recording.
fn box_headers(world: &World) -> Result<()> {
    let middle = video::segments(&world.sealed.file)?[6].0;
    for (place, segment) in [(3, 0), (middle + 2, 6)] {
        let altered = video::flipped(&world.sealed.file, &format!("box-header-{place}.mp4"), place)?;
        let card = world.verify(&world.stack, Given { file: &altered, evidence: None })?;
        expect(&card, "inconsistent")?;
        ensure!(card.mismatched_segments() == [segment], "{:?}", card.mismatches);
    }
    Ok(())
}

fn truncated(world: &World) -> Result<()> {
    let segments = video::segments(&world.sealed.file)?;
    let (offset, length) = segments[5];
    let cut = video::edited(&world.sealed.file, "truncated.mp4", |bytes| {
        bytes.truncate(usize::try_from(offset + length / 2).unwrap());
    })?;
    let card = world.verify(&world.stack, Given { file: &cut, evidence: None })?;
    expect(&card, "inconsistent")?;
    let missing: Vec<u64> = (5..u64::try_from(segments.len())?).collect();
    ensure!(card.mismatched_segments() == missing, "{:?}", card.mismatches);
    Ok(())
}

fn appended(world: &World) -> Result<()> {
    let longer = video::edited(&world.sealed.file, "appended.mp4", |bytes| {
        bytes.extend_from_slice(b"\0\0\0\x10freeappended");
    })?;
    let card = world.verify(&world.stack, Given { file: &longer, evidence: None })?;
    expect(&card, "inconsistent")?;
    ensure!(card.mismatched_segments().is_empty(), "no signed segment was altered: {:?}", card.mismatches);
    let kind = &card.report["mismatches"][0]["kind"];
    ensure!(kind == "foreign", "{kind}");
    Ok(())
}

fn segments_swapped(world: &World) -> Result<()> {
    let segments = video::segments(&world.sealed.file)?;
    let at = |index: usize| -> Result<std::ops::Range<usize>> {
        let (offset, length) = segments[index];
        Ok(usize::try_from(offset)?..usize::try_from(offset + length)?)
    };
    let (third, fourth) = (at(3)?, at(4)?);
    let swapped = video::edited(&world.sealed.file, "swapped.mp4", |bytes| {
        let both = [&bytes[fourth.clone()], &bytes[third.clone()]].concat();
        bytes[third.start..fourth.end].copy_from_slice(&both);
    })?;
    let card = world.verify(&world.stack, Given { file: &swapped, evidence: None })?;
    expect(&card, "inconsistent")?;
    ensure!(card.mismatched_segments() == [3, 4], "{:?}", card.mismatches);
    Ok(())
}

/// Not a byte of the pictures changes, and yet the video shows something else.
fn mirrored(world: &World) -> Result<()> {
    let mirrored = video::edited(&world.sealed.file, "mirrored.mp4", |bytes| video::mirror(bytes))?;
    let card = world.verify(&world.stack, Given { file: &mirrored, evidence: None })?;
    expect(&card, "inconsistent")?;
    ensure!(card.mismatched_segments() == [0], "{:?}", card.mismatches);
    Ok(())
}

fn not_deposited(world: &World) -> Result<()> {
    let scratch = world.scratch("not-deposited")?;
    let unknown = video::fragmented(&scratch, "unknown.mp4", video::CODECS[0], 4, 99)?;
    let card = world.verify(&world.stack, Given { file: &unknown, evidence: None })?;
    expect(&card, "not-deposited")?;
    ensure!(card.text.contains("尚未存证"), "no headline in:\n{}", card.text);
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(std::fs::read(&unknown)?));
    ensure!(card.text.contains(&digest), "its SHA-256 is not shown:\n{}", card.text);
    Ok(())
}
