//! A stream of log lines of any size in constant memory: only lines that can matter are handed on.

use std::io::{self, Read};
use std::ops::Range;
use std::time::{Duration, Instant};

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input};
use memchr::{memchr, memchr_iter, memrchr};

use super::lanes::Lanes;
use super::matcher::{automaton, keys};

/// Read at a time; also the longest line that is handed on whole.
const BLOCK: usize = 128 << 10;
/// Of a longer line, what comes with every piece: the prefix and the time stamp.
const HEAD: usize = 256;
/// Pieces of a longer line overlap by this much, so that no text is cut in two. Longer than any text of the tables.
const OVERLAP: usize = 256;
/// Above this an automaton that takes longer to build pays for itself.
const LARGE: u64 = 4 << 20;

/// Who takes the lines.
pub(crate) trait Sink {
    /// Takes a line: its number, counted from one, and its bytes.
    fn take(&mut self, number: u64, line: &[u8]);
    /// Whether the next line is wanted whatever it holds.
    fn wants_next(&self) -> bool;
    /// Whether lines of calls that passed can change anything now.
    fn wants_routine(&self) -> bool;
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Lines, the last one also without its end.
    pub(crate) lines: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// Looks for lines that can matter.
struct Scanner {
    quiet: Quiet,
    routine: AhoCorasick,
}

/// Two ways to look for lines other than those of calls that passed.
enum Quiet {
    /// Ready at once.
    Small(AhoCorasick),
    /// Fast.
    Large(Box<Lanes>),
}

impl Scanner {
    fn small() -> Result<Self, BuildError> {
        let kind = AhoCorasickKind::NoncontiguousNFA;
        Ok(Self { quiet: Quiet::Small(automaton(&keys(false), kind)?), routine: automaton(&keys(true), kind)? })
    }

    fn large() -> Result<Self, BuildError> {
        let kind = AhoCorasickKind::DFA;
        Ok(Self { quiet: Quiet::Large(Box::new(Lanes::new(&keys(false))?)), routine: automaton(&keys(true), kind)? })
    }

    fn is_small(&self) -> bool {
        matches!(self.quiet, Quiet::Small(_))
    }

    /// Hands on the lines of a block that can matter, and counts all of them. The block ends with a line's end, or is
    /// the last one.
    fn block(&self, block: &[u8], extent: &mut Extent, sink: &mut dyn Sink) {
        let ahead = match &self.quiet {
            Quiet::Small(_) => None,
            Quiet::Large(lanes) => lanes.lines(block).ok(),
        };
        let mut ahead = ahead.map(|lines| lines.into_iter().peekable());
        let mut at = 0;
        // Lines up to here are counted.
        let mut counted = 0;
        while at < block.len() {
            let found = if sink.wants_next() {
                Some(at..line_end(block, at))
            } else if sink.wants_routine() {
                find(&self.routine, block, at)
            } else {
                match (&mut ahead, &self.quiet) {
                    (Some(lines), _) => {
                        while lines.next_if(|line| line.start < at).is_some() {}
                        lines.next()
                    }
                    (None, Quiet::Small(texts)) => find(texts, block, at),
                    (None, Quiet::Large(_)) => find(&self.routine, block, at),
                }
            };
            let Some(line) = found else { break };
            extent.lines += lines(&block[counted..line.start]);
            counted = line.start;
            at = line.end;
            sink.take(extent.lines + 1, &block[line]);
        }
        extent.lines += lines(&block[counted..]);
    }

