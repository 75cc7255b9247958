//! Logs: what the programs of the stack print, read as a stream and judged by the state that it adds up to.

mod access;
mod asides;
mod blame;
mod calls;
pub(crate) mod cloudflared;
mod compare;
pub(crate) mod encoding;
mod ends;
pub(crate) mod fault;
mod forwarded;
pub(crate) mod input;
mod journal;
mod kind;
mod last_words;
mod level;
mod life;
pub(crate) mod line;
mod margin;
pub(crate) mod matcher;
mod mention;
mod oom;
pub(crate) mod patterns;
mod ports;
mod programs;
mod quote;
mod recovery;
mod repeats;
mod sink;
pub(crate) mod stamp;
pub(crate) mod stream;
pub(crate) mod table;
mod tools;
mod traceback;
mod units;
mod usage;
pub(crate) mod verdict;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::answer::Error;
use crate::rules::RuleId;
use access::Access;
use fault::{Fault, Faults, Symptom};
use journal::Origin;
use line::Line;
use margin::Margin;
use matcher::{Matcher, Reading, Writer};
use oom::{Kill, Victim};
use patterns::{DAEMON_FAILED, ENGINE_FAILED, Effect, Event, Pattern, Tell, WARNED};
use patterns::{is_engine_error, is_engines_own, is_warning};
pub(crate) use quote::quote;
use stream::Stream;
use table::{Head, Row};
use units::Units;

/// Most containers of one log that are distinguished; lines of further ones count as bare.
const MOST_STREAMS: usize = 64;
/// Subject of what the daemon says in its own journal, where it also speaks of what is not the stack's.
const JOURNAL: &str = "journal";
/// Code of a program that SIGTERM ended.
const SIGTERM: i32 = 143;
/// Rows of a table.
const MOST_ROWS: usize = 200;

/// Everything that a log says, as far as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    matcher: &'static Matcher,
    /// The first one takes the bare lines.
    streams: Vec<Stream>,
    /// Faults of docker and Compose, each with the number of the start it belongs to.
    engine: Faults,
    /// What the kernel last said of a process that it kills for memory.
    kill: Kill,
    /// Commands that start something, among the pasted ones.
    starts: u32,
    /// The start that the last fault of the engine belongs to.
    failed_start: u32,
    /// The lines are the output of a build.
    building: bool,
    /// Compose said that it stops all services.
    stopping: bool,
    /// The tunnel's domain, as the first line that names one spells it.
    pub(crate) domain: Option<String>,
    head: Option<Head>,
    rows: Vec<Row>,
    /// Lines from before this moment are left out.
    since: Option<i64>,
    /// Moment of the last line with a time stamp.
    last: Option<i64>,
    /// Lines that could not be left out because they have no time stamp.
    undated: u64,
    margin: Margin,
    units: Units,
    /// Lines of calls that passed can change something.
    routine: bool,
}

impl Logs {
    /// Nothing read yet. Lines from before `since`, in seconds since 1970, will be left out.
    ///
    /// # Errors
    /// As [`Matcher::shared`].
    pub(crate) fn new(since: Option<i64>) -> Result<Self, Error> {
        Ok(Self {
            matcher: Matcher::shared()?,
            streams: vec![Stream::new("")],
            engine: Faults::default(),
            kill: Kill::default(),
            starts: 0,
            failed_start: 0,
            building: false,
            stopping: false,
            domain: None,
            head: None,
            rows: Vec::new(),
            since,
            last: None,
            undated: 0,
            margin: Margin::default(),
            units: Units::default(),
            routine: true,
        })
    }

    /// Says which program prints under a name, so that no other program's words are taken for its own.
    pub(crate) fn know(&mut self, name: &str, writer: Writer) {
        let at = self.stream(Some(name));
        if at > 0 {
            (self.streams[at].kind, self.streams[at].known) = (kind::WriterKind::Of(writer), true);
        }
    }

    /// Whether a server's line is about a call of another caller than the proxy, which has these addresses. Behind a
    /// server of its own the proxy may have any public address.
    pub(crate) fn is_of_another_caller(text: &str, proxy: &[IpAddr]) -> bool {
        let is_near = |address: &IpAddr| matches!(address, IpAddr::V4(v4) if v4.is_private() || v4.is_loopback());
        let caller = Access::read(text).and_then(|_| Access::client(text)).filter(is_near);
        caller.is_some_and(|caller| !proxy.contains(&caller))
    }

    /// What a container printed.
    pub(crate) fn of(&self, service: &str) -> Option<&Stream> {
        self.streams[1..].iter().find(|s| s.name == service)
    }

    fn of_mut(&mut self, service: &str) -> Option<&mut Stream> {
        self.streams[1..].iter_mut().find(|s| s.name == service)
    }

    /// Says that a container runs: what it printed last did not end it.
    pub(crate) fn runs(&mut self, service: &str) {
        if let Some(stream) = self.of_mut(service) {
            stream.life.runs = true;
        }
    }

