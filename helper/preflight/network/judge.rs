//! What the probes mean, all of them together: one blocked transport is a loss, both are the end.

use super::row::{Family, NetworkOutcome, Row, Transport};
use super::tls::TlsFault;
use super::{EDGE, Network, REGIONS, RowId};
use crate::answer::{Finding, Severity};
use crate::check::Verdict;
use crate::config::settings::Protocol;
use crate::rules::{self, RuleId};

/// Input of the judgement in addition to the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// cloudflared's protocol setting.
    pub(crate) protocol: Option<Protocol>,
    /// An HTTP proxy that this shell names, without credentials.
    pub(crate) shell_proxy: Option<String>,
    /// An HTTP proxy that the Docker daemon uses.
    pub(crate) daemon_proxy: Option<String>,
    /// Whether the images are on this engine already.
    pub(crate) has_images: bool,
}

/// What earlier checks found, so that nothing is reported twice.
#[derive(Default)]
struct Known {
    /// Finding that explains what follows.
    cause: Option<RuleId>,
    /// DNS resolves no name at all, which is reported.
    nothing_is_named: bool,
}

impl Known {
    fn explain(&self, finding: Finding) -> Finding {
        match self.cause {
            Some(cause) if cause != finding.id => finding.caused_by(cause),
            Some(_) | None => finding,
        }
    }
}

pub(crate) fn judge(network: &Network, context: &Context, verdict: &mut Verdict) {
    let mut known = Known::default();
    if no_way_out(network, verdict) {
        return;
    }
    who_answers(network, &mut known, verdict);
    let named = names(network, &mut known, verdict);
    if named {
        edge(network, context, &known, verdict);
    }
    if !known.nothing_is_named {
        servers(network, context, &known, verdict);
    }
}

/// A host without any route out: further findings would only repeat it.
fn no_way_out(network: &Network, verdict: &mut Verdict) -> bool {
    let nowhere = |row: &Row| matches!(row.outcome, NetworkOutcome::Unreachable | NetworkOutcome::NoAddress);
    let mut rows = network.rows.iter().map(|(_, row)| row);
    let is_down = rows.clone().all(nowhere) && rows.any(|row| row.outcome == NetworkOutcome::Unreachable);
    if is_down {
        let srv = network.row(RowId::Srv).map(Row::in_words).unwrap_or_default();
        verdict.findings.push(rules::finding(RuleId::NetworkDown).with(srv).with(resolvers(network)));
    }
    is_down
}

fn resolvers(network: &Network) -> String {
    if network.resolvers.is_empty() {
        return "no DNS server is named that could be asked".into();
    }
    let all: Vec<String> = network.resolvers.iter().map(ToString::to_string).collect();
    format!("DNS servers: {}", all.join(", "))
}

/// A certificate of another server than the one that was called.
fn who_answers(network: &Network, known: &mut Known, verdict: &mut Verdict) {
    let mut inspected = Vec::new();
    let mut portal = Vec::new();
    let mut clock = Vec::new();
    for (host, seen) in Network::tls_hosts().into_iter().zip(&network.servers) {
        let Some(seen) = seen else { continue };
        let issuer = seen.issuer.as_deref().unwrap_or("no named issuer");
        match &seen.fault {
            None => {}
            Some(TlsFault::Untrusted) => inspected.push((host, issuer)),
            Some(TlsFault::OtherName(names)) => {
                portal.push(format!("{host} shows a certificate for {names}, issued by {issuer}"));
            }
            Some(TlsFault::NotTls) => portal.push(format!("{host} answers on port 443, and not with TLS")),
            Some(TlsFault::NotInDate) => {
                clock.push(format!("the certificate of {host} is not in date by this host's clock"))
            }
        }
    }
    if !portal.is_empty() {
        known.cause = Some(RuleId::CaptivePortal);
        verdict.findings.push(rules::finding(RuleId::CaptivePortal).with_all(portal));
    }
    if !inspected.is_empty() {
        let mut issuers: Vec<&str> = inspected.iter().map(|(_, issuer)| *issuer).collect();
        issuers.dedup();
        let hosts: Vec<&str> = inspected.iter().map(|(host, _)| *host).collect();
        let finding = rules::finding(RuleId::TlsInspected)
            .with(format!("issuer: {}", issuers.join("; ")))
            .with(format!("seen for {}", hosts.join(", ")));
        verdict.findings.push(known.explain(finding));
    }
    if !clock.is_empty() {
        verdict.findings.push(rules::finding(RuleId::ClockWrong).with_all(clock));
    }
}

