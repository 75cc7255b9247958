//! cloudflared's connections: what is there now, and if nothing is, why.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Event, Fault, Faults};
use super::lexicon::Writer;
use super::line::{connection_index, field};
use super::signs::{Mark, Sense, Sign};
use crate::answer::{Evidence, Finding, Severity};
use crate::rules::{self, RuleId};

/// Connections that cloudflared wants unless it says otherwise.
pub(crate) const CONNECTIONS: u32 = 4;
/// The edge has five seconds to answer a registration (RPC timeout of cloudflared); a refusal comes at once.
const REGISTRATION: i64 = 4;
/// Attempts over QUIC that time out before UDP is called blocked; one or two happen on a good line.
const BLOCKED: u32 = 3;
/// Fewer connections than wanted are no finding while they are still being made, in seconds.
const STILL_CONNECTING: i64 = 10;
/// Words that nothing but the end of a connection makes cloudflared print.
const LOST_FOR_SURE: [&str; 9] = [
    "context canceled",
    "failed to accept QUIC stream",
    "Failed to serve quic connection",
    "accept stream listener encountered a failure while serving",
    "datagram manager encountered a failure while serving",
    "Lost connection with the edge",
    "connection with edge closed",
    "Application error 0x0",
    "Error shutting down control stream",
];
/// A QUIC connection on which nothing comes.
static SWALLOWED: Sign =
    Sign { rule: Some(RuleId::EdgeQuicBlocked), sense: Sense::Attempt, parts: &["failed to accept QUIC stream"] };
/// An index beyond which a number is not one of cloudflared's.
const MOST: u8 = 64;

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    up: bool,
    lost: bool,
    /// Given up a moment ago; older releases say only then that it was lost.
    given_up: bool,
    dialled: Option<i64>,
    registered: Option<i64>,
}

/// The state of one cloudflared in its present life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agent {
    starts: u32,
    /// Said anything at all.
    seen: bool,
    connections: BTreeMap<u8, Connection>,
    ever: bool,
    losses: u32,
    at_most: Option<u32>,
    protocol: Option<String>,
    /// Whether it was told where the proxy is.
    url: Option<bool>,
    remote: bool,
    /// Its token is an argument, as the dashboard of another kind of tunnel prints it.
    token_given: bool,
    /// It speaks as releases before 2022.8 did, when a configuration was a file.
    old_words: bool,
    /// How many connections there were when it was told to stop.
    stopped: Option<u32>,
    retries: u32,
    quick_refusals: u32,
    slow_refusals: u32,
    /// Faults of this life that matter even after a registration.
    hints: BTreeSet<RuleId>,
    quic_timeouts: u32,
    udp_hint: bool,
    registered_at: Option<i64>,
    ended: bool,
    started_at: Option<i64>,
    /// Nothing was said since the start.
    just_started: bool,
    ended_at: Option<i64>,
    /// Lives before this one that ended of themselves.
    revived: u32,
    complaint: Option<String>,
    /// The last attempt that failed.
    attempt: Option<(Option<i64>, Option<u8>)>,
    /// The latest moment of a line.
    latest: Option<i64>,
    /// A registration was seen, not only concluded from a loss.
    witnessed: bool,
    /// The last line that says that something failed was a warning: cloudflared warns while it has another connection.
    warned: bool,
}

/// What a registration that fails without a reason means.
const HIDDEN: &str = "over QUIC cloudflared keeps the edge's reason to itself: most likely it is the token; with `--protocol http2` in its command it prints the reason";

/// Whether a line is about the first connection: no other one can be in its way.
fn is_first(text: &str) -> bool {
    connection_index(text) == Some(0)
}

/// Whether cloudflared's own level of a line is a warning, console or JSON.
fn is_warning(text: &str) -> bool {
    text.starts_with("WRN ") || text.contains("\"level\":\"warn\"")
}

