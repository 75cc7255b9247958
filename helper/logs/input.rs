//! A stream of log lines of any size in constant memory.

use std::io::{self, Read};

use aho_corasick::{AhoCorasick, BuildError, Input, Match, MatchKind};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::matcher::Matcher;

/// Read at a time; also the longest line that is handed on whole.
const BLOCK: usize = 128 << 10;
/// Of a longer line, what comes with every piece: the prefix and the time stamp.
const HEAD: usize = 256;
/// Longer than any text of the tables: what is in front of a piece's end is looked through again with the next one, so
/// that no text is cut in two.
const LONGEST: usize = 256;
/// Of a longer line, what is handed on before and behind a text: a secret there may have its name as far away.
const CONTEXT: usize = 8 << 10;

/// Receives the lines of a log.
pub(crate) trait Sink {
    /// Takes a line: its number, counted from one, and its bytes.
    fn take(&mut self, number: u64, line: &[u8]);
    /// Takes a line of a call that passed, while it can change nothing: it is only what a program printed last.
    fn pass(&mut self, number: u64, line: &[u8]);
    /// Whether every line is wanted now, whatever it contains. Only a line that was taken changes that.
    fn wants_all(&self) -> bool;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Lines, the last one also without its end.
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// Calls that pass are most of a log: what tells their lines, looked for in a whole block and not line by line.
struct Routine {
    marks: AhoCorasick,
    /// A success, in a line in which the proxy says that it passed on an answer.
    statuses: [Finder<'static>; 2],
}

impl Routine {
    /// The proxy received a call, the SDK handles one, a server answered with a success (uvicorn and the common log
    /// format); the proxy passed on an answer; the SDK begins and ends a session.
    const MARKS: [&str; 6] = [
        "request started",
        "Processing request of type",
        "HTTP/1.1\" 20",
        "request completed",
        "Created new transport with session ID: ",
        "Terminating session: ",
    ];
    /// Of these, the one that needs a status; those behind it need a session.
    const DONE: usize = 3;

    fn new() -> Result<Self, BuildError> {
        let marks = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(Self::MARKS)?;
        Ok(Self { marks, statuses: [" status=20", "\"status\":20"].map(Finder::new) })
    }

    fn next(&self, block: &[u8], from: usize) -> Option<Match> {
        self.marks.find(Input::new(block).range(from..))
    }

