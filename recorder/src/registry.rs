//! The device's own enrolment: fetched once, verified, kept, and named by every `start` and `deposit`.

use evidence::statement::{Enrol, Revoke};
use evidence::{
    Digest, EvidenceFileError, KeyDigest, Payload, PublicKey, Receipt, ReceiptError, ReceiptVerifier, Sealed,
    TrustFile, UnixMillis, parse_registry_section,
};
use tlog::VerifiedCheckpoint;

/// Why a registry section is not the enrolment of this device.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It does not parse.
    #[error("The enrolment cannot be read: {0}")]
    Malformed(#[from] EvidenceFileError),
    /// The first statement enrols no key, or another one.
    #[error("The answer does not begin with the enrolment of the key {kid}.")]
    OtherKey {
        /// This device's key.
        kid: KeyDigest,
    },
    /// Signed by nobody whom the trust file names as a registrar.
    #[error("Statement {place} of the enrolment is not signed by a registrar of the trust file.")]
    Registrar {
        /// Counted from 1.
        place: usize,
    },
    /// Not proven to be in the log.
    #[error("Statement {place} of the enrolment has no valid receipt: {source}")]
    Receipt {
        /// Counted from 1.
        place: usize,
        /// What is wrong.
        source: ReceiptError,
    },
    /// A statement that does not belong here.
    #[error("Statement {place} of the enrolment is a {kind} statement.")]
    Kind {
        /// Counted from 1.
        place: usize,
        /// What it is.
        kind: &'static str,
    },
}

/// A verified registry section of one key.
#[derive(Debug, Clone)]
pub struct OwnRegistry {
    bytes: Vec<u8>,
    section: Vec<(Sealed, Receipt)>,
    enrolment: Digest,
    enrol: Enrol,
    checkpoints: Vec<VerifiedCheckpoint>,
}

impl OwnRegistry {
    /// Verifies a section for the key `own`.
    ///
    /// # Errors
    /// [`RegistryError`]
    pub fn verify(
        bytes: Vec<u8>,
        own: &PublicKey,
        verifier: &ReceiptVerifier,
    ) -> Result<Self, RegistryError> {
        let section = parse_registry_section(&bytes)?;
        let checkpoints = section
            .iter()
            .enumerate()
            .map(|(at, (sealed, receipt))| check(at + 1, sealed, receipt, verifier))
            .collect::<Result<_, _>>()?;
        let enrolled = section.first().and_then(|(sealed, _)| match sealed.statement.payload() {
            Payload::Enrol(enrol) if enrol.key == *own => Some((sealed.statement.digest(), enrol.clone())),
            _ => None,
        });
        let (enrolment, enrol) =
            enrolled.ok_or_else(|| RegistryError::OtherKey { kid: KeyDigest::of(own) })?;
        Ok(Self { bytes, section, enrolment, enrol, checkpoints })
    }

    /// The section as received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its statements, enrolment first.
    #[must_use]
    pub fn section(&self) -> &[(Sealed, Receipt)] {
        &self.section
    }

    /// Statement digest of the enrolment.
    #[must_use]
    pub fn enrolment(&self) -> Digest {
        self.enrolment
    }

    /// What the enrolment says.
    #[must_use]
    pub fn enrol(&self) -> &Enrol {
        &self.enrol
    }

    /// The checkpoints of its receipts.
    #[must_use]
    pub fn checkpoints(&self) -> &[VerifiedCheckpoint] {
        &self.checkpoints
    }

    /// The earliest revocation of this key, if there is one.
    #[must_use]
    pub fn revocation(&self) -> Option<&Revoke> {
        let kid = KeyDigest::of(&self.enrol.key);
        let revocations = self.section.iter().filter_map(|(sealed, _)| match sealed.statement.payload() {
            Payload::Revoke(revoke) if revoke.key == kid => Some(revoke),
            _ => None,
        });
        revocations.min_by_key(|revoke| revoke.effective_from)
    }

    /// Why statements signed now would be refused, in a sentence, if they would be.
    #[must_use]
    pub fn objection(&self, now: UnixMillis) -> Option<String> {
        if self.revocation().is_some_and(|revoke| revoke.effective_from <= now) {
            return Some(
                "The key of this device has been revoked: what it signs now will be refused.".to_owned(),
            );
        }
        let valid = self.enrol.valid_from <= now && now < self.enrol.valid_until;
        (!valid).then(|| {
            "The enrolment of this device is not valid now (or its clock is wrong): what it signs may be refused."
                .to_owned()
        })
    }
}

fn check(
    place: usize,
    sealed: &Sealed,
    receipt: &Receipt,
    verifier: &ReceiptVerifier,
) -> Result<VerifiedCheckpoint, RegistryError> {
    let statement = &sealed.statement;
    if !matches!(statement.payload(), Payload::Enrol(_) | Payload::Revoke(_) | Payload::Registry(_)) {
        return Err(RegistryError::Kind { place, kind: statement.kind().name() });
    }
    let registrar =
        registrar_key(verifier.trust(), statement.kid()).ok_or(RegistryError::Registrar { place })?;
    statement.verify(&registrar).map_err(|_| RegistryError::Registrar { place })?;
    let inclusion = verifier
        .verify_entry(&sealed.entry(), sealed.index, receipt.as_bytes())
        .map_err(|source| RegistryError::Receipt { place, source })?;
    Ok(inclusion.checkpoint().clone())
}

fn registrar_key(trust: &TrustFile, kid: KeyDigest) -> Option<PublicKey> {
    trust.registrars().iter().find(|registrar| registrar.digest() == kid).map(|registrar| registrar.key)
}
