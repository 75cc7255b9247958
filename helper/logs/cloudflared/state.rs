//! The state of cloudflared's connections, line by line.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::answer::Evidence;
use crate::logs::fault::{Faults, Symptom};
use crate::logs::line::{connection_index, field};
use crate::logs::matcher::Writer;
use crate::logs::patterns::{Effect, Event, SWALLOWED, Tell};
use crate::rules::RuleId;

/// Connections that cloudflared wants unless it says otherwise.
pub(crate) const CONNECTIONS: u32 = 4;
/// The edge has five seconds to answer a registration (RPC timeout of cloudflared); a refusal comes at once.
const REGISTRATION: i64 = 4;
/// An index beyond which a number is not one of cloudflared's.
const MOST: u8 = 64;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection {
    pub(super) up: bool,
    pub(super) lost: bool,
    /// Given up a moment ago; older releases say only then that it was lost.
    pub(super) given_up: bool,
    pub(super) dialled: Option<i64>,
    pub(super) registered: Option<i64>,
}

/// The state of one cloudflared in its present life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agent {
    pub(crate) starts: u32,
    /// Said anything that was understood.
    pub(crate) seen: bool,
    pub(super) connections: BTreeMap<u8, Connection>,
    pub(super) ever: bool,
    pub(super) losses: u32,
    pub(super) at_most: Option<u32>,
    /// How they are made, `quic` or `http2`.
    pub(crate) protocol: Option<String>,
    /// Whether it was started with the proxy's URL.
    pub(super) url: Option<bool>,
    pub(super) remote: bool,
    /// The line of a configuration from the edge that names host names, none of them Anthropic's.
    pub(super) foreign: Option<String>,
    /// What it dials, host names, each with the line that says so: its `--url`, or the ingress rules from the edge.
    pub(super) dials: Vec<(String, String)>,
    /// Its token is an argument, as the dashboard of another kind of tunnel prints it.
    pub(super) token_given: bool,
    /// It speaks as releases before 2022.8 did, when a configuration was a file.
    pub(super) old_words: bool,
    /// Number of connections when it was stopped in good order, and not started again.
    pub(crate) stopped: Option<u32>,
    pub(super) retries: u32,
    pub(super) quick_refusals: u32,
    pub(super) slow_refusals: u32,
    /// Faults of this life that matter even after a registration.
    pub(super) hints: BTreeSet<RuleId>,
    pub(super) quic_timeouts: u32,
    pub(super) udp_hint: bool,
    pub(super) registered_at: Option<i64>,
    pub(super) ended: bool,
    pub(super) started_at: Option<i64>,
    /// Nothing was logged since the start.
    pub(super) just_started: bool,
    pub(super) ended_at: Option<i64>,
    /// Lives before this one that ended of themselves.
    pub(crate) revived: u32,
    /// The last line that complains of a connection.
    pub(crate) complaint: Option<Evidence>,
    /// The last attempt that failed.
    pub(super) attempt: Option<(Option<i64>, Option<u8>)>,
    /// The latest moment of a line.
    pub(super) latest: Option<i64>,
    /// A registration was seen, not only concluded from a loss.
    pub(super) witnessed: bool,
    /// The last line that says that something failed was a warning: cloudflared warns while it has another connection.
    pub(super) warned: bool,
}

/// Whether cloudflared's own level of a line is a warning, console or JSON.
fn is_warning(text: &str) -> bool {
    text.starts_with("WRN ") || text.contains("\"level\":\"warn\"")
}

/// Whether a configuration from the edge has rules for host names, none of them Anthropic's: its tunnels get none.
fn is_foreign(text: &str) -> bool {
    let name = |rest: &str| Some(rest.split(['"', '\\', ':']).find(|s| s.contains('.'))?.ends_with(".anthropic.com"));
    let mut ours = text.split("hostname").skip(1).filter_map(name).peekable();
    ours.peek().is_some() && !ours.any(|ours| ours)
}

