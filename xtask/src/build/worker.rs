//! Trunk names a worker's files after its crate alone, so that the page knows where its loader is. Behind the loader,
//! here, the files get digests of their content: a cache may keep them for ever, and glue code never meets the module of
//! another build. Only the loader, one line, has to be asked for each time.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use super::hook::{name_digest, write};

/// Renames each worker's module and glue code, and has its loader refer to the new names.
pub(super) fn rename_to_digests(staging: &Path) -> anyhow::Result<()> {
    let mut workers = Vec::new();
    for entry in
        fs::read_dir(staging).with_context(|| format!("{} could not be listed", staging.display()))?
    {
        if let Some(name) = entry?.file_name().to_str().and_then(|name| name.strip_suffix("_loader.js")) {
            workers.push(name.to_owned());
        }
    }
    workers.iter().try_for_each(|name| rename_one(staging, name))
}

/// From the module outwards: the glue code names the module, so its own digest depends on both.
fn rename_one(staging: &Path, worker: &str) -> anyhow::Result<()> {
    let (old_module, old_glue, loader) =
        (format!("{worker}_bg.wasm"), format!("{worker}.js"), format!("{worker}_loader.js"));
    let module = read(staging, &old_module)?;
    let module_name = format!("{worker}-{}_bg.wasm", name_digest(&module));
    let glue = point_to(staging, &old_glue, &old_module, &module_name)?;
    let glue_name = format!("{worker}-{}.js", name_digest(glue.as_bytes()));
    let shim = point_to(staging, &loader, &old_glue, &glue_name)?;

    write(&staging.join(module_name), &module)?;
    write(&staging.join(glue_name), glue.as_bytes())?;
    write(&staging.join(loader), shim.as_bytes())?;
    for old in [old_module, old_glue] {
        fs::remove_file(staging.join(&old)).with_context(|| format!("{old} could not be removed"))?;
    }
    Ok(())
}

/// The text of `file`, referring to `new` where it referred to `old`.
fn point_to(staging: &Path, file: &str, old: &str, new: &str) -> anyhow::Result<String> {
    let text = String::from_utf8(read(staging, file)?).with_context(|| format!("{file} is not text"))?;
    ensure!(
        text.contains(old),
        "{file} does not mention {old}: Trunk's output has changed, and the hook must too"
    );
    Ok(text.replace(old, new))
}

fn read(staging: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    fs::read(staging.join(name)).with_context(|| format!("the worker's file {name} could not be read"))
}
