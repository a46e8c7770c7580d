//! The trust file: which logs, which witnesses and quorum, which registrars a verifier believes, and when.
//! `docs/spec/trust.md`.

use serde::{Deserialize, Serialize};
use tlog::{KeyAlgorithm, Policy, PolicyError, TreeHead, TreeSize, VerifierKey};

use crate::ids::{Digest, KeyDigest};
use crate::key::{PublicKey, PublicKeyError};
use crate::time::{MAX_SAFE_INTEGER, UnixSeconds};

/// A trust file: 16 policies of a few kilobytes each.
pub const MAX_TRUST_LEN: usize = 256 << 10;
/// A new log every few years, and the logs of neighbouring operators.
const MAX_POLICIES: usize = 16;
const MAX_REGISTRARS: usize = 64;
const MAX_NAME_LEN: usize = 256;
const VERSION: u64 = 1;

/// Whom a verifier believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFile {
    bytes: Vec<u8>,
    operator: Operator,
    logs: Vec<TrustedLogs>,
    registrars: Vec<Registrar>,
}

/// Who runs the service. Shown, never decisive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Name, 1 to 256 bytes.
    pub name: String,
    /// Address of its page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
}

/// A window of validity: from the first second, up to and without the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// First second; open if none.
    pub from: Option<UnixSeconds>,
    /// First second after it; open if none.
    pub until: Option<UnixSeconds>,
}

impl Window {
    /// Whether `time` lies within.
    pub fn contains(&self, time: UnixSeconds) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// A policy and when it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLogs {
    /// The C2SP policy.
    pub policy: Policy,
    /// Sealing times that it may vouch for.
    pub window: Window,
    /// Final size and root, if its one log was closed.
    pub closed: Option<TreeHead>,
}

impl TrustedLogs {
    /// Whether a tree can be one of these logs: a closed log has no larger tree, and no other one of its final size.
    pub fn admits(&self, head: TreeHead) -> bool {
        self.closed.is_none_or(|last| head.size < last.size || head == last)
    }

    /// Whether the policy knows a log with this origin.
    pub fn knows(&self, origin: &str) -> bool {
        self.policy.logs().iter().any(|log| log.key().name().as_str() == origin)
    }
}

/// A registrar whose enrolments and revocations count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrar {
    /// Its name and key.
    pub vkey: VerifierKey,
    /// The key.
    pub key: PublicKey,
    /// Sealing times of enrolments and revocations that it may sign.
    pub window: Window,
}

impl Registrar {
    /// The `kid` that its statements carry.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.key)
    }
}

