//! Why a statement is not sealed: stable codes, specified in `docs/spec/http.md`.

use evidence::{Outcome, SubmissionError};

/// The reason why one statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a statement, or the block digests of a deposit are not those that it signs; the sentence names the place.
    #[error("{0}")]
    Malformed(#[from] SubmissionError),
    /// No enrolment of the key has been sealed here.
    #[error("The key that signed the statement has not been enrolled here.")]
    KeyUnknown,
    /// Outside the enrolment's period of validity.
    #[error("The enrolment of the key is not valid at present.")]
    KeyNotValid,
    /// A revocation has taken effect.
    #[error("The key that signed the statement has been revoked.")]
    KeyRevoked,
    /// An account signs something other than a deposit.
    #[error("The key belongs to an account, which may sign deposits only.")]
    RoleForbidden,
    /// Not signed by a registrar of the trust file.
    #[error("The statement is not signed by a registrar whom this service trusts at present.")]
    RegistrarUnknown,
    /// The signature does not verify.
    #[error("The signature of the statement does not verify.")]
    SignatureInvalid,
    /// A disclosure that the statement does not commit to.
    #[error("The statement does not commit to the disclosed {0}.")]
    DisclosureMismatch(&'static str),
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(SubmissionError::Statement(_)) => "statement-malformed",
            Self::Malformed(_) => "blocks-mismatch",
            Self::KeyUnknown => "key-unknown",
            Self::KeyNotValid => "key-not-valid",
            Self::KeyRevoked => "key-revoked",
            Self::RoleForbidden => "role-forbidden",
            Self::RegistrarUnknown => "registrar-unknown",
            Self::SignatureInvalid => "signature-invalid",
            Self::DisclosureMismatch(_) => "disclosure-mismatch",
        }
    }

    /// The refusal as the submitter sees it.
    pub fn outcome(&self) -> Outcome {
        Outcome::Refused { code: self.code().to_owned(), detail: self.to_string() }
    }
}
