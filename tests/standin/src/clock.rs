//! Time stamps in UTC, without a time zone database.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-22T20:45:19Z`, as zerolog's console writer prints it.
pub fn seconds() -> String {
    format!("{}Z", now().0)
}

/// `2026-11-22T21:24:24.34699245Z`, as slog's JSON handler prints it: nanoseconds without trailing zeros.
pub fn nanos() -> String {
    let (stamp, nanos) = now();
    let fraction = format!("{nanos:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{stamp}Z"),
        digits => format!("{stamp}.{digits}Z"),
    }
}

fn now() -> (String, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let stamp = format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    (stamp, since.subsec_nanos())
}

/// Days since 1970 as a date of the Gregorian calendar.
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::civil(0), (1970, 1, 1));
        assert_eq!(super::civil(19_782), (2024, 2, 29));
        assert_eq!(super::civil(20_779), (2026, 11, 22));
    }
}
