//! One line as a viewer printed it: whose it is, when it was written, and what it says.

use std::borrow::Cow;

use time::{Date, Month};

use crate::redact::head;

/// A prefix is at most this long: a container's name and the blanks behind it.
const PREFIX: usize = 200;

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Name of the container in front of the bar, without its number; `None` for a bare line.
    pub(crate) source: Option<&'a str>,
    /// When it was written, in seconds since 1970.
    pub(crate) at: Option<i64>,
    /// The time stamps in front of it, as they stand.
    pub(crate) stamps: &'a str,
    /// Whether it has cloudflared's console format, `TIME LVL …`.
    pub(crate) console: bool,
    /// What it says, behind prefix and time stamps.
    pub(crate) text: &'a str,
}

/// Removes terminal control sequences and the carriage return at the end.
pub(crate) fn plain(raw: &[u8]) -> Cow<'_, [u8]> {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    if !raw.contains(&0x1b) {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == 0x1b && raw.get(at + 1) == Some(&b'[') {
            // ECMA-48: parameters and intermediates, then one final byte of 0x40 to 0x7e.
            let end = raw[at + 2..].iter().position(|b| (0x40..=0x7e).contains(b));
            at = end.map_or(raw.len(), |end| at + 2 + end + 1);
        } else {
            out.push(raw[at]);
            at += 1;
        }
    }
    Cow::Owned(out)
}

impl<'a> Line<'a> {
    /// Takes a plain line apart.
    pub(crate) fn parse(plain: &'a str) -> Self {
        let (source, rest) = prefix(plain);
        Self::of(source, None, rest)
    }

    /// A line whose container, and perhaps its moment, are known: `text` is what the program itself printed.
    pub(crate) fn of(source: Option<&'a str>, stamped: Option<i64>, rest: &'a str) -> Self {
        let mut text = rest;
        let mut at = stamped;
        let mut stamps = usize::from(stamped.is_some());
        // A viewer's stamp, Compose's own, and the program's: the last one is when it was printed, if not by much.
        while let Some((seconds, length)) = stamp(text).filter(|_| stamps < 3) {
            at = Some(seconds);
            text = text[length..].trim_start_matches([' ', '\t']);
            stamps += 1;
        }
        let mut console = level(text) && (stamps > 0 || text.contains(" connIndex="));
        if !console && let Some((seconds, from)) = buried(text) {
            at = Some(seconds);
            text = &text[from..];
            console = true;
        }
        if at.is_none() {
            at = inner_stamp(text).or_else(|| common_stamp(text));
        }
        let stamps = &rest[..rest.len() - text.len()];
        Self { source, at, stamps, console, text }
    }
}

/// The name in front of ` | `, as Compose 1 (`name_1 | `) and 2 (`name-1  | `) print it, or a `container_name`.
fn prefix(line: &str) -> (Option<&str>, &str) {
    match front(line.as_bytes()) {
        Some((name, rest)) => (Some(service(&line[..name])), &line[rest..]),
        None => (None, line),
    }
}

/// The same for a line that is not text yet: the service, empty for a bare line, and what is behind the prefix.
pub(crate) fn prefix_bytes(line: &[u8]) -> (&[u8], &[u8]) {
    match front(line) {
        // A name is ASCII.
        Some((name, rest)) => {
            let name = std::str::from_utf8(&line[..name]).map_or("", service);
            (name.as_bytes(), &line[rest..])
        }
        None => (b"", line),
    }
}

/// Where the name ends, and where the text behind the bar begins.
fn front(bytes: &[u8]) -> Option<(usize, usize)> {
    let name = bytes.iter().take(PREFIX).take_while(|b| b.is_ascii_alphanumeric() || b"._-".contains(b)).count();
    let blanks = bytes[name..].iter().take(PREFIX).take_while(|b| **b == b' ').count();
    let bar = name + blanks;
    if name == 0 || bytes.get(bar) != Some(&b'|') {
        return None;
    }
    Some((name, if bytes.get(bar + 1) == Some(&b' ') { bar + 2 } else { bar + 1 }))
}

/// A container's name without the number that Compose gives it.
pub(crate) fn service(container: &str) -> &str {
    let name = container.trim_end_matches(|c: char| c.is_ascii_digit());
    match name.strip_suffix(['-', '_']) {
        Some(service) if name.len() < container.len() && !service.is_empty() => service,
        _ => container,
    }
}

