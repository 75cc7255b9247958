//! Checks of the routes: where they lead, and whether the proxy may go there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::facts::Facts;
use super::place::in_gateway;
use super::proxy::{config, has_variable, is_range};
use super::reach;
use crate::answer::{Finding, Severity, Skipped, Subject};
use crate::check::{Outcome, capped};
use crate::config::gateway::{Gateway, Route};
use crate::config::settings::{PRIVATE, with_range};
use crate::config::yaml;
use crate::deployment::route::{DOCKER_HOST, Host, Scheme, Upstream};
use crate::model::current::{self, Current, RouteTarget};
use crate::model::found::Found;
use crate::model::roles::Roles;
use crate::model::stack::FileIn;
use crate::os::files::inside;
use crate::rules::{self, Evidence, Remedy, RuleId, State, Written};

/// Servers of the files that a finding names.
const MOST_NAMED: usize = 8;

/// The routes, read once.
fn routes(facts: &Facts) -> Vec<Route> {
    config(facts).map(|gateway| gateway.parsed_routes(facts.domain.as_ref())).unwrap_or_default()
}

pub(super) fn lead_somewhere(facts: &Facts) -> Outcome {
    let Some(gateway) = config(facts) else { return Outcome::Pass };
    let (mut findings, mut skipped) = (Vec::new(), Vec::new());
    for route in routes(facts) {
        let name = route.shown();
        let finding = |rule| rules::finding(rule).about(Subject::route(name));
        if let Err(why) = &route.label {
            findings.push(finding(RuleId::RouteNameInvalid).with(why));
        }
        let upstream = match &route.upstream {
            Ok(upstream) => upstream,
            Err(_) if gateway.routes.get(&route.key).is_some_and(|text| has_variable(text)) => continue,
            Err(why) => {
                findings.push(malformed(facts, &route, why, gateway.routes.get(&route.key)));
                continue;
            }
        };
        let mapped = mapped(facts, upstream);
        let dialled = mapped.as_ref().unwrap_or(upstream);
        if let Some(why) = gateway.refusal(dialled) {
            let by = if mapped.is_some() { format!(" ({upstream} by `extra_hosts`)") } else { String::new() };
            let said = format!("route `{name}` leads to {dialled}{by}, {why}");
            let refused = finding(RuleId::UpstreamIpRejected).with(said);
            let is_own = dialled.is_own_loopback();
            findings.push(match dialled.host() {
                _ if is_own => refused.with_remedy(Remedy::LOOPBACK_OF_PROXY),
                Host::Address(address) => allowed(facts, gateway, address, refused),
                _ => refused,
            });
            continue;
        }
        if !facts.found.is_known() {
            continue;
        }
        let id = format!("upstream:{name}");
        match current::target(upstream, &facts.found, &facts.services.proxy) {
            RouteTarget::Service(_) => {}
            RouteTarget::NoService => findings.push(undefined(&facts.found, &route, upstream)),
            RouteTarget::Joined(host) => {
                let why = format!("`{host}` may be on a network that the proxy joins; only a running Docker can tell");
                skipped.push(Skipped::new(id, why));
            }
            RouteTarget::Outside(why) | RouteTarget::Unknown(why) => {
                skipped.push(Skipped::new(id, format!("{upstream}: {why}")))
            }
        }
    }
    Outcome::of(findings, skipped)
}

/// A route whose upstream the proxy cannot read, with what to write where that is known.
fn malformed(facts: &Facts, route: &Route, why: &str, text: Option<&String>) -> Finding {
    let name = route.shown();
    let finding = rules::finding(RuleId::ProxyConfigUpstream).about(Subject::route(name));
    let line = yaml::line_of(&facts.gateway_text, &["routes", &route.key]);
    let place = line.map(|line| (facts.gateway_path.clone(), Some(line)));
    let finding = finding.with(Evidence::in_file(place, format!("route `{name}`: {why}")));
    let text = text.map(String::as_str).unwrap_or_default();
    match Upstream::without_scheme(text) {
        Some(meant) => finding.with_remedy(Remedy::NoScheme { url: &meant.to_string() }),
        None if Upstream::is_other_address(text) => finding.with_remedy(Remedy::OTHER_ADDRESS),
        None => match (Upstream::without_path(text), in_gateway(facts, &["routes", &route.key])) {
            (Some(meant), Some(at)) => {
                let write = format!("{name}: {meant}");
                finding.with_remedy(Remedy::State(State::Written(Written::WithoutPath { write: &write, at: &at })))
            }
            _ => finding,
        },
    }
}

