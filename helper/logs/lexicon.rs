//! All texts of the sign tables in one automaton, so that a line is looked through once.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

use super::signs::{self, Mark, Sense, Sign};
use crate::answer::Error;

/// Texts at most; eight machine words.
const MOST: usize = 512;

/// Which of the texts stand in a line.
type Hits = [u64; MOST / 64];

/// Who wrote a line, and with it the table that it is read by.
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
}

/// The tables, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Lexicon {
    texts: AhoCorasick,
    tables: [(Writer, Vec<(Hits, &'static Sign)>); 4],
}

/// A step that calls make over and over in a healthy log. Looked for only while it can change anything.
fn is_routine(sign: &Sign) -> bool {
    matches!(sign.sense, Sense::Mark(Mark::CallStarted | Mark::CallDone | Mark::Served))
}

/// Texts by which a line that matters is found, in the order of the tables: with `routine`, also those of calls that
/// passed.
pub(crate) fn keys(routine: bool) -> Vec<&'static str> {
    let mut keys: Vec<&str> = [signs::ENGINE, signs::ENGINE_AT_START, signs::CLOUDFLARED, signs::PROXY, signs::SERVER]
        .into_iter()
        .flatten()
        .filter(|sign| sign.sense != Sense::Noise && (routine || !is_routine(sign)))
        .map(|sign| sign.parts[0])
        .collect();
    keys.extend(super::table::KEYS);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// An automaton over `texts`. The deterministic one reads fastest, the other is built fastest.
pub(crate) fn automaton(texts: &[&str], kind: AhoCorasickKind) -> Result<AhoCorasick, BuildError> {
    AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).build(texts)
}

impl Lexicon {
    /// Prepares the tables.
    ///
    /// # Errors
    /// When the texts make no automaton, which they do in every test.
    fn new() -> Result<Self, BuildError> {
        let mut texts: Vec<&'static str> = Vec::new();
        let mut index = |text: &'static str| match texts.iter().position(|known| *known == text) {
            Some(at) => at,
            None => {
                texts.push(text);
                texts.len() - 1
            }
        };
        let mut prepare = |signs: &[&'static [Sign]]| {
            let signs = signs.iter().copied().flatten();
            signs
                .map(|sign| {
                    let mut hits = Hits::default();
                    for part in sign.parts {
                        let at = index(part);
                        hits[at / 64] |= 1 << (at % 64);
                    }
                    (hits, sign)
                })
                .collect::<Vec<_>>()
        };
        let tables = [
            (Writer::Engine, prepare(&[signs::ENGINE, signs::ENGINE_AT_START])),
            (Writer::Agent, prepare(&[signs::CLOUDFLARED])),
            (Writer::Proxy, prepare(&[signs::PROXY])),
            (Writer::Server, prepare(&[signs::SERVER])),
        ];
        Ok(Self { texts: automaton(&texts, AhoCorasickKind::ContiguousNFA)?, tables })
    }

    /// The tables, prepared once in a process.
    ///
    /// # Errors
    /// `internal`, as [`Lexicon::new`].
    pub(crate) fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceLock<Result<Lexicon, String>> = OnceLock::new();
        let made = SHARED.get_or_init(|| Self::new().map_err(|e| e.to_string()));
        made.as_ref().map_err(|e| Error::Internal(e.clone()))
    }

    /// Which texts stand in a line.
    pub(crate) fn read(&'static self, text: &str) -> Reading {
        let mut hits = Hits::default();
        for found in self.texts.find_overlapping_iter(text) {
            let at = found.pattern().as_usize();
            hits[at / 64] |= 1 << (at % 64);
        }
        Reading { lexicon: self, hits }
    }
}

/// A line that was looked through.
pub(crate) struct Reading {
    lexicon: &'static Lexicon,
    hits: Hits,
}

impl Reading {
    /// The first sign of a writer's table that fits.
    pub(crate) fn sign(&self, writer: Writer) -> Option<&'static Sign> {
        let (_, table) = self.lexicon.tables.iter().find(|(owner, _)| *owner == writer)?;
        let fits = |wanted: &Hits| wanted.iter().zip(&self.hits).all(|(wanted, hits)| wanted & hits == *wanted);
        table.iter().find(|(wanted, _)| fits(wanted)).map(|(_, sign)| *sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_fit_and_are_found() {
        let lexicon = Lexicon::shared().unwrap();
        let count: std::collections::BTreeSet<_> =
            lexicon.tables.iter().flat_map(|(_, table)| table).flat_map(|(_, sign)| sign.parts).collect();
        assert!(count.len() <= MOST, "{}", count.len());
        for (writer, table) in &lexicon.tables {
            for (_, sign) in table {
                let found = lexicon.read(&sign.parts.join(" … ")).sign(*writer).unwrap();
                // An earlier row may take precedence; it then fits, too.
                assert!(found.parts.iter().all(|part| sign.parts.join(" … ").contains(part)), "{sign:?}");
            }
        }
    }
}