fn level(text: &str) -> bool {
    ["INF ", "WRN ", "ERR ", "DBG ", "FTL "].iter().any(|level| text.starts_with(level))
}

/// cloudflared's stamp and level behind another program's prefix (journald, a cluster's log viewer).
fn buried(text: &str) -> Option<(i64, usize)> {
    let head = head(text, PREFIX);
    ["Z INF ", "Z WRN ", "Z ERR ", "Z DBG ", "Z FTL "].iter().find_map(|level| {
        let at = head.find(level)?;
        let start = at.checked_sub(19)?;
        let (seconds, _) = stamp(text.get(start..)?)?;
        Some((seconds, at + 2))
    })
}

/// The moment of a time stamp that is alone on its line, in seconds since 1970.
pub(crate) fn stamped_at(alone: &str) -> Option<i64> {
    stamp(alone).map(|(seconds, _)| seconds)
}

fn number(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// A time stamp at the beginning: RFC 3339, also with a blank in the middle, and the one of Go's `log`. The seconds and
/// how long it is.
fn stamp(text: &str) -> Option<(i64, usize)> {
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
    let mut offset = 0;
    match bytes.get(length) {
        Some(b'Z') => length += 1,
        Some(sign @ (b'+' | b'-')) if bytes.get(length + 3) == Some(&b':') && bytes.len() >= length + 6 => {
            let seconds = number(&bytes[length + 1..length + 3])? * 3600 + number(&bytes[length + 4..length + 6])? * 60;
            offset = if *sign == b'+' { seconds } else { -seconds };
            length += 6;
        }
        _ => {}
    }
    Some((days * 86_400 + hour * 3600 + minute * 60 + second - offset, length))
}

/// The time in `time=…` or `"time":"…"`.
fn inner_stamp(text: &str) -> Option<i64> {
    let at =
        ["time=\"", "time=", "\"time\":\"", "\"ts\":\""].iter().find_map(|key| Some(text.find(key)? + key.len()))?;
    stamp(text.get(at..)?).map(|(seconds, _)| seconds)
}

/// The time in brackets of the common log format, `[26/Nov/2026:04:01:21 +0000]`, and of Django's server, which has a
/// blank behind the year and no zone; and of gunicorn, `[2026-11-26 04:01:21 +0000]`.
fn common_stamp(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let inside = head(text, PREFIX).split_once('[')?.1;
    if let Some((seconds, _)) = stamp(inside) {
        return Some(seconds);
    }
    let bytes = inside.as_bytes();
    let shape = bytes.len() >= 20 && bytes[2] == b'/' && bytes[6] == b'/' && matches!(bytes[11], b':' | b' ');
    let month = MONTHS.iter().position(|month| inside.get(3..6) == Some(month)).filter(|_| shape)?;
    let iso = format!("{}-{:02}-{}T{}Z", inside.get(7..11)?, month + 1, inside.get(0..2)?, inside.get(12..20)?);
    let (seconds, _) = stamp(&iso)?;
    let zone = inside.get(20..26).and_then(|zone| zone.strip_prefix(' '));
    let offset = zone.and_then(|zone| {
        let minutes = number(&zone.as_bytes()[1..3])? * 60 + number(&zone.as_bytes()[3..5])?;
        match zone.as_bytes()[0] {
            b'+' => Some(minutes * 60),
            b'-' => Some(-minutes * 60),
            _ => None,
        }
    });
    Some(seconds - offset.unwrap_or(0))
}

/// The value of a field: `name=value` and `name="value"` of the console and logfmt, `"name":"value"` and `"name":1` of
/// JSON.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let found = text.match_indices(name).find_map(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let starts = before.is_empty() || before.ends_with([' ', '"', ',', '{', '\t']);
        let value = after.strip_prefix('=').or_else(|| after.strip_prefix("\":").filter(|_| before.ends_with('"')))?;
        starts.then_some(value)
    })?;
    let value = match found.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => found.split([' ', ',', '}', '"']).next(),
    };
    value.filter(|value| !value.is_empty())
}

