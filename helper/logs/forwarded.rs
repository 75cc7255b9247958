//! Calls that the proxy passed on, host by host: many servers print none, and then only its lines tell how they end.

use std::collections::BTreeMap;

use super::access::Access;
use super::calls::{Calls, Meaning, is_probe, refused_by};
use super::fault::Fault;
use super::line::{Line, field, upstream};
use super::matcher::Writer;
use super::quote::same_service;
use crate::rules::RuleId;

/// Hosts that are remembered.
const MOST_HOSTS: usize = 256;
/// Calls of one host that are not answered yet.
const MOST_OPEN: usize = 16;

/// A call that came to the proxy.
#[derive(Clone, Debug, Default)]
struct Request {
    method: String,
    path: String,
}

impl Request {
    /// What a line says of it. Without a word of it, it is a call, which is a POST.
    fn read(text: &str) -> Option<Self> {
        let method = field(text, "method")?.to_owned();
        Some(Self { method, path: field(text, "path").unwrap_or_default().to_owned() })
    }

    fn answered(&self, status: u16) -> Access<'_> {
        let method = if self.method.is_empty() { "POST" } else { &self.method };
        Access { method, path: &self.path, status, own: false }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    calls: Calls,
    /// Host of the server behind it; empty where no line tells.
    pub(super) upstream: String,
    open: Vec<Request>,
    /// An answer came to a call that no line told of, which may have been passed over.
    unknown: bool,
    /// Moments of the first and the last call that was answered.
    pub(super) answered: Option<(i64, i64)>,
}

impl Host {
    /// The call that an answer belongs to. Calls overlap: a refusal is rather that of a probe, or of a stream that the
    /// server does not offer.
    fn close(&mut self, status: u16) -> Option<Request> {
        let is_call = |request: &Request| request.method == "POST" && !is_probe(&request.answered(status));
        let passed = (200..300).contains(&status);
        let at = self.open.iter().rposition(|request| is_call(request) == passed);
        at.or(self.open.len().checked_sub(1)).map(|at| self.open.remove(at))
    }

