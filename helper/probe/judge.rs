//! The verdict about a route, from what was seen of its server. Pure; [`super::inside`] looks.

use serde_json::{Value, json};

use super::answers::{ANSWERS, Case, found_late, seconds};
use super::hosts;
use super::state::{Behind, Callability};
use super::target::NAME;
use super::wire::{Era, Got, ProbeTarget, Seen, Server, Step, TlsFault, Try};
use crate::answer::count;
use crate::redact;
use crate::rules::{self, Finding, Remedy, RuleId, Severity, Subject};

#[derive(Clone, Debug)]
pub(crate) struct RouteVerdict {
    pub(crate) state: Callability,
    /// What is wrong, in a few words whose subject is the server: "refuses connections on port 9000".
    pub(crate) reason: Option<String>,
    pub(crate) finding: Option<Finding>,
}

/// Judges one route. `kept` says that a person chose the path; otherwise it is only the usual one.
pub(crate) fn judge(target: &ProbeTarget, seen: &Seen, behind: &Behind, kept: bool) -> RouteVerdict {
    if let Some(server) = &seen.server {
        return judge_server(target, seen, server, kept);
    }
    let at_path = |host: &str, path: &str| host == target.tunnel_host && path == target.path;
    let asked: Vec<_> = seen.tries.iter().filter(|e| e.host.is_empty() || at_path(&e.host, &e.path)).collect();
    if asked.iter().any(|entry| matches!(&entry.got, Got::Http(http) if http.status == 401)) {
        return needs_credential(target, seen);
    }
    // A server may check the host name only where it has an endpoint.
    let rejects = |entry: &&Try| {
        entry.host == target.tunnel_host
            && entry
                .got
                .status()
                .is_some_and(|status| status == 421 || hosts::maker(status, entry.got.text()).is_some())
    };
    let failed = |entry: &&&Try| entry.got != Got::Ok && entry.step != Step::Stream;
    let last = asked.iter().rev().find(failed).copied();
    let got = seen.tries.iter().find(rejects).or(last).map_or(&Got::Closed, |entry| &entry.got);
    let http = match got {
        Got::Http(http) => Some(&**http),
        _ => None,
    };
    let case = Case { target, seen, behind, got, http, status: got.status().unwrap_or_default() };
    let Some(answer) = ANSWERS.iter().find(|answer| (answer.when)(&case)) else {
        return RouteVerdict { state: Callability::NotChecked, reason: None, finding: None };
    };
    let reason = (answer.reason)(&case);
    let finding = complete(finding(answer.rule, target, &reason), answer.rule, &case);
    RouteVerdict { state: answer.state, reason: Some(reason), finding: Some(finding) }
}

fn finding(rule: RuleId, target: &ProbeTarget, reason: &str) -> Finding {
    let mut finding = rules::finding(rule);
    finding.subject = target.route.clone().map(Subject::route);
    // It was tried; where only a log says so, it may be milder.
    finding.severity = Severity::Error;
    finding.title = format!("`{}` {reason}", target.shown_name());
    finding
}

fn judge_server(target: &ProbeTarget, seen: &Seen, server: &Server, kept: bool) -> RouteVerdict {
    if server.lost > 0 {
        let reason =
            format!("forgets sessions: {} of {} in one session failed", server.lost, count(server.asked, "request"));
        let finding = finding(RuleId::UpstreamSessionLost, target, &reason);
        return RouteVerdict { state: Callability::Refused, reason: Some(reason), finding: Some(finding) };
    }
    if let Some(listing) = failed_listing(target, seen, server) {
        return judge_listing(target, &listing.got, listing.ms);
    }
    if server.path == target.path {
        return callable(target, seen);
    }
    let reason = format!("answers at {}, not at {}", server.path, target.path);
    let redirects = seen.tries.iter().any(|entry| {
        entry.path == target.path && matches!(&entry.got, Got::Http(http) if matches!(http.status, 300..=399))
    });
    let is_slash = redirects && server.path.trim_end_matches('/') == target.path.trim_end_matches('/');
    let rule = if is_slash { RuleId::UpstreamSlash307 } else { RuleId::UpstreamPathOther };
    let request = match &target.route {
        Some(name) => json!({"paths": {name: &server.path}}),
        None => json!({"routes": {NAME: target.url()}, "paths": {NAME: &server.path}}),
    };
    let severity = if kept { Severity::Error } else { Severity::Warning };
    let finding =
        finding(rule, target, &reason).with_remedy(Remedy::OtherPath { request: &request }).with_severity(severity);
    let state = if kept { Callability::Refused } else { Callability::Callable };
    RouteVerdict { state, reason: Some(reason), finding: Some(finding) }
}

