//! What the state of cloudflared's connections means: what is wrong now, and what was.

use super::state::{Agent, CONNECTIONS};
use crate::answer::{Evidence, Finding, Layer, Severity, count};
use crate::logs::fault::{Fault, Faults};
use crate::logs::line::{connection_index, field};
use crate::logs::matcher::Writer;
use crate::logs::patterns::{Effect, HIDDEN_REJECTION, Tell};
use crate::logs::quote::quote;
use crate::rules::{self, RuleId};

/// Attempts over QUIC that time out before UDP is called blocked; one or two happen on a good line.
const BLOCKED: u32 = 3;
/// Fewer connections than wanted are not a finding while they are still being made, in seconds.
const STILL_CONNECTING: i64 = 10;
/// What a registration that fails without a reason means.
const HIDDEN: &str = "over QUIC cloudflared does not print the edge's reason: most likely it is the token; with `--protocol http2` in its command it prints the reason";
/// Faults that keep every connection from being made, each with a line that proves it, the likeliest cause first.
const PROVEN: [RuleId; 9] = [
    RuleId::LegacyTunnel,
    RuleId::EdgeRegistrationRefused,
    RuleId::EdgeDnsFailed,
    RuleId::ClockSkew,
    RuleId::EdgeTlsIntercepted,
    RuleId::EdgeEgressDeniedLocally,
    RuleId::EdgeQuicUnsupported,
    RuleId::EdgeMtu,
    RuleId::EdgePostQuantum,
];
/// Faults of QUIC that matter even where HTTP/2 works.
const OF_QUIC: [RuleId; 5] = [
    RuleId::EdgeQuicBlocked,
    RuleId::EdgeEgressDeniedLocally,
    RuleId::EdgeTlsIntercepted,
    RuleId::EdgeMtu,
    RuleId::EdgeQuicUnsupported,
];

/// What is known besides the state: the faults of the log, its last moment, and whose it is.
pub(crate) struct LogFacts<'a> {
    pub(crate) faults: &'a Faults,
    /// Moment of the last line that was read.
    pub(crate) last: Option<i64>,
    /// The log shows the proxy, too: then this is one of the tunnels that get no configuration from the edge.
    pub(crate) with_proxy: bool,
    /// The program that is quoted, where several are.
    pub(crate) whose: &'a str,
}

impl LogFacts<'_> {
    fn quote(&self, fault: &Fault) -> Evidence {
        quote(self.whose, fault)
    }

    fn fault(&self, rule: Option<RuleId>) -> Option<&Fault> {
        self.faults.find(rule).filter(|f| f.writer == Writer::Agent)
    }

    fn proven(&self, rule: RuleId) -> Option<Finding> {
        self.fault(Some(rule)).map(|fault| self.finding(rule, fault))
    }

    fn finding(&self, rule: RuleId, fault: &Fault) -> Finding {
        let finding = rules::finding(rule).with(self.quote(fault));
        match fault.fix {
            Some(fix) => Finding { fix: fix.to_owned(), ..finding },
            None => finding,
        }
    }

    fn open(&self) -> impl Iterator<Item = &Fault> {
        self.faults.open().filter(|f| f.writer == Writer::Agent)
    }
}

fn leads_to_proxy(fault: &Fault) -> bool {
    matches!(fault.rule, Some(RuleId::ProxyUnreachable | RuleId::ProxyNoAnswer | RuleId::ProxyWrongScheme))
}

/// Whether a call failed that was for a host name of another tunnel than Anthropic's.
pub(crate) fn is_foreign_call(fault: &Fault) -> bool {
    let url = field(&fault.text, "dest").and_then(|dest| dest.split_once("://"));
    let host = url.and_then(|(_, rest)| rest.split(['/', ':', '?']).next());
    leads_to_proxy(fault) && host.is_some_and(|host| host.contains('.') && !host.ends_with(".anthropic.com"))
}

impl Agent {
    /// The service that its `--url` names.
    pub(crate) fn proxy(&self) -> Option<&str> {
        let host = self.dials.first().map(|(host, _)| host.as_str()).filter(|_| !self.remote);
        host.filter(|host| *host != "localhost" && !host.starts_with(char::is_numeric))
    }

