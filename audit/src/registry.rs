//! The audit of the device registry: the statement of every kind-1 entry is asked for and checked.
//!
//! Enrolments of devices, revocations and snapshots are public. One that is sealed and not given out could enrol a rogue key, or hide a
//! revocation; so whatever is withheld is a finding, and so is a snapshot that does not list a key that was revoked before it.

use std::collections::BTreeMap;
use std::mem;

use evidence::statement::{Registry, RevocationReason};
use evidence::{
    Digest, Entry, EntryKind, KeyDigest, Payload, Registrar, Statement, TrustFile, UnixMillis, UnixSeconds,
};
use serde::Serialize;
use tlog::LeafIndex;

use crate::finding::{Code, Finding};
use crate::reader::{LogObject, LogReader};
use crate::walk::{Archived, Visitor, WalkError};

/// A registrar reads what is sealed and then signs a snapshot. What was sealed in the meantime, by whatever clock, is listed by the next one.
const SNAPSHOT_SLACK_S: u64 = 60;

/// "Sealed at least daily."
const DAY_S: u64 = 24 * 60 * 60;

/// Statements that wait for the checkpoint that covers them. An honest log has one every few seconds.
const MAX_PENDING: usize = 4096;

/// One sealed statement of the device registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its position.
    pub index: u64,
    /// The proven sealing time; with `quorum none` sealed-at. Seconds since 1970.
    pub sealed: u64,
    /// The name of the registrar's key.
    pub registrar: String,
    /// What it says.
    #[serde(flatten)]
    pub event: Event,
}

/// What a statement of the device registry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are those of statement.md; times are milliseconds since 1970")]
pub enum Event {
    /// A device was enrolled.
    Enrol { key: String, id: String, model: String, agency: String, valid_from: u64, valid_until: u64 },
    /// A key was revoked.
    Revoke { key: String, effective_from: u64, reason: &'static str },
    /// A snapshot of all revoked keys.
    Registry { as_of: u64, revoked: usize },
}

/// A time without a snapshot that is longer than a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Sealing time of the snapshot before, or of the first entry. Seconds since 1970.
    pub from: u64,
    /// That of the next, or of the newest entry.
    pub until: u64,
}

/// What is told on the way.
pub trait Listener {
    /// Why nothing more can be told.
    type Error: From<WalkError>;

    /// A statement that was checked.
    fn fact(&mut self, fact: &Fact) -> Result<(), Self::Error>;

    /// Something is wrong.
    fn finding(&mut self, finding: Finding) -> Result<(), Self::Error>;

    /// More than a day without a snapshot.
    fn gap(&mut self, gap: Gap) -> Result<(), Self::Error>;
}

/// Audits the registry while walking along the chain.
pub struct RegistryAudit<'a, L> {
    reader: &'a dyn LogReader,
    trust: &'a TrustFile,
    listener: &'a mut L,
    /// Read, and not covered by an archived checkpoint so far.
    pending: Vec<(LeafIndex, Entry, Statement)>,
    /// Each revoked key with the sealing time of its first revocation.
    revoked: BTreeMap<KeyDigest, UnixSeconds>,
    /// When the last snapshot was sealed; before the first one, when the first entry was.
    snapshot: Option<UnixSeconds>,
    newest: Option<UnixSeconds>,
}

impl<'a, L: Listener> RegistryAudit<'a, L> {
    /// An audit from the first entry on.
    pub fn new(reader: &'a dyn LogReader, trust: &'a TrustFile, listener: &'a mut L) -> Self {
        let (pending, revoked) = (Vec::new(), BTreeMap::new());
        Self { reader, trust, listener, pending, revoked, snapshot: None, newest: None }
    }

    /// What the walk has left open; gives the revoked keys.
    pub fn finish(mut self) -> Result<Vec<KeyDigest>, L::Error> {
        self.judge_pending(None)?;
        if let Some(newest) = self.newest {
            self.note_snapshot(newest)?;
        }
        Ok(self.revoked.into_keys().collect())
    }

    /// The statement behind an entry, if it is the right one.
    fn fetch(&mut self, index: LeafIndex, entry: &Entry) -> Result<Option<Statement>, L::Error> {
        let bytes = self.reader.get(LogObject::Statement(index)).map_err(WalkError::from)?;
        let refused = match bytes {
            None => Finding::entry(Code::Withheld, index, "The statement behind it is not given out."),
            Some(bytes) if Digest::of(&bytes) != entry.statement => {
                let sentence = "What is given out is not the statement that it commits to.";
                Finding::entry(Code::WrongStatement, index, sentence)
            }
            Some(bytes) => match Statement::parse(&bytes) {
                Err(error) => Finding::entry(Code::MalformedStatement, index, error.to_string()),
                Ok(statement) if statement.payload().entry_kind() != EntryKind::Registry => {
                    let sentence =
                        format!("Its statement is of the kind {}, which is not public.", statement.kind());
                    Finding::entry(Code::MalformedStatement, index, sentence)
                }
                Ok(statement) => return Ok(Some(statement)),
            },
        };
        self.listener.finding(refused)?;
        Ok(None)
    }

    /// What is covered now has a proven sealing time.
    fn judge_pending(&mut self, time: Option<UnixSeconds>) -> Result<(), L::Error> {
        for (index, entry, statement) in mem::take(&mut self.pending) {
            self.judge(index, &entry, &statement, time.unwrap_or(entry.sealed_at))?;
        }
        Ok(())
    }

