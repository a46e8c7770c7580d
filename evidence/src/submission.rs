//! Submission: what devices send and what the service answers (`docs/spec/evidence-file.md`). Both are CBOR; the
//! request is a sequence (RFC 8742), so that a device can send what it has spooled without wrapping it.

use tlog::LeafIndex;

use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::commitment::Disclosure;
use crate::evidence_file::{Receipt, block_count, read_digests, read_receipt, write_digests};
use crate::ids::Digest;
use crate::limits::MAX_REGISTRY_LEN;
use crate::statement::{Payload, Statement, StatementError};
use crate::time::{MAX_SAFE_INTEGER, UnixSeconds};

/// Submissions in one request: a quarter of an hour of 2 s segments.
pub const MAX_SUBMISSIONS: usize = 512;

/// A request: 512 ordinary statements, or the segment digests of a deposit of 100 GiB.
pub const MAX_SUBMISSION_LEN: usize = 4 << 20;

/// An answer: 512 receipts of at most 8 KiB and the heads around them.
pub const MAX_OUTCOMES_LEN: usize = 5 << 20;

const MAX_DISCLOSURES: u64 = 4;
const MAX_CODE_LEN: usize = 64;
const MAX_DETAIL_LEN: usize = 1024;

/// One statement to be sealed, with what belongs to it and does not go on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The statement.
    pub statement: Statement,
    /// The facts that it commits to, at most 4.
    pub disclosures: Vec<Disclosure>,
    /// Of a deposit, and only of one: the digests of its 1 MiB segments.
    pub blocks: Vec<Digest>,
}

/// Why a request cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionsError {
    /// Longer than 4 MiB.
    #[error("The request has {length} bytes, more than {max}.", max = MAX_SUBMISSION_LEN)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Nothing in it.
    #[error("The request holds no submission.")]
    Empty,
    /// More than 512 submissions.
    #[error("The request holds more than {max} submissions.", max = MAX_SUBMISSIONS)]
    TooMany,
    /// Not a sequence of submissions.
    #[error("Submission {index} of the request is malformed. {source}")]
    Malformed {
        /// Its place in the request, from 0.
        index: usize,
        /// What is wrong with it.
        source: CborError,
    },
}

/// Why one submission of a readable request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// The statement does not parse.
    #[error("{0}")]
    Statement(#[from] StatementError),
    /// The segment digests do not belong to the statement.
    #[error("The submission holds {found} segment digests where the statement needs {expected}.")]
    Blocks {
        /// How many it holds.
        found: u64,
        /// One for each MiB of a deposit; 0 for any other statement.
        expected: u64,
    },
    /// The segment digests do not lead to the root that the deposit states.
    #[error("The segment digests do not lead to the root that the deposit states.")]
    BlocksRoot,
}

impl Submission {
    /// A statement that needs nothing beside it.
    pub fn of(statement: Statement) -> Self {
        Self { statement, disclosures: Vec::new(), blocks: Vec::new() }
    }

    /// The body of a request. The caller keeps to [`MAX_SUBMISSIONS`] and [`MAX_SUBMISSION_LEN`].
    pub fn encode_all(submissions: &[Self]) -> Vec<u8> {
        submissions.iter().flat_map(Self::encode).collect()
    }

    /// The bytes of one submission; a request is the concatenation of several.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(3).bytes(self.statement.bytes());
        w.list(&self.disclosures, |w, disclosure| {
            disclosure.write(w);
            w
        });
        if self.blocks.is_empty() {
            w.null();
        } else {
            write_digests(&mut w, &self.blocks);
        }
        w.into_bytes()
    }

    /// Parses the body of a request. A submission whose statement is unacceptable does not spoil the others.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Result<Self, SubmissionError>>, SubmissionsError> {
        if bytes.len() > MAX_SUBMISSION_LEN {
            return Err(SubmissionsError::TooLong { length: bytes.len() });
        }
        let mut r = Reader::new(bytes);
        let mut submissions = Vec::new();
        while !r.is_at_end() {
            if submissions.len() == MAX_SUBMISSIONS {
                return Err(SubmissionsError::TooMany);
            }
            let index = submissions.len();
            let parts = read_parts(&mut r).map_err(|source| SubmissionsError::Malformed { index, source })?;
            submissions.push(parts.check());
        }
        if submissions.is_empty() {
            return Err(SubmissionsError::Empty);
        }
        Ok(submissions)
    }
}

