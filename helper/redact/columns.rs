//! Tables whose header names a secret: CSV, those of databases and of command lines. The cells of its column go.

use super::letters::{is_blank, name_length};
use super::text::{REDACTED, Range};
use super::values::is_reference;
use super::words::is_secret;

/// No table that is looked at is wider.
const MOST: usize = 64;

/// The columns of secrets in a table.
#[derive(Debug)]
pub(super) struct Columns {
    /// What parts two cells; `None` where they stand under each other.
    sign: Option<char>,
    count: usize,
    secret: Vec<usize>,
    /// Where the columns begin that stand under each other.
    starts: Vec<usize>,
    /// A header is one only if a rule follows it: `name | password` may be anything.
    waits: bool,
}

impl Columns {
    /// The columns that a line is the header of.
    pub(super) fn of(line: &str) -> Option<Self> {
        let is_name = |cell: &str| {
            let cell = cell.trim_matches('"');
            cell.starts_with(|c: char| c.is_ascii_alphabetic()) && name_length(cell) == cell.len()
        };
        let secret = |cells: &[Range]| {
            let said = || cells.iter().map(|(start, end)| &line[*start..*end]);
            let is_header = (2..=MOST).contains(&cells.len()) && said().all(is_name);
            let places = said().enumerate().filter(|(_, cell)| is_secret(cell.trim_matches('"')));
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            (is_header && !places.is_empty()).then_some(places)
        };
        for sign in ['\t', ',', ';', '|'] {
            let cells = cells(line, sign);
            if let Some(secret) = secret(&cells) {
                let waits = sign == '|' && !line.trim_start().starts_with('|');
                return Some(Self { sign: Some(sign), count: cells.len(), secret, starts: Vec::new(), waits });
            }
        }
        let cells = apart(line);
        let is_upper = |(start, end): &Range| !line[*start..*end].contains(|c: char| c.is_ascii_lowercase());
        let secret = secret(&cells).filter(|_| cells.iter().all(is_upper))?;
        let starts = cells.iter().map(|(start, _)| *start).collect();
        Some(Self { sign: None, count: cells.len(), secret, starts, waits: false })
    }

    /// The secrets in a row; `None` if the line is not a row.
    pub(super) fn row(&mut self, line: &str) -> Option<Vec<Range>> {
        if line.contains("--") && line.bytes().all(|b| matches!(b, b'-' | b'+' | b'|' | b':' | b' ')) {
            self.waits = false;
            return Some(Vec::new());
        }
        let cells = match self.sign {
            Some(sign) => cells(line, sign),
            None => self.under(line)?,
        };
        if self.waits || cells.len() != self.count {
            return None;
        }
        let shown = |(start, end): &Range| {
            let cell = &line[*start..*end];
            matches!(cell, "" | "NULL" | REDACTED) || is_reference(cell) || cell.bytes().all(|b| b == b'*')
        };
        Some(self.secret.iter().map(|place| cells[*place]).filter(|cell| !shown(cell)).collect())
    }

    /// What stands under the header's words.
    fn under(&self, line: &str) -> Option<Vec<Range>> {
        let ends = self.starts[1..].iter().copied().chain([line.len()]);
        let cells = self.starts.iter().copied().zip(ends);
        cells
            .map(|(start, end)| {
                let cell = line.get(start..end)?;
                let is_start = start == 0 || line[..start].ends_with(is_blank);
                let cell = is_start.then(|| cell.trim_end())?;
                let skipped = cell.len() - cell.trim_start().len();
                Some((start + skipped, start + cell.len()))
            })
            .collect()
    }
}

/// The cells of a line between signs, those in quotes whole and without them.
fn cells(line: &str, sign: char) -> Vec<Range> {
    let is_around = |c: char| c.is_whitespace() || c == '"';
    let (mut cells, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, c) in line.char_indices().chain([(line.len(), sign)]) {
        match c {
            '"' => inside = !inside,
            _ if c == sign && (!inside || at == line.len()) => {
                let cell = &line[start..at];
                let from = start + (cell.len() - cell.trim_start_matches(is_around).len());
                let to = start + cell.trim_end_matches(is_around).len();
                cells.push((from, to.max(from)));
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    // `| a | b |` has nothing outside.
    if sign == '|' && line.trim().starts_with('|') && line.trim().ends_with('|') && cells.len() > 2 {
        cells.pop();
        cells.remove(0);
    }
    cells
}

/// The words of a line that stand two blanks or more apart.
fn apart(line: &str) -> Vec<Range> {
    let (mut cells, mut at, line) = (Vec::new(), 0, line.trim_end());
    while let Some(skipped) = line[at..].find(|c| !is_blank(c)) {
        let start = at + skipped;
        at = line[start..].find("  ").map_or(line.len(), |length| start + length);
        cells.push((start, at));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::gate::foreign;

    #[test]
    fn the_cells_under_a_secret_go() {
        for (said, shown) in [
            ("user,password\nbob,s3cr3t\n\"a,b\",\"s3,cr3t\"", "user,password\nbob,[redacted]\n\"a,b\",\"[redacted]\""),
            ("name;api_key;role\nbob;s3cr3t;x", "name;api_key;role\nbob;[redacted];x"),
            (
                "| user | password |\n|---|---|\n| bob | s3cr3t |",
                "| user | password |\n|---|---|\n| bob | [redacted] |",
            ),
            (" usename | passwd \n---+---\n bob | s3cr3t", " usename | passwd \n---+---\n bob | [redacted]"),
            ("TOKEN         TTL   USE\nabc.s3cr3t    23h   x", "TOKEN         TTL   USE\n[redacted]    23h   x"),
            ("user,password\nbob,", "user,password\nbob,"),
            ("user,created\nbob,today1", "user,created\nbob,today1"),
            ("web | token\nweb | started 1", "web | token\nweb | started 1"),
            ("TOKEN  USE\u{b}\r\nb2", "TOKEN  USE\\u{b}\\r\nb2"),
            ("invalid token, retry\na, b2", "invalid token, retry\na, b2"),
        ] {
            let shown = shown.replace('\n', "\\n");
            assert_eq!(foreign(said), shown);
        }
    }
}
