//! Whether what failed was managed after all: the line says itself how the program goes on, or a later one does.

use std::collections::BTreeSet;

use super::last_words;

/// Words by which a program says that it has not got on yet.
const STILL_TRYING: [&str; 8] =
    ["retrying", "will retry", "trying again", "try again", "will try", "reconnecting", "waiting", "backing off"];

/// Words of a number of tries, in the lines of a failure and of a success.
const TRIES: [&str; 3] = ["retry", "retries", "attempt "];

/// Words of a connection that is not there, in small letters: a later one makes up for it.
const CONNECTION: [&str; 17] = [
    "econnrefused",
    "enotfound",
    "etimedout",
    "eai_again",
    "ehostunreach",
    "connection refused",
    "connection lost",
    "connection closed",
    "lost connection",
    "disconnected",
    "connect to ",
    "connection to ",
    "not reachable",
    "unreachable",
    "timed out",
    "name or service not known",
    "not connected",
];

/// Words by which a program says what it does instead: the failure is dealt with.
const INSTEAD: [&str; 19] = [
    "fallback",
    "falling back",
    "fell back",
    "using ",
    "defaulting",
    "serving stale",
    "keeping old",
    "keeping the",
    "keeping previous",
    "keeping last",
    "keeping current",
    "trying next",
    "trying another",
    "trying the next",
    "continuing",
    "non-fatal",
    "nonfatal",
    "not fatal",
    "ignored",
];

/// Words of what no other way makes up for.
const GRAVE: [&str; 4] = ["critical", "corrupt", "fatal: ", "data loss"];

/// Words by which a program says that something is done.
const WORKS: [&str; 27] = [
    "successfully",
    "succeeded",
    "success",
    "successful",
    "ok",
    "healthy",
    "ready",
    "available",
    "refreshed",
    "complete",
    "completed",
    "done",
    "synced",
    "loaded",
    "renewed",
    "reloaded",
    "updated",
    "rotated",
    "acquired",
    "authenticated",
    "working",
    "flushed",
    "delivered",
    "saved",
    "created",
    "registered",
    "started",
];

/// Words by which a program says that a connection is there.
const CONNECTS: [&str; 9] = [
    "connected",
    "reconnected",
    "established",
    "re-established",
    "restored",
    "recovered",
    "resumed",
    "reachable",
    "online",
];

/// The other side of such a connection that comes to the program by itself.
const CLIENTS: [&str; 6] = ["client", "session", "transport", "peer", "user", "websocket"];

/// Words that turn the next ones around.
const NOT: [&str; 7] = ["not", "no", "never", "isn't", "without", "until", "if"];

/// Words that many lines share and that name nothing.
const COMMON: [&str; 29] = [
    "tool",
    "tools",
    "routes",
    "connect",
    "connection",
    "connected",
    "connecting",
    "error",
    "errors",
    "failed",
    "failure",
    "fail",
    "unable",
    "could",
    "cannot",
    "with",
    "from",
    "info",
    "http",
    "https",
    "level",
    "time",
    "this",
    "that",
    "message",
    "request",
    "response",
    "server",
    "service",
];

/// Letters in which words agree that differ in their endings: `refresh`, `refreshed`.
const STEM: usize = 5;

/// What a line is about: hosts and addresses, where it names some; otherwise its words.
struct Objects<'a> {
    hosts: Vec<&'a str>,
    words: Vec<&'a str>,
}

impl<'a> Objects<'a> {
    fn of(small: &'a str) -> Self {
        let pieces = small.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/')));
        let hosts = pieces.filter_map(host).collect();
        let words = small.split(|c: char| !c.is_ascii_alphabetic());
        let words = words.filter(|word| word.len() >= 4 && !COMMON.contains(word)).collect();
        Self { hosts, words }
    }

    /// How many words of both are the same, whatever their endings.
    fn shared_words(&self, other: &Self) -> usize {
        let stems = |words: &[&'a str]| words.iter().map(|word| &word[..word.len().min(STEM)]).collect::<BTreeSet<_>>();
        stems(&self.words).intersection(&stems(&other.words)).count()
    }
}

/// The host of a URL, or of `HOST:PORT`.
fn host(piece: &str) -> Option<&str> {
    let (url, rest) = piece.split_once("://").map_or((false, piece), |(_, rest)| (true, rest));
    let host = rest.split(['/', ':']).next().filter(|host| !host.is_empty())?;
    let port =
        || rest[host.len()..].strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let name = host.contains(|c: char| c.is_ascii_alphabetic()) || host.split('.').count() == 4;
    (name && (url || port())).then_some(host)
}

fn small(text: &str) -> String {
    crate::redact::head(text, 400).to_ascii_lowercase()
}

/// Whether the program says that it tries again, or has no connection, which it makes as soon as it can.
pub(super) fn is_trying(text: &str) -> bool {
    let small = small(text);
    STILL_TRYING.iter().chain(&TRIES).chain(&CONNECTION).any(|word| small.contains(word))
}

/// Whether the program says what it does instead of what failed, in the clause behind it.
pub(super) fn is_dealt_with(text: &str) -> bool {
    let small = small(text);
    if GRAVE.iter().any(|word| small.contains(word)) {
        return false;
    }
    let clauses = small.match_indices([',', ';', ':', '(', '.']).map(|(at, _)| small[at + 1..].trim_start());
    let says = |clause: &str| {
        let clause = clause.split(['"', ';', '(', ')']).next().unwrap_or_default();
        INSTEAD.iter().any(|word| clause.starts_with(word)) && !last_words::has_failure(clause)
    };
    clauses.into_iter().any(says)
}

/// What a line that reports no error says of something that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Works {
    /// Something is done, whatever it is.
    Done,
    /// A connection is there, a try succeeded, another host answered.
    Connected,
}

