//! What the answers of a route's server mean: one row an answer. Pure; what is judged here was seen by [`super::inside`].

use schemars::JsonSchema;
use serde::Serialize;

use super::hosts;
use super::wire::{Got, Http, Listener, Seen, Server, Step, Target, TlsFault, Try};
use crate::answer::count;
use crate::redact;
use crate::rules::{self, Finding, RuleId, Severity, Subject};

/// Whether Claude can call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// An MCP server answered a real MCP request.
    Callable,
    /// A server answered and wants a credential.
    NeedsCredential,
    /// The running proxy has not read this route.
    NotApplied,
    /// A server answered, and not as an MCP server for this host name and path.
    Refused,
    /// No server answered.
    Unreachable,
    /// It could not be tried.
    NotChecked,
}

impl State {
    /// Whether Claude's call would be answered.
    pub(crate) fn is_callable(self) -> bool {
        matches!(self, Self::Callable | Self::NeedsCredential)
    }
}

/// What is behind a route, as far as the helper can see it from outside.
#[derive(Clone, Debug, Default)]
pub(crate) enum Behind {
    /// A container: the name of its service, and the listening sockets of its network namespace.
    Container {
        /// Name of the service, or of the container.
        name: String,
        /// Its listening sockets, if they were looked at.
        listening: Option<Vec<Listener>>,
    },
    /// The machine that the engine runs on.
    Host {
        /// Its listening sockets, if they can be read.
        listening: Option<Vec<Listener>>,
    },
    /// Something else.
    #[default]
    Unknown,
}

impl Behind {
    fn listening(&self) -> Option<&[Listener]> {
        match self {
            Self::Container { listening, .. } | Self::Host { listening } => listening.as_deref(),
            Self::Unknown => None,
        }
    }
}

/// The verdict about one route.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Whether it can be called.
    pub(crate) state: State,
    /// What is wrong, in a few words whose subject is the server: "refuses connections on port 9000".
    pub(crate) reason: Option<String>,
    /// The same as a finding.
    pub(crate) finding: Option<Finding>,
}

/// All that a row looks at.
struct Case<'a> {
    target: &'a Target,
    seen: &'a Seen,
    behind: &'a Behind,
    /// What the server answered at the path that Claude calls.
    got: &'a Got,
    http: Option<&'a Http>,
    status: u16,
}

