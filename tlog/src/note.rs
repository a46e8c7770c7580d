//! Signed notes, C2SP `signed-note` at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! note      = text LF 1*signature           ; text: UTF-8, ends in LF, no control character but LF
//! signature = U+2014 SP <key name> SP base64(key ID || signature bytes) LF
//! ```
//!
//! The text ends at the *last* empty line. Signatures of unknown keys are ignored; a bad signature of a known key
//! refuses the note. Stricter than the specification, which is silent here: two lines of one known key refuse the
//! note, because it would be ambiguous which time the key states.

use std::fmt;
use std::str::FromStr;

use crate::cosignature::{self, CosignatureError};
use crate::encoding;
use crate::key::{KeyAlgorithm, KeyError, KeyId, KeyName, SigningKey, VerifierKey};

/// Signature lines accepted in one note. C2SP asks for at least 16; a policy may name 64 witnesses, each may sign
/// with an Ed25519 and later an ML-DSA-44 key, but hardly all of them with both; 100 is what Go's `sumdb/note` takes.
pub const MAX_SIGNATURES: usize = 100;

/// Bytes in one note: [`MAX_SIGNATURES`] lines of the longest signature in use (ML-DSA-44: about 3.3 kB of base64
/// behind a name of up to 255 bytes, 360 kB together) and ample text.
pub const MAX_NOTE_LEN: usize = 512 * 1024;

const DASH: &str = "\u{2014} ";

/// A parsed note. Nothing in it is verified: use the text only to choose keys, then [`SignedNote::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The received bytes, all of them.
    source: String,
    text_len: usize,
    signatures: Vec<NoteSignature>,
}

/// One signature line. Not verified.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NoteSignature {
    name: KeyName,
    id: KeyId,
    signature: Vec<u8>,
}

/// A signature that was checked against a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    key: VerifierKey,
    timestamp: Option<u64>,
}

