//! The numbers that bound every decoder. `docs/spec/statement.md` and `docs/spec/evidence-file.md` give the reasons.

/// A statement of any kind but `registry`: 16 tracks with 3 KiB of parameter sets each.
pub const MAX_STATEMENT_LEN: usize = 64 << 10;

/// A `registry` statement: 30,000 revoked keys.
pub const MAX_REGISTRY_LEN: usize = 1 << 20;

/// Keys that one `registry` statement lists.
pub const MAX_REVOKED_KEYS: u64 = 30_000;

/// Segments of a recording: four days of 2 s.
pub const MAX_SEGMENTS: u64 = 200_000;

/// An evidence file: the longest recording, or a deposit of 2 TiB.
pub const MAX_EVIDENCE_LEN: usize = 64 << 20;

/// A receipt: 63 hashes of 45 characters and 32 cosignatures.
pub const MAX_RECEIPT_LEN: usize = 8 << 10;

/// Registry statements in an evidence file: one enrolment and the few revocations of one key.
pub const MAX_REGISTRY_ITEMS: usize = 64;

/// Conflicts in an evidence file; one is enough to fail `continuity`.
pub const MAX_CONFLICTS: usize = 64;

/// The size of the segments of a deposit.
pub const BLOCK_LEN: u64 = 1 << 20;

/// How much of a file `head` covers.
pub const HEAD_LEN: u64 = 64 << 10;
