//! Checkpoints, C2SP `tlog-checkpoint` at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! body = origin LF size LF base64(root hash) LF *(extension LF)
//! ```
//!
//! Stricter than the specification: origin at most 255 bytes, size at most 2^63 - 1, and a tree of size 0 must have
//! the root of the empty tree. A [`Checkpoint`] is unverified; [`crate::Policy::verify_checkpoint`] makes it a
//! [`crate::VerifiedCheckpoint`].

use std::fmt;

use crate::encoding::DecimalError;
use crate::hash::{Hash, HashParseError, empty_root};
use crate::note::{MAX_NOTE_LEN, NoteError, SignedNote, sign_note};
use crate::tree::{TreeHead, TreeSize};

/// Bytes in the longest origin: ML-DSA-44 cosignatures (C2SP `tlog-cosignature`) carry it behind one length byte.
pub const MAX_ORIGIN_LEN: usize = 255;

/// The body of a checkpoint: which log, which tree. Unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
    extensions: Vec<String>,
}

/// Why a text is not the body of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointParseError {
    /// The body is longer than any note.
    #[error("The checkpoint has {found} bytes; at most {MAX_NOTE_LEN} are allowed.")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The body does not end in a newline.
    #[error("The checkpoint does not end in a newline; it may be truncated.")]
    MissingFinalNewline,
    /// Fewer than three lines.
    #[error("The checkpoint has {found} lines; origin, size and root hash are three.")]
    MissingLines {
        /// Lines found.
        found: usize,
    },
    /// The origin is empty.
    #[error("The checkpoint's origin line is empty.")]
    EmptyOrigin,
    /// The origin is longer than [`MAX_ORIGIN_LEN`].
    #[error("The checkpoint's origin has {found} bytes; at most {MAX_ORIGIN_LEN} are allowed.")]
    OriginTooLong {
        /// Bytes found.
        found: usize,
    },
    /// A control character in origin or extension.
    #[error("Line {line} of the checkpoint contains a control character.")]
    ControlCharacter {
        /// Number of the line, from 1.
        line: usize,
    },
    /// The second line is not a strict decimal.
    #[error("The checkpoint's second line is not a tree size. {0}")]
    Size(#[source] DecimalError),
    /// The size is above [`TreeSize::MAX_CHECKPOINT`].
    #[error("The checkpoint's tree size {found} is larger than 2^63 - 1.")]
    SizeTooLarge {
        /// The size stated.
        found: TreeSize,
    },
    /// The third line is not a root hash.
    #[error("The checkpoint's third line is not a root hash. {0}")]
    Root(#[source] HashParseError),
    /// A tree of size 0 with another root than that of the empty tree.
    #[error("The checkpoint states size 0, but its root hash is not that of the empty tree.")]
    EmptyTreeRoot,
    /// An extension line is empty.
    #[error("Line {line} of the checkpoint is an empty extension line.")]
    EmptyExtension {
        /// Number of the line, from 1.
        line: usize,
    },
}

impl Checkpoint {
    /// A checkpoint without extension lines, for a log to sign.
    pub fn new(origin: impl Into<String>, head: TreeHead) -> Result<Self, CheckpointParseError> {
        let origin = origin.into();
        check_origin(&origin)?;
        check_head(&head)?;
        Ok(Self { origin, head, extensions: Vec::new() })
    }

    /// Parses the text of a note. What this accepts, [`Display`](fmt::Display) prints byte for byte.
    pub fn parse(body: &str) -> Result<Self, CheckpointParseError> {
        if body.len() > MAX_NOTE_LEN {
            return Err(CheckpointParseError::TooLong { found: body.len() });
        }
        let lines = body.strip_suffix('\n').ok_or(CheckpointParseError::MissingFinalNewline)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointParseError::MissingLines { found: body.lines().count() });
        };
        check_origin(origin)?;
        let size = size.parse().map_err(CheckpointParseError::Size)?;
        let root = Hash::from_base64(root).map_err(CheckpointParseError::Root)?;
        let head = TreeHead { size, root };
        check_head(&head)?;
        let mut extensions = Vec::new();
        for (line, extension) in (4..).zip(lines) {
            if extension.is_empty() {
                return Err(CheckpointParseError::EmptyExtension { line });
            }
            check_characters(extension, line)?;
            extensions.push(extension.to_owned());
        }
        Ok(Self { origin: origin.to_owned(), head, extensions })
    }

    /// Parses the text of `note` without looking at its signatures.
    pub fn unverified(note: &SignedNote) -> Result<Self, CheckpointParseError> {
        Self::parse(note.text())
    }

    /// The line that identifies the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Size and root of the tree.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Opaque further lines; nobody vouches for them.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Signs the checkpoint with the log's key.
    pub fn sign(&self, key: &crate::SigningKey) -> Result<SignedNote, NoteError> {
        SignedNote::parse(sign_note(&self.to_string(), key)?.as_bytes())
    }
}