pub(super) fn works(text: &str) -> Option<Works> {
    let small = small(text);
    if STILL_TRYING.iter().any(|word| small.contains(word)) {
        return None;
    }
    let words = small.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '\'')));
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    let (mut done, mut connects, mut back, mut comes, mut code) = (false, false, false, false, false);
    let mut before = ["", ""];
    while let Some(word) = words.next() {
        let turned = || before.iter().any(|word| NOT.contains(word));
        let refused = words.peek().is_some_and(|next| ["false", "0", "failed"].contains(next));
        if CONNECTS.contains(&word) || WORKS.contains(&word) {
            let says = !refused && !turned();
            (done, connects) = (done || says, connects || says && CONNECTS.contains(&word));
        }
        back |= word == "up" && ["is", "are", "back"].contains(&before[1]);
        comes |= CLIENTS.contains(&word);
        code |= matches!(word, "200" | "201" | "202" | "204");
        before = [before[1], word];
    }
    // A call to another host that was answered, and not one that came through the tunnel.
    let answered = code && small.contains("://") && !small.contains(".tunnel.");
    let try_passed = done && TRIES.iter().any(|word| small.contains(word));
    if back || answered || try_passed || connects && !comes {
        return Some(Works::Connected);
    }
    done.then_some(Works::Done)
}

/// Whether a line says that it works, after another that failed: it is about the same, or about a connection where one
/// of both does not name its host. `pending`: what failed was a call of the program's own, or is tried again.
pub(super) fn is_made_up_for(failed: &str, line: &str, pending: bool) -> bool {
    let Some(works) = works(line) else { return false };
    let (failed, line) = (small(failed), small(line));
    let (failed, line) = (Objects::of(&failed), Objects::of(&line));
    if !failed.hosts.is_empty() && !line.hosts.is_empty() {
        return failed.hosts.iter().any(|host| line.hosts.contains(host));
    }
    // One word may be the part of the program that both are from, unless it is all that the first one names.
    let enough = if pending || failed.shared_words(&failed) == 1 { 1 } else { 2 };
    pending && works == Works::Connected || failed.shared_words(&line) >= enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_again() {
        for (failed, line) in [
            ("ERROR connection to redis://redis:6379 failed, retrying", "INFO connected to redis://redis:6379"),
            ("failed to refresh cache", "cache refreshed"),
            ("WARN request to https://api.github.com/x failed", "INFO request to https://api.github.com/x: 200"),
            ("ERROR token refresh failed: 401", "INFO token refreshed"),
            ("ERROR sync failed: EOF", "INFO sync complete"),
        ] {
            assert!(is_made_up_for(failed, line, false), "{failed} / {line}");
        }
        assert!(is_made_up_for("poll error: EOF (will retry)", "poll ok", true));
        assert!(!is_made_up_for("ERROR database migration failed", "INFO database connected", false));
        let dial = "ERROR dial tcp 10.0.0.5:5432: connect: connection refused";
        assert!(is_made_up_for(dial, "INFO connected to postgres", true));
        assert!(!is_made_up_for(dial, "INFO connected to postgres", false));
        for (failed, line) in [
            ("ERROR connection to redis:6379 failed", "INFO connected to postgres:5432"),
            ("ERROR migration failed, retrying", "INFO cache loaded"),
            (dial, "INFO configuration loaded"),
            (dial, "INFO client connected"),
            (dial, "POST http://wiki.abcd1234.tunnel.anthropic.com/mcp - 200"),
        ] {
            assert!(!is_made_up_for(failed, line, true), "{failed} / {line}");
        }
        for line in [
            "INFO db not ready",
            "INFO reconnecting to redis",
            "INFO disconnected",
            "connected=false",
            "starting up",
            "",
        ] {
            assert_eq!(works(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_done_instead() {
        for line in [
            "Failed to load optional plugin \"gpu\": falling back to cpu",
            "Failed to load optional plugin gpu, using cpu",
            "ERROR: [Errno 98] Address already in use, trying next port",
            "failed to refresh cache, keeping old one",
        ] {
            assert!(is_dealt_with(line), "{line}");
        }
        for line in [
            "Failed to load plugin gpu",
            "cannot connect using TLS",
            "error using token",
            "CRITICAL: the index is corrupt, using read-only mode",
            "ERROR fallback failed: no model",
            "ERROR: fallback server unreachable",
            "error: keeping the connection alive failed",
        ] {
            assert!(!is_dealt_with(line), "{line}");
        }
    }
}
