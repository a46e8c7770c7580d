//! A lower bound in time: the newest checkpoint that a device has verified.

use serde::{Deserialize, Serialize};

use super::value::Wire;
use crate::cbor::{CborError, Reader, Writer};
use crate::ids::Digest;
use crate::time::MAX_SAFE_INTEGER;

/// Size and root of the chain, as a statement cites them. The statement cannot be older than that checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Digest,
}

impl Wire for ChainHead {
    fn write(&self, w: &mut Writer) {
        w.array(2).uint(self.size).digest(&self.root);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        r.array("chain head", 2, 2)?;
        Ok(Self { size: r.uint("chain size", MAX_SAFE_INTEGER)?, root: r.digest("chain root")? })
    }
}
