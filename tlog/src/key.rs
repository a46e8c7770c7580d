//! Keys of signed notes, C2SP `signed-note` ("Verifier keys") at commit
//! `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! vkey   = <key name> "+" hex(key ID) "+" base64(signature type || public key)
//! key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
//! skey   = "PRIVATE+KEY+" <key name> "+" hex(key ID) "+" base64(signature type || seed)
//! ```
//!
//! The private form is not C2SP's but that of Go's `golang.org/x/mod/sumdb/note`, which most log software reads.
//! Out of scope: ECDSA, RFC 6962 tree head signatures, and ML-DSA-44, which gets a [`KeyAlgorithm`] when it comes.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use zeroize::Zeroizing;

use crate::encoding;
use crate::hash::Hash;

/// Bytes in the longest key name: ML-DSA-44 cosignatures (C2SP `tlog-cosignature`) carry the name behind one
/// length byte, so a longer name could not move to them.
pub const MAX_KEY_NAME_LEN: usize = 255;

/// No supported key is longer than this as text; checked before anything is decoded.
const MAX_KEY_TEXT_LEN: usize = MAX_KEY_NAME_LEN + 128;

const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// The name of a key: not empty, at most [`MAX_KEY_NAME_LEN`] bytes, no Unicode space, no plus, no
/// control character below U+0020.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The first four bytes of a hash of name, algorithm and key: tells keys of one name apart, proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

/// What a key signs, and how: the signature type byte of C2SP `signed-note`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// `0x01`: Ed25519 over the text of the note. Logs sign with it.
    Ed25519,
    /// `0x04`: a timestamped Ed25519 cosignature over a checkpoint. Witnesses sign with it.
    CosignatureV1,
}

/// A public key with its name. Not weak, canonically encoded, and with the key id that belongs to it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    algorithm: KeyAlgorithm,
    public_key: VerifyingKey,
}

/// A private key with its name. Wiped from memory when dropped; never shown by `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    verifier: VerifierKey,
    secret: ed25519_dalek::SigningKey,
}

/// Why a text is not a key. Never repeats the text, which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The name is empty.
    #[error("The key name is empty.")]
    EmptyName,
    /// The name is too long.
    #[error("The key name has {found} bytes; at most {MAX_KEY_NAME_LEN} are allowed.")]
    NameTooLong {
        /// Bytes in the name.
        found: usize,
    },
    /// The name contains a space, a plus or a control character.
    #[error("The key name contains {found:?}; spaces, plus and control characters are not allowed.")]
    NameCharacter {
        /// The first such character.
        found: char,
    },
    /// The text is longer than any supported key.
    #[error("The key is longer than any supported key.")]
    TooLong,
    /// A public key does not consist of name, id and key.
    #[error("A verifier key must have the three parts name, key id and key, separated by plus signs.")]
    VerifierKeyParts,
    /// A private key does not start with its prefix or lacks parts.
    #[error("A private key must have the form PRIVATE+KEY+name+key id+key.")]
    PrivateKeyParts,
    /// The key id is not eight lowercase hexadecimal digits.
    #[error("The key id must be exactly eight lowercase hexadecimal digits.")]
    KeyIdSyntax,
    /// The key id belongs to another name, algorithm or key.
    #[error("The key states the key id {stated}, but its name, algorithm and public key give {computed}.")]
    KeyIdMismatch {
        /// The id in the text.
        stated: KeyId,
        /// The id that belongs to the key.
        computed: KeyId,
    },
    /// The last part is not canonical base64.
    #[error("The last part of the key is not canonical standard base64.")]
    Base64,
    /// A signature type that is not supported.
    #[error("The key has the signature type {found:#04x}, which is not supported.")]
    Algorithm {
        /// The signature type byte.
        found: u8,
    },
    /// The key has the wrong length for its algorithm.
    #[error("The key has {found} bytes; its algorithm needs {expected}.")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// The public key is not the one encoding of a point on the curve.
    #[error("The public key is not the canonical encoding of a curve point.")]
    NotAPoint,
    /// The public key has small order, so that signatures under it can be made without a private key.
    #[error("The public key is weak: anybody could sign for it.")]
    Weak,
}