    /// What is wrong with it now.
    pub(crate) fn judge(&self, case: &LogFacts<'_>) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        let unexplained = |f: &&Fault| f.rule == Some(RuleId::UnexplainedError);
        let ends = case.open().filter(|f| matches!(f.effect, Effect::Fatal | Effect::Call));
        // What a tunnel of another account leads to is not the proxy.
        let elsewhere = |f: &&Fault| leads_to_proxy(f) && self.foreign().is_some() || is_foreign_call(f);
        for fault in ends.filter(|f| !unexplained(f) && !elsewhere(f)) {
            if let Some(rule) = fault.rule.filter(|rule| !found.iter().any(|f| f.id == *rule)) {
                found.push(case.finding(rule, fault));
            }
        }
        let dead = found.iter().any(|f| f.layer == Layer::Edge && f.severity == Severity::Error);
        // Another tunnel's configuration comes from the edge, with the first registration.
        let none_came = case.with_proxy || self.registered() >= self.wanted() && !self.token_given && !self.old_words;
        if self.url == Some(false) && !self.remote && none_came && !found.iter().any(|f| f.id == RuleId::NoIngressUrl) {
            found.push(rules::finding(RuleId::NoIngressUrl).with("cloudflared's settings at its start have no `url`"));
        }
        let errors = case.open().filter(unexplained);
        let error = Finding { layer: Layer::Edge, ..rules::finding(RuleId::UnexplainedError) };
        let error = Some(error.with_all(errors.map(|fault| case.quote(fault)))).filter(|f| !f.evidence.is_empty());
        let (up, wanted) = (self.registered(), self.known());
        if up == 0 && self.seen && !dead {
            found.extend(self.why_nothing(case, error.is_some()));
        } else if up > 0 && up < wanted && self.stopped.is_none() {
            let fewer = self.why_fewer(case);
            // A log that ends before all are made.
            found.extend(if fewer.is_empty() { self.what_was(case) } else { fewer });
        } else if up > 0 {
            found.extend(self.what_was(case));
        }
        found.extend(error);
        if let Some(most @ 1..CONNECTIONS) = self.at_most {
            let text = format!("cloudflared found addresses for {most} of {CONNECTIONS} connections");
            found.push(rules::finding(RuleId::EdgeFewAddresses).with(text));
        }
        found
    }

    /// Registrations that fail without a reason.
    fn refused(&self, case: &LogFacts<'_>) -> Option<Finding> {
        let refusals = self.quick_refusals + self.slow_refusals;
        let hidden = case.fault(None);
        let line = hidden.map(|fault| case.quote(fault));
        if refusals >= 2 && refusals >= self.quic_timeouts {
            let slow = self.slow_refusals > self.quick_refusals;
            let rule = if slow { RuleId::EdgeRegistrationTimeout } else { RuleId::TokenRejected };
            let when = if slow { " after about five seconds" } else { " at once" };
            let text =
                format!("{refusals} registrations failed{when} with `{HIDDEN_REJECTION}`, and none was accepted");
            let finding = rules::finding(rule).with(text).with_severity(Severity::Error).with_all(line);
            return Some(finding.with_all((!slow).then_some(HIDDEN)));
        }
        // No other connection can be in the way of the first.
        let first = hidden.is_some_and(|f| connection_index(&f.text) == Some(0));
        (refusals == 1 && self.quic_timeouts == 0 && first)
            .then(|| rules::finding(RuleId::TokenRejected).with_severity(Severity::Warning).with_all(line).with(HIDDEN))
    }

    fn why_nothing(&self, case: &LogFacts<'_>, unexplained: bool) -> Vec<Finding> {
        if let Some(finding) = case.proven(RuleId::TokenRejected) {
            return vec![finding];
        }
        if let Some(finding) = case.proven(RuleId::EdgeNetworkUnreachable).filter(|_| self.ever) {
            let orphaned = rules::finding(RuleId::ProxyNetnsOrphaned).with_all(finding.evidence);
            return vec![orphaned.with("it was registered before, then it lost its network")];
        }
        let mut found: Vec<Finding> = self.refused(case).into_iter().collect();
        let no_addresses = case.open().find(|f| f.tells(Tell::NoAddresses));
        match (no_addresses, case.proven(RuleId::EdgeNetworkUnreachable)) {
            (Some(fault), unreachable) if !self.ever => {
                let finding = rules::finding(RuleId::EdgeNoAddresses).with(case.quote(fault));
                found.push(finding.with_all(unreachable.map(|f| f.evidence).unwrap_or_default()));
            }
            (_, unreachable) => found.extend(unreachable),
        }
        found.extend(PROVEN.into_iter().filter_map(|rule| case.proven(rule)));
        let lost = self.ever && self.losses > 0;
        let suspects = self.blocked(case, lost, &mut found);
        self.after_a_loss(case, lost, &mut found);
        found.extend(suspects);
        if found.is_empty() && (self.retries > 0 && self.starts > 0 || self.complaint.is_some() && !unexplained) {
            let finding = rules::finding(RuleId::EdgeNotRegistered);
            let finding = if self.retries < 2 { finding.with_severity(Severity::Warning) } else { finding };
            let finding = if unexplained { finding.caused_by(RuleId::UnexplainedError) } else { finding };
            found.push(finding.with_all(self.complaint.clone()));
        }
        // A piece of a log, with warnings only: cloudflared warns while it has another connection.
        if self.starts == 0 && !self.witnessed && self.warned {
            for finding in found.iter_mut().filter(|f| f.severity == Severity::Error) {
                finding.severity = Severity::Warning;
            }
        }
        found
    }

