//! Trust policies, C2SP `tlog-policy` at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <name>...
//! quorum <name>|none
//! ```
//!
//! Lines end in a newline; items are separated by spaces and tabs; empty lines and lines that start with `#` are
//! ignored. Names are opaque octets. Log keys have signature type `0x01`, witness keys `0x04`. What a policy says
//! about a checkpoint is in [`crate::verified`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::encoding::{DecimalError, parse_decimal};
use crate::hash::Hash;
use crate::key::{KeyAlgorithm, KeyError, VerifierKey};

/// Bytes in a policy: the largest allowed numbers of lines, with long names and addresses, come to half of it.
pub const MAX_POLICY_LEN: usize = 128 * 1024;
/// Logs in a policy. C2SP recommends to support 32.
pub const MAX_LOGS: usize = 64;
/// Witnesses in a policy. C2SP recommends to support 32.
pub const MAX_WITNESSES: usize = 64;
/// Groups in a policy, and so the depth of a quorum rule. C2SP recommends to support 32.
pub const MAX_GROUPS: usize = 64;

/// Which logs, which witnesses, and which of them suffice. Keeps the text it was parsed from.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    source: Vec<u8>,
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    quorum: Quorum,
}

/// The name of a witness or a group within one policy: opaque octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Vec<u8>);

/// A log that the policy accepts. Its key's name is its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    key: VerifierKey,
    url: Option<Vec<u8>>,
}

/// A witness that the policy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    name: PolicyName,
    key: VerifierKey,
    url: Option<Vec<u8>>,
}

/// Whose cosignatures make a checkpoint valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quorum {
    /// `quorum none`: the log's signature alone. No independent witness guards the log.
    None,
    /// A witness or a group.
    Rule(QuorumRule),
}

/// A witness or a group of witnesses and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuorumRule {
    /// Met when this witness has cosigned.
    Witness(PolicyName),
    /// Met when `threshold` of the members are met; 1 <= threshold <= members.
    Group {
        /// The group's name.
        name: PolicyName,
        /// How many members are needed.
        threshold: usize,
        /// Witnesses and groups; none occurs twice in one rule.
        members: Vec<QuorumRule>,
    },
}

/// Why a text is not a policy. `line` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the line and the item that the message names")]
pub enum PolicyError {
    /// Longer than [`MAX_POLICY_LEN`].
    #[error("The policy has {found} bytes; at most {MAX_POLICY_LEN} are allowed.")]
    TooLong { found: usize },
    /// A control character other than tab and newline, or DEL.
    #[error("Line {line} of the policy contains the control character {found:#04x}.")]
    ControlCharacter { line: usize, found: u8 },
    /// The last line was cut off.
    #[error("The policy's last line does not end in a newline; it may be truncated.")]
    MissingFinalNewline,
    /// The first item is not a known keyword.
    #[error("Line {line} of the policy starts with {found:?} instead of log, witness, group or quorum.")]
    UnknownKeyword { line: usize, found: String },
    /// Items are missing.
    #[error("Line {line} of the policy ends too early: {expected} is missing.")]
    MissingItem { line: usize, expected: &'static str },
    /// Items are left over.
    #[error("Line {line} of the policy has items after its end.")]
    ExtraItem { line: usize },
    /// A key is not a vkey.
    #[error("Line {line} of the policy has a key that cannot be used. {source}")]
    Key { line: usize, source: KeyError },
    /// A log with a witness's key type, or the reverse.
    #[error(
        "Line {line} of the policy has a key of signature type {found:#04x}; {expected:#04x} is needed here."
    )]
    KeyRole { line: usize, found: u8, expected: u8 },
    /// The same public key in two log lines, or in two witness lines.
    #[error("Line {line} of the policy repeats the public key of an earlier line.")]
    DuplicateKey { line: usize },
    /// A name is defined twice.
    #[error("Line {line} of the policy defines the name {name} again.")]
    DuplicateName { line: usize, name: PolicyName },
    /// `none` is predefined.
    #[error("Line {line} of the policy uses the reserved name none.")]
    ReservedName { line: usize },
    /// A name is not defined on an earlier line.
    #[error("Line {line} of the policy refers to {name}, which no earlier line defines.")]
    UndefinedName { line: usize, name: PolicyName },
    /// A witness would count twice.
    #[error("Line {line} of the policy lists {name}, which is already a member of a group.")]
    MemberTwice { line: usize, name: PolicyName },
    /// The threshold is not a decimal.
    #[error("Line {line} of the policy needs all, any or a decimal number as threshold. {source}")]
    ThresholdSyntax { line: usize, source: DecimalError },
    /// The threshold is zero or more than there are members.
    #[error("Line {line} of the policy asks for {threshold} of {members} members.")]
    ThresholdRange { line: usize, threshold: u64, members: usize },
    /// A second quorum line.
    #[error("Line {line} of the policy is a second quorum line.")]
    SecondQuorum { line: usize },
    /// No quorum line.
    #[error("The policy has no quorum line; a policy without witnesses must say \"quorum none\".")]
    NoQuorum,
    /// More logs, witnesses or groups than supported.
    #[error("Line {line} of the policy exceeds the {limit} {what} that are supported.")]
    TooMany { line: usize, what: &'static str, limit: usize },
}

