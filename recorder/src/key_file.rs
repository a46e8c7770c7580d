//! The device's secret key on the medium.
//!
//! ```text
//! device.key: "jianzhen-device-key-1 " ‖ 64 lowercase hexadecimal digits of the Ed25519 seed ‖ "\n"; mode 0600
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use client::durable::{self, FileError, PRIVATE};
use evidence::DeviceKey;
use zeroize::Zeroizing;

const PREFIX: &str = "jianzhen-device-key-1 ";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// `init` was run before.
    #[error("{} exists: this device has a key already. Another key would be another device: choose another folder.", path.display())]
    Exists {
        /// The key file.
        path: PathBuf,
    },
    /// `init` was not run.
    #[error("{} does not exist: make a key with `jianzhen-recorder init` first.", path.display())]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// Others could have copied the key.
    #[error("{} can be read by other users (mode {mode:o}). If nobody can have copied it, `chmod 600` it; otherwise revoke it.", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not a key file.
    #[error("{} is not a key that `jianzhen-recorder init` made.", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("The system has no random numbers: {reason}.")]
    Randomness {
        /// What it says.
        reason: String,
    },
}

/// Makes a key at `path`, which must not exist.
///
/// # Errors
/// [`KeyFileError`]
pub fn create(path: &Path) -> Result<DeviceKey, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| KeyFileError::Randomness { reason: error.to_string() })?;
    let text = Zeroizing::new(format!("{PREFIX}{}\n", hex::encode(*seed)));
    match durable::create(path, text.as_bytes(), PRIVATE) {
        Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists { path: path.to_owned() })
        }
        created => {
            created?;
            Ok(DeviceKey::from_seed(*seed))
        }
    }
}

/// Reads the key at `path`.
///
/// # Errors
/// [`KeyFileError`]
pub fn read(path: &Path) -> Result<DeviceKey, KeyFileError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(KeyFileError::Missing { path: path.to_owned() });
        }
        metadata => metadata.map_err(FileError::on("read", path))?,
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let malformed = || KeyFileError::Malformed { path: path.to_owned() };
    if metadata.len() != (PREFIX.len() + 64 + 1) as u64 {
        return Err(malformed());
    }
    let text = Zeroizing::new(fs::read(path).map_err(FileError::on("read", path))?);
    let digits = text.strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.strip_suffix(b"\n"));
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.ok_or_else(malformed)?, &mut *seed).map_err(|_| malformed())?;
    Ok(DeviceKey::from_seed(*seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_key_never_replaces_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let key = create(&path).unwrap();
        assert!(matches!(create(&path), Err(KeyFileError::Exists { .. })));
        assert_eq!(read(&path).unwrap().public(), key.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        assert!(matches!(read(&path), Err(KeyFileError::Missing { .. })));
        let secret = "00".repeat(32);
        for text in ["", "x", &format!("{PREFIX}{}\n", "zz".repeat(32)), &format!("{PREFIX}{secret} ")] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::Malformed { .. }));
            assert!(!format!("{error:?} {error}").contains(&secret));
        }
    }
}
