//! What a witness can be asked, C2SP `tlog-witness`.

use tlog::TreeSize;

use crate::store::commit::BoxFuture;

/// The longest answer that is read: a checkpoint with a hundred signatures of the types in use here has 20 KiB.
pub const MAX_ANSWER: usize = 64 << 10;

/// What a witness answers to `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: signature lines, unverified.
    Cosigned(Vec<u8>),
    /// 409: the size that it says to have cosigned last.
    Conflict(TreeSize),
}

/// Why there is no answer. The three are told apart because they mean different things to whoever runs the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No connection, or no whole answer in time.
    #[error("It did not answer: {0}.")]
    Silent(String),
    /// It answered with another status than those that the protocol gives a use.
    #[error("It refused with HTTP {status}: {detail}.")]
    Refused {
        /// The status.
        status: u16,
        /// What it said, as far as that is printable.
        detail: String,
    },
    /// It answered what no witness answers.
    #[error("Its answer is not usable: {0}.")]
    Unusable(String),
}

/// One witness. Every answer is bounded in length ([`MAX_ANSWER`]) and in time, and nothing in it is verified yet.
pub trait WitnessClient: Send + Sync + 'static {
    /// `POST add-checkpoint` with this body.
    fn add_checkpoint<'a>(&'a self, body: String) -> BoxFuture<'a, Result<Answer, AskError>>;

    /// `GET {origin hash}/checkpoint`; `None` for 404, never cosigned.
    fn newest<'a>(&'a self) -> BoxFuture<'a, Result<Option<Vec<u8>>, AskError>>;
}
