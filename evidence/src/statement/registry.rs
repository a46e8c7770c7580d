//! `registry`: a snapshot of all revoked keys, so that *not revoked* can be proven as of an instant.

use super::value::{VERSION, Wire};
use crate::cbor::{CborError, CborProblem, Reader, Writer};
use crate::ids::KeyDigest;
use crate::limits::MAX_REVOKED_KEYS;
use crate::time::UnixMillis;

/// A snapshot of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The instant that it speaks of.
    pub as_of: UnixMillis,
    /// All keys revoked by then, ascending and distinct.
    pub revoked: Vec<KeyDigest>,
}

impl Wire for Registry {
    fn write(&self, w: &mut Writer) {
        w.map(3, &[]);
        w.uint(1).uint(VERSION);
        w.uint(2).millis(self.as_of);
        w.uint(3).list(&self.revoked, |w, key| {
            w.bytes(key.as_bytes());
            w
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut fields = r.map("registry")?;
        r.required(&mut fields, 1, "version")?;
        r.version()?;
        r.required(&mut fields, 2, "as of")?;
        let as_of = r.millis("as of")?;
        r.required(&mut fields, 3, "revoked keys")?;
        let revoked = r.list("revoked keys", 0, MAX_REVOKED_KEYS, |r| r.key_digest("revoked key"))?;
        if !revoked.is_sorted_by(|a, b| a < b) {
            return Err(r.error("revoked keys", CborProblem::OutOfRange));
        }
        r.end(fields, "registry")?;
        Ok(Self { as_of, revoked })
    }
}
