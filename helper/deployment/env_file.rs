//! `.env`, read as Compose reads it and changed value by value: every other byte stays as it was.

use std::ops::Range;

/// The tunnel's domain.
pub(crate) const DOMAIN: &str = "TUNNEL_DOMAIN";
/// The tunnel's token.
pub(crate) const TOKEN: &str = "TUNNEL_TOKEN";
/// Hash of the proxy's configuration, interpolated into a label.
pub(crate) const CONFIG_HASH: &str = "MCP_TUNNEL_CONFIG_SHA256";
/// Fingerprint of the token, interpolated into a label.
pub(crate) const TOKEN_FINGERPRINT: &str = "MCP_TUNNEL_TOKEN_FINGERPRINT";

/// One assignment: the key, its value without quotes, and where the value stands, quotes included.
#[derive(Debug, PartialEq, Eq)]
struct Assignment {
    key: String,
    value: String,
    span: Range<usize>,
}

/// The content of a `.env` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvFile {
    text: String,
}

/// Why Compose could not read the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// A quote that is opened and never closed: everything behind it is swallowed.
    #[error("line {line}: the quote that opens the value of `{key}` is never closed")]
    OpenQuote {
        /// Counted from 1.
        line: usize,
        /// Name of the variable.
        key: String,
    },
    /// A key that Compose refuses.
    #[error("line {line}: not of the form NAME=value")]
    BadLine {
        /// Counted from 1.
        line: usize,
    },
}

impl EnvFile {
    /// Takes the file's text as it is.
    pub(crate) fn new(text: String) -> Self {
        Self { text }
    }

    /// The text, to be written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The value that Compose takes: the last assignment wins, as in its own reader.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.assignments().0.into_iter().rev().find(|a| a.key == key).map(|a| a.value)
    }

    /// Names of all variables that the file sets.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.assignments().0.into_iter().map(|a| a.key).collect()
    }

    /// What Compose would stumble over.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.assignments().1
    }

    /// Sets a value: in place, wherever the key stands, or as a new last line. Says whether anything changed.
    ///
    /// `value` must be of a kind that needs no quotes: no blank, quote, `#`, `$` or line break.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> bool {
        let before = self.text.clone();
        let spans: Vec<Range<usize>> =
            self.assignments().0.into_iter().filter(|a| a.key == key).map(|a| a.span).collect();
        // Every occurrence: an old token left in a line that has no effect is a secret nobody looks after.
        for span in spans.iter().rev() {
            self.text.replace_range(span.clone(), value);
        }
        if spans.is_empty() {
            let ending = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push_str(ending);
            }
            self.text.push_str(&format!("{key}={value}{ending}"));
        }
        self.text != before
    }

    fn assignments(&self) -> (Vec<Assignment>, Vec<Fault>) {
        let text = self.text.as_str();
        let mut found = Vec::new();
        let mut faults = Vec::new();
        let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        while at < text.len() {
            let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
            let line = &text[at..end];
            let number = text[..at].matches('\n').count() + 1;
            let content = line.trim_start();
            if content.trim_end().is_empty() || content.starts_with('#') {
                at = end + 1;
                continue;
            }
            let start = at + (line.len() - content.len());
            let (start, content) = match content.strip_prefix("export").filter(|c| c.starts_with([' ', '\t'])) {
                Some(rest) => {
                    let trimmed = rest.trim_start();
                    (end - trimmed.len(), trimmed)
                }
                None => (start, content),
            };
            let Some(equals) = content.find(['=', ':']) else {
                // A bare name: Compose takes its value from the shell.
                if content.trim_end().contains([' ', '\t']) {
                    faults.push(Fault::BadLine { line: number });
                }
                at = end + 1;
                continue;
            };
            let key = content[..equals].trim_end();
            if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']')) {
                faults.push(Fault::BadLine { line: number });
                at = end + 1;
                continue;
            }
            let mut from = start + equals + 1;
            from += text[from..end].len() - text[from..end].trim_start_matches([' ', '\t']).len();
            match text[from..].chars().next().filter(|c| matches!(c, '"' | '\'')) {
                Some(quote) => match closing(&text[from + 1..], quote) {
                    Some(length) => {
                        let close = from + 1 + length;
                        let value = unescape(&text[from + 1..close], quote);
                        found.push(Assignment { key: key.to_owned(), value, span: from..close + 1 });
                        at = text[close..].find('\n').map_or(text.len(), |n| close + n + 1);
                    }
                    None => {
                        // Compose refuses the file; the span is the line, so that a new value mends it.
                        faults.push(Fault::OpenQuote { line: number, key: key.to_owned() });
                        let line = text[from..end].trim_end();
                        let span = from..from + line.len();
                        found.push(Assignment { key: key.to_owned(), value: line[1..].to_owned(), span });
                        at = end + 1;
                    }
                },
                None => {
                    let raw = &text[from..end];
                    // ` #` begins a comment, `#` inside a value does not.
                    let comment = raw
                        .char_indices()
                        .find(|(i, c)| *c == '#' && (*i == 0 || raw[..*i].ends_with([' ', '\t'])))
                        .map_or(raw.len(), |(i, _)| i);
                    let value = raw[..comment].trim_end();
                    found.push(Assignment {
                        key: key.to_owned(),
                        value: value.to_owned(),
                        span: from..from + value.len(),
                    });
                    at = end + 1;
                }
            }
        }
        (found, faults)
    }
}

