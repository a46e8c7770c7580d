//! Brotli twins, made once at build time at the highest quality; the server sends them as they are.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::hook::write;

/// What compresses well. Pictures, fonts and videos are compressed already.
const TEXTUAL: &[&str] = &["html", "js", "mjs", "css", "wasm", "svg", "json", "txt", "webmanifest", "xml"];

/// Brotli's best, and its default window of 4 MiB: larger than any of our files.
const QUALITY: i32 = 11;
const WINDOW_BITS: i32 = 22;

/// Compresses the folder's files, also in subfolders, beside themselves.
pub(super) fn folder(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} could not be listed", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            self::folder(&path)?;
        } else if path.extension().and_then(|name| name.to_str()).is_some_and(|name| TEXTUAL.contains(&name))
        {
            file(&path)?;
        }
    }
    Ok(())
}

fn file(path: &Path) -> anyhow::Result<()> {
    let content = fs::read(path).with_context(|| format!("{} could not be read", path.display()))?;
    let compressed =
        brotli(&content).with_context(|| format!("{} could not be compressed", path.display()))?;
    // A twin that saves nothing would only be a second file to keep right.
    if compressed.len() < content.len() {
        let mut twin = path.as_os_str().to_owned();
        twin.push(".br");
        write(Path::new(&twin), &compressed)?;
    }
    Ok(())
}

fn brotli(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: QUALITY,
        lgwin: WINDOW_BITS,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_hold_the_same_bytes_and_only_where_they_save_something() {
        let root = tempfile::tempdir().unwrap();
        let text = "segment ".repeat(1000);
        fs::create_dir(root.path().join("snippets")).unwrap();
        for (name, content) in [("snippets/a.js", text.as_str()), ("b.css", "x"), ("c.png", &text)] {
            fs::write(root.path().join(name), content).unwrap();
        }
        folder(root.path()).unwrap();

        let twin = fs::read(root.path().join("snippets/a.js.br")).unwrap();
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &*twin, &mut back).unwrap();
        assert_eq!(back, text.as_bytes());
        assert!(twin.len() < 100);
        assert!(!root.path().join("b.css.br").exists(), "one byte does not get smaller");
        assert!(!root.path().join("c.png.br").exists(), "pictures are left alone");
    }
}
