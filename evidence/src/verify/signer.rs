//! `device-signature` and `device-enrolment`: whose key signed, and whether it may be believed.

use super::Check;
use super::inclusion::Inclusion;
use super::receipt::{Fault, prove};
use crate::evidence_file::{EvidenceFile, Receipt, Sealed};
use crate::ids::{Digest, KeyDigest, Sequence};
use crate::key::PublicKey;
use crate::receipt::ProvenEntry;
use crate::report::{ReasonCode, Signer};
use crate::statement::{Enrol, Payload, Registry, Revoke, Role, SignatureError};
use crate::time::{UnixMillis, UnixSeconds};
use crate::trust::{Registrar, TrustFile};

/// What the evidence proves about the signer.
#[derive(Debug)]
pub(crate) struct SignerCheck {
    pub(crate) signature: Check,
    pub(crate) enrolment: Check,
    /// The signer as enrolled, where the enrolment was proven.
    pub(crate) signer: Option<Signer>,
    /// The key, from the enrolment that the evidence names.
    pub(crate) key: Option<PublicKey>,
    pub(crate) revoked_from: Option<UnixMillis>,
    pub(crate) revocations_as_of: Option<UnixMillis>,
}

/// Checks signer and signatures. `needed` is the last statement that the verdict rests on: a revocation that takes
/// effect after it was sealed does not touch it.
pub(crate) fn check(
    file: &EvidenceFile,
    trust: &TrustFile,
    inclusion: &Inclusion,
    needed: Sequence,
) -> SignerCheck {
    let kid = file.first().kid();
    let enrolment = find_enrolment(file, kid);
    let mut result = SignerCheck {
        signature: Check::NotChecked(ReasonCode::NotReached),
        enrolment: Check::NotChecked(ReasonCode::NotReached),
        signer: None,
        key: None,
        revoked_from: None,
        revocations_as_of: None,
    };
    let (sealed, receipt, enrol) = match enrolment {
        Ok(found) => found,
        Err(reason) => {
            result.enrolment = Check::Failed(reason);
            return result;
        }
    };
    result.key = Some(enrol.key);
    result.signature = check_signatures(file, &enrol.key);
    let registry = RegistryView { file, trust };
    let (registrar, enrolled) = match registry.enrolment_holds(sealed, receipt, enrol, inclusion) {
        Ok(found) => found,
        Err(check) => {
            result.enrolment = check;
            return result;
        }
    };
    result.signer = Some(Signer {
        id: enrol.id.clone(),
        model: enrol.model.clone(),
        agency: enrol.agency.clone(),
        registrar: registrar.vkey.name().to_string(),
    });
    let revocation = registry.earliest_revocation(kid);
    let snapshots = registry.snapshots();
    // A snapshot lists the revoked keys of its own chain; that of another operator says nothing about this key.
    let as_of = snapshots
        .iter()
        .filter(|(_, proven)| proven.checkpoint().origin() == enrolled.checkpoint().origin())
        .map(|(snapshot, _)| snapshot.as_of)
        .max();
    result.revoked_from = revocation.map(|revoke| revoke.effective_from);
    result.revocations_as_of = as_of;
    // Nothing takes a revocation back, so a newer snapshot without the key does not clear it.
    let listed = snapshots.iter().any(|(snapshot, _)| snapshot.revoked.binary_search(&kid).is_ok());
    result.enrolment = match revocation {
        Some(revoke) if sealed_after(inclusion, needed, revoke.effective_from) => {
            Check::Failed(ReasonCode::Revoked)
        }
        Some(_) => Check::Proven(ReasonCode::EnrolledRevokedLater),
        None if listed => Check::Failed(ReasonCode::RevocationWithheld),
        None if as_of.is_some() => Check::Proven(ReasonCode::Enrolled),
        None => Check::Proven(ReasonCode::EnrolledNoSnapshot),
    };
    result
}

fn check_signatures(file: &EvidenceFile, key: &PublicKey) -> Check {
    for statement in &file.statements {
        match statement.verify(key) {
            Ok(_) => {}
            Err(SignatureError::OtherKey { .. }) => return Check::Failed(ReasonCode::SignatureOtherKey),
            Err(SignatureError::Invalid) => return Check::Failed(ReasonCode::SignatureInvalid),
        }
    }
    Check::Proven(ReasonCode::SignaturesValid)
}