    /// Whether a line with a mark is only that of a call that passed; `rest`: what is behind the mark.
    fn passed(&self, mark: Match, line: &[u8], rest: &[u8]) -> bool {
        match mark.pattern().as_usize() {
            Self::DONE => self.statuses.iter().any(|status| status.find(line).is_some()),
            at => at < Self::DONE || is_session(rest),
        }
    }
}

/// Whether a text begins with a session as the Python SDK names it: 16 bytes in hexadecimal digits, or none.
fn is_session(text: &[u8]) -> bool {
    text.starts_with(b"None") || text.len() >= 32 && text[..32].iter().all(u8::is_ascii_hexdigit)
}

/// Hands on the lines of a block, which ends with a line's end or is the last one.
fn lines(block: &[u8], routine: &Routine, extent: &mut Extent, sink: &mut dyn Sink) {
    let mut at = 0;
    let mut mark = routine.next(block, 0);
    let mut all = sink.wants_all();
    while at < block.len() {
        let end = memchr(b'\n', &block[at..]).map_or(block.len(), |end| at + end + 1);
        let (number, line) = (extent.lines + 1, &block[at..end]);
        let mut passes = false;
        while let Some(found) = mark.filter(|found| found.start() < end) {
            passes |= routine.passed(found, line, &block[found.end()..end]);
            mark = routine.next(block, found.end());
        }
        if passes && !all {
            sink.pass(number, line);
        } else {
            sink.take(number, line);
            all = sink.wants_all();
        }
        extent.lines += u64::from(line.ends_with(b"\n"));
        at = end;
    }
}

/// A piece of a line that is longer than a block: handed on with the line's beginning where a text is in it.
fn piece(head: Option<&[u8]>, piece: &[u8], number: u64, matcher: &Matcher, sink: &mut dyn Sink) {
    let mut at = if head.is_some() { (CONTEXT - LONGEST).min(piece.len()) } else { 0 };
    while let Some(found) = matcher.next(piece, at) {
        let from = found.start.saturating_sub(CONTEXT);
        let to = (found.end + CONTEXT).min(piece.len());
        // In the first piece the line's beginning may be part of the window.
        let window = match head {
            None if from <= HEAD => piece[..to].to_vec(),
            None => [beginning(piece), b" ", &piece[from..to]].concat(),
            Some(head) => [head, b" ", &piece[from..to]].concat(),
        };
        sink.take(number, &window);
        at = to;
    }
}

/// The first whole words of a line: the prefix and the time stamp.
fn beginning(line: &[u8]) -> &[u8] {
    let head = &line[..HEAD.min(line.len())];
    memrchr(b' ', head).map_or(b"", |end| &head[..end])
}

/// Reads to the end.
///
/// # Errors
/// What the reader says; what was read before counts.
pub(crate) fn scan(mut reader: impl Read, sink: &mut dyn Sink) -> Result<Extent, io::Error> {
    let matcher = Matcher::shared().map_err(|e| io::Error::other(e.to_string()))?;
    let routine = Routine::new().map_err(io::Error::other)?;
    let mut buffer = vec![0; BLOCK];
    let mut held = 0;
    let mut extent = Extent::default();
    // The beginning of a line that is longer than the buffer.
    let mut long: Option<Vec<u8>> = None;
    loop {
        let read = match reader.read(&mut buffer[held..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        extent.bytes += read as u64;
        let full = held + read;
        let over = read == 0;
        // Up to here it is done with.
        let mut done = 0;
        if let Some(head) = &long {
            let end = memchr(b'\n', &buffer[..full]).map(|end| end + 1);
            if end.is_none() && !over && full < buffer.len() {
                held = full;
                continue;
            }
            let to = end.unwrap_or(full);
            piece(Some(head), &buffer[..to], extent.lines + 1, matcher, sink);
            if end.is_none() && !over {
                buffer.copy_within(full - CONTEXT..full, 0);
                held = CONTEXT;
                continue;
            }
            extent.lines += 1;
            (done, long) = (to, None);
        }
        if over {
            lines(&buffer[done..full], &routine, &mut extent, sink);
            // The last line may have no end.
            extent.lines += u64::from(full > done && !buffer[..full].ends_with(b"\n"));
            return Ok(extent);
        }
        if let Some(end) = memrchr(b'\n', &buffer[done..full]) {
            let end = done + end + 1;
            lines(&buffer[done..end], &routine, &mut extent, sink);
            done = end;
        } else if done == 0 && full == buffer.len() {
            piece(None, &buffer[..full], extent.lines + 1, matcher, sink);
            (long, done) = (Some(beginning(&buffer).to_vec()), full - CONTEXT);
        }
        buffer.copy_within(done..full, 0);
        held = full - done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and remembers it: what was only passed on with a minus in front.
    #[derive(Default)]
    struct Kept {
        lines: Vec<(u64, String)>,
        all: bool,
    }

    impl Sink for Kept {
        fn take(&mut self, number: u64, line: &[u8]) {
            self.lines.push((number, String::from_utf8_lossy(line).trim_end().to_owned()));
        }
        fn pass(&mut self, number: u64, line: &[u8]) {
            self.lines.push((number, format!("-{}", String::from_utf8_lossy(line).trim_end())));
        }
        fn wants_all(&self) -> bool {
            self.all
        }
    }

    /// A reader that hands out a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buffer.len()).min(self.0.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn kept(text: &[u8], step: usize, mut sink: Kept) -> (Vec<(u64, String)>, Extent) {
        let extent = scan(Slow(text, step), &mut sink).unwrap();
        (sink.lines, extent)
    }

    #[test]
    fn lines_come_with_their_numbers_and_calls_that_passed_are_told_apart() {
        let text = b"a\nrequest started\n\nrequest completed status=200\nrequest completed status=502\nlast";
        for step in [1, 3, 1000] {
            let (lines, extent) = kept(text, step, Kept::default());
            let words: Vec<(u64, &str)> = lines.iter().map(|(number, text)| (*number, text.as_str())).collect();
            let passed = (4, "-request completed status=200");
            let failed = (5, "request completed status=502");
            assert_eq!(words, [(1, "a"), (2, "-request started"), (3, ""), passed, failed, (6, "last")]);
            assert_eq!(extent, Extent { lines: 6, bytes: text.len() as u64 });
            let (lines, _) = kept(text, step, Kept { all: true, ..Kept::default() });
            assert!(lines.iter().all(|(_, text)| !text.starts_with('-')), "{lines:?}");
        }
        assert_eq!(kept(b"", 9, Kept::default()).1, Extent { lines: 0, bytes: 0 });
        assert_eq!(kept(b"\n\n", 9, Kept::default()).1.lines, 2);
    }

    #[test]
    fn a_session_that_begins_or_ends_is_one_by_its_id() {
        let id = "cc72c5cf66fb222ec2dfa5820fa8e6dd";
        let text = format!(
            "Created new transport with session ID: {id}\nINFO     Terminating session: {id} http.py:630\n\
             Terminating session: None\nTerminating session: out of memory\n"
        );
        let (lines, _) = kept(text.as_bytes(), 1000, Kept::default());
        let passed: Vec<bool> = lines.iter().map(|(_, text)| text.starts_with('-')).collect();
        assert_eq!(passed, [true, true, true, false]);
    }

    #[test]
    fn lines_of_megabytes_are_looked_through_and_counted() {
        for at in [0, BLOCK - 8, BLOCK, 2 * BLOCK - 5, 3 * BLOCK + 77] {
            let mut long = vec![b'x'; 4 * BLOCK];
            long.splice(at..at, *b" no route for host ");
            let text = [b"mcp-proxy-1  | first\nmcp-proxy-1  | ", &long[..], b"\nno route for host\nroute configured"]
                .concat();
            for step in [4099, 1 << 20] {
                let (lines, extent) = kept(&text, step, Kept::default());
                assert_eq!(extent, Extent { lines: 4, bytes: text.len() as u64 }, "{at} {step}");
                let numbers: Vec<u64> = lines.iter().map(|l| l.0).collect();
                assert_eq!(lines.last().unwrap().1, "route configured", "{at}");
                assert!(numbers.starts_with(&[1, 2]) && numbers.ends_with(&[3, 4]), "{at} {step} {numbers:?}");
                let first = &lines[1].1;
                assert!(
                    first.starts_with("mcp-proxy-1  | ") && first.contains("no route for host"),
                    "{at} {first:.80}"
                );
            }
        }
    }

    #[test]
    fn many_empty_lines_and_one_without_an_end_are_counted() {
        for (byte, lines) in [(b'\n', 1 << 20), (b'x', 1)] {
            let extent = scan(io::repeat(byte).take(1 << 20), &mut Kept::default()).unwrap();
            assert_eq!(extent, Extent { lines, bytes: 1 << 20 });
        }
    }
}
