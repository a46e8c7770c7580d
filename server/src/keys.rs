//! The keys of log and registrar: text files of mode 0600 in the encoding of Go's `note` package.
//!
//! A log has one key, `log.key`, and after a rotation others beside it, `log-<key id>.key`: the [`KeyRing`].

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evidence::{DeviceKey, TrustFile, TrustedLogs};
use serving::key_file;
pub use serving::key_file::{KeyFileError, load, save};
use tlog::{KeyAlgorithm, KeyId, KeyName, SigningKey, VerifierKey};
use zeroize::Zeroizing;

use crate::data_dir::DataDir;

/// Why a directory has no usable keys of a log.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// One of the files cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The directory cannot be listed.
    #[error("The directory {path} cannot be read: {source}.")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory holds no key of the log.
    #[error("The directory {0} holds no key of the log: there is neither log.key nor log-<key id>.key.")]
    NoLogKey(PathBuf),
    /// Keys of two logs in one directory.
    #[error("The key file {path} holds the key of {found}, not one of {expected}.")]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// The name of its key.
        found: KeyName,
        /// The name of the keys beside it.
        expected: KeyName,
    },
    /// A file that is not named after the key in it, so that a copy could pass for a second key.
    #[error("The key file {path} holds the key with the id {found}; it must be named after its key.")]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The id of the key in it.
        found: KeyId,
    },
}

/// The keys with which a log may sign; all have its origin as their name.
#[derive(Debug, Clone)]
pub struct KeyRing {
    origin: KeyName,
    keys: Vec<SigningKey>,
}

impl KeyRing {
    /// Reads `log.key` and every `log-<key id>.key` of a data directory.
    pub fn load(data: &DataDir) -> Result<Self, KeyRingError> {
        let mut ring: Option<Self> = None;
        let listed = data.log_keys();
        for path in
            listed.map_err(|source| KeyRingError::Directory { path: data.path().to_owned(), source })?
        {
            let key = load(&path)?;
            let vkey = key.verifier_key();
            if path != data.log_key() && path != data.rotated_log_key(vkey.id()) {
                return Err(KeyRingError::Misnamed { path, found: vkey.id() });
            }
            match &mut ring {
                None => ring = Some(Self::of(key)),
                Some(ring) if ring.origin != *vkey.name() => {
                    let (found, expected) = (vkey.name().clone(), ring.origin.clone());
                    return Err(KeyRingError::OtherLog { path, found, expected });
                }
                Some(ring) if ring.keys.iter().any(|other| other.verifier_key() == vkey) => {}
                Some(ring) => ring.keys.push(key),
            }
        }
        ring.ok_or_else(|| KeyRingError::NoLogKey(data.path().to_owned()))
    }

    /// A ring of one key.
    pub fn of(key: SigningKey) -> Self {
        Self { origin: key.verifier_key().name().clone(), keys: vec![key] }
    }

    /// The ring with one more key, which must have the same name.
    #[must_use]
    pub fn with(mut self, key: SigningKey) -> Option<Self> {
        if *key.verifier_key().name() != self.origin {
            return None;
        }
        self.keys.push(key);
        Some(self)
    }

    /// The log's origin: the name of every key.
    pub fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// The keys, `log.key` first; never empty.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The keys that sign a checkpoint while these policies are in force: those that one of them names.
    pub fn signers<'a>(&self, in_force: impl IntoIterator<Item = &'a TrustedLogs>) -> Vec<&SigningKey> {
        let named: Vec<&VerifierKey> =
            in_force.into_iter().flat_map(|logs| logs.policy.logs()).map(|log| log.key()).collect();
        self.keys.iter().filter(|key| named.contains(&key.verifier_key())).collect()
    }
}

/// The keys that may have signed a checkpoint of `origin` at any time: those of all policies of the trust file, each once.
pub fn trusted_log_keys(trust: &TrustFile, origin: &str) -> Vec<VerifierKey> {
    let mut keys: Vec<VerifierKey> = Vec::new();
    for log in trust.logs().iter().flat_map(|logs| logs.policy.logs()) {
        if log.key().name().as_str() == origin && !keys.contains(log.key()) {
            keys.push(log.key().clone());
        }
    }
    keys
}

/// Draws a new Ed25519 key named `name`, of the type with which logs and registrars sign.
pub fn generate(name: &str) -> Result<SigningKey, KeyFileError> {
    key_file::generate(name, KeyAlgorithm::Ed25519)
}

/// Reads a registrar's key in the form in which it signs statements.
pub fn load_registrar(path: &Path) -> Result<DeviceKey, KeyFileError> {
    let key = load(path)?;
    Ok(statement_key(&key))
}

/// The same Ed25519 key, for signing statements instead of notes. The two uses cannot be confused: a note is text that
/// ends in a newline, and what a statement's signature covers begins with the CBOR byte 0x84, which no UTF-8 text has.
pub fn statement_key(key: &SigningKey) -> DeviceKey {
    let text = key.to_private_string();
    // `PRIVATE+KEY+name+id+base64`; a name has no `+`, base64 may have.
    let encoded = text.splitn(5, '+').nth(4).unwrap_or_default();
    let decoded = Zeroizing::new(STANDARD.decode(encoded).unwrap_or_default());
    let mut seed = Zeroizing::new([0; 32]);
    // invariant: `to_private_string` writes one type byte and 32 bytes of key.
    seed.copy_from_slice(&decoded[1..33]);
    DeviceKey::from_seed(*seed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_ring_holds_the_keys_of_one_log_each_under_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        assert!(matches!(KeyRing::load(&data), Err(KeyRingError::NoLogKey(_))));
        let (first, second) = (generate("example.test/log").unwrap(), generate("example.test/log").unwrap());
        save(&data.log_key(), &first).unwrap();
        save(&data.rotated_log_key(second.verifier_key().id()), &second).unwrap();
        let ring = KeyRing::load(&data).unwrap();
        let vkeys: Vec<_> = ring.keys().iter().map(SigningKey::verifier_key).collect();
        assert_eq!(vkeys, [first.verifier_key(), second.verifier_key()]);

        let policy = |key: &SigningKey| TrustedLogs {
            policy: tlog::Policy::parse(format!("log {}\nquorum none\n", key.verifier_key()).as_bytes())
                .unwrap(),
            window: evidence::Window::default(),
            closed: None,
        };
        let signers = ring.signers([&policy(&second)]);
        assert_eq!(signers.len(), 1);
        assert_eq!(signers[0].verifier_key(), second.verifier_key());
        assert!(ring.signers([&policy(&generate("example.test/log").unwrap())]).is_empty());

        // A copy under another key's name, and a key of another log.
        let wrong = data.rotated_log_key(KeyId::new(7));
        save(&wrong, &first).unwrap();
        assert!(matches!(KeyRing::load(&data), Err(KeyRingError::Misnamed { path, .. }) if path == wrong));
        fs::remove_file(&wrong).unwrap();
        let foreign = generate("example.test/other").unwrap();
        save(&data.rotated_log_key(foreign.verifier_key().id()), &foreign).unwrap();
        assert!(matches!(KeyRing::load(&data), Err(KeyRingError::OtherLog { .. })));
    }

    #[test]
    fn the_statement_key_is_the_same_key() {
        // Many keys, so that some have a `+` in their base64.
        for _ in 0..50 {
            let key = generate("registrar.example.test").unwrap();
            assert_eq!(statement_key(&key).public().as_bytes().as_slice(), key.verifier_key().public_key());
        }
    }
}
