//! The lives of one container: how often it ended, with which code, and what it printed last.

use std::collections::VecDeque;

use super::last_words::{is_carets, is_mark, is_of_stack, is_pointer, is_requirement};
use super::level;
use super::line::{self, Line};

/// Lines that are kept of a life: its last ones.
const LAST: usize = 3;
/// Bytes that are kept of a line, from its beginning.
const KEPT: usize = 2048;
/// What a process prints as it ends comes within so many seconds.
const ENDING: i64 = 2;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its number, 0 where there is no file to count.
    pub(crate) number: u64,
    /// When it was printed.
    pub(crate) at: Option<i64>,
    /// Its words, from the beginning.
    pub(crate) text: Vec<u8>,
}

impl Kept {
    /// A line as it was printed.
    pub(crate) fn of(number: u64, at: Option<i64>, text: &[u8]) -> Self {
        Self { number, at, text: text[..text.len().min(KEPT)].to_vec() }
    }

    /// Its words without control sequences and time stamps, and its moment.
    pub(crate) fn read(&self) -> (Option<i64>, String) {
        let plain = line::plain(&self.text);
        let text = String::from_utf8_lossy(&plain);
        let line = Line::of(None, self.at, &text);
        (line.at, line.text.trim().to_owned())
    }
}

/// What was printed last, where it sounds like the end of the process.
#[derive(Clone, Debug)]
enum Closing {
    /// Only a process that ends prints it; when.
    Certain(Option<i64>),
    /// A failure without a level, as Go's `log.Fatal` prints it, and nothing since.
    Failure { last: Kept, fatal: bool },
}

/// What is known of the lives of one container.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    recent: VecDeque<Kept>,
    /// The last line of this life that reports an error.
    pub(crate) complaint: Option<Kept>,
    /// The lines of the life that ended last: the error among them first.
    ended: Vec<Kept>,
    /// Exits by itself, with a code that says so.
    pub(crate) failures: u32,
    /// Ends with code 0.
    pub(crate) successes: u32,
    /// Ends by a signal that stops a program.
    pub(crate) kills: u32,
    /// The code of the last end; `None` while nothing says that it ended, or since a call passed.
    pub(crate) code: Option<i32>,
    /// Number of the line that said so.
    last_end: u64,
    closing: Option<Closing>,
    /// The last words that programs end of, and how often they came since it listened.
    alike: Option<(String, u32)>,
    /// It listened or answered a call in this life.
    pub(crate) served: bool,
    /// Its beginning is in the log, and it may be one that never listens.
    pub(crate) undecided: bool,
    /// The line by which it said that it stops in good order, and nothing since.
    stopped: Option<Kept>,
    /// The container runs, whatever it printed last.
    pub(crate) runs: bool,
    /// It was asked to stop, and has not ended since.
    asked: bool,
    /// It ended last although nothing asked it to.
    alone: bool,
    /// It served in the life that ended last.
    had_served: bool,
}

impl Life {
    pub(crate) fn print(&mut self, number: u64, line: &Line<'_>) {
        let later = |at: Option<i64>| at.zip(line.at).is_some_and(|(ended, now)| now - ended > ENDING);
        let goes_on = !line.text.trim().is_empty()
            && match &self.closing {
                Some(Closing::Certain(at)) => level::is_calm(line.text) || later(*at),
                Some(Closing::Failure { .. }) => !is_of_stack(line.text) && !is_mark(line.text),
                None => false,
            };
        if goes_on {
            self.closing = None;
        }
        self.pass(number, line.at, line.text.as_bytes());
    }

    /// The line before was part of what nothing caught, or of how to call the program.
    pub(crate) fn is_behind_mark(&self) -> bool {
        let before = self.recent.iter().rev().nth(1).map(|kept| String::from_utf8_lossy(&kept.text).into_owned());
        before.is_some_and(|text| is_carets(&text) || is_mark(&text))
    }

    /// The moment of the last line that is kept and has a time stamp.
    pub(crate) fn last_moment(&self) -> Option<i64> {
        self.recent.iter().chain(&self.ended).filter_map(|kept| kept.read().0).max()
    }

    /// The last lines, each with its moment.
    pub(crate) fn recent(&self) -> impl Iterator<Item = (Option<i64>, String)> {
        self.recent.iter().map(Kept::read)
    }

    /// The words of the line before the last one.
    pub(crate) fn line_before(&self) -> Option<String> {
        self.recent.iter().rev().nth(1).map(|kept| kept.read().1)
    }