/// Whether the edge's names are found; at least one region is needed to go on.
fn names(network: &Network, known: &mut Known, verdict: &mut Verdict) -> bool {
    let regions = (0..REGIONS.len()).filter(|region| network.is_ok(RowId::Region(*region, Family::Ipv4))).count();
    let srv = network.is_ok(RowId::Srv);
    if srv && regions > 0 {
        return true;
    }
    let all = [RowId::Srv, RowId::Region(0, Family::Ipv4), RowId::Region(1, Family::Ipv4)];
    let failed = all.into_iter().filter_map(|place| network.row(place)).find(|row| !row.is_ok());
    let finding = rules::finding(RuleId::EdgeDnsFailed).with(resolvers(network));
    let mut finding = finding.with_all(failed.map(Row::in_words));
    let unnamed = |at: usize| {
        let row = network.row(RowId::Server(at));
        row.is_some_and(|row| row.outcome == NetworkOutcome::NoAddress || row.addresses.is_empty())
    };
    known.nothing_is_named = (0..Network::tls_hosts().len()).all(unnamed);
    if known.nothing_is_named {
        finding = finding.with(format!("{} are not found either", Network::tls_hosts().join(", ")));
    }
    verdict.findings.push(known.explain(finding));
    known.cause = known.cause.or(Some(RuleId::EdgeDnsFailed));
    regions > 0
}

/// Both transports to both regions. cloudflared dials IPv4 unless `--edge-ip-version` says otherwise, and Docker's
/// networks have no IPv6 unless it is turned on, so IPv4 decides.
fn edge(network: &Network, context: &Context, known: &Known, verdict: &mut Verdict) {
    let rows = |transport, only: &dyn Fn(&Row) -> bool| -> Vec<String> {
        (0..REGIONS.len())
            .filter_map(|region| network.row(RowId::Edge(region, transport, Family::Ipv4)))
            .filter(|row| only(row))
            .map(Row::in_words)
            .collect()
    };
    let blocked = |id, transport, severity: Option<Severity>| {
        let finding = rules::finding(id).with_all(rows(transport, &|_| true));
        severity.into_iter().fold(finding, Finding::with_severity)
    };
    let (udp, tcp) = network.reaches(Family::Ipv4);
    let over_ipv6 = network.reaches(Family::Ipv6) != (false, false);
    match (udp, tcp) {
        (true, true) => {}
        (false, false) => {
            let first = EDGE.into_iter().filter_map(|transport| rows(transport, &|_| true).into_iter().next());
            let but = over_ipv6.then_some("it answers over IPv6, which cloudflared does not use by default");
            let finding = rules::finding(RuleId::EdgeUnreachable).with_all(first).with_all(but);
            verdict.findings.push(known.explain(finding));
        }
        (false, true) => {
            let severity = without(context.protocol, Protocol::Quic);
            verdict.findings.push(known.explain(blocked(RuleId::EdgeQuicBlocked, Transport::Udp, severity)));
        }
        (true, false) => {
            let severity = without(context.protocol, Protocol::Http2);
            verdict.findings.push(known.explain(blocked(RuleId::EdgeTcpBlocked, Transport::Tcp, severity)));
        }
    }
    verdict.findings.extend(intercepted(network, context, (udp, tcp)).map(|finding| known.explain(finding)));
    let mut partial = Vec::new();
    for (transport, works) in [(Transport::Udp, udp), (Transport::Tcp, tcp)] {
        if works {
            partial.extend(rows(transport, &|row| !row.is_ok()));
        }
    }
    if !partial.is_empty() {
        verdict.findings.push(known.explain(rules::finding(RuleId::EdgeRegionUnreachable).with_all(partial)));
    }
    let sent = network.row(RowId::Edge(0, Transport::Tcp, Family::Ipv6)).filter(|row| !row.has_no_ipv6());
    if let Some(row) = sent.filter(|_| (udp || tcp) && !over_ipv6) {
        verdict.findings.push(rules::finding(RuleId::EdgeNoIpv6).with(row.in_words()));
    }
}

