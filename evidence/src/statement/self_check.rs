//! The pre-capture self-check (清洁性检查). An absent member was not checked.

use serde::{Deserialize, Serialize};

use super::codes::codes;
use super::value::{Percent, Wire};
use crate::cbor::{CborError, Reader, Writer};
use crate::ids::Digest;
use crate::time::MAX_SAFE_INTEGER;

codes! {
    /// What a device compared its clock with.
    ClockSource {
        /// Nothing.
        None = 0,
        /// A network time server.
        Ntp = 1,
        /// Satellite time.
        Gnss = 2,
        /// The verification service.
        Service = 3,
    }
}

/// What a device found out about itself before capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfCheck {
    /// Device clock minus the clock of `clock_source`, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_offset_ms: Option<i64>,
    /// What the clock was compared with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_source: Option<ClockSource>,
    /// Digest of the firmware.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub firmware: Option<Digest>,
    /// Free storage in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub free_storage: Option<u64>,
    /// Whether the network could be reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<bool>,
    /// Charge of the battery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub battery: Option<Percent>,
    /// Whether the device knew its position.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position_fix: Option<bool>,
}

impl SelfCheck {
    /// Whether nothing at all was checked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Wire for SelfCheck {
    fn write(&self, w: &mut Writer) {
        let present = [
            self.clock_offset_ms.is_some(),
            self.clock_source.is_some(),
            self.firmware.is_some(),
            self.free_storage.is_some(),
            self.network.is_some(),
            self.battery.is_some(),
            self.position_fix.is_some(),
        ];
        w.map(0, &present);
        w.optional(1, self.clock_offset_ms, |w, v| w.int(v));
        w.optional(2, self.clock_source, |w, v| w.uint(v.code()));
        w.optional(3, self.firmware, |w, v| w.digest(&v));
        w.optional(4, self.free_storage, |w, v| w.uint(v));
        w.optional(5, self.network, |w, v| w.bool(v));
        w.optional(6, self.battery, |w, v| w.percent(v));
        w.optional(7, self.position_fix, |w, v| w.bool(v));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut f = r.map("self-check")?;
        let check = Self {
            clock_offset_ms: r.optional(&mut f, 1, "clock offset", |r| r.signed("clock offset"))?,
            clock_source: r.optional(&mut f, 2, "clock source", |r| ClockSource::read(r, "clock source"))?,
            firmware: r.optional(&mut f, 3, "firmware", |r| r.digest("firmware"))?,
            free_storage: r
                .optional(&mut f, 4, "free storage", |r| r.uint("free storage", MAX_SAFE_INTEGER))?,
            network: r.optional(&mut f, 5, "network", |r| r.bool("network"))?,
            battery: r.optional(&mut f, 6, "battery", |r| r.percent("battery"))?,
            position_fix: r.optional(&mut f, 7, "position fix", |r| r.bool("position fix"))?,
        };
        r.end(f, "self-check")?;
        Ok(check)
    }
}
