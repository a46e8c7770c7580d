//! Events during a segment.

use serde::{Deserialize, Serialize};

use super::codes::codes;
use super::value::Wire;
use crate::cbor::{CborError, Reader, Writer};
use crate::time::UnixMillis;

codes! {
    /// What happened.
    EventKind {
        /// Capture was paused.
        Paused = 0,
        /// Capture went on.
        Resumed = 1,
        /// Somebody pressed the marker button.
        Button = 2,
        /// The battery ran low.
        LowBattery = 3,
        /// The storage was nearly full.
        StorageNearlyFull = 4,
        /// The housing was opened.
        TamperSwitch = 5,
        /// The device's clock was set.
        ClockStep = 6,
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, by the device's clock.
    pub at: UnixMillis,
    /// What.
    pub kind: EventKind,
}

impl Wire for Event {
    fn write(&self, w: &mut Writer) {
        w.array(2).millis(self.at).uint(self.kind.code());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        r.array("event", 2, 2)?;
        Ok(Self { at: r.millis("event time")?, kind: EventKind::read(r, "event kind")? })
    }
}
