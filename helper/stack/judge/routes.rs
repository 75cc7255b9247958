//! The routes: whether the proxy read them, and whether the servers behind them run and accept connections.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::time::Duration;

use super::super::declared::{DeclaredRoute, route_id};
use super::super::snapshot::Container;
use super::edge::is_whole;
use super::programs::{GIVE_UP, runs_current_configuration, with_last_line};
use super::state::{RouteState, StackState, View};
use crate::answer::{Finding, Skipped, Subject};
use crate::caller::quote;
use crate::config::gateway::Gateway;
use crate::config::settings::may_dial;
use crate::deployment;
use crate::deployment::route::Host;
use crate::logs::stream::Stream;
use crate::model::current::RouteTarget;
use crate::probe::row::{self, RouteRow};
use crate::probe::state::Callability;
use crate::redact::names;
use crate::rules::{self, Gap, RuleId};

/// A stack whose containers are younger than this may have a server that is not up yet.
const STARTING: Duration = Duration::from_secs(20);
/// A server that refuses connections may still install what it needs, or load it, for so long after its start.
const LOADING: Duration = Duration::from_secs(60);
/// A proxy without a complaint may take this long until it names its routes.
const READING: Duration = Duration::from_secs(5);

struct Ground<'a> {
    view: &'a View<'a>,
    gateway: &'a Gateway,
    /// The proxy, if it runs.
    proxy: Option<&'a Container>,
}

impl Ground<'_> {
    /// Whether a fault may be that of a server that is not up yet.
    fn is_young(&self, route: &DeclaredRoute<'_>, fault: RuleId) -> bool {
        let View { snapshot, .. } = self.view;
        let is_loading = |service: &str| {
            let age = self.view.container(service).map(|c| c.age(snapshot.now));
            fault == RuleId::UpstreamRefused && age.is_some_and(|age| age < LOADING)
        };
        matches!(&route.target, Some(RouteTarget::Service(service)) if is_loading(service))
            || snapshot.all().iter().any(|c| c.age(snapshot.now) < STARTING)
    }

    /// That the proxy is starting, in words, if it is.
    fn reading(&self) -> Option<String> {
        let proxy = self.proxy?;
        let age = proxy.age(self.view.snapshot.now);
        (age < READING).then(|| format!("`{}` has not named its routes yet ({} s)", proxy.service, age.as_secs()))
    }
}

/// Whether every route works, as far as it can be seen.
pub(super) fn judge(view: &View<'_>, proxy_up: bool, state: &mut StackState) -> bool {
    let Some(gateway) = view.declared.gateway.good() else { return false };
    let ground = Ground { view, gateway, proxy: view.proxy.filter(|_| proxy_up) };
    let probed = view.snapshot.probed.as_ref().filter(|_| ground.proxy.is_some());
    let mut rows = probed.map(|probed| {
        let observed = probed.observed.as_ref().map_err(String::as_str);
        row::rows(&probed.planned, observed, false).into_iter()
    });
    state.is_worth_asking_again = probed.is_some_and(|probed| probed.observed.is_err());
    let (mut all, mut probed) = (true, Vec::new());
    for route in view.declared.routes() {
        let (row, fault) = rows.as_mut().and_then(Iterator::next).unzip();
        let (works, route) = judge_route(&ground, &route, row.as_ref(), fault.flatten(), state);
        all &= works;
        probed.extend(row.map(|row| RouteRow { state: route.state, ..row }));
        state.routes.push(route);
    }
    state.asked = probed;
    all
}

/// Whether a route works as far as it can be seen, and its state. `row` and `fault` are what the probe found.
fn judge_route(
    ground: &Ground<'_>,
    route: &DeclaredRoute<'_>,
    row: Option<&RouteRow>,
    fault: Option<Finding>,
    state: &mut StackState,
) -> (bool, RouteState) {
    let configured = is_configured(ground, route.name);
    let is_unread = configured != Some(true) && is_unread(ground, route.name);
    match ground.reading() {
        Some(pending) if configured == Some(false) => {
            // Once for all of them.
            state.pending.retain(|other| *other != pending);
            state.pending.push(pending);
        }
        _ if is_unread => state.findings.push(not_configured(ground, route.name, configured)),
        _ => {}
    }
    let mut upstream = match row.map(|row| row.state) {
        // A container that calls itself unhealthy is a fault, also while it still answers.
        Some(answered) if answered.is_callable() && !is_unhealthy(ground.view, route) => Upstream::Up,
        _ => judge_upstream(ground, route, state),
    };
    if let (Some(fault), false) = (fault, upstream == Upstream::Down) {
        if row.is_some_and(|row| !row.state.is_callable()) {
            let is_young = ground.is_young(route, fault.id);
            // A server may open the port of its metrics first.
            let is_settled = fault.id.rule().is_settled && !(is_young && fault.id == RuleId::UpstreamWrongPort);
            state.gave_up_route |= is_settled;
            state.is_worth_asking_again |= !is_settled && !is_young;
            upstream = Upstream::Down;
        }
        state.findings.push(fault);
    }
    if let Some(row) = row {
        state.skipped.retain(|skipped| skipped.id != route_id(route.name));
        if row.state == Callability::NotChecked && upstream != Upstream::Down {
            state.skipped.push(Skipped::new(route_id(route.name), row.reason.clone().unwrap_or_default()));
        }
    }
    let answered = match (row, upstream) {
        _ if is_unread => Callability::NotApplied,
        (Some(row), Upstream::Down) if row.state == Callability::NotChecked => Callability::Unreachable,
        (Some(row), _) => row.state,
        (None, Upstream::Down) => Callability::Unreachable,
        (None, _) => Callability::NotChecked,
    };
    let shown = RouteState {
        name: names::shown_route(route.name).to_owned(),
        upstream: deployment::Upstream::shown(route.text),
        configured,
        upstream_up: upstream.seen(),
        url: row.map(|row| row.url.clone()),
        state: answered,
        server: row.and_then(|row| row.server.clone()),
    };
    (!is_unread && matches!(upstream, Upstream::Up | Upstream::Unseen), shown)
}

