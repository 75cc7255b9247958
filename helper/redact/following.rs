//! Values on the lines behind their names: block scalars, texts up to a mark, flags in a list, parts of a form, cells
//! under a header, what a server asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::columns::Columns;
use super::elements;
use super::letters::{QUOTES, is_blank, is_letter, name_before, name_length};
use super::members::is_encoded;
use super::operands::{is_mechanism, reads_secret};
use super::said::{is_made, is_one_of};
use super::sentences::is_sentence;
use super::text::{REDACTED, Range};
use super::values::is_reference;
use super::words::is_secret;
use crate::list::list;

/// Lines of a text that may follow: a key in PEM has no more.
const MOST: usize = 80;
/// A line that asks for a secret, or says that it follows, is no longer, in bytes.
const LINE: usize = 300;
/// What the value is called in a map that has a secret's name.
const LABELS: [&str; 6] = list("value default current plaintext text val");

/// What follows, line by line.
#[derive(Debug, Default)]
pub(super) struct Following {
    awaits: Awaits,
    left: usize,
    /// The lines are those of a Secret of Kubernetes.
    secret: bool,
}

#[derive(Debug, Default)]
enum Awaits {
    #[default]
    Nothing,
    /// The next line that is not empty.
    Line,
    /// One word on the next line, or members of a map that are called `value` and the like, indented deeper.
    Under(usize),
    /// All lines that are indented deeper.
    Block(usize),
    /// All up to a mark.
    Until(String),
    /// What is behind the empty line that ends the headers of a part.
    Part,
    /// The values of a Secret's data; how deep the map and its members are indented.
    Data(usize, Option<usize>),
    /// Words of base64, between what the server asks.
    Answers,
    Cells(Columns),
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
        let found = following.take(line.trim_end_matches(['\n', '\r']));
        ranges.extend(found.into_iter().map(|(start, end)| (at + start, at + end)));
        at += line.len();
    }
    ranges
}

impl Following {
    /// Takes the next line. What of it is a value.
    pub(super) fn take(&mut self, line: &str) -> Vec<Range> {
        let bare = line.trim();
        if bare.is_empty() {
            if matches!(self.awaits, Awaits::Part) {
                self.awaits = Awaits::Line;
            }
            return Vec::new();
        }
        self.note(bare);
        self.left = self.left.saturating_sub(1);
        let found = if self.left > 0 { self.values(line) } else { None };
        if found.is_none() {
            (self.awaits, self.left) = (self.opened(line), MOST);
        }
        found.unwrap_or_default()
    }

    /// Whether the lines are those of a Secret.
    fn note(&mut self, bare: &str) {
        let setting = bare.trim_start_matches(QUOTES).trim_start_matches("- ");
        if let Some(kind) = setting.strip_prefix("kind").map(|rest| rest.trim_start_matches(QUOTES)) {
            let kind = kind.trim_matches(|c: char| !c.is_alphanumeric());
            self.secret = kind == "Secret";
        } else if setting.starts_with("---") {
            self.secret = false;
        }
    }

    /// What of a line is a value; `None` if nothing that was awaited goes on.
    fn values(&mut self, line: &str) -> Option<Vec<Range>> {
        let bare = line.trim();
        let all = || Some(whole(line).into_iter().collect());
        match &mut self.awaits {
            Awaits::Nothing => None,
            Awaits::Line => {
                self.awaits = Awaits::Nothing;
                if is_flag(bare) { None } else { all() }
            }
            Awaits::Under(indent) => {
                let deeper = indent_of(line) > *indent;
                if let Some(range) = labelled(line).or_else(|| input(line)) {
                    return Some(vec![range]);
                }
                if !deeper || !matches!(opened(line), Awaits::Nothing) {
                    let word = whole(line).filter(|(start, end)| is_word(&line[*start..*end], false))?;
                    self.awaits = Awaits::Nothing;
                    return Some(vec![word]);
                }
                let word = whole(line).filter(|(start, end)| is_word(&line[*start..*end], true));
                Some(word.into_iter().collect())
            }
            Awaits::Block(indent) => (indent_of(line) > *indent).then(all).flatten(),
            Awaits::Until(mark) => {
                if bare.contains(mark.as_str()) {
                    let is_quote = mark.starts_with(['"', '\'']);
                    self.awaits = Awaits::Nothing;
                    return if is_quote { all() } else { Some(Vec::new()) };
                }
                all()
            }
            Awaits::Part => Some(Vec::new()),
            Awaits::Data(indent, members) => data(line, *indent, members, self.secret),
            Awaits::Answers => answer(line),
            Awaits::Cells(columns) => columns.row(line),
        }
    }

