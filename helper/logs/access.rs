//! Lines in which a server says how it answered a call: uvicorn, the common log format, morgan, gin, chi, and loggers
//! that write fields.

use std::net::IpAddr;

use super::line::field;

const METHODS: [&str; 7] = ["POST", "GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"];
const PATHS: [&str; 7] = ["path", "url", "uri", "request_uri", "http.target", "http.path", "url.path"];
const STATUSES: [&str; 6] = ["status", "statusCode", "status_code", "http.status_code", "response_code", "code"];

/// One call and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access<'a> {
    /// `POST`, `GET`, ….
    pub(crate) method: &'a str,
    /// Path, with its query.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// Whether the container called itself: a health check.
    pub(crate) own: bool,
}

/// A call without its answer yet.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    method: &'static str,
    path: String,
}

impl Begun {
    /// `Started POST "/mcp" for 172.18.0.3 at …` of Rails, `[info] POST /mcp` of Phoenix.
    pub(crate) fn read(text: &str) -> Option<Self> {
        // To look whether a text is there is cheaper than to split at it.
        let split = |at: &str| text.contains(at).then(|| text.split_once(at)).flatten();
        let rails = split("Started ").filter(|(_, rest)| rest.contains(" for "));
        let phoenix = || split("[info] ").filter(|(_, rest)| rest.split_whitespace().count() == 2);
        let (method, rest) = method(rails.or_else(phoenix)?.1)?;
        let path = path(rest.split_whitespace().next()?)?.to_owned();
        Some(Self { method, path })
    }
}

impl<'a> Access<'a> {
    /// Reads a line, behind prefix and time stamps.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (method, path, status) = quoted(text)
            .or_else(|| gin(text))
            .or_else(|| fields(text))
            .or_else(|| words(text))
            .or_else(|| ktor(text))?;
        let own = text.contains(" 127.0.0.1:") || text.starts_with("127.0.0.1 ") || text.starts_with("::1 ");
        let own = own || text.contains("::ffff:127.0.0.1");
        (100..600).contains(&status).then_some(Self { method, path, status, own })
    }

    /// The answer to a call that an earlier line names, in the words of Rails and Phoenix.
    pub(crate) fn ended(text: &str, begun: &'a Begun) -> Option<Self> {
        let (at, word) = ["Completed ", "Sent "].iter().find_map(|word| Some((text.find(word)?, word)))?;
        let rest = &text[at + word.len()..];
        let status = status(rest.split(' ').next()?).filter(|_| rest.contains(" in "))?;
        (100..600).contains(&status).then_some(Self { method: begun.method, path: &begun.path, status, own: false })
    }

    /// The address that a line names as the caller's: the first in it.
    pub(crate) fn client(text: &str) -> Option<IpAddr> {
        let words = text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':')));
        words.filter(|word| word.contains('.')).find_map(|word| {
            let without_port = || word.rsplit_once(':').and_then(|(host, _)| host.parse().ok());
            word.parse().ok().or_else(without_port).map(|address: IpAddr| address.to_canonical())
        })
    }

    /// The path without its query.
    pub(crate) fn route(&self) -> &'a str {
        self.path.split('?').next().unwrap_or(self.path)
    }
}

fn status(word: &str) -> Option<u16> {
    (word.len() == 3).then(|| word.parse().ok()).flatten()
}

/// The method that a text begins with, and what is behind it.
fn method(text: &str) -> Option<(&'static str, &str)> {
    let capital = text.starts_with(|c: char| c.is_ascii_uppercase());
    METHODS.iter().filter(|_| capital).find_map(|method| Some((*method, text.strip_prefix(method)?.strip_prefix(' ')?)))
}

/// A path, also if a whole URL is in its place.
fn path(word: &str) -> Option<&str> {
    let word = word.trim_matches('"');
    if let Some((_, rest)) = word.split_once("://") {
        return rest.find('/').map(|at| &rest[at..]);
    }
    word.starts_with('/').then_some(word)
}

/// `"POST /mcp HTTP/1.1" 404 Not Found`, `"POST http://host/mcp HTTP/1.1" from 1.2.3.4:5 - 404 19B`.
fn quoted(text: &str) -> Option<(&str, &str, u16)> {
    let (at, _) = text.match_indices('"').find(|(at, _)| method(&text[at + 1..]).is_some())?;
    let (method, rest) = method(&text[at + 1..])?;
    let (request, after) = rest.split_once('"')?;
    let path = path(request.split(' ').next()?)?;
    let direct = after.split_whitespace().next().and_then(status);
    let behind = || after.split_once(" - ").and_then(|(_, rest)| rest.split_whitespace().next()).and_then(status);
    Some((method, path, direct.or_else(behind)?))
}

/// `[GIN] 2026/11/26 - 04:01:21 | 404 | 1.2ms | 172.18.0.3 | POST     "/mcp"`.
fn gin(text: &str) -> Option<(&str, &str, u16)> {
    let rest = text.strip_prefix("[GIN]")?;
    let mut cells = rest.split('|').map(str::trim);
    let status = cells.nth(1).and_then(status)?;
    let (method, rest) = method(cells.next_back()?)?;
    Some((method, path(rest.trim())?, status))
}

fn fields(text: &str) -> Option<(&str, &str, u16)> {
    let name = ["method", "http.method", "request_method"].iter().find_map(|name| field(text, name))?;
    let method = METHODS.iter().find(|method| name.eq_ignore_ascii_case(method))?;
    let path = PATHS.iter().find_map(|name| field(text, name)).and_then(path).unwrap_or("");
    let status = STATUSES.iter().find_map(|name| field(text, name).and_then(status))?;
    Some((method, path, status))
}

