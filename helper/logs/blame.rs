//! Calls that do not reach a server, laid to what became of that server.

use super::Logs;
use super::ends;
use super::fault::Fault;
use super::kind::WriterKind;
use super::line::upstream;
use super::matcher::Writer;
use super::quote::same_service;
use super::stream::Stream;
use crate::answer::{Finding, Layer, Severity};
use crate::rules::RuleId;

/// What the proxy meets where a server does not run: Docker forgets the name of a container that is started again.
const OUT_OF_REACH: [RuleId; 3] = [RuleId::UpstreamRefused, RuleId::UpstreamDns, RuleId::UpstreamTimeout];

/// Whether the error that no row explains is a server's.
fn is_of_server(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.id == RuleId::UnexplainedError && f.layer == Layer::Upstream)
}

/// Whether nothing says that the server runs.
fn is_gone(server: &Stream) -> bool {
    !server.listening || server.life.is_over() || server.life.stopped().is_some()
}

/// Whether its own log shows that it ended, or cannot go on: an error alone does not explain that a name is not known.
fn has_ended(server: &Stream) -> bool {
    let last = server.life.last_words().iter().map(|kept| kept.number).max().filter(|number| *number > 0);
    let fault = ends::fault(server);
    let is_last = || fault.is_some_and(|f| last == Some(f.latest));
    let failed = server.life.code.is_some_and(|code| code != 0);
    failed || server.life.is_over() || fault.is_some_and(|f| f.ends > 0) || !server.life.served && is_last()
}

impl Logs {
    /// A server is out of reach because of what it printed last, where none of those that are called listens. That it
    /// does not run is certain then.
    pub(super) fn blame_servers(&self, findings: &mut [Finding]) {
        for rule in OUT_OF_REACH {
            if let Some(cause) = self.cause_of(rule, findings) {
                blame(cause, rule, findings);
            }
        }
        // The cause of an error is one.
        let looping = findings.iter().find(|f| f.id == RuleId::CrashLoop && f.severity == Severity::Error);
        if let Some(cause) = looping.and_then(|f| f.consequence_of) {
            worsen(cause, Severity::Warning, findings);
        }
    }

    fn cause_of(&self, rule: RuleId, findings: &[Finding]) -> Option<RuleId> {
        let called = self.servers_behind(rule);
        if called.is_empty() || !called.iter().all(|server| is_gone(server)) {
            return None;
        }
        let known = |id: &RuleId| findings.iter().any(|f| f.id == *id);
        if called.iter().all(|server| self.stopped_before(server, rule)) {
            return Some(RuleId::ServiceStopped).filter(known);
        }
        let of_server = |id: &RuleId| *id != RuleId::UnexplainedError || is_of_server(findings);
        let ended = called.iter().filter(|server| rule == RuleId::UpstreamRefused || has_ended(server));
        let own = ended.filter_map(|server| ends::cause(server)).find(|id| known(id) && of_server(id));
        let explained = || rule.rule().caused_by.iter().copied().flatten().any(known);
        let loops = |f: &Finding| {
            let one = f.subject.as_ref().map(|subject| subject.name());
            f.id == RuleId::CrashLoop && one.is_none_or(|name| called.iter().any(|server| server.name == name))
        };
        let looping = || Some(RuleId::CrashLoop).filter(|_| findings.iter().any(loops) && !explained());
        own.or_else(looping)
    }

    /// Whether the server was stopped in good order, and calls failed since.
    fn stopped_before(&self, server: &Stream, rule: RuleId) -> bool {
        let stopped = server.life.stopped().filter(|_| server.life.served);
        stopped.is_some_and(|kept| {
            let at = kept.read().0;
            self.failing(rule).all(|fault| at.zip(fault.at).is_none_or(|(stopped, failed)| failed >= stopped))
        })
    }

    fn failing(&self, rule: RuleId) -> impl Iterator<Item = &Fault> {
        self.streams.iter().flat_map(|s| s.faults.open()).filter(move |f| f.rule == Some(rule))
    }

    /// The servers behind the routes whose calls fail like this. Where no line tells which these are, those that refuse
    /// connections may be any; a name that is not known may be of no server.
    fn servers_behind(&self, rule: RuleId) -> Vec<&Stream> {
        let is_server = |s: &&Stream| matches!(s.kind, WriterKind::Of(Writer::Server) | WriterKind::Unknown);
        let servers = || self.streams.iter().filter(is_server);
        let host = |fault: &Fault| {
            let route = fault.subject.split('.').next().unwrap_or_default();
            let host = self.streams.iter().find_map(|s| s.routes.get(route)).filter(|host| !host.is_empty());
            host.cloned().unwrap_or_else(|| upstream(&fault.text).to_owned())
        };
        let refused = rule == RuleId::UpstreamRefused;
        let hosts: Vec<String> = self.failing(rule).map(host).filter(|host| !refused || !host.is_empty()).collect();
        let leads = |host: &String, s: &Stream| {
            !host.is_empty() && same_service(&s.name, host) && (refused || s.name.ends_with(host.as_str()))
        };
        let named: Vec<&Stream> = servers().filter(|s| hosts.iter().any(|host| leads(host, s))).collect();
        match refused {
            true if named.is_empty() => servers().collect(),
            false if !hosts.iter().all(|host| named.iter().any(|s| leads(host, s))) => Vec::new(),
            _ => named,
        }
    }
}

fn blame(cause: RuleId, rule: RuleId, findings: &mut [Finding]) {
    let follows = findings.iter_mut().filter(|f| f.id == rule && f.severity < Severity::Note);
    let mut any = false;
    for finding in follows.filter(|f| f.consequence_of.is_none()) {
        (finding.consequence_of, any) = (Some(cause), true);
    }
    if any {
        let mildest = if cause == RuleId::ServiceStopped { Severity::Note } else { Severity::Warning };
        worsen(cause, mildest, findings);
    }
}

/// Makes a cause an error, where it is no less than this.
fn worsen(cause: RuleId, mildest: Severity, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|f| f.id == cause && f.severity <= mildest) {
        finding.severity = Severity::Error;
    }
}