/// One answer of a server.
struct Answer {
    when: fn(&Case<'_>) -> bool,
    rule: RuleId,
    state: State,
    reason: fn(&Case<'_>) -> String,
}

impl Case<'_> {
    fn http_is(&self, statuses: &[u16]) -> bool {
        statuses.contains(&self.status)
    }

    fn port(&self) -> u16 {
        self.target.port
    }

    /// Whether the same request was answered otherwise under the server's own name: accepted, or not refused.
    fn is_host_proven(&self) -> bool {
        let own = |host: &str| !host.is_empty() && host != self.target.tunnel_host;
        let refused = self.http_is(&[400, 403, 421]);
        self.seen.tries.iter().filter(|entry| own(&entry.host)).any(|entry| {
            let answer = status(&entry.got).unwrap_or_default();
            let accepted = entry.got == Got::Ok || answer == 401;
            let otherwise = refused && matches!(answer, 200..=499) && answer != self.status;
            matches!(entry.step, Step::Discover | Step::Initialize) && (accepted || otherwise)
        })
    }

    fn text(&self) -> &str {
        text(self.got)
    }

    /// The sockets on the route's port.
    fn on_port(&self) -> Option<Vec<Listener>> {
        Some(self.behind.listening()?.iter().copied().filter(|l| l.port == self.port()).collect())
    }

    fn is_loopback_only(&self) -> bool {
        self.on_port().is_some_and(|all| !all.is_empty() && all.iter().all(|l| l.is_loopback()))
    }

    fn is_open(&self) -> bool {
        self.on_port().is_some_and(|all| all.iter().any(|l| !l.is_loopback()))
    }

    /// Other ports on which the container can be reached.
    fn other_ports(&self) -> Vec<u16> {
        let Behind::Container { listening: Some(all), .. } = self.behind else { return Vec::new() };
        let mut ports: Vec<u16> = all.iter().filter(|l| !l.is_loopback()).map(|l| l.port).collect();
        ports.dedup();
        if ports.contains(&self.port()) { Vec::new() } else { ports }
    }
}

/// In the order of the layers; the first row that fits counts.
static ANSWERS: &[Answer] = &[
    Answer {
        when: |c| *c.got == Got::NameUnknown,
        rule: RuleId::UpstreamDns,
        state: State::Unreachable,
        reason: |c| format!("is not known by the name {} in the proxy's network", c.target.host),
    },
    Answer {
        when: |c| *c.got == Got::NotAllowed,
        rule: RuleId::UpstreamIpRejected,
        state: State::Unreachable,
        reason: |c| {
            let all: Vec<String> = c.seen.addresses.iter().take(3).map(ToString::to_string).collect();
            format!("has the address {}, which the proxy may not dial", all.join(", "))
        },
    },
    Answer {
        when: |c| matches!(c.got, Got::Refused | Got::Timeout) && c.is_loopback_only(),
        rule: RuleId::UpstreamBindLoopback,
        state: State::Unreachable,
        reason: |c| format!("listens on 127.0.0.1:{} only", c.port()),
    },
    Answer {
        when: |c| matches!(c.got, Got::Refused | Got::Timeout | Got::Unreachable) && is_connect(c) && c.is_open(),
        rule: RuleId::UpstreamFirewalled,
        state: State::Unreachable,
        reason: |c| format!("listens on port {}, and a firewall keeps the proxy from it", c.port()),
    },
    Answer {
        when: |c| *c.got == Got::Refused && !c.other_ports().is_empty(),
        rule: RuleId::UpstreamWrongPort,
        state: State::Unreachable,
        reason: |c| {
            let ports: Vec<String> = c.other_ports().iter().take(3).map(ToString::to_string).collect();
            format!("listens on port {}, not on {}", ports.join(", "), c.port())
        },
    },
    Answer {
        when: |c| *c.got == Got::Refused,
        rule: RuleId::UpstreamRefused,
        state: State::Unreachable,
        reason: |c| format!("refuses connections on port {}", c.port()),
    },
    Answer {
        when: |c| matches!(c.got, Got::Timeout | Got::Unreachable),
        rule: RuleId::UpstreamTimeout,
        state: State::Unreachable,
        reason: |c| match c.got {
            Got::Unreachable => "cannot be reached: no route to its address".to_owned(),
            _ if is_connect(c) => format!("does not accept connections on port {} within {}", c.port(), limit(c)),
            _ => format!("accepts the connection and does not answer within {}", limit(c)),
        },
    },
    Answer {
        when: |c| *c.got == Got::WrongScheme,
        rule: RuleId::UpstreamWrongScheme,
        state: State::Unreachable,
        reason: |c| {
            let (speaks, says) = if c.target.https { ("plain HTTP", "https") } else { ("TLS", "http") };
            format!("speaks {speaks}, and the route says {says}")
        },
    },
    Answer {
        when: |c| *c.got == Got::Tls(TlsFault::NoAnchor),
        rule: RuleId::UpstreamTls,
        state: State::Unreachable,
        reason: |_| "has a certificate, and the proxy has nothing to check it against".to_owned(),
    },
    Answer {
        when: |c| matches!(c.got, Got::Tls(_)),
        rule: RuleId::UpstreamTlsFailed,
        state: State::Unreachable,
        reason: |c| match c.got {
            Got::Tls(fault) => tls_reason(fault, &c.target.host),
            _ => String::new(),
        },
    },
    Answer {
        when: |c| c.http.is_some_and(|http| is_redirect_to_https(http) && !c.target.https),
        rule: RuleId::UpstreamWrongScheme,
        state: State::Refused,
        reason: |c| format!("redirects http to https ({})", c.status),
    },
    Answer {
        when: |c| c.http_is(&[400, 403]) && c.text().to_ascii_lowercase().contains("invalid origin"),
        rule: RuleId::UpstreamOriginRejected,
        state: State::Refused,
        reason: |c| format!("rejects the caller's origin ({})", c.status),
    },
    Answer {
        when: |c| c.status == 421 || c.is_host_proven() || hosts::maker(c.status, c.text()).is_some(),
        rule: RuleId::UpstreamHostRejected,
        state: State::Refused,
        reason: |c| format!("rejects the tunnel's host name ({})", c.status),
    },
    Answer {
        when: |c| c.status == 403,
        rule: RuleId::UpstreamForbidden,
        state: State::Refused,
        reason: |c| format!("forbids the request at {} (403)", c.target.path),
    },
    Answer {
        when: |c| matches!(c.status, 300..=399),
        rule: RuleId::UpstreamSlash307,
        state: State::Refused,
        reason: |c| {
            let to = c.http.and_then(|http| http.location.clone()).unwrap_or_default();
            format!("redirects {} to {} ({})", c.target.path, redact::cut(&redact::foreign(&to), 64), c.status)
        },
    },
    Answer {
        when: |c| c.http_is(&[404, 410]),
        rule: RuleId::UpstreamPath404,
        state: State::Refused,
        reason: |c| format!("has no MCP endpoint at {} ({})", c.target.path, c.status),
    },
    Answer {
        when: |c| c.status == 405,
        rule: RuleId::UpstreamMethod,
        state: State::Refused,
        reason: |c| format!("accepts no POST at {} (405)", c.target.path),
    },
    Answer {
        when: |c| c.http_is(&[406, 415]),
        rule: RuleId::UpstreamNotAcceptable,
        state: State::Refused,
        reason: |c| format!("refuses the media types that MCP clients send ({})", c.status),
    },
    Answer {
        when: |c| c.http.is_some_and(|http| http.status < 300 && http.content_type == "text/html"),
        rule: RuleId::UpstreamWebPage,
        state: State::Refused,
        reason: |c| format!("answers {} with a web page", c.target.path),
    },
    Answer {
        when: |c| matches!(c.status, 500..=599) || c.status == 429,
        rule: RuleId::UpstreamFailed,
        state: State::Refused,
        reason: |c| format!("fails with {}", c.status),
    },
    Answer {
        when: |c| *c.got == Got::Closed,
        rule: RuleId::UpstreamFailed,
        state: State::Refused,
        reason: |_| "closes the connection without an answer".to_owned(),
    },
    Answer {
        when: |c| matches!(c.got, Got::NotHttp(_)),
        rule: RuleId::UpstreamNotMcp,
        state: State::Refused,
        reason: |c| format!("does not speak HTTP on port {}", c.port()),
    },
    Answer {
        when: |c| matches!(c.status, 400..=499),
        rule: RuleId::UpstreamBadRequest,
        state: State::Refused,
        reason: |c| format!("refuses MCP's requests ({})", c.status),
    },
    Answer {
        when: |_| true,
        rule: RuleId::UpstreamNotMcp,
        state: State::Refused,
        reason: |c| format!("does not answer as an MCP server at {}", c.target.path),
    },
];

/// The HTTP status of an answer, if it is one.
fn status(got: &Got) -> Option<u16> {
    match got {
        Got::Http(http) => Some(http.status),
        Got::Rpc { status, .. } => Some(*status),
        _ => None,
    }
}

/// The words of an answer.
fn text(got: &Got) -> &str {
    match got {
        Got::Http(http) => &http.body,
        Got::Rpc { message, .. } | Got::NotHttp(message) => message,
        _ => "",
    }
}

fn limit(c: &Case<'_>) -> String {
    match c.target.limit_ms {
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}

fn is_connect(c: &Case<'_>) -> bool {
    c.seen.tries.iter().any(|entry| entry.step == Step::Connect && entry.got != Got::WrongScheme)
}

fn is_redirect_to_https(http: &Http) -> bool {
    let to = http.location.as_deref().unwrap_or_default();
    matches!(http.status, 300..=399) && to.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn tls_reason(fault: &TlsFault, host: &str) -> String {
    match fault {
        TlsFault::UnknownIssuer => "has a certificate that no CA in `upstream.tls` signed".to_owned(),
        TlsFault::OtherName(names) if names.is_empty() => format!("has a certificate that does not name {host}"),
        TlsFault::OtherName(names) => {
            let names = redact::cut(&redact::foreign(&names.join(", ")), 64);
            format!("has a certificate for {names}, not for {host}")
        }
        TlsFault::Expired => "has a certificate that has expired".to_owned(),
        TlsFault::NotYetValid => "has a certificate that is not valid yet".to_owned(),
        TlsFault::NoAnchor => "has a certificate, and the proxy has nothing to check it against".to_owned(),
        TlsFault::NotTls => "does not finish the TLS handshake".to_owned(),
        TlsFault::ClientCertificate => "wants a client certificate, and the proxy has none".to_owned(),
        TlsFault::Other(why) => format!("fails the TLS handshake: {}", redact::cut(&redact::foreign(why), 64)),
    }
}

/// Judges one route. `kept` says that a person chose the path; otherwise it is only the usual one.
pub(crate) fn judge(target: &Target, seen: &Seen, behind: &Behind, kept: bool) -> Verdict {
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
            && status(&entry.got)
                .is_some_and(|status| status == 421 || hosts::maker(status, text(&entry.got)).is_some())
    };
    let failed = |entry: &&&Try| entry.got != Got::Ok && entry.step != Step::Stream;
    let last = asked.iter().rev().find(failed).copied();
    let got = seen.tries.iter().find(rejects).or(last).map_or(&Got::Closed, |entry| &entry.got);
    let http = match got {
        Got::Http(http) => Some(&**http),
        _ => None,
    };
    let case = Case { target, seen, behind, got, http, status: status(got).unwrap_or_default() };
    let Some(answer) = ANSWERS.iter().find(|answer| (answer.when)(&case)) else {
        return Verdict { state: State::NotChecked, reason: None, finding: None };
    };
    let reason = (answer.reason)(&case);
    let finding = complete(finding(answer.rule, target, &reason), answer.rule, &case);
    Verdict { state: answer.state, reason: Some(reason), finding: Some(finding) }
}

fn finding(rule: RuleId, target: &Target, reason: &str) -> Finding {
    let mut finding = rules::finding(rule).about(Subject::route(target.name.clone()));
    // It was tried; where only a log says so, it may be milder.
    finding.severity = Severity::Error;
    finding.title = format!("`{}` {reason}", target.name);
    finding
}

fn judge_server(target: &Target, seen: &Seen, server: &Server, kept: bool) -> Verdict {
    if server.lost > 0 {
        let reason =
            format!("forgets sessions: {} of {} in one session failed", server.lost, count(server.asked, "request"));
        let finding = finding(RuleId::UpstreamSessionLost, target, &reason);
        return Verdict { state: State::Refused, reason: Some(reason), finding: Some(finding) };
    }
    if server.path == target.path {
        return Verdict { state: State::Callable, reason: None, finding: None };
    }
    let reason = format!("answers at {}, not at {}", server.path, target.path);
    let redirects = seen.tries.iter().any(|entry| {
        entry.path == target.path && matches!(&entry.got, Got::Http(http) if matches!(http.status, 300..=399))
    });
    let rule = if redirects { RuleId::UpstreamSlash307 } else { RuleId::UpstreamPathOther };
    let mut finding = finding(rule, target, &reason);
    let paths = serde_json::json!({"paths": {&target.name: &server.path}});
    finding.fix = format!(
        "`{{helper}} render --dir {{dir}} --json '{paths}'`, and call the URL that `{{helper}} connect --dir {{dir}}` shows"
    );
    finding.severity = if kept { Severity::Error } else { Severity::Warning };
    let state = if kept { State::Refused } else { State::Callable };
    Verdict { state, reason: Some(reason), finding: Some(finding) }
}

fn needs_credential(target: &Target, seen: &Seen) -> Verdict {
    let challenge = seen.tries.iter().find_map(|entry| match &entry.got {
        Got::Http(http) if http.status == 401 => http.challenge.clone(),
        _ => None,
    });
    let reason = "answers and wants a credential (401)".to_owned();
    let mut finding = finding(RuleId::UpstreamNeedsCredential, target, &reason);
    finding.severity = Severity::Note;
    if let Some(scheme) = challenge {
        finding = finding.with(format!("WWW-Authenticate: {}", redact::cut(&redact::foreign(&scheme), 64)));
    }
    Verdict { state: State::NeedsCredential, reason: None, finding: Some(finding) }
}

/// Fills in the evidence and what this case tells of the fix.
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
        RuleId::UpstreamHostRejected => {
            let maker = hosts::maker(case.status, case.text());
            if let Some(maker) = maker {
                finding.cause = maker.cause.to_owned();
                finding.fix = maker.fix.replace("{host}", &target.tunnel_host);
                finding = finding.with(format!("the words are those of {}", maker.name));
            }
            if case.is_host_proven() {
                finding = finding.with("the same request with the server's own host name is accepted");
            }
        }
        RuleId::UpstreamWrongScheme => {
            let scheme = if target.https { "http" } else { "https" };
            let routes = serde_json::json!({"routes": {
                &target.name: format!("{scheme}://{}:{}", target.host, target.port)}});
            finding.fix =
                format!("`{{helper}} render --dir {{dir}} --json '{routes}'`, then `{{helper}} up --dir {{dir}}`");
        }
        RuleId::UpstreamWrongPort => {
            if let Some(port) = case.other_ports().first() {
                let scheme = if target.https { "https" } else { "http" };
                let routes =
                    serde_json::json!({"routes": {&target.name: format!("{scheme}://{}:{port}", target.host)}});
                finding.fix =
                    format!("`{{helper}} render --dir {{dir}} --json '{routes}'`, then `{{helper}} up --dir {{dir}}`");
            }
        }
        RuleId::UpstreamBindLoopback => {
            if let Behind::Host { .. } = case.behind {
                finding.cause = "127.0.0.1 is this host's loopback; the proxy comes from a container".into();
            }
        }
        RuleId::UpstreamRefused if case.on_port().is_some_and(|all| all.is_empty()) => {
            let place = match case.behind {
                Behind::Container { name, .. } => format!("in the container of `{name}`"),
                _ => "on this host".to_owned(),
            };
            finding = finding.with(format!("nothing {place} listens on port {}", target.port));
        }
        _ => {}
    }
    finding
}