impl Policy {
    /// Parses a policy and keeps its bytes.
    pub fn parse(source: &[u8]) -> Result<Self, PolicyError> {
        if source.len() > MAX_POLICY_LEN {
            return Err(PolicyError::TooLong { found: source.len() });
        }
        let mut parser = Parser::default();
        let lines = match source.strip_suffix(b"\n") {
            Some(lines) => lines,
            None if source.is_empty() => return Err(PolicyError::NoQuorum),
            None => return Err(PolicyError::MissingFinalNewline),
        };
        for (number, line) in (1..).zip(lines.split(|b| *b == b'\n')) {
            parser.line(number, line)?;
        }
        let quorum = parser.quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(Self { source: source.to_vec(), logs: parser.logs, witnesses: parser.witnesses, quorum })
    }

    /// The logs, in the order of the text; may be empty.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of the text; may be empty.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// The rule.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Whether no witness is needed: then nobody but the operator guards the log against being rewritten.
    pub fn is_quorum_none(&self) -> bool {
        self.quorum == Quorum::None
    }

    /// The text, byte for byte.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// SHA-256 of the text.
    pub fn digest(&self) -> Hash {
        Hash::sha256(&self.source)
    }
}

#[derive(Default)]
struct Parser {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: usize,
    defined: BTreeMap<PolicyName, QuorumRule>,
    members: BTreeSet<PolicyName>,
    quorum: Option<Quorum>,
}

/// The items of one line, with errors that know the line.
struct Items<'a> {
    line: usize,
    items: Box<dyn Iterator<Item = &'a [u8]> + 'a>,
}

impl<'a> Items<'a> {
    fn next(&mut self, expected: &'static str) -> Result<&'a [u8], PolicyError> {
        self.items.next().ok_or(PolicyError::MissingItem { line: self.line, expected })
    }

    fn key(&mut self, role: KeyAlgorithm) -> Result<VerifierKey, PolicyError> {
        let line = self.line;
        let item = self.next("a verifier key")?;
        let text = std::str::from_utf8(item)
            .map_err(|_| PolicyError::Key { line, source: KeyError::VerifierKeyParts })?;
        let key: VerifierKey = text.parse().map_err(|source| PolicyError::Key { line, source })?;
        if key.algorithm() != role {
            let found = key.algorithm().signature_type();
            return Err(PolicyError::KeyRole { line, found, expected: role.signature_type() });
        }
        Ok(key)
    }

    fn last_url(&mut self) -> Result<Option<Vec<u8>>, PolicyError> {
        let url = self.items.next().map(<[u8]>::to_vec);
        self.end()?;
        Ok(url)
    }

    fn end(&mut self) -> Result<(), PolicyError> {
        match self.items.next() {
            Some(_) => Err(PolicyError::ExtraItem { line: self.line }),
            None => Ok(()),
        }
    }
}

impl Parser {
    fn line(&mut self, line: usize, text: &[u8]) -> Result<(), PolicyError> {
        if let Some(&found) = text.iter().find(|b| matches!(b, 0..=0x08 | 0x0a..=0x1f | 0x7f)) {
            return Err(PolicyError::ControlCharacter { line, found });
        }
        let items = text.split(|b| matches!(b, b' ' | b'\t')).filter(|item| !item.is_empty());
        let mut items = Items { line, items: Box::new(items) };
        let Some(keyword) = items.items.next() else { return Ok(()) };
        match keyword {
            [b'#', ..] => Ok(()),
            b"log" => self.log(&mut items),
            b"witness" => self.witness(&mut items),
            b"group" => self.group(&mut items),
            b"quorum" => self.quorum(&mut items),
            other => {
                let found = String::from_utf8_lossy(&other[..other.len().min(32)]).into_owned();
                Err(PolicyError::UnknownKeyword { line, found })
            }
        }
    }

