//! Signing keys: text files of mode 0600 in the encoding of Go's `note` package.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tlog::{KeyAlgorithm, KeyName, SigningKey};
use zeroize::Zeroizing;

/// Why a key cannot be made or used. Never repeats the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("The key file {path} cannot be used: {source}.")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could read the key.
    #[error("The key file {path} can be read by others (mode {mode:03o}); make it 0600.")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text is not a signing key.
    #[error("The key file {path} does not hold a signing key. {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: tlog::KeyError,
    },
    /// The name cannot be a key's.
    #[error("The name cannot be used for a key. {0}")]
    Name(#[source] tlog::KeyError),
    /// The operating system gave no randomness.
    #[error("The operating system gave no randomness: {0}.")]
    Random(getrandom::Error),
}

/// Draws a new key named `name`.
///
/// # Errors
/// [`KeyFileError::Name`], [`KeyFileError::Random`].
pub fn generate(name: &str, algorithm: KeyAlgorithm) -> Result<SigningKey, KeyFileError> {
    let name = KeyName::new(name).map_err(KeyFileError::Name)?;
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..]).map_err(KeyFileError::Random)?;
    SigningKey::from_seed(name, algorithm, &seed).map_err(KeyFileError::Name)
}

/// Writes `key` to a new file of mode 0600 and makes its bytes durable; its name is the caller's to make so. An existing file
/// is never overwritten.
///
/// # Errors
/// [`KeyFileError::Io`].
pub fn save(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let text = key.to_private_string();
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Reads a key from a file that nobody else can read.
///
/// # Errors
/// Every [`KeyFileError`] of reading.
pub fn load(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(io::read_to_string(file).map_err(failed)?);
    text.trim_end().parse().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_survives_the_file_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = generate("example.test/witness", KeyAlgorithm::CosignatureV1).unwrap();
        save(&path, &key).unwrap();
        assert_eq!(load(&path).unwrap().verifier_key(), key.verifier_key());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(save(&path, &key), Err(KeyFileError::Io { .. })));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        save(&path, &generate("a", KeyAlgorithm::Ed25519).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&path), Err(KeyFileError::Open { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "PRIVATE+KEY+secret").unwrap();
        let error = load(&path).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
