//! Errors that no row explains, those of tools, tracebacks, and the lines that make up for an error.

use super::{Stream, symptom};
use crate::logs::access::Access;
use crate::logs::asides::{self, ASIDE};
use crate::logs::fault::Fault;
use crate::logs::kind::WriterKind;
use crate::logs::last_words;
use crate::logs::level;
use crate::logs::line::{Line, connection_index};
use crate::logs::matcher::{Reading, Writer};
use crate::logs::patterns::{EXCEPTION, Effect, Pattern, TOOL, UNEXPLAINED};
use crate::logs::recovery;
use crate::logs::tools;
use crate::logs::traceback::Part;
use crate::rules::RuleId;

/// Subject of an error of which the program says what it does instead.
const DEALT_WITH: &str = "dealt with";
/// Subject of an error that is tried again.
const TRIED_AGAIN: &str = "tried again";
/// Subject of the errors that a server met in a call of its own.
const OUTGOING: &str = "outgoing";

impl Stream {
    /// An error line that no row explains, cloudflared's or another program's.
    pub(super) fn explain_nothing(&mut self, number: u64, line: &Line<'_>) {
        // zerolog's console is cloudflared's, and that of other programs of Go.
        let bare = self.kind == WriterKind::Bare || self.agent.seen;
        if self.kind == WriterKind::Of(Writer::Agent) || line.console && bare {
            self.life.complain(number, line);
            let symptom = symptom(&UNEXPLAINED, Writer::Agent, "", number, line, true);
            self.agent.unexplained(&symptom, &mut self.faults);
        } else {
            self.unexplained(number, line);
        }
    }

    /// An error line of a program that no row explains.
    pub(crate) fn unexplained(&mut self, number: u64, line: &Line<'_>) {
        self.complain_of(&UNEXPLAINED, number, line);
    }

    /// Takes the message below the first line of an error: whether the line is one, and no row explains it.
    pub(super) fn is_second_line(&mut self, line: &Line<'_>, reading: &Reading<'_>) -> bool {
        let panics = self.head.as_ref().is_some_and(|(_, head)| level::is_open_head(head));
        let is_message = if panics { !line.text.trim().is_empty() } else { line.text.starts_with("    ") };
        if !is_message || panics && self.pattern(line, reading).is_some() {
            self.only_a_head();
            return false;
        }
        let Some((number, head)) = self.head.take() else { return false };
        let explained = self.pattern(line, reading).is_some();
        if !explained {
            let head = head.trim_end_matches(['╮', '─', ' ']);
            let text = format!("{head} {}", line.text.trim_matches(['│', ' ', '\t']));
            self.unexplained(number, &Line::of(None, line.at, &text));
        }
        !explained
    }

    /// No message came below the first line of an error, or a row explains it.
    pub(super) fn only_a_head(&mut self) {
        if let Some((number, head)) = self.head.take() {
            self.unexplained(number, &Line::of(None, None, &head));
        }
    }

    /// An error that only its own line tells of.
    pub(super) fn complain_of(&mut self, pattern: &'static Pattern, number: u64, line: &Line<'_>) {
        let writer = match self.kind {
            WriterKind::Of(writer) => writer,
            WriterKind::Bare | WriterKind::Unknown => Writer::Server,
        };
        // npm goes on to say what was stopped.
        if self.life.stopped().is_some() && line.text.starts_with("npm ") {
            return;
        }
        if last_words::is_without_reason(line.text) {
            // The reason is on a line before.
            if self.life.complained_near(number) {
                self.life.closes(line.at);
                return;
            }
            if let Some((kept, _)) = self.life.take_failure() {
                let (at, text) = kept.read();
                self.complain_of(pattern, kept.number, &Line::of(None, at, &text));
                self.life.fails_with(&text);
                self.life.closes(line.at);
                return;
            }
            // GHC's, as any program's words.
            if let Some(reason) = self.life.line_before().filter(|_| line.text.starts_with("CallStack ")) {
                self.complain_of(pattern, number.saturating_sub(1), &Line::of(None, line.at, &reason));
                self.life.closes(line.at);
                return;
            }
        }
        self.life.complain(number, line);
        // Winston begins its lines as command lines do.
        let ends = last_words::is_message(line.text) && !(self.life.served && line.text.starts_with("error: "));
        if writer == Writer::Server && !ends && tools::is_of_tool(line.text) {
            self.reported = true;
            self.faults.record(&symptom(&TOOL, writer, "", number, line, true));
            return;
        }
        if ends {
            self.life.fails_with(line.text);
        }
        let lacks = !self.life.served && last_words::is_requirement(line.text);
        if ends || self.life.is_behind_mark() || self.usage.is_open() || lacks {
            self.life.closes(line.at);
        } else if level::of(line.text).is_none() {
            self.life.may_close(number, line);
        }
        self.begins_anew = false;
        let subject = match writer {
            Writer::Server if recovery::is_dealt_with(line.text) => DEALT_WITH,
            Writer::Server if asides::is_aside(line.text) => ASIDE,
            Writer::Server if recovery::is_trying(line.text) => TRIED_AGAIN,
            Writer::Server if pattern.effect == Effect::Outgoing => OUTGOING,
            _ => "",
        };
        if subject != DEALT_WITH || !self.life.served {
            self.faults.record(&symptom(pattern, writer, subject, number, line, true));
            self.faults.met(subject, self.life.served);
        }
    }

