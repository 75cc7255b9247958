//! Lines of a page: wrapping, tables, and no control character from foreign text.

use crate::caller::Screen;

/// ANSI SGR code for the colour of a severity.
fn code(severity: &str) -> Option<u8> {
    match severity {
        "error" => Some(31),
        "warning" => Some(33),
        "note" => Some(36),
        _ => None,
    }
}

/// Columns between those of a table.
const GAP: usize = 2;
/// A last column narrower than this is put under its row instead.
const NARROWEST: usize = 20;

/// A page that grows downwards.
pub(super) struct Page {
    screen: Screen,
    out: String,
}

impl Page {
    pub(super) fn new(screen: Screen) -> Self {
        Self { screen, out: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// One empty line, unless there is one already.
    pub(super) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A line that begins a part.
    pub(super) fn heading(&mut self, text: &str) {
        self.gap();
        self.line(&plain(text));
    }

    /// Text between an indent and the right edge.
    pub(super) fn paragraph(&mut self, indent: usize, text: &str) {
        self.hanging(&" ".repeat(indent), indent, text);
    }

    /// Wrapped text whose first line begins with `first`, and the others with `indent` spaces.
    fn hanging(&mut self, first: &str, indent: usize, text: &str) {
        let room = self.screen.width.saturating_sub(indent).max(NARROWEST);
        self.lines(first.to_owned(), indent, room, text);
    }

    fn lines(&mut self, mut begin: String, indent: usize, room: usize, text: &str) {
        for line in text.split('\n').flat_map(|line| wrap(&plain(line), room)) {
            self.line(&format!("{begin}{line}"));
            begin = " ".repeat(indent);
        }
    }

    pub(super) fn item(&mut self, mark: &str, text: &str) {
        let first = format!("  {mark} ");
        self.hanging(&first, first.len(), text);
    }

    pub(super) fn labelled(&mut self, label: &str, severity: &str, text: &str) {
        let label = plain(label);
        let room = self.screen.width.saturating_sub(columns(&label) + 1).max(NARROWEST);
        let painted = match code(severity).filter(|_| self.screen.colour) {
            Some(code) => format!("\u{1b}[{code}m{label}\u{1b}[0m"),
            None => label,
        };
        self.lines(format!("{painted} "), 4, room, text);
    }

    /// A named part of a finding.
    pub(super) fn field(&mut self, name: &str, text: &str) {
        self.hanging(&format!("    {:7}", format!("{name}:")), 11, text);
    }

    /// Lines as they are, for copying: never wrapped.
    pub(super) fn verbatim(&mut self, indent: usize, text: &str) {
        for line in text.trim_end_matches('\n').split('\n') {
            self.line(&format!("{}{}", " ".repeat(indent), plain(line)));
        }
    }

    /// A table behind an empty line, or with a line of its own above; nothing without rows.
    pub(super) fn part(&mut self, heading: &str, headings: &[&str], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        if heading.is_empty() {
            self.gap()
        } else {
            self.heading(heading)
        }
        self.table(headings, rows);
    }

    /// A list, under a line of its own where it has one; nothing without items.
    pub(super) fn list<'t>(&mut self, heading: &str, items: impl IntoIterator<Item = &'t str>) {
        for (at, item) in items.into_iter().enumerate() {
            if at == 0 && !heading.is_empty() {
                self.heading(heading);
            }
            self.item("-", item);
        }
    }

    /// Rows of cells, the last of which wraps. Headings only where there are some.
    pub(super) fn table(&mut self, headings: &[&str], rows: Vec<Vec<String>>) {
        let mut rows: Vec<Vec<String>> =
            rows.into_iter().map(|row| row.iter().map(|cell| plain(&cell.replace('\n', " "))).collect()).collect();
        if !headings.is_empty() {
            rows.insert(0, headings.iter().map(|heading| (*heading).to_owned()).collect());
        }
        let count = rows.iter().map(Vec::len).max().unwrap_or_default();
        let Some(last) = count.checked_sub(1) else { return };
        let width_of =
            |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..last).map(width_of).collect();
        let indent = GAP + widths.iter().map(|width| width + GAP).sum::<usize>();
        let is_roomy = indent + NARROWEST.min(width_of(last)) <= self.screen.width;
        for row in &rows {
            let mut first = " ".repeat(GAP);
            for (cell, width) in row.iter().zip(&widths) {
                first.push_str(cell);
                first.push_str(&" ".repeat(width.saturating_sub(columns(cell)) + GAP));
            }
            let cell = row.get(last).map_or("", String::as_str);
            if is_roomy {
                self.hanging(&first, indent, cell);
            } else {
                let first = row[..row.len().min(last)].join("  ");
                self.hanging("  ", 2 * GAP, &first);
                self.hanging("    ", 2 * GAP, cell);
            }
        }
    }
}

/// Columns that a text takes: East Asian wide characters take two, combining ones none.
pub(super) fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Control characters and what reorders or hides text, made visible.
fn plain(text: &str) -> String {
    let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            c if c.is_control() || hides(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Lines of at most so many columns. A word that is longer, and what is between backquotes, stays whole: a command that
/// breaks cannot be copied.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        if !line.is_empty() && columns(&line) + 1 + columns(&word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

/// Words between spaces; a pair of backquotes keeps its spaces.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        if c == '`' {
            quoted = !quoted && text[at + 1..].contains('`');
        }
        match (c, words.last_mut()) {
            (' ', _) if !quoted => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_never_broken() {
        assert_eq!(wrap("run `a b c d e f` now", 8), ["run", "`a b c d e f`", "now"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a ` b c", 3), ["a `", "b c"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let style = Screen { width: 60, colour: false };
        let mut page = Page::new(style);
        let hostile = "a\u{1b}[2J\u{9b}31m\u{7}b\r\u{202e}c\u{0}";
        page.paragraph(0, hostile);
        page.verbatim(2, hostile);
        page.field("seen", hostile);
        page.labelled("error:", "error", hostile);
        page.table(&["x", "y"], vec![vec![hostile.into(), hostile.into()]]);
        let text = page.finish();
        assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn columns_line_up_and_the_last_one_wraps() {
        let mut page = Page::new(Screen { width: 34, colour: false });
        page.table(
            &["name", "what"],
            vec![vec!["a".into(), "one two three four five six".into()], vec!["日本".into(), "x".into()]],
        );
        let text = page.finish();
        assert_eq!(text, "  name  what\n  a     one two three four five\n        six\n  日本  x\n");
    }

    #[test]
    fn a_table_too_wide_for_the_terminal_is_stacked() {
        let mut page = Page::new(Screen { width: 40, colour: false });
        page.table(&[], vec![vec!["a".repeat(30), "b c d e f g h i j k l m n".into()]]);
        assert!(page.finish().lines().all(|line| line.len() <= 40));
    }
}
