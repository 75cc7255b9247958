//! What one program printed, or several where nothing tells them apart: its steps and its faults.

use std::collections::BTreeSet;

use super::access::Access;
use super::calls::Calls;
use super::cloudflared::Agent;
use super::fault::{Fault, Faults, Symptom};
use super::kind::{WriterKind, kind_of};
use super::level;
use super::life::Life;
use super::line::{Line, field};
use super::matcher::{Reading, Writer};
use super::patterns::{EXCEPTION, Effect, Event, Pattern, Tell, UNEXPLAINED, is_container_pattern};
use crate::rules::RuleId;

/// Routes beyond which names are no longer remembered.
const MOST_ROUTES: usize = 1_000;
/// Different hosts or upstreams of which one kind of call can fail.
const MOST_SUBJECTS: usize = 8;
/// Lines of a traceback.
const TRACEBACK: u32 = 200;

/// One stream.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// The container's name without its number; empty for bare lines.
    pub(crate) name: String,
    /// The program that prints here.
    pub(crate) kind: WriterKind,
    /// Whether that is certain, and not read from the name or the lines.
    pub(crate) known: bool,
    /// What is wrong.
    pub(crate) faults: Faults,
    /// cloudflared's connections, where it prints here.
    pub(crate) agent: Agent,
    /// Routes that the proxy applied.
    pub(crate) routes: BTreeSet<String>,
    /// Whether lines were seen that only the proxy prints.
    pub(crate) has_proxy: bool,
    /// Whether lines were seen that only an MCP server prints.
    pub(crate) has_server: bool,
    /// The first line that only another program than Anthropic's proxy prints in a proxy's place.
    pub(crate) other_proxy: Option<(u64, String)>,
    /// Calls, and how they were answered.
    pub(crate) calls: Calls,
    /// The ends of the container, and what it printed last.
    pub(crate) life: Life,
    /// Whether a server said that it listens, and nothing later says that it ended.
    pub(crate) listening: bool,
    /// Starts in a row of which nothing came but pip's first words.
    pub(crate) silent_starts: u32,
    /// Whether anything but pip's first words was printed.
    pub(crate) spoke: bool,
    /// Moment of the last line with a time stamp.
    pub(crate) last: Option<i64>,
    pip_was_last: bool,
    traceback: u32,
    /// The last line that reports an error which a server outlives.
    outlived: Option<(u64, String)>,
}

