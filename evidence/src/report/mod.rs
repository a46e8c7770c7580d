//! The report: what [`verify`](crate::verify()) answers. Its JSON form is `docs/spec/report.schema.json`; page and
//! command line give the same one for the same file, so it holds neither a file name nor the time of verification.

mod roots;
mod words;

pub use roots::{RootsAlarm, RootsFacts, SignedRoot, WitnessStanding};
pub use words::{
    AlarmKind, ErrorCode, FindingName, MismatchKind, ReasonCode, RootSource, State, SubjectKind, Verdict,
    WitnessState,
};

use serde::{Deserialize, Serialize};

use crate::commitment::Position;
use crate::ids::{Digest, KeyDigest, RecordingId};
use crate::statement::{EndReason, Event, Percent, SelfCheck};
use crate::time::{UnixMillis, UnixSeconds};

/// The `schema` member of every report.
pub const REPORT_SCHEMA: &str = "jianzhen-report/1";

/// Mismatches listed in a report; `mismatch_count` says how many there are.
pub const MAX_MISMATCHES: usize = 10_000;

/// The answer about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always [`REPORT_SCHEMA`].
    pub schema: String,
    /// The overall answer.
    pub verdict: Verdict,
    /// Why the verification was not completed; only with that verdict.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<ErrorCode>,
    /// The file.
    pub file: FileFacts,
    /// What the evidence is about, if it identifies the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Subject>,
    /// One for each [`FindingName`], in that order.
    pub findings: Vec<Finding>,
    /// Where file and evidence differ, ascending by place in the file; at most [`MAX_MISMATCHES`].
    pub mismatches: Vec<Mismatch>,
    /// How many mismatches there are.
    pub mismatch_count: u64,
    /// Which part of the recording the file is; only with the verdict `excerpt`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub excerpt: Option<ExcerptFacts>,
    /// What the device said about each segment.
    pub telemetry: Vec<Telemetry>,
    /// The chain that holds the evidence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chain: Option<ChainFacts>,
    /// What comparing roots has shown; none if nobody was asked and nothing contradicts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub roots: Option<RootsFacts>,
    /// Whom this verification believed.
    pub trust: TrustFacts,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256, where no evidence speaks of the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Digest>,
}

/// The recording or deposit that the file is identified with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Recording or deposit.
    pub kind: SubjectKind,
    /// Its id.
    pub id: RecordingId,
    /// The signer, as enrolled; only where the enrolment was proven.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer: Option<Signer>,
    /// The key that signed.
    pub key: KeyDigest,
    /// When capture began, by the device's clock. Of a deposit: the capture time stated, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capture_begin: Option<UnixMillis>,
    /// When capture ended, by the device's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capture_end: Option<UnixMillis>,
    /// When a deposit was made, by the device's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deposited_at: Option<UnixMillis>,
    /// Number of segments in the evidence.
    pub segments: u64,
    /// Bytes that they cover.
    pub total_length: u64,
    /// Why the recording ended; none if the evidence holds no `end`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_reason: Option<EndReason>,
    /// When the operator says that it sealed the first statement; only where a receipt proves that it is in the chain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealed_first: Option<UnixSeconds>,
    /// When the operator says that it sealed the last statement; only where a receipt proves that it is in the chain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealed_last: Option<UnixSeconds>,
    /// The longest time from end of capture to proven sealing among statements with receipts, in milliseconds.
    /// Negative if the device's clock was ahead. Only with a quorum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealing_delay_ms: Option<i64>,
    /// The device's recording counter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counter: Option<u64>,
    /// The pre-capture self-check.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub self_check: Option<SelfCheck>,
    /// Media type that a depositor stated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// The depositor, if disclosed and matching its commitment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub depositor: Option<String>,
    /// The position at the start or of the deposit, if disclosed and matching its commitment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<Position>,
    /// When the key's revocation takes effect, if it was revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_from: Option<UnixMillis>,
    /// The instant of the registry snapshot that says whether the key was revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revocations_as_of: Option<UnixMillis>,
}

/// The signer, as the registrar enrolled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Opaque device or account id.
    pub id: String,
    /// Model.
    pub model: String,
    /// Agency.
    pub agency: String,
    /// Name of the registrar's key.
    pub registrar: String,
}

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Which.
    pub finding: FindingName,
    /// How it came out.
    pub state: State,
    /// Why.
    pub reason: ReasonCode,
}

/// A place where file and evidence differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mismatch {
    /// Which segment, from 0 (its sequence less 1); none for foreign bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<u64>,
    /// What is wrong.
    pub kind: MismatchKind,
    /// Where: of a segment, its signed place; of foreign bytes, their place in the file.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Where the bytes of a moved segment stand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found_at: Option<u64>,
    /// Begin on the recording's own timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_ms: Option<u64>,
    /// End on the recording's own timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_ms: Option<u64>,
}

/// Which part of a recording a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcerptFacts {
    /// First segment in the file, from 0.
    pub first_segment: u64,
    /// Last segment in the file, from 0.
    pub last_segment: u64,
    /// How many segments the recording has; none if the evidence holds no `end`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<u64>,
    /// Whether the evidence holds the `end` of the recording.
    pub complete: bool,
    /// Begin on the recording's own timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_ms: Option<u64>,
    /// End on the recording's own timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_ms: Option<u64>,
}

/// What the device said about one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Which segment, from 0.
    pub segment: u64,
    /// When capture of it began, by the device's clock.
    pub capture_begin: UnixMillis,
    /// When it ended.
    pub capture_end: UnixMillis,
    /// Begin on the recording's own timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_ms: Option<u64>,
    /// End on the recording's own timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_ms: Option<u64>,
    /// Charge of the battery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub battery: Option<Percent>,
    /// What happened.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub events: Vec<Event>,
    /// The position, if disclosed and matching its commitment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<Position>,
}

/// The chain, by the receipt of the last statement that the verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainFacts {
    /// Name of the log.
    pub origin: String,
    /// Number of entries of the checkpoint.
    pub size: u64,
    /// Root of the checkpoint.
    pub root: Digest,
    /// Index of the entry.
    pub index: u64,
    /// Witnesses that cosigned the checkpoint.
    pub witnesses: Vec<WitnessFacts>,
    /// When a quorum had cosigned; none with `quorum none`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proven_sealing_time: Option<UnixSeconds>,
}

/// A cosignature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessFacts {
    /// Name of the witness in the policy.
    pub name: String,
    /// When it cosigned.
    pub time: UnixSeconds,
}

/// Whom this verification believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFacts {
    /// SHA-256 of the trust file; none if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// The operator that it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operator: Option<String>,
}

impl Report {
    /// A report that says why a verification was not completed. Nothing was checked, so nothing passed or failed.
    pub fn not_completed(file: FileFacts, reason: ErrorCode, trust: TrustFacts) -> Self {
        Self {
            schema: REPORT_SCHEMA.to_owned(),
            verdict: Verdict::NotCompleted,
            reason: Some(reason),
            file,
            subject: None,
            findings: Finding::none_reached(),
            mismatches: Vec::new(),
            mismatch_count: 0,
            excerpt: None,
            telemetry: Vec::new(),
            chain: None,
            roots: None,
            trust,
        }
    }

    /// How the check `name` came out.
    pub fn finding(&self, name: FindingName) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.finding == name)
    }
}

impl Finding {
    pub(crate) fn none_reached() -> Vec<Self> {
        let not_reached = |name: &FindingName| Self {
            finding: *name,
            state: State::NotChecked,
            reason: ReasonCode::NotReached,
        };
        FindingName::ALL.iter().map(not_reached).collect()
    }
}
