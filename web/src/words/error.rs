//! What went wrong, and what to do next.

use protocol::report::ErrorCode;

use super::Words;
use crate::i18n::t_string;

/// What went wrong, and what to do next.
#[derive(Clone, Copy)]
pub(crate) struct ErrorWords {
    /// One plain sentence.
    pub(crate) what: &'static str,
    /// The next step.
    pub(crate) next: &'static str,
}

/// A match that gives each code the two texts of its key.
macro_rules! words {
    ($i18n:ident, $code:ident, { $($variant:ident => $key:ident,)+ }) => {
        match $code {
            $(ErrorCode::$variant => ErrorWords {
                what: t_string!($i18n, error.$key.what),
                next: t_string!($i18n, error.$key.next),
            },)+
        }
    };
}

/// The words for an error code.
pub(crate) fn of(i18n: Words, code: ErrorCode) -> ErrorWords {
    words!(i18n, code, {
        EmptyFile => empty_file,
        Directory => directory,
        Unreadable => unreadable,
        ChangedWhileReading => changed_while_reading,
        Cancelled => cancelled,
        NoAnswer => no_answer,
        ServerNonsense => server_nonsense,
        NoServer => no_server,
        EvidenceUnreadable => evidence_unreadable,
        EvidenceIncomplete => evidence_incomplete,
        UnknownVersion => unknown_version,
        OtherFile => other_file,
        OtherChain => other_chain,
        TrustUnavailable => trust_unavailable,
        TrustUnreadable => trust_unreadable,
        WorkerCrashed => worker_crashed,
        BrowserUnsupported => browser_unsupported,
        TooManyFiles => too_many_files,
    })
}