    fn log(&mut self, items: &mut Items<'_>) -> Result<(), PolicyError> {
        let line = items.line;
        let key = items.key(KeyAlgorithm::Ed25519)?;
        let url = items.last_url()?;
        if self.logs.iter().any(|log| log.key.public_key() == key.public_key()) {
            return Err(PolicyError::DuplicateKey { line });
        }
        if self.logs.len() == MAX_LOGS {
            return Err(PolicyError::TooMany { line, what: "logs", limit: MAX_LOGS });
        }
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, items: &mut Items<'_>) -> Result<(), PolicyError> {
        let line = items.line;
        let name = self.new_name(line, items.next("a name")?)?;
        let key = items.key(KeyAlgorithm::CosignatureV1)?;
        let url = items.last_url()?;
        if self.witnesses.iter().any(|witness| witness.key.public_key() == key.public_key()) {
            return Err(PolicyError::DuplicateKey { line });
        }
        if self.witnesses.len() == MAX_WITNESSES {
            return Err(PolicyError::TooMany { line, what: "witnesses", limit: MAX_WITNESSES });
        }
        self.defined.insert(name.clone(), QuorumRule::Witness(name.clone()));
        self.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, items: &mut Items<'_>) -> Result<(), PolicyError> {
        let line = items.line;
        let name = self.new_name(line, items.next("a name")?)?;
        let threshold = items.next("all, any or a threshold")?;
        let mut members = vec![self.member(line, items.next("a member")?)?];
        for member in items.items.by_ref() {
            members.push(self.member(line, member)?);
        }
        if self.groups == MAX_GROUPS {
            return Err(PolicyError::TooMany { line, what: "groups", limit: MAX_GROUPS });
        }
        self.groups += 1;
        let threshold = parse_threshold(line, threshold, members.len())?;
        self.defined.insert(name.clone(), QuorumRule::Group { name, threshold, members });
        Ok(())
    }

    fn quorum(&mut self, items: &mut Items<'_>) -> Result<(), PolicyError> {
        let line = items.line;
        let name = items.next("a name or none")?;
        items.end()?;
        if self.quorum.is_some() {
            return Err(PolicyError::SecondQuorum { line });
        }
        self.quorum = Some(match name {
            b"none" => Quorum::None,
            _ => Quorum::Rule(self.lookup(line, &PolicyName(name.to_vec()))?),
        });
        Ok(())
    }

    fn new_name(&self, line: usize, name: &[u8]) -> Result<PolicyName, PolicyError> {
        if name == b"none" {
            return Err(PolicyError::ReservedName { line });
        }
        let name = PolicyName(name.to_vec());
        if self.defined.contains_key(&name) {
            return Err(PolicyError::DuplicateName { line, name });
        }
        Ok(name)
    }

    /// Each name is a member at most once in the whole policy, so every rule is a tree no larger than the policy.
    fn member(&mut self, line: usize, name: &[u8]) -> Result<QuorumRule, PolicyError> {
        if name == b"none" {
            return Err(PolicyError::ReservedName { line });
        }
        let name = PolicyName(name.to_vec());
        let rule = self.lookup(line, &name)?;
        if !self.members.insert(name.clone()) {
            return Err(PolicyError::MemberTwice { line, name });
        }
        Ok(rule)
    }

    fn lookup(&self, line: usize, name: &PolicyName) -> Result<QuorumRule, PolicyError> {
        let undefined = || PolicyError::UndefinedName { line, name: name.clone() };
        self.defined.get(name).cloned().ok_or_else(undefined)
    }
}

fn parse_threshold(line: usize, text: &[u8], members: usize) -> Result<usize, PolicyError> {
    let number = match text {
        b"all" => return Ok(members),
        b"any" => return Ok(1),
        text => std::str::from_utf8(text).map_err(|_| DecimalError::NotADigit).and_then(parse_decimal),
    };
    let threshold = number.map_err(|source| PolicyError::ThresholdSyntax { line, source })?;
    match usize::try_from(threshold) {
        Ok(k) if (1..=members).contains(&k) => Ok(k),
        _ => Err(PolicyError::ThresholdRange { line, threshold, members }),
    }
}

impl QuorumRule {
    /// The earliest time by which the rule was met, given each witness's cosignature time.
    pub(crate) fn time(&self, of: &dyn Fn(&PolicyName) -> Option<u64>) -> Option<u64> {
        match self {
            Self::Witness(name) => of(name),
            Self::Group { threshold, members, .. } => {
                let mut times: Vec<u64> = members.iter().filter_map(|m| m.time(of)).collect();
                times.sort_unstable();
                times.get(threshold.checked_sub(1)?).copied()
            }
        }
    }
}

impl PolicyLog {
    /// The log's key; its name is the origin of the log's checkpoints.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The address, opaque octets.
    pub fn url(&self) -> Option<&[u8]> {
        self.url.as_deref()
    }
}

impl PolicyWitness {
    /// The name within the policy, which may differ from the key's name.
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// The witness's key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The address, opaque octets; by C2SP's advice the submission prefix.
    pub fn url(&self) -> Option<&[u8]> {
        self.url.as_deref()
    }
}

impl PolicyName {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// For people: octets that are not UTF-8 are replaced.
impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyName({:?})", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({:?})", String::from_utf8_lossy(&self.source))
    }
}
