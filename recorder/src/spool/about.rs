//! What a spooled recording belongs to.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What kind of thing is spooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A live recording: `start`, segments, `end`.
    Recording,
    /// A finished file: one `deposit`.
    Deposit,
}

/// `about.json`: written once, before the first statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What is spooled.
    pub subject: Subject,
    /// The video or file, absolute.
    pub file: PathBuf,
    /// Where the evidence file goes, absolute.
    pub evidence: PathBuf,
    /// The registry section (docs/spec/http.md) whose enrolment the first statement names.
    #[serde(with = "hex_bytes")]
    pub registry: Vec<u8>,
}

impl About {
    /// The name by which people know the file.
    #[must_use]
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        self.file.file_name().map_or_else(|| self.file.to_string_lossy(), |name| name.to_string_lossy())
    }

    /// The file that this is about.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