    /// The words of the last lines, without the very last one.
    pub(crate) fn lines_before(&self) -> impl Iterator<Item = String> {
        self.recent.iter().rev().skip(1).map(|kept| kept.read().1)
    }

    /// The words of the last line of this life that reports an error.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.complaint.as_ref().map(|kept| kept.read().1)
    }

    /// Whether an error was reported in the last lines.
    pub(crate) fn complained_near(&self, number: u64) -> bool {
        self.complaint.as_ref().is_some_and(|kept| number <= kept.number + 12)
    }

    /// What was printed last is the end of the process.
    pub(crate) fn closes(&mut self, at: Option<i64>) {
        self.closing = Some(Closing::Certain(at));
    }

    /// A failure without a level: the end of the process, if nothing follows and it served nothing.
    pub(crate) fn may_close(&mut self, number: u64, line: &Line<'_>) {
        if !self.served && self.closing.is_none() {
            let last = Kept::of(number, line.at, line.text.as_bytes());
            // Go's `log`, whose stamp has slashes.
            let fatal = line.stamps.contains('/') || is_requirement(line.text);
            if fatal {
                self.fails_with(line.text);
            }
            self.closing = Some(Closing::Failure { last, fatal });
        }
    }

    /// The failure without a level that was printed last, and whether it is one that programs end of.
    pub(crate) fn take_failure(&mut self) -> Option<(Kept, bool)> {
        match self.closing.take_if(|closing| matches!(closing, Closing::Failure { .. }))? {
            Closing::Failure { last, fatal } => Some((last, fatal)).filter(|_| !self.runs && !self.served),
            Closing::Certain(_) => None,
        }
    }

    /// It says what a program ends of.
    pub(crate) fn fails_with(&mut self, words: &str) {
        let known = self.alike.take().filter(|(text, _)| text == words);
        self.alike = Some(known.map_or_else(|| (words.to_owned(), 1), |(text, times)| (text, times + 1)));
    }

    /// How often it said what it said last of that.
    pub(crate) fn failed_alike(&self) -> u32 {
        self.alike.as_ref().map_or(0, |(_, times)| *times)
    }

    /// Whether the last words are those of a process that ended.
    pub(crate) fn is_over(&self) -> bool {
        !self.runs && matches!(self.closing, Some(Closing::Certain(_)))
    }

    pub(crate) fn listens(&mut self) {
        self.served = true;
        (self.closing, self.stopped, self.alike) = (None, None, None);
    }

    /// Whether its beginning is in the log, and it never listened.
    pub(crate) fn never_listened(&self) -> bool {
        self.undecided && !self.served
    }

    /// It goes on in another worker.
    pub(crate) fn resumes(&mut self) {
        (self.closing, self.stopped) = (None, None);
    }

    /// It says that it stops in good order.
    pub(crate) fn stops(&mut self, number: u64, line: &Line<'_>) {
        self.stopped.get_or_insert_with(|| Kept::of(number, line.at, line.text.as_bytes()));
    }

    /// The line by which it said that it stopped, where nothing later says otherwise.
    pub(crate) fn stopped(&self) -> Option<&Kept> {
        self.stopped.as_ref().filter(|_| !self.runs && self.code.is_none())
    }

    /// Takes a line that nothing else is read from.
    pub(crate) fn pass(&mut self, number: u64, at: Option<i64>, text: &[u8]) {
        if text.trim_ascii().is_empty() {
            return;
        }
        let mut kept =
            if self.recent.len() < LAST { Kept::default() } else { self.recent.pop_front().unwrap_or_default() };
        (kept.number, kept.at) = (number, at);
        kept.text.clear();
        kept.text.extend_from_slice(&text[..text.len().min(KEPT)]);
        self.recent.push_back(kept);
    }

    /// Takes a line that reports an error.
    pub(crate) fn complain(&mut self, number: u64, line: &Line<'_>) {
        self.complaint = Some(Kept::of(number, line.at, line.text.as_bytes()));
    }

    /// The program says that it began, or began well.
    pub(crate) fn start(&mut self) {
        (self.complaint, self.closing, self.stopped) = (None, None, None);
        (self.served, self.undecided) = (false, false);
    }

    /// The container ended with a code, as line `number` says.
    pub(crate) fn end(&mut self, number: u64, code: i32) {
        // A line that was pasted twice is one end.
        if number > 0 && number == self.last_end + 1 && self.recent.is_empty() && self.code == Some(code) {
            self.last_end = number;
            return;
        }
        self.last_end = number;
        self.code = Some(code);
        match code {
            0 => self.successes = self.successes.saturating_add(1),
            _ if is_stop(code) => self.kills = self.kills.saturating_add(1),
            _ => self.failures = self.failures.saturating_add(1),
        }
        self.alone = !std::mem::take(&mut self.asked);
        self.had_served = self.served;
        self.ended = self.last_lines();
        self.recent.clear();
        self.start();
    }

    /// Compose says that it stops or removes the container: what it ends of, or ended of, was asked for.
    pub(crate) fn is_asked(&mut self) {
        (self.asked, self.alone) = (true, false);
    }

    /// Compose says that it started the container.
    pub(crate) fn is_started(&mut self) {
        (self.asked, self.alone) = (false, false);
    }

    /// The code of a signal, or of success, that it ended with although nothing asked it to, and was not started again.
    /// `lasting`: it is no program that may have done its work.
    pub(crate) fn left(&self, lasting: bool) -> Option<i32> {
        let gone = self.alone && !self.runs && !self.is_printing();
        let missed = lasting || self.had_served;
        self.code.filter(|code| gone && (*code == 137 || missed && (*code == 0 || is_stop(*code))))
    }

    /// Whether anything was printed since the last end.
    pub(crate) fn is_printing(&self) -> bool {
        !self.recent.is_empty()
    }

    /// A call passed: whatever ended it before, it runs now.
    pub(crate) fn serves(&mut self) {
        (self.failures, self.successes, self.kills, self.code) = (0, 0, 0, None);
        self.ended.clear();
        self.listens();
    }

    /// How often it ended, whatever the code.
    pub(crate) fn ends(&self) -> u32 {
        self.failures.saturating_add(self.successes).saturating_add(self.kills)
    }

    /// The error of the present life and the last lines that were printed in it, at most two.
    fn last_lines(&self) -> Vec<Kept> {
        let mut lines: Vec<Kept> = self.complaint.iter().cloned().collect();
        let alone = lines.is_empty();
        for kept in self.recent.iter().rev() {
            let says = alone || !is_pointer(&String::from_utf8_lossy(&kept.text));
            if says
                && lines.len() < 2
                && !lines.iter().any(|known| known.number == kept.number && known.text == kept.text)
            {
                lines.push(kept.clone());
            }
        }
        lines.sort_by_key(|kept| kept.number);
        lines
    }

    /// What was printed last in the life that ended, or, where no line says that one did, in the present one.
    pub(crate) fn last_words(&self) -> Vec<Kept> {
        if self.ended.is_empty() { self.last_lines() } else { self.ended.clone() }
    }
}