/// Why a note is malformed, cannot be signed, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is longer than [`MAX_NOTE_LEN`].
    #[error("The note has {found} bytes; at most {MAX_NOTE_LEN} are allowed.")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("The note is not UTF-8 text; the first bad byte is at offset {offset}.")]
    NotUtf8 {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// A control character other than newline.
    #[error("The note contains the control character {found:#04x} at offset {offset}.")]
    ControlCharacter {
        /// The character.
        found: u8,
        /// Its offset in bytes.
        offset: usize,
    },
    /// The text does not end in a newline.
    #[error("The text of the note does not end in a newline.")]
    TextWithoutNewline,
    /// There is no empty line, so that no signatures can follow.
    #[error("The note has no empty line between its text and its signatures.")]
    NoSeparator,
    /// Nothing follows the empty line.
    #[error("The note has no signature lines.")]
    NoSignatures,
    /// The last line was cut off.
    #[error("The last signature line does not end in a newline; the note may be truncated.")]
    Truncated,
    /// More lines than [`MAX_SIGNATURES`].
    #[error("The note has more than {MAX_SIGNATURES} signature lines.")]
    TooManySignatures,
    /// A line is not a signature line.
    #[error("Signature line {line} does not have the form em dash, space, key name, space, base64.")]
    SignatureSyntax {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A key name in a signature line is not allowed.
    #[error("Signature line {line} carries a key name that is not allowed. {source}")]
    SignatureName {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with the name.
        source: KeyError,
    },
    /// A signature is not canonical base64 of a key id and at least one byte.
    #[error("Signature line {line} is not canonical base64 of a key id and a signature.")]
    SignatureBase64 {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A signature of a known key that does not verify.
    #[error("The signature of the known key {name} ({id}) does not verify.")]
    BadSignature {
        /// Name of the key.
        name: KeyName,
        /// Id of the key.
        id: KeyId,
    },
    /// A timestamped cosignature of a known key that does not verify.
    #[error("The cosignature of the known key {name} ({id}) is not valid. {source}")]
    BadCosignature {
        /// Name of the key.
        name: KeyName,
        /// Id of the key.
        id: KeyId,
        /// What is wrong with it.
        source: CosignatureError,
    },
    /// Two signature lines of one known key.
    #[error("The note carries more than one signature of the known key {name} ({id}).")]
    DuplicateSignature {
        /// Name of the key.
        name: KeyName,
        /// Id of the key.
        id: KeyId,
    },
    /// Two different known keys share name and id.
    #[error("Two different known keys share the name {name} and the key id {id}.")]
    AmbiguousKey {
        /// The shared name.
        name: KeyName,
        /// The shared id.
        id: KeyId,
    },
    /// All signatures are by unknown keys.
    #[error("None of the note's signatures was made by a known key.")]
    NoKnownSignature,
    /// A witness key was asked to sign a plain note.
    #[error("The key {name} makes timestamped cosignatures and cannot sign a plain note.")]
    NotANoteKey {
        /// Name of the key.
        name: KeyName,
    },
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE_LEN {
        return Err(NoteError::TooLong { found: text.len() });
    }
    match text.bytes().enumerate().find(|(_, b)| *b < 0x20 && *b != b'\n') {
        Some((offset, found)) => Err(NoteError::ControlCharacter { found, offset }),
        None => Ok(()),
    }
}

impl SignedNote {
    /// Parses a complete note and keeps its bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong { found: bytes.len() });
        }
        let source =
            std::str::from_utf8(bytes).map_err(|e| NoteError::NotUtf8 { offset: e.valid_up_to() })?;
        check_text(source)?;
        let separator = source.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
        let (text_len, lines) = (separator + 1, &source[separator + 2..]);
        if lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Truncated)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse_line(line, number + 1)?);
        }
        Ok(Self { source: source.to_owned(), text_len, signatures })
    }

    /// The text, with its final newline.
    pub fn text(&self) -> &str {
        // invariant: `parse` and `with_signature` cut between two ASCII characters.
        &self.source[..self.text_len]
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The note exactly as it was received.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The bytes of [`SignedNote::as_str`].
    pub fn as_bytes(&self) -> &[u8] {
        self.source.as_bytes()
    }

    /// A note of `text` and at least one signature, none of which is verified here.
    pub fn from_parts(text: &str, signatures: &[NoteSignature]) -> Result<Self, NoteError> {
        check_text(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::TextWithoutNewline);
        }
        if signatures.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let mut source = format!("{text}\n");
        for signature in signatures {
            source.push_str(&signature.to_string());
            source.push('\n');
        }
        Self::parse(source.as_bytes())
    }

    /// The same note with one more signature line at its end.
    pub fn with_signature(&self, signature: &NoteSignature) -> Result<Self, NoteError> {
        Self::parse(format!("{}{signature}\n", self.source).as_bytes())
    }

    /// The signatures of `keys`, in the order of the lines.
    ///
    /// Unknown keys are ignored. Fails if a known key's signature does not verify or occurs twice, or if there is
    /// none at all.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<VerifiedSignature>, NoteError> {
        let mut verified: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let mut known = keys.iter().filter(|k| signature.is_by(k));
            let Some(key) = known.next() else { continue };
            let (name, id) = (key.name().clone(), key.id());
            if known.any(|other| other != key) {
                return Err(NoteError::AmbiguousKey { name, id });
            }
            if verified.iter().any(|v| v.key == *key) {
                return Err(NoteError::DuplicateSignature { name, id });
            }
            verified.push(signature.verify(self.text(), key)?);
        }
        if verified.is_empty() {
            return Err(NoteError::NoKnownSignature);
        }
        Ok(verified)
    }
}

impl NoteSignature {
    /// A signature line from its parts; `signature` is what follows the key id, and must not be empty.
    pub fn new(name: KeyName, id: KeyId, signature: Vec<u8>) -> Result<Self, NoteError> {
        if signature.is_empty() {
            return Err(NoteError::SignatureBase64 { line: 1 });
        }
        Ok(Self { name, id, signature })
    }

    /// A signature that `key` just made; `signature` is not empty.
    pub(crate) fn of_key(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self { name: key.name().clone(), id: key.id(), signature }
    }

