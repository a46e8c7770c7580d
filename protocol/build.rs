//! Derives the build id: one fingerprint over the sources of the page, the worker and everything both contain.
//!
//! Page and worker link the same `protocol`, so one build gives both the same id, two builds of the same
//! sources give the same id on every machine, and any change gives another one.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What ends up in the page or in the worker, relative to the workspace root.
const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "evidence/src",
    "media/src",
    "protocol/src",
    "tlog/src",
    "verifier-wasm/src",
    "web",
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("..");
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
        collect(&root, Path::new(source), &mut files)?;
    }
    files.sort();
    let mut hash = Fnv128::new();
    for file in files {
        // Paths relative to the root and with `/`, so that the id does not depend on the machine.
        hash.frame(file.to_string_lossy().replace('\\', "/").as_bytes());
        hash.frame(&fs::read(root.join(&file))?);
    }
    println!("cargo::rustc-env=JIANZHEN_BUILD_ID={:016x}", hash.fold());
    Ok(())
}

fn collect(root: &Path, path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let full = root.join(path);
    if !full.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(full)? {
        collect(root, &path.join(entry?.file_name()), files)?;
    }
    Ok(())
}

/// FNV-1a with 128 bits: the id tells builds apart, it is no proof of anything, and a build script should need
/// no dependencies.
struct Fnv128(u128);

impl Fnv128 {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn frame(&mut self, bytes: &[u8]) {
        self.update(&bytes.len().to_be_bytes());
        self.update(bytes);
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    /// Both halves together, because 16 digits are enough to read aloud.
    fn fold(&self) -> u128 {
        (self.0 >> 64) ^ (self.0 & u128::from(u64::MAX))
    }
}