/// The finding about a refused address, with the list that allows it. The cloud's metadata server is not offered.
fn allowed(facts: &Facts, gateway: &Gateway, address: Ipv4Addr, finding: Finding) -> Finding {
    if address.is_link_local() {
        return finding;
    }
    let ranges = with_range(gateway.allowed_ips(), format!("{address}/32")).join(", ");
    let remedy = Written::AllowAddress { ranges: &ranges, file: &facts.gateway_path };
    finding.with_remedy(Remedy::State(State::Written(remedy)))
}

/// The same with the address that `extra_hosts` has for its host, where it is one.
fn mapped(facts: &Facts, upstream: &Upstream) -> Option<Upstream> {
    let address: Ipv4Addr = facts.found.extra_host(&facts.services.proxy, upstream.host_text())?.parse().ok()?;
    Upstream::parse(&format!("http://{address}:{}", upstream.port())).ok()
}

fn undefined(found: &Found, route: &Route, upstream: &Upstream) -> Finding {
    let name = route.shown();
    let Roles { proxy, agent } = found.roles();
    let is_server = |service: &String| [&proxy, &agent].iter().all(|role| role.as_ref() != Some(service));
    let servers: Vec<String> = found.service_names().into_iter().filter(is_server).take(MOST_NAMED).collect();
    let others = if servers.is_empty() { String::new() } else { format!("; they define {}", servers.join(", ")) };
    let said = format!("route `{name}` leads to `{}`, which no compose file defines{others}", upstream.host_text());
    rules::finding(RuleId::UpstreamUndefined).about(Subject::route(name)).with(said)
}

/// Routes that were just written and whose service is not defined yet: a warning, because it may come afterwards.
pub(crate) fn not_defined_yet(current: &Current) -> Vec<Finding> {
    let Some(gateway) = current.gateway.good().filter(|_| current.found.is_known()) else { return Vec::new() };
    let proxy = current.found.services().proxy;
    let domain = current.checked_domain().ok().flatten();
    let routes = gateway.parsed_routes(domain.as_ref());
    let missing = routes.iter().filter_map(|route| {
        let upstream = route.upstream.as_ref().ok()?;
        let is_missing = matches!(current::target(upstream, &current.found, &proxy), RouteTarget::NoService);
        is_missing.then(|| undefined(&current.found, route, upstream).with_severity(Severity::Warning))
    });
    missing.collect()
}

/// A route that leads to a service of the files.
pub(super) struct ToService {
    pub(super) route: Route,
    pub(super) upstream: Upstream,
    pub(super) service: String,
}

/// All of them.
fn led(facts: &Facts) -> impl Iterator<Item = ToService> {
    routes(facts).into_iter().filter_map(|route| {
        let upstream = route.upstream.clone().ok()?;
        match current::target(&upstream, &facts.found, &facts.services.proxy) {
            RouteTarget::Service(service) => Some(ToService { route, upstream, service }),
            _ => None,
        }
    })
}

/// All of them, where every file could be read.
pub(super) fn to_services(facts: &Facts) -> impl Iterator<Item = ToService> {
    led(facts).filter(|_| facts.found.is_known())
}

/// A server without a container answers no call. Its profile may be active in a shell that the files do not show.
pub(super) fn servers_are_started(facts: &Facts) -> Outcome {
    let found = &facts.found;
    let mut seen = BTreeSet::from([facts.services.proxy.clone()]);
    let servers = to_services(facts).filter(|to| seen.insert(to.service.clone()));
    capped(servers.filter_map(|ToService { route, service, .. }| {
        let said = format!("route `{}` leads to it", route.shown());
        if found.has_no_replica(&service) {
            return Some(rules::finding(RuleId::ReplicasZero).about(Subject::service(service)).with(said));
        }
        let waits = found.is_started(&facts.services.proxy) && !found.is_started(&service);
        let profiles = || found.list(&service, "profiles").join(", ");
        waits.then(|| {
            let said = format!("{said}; its profiles: {}", profiles());
            let finding = rules::finding(RuleId::ComposeProfileInactive).with_severity(Severity::Warning);
            reach::activated(facts, &[&service], finding.about(Subject::service(&service))).with(said)
        })
    }))
}