/// Whether a line is from the box of cloudflared's own checks at its start (2026.5.2 and later).
fn is_precheck(text: &str) -> bool {
    text.contains(" FAIL ") || text.contains(": Allow outbound ") || text.contains("component") && text.contains("fail")
}

impl Agent {
    /// How many connections are registered.
    pub(crate) fn up(&self) -> u32 {
        u32::try_from(self.connections.values().filter(|c| c.up).count()).unwrap_or(u32::MAX)
    }

    /// How many connections are registered, or were when it was told to stop.
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

    /// Whether its start was seen.
    pub(crate) fn has_started(&self) -> bool {
        self.starts > 0
    }

    /// The last line that complains of a connection.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// How many of the wanted ones this log can tell of: one that begins in the middle does not name those that hold.
    fn known(&self) -> u32 {
        let named = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        if self.starts > 0 { self.wanted() } else { named.min(self.wanted()) }
    }

    /// How they are made, `quic` or `http2`.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Whether cloudflared said anything that was understood.
    pub(crate) fn is_seen(&self) -> bool {
        self.seen
    }

    /// Whether it ended of itself and was started again.
    pub(crate) fn is_revived(&self) -> bool {
        self.revived > 0
    }

    /// One word for where it stands.
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

    /// A step of its life.
    pub(crate) fn step(&mut self, mark: Mark, text: &str, at: Option<i64>, faults: &mut Faults) {
        self.seen = true;
        let latest = self.latest.max(at);
        let again = std::mem::take(&mut self.just_started) && at.is_some() && at == self.started_at;
        let index = connection_index(text).filter(|index| *index < MOST);
        match mark {
            // A line that stands twice is one start.
            Mark::AgentStart if again => {}
            Mark::AgentStart => {
                // Only the present life counts, except for what ended the last one: nothing says yet that it is over.
                let died = self.ended && self.stopped.is_none();
                // A log that was pasted twice begins anew at an earlier moment.
                let later = self.ended_at.or(self.latest).zip(at).is_none_or(|(end, start)| start >= end);
                let revived = self.revived + u32::from(died && later);
                faults.forget(|f| f.writer == Writer::Agent && !(died && f.sense == Sense::Fatal));
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
            Mark::Settings => {
                // A tunnel that is run by its credentials takes its rules from a file.
                let ways = ["url:", "unix-socket:", "hello-world:", "bastion:", "config:", "cred-file:", "origincert:"];
                self.token_given = text.contains("token:");
                self.url = Some(ways.iter().any(|way| text.contains(way)));
            }
            Mark::RemoteConfig => self.remote = true,
            Mark::AtMost => {
                let number = text.split("at most ").nth(1).map(|rest| rest.trim_start());
                let digits = number.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
                self.at_most = digits.and_then(|digits| digits.parse().ok());
            }
            Mark::Dialling => {
                if let Some(index) = index {
                    self.connections.entry(index).or_default().dialled = at;
                }
            }
            Mark::Registered => {
                self.old_words = !text.contains("Registered tunnel connection");
                let connection = self.connections.entry(index.unwrap_or(0)).or_default();
                let dialled = connection.dialled;
                *connection = Connection { up: true, registered: at, dialled, ..Connection::default() };
                (self.ever, self.witnessed, self.ended, self.stopped) = (true, true, false, None);
                (self.quick_refusals, self.slow_refusals, self.retries) = (0, 0, 0);
                self.protocol = field(text, "protocol").map(str::to_owned).or(self.protocol.take());
                self.registered_at = at.or(self.registered_at);
                self.complaint = None;
                faults.heal(|f| f.writer == Writer::Agent && f.sense != Sense::Call);
            }
            Mark::Unregistered => {
                if let Some(connection) = index.and_then(|index| self.connections.get_mut(&index)) {
                    connection.given_up = std::mem::take(&mut connection.up);
                }
            }
            Mark::Stopping => self.stopped = Some(self.registered()),
            Mark::Retrying => self.retries = self.retries.saturating_add(1),
            // It gives QUIC up because of what came before.
            Mark::Fallback => self.udp_hint |= self.quic_timeouts > 0 && self.quick_refusals + self.slow_refusals == 0,
            Mark::UdpHint => self.udp_hint = true,
            // Steps of the other programs.
            Mark::Route
            | Mark::ProxyStart
            | Mark::CallStarted
            | Mark::CallDone
            | Mark::ServerStart
            | Mark::Listening
            | Mark::Served
            | Mark::SessionGone
            | Mark::Pip
            | Mark::Traceback => {}
        }
        self.latest = latest;
    }

    /// A line that says that something is wrong.
    pub(crate) fn fault(&mut self, event: &Event<'_>, faults: &mut Faults) {
        self.seen = true;
        self.latest = self.latest.max(event.line.at);
        self.just_started = false;
        // What it says while it stops, as it was told to, is no fault.
        if self.stopped.is_some() {
            return;
        }
        match event.sign.sense {
            Sense::Fatal => {
                // Some of these are said twice: in the log, and by the program's end.
                let again = self.ended && self.starts > 0;
                self.ended = true;
                self.ended_at = event.line.at.or(self.ended_at);
                if !again || faults.find(event.sign.rule).is_none() {
                    faults.record(event);
                }
            }
            Sense::Call => {
                faults.record(event);
            }
            Sense::Attempt | Sense::Lost => self.failed(event, faults),
            Sense::Noise | Sense::Mark(_) => {}
        }
    }

    /// A connection that could not be made, or is gone.
    fn failed(&mut self, event: &Event<'_>, faults: &mut Faults) {
        let index = connection_index(event.line.text).filter(|index| *index < MOST);
        // A log that begins in the middle: what is lost there was there.
        let before = self.starts == 0 && LOST_FOR_SURE.contains(&event.sign.parts[0]);
        let at = event.line.at;
        let connection = index.map(|index| self.connections.entry(index).or_default());
        // A log that was pasted twice goes back in time: this is made up for already.
        if connection.as_ref().is_some_and(|c| c.up && at.zip(c.registered).is_some_and(|(at, then)| at < then)) {
            return;
        }
        // A line that stands twice is one attempt.
        let again = self.attempt.is_some_and(|last| at.is_some() && (at < last.0 || (at, index) == last));
        let was_up = connection.as_ref().is_some_and(|c| {
            c.up || event.sign.sense == Sense::Lost && (c.given_up || before && !c.lost && c.dialled.is_none())
        });
        self.ever |= was_up || index.is_none() && before;
        self.losses += u32::from(index.is_none() && before);
        self.warned = is_warning(event.line.text);
        if let Some(connection) = connection {
            if was_up {
                (connection.up, connection.lost, connection.given_up) = (false, true, false);
                self.losses = self.losses.saturating_add(1);
            }
            if event.sign.rule.is_none() && !was_up && !again {
                let slow = connection.dialled.zip(event.line.at).is_some_and(|(from, to)| to - from >= REGISTRATION);
                let refusals = if slow { &mut self.slow_refusals } else { &mut self.quick_refusals };
                *refusals = refusals.saturating_add(1);
            }
        }
        if event.sign.sense == Sense::Attempt && !again {
            self.attempt = Some((at, index));
        }
        self.udp_hint |= event.sign.rule == Some(RuleId::EdgeQuicBlocked) && is_precheck(event.line.text);
        // It was dialled, and then nothing came: a registration that is swallowed.
        let swallowed = event.sign.parts[0] == "failed to accept QUIC stream"
            && !was_up
            && event.line.text.contains("timeout")
            && self.connections.values().any(|c| c.dialled.zip(at).is_some_and(|(from, to)| to - from >= REGISTRATION));
        if swallowed {
            faults.record(&Event { sign: &SWALLOWED, ..*event });
            self.hints.extend(SWALLOWED.rule);
        }
        if (event.sign.rule == Some(RuleId::EdgeQuicBlocked) || swallowed) && !again {
            self.quic_timeouts = self.quic_timeouts.saturating_add(1);
        }
        self.complaint = Some(event.line.text.to_owned());
        let over_quic = event.sign.parts[0] == "CRYPTO_ERROR" || event.line.text.contains("edge with quic");
        if matches!(event.sign.rule, Some(RuleId::EdgeQuicBlocked | RuleId::EdgeEgressDeniedLocally))
            || event.sign.rule == Some(RuleId::EdgeTlsIntercepted) && over_quic
        {
            self.hints.extend(event.sign.rule);
        }
        // A connection that never was cannot be lost: what keeps it from being there has a line of its own.
        if event.sign.sense == Sense::Attempt || was_up || event.line.text.contains("no free edge addresses") {
            faults.record(event);
        }
    }

    /// What is wrong with it now. `last` is the moment of the last line that was read; `with_proxy` says that the log
    /// shows the proxy, too: then this is one of the tunnels that get no configuration from the edge.
    pub(crate) fn judge(
        &self,
        faults: &Faults,
        last: Option<i64>,
        with_proxy: bool,
        quote: &dyn Fn(&Fault) -> Evidence,
    ) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        let of_agent = || faults.open().filter(|f| f.writer == Writer::Agent);
        for fault in of_agent().filter(|f| matches!(f.sense, Sense::Fatal | Sense::Call)) {
            if let Some(rule) = fault.rule.filter(|rule| !found.iter().any(|f| f.id == *rule)) {
                found.push(rules::finding(rule).with(quote(fault)));
            }
        }
        let dead = found.iter().any(|f| f.layer == crate::answer::Layer::Edge);
        // Another tunnel's configuration comes from the edge, with the first registration.
        let none_came = with_proxy || self.registered() >= self.wanted() && !self.token_given && !self.old_words;
        if self.url == Some(false) && !self.remote && none_came && !found.iter().any(|f| f.id == RuleId::NoIngressUrl) {
            found.push(rules::finding(RuleId::NoIngressUrl).with("cloudflared's settings at its start have no `url`"));
        }
        let (up, wanted) = (self.registered(), self.known());
        if up == 0 && self.seen && !dead {
            found.extend(self.why_nothing(faults, quote));
        } else if up > 0 && up < wanted && self.stopped.is_none() {
            found.extend(self.why_fewer(faults, last, quote));
        } else if up > 0 {
            found.extend(self.what_was(faults, quote));
        }
        if let Some(most @ 1..CONNECTIONS) = self.at_most {
            let text = format!("cloudflared found addresses for {most} of {CONNECTIONS} connections");
            found.push(rules::finding(RuleId::EdgeFewAddresses).with(text));
        }
        found
    }