/// The finding about a route that the running proxy has not read.
fn not_configured(ground: &Ground<'_>, route: &str, configured: Option<bool>) -> Finding {
    let proxy = &ground.view.declared.services.proxy;
    let text = format!("`{proxy}` has not named route `{route}` since its start");
    let finding = rules::finding(RuleId::RouteNotConfigured).about(Subject::route(route)).with(text);
    // A file that was edited since the start explains it.
    let is_edited = configured.is_none();
    if is_edited { finding.caused_by(RuleId::ConfigNotApplied) } else { finding }
}

/// Whether the container behind a route fails its own health check.
fn is_unhealthy(view: &View<'_>, route: &DeclaredRoute<'_>) -> bool {
    let Some(RouteTarget::Service(service)) = &route.target else { return false };
    view.container(service).is_some_and(|c| c.health.as_deref() == Some("unhealthy"))
}

/// Whether the log of the proxy's present life shows that it has not read a route.
fn is_unread(ground: &Ground<'_>, name: &str) -> bool {
    let (Some(proxy), snapshot) = (ground.proxy, ground.view.snapshot) else { return false };
    let stream = snapshot.logs.of(&proxy.service);
    let prints = ground.gateway.log_level.as_deref().is_none_or(|level| matches!(level, "info" | "debug"));
    let is_whole = is_whole(snapshot.printed.get(&proxy.service), stream, proxy, snapshot.now);
    prints && is_whole && !stream.is_some_and(|stream| is_named(stream, name, ground.gateway.routes.len()))
}

/// Whether the proxy said that it read a route; `None` where its log cannot tell.
fn is_configured(ground: &Ground<'_>, name: &str) -> Option<bool> {
    let proxy = ground.proxy?;
    let stream = ground.view.snapshot.logs.of(&proxy.service);
    if stream.is_some_and(|stream| is_named(stream, name, ground.gateway.routes.len())) {
        return Some(true);
    }
    (is_unread(ground, name) && runs_current_configuration(ground.view, proxy)).then_some(false)
}

/// Whether the proxy named a route. It named all of them once there are as many lines as routes: the format of the line
/// is not documented, so the name may not be found in it.
fn is_named(stream: &Stream, name: &str, of: usize) -> bool {
    stream.routes.len() >= of || stream.routes.keys().any(|said| said == name || has_value(said, name))
}

/// Whether a word is in a line, and not as the name of a field (`name=`, `"name":`).
fn has_value(line: &str, word: &str) -> bool {
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_label)
            && !after.starts_with(is_label)
            && !after.starts_with('=')
            && !after.trim_start_matches('"').starts_with(':')
    })
}

/// The server behind a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upstream {
    Up,
    Down,
    Starting,
    /// Docker does not show it.
    Unseen,
}

impl Upstream {
    fn seen(self) -> Option<bool> {
        match self {
            Self::Up => Some(true),
            Self::Down => Some(false),
            Self::Starting | Self::Unseen => None,
        }
    }
}

fn judge_upstream(ground: &Ground<'_>, route: &DeclaredRoute<'_>, state: &mut StackState) -> Upstream {
    let (view, name, text) = (ground.view, route.name, route.text);
    match &route.target {
        Some(RouteTarget::Service(service)) => match judge_server(view, name, service, state) {
            Upstream::Up => match no_way(ground, route, service) {
                Some(finding) => {
                    state.findings.push(finding);
                    Upstream::Down
                }
                None => Upstream::Up,
            },
            other => other,
        },
        Some(RouteTarget::Joined(host)) => judge_joined(view, name, host, state),
        Some(RouteTarget::NoService) => {
            state.gave_up = true;
            let finding = rules::finding(RuleId::UpstreamUndefined).about(Subject::route(name));
            state.findings.push(finding.with(format!("route `{name}` leads to {text}")));
            Upstream::Down
        }
        Some(RouteTarget::Outside(why) | RouteTarget::Unknown(why)) => {
            state.skipped.push(Skipped::new(route_id(name), format!("{text}: {why}")));
            Upstream::Unseen
        }
        None => Upstream::Unseen,
    }
}