/// A line as evidence, as far as it is not known which one of a file it is.
fn complaint(symptom: &Symptom<'_>) -> Evidence {
    let at = symptom.line.at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    Evidence { at, ..Evidence::from(symptom.line.text) }
}

impl Agent {
    /// How many connections are registered.
    pub(crate) fn up(&self) -> u32 {
        u32::try_from(self.connections.values().filter(|c| c.up).count()).unwrap_or(u32::MAX)
    }

    /// Number of registered connections, now or when it was stopped.
    pub(crate) fn registered(&self) -> u32 {
        self.stopped.unwrap_or_else(|| self.up())
    }

    /// How many there should be.
    pub(crate) fn wanted(&self) -> u32 {
        self.wanted_of(None)
    }

    /// How many there should be of those that it was asked for.
    pub(crate) fn wanted_of(&self, asked: Option<u32>) -> u32 {
        let asked = asked.unwrap_or(CONNECTIONS).max(1);
        self.at_most.map_or(asked, |most| most.clamp(1, asked))
    }

    /// How many of the wanted ones this log can tell of: one that begins in the middle does not name those that hold.
    pub(super) fn known(&self) -> u32 {
        let named = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        if self.starts > 0 { self.wanted() } else { named.min(self.wanted()) }
    }

    /// The line that says that it dials this service, whose name may have the project in front.
    pub(crate) fn dials(&self, service: &str) -> Option<&str> {
        let is_it = |host: &str| {
            service.strip_suffix(host).is_some_and(|front| front.is_empty() || front.ends_with(['-', '_']))
        };
        self.dials.iter().find(|(host, _)| is_it(host)).map(|(_, line)| line.as_str())
    }

    /// The line that says that it runs another tunnel than Anthropic's, unless it is no cloudflared of this stack: that
    /// one has a URL, or a token in its command.
    pub(crate) fn foreign(&self) -> Option<&str> {
        self.foreign.as_deref().filter(|_| self.url != Some(false) || self.token_given)
    }

