//! What is missing of the words in which a program ended, because the log begins or ends in them, and what only they
//! tell: frames without a message, how to call the program, a first line that comes back.

use super::{Stream, symptom};
use crate::logs::kind::WriterKind;
use crate::logs::last_words;
use crate::logs::line::Line;
use crate::logs::matcher::Writer;
use crate::logs::patterns::{EXCEPTION, Tell, USAGE};
use crate::logs::traceback::{self, Traceback};

impl Stream {
    /// Whether an MCP server may print here, and said nothing by which it would be known to work.
    fn may_be_starting(&self) -> bool {
        let is_server = matches!(self.kind, WriterKind::Unknown | WriterKind::Of(Writer::Server));
        is_server && !self.life.served && !self.life.runs
    }

    /// Takes note of a line in which a program may begin, or go on.
    pub(super) fn begins(&mut self, number: u64, line: &Line<'_>) {
        // The head of the traceback is missing.
        if !self.traceback.is_open() && traceback::is_frame(line.text) && self.kind != WriterKind::Bare {
            self.traceback = Traceback::begin(self.reported);
        }
        if self.faults.open().any(|f| f.tells(Tell::Last)) && last_words::goes_on(line.text) {
            self.faults.heal(|f| f.tells(Tell::Last));
        }
        if self.may_be_starting() {
            self.usage.take(number, line);
            self.repeats.take(number, line);
        }
    }

    /// How to call the program is all that it printed last.
    pub(super) fn only_usage(&mut self) {
        let Some(kept) = self.usage.end().filter(|_| self.may_be_starting()) else { return };
        if self.life.complaint.is_some() || self.proof().is_some() {
            return;
        }
        // The reason is in front of it.
        let kept = self.life.take_failure().map_or(kept, |(reason, _)| reason);
        let (at, text) = kept.read();
        let line = Line::of(None, at, &text);
        self.faults.record(&symptom(&USAGE, Writer::Server, "", kept.number, &line, true));
        self.life.closes(at);
    }

    /// The log ends between the place in the source and the message.
    pub(super) fn is_cut(&mut self) {
        if !self.may_be_starting() || self.life.complaint.is_some() {
            return;
        }
        let words = self.life.last_words();
        let Some(last) = words.last() else { return };
        let (at, text) = last.read();
        if self.traceback.is_open() && self.traceback.framed && self.traceback.uncaught {
            let line = Line::of(None, at, &text);
            self.faults.record(&symptom(&EXCEPTION, Writer::Server, "", last.number, &line, true));
            self.life.closes(at);
        } else if last_words::is_carets(&text) && words.len() > 1 {
            let (at, text) = words[words.len() - 2].read();
            self.explain_nothing(words[words.len() - 2].number, &Line::of(None, at, &text));
            self.life.closes(at);
        }
    }

    /// Whether Node's version is behind frames whose message is missing.
    pub(super) fn is_behind_frames(&self, line: &Line<'_>) -> bool {
        let frame = |text: String| text.starts_with("at ") || text == "}";
        last_words::is_end_of_node(line.text)
            && self.may_be_starting()
            && self.life.complaint.is_none()
            && self.proof().is_none()
            && self.life.lines_before().any(frame)
    }
}