    /// A piece of a line that is longer than a block: handed on with the line's beginning when it can matter.
    fn piece(&self, head: Option<&[u8]>, piece: &[u8], number: u64, sink: &mut dyn Sink) {
        let mut at = 0;
        while let Some(found) = self.routine.find(Input::new(piece).span(at..piece.len())) {
            let from = found.start().saturating_sub(HEAD);
            let to = (found.end() + HEAD).min(piece.len());
            // In the first piece the line's beginning may be part of the window.
            let window = match head {
                None if from <= HEAD => piece[..to].to_vec(),
                None => [&piece[..HEAD], b" ", &piece[from..to]].concat(),
                Some(head) => [head, b" ", &piece[from..to]].concat(),
            };
            sink.take(number, &window);
            at = to;
        }
    }
}

/// The next line that holds one of the texts.
fn find(texts: &AhoCorasick, block: &[u8], at: usize) -> Option<Range<usize>> {
    let found = texts.find(Input::new(block).span(at..block.len()))?;
    let start = memrchr(b'\n', &block[at..found.start()]).map_or(at, |end| at + end + 1);
    Some(start..line_end(block, found.end() - 1))
}

fn lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

fn line_end(block: &[u8], from: usize) -> usize {
    memchr(b'\n', &block[from..]).map_or(block.len(), |end| from + end + 1)
}

/// Reads to the end, or until `stop` says so between two reads.
///
/// # Errors
/// What the reader says; what was read before counts.
pub(crate) fn scan(
    mut reader: impl Read,
    sink: &mut dyn Sink,
    mut stop: impl FnMut(u64) -> bool,
) -> Result<Extent, io::Error> {
    let made = |e: BuildError| io::Error::other(e.to_string());
    let mut scanner = Scanner::small().map_err(made)?;
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
        if scanner.is_small() && extent.bytes > LARGE {
            scanner = Scanner::large().map_err(made)?;
        }
        let full = held + read;
        let over = read == 0 || stop(extent.bytes);
        // Up to here it is done with.
        let mut done = 0;
        if let Some(head) = &long {
            match memchr(b'\n', &buffer[..full]) {
                Some(end) => {
                    done = end + 1;
                    scanner.piece(Some(head), &buffer[..done], extent.lines + 1, sink);
                    extent.lines += 1;
                    long = None;
                }
                None if over => {
                    scanner.piece(Some(head), &buffer[..full], extent.lines + 1, sink);
                    extent.lines += 1;
                    return Ok(extent);
                }
                None if full == buffer.len() => {
                    scanner.piece(Some(head), &buffer[..full], extent.lines + 1, sink);
                    buffer.copy_within(full - OVERLAP..full, 0);
                    held = OVERLAP;
                    continue;
                }
                None => {
                    held = full;
                    continue;
                }
            }
        }
        if over {
            scanner.block(&buffer[done..full], &mut extent, sink);
            if full > done && !buffer[..full].ends_with(b"\n") {
                extent.lines += 1;
            }
            return Ok(extent);
        }
        match memrchr(b'\n', &buffer[done..full]) {
            Some(end) => {
                let end = done + end + 1;
                scanner.block(&buffer[done..end], &mut extent, sink);
                done = end;
            }
            None if done == 0 && full == buffer.len() => {
                scanner.piece(None, &buffer[..full], extent.lines + 1, sink);
                long = Some(buffer[..HEAD].to_vec());
                done = full - OVERLAP;
            }
            None => {}
        }
        buffer.copy_within(done..full, 0);
        held = full - done;
    }
}

/// Standard input, waited for until a moment and not a moment longer.
pub(crate) struct Patient {
    until: Instant,
    late: bool,
}

impl Patient {
    /// Waits at most so long in all.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { until: Instant::now() + limit, late: false }
    }

    /// Whether the time was up before the end was there.
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }
}

impl Read for &mut Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdin = io::stdin();
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.late = true;
                return Ok(0);
            }
            let wait = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
            match poll(&mut watched, Some(&wait)) {
                Ok(0) => {}
                // Past the lock and the buffer of `Stdin`: what it holds back, nobody would wait for.
                Ok(_) => return Ok(rustix::io::read(&stdin, buffer)?),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and remembers it.
    #[derive(Default)]
    struct Kept {
        lines: Vec<(u64, String)>,
        every: bool,
        routine: bool,
    }

    impl Sink for Kept {
        fn take(&mut self, number: u64, line: &[u8]) {
            self.lines.push((number, String::from_utf8_lossy(line).trim_end().to_owned()));
        }
        fn wants_next(&self) -> bool {
            self.every
        }
        fn wants_routine(&self) -> bool {
            self.routine
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
        let extent = scan(Slow(text, step), &mut sink, |_| false).unwrap();
        (sink.lines, extent)
    }

    #[test]
    fn only_lines_that_matter_come_with_their_numbers() {
        let text = b"a\nroute configured x\n\nrequest started\nno route for host\nlast";
        for step in [1, 3, 1000] {
            let (lines, extent) = kept(text, step, Kept::default());
            assert_eq!(lines, [(2, "route configured x".into()), (5, "no route for host".into())]);
            assert_eq!(extent, Extent { lines: 6, bytes: text.len() as u64 });
            let (lines, _) = kept(text, step, Kept { routine: true, ..Kept::default() });
            assert_eq!(lines.len(), 3);
            let (lines, _) = kept(text, step, Kept { every: true, ..Kept::default() });
            assert_eq!(lines.iter().map(|l| l.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6], "{lines:?}");
        }
        assert_eq!(kept(b"", 9, Kept::default()).1, Extent { lines: 0, bytes: 0 });
        assert_eq!(kept(b"\n\n", 9, Kept::default()).1.lines, 2);
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
                assert!(numbers.starts_with(&[2]) && numbers.ends_with(&[3, 4]), "{at} {step} {numbers:?}");
                let first = &lines[0].1;
                assert!(
                    first.starts_with("mcp-proxy-1  | ") && first.contains("no route for host"),
                    "{at} {first:.80}"
                );
            }
        }
    }

    #[test]
    fn a_stream_without_an_end_is_left() {
        let mut sink = Kept::default();
        let extent = scan(io::repeat(b'\n'), &mut sink, |bytes| bytes > 1 << 20).unwrap();
        assert!(extent.bytes > 1 << 20 && extent.bytes < 2 << 20);
        let extent = scan(io::repeat(b'x'), &mut sink, |bytes| bytes > 1 << 20).unwrap();
        assert_eq!(extent.lines, 1);
    }
}
