//! The device's folder.
//!
//! ```text
//! DIR/device.key     secret key (0600)          DIR/ledger.json     recordings so far
//!    /device.json    id, key, server            DIR/pins/           largest chain roots seen
//!    /trust.json     pinned trust file          DIR/alarms/         proofs against a chain
//!    /registry.cbor  own enrolment, verified    DIR/spool/          statements on their way
//!                                               DIR/lock            one process at a time
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use client::ServerUrl;
use client::durable::{self, FileError, PRIVATE};
use evidence::{DeviceKey, KeyDigest};
use serde::{Deserialize, Serialize};

use crate::key_file::{self, KeyFileError};
use crate::spool::Spool;

/// The longest id that an enrolment can carry.
const MAX_ID_LEN: usize = 64;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// `device.json` is not what `init` wrote.
    #[error("{} cannot be understood: {reason}.", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `device.json` names another key.
    #[error("{} belongs to another key than device.key: the folder was put together from two devices.", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// An id that no enrolment can carry.
    #[error("The device id must have 1 to {MAX_ID_LEN} bytes and no control characters.")]
    Id,
    /// Another process.
    #[error("Another jianzhen-recorder is using {}; wait until it has finished.", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
}

/// `device.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The opaque id under which the device is to be enrolled.
    pub device_id: String,
    /// The public key in hexadecimal.
    pub public_key: String,
    /// SHA-256 of the public key.
    pub key_digest: KeyDigest,
    /// The service that this device reports to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerUrl>,
}

/// Paths inside the folder, for readers that need no lock.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The pinned trust file.
    #[must_use]
    pub fn trust(&self) -> PathBuf {
        self.0.join("trust.json")
    }

    /// The device's own enrolment, as received.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.0.join("registry.cbor")
    }

    /// The largest root of each chain that the device has seen.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.0.join("pins")
    }

    /// Signed notes that prove something against a chain.
    #[must_use]
    pub fn alarms(&self) -> PathBuf {
        self.0.join("alarms")
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger.json")
    }

    /// The spool.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    fn key(&self) -> PathBuf {
        self.0.join("device.key")
    }

    fn profile(&self) -> PathBuf {
        self.0.join("device.json")
    }

    /// Reads `device.json`.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn read_profile(&self) -> Result<Profile, DeviceError> {
        let path = self.profile();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyFileError::Missing { path: self.key() }.into());
            }
            text => text.map_err(FileError::on("read", &path))?,
        };
        serde_json::from_slice(&text)
            .map_err(|error| DeviceError::Profile { path, reason: error.to_string() })
    }
}

/// An initialised device, locked for this process.
pub struct Device {
    /// Paths.
    pub folder: Folder,
    /// Id, public key, server.
    pub profile: Profile,
    /// The secret key.
    pub key: DeviceKey,
    /// Statements on their way.
    pub spool: Spool,
    _lock: File,
}

impl Device {
    /// Makes the folder and the key.
    ///
    /// # Errors
    /// When there is a key already, or the system refuses.
    pub fn init(path: &Path, device_id: &str, server: Option<ServerUrl>) -> Result<Profile, DeviceError> {
        if !(1..=MAX_ID_LEN).contains(&device_id.len()) || device_id.chars().any(char::is_control) {
            return Err(DeviceError::Id);
        }
        let folder = Folder::new(path);
        if !path.is_dir() {
            durable::create_folders(durable::parent(path))?;
            DirBuilder::new().mode(0o700).create(path).map_err(FileError::on("create the folder", path))?;
            durable::sync_folder(durable::parent(path))?;
        }
        let _lock = lock(path)?;
        let key = match key_file::create(&folder.key()) {
            // An `init` that was cut off before it named its key to anybody: finish it.
            Err(KeyFileError::Exists { .. }) if !folder.profile().exists() => key_file::read(&folder.key())?,
            key => key?,
        };
        let profile = Profile {
            device_id: device_id.to_owned(),
            public_key: hex::encode(key.public().as_bytes()),
            key_digest: key.digest(),
            server,
        };
        write_profile(&folder, &profile)?;
        Ok(profile)
    }

    /// Opens an initialised folder for this process alone.
    ///
    /// # Errors
    /// [`DeviceError`]
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let folder = Folder::new(path);
        let profile = folder.read_profile()?;
        let lock = lock(path)?;
        let key = key_file::read(&folder.key())?;
        if key.digest() != profile.key_digest {
            return Err(DeviceError::OtherKey { path: folder.profile() });
        }
        let spool = Spool::open(folder.spool())?;
        Ok(Self { folder, profile, key, spool, _lock: lock })
    }

    /// Remembers the server that a device without one reports to from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember_server(&mut self, server: &ServerUrl) -> Result<(), DeviceError> {
        if self.profile.server.is_none() {
            self.profile.server = Some(server.clone());
            write_profile(&self.folder, &self.profile)?;
        }
        Ok(())
    }
}

fn write_profile(folder: &Folder, profile: &Profile) -> Result<(), DeviceError> {
    let path = folder.profile();
    let text = serde_json::to_vec_pretty(profile)
        .map_err(|error| DeviceError::Profile { path: path.clone(), reason: error.to_string() })?;
    Ok(durable::replace(&path, &text, PRIVATE)?)
}

/// Two recorders on one folder would sign two statements for one place. The system releases the lock with the process,
/// however it ends.
fn lock(path: &Path) -> Result<File, DeviceError> {
    let name = path.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(&name)
        .map_err(FileError::on("open", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DeviceError::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(FileError::on("lock", &name)(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_and_a_second_init_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let profile = Device::init(&path, "recorder-01", None).unwrap();
        assert!(matches!(
            Device::init(&path, "recorder-02", None),
            Err(DeviceError::Key(KeyFileError::Exists { .. }))
        ));
        let device = Device::open(&path).unwrap();
        assert_eq!(device.profile, profile);
        assert!(matches!(Device::open(&path), Err(DeviceError::Busy { .. })));
        drop(device);
        Device::open(&path).unwrap();
    }

    #[test]
    fn an_init_that_was_cut_off_can_be_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Device::init(folder.path(), "recorder-01", None).unwrap();
        fs::remove_file(folder.path().join("device.json")).unwrap();
        assert!(Device::open(folder.path()).is_err());
        assert_eq!(Device::init(folder.path(), "recorder-01", None).unwrap(), profile);
    }

    #[test]
    fn a_folder_without_init_and_a_mixed_one_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Device::open(folder.path()), Err(DeviceError::Key(KeyFileError::Missing { .. }))));
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        Device::init(&one, "one", None).unwrap();
        Device::init(&two, "two", None).unwrap();
        fs::copy(two.join("device.json"), one.join("device.json")).unwrap();
        assert!(matches!(Device::open(&one), Err(DeviceError::OtherKey { .. })));
    }

    #[test]
    fn ids_that_no_enrolment_can_carry_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["", "a\nb", &"x".repeat(65)] {
            assert!(matches!(Device::init(&folder.path().join("d"), id, None), Err(DeviceError::Id)));
        }
    }

    #[test]
    fn the_first_server_is_remembered_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        Device::init(folder.path(), "recorder-01", None).unwrap();
        let mut device = Device::open(folder.path()).unwrap();
        device.remember_server(&"https://one.example".parse().unwrap()).unwrap();
        device.remember_server(&"https://two.example".parse().unwrap()).unwrap();
        drop(device);
        let server = Device::open(folder.path()).unwrap().profile.server;
        assert_eq!(server.unwrap().as_str(), "https://one.example");
    }
}
