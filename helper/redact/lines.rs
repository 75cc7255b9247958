//! The lines of a log, or of a diff.

use super::following::Following;
use super::gate::foreign;
use super::text::REDACTED;

/// Lines of foreign text that belong together, a log or a diff: a private key in them goes whole, although each of its
/// lines is base64 like any other.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    out: Vec<(String, String)>,
    inside: bool,
    /// How many of the last lines are base64 and nothing else.
    bare: usize,
    following: Following,
}

impl Lines {
    /// Takes the next line: `front` is ours (a moment, the sign of a diff), `text` is theirs.
    pub(crate) fn push(&mut self, front: &str, text: &str) {
        let marked = text.contains("PRIVATE KEY-----");
        let (begins, ends) = (marked && text.contains("-----BEGIN "), marked && text.contains("-----END "));
        if ends && !begins && !self.inside {
            let from = self.out.len().saturating_sub(self.bare);
            self.out[from..].iter_mut().for_each(|(_, text)| *text = REDACTED.to_owned());
        }
        // A key whose end was lost ends with the first line that has words in it.
        let has_words = text.trim().contains(' ') && !text.contains(": ");
        let is_key = marked || self.inside && !has_words;
        self.inside = if marked { begins && !ends } else { is_key };
        let plain = text.trim().trim_start_matches(['#', ' ']);
        let bare =
            !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        self.bare = if bare { self.bare + 1 } else { 0 };
        let text = match self.following.take(text) {
            _ if is_key => REDACTED.to_owned(),
            Some((start, end)) => format!("{}{REDACTED}{}", foreign(&text[..start]), foreign(&text[end..])),
            None => foreign(text),
        };
        self.out.push((front.to_owned(), text));
    }

    /// Of a stream: the lines that no later one makes part of a key. Lines of base64 alone wait for what follows.
    pub(crate) fn settled(&mut self) -> Vec<String> {
        // A key of 16384 bits has 200 lines.
        let held = self.bare.min(self.out.len()).min(256);
        self.out.drain(..self.out.len() - held).map(|(front, text)| front + &text).collect()
    }

    /// Of a stream: every line that is held back.
    pub(crate) fn all(&mut self) -> Vec<String> {
        self.out.drain(..).map(|(front, text)| front + &text).collect()
    }

    /// The lines that were taken.
    pub(crate) fn finish(self) -> impl Iterator<Item = String> {
        self.out.into_iter().map(|(front, text)| front + &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_key_go_and_those_around_it_stay() {
        let left = |text: &str| {
            let mut lines = Lines::default();
            text.lines().for_each(|line| lines.push("> ", line));
            lines.finish().collect::<Vec<_>>()
        };
        let key = "before it\n-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ\nProc-Type: 4\nYDK2Vw==\n-----END PRIVATE KEY-----\nafter it";
        let gone = "> [redacted]";
        assert_eq!(left(key), ["> before it", gone, gone, gone, gone, gone, "> after it"]);
        let cut = "-----BEGIN EC PRIVATE KEY-----\nMC4CAQAwBQ\n2026-11-24 it goes on\nand on";
        assert_eq!(left(cut), [gone, gone, "> 2026-11-24 it goes on", "> and on"]);
        let tail = "it began\nMC4CAQAwBQ\nYDK2Vw==\n-----END PRIVATE KEY-----\nMC4C";
        assert_eq!(left(tail), ["> it began", gone, gone, gone, "> MC4C"]);
    }
}
