//! A route in an answer: what was tried, what came back, and whether Claude could call it.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::Serialize;

use super::judge::{RouteVerdict, judge};
use super::observe::Observed;
use super::state::Callability;
use super::target::Planned;
use super::wire::{Era, Got, ProbeTarget, Seen, Server, SessionEnd, Step, TlsFault, Try};
use crate::answer::count;
use crate::redact;
use crate::rules::Finding;

/// A server's own texts are shown up to this many characters.
const LONGEST_TEXT: usize = 64;
/// Attempts that are shown of a route unless all are asked for.
const SHOWN: usize = 6;

/// One route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RouteRow {
    /// Its name.
    pub(crate) name: String,
    /// What Claude calls, with the path at which the server answers.
    pub(crate) url: String,
    /// Where it leads.
    pub(crate) upstream: String,
    /// Whether Claude can call it.
    pub(crate) state: Callability,
    /// The MCP server, if one answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ServerRow>,
    /// Why it was not checked, or what is wrong, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Addresses of the upstream's name, as the proxy gets them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// What was tried, in order; of a route that can be called only if `verbose` asks for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tried: Vec<TryRow>,
    /// Milliseconds for all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<u64>,
}

/// An MCP server in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ServerRow {
    /// What it calls itself.
    pub(crate) name: String,
    /// Its version in its own words.
    pub(crate) version: String,
    /// Protocol version that it chose.
    pub(crate) protocol: String,
    /// How it is spoken to.
    pub(crate) transport: Era,
    /// Number of its tools; `null` where it does not list them to the end.
    pub(crate) tools: Option<u64>,
    /// What became of the session that was opened, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<SessionEnd>,
    /// How long ago it answered, in seconds: `status` reuses an answer for half a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asked_seconds_ago: Option<u64>,
}

/// One attempt in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct TryRow {
    /// What was done.
    pub(crate) step: Step,
    /// Path that was asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) path: String,
    /// Host header, where it was not the tunnel's host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// What came back: `ok`, an HTTP status, or what failed.
    pub(crate) got: String,
    /// Milliseconds.
    pub(crate) ms: u64,
}

impl ServerRow {
    fn of(server: &Server) -> Self {
        let text = |text: &str| redact::cut(&redact::foreign(text), LONGEST_TEXT);
        Self {
            name: text(&server.name),
            version: text(&server.version),
            protocol: text(&server.protocol),
            transport: server.era,
            tools: server.tools,
            session: server.session,
            asked_seconds_ago: (server.age_ms > 0).then_some(server.age_ms / 1000),
        }
    }

    /// In a few words: `hello 1.30.0, 1 tool`, and when it said so where that was before.
    pub(crate) fn in_words(&self) -> String {
        let name = if self.name.is_empty() { "an MCP server" } else { &self.name };
        let version = if self.version.is_empty() { String::new() } else { format!(" {}", self.version) };
        let tools = self.tools.map_or_else(String::new, |n| format!(", {}", count(n, "tool")));
        let age = self.asked_seconds_ago.map_or_else(String::new, |seconds| format!(", asked {seconds} s ago"));
        format!("{name}{version}{tools}{age}")
    }
}

impl TryRow {
    fn of(entry: &Try, tunnel_host: &str) -> Self {
        let own = (!entry.host.is_empty() && entry.host != tunnel_host).then(|| entry.host.clone());
        Self {
            step: entry.step,
            path: redact::foreign(&entry.path),
            host: own,
            got: in_words(&entry.got),
            ms: entry.ms,
        }
    }
}

fn in_words(got: &Got) -> String {
    match got {
        Got::Ok => "ok".into(),
        Got::NameUnknown => "name unknown".into(),
        Got::NoAnswer => "no answer from DNS".into(),
        Got::OnlyIpv6 => "IPv6 addresses only".into(),
        Got::NotAllowed => "address not allowed".into(),
        Got::Refused => "connection refused".into(),
        Got::Timeout => "timeout".into(),
        Got::Unreachable => "no route to host".into(),
        Got::Closed => "connection closed".into(),
        Got::WrongScheme => "speaks the other scheme".into(),
        Got::Tls(fault) => match fault {
            TlsFault::UnknownIssuer => "TLS: unknown issuer".into(),
            TlsFault::OtherName(_) => "TLS: certificate for another name".into(),
            TlsFault::Expired => "TLS: certificate expired".into(),
            TlsFault::NotYetValid => "TLS: certificate not yet valid".into(),
            TlsFault::NotForServers => "TLS: certificate not for servers".into(),
            TlsFault::NoAnchor => "TLS: nothing to check the certificate against".into(),
            TlsFault::NotTls => "TLS: not TLS".into(),
            TlsFault::ClientCertificate => "TLS: client certificate required".into(),
            TlsFault::Other(_) => "TLS: handshake failed".into(),
        },
        Got::Http2 => "HTTP/2".into(),
        Got::NotHttp(_) => "not HTTP".into(),
        Got::WrongType(kind) => redact::cut(&redact::foreign(&format!("JSON-RPC as {kind}")), LONGEST_TEXT),
        Got::Http(http) => match http.content_type.as_str() {
            "" => http.status.to_string(),
            kind => redact::cut(&redact::foreign(&format!("{} {kind}", http.status)), LONGEST_TEXT),
        },
        Got::Rpc { status, code, .. } => format!("{status} with JSON-RPC error {code}"),
    }
}