    fn why_nothing(&self, faults: &Faults, quote: &dyn Fn(&Fault) -> Evidence) -> Vec<Finding> {
        let fault = |rule: Option<RuleId>| faults.find(rule).filter(|f| f.writer == Writer::Agent);
        let proven = |rule: RuleId| fault(Some(rule)).map(|f| rules::finding(rule).with(quote(f)));
        if let Some(finding) = proven(RuleId::TokenRejected) {
            return vec![finding];
        }
        if let Some(f) = fault(Some(RuleId::EdgeNetworkUnreachable)).filter(|_| self.ever) {
            let finding = rules::finding(RuleId::ProxyNetnsOrphaned).with(quote(f));
            return vec![finding.with("it was registered before: the network went away under it")];
        }
        let mut found: Vec<Finding> = Vec::new();
        let refusals = self.quick_refusals + self.slow_refusals;
        if refusals >= 2 && refusals >= self.quic_timeouts {
            let slow = self.slow_refusals > self.quick_refusals;
            let rule = if slow { RuleId::EdgeRegistrationTimeout } else { RuleId::TokenRejected };
            let text = format!(
                "{refusals} registrations failed{} with `{}`, and none was accepted",
                if slow { " after about five seconds" } else { " at once" },
                super::signs::HIDDEN_REJECTION
            );
            let finding = rules::finding(rule).with(text).with_severity(Severity::Error);
            let hidden = fault(None).map(quote);
            let finding = hidden.into_iter().fold(finding, Finding::with);
            found.push(if slow { finding } else { finding.with(HIDDEN) });
        }
        if refusals == 1 && self.quic_timeouts == 0 && fault(None).is_some_and(|f| is_first(&f.text)) {
            let finding = rules::finding(RuleId::TokenRejected).with_severity(Severity::Warning);
            let line = fault(None).map(quote);
            found.push(line.into_iter().fold(finding, Finding::with).with(HIDDEN));
        }
        let no_addresses = faults.open().find(|f| f.text.contains("no free edge addresses"));
        match (no_addresses, proven(RuleId::EdgeNetworkUnreachable)) {
            (Some(f), unreachable) if !self.ever => {
                let finding = rules::finding(RuleId::EdgeNoAddresses).with(quote(f));
                found.push(unreachable.iter().flat_map(|f| f.evidence.clone()).fold(finding, Finding::with));
            }
            (_, unreachable) => found.extend(unreachable),
        }
        for rule in
            [RuleId::EdgeDnsFailed, RuleId::ClockSkew, RuleId::EdgeTlsIntercepted, RuleId::EdgeEgressDeniedLocally]
        {
            found.extend(proven(rule));
        }
        let (quic, tcp) = (proven(RuleId::EdgeQuicBlocked), proven(RuleId::EdgeTcpBlocked));
        // Where no name is found, nothing was tried.
        let nameless = fault(Some(RuleId::EdgeDnsFailed)).is_some() && quic.is_none() && tcp.is_none();
        let both = quic.is_some() && tcp.is_some() || fault(Some(RuleId::EdgeUnreachable)).is_some() && !nameless;
        let lost = self.ever && self.losses > 0;
        // An outage of a minute looks the same as a firewall: after a loss only what it tried in vain since counts.
        let brief = lost && !both && !self.udp_hint && self.quic_timeouts < 2 * BLOCKED;
        if both {
            let finding = rules::finding(RuleId::EdgeUnreachable);
            found.push(match fault(Some(RuleId::EdgeUnreachable)) {
                Some(f) => finding.with(quote(f)),
                None => finding.with("neither UDP nor TCP 7844 leads to the tunnel's edge"),
            });
        }
        let explained = !found.is_empty() || brief;
        let mut suspects: Vec<Finding> = Vec::new();
        for finding in [quic, tcp].into_iter().flatten() {
            let finding = match (both, explained, finding.id) {
                (true, ..) => finding.caused_by(RuleId::EdgeUnreachable),
                (false, true, _) => finding,
                (false, false, RuleId::EdgeQuicBlocked) if self.quic_timeouts < BLOCKED => finding,
                (false, false, _) => finding.with_severity(Severity::Error),
            };
            let tries = match finding.id {
                RuleId::EdgeQuicBlocked if self.quic_timeouts > 1 => {
                    Some(format!("{} attempts in vain", self.quic_timeouts))
                }
                _ => None,
            };
            let list = if brief { &mut suspects } else { &mut found };
            list.push(tries.into_iter().fold(finding, Finding::with));
        }
        if let (Some(cause), true) = (found.first().map(|f| f.id), lost) {
            let finding = rules::finding(RuleId::EdgeConnLost).with_severity(Severity::Error).caused_by(cause);
            found.push(finding.with("it was registered before, and no connection is left"));
        }
        if found.is_empty() && lost {
            let others = !self.witnessed && self.warned;
            let (severity, text) = match others {
                true => (Severity::Warning, "cloudflared only warns of it: it had another connection then"),
                false => (Severity::Error, "no connection is left"),
            };
            let finding = rules::finding(RuleId::EdgeConnLost).with_severity(severity);
            let line = fault(Some(RuleId::EdgeConnLost)).map(quote);
            found.push(line.into_iter().fold(finding.with(text), Finding::with));
        }
        found.extend(suspects);
        if found.is_empty() && (self.retries > 0 && self.starts > 0 || self.complaint.is_some()) {
            let finding = rules::finding(RuleId::EdgeNotRegistered);
            let finding = if self.retries < 2 { finding.with_severity(Severity::Warning) } else { finding };
            found.push(self.complaint.iter().fold(finding, Finding::with));
        }
        // A piece of a log, with warnings only: cloudflared warns while it has another connection.
        if self.starts == 0 && !self.witnessed && self.warned {
            for finding in found.iter_mut().filter(|f| f.severity == Severity::Error) {
                finding.severity = Severity::Warning;
            }
        }
        found
    }

