//! The logs that are witnessed: `logs.toml`.
//!
//! ```toml
//! [[log]]
//! vkeys = ["notary.example/2026+1b2c3d4e+AZ…"]     # all keys that may sign for this origin; more than one while a key is rotated
//! mirror = "https://notary.example/log"            # keep a copy of it; absent: none
//! origin = "notary.example/2026"                   # absent: the name of the keys
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::ServerUrl;
use evidence::Digest;
use serde::{Deserialize, Serialize};
use tlog::checkpoint::MAX_ORIGIN_LEN;
use tlog::{KeyAlgorithm, VerifierKey};

/// Logs that one witness looks after.
pub const MAX_LOGS: usize = 1024;

/// Keys of one log; a rotation needs two.
const MAX_KEYS: usize = 16;

/// Bytes in the largest list.
const MAX_FILE_LEN: u64 = 8 << 20;

/// SHA-256 of a log's origin: its name in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginHash([u8; 32]);

/// One log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    origin: String,
    keys: Vec<VerifierKey>,
    mirror: Option<ServerUrl>,
}

/// All logs, by origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogList(BTreeMap<String, Arc<Log>>);

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogListError {
    /// The file cannot be read.
    #[error("The list of logs {path} cannot be read: {source}.")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any list.
    #[error("The list of logs {path} has {found} bytes; at most {MAX_FILE_LEN} are allowed.")]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        found: u64,
    },
    /// The file is not TOML of this form.
    #[error("The list of logs is not valid: {0}")]
    Parse(#[source] Box<toml::de::Error>),
    /// The list cannot be written.
    #[error("{0}")]
    Write(#[from] client::durable::FileError),
    /// It cannot be put into TOML.
    #[error("The list of logs cannot be written: {0}.")]
    Encode(#[from] toml::ser::Error),
    /// More logs than one witness looks after.
    #[error("The list has {found} logs; at most {MAX_LOGS} are allowed.")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// No key, or too many.
    #[error("The log {origin:?} has {found} keys; 1 to {MAX_KEYS} are allowed.")]
    KeyCount {
        /// The log.
        origin: String,
        /// How many there are.
        found: usize,
    },
    /// A text that is no verifier key.
    #[error("{text:?} is not a verifier key. {source}")]
    Key {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: tlog::KeyError,
    },
    /// A key that does not sign checkpoints.
    #[error("The key {0} cannot sign for a log: its type is not 0x01 (Ed25519).")]
    NotALogKey(Box<VerifierKey>),
    /// Keys of several names without an origin that says which log they are for.
    #[error("The keys {first} and {other} have different names; say which origin they sign for.")]
    Names {
        /// One key.
        first: Box<VerifierKey>,
        /// Another.
        other: Box<VerifierKey>,
    },
    /// One key twice, or two that a signature line cannot tell apart.
    #[error("The key {0} is listed twice, or another has its name and id.")]
    Ambiguous(Box<VerifierKey>),
    /// No checkpoint can have this origin.
    #[error("{0:?} cannot be the origin of a log.")]
    Origin(String),
    /// One origin twice.
    #[error("The log {0:?} is listed twice; keys of one origin belong into one entry.")]
    Repeated(String),
    /// A log whose copy would be kept from two places.
    #[error("The log {origin:?} is mirrored from {present} already.")]
    OtherMirror {
        /// The log.
        origin: String,
        /// Where it is copied from.
        present: ServerUrl,
    },
}

/// `logs.toml` as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "log")]
    logs: Vec<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    vkeys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mirror: Option<ServerUrl>,
}

impl OriginHash {
    /// The hash of `origin`.
    pub fn of(origin: &str) -> Self {
        Self(*Digest::of(origin.as_bytes()).as_bytes())
    }

    /// Reads 64 lowercase hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let hash = Self(bytes);
        // One spelling: capitals decode too.
        (hash.to_string() == text).then_some(hash)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for OriginHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Log {
    /// A log with this origin, for which these keys sign.
    ///
    /// # Errors
    /// [`LogListError`] when keys or origin cannot be a log's.
    pub fn new(
        origin: Option<String>,
        keys: Vec<VerifierKey>,
        mirror: Option<ServerUrl>,
    ) -> Result<Self, LogListError> {
        for (place, key) in keys.iter().enumerate() {
            if key.algorithm() != KeyAlgorithm::Ed25519 {
                return Err(LogListError::NotALogKey(Box::new(key.clone())));
            }
            if keys[..place].iter().any(|other| other.id() == key.id() && other.name() == key.name()) {
                return Err(LogListError::Ambiguous(Box::new(key.clone())));
            }
        }
        let origin = match (origin, keys.first()) {
            (Some(origin), _) => origin,
            (None, None) => String::new(),
            (None, Some(first)) => match keys.iter().find(|key| key.name() != first.name()) {
                None => first.name().as_str().to_owned(),
                Some(other) => {
                    return Err(LogListError::Names {
                        first: Box::new(first.clone()),
                        other: Box::new(other.clone()),
                    });
                }
            },
        };
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(LogListError::KeyCount { origin, found: keys.len() });
        }
        if origin.is_empty() || origin.len() > MAX_ORIGIN_LEN || origin.bytes().any(|byte| byte < 0x20) {
            return Err(LogListError::Origin(origin));
        }
        Ok(Self { origin, keys, mirror })
    }

    /// The origin line of its checkpoints.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The hash of the origin, which names the log in paths.
    pub fn hash(&self) -> OriginHash {
        OriginHash::of(&self.origin)
    }

    /// The keys that may sign for it.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// Where its copy is made from.
    pub fn mirror(&self) -> Option<&ServerUrl> {
        self.mirror.as_ref()
    }
}

impl LogList {
    /// Reads `logs.toml`.
    ///
    /// # Errors
    /// Every [`LogListError`] of reading.
    pub fn load(path: &Path) -> Result<Self, LogListError> {
        let failed = |source| LogListError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(failed)?.len();
        if found > MAX_FILE_LEN {
            return Err(LogListError::FileTooLarge { path: path.to_owned(), found });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(failed)?)
    }

    /// Parses the text of `logs.toml`.
    ///
    /// # Errors
    /// Every [`LogListError`] of parsing.
    pub fn parse(text: &str) -> Result<Self, LogListError> {
        let document: Document =
            toml::from_str(text).map_err(|source| LogListError::Parse(Box::new(source)))?;
        if document.logs.len() > MAX_LOGS {
            return Err(LogListError::TooMany { found: document.logs.len() });
        }
        let mut list = Self::default();
        for record in document.logs {
            let keys = record.vkeys.iter().map(|text| parse_key(text)).collect::<Result<_, _>>()?;
            let log = Log::new(record.origin, keys, record.mirror)?;
            if list.0.contains_key(&log.origin) {
                return Err(LogListError::Repeated(log.origin));
            }
            list.0.insert(log.origin.clone(), Arc::new(log));
        }
        Ok(list)
    }

    /// Writes the list durably; a reader sees the old one or the new one.
    ///
    /// # Errors
    /// [`LogListError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), LogListError> {
        let record = |log: &Arc<Log>| {
            let named = log.keys.iter().all(|key| key.name().as_str() == log.origin);
            Record {
                origin: (!named).then(|| log.origin.clone()),
                vkeys: log.keys.iter().map(VerifierKey::to_string).collect(),
                mirror: log.mirror.clone(),
            }
        };
        let document = Document { logs: self.0.values().map(record).collect() };
        client::durable::replace_shared(path, toml::to_string(&document)?.as_bytes(), 0o644)?;
        Ok(())
    }

    /// Adds a log; one that is there already gets the further keys and the mirror.
    ///
    /// # Errors
    /// [`LogListError`] when the two cannot be one log, or there are too many.
    pub fn add(&mut self, log: Log) -> Result<(), LogListError> {
        let merged = match self.0.get(&log.origin) {
            None if self.0.len() >= MAX_LOGS => {
                return Err(LogListError::TooMany { found: self.0.len() + 1 });
            }
            None => log,
            Some(present) => {
                let mirror = match (&present.mirror, log.mirror) {
                    (Some(present), Some(other)) if *present != other => {
                        return Err(LogListError::OtherMirror {
                            origin: log.origin,
                            present: present.clone(),
                        });
                    }
                    (present, other) => other.or_else(|| present.clone()),
                };
                let further = log.keys.into_iter().filter(|key| !present.keys.contains(key));
                let keys = present.keys.iter().cloned().chain(further).collect();
                Log::new(Some(log.origin), keys, mirror)?
            }
        };
        self.0.insert(merged.origin.clone(), Arc::new(merged));
        Ok(())
    }

    /// The log with this origin.
    pub fn get(&self, origin: &str) -> Option<&Arc<Log>> {
        self.0.get(origin)
    }

    /// All logs, by origin.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Log>> {
        self.0.values()
    }
}

