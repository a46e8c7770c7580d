//! The page's size over the wire: what a first visit downloads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::report::bytes;

/// A file as it is, and as a browser that takes brotli receives it.
struct Size {
    name: String,
    raw: u64,
    wire: u64,
}

/// Prints the sizes of the page's files, the largest first, and their sum.
pub(super) fn print(dist: &Path) -> anyhow::Result<()> {
    let mut sizes = Vec::new();
    measure(dist, dist, &mut sizes).with_context(|| format!("{} could not be measured", dist.display()))?;
    sizes.sort_by(|a, b| b.wire.cmp(&a.wire).then_with(|| a.name.cmp(&b.name)));

    let width = sizes.iter().map(|size| size.name.len()).max().unwrap_or(0).max("all files".len());
    println!("{:<width$} {:>12} {:>12}", "the page, in bytes", "raw", "brotli");
    for size in &sizes {
        println!("{:<width$} {:>12} {:>12}", size.name, bytes(size.raw), bytes(size.wire));
    }
    let (raw, wire) = sizes.iter().fold((0, 0), |(raw, wire), size| (raw + size.raw, wire + size.wire));
    println!("{:<width$} {:>12} {:>12}", "all files", bytes(raw), bytes(wire));
    Ok(())
}

fn measure(dist: &Path, folder: &Path, sizes: &mut Vec<Size>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            measure(dist, &path, sizes)?;
        } else if path.extension().is_none_or(|extension| extension != "br") {
            let raw = fs::metadata(&path)?.len();
            let mut twin = path.as_os_str().to_owned();
            twin.push(".br");
            let wire = fs::metadata(PathBuf::from(twin)).map_or(raw, |twin| twin.len());
            let name = path.strip_prefix(dist)?.display().to_string();
            sizes.push(Size { name, raw, wire });
        }
    }
    Ok(())
}
