//! Exit codes (`docs/spec/verdict.md`).

use evidence::Verdict;

/// BSD `EX_USAGE`.
pub const USAGE: u8 = 64;

/// Nothing was verified.
pub const NOT_COMPLETED: u8 = 4;

/// The exit code of one verdict.
#[must_use]
pub fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Consistent | Verdict::Excerpt => 0,
        Verdict::Inconsistent => 1,
        Verdict::EvidenceInvalid => 2,
        Verdict::NotDeposited => 3,
        Verdict::NotCompleted => NOT_COMPLETED,
    }
}

/// The exit code of several: one bad file among many must not pass, and "could not be checked" is worse than "no record".
#[must_use]
pub fn most_serious(verdicts: impl IntoIterator<Item = Verdict>) -> u8 {
    let codes: Vec<u8> = verdicts.into_iter().map(code).collect();
    [1, 2, NOT_COMPLETED, 3].into_iter().find(|serious| codes.contains(serious)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_file_among_many_does_not_pass() {
        use Verdict::{Consistent, EvidenceInvalid, Excerpt, Inconsistent, NotCompleted, NotDeposited};
        assert_eq!(most_serious([Consistent, NotDeposited, Inconsistent, Excerpt]), 1);
        assert_eq!(most_serious([Consistent, EvidenceInvalid, NotCompleted]), 2);
        assert_eq!(most_serious([NotDeposited, NotCompleted, Consistent]), 4);
        assert_eq!(most_serious([Consistent, NotDeposited]), 3);
        assert_eq!(most_serious([Consistent, Excerpt]), 0);
    }
}