    fn judge(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        statement: &Statement,
        sealed: UnixSeconds,
    ) -> Result<(), L::Error> {
        let registrar = match registrar(self.trust, statement, sealed) {
            Ok(registrar) => registrar,
            Err((code, sentence)) => return self.listener.finding(Finding::entry(code, index, sentence)),
        };
        let Some(event) = self.event(index, entry, statement.payload())? else { return Ok(()) };
        let registrar = registrar.vkey.name().as_str().to_owned();
        self.listener.fact(&Fact { index: index.get(), sealed: sealed.get(), registrar, event })
    }

    fn event(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        payload: &Payload,
    ) -> Result<Option<Event>, L::Error> {
        Ok(Some(match payload {
            Payload::Enrol(enrol) => Event::Enrol {
                key: KeyDigest::of(&enrol.key).to_string(),
                id: enrol.id.clone(),
                model: enrol.model.clone(),
                agency: enrol.agency.clone(),
                valid_from: enrol.valid_from.get(),
                valid_until: enrol.valid_until.get(),
            },
            Payload::Revoke(revoke) => {
                self.revoked.entry(revoke.key).or_insert(entry.sealed_at);
                let reason = reason(revoke.reason);
                Event::Revoke {
                    key: revoke.key.to_string(),
                    effective_from: revoke.effective_from.get(),
                    reason,
                }
            }
            Payload::Registry(registry) => {
                self.snapshot(index, registry)?;
                self.note_snapshot(entry.sealed_at)?;
                Event::Registry { as_of: registry.as_of.get(), revoked: registry.revoked.len() }
            }
            // invariant: `fetch` lets only the three public kinds through.
            _ => return Ok(None),
        }))
    }

    /// Compares a snapshot with the revocations before it.
    fn snapshot(&mut self, index: LeafIndex, registry: &Registry) -> Result<(), L::Error> {
        let settled = |sealed: &UnixSeconds| known_by(*sealed, registry.as_of);
        let missing = self
            .revoked
            .iter()
            .filter(|(key, sealed)| settled(sealed) && registry.revoked.binary_search(key).is_err());
        let missing: Vec<String> = missing.map(|(key, _)| key.to_string()).collect();
        for key in missing {
            let sentence = format!("The snapshot does not list {key}, which was revoked before it.");
            self.listener.finding(Finding::entry(Code::SnapshotIncomplete, index, sentence))?;
        }
        for key in registry.revoked.iter().filter(|key| !self.revoked.contains_key(key)) {
            let sentence = format!("The snapshot lists {key}, which no entry before it revokes.");
            self.listener.finding(Finding::entry(Code::SnapshotUnexplained, index, sentence))?;
        }
        Ok(())
    }

    fn note_snapshot(&mut self, sealed: UnixSeconds) -> Result<(), L::Error> {
        if let Some(before) = self.snapshot.replace(sealed)
            && sealed.get().saturating_sub(before.get()) > DAY_S
        {
            self.listener.gap(Gap { from: before.get(), until: sealed.get() })?;
        }
        Ok(())
    }
}

impl<L: Listener> Visitor for RegistryAudit<'_, L> {
    type Error = L::Error;

    fn entry(&mut self, index: LeafIndex, entry: &Entry) -> Result<(), L::Error> {
        self.snapshot.get_or_insert(entry.sealed_at);
        self.newest = Some(entry.sealed_at);
        if entry.kind == EntryKind::Registry
            && let Some(statement) = self.fetch(index, entry)?
        {
            self.pending.push((index, *entry, statement));
            if self.pending.len() >= MAX_PENDING {
                self.judge_pending(None)?;
            }
        }
        Ok(())
    }

    fn archived(&mut self, archived: &Archived<'_>) -> Result<(), L::Error> {
        self.judge_pending(archived.time)
    }

    fn finding(&mut self, finding: Finding) -> Result<(), L::Error> {
        self.listener.finding(finding)
    }
}

/// Whether a revocation that was sealed then had to be known to whoever signed a snapshot as of `as_of`.
fn known_by(sealed: UnixSeconds, as_of: UnixMillis) -> bool {
    sealed.get().saturating_add(SNAPSHOT_SLACK_S) <= as_of.seconds().get()
}

/// The registrar who signed the statement, and was one when it was sealed.
fn registrar<'a>(
    trust: &'a TrustFile,
    statement: &Statement,
    sealed: UnixSeconds,
) -> Result<&'a Registrar, (Code, String)> {
    let kid = statement.kid();
    let mut named = trust.registrars().iter().filter(|registrar| registrar.digest() == kid).peekable();
    let Some(first) = named.peek() else {
        return Err((
            Code::UnknownRegistrar,
            format!("It is signed by {kid}, who is no registrar of the trust file."),
        ));
    };
    if statement.clone().verify(&first.key).is_err() {
        let sentence = format!("Its signature is not that of the registrar {}.", first.vkey.name());
        return Err((Code::BadSignature, sentence));
    }
    let name = first.vkey.name().clone();
    named.find(|registrar| registrar.window.contains(sealed)).ok_or_else(|| {
        let sentence = format!("It was sealed at {sealed}, when the registrar {name} was not valid.");
        (Code::RegistrarNotValidThen, sentence)
    })
}

fn reason(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::Unspecified => "unspecified",
        RevocationReason::KeyCompromised => "key-compromised",
        RevocationReason::DeviceLost => "device-lost",
        RevocationReason::OutOfService => "out-of-service",
    }
}