/// The rows of routes, each with what is wrong. `observed` is in the order of those that could be asked; a text says why
/// none could.
pub(crate) fn rows(
    planned: &[Planned],
    observed: Result<&Observed, &str>,
    verbose: bool,
) -> Vec<(RouteRow, Option<Finding>)> {
    let mut seen = observed.map(|observed| observed.routes.iter());
    planned
        .iter()
        .map(|route| match (&route.target, &mut seen) {
            (Ok(target), Ok(seen)) => match seen.next() {
                Some((seen, behind)) => {
                    let verdict = judge(target, seen, behind, route.is_kept);
                    let row = row(route, target, seen, &verdict, verbose);
                    (row, verdict.finding)
                }
                None => (unchecked(route, "the probe did not say anything about it"), None),
            },
            (Err(why), _) => (unchecked(route, why), None),
            (Ok(_), Err(why)) => (unchecked(route, *why), None),
        })
        .collect()
}

fn unchecked(route: &Planned, why: impl AsRef<str>) -> RouteRow {
    let path = route.target.as_ref().map_or(super::target::USUAL_PATHS[0], |target| &target.path);
    RouteRow {
        name: route.name.clone(),
        url: format!("https://{}{path}", route.host),
        upstream: route.upstream.clone(),
        reason: Some(redact::evidence(why.as_ref())),
        ..RouteRow::default()
    }
}

fn row(route: &Planned, target: &ProbeTarget, seen: &Seen, verdict: &RouteVerdict, verbose: bool) -> RouteRow {
    let server = seen.server.as_ref().filter(|_| verdict.state.is_callable());
    let path = server.map_or(&target.path, |server| &server.path);
    let shown = match verdict.state {
        _ if verbose => usize::MAX,
        Callability::Callable => 0,
        _ => SHOWN,
    };
    RouteRow {
        name: route.name.clone(),
        url: format!("https://{}{path}", route.host),
        upstream: route.upstream.clone(),
        state: verdict.state,
        server: seen.server.as_ref().map(ServerRow::of),
        reason: verdict.reason.clone(),
        addresses: seen.addresses.clone(),
        tried: seen.tries.iter().take(shown).map(|entry| TryRow::of(entry, &target.tunnel_host)).collect(),
        ms: Some(seen.ms),
    }
}

/// Whether there is a tunnel that Claude's call comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tunnel {
    /// Claude can call.
    There,
    /// Claude could call.
    Missing,
}

/// Which routes Claude can call and which not, in one sentence without its end.
pub(crate) fn in_one_sentence(rows: &[RouteRow], tunnel: Tunnel) -> String {
    let (can, cannot) = match tunnel {
        Tunnel::There => ("can", "cannot"),
        Tunnel::Missing => ("could", "could not"),
    };
    let list = |wanted: &dyn Fn(&&RouteRow) -> Option<String>| rows.iter().filter_map(|row| wanted(&row)).collect();
    let callable: Vec<String> = list(&|row| {
        let server = row.server.as_ref().map(ServerRow::in_words);
        row.state.is_callable().then(|| match (row.state, server) {
            (Callability::NeedsCredential, _) => format!("{} (with a credential)", row.name),
            (_, Some(server)) => format!("{} ({server})", row.name),
            (_, None) => row.name.clone(),
        })
    });
    let failing: Vec<String> = list(&|row| {
        let fails = matches!(row.state, Callability::Refused | Callability::Unreachable | Callability::NotApplied);
        fails.then(|| format!("{}: it {}", row.name, row.reason.as_deref().unwrap_or("does not answer")))
    });
    let unchecked: Vec<String> = list(&|row| (row.state == Callability::NotChecked).then(|| row.name.clone()));
    let mut parts = Vec::new();
    if !callable.is_empty() {
        parts.push(format!("Claude {can} call {}", callable.join(", ")));
    }
    if !failing.is_empty() {
        let not = if callable.is_empty() { format!("Claude {cannot} call ") } else { "not ".to_owned() };
        parts.push(format!("{not}{}", failing.join(", ")));
    }
    if !unchecked.is_empty() {
        parts.push(format!("not checked: {}", unchecked.join(", ")));
    }
    if parts.is_empty() { "there are no routes".to_owned() } else { parts.join("; ") }
}
