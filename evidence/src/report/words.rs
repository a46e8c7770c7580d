//! The stable words of a report. Page, command line and JSON use exactly these.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The overall answer (核验结论).
    Verdict {
        /// 核验未完成: the work could not be done.
        NotCompleted = "not-completed",
        /// 尚未存证: a server that answered holds no record.
        NotDeposited = "not-deposited",
        /// 证据无效: the evidence that matches the file fails a check.
        EvidenceInvalid = "evidence-invalid",
        /// 核验通过: every byte matches one whole recording or deposit.
        Consistent = "consistent",
        /// 核验通过（片段）: all of the file matches a part of one recording.
        Excerpt = "excerpt",
        /// 与链上数据不一致: the file is identified with a recording, and something differs.
        Inconsistent = "inconsistent",
    }
}

words! {
    /// A check behind the verdict (核验项).
    FindingName {
        /// The bytes of the file against the signed digests.
        Content = "content",
        /// The signatures of the device or account.
        DeviceSignature = "device-signature",
        /// The enrolment of its key, and revocations.
        DeviceEnrolment = "device-enrolment",
        /// The statements form one unbroken recording.
        Continuity = "continuity",
        /// The receipts prove the statements to be in the chain.
        Inclusion = "inclusion",
        /// The checkpoints are signed by the log and the quorum.
        Checkpoint = "checkpoint",
        /// The chain shown here is the one shown elsewhere.
        Roots = "roots",
        /// How long after capture the chain sealed it.
        SealingDelay = "sealing-delay",
        /// The pre-capture self-check.
        PreCapture = "pre-capture",
    }
}

words! {
    /// How a check came out.
    State {
        /// It holds.
        Proven = "proven",
        /// It does not hold.
        Failed = "failed",
        /// It could not be made.
        NotChecked = "not-checked",
    }
}

words! {
    /// Why a check came out as it did. `docs/spec/verdict.md` explains each.
    ReasonCode {
        /// Nothing was checked because the verification did not get this far.
        NotReached = "not-reached",
        /// Content: every byte matches.
        AllMatch = "all-match",
        /// Content: every byte matches a part of the recording.
        PartMatches = "part-matches",
        /// Content: some bytes do not match.
        Differs = "differs",
        /// Device signature: all signatures verify.
        SignaturesValid = "signatures-valid",
        /// Device signature: one does not verify.
        SignatureInvalid = "signature-invalid",
        /// Device signature: a statement names another key than the enrolled one.
        SignatureOtherKey = "signature-other-key",
        /// Enrolment: enrolled, and not revoked as of a registry snapshot.
        Enrolled = "enrolled",
        /// Enrolment: enrolled; revocation could not be looked up, because the evidence carries no snapshot.
        EnrolledNoSnapshot = "enrolled-no-snapshot",
        /// Enrolment: enrolled and revoked later than everything here was sealed.
        EnrolledRevokedLater = "enrolled-revoked-later",
        /// Enrolment: the evidence carries none for this key.
        EnrolmentMissing = "enrolment-missing",
        /// Enrolment: the recording names another one than the evidence carries.
        EnrolmentOther = "enrolment-other",
        /// Enrolment: signed by nobody whom the trust file names.
        RegistrarUnknown = "registrar-unknown",
        /// Enrolment: the registrar's signature does not verify.
        RegistrarSignatureInvalid = "registrar-signature-invalid",
        /// Enrolment: the registrar was not trusted when the enrolment was sealed.
        RegistrarNotValidThen = "registrar-not-valid-then",
        /// Enrolment: its receipt does not prove it to be in the chain, in the public registry.
        EnrolmentNotSealed = "enrolment-not-sealed",
        /// Enrolment: sealed after the recording began.
        EnrolmentTooLate = "enrolment-too-late",
        /// Enrolment: the window of validity does not cover the time of sealing.
        EnrolmentNotValidThen = "enrolment-not-valid-then",
        /// Enrolment: this key is enrolled for deposits only.
        EnrolmentRole = "enrolment-role",
        /// Enrolment: the key had been revoked when the statements were sealed.
        Revoked = "revoked",
        /// Enrolment: the registry lists the key as revoked, and the evidence withholds since when.
        RevocationWithheld = "revocation-withheld",
        /// Continuity: the statements form one unbroken chain.
        Unbroken = "unbroken",
        /// Continuity: a statement is missing, doubled, out of order, or of another recording.
        SequenceBroken = "sequence-broken",
        /// Continuity: a statement does not name the digest of the one before it.
        ChainBroken = "chain-broken",
        /// Continuity: the segments leave a gap or overlap.
        SegmentsNotTiled = "segments-not-tiled",
        /// Continuity: totals or root in the last statement, or the segment digests of a deposit, do not fit.
        TotalsDiffer = "totals-differ",
        /// Continuity: the same key has signed two different statements for one place, and both are sealed.
        Conflict = "conflict",
        /// Inclusion: the receipts hold.
        Included = "included",
        /// Inclusion: a receipt that must be there is not.
        ReceiptMissing = "receipt-missing",
        /// Inclusion: a receipt cannot be read.
        ReceiptMalformed = "receipt-malformed",
        /// Inclusion: a receipt is for another place of the chain than the evidence says.
        ReceiptIndex = "receipt-index",
        /// Inclusion: a proof does not lead from the statement to the root.
        ProofInvalid = "proof-invalid",
        /// Inclusion: two receipts put two statements at one place of one chain, or seal backwards.
        OrderImpossible = "order-impossible",
        /// Inclusion and checkpoint: the trust file knows no such log.
        UnknownLog = "unknown-log",
        /// Checkpoint: signed by the log and cosigned by the quorum.
        Cosigned = "cosigned",
        /// Checkpoint: signed by the log; the policy asks for no witness.
        LogSigned = "log-signed",
        /// Checkpoint: the log's signature is missing or does not verify.
        LogSignatureInvalid = "log-signature-invalid",
        /// Checkpoint: a known witness's cosignature does not verify.
        WitnessSignatureInvalid = "witness-signature-invalid",
        /// Checkpoint: too few witnesses have cosigned.
        NoQuorum = "no-quorum",
        /// Checkpoint: the text is no checkpoint.
        CheckpointMalformed = "checkpoint-malformed",
        /// Checkpoint: the policy does not hold for the time of sealing.
        PolicyNotValidThen = "policy-not-valid-then",
        /// Checkpoint: beyond the final size of a closed log, or another root at that size.
        LogClosed = "log-closed",
        /// Checkpoint and roots: two signed roots of one chain contradict each other.
        ChainForked = "chain-forked",
        /// Roots: the published chain is smaller than one that was signed before, and was cosigned later.
        ChainShrunk = "chain-shrunk",
        /// Roots: the published chain is smaller than the one that was remembered: an old copy, or a chain that was set back.
        ChainStale = "chain-stale",
        /// Roots: the published chain could not be shown to continue the one that was remembered.
        ChainUnconnected = "chain-unconnected",
        /// Roots: one tree with the root of at least one witness.
        RootsAgree = "roots-agree",
        /// Roots: nobody was asked, or nobody answered.
        Offline = "offline",
        /// Roots and sealing delay: the policy asks for no witness, so nobody independent has seen the root.
        Unwitnessed = "unwitnessed",
        /// Roots: no witness gave a root that could be compared.
        NoWitness = "no-witness",
        /// Sealing delay: measured against the quorum's time.
        Measured = "measured",
        /// Pre-capture: the device reported a self-check.
        Reported = "reported",
        /// Pre-capture: the device reported none.
        NotReported = "not-reported",
        /// Sealing delay and pre-capture: a deposit has none.
        NotApplicable = "not-applicable",
    }
}

