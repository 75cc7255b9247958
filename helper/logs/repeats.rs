//! A program that begins again and again without a word of why: its first line comes back, and it never listens.

use super::life::Kept;
use super::line::Line;

/// Lines of a life among which its first one is looked for.
const FRONT: u32 = 20;
/// Bytes of a line that are compared.
const COMPARED: usize = 200;
/// Digits of a moment: a version has fewer.
const DIGITS: usize = 4;

/// The first line of a life that never listened or answered a call, and how often it was printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    /// The line, and what is compared of it.
    first: Option<(Kept, String)>,
    pub(crate) times: u32,
    seen: u32,
    between: bool,
}

impl Repeats {
    /// Takes a line of a program that did not say that it listens.
    pub(super) fn take(&mut self, number: u64, line: &Line<'_>) {
        let text = crate::redact::head(line.text, COMPARED);
        match &self.first {
            None if self.seen < FRONT => {
                self.seen += 1;
                if is_start(text) {
                    self.first = Some((Kept::of(number, line.at, line.text.as_bytes()), masked(text)));
                    (self.times, self.between) = (1, false);
                }
            }
            None => {}
            Some((kept, first)) => {
                let alike = text.len().abs_diff(kept.text.len().min(COMPARED)) <= DIGITS;
                if alike && masked(text) == *first {
                    self.times += u32::from(self.between);
                    self.between = false;
                } else {
                    self.between = true;
                }
            }
        }
    }

    /// The first line.
    pub(super) fn first(&self) -> Option<&Kept> {
        self.first.as_ref().map(|(kept, _)| kept)
    }
}

/// Whether a program that serves introduces itself: it says that it starts, or its name and version.
fn is_start(text: &str) -> bool {
    let small = text.to_ascii_lowercase();
    let words = || small.split(|c: char| !c.is_ascii_alphanumeric());
    let has = |names: &[&str]| words().any(|word| names.contains(&word));
    let begins = has(&["starting", "booting", "launching", "initializing", "initialising"]);
    let begins = begins || small.contains("started server process");
    let version = || small.split([' ', '"', ',', 'v', '/', '(', ')', '@']).any(is_version);
    // What comes for each caller and for each piece of work, and what tells a state.
    let parts = [
        "session",
        "client",
        "request",
        "connection",
        "transport",
        "tool",
        "worker",
        "job",
        "task",
        "child",
        "sync",
        "ready",
        "heartbeat",
        "alive",
        "healthy",
        "status",
        "ok",
        "running",
        "online",
    ];
    has(&["server", "mcp", "application", "app", "service"]) && (begins || version()) && !has(&parts)
}

fn is_version(word: &str) -> bool {
    word.split('.').count() >= 2
        && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// A line without the words that tell moments: a process's number stays.
fn masked(text: &str) -> String {
    let is_moment = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        digits >= DIGITS && (digits > 2 * DIGITS || word.contains([':', '.', '-', '/']))
    };
    let cut = |c: char| matches!(c, ' ' | '"' | ',' | '=' | '[' | ']' | '(' | ')');
    text.split(cut).map(|word| if is_moment(word) { "0" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(lines: &[&str]) -> u32 {
        let mut repeats = Repeats::default();
        lines.iter().zip(1..).for_each(|(text, number)| repeats.take(number, &Line::of(None, None, text)));
        repeats.times
    }

    #[test]
    fn first_lines_that_come_back() {
        assert_eq!(times(&["Wiki MCP server 1.4.2", "loading", "Wiki MCP server 1.4.2", "loading"]), 2);
        let json = |at: u32| format!("{{\"ts\":17323087{at}.1,\"msg\":\"starting wiki-mcp\"}}");
        let lines = [json(61), "x".into(), json(72), "x".into(), json(83)];
        assert_eq!(times(&lines.iter().map(String::as_str).collect::<Vec<_>>()), 3);
        // Not what a program does again and again, and not a pasted line.
        assert_eq!(times(&["Starting job refresh", "done", "Starting job refresh", "done"]), 0);
        assert_eq!(times(&["poll the server", "ok", "poll the server"]), 0);
        assert_eq!(times(&["Starting MCP session 3", "ok", "Starting MCP session 3"]), 0);
        assert_eq!(times(&["worker 1 starting wiki-mcp", "worker 2 starting wiki-mcp"]), 0);
        assert_eq!(times(&["app heartbeat v1.2.0", "sent", "app heartbeat v1.2.0"]), 0);
        assert_eq!(times(&["Started server process [12345]", "up", "Started server process [12346]"]), 1);
        assert_eq!(times(&["Starting server", "Starting server"]), 1);
    }
}
