//! Intake (step 1 of the write path): what may be sealed.
//!
//! Form, signature, and that the key is enrolled *now*; nothing else. Gaps, odd clocks and conflicts are facts for the
//! verifier, not reasons to lose evidence.

mod quota;
mod refusal;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use evidence::statement::Role;
use evidence::{
    Digest, DisclosedField, Disclosure, KeyDigest, Payload, PublicKey, Statement, Submission, TrustFile,
    UnixMillis, VerifiedStatement,
};

use tlog::TreeSize;

pub use quota::{Quota, QuotaExceeded, Shares};
pub use refusal::Refusal;

use crate::clock::Clock;
use crate::store::index::KeyFacts;
use crate::store::{Store, StoreError};

/// Block digests that are as much work as a statement.
const BLOCKS_PER_SHARE: usize = 64;

/// What an admitted statement holds besides the bytes that were sent: the parsed form, tickets, places in tables.
const OVERHEAD: usize = 1024;

/// A statement that may be sealed: its signature was checked, and its key is enrolled. The only constructor is
/// [`Intake::admit`].
#[derive(Debug, Clone)]
pub struct Admitted {
    statement: VerifiedStatement,
    disclosures: Vec<Disclosure>,
    blocks: Vec<Digest>,
}

impl Admitted {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        self.statement.statement()
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        self.statement.digest()
    }

    /// The personal facts that came with it, each committed to by the statement.
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.disclosures
    }

    /// What it takes of its key's share: 1, and 1 for every 64 MiB of a deposit, each MiB of which is a row of the lookup index.
    pub fn cost(&self) -> usize {
        1 + self.blocks.len() / BLOCKS_PER_SHARE
    }

    /// Bytes that it holds in memory, in good approximation.
    pub fn weight(&self) -> usize {
        let facts: usize = self.disclosures.iter().map(|disclosure| disclosure.to_bytes().len()).sum();
        OVERHEAD + self.statement().bytes().len() + facts + size_of_val(self.blocks())
    }

    /// The block digests of a deposit, which lead to the root that it signs; empty for anything else.
    pub fn blocks(&self) -> &[Digest] {
        &self.blocks
    }
}

/// A statement that says to have been sealed before, with what belongs to it, for [`Store::fill`]. Signature and enrolment are
/// not checked again: its digest in the chain says that they were, and the key may have been revoked since.
#[derive(Debug, Clone)]
pub struct Returned(Submission);

impl Returned {
    /// Checks what came with the statement.
    pub fn new(submission: Submission) -> Result<Self, Refusal> {
        check_disclosures(submission.statement.payload(), &submission.disclosures)?;
        Ok(Self(submission))
    }

    /// The statement, its disclosures and its block digests.
    pub fn submission(&self) -> &Submission {
        &self.0
    }
}

/// Decides what may be sealed.
pub struct Intake {
    store: Store,
    trust: Arc<TrustFile>,
    clock: Arc<dyn Clock>,
}

impl Intake {
    /// An intake that trusts the registrars of `trust`.
    pub fn new(store: Store, trust: Arc<TrustFile>, clock: Arc<dyn Clock>) -> Self {
        Self { store, trust, clock }
    }

    /// Checks well-formed submissions, each by itself, in order. The outer error is the service's own trouble.
    pub async fn admit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Result<Admitted, Refusal>>, StoreError> {
        let now = self.clock.now();
        let mut known = HashMap::new();
        let mut keyed = Vec::with_capacity(submissions.len());
        for submission in submissions {
            let key = self.key(&submission.statement, now, &mut known).await?;
            keyed.push((submission, key));
        }
        // Curve arithmetic for 512 statements must not hold up the connections of this thread.
        let checked = tokio::task::spawn_blocking(move || {
            keyed.into_iter().map(|(submission, key)| check(submission, &key?)).collect()
        });
        checked.await.map_err(|_| StoreError::Interrupted)
    }

    /// The key that must have signed `statement`, if it may sign that now.
    async fn key(
        &self,
        statement: &Statement,
        now: UnixMillis,
        known: &mut HashMap<KeyDigest, Option<KeyFacts>>,
    ) -> Result<Result<PublicKey, Refusal>, StoreError> {
        let kid = statement.kid();
        if let Payload::Enrol(_) | Payload::Revoke(_) | Payload::Registry(_) = statement.payload() {
            return Ok(self.registrar(&kid, now).ok_or(Refusal::RegistrarUnknown));
        }
        let facts = match known.entry(kid) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.store.key_facts(&kid, TreeSize::MAX_CHECKPOINT).await?),
        };
        Ok(match facts {
            Some(facts) => permit(facts, statement.payload(), now).map(|()| facts.key),
            None => Err(Refusal::KeyUnknown),
        })
    }

    fn registrar(&self, kid: &KeyDigest, now: UnixMillis) -> Option<PublicKey> {
        let registrars = self.trust.registrars().iter();
        let mut valid = registrars.filter(|registrar| registrar.window.contains(now.seconds()));
        valid.find(|registrar| registrar.digest() == *kid).map(|registrar| registrar.key)
    }
}

fn permit(facts: &KeyFacts, payload: &Payload, now: UnixMillis) -> Result<(), Refusal> {
    if facts.revocations.iter().any(|(_, effective_from)| *effective_from <= now) {
        return Err(Refusal::KeyRevoked);
    }
    let mut valid = facts.enrolments.iter().filter(|e| e.valid_from <= now && now < e.valid_until).peekable();
    if valid.peek().is_none() {
        return Err(Refusal::KeyNotValid);
    }
    let permitted = valid.any(|enrolment| match enrolment.role {
        Role::Device => true,
        Role::Account => matches!(payload, Payload::Deposit(_)),
    });
    if permitted { Ok(()) } else { Err(Refusal::RoleForbidden) }
}

fn check(submission: Submission, key: &PublicKey) -> Result<Admitted, Refusal> {
    let statement = submission.statement.verify(key).map_err(|_| Refusal::SignatureInvalid)?;
    check_disclosures(statement.payload(), &submission.disclosures)?;
    Ok(Admitted { statement, disclosures: submission.disclosures, blocks: submission.blocks })
}

/// Each disclosure is committed to by this statement, and no field occurs twice.
fn check_disclosures(payload: &Payload, disclosures: &[Disclosure]) -> Result<(), Refusal> {
    for (number, disclosure) in disclosures.iter().enumerate() {
        let repeated = disclosures[..number].iter().any(|other| other.field() == disclosure.field());
        let (name, committed) = match (disclosure.field(), payload) {
            (DisclosedField::Position, payload) => ("position", payload.position()),
            (DisclosedField::Depositor, Payload::Deposit(deposit)) => ("depositor", deposit.depositor),
            (DisclosedField::Depositor, _) => ("depositor", None),
        };
        if repeated || !committed.is_some_and(|commitment| disclosure.check(&commitment)) {
            return Err(Refusal::DisclosureMismatch(name));
        }
    }
    Ok(())
}