/// Reads one verifier key.
///
/// # Errors
/// [`LogListError::Key`].
pub fn parse_key(text: &str) -> Result<VerifierKey, LogListError> {
    text.parse().map_err(|source| LogListError::Key { text: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use serving::key_file::generate;

    use super::*;

    fn key(name: &str) -> VerifierKey {
        generate(name, KeyAlgorithm::Ed25519).unwrap().verifier_key().clone()
    }

    fn parse(logs: &[(&[&VerifierKey], &str)]) -> Result<LogList, LogListError> {
        let entry = |(keys, more): &(&[&VerifierKey], &str)| {
            let keys: Vec<String> = keys.iter().map(|key| format!("{:?}", key.to_string())).collect();
            format!("[[log]]\nvkeys = [{}]\n{more}\n", keys.join(","))
        };
        LogList::parse(&logs.iter().map(entry).collect::<String>())
    }

    #[test]
    fn lists_that_could_confuse_logs_are_refused() {
        use LogListError as E;
        let (a, b) = (key("a"), key("b"));
        let witness = generate("w", KeyAlgorithm::CosignatureV1).unwrap().verifier_key().clone();
        assert!(matches!(parse(&[(&[&a], ""), (&[&key("a")], "")]), Err(E::Repeated(_))));
        assert!(matches!(parse(&[(&[&a, &a], "")]), Err(E::Ambiguous(_))));
        assert!(matches!(parse(&[(&[&a, &b], "")]), Err(E::Names { .. })));
        assert!(matches!(parse(&[(&[&witness], "")]), Err(E::NotALogKey(_))));
        assert!(matches!(parse(&[(&[], "")]), Err(E::KeyCount { found: 0, .. })));
        assert!(matches!(parse(&[(&[], "origin = \"a\"")]), Err(E::KeyCount { found: 0, .. })));
        assert!(matches!(parse(&[(&[&a], "origin = \"\"")]), Err(E::Origin(_))));
        assert!(matches!(parse(&[(&[&a], "origin = \"a\\nb\"")]), Err(E::Origin(_))));
        // A copy that anybody on the way could alter is no use asking for.
        assert!(matches!(parse(&[(&[&a], "mirror = \"http://192.0.2.1/log\"")]), Err(E::Parse(_))));
        assert!(matches!(parse(&[(&[&a], "miror = \"https://a.test/log\"")]), Err(E::Parse(_))));
        let text = "[[log]]\nvkeys = [\"a+00000000+AAAA\"]";
        assert!(matches!(LogList::parse(text), Err(E::Key { .. })));
        let many: Vec<VerifierKey> = (0..=MAX_LOGS).map(|number| key(&number.to_string())).collect();
        let entries: Vec<[&VerifierKey; 1]> = many.iter().map(|key| [key]).collect();
        let logs: Vec<(&[&VerifierKey], &str)> = entries.iter().map(|keys| (&keys[..], "")).collect();
        assert!(matches!(parse(&logs), Err(E::TooMany { found: 1025 })));
        assert!(parse(&logs[1..]).is_ok());
    }

    #[test]
    fn a_rotated_key_joins_its_log_and_the_list_survives_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs.toml");
        let (old, new, other) = (key("a"), key("a"), key("other"));
        let mut list = parse(&[(&[&old], ""), (&[&other], "origin = \"b\"")]).unwrap();
        let mirror: ServerUrl = "https://a.test/log".parse().unwrap();
        let addition = Log::new(None, vec![new.clone(), old.clone()], Some(mirror.clone())).unwrap();
        list.add(addition).unwrap();
        assert_eq!(list.get("a").unwrap().keys(), [old.clone(), new]);
        assert_eq!(list.get("a").unwrap().mirror(), Some(&mirror));
        let elsewhere = Log::new(None, vec![old], Some("https://b.test/log".parse().unwrap())).unwrap();
        assert!(matches!(list.add(elsewhere), Err(LogListError::OtherMirror { .. })));
        list.save(&path).unwrap();
        assert_eq!(LogList::load(&path).unwrap(), list);
        assert_eq!(LogList::parse("").unwrap(), LogList::default());
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = OriginHash::of("a");
        assert_eq!(OriginHash::parse(&hash.to_string()), Some(hash));
        let text = hash.to_string();
        for wrong in [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), "g".repeat(64)] {
            assert_eq!(OriginHash::parse(&wrong), None, "{wrong}");
        }
    }
}
