//! Whom to believe: the trust file given by `--trust`, else the pinned one. What a server hands out counts only after an
//! explicit `--pin`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use evidence::report::ErrorCode;
use evidence::{MAX_TRUST_LEN, TrustFile};

/// Where the pinned trust file lies: `jianzhen/trust.json` in the user's configuration folder (XDG Base Directory).
#[must_use]
pub fn pinned_path(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("jianzhen/trust.json"))
}

/// The trust file that counts.
///
/// # Errors
/// `trust-unavailable` if there is none, `trust-unreadable` if it does not parse.
pub fn choose(given: Option<&Path>, pinned: Option<&Path>) -> Result<TrustFile, ErrorCode> {
    let path = given.or(pinned).ok_or(ErrorCode::TrustUnavailable)?;
    let bytes = read(path).map_err(|_| ErrorCode::TrustUnavailable)?;
    TrustFile::parse(&bytes).map_err(|_| ErrorCode::TrustUnreadable)
}

/// Reads at most one byte more than a trust file may have.
///
/// # Errors
/// When the system refuses.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TRUST_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Pins a trust file. Another one that is pinned already is never replaced.
///
/// # Errors
/// When `bytes` are no trust file, another one is pinned, or the system refuses.
pub fn pin(bytes: &[u8], path: &Path) -> anyhow::Result<TrustFile> {
    let trust = TrustFile::parse(bytes)?;
    match read(path) {
        Ok(old) if old == bytes => return Ok(trust),
        Ok(old) => bail!(
            "Another trust file is pinned at {} (digest {}); the one offered has the digest {}. To change trust on purpose, remove the pinned one first.",
            path.display(),
            evidence::Digest::of(&old),
            trust.digest()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    write(bytes, path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(trust)
}

fn write(bytes: &[u8], path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension("json.partial");
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_lies_in_the_users_configuration() {
        let of = |pairs: &'static [(&str, &str)]| {
            pinned_path(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.config/jianzhen/trust.json".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]), Some("/c/jianzhen/trust.json".into()));
        // The specification: a relative path is invalid and ignored.
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "c")]),
            Some("/h/.config/jianzhen/trust.json".into())
        );
    }

    #[test]
    fn no_trust_and_bad_trust_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.json");
        assert_eq!(choose(None, None), Err(ErrorCode::TrustUnavailable));
        assert_eq!(choose(Some(&path), None), Err(ErrorCode::TrustUnavailable));
        fs::write(&path, "{}").unwrap();
        assert_eq!(choose(Some(&path), None), Err(ErrorCode::TrustUnreadable));
        assert!(pin(b"{}", &folder.path().join("pinned.json")).is_err());
        assert!(!folder.path().join("pinned.json").exists(), "what is no trust file is not pinned");
    }
}