/// The enrolment that the first statement names, if it enrols the key that the statement claims.
fn find_enrolment(file: &EvidenceFile, kid: KeyDigest) -> Result<(&Sealed, &Receipt, &Enrol), ReasonCode> {
    let named: Option<Digest> = match file.first().payload() {
        Payload::Start(start) => Some(start.enrolment),
        Payload::Deposit(deposit) => Some(deposit.enrolment),
        _ => None,
    };
    let mut fault = ReasonCode::EnrolmentMissing;
    for (sealed, receipt) in &file.registry {
        let Payload::Enrol(enrol) = sealed.statement.payload() else { continue };
        if KeyDigest::of(&enrol.key) != kid {
            continue;
        }
        if named == Some(sealed.statement.digest()) {
            return Ok((sealed, receipt, enrol));
        }
        fault = ReasonCode::EnrolmentOther;
    }
    Err(fault)
}

/// Whether a statement that the verdict rests on was sealed at or after `effective_from`.
fn sealed_after(inclusion: &Inclusion, needed: Sequence, effective_from: UnixMillis) -> bool {
    inclusion.up_to_covering(needed).any(|(_, proven)| proven.sealing_time().millis() >= effective_from)
}

struct RegistryView<'a> {
    file: &'a EvidenceFile,
    trust: &'a TrustFile,
}

impl<'a> RegistryView<'a> {
    fn enrolment_holds(
        &self,
        sealed: &Sealed,
        receipt: &Receipt,
        enrol: &Enrol,
        inclusion: &Inclusion,
    ) -> Result<(&'a Registrar, ProvenEntry), Check> {
        let (registrar, proven) = self.vouched(sealed, receipt)?;
        let Some(first) = inclusion.proven.get(&Sequence::START) else {
            return Err(match inclusion.checkpoint {
                Check::NotChecked(ReasonCode::UnknownLog) => Check::NotChecked(ReasonCode::UnknownLog),
                _ => Check::NotChecked(ReasonCode::NotReached),
            });
        };
        if first.checkpoint().origin() == proven.checkpoint().origin() && proven.index() >= first.index() {
            return Err(Check::Failed(ReasonCode::EnrolmentTooLate));
        }
        if !covers(enrol, first.sealing_time()) {
            return Err(Check::Failed(ReasonCode::EnrolmentNotValidThen));
        }
        let is_recording = !matches!(self.file.first().payload(), Payload::Deposit(_));
        if is_recording && enrol.role != Role::Device {
            return Err(Check::Failed(ReasonCode::EnrolmentRole));
        }
        Ok((registrar, proven))
    }

    /// Whether a registrar that was trusted then has signed `sealed`, and the chain holds it.
    fn vouched(&self, sealed: &Sealed, receipt: &Receipt) -> Result<(&'a Registrar, ProvenEntry), Check> {
        let kid = sealed.statement.kid();
        let known: Vec<_> = self.trust.registrars().iter().filter(|known| known.digest() == kid).collect();
        let proven = prove(sealed, receipt, self.trust);
        if proven.as_ref().err() == Some(&Fault::UnknownLog) {
            // evidence from another chain: its registrar being unknown, too, is no sign of forgery
            return Err(Check::NotChecked(ReasonCode::UnknownLog));
        }
        let Some(first) = known.first() else { return Err(Check::Failed(ReasonCode::RegistrarUnknown)) };
        if sealed.statement.verify(&first.key).is_err() {
            return Err(Check::Failed(ReasonCode::RegistrarSignatureInvalid));
        }
        let proven = proven.map_err(|_| Check::Failed(ReasonCode::EnrolmentNotSealed))?;
        let trusted_then = known.iter().find(|known| known.window.contains(proven.sealing_time()));
        match trusted_then {
            Some(registrar) => Ok((registrar, proven)),
            None => Err(Check::Failed(ReasonCode::RegistrarNotValidThen)),
        }
    }

    /// The revocation of `kid` that takes effect first. Statements that do not verify are passed over: they prove
    /// nothing, and whoever adds one could have left a real one out.
    fn earliest_revocation(&self, kid: KeyDigest) -> Option<&'a Revoke> {
        let revocations =
            self.file.registry.iter().filter_map(|(sealed, receipt)| match sealed.statement.payload() {
                Payload::Revoke(revoke) if revoke.key == kid && self.vouched(sealed, receipt).is_ok() => {
                    Some(revoke)
                }
                _ => None,
            });
        revocations.min_by_key(|revoke| revoke.effective_from)
    }

    /// The snapshots that hold.
    fn snapshots(&self) -> Vec<(&'a Registry, ProvenEntry)> {
        let snapshots =
            self.file.registry.iter().filter_map(|(sealed, receipt)| match sealed.statement.payload() {
                Payload::Registry(registry) => Some((registry, self.vouched(sealed, receipt).ok()?.1)),
                _ => None,
            });
        snapshots.collect()
    }
}

/// Whether the second `time` overlaps the window of validity. Sealing times have whole seconds, windows milliseconds.
fn covers(enrol: &Enrol, time: UnixSeconds) -> bool {
    let begin = time.millis();
    begin < enrol.valid_until && enrol.valid_from.get() <= begin.get().saturating_add(999)
}