/// Severity of a blocked protocol for a cloudflared with this setting; `None` leaves the rule's own.
fn without(setting: Option<Protocol>, blocked: Protocol) -> Option<Severity> {
    match setting {
        Some(Protocol::Auto) | None => None,
        Some(protocol) if protocol == blocked => Some(Severity::Error),
        Some(_) => Some(Severity::Note),
    }
}

/// A certificate of the edge that Cloudflare did not issue: an error where cloudflared needs TCP.
fn intercepted(network: &Network, context: &Context, (udp, tcp): (bool, bool)) -> Option<Finding> {
    let issuer = network.foreign_edge.as_ref().filter(|_| tcp)?;
    let needed = !udp || context.protocol == Some(Protocol::Http2);
    let severity = if needed { Severity::Error } else { Severity::Warning };
    let finding = rules::finding(RuleId::EdgeTlsIntercepted).with_severity(severity);
    Some(finding.with(format!("issuer: {issuer}")))
}

/// Services that are needed in addition to the tunnel itself.
fn servers(network: &Network, context: &Context, known: &Known, verdict: &mut Verdict) {
    let silent: Vec<(usize, &Row)> = (0..Network::tls_hosts().len())
        .filter_map(|at| Some((at, network.row(RowId::Server(at))?)))
        // A certificate that is not what it should be is said already.
        .filter(|(at, row)| {
            let fault = network.servers.get(*at).and_then(|seen| seen.as_ref()?.fault.as_ref());
            !row.is_ok() && fault.is_none()
        })
        .collect();
    let (api, registries): (Vec<_>, Vec<_>) = silent.into_iter().partition(|(at, _)| *at == 0);
    let quote = |id, rows: &[(usize, &Row)]| rules::finding(id).with_all(rows.iter().map(|(_, row)| row.in_words()));
    let through = |finding: Finding, proxy: &Option<String>, who: &str| match proxy {
        Some(proxy) => {
            finding.with(format!("{who} goes through {proxy}, which was not tried")).with_severity(Severity::Note)
        }
        None => finding,
    };
    if !registries.is_empty() {
        let mut finding =
            through(quote(RuleId::RegistryBlocked, &registries), &context.daemon_proxy, "the Docker daemon");
        if context.has_images {
            finding = finding.with("the images are on this engine already").with_severity(Severity::Note);
        }
        verdict.findings.push(known.explain(finding));
    }
    if !api.is_empty() {
        let finding = through(quote(RuleId::ApiUnreachable, &api), &context.shell_proxy, "this shell");
        verdict.findings.push(known.explain(finding));
    }
}

impl Network {
    /// Whether some region answers over UDP, and over TCP.
    fn reaches(&self, family: Family) -> (bool, bool) {
        let over = |transport| (0..REGIONS.len()).any(|region| self.is_ok(RowId::Edge(region, transport, family)));
        (over(Transport::Udp), over(Transport::Tcp))
    }

    /// How the edge can be reached, in a few words; `None` when it cannot.
    pub(in crate::preflight) fn in_words(&self) -> Option<&'static str> {
        match self.reaches(Family::Ipv4) {
            (true, true) => Some("UDP and TCP 7844"),
            (true, false) => Some("UDP 7844"),
            (false, true) => Some("TCP 7844"),
            (false, false) => None,
        }
    }
}
