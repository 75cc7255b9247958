//! One line as a viewer printed it: whose it is, when it was written, and what it says.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2_iter;

use super::journal::{self, Origin};
use super::kind::service;
use super::stamp::{common_stamp, inner_stamp, stamp};
use crate::redact::head;

/// A prefix is at most this long: a container's name and the blanks behind it.
const PREFIX: usize = 200;
/// Front of a line of a pod's container.
const POD: &[u8] = b"[pod/";

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Name of the container in front of the bar, without its number; `None` for a bare line.
    pub(crate) source: Option<&'a str>,
    /// Whose it is in a host's journal, where it is no program's of the stack.
    pub(crate) host: Option<Origin<'a>>,
    /// When it was written, in seconds since 1970.
    pub(crate) at: Option<i64>,
    /// The time stamps in front of it, unchanged.
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
        let journal = if source.is_none() { journal::front(plain) } else { None };
        let Some((origin, said)) = journal else { return Self::of(source, None, rest) };
        // A unit may run Compose, which puts its own prefix behind.
        match (prefix(said), origin) {
            ((Some(name), said), _) | ((None, said), Origin::Program(name)) => Self::of(Some(name), None, said),
            ((None, said), origin) => Self { host: Some(origin), ..Self::of(None, None, said) },
        }
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
        Self { source, host: None, at, stamps, console, text }
    }
}

/// The name in front of ` | `, as Compose 1 (`name_1 | `) and 2 (`name-1  | `) print it, or a `container_name`.
fn prefix(line: &str) -> (Option<&str>, &str) {
    match front(line.as_bytes()) {
        Some((name, rest)) => (Some(service(&line[name])), &line[rest..]),
        None => (None, line),
    }
}

/// The same for a line that is not text yet: the service, and the whole prefix.
pub(crate) fn front_of(line: &[u8]) -> (Option<&str>, &[u8]) {
    match front(line) {
        // A name is ASCII.
        Some((name, rest)) => (std::str::from_utf8(&line[name]).ok().map(service), &line[..rest]),
        None => (None, &[]),
    }
}

/// Where the name is, and where the text behind the bar begins.
fn front(bytes: &[u8]) -> Option<(Range<usize>, usize)> {
    if bytes.starts_with(POD) {
        return of_pod(bytes);
    }
    let name = bytes.iter().take(PREFIX).take_while(|b| b.is_ascii_alphanumeric() || b"._-".contains(b)).count();
    let blanks = bytes[name..].iter().take(PREFIX).take_while(|b| **b == b' ').count();
    let bar = name + blanks;
    if name == 0 || bytes.get(bar) != Some(&b'|') {
        return None;
    }
    Some((0..name, if bytes.get(bar + 1) == Some(&b' ') { bar + 2 } else { bar + 1 }))
}

/// `[pod/NAME/CONTAINER] `, as `kubectl logs --prefix` prints it: pod and container are the name.
fn of_pod(bytes: &[u8]) -> Option<(Range<usize>, usize)> {
    let name = bytes[POD.len()..].iter().take(PREFIX).take_while(|b| b.is_ascii_alphanumeric() || b"._-/".contains(b));
    let end = POD.len() + name.count();
    bytes[end..].starts_with(b"] ").then_some((POD.len()..end, end + 2))
}

fn level(text: &str) -> bool {
    ["INF ", "WRN ", "ERR ", "DBG ", "FTL "].iter().any(|level| text.starts_with(level))
}

/// cloudflared's stamp and level behind another program's prefix (journald, a cluster's log viewer).
fn buried(text: &str) -> Option<(i64, usize)> {
    let head = head(text, PREFIX);
    // Most lines are done with here.
    head.contains("Z ").then_some(())?;
    ["Z INF ", "Z WRN ", "Z ERR ", "Z DBG ", "Z FTL "].iter().find_map(|level| {
        let at = head.find(level)?;
        let start = at.checked_sub(19)?;
        let (seconds, _) = stamp(text.get(start..)?)?;
        Some((seconds, at + 2))
    })
}

/// The host behind a route, empty where the line does not tell.
pub(crate) fn upstream(text: &str) -> &str {
    let url = field(text, "upstream").and_then(|url| url.split_once("://"));
    url.and_then(|(_, rest)| rest.split(['/', ':']).next()).unwrap_or_default()
}

/// The value of a field: `name=value` and `name="value"` of the console and logfmt, `"name":"value"` and `"name":1` of
/// JSON.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (bytes, name) = (text.as_bytes(), name.as_bytes());
    let found = memchr2_iter(b'=', b':', bytes).find_map(|at| {
        let json = bytes[at] == b':';
        let key = if json { bytes[..at].strip_suffix(b"\"")? } else { &bytes[..at] };
        // Most keys differ in the last letter.
        let before = if key.last() == name.last() { key.strip_suffix(name)? } else { return None };
        let starts = match before.last() {
            Some(b'"') => true,
            Some(before) => !json && b" ,{\t".contains(before),
            None => !json,
        };
        starts.then(|| &text[at + 1..])
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

/// The domain of the first tunnel that a line names.
pub(super) fn tunnel_domain(text: &str) -> Option<&str> {
    const ZONE: &str = ".tunnel.anthropic.com";
    let at = text.find(ZONE)?;
    let label = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
    (!label.is_empty()).then(|| &text[at - label.len()..at + ZONE.len()])
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
        let pod = Line::parse("[pod/tunnel-6f7c9-x2k4q/cloudflared] 2026-11-22T20:45:19Z INF x");
        assert_eq!((pod.source, pod.text), (Some("tunnel-6f7c9-x2k4q/cloudflared"), "INF x"));
        assert_eq!((source("[pod/x"), source("[pod/x]y"), source("[pods/x/y] z")), (None, None, None));
    }

    #[test]
    fn time_stamps_of_compose_viewers_and_programs() {
        let at = 1_795_380_319; // 2026-11-22T20:45:19Z
        for line in [
            "2026-11-22T20:45:19Z INF Starting tunnel",
            "cloudflared-1  | 2026-11-22T20:45:19.194122851Z 2026-11-22T20:45:19Z INF Starting tunnel",
            "2026-11-22 20:45:19.529961+00:002026-11-22T20:45:19Z INF Starting tunnel",
            "2026-11-22T22:45:19+02:00 INF Starting tunnel",
            "2026-11-22T21:45:19+0100 pi cloudflared[1]: 2026-11-22T20:45:19Z INF Starting tunnel",
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
