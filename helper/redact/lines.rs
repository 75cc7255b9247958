//! The lines of a log, or of a diff.

use super::following::Following;
use super::gate::foreign_without;
use super::shapes::{KEY_BEGIN, ends_of_pem};
use super::text::{REDACTED, behind_last};

/// Lines of foreign text that belong together, a log or a diff: a private key in them goes whole, although each of its
/// lines is base64 like any other.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    out: Vec<(String, String)>,
    inside: bool,
    /// How many words a program writes in front of each line of the key.
    words: usize,
    /// How many words the last line has.
    bare_words: usize,
    /// How many of the last lines are base64 and nothing else, but words of a program in front.
    bare: usize,
    following: Following,
}

impl Lines {
    /// Takes the next line: `front` is ours (a moment, the sign of a diff), `text` is theirs.
    pub(crate) fn push(&mut self, front: &str, text: &str) {
        let mark = ends_of_pem(text);
        let (marked, (begins, ends)) = (mark.is_some(), mark.unwrap_or_default());
        if ends && !begins && !self.inside {
            let from = self.out.len().saturating_sub(self.bare);
            self.out[from..].iter_mut().for_each(|(_, text)| *text = REDACTED.to_owned());
        }
        let words = text.split_whitespace().count();
        if begins {
            self.words = text.find(KEY_BEGIN).map_or(0, |at| text[..at].split_whitespace().count());
        }
        // A key whose end was lost ends with the first line that has words in it, besides those that a program writes in
        // front of each line: `2026-11-24 web | MC4CAQ`.
        let has_words = words > self.words + 1 && !text.contains(": ") && !text.split(|c| !is_base64(c)).any(is_long);
        let is_key = marked || self.inside && !has_words;
        self.inside = if marked { begins && !ends } else { is_key };
        let last = behind_last(text.trim_end(), |c| !is_base64(c));
        let is_alone = text.trim().trim_start_matches(['#', ' ']) == last;
        let bare = !last.is_empty() && (is_alone || is_long(last) || self.bare > 0 && words == self.bare_words);
        (self.bare, self.bare_words) = (if bare { self.bare + 1 } else { 0 }, words);
        let following = self.following.take(text);
        let text = if is_key { REDACTED.to_owned() } else { foreign_without(text, following) };
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

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Whether a run of base64 is too long to be a word.
fn is_long(run: &str) -> bool {
    run.len() >= 40
}

#[cfg(test)]
mod tests {
    use super::super::gate::foreign;
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

    /// Lines of other programs: what is between `«` and `»` is a secret. `\n`, `\t` and `\e` are what they are elsewhere.
    const HIDDEN: &str = include_str!("../../tests/redaction/hidden.txt");
    /// Lines that stay as they are: advice without them is worth nothing.
    const READABLE: &str = include_str!("../../tests/redaction/readable.txt");

    fn shown(text: &str) -> String {
        let mut lines = Lines::default();
        text.split('\n').for_each(|line| lines.push("", line));
        lines.finish().collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn secrets_of_many_programs_go() {
        for line in HIDDEN.lines() {
            let secrets = line.split('«').skip(1).filter_map(|rest| rest.split('»').next());
            let text = line.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\\e", "\u{1b}");
            let text = text.replace('\0', "\\").replace(['«', '»'], "");
            for shown in [shown(&text), foreign(&text)] {
                let pieces = |secret: &str| secret.as_bytes().windows(8).any(|piece| contains(&shown, piece));
                assert_eq!(secrets.clone().find(|secret| pieces(secret)), None, "{line}: {shown}");
            }
        }
    }

    fn contains(text: &str, piece: &[u8]) -> bool {
        text.as_bytes().windows(piece.len()).any(|part| part == piece)
    }

    #[test]
    fn everyday_lines_stay() {
        for line in READABLE.lines() {
            assert_eq!(shown(line), line);
        }
    }

    /// Texts that begin what hides a secret, and end nothing: `benches/redact.sh` measures what they cost.
    const BEGINNINGS: &str = include_str!("../../tests/redaction/beginnings.txt");

    #[test]
    fn a_key_behind_thousands_of_beginnings_goes() {
        let key = "ghp_x7Kq2mVd93LwTzB5nRcYp0aEoUfJhS1Gi8Xt";
        for piece in BEGINNINGS.lines().map(|line| serde_json::from_str::<String>(line).unwrap()) {
            for end in ["", "\"' x"] {
                let line = format!("{}{end} {key} ", piece.repeat((16 << 10) / piece.len()));
                assert!(!foreign(&line).contains(&key[8..]), "{piece} {end}");
            }
        }
    }
}