/// `POST /mcp 403 1.234 ms - 97`, also behind a level, and with `->` or `-` between.
fn words(text: &str) -> Option<(&str, &str, u16)> {
    let mut words =
        text.split_ascii_whitespace().take(12).skip_while(|word| !METHODS.contains(&word.trim_start_matches('"')));
    let name = words.next()?.trim_start_matches('"');
    let method = METHODS.iter().find(|method| **method == name)?;
    let path = path(words.next()?)?;
    let mut answer = words.skip_while(|word| matches!(*word, "->" | "=>" | "-" | "→" | "status" | ":"));
    Some((method, path, answer.next().and_then(status)?))
}

/// `401 Unauthorized: POST - /mcp in 3ms`.
fn ktor(text: &str) -> Option<(&str, &str, u16)> {
    // Most lines are done with here.
    text.contains(" - ").then_some(())?;
    let (front, rest) = text.split_once(": ").into_iter().chain(text.rsplit_once(": ")).find_map(|(front, rest)| {
        let (method, rest) = method(rest)?;
        Some((front, (method, rest.strip_prefix("- ")?)))
    })?;
    let mut words = front.rsplit(' ');
    let status = words.by_ref().take(4).find_map(status)?;
    Some((rest.0, path(rest.1.split(' ').next()?)?, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(&str, &str, u16, bool)> {
        Access::read(text).map(|a| (a.method, a.path, a.status, a.own))
    }

    #[test]
    fn formats_of_servers() {
        for (line, found) in [
            ("INFO:     172.18.0.3:40102 - \"POST /mcp HTTP/1.1\" 404 Not Found", ("POST", "/mcp", 404, false)),
            ("INFO:     127.0.0.1:40102 - \"GET /health HTTP/1.1\" 200 OK", ("GET", "/health", 200, true)),
            (
                "::ffff:172.18.0.3 - - [17/Jun/2026:10:01:00 +0000] \"POST /mcp HTTP/1.1\" 403 97 \"-\" \"Claude-User\"",
                ("POST", "/mcp", 403, false),
            ),
            ("POST /mcp 403 1.234 ms - 97", ("POST", "/mcp", 403, false)),
            ("info: POST /mcp -> 401", ("POST", "/mcp", 401, false)),
            (
                "\"POST http://echo.example/mcp HTTP/1.1\" from 172.18.0.3:5 - 404 19B in 1ms",
                ("POST", "/mcp", 404, false),
            ),
            (
                "[GIN] 2026/11/26 - 04:01:21 | 404 |     1.2ms |  172.18.0.3 | POST     \"/mcp\"",
                ("POST", "/mcp", 404, false),
            ),
            (
                r#"{"level":"info","req":{"method":"POST","url":"/mcp?x=1"},"res":{"statusCode":405}}"#,
                ("POST", "/mcp?x=1", 405, false),
            ),
            ("level=INFO msg=\"request completed\" method=POST path=/mcp status=500", ("POST", "/mcp", 500, false)),
            ("[26/Nov/2026 04:01:21] \"POST /mcp HTTP/1.1\" 400 143", ("POST", "/mcp", 400, false)),
            ("07:31:02.1 [x] INFO  Application - 401 Unauthorized: POST - /mcp in 3ms", ("POST", "/mcp", 401, false)),
        ] {
            assert_eq!(read(line), Some(found), "{line}");
        }
        assert_eq!(Access::read("POST /mcp?a=b 200 1 ms").unwrap().route(), "/mcp");
    }

    #[test]
    fn an_answer_in_two_lines() {
        for (begun, ended, status) in [
            (
                "Started POST \"/mcp\" for 172.18.0.3 at 2026-11-26",
                "Completed 403 Forbidden in 1ms (Allocations: 3)",
                403,
            ),
            ("[1b2c] Started POST \"/mcp\" for 172.18.0.3 at 2026-11-26", "[1b2c] Completed 200 OK in 1ms", 200),
            ("[info] POST /mcp", "[info] Sent 202 in 3ms", 202),
        ] {
            let begun = Begun::read(begun).unwrap();
            let access = Access::ended(ended, &begun).unwrap();
            assert_eq!((access.method, access.path, access.status), ("POST", "/mcp", status));
            assert_eq!(Access::ended("Sent 3 mails in 2ms", &begun), None);
        }
        assert!(Begun::read("Started server process for 3").is_none() && Begun::read("[info] POST /mcp 200").is_none());
    }

    #[test]
    fn the_caller_of_a_line() {
        for (line, caller) in [
            ("INFO:     172.18.0.3:40102 - \"POST /mcp HTTP/1.1\" 404 Not Found", Some("172.18.0.3")),
            ("::ffff:172.18.0.3 - - [17/Jun/2026:10:01:00 +0000] \"POST /mcp HTTP/1.1\" 403 97", Some("172.18.0.3")),
            ("[GIN] 2026/11/26 - 04:01:21 | 404 |     1.2ms |  10.0.0.7 | POST     \"/mcp\"", Some("10.0.0.7")),
            ("POST /mcp 403 1.234 ms - 97", None),
        ] {
            assert_eq!(Access::client(line).map(|a| a.to_string()).as_deref(), caller, "{line}");
        }
    }

    #[test]
    fn other_lines() {
        for line in [
            "",
            "POST",
            "\"POST /mcp",
            "GET things done 200",
            "status=200",
            "\"POST /mcp HTTP/1.1\" done",
            "POST /mcp 9999",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