    /// Forgets what a container printed: another life has begun.
    pub(crate) fn forget(&mut self, service: &str) {
        if let Some(stream) = self.of_mut(service) {
            let (kind, known) = (stream.kind, stream.known);
            *stream = Stream::new(service);
            (stream.kind, stream.known) = (kind, known);
        }
    }

    fn stream(&mut self, name: Option<&str>) -> usize {
        let Some(name) = name else { return 0 };
        if let Some(at) = self.streams.iter().position(|s| s.name == name) {
            return at;
        }
        if self.streams.len() >= MOST_STREAMS {
            return 0;
        }
        self.streams.push(Stream::new(name));
        self.streams.len() - 1
    }

    /// A command line that was pasted together with its output.
    fn prompt(&mut self, text: &str) -> bool {
        let Some((_, command)) = text.split_once("$ docker").or_else(|| text.split_once("# docker")) else {
            return false;
        };
        self.head = None;
        if [" up", " start", " restart", " run"].iter().any(|verb| command.contains(verb)) {
            self.starts += 1;
        }
        true
    }

    /// `NAME exited with code N`, as an attached `docker compose up` says it.
    fn exit(&mut self, number: u64, text: &str) -> bool {
        let Some((name, rest)) = text.split_once(" exited with code ") else { return false };
        let name = kind::service(name.trim());
        let code = rest.split_whitespace().next().and_then(|code| code.parse().ok());
        let Some(code) = code.filter(|_| !name.is_empty() && !name.contains(' ')) else { return false };
        let at = self.stream(Some(name));
        if self.stopping {
            self.streams[at].life.is_asked();
        }
        // Asked to stop, programs end with codes of their own.
        self.streams[at].end(number, if self.stopping { SIGTERM } else { code });
        true
    }