/// A container reaches another one at the port that its program listens on, not at the one that the host publishes.
pub(super) fn name_the_containers_port(facts: &Facts) -> Outcome {
    let found = &facts.found;
    capped(to_services(facts).filter_map(|ToService { route, upstream, service }| {
        let port = upstream.port().to_string();
        let exposed = found.list(&service, "expose");
        let listens = found.mappings(&service).any(|(_, container)| container == port)
            || exposed.contains(&port)
            || found.command(&service).iter().any(|word| word.contains(&port));
        let (_, container) = found.mappings(&service).find(|(host, _)| *host == port).filter(|_| !listens)?;
        let name = route.shown();
        let said = format!("route `{name}` names port {port}, which `{service}` publishes for its port {container}");
        let finding = rules::finding(RuleId::UpstreamHostPort).about(Subject::route(name)).with(said);
        let Some(at) = in_gateway(facts, &["routes", &route.key]) else { return Some(finding) };
        let url = upstream.to_string();
        let write = format!("{name}: {}:{container}", url.strip_suffix(&format!(":{port}"))?);
        Some(finding.with_remedy(Remedy::State(State::Written(Written::OwnPort { write: &write, at: &at }))))
    }))
}

/// At its own port the proxy answers itself.
pub(super) fn do_not_lead_back(facts: &Facts) -> Outcome {
    let listen = facts.gateway.good().and_then(|gateway| gateway.listen_addr.as_deref()).unwrap_or_default();
    let Some(own) = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()) else {
        return Outcome::Pass;
    };
    let proxy = &facts.services.proxy;
    let back = to_services(facts).filter(|to| to.service == *proxy && to.upstream.port() == own);
    capped(back.map(|ToService { route, .. }| {
        let said = format!("route `{}` leads to `{proxy}`, which listens on port {own} itself", route.shown());
        rules::finding(RuleId::RouteLoop).about(Subject::route(route.shown())).with(said)
    }))
}

/// Docker resolves a service's name only on a network that both join.
pub(super) fn share_a_network(facts: &Facts) -> Outcome {
    let found = &facts.found;
    // A service in another's network namespace has that one's networks.
    let owner = |name: &str| found.lives_in(name).unwrap_or_else(|| name.to_owned());
    let proxy = owner(&facts.services.proxy);
    let own = found.networks(&proxy);
    if own.is_empty() || !found.is_known() || facts.joins_undeclared(&proxy) {
        return Outcome::Pass;
    }
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    capped(led(facts).filter_map(|ToService { route, upstream, service }| {
        let finding = rules::finding(RuleId::UpstreamNetwork).about(Subject::route(route.shown()));
        if let Some(owner) = found.lives_in(&service).filter(|_| service != facts.services.proxy) {
            let is_proxy = owner == proxy;
            let host = if is_proxy { "127.0.0.1" } else { owner.as_str() };
            let shown = upstream.to_string();
            let scheme = shown.split("://").next().unwrap_or_default();
            let url = format!("{scheme}://{host}:{}", upstream.port());
            let said = format!("`{service}` runs in the network namespace of `{owner}`");
            let remedy = Remedy::NoNameOfItsOwn { url: &url, service: &service, is_proxy };
            return Some(finding.with_remedy(remedy).with(said));
        }
        let mode = found.text(&service, "network_mode");
        let is_mapped = found.extra_host(&facts.services.proxy, upstream.host_text()).is_some();
        if let Some(mode) = mode.filter(|mode| ["host", "none", "bridge"].contains(&mode.as_str()) && !is_mapped) {
            let url = upstream.to_string().replace(upstream.host_text(), DOCKER_HOST);
            let said = format!("`{service}` has `network_mode: {mode}`; `{proxy}` joins {}", list(&own));
            let url = (mode == "host").then_some(url.as_str());
            let remedy = Remedy::OnNoNetwork { url, service: &service, proxy: &facts.services.proxy };
            return Some(finding.with_remedy(remedy).with(said));
        }
        let theirs = found.networks(&service);
        if facts.joins_undeclared(&service)
            || owner(&service) == proxy
            || theirs.is_empty()
            || !own.is_disjoint(&theirs)
        {
            return None;
        }
        let said = format!("`{service}` joins {}; `{proxy}` joins {}", list(&theirs), list(&own));
        Some(finding.with(said))
    }))
}

/// Docker Desktop knows `host.docker.internal` by itself; an engine on Linux needs `extra_hosts`.
pub(super) fn host_is_known(facts: &Facts) -> Outcome {
    let proxy = &facts.services.proxy;
    if !cfg!(target_os = "linux") || !facts.found.is_known() {
        return Outcome::Pass;
    }
    let owner = facts.found.lives_in(proxy).unwrap_or_else(|| proxy.clone());
    let is_mapped = facts.found.extra_host(proxy, DOCKER_HOST).is_some();
    let on_host = facts.found.text(proxy, "network_mode").as_deref() == Some("host");
    if is_mapped || on_host {
        return Outcome::Pass;
    }
    capped(routes(facts).into_iter().filter_map(|route| {
        let upstream = route.upstream.as_ref().ok().filter(|upstream| upstream.host_text() == DOCKER_HOST)?;
        let finding = rules::finding(RuleId::UpstreamHostUnmapped).about(Subject::route(route.shown()));
        let said = format!(
            "route `{}` leads to {upstream}, and `{owner}` has no `extra_hosts` for {DOCKER_HOST}",
            route.shown()
        );
        Some(finding.with(said))
    }))
}