/// The request for the tools of a server that answers others, where it failed.
fn failed_listing<'a>(target: &ProbeTarget, seen: &'a Seen, server: &Server) -> Option<&'a Try> {
    let is_listing = |entry: &&Try| {
        let is_at = entry.path == server.path || server.era == Era::Sse;
        entry.step == Step::Tools && entry.host == target.tunnel_host && is_at
    };
    seen.tries.iter().rev().find(is_listing).filter(|_| server.tools.is_none())
}

/// A client that cannot list the tools calls none; how many pages they have does not matter.
fn judge_listing(target: &ProbeTarget, got: &Got, ms: u64) -> RouteVerdict {
    let code = match got {
        Got::Rpc { code, .. } => format!("JSON-RPC error {code}"),
        other => other.status().map_or_else(|| "no answer".to_owned(), |status| status.to_string()),
    };
    let (reason, rule, state) = match got {
        Got::Ok => (
            "answers `tools/list` without a list, or without an end".to_owned(),
            RuleId::UpstreamFailed,
            Callability::Refused,
        ),
        Got::Timeout => {
            let reason = format!("does not list its tools within {}", seconds(ms));
            (reason, RuleId::UpstreamTimeout, Callability::Callable)
        }
        got if got.status() == Some(403) => {
            ("forbids `tools/list` (403)".to_owned(), RuleId::UpstreamForbidden, Callability::Refused)
        }
        _ => (format!("fails `tools/list` ({code})"), RuleId::UpstreamFailed, Callability::Refused),
    };
    let words = redact::cut(&redact::foreign(got.text()), 64);
    let mut finding = finding(rule, target, &reason);
    if !words.is_empty() {
        finding = finding.with(format!("POST {} tools/list: {words}", target.path));
    }
    if state == Callability::Callable {
        finding = finding.with_severity(Severity::Warning).with_remedy(Remedy::MUTE);
    }
    RouteVerdict { state, reason: Some(reason), finding: Some(finding) }
}

/// A call is answered, if late where each new connection waits for DNS.
fn callable(target: &ProbeTarget, seen: &Seen) -> RouteVerdict {
    let reason = seen.is_found_late().then(|| found_late(target, seen));
    let finding = reason.as_deref().map(|reason| {
        let finding = finding(RuleId::UpstreamDns, target, reason);
        finding.with_remedy(Remedy::LATE_LOOKUP).with_severity(Severity::Warning)
    });
    RouteVerdict { state: Callability::Callable, reason, finding }
}

fn needs_credential(target: &ProbeTarget, seen: &Seen) -> RouteVerdict {
    let challenge = seen.tries.iter().find_map(|entry| match &entry.got {
        Got::Http(http) if http.status == 401 => http.challenge.clone(),
        _ => None,
    });
    let reason = "answers and requires a credential (401)".to_owned();
    let mut finding = finding(RuleId::UpstreamNeedsCredential, target, &reason);
    finding.severity = Severity::Note;
    if let Some(scheme) = challenge {
        finding = finding.with(format!("WWW-Authenticate: {}", redact::cut(&redact::foreign(&scheme), 64)));
    }
    RouteVerdict { state: Callability::NeedsCredential, reason: None, finding: Some(finding) }
}

/// The request of `render` that sends a route to its server under another scheme or port.
fn url(target: &ProbeTarget, https: bool, port: u16) -> Value {
    json!({"routes": {target.route.as_deref().unwrap_or(NAME): target.url_at(https, port)}})
}