struct Parts<'b> {
    statement: &'b [u8],
    disclosures: Vec<Disclosure>,
    blocks: Vec<Digest>,
}

fn read_parts<'b>(r: &mut Reader<'b>) -> Result<Parts<'b>, CborError> {
    r.array("submission", 3, 3)?;
    let statement = r.bytes("statement", MAX_REGISTRY_LEN)?;
    let disclosures = r.list("disclosures", 0, MAX_DISCLOSURES, Disclosure::read)?;
    let blocks = r.null_or("segment digests", |r| read_digests(r, "segment digests", MAX_SUBMISSION_LEN))?;
    Ok(Parts { statement, disclosures, blocks: blocks.unwrap_or_default() })
}

impl Parts<'_> {
    fn check(self) -> Result<Submission, SubmissionError> {
        let statement = Statement::parse(self.statement)?;
        let found = self.blocks.len() as u64;
        let expected = match statement.payload() {
            Payload::Deposit(deposit) => block_count(deposit),
            _ => 0,
        };
        if found != expected {
            return Err(SubmissionError::Blocks { found, expected });
        }
        if let Payload::Deposit(deposit) = statement.payload() {
            let ranges = crate::statement::Deposit::blocks(deposit.length);
            if crate::segments_root(ranges.zip(&self.blocks)) != deposit.root {
                return Err(SubmissionError::BlocksRoot);
            }
        }
        Ok(Submission { statement, disclosures: self.disclosures, blocks: self.blocks })
    }
}

/// What became of one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Sealed, and the checkpoint is published.
    Sealed {
        /// Index of the entry.
        index: LeafIndex,
        /// When the operator says that it sealed it.
        sealed_at: UnixSeconds,
        /// Proof of inclusion.
        receipt: Receipt,
    },
    /// Durable, and pending: ask again with the same bytes.
    Pending,
    /// Refused.
    Refused {
        /// Stable, kebab-case.
        code: String,
        /// A sentence.
        detail: String,
    },
}

/// Why bytes are no answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutcomesError {
    /// Longer than 5 MiB.
    #[error("The answer has {length} bytes, more than {max}.", max = MAX_OUTCOMES_LEN)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// No list of outcomes.
    #[error("The answer is malformed. {0}")]
    Malformed(#[from] CborError),
}

impl Outcome {
    /// The body of an answer, one outcome for each submission, in order.
    pub fn encode_all(outcomes: &[Self]) -> Vec<u8> {
        let mut w = Writer::new();
        w.list(outcomes, |w, outcome| {
            outcome.write(w);
            w
        });
        w.into_bytes()
    }

    /// Parses the body of an answer.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, OutcomesError> {
        if bytes.len() > MAX_OUTCOMES_LEN {
            return Err(OutcomesError::TooLong { length: bytes.len() });
        }
        let mut r = Reader::new(bytes);
        let outcomes = r.list("outcomes", 1, MAX_SUBMISSIONS as u64, Self::read)?;
        r.finish("end of the answer")?;
        Ok(outcomes)
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Sealed { index, sealed_at, receipt } => {
                w.array(4).uint(0).uint(index.get()).uint(sealed_at.get()).bytes(receipt.as_bytes());
            }
            Self::Pending => {
                w.array(1).uint(1);
            }
            Self::Refused { code, detail } => {
                w.array(3).uint(2).text(shorten(code, MAX_CODE_LEN)).text(shorten(detail, MAX_DETAIL_LEN));
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let members = r.array("outcome", 1, 4)?;
        match (r.uint("outcome", 2)?, members) {
            (0, 4) => Ok(Self::Sealed {
                index: LeafIndex::new(r.uint("index", MAX_SAFE_INTEGER)?),
                sealed_at: UnixSeconds::new(r.uint("sealed-at", MAX_SAFE_INTEGER / 1000)?),
                receipt: read_receipt(r)?,
            }),
            (1, 1) => Ok(Self::Pending),
            (2, 3) => Ok(Self::Refused {
                code: r.text("code", 1, MAX_CODE_LEN)?.to_owned(),
                detail: r.text("detail", 0, MAX_DETAIL_LEN)?.to_owned(),
            }),
            _ => Err(r.error("outcome", CborProblem::OutOfRange)),
        }
    }
}

/// A sentence that is too long for the answer is cut, so that the answer stays readable.
fn shorten(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}
