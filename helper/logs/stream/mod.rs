//! What one program printed, or several where nothing tells them apart: its steps and its faults.

mod complaints;
mod cuts;
pub(in crate::logs) mod ports;
mod steps;
mod whose;

use std::collections::BTreeMap;

use super::access::{Access, Begun};
use super::calls::Calls;
use super::cloudflared::Agent;
use super::fault::{Fault, Faults, Symptom};
use super::forwarded::Forwarded;
use super::kind::{WriterKind, kind_of};
use super::last_words;
use super::level;
use super::life::{Life, is_stop};
use super::line::{Line, field};
use super::matcher::{Reading, Writer};
use super::mention;
use super::patterns::{Effect, Event, Pattern, Tell, UNEXPLAINED};
use super::repeats::Repeats;
use super::traceback::Traceback;
use super::usage::Usage;
use crate::rules::RuleId;
use ports::{Ports, is_beside};

/// Different hosts or upstreams of which one kind of call can fail.
const MOST_SUBJECTS: usize = 8;

#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    /// The container's name without its number; empty for bare lines.
    pub(crate) name: String,
    /// The prefix of its last line of a call that passed; empty for bare lines.
    pub(super) front: Vec<u8>,
    /// The program that prints here.
    pub(crate) kind: WriterKind,
    /// Whether that is certain, and not read from the name or the lines.
    pub(crate) known: bool,
    pub(crate) faults: Faults,
    /// cloudflared's connections, where it prints here.
    pub(crate) agent: Agent,
    /// Routes that the proxy applied, each with the host behind it; empty where the line does not tell.
    pub(crate) routes: BTreeMap<String, String>,
    /// Whether lines were seen that only the proxy prints.
    pub(crate) has_proxy: bool,
    /// Whether lines were seen that only an MCP server prints.
    pub(crate) has_server: bool,
    /// The first line that only another program than Anthropic's proxy prints in a proxy's place.
    pub(crate) other_proxy: Option<(u64, String)>,
    /// Calls, and how they were answered.
    pub(crate) calls: Calls,
    /// The calls of each host, where the proxy prints here.
    pub(crate) forwarded: Forwarded,
    /// The ends of the container, and what it printed last.
    pub(crate) life: Life,
    /// Whether a server said that it listens, and nothing later says that it ended.
    pub(crate) listening: bool,
    /// The ports that it said in this life it listens on.
    pub(crate) ports: Ports,
    /// Starts in a row of which nothing came but pip's first words.
    pub(crate) silent_starts: u32,
    /// Whether anything but pip's first words was printed.
    pub(crate) spoke: bool,
    /// Moment of the last line with a time stamp.
    pub(crate) last: Option<i64>,
    /// Number of that line.
    pub(crate) dated: Option<u64>,
    pip_was_last: bool,
    /// The server began a worker, and answered no call since.
    replaced: bool,
    traceback: Traceback,
    usage: Usage,
    /// Starts of which nothing came, by their first lines.
    pub(crate) repeats: Repeats,
    /// The last line reports what the program itself did not manage, a tool or a call of its own.
    reported: bool,
    /// The last line that reports an error which a server outlives.
    outlived: Option<(u64, String)>,
    /// The first line of an error that says only where: the message is on the next.
    head: Option<(u64, String)>,
    /// A call that came, and whose answer is on a later line.
    begun: Option<Begun>,
    /// A life ended or began, and no call of the program's own failed since.
    begins_anew: bool,
}

impl Stream {
    /// The stream of a container, or of bare lines for an empty name.
    pub(crate) fn new(name: &str) -> Self {
        let kind = if name.is_empty() { WriterKind::Bare } else { kind_of(name) };
        Self { name: name.to_owned(), kind, ..Self::default() }
    }

    /// Whether it is known to be cloudflared, by what was said of it or by its name; bare lines may be its, too.
    pub(crate) fn may_be_agent(&self) -> bool {
        let kind = if self.known { self.kind } else { kind_of(&self.name) };
        self.name.is_empty() || kind == WriterKind::Of(Writer::Agent)
    }

    /// The container ended with a code, as line `number` says.
    pub(crate) fn end(&mut self, number: u64, code: i32) {
        if code != 0 && !is_stop(code) {
            self.settle();
        }
        self.only_usage();
        self.life.end(number, code);
        (self.listening, self.begins_anew) = (false, true);
    }