words! {
    /// Why a verification was not completed.
    ErrorCode {
        /// The file has no bytes.
        EmptyFile = "empty-file",
        /// A directory was given instead of a file.
        Directory = "directory",
        /// The file could not be read.
        Unreadable = "unreadable",
        /// The file changed while it was being read.
        ChangedWhileReading = "changed-while-reading",
        /// Somebody cancelled the verification.
        Cancelled = "cancelled",
        /// The server did not answer.
        NoAnswer = "no-answer",
        /// The server answered something that is no answer.
        ServerNonsense = "server-nonsense",
        /// There is neither evidence nor a server to ask.
        NoServer = "no-server",
        /// The evidence file is damaged, or is none.
        EvidenceUnreadable = "evidence-unreadable",
        /// The evidence file has a version that this program does not know.
        UnknownVersion = "unknown-version",
        /// The evidence identifies no part of this file.
        OtherFile = "other-file",
        /// The evidence is sound but ends before the file does: a recording that is still being sealed.
        EvidenceIncomplete = "evidence-incomplete",
        /// The evidence is from a chain that the trust file does not know.
        OtherChain = "other-chain",
        /// The trust file could not be had.
        TrustUnavailable = "trust-unavailable",
        /// The trust file is damaged, or is none.
        TrustUnreadable = "trust-unreadable",
        /// The part of the page that does the work crashed.
        WorkerCrashed = "worker-crashed",
        /// The browser lacks what is needed.
        BrowserUnsupported = "browser-unsupported",
        /// More files than can be verified at once.
        TooManyFiles = "too-many-files",
    }
}

words! {
    /// What is wrong with a place of the file.
    MismatchKind {
        /// Other bytes stand where the segment belongs.
        Altered = "altered",
        /// The file ends before the segment does.
        Missing = "missing",
        /// The bytes of the segment stand elsewhere in the file.
        Moved = "moved",
        /// Bytes that belong to no segment.
        Foreign = "foreign",
    }
}

words! {
    /// What the evidence is about.
    SubjectKind {
        /// A live capture.
        Recording = "recording",
        /// A finished file.
        Deposit = "deposit",
    }
}

words! {
    /// What comparing roots has brought to light (`docs/spec/roots.md`).
    AlarmKind {
        /// Two signed roots cannot both be true.
        Forked = "forked",
        /// The published tree is smaller than one that was signed before, and was cosigned later.
        Shrunk = "shrunk",
        /// The published tree is smaller than the remembered one, and was not cosigned later.
        Stale = "stale",
        /// The published tree could not be connected with the remembered one.
        Unconnected = "unconnected",
    }
}

words! {
    /// Where a root comes from.
    RootSource {
        /// The checkpoint that the verdict rests on.
        Anchor = "anchor",
        /// Remembered from an earlier comparison.
        Pin = "pin",
        /// Published by the service.
        Published = "published",
        /// Shown by a witness.
        Witness = "witness",
    }
}

words! {
    /// What the root that a witness shows says about the chain.
    WitnessState {
        /// It is of the same tree.
        Agrees = "agrees",
        /// There was no answer, or the witness has none.
        NoAnswer = "no-answer",
        /// The answer is no checkpoint of this chain with this witness's cosignature.
        Unusable = "unusable",
        /// The root could not be compared.
        Unconnected = "unconnected",
        /// It contradicts another signed root.
        Contradicts = "contradicts",
    }
}
