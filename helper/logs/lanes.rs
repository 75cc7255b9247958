//! The lines of a block that hold one of many texts, found at four places at once.
//!
//! An automaton reads a byte only when it knows the state that the byte before led to, so one reader waits for memory
//! most of the time. Four readers over four quarters of a block fill each other's waits: about three times the bytes a
//! second (`benches/diagnose.sh`).

use std::ops::Range;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, BuildError, MatchError, MatchKind};
use memchr::{memchr, memrchr};

/// Readers. Registers are enough for four.
const LANES: usize = 4;

/// Finds lines.
#[derive(Debug)]
pub(crate) struct Lanes {
    dfa: DFA,
}

/// One reader: where it is, where its part ends, what it found.
struct Lane {
    at: usize,
    end: usize,
    state: aho_corasick::automaton::StateID,
    lines: Vec<Range<usize>>,
}

impl Lanes {
    /// Prepares to look for `texts`.
    ///
    /// # Errors
    /// When the texts make no automaton.
    pub(crate) fn new(texts: &[&str]) -> Result<Self, BuildError> {
        let dfa = DFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(texts)?;
        Ok(Self { dfa })
    }

    /// The lines of `block` that hold one of the texts, ends included, in order.
    ///
    /// # Errors
    /// Never, for an automaton that was built as ours is.
    pub(crate) fn lines(&self, block: &[u8]) -> Result<Vec<Range<usize>>, MatchError> {
        let start = self.dfa.start_state(Anchored::No)?;
        let mut from = 0;
        let mut lanes: [Lane; LANES] = std::array::from_fn(|lane| {
            let middle = block.len() * (lane + 1) / LANES;
            let end = if lane + 1 == LANES { block.len() } else { line_end(block, middle.max(from)) };
            let lane = Lane { at: from, end, state: start, lines: Vec::new() };
            from = end;
            lane
        });
        loop {
            let together = lanes.iter().map(|lane| lane.end - lane.at).min().unwrap_or_default();
            if together == 0 {
                break;
            }
            let read = self.together(block, &mut lanes, together);
            for lane in &mut lanes {
                lane.at += read;
                self.take(block, lane, start);
            }
        }
        for lane in &mut lanes {
            while lane.at < lane.end {
                lane.state = self.dfa.next_state(Anchored::No, lane.state, block[lane.at]);
                lane.at += 1;
                self.take(block, lane, start);
            }
        }
        Ok(lanes.into_iter().flat_map(|lane| lane.lines).collect())
    }

    /// Reads on in all lanes until one has found something, at most so many bytes. How many it were.
    fn together(&self, block: &[u8], lanes: &mut [Lane; LANES], most: usize) -> usize {
        let [a, b, c, d] = [0, 1, 2, 3].map(|lane: usize| block[lanes[lane].at..][..most].iter());
        let [mut p, mut q, mut r, mut s] = [0, 1, 2, 3].map(|lane: usize| lanes[lane].state);
        let dfa = &self.dfa;
        let mut read = most;
        for (at, (((a, b), c), d)) in a.zip(b).zip(c).zip(d).enumerate() {
            p = dfa.next_state(Anchored::No, p, *a);
            q = dfa.next_state(Anchored::No, q, *b);
            r = dfa.next_state(Anchored::No, r, *c);
            s = dfa.next_state(Anchored::No, s, *d);
            if dfa.is_special(p) | dfa.is_special(q) | dfa.is_special(r) | dfa.is_special(s) {
                read = at + 1;
                break;
            }
        }
        for (lane, state) in lanes.iter_mut().zip([p, q, r, s]) {
            lane.state = state;
        }
        read
    }

    /// Notes the line that a lane has found something in, and goes on behind it.
    fn take(&self, block: &[u8], lane: &mut Lane, start: aho_corasick::automaton::StateID) {
        if !self.dfa.is_match(lane.state) {
            return;
        }
        let begin = memrchr(b'\n', &block[..lane.at - 1]).map_or(0, |end| end + 1);
        // The text may end with the line's own end.
        let end = line_end(block, lane.at - 1);
        lane.lines.push(begin..end);
        (lane.at, lane.state) = (end, start);
    }
}

fn line_end(block: &[u8], from: usize) -> usize {
    memchr(b'\n', &block[from..]).map_or(block.len(), |end| from + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(block: &[u8], texts: &[&str]) -> Vec<Range<usize>> {
        let mut from = 0;
        let mut found = Vec::new();
        for line in block.split_inclusive(|b| *b == b'\n') {
            let text = String::from_utf8_lossy(line);
            if texts.iter().any(|t| text.contains(t)) {
                found.push(from..from + line.len());
            }
            from += line.len();
        }
        found
    }

    proptest! {
        #[test]
        fn the_same_lines_as_one_by_one(lines in prop::collection::vec("[abx ]{0,12}", 0..60), end in any::<bool>()) {
            let mut block = lines.join("\n").into_bytes();
            if end { block.push(b'\n'); }
            let texts = ["ab", "xx", "b a"];
            prop_assert_eq!(Lanes::new(&texts).unwrap().lines(&block).unwrap(), plain(&block, &texts));
        }
    }
}