/// Distance to the closing quote; in double quotes a backslash hides the next character.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut hidden = false;
    for (at, c) in text.char_indices() {
        if hidden {
            hidden = false;
        } else if c == '\\' && quote == '"' {
            hidden = true;
        } else if c == quote {
            return Some(at);
        }
    }
    None
}

fn unescape(text: &str, quote: char) -> String {
    if quote == '\'' { text.to_owned() } else { text.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, value: &str) -> String {
        let mut file = EnvFile::new(text.to_owned());
        file.set(TOKEN, value);
        file.text
    }

    #[test]
    fn values_are_read_as_compose_reads_them() {
        let get = |text: &str| EnvFile::new(text.to_owned()).get(TOKEN);
        assert_eq!(get("TUNNEL_TOKEN=abc\n"), Some("abc".into()));
        assert_eq!(get("\u{feff}TUNNEL_TOKEN=abc"), Some("abc".into()));
        assert_eq!(get("  export TUNNEL_TOKEN = abc  # why\r\n"), Some("abc".into()));
        assert_eq!(get("TUNNEL_TOKEN: abc\n"), Some("abc".into()));
        assert_eq!(get("TUNNEL_TOKEN=a#b\n"), Some("a#b".into()));
        assert_eq!(get("TUNNEL_TOKEN=\"a b\" # why\n"), Some("a b".into()));
        assert_eq!(get("TUNNEL_TOKEN='a\nb'\n"), Some("a\nb".into()));
        assert_eq!(get("TUNNEL_TOKEN=a\nTUNNEL_TOKEN=b\n"), Some("b".into()));
        assert_eq!(get("TUNNEL_TOKEN=\n"), Some(String::new()));
        assert_eq!(get("#TUNNEL_TOKEN=a\nTUNNEL_TOKEN_OLD=b\n"), None);
        assert_eq!(get("X=\"\nTUNNEL_TOKEN=inside\n\"\n"), None);
    }

    #[test]
    fn everything_but_the_value_stays_byte_for_byte() {
        assert_eq!(
            set("# c\r\nA=1\r\nTUNNEL_TOKEN=old # mine\r\nB=2", "new"),
            "# c\r\nA=1\r\nTUNNEL_TOKEN=new # mine\r\nB=2"
        );
        assert_eq!(set("export TUNNEL_TOKEN = \"old\"\nB='x\ny'\n", "new"), "export TUNNEL_TOKEN = new\nB='x\ny'\n");
        assert_eq!(set("A=1", "new"), "A=1\nTUNNEL_TOKEN=new\n");
        assert_eq!(set("A=1\r\n", "new"), "A=1\r\nTUNNEL_TOKEN=new\r\n");
        assert_eq!(set("TUNNEL_TOKEN=\nB=2\n", "new"), "TUNNEL_TOKEN=new\nB=2\n");
        assert_eq!(set("TUNNEL_TOKEN=a\nTUNNEL_TOKEN=b\n", "new"), "TUNNEL_TOKEN=new\nTUNNEL_TOKEN=new\n");
    }

    #[test]
    fn an_open_quote_is_a_fault_that_a_new_value_mends() {
        let mut file = EnvFile::new("TUNNEL_TOKEN=\"abc\nB=2\n".into());
        assert_eq!(file.faults(), [Fault::OpenQuote { line: 1, key: TOKEN.into() }]);
        assert!(file.set(TOKEN, "new"));
        assert_eq!(file.text, "TUNNEL_TOKEN=new\nB=2\n");
        assert!(file.faults().is_empty());
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named() {
        assert_eq!(
            EnvFile::new("A=1\nnot one\nB C=2\n".into()).faults(),
            [Fault::BadLine { line: 2 }, Fault::BadLine { line: 3 }]
        );
    }
}