impl Stream {
    /// The stream of a container, or of bare lines for an empty name.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            known: false,
            kind: if name.is_empty() { WriterKind::Bare } else { kind_of(name) },
            faults: Faults::default(),
            agent: Agent::default(),
            routes: BTreeSet::new(),
            has_proxy: false,
            has_server: false,
            other_proxy: None,
            calls: Calls::default(),
            life: Life::default(),
            listening: false,
            silent_starts: 0,
            spoke: false,
            last: None,
            pip_was_last: false,
            traceback: 0,
            outlived: None,
        }
    }

    /// Whether it is known to be cloudflared, by what was said of it or by its name; bare lines may be its, too.
    pub(crate) fn may_be_agent(&self) -> bool {
        let kind = if self.known { self.kind } else { kind_of(&self.name) };
        self.name.is_empty() || kind == WriterKind::Of(Writer::Agent)
    }

    /// The container ended with a code, as line `number` says.
    pub(crate) fn end(&mut self, number: u64, code: i32) {
        self.life.end(number, code);
        self.listening = false;
    }

    /// Whether any line was one of a program that is known.
    pub(crate) fn is_recognized(&self) -> bool {
        self.agent.is_seen() || self.has_proxy || self.has_server || matches!(self.kind, WriterKind::Of(_))
    }

    /// What ended the program, or what it continues with in vain.
    pub(crate) fn proof(&self) -> Option<&Fault> {
        self.faults.open().find(|f| f.effect == Effect::Fatal || f.rule == Some(RuleId::TokenRejected))
    }

    /// Whether the next line of this stream is wanted whatever it contains.
    pub(crate) fn wants_next(&self) -> bool {
        self.traceback > 0 || self.pip_was_last
    }

    /// Takes a line of this stream. Lines of docker itself were taken out before. Whether any row, level or answer
    /// explains it.
    pub(crate) fn take(&mut self, number: u64, line: &Line<'_>, reading: &Reading<'_>) -> bool {
        self.last = line.at.or(self.last);
        self.life.print(number, line);
        if self.traceback > 0 && self.end_of_traceback(number, line, reading) {
            return true;
        }
        let Some((writer, pattern, sure)) = self.pattern(line, reading) else {
            self.printed(line);
            return self.unmatched(number, line);
        };
        self.has_proxy |= writer == Writer::Proxy && sure;
        let traceback = pattern.effect == Effect::Event(Event::Traceback);
        self.has_server |= writer == Writer::Server && sure && !traceback && !is_container_pattern(pattern);
        if pattern.effect != Effect::Event(Event::Pip) {
            self.printed(line);
        }
        match (writer, pattern.effect) {
            (Writer::Agent, Effect::Event(event)) => {
                if event == Event::AgentStart {
                    self.life.start();
                }
                self.agent.step(event, line.text, line.at, &mut self.faults);
            }
            (_, Effect::Event(event)) => self.step(event, number, line),
            (_, Effect::Noise) if level::is_error(line.text) => self.outlived = Some((number, line.text.to_owned())),
            (_, Effect::Noise) => {}
            (Writer::Agent, _) => {
                self.agent.fault(&symptom(pattern, writer, "", number, line, sure), &mut self.faults);
            }
            // A bridge from HTTP starts it and hands on what it prints.
            (_, Effect::Call) if pattern.rule == Some(RuleId::UpstreamStdio) && self.listening => {}
            (_, Effect::Fatal | Effect::Attempt | Effect::Lost | Effect::Call) => {
                let subject = self.subject(pattern, line.text);
                self.listening &= pattern.effect != Effect::Fatal;
                self.faults.record(&symptom(pattern, writer, &subject, number, line, sure));
            }
        }
        true
    }

    /// A line that no row explains: the answer to a call, or an error.
    fn unmatched(&mut self, number: u64, line: &Line<'_>) -> bool {
        if let Some((number, text)) = self.outlived.take_if(|_| level::is_end_of_node(line.text)) {
            self.unexplained(number, &Line::of(None, line.at, &text));
            return true;
        }
        if !level::is_of_stack(line.text) {
            self.outlived = None;
        }
        let serves = matches!(
            self.kind,
            WriterKind::Of(Writer::Server | Writer::Proxy) | WriterKind::Unknown | WriterKind::Bare
        );
        if serves
            && !line.console
            && let Some(access) = Access::read(line.text)
        {
            self.answered(&access, Writer::Server, "", number, line);
            return true;
        }
        let bare_agent = self.kind == WriterKind::Bare && line.console;
        if !level::is_error(line.text) {
            return false;
        }
        if self.kind == WriterKind::Of(Writer::Agent) || bare_agent || line.console {
            self.life.complain(number, line);
            let symptom = symptom(&UNEXPLAINED, Writer::Agent, "", number, line, true);
            self.agent.unexplained(&symptom, &mut self.faults);
            return true;
        }
        // Among bare lines it may be docker's: the caller judges it.
        if self.kind == WriterKind::Bare && !self.has_server && !self.has_proxy {
            return false;
        }
        self.unexplained(number, line);
        true
    }

    /// An error line of a program that no row explains.
    pub(crate) fn unexplained(&mut self, number: u64, line: &Line<'_>) {
        let writer = match self.kind {
            WriterKind::Of(writer) => writer,
            WriterKind::Bare | WriterKind::Unknown => Writer::Server,
        };
        self.life.complain(number, line);
        self.faults.record(&symptom(&UNEXPLAINED, writer, "", number, line, true));
    }

    /// A line that means nothing on its own.
    fn printed(&mut self, line: &Line<'_>) {
        if self.pip_was_last && !line.text.trim().is_empty() {
            self.pip_was_last = false;
            self.silent_starts = 0;
        }
        self.spoke |= !line.text.trim().is_empty();
    }

    /// Whose line it is, what it means, and whether only this program prints it.
    fn pattern(&mut self, line: &Line<'_>, reading: &Reading<'_>) -> Option<(Writer, &'static Pattern, bool)> {
        let of = |writer| reading.pattern(writer).map(|pattern| (writer, pattern));
        if let WriterKind::Of(writer) = self.kind {
            let own = of(writer).map(|(writer, pattern)| (writer, pattern, true));
            // Under the proxy's name another program may print.
            let foreign = || {
                let server = of(Writer::Server).filter(|_| writer == Writer::Proxy && !self.known);
                server.map(|(_, pattern)| (Writer::Server, pattern, true))
            };
            return own.or_else(foreign).or_else(|| of(Writer::Container).map(|(_, pattern)| (writer, pattern, true)));
        }
        // zerolog's keys; the proxy's JSON has `msg`. A request's own error comes without a message.
        let keys = ["\"message\":", "\"originService\":"];
        let json = line.text.starts_with('{') && keys.iter().any(|key| line.text.contains(key));
        let agent = of(Writer::Agent).filter(|(_, pattern)| line.console || json || pattern.has(Tell::Own));
        let candidates = [agent, of(Writer::Proxy), of(Writer::Server)];
        let tell_tale = candidates.into_iter().flatten().find(|(writer, pattern)| is_tell_tale(*writer, pattern));
        // What ends either of them is the proxy's where nothing tells whose line it is.
        let both =
            candidates[1].filter(|(_, pattern)| self.kind == WriterKind::Bare && pattern.effect == Effect::Fatal);
        let tell_tale = tell_tale.filter(|(writer, _)| *writer != Writer::Server || both.is_none());
        let found = tell_tale.or(agent).or_else(|| candidates.into_iter().flatten().next());
        let Some((writer, pattern)) = found else {
            let writer = if self.kind == WriterKind::Bare { Writer::Proxy } else { Writer::Server };
            return of(Writer::Container).map(|(_, pattern)| (writer, pattern, false));
        };
        let sure = tell_tale.is_some() || agent.is_some();
        let traceback = pattern.effect == Effect::Event(Event::Traceback);
        if self.kind == WriterKind::Unknown && sure && !traceback && !is_container_pattern(pattern) {
            self.kind = WriterKind::Of(writer);
        }
        Some((writer, pattern, sure))
    }

    /// A step of the proxy or of a server.
    fn step(&mut self, event: Event, number: u64, line: &Line<'_>) {
        let text = line.text;
        match event {
            Event::Route | Event::ProxyStart => {
                self.began(Writer::Proxy, line.at);
                // A new life: what calls met in the last one may have been fixed.
                self.faults.heal(|f| f.writer == Writer::Proxy && f.effect == Effect::Call);
                let name = field(text, "subdomain").or_else(|| field(text, "route")).or_else(|| field(text, "name"));
                if event == Event::Route && self.routes.len() < MOST_ROUTES {
                    self.routes.insert(name.unwrap_or(text).to_owned());
                }
            }
            Event::CallStarted => {
                self.calls.see(None, line);
                let host = host(text);
                self.faults.heal(|f| {
                    let tls = f.rule.is_some_and(|rule| rule.rule().layer == crate::answer::Layer::Tls);
                    let no_route = f.rule == Some(RuleId::NoRoute) && f.subject == host;
                    f.writer == Writer::Proxy && (f.effect == Effect::Fatal || tls || no_route)
                });
            }
            Event::CallDone => self.passed_on(number, line),
            Event::ServerStart => {
                self.has_server = true;
                self.life.start();
                self.faults.heal(|f| f.rule == Some(RuleId::UnexplainedError));
            }
            Event::SessionGone => self.calls.session_gone(number, line),
            Event::Listening => {
                self.listening = true;
                self.calls.began();
                self.began(Writer::Server, line.at);
                self.faults.heal(|f| f.writer == Writer::Server);
            }
            Event::Pip => {
                self.silent_starts = if self.pip_was_last { self.silent_starts + 1 } else { 1 };
                self.pip_was_last = true;
            }
            // Among bare lines it may be Compose 1's own.
            Event::Traceback if self.kind != WriterKind::Bare || self.has_server => self.traceback = TRACEBACK,
            Event::OtherProxy => {
                self.other_proxy.get_or_insert_with(|| (number, text.to_owned()));
                if level::is_error(text) {
                    self.unexplained(number, line);
                }
            }
            // cloudflared's, or of no meaning here.
            _ => {}
        }
    }

    /// The program says that it began well.
    fn began(&mut self, writer: Writer, at: Option<i64>) {
        self.outlived = None;
        self.life.start();
        self.faults.started(writer, at);
    }

    /// The proxy passed an answer on.
    fn passed_on(&mut self, number: u64, line: &Line<'_>) {
        let text = line.text;
        let host = host(text).to_owned();
        let status = field(text, "status").and_then(|status| status.parse::<u16>().ok()).unwrap_or(200);
        self.calls.passed_on(status, line);
        if status < 500 {
            self.faults.heal(|f| {
                let about = f.subject.is_empty() || host.is_empty() || f.subject == host;
                f.writer == Writer::Proxy && f.effect == Effect::Call && about
            });
        }
        if let Some(pattern) = super::calls::refused_by(status) {
            self.faults.record(&symptom(pattern, Writer::Proxy, &host, number, line, true));
        }
    }

    /// A server answered a call.
    fn answered(&mut self, access: &Access<'_>, writer: Writer, subject: &str, number: u64, line: &Line<'_>) {
        use super::calls::Meaning;
        self.has_server |= self.kind != WriterKind::Bare || access.method == "POST";
        match self.calls.take(access, number, line) {
            Meaning::Nothing => {}
            Meaning::Passed => {
                self.life.serves();
                self.faults.heal(|f| f.writer == Writer::Server && f.rule != Some(RuleId::UnexplainedError));
            }
            Meaning::Failed(pattern) => {
                let subject = if subject.is_empty() { access.route() } else { subject };
                self.faults.record(&symptom(pattern, writer, subject, number, line, true));
            }
        }
    }

    /// Whether this line belongs to a traceback and says nothing else. The last one names the error.
    fn end_of_traceback(&mut self, number: u64, line: &Line<'_>, reading: &Reading<'_>) -> bool {
        self.traceback -= 1;
        let text = line.text;
        let name = text.split([':', ' ']).next().unwrap_or_default();
        let is_error = !text.starts_with([' ', '|', '+'])
            && name.rsplit('.').next().is_some_and(|name| name.ends_with("Error") || name.ends_with("Exception"));
        if !is_error {
            let inside = text.starts_with([' ', '|', '+']) || text.is_empty() || text.starts_with("Traceback");
            return inside || text.starts_with("During handling") || text.starts_with("The above exception");
        }
        self.traceback = 0;
        // A known one has its own row; a stop of asyncio is not an error.
        let known = reading.pattern(Writer::Server).is_some() || reading.pattern(Writer::Container).is_some();
        if known || name.ends_with("CancelledError") {
            return false;
        }
        self.life.complain(number, line);
        self.faults.record(&symptom(&EXCEPTION, Writer::Server, "", number, line, true));
        true
    }

    /// What a failed call is about: the host that was asked for, else the upstream.
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

/// The host that a call was for.
fn host(text: &str) -> &str {
    field(text, "host").or_else(|| field(text, "upstream")).unwrap_or_default()
}

/// Whether only one program says this.
fn is_tell_tale(writer: Writer, pattern: &Pattern) -> bool {
    match writer {
        Writer::Engine | Writer::Container => false,
        Writer::Agent => pattern.has(Tell::Own) && pattern.effect == Effect::Fatal,
        Writer::Proxy => pattern.has(Tell::Own),
        Writer::Server => true,
    }
}
