//! The commands of a shell's text, one after the other.

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Whether it is carried out only if another one succeeds or fails.
    pub(super) is_conditional: bool,
    /// Whether that is the one before it, which has to succeed.
    pub(super) is_chained: bool,
    /// Whether it is part of a pipeline.
    pub(super) is_piped: bool,
}

const OPENING: [&str; 5] = ["if", "while", "until", "for", "{"];
const CLOSING: [&str; 3] = ["fi", "done", "}"];
const BETWEEN: [&str; 5] = ["then", "else", "elif", "do", "!"];

/// A text while it is read.
pub(super) struct Text<'a> {
    letters: std::iter::Peekable<std::str::Chars<'a>>,
    all: Vec<Statement>,
    one: Statement,
    line: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let one = Statement { line: 1, ..Statement::default() };
        Self { letters: text.chars().peekable(), all: Vec::new(), one, line: 1 }
    }

    /// The commands; `None` where several run at once, or for what is not read: functions, `case`, here-documents.
    pub(super) fn statements(mut self) -> Option<Vec<Statement>> {
        let mut quote = None;
        while let Some(letter) = self.letters.next() {
            self.line += usize::from(letter == '\n');
            let next = self.letters.peek().copied();
            match (quote, letter) {
                (Some('\''), _) => self.put(&mut quote, letter),
                (_, '\\') => {
                    let escaped = self.letters.next()?;
                    self.line += usize::from(escaped == '\n');
                    if escaped != '\n' {
                        self.one.text.extend(['\\', escaped]);
                    }
                }
                (_, '$') if next == Some('(') => self.skip('(', ')')?,
                (_, '`') => self.skip('`', '`')?,
                (Some(_), _) => self.put(&mut quote, letter),
                (None, '#') if self.one.text.is_empty() || self.one.text.ends_with(char::is_whitespace) => {
                    while self.letters.next_if(|next| *next != '\n').is_some() {}
                }
                (None, '&' | '|') if next == Some(letter) => {
                    self.letters.next();
                    self.end();
                    self.one.is_conditional = true;
                    self.one.is_chained = letter == '&';
                }
                (None, '|') => {
                    self.one.is_piped = true;
                    self.end();
                    self.one.is_piped = true;
                }
                // `2>&1` is no second program.
                (None, '&') if self.one.text.ends_with('>') => self.one.text.push('&'),
                (None, '&' | '(') => return None,
                (None, '<') if next == Some('<') => return None,
                (None, ';' | '\n') => self.end(),
                _ => self.put(&mut quote, letter),
            }
        }
        self.end();
        nested(self.all)
    }

    fn put(&mut self, quote: &mut Option<char>, letter: char) {
        match (*quote, letter) {
            (None, '\'' | '"') => *quote = Some(letter),
            (Some(open), letter) if open == letter => *quote = None,
            _ => {}
        }
        if self.one.text.trim().is_empty() {
            self.one.line = self.line;
        }
        self.one.text.push(letter);
    }

    /// Takes the output of another command as a variable that is not known.
    fn skip(&mut self, open: char, close: char) -> Option<()> {
        let mut depth = usize::from(open == close);
        for letter in self.letters.by_ref() {
            self.line += usize::from(letter == '\n');
            if letter == close {
                depth -= 1;
            } else if letter == open {
                depth += 1;
            }
            if depth == 0 {
                self.one.text.push_str("${_}");
                return Some(());
            }
        }
        None
    }

    fn end(&mut self) {
        let one = std::mem::take(&mut self.one);
        if !one.text.trim().is_empty() {
            self.all.push(one);
        }
        self.one.line = self.line;
    }
}

/// The same without the words of conditions and loops; what is in them may not be carried out.
fn nested(all: Vec<Statement>) -> Option<Vec<Statement>> {
    let mut depth = 0_usize;
    let mut plain = Vec::new();
    for mut statement in all {
        let mut rest = statement.text.trim();
        loop {
            let word = rest.split_whitespace().next().unwrap_or_default();
            if ["case", "trap", "function", "select"].contains(&word) {
                return None;
            } else if OPENING.contains(&word) {
                depth += 1;
                statement.is_conditional = true;
            } else if CLOSING.contains(&word) {
                depth = depth.checked_sub(1)?;
                statement.is_conditional = true;
            } else if !BETWEEN.contains(&word) {
                break;
            }
            // `for NAME in …` carries nothing out.
            rest = if word == "for" { "" } else { rest[word.len()..].trim_start() };
        }
        statement.is_conditional |= depth > 0;
        statement.text = rest.to_owned();
        plain.push(statement);
    }
    let is_last_open = plain.last()?.text.is_empty();
    plain.retain(|statement| !statement.text.is_empty());
    (depth == 0 && !is_last_open).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart_and_what_is_conditional_is_marked() {
        let text = "#!/bin/sh\nset -e # x\nuntil nc -z db 5432; do\n  sleep 1\ndone\nX=$(date +%s)\n[ -n \"$A\" ] && B=1\nexec serve \\\n  --port \"$P\"\n";
        let found = Text::new(text).statements().unwrap();
        let shown: Vec<(&str, usize, bool)> =
            found.iter().map(|one| (one.text.trim(), one.line, one.is_conditional)).collect();
        assert_eq!(
            shown,
            [
                ("set -e", 2, false),
                ("nc -z db 5432", 3, true),
                ("sleep 1", 4, true),
                ("X=${_}", 6, false),
                ("[ -n \"$A\" ]", 7, false),
                ("B=1", 7, true),
                ("exec serve   --port \"$P\"", 8, false),
            ]
        );
        for text in ["a & b", "f() { a; }", "case $1 in a) b;; esac", "cat <<E\nE", "if a; then b; fi"] {
            assert_eq!(Text::new(text).statements(), None, "{text}");
        }
    }
}