    /// What is awaited behind a line.
    fn opened(&self, line: &str) -> Awaits {
        let name = line.trim().trim_end_matches('{').trim_end().trim_end_matches(':').trim_matches(QUOTES);
        match name {
            "stringData" => Awaits::Block(indent_of(line)),
            "data" if line.trim() != "data" => Awaits::Data(indent_of(line), None),
            _ => opened(line),
        }
    }
}

/// The value in a line of a map of data; `None` behind it.
fn data(line: &str, indent: usize, members: &mut Option<usize>, secret: bool) -> Option<Vec<Range>> {
    let depth = indent_of(line);
    if depth <= indent || line.trim().starts_with('}') {
        return None;
    }
    let member = *members.get_or_insert(depth);
    let value = if depth > member { whole(line).filter(|_| secret) } else { setting(line).map(|(_, value)| value) };
    let goes = |(start, end): &Range| {
        let value = &line[*start..*end];
        !matches!(value, "|" | ">" | "|-" | ">-" | REDACTED) && (secret || is_encoded(value))
    };
    Some(value.filter(goes).into_iter().collect())
}

/// What a client answers in a line; `None` if it is neither that nor what the server asks.
fn answer(line: &str) -> Option<Vec<Range>> {
    let said = line.trim().trim_start_matches(['>', '<', '*']).trim_start();
    let sides = ["C:", "S:", "SMTP<<", "SMTP>>"];
    let said = sides.iter().find_map(|side| said.strip_prefix(side)).unwrap_or(said).trim();
    let start = line.trim_end().len() - said.len();
    let is_asked = said.starts_with("334") || said.starts_with('+');
    let is_answer = said.len() >= 4 && STANDARD.decode(said).is_ok();
    match (is_asked, is_answer) {
        (true, _) => Some(Vec::new()),
        (_, true) => Some(vec![(start, start + said.len())]),
        _ => None,
    }
}

/// A line without its indentation, the mark of a list's item and quotes; `None` if nothing is left.
fn whole(line: &str) -> Option<Range> {
    let content = line.trim_start().trim_start_matches("- ").trim_start_matches(QUOTES);
    let start = line.len() - content.len();
    let content = content.trim_end().trim_end_matches([',', '"', '\'']);
    (!content.is_empty() && content != REDACTED).then_some((start, start + content.len()))
}

/// The name and the value of a line that is a setting.
fn setting(line: &str) -> Option<(&str, Range)> {
    let (start, end) = whole(line)?;
    let at = start + line[start..end].find([':', '='])?;
    let name = line[start..at].trim_end().trim_end_matches(QUOTES);
    let value = line[at + 1..end].trim_start().trim_start_matches(QUOTES);
    (name_length(name) == name.len() && !name.is_empty() && !value.is_empty())
        .then_some((name, (end - value.len(), end)))
}

/// The value of a member that is called `value`, and the like.
fn labelled(line: &str) -> Option<Range> {
    let (name, (start, end)) = setting(line)?;
    let value = &line[start..end];
    let is_label = is_one_of(name, &LABELS);
    let is_empty = matches!(value, "null" | "true" | "false" | "{" | "[" | REDACTED) || is_reference(value);
    (is_label && !is_empty && !is_sentence(value)).then_some((start, end))
}

/// What pydantic says that it was given.
fn input(line: &str) -> Option<Range> {
    let start = line.find("input_value=")? + "input_value=".len();
    let length = line[start..].find(", input_type")?;
    let value = line[start..start + length].trim_matches(QUOTES);
    let start = start + line[start..start + length].find(value)?;
    (!value.is_empty() && value != REDACTED && value != "None").then_some((start, start + value.len()))
}