/// `connIndex=2` of the console format, `"connIndex":2` of the JSON one.
pub(crate) fn connection_index(text: &str) -> Option<u8> {
    field(text, "connIndex")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(line: &str) -> Option<&str> {
        Line::parse(line).source
    }

    #[test]
    fn prefixes_of_both_composes_and_bare_lines() {
        assert_eq!(source("mcp-proxy-1    | x"), Some("mcp-proxy"));
        assert_eq!(source("cloudflared_1  | x"), Some("cloudflared"));
        assert_eq!(source("mcp-tunnel-cloudflared-1 | x"), Some("mcp-tunnel-cloudflared"));
        assert_eq!(source("my.gateway | x"), Some("my.gateway"));
        assert_eq!(source("web2 |x"), Some("web2"));
        assert_eq!(source("|  DNS Resolution  region1  FAIL |"), None);
        assert_eq!(source("2026-11-22T20:45:19Z INF a | b"), None);
        assert_eq!(Line::parse("a-1  |").text, "");
    }

    #[test]
    fn time_stamps_of_compose_viewers_and_programs() {
        let at = 1_795_380_319; // 2026-11-22T20:45:19Z
        for line in [
            "2026-11-22T20:45:19Z INF Starting tunnel",
            "cloudflared-1  | 2026-11-22T20:45:19.194122851Z 2026-11-22T20:45:19Z INF Starting tunnel",
            "2026-11-22 20:45:19.529961+00:002026-11-22T20:45:19Z INF Starting tunnel",
            "2026-11-22T22:45:19+02:00 INF Starting tunnel",
            "Nov 22 20:45:19 host docker[1]: 2026-11-22T20:45:19Z INF Starting tunnel",
        ] {
            let parsed = Line::parse(line);
            assert_eq!((parsed.at, parsed.console, parsed.text), (Some(at), true, "INF Starting tunnel"), "{line}");
        }
        for line in [
            "mcp-proxy-1  | time=2026-11-22T20:45:19.764Z level=INFO msg=\"route configured\"",
            "{\"time\":\"2026-11-22T20:45:19.101094214Z\",\"level\":\"INFO\"}",
            "2026/11/22 20:45:19 http: TLS handshake error from 127.0.0.1",
        ] {
            let parsed = Line::parse(line);
            assert_eq!((parsed.at, parsed.console), (Some(at), false), "{line}");
        }
        for line in [
            "mcp-1  | 172.18.0.3 - - [22/Nov/2026:22:45:19 +0200] \"POST /mcp HTTP/1.1\" 200 97",
            "mcp-1  | [22/Nov/2026 20:45:19] \"POST /mcp HTTP/1.1\" 200 97",
            "mcp-1  | [2026-11-22 20:45:19 +0000] [1] [INFO] Booting worker with pid: 9",
        ] {
            assert_eq!(Line::parse(line).at, Some(at), "{line}");
        }
        for line in
            ["[22/Nov/2026", "[22/Nov/2026:20:45:1\u{e4} x", "[22/XXX/2026:20:45:19]", "[", "[99/Nov/2026:20:45:19]"]
        {
            assert_eq!(Line::parse(line).at, None, "{line}");
        }
        assert_eq!(Line::parse("2026-99-22T20:45:19Z INF x").at, None);
        assert_eq!(Line::parse("no stamp").at, None);
    }

    #[test]
    fn control_sequences_and_line_ends_go() {
        let line = plain(b"\x1b[2K\x1b[36mmcp-proxy-1  |\x1b[0m x\r\n");
        assert_eq!(&*line, b"mcp-proxy-1  | x");
        assert_eq!(&*plain(b"\x1b[12"), b"");
        assert_eq!(&*plain(b"\x1b"), b"\x1b");
    }

    #[test]
    fn fields_of_the_formats() {
        let console = "ERR x error=\"a b\" connIndex=2 event=1 host=h";
        let json = r#"{"connIndex":2,"error":"a b","host":"h","status":502}"#;
        for line in [console, json] {
            assert_eq!((field(line, "error"), field(line, "host")), (Some("a b"), Some("h")), "{line}");
            assert_eq!(connection_index(line), Some(2), "{line}");
            assert_eq!(field(line, "ost"), None, "{line}");
        }
        assert_eq!(field(json, "status"), Some("502"));
    }
}
