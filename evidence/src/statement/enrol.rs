//! `enrol`: a registrar vouches for the key of a device or an account.

use super::codes::codes;
use super::value::{VERSION, Wire};
use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::key::PublicKey;
use crate::time::UnixMillis;

codes! {
    /// What an enrolled key may sign.
    Role {
        /// A recorder: recordings and deposits. Its enrolment is public (a kind-1 entry).
        Device = 0,
        /// A person: deposits only. Its enrolment stays private (a kind-0 entry).
        Account = 1,
    }
}

/// An enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrol {
    /// The key being enrolled.
    pub key: PublicKey,
    /// Opaque device or account id, 1 to 64 bytes.
    pub id: String,
    /// What the key may sign.
    pub role: Role,
    /// Model, at most 64 bytes.
    pub model: String,
    /// Agency, at most 128 bytes.
    pub agency: String,
    /// First instant at which statements of this key may be sealed.
    pub valid_from: UnixMillis,
    /// First instant at which they may no longer be; later than `valid_from`.
    pub valid_until: UnixMillis,
}

impl Wire for Enrol {
    fn write(&self, w: &mut Writer) {
        w.map(8, &[]);
        w.uint(1).uint(VERSION);
        w.uint(2).bytes(self.key.as_bytes());
        w.uint(3).text(&self.id);
        w.uint(4).uint(self.role.code());
        w.uint(5).text(&self.model);
        w.uint(6).text(&self.agency);
        w.uint(7).millis(self.valid_from);
        w.uint(8).millis(self.valid_until);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut fields = r.map("enrol")?;
        r.required(&mut fields, 1, "version")?;
        r.version()?;
        r.required(&mut fields, 2, "public key")?;
        let key = PublicKey::from_bytes(&r.byte_array::<32>("public key")?)
            .map_err(|_| r.error("public key", CborProblem::OutOfRange))?;
        r.required(&mut fields, 3, "device id")?;
        let id = r.text("device id", 1, 64)?.to_owned();
        r.required(&mut fields, 4, "role")?;
        let role = Role::read(r, "role")?;
        r.required(&mut fields, 5, "model")?;
        let model = r.text("model", 0, 64)?.to_owned();
        r.required(&mut fields, 6, "agency")?;
        let agency = r.text("agency", 0, 128)?.to_owned();
        r.required(&mut fields, 7, "valid from")?;
        let valid_from = r.millis("valid from")?;
        r.required(&mut fields, 8, "valid until")?;
        let valid_until = r.millis("valid until")?;
        if valid_until <= valid_from {
            return Err(r.error("valid until", CborProblem::OutOfRange));
        }
        r.end(fields, "enrol")?;
        Ok(Self { key, id, role, model, agency, valid_from, valid_until })
    }
}
