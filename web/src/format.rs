//! Numbers and times as people in court read them. Plain arithmetic: no locale data, no time zone database.

/// Beijing time is UTC+8 all year, everywhere in the country.
const BEIJING_OFFSET_MS: u64 = 8 * 3600 * 1000;

/// The calendar date and time of an instant, in Beijing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Beijing {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Beijing {
    /// The instant `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub(crate) fn from_millis(millis: u64) -> Self {
        let seconds = millis.saturating_add(BEIJING_OFFSET_MS) / 1000;
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let rest = seconds % 86_400;
        Self { year, month, day, hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60 }
    }

    /// “2026年11月22日 09:30:05”
    pub(crate) fn chinese(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year}年{month}月{day}日 {hour:02}:{minute:02}:{second:02}")
    }

    /// “2026-11-22 09:30:05”
    pub(crate) fn iso(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// Year, month and day of the day `days` after 1970-01-01, in the Gregorian calendar (Howard Hinnant,
/// “chrono-Compatible Low-Level Date Algorithms”, `civil_from_days`, for days that are not before the epoch).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A place in the recording: “00:12.3”, from one hour on “1:00:12.3”.
pub(crate) fn timecode(millis: u64) -> String {
    let tenths = millis % 1000 / 100;
    let seconds = millis / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{tenths}")
    } else {
        format!("{minutes:02}:{seconds:02}.{tenths}")
    }
}

/// An amount of bytes: “1.4 GB”. Powers of 1000, as file managers and drives count.
pub(crate) fn bytes(amount: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    for (unit, name) in UNITS {
        if amount >= unit {
            let tenths = amount / (unit / 10);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{amount} B")
}

/// A number with its digits in groups of three: “6,442,450,944”.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn beijing_is_eight_hours_ahead_also_across_midnight_and_leap_days() {
        let cases = [
            (0, "1970-01-01 08:00:00"),
            (951_753_599_000, "2000-02-28 23:59:59"),
            (951_753_600_000, "2000-02-29 00:00:00"),
            (1_709_222_400_000, "2024-03-01 00:00:00"),
            (1_798_732_799_999, "2026-12-31 23:59:59"),
            (4_107_542_400_000, "2100-03-01 08:00:00"),
        ];
        for (millis, expected) in cases {
            assert_eq!(Beijing::from_millis(millis).iso(), expected);
        }
        assert_eq!(Beijing::from_millis(1_798_732_799_999).chinese(), "2026年12月31日 23:59:59");
    }

    #[wasm_bindgen_test]
    fn the_greatest_time_of_the_specification_is_shown() {
        assert_eq!(&Beijing::from_millis((1 << 53) - 1).iso()[..6], "287396");
    }

    #[wasm_bindgen_test]
    fn timecodes_name_tenths() {
        assert_eq!(timecode(0), "00:00.0");
        assert_eq!(timecode(12_399), "00:12.3");
        assert_eq!(timecode(3_599_999), "59:59.9");
        assert_eq!(timecode(3_612_300), "1:00:12.3");
    }

    #[wasm_bindgen_test]
    fn amounts_never_round_up() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 KB");
        assert_eq!(bytes(1_999_999), "1.9 MB");
        assert_eq!(bytes(6_442_450_944), "6.4 GB");
    }

    #[wasm_bindgen_test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(6_442_450_944), "6,442,450,944");
    }
}