    /// Whether UDP or TCP looks blocked. What is only suspected comes back, to be said last.
    fn blocked(&self, case: &LogFacts<'_>, lost: bool, found: &mut Vec<Finding>) -> Vec<Finding> {
        let (quic, tcp) = (case.proven(RuleId::EdgeQuicBlocked), case.proven(RuleId::EdgeTcpBlocked));
        // Where no name is found, nothing was tried.
        let nameless = case.fault(Some(RuleId::EdgeDnsFailed)).is_some() && quic.is_none() && tcp.is_none();
        let checked = case.fault(Some(RuleId::EdgeUnreachable));
        let both = quic.is_some() && tcp.is_some() || checked.is_some() && !nameless;
        // An outage of a minute looks the same as a firewall: after a loss only what it tried in vain since counts.
        let brief = lost && !both && !self.udp_hint && self.quic_timeouts < 2 * BLOCKED;
        if both {
            let finding = rules::finding(RuleId::EdgeUnreachable);
            found.push(match checked {
                Some(fault) => finding.with(case.quote(fault)),
                None => finding.with("neither UDP nor TCP 7844 leads to the tunnel's edge"),
            });
        }
        let explained = !found.is_empty() || brief;
        let mut suspects: Vec<Finding> = Vec::new();
        for finding in [quic, tcp].into_iter().flatten() {
            let tries = finding.id == RuleId::EdgeQuicBlocked && self.quic_timeouts > 1;
            let finding = match (both, explained, finding.id) {
                (true, ..) => finding.caused_by(RuleId::EdgeUnreachable),
                (false, true, _) => finding,
                (false, false, RuleId::EdgeQuicBlocked) if self.quic_timeouts < BLOCKED => finding,
                (false, false, _) => finding.with_severity(Severity::Error),
            };
            let finding =
                if tries { finding.with(format!("{} failed", count(self.quic_timeouts, "attempt"))) } else { finding };
            if brief { suspects.push(finding) } else { found.push(finding) }
        }
        suspects
    }

    /// It was registered before.
    fn after_a_loss(&self, case: &LogFacts<'_>, lost: bool, found: &mut Vec<Finding>) {
        if !lost {
            return;
        }
        if let Some(cause) = found.first().map(|f| f.id) {
            let finding = rules::finding(RuleId::EdgeConnLost).with_severity(Severity::Error).caused_by(cause);
            found.push(finding.with("it was registered before, and no connection is left"));
            return;
        }
        let (severity, text) = match !self.witnessed && self.warned {
            true => (Severity::Warning, "cloudflared only warns of it: it had another connection then"),
            false => (Severity::Error, "no connection is left"),
        };
        let line = case.fault(Some(RuleId::EdgeConnLost)).map(|fault| case.quote(fault));
        found.push(rules::finding(RuleId::EdgeConnLost).with_severity(severity).with(text).with_all(line));
    }

    fn why_fewer(&self, case: &LogFacts<'_>) -> Vec<Finding> {
        let (up, wanted) = (self.registered(), self.wanted());
        let lost = self.connections.values().filter(|c| c.lost).count();
        let failed = case.open().find(|f| matches!(f.effect, Effect::Attempt | Effect::Lost));
        let settled = self.registered_at.zip(case.last).is_some_and(|(then, now)| now - then >= STILL_CONNECTING);
        if lost == 0 && failed.is_none() && !settled {
            return Vec::new();
        }
        let partial = rules::finding(RuleId::EdgePartial).with(format!("{up} of {wanted} are registered"));
        let partial = partial.with_all(failed.map(|fault| case.quote(fault)));
        if lost == 0 {
            let cause = PROVEN.into_iter().find_map(|rule| case.proven(rule)).filter(|f| f.severity < Severity::Note);
            let Some(cause) = cause else { return vec![partial] };
            let partial = partial.caused_by(cause.id);
            return vec![cause.with_severity(Severity::Warning), partial];
        }
        let loss = rules::finding(RuleId::EdgeConnLost).with(match lost {
            1 => "one was lost and is not back".to_owned(),
            many => format!("{many} were lost and are not back"),
        });
        vec![loss, partial.caused_by(RuleId::EdgeConnLost)]
    }

    /// It works now. What is still worth saying.
    fn what_was(&self, case: &LogFacts<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.losses > 0 {
            found.push(rules::finding(RuleId::EdgeConnLost).with_severity(Severity::Note).with(match self.losses {
                1 => "one was lost in this life, and is back".to_owned(),
                many => format!("{many} losses since its start, all reconnected"),
            }));
        }
        let healed = |rule: RuleId| case.faults.healed().find(|f| f.rule == Some(rule)).map(|fault| case.quote(fault));
        if self.protocol.as_deref() == Some("http2") {
            let udp = self.udp_hint || self.quic_timeouts >= BLOCKED;
            for rule in OF_QUIC.into_iter().filter(|rule| self.hints.contains(rule)) {
                if rule == RuleId::EdgeQuicBlocked && !udp {
                    continue;
                }
                let finding = rules::finding(rule).with_severity(Severity::Warning).with("it is connected over HTTP/2");
                found.push(finding.with_all(healed(rule)));
            }
        } else if let Some(fault) = case.fault(Some(RuleId::EdgeTcpBlocked)).filter(|f| f.tells(Tell::Precheck)) {
            let finding = rules::finding(RuleId::EdgeTcpBlocked).with_severity(Severity::Note).with(case.quote(fault));
            found.push(finding.with("it is connected over QUIC; there would be no other way if UDP failed"));
        }
        found
    }
}
