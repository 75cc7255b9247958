//! What one program printed, or several where nothing tells them apart: its steps and its faults.

use crate::answer::Layer;
use crate::rules::RuleId;
use std::collections::BTreeSet;

use super::agent::Agent;
use super::fault::{Event, Fault, Faults};
use super::lexicon::{Reading, Writer};
use super::line::{Line, field};
use super::signs;
use super::signs::{Mark, Sense, Sign, behind_level};

/// Routes beyond which names are no longer remembered.
const MOST_ROUTES: usize = 1_000;
/// Different things of which one kind of call can fail.
const MOST_SUBJECTS: usize = 8;
/// Where MCP servers listen by default.
pub(crate) const MCP_PATH: &str = "/mcp";
/// Lines of a traceback.
const TRACEBACK: u32 = 200;

/// What is known of who prints here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One program of ours.
    Of(Writer),
    /// A container whose name says nothing.
    Unknown,
    /// Lines without a prefix: any of them, and docker itself.
    Bare,
}

/// A call that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// When.
    pub(crate) at: Option<i64>,
}

/// One stream.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// The container's name without its number; empty for bare lines.
    pub(crate) name: String,
    /// Who prints here.
    pub(crate) kind: Kind,
    /// Whether that is certain, and not read from the name or the lines.
    pub(crate) known: bool,
    /// What is wrong.
    pub(crate) faults: Faults,
    /// cloudflared's connections, where it prints here.
    pub(crate) agent: Agent,
    /// Routes that the proxy took up.
    pub(crate) routes: BTreeSet<String>,
    /// Whether lines were seen that only the proxy prints.
    pub(crate) has_proxy: bool,
    /// Whether lines were seen that only an MCP server prints.
    pub(crate) has_server: bool,
    /// The last call that passed.
    pub(crate) passed: Option<Passed>,
    /// The last call that came to the proxy.
    pub(crate) called: Option<Passed>,
    /// Whether a server said that it listens, and nothing later says that it ended.
    pub(crate) listening: bool,
    /// Starts in a row of which nothing came but pip's first words.
    pub(crate) silent_starts: u32,
    /// Whether anything but pip's first words was printed.
    pub(crate) spoke: bool,
    /// Moment of the last line with a time stamp.
    pub(crate) last: Option<i64>,
    pip_was_last: bool,
    session_gone: bool,
    traceback: u32,
}

/// Who prints under a name, as far as the name tells.
fn kind_of(name: &str) -> Kind {
    let name = name.to_ascii_lowercase();
    if name.contains("cloudflared") {
        Kind::Of(Writer::Agent)
    } else if name.contains("mcp-proxy") || name.contains("mcp-gateway") || name.contains("mcp_proxy") {
        Kind::Of(Writer::Proxy)
    } else if name.contains("hello-mcp") {
        Kind::Of(Writer::Server)
    } else {
        Kind::Unknown
    }
}

