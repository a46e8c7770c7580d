//! `revoke`: a registrar ends the trust in a key.

use super::codes::codes;
use super::value::{VERSION, Wire};
use crate::cbor::{CborError, Reader, Writer};
use crate::ids::KeyDigest;
use crate::time::UnixMillis;

codes! {
    /// Why a key was revoked.
    RevocationReason {
        /// Not said.
        Unspecified = 0,
        /// Somebody else may hold the secret key.
        KeyCompromised = 1,
        /// The device is lost.
        DeviceLost = 2,
        /// The device was taken out of service.
        OutOfService = 3,
    }
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    /// The revoked key.
    pub key: KeyDigest,
    /// Statements sealed at or after this instant do not count.
    pub effective_from: UnixMillis,
    /// Why.
    pub reason: RevocationReason,
}

impl Wire for Revoke {
    fn write(&self, w: &mut Writer) {
        w.map(4, &[]);
        w.uint(1).uint(VERSION);
        w.uint(2).bytes(self.key.as_bytes());
        w.uint(3).millis(self.effective_from);
        w.uint(4).uint(self.reason.code());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut fields = r.map("revoke")?;
        r.required(&mut fields, 1, "version")?;
        r.version()?;
        r.required(&mut fields, 2, "key digest")?;
        let key = r.key_digest("key digest")?;
        r.required(&mut fields, 3, "effective from")?;
        let effective_from = r.millis("effective from")?;
        r.required(&mut fields, 4, "revocation reason")?;
        let reason = RevocationReason::read(r, "revocation reason")?;
        r.end(fields, "revoke")?;
        Ok(Self { key, effective_from, reason })
    }
}
