//! The built page: its files are read once, at start-up, and nothing else is ever served. So no address can lead out of the
//! directory.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use bytes::Bytes;
use evidence::Digest;

/// All files together; a built page has a few hundred kilobytes, and they are kept in memory.
const MAX_TOTAL: u64 = 64 << 20;

/// Directories below the page's own; a built page has one or two.
const MAX_DEPTH: usize = 8;

/// The files of the page by address.
#[derive(Debug, Default)]
pub struct Page(HashMap<String, Asset>);

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// Its media type.
    pub content_type: &'static str,
    /// Whether its name contains a hash of its content, so that it never changes.
    pub hashed: bool,
    /// The file itself.
    pub plain: Variant,
    /// The `.br` file beside it.
    pub brotli: Option<Variant>,
}

/// One encoding of a file.
#[derive(Debug)]
pub struct Variant {
    /// The bytes.
    pub bytes: Bytes,
    /// A strong validator: part of their SHA-256.
    pub etag: HeaderValue,
}

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file cannot be read.
    #[error("The page's file {path} cannot be read: {source}.")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No `index.html`.
    #[error("The page {0} has no index.html; `trunk build` or `cargo xtask build` makes it.")]
    NoIndex(PathBuf),
    /// More than a page has.
    #[error(
        "The page {0} has more than 64 MiB or too many levels of directories; is it the right directory?"
    )]
    TooLarge(PathBuf),
}

impl Page {
    /// No page: the service answers everything else.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads all files below `directory`.
    pub fn load(directory: &Path) -> Result<Self, PageError> {
        let mut files = HashMap::new();
        let mut total = 0;
        let mut pending = vec![(directory.to_owned(), String::new(), 0)];
        while let Some((path, address, depth)) = pending.pop() {
            let failed = |source| PageError::Read { path: path.clone(), source };
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let address = format!("{address}/{name}");
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() && depth < MAX_DEPTH {
                    pending.push((entry.path(), address, depth + 1));
                } else if kind.is_file() {
                    total += entry.metadata().map_err(failed)?.len();
                    if total > MAX_TOTAL {
                        return Err(PageError::TooLarge(directory.to_owned()));
                    }
                    files.insert(address, Bytes::from(fs::read(entry.path()).map_err(failed)?));
                } else if kind.is_dir() {
                    return Err(PageError::TooLarge(directory.to_owned()));
                }
            }
        }
        if !files.contains_key("/index.html") {
            return Err(PageError::NoIndex(directory.to_owned()));
        }
        Ok(Self::from_files(&files))
    }

    fn from_files(files: &HashMap<String, Bytes>) -> Self {
        let plain = files.iter().filter(|(address, _)| !address.ends_with(".br"));
        Self(plain.map(|(address, bytes)| (address.clone(), asset(address, bytes, files))).collect())
    }

    /// The file at an address; `/` and the addresses of the page's views are `index.html`.
    pub fn get(&self, path: &str) -> Option<&Asset> {
        self.0.get(if matches!(path, "/" | "/chain") { "/index.html" } else { path })
    }
}

fn asset(address: &str, bytes: &Bytes, files: &HashMap<String, Bytes>) -> Asset {
    Asset {
        content_type: content_type(address),
        hashed: is_hashed(address),
        plain: variant(bytes),
        brotli: files.get(&format!("{address}.br")).map(variant),
    }
}

fn variant(bytes: &Bytes) -> Variant {
    let digest = Digest::of(bytes).to_string();
    // invariant: hexadecimal digits in quotes are a header value.
    let etag =
        HeaderValue::from_str(&format!("\"{}\"", &digest[..32])).unwrap_or(HeaderValue::from_static("\"\""));
    Variant { bytes: bytes.clone(), etag }
}

/// Trunk's names: `web-0123456789abcdef.js`, `web-0123456789abcdef_bg.wasm`.
fn is_hashed(address: &str) -> bool {
    let name = address.rsplit('/').next().unwrap_or_default();
    // Trunk prints 64 bits without leading zeros, so one build in sixteen has a shorter name.
    let hash = |part: &str| {
        (12..=16).contains(&part.len()) && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    name.split(['-', '_', '.']).any(hash)
}

fn content_type(address: &str) -> &'static str {
    match address.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_names_are_immutable() {
        assert!(is_hashed("/web-0123456789abcdef_bg.wasm"));
        assert!(is_hashed("/style/main-0123456789abcdef.css"));
        assert!(is_hashed("/web-4abcea62b8d2da_bg.wasm"));
        assert!(!is_hashed("/worker.js"));
        assert!(!is_hashed("/web-0123456789ABCDEF.js"));
        assert!(!is_hashed("/0123456789abcdef/index.html"));
    }

    #[test]
    fn a_directory_without_index_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.js"), "1").unwrap();
        assert!(matches!(Page::load(dir.path()), Err(PageError::NoIndex(_))));
    }

    #[test]
    fn symbolic_links_out_of_the_directory_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "key").unwrap();
        let page = dir.path().join("page");
        fs::create_dir(&page).unwrap();
        fs::write(page.join("index.html"), "<!doctype html>").unwrap();
        std::os::unix::fs::symlink("../secret", page.join("secret.txt")).unwrap();
        let page = Page::load(&page).unwrap();
        assert!(page.get("/").is_some());
        assert!(page.get("/secret.txt").is_none());
        assert!(page.get("/../secret").is_none());
    }
}
