//! Calls that came to a server, and how it answered: which paths answer, which sessions were lost.

use super::access::Access;
use super::line::Line;
use super::patterns::Pattern;
use super::patterns::answers;

/// Paths that are remembered.
const MOST_PATHS: usize = 16;
/// Sessions that are lost in one life before it is more than a client that comes back late.
const LOSSES: u32 = 3;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallLine {
    /// When.
    pub(crate) at: Option<i64>,
    /// HTTP status of the answer; `None` while the line says only that the call began.
    pub(crate) status: Option<u16>,
    pub(crate) text: String,
}

/// The last line that says that a session is gone.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) number: u64,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    /// Nothing: a probe, a health check, a client that begins another session.
    Nothing,
    Passed,
    Failed(&'static Pattern),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    /// One was answered.
    pub(crate) passed: bool,
    /// When the last one came to the proxy.
    pub(crate) called: Option<i64>,
    /// The last line about one, whatever became of it.
    pub(crate) last: Option<CallLine>,
    /// Calls that ended with an error of the server's, 5xx.
    errors: u32,
    paths: Vec<String>,
    starts: u32,
    losses: u32,
    /// The server itself printed how it answered a call.
    told: bool,
    lost: Option<Loss>,
    /// The program said that a session is gone, and its answer comes next.
    announced: bool,
}

/// Whether a path is asked for by browsers, monitors and clients that look for OAuth, and not by calls.
pub(super) fn is_probe(access: &Access<'_>) -> bool {
    let route = access.route();
    let known = ["/.well-known/", "/favicon", "/robots.txt", "/health", "/ready", "/live", "/metrics", "/ping"];
    let discovery = access.status >= 400 && (route == "/register" || route == "/" && access.method != "POST");
    // What scanners of the internet look for.
    let scan =
        [".php", ".asp", ".aspx", ".cgi", ".env"].iter().any(|end| route.ends_with(end)) || route.contains("/wp-");
    access.own
        || discovery
        || scan
        || known.iter().any(|front| route.starts_with(front))
        || matches!(access.method, "HEAD" | "OPTIONS")
}

impl Calls {
    /// A server says that it listens.
    pub(crate) fn began(&mut self) {
        self.starts = self.starts.saturating_add(1);
        self.announced = false;
    }

    /// A server says that it does not know a session.
    pub(crate) fn session_gone(&mut self, number: u64, line: &Line<'_>) {
        // Where no answers are printed, the same words are the next loss.
        let words = |text: &str| -> Vec<String> {
            let plain = text.split_whitespace().filter(|word| !word.bytes().any(|b| b.is_ascii_digit()));
            plain.map(str::to_owned).collect()
        };
        self.announced &= self.lost.as_ref().is_none_or(|lost| words(&lost.text) != words(line.text));
        self.lose(number, line);
        self.announced = true;
    }

    fn lose(&mut self, number: u64, line: &Line<'_>) {
        if std::mem::take(&mut self.announced) {
            return;
        }
        self.losses = self.losses.saturating_add(1);
        self.lost = Some(Loss { number, text: line.text.to_owned() });
    }

    /// The proxy passed an answer on.
    pub(crate) fn passed_on(&mut self, status: u16, line: &Line<'_>) {
        self.see(Some(status), line);
        if !(300..400).contains(&status) && status < 400 {
            self.passed = true;
        }
    }

    /// Remembers a line about a call; without a status the call began at the proxy.
    pub(crate) fn see(&mut self, status: Option<u16>, line: &Line<'_>) {
        if status.is_none() {
            self.called = line.at;
        }
        let last = self.last.get_or_insert_with(CallLine::default);
        // A line that was pasted twice is one call.
        let is_error = status.is_some_and(|status| status >= 500);
        self.errors = self.errors.saturating_add(u32::from(is_error && last.text != line.text));
        (last.at, last.status) = (line.at, status);
        last.text.clear();
        last.text.push_str(line.text);
    }

    /// Whether no call was answered, and several ended with an error of the server's.
    pub(crate) fn only_fail(&self) -> bool {
        !self.passed && self.errors > 1
    }

    /// Whether the server's own lines say what became of calls.
    pub(crate) fn tells(&self) -> bool {
        self.told || self.lost.is_some()
    }

    pub(crate) fn serves(&self, path: &str) -> bool {
        self.paths.iter().any(|served| served == path)
    }

    fn remember(&mut self, path: &str) {
        if !self.serves(path) && self.paths.len() < MOST_PATHS {
            self.paths.push(path.to_owned());
        }
    }

    pub(crate) fn take(&mut self, access: &Access<'_>, number: u64, line: &Line<'_>) -> Meaning {
        if is_probe(access) {
            return Meaning::Nothing;
        }
        let (route, post) = (access.route(), access.method == "POST");
        let mcp = post || route.contains("/mcp") || route.contains("/sse");
        let served = self.serves(route);
        if mcp {
            self.told = true;
            self.see(Some(access.status), line);
        }
        match access.status {
            200..=299 if mcp => {
                self.announced = false;
                self.passed = true;
                self.remember(route);
                Meaning::Passed
            }
            // It answered there before: the session is gone, not the path.
            400 | 404 if post && (served || self.announced) => {
                // A server that knows of sessions there answers there.
                self.remember(route);
                self.lose(number, line);
                Meaning::Nothing
            }
            // The older transport, tried by a client that then finds the other one.
            404 | 405 if (!post || route == "/sse") && self.passed => Meaning::Nothing,
            404 if route == "/mcp" && post => Meaning::Failed(&answers::NOT_AT_MCP),
            404 if post || route == "/sse" => Meaning::Failed(&answers::NOT_FOUND),
            // A browser or a monitor: calls are answered.
            400 | 406 if !post && self.passed => Meaning::Nothing,
            406 if served => Meaning::Nothing,
            406 if mcp => Meaning::Failed(&answers::NOT_ACCEPTABLE),
            405 if !post => Meaning::Nothing,
            301 | 302 | 307 | 308 if post => Meaning::Failed(answers::redirect(route, line.text)),
            400..=599 if mcp => Meaning::Failed(refused_by(access.status).unwrap_or(&answers::BAD_REQUEST)),
            _ => Meaning::Nothing,
        }
    }

