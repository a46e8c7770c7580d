//! The folder for tools, outside the checkout: every checkout on the machine shares it, and `cargo clean` spares it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// `$JIANZHEN_CACHE`, else `$XDG_CACHE_HOME/jianzhen`, else `~/.cache/jianzhen`.
pub(crate) struct Cache {
    root: PathBuf,
}

/// Held while something is put into the cache; a second xtask waits for it.
pub(crate) struct CacheLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl Cache {
    /// Finds the folder; creates nothing.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = folder("JIANZHEN_CACHE")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("jianzhen")))
            .or_else(|| folder("HOME").map(|home| home.join(".cache/jianzhen")));
        match root {
            Some(root) if root.is_absolute() => Ok(Self { root }),
            Some(root) => bail!("the cache folder {} must be an absolute path", root.display()),
            None => bail!("there is no place for tools: set JIANZHEN_CACHE or HOME"),
        }
    }

    /// Where version `version` of a tool is installed.
    pub(crate) fn tool(&self, name: &str, version: &str) -> PathBuf {
        self.root.join("tools").join(format!("{name}-{version}"))
    }

    /// A folder of the cache.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Waits until no other xtask changes the cache.
    pub(crate) fn lock(&self) -> anyhow::Result<CacheLock> {
        let path = self.root.join("lock");
        let open = |path: &Path| {
            fs::create_dir_all(&self.root)?;
            File::create(path)
        };
        let file = open(&path).with_context(|| format!("{} could not be created", path.display()))?;
        file.lock().with_context(|| format!("{} could not be locked", path.display()))?;
        Ok(CacheLock(file))
    }
}
