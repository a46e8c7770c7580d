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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyName, SigningKey};

    fn vkey(seed: u8, algorithm: KeyAlgorithm) -> String {
        let name = KeyName::new(format!("k{seed}.example")).unwrap();
        SigningKey::from_seed(name, algorithm, &[seed; 32]).unwrap().verifier_key().to_string()
    }

    fn log(seed: u8) -> String {
        vkey(seed, KeyAlgorithm::Ed25519)
    }

    fn witness(seed: u8) -> String {
        vkey(seed, KeyAlgorithm::CosignatureV1)
    }

    fn parse(text: &str) -> Result<Policy, PolicyError> {
        Policy::parse(text.as_bytes())
    }

    /// The example of the specification, with keys.
    fn example() -> String {
        format!(
            "log {}\n\nwitness X1 {}\nwitness X2 {}\nwitness X3 {}\ngroup X-witnesses 2 X1 X2 X3\n\n\
             witness Y1 {}\nwitness Y2 {}\nwitness Y3 {}\ngroup Y-witnesses any Y1 Y2 Y3\n\n\
             group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
            log(0),
            witness(1),
            witness(2),
            witness(3),
            witness(4),
            witness(5),
            witness(6)
        )
    }

    fn met(policy: &Policy, cosigned: &[(&str, u64)]) -> Option<u64> {
        let Quorum::Rule(rule) = policy.quorum() else { panic!("quorum none") };
        rule.time(&|name| {
            cosigned.iter().find(|(witness, _)| witness.as_bytes() == name.as_bytes()).map(|(_, time)| *time)
        })
    }

    #[test]
    fn the_example_of_the_specification() {
        let policy = parse(&example()).unwrap();
        assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
        assert_eq!(policy.source(), example().as_bytes());
        assert_eq!(Policy::parse(policy.source()).as_ref(), Ok(&policy));
        assert_eq!(met(&policy, &[("X1", 5), ("X3", 9), ("Y2", 7)]), Some(9));
        assert_eq!(met(&policy, &[("X1", 5), ("X3", 6), ("Y2", 7), ("X2", 99), ("Y1", 99)]), Some(7));
        assert_eq!(met(&policy, &[("X1", 5), ("X2", 5), ("X3", 5)]), None);
        assert_eq!(met(&policy, &[("X1", 5), ("Y1", 5), ("Y2", 5), ("Y3", 5)]), None);
        assert_eq!(met(&policy, &[]), None);
    }

    #[test]
    fn white_space_comments_urls_and_octets() {
        let text = format!(
            "\t# comment, \u{e9}\n  \t\n log\t{} \t https://log.example/\u{94fe} \nwitness \u{89c1} {} u\n#\nquorum \u{89c1}\n",
            log(0),
            witness(1)
        );
        let policy = parse(&text).unwrap();
        assert_eq!(policy.logs()[0].url(), Some("https://log.example/\u{94fe}".as_bytes()));
        assert_eq!(policy.witnesses()[0].url(), Some(b"u".as_slice()));
        assert_eq!(policy.witnesses()[0].name().to_string(), "\u{89c1}");
        // Names are octets: two that are shown alike are different.
        let text = format!("witness \u{e9} {}\nwitness e\u{301} {}\nquorum \u{e9}\n", witness(1), witness(2));
        assert_eq!(parse(&text).unwrap().witnesses().len(), 2);
        let latin1: Vec<u8> =
            text.replace('\u{e9}', "?").bytes().map(|b| if b == b'?' { 0xe9 } else { b }).collect();
        assert_eq!(Policy::parse(&latin1).unwrap().witnesses()[0].name().as_bytes(), b"\xe9");
        // The digest is over the octets, comments included.
        let (a, b) = (parse("quorum none\n").unwrap(), parse("quorum  none\n").unwrap());
        assert_ne!(a.digest(), b.digest());
        assert_eq!(a.quorum(), b.quorum());
        assert!(a.is_quorum_none());
    }

    #[test]
    fn malformed_policies() {
        use PolicyError as E;
        let name = |name: &str| PolicyName(name.as_bytes().to_vec());
        let w = |i: u8| format!("witness w{i} {}\n", witness(i));
        let two = w(1) + &w(2);
        let q = "quorum none\n";
        let kind = |line, found, expected| E::KeyRole { line, found, expected };
        let cases: Vec<(String, E)> = vec![
            (String::new(), E::NoQuorum),
            ("\n".into(), E::NoQuorum),
            (format!("log {}\n", log(0)), E::NoQuorum),
            ("quorum none".into(), E::MissingFinalNewline),
            ("quorum none\r\n".into(), E::ControlCharacter { line: 1, found: b'\r' }),
            ("#\x7f\nquorum none\n".into(), E::ControlCharacter { line: 1, found: 0x7f }),
            (format!("{q}{q}"), E::SecondQuorum { line: 2 }),
            ("quorum\n".into(), E::MissingItem { line: 1, expected: "a name or none" }),
            ("quorum none none\n".into(), E::ExtraItem { line: 1 }),
            ("Quorum none\n".into(), E::UnknownKeyword { line: 1, found: "Quorum".into() }),
            (format!("quorum w1\n{two}"), E::UndefinedName { line: 1, name: name("w1") }),
            ("log\n".into(), E::MissingItem { line: 1, expected: "a verifier key" }),
            ("log x\n".into(), E::Key { line: 1, source: KeyError::VerifierKeyParts }),
            (format!("log {} u v\n", log(0)), E::ExtraItem { line: 1 }),
            (format!("log {}\n", witness(0)), kind(1, 4, 1)),
            (format!("witness a {}\n", log(0)), kind(1, 1, 4)),
            (format!("log {0}\nlog {0}\n", log(0)), E::DuplicateKey { line: 2 }),
            (format!("{two}witness w3 {}\n", witness(2)), E::DuplicateKey { line: 3 }),
            (format!("{two}witness w1 {}\n", witness(3)), E::DuplicateName { line: 3, name: name("w1") }),
            (format!("{two}group w1 any w2\n"), E::DuplicateName { line: 3, name: name("w1") }),
            (format!("witness none {}\n", witness(0)), E::ReservedName { line: 1 }),
            (format!("{two}group none any w1\n"), E::ReservedName { line: 3 }),
            (format!("{two}group g any none\n"), E::ReservedName { line: 3 }),
            (format!("{two}group g any\n"), E::MissingItem { line: 3, expected: "a member" }),
            (format!("{two}group g any w1 w1\n"), E::MemberTwice { line: 3, name: name("w1") }),
            (format!("{two}group g any w1\ngroup h any w1\n"), E::MemberTwice { line: 4, name: name("w1") }),
            (format!("{two}group g any g\n"), E::UndefinedName { line: 3, name: name("g") }),
            (format!("{two}group g 0 w1 w2\n"), E::ThresholdRange { line: 3, threshold: 0, members: 2 }),
            (format!("{two}group g 3 w1 w2\n"), E::ThresholdRange { line: 3, threshold: 3, members: 2 }),
            (
                format!("{two}group g 01 w1 w2\n"),
                E::ThresholdSyntax { line: 3, source: DecimalError::LeadingZero },
            ),
            (
                format!("{two}group g most w1 w2\n"),
                E::ThresholdSyntax { line: 3, source: DecimalError::NotADigit },
            ),
        ];
        for (text, error) in cases {
            assert_eq!(parse(&text), Err(error), "{text}");
        }
        let long = vec![b'\n'; MAX_POLICY_LEN + 1];
        assert_eq!(Policy::parse(&long), Err(E::TooLong { found: long.len() }));
    }

    #[test]
    fn limits() {
        let logs: String = (0..=64).map(|i| format!("log {}\n", log(i))).collect();
        let error = |what| Err(PolicyError::TooMany { line: 65, what, limit: 64 });
        assert_eq!(parse(&logs), error("logs"));
        let witnesses: String = (0..=64).map(|i| format!("witness w{i} {}\n", witness(i))).collect();
        assert_eq!(parse(&witnesses), error("witnesses"));
        // A chain of groups as deep as allowed.
        let mut deep = format!("witness g0 {}\n", witness(1));
        for i in 1..=64 {
            deep += &format!("group g{i} all g{}\n", i - 1);
        }
        let policy = parse(&format!("{deep}quorum g64\n")).unwrap();
        assert_eq!(met(&policy, &[("g0", 3)]), Some(3));
        let error = PolicyError::TooMany { line: 66, what: "groups", limit: 64 };
        assert_eq!(parse(&format!("{deep}group g65 all g64\nquorum g65\n")), Err(error));
    }
}
