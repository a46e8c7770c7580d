//! Statements, evidence files, and the one [`verify`](verify()).
//!
//! The crate does no I/O, has no clock and draws no randomness: what is needed of them is passed in. The time of verification is not
//! needed (`docs/decisions/0012-no-time-of-verification.md`). Formats are defined in
//! `docs/spec/statement.md`, `evidence-file.md`, `trust.md`; the verdict in `verdict.md`.

mod archive;
mod cbor;
mod commitment;
mod entry;
mod evidence_file;
mod examination;
mod ids;
mod key;
mod limits;
mod lookup;
mod range;
mod receipt;
pub mod report;
mod roots;
mod segments_root;
pub mod statement;
mod submission;
mod time;
mod trust;
mod verify;

pub use archive::{CoveringRoot, MAX_ARCHIVE_LEN, archive_path, covering_root};
pub use cbor::{CborError, CborProblem};
pub use commitment::{DisclosedField, DisclosedValue, Disclosure, DisclosureError, Position};
pub use entry::{Entry, EntryError, EntryKind};
pub use evidence_file::{
    BuildError, EVIDENCE_MAGIC, EvidenceFile, EvidenceFileBuilder, EvidenceFileError, Place,
    RECEIPT_INTERVAL_MS, Receipt, Sealed, encode_registry_section, parse_registry_section,
};
pub use examination::{Examination, LookupAnswer, Step};
pub use ids::{Digest, KeyDigest, ParseIdError, RecordingId, Sequence};
pub use key::{DeviceKey, PublicKey, PublicKeyError};
pub use limits::{
    BLOCK_LEN, HEAD_LEN, MAX_CONFLICTS, MAX_EVIDENCE_LEN, MAX_RECEIPT_LEN, MAX_REGISTRY_ITEMS,
    MAX_REGISTRY_LEN, MAX_REVOKED_KEYS, MAX_SEGMENTS, MAX_STATEMENT_LEN,
};
pub use lookup::{
    DISCLOSURE_MIN_TOKENS, LookupError, LookupRequest, LookupResponse, MAX_LOOKUP_FILES,
    MAX_LOOKUP_REQUEST_LEN, MAX_LOOKUP_RESPONSE_LEN, MAX_LOOKUP_TOKENS, Token,
};
pub use range::{ByteRange, RangeError};
pub use receipt::{ProvenEntry, ReceiptError, ReceiptVerifier, examine_receipt};
pub use report::{ErrorCode, Report, Verdict};
pub use roots::{
    Comparison, EntryProof, EntryProofError, FoundEntry, MAX_TILES, MAX_WITNESSES, Pin, PublishedRoot,
    RootsAddress, RootsInput, RootsOutcome, RootsRequest, RootsStep, WitnessRoot, pin_slot, was_set_back,
};
pub use segments_root::segments_root;
pub use statement::{Payload, SignatureError, Statement, StatementError, StatementKind, VerifiedStatement};
pub use submission::{
    MAX_OUTCOMES_LEN, MAX_SUBMISSION_LEN, MAX_SUBMISSIONS, Outcome, OutcomesError, Submission,
    SubmissionError, SubmissionsError,
};
pub use time::{MAX_SAFE_INTEGER, TimeOutOfRange, UnixMillis, UnixSeconds};
pub use trust::{MAX_TRUST_LEN, Operator, Registrar, TrustError, TrustFile, TrustedLogs, Window};
pub use verify::{Input, LookupOutcome, Observation, verify};