fn check_origin(origin: &str) -> Result<(), CheckpointParseError> {
    if origin.is_empty() {
        return Err(CheckpointParseError::EmptyOrigin);
    }
    if origin.len() > MAX_ORIGIN_LEN {
        return Err(CheckpointParseError::OriginTooLong { found: origin.len() });
    }
    check_characters(origin, 1)
}

fn check_characters(text: &str, line: usize) -> Result<(), CheckpointParseError> {
    if text.bytes().any(|b| b < 0x20) {
        return Err(CheckpointParseError::ControlCharacter { line });
    }
    Ok(())
}

fn check_head(head: &TreeHead) -> Result<(), CheckpointParseError> {
    if head.size > TreeSize::MAX_CHECKPOINT {
        return Err(CheckpointParseError::SizeTooLarge { found: head.size });
    }
    if head.size == TreeSize::ZERO && head.root != empty_root() {
        return Err(CheckpointParseError::EmptyTreeRoot);
    }
    Ok(())
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.head.size, self.head.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl std::str::FromStr for Checkpoint {
    type Err = CheckpointParseError;

    fn from_str(body: &str) -> Result<Self, Self::Err> {
        Self::parse(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    const BODY: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification() {
        let checkpoint = Checkpoint::parse(BODY).unwrap();
        assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.head().size.get(), 20_852_163);
        assert_eq!(checkpoint.to_string(), BODY);
        let extended = format!("{BODY}an extension\nand  another \n");
        let checkpoint = Checkpoint::parse(&extended).unwrap();
        assert_eq!(checkpoint.extensions(), ["an extension", "and  another "]);
        assert_eq!(checkpoint.to_string(), extended);
    }

    #[test]
    fn malformed_bodies() {
        use CheckpointParseError as E;
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let size = |size: &str| BODY.replace("20852163", size);
        let cases = [
            (String::new(), E::MissingFinalNewline),
            ("\n".into(), E::MissingLines { found: 1 }),
            ("a\n1\n".into(), E::MissingLines { found: 2 }),
            (BODY[..BODY.len() - 1].into(), E::MissingFinalNewline),
            (format!("\n1\n{root}\n"), E::EmptyOrigin),
            (format!("{}\n1\n{root}\n", "o".repeat(256)), E::OriginTooLong { found: 256 }),
            (format!("a\rb\n1\n{root}\n"), E::ControlCharacter { line: 1 }),
            (size("020852163"), E::Size(DecimalError::LeadingZero)),
            (size("-1"), E::Size(DecimalError::NotADigit)),
            (size("0x10"), E::Size(DecimalError::NotADigit)),
            (size(" 1"), E::Size(DecimalError::NotADigit)),
            (size(""), E::Size(DecimalError::Empty)),
            (size("18446744073709551616"), E::Size(DecimalError::TooLarge)),
            (size("9223372036854775808"), E::SizeTooLarge { found: TreeSize::new(1 << 63) }),
            (size("0"), E::EmptyTreeRoot),
            (BODY.replace("q2I=", "q2J="), E::Root(HashParseError::Base64)),
            (BODY.replace("q2I=", "q2I"), E::Root(HashParseError::Base64)),
            (BODY.replace("q2I=", "q2I= "), E::Root(HashParseError::Base64)),
            (format!("{BODY}\n"), E::EmptyExtension { line: 4 }),
            (format!("{BODY}e\n\nf\n"), E::EmptyExtension { line: 5 }),
            (format!("{BODY}e\tf\n"), E::ControlCharacter { line: 4 }),
        ];
        for (body, error) in cases {
            assert_eq!(Checkpoint::parse(&body), Err(error), "{body:?}");
        }
    }

    #[test]
    fn a_log_cannot_make_what_nobody_can_parse() {
        let head = TreeHead { size: TreeSize::new(1), root: leaf_hash(b"") };
        assert_eq!(Checkpoint::new("", head), Err(CheckpointParseError::EmptyOrigin));
        assert_eq!(
            Checkpoint::new("two\nlines", head),
            Err(CheckpointParseError::ControlCharacter { line: 1 })
        );
        let empty = TreeHead { size: TreeSize::ZERO, root: leaf_hash(b"") };
        assert_eq!(Checkpoint::new("log", empty), Err(CheckpointParseError::EmptyTreeRoot));
        let empty = TreeHead { root: empty_root(), ..empty };
        let checkpoint = Checkpoint::new("log", empty).unwrap();
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }
}
