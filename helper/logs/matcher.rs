//! All texts of the pattern tables in one automaton, so that a line is looked through once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind};

use super::patterns::{self, Pattern};
use crate::answer::Error;

/// The program that wrote a line: it decides with which table the line is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The docker client, the daemon and Compose.
    Engine,
    /// cloudflared.
    Agent,
    /// Anthropic's proxy.
    Proxy,
    /// An MCP server.
    Server,
    /// Any program in a container: the container's own faults.
    Container,
}

/// A row of a table.
#[derive(Debug)]
struct Row {
    writer: Writer,
    /// How many rows are in front of it.
    at: usize,
    /// The numbers of its texts.
    texts: Vec<usize>,
    pattern: Pattern,
}

/// The tables, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Matcher {
    texts: AhoCorasick,
    /// For each text, the rows of which it is the first.
    rows: Vec<Vec<Row>>,
}

impl Matcher {
    /// Prepares the tables.
    ///
    /// # Errors
    /// When the texts make no automaton, which they do in every test.
    fn new() -> Result<Self, BuildError> {
        let mut numbers: HashMap<&'static str, usize> = HashMap::new();
        let mut rows: Vec<Vec<Row>> = Vec::new();
        for (at, (writer, pattern)) in Self::tables().enumerate() {
            let mut number = |text| {
                let next = numbers.len();
                *numbers.entry(text).or_insert(next)
            };
            let texts: Vec<usize> = pattern.texts().map(&mut number).collect();
            rows.resize_with(numbers.len(), Vec::new);
            rows[texts[0]].push(Row { writer, at, texts, pattern });
        }
        let mut texts = vec![""; numbers.len()];
        numbers.into_iter().for_each(|(text, number)| texts[number] = text);
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let texts = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(kind).build(&texts)?;
        Ok(Self { texts, rows })
    }

    /// All wordings, those of one writer in the order in which they are tried.
    fn tables() -> impl Iterator<Item = (Writer, Pattern)> {
        let tables = [
            (Writer::Engine, patterns::COMPOSE),
            (Writer::Engine, patterns::ENGINE),
            (Writer::Engine, patterns::CLUSTER),
            (Writer::Agent, patterns::CLOUDFLARED),
            (Writer::Proxy, patterns::PROXY),
            (Writer::Server, patterns::SERVER),
            (Writer::Server, patterns::CRASHES),
            (Writer::Server, patterns::REFUSALS),
            (Writer::Container, patterns::CONTAINER),
        ];
        tables.into_iter().flat_map(|(writer, table)| {
            table.iter().flat_map(Pattern::each).map(move |mut pattern| {
                pattern.is_anyones = writer == Writer::Container;
                (writer, pattern)
            })
        })
    }

    /// The tables, prepared once in a process.
    ///
    /// # Errors
    /// `internal`, as [`Matcher::new`].
    pub(crate) fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceLock<Result<Matcher, String>> = OnceLock::new();
        let made = SHARED.get_or_init(|| Self::new().map_err(|e| e.to_string()));
        made.as_ref().map_err(|e| Error::Internal(e.clone()))
    }

    /// The next text in a piece of a line, from a place on.
    pub(crate) fn next(&self, piece: &[u8], from: usize) -> Option<Range<usize>> {
        self.texts.find(Input::new(piece).span(from..piece.len())).map(|found| found.range())
    }

    pub(crate) fn read<'a>(&'static self, text: &'a str) -> Reading<'a> {
        let mut found = Vec::new();
        for text in self.texts.find_overlapping_iter(text).map(|text| text.pattern().as_usize()) {
            if !found.contains(&text) {
                found.push(text);
            }
        }
        Reading { matcher: self, found, text }
    }
}

/// A line that was looked through.
pub(crate) struct Reading<'a> {
    matcher: &'static Matcher,
    /// The texts that are in it.
    found: Vec<usize>,
    text: &'a str,
}

impl Reading<'_> {
    /// The first pattern of a writer's table that fits.
    pub(crate) fn pattern(&self, writer: Writer) -> Option<&'static Pattern> {
        self.find(writer, |_| true)
    }

    /// The first pattern of a writer's table that fits and is wanted.
    pub(crate) fn find(&self, writer: Writer, wanted: impl Fn(&Pattern) -> bool) -> Option<&'static Pattern> {
        let fits = |row: &&Row| {
            let has_all = row.texts.iter().all(|text| self.found.contains(text));
            row.writer == writer && has_all && wanted(&row.pattern) && row.pattern.counts_in(self.text)
        };
        let rows = self.found.iter().flat_map(|text| &self.matcher.rows[*text]);
        rows.filter(fits).min_by_key(|row| row.at).map(|row| &row.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::patterns::{Effect, HIDDEN_REJECTION};

    #[test]
    fn rows_name_a_rule_unless_they_are_steps_or_noise() {
        for (_, pattern) in Matcher::tables() {
            let none = matches!(pattern.effect, Effect::Noise | Effect::Event(_));
            let hidden = pattern.texts().any(|text| text == HIDDEN_REJECTION);
            assert!(pattern.rule.is_none() == none || hidden, "{pattern:?}");
            assert!(pattern.texts().all(|text| text.len() >= 3), "{pattern:?}");
        }
    }

    #[test]
    fn the_texts_fit_and_are_found() {
        let matcher = Matcher::shared().unwrap();
        for (writer, row) in Matcher::tables() {
            let line = row.sample();
            let found = matcher.read(&line).pattern(writer);
            assert!(found == Some(&row), "{row:?} is hidden by {found:?}");
        }
    }
}