    fn why_fewer(&self, faults: &Faults, last: Option<i64>, quote: &dyn Fn(&Fault) -> Evidence) -> Vec<Finding> {
        let (up, wanted) = (self.registered(), self.wanted());
        let lost = self.connections.values().filter(|c| c.lost).count();
        let failed =
            faults.open().find(|f| f.writer == Writer::Agent && matches!(f.sense, Sense::Attempt | Sense::Lost));
        let settled = self.registered_at.zip(last).is_some_and(|(then, now)| now - then >= STILL_CONNECTING);
        if lost == 0 && failed.is_none() && !settled {
            return Vec::new();
        }
        let partial = rules::finding(RuleId::EdgePartial).with(format!("{up} of {wanted} are registered"));
        let partial = failed.map(quote).into_iter().fold(partial, Finding::with);
        if lost == 0 {
            return vec![partial];
        }
        let loss = rules::finding(RuleId::EdgeConnLost).with(match lost {
            1 => "one was lost and is not back".to_owned(),
            many => format!("{many} were lost and are not back"),
        });
        vec![loss, partial.caused_by(RuleId::EdgeConnLost)]
    }

    /// It works now. What is still worth saying.
    fn what_was(&self, faults: &Faults, quote: &dyn Fn(&Fault) -> Evidence) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.losses > 0 {
            let finding = rules::finding(RuleId::EdgeConnLost).with_severity(Severity::Note);
            let text = match self.losses {
                1 => "one was lost in this life, and is back".to_owned(),
                many => format!("{many} losses in this life, and all of them are back"),
            };
            found.push(finding.with(text));
        }
        let healed = |rule: RuleId| faults.healed().find(|f| f.rule == Some(rule)).map(quote);
        if self.protocol.as_deref() == Some("http2") {
            let udp = self.udp_hint || self.quic_timeouts >= BLOCKED;
            let rules = [RuleId::EdgeQuicBlocked, RuleId::EdgeEgressDeniedLocally, RuleId::EdgeTlsIntercepted];
            for rule in rules.into_iter().filter(|rule| self.hints.contains(rule)) {
                if rule == RuleId::EdgeQuicBlocked && !udp {
                    continue;
                }
                let finding = rules::finding(rule).with_severity(Severity::Warning).with("it is connected over HTTP/2");
                found.push(healed(rule).into_iter().fold(finding, Finding::with));
            }
        } else if let Some(fault) = faults.find(Some(RuleId::EdgeTcpBlocked)).filter(|f| is_precheck(&f.text)) {
            let finding = rules::finding(RuleId::EdgeTcpBlocked).with_severity(Severity::Note).with(quote(fault));
            found.push(finding.with("it is connected over QUIC; there would be no other way if UDP failed"));
        }
        found
    }
}