    fn ended(&mut self, status: u16, number: u64, line: &Line<'_>) -> Meaning {
        let begun = self.close(status);
        let request = Request::read(line.text).or(begun);
        if request.is_none() && status >= 300 && (self.calls.passed || !self.unknown) {
            self.unknown |= !self.calls.passed;
            return Meaning::Nothing;
        }
        let request = request.unwrap_or_default();
        let access = request.answered(status);
        let meaning = self.calls.take(&access, number, line);
        if matches!(meaning, Meaning::Passed) {
            self.unknown = false;
            if let Some(at) = line.at {
                self.answered = Some((self.answered.map_or(at, |(first, _)| first), at));
            }
        }
        let other = access.method != "POST" && !access.route().ends_with("/sse");
        match meaning {
            // A browser, a monitor, a client that asks for a stream.
            Meaning::Failed(_) if other && refused_by(status).is_none() => Meaning::Nothing,
            meaning => meaning,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Forwarded {
    pub(super) hosts: BTreeMap<String, Host>,
    /// Hosts of which the lines of all calls are wanted: one failed, and its first line was passed over.
    pub(super) waiting: usize,
}

impl Forwarded {
    fn host(&mut self, name: &str, text: &str) -> Option<&mut Host> {
        if !self.hosts.contains_key(name) {
            if self.hosts.len() >= MOST_HOSTS {
                return None;
            }
            self.hosts.insert(name.to_owned(), Host::default());
        }
        let host = self.hosts.get_mut(name)?;
        let upstream = upstream(text);
        if !upstream.is_empty() && host.upstream != upstream {
            upstream.clone_into(&mut host.upstream);
        }
        Some(host)
    }

    /// The proxy was started: what its routes lead to may be another server.
    pub(super) fn begin_anew(&mut self) {
        for host in self.hosts.values_mut() {
            host.calls = Calls::default();
            host.open.clear();
        }
    }

    /// A call came to the proxy.
    pub(super) fn began(&mut self, name: &str, text: &str) {
        let Some(request) = Request::read(text) else { return };
        let Some(host) = self.host(name, text) else { return };
        if host.open.len() >= MOST_OPEN {
            host.open.remove(0);
        }
        host.open.push(request);
    }

    /// The proxy passed an answer on: what it means.
    pub(super) fn ended(&mut self, name: &str, status: u16, number: u64, line: &Line<'_>) -> Meaning {
        let Some(host) = self.host(name, line.text) else { return Meaning::Nothing };
        let before = usize::from(host.unknown);
        let meaning = host.ended(status, number, line);
        let now = usize::from(host.unknown);
        self.waiting = self.waiting + now - before;
        meaning
    }

    /// Whether calls of a host go to a server, as far as the lines tell.
    pub(super) fn leads(&self, host: &str, server: &str) -> bool {
        let upstream = self.hosts.get(host).map_or("", |host| &host.upstream);
        upstream.is_empty() || same_service(server, upstream)
    }
}

/// Whether a line says that the proxy passed on a success.
pub(super) fn is_pass(text: &str) -> bool {
    text.contains("request completed") && field(text, "status").is_some_and(|status| status.starts_with("20"))
}

/// Whether a fault is a status with which a server refused a call, which only another answer to a call makes up for.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    let rules = [
        RuleId::UpstreamNeedsCredential,
        RuleId::UpstreamForbidden,
        RuleId::UpstreamHostRejected,
        RuleId::UpstreamMethod,
    ];
    fault.rule.is_some_and(|rule| rules.contains(&rule)) || is_vague(fault)
}

/// Whether it is one that says less than the server's own line of the same call.
pub(super) fn is_vague(fault: &Fault) -> bool {
    let rules =
        [RuleId::UpstreamPath404, RuleId::UpstreamBadRequest, RuleId::UpstreamNotAcceptable, RuleId::UpstreamSlash307];
    fault.writer == Writer::Proxy && fault.rule.is_some_and(|rule| rules.contains(&rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the answers to calls of one host mean: the rule of each failure.
    fn rules(lines: &[&str]) -> Vec<Option<RuleId>> {
        let mut calls = Forwarded::default();
        let ended = |text: &&str| {
            let line = Line::parse(text);
            let Some(status) = field(line.text, "status").and_then(|status| status.parse().ok()) else {
                calls.began("a", line.text);
                return None;
            };
            Some(match calls.ended("a", status, 1, &line) {
                Meaning::Failed(pattern) => pattern.rule,
                Meaning::Nothing | Meaning::Passed => None,
            })
        };
        lines.iter().filter_map(ended).collect()
    }

    #[test]
    fn each_refusal_of_a_call_has_its_meaning() {
        for (status, rule) in [
            (404, RuleId::UpstreamPath404),
            (400, RuleId::UpstreamBadRequest),
            (406, RuleId::UpstreamNotAcceptable),
            (307, RuleId::UpstreamSlash307),
        ] {
            let done = format!("status={status}");
            assert_eq!(rules(&["method=POST path=/mcp", &done]), [Some(rule)]);
            assert_eq!(rules(&["method=GET path=/mcp", &done]), [None]);
            assert_eq!(rules(&["method=POST path=/mcp", "status=200", "method=GET path=/mcp", &done]), [None; 2]);
            assert_eq!(rules(&["status=200", &done]), [None; 2]);
            assert_eq!(rules(&[&done, &done]), [None, Some(rule)], "the first may have been passed over");
        }
        let json = ["{\"method\":\"POST\",\"path\":\"/\"}", "{\"status\":404}"];
        assert_eq!(rules(&json), [Some(RuleId::UpstreamPath404)]);
    }

    #[test]
    fn answers_to_calls_that_overlap() {
        let probe = ["method=POST path=/mcp", "method=GET path=/.well-known/x", "status=404", "status=200"];
        assert_eq!(rules(&probe), [None; 2]);
        let stream = ["method=POST path=/mcp", "method=GET path=/mcp", "status=202", "status=405"];
        assert_eq!(rules(&stream), [None; 2]);
        let lost = ["method=POST path=/mcp", "status=200", "method=POST path=/mcp", "status=404"];
        assert_eq!(rules(&lost), [None; 2]);
    }
}