/// Why bytes are no trust file.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Longer than 256 KiB.
    #[error("The trust file has {length} bytes, more than {max}.", max = MAX_TRUST_LEN)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Not JSON, or not of the specified shape.
    #[error("The trust file is malformed: {0}.")]
    Json(#[from] serde_json::Error),
    /// A version that this program does not know.
    #[error("The trust file has version {0}, which this program does not know.")]
    Version(u64),
    /// A list or a text that is empty or too long.
    #[error("The trust file has {found} {what}; {min} to {max} are allowed.")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The least number.
        min: usize,
        /// The greatest number.
        max: usize,
    },
    /// A policy does not parse.
    #[error("Policy {index} of the trust file is malformed. {source}")]
    Policy {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// A window ends before it begins, or lies beyond what JSON can carry.
    #[error("The window of validity of {what} {index} in the trust file is empty or out of range.")]
    Window {
        /// Policy or registrar.
        what: &'static str,
        /// Its place, from 0.
        index: usize,
    },
    /// Final size and root do not fit the policy.
    #[error(
        "Policy {index} of the trust file is closed, so it needs exactly one log, a size and a 32-byte root."
    )]
    Closed {
        /// Its place, from 0.
        index: usize,
    },
    /// A registrar's key is not acceptable.
    #[error("The key of registrar {index} in the trust file is malformed. {source}")]
    RegistrarKey {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        source: tlog::KeyError,
    },
    /// A registrar's key is no Ed25519 signing key (C2SP type 01).
    #[error("The key of registrar {index} in the trust file is not of type 01, Ed25519.")]
    RegistrarAlgorithm {
        /// Its place, from 0.
        index: usize,
    },
    /// A registrar's key is a weak or ambiguous point.
    #[error("The key of registrar {index} in the trust file is not acceptable. {source}")]
    RegistrarPoint {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        source: PublicKeyError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    operator: Operator,
    logs: Vec<LogsEntry>,
    registrars: Vec<RegistrarEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogsEntry {
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    valid_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    valid_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    closed: Option<ClosedEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosedEntry {
    size: u64,
    root: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrarEntry {
    vkey: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    valid_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    valid_until: Option<u64>,
}

impl TrustFile {
    /// Parses a trust file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() > MAX_TRUST_LEN {
            return Err(TrustError::TooLong { length: bytes.len() });
        }
        let file: File = serde_json::from_slice(bytes)?;
        if file.version != VERSION {
            return Err(TrustError::Version(file.version));
        }
        let within = |what, found, min, max| {
            let fits = (min..=max).contains(&found);
            if fits { Ok(()) } else { Err(TrustError::Count { what, found, min, max }) }
        };
        within("bytes of operator name", file.operator.name.len(), 1, MAX_NAME_LEN)?;
        within("bytes of operator address", file.operator.url.as_ref().map_or(0, String::len), 0, 2048)?;
        within("policies", file.logs.len(), 1, MAX_POLICIES)?;
        within("registrars", file.registrars.len(), 1, MAX_REGISTRARS)?;
        let logs = file.logs.into_iter().enumerate().map(|(index, entry)| entry.parse(index));
        let registrars = file.registrars.into_iter().enumerate().map(|(index, entry)| entry.parse(index));
        Ok(Self {
            bytes: bytes.to_vec(),
            operator: file.operator,
            logs: logs.collect::<Result<_, _>>()?,
            registrars: registrars.collect::<Result<_, _>>()?,
        })
    }

    /// Writes a trust file; the result is parsed, so what this returns can be read by everybody.
    pub fn compose(
        operator: Operator,
        logs: &[TrustedLogs],
        registrars: &[(VerifierKey, Window)],
    ) -> Result<Self, TrustError> {
        let file = File {
            version: VERSION,
            operator,
            logs: logs.iter().map(LogsEntry::of).collect(),
            registrars: registrars
                .iter()
                .map(|(vkey, window)| RegistrarEntry {
                    vkey: vkey.to_string(),
                    valid_from: window.from.map(UnixSeconds::get),
                    valid_until: window.until.map(UnixSeconds::get),
                })
                .collect(),
        };
        let mut json = serde_json::to_vec_pretty(&file)?;
        json.push(b'\n');
        Self::parse(&json)
    }

    /// The bytes of the file, as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes: what a page shows and a person compares.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Who runs the service.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The policies, in order.
    pub fn logs(&self) -> &[TrustedLogs] {
        &self.logs
    }

    /// The registrars, in order.
    pub fn registrars(&self) -> &[Registrar] {
        &self.registrars
    }
}

impl LogsEntry {
    fn of(logs: &TrustedLogs) -> Self {
        Self {
            policy: String::from_utf8_lossy(logs.policy.source()).into_owned(),
            valid_from: logs.window.from.map(UnixSeconds::get),
            valid_until: logs.window.until.map(UnixSeconds::get),
            closed: logs
                .closed
                .map(|head| ClosedEntry { size: head.size.get(), root: head.root.to_base64() }),
        }
    }

    fn parse(self, index: usize) -> Result<TrustedLogs, TrustError> {
        let policy =
            Policy::parse(self.policy.as_bytes()).map_err(|source| TrustError::Policy { index, source })?;
        let window = parse_window(self.valid_from, self.valid_until)
            .ok_or(TrustError::Window { what: "policy", index })?;
        let closed = match self.closed {
            None => None,
            Some(closed) if policy.logs().len() == 1 && closed.size <= MAX_SAFE_INTEGER => {
                let root = tlog::Hash::from_base64(&closed.root).map_err(|_| TrustError::Closed { index })?;
                Some(TreeHead { size: TreeSize::new(closed.size), root })
            }
            Some(_) => return Err(TrustError::Closed { index }),
        };
        Ok(TrustedLogs { policy, window, closed })
    }
}

impl RegistrarEntry {
    fn parse(self, index: usize) -> Result<Registrar, TrustError> {
        let vkey: VerifierKey =
            self.vkey.parse().map_err(|source| TrustError::RegistrarKey { index, source })?;
        if vkey.algorithm() != KeyAlgorithm::Ed25519 {
            return Err(TrustError::RegistrarAlgorithm { index });
        }
        let key = PublicKey::from_bytes(vkey.public_key())
            .map_err(|source| TrustError::RegistrarPoint { index, source })?;
        let window = parse_window(self.valid_from, self.valid_until)
            .ok_or(TrustError::Window { what: "registrar", index })?;
        Ok(Registrar { vkey, key, window })
    }
}

fn parse_window(from: Option<u64>, until: Option<u64>) -> Option<Window> {
    let representable = |time: Option<u64>| time.is_none_or(|time| time <= MAX_SAFE_INTEGER / 1000);
    let ordered = match (from, until) {
        (Some(from), Some(until)) => from < until,
        _ => true,
    };
    (representable(from) && representable(until) && ordered)
        .then(|| Window { from: from.map(UnixSeconds::new), until: until.map(UnixSeconds::new) })
}