impl KeyName {
    /// Checks and wraps a name.
    pub fn new(name: impl Into<String>) -> Result<Self, KeyError> {
        let name = name.into();
        if name.is_empty() {
            return Err(KeyError::EmptyName);
        }
        if name.len() > MAX_KEY_NAME_LEN {
            return Err(KeyError::NameTooLong { found: name.len() });
        }
        match name.chars().find(|c| c.is_whitespace() || *c < ' ' || *c == '+') {
            Some(found) => Err(KeyError::NameCharacter { found }),
            None => Ok(Self(name)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyId {
    /// The key id with this value.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The id as a number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The id that belongs to a name, an algorithm and a public key.
    pub fn compute(name: &KeyName, algorithm: KeyAlgorithm, public_key: &[u8]) -> Self {
        let message = [name.0.as_bytes(), b"\n", &[algorithm.signature_type()], public_key].concat();
        let [a, b, c, d, ..] = *Hash::sha256(&message).as_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl KeyAlgorithm {
    /// The signature type byte.
    pub const fn signature_type(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    /// The algorithm with this signature type byte, if it is supported.
    pub const fn from_signature_type(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::CosignatureV1),
            _ => None,
        }
    }
}

impl VerifierKey {
    /// A key from its parts; `public_key` is the 32-byte encoding of RFC 8032.
    pub fn new(name: KeyName, algorithm: KeyAlgorithm, public_key: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] =
            public_key.try_into().map_err(|_| KeyError::Length { found: public_key.len(), expected: 32 })?;
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if VerifyingKey::from(point.to_edwards()).as_bytes() != bytes {
            return Err(KeyError::NotAPoint);
        }
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        let id = KeyId::compute(&name, algorithm, bytes);
        Ok(Self { name, id, algorithm, public_key: point })
    }

    /// The name that signature lines of this key carry.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id that signatures of this key begin with.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs, and how.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public key in the encoding of its algorithm: 32 bytes for Ed25519.
    pub fn public_key(&self) -> &[u8] {
        self.public_key.as_bytes()
    }

    /// Whether `signature` is this key's raw signature over `message`. Strict: refuses low-order points and
    /// non-canonical encodings, so that all verifiers agree (vectors: C2SP/CCTV).
    pub(crate) fn verify_raw(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.public_key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl SigningKey {
    /// The key with this RFC 8032 seed, which the caller drew from a cryptographic random source.
    pub fn from_seed(name: KeyName, algorithm: KeyAlgorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, algorithm, secret.verifying_key().as_bytes())?;
        Ok(Self { verifier, secret })
    }

    /// The public half.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The text form that [`FromStr`] reads; wiped from memory when dropped.
    pub fn to_private_string(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new([0; 33]);
        key[0] = self.verifier.algorithm.signature_type();
        key[1..].copy_from_slice(self.secret.as_bytes());
        let encoded = Zeroizing::new(encoding::to_base64(&key[..]));
        let VerifierKey { name, id, .. } = &self.verifier;
        Zeroizing::new(format!("{PRIVATE_PREFIX}{name}+{id}+{}", encoded.as_str()))
    }

    /// The raw signature over `message`; which message that is depends on the algorithm.
    pub(crate) fn sign_raw(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

/// What public and private keys share: `name+id+base64(type || 32 bytes)`.
struct KeyParts {
    name: KeyName,
    id: KeyId,
    algorithm: KeyAlgorithm,
    material: Zeroizing<[u8; 32]>,
}

impl KeyParts {
    fn parse(text: &str, missing: KeyError) -> Result<Self, KeyError> {
        if text.len() > MAX_KEY_TEXT_LEN {
            return Err(KeyError::TooLong);
        }
        let (name, rest) = text.split_once('+').ok_or(missing)?;
        let (id, key) = rest.split_once('+').ok_or(missing)?;
        let (name, id) = (KeyName::new(name)?, id.parse()?);
        let decoded = Zeroizing::new(encoding::from_base64(key).ok_or(KeyError::Base64)?);
        let (kind, bytes) = decoded.split_first().ok_or(KeyError::Length { found: 0, expected: 33 })?;
        let algorithm =
            KeyAlgorithm::from_signature_type(*kind).ok_or(KeyError::Algorithm { found: *kind })?;
        if bytes.len() != 32 {
            return Err(KeyError::Length { found: bytes.len(), expected: 32 });
        }
        let mut material = Zeroizing::new([0; 32]);
        material.copy_from_slice(bytes);
        Ok(Self { name, id, algorithm, material })
    }
}

fn require_id(stated: KeyId, computed: KeyId) -> Result<(), KeyError> {
    if stated == computed { Ok(()) } else { Err(KeyError::KeyIdMismatch { stated, computed }) }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let KeyParts { name, id, algorithm, material } = KeyParts::parse(text, KeyError::VerifierKeyParts)?;
        // The id comes before the point: a mistyped key is told as such, not as a point off the curve.
        require_id(id, KeyId::compute(&name, algorithm, &material[..]))?;
        Self::new(name, algorithm, &material[..])
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(PRIVATE_PREFIX).ok_or(KeyError::PrivateKeyParts)?;
        let KeyParts { name, id, algorithm, material } = KeyParts::parse(rest, KeyError::PrivateKeyParts)?;
        let key = Self::from_seed(name, algorithm, &material)?;
        require_id(id, key.verifier.id)?;
        Ok(key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm.signature_type()], self.public_key()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, encoding::to_base64(&key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(for {})", self.verifier)
    }
}

impl std::hash::Hash for VerifierKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.name, self.algorithm, self.public_key()).hash(state);
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl AsRef<str> for KeyName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 8 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(KeyError::KeyIdSyntax);
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| KeyError::KeyIdSyntax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn the_example_of_the_specification() {
        let key: VerifierKey = EXAMPLE.parse().unwrap();
        assert_eq!(key.name().as_str(), "example.com/foo");
        assert_eq!(key.id(), KeyId::new(0x530d_903a));
        assert_eq!(key.algorithm(), KeyAlgorithm::Ed25519);
        assert_eq!(key.to_string(), EXAMPLE);
    }

    #[test]
    fn private_keys_round_trip_and_stay_private() {
        for algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::CosignatureV1] {
            let key = SigningKey::from_seed(KeyName::new("k").unwrap(), algorithm, &[9; 32]).unwrap();
            let text = key.to_private_string();
            let back: SigningKey = text.parse().unwrap();
            assert_eq!(back.verifier_key(), key.verifier_key());
            assert_eq!(back.sign_raw(b"m"), key.sign_raw(b"m"));
            let secret = text.rsplit('+').next().unwrap();
            assert!(!format!("{key:?}").contains(&secret[4..20]));
            // Another name: the id no longer fits.
            let renamed = text.replace("+k+", "+l+");
            assert!(matches!(renamed.parse::<SigningKey>(), Err(KeyError::KeyIdMismatch { .. })));
        }
    }

    #[test]
    fn confused_keys_are_refused_without_repeating_them() {
        let key = SigningKey::from_seed(KeyName::new("k").unwrap(), KeyAlgorithm::Ed25519, &[9; 32]).unwrap();
        let private = key.to_private_string();
        let secret = private.rsplit('+').next().unwrap();
        // A private key where a public one belongs, and the reverse.
        let error = private.parse::<VerifierKey>().unwrap_err();
        assert!(!error.to_string().contains(secret));
        assert_eq!(EXAMPLE.parse::<SigningKey>().unwrap_err(), KeyError::PrivateKeyParts);
        assert_eq!("PRIVATE+KEY+".parse::<SigningKey>().unwrap_err(), KeyError::PrivateKeyParts);
        assert_eq!("k".repeat(5000).parse::<VerifierKey>(), Err(KeyError::TooLong));
        assert_eq!("".parse::<VerifierKey>(), Err(KeyError::VerifierKeyParts));
        assert_eq!("a+00000000+".parse::<VerifierKey>(), Err(KeyError::Length { found: 0, expected: 33 }));
    }

    #[test]
    fn one_key_has_another_id_as_log_and_as_witness() {
        let name = KeyName::new("k").unwrap();
        let log = SigningKey::from_seed(name.clone(), KeyAlgorithm::Ed25519, &[9; 32]).unwrap();
        let witness = SigningKey::from_seed(name, KeyAlgorithm::CosignatureV1, &[9; 32]).unwrap();
        assert_eq!(log.verifier_key().public_key(), witness.verifier_key().public_key());
        assert_ne!(log.verifier_key().id(), witness.verifier_key().id());
        assert_ne!(log.verifier_key(), witness.verifier_key());
    }

    #[test]
    fn names() {
        assert!(KeyName::new("x".repeat(255)).is_ok());
        assert_eq!(KeyName::new("x".repeat(256)), Err(KeyError::NameTooLong { found: 256 }));
        // Ugly, but allowed: refusing it would refuse every note that an unknown key of this name has signed.
        assert!(KeyName::new("a\u{7f}\u{80}b").is_ok());
        for (name, found) in [
            ("a\x1fb", '\x1f'),
            ("a b", ' '),
            ("a+b", '+'),
            ("a\tb", '\t'),
            ("a\u{3000}", '\u{3000}'),
            ("\u{85}", '\u{85}'),
        ] {
            assert_eq!(KeyName::new(name), Err(KeyError::NameCharacter { found }), "{name:?}");
        }
    }

    /// C2SP/CCTV: every edge case of the points A and R. Strict verification accepts exactly those whose points are
    /// canonical, not of low order, and whose low-order parts cancel out without the cofactor.
    #[test]
    fn ed25519_edge_cases() {
        let vectors = include_str!("../../testdata/tlog/cctv-ed25519/vectors.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let (mut accepted, mut weak, mut not_a_point) = (0, 0, 0);
        for vector in vectors.as_array().unwrap() {
            let bytes = |field: &str| hex::decode(vector[field].as_str().unwrap()).unwrap();
            let flags: Vec<&str> =
                vector["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap()).collect();
            let key = VerifierKey::new(KeyName::new("k").unwrap(), KeyAlgorithm::Ed25519, &bytes("key"));
            let key_error = if flags.contains(&"non_canonical_A") {
                not_a_point += 1;
                Some(KeyError::NotAPoint)
            } else if flags.contains(&"low_order_A") {
                weak += 1;
                Some(KeyError::Weak)
            } else {
                None
            };
            assert_eq!(key.as_ref().err().copied(), key_error, "{vector}");
            let Ok(key) = key else { continue };
            let signature: [u8; 64] = bytes("sig").try_into().unwrap();
            let message = vector["msg"].as_str().unwrap().as_bytes();
            let harmless = ["low_order_component_A", "low_order_component_R"];
            let expected = flags.iter().all(|flag| harmless.contains(flag));
            assert_eq!(key.verify_raw(message, &signature), expected, "{vector}");
            accepted += i32::from(expected);
        }
        assert!(accepted > 10 && weak > 10 && not_a_point > 10, "{accepted} {weak} {not_a_point}");
    }

    #[test]
    fn a_signature_has_one_form() {
        let key = SigningKey::from_seed(KeyName::new("k").unwrap(), KeyAlgorithm::Ed25519, &[9; 32]).unwrap();
        let good = key.sign_raw(b"message");
        assert!(key.verifier_key().verify_raw(b"message", &good));
        assert!(!key.verifier_key().verify_raw(b"Message", &good));
        // S + L, the other spelling of S that a lax verifier takes.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut other = good;
        let mut carry = 0u16;
        for (byte, add) in other[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert!(!key.verifier_key().verify_raw(b"message", &other));
    }
}
