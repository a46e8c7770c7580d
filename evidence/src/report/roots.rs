//! What a report tells about roots seen elsewhere (`docs/spec/roots.md`). No times and no sizes of witnesses: those change
//! while a person looks, and page and command line must say the same.

use serde::{Deserialize, Serialize};

use super::words::{AlarmKind, RootSource, WitnessState};

/// What comparing roots has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootsFacts {
    /// The witnesses that were asked, in the order of the trust file.
    pub witnesses: Vec<WitnessStanding>,
    /// What is wrong, if anything is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alarm: Option<RootsAlarm>,
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessStanding {
    /// Its name in the trust file.
    pub name: String,
    /// What its root says.
    pub state: WitnessState,
}

/// Two roots that do not go together, with the signed notes, so that they can be saved and shown to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootsAlarm {
    /// What is wrong.
    pub kind: AlarmKind,
    /// The root nearer to whoever verifies: of the evidence, or remembered.
    pub ours: SignedRoot,
    /// The other one.
    pub theirs: SignedRoot,
}

/// A signed root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRoot {
    /// Where it comes from.
    pub source: RootSource,
    /// The witness's name, of one that a witness shows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Number of entries.
    pub size: u64,
    /// The signed note, as received.
    pub note: String,
}