/// Whether a code is that of a signal by which a person or the engine stops a program: SIGINT, SIGKILL, SIGTERM.
pub(crate) fn is_stop(code: i32) -> bool {
    matches!(code, 130 | 137 | 143)
}

/// What a code says of the way a program ended.
pub(crate) fn meaning(code: i32) -> &'static str {
    match code {
        0 => " (it ended as if it had nothing to do)",
        126 => " (its command is not executable)",
        127 => " (its command was not found)",
        130 => " (interrupted)",
        132 => " (illegal instruction: the image needs another CPU)",
        134 => " (aborted)",
        137 => " (killed; most often because the memory ran out)",
        139 => " (segmentation fault)",
        143 => " (stopped)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(life: &Life) -> Vec<String> {
        life.last_words().iter().map(|kept| kept.read().1).collect()
    }

    #[test]
    fn the_last_lines_of_the_life_that_ended() {
        let mut life = Life::default();
        for (number, text) in ["a", "Error: b", "c", "", "d"].iter().enumerate() {
            let line = Line::parse(text);
            life.print(number as u64 + 1, &line);
            if number == 1 {
                life.complain(2, &line);
            }
        }
        life.end(6, 1);
        life.print(7, &Line::parse("e"));
        assert_eq!(words(&life), ["Error: b", "d"]);
        assert_eq!((life.failures, life.ends(), life.code), (1, 1, Some(1)));
    }

    #[test]
    fn without_an_end_the_last_lines_are_the_present_ones() {
        let mut life = Life::default();
        life.pass(1, None, b"2026-11-22T20:45:19Z a");
        life.pass(2, None, b"b");
        assert_eq!(words(&life), ["a", "b"]);
        assert_eq!(life.last_words()[0].read().0, Some(1_795_380_319));
    }

    #[test]
    fn an_end_that_is_pasted_twice_is_one() {
        let mut life = Life::default();
        life.print(1, &Line::parse("a"));
        life.end(2, 1);
        life.end(3, 1);
        assert_eq!(life.failures, 1);
    }
}