    pub(crate) fn state(&self) -> &'static str {
        match (self.stopped, self.registered(), self.ever, self.retries) {
            (Some(_), ..) => "stopped",
            (None, 1.., _, _) => "registered",
            (None, 0, true, _) => "lost",
            (None, 0, false, 1..) => "retrying",
            (None, 0, false, 0) if self.ended => "ended",
            (None, 0, false, 0) => "starting",
        }
    }

    pub(crate) fn step(&mut self, event: Event, text: &str, at: Option<i64>, faults: &mut Faults) {
        self.seen = true;
        let latest = self.latest.max(at);
        let again = std::mem::take(&mut self.just_started) && at.is_some() && at == self.started_at;
        let index = connection_index(text).filter(|index| *index < MOST);
        match event {
            // A duplicate line is one start.
            Event::AgentStart if again => {}
            Event::AgentStart => self.begin(at, faults),
            Event::Settings => {
                // A tunnel that is run by its credentials takes its rules from a file.
                let ways = ["url:", "unix-socket:", "hello-world:", "bastion:", "config:", "cred-file:", "origincert:"];
                self.token_given = text.contains("token:");
                self.url = Some(ways.iter().any(|way| text.contains(way)));
                self.dial(text, "url:");
            }
            Event::RemoteConfig => {
                self.remote = true;
                self.foreign = is_foreign(text).then(|| text.to_owned());
                self.dials.clear();
                self.dial(text, "service");
            }
            Event::AtMost => {
                let number = text.split("at most ").nth(1).map(|rest| rest.trim_start());
                let digits = number.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
                self.at_most = digits.and_then(|digits| digits.parse().ok());
            }
            Event::Dialling => {
                if let Some(index) = index {
                    self.connections.entry(index).or_default().dialled = at;
                }
            }
            Event::Registered => self.register(index.unwrap_or(0), text, at, faults),
            Event::Unregistered => {
                if let Some(connection) = index.and_then(|index| self.connections.get_mut(&index)) {
                    connection.given_up = std::mem::take(&mut connection.up);
                }
            }
            Event::Stopping => self.stopped = Some(self.registered()),
            Event::Retrying => {
                self.retries = self.retries.saturating_add(1);
                // A log that begins in the middle: there is one more connection that it wants.
                if let Some(index) = index {
                    self.connections.entry(index).or_default();
                }
            }
            // It gives QUIC up because of what came before.
            Event::Fallback => {
                self.udp_hint |= self.quic_timeouts > 0 && self.quick_refusals + self.slow_refusals == 0;
                // Releases before 2022.8 do not name it again as they register.
                self.protocol =
                    text.split("protocol ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
            }
            Event::UdpHint => self.udp_hint = true,
            // Steps of the other programs.
            _ => {}
        }
        self.latest = latest;
    }

    fn begin(&mut self, at: Option<i64>, faults: &mut Faults) {
        // Only the present life counts, except for what ended the last one: nothing says yet that it is over.
        let died = self.ended && self.stopped.is_none();
        // A log that was pasted twice begins again at an earlier moment.
        let later = self.ended_at.or(self.latest).zip(at).is_none_or(|(end, start)| start >= end);
        let revived = self.revived + u32::from(died && later);
        faults.forget(|f| f.writer == Writer::Agent && !(died && f.effect == Effect::Fatal));
        *self = Self {
            starts: self.starts + 1,
            seen: true,
            revived,
            just_started: true,
            started_at: at,
            ended_at: self.ended_at,
            ..Self::default()
        };
    }

    /// Takes the hosts of the URLs behind a name, the first of them at most.
    fn dial(&mut self, text: &str, name: &str) {
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let urls = text.split(name).skip(1).filter_map(|rest| {
            let (scheme, rest) = rest.split_once("://")?;
            scheme.ends_with("http").then_some(rest).or_else(|| scheme.ends_with("https").then_some(rest))
        });
        let hosts = urls.map(|rest| rest.split(|c| !is_host(c)).next().unwrap_or_default());
        self.dials
            .extend(hosts.filter(|host| !host.is_empty()).take(MOST.into()).map(|host| (host.into(), text.into())));
    }

    fn register(&mut self, index: u8, text: &str, at: Option<i64>, faults: &mut Faults) {
        self.old_words = !text.contains("Registered tunnel connection");
        let connection = self.connections.entry(index).or_default();
        let dialled = connection.dialled;
        *connection = Connection { up: true, registered: at, dialled, ..Connection::default() };
        (self.ever, self.witnessed, self.ended, self.stopped) = (true, true, false, None);
        (self.quick_refusals, self.slow_refusals, self.retries) = (0, 0, 0);
        self.protocol = field(text, "protocol").map(str::to_owned).or(self.protocol.take());
        self.registered_at = at.or(self.registered_at);
        self.complaint = None;
        faults.heal(|f| f.writer == Writer::Agent && f.effect != Effect::Call);
    }

    /// A line that says that something is wrong.
    pub(crate) fn fault(&mut self, symptom: &Symptom<'_>, faults: &mut Faults) {
        self.seen = true;
        self.latest = self.latest.max(symptom.line.at);
        self.just_started = false;
        // What it logs during an orderly stop is not a fault.
        if self.stopped.is_some() {
            return;
        }
        match symptom.pattern.effect {
            Effect::Fatal => {
                // Some of these are said twice: in the log, and by the program's end.
                let again = self.ended && self.starts > 0;
                self.ended = true;
                self.ended_at = symptom.line.at.or(self.ended_at);
                if !again || faults.find(symptom.pattern.rule).is_none() {
                    faults.record(symptom);
                }
            }
            Effect::Call => {
                faults.record(symptom);
            }
            Effect::Attempt | Effect::Lost => self.failed(symptom, faults),
            Effect::Outgoing | Effect::Noise | Effect::Event(_) => {}
        }
    }

    /// An error that no row explains: of a connection, where it names one; otherwise of the program.
    pub(crate) fn unexplained(&mut self, symptom: &Symptom<'_>, faults: &mut Faults) {
        self.seen = true;
        self.latest = self.latest.max(symptom.line.at);
        self.just_started = false;
        if self.stopped.is_some() {
            return;
        }
        self.complaint = Some(complaint(symptom));
        faults.record(symptom);
    }

    /// Remembers a fault of QUIC, which matters even after a registration over HTTP/2.
    fn hint(&mut self, symptom: &Symptom<'_>) {
        let over_quic = symptom.pattern.has(Tell::Quic) || symptom.line.text.contains("edge with quic");
        let matters = match symptom.pattern.rule {
            Some(RuleId::EdgeQuicBlocked | RuleId::EdgeEgressDeniedLocally) => true,
            Some(RuleId::EdgeTlsIntercepted | RuleId::EdgeMtu | RuleId::EdgeQuicUnsupported) => over_quic,
            _ => false,
        };
        if matters {
            self.hints.extend(symptom.pattern.rule);
        }
    }

    /// A connection that could not be made, or is gone.
    fn failed(&mut self, symptom: &Symptom<'_>, faults: &mut Faults) {
        if symptom.pattern.has(Tell::Early) {
            if !self.ever && self.up() == 0 {
                faults.record(symptom);
            }
            return;
        }
        let index = connection_index(symptom.line.text).filter(|index| *index < MOST);
        // A log that begins in the middle: what is lost there was there.
        let before = self.starts == 0 && symptom.pattern.has(Tell::Held);
        let at = symptom.line.at;
        let connection = index.map(|index| self.connections.entry(index).or_default());
        // A log that was pasted twice goes back in time: this is made up for already.
        if connection.as_ref().is_some_and(|c| c.up && at.zip(c.registered).is_some_and(|(at, then)| at < then)) {
            return;
        }
        // A duplicate line is one attempt.
        let again = self.attempt.is_some_and(|last| at.is_some() && (at < last.0 || (at, index) == last));
        let was_up = connection.as_ref().is_some_and(|c| {
            c.up || symptom.pattern.effect == Effect::Lost && (c.given_up || before && !c.lost && c.dialled.is_none())
        });
        self.ever |= was_up || index.is_none() && before;
        self.losses += u32::from(index.is_none() && before);
        self.warned = is_warning(symptom.line.text);
        if let Some(connection) = connection {
            if was_up {
                (connection.up, connection.lost, connection.given_up) = (false, true, false);
                self.losses = self.losses.saturating_add(1);
            }
            if symptom.pattern.rule.is_none() && !was_up && !again {
                let slow = connection.dialled.zip(symptom.line.at).is_some_and(|(from, to)| to - from >= REGISTRATION);
                let refusals = if slow { &mut self.slow_refusals } else { &mut self.quick_refusals };
                *refusals = refusals.saturating_add(1);
            }
        }
        if symptom.pattern.effect == Effect::Attempt && !again {
            self.attempt = Some((at, index));
        }
        self.udp_hint |= symptom.pattern.rule == Some(RuleId::EdgeQuicBlocked) && symptom.pattern.has(Tell::Precheck);
        // It was dialled, and then nothing came: a registration that is swallowed.
        let swallowed = symptom.pattern.has(Tell::Silence)
            && !was_up
            && symptom.line.text.contains("timeout")
            && self.connections.values().any(|c| c.dialled.zip(at).is_some_and(|(from, to)| to - from >= REGISTRATION));
        if swallowed {
            faults.record(&Symptom { pattern: &SWALLOWED, ..*symptom });
            self.hints.extend(SWALLOWED.rule);
        }
        if (symptom.pattern.rule == Some(RuleId::EdgeQuicBlocked) || swallowed) && !again {
            self.quic_timeouts = self.quic_timeouts.saturating_add(1);
        }
        self.complaint = Some(complaint(symptom));
        self.hint(symptom);
        // A connection that never was cannot be lost: what keeps it from being there has its own line.
        if symptom.pattern.effect == Effect::Attempt || was_up || symptom.pattern.has(Tell::NoAddresses) {
            faults.record(symptom);
        }
    }
}