    /// The line before was the error of a call of a tool, as this one says, which is the call's result.
    pub(super) fn only_of_tool(&mut self, number: u64, line: &Line<'_>) {
        if !tools::is_failed_result(line.text) {
            return;
        }
        let Some(before) = self.life.line_before() else { return };
        let is_it = |f: &Fault| f.rule == Some(RuleId::UnexplainedError) && f.count == 1 && f.text.trim() == before;
        if self.faults.open().any(is_it) {
            self.faults.forget(is_it);
            self.faults.record(&symptom(&TOOL, Writer::Server, "", number, line, true));
        }
    }

    /// A program that says what it did instead goes on; one whose own call failed, or that tries again, says later that
    /// it works. What fails in a tool is the answer to a call.
    pub(super) fn goes_on(&mut self, line: &Line<'_>) {
        let may_end = |f: &Fault| {
            let own = f.writer == Writer::Server && f.same || !f.subject.is_empty();
            own && matches!(f.rule, Some(RuleId::UnexplainedError)) || f.rule == Some(RuleId::UpstreamCallTls)
        };
        let known = || self.faults.open().chain(self.faults.healed()).filter(|f| may_end(f));
        let waits = || known().all(|f| f.subject != DEALT_WITH) && recovery::works(line.text).is_none();
        if known().next().is_none() || line.text.trim().is_empty() || waits() {
            return;
        }
        if level::of(line.text) == Some(true) || level::is_error(line.text) {
            return;
        }
        // An answer to a call tells nothing of what the server calls itself.
        let answer = Access::read(line.text).is_some() && !line.text.contains("://");
        self.faults.forget(|f| {
            let pending = f.effect == Effect::Outgoing || f.subject == TRIED_AGAIN;
            may_end(f) && (f.subject == DEALT_WITH || !answer && recovery::is_made_up_for(&f.text, line.text, pending))
        });
    }

    /// A connection is registered: an error of the same one that no row explains is over.
    pub(super) fn is_back(&mut self, line: &Line<'_>) {
        let index = connection_index(line.text);
        // A request's own error names it, too.
        let of_connection = |text: &str| !["dest=", "\"dest\"", "originService"].iter().any(|key| text.contains(key));
        self.faults.forget(|f| {
            let own = f.rule == Some(RuleId::UnexplainedError) && f.writer == Writer::Agent && f.same;
            own && index.is_some() && connection_index(&f.text) == index && of_connection(&f.text)
        });
    }

    /// One exception led to another: the last one of a chain counts.
    pub(super) fn chains(&mut self, line: &Line<'_>) {
        let links = ["During handling of the above exception", "The above exception was the direct cause"];
        if !links.iter().any(|link| line.text.starts_with(link)) || self.traceback.is_open() {
            return;
        }
        self.traceback.reopen();
        if let Some(before) = self.life.line_before() {
            self.faults.forget(|f| {
                let rules = [Some(RuleId::UnexplainedError), Some(RuleId::UpstreamTraceback)];
                rules.contains(&f.rule) && f.count == 1 && f.text.trim() == before
            });
        }
    }

    /// A client hung up, and the line before, or the one above the traceback, reported that as an error.
    pub(super) fn only_hung_up(&mut self, inside: bool) {
        let reported = if inside { self.life.complaint() } else { self.life.line_before() };
        if let Some(reported) = reported {
            self.faults.forget(|f| {
                f.rule == Some(RuleId::UnexplainedError) && f.count == 1 && f.text.trim().ends_with(&reported)
            });
        }
    }

    /// Whether this line belongs to a traceback and says nothing else. The last one names the error.
    pub(super) fn end_of_traceback(&mut self, number: u64, line: &Line<'_>, reading: &Reading<'_>) -> bool {
        let name = match self.traceback.take(line.text) {
            Part::Inside => return true,
            Part::None => return false,
            Part::Exception(name) => name,
        };
        if self.traceback.reported {
            return true;
        }
        // A known one has its own row; a stop of asyncio is not an error.
        let tells = |row: &Pattern| row.rule != UNEXPLAINED.rule;
        let known = reading.find(Writer::Server, tells).is_some() || reading.pattern(Writer::Container).is_some();
        if !known && !name.ends_with("CancelledError") {
            self.life.complain(number, line);
            self.faults.record(&symptom(&EXCEPTION, Writer::Server, "", number, line, true));
        }
        if self.traceback.uncaught && !name.ends_with("CancelledError") {
            self.life.closes(line.at);
        }
        !known && !name.ends_with("CancelledError")
    }
}
