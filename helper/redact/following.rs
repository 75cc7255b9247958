//! Values on the line behind their names: block scalars, texts in three quotes, flags in a list, parts of a form.

use super::letters::{QUOTES, is_blank, name_before};
use super::text::{REDACTED, Range};
use super::words::is_secret;

/// Lines of a text that may follow: a key in PEM has no more.
const MOST: usize = 80;

/// What follows, line by line.
#[derive(Debug, Default)]
pub(super) struct Following {
    awaits: Awaits,
    left: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaits {
    #[default]
    Nothing,
    /// The next line that is not empty.
    Line,
    /// All lines that are indented deeper.
    Block(usize),
    /// All up to three quotes.
    Text(&'static str),
    /// What is behind the empty line that ends the headers of a part.
    Part,
}

/// The values in a text of several lines.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    if !text.contains('\n') {
        return Vec::new();
    }
    let mut following = Following::default();
    let mut at = 0;
    let mut ranges = Vec::new();
    for line in text.split_inclusive('\n') {
        ranges.extend(following.take(line).map(|(start, end)| (at + start, at + end)));
        at += line.len();
    }
    ranges
}

impl Following {
    /// Takes the next line. What of it is a value.
    pub(super) fn take(&mut self, line: &str) -> Option<Range> {
        let bare = line.trim();
        let value = match self.awaits {
            Awaits::Nothing => false,
            _ if bare.is_empty() && self.awaits != Awaits::Part => return None,
            Awaits::Line => {
                self.awaits = Awaits::Nothing;
                !is_flag(bare)
            }
            Awaits::Block(indent) => indent_of(line) > indent,
            Awaits::Text(quotes) => {
                if bare.contains(quotes) {
                    self.awaits = Awaits::Nothing;
                }
                true
            }
            Awaits::Part => {
                if bare.is_empty() {
                    self.awaits = Awaits::Line;
                }
                return None;
            }
        };
        self.left = self.left.saturating_sub(1);
        if !value || self.left == 0 {
            (self.awaits, self.left) = (opened(line), MOST);
        }
        let content = line.trim_start().trim_start_matches("- ").trim_start_matches(QUOTES);
        let start = line.len() - content.len();
        let content = content.trim_end().trim_end_matches([',', '"', '\'']);
        (value && !content.is_empty() && content != REDACTED).then_some((start, start + content.len()))
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether an item of a list is a flag: no value of another one.
fn is_flag(line: &str) -> bool {
    line.trim_start_matches("- ").trim_start_matches(|c| is_blank(c) || QUOTES.contains(&c)).starts_with("--")
}

/// What is awaited behind a line.
fn opened(line: &str) -> Awaits {
    let bare = line.trim();
    let is_named = |front: &str| {
        let front = front.trim_end();
        let named =
            front.strip_suffix([':', '=']).map(|front| front.trim_end_matches(|c| is_blank(c) || QUOTES.contains(&c)));
        named.is_some_and(|named| is_secret(name_before(named)))
    };
    for quotes in ["\"\"\"", "'''"] {
        if bare.strip_suffix(quotes).is_some_and(is_named) {
            return Awaits::Text(quotes);
        }
    }
    let front = bare.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    if front.strip_suffix(['|', '>']).is_some_and(|front| front.ends_with(is_blank) && is_named(front)) {
        return Awaits::Block(indent_of(line));
    }
    // `["password"]=>` of PHP, `password: Some(` of Rust.
    let front = bare.strip_suffix("=>").map(|front| front.trim_end().trim_end_matches(']').trim_end_matches(QUOTES));
    if front.is_some_and(|front| is_secret(name_before(front))) {
        return Awaits::Line;
    }
    let front =
        bare.strip_suffix('(').map(|front| front.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    if front.is_some_and(is_named) {
        return Awaits::Line;
    }
    let item = bare.trim_start_matches("- ").trim_matches(|c| QUOTES.contains(&c) || c == ',');
    if item.starts_with("--")
        && item.trim_start_matches('-') == name_before(item).trim_start_matches('-')
        && is_secret(item)
    {
        return Awaits::Line;
    }
    let part = bare.find("form-data").and_then(|at| Some(bare[at..].split_once("name=")?.1.trim_start_matches(QUOTES)));
    let part = part.and_then(|name| name.split(QUOTES).next());
    if part.is_some_and(is_secret) { Awaits::Part } else { Awaits::Nothing }
}

#[cfg(test)]
mod tests {
    use super::super::Lines;
    use super::super::gate::foreign;

    #[test]
    fn the_value_on_the_next_line_goes() {
        for said in [
            "password: |\n  s3cr3t",
            "  password: >-\n\n    a s3cr3t\n    b s3cr3t",
            "[auth]\npassword = \"\"\"\ns3cr3t\"\"\"",
            "  - \"--password\"\n  - \"s3cr3t\"",
            "  - --api-key\n  - s3cr3t",
            "  \"--token\",\n  \"s3cr3t\"",
            "  [\"password\"]=>\n  string(20) \"s3cr3t\"",
            "password: Some(\n    \"s3cr3t\",\n),",
            "Content-Disposition: form-data; name=\"password\"\n\ns3cr3t\n--b",
        ] {
            let mut lines = Lines::default();
            said.lines().for_each(|line| lines.push("", line));
            let shown: Vec<String> = lines.finish().collect();
            let shown = shown.join("\n");
            assert!(!shown.contains("s3cr3t"), "{said}: {shown}");
            assert!(!foreign(said).contains("s3cr3t"), "{said}: {}", foreign(said));
            let mut lines = Lines::default();
            shown.lines().for_each(|line| lines.push("", line));
            assert_eq!(lines.finish().collect::<Vec<_>>().join("\n"), shown);
        }
    }

    #[test]
    fn the_next_line_of_others_stays() {
        for said in [
            "password: |\nuser: me",
            "  - --password\n  - --port\n  - \"80\"",
            "  - --port\n  - \"80\"",
            "note: |\n  a line",
            "Content-Disposition: form-data; name=\"user\"\n\nme",
            "password: |\n  [redacted]\nuser: me",
        ] {
            let mut lines = Lines::default();
            said.lines().for_each(|line| lines.push("", line));
            assert_eq!(lines.finish().collect::<Vec<_>>().join("\n"), said);
        }
    }
}
