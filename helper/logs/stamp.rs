//! Time stamps: RFC 3339, Go's `log`, and those that loggers and access logs write inside of a line.

use time::{Date, Month};

use crate::redact::head;

/// A time in brackets is looked for in so many bytes at the beginning of a line.
const FRONT: usize = 200;

/// The moment of a time stamp that is alone on its line, in seconds since 1970.
pub(crate) fn stamped_at(alone: &str) -> Option<i64> {
    stamp(alone).map(|(seconds, _)| seconds)
}

fn number(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// A time stamp at the beginning: RFC 3339, also with a blank in the middle, and the one of Go's `log`. The seconds and
/// how long it is.
pub(super) fn stamp(text: &str) -> Option<(i64, usize)> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || !bytes[0].is_ascii_digit() {
        return None;
    }
    let separator = bytes[4];
    if !matches!(separator, b'-' | b'/') || bytes[7] != separator || !matches!(bytes[10], b'T' | b' ') {
        return None;
    }
    if bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (year, month, day) = (number(&bytes[0..4])?, number(&bytes[5..7])?, number(&bytes[8..10])?);
    let (hour, minute, second) = (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let days = i64::from(date.to_julian_day() - 2_440_588);
    let mut length = 19;
    if bytes.get(length) == Some(&b'.') {
        length += 1 + bytes[length + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    }
    let (offset, zone) = zone(&bytes[length..]).unwrap_or_default();
    Some((days * 86_400 + hour * 3600 + minute * 60 + second - offset, length + zone))
}

/// How far a zone is ahead, in seconds, and how long it is: `Z`, `+01:00`, and without the colon as journalctl writes it.
fn zone(bytes: &[u8]) -> Option<(i64, usize)> {
    let sign = match bytes.first()? {
        b'Z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let colon = usize::from(bytes.get(3) == Some(&b':'));
    let (hours, minutes) = (number(bytes.get(1..3)?)?, number(bytes.get(3 + colon..5 + colon)?)?);
    Some((sign * (hours * 3600 + minutes * 60), 5 + colon))
}

/// The time in `time=…` or `"time":"…"`.
pub(super) fn inner_stamp(text: &str) -> Option<i64> {
    let at =
        ["time=\"", "time=", "\"time\":\"", "\"ts\":\""].iter().find_map(|key| Some(text.find(key)? + key.len()))?;
    stamp(text.get(at..)?).map(|(seconds, _)| seconds)
}

/// The time in brackets of the common log format, `[26/Nov/2026:04:01:21 +0000]`, and of Django's server, which has a
/// blank behind the year and no zone; and of gunicorn, `[2026-11-26 04:01:21 +0000]`.
pub(super) fn common_stamp(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let inside = head(text, FRONT).split_once('[')?.1;
    if let Some((seconds, _)) = stamp(inside) {
        return Some(seconds);
    }
    let bytes = inside.as_bytes();
    let shape = bytes.len() >= 20 && bytes[2] == b'/' && bytes[6] == b'/' && matches!(bytes[11], b':' | b' ');
    let month = MONTHS.iter().position(|month| inside.get(3..6) == Some(month)).filter(|_| shape)?;
    let iso = format!("{}-{:02}-{}T{}Z", inside.get(7..11)?, month + 1, inside.get(0..2)?, inside.get(12..20)?);
    let (seconds, _) = stamp(&iso)?;
    let zone = inside.get(20..).and_then(|rest| zone(rest.strip_prefix(' ')?.as_bytes()));
    Some(seconds - zone.map_or(0, |(offset, _)| offset))
}