/// The finding about a server that is down, with the command that shows its log.
fn down(name: &str, neighbour_of: Option<&str>) -> Finding {
    let finding = rules::finding(RuleId::UpstreamDown);
    // Starting this stack does not start what belongs to another.
    let finding = finding.about(neighbour_of.map_or_else(|| Subject::service(name), Subject::route));
    let name = quote(OsStr::new(name));
    let logs = if neighbour_of.is_none() {
        format!("`docker compose logs {name}` in {{dir}}")
    } else {
        format!("`docker logs {name}`")
    };
    finding.fill(Gap::Logs, &logs)
}

/// Whether the container of a server runs.
fn judge_server(view: &View<'_>, route: &str, service: &str, state: &mut StackState) -> Upstream {
    let Some(server) = view.container(service) else {
        let text = format!("route `{route}`: service `{service}` has no container");
        state.findings.push(down(service, None).with(text));
        return Upstream::Down;
    };
    let is_looping = server.is_looping(view.snapshot.now);
    match (server.status.as_str(), server.health.as_deref()) {
        ("running", None | Some("healthy")) if !is_looping => return Upstream::Up,
        ("running", Some("starting")) if !is_looping => {
            let seconds = server.age(view.snapshot.now).as_secs();
            state.pending.push(format!("`{service}` is starting ({seconds} s)"));
            return Upstream::Starting;
        }
        _ => {}
    }
    let how = match &server.health {
        Some(health) if server.is_running() => format!("{}, {health}", server.status),
        _ => format!("{}, {}", server.status, server.ending()),
    };
    let restarts = if server.restarts > 0 { format!(", {}", server.times()) } else { String::new() };
    let finding = down(service, None).with(format!("route `{route}`: service `{service}` is {how}{restarts}"));
    state.findings.push(with_last_line(view, finding));
    state.gave_up |= server.has_exited() && !server.is_revived || server.restarts >= GIVE_UP;
    Upstream::Down
}

/// What keeps the proxy from dialling a server that runs, or from being accepted there.
fn no_way(ground: &Ground<'_>, route: &DeclaredRoute<'_>, service: &str) -> Option<Finding> {
    let Ground { view, gateway, proxy } = ground;
    let (upstream, proxy, server) = (route.upstream.as_ref()?, (*proxy)?, view.container(service)?);
    let name = route.name;
    let fault = |rule, text: String| Some(rules::finding(rule).about(Subject::route(name)).with(text));
    let mut shared = server.addresses_shared_with(proxy).peekable();
    if shared.peek().is_none() {
        let is_in_it = server.id == proxy.id || server.network_of.as_ref() == Some(&proxy.id);
        let text = format!("route `{name}`: service `{service}` and the proxy share no network");
        return fault(RuleId::UpstreamNetwork, text).filter(|_| !is_in_it);
    }
    let ranges = gateway.allowed_ips();
    let is_allowed = |address: &IpAddr| match address {
        IpAddr::V4(v4) => {
            gateway.dials_anything() || may_dial(*v4, ranges) || matches!(upstream.host(), Host::Address(_))
        }
        IpAddr::V6(_) => true,
    };
    if let Some(address) = shared.filter_map(|endpoint| endpoint.address).find(|address| !is_allowed(address)) {
        let named = ranges.map(|ranges| format!(", and `allowed_ips` is {}", ranges.join(", "))).unwrap_or_default();
        let text = format!("route `{name}`: service `{service}` has the address {address}{named}");
        return fault(RuleId::UpstreamIpRejected, text);
    }
    let (address, port) = (view.snapshot.refused.get(name)?, upstream.port());
    let text = format!("route `{name}`: connection refused at {address} port {port} (service `{service}`)");
    fault(RuleId::UpstreamRefused, text)
}

/// A container on a network that the proxy joins.
fn judge_joined(view: &View<'_>, route: &str, host: &str, state: &mut StackState) -> Upstream {
    let networks = view.declared.found.external_networks(&view.declared.services.proxy);
    for network in &networks {
        let there = match view.snapshot.neighbours.get(network) {
            Some(Ok(there)) => there,
            Some(Err(why)) => {
                state.skipped.push(Skipped::new(route_id(route), why.as_str()));
                return Upstream::Unseen;
            }
            None => continue,
        };
        let Some(found) = there.iter().find(|c| c.answers_to(host)) else { continue };
        return match (found.is_running(), found.health.as_deref()) {
            (true, None | Some("healthy")) => Upstream::Up,
            (true, Some("starting")) => {
                state.pending.push(format!("`{}` is starting", found.name));
                Upstream::Starting
            }
            _ => {
                let text = format!("route `{route}`: container `{}` is {}", found.name, found.status);
                state.findings.push(down(&found.name, Some(route)).with(text));
                Upstream::Down
            }
        };
    }
    let text = format!("route `{route}`: no container on {} answers to `{host}`", networks.join(", "));
    state.findings.push(rules::finding(RuleId::UpstreamUndefined).about(Subject::route(route)).with(text));
    Upstream::Down
}