impl Stream {
    /// The stream of a container, or of bare lines for an empty name.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            known: false,
            kind: if name.is_empty() { Kind::Bare } else { kind_of(name) },
            faults: Faults::default(),
            agent: Agent::default(),
            routes: BTreeSet::new(),
            has_proxy: false,
            has_server: false,
            passed: None,
            called: None,
            listening: false,
            silent_starts: 0,
            spoke: false,
            last: None,
            pip_was_last: false,
            session_gone: false,
            traceback: 0,
        }
    }

    /// The stream of one program of ours.
    pub(crate) fn of(writer: Writer) -> Self {
        Self { kind: Kind::Of(writer), ..Self::new("") }
    }

    /// Whether it is known to be cloudflared, by what was said of it or by its name; bare lines may be its, too.
    pub(crate) fn may_be_agent(&self) -> bool {
        let kind = if self.known { self.kind } else { kind_of(&self.name) };
        self.name.is_empty() || kind == Kind::Of(Writer::Agent)
    }

    /// What the program ended of, or goes on with in vain.
    pub(crate) fn proof(&self) -> Option<&Fault> {
        self.faults.open().find(|f| f.sense == Sense::Fatal || f.rule == Some(RuleId::TokenRejected))
    }

    /// Whether the next line of this stream is wanted whatever it holds.
    pub(crate) fn wants_next(&self) -> bool {
        self.traceback > 0 || self.pip_was_last
    }

    /// Takes a line of this stream. Lines of docker itself were taken out before.
    pub(crate) fn take(&mut self, number: u64, line: &Line<'_>, reading: &Reading) {
        self.last = line.at.or(self.last);
        if self.traceback > 0 && self.end_of_traceback(number, line, reading) {
            return;
        }
        let Some((writer, sign, sure)) = self.sign(line, reading) else {
            self.other(line);
            return;
        };
        if writer == Writer::Proxy && sure {
            self.has_proxy = true;
        }
        if writer == Writer::Server && sure && sign.sense != Sense::Mark(Mark::Traceback) {
            self.has_server = true;
        }
        if !matches!(sign.sense, Sense::Mark(Mark::Pip)) {
            self.other(line);
        }
        match (writer, sign.sense) {
            (Writer::Agent, Sense::Mark(mark)) => self.agent.step(mark, line.text, line.at, &mut self.faults),
            (_, Sense::Mark(mark)) => self.step(mark, line),
            (_, Sense::Noise) => {}
            (Writer::Agent, _) => {
                let event = event(sign, writer, "", number, line, sure);
                self.agent.fault(&event, &mut self.faults);
            }
            (_, Sense::Fatal | Sense::Attempt | Sense::Lost | Sense::Call) => {
                let not_there = sign.rule == Some(RuleId::UpstreamPath404) && line.text.contains(" /mcp ");
                // It answered there before: the session is gone, not the path.
                if not_there && (self.session_gone || self.passed.is_some()) {
                    return;
                }
                let subject = if not_there { MCP_PATH.to_owned() } else { self.subject(sign, line.text) };
                let event = event(sign, writer, &subject, number, line, sure);
                self.listening &= sign.sense != Sense::Fatal;
                self.faults.record(&event);
            }
        }
    }

    /// A line that says nothing of itself.
    fn other(&mut self, line: &Line<'_>) {
        if self.pip_was_last && !line.text.trim().is_empty() {
            self.pip_was_last = false;
            self.silent_starts = 0;
        }
        self.spoke |= !line.text.trim().is_empty();
    }

    /// Whose line it is, what it means, and whether nobody else could have said it.
    fn sign(&mut self, line: &Line<'_>, reading: &Reading) -> Option<(Writer, &'static Sign, bool)> {
        let of = |writer| reading.sign(writer).map(|sign| (writer, sign));
        if let Kind::Of(writer) = self.kind {
            return of(writer).map(|(writer, sign)| (writer, sign, true));
        }
        // zerolog's keys; the proxy's JSON has `msg`. A request's own error comes without a message.
        let keys = ["\"message\":", "\"originService\":"];
        let json = line.text.starts_with('{') && keys.iter().any(|key| line.text.contains(key));
        let own = |sign: &Sign| is_usage_error(sign) || AGENTS_OWN.contains(&sign.parts[0]);
        let agent = of(Writer::Agent).filter(|(_, sign)| line.console || json || own(sign));
        let candidates = [agent, of(Writer::Proxy), of(Writer::Server)];
        let tell_tale = candidates.into_iter().flatten().find(|(writer, sign)| is_tell_tale(*writer, sign));
        // Noise of one is noise of all: `tls handshake failed` is the proxy's, whatever the rest of the line says.
        let (writer, sign) = match tell_tale {
            Some(found) => found,
            None => agent.or_else(|| candidates.into_iter().flatten().next())?,
        };
        let sure = tell_tale.is_some() || agent.is_some();
        if self.kind == Kind::Unknown && sure && sign.rule != Some(RuleId::PlatformMismatch) {
            self.kind = Kind::Of(writer);
        }
        Some((writer, sign, sure))
    }

    /// A step of the proxy or of a server.
    fn step(&mut self, mark: Mark, line: &Line<'_>) {
        let text = line.text;
        match mark {
            Mark::Route | Mark::ProxyStart => {
                self.faults.started(Writer::Proxy, line.at);
                // A new life: what calls met in the last one may have been mended.
                self.faults.heal(|f| f.writer == Writer::Proxy && f.sense == Sense::Call);
                let name = field(text, "subdomain").or_else(|| field(text, "route")).or_else(|| field(text, "name"));
                if mark == Mark::Route && self.routes.len() < MOST_ROUTES {
                    self.routes.insert(name.unwrap_or(text).to_owned());
                }
            }
            Mark::CallStarted => {
                self.called = Some(Passed { at: line.at });
                let host = host(text);
                self.faults.heal(|f| {
                    let tls = f.rule.is_some_and(|rule| rule.rule().layer == Layer::Tls);
                    f.writer == Writer::Proxy
                        && (f.sense == Sense::Fatal || tls || f.rule == Some(RuleId::NoRoute) && f.subject == host)
                });
            }
            Mark::CallDone => {
                let status = field(text, "status").and_then(|status| status.parse::<u16>().ok()).unwrap_or(200);
                if status < 500 {
                    let host = host(text);
                    self.faults.heal(|f| {
                        let about = f.subject.is_empty() || host.is_empty() || f.subject == host;
                        f.writer == Writer::Proxy && f.sense == Sense::Call && about
                    });
                }
                if status < 400 {
                    self.passed = Some(Passed { at: line.at });
                }
            }
            Mark::ServerStart => self.has_server = true,
            Mark::SessionGone => self.session_gone = true,
            Mark::Listening => {
                self.listening = true;
                self.faults.started(Writer::Server, line.at);
                self.faults.heal(|f| f.writer == Writer::Server);
            }
            Mark::Served => {
                // A health check of the container itself, or a person's look at another page, proves nothing.
                let own = text.contains(" 127.0.0.1:");
                if !own && (text.contains("\"POST ") || text.contains(" /mcp")) {
                    self.session_gone = false;
                    self.faults.heal(|f| f.writer == Writer::Server);
                    self.passed = Some(Passed { at: line.at });
                }
            }
            Mark::Pip => {
                self.silent_starts = if self.pip_was_last { self.silent_starts + 1 } else { 1 };
                self.pip_was_last = true;
            }
            Mark::Traceback => {
                // Among bare lines it may be Compose 1's own.
                if self.kind != Kind::Bare || self.has_server {
                    self.traceback = TRACEBACK;
                }
            }
            // cloudflared's, or of no meaning here.
            Mark::AgentStart
            | Mark::Settings
            | Mark::RemoteConfig
            | Mark::AtMost
            | Mark::Dialling
            | Mark::Registered
            | Mark::Unregistered
            | Mark::Stopping
            | Mark::Retrying
            | Mark::Fallback
            | Mark::UdpHint => {}
        }
    }

    /// Whether this line belongs to a traceback and says nothing else. The last one names the error.
    fn end_of_traceback(&mut self, number: u64, line: &Line<'_>, reading: &Reading) -> bool {
        self.traceback -= 1;
        let text = line.text;
        let name = text.split([':', ' ']).next().unwrap_or_default();
        let is_error = !text.starts_with(' ')
            && name.rsplit('.').next().is_some_and(|name| name.ends_with("Error") || name.ends_with("Exception"));
        if !is_error {
            return text.starts_with(' ') || text.is_empty() || text.starts_with("Traceback");
        }
        self.traceback = 0;
        // A known one has a row of its own; a stop of asyncio is none.
        let known = reading.sign(Writer::Server).is_some() || name.ends_with("CancelledError");
        if known {
            return false;
        }
        self.faults.record(&event(&CRASH, Writer::Server, "", number, line, true));
        true
    }

    /// What a failed call is about: the host that was asked for, else the upstream.
    fn subject(&self, sign: &Sign, text: &str) -> String {
        if sign.sense != Sense::Call || sign.rule.is_some_and(|rule| rule.rule().layer == Layer::Tls) {
            return String::new();
        }
        let subject = host(text);
        let known = |f: &&Fault| f.rule == sign.rule;
        let full = self.faults.open().filter(known).count() >= MOST_SUBJECTS;
        if full { String::new() } else { subject.to_owned() }
    }
}

