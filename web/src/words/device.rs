//! What a device reports about itself.

use protocol::statement::{ClockSource, EndReason, EventKind, Position};

use super::{Words, fill};
use crate::i18n::t_string;

/// Why a recording ended.
pub(crate) fn end_reason(i18n: Words, reason: EndReason) -> &'static str {
    match reason {
        EndReason::Stopped => t_string!(i18n, end.stopped),
        EndReason::InputEnded => t_string!(i18n, end.input_ended),
        EndReason::Recovered => t_string!(i18n, end.recovered),
        EndReason::StorageFull => t_string!(i18n, end.storage_full),
        EndReason::BatteryEmpty => t_string!(i18n, end.battery_empty),
    }
}

/// Something that happened during capture.
pub(crate) fn event(i18n: Words, kind: EventKind) -> &'static str {
    match kind {
        EventKind::Paused => t_string!(i18n, event.paused),
        EventKind::Resumed => t_string!(i18n, event.resumed),
        EventKind::Button => t_string!(i18n, event.button),
        EventKind::LowBattery => t_string!(i18n, event.low_battery),
        EventKind::StorageNearlyFull => t_string!(i18n, event.storage_nearly_full),
        EventKind::TamperSwitch => t_string!(i18n, event.tamper_switch),
        EventKind::ClockStep => t_string!(i18n, event.clock_step),
    }
}

/// What the device's clock was compared with.
pub(crate) fn clock_source(i18n: Words, source: ClockSource) -> &'static str {
    match source {
        ClockSource::None => t_string!(i18n, check.source_none),
        ClockSource::Ntp => t_string!(i18n, check.source_ntp),
        ClockSource::Gnss => t_string!(i18n, check.source_gnss),
        ClockSource::Service => t_string!(i18n, check.source_service),
    }
}

/// Latitude and longitude: “31.298900° N, 120.585300° E”.
pub(crate) fn position(i18n: Words, position: &Position) -> String {
    let degrees = |e7: i64, positive: char, negative: char| {
        let (whole, rest) = (e7.unsigned_abs() / 10_000_000, e7.unsigned_abs() % 10_000_000 / 10);
        format!("{whole}.{rest:06}° {}", if e7 < 0 { negative } else { positive })
    };
    let place =
        format!("{}, {}", degrees(position.latitude_e7, 'N', 'S'), degrees(position.longitude_e7, 'E', 'W'));
    match position.accuracy_cm {
        Some(accuracy) => {
            let accuracy = fill(t_string!(i18n, facts.accuracy), &[("metres", &accuracy.div_ceil(100))]);
            format!("{place} · {accuracy}")
        }
        None => place,
    }
}