    fn parse_line(text: &str, line: usize) -> Result<Self, NoteError> {
        let syntax = NoteError::SignatureSyntax { line };
        let (name, encoded) = text.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(syntax)?;
        let name = KeyName::new(name).map_err(|source| NoteError::SignatureName { line, source })?;
        let bytes = encoding::from_base64(encoded).ok_or(NoteError::SignatureBase64 { line })?;
        match bytes.split_first_chunk::<4>() {
            Some((id, signature)) if !signature.is_empty() => {
                Ok(Self { name, id: KeyId::new(u32::from_be_bytes(*id)), signature: signature.to_vec() })
            }
            _ => Err(NoteError::SignatureBase64 { line }),
        }
    }

    /// The name of the key that is said to have signed.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that is said to have signed.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The bytes after the key id.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether name and id are those of `key`. Not a verification.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == *key.name()
    }

    /// Checks this line as `key`'s signature over `text`.
    fn verify(&self, text: &str, key: &VerifierKey) -> Result<VerifiedSignature, NoteError> {
        let (name, id) = (key.name().clone(), key.id());
        let timestamp = match key.algorithm() {
            KeyAlgorithm::Ed25519 => {
                let valid = <&[u8; 64]>::try_from(&self.signature[..])
                    .is_ok_and(|s| key.verify_raw(text.as_bytes(), s));
                if !valid {
                    return Err(NoteError::BadSignature { name, id });
                }
                None
            }
            KeyAlgorithm::CosignatureV1 => Some(
                cosignature::verify(key, text, &self.signature)
                    .map_err(|source| NoteError::BadCosignature { name, id, source })?,
            ),
        };
        Ok(VerifiedSignature { key: key.clone(), timestamp })
    }
}

impl VerifiedSignature {
    /// The key that signed.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// When a witness cosigned, in seconds since 1970; `None` for plain signatures, which state no time.
    pub fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }
}

/// Signs `text`, which must end in a newline, and gives the signature line. Witness keys sign with
/// [`cosignature::sign`] instead.
pub fn sign_text(text: &str, key: &SigningKey) -> Result<NoteSignature, NoteError> {
    check_text(text)?;
    if !text.ends_with('\n') {
        return Err(NoteError::TextWithoutNewline);
    }
    let verifier = key.verifier_key();
    match verifier.algorithm() {
        KeyAlgorithm::Ed25519 => {
            let signature = key.sign_raw(text.as_bytes()).to_vec();
            Ok(NoteSignature::of_key(verifier, signature))
        }
        KeyAlgorithm::CosignatureV1 => Err(NoteError::NotANoteKey { name: verifier.name().clone() }),
    }
}

/// Signs `text` and gives the complete note. More lines are added by [`SignedNote::with_signature`].
pub fn sign_note(text: &str, key: &SigningKey) -> Result<String, NoteError> {
    let signature = sign_text(text, key)?;
    Ok(SignedNote::from_parts(text, &[signature])?.source)
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedNote({:?})", self.source)
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

/// The line without its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.get().to_be_bytes()[..], &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, encoding::to_base64(&bytes))
    }
}