/// Docker's own address pools, of which a network gets a piece unless it names its own.
const POOLS: [&str; 2] = ["172.16.0.0/12", "192.168.0.0/16"];

pub(super) fn own_network_is_allowed(facts: &Facts) -> Outcome {
    let Some(gateway) = config(facts).filter(|gateway| !gateway.dials_anything()) else { return Outcome::Pass };
    let parsed = |texts: &[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<Ipv4Net>>();
    let ranges = gateway.allowed_ips();
    let allowed = gateway.allowed_nets().unwrap_or_else(|| parsed(&PRIVATE));
    // That an entry is not a range is said.
    if ranges.into_iter().flatten().any(|range| !is_range(range)) {
        return Outcome::Pass;
    }
    let pools = || parsed(&POOLS);
    let overlaps = |a: &Ipv4Net, b: &Ipv4Net| a.contains(b) || b.contains(a);
    // An engine may be configured to take networks that name no range from 10.0.0.0/8, too.
    let may_be = allowed.iter().any(|range| range.to_string().starts_with("10."));
    capped(led(facts).filter_map(|ToService { route, service, .. }| {
        // The address is from a network that the proxy and the server share.
        let declared = facts.found.subnets_between(&facts.services.proxy, &service);
        let severity = if may_be && declared.is_empty() { Severity::Warning } else { Severity::Error };
        let own = if declared.is_empty() { pools() } else { declared };
        if allowed.iter().any(|range| own.iter().any(|net| overlaps(range, net))) {
            return None;
        }
        let own = own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let listed = ranges.map_or_else(|| format!("by default {}", PRIVATE.join(", ")), |ranges| ranges.join(", "));
        let said = format!(
            "route `{}` leads to the service `{service}`, whose address Docker takes from {own}; allowed_ips: {listed}",
            route.shown()
        );
        let file = &facts.gateway_path;
        let all = format!("{}, {own}", PRIVATE.join(", "));
        let remedy = match ranges {
            Some(_) => Remedy::AllowNetworks { ranges: &own, file },
            None => Remedy::AllowMore { ranges: &all, file },
        };
        let finding = rules::finding(RuleId::UpstreamIpRejected).about(Subject::route(route.shown()));
        Some(finding.with_severity(severity).with_remedy(remedy).with(said))
    }))
}

pub(super) fn upstream_trust_is_there(facts: &Facts) -> Outcome {
    let Some(gateway) = config(facts) else { return Outcome::Pass };
    let mut findings = Vec::new();
    let is_https = |route: &Route| route.upstream.as_ref().is_ok_and(|upstream| upstream.scheme() == Scheme::Https);
    if let Some(route) = routes(facts).into_iter().find(is_https)
        && let Ok(upstream) = &route.upstream
        && !gateway.has_upstream_trust_anchor()
    {
        let said = format!("route `{}` leads to {upstream}", route.shown());
        let finding = rules::finding(RuleId::UpstreamTls).about(Subject::route(route.shown())).with(said);
        let remedy = Remedy::State(State::Written(Written::UpstreamCa { file: &facts.gateway_path }));
        findings.push(if facts.renders() { finding } else { finding.with_remedy(remedy) });
    }
    let Some(file) = gateway.upstream_ca() else { return findings.into() };
    let (missing, unseen) = match facts.found.file_in(&facts.services.proxy, file) {
        FileIn::Host(place) => match inside(&place).map(|place| (facts.places.at(&place), place)) {
            None => (None, Some(format!("`{place}` is outside of the directory"))),
            Some((None, place)) => (Some(format!("`{place}` does not exist")), None),
            Some((Some(file), _)) if file.is_file && file.allows(facts.user, 4) => (None, None),
            Some((Some(_), place)) => (Some(format!("`{place}` is not readable for the proxy")), None),
        },
        FileIn::Image => (Some(format!("nothing is mounted at `{file}`")), None),
        FileIn::Text(_) => (None, None),
        FileIn::Volume(name) | FileIn::Variable(name) => (None, Some(format!("`{file}` comes from `{name}`"))),
    };
    findings.extend(missing.map(|said| rules::finding(RuleId::UpstreamCaMissing).with(said)));
    let skipped = unseen.map(|why| Skipped::new(RuleId::UpstreamCaMissing, why));
    Outcome::of(findings, skipped.into_iter().collect())
}