/// Fills in the evidence, and the fix of this case.
fn complete(mut finding: Finding, rule: RuleId, case: &Case<'_>) -> Finding {
    let target = case.target;
    let words = redact::cut(&redact::foreign(case.text()), 64);
    if !words.is_empty() {
        let status = if case.status > 0 { format!("{} ", case.status) } else { String::new() };
        finding = finding.with(format!("POST {} with Host {}: {status}{words}", target.path, target.tunnel_host));
    }
    if let Some(software) = case.http.and_then(|http| http.software.as_deref()) {
        finding = finding.with(format!("Server: {}", redact::cut(&redact::foreign(software), 64)));
    }
    match rule {
        RuleId::UpstreamHostRejected => with_maker(finding, case),
        RuleId::UpstreamDns if case.is_lookup_late() => finding.with_remedy(Remedy::LATE_LOOKUP),
        RuleId::UpstreamDns if *case.got == Got::NoAnswer => finding.with_remedy(Remedy::SILENT_DNS),
        RuleId::UpstreamPath404 => match case.pages().next() {
            Some(path) => finding.with(format!("GET {path} gets a web page")),
            None => finding,
        },
        RuleId::UpstreamIpRejected if *case.got == Got::OnlyIpv6 => finding.with_remedy(Remedy::ONLY_IPV6),
        RuleId::UpstreamTimeout if case.is_mute() => finding.with_remedy(Remedy::MUTE),
        RuleId::UpstreamNotMcp if *case.got == Got::Http2 => finding.with_remedy(Remedy::ONLY_HTTP2),
        RuleId::UpstreamNotMcp if matches!(case.got, Got::WrongType(_)) => finding.with_remedy(Remedy::CONTENT_TYPE),
        RuleId::UpstreamSlash307 => finding.with_remedy(Remedy::REDIRECTS_AWAY),
        RuleId::UpstreamTlsFailed => with_tls_remedy(finding, case.got),
        RuleId::UpstreamWrongScheme if case.is_forced_to_tls() => finding.with_remedy(Remedy::FORCED_TLS),
        RuleId::UpstreamWrongScheme => {
            finding.with_remedy(Remedy::OtherUrl { request: &url(target, !target.https, target.port) })
        }
        RuleId::UpstreamWrongPort => match case.other_ports().first() {
            Some(port) => finding.with_remedy(Remedy::OtherUrl { request: &url(target, target.https, *port) }),
            None => finding,
        },
        RuleId::UpstreamBindLoopback => match case.behind {
            Behind::Host { .. } => finding.with_remedy(Remedy::LOOPBACK_OF_HOST),
            _ => finding,
        },
        RuleId::UpstreamRefused if case.on_port().is_some_and(|all| all.is_empty()) => {
            let place = match case.behind {
                Behind::Container { name, .. } => format!("in the container of `{name}`"),
                _ => "on this host".to_owned(),
            };
            finding.with(format!("nothing {place} listens on port {}", target.port))
        }
        _ => finding,
    }
}

/// What is wrong with the certificate, where it is not its issuer.
fn with_tls_remedy(finding: Finding, got: &Got) -> Finding {
    let Got::Tls(fault) = got else { return finding };
    match fault {
        TlsFault::Expired | TlsFault::NotYetValid => finding.with_remedy(Remedy::OUT_OF_DATE),
        TlsFault::OtherName(_) => finding.with_remedy(Remedy::OTHER_NAME),
        TlsFault::NotForServers => finding.with_remedy(Remedy::OTHER_USE),
        TlsFault::NotTls | TlsFault::ClientCertificate | TlsFault::Other(_) => finding.with_remedy(Remedy::HANDSHAKE),
        TlsFault::UnknownIssuer | TlsFault::NoAnchor => finding,
    }
}

/// Which software refuses the host name, and how to change it there.
fn with_maker(mut finding: Finding, case: &Case<'_>) -> Finding {
    if let Some(maker) = hosts::maker(case.status, case.text()) {
        finding.cause = maker.cause.to_owned();
        finding.fix = maker.fix.replace("{host}", &case.target.tunnel_host);
        finding = finding.with(format!("the words are those of {}", maker.name));
    } else if !matches!(case.status, 400 | 403 | 421) {
        finding = finding.with_remedy(Remedy::OTHER_SITE);
    }
    if case.is_host_proven() {
        finding = finding.with("the same request with the server's own host name is accepted");
    }
    finding
}
