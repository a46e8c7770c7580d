//! One tree on its way to publication: the log's signatures, and who has cosigned.

use evidence::UnixSeconds;
use tlog::{NoteSignature, SignedNote, TreeHead, VerifierKey};
use tokio::time::Instant;

use super::Contradiction;

/// A tree that is offered to the witnesses.
#[derive(Debug)]
pub struct Offering {
    /// The newest offer of it.
    pub number: u64,
    /// The tree.
    pub head: TreeHead,
    /// Sealing time of its newest entry.
    pub sealed_at: UnixSeconds,
    /// Whether it is archived and published.
    pub published: bool,
    /// Whether a quorum has cosigned it at a time that cannot be; it must be offered again.
    pub stale: bool,
    /// When it was offered first.
    pub begun: Instant,
    /// When it was offered last.
    pub offered: Instant,
    signed: SignedNote,
    /// The newest cosignature of each witness, in the order in which they came first.
    cosignatures: Vec<(VerifierKey, NoteSignature)>,
}

impl Offering {
    /// A tree that nobody has cosigned; `signed` has the log's signatures.
    pub fn new(number: u64, head: TreeHead, sealed_at: UnixSeconds, signed: SignedNote) -> Self {
        let now = Instant::now();
        Self {
            number,
            head,
            sealed_at,
            published: false,
            stale: false,
            begun: now,
            offered: now,
            signed,
            cosignatures: Vec::new(),
        }
    }

    /// The same tree is offered once more, with the signatures of the keys that sign now.
    pub fn renew(&mut self, number: u64, signed: SignedNote) {
        self.number = number;
        self.signed = signed;
        self.stale = false;
        self.offered = Instant::now();
    }

    /// A verified cosignature of this tree; a later one replaces the former of the same witness.
    pub fn add(&mut self, key: &VerifierKey, signature: NoteSignature) {
        match self.cosignatures.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = signature,
            None => self.cosignatures.push((key.clone(), signature)),
        }
    }

    /// The note with all signatures there are.
    pub fn note(&self) -> Result<SignedNote, Contradiction> {
        let mut signatures = self.signed.signatures().to_vec();
        signatures.extend(self.cosignatures.iter().map(|(_, signature)| signature.clone()));
        Ok(SignedNote::from_parts(self.signed.text(), &signatures)?)
    }
}