    /// What docker or Compose means by a bare line, if it is theirs.
    fn engine_pattern(&self, line: &Line<'_>, reading: &Reading<'_>) -> Option<&'static Pattern> {
        let counts =
            |row: &Pattern| (self.building || !row.has(Tell::Build)) && !(row.is_fault() && level::is_quiet(line.text));
        let known = reading.find(Writer::Engine, counts);
        known
            .or_else(|| is_engines_own(line.text).then_some(&ENGINE_FAILED))
            .or_else(|| is_warning(line.text).then_some(&WARNED))
    }

    /// An error of docker or Compose; `subject`: where it was printed.
    fn engine_failed(&mut self, number: u64, line: &Line<'_>, pattern: &'static Pattern, subject: &str) {
        match pattern.effect {
            Effect::Event(Event::EngineStart) => self.engine.heal(|f| f.rule == Some(RuleId::DockerDaemonDown)),
            Effect::Event(Event::PodStarted) => self.engine.heal(|f| f.rule == Some(RuleId::PodNotRunning)),
            _ => {}
        }
        // What systemd says of the daemon's end says less than the daemon did.
        let is_told = || self.engine.find(pattern.rule).is_some_and(|f| !f.tells(Tell::Weak));
        if matches!(pattern.effect, Effect::Noise | Effect::Event(_)) || pattern.has(Tell::Weak) && is_told() {
            return;
        }
        let of_kernel = pattern.rule == Some(RuleId::OutOfMemory) && !line.text.contains("OOMKilled");
        if of_kernel && !self.is_our_kill(line.text) {
            return;
        }
        // A name without a dot is a container's of another project, or a guess: no server outside knows it.
        let is_guess = |(_, name): (&str, &str)| name.split(". ").next().is_some_and(|name| !name.contains('.'));
        if pattern.rule == Some(RuleId::EngineDnsSilent) && line.text.split_once("question=\";").is_some_and(is_guess) {
            return;
        }
        if pattern.effect != Effect::Call {
            self.failed_start = self.starts;
        }
        let symptom = Symptom { pattern, writer: Writer::Engine, subject, number, line, sure: true };
        self.engine.record(&symptom);
    }

    /// Whether the process that the kernel kills is one of a container.
    fn is_our_kill(&mut self, text: &str) -> bool {
        let known = self.engine.find(Some(RuleId::OutOfMemory)).map(|fault| fault.text.clone());
        match self.kill.read(text) {
            Victim::Ours => true,
            Victim::Asked => known.is_none(),
            Victim::Others => {
                // Who asked for memory was ours, who is killed is not.
                if known.is_some_and(|text| Kill::default().read(&text) == Victim::Asked) {
                    self.engine.forget(|f| f.rule == Some(RuleId::OutOfMemory));
                }
                false
            }
        }
    }

    /// Whether a bare line belongs to a table.
    fn tabled(&mut self, text: &str) -> bool {
        if let Some(head) = Head::read(text) {
            self.head = Some(head);
            self.rows.clear();
            return true;
        }
        let Some(head) = &self.head else { return false };
        match head.row(text) {
            Some(row) => {
                self.rows.push(row);
                if self.rows.len() >= MOST_ROWS {
                    self.head = None;
                }
                true
            }
            // A rule under the head, or a cell that is wrapped.
            None if text.starts_with("---") || text.starts_with("   ") => true,
            None => {
                self.head = None;
                false
            }
        }
    }

    fn too_old(&mut self, line: &Line<'_>, stream: usize) -> bool {
        let Some(since) = self.since else { return false };
        match line.at.or(self.streams[stream].last) {
            Some(at) if at < since => {
                self.streams[stream].last = Some(at);
                true
            }
            Some(_) => false,
            None => {
                self.undated += 1;
                false
            }
        }
    }

    /// Takes one line that a container printed: its service, its moment in seconds since 1970 where that is known, and
    /// the text without prefix and without the engine's time stamp. It has no number, for there is no file to count.
    pub(crate) fn entry(&mut self, service: &str, at: Option<i64>, text: &str) {
        let plain = line::plain(text.as_bytes());
        let text = String::from_utf8_lossy(&plain);
        self.take_line(0, &Line::of(Some(service), at, &text));
    }

    /// Takes one line, prefix and all.
    pub(crate) fn line(&mut self, number: u64, raw: &[u8]) {
        let plain = line::plain(raw);
        let plain = self.margin.off(&plain);
        let text = str::from_utf8(plain).map_or_else(|_| String::from_utf8_lossy(plain), Cow::Borrowed);
        let line = Line::parse(&text);
        if line.source.is_none() && (self.prompt(line.text) || self.exit(number, line.text) || self.tabled(line.text)) {
            return;
        }
        self.take_line(number, &line);
    }

    fn take_line(&mut self, number: u64, line: &Line<'_>) {
        self.head = None;
        let at = self.stream(line.source);
        if self.too_old(line, at) {
            return;
        }
        self.last = self.last.max(line.at);
        if self.domain.is_none() {
            self.domain = line::tunnel_domain(line.text).map(str::to_owned);
        }
        let reading = self.matcher.read(line.text);
        if let Some(origin) = line.host {
            match origin {
                Origin::Unit(name) if self.is_of_stack(name, line, &reading) => {
                    self.take_line(number, &Line { source: Some(name), host: None, ..line.clone() });
                }
                _ => self.of_host(origin, number, line, &reading),
            }
            return;
        }
        let bare = line.source.is_none() && !line.console;
        if bare {
            let stops = ["Gracefully stopping...", "Gracefully Stopping...", "Aborting on container exit..."];
            let stops = stops.iter().any(|words| line.text.contains(words));
            self.stopping = stops || self.stopping && !line.text.starts_with("Attaching to ");
            if let Some((container, starts)) = kind::step(line.text) {
                let named = self.streams.iter_mut().filter(|s| quote::same_service(&s.name, container));
                named.for_each(|s| if starts { s.life.is_started() } else { s.life.is_asked() });
            }
        }
        self.building = bare && (self.building || kind::is_build(line.text));
        if bare && let Some(pattern) = self.engine_pattern(line, &reading) {
            self.engine_failed(number, line, pattern, "");
            return;
        }
        let explained = self.streams[at].take(number, line, &reading);
        if bare && !explained {
            // The client's own lines have no time in front.
            if is_engine_error(line.text) && line.stamps.is_empty() && !self.streams[at].is_recognized() {
                self.engine_failed(number, line, &ENGINE_FAILED, "");
            } else if level::is_error(line.text) {
                self.streams[at].unexplained(number, line);
            }
        }
        self.routine = self.needs_routine();
    }

    /// Whether a program of the journal whose name says nothing is the stack's.
    fn is_of_stack(&mut self, name: &str, line: &Line<'_>, reading: &Reading<'_>) -> bool {
        let listens = |row: &Pattern| row.effect == Effect::Event(Event::Listening);
        let serves = self.of(name).is_some()
            || Access::read(line.text).is_some()
            || reading.find(Writer::Server, listens).is_some();
        self.units.is_of_stack(name, serves)
    }

    /// A line of the host's journal, of dockerd, the kernel or systemd.
    fn of_host(&mut self, origin: Origin<'_>, number: u64, line: &Line<'_>, reading: &Reading<'_>) {
        if origin == Origin::Other {
            self.units.is_whole_host = true;
        }
        let failed = origin == Origin::Engine && is_engine_error(line.text);
        let pattern = reading
            .find(Writer::Engine, |row| !row.has(Tell::Build) && matches!(origin, Origin::Engine | Origin::Host));
        if let Some(pattern) = pattern.or(failed.then_some(&DAEMON_FAILED)) {
            self.engine_failed(number, line, pattern, if origin == Origin::Engine { JOURNAL } else { "" });
        }
    }

    /// Whether a call that passes would change anything: until one was seen, and while something is open that it would
    /// make up for.
    fn needs_routine(&self) -> bool {
        let open = |fault: &Fault| fault.effect == Effect::Call || fault.writer != Writer::Agent;
        let waits = |s: &Stream| s.forwarded.waiting > 0 || s.faults.open().any(open);
        !self.streams.iter().any(|s| s.calls.passed) || self.streams.iter().any(waits)
    }
}
