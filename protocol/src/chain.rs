//! What the page learns about the notary chain itself.
//!
//! Two kinds of facts that must never be confused: what the worker has verified ([`Verified`]), and what the operator
//! says of itself ([`OperatorsWord`]). They are different types, from the request on.

use evidence::Digest;
use serde::{Deserialize, Serialize};

use crate::report::{ErrorCode, ReasonCode, RootsAlarm, State, WitnessState};

/// A chain root to remember, `docs/spec/roots.md` (“Pins”).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pin {
    /// The name under which it is kept: that of the log, and of its key.
    pub slot: String,
    /// The signed note.
    pub note: String,
}

/// One look at the chain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Look {
    /// What was verified; the code where there is no trust file to verify by.
    pub verified: Result<Verified, ErrorCode>,
    /// What the operator says; none where it did not answer, or not as specified.
    pub operator: Option<OperatorsWord>,
    /// The chain root to remember from now on.
    pub pin: Option<Pin>,
}

/// What this browser has verified about the chain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Verified {
    /// The root that the service publishes; none where it gave none that satisfies a policy of the trust file.
    pub published: Option<Root>,
    /// What each witness answered when it was asked.
    pub witnesses: Vec<WitnessAnswer>,
    /// Roots that do not fit together.
    pub alarm: Option<RootsAlarm>,
    /// Who guards the chain, policy by policy.
    pub guards: Vec<Guard>,
}

/// A chain root that satisfies a policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Root {
    /// Name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root hash in base64, as in the note.
    pub root: String,
    /// When a quorum had cosigned, in seconds since 1970; none with `quorum none`.
    pub cosigned: Option<u64>,
}

/// What a witness answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WitnessAnswer {
    /// Its name in the policy.
    pub name: String,
    /// How its root compares.
    pub state: WitnessState,
    /// Number of entries of the newest root that it has cosigned.
    pub size: Option<u64>,
    /// When it did, in seconds since 1970.
    pub cosigned: Option<u64>,
}

/// Who guards a log: one policy of the trust file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Guard {
    /// The logs: keys as text, each beginning with the origin.
    pub logs: Vec<String>,
    /// The witnesses.
    pub witnesses: Vec<Witness>,
    /// Who has to cosign; none with `quorum none`.
    pub quorum: Option<Rule>,
    /// First second of sealing times that the policy vouches for; open if none.
    pub from: Option<u64>,
    /// First second after them; open if none.
    pub until: Option<u64>,
}

/// A witness of a policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Witness {
    /// Its name in the policy.
    pub name: String,
    /// Its key as text.
    pub vkey: String,
    /// Its address.
    pub url: Option<String>,
}

/// Who has to cosign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// This witness.
    Witness(String),
    /// At least so many of these.
    Group {
        /// How many.
        threshold: u32,
        /// Of whom.
        members: Vec<Rule>,
    },
}

/// What is to be checked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToCheck {
    /// A receipt: the text of a `.tlog-proof` file.
    Receipt(String),
    /// The entry at an index.
    Index(u64),
    /// The entry that commits to the statement with this digest.
    Statement(Digest),
}

/// What came of a check.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Checked {
    /// The answer.
    pub result: CheckResult,
    /// Why it failed, or why there is no answer, where a reason is known.
    pub reason: Option<ReasonCode>,
    /// The entry, as far as it is known; only with [`CheckResult::Proven`] is any of it proven.
    pub entry: Option<EntryFacts>,
    /// The proof of an entry that was looked up, as the text of a `.tlog-proof` file; only with [`CheckResult::Proven`].
    pub receipt: Option<String>,
    /// How the comparison with roots seen elsewhere came out.
    pub roots: Option<(State, ReasonCode)>,
    /// The witnesses whose roots agree.
    pub agreeing: Vec<String>,
    /// Roots that do not fit together.
    pub alarm: Option<RootsAlarm>,
    /// The chain root to remember from now on.
    pub pin: Option<Pin>,
}

/// The answer of a check.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckResult {
    /// The entry is on the chain.
    Proven,
    /// What should prove it does not.
    Failed,
    /// The service says that there is no such entry.
    NotFound,
    /// The file is no receipt.
    Unreadable,
    /// The service did not answer, or not with what the proof needs.
    NoAnswer,
    /// The trust file does not know the log, or there is none.
    NoTrust,
}

impl CheckResult {
    /// The word in `data-result`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Failed => "failed",
            Self::NotFound => "not-found",
            Self::Unreadable => "unreadable",
            Self::NoAnswer => "no-answer",
            Self::NoTrust => "no-trust",
        }
    }
}

/// One entry of the chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntryFacts {
    /// Name of the log.
    pub origin: String,
    /// Its place.
    pub index: u64,
    /// Whether it belongs to the device registry, whose statements are public.
    pub is_registry: bool,
    /// When the operator says that it was sealed, in seconds since 1970.
    pub sealed_at: u64,
    /// Digest of the statement that it commits to.
    pub statement: Digest,
    /// Number of entries of the chain root that the proof leads to.
    pub size: u64,
    /// That root, in base64.
    pub root: String,
    /// Who cosigned it, and when, in seconds since 1970.
    pub witnesses: Vec<(String, u64)>,
    /// When a quorum had cosigned it.
    pub proven: Option<u64>,
}

/// What the operator says at `/api/v1/chain` (`docs/spec/http.md`). Nothing of it is verified.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OperatorsWord {
    /// Name of the log.
    pub origin: String,
    /// Keys that sign for it at present.
    #[serde(default)]
    pub log_vkeys: Vec<String>,
    /// Number of entries of the published tree.
    pub size: u64,
    /// Sealing time of the newest entry.
    #[serde(default)]
    pub published: Option<u64>,
    /// The witnesses of the policy.
    #[serde(default)]
    pub witnesses: Vec<OperatorsWitness>,
    /// The newest of them, newest first.
    #[serde(default)]
    pub recent: Vec<RecentRoot>,
    /// How the tree grew, ascending.
    #[serde(default)]
    pub growth: Vec<GrowthPoint>,
}

/// What the operator says of a witness.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OperatorsWitness {
    /// Its name in the policy.
    pub name: String,
    /// A word that `http.md` lists.
    pub state: String,
    /// When it last cosigned.
    #[serde(default)]
    pub cosigned: Option<u64>,
    /// Entries that it is behind.
    #[serde(default)]
    pub lag: Option<u64>,
}

/// A published root, by the operator's word.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecentRoot {
    /// Number of entries.
    pub size: u64,
    /// Root hash in base64.
    pub root: String,
    /// When a quorum had cosigned.
    #[serde(default)]
    pub cosigned: Option<u64>,
    /// Names of the witnesses that had.
    #[serde(default)]
    pub witnesses: Vec<String>,
}

/// The size of the tree at a time, by the operator's word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GrowthPoint {
    /// Seconds since 1970.
    pub time: u64,
    /// Number of entries.
    pub size: u64,
}