impl fmt::Debug for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSignature({self})")
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    /// Reads one line without its newline.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong { found: text.len() });
        }
        Self::parse_line(text, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn key(name: &str, algorithm: KeyAlgorithm) -> SigningKey {
        let seed = *crate::Hash::sha256(name.as_bytes()).as_bytes();
        SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &seed).unwrap()
    }

    fn note_key(name: &str) -> SigningKey {
        key(name, KeyAlgorithm::Ed25519)
    }

    fn parse(text: &str) -> Result<SignedNote, NoteError> {
        SignedNote::parse(text.as_bytes())
    }

    #[test]
    fn the_example_of_the_specification() {
        let note = parse(EXAMPLE).unwrap();
        assert_eq!(note.text(), "This is an example message.\n");
        let known = EXAMPLE_KEY.parse().unwrap();
        let verified = note.verify(std::slice::from_ref(&known)).unwrap();
        assert_eq!(verified, [VerifiedSignature { key: known, timestamp: None }]);
        assert_eq!(note.to_string(), EXAMPLE);
    }

    #[test]
    fn the_poem_of_the_specification_ends_at_the_last_empty_line() {
        let poem = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
            ed è subito sera.\n";
        let note = parse(&format!(
            "{poem}\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+\
            EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
        ));
        assert_eq!(note.unwrap().text(), poem);
    }

    #[test]
    fn malformed_notes() {
        let line = EXAMPLE.split("\n\n").nth(1).unwrap();
        let cases: [(&str, NoteError); 18] = [
            ("", NoteError::NoSeparator),
            ("text\n", NoteError::NoSeparator),
            ("text\n\n", NoteError::NoSignatures),
            ("text\n\n\n", NoteError::NoSignatures),
            (&EXAMPLE[..EXAMPLE.len() - 1], NoteError::Truncated),
            (&format!("{EXAMPLE}\n"), NoteError::NoSignatures),
            (&EXAMPLE.replace("\n\n", "\n"), NoteError::NoSeparator),
            (&EXAMPLE.replace('\n', "\r\n"), NoteError::ControlCharacter { found: b'\r', offset: 27 }),
            (&EXAMPLE.replace("an ", "an\t"), NoteError::ControlCharacter { found: b'\t', offset: 10 }),
            (&EXAMPLE.replace('\u{2014}', "-"), NoteError::SignatureSyntax { line: 1 }),
            (&EXAMPLE.replace("\u{2014} ", "\u{2014}"), NoteError::SignatureSyntax { line: 1 }),
            (&format!("{EXAMPLE}text\n"), NoteError::SignatureSyntax { line: 2 }),
            ("t\n\n\u{2014} name \n", NoteError::SignatureBase64 { line: 1 }),
            // A key id alone signs nothing.
            ("t\n\n\u{2014} name AAAAAA==\n", NoteError::SignatureBase64 { line: 1 }),
            ("t\n\n\u{2014} name AAAAAAB=\n", NoteError::SignatureBase64 { line: 1 }),
            (&EXAMPLE.replace("aQM=", "aQM= "), NoteError::SignatureBase64 { line: 1 }),
            ("t\n\n\u{2014}  AAAAAAA=\n", NoteError::SignatureName { line: 1, source: KeyError::EmptyName }),
            (&format!("t\n\n{}", line.repeat(101)), NoteError::TooManySignatures),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        assert_eq!(SignedNote::parse(b"te\xffxt\n"), Err(NoteError::NotUtf8 { offset: 2 }));
        let long = vec![b'a'; MAX_NOTE_LEN + 1];
        assert_eq!(SignedNote::parse(&long), Err(NoteError::TooLong { found: MAX_NOTE_LEN + 1 }));
        assert!(parse(&format!("t\n\n{}", line.repeat(100))).is_ok());
    }

    #[test]
    fn unknown_signatures_are_ignored() {
        let (known, stranger) = (note_key("known"), note_key("stranger"));
        let mut note = parse(&sign_note("text\n", &stranger).unwrap()).unwrap();
        let keys = [known.verifier_key().clone()];
        assert_eq!(note.verify(&keys), Err(NoteError::NoKnownSignature));
        let grease = [
            // The known name with another id, the known id with another name, both with nonsense behind.
            NoteSignature::new(known.verifier_key().name().clone(), KeyId::new(7), vec![1; 64]).unwrap(),
            NoteSignature::new(KeyName::new("knowm").unwrap(), known.verifier_key().id(), vec![1]).unwrap(),
            NoteSignature::new(KeyName::new("pq").unwrap(), KeyId::new(6), vec![6; 2428]).unwrap(),
        ];
        for line in grease.iter().chain(&grease) {
            note = note.with_signature(line).unwrap();
            assert_eq!(note.verify(&keys), Err(NoteError::NoKnownSignature));
        }
        note = note.with_signature(&sign_text("text\n", &known).unwrap()).unwrap();
        assert_eq!(note.verify(&keys).unwrap().len(), 1);
        assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
    }

    #[test]
    fn a_bad_or_repeated_known_signature_refuses_the_note() {
        let (a, b) = (note_key("a"), note_key("b"));
        let keys = [a.verifier_key().clone(), b.verifier_key().clone()];
        let good = parse(&sign_note("text\n", &a).unwrap()).unwrap();
        let name = |key: &SigningKey| (key.verifier_key().name().clone(), key.verifier_key().id());
        let (b_name, b_id) = name(&b);
        let bad = Err(NoteError::BadSignature { name: b_name.clone(), id: b_id });
        // Over another text, too short, too long.
        let moved = sign_text("other\n", &b).unwrap();
        assert_eq!(good.with_signature(&moved).unwrap().verify(&keys), bad);
        for length in [1, 63, 65, 72] {
            let line = NoteSignature::new(b_name.clone(), b_id, vec![0; length]).unwrap();
            assert_eq!(good.with_signature(&line).unwrap().verify(&keys), bad);
        }
        let (name, id) = name(&a);
        let twice = good.with_signature(&good.signatures()[0]).unwrap();
        assert_eq!(twice.verify(&keys), Err(NoteError::DuplicateSignature { name, id }));
        // For somebody who does not know the key, it is no reason to refuse.
        let both = twice.with_signature(&sign_text("text\n", &b).unwrap()).unwrap();
        assert_eq!(both.verify(&keys[1..]).unwrap().len(), 1);
    }

    #[test]
    fn a_key_listed_twice_is_one_key() {
        let a = note_key("a");
        let note = parse(&sign_note("text\n", &a).unwrap()).unwrap();
        let key = a.verifier_key().clone();
        assert_eq!(note.verify(&[key.clone(), key]).unwrap().len(), 1);
    }

    /// Two seeds, found by search, whose keys share the id 4caceab7 under the name "a".
    #[test]
    fn keys_that_collide_are_told_apart_or_refused() {
        let key = |seed: u32| {
            let seed: [u8; 32] = std::array::from_fn(|i| seed.to_be_bytes()[i % 4]);
            SigningKey::from_seed(KeyName::new("a").unwrap(), KeyAlgorithm::Ed25519, &seed).unwrap()
        };
        let (mine, forger) = (key(173_178), key(197_000));
        let (known, other) = (mine.verifier_key().clone(), forger.verifier_key().clone());
        let (name, id) = (known.name().clone(), known.id());
        assert_eq!((id, id), (other.id(), KeyId::new(0x4cac_eab7)));
        assert_ne!(known, other);
        let note = parse(&sign_note("text\n", &forger).unwrap()).unwrap();
        let bad = NoteError::BadSignature { name: name.clone(), id };
        assert_eq!(note.verify(std::slice::from_ref(&known)), Err(bad));
        assert_eq!(note.verify(&[known, other]), Err(NoteError::AmbiguousKey { name, id }));
    }

    #[test]
    fn only_what_can_be_parsed_is_signed() {
        let log = note_key("log");
        assert_eq!(sign_note("no newline", &log), Err(NoteError::TextWithoutNewline));
        assert_eq!(sign_note("", &log), Err(NoteError::TextWithoutNewline));
        assert_eq!(sign_note("bell\x07\n", &log), Err(NoteError::ControlCharacter { found: 7, offset: 4 }));
        let witness = key("w", KeyAlgorithm::CosignatureV1);
        let name = KeyName::new("w").unwrap();
        assert_eq!(sign_note("text\n", &witness), Err(NoteError::NotANoteKey { name }));
        // Text that imitates signatures stays text.
        for text in ["\n", "a\n\n", EXAMPLE, "\n\n\n"] {
            let note = parse(&sign_note(text, &log).unwrap()).unwrap();
            assert_eq!(note.text(), text);
            assert_eq!(note.verify(&[log.verifier_key().clone()]).unwrap().len(), 1);
        }
    }

    #[test]
    fn a_line_round_trips() {
        let line = sign_text("text\n", &note_key("log")).unwrap();
        assert_eq!(line.to_string().parse(), Ok(line.clone()));
        assert!(format!("{line}\n").parse::<NoteSignature>().is_err());
    }
}