    /// Nothing follows: a failure without a level that was printed last is what the program ended of.
    pub(crate) fn settle(&mut self) {
        self.only_a_head();
        self.only_usage();
        self.is_cut();
        // Among bare lines it may be a shell's, or docker's.
        let bare = self.kind == WriterKind::Bare;
        let Some((kept, fatal)) = self.life.take_failure().filter(|(_, fatal)| *fatal || !bare) else { return };
        let (at, text) = kept.read();
        let line = Line::of(None, at.or(kept.at), &text);
        self.explain_nothing(kept.number, &line);
        if fatal {
            self.life.closes(line.at);
        }
    }

    /// Whether any line was one of a program that is known.
    pub(crate) fn is_recognized(&self) -> bool {
        self.agent.seen || self.has_proxy || self.has_server || matches!(self.kind, WriterKind::Of(_))
    }

    /// What ended the program, or what it continues with in vain.
    pub(crate) fn proof(&self) -> Option<&Fault> {
        self.faults.open().find(|f| f.effect == Effect::Fatal || f.rule == Some(RuleId::TokenRejected))
    }

    /// Whether the next line of this stream is wanted whatever it contains.
    pub(crate) fn wants_next(&self) -> bool {
        self.traceback.is_open() || self.pip_was_last || self.head.is_some()
    }

    /// Takes a line of this stream. Lines of docker itself were taken out before. Whether any row, level or answer
    /// explains it.
    pub(crate) fn take(&mut self, number: u64, line: &Line<'_>, reading: &Reading<'_>) -> bool {
        self.last = line.at.or(self.last);
        self.dated = line.at.map(|_| number).or(self.dated);
        self.life.print(number, line);
        if self.is_second_line(line, reading) {
            return true;
        }
        self.begins(number, line);
        self.chains(line);
        let inside = self.traceback.is_open();
        if inside && self.end_of_traceback(number, line, reading) {
            return true;
        }
        let reported = std::mem::take(&mut self.reported);
        self.goes_on(line);
        self.only_of_tool(number, line);
        let Some((writer, pattern, sure)) = self.pattern(line, reading) else { return self.unmatched(number, line) };
        self.has_proxy |= writer == Writer::Proxy && sure;
        let traceback = pattern.effect == Effect::Event(Event::Traceback);
        let shared = pattern.has(Tell::Shared) || pattern.is_anyones;
        self.has_server |= writer == Writer::Server && sure && !traceback && !shared;
        if pattern.effect != Effect::Event(Event::Pip) {
            self.printed(line);
        }
        match (writer, pattern.effect) {
            (Writer::Agent, Effect::Event(event)) => {
                if event == Event::AgentStart {
                    self.life.start();
                }
                if event == Event::Registered {
                    self.is_back(line);
                }
                self.agent.step(event, line.text, line.at, &mut self.faults);
            }
            // Among bare lines it may be Compose 1's own.
            (_, Effect::Event(Event::Traceback)) if self.kind != WriterKind::Bare || self.has_server => {
                self.traceback = Traceback::begin(reported);
            }
            (_, Effect::Event(event)) => self.step(event, number, line),
            (_, Effect::Noise) if pattern.has(Tell::HungUp) => self.only_hung_up(inside),
            (_, Effect::Noise) if level::is_error(line.text) => self.outlived = Some((number, line.text.to_owned())),
            (_, Effect::Noise) => {}
            _ if self.is_told(pattern) || self.is_beside(pattern, line.text) => {}
            (Writer::Agent, _) => {
                self.agent.fault(&symptom(pattern, writer, "", number, line, sure), &mut self.faults);
            }
            (_, Effect::Outgoing) if pattern.rule == UNEXPLAINED.rule => self.complain_of(pattern, number, line),
            (_, Effect::Fatal | Effect::Attempt | Effect::Lost | Effect::Call | Effect::Outgoing) => {
                if pattern.effect == Effect::Outgoing {
                    (self.reported, self.begins_anew) = (true, false);
                    self.life.complain(number, line);
                }
                let subject = self.subject(pattern, line.text);
                self.listening &= pattern.effect != Effect::Fatal;
                self.faults.record(&symptom(pattern, writer, &subject, number, line, sure));
            }
        }
        true
    }

