//! All texts of the pattern tables in one automaton, so that a line is looked through once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind};

use super::patterns::{self, Pattern};
use crate::answer::Error;

/// Texts at most; twenty machine words.
const MOST: usize = 1280;

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

/// A row and the numbers of its texts.
type Row = (Vec<usize>, &'static Pattern);

/// The tables, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Matcher {
    texts: AhoCorasick,
    tables: [(Writer, Vec<Row>); 5],
}

impl Matcher {
    /// Prepares the tables.
    ///
    /// # Errors
    /// When the texts make no automaton, which they do in every test.
    fn new() -> Result<Self, BuildError> {
        let mut texts: Vec<&'static str> = Vec::new();
        let mut numbers: HashMap<&'static str, usize> = HashMap::new();
        let mut number = |text: &'static str| {
            *numbers.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let mut prepare = |table: &'static [Pattern]| -> Vec<Row> {
            table.iter().map(|row| (row.parts.iter().map(|part| number(part)).collect(), row)).collect()
        };
        let tables = [
            (
                Writer::Engine,
                [prepare(patterns::COMPOSE), prepare(patterns::ENGINE), prepare(patterns::CLUSTER)].concat(),
            ),
            (Writer::Agent, prepare(patterns::CLOUDFLARED)),
            (Writer::Proxy, prepare(patterns::PROXY)),
            (
                Writer::Server,
                [prepare(patterns::SERVER), prepare(patterns::CRASHES), prepare(patterns::REFUSALS)].concat(),
            ),
            (Writer::Container, prepare(patterns::CONTAINER)),
        ];
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let texts = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(kind).build(&texts)?;
        Ok(Self { texts, tables })
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
        let mut hits = [0; MOST / 64];
        let mut any = false;
        for found in self.texts.find_overlapping_iter(text) {
            let at = found.pattern().as_usize();
            hits[at / 64] |= 1 << (at % 64);
            any = true;
        }
        Reading { matcher: self, hits, any, text }
    }
}

/// A line that was looked through.
pub(crate) struct Reading<'a> {
    matcher: &'static Matcher,
    hits: [u64; MOST / 64],
    any: bool,
    text: &'a str,
}

impl Reading<'_> {
    /// The first pattern of a writer's table that fits.
    pub(crate) fn pattern(&self, writer: Writer) -> Option<&'static Pattern> {
        self.find(writer, |_| true)
    }

    /// The first pattern of a writer's table that fits and is wanted.
    pub(crate) fn find(&self, writer: Writer, wanted: impl Fn(&Pattern) -> bool) -> Option<&'static Pattern> {
        if !self.any {
            return None;
        }
        let (_, table) = self.matcher.tables.iter().find(|(owner, _)| *owner == writer)?;
        let has = |at: &usize| self.hits[at / 64] & (1 << (at % 64)) != 0;
        let fits = |(texts, row): &&Row| texts.iter().all(has) && wanted(row) && row.counts_in(self.text);
        table.iter().find(fits).map(|(_, row)| *row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_fit_and_are_found() {
        let matcher = Matcher::shared().unwrap();
        assert!(matcher.texts.patterns_len() <= MOST, "{}", matcher.texts.patterns_len());
        for (writer, table) in &matcher.tables {
            for (_, row) in table {
                let line = row.sample();
                let found = matcher.read(&line).pattern(*writer);
                assert!(found.is_some_and(|found| std::ptr::eq(found, *row)), "{row:?} is hidden by {found:?}");
            }
        }
    }
}