/// An exception that ended a server, or one call.
const CRASH: Sign = Sign { rule: Some(RuleId::UpstreamTraceback), sense: Sense::Fatal, parts: &["Error"] };

fn event<'a>(
    sign: &'static Sign,
    writer: Writer,
    subject: &'a str,
    number: u64,
    line: &'a Line<'a>,
    sure: bool,
) -> Event<'a> {
    Event { sign, writer, subject, number, line, sure }
}

/// The host that a call was for.
fn host(text: &str) -> &str {
    field(text, "host").or_else(|| field(text, "upstream")).unwrap_or_default()
}

/// What nobody but cloudflared says, so that it needs no time and level in front: people paste the message alone.
const AGENTS_OWN: [&str; 7] = [
    "Couldn't resolve SRV record",
    "error looking up Cloudflare edge IPs",
    "failed to dial to edge with quic: timeout",
    "Failed to create new quic connection",
    "DialContext error: dial tcp",
    "TLS handshake with edge error",
    "Unable to reach the origin service",
];

/// What cloudflared says before it has a logger: without time and level.
fn is_usage_error(sign: &Sign) -> bool {
    sign.sense == Sense::Fatal && !matches!(sign.rule, Some(RuleId::PlatformMismatch))
}

/// Whether only one program says this.
fn is_tell_tale(writer: Writer, sign: &Sign) -> bool {
    match (writer, sign.sense) {
        (Writer::Engine, _) => false,
        (Writer::Agent, sense) => sense == Sense::Fatal && is_usage_error(sign),
        (Writer::Proxy, Sense::Mark(_)) => true,
        (Writer::Proxy, Sense::Noise) => sign.parts[0].to_ascii_lowercase().contains("tls handshake"),
        (Writer::Proxy, _) => [
            "IP validation failed",
            "no route for host",
            "config.yaml",
            "/data/tls.",
            "invalid upstream",
            "map[string]",
        ]
        .iter()
        .any(|text| sign.parts[0].contains(text)),
        (Writer::Server, Sense::Mark(_) | Sense::Noise) => true,
        (Writer::Server, _) => sign.rule != Some(RuleId::PlatformMismatch),
    }
}

/// What docker or Compose means by a bare line, if it is theirs.
pub(crate) fn engine(line: &Line<'_>, reading: &Reading) -> Option<&'static Sign> {
    let sign = reading.sign(Writer::Engine)?;
    let anywhere = signs::ENGINE.iter().any(|known| std::ptr::eq(known, sign));
    (anywhere || behind_level(line.text).starts_with(sign.parts[0])).then_some(sign)
}
