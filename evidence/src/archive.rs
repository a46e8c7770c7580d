//! The archive of checkpoints (`docs/spec/log.md`, "Chain root"; `http.md`, "The chain"): the first published root that covers
//! an entry, from which its sealing time is proven when there is no receipt.

use tlog::{Checkpoint, LeafIndex, SignedNote, VerifiedCheckpoint};

use crate::time::UnixSeconds;
use crate::trust::{TrustFile, TrustedLogs};

/// Bytes of the longest answer: 256 notes, each behind its 16-bit length.
pub const MAX_ARCHIVE_LEN: usize = 256 * (2 + 0xffff);

/// A published root that covers an entry, and when a quorum had cosigned it; no time with `quorum none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveringRoot {
    /// The root.
    pub checkpoint: VerifiedCheckpoint,
    /// When a quorum had cosigned it.
    pub cosigned: Option<UnixSeconds>,
}

/// The path, on the service, of the archived checkpoints that cover the entry at `index`.
pub fn archive_path(index: LeafIndex) -> String {
    format!("/log/checkpoints/after/{index}")
}

/// The first checkpoint of `answer`, if it covers the entry at `index` and satisfies a policy of `trust` that is valid at its
/// time. The others, which prove later times, are not looked at. That there is no earlier one nobody proves: a service that
/// leaves it out makes an entry look younger, never older.
pub fn covering_root(answer: &[u8], index: LeafIndex, trust: &TrustFile) -> Option<CoveringRoot> {
    let (length, rest) = answer.split_first_chunk::<2>()?;
    let note = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    let note = SignedNote::parse(note).ok()?;
    if Checkpoint::unverified(&note).ok()?.head().size.get() <= index.get() {
        return None;
    }
    let satisfied = trust.logs().iter().filter_map(|logs| accept(&note, logs));
    satisfied.min_by_key(|root| (root.cosigned.is_none(), root.cosigned))
}

fn accept(note: &SignedNote, logs: &TrustedLogs) -> Option<CoveringRoot> {
    let checkpoint = logs.policy.verify_checkpoint(note).ok()?;
    let cosigned = logs.policy.quorum_time(&checkpoint).map(UnixSeconds::new);
    // With `quorum none` there is no proven time to hold against the window.
    let is_valid_then = cosigned.is_none_or(|at| logs.window.contains(at));
    (is_valid_then && logs.admits(checkpoint.head())).then_some(CoveringRoot { checkpoint, cosigned })
}

#[cfg(test)]
mod tests {
    use tlog::{
        Checkpoint, KeyAlgorithm, KeyName, Policy, SigningKey, TreeHead, TreeSize, VerifierKey, root_of,
    };

    use super::*;
    use crate::trust::{Operator, Window};

    const ORIGIN: &str = "log.example/archive";

    fn key(name: &str, seed: u8, algorithm: KeyAlgorithm) -> SigningKey {
        SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
    }

    fn log() -> SigningKey {
        key(ORIGIN, 1, KeyAlgorithm::Ed25519)
    }

    fn trust(window: Window) -> TrustFile {
        let policy = format!("log {}\nquorum none\n", log().verifier_key());
        let logs = TrustedLogs { policy: Policy::parse(policy.as_bytes()).unwrap(), window, closed: None };
        let operator = Operator { name: "某某公证处".to_owned(), url: None };
        let registrar: VerifierKey =
            key("registrar.example", 2, KeyAlgorithm::Ed25519).verifier_key().clone();
        TrustFile::compose(operator, &[logs], &[(registrar, Window::default())]).unwrap()
    }

    fn note(size: u64, signer: &SigningKey) -> Vec<u8> {
        let leaves: Vec<tlog::Hash> = (0..size).map(|leaf| tlog::leaf_hash(&leaf.to_be_bytes())).collect();
        let head = TreeHead { size: TreeSize::new(size), root: root_of(leaves) };
        Checkpoint::new(ORIGIN, head).unwrap().sign(signer).unwrap().as_bytes().to_vec()
    }

    fn framed(notes: &[Vec<u8>]) -> Vec<u8> {
        let mut answer = Vec::new();
        for note in notes {
            answer.extend(u16::try_from(note.len()).unwrap().to_be_bytes());
            answer.extend(note);
        }
        answer
    }

    fn size_of(answer: &[u8], index: u64, trust: &TrustFile) -> Option<u64> {
        let found = covering_root(answer, LeafIndex::new(index), trust);
        found.map(|found| found.checkpoint.head().size.get())
    }

    #[test]
    fn the_first_checkpoint_counts_and_must_cover_the_entry() {
        let answer = framed(&[note(3, &log()), note(8, &log())]);
        let trust = trust(Window::default());
        assert_eq!(size_of(&answer, 2, &trust), Some(3));
        assert_eq!(size_of(&answer, 0, &trust), Some(3));
        assert_eq!(size_of(&answer, 3, &trust), None, "it was asked for one above 3");
    }

    #[test]
    fn what_is_no_archive_or_signed_by_nobody_known_is_none() {
        let trust = trust(Window::default());
        let good = framed(&[note(3, &log())]);
        for cut in 0..good.len() {
            assert_eq!(size_of(&good[..cut], 0, &trust), None, "cut at {cut}");
        }
        let stranger = key(ORIGIN, 9, KeyAlgorithm::Ed25519);
        assert_eq!(size_of(&framed(&[note(3, &stranger)]), 0, &trust), None);
        assert_eq!(size_of(&[0xff; 100], 0, &trust), None);
    }
}