/// Whether a line is one word that is a value: one that is not of a language, or, `under` its name, any.
fn is_word(line: &str, under: bool) -> bool {
    let is_one = !line.contains(is_blank) && !line.ends_with([':', '{', '[', '}']) && !is_reference(line);
    is_one && (is_made(line, true) || under && !line.contains([':', '=']) && line.len() >= 4 && !is_sentence(line))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether an item of a list is a flag: no value of another one.
fn is_flag(line: &str) -> bool {
    line.trim_start_matches("- ").trim_start_matches(|c| is_blank(c) || QUOTES.contains(&c)).starts_with("--")
}

/// Whether a text ends with the name of a secret and a sign.
fn is_named(front: &str) -> bool {
    let front = front.trim_end().strip_suffix([':', '=']);
    let named = front.map(|front| front.trim_end_matches(|c| is_blank(c) || QUOTES.contains(&c)));
    named.is_some_and(|named| is_secret(name_before(named)))
}

/// What is awaited behind a line, as far as the line tells.
fn opened(line: &str) -> Awaits {
    let bare = line.trim();
    for quotes in ["\"\"\"", "'''"] {
        if bare.strip_suffix(quotes).is_some_and(is_named) {
            return Awaits::Until(quotes.to_owned());
        }
    }
    if let Some((front, mark)) = bare.rsplit_once("<<") {
        let mark = mark.trim_start_matches(['-', '~']).trim_matches(QUOTES);
        let is_mark = name_length(mark) == mark.len() && !mark.is_empty();
        if is_mark && !front.ends_with('<') && (is_named(front) || reads_secret(front)) {
            return Awaits::Until(mark.to_owned());
        }
    }
    let front = bare.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    if let Some(front) = front.strip_suffix(['|', '>']).filter(|front| front.ends_with(is_blank)) {
        // `password: !vault |`.
        let tagged = front.trim_end().rsplit_once(is_blank).filter(|(_, tag)| tag.starts_with(['!', '&']));
        if is_named(tagged.map_or(front, |(front, _)| front)) {
            return Awaits::Block(indent_of(line));
        }
    }
    // `["password"]=>` of PHP, `password: Some(` of Rust.
    let front = bare.strip_suffix("=>").map(|front| front.trim_end().trim_end_matches(']').trim_end_matches(QUOTES));
    let call =
        bare.strip_suffix('(').map(|front| front.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    if front.is_some_and(|front| is_secret(name_before(front))) || call.is_some_and(is_named) {
        return Awaits::Line;
    }
    let item = bare.trim_start_matches("- ").trim_matches(|c| QUOTES.contains(&c) || c == ',');
    if item.starts_with("--") && name_length(item) == item.len() && is_secret(item) {
        return Awaits::Line;
    }
    let part = bare.find("form-data").and_then(|at| Some(bare[at..].split_once("name=")?.1.trim_start_matches(QUOTES)));
    if part.and_then(|name| name.split(QUOTES).next()).is_some_and(is_secret) {
        return Awaits::Part;
    }
    if bare.contains("Private-Lines:") || asks(bare) {
        return Awaits::Answers;
    }
    // `set auth 0 0 20` of memcached, and `<key>Password</key>` of a plist.
    let counts = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let are_counts = |(_, rest): (&str, &str)| rest.split(' ').count() == 3 && rest.split(' ').all(counts);
    if bare.rsplit_once("set auth ").is_some_and(are_counts) || elements::names(bare) {
        return Awaits::Line;
    }
    if announces(bare) {
        return Awaits::Under(indent_of(line));
    }
    Columns::of(line).map_or(Awaits::Nothing, Awaits::Cells)
}

/// Whether a line ends with a command that logs in, and what it says first.
fn asks(bare: &str) -> bool {
    let mut words = bare.rsplit(' ').peekable();
    let is_first = words.peek().is_some_and(|word| !is_mechanism(word) && STANDARD.decode(word).is_ok());
    let mut words = words.skip(usize::from(is_first));
    words.next().is_some_and(is_mechanism) && words.next().is_some_and(|word| matches!(word, "AUTH" | "AUTHENTICATE"))
}

/// Whether a line ends where a secret begins: `The password is:`, `variable "db_password" {`, or its name alone.
fn announces(bare: &str) -> bool {
    if bare.len() > LINE {
        return false;
    }
    let named = bare.trim_end_matches([':', '{', '=', ' ']);
    let name = name_before(named.trim_end_matches(QUOTES));
    let lower = name.to_ascii_lowercase();
    let is_called = is_secret(name) && !lower.ends_with("auth") || lower.ends_with("tokens");
    if is_called && (named.len() < bare.len() || name.len() == bare.len()) {
        return true;
    }
    // `- name: DB_PASSWORD`.
    let is_name = |(label, (start, end)): (&str, Range)| {
        is_one_of(label, &["name", "key", "variable"]) && is_secret(&bare[start..end])
    };
    setting(bare).is_some_and(is_name)
        || bare.ends_with(':') && named.contains(' ') && (bare.split(|c| !is_letter(c)).any(is_secret) || is_key(named))
}

/// Whether a text ends with the two words of `API key`.
fn is_key(named: &str) -> bool {
    let mut words = named.rsplit(' ');
    let (last, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    is_one_of(last, &["key", "keys"]) && is_secret(&format!("{before}key"))
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
            "- name: DB_PASSWORD\n  value: \"s3cr3t\"",
            "variable \"db_password\" {\n  default = \"s3cr3t\"\n}",
            "Use the following password:\n\n  a1s3cr3t\n",
            "kind: Secret\nstringData:\n  a: s3cr3t",
            "AUTH LOGIN\n334 VXNlcm5hbWU6\ns3cr3tYW",
            "SMTP>> AUTH LOGIN Ym9i\nSMTP<< 334 UGFzc3dvcmQ6\nSMTP>> s3cr3tYW",
            "> set auth 0 0 20\nbob s3cr3t",
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
