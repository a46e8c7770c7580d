//! `cargo xtask trunk-hook`: the last step of every Trunk build, also of `trunk serve` and `trunk build` by hand.
//!
//! Trunk leaves the page in a staging folder. Before it becomes `dist/`:
//!
//! 1. the files behind a worker's loader get names with a digest of their content ([`worker`]);
//! 2. inline scripts become files, because the page's content security policy runs no inline code ([`html`]);
//! 3. whatever compresses well gets a brotli twin, `FILE.br` ([`compress`]).
//!
//! Afterwards a file may be cached for ever exactly if its name has a digest: a `-` followed by at least twelve
//! hexadecimal digits, before its extension or before `_bg`. Trunk's own digests and ours both look like that.

use std::fs;
use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::{compress, html, worker};

/// Digits of a digest in a file name: 64 bits tell the builds of one page apart.
const NAME_DIGITS: usize = 16;

/// Works on Trunk's staging folder; `public_url` is where the page will be served, usually `/`.
pub(crate) fn finish_page(staging: &Path, public_url: &str) -> anyhow::Result<()> {
    let index = staging.join("index.html");
    let page =
        fs::read_to_string(&index).with_context(|| format!("{} could not be read", index.display()))?;

    worker::rename_to_digests(staging)?;
    let externalised = html::externalise_scripts(&page, public_url)?;
    for script in &externalised.scripts {
        write(&staging.join(&script.name), script.text.as_bytes())?;
    }
    write(&index, externalised.page.as_bytes())?;

    // `trunk serve` compresses nothing and rebuilds often.
    if !externalised.reloads_itself {
        compress::folder(staging)?;
    }
    Ok(())
}

/// The digest that goes into a file's name.
pub(super) fn name_digest(content: &[u8]) -> String {
    let mut digits = hex::encode(Sha256::digest(content));
    digits.truncate(NAME_DIGITS);
    digits
}

pub(super) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("{} could not be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Trunk 0.21 leaves for a page with one worker.
    fn staging() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            (
                "index.html",
                "<!DOCTYPE html><html><head><title>t</title></head><body>\
                 <script type=\"module\">\nimport init from '/web-1f.js';\nawait init();\n</script></body></html>",
            ),
            ("web-1f.js", "export default function init() {}"),
            ("calc.js", "new URL('calc_bg.wasm', import.meta.url)"),
            ("calc_bg.wasm", "\0asm"),
            ("calc_loader.js", "import init from './calc.js';await init();"),
        ];
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".br"))
            .collect();
        names.sort();
        names
    }

    /// The glue code and the module that the worker's loader leads to, followed the way a browser does.
    fn follow(folder: &Path) -> (String, String) {
        let names = names(folder);
        let refers = |text: &str, quoted: &str| -> String {
            let name = names.iter().find(|name| text.contains(&quoted.replace("NAME", name)));
            name.expect("the reference leads to a file").clone()
        };
        let loader = fs::read_to_string(folder.join("calc_loader.js")).unwrap();
        let glue = refers(&loader, "'./NAME'");
        let module = refers(&fs::read_to_string(folder.join(&glue)).unwrap(), "'NAME'");
        (glue, module)
    }

    #[test]
    fn a_finished_page_has_no_inline_code_and_names_its_files_by_content() {
        let folder = staging();
        finish_page(folder.path(), "/").unwrap();
        let page = fs::read_to_string(folder.path().join("index.html")).unwrap();
        assert!(!page.contains("await init()"), "{page}");
        let (glue, module) = follow(folder.path());
        assert_eq!(module, format!("calc-{}_bg.wasm", name_digest(b"\0asm")));
        assert!(glue.starts_with("calc-") && names(folder.path()).len() == 6, "{:?}", names(folder.path()));
    }

    #[test]
    fn another_module_changes_the_names_of_module_and_glue() {
        let (one, two) = (staging(), staging());
        fs::write(two.path().join("calc_bg.wasm"), "\0asm2").unwrap();
        finish_page(one.path(), "/").unwrap();
        finish_page(two.path(), "/").unwrap();
        let (one, two) = (follow(one.path()), follow(two.path()));
        assert!(one.0 != two.0 && one.1 != two.1);
    }

    #[test]
    fn a_worker_that_does_not_name_its_module_is_refused() {
        let folder = staging();
        fs::write(folder.path().join("calc.js"), "fetch('elsewhere.wasm')").unwrap();
        let error = finish_page(folder.path(), "/").unwrap_err().to_string();
        assert!(error.contains("calc.js"), "{error}");
    }
}
