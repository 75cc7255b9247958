//! How to call a program, as it prints that when it is called wrongly, or without what it needs, and then ends.

use super::life::Kept;
use super::line::Line;

/// The first line of the last such text, while nothing but that text was printed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    head: Option<Kept>,
}

impl Usage {
    pub(super) fn take(&mut self, number: u64, line: &Line<'_>) {
        if is_head(line.text) {
            self.head.get_or_insert_with(|| Kept::of(number, line.at, line.text.as_bytes()));
        } else if self.head.is_some() && !is_help(line.text) {
            self.head = None;
        }
    }

    /// Whether it is being printed.
    pub(super) fn is_open(&self) -> bool {
        self.head.is_some()
    }

    /// The first line, where nothing else was printed since.
    pub(super) fn end(&mut self) -> Option<Kept> {
        self.head.take()
    }
}

/// `Usage: server [OPTIONS]` of click, clap, Node's servers; `usage: server.py [-h]` of argparse; `Usage:` of cobra;
/// `Usage of /app/server:` of Go's flag.
fn is_head(text: &str) -> bool {
    if matches!(text.trim_end(), "Usage:" | "USAGE:") || text.starts_with("Usage of ") && text.ends_with(':') {
        return true;
    }
    let rest = ["Usage: ", "usage: "].iter().find_map(|front| text.strip_prefix(front));
    // How to call what serves is no usage of the program.
    rest.filter(|rest| !rest.contains("://")).is_some_and(|rest| {
        let mut words = rest.split_whitespace();
        let is_program = words
            .next()
            .is_some_and(|word| !word.contains(':') && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'));
        is_program && words.any(|word| word.starts_with(['[', '<', '-']) || ["COMMAND", "OPTIONS"].contains(&word))
    })
}

/// Whether a line belongs to such a text.
fn is_help(text: &str) -> bool {
    let text = text.trim_end();
    let fronts = ["Try ", "Use ", "Run ", "See ", "For more", "For help", "(Did you mean", "-"];
    text.is_empty()
        || text.starts_with([' ', '\t', '╭', '│', '╰', '┌', '└'])
        || text.ends_with(':')
        || text.contains("--help")
        || fronts.iter().any(|front| text.starts_with(front))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(lines: &[&str]) -> bool {
        let mut usage = Usage::default();
        lines.iter().zip(1..).for_each(|(text, number)| usage.take(number, &Line::of(None, None, text)));
        usage.end().is_some()
    }

    #[test]
    fn only_a_text_that_ends_the_output_counts() {
        for lines in [
            &["Usage: mcp-server-filesystem [allowed-directory] [additional-directories...]"][..],
            &["usage: server.py [-h] [--port PORT]"],
            &[
                "A server",
                "",
                "Usage:",
                "  server [command]",
                "",
                "Flags:",
                "  -h   help",
                "",
                "Use \"server --help\".",
            ],
            &["Usage of /app/server:", "  -addr string", "    \tlisten address"],
            &["Usage: server [OPTIONS]", "Try 'server --help' for help."],
        ] {
            assert!(ends(lines), "{lines:?}");
        }
        for lines in [
            &["Usage: POST /mcp with an MCP client"][..],
            &["Usage: npx inspector --url http://localhost:8000/mcp"],
            &["Usage: 12% of 2 GB", "usage: 4 [of 8] cores"],
            &["usage: server.py [-h]", "serving"],
            &["  Usage: shell [OPTIONS] COMMAND"],
            &["usage statistics: [on]", "Memory usage: [12]"],
        ] {
            assert!(!ends(lines), "{lines:?}");
        }
    }
}