    /// A line that no row explains: the answer to a call, or an error.
    fn unmatched(&mut self, number: u64, line: &Line<'_>) -> bool {
        self.printed(line);
        if !self.calls.passed {
            self.ports.mention(line.text);
        }
        if self.is_behind_frames(line) {
            self.explain_nothing(number, line);
            self.life.closes(line.at);
            return true;
        }
        if let Some((number, text)) = self.outlived.take_if(|_| last_words::is_end_of_node(line.text)) {
            self.unexplained(number, &Line::of(None, line.at, &text));
            self.life.closes(line.at);
            return true;
        }
        if !last_words::is_of_stack(line.text) {
            self.outlived = None;
        }
        let is_agent = self.kind == WriterKind::Of(Writer::Agent);
        if !is_agent && (!line.console || self.kind != WriterKind::Bare) && self.is_answer(number, line) {
            return true;
        }
        if !level::is_error(line.text) {
            if last_words::is_mark(line.text) && self.life.complaint.is_some() {
                self.life.closes(line.at);
            } else if !level::is_calm(line.text) && !mention::is_mention(line.text) && last_words::is_failure(line.text)
            {
                self.life.may_close(number, line);
            }
            return false;
        }
        // Among bare lines it may be docker's: the caller judges it.
        if !is_agent && !line.console && self.kind == WriterKind::Bare && !self.has_server && !self.has_proxy {
            return false;
        }
        if level::is_head(line.text) {
            self.head = Some((number, line.text.trim_end().to_owned()));
        } else {
            self.explain_nothing(number, line);
        }
        true
    }

    /// Whether a wording is not about the port of the server's route.
    fn is_beside(&self, pattern: &Pattern, text: &str) -> bool {
        match pattern.rule {
            // A bridge from HTTP starts it and hands on what it prints.
            Some(RuleId::UpstreamStdio) => self.listening,
            // It also listens elsewhere: for a health check, or for callers of its own container.
            Some(RuleId::UpstreamBindLoopback) => {
                is_beside(text) || self.listening && (text.contains("[::1]") || !self.ports.has(text))
            }
            _ => false,
        }
    }

    /// Takes the answer to a call, in one line or in the second of two.
    fn is_answer(&mut self, number: u64, line: &Line<'_>) -> bool {
        if let Some(access) = Access::read(line.text) {
            self.answered(&access, number, line);
            return true;
        }
        let begun = self.begun.take();
        if let Some(access) = begun.as_ref().and_then(|begun| Access::ended(line.text, begun)) {
            self.answered(&access, number, line);
            return true;
        }
        self.begun = Begun::read(line.text).or(begun);
        false
    }

    /// Whether a line before says more of what this wording is about.
    fn is_told(&self, pattern: &Pattern) -> bool {
        let same = |f: &Fault| match pattern.rule {
            Some(RuleId::EngineSeccomp) => [Some(RuleId::EngineSeccomp), Some(RuleId::ThreadLimit)].contains(&f.rule),
            rule => f.rule == rule,
        };
        pattern.has(Tell::Weak) && self.faults.open().any(same)
    }

    /// A line that means nothing on its own.
    fn printed(&mut self, line: &Line<'_>) {
        if self.pip_was_last && !line.text.trim().is_empty() {
            self.pip_was_last = false;
            self.silent_starts = 0;
        }
        self.spoke |= !line.text.trim().is_empty();
    }

    /// What a failed call is about: the host that was requested, otherwise the upstream.
    fn subject(&self, pattern: &Pattern, text: &str) -> String {
        let tls = pattern.rule.is_some_and(|rule| rule.rule().layer == crate::answer::Layer::Tls);
        if pattern.effect != Effect::Call || tls {
            return String::new();
        }
        let known = |f: &&Fault| f.rule == pattern.rule;
        let full = self.faults.open().filter(known).count() >= MOST_SUBJECTS;
        if full { String::new() } else { host(text).to_owned() }
    }
}

fn symptom<'a>(
    pattern: &'static Pattern,
    writer: Writer,
    subject: &'a str,
    number: u64,
    line: &'a Line<'a>,
    sure: bool,
) -> Symptom<'a> {
    Symptom { pattern, writer, subject, number, line, sure }
}

fn host(text: &str) -> &str {
    field(text, "host").or_else(|| field(text, "upstream")).unwrap_or_default()
}
