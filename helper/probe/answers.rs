//! What an answer of a route's server means: one row an answer.

use super::hosts;
use super::state::{Behind, Callability};
use super::wire::{Got, Http, LONGEST_LOOKUP, Listener, ProbeTarget, Seen, Step, TlsFault, Try};
use crate::redact;
use crate::rules::RuleId;

/// A resolver that took this many milliseconds for its error has waited for an answer.
const WAITED: u64 = 2_000;

/// All that a row looks at.
pub(super) struct Case<'a> {
    pub(super) target: &'a ProbeTarget,
    pub(super) seen: &'a Seen,
    pub(super) behind: &'a Behind,
    /// What the server answered at the path that Claude calls.
    pub(super) got: &'a Got,
    pub(super) http: Option<&'a Http>,
    pub(super) status: u16,
}

pub(super) struct AnswerRow {
    pub(super) when: fn(&Case<'_>) -> bool,
    pub(super) rule: RuleId,
    pub(super) state: Callability,
    pub(super) reason: fn(&Case<'_>) -> String,
}

impl Case<'_> {
    pub(super) fn http_is(&self, statuses: &[u16]) -> bool {
        statuses.contains(&self.status)
    }

    pub(super) fn port(&self) -> u16 {
        self.target.port
    }

    /// Whether the same request was answered otherwise under the server's own name: accepted, or not refused.
    pub(super) fn is_host_proven(&self) -> bool {
        let own = |host: &str| !host.is_empty() && host != self.target.tunnel_host;
        let refused = self.http_is(&[400, 403, 421]);
        self.seen.tries.iter().filter(|entry| own(&entry.host)).any(|entry| {
            let answer = entry.got.status().unwrap_or_default();
            let accepted = entry.got == Got::Ok || answer == 401;
            let otherwise = refused && matches!(answer, 200..=499) && answer != self.status;
            matches!(entry.step, Step::Discover | Step::Initialize) && (accepted || otherwise)
        })
    }

    pub(super) fn text(&self) -> &str {
        self.got.text()
    }

    /// Whether the lookup of the name used up the time, or so much of it that the server had too little.
    pub(super) fn is_lookup_late(&self) -> bool {
        let used_up = |entry: &Try| match entry.got {
            Got::Timeout => true,
            // The resolver has waited, too, before it gave up.
            Got::NoAnswer => entry.ms >= WAITED,
            _ => *self.got == Got::Timeout && entry.ms > self.target.limit_ms / 2,
        };
        self.seen.lookup().is_some_and(used_up)
    }

    /// Whether it redirects from http to https at the path that was asked.
    pub(super) fn is_forced_to_tls(&self) -> bool {
        let Some(http) = self.http.filter(|http| is_redirect_to_https(http) && !self.target.https) else {
            return false;
        };
        let path = http.location.as_deref().and_then(|to| to.splitn(4, '/').nth(3)).unwrap_or_default();
        path.trim_matches('/') == self.target.path.trim_matches('/')
    }

    /// The longest time that the server was given for an answer.
    fn longest_wait(&self) -> String {
        let silent = self.seen.tries.iter().filter(|entry| entry.got == Got::Timeout);
        seconds(silent.map(|entry| entry.ms).max().unwrap_or(self.target.limit_ms))
    }

    /// Whether the connection is accepted, and no answer comes.
    pub(super) fn is_mute(&self) -> bool {
        *self.got == Got::Timeout && !is_connect(self) && !self.is_lookup_late()
    }

    /// Paths at which a GET under the tunnel's host name gets a web page.
    pub(super) fn pages(&self) -> impl Iterator<Item = &str> {
        let tries = self.seen.tries.iter().filter(|e| e.step == Step::Stream && e.host == self.target.tunnel_host);
        tries.filter(|e| matches!(&e.got, Got::Http(http) if is_page(http))).map(|e| e.path.as_str())
    }

    /// The sockets on the route's port.
    pub(super) fn on_port(&self) -> Option<Vec<Listener>> {
        Some(self.behind.listening()?.iter().copied().filter(|l| l.port == self.port()).collect())
    }

    pub(super) fn is_loopback_only(&self) -> bool {
        self.on_port().is_some_and(|all| !all.is_empty() && all.iter().all(|l| l.is_loopback()))
    }

    pub(super) fn is_open(&self) -> bool {
        self.on_port().is_some_and(|all| all.iter().any(|l| !l.is_loopback()))
    }

    /// Other ports on which the container can be reached.
    pub(super) fn other_ports(&self) -> Vec<u16> {
        let Behind::Container { listening: Some(all), .. } = self.behind else { return Vec::new() };
        let mut ports: Vec<u16> = all.iter().filter(|l| !l.is_loopback()).map(|l| l.port).collect();
        ports.dedup();
        if ports.contains(&self.port()) { Vec::new() } else { ports }
    }
}

macro_rules! answers {
    ($($rule:ident, $state:ident, $when:expr, $reason:expr;)*) => {
        &[$(AnswerRow { when: $when, rule: RuleId::$rule, state: Callability::$state, reason: $reason }),*]
    };
}

/// Rule, state, when it is so, and the reason. In the order of the layers; the first row that fits counts.
pub(super) static ANSWERS: &[AnswerRow] = answers! {
    UpstreamDns, Unreachable, |c| *c.got == Got::NameUnknown,
        |c| format!("is unknown by the name {} in the proxy's network", c.target.host);
    UpstreamIpRejected, Unreachable, |c| *c.got == Got::OnlyIpv6,
        |c| format!("has IPv6 addresses only by the name {}, and the proxy dials IPv4", c.target.host);
    UpstreamDns, Unreachable, |c| c.is_lookup_late(), |c| found_late(c.target, c.seen);
    UpstreamDns, Unreachable, |c| *c.got == Got::NoAnswer,
        |c| format!("cannot be looked up: no DNS server answers for the name {}", c.target.host);
    UpstreamIpRejected, Unreachable, |c| *c.got == Got::NotAllowed,
        |c| {
            let all: Vec<String> = c.seen.addresses.iter().take(3).map(ToString::to_string).collect();
            format!("has the address {}, which the proxy may not dial", all.join(", "))
        };
    UpstreamBindLoopback, Unreachable, |c| matches!(c.got, Got::Refused | Got::Timeout) && c.is_loopback_only(),
        |c| format!("listens on 127.0.0.1:{} only", c.port());
    UpstreamFirewalled, Unreachable, |c| matches!(c.got, Got::Refused | Got::Timeout | Got::Unreachable) && is_connect(c) && c.is_open(),
        |c| format!("listens on port {}, and a firewall keeps the proxy from it", c.port());
    UpstreamWrongPort, Unreachable, |c| *c.got == Got::Refused && !c.other_ports().is_empty(),
        |c| {
            let ports: Vec<String> = c.other_ports().iter().take(3).map(ToString::to_string).collect();
            format!("listens on port {}, not on {}", ports.join(", "), c.port())
        };
    UpstreamRefused, Unreachable, |c| *c.got == Got::Refused, |c| format!("refuses connections on port {}", c.port());
    UpstreamTimeout, Unreachable, |c| matches!(c.got, Got::Timeout | Got::Unreachable),
        |c| match c.got {
            Got::Unreachable => "cannot be reached: no route to its address".to_owned(),
            _ if is_connect(c) => format!("does not accept connections on port {} within {}", c.port(), limit(c)),
            _ => format!("accepts the connection and does not answer within {}", c.longest_wait()),
        };
    UpstreamWrongScheme, Unreachable, |c| *c.got == Got::WrongScheme,
        |c| {
            let (speaks, says) = if c.target.https { ("plain HTTP", "https") } else { ("TLS", "http") };
            format!("speaks {speaks}, and the route says {says}")
        };
    UpstreamTls, Unreachable, |c| *c.got == Got::Tls(TlsFault::NoAnchor),
        |_| "has a certificate, and the proxy has nothing to check it against".to_owned();
    UpstreamTlsFailed, Unreachable, |c| matches!(c.got, Got::Tls(_)),
        |c| match c.got {
            Got::Tls(fault) => tls_reason(fault, &c.target.host),
            _ => String::new(),
        };
    UpstreamWrongScheme, Refused, |c| c.is_forced_to_tls() && !c.is_host_proven(),
        |c| format!("redirects http to https ({})", c.status);
    UpstreamOriginRejected, Refused, |c| c.http_is(&[400, 403]) && c.text().to_ascii_lowercase().contains("invalid origin"),
        |c| format!("rejects the caller's origin ({})", c.status);
    UpstreamHostRejected, Refused, |c| c.status == 421 || c.is_host_proven() || hosts::maker(c.status, c.text()).is_some(),
        |c| match c.status {
            0 => "closes connections that name the tunnel's host".to_owned(),
            status => format!("rejects the tunnel's host name ({status})"),
        };
    UpstreamForbidden, Refused, |c| c.status == 403, |c| format!("forbids the request at {} (403)", c.target.path);
    UpstreamSlash307, Refused, |c| matches!(c.status, 300..=399),
        |c| {
            let to = c.http.and_then(|http| http.location.clone()).unwrap_or_default();
            format!("redirects {} to {} ({})", c.target.path, redact::cut(&redact::foreign(&to), 64), c.status)
        };
    UpstreamWebPage, Refused, |c| c.http.is_some_and(is_page) || c.pages().any(|path| path == c.target.path),
        |c| format!("answers {} with a web page", c.target.path);
    UpstreamPath404, Refused, |c| c.http_is(&[404, 410]),
        |c| format!("has no MCP endpoint at {} ({})", c.target.path, c.status);
    UpstreamMethod, Refused, |c| c.status == 405, |c| format!("accepts no POST at {} (405)", c.target.path);
    UpstreamNotAcceptable, Refused, |c| c.http_is(&[406, 415]),
        |c| format!("refuses the media types that MCP clients send ({})", c.status);
    UpstreamFailed, Refused, |c| matches!(c.status, 500..=599) || c.status == 429,
        |c| format!("fails with {}", c.status);
    UpstreamFailed, Refused, |c| *c.got == Got::Closed, |_| "closes the connection without an answer".to_owned();
    UpstreamNotMcp, Refused, |c| *c.got == Got::Http2, |c| format!("speaks only HTTP/2 on port {}", c.port());
    UpstreamNotMcp, Refused, |c| matches!(c.got, Got::WrongType(_)),
        |c| match c.got {
            Got::WrongType(kind) if !kind.is_empty() => {
                format!("answers with the content type {}", redact::cut(&redact::foreign(kind), 64))
            }
            _ => "answers without a content type".to_owned(),
        };
    UpstreamNotMcp, Refused, |c| matches!(c.got, Got::NotHttp(_)),
        |c| format!("does not speak HTTP on port {}", c.port());
    UpstreamBadRequest, Refused, |c| matches!(c.status, 400..=499),
        |c| format!("refuses MCP's requests ({})", c.status);
    UpstreamNotMcp, Refused, |_| true, |c| format!("does not answer as an MCP server at {}", c.target.path);
};

/// How long the lookup of the name took, of a name that was found late or not at all.
pub(super) fn found_late(target: &ProbeTarget, seen: &Seen) -> String {
    let name = &target.host;
    match seen.lookup() {
        Some(Try { got: Got::Timeout, .. }) | None => {
            format!("could not be looked up by the name {name} within {}", spell(target.limit_ms.min(LONGEST_LOOKUP)))
        }
        Some(Try { got: Got::NoAnswer, ms, .. }) => {
            format!("could not be looked up by the name {name} within {}", spell(ms / 1000 * 1000))
        }
        Some(Try { ms, .. }) => format!("is found by the name {name} only after {}", spell(*ms)),
    }
}

fn limit(c: &Case<'_>) -> String {
    spell(c.target.limit_ms)
}

/// A measured time, to a tenth of a second.
pub(super) fn seconds(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    if tenths.is_multiple_of(10) { format!("{} s", tenths / 10) } else { format!("{}.{} s", tenths / 10, tenths % 10) }
}

fn spell(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}

fn is_connect(c: &Case<'_>) -> bool {
    c.seen.tries.iter().any(|entry| entry.step == Step::Connect && entry.got != Got::WrongScheme)
}

fn is_page(http: &Http) -> bool {
    matches!(http.status, 200..=299) && http.content_type == "text/html"
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
        TlsFault::NotForServers => "has a certificate whose extended key usage leaves out servers".to_owned(),
        TlsFault::NoAnchor => "has a certificate, and the proxy has nothing to check it against".to_owned(),
        TlsFault::NotTls => "does not finish the TLS handshake".to_owned(),
        TlsFault::ClientCertificate => "requires a client certificate, which the proxy does not have".to_owned(),
        TlsFault::Other(why) => format!("fails the TLS handshake: {}", redact::cut(&redact::foreign(why), 64)),
    }
}