    /// The last lost session, and how many: none ever worked (`passed` says that one did elsewhere), or they are lost
    /// again and again in one life.
    pub(crate) fn lost_sessions(&self, passed: bool) -> Option<(u32, &Loss)> {
        let again = self.losses >= LOSSES && self.starts <= 1;
        self.lost.as_ref().filter(|_| !passed && !self.passed || again).map(|loss| (self.losses, loss))
    }
}

/// What a status that refuses a call means, where it means one thing whatever was asked for.
pub(crate) fn refused_by(status: u16) -> Option<&'static Pattern> {
    match status {
        401 => Some(&answers::UNAUTHORIZED),
        403 => Some(&answers::FORBIDDEN),
        405 => Some(&answers::METHOD),
        413 => Some(&answers::TOO_LARGE),
        415 => Some(&answers::MEDIA_TYPE),
        421 => Some(&answers::MISDIRECTED),
        429 => Some(&answers::TOO_MANY),
        500..=599 => Some(&answers::FAILED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleId;

    /// What the answers of a server add up to: the rule of each, and the sessions lost.
    fn calls(lines: &[&str]) -> (Vec<Option<RuleId>>, u32) {
        let mut calls = Calls::default();
        let mut rules = Vec::new();
        for text in lines {
            let line = Line::parse(text);
            let access = Access::read(line.text).unwrap();
            rules.push(match calls.take(&access, 1, &line) {
                Meaning::Failed(pattern) => pattern.rule,
                Meaning::Nothing | Meaning::Passed => None,
            });
        }
        (rules, calls.lost_sessions(false).map_or(0, |(count, _)| count))
    }

    #[test]
    fn a_404_is_a_lost_session_where_the_path_answered_before() {
        let (rules, lost) = calls(&["POST /mcp 200 1", "POST /mcp 404 1", "POST /mcp 200 1"]);
        assert_eq!((rules, lost), (vec![None; 3], 0));
        let again = ["POST /mcp 200 1", "POST /mcp 404 1", "POST /mcp 200 1", "POST /mcp 404 1", "POST /mcp 400 1"];
        assert_eq!(calls(&again).1, 3);
        assert_eq!(calls(&["POST /mcp 404 1"]).0, [Some(RuleId::UpstreamPath404)]);
        let mut announced = Calls::default();
        announced.session_gone(1, &Line::parse("Session not found"));
        let answer = || (Line::parse("POST /mcp 404 1"), Access::read("POST /mcp 404 1").unwrap());
        for _ in 0..2 {
            let (line, access) = answer();
            assert!(matches!(announced.take(&access, 2, &line), Meaning::Nothing), "the path is there");
        }
        assert_eq!(calls(&["POST /mcp 200 1", "POST / 404 1"]).0[1], Some(RuleId::UpstreamPath404));
    }

    #[test]
    fn the_older_transport_is_tried_and_not_found() {
        let found = ["POST /mcp 200 1", "GET /sse 404 1", "POST /sse 404 1", "GET /mcp 405 1", "GET /mcp 406 1"];
        assert_eq!(calls(&found).0, [None; 5]);
        assert_eq!(calls(&["GET /sse 404 1"]).0, [Some(RuleId::UpstreamPath404)]);
    }

    #[test]
    fn each_status_has_its_meaning() {
        for (line, rule) in [
            ("POST /mcp 401 1", RuleId::UpstreamNeedsCredential),
            ("POST /mcp 403 1", RuleId::UpstreamForbidden),
            ("POST /mcp 405 1", RuleId::UpstreamMethod),
            ("POST /mcp 406 1", RuleId::UpstreamNotAcceptable),
            ("GET /mcp 406 1", RuleId::UpstreamNotAcceptable),
            ("POST /mcp 421 1", RuleId::UpstreamHostRejected),
            ("POST /mcp 413 1", RuleId::UpstreamBadRequest),
            ("POST /mcp 429 1", RuleId::UpstreamBadRequest),
            ("POST /mcp 307 1", RuleId::UpstreamSlash307),
            ("POST /mcp 400 1", RuleId::UpstreamBadRequest),
            ("POST /mcp 500 1", RuleId::UpstreamFailed),
        ] {
            assert_eq!(calls(&[line]).0, [Some(rule)], "{line}");
        }
        for line in [
            "POST /xmlrpc.php 404 1",
            "GET /.well-known/x 404 1",
            "POST /register 404 1",
            "GET / 404 1",
            "GET /health 503 1",
        ] {
            assert_eq!(calls(&[line]).0, [None], "{line}");
        }
    }
}
