//! Checks of how cloudflared gets to the proxy: in its network namespace, over a network, over a port of the host.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::place::{in_gateway, in_line, set_at};
use super::tokens;
use crate::answer::{Finding, Subject};
use crate::check::Outcome;
use crate::config::yaml::{self, Value};
use crate::deployment::{TokenState, env_file};
use crate::model::address;
use crate::model::stack::Reach;
use crate::model::token::TokenOrigin;
use crate::redact::names;
use crate::rules::{self, OfService, Remedy, RuleId, State, Written};

/// The service whose namespace cloudflared is to share, if no service has that name.
pub(super) fn undefined_owner(facts: &Facts) -> Option<String> {
    let mode = facts.found.text(facts.roles.agent.as_ref()?, "network_mode")?;
    let named = mode.strip_prefix("service:")?;
    (!facts.found.service_names().contains(named)).then(|| named.to_owned())
}

/// The two services, where there are both.
pub(super) fn both(facts: &Facts) -> Option<(&str, &str)> {
    facts.found.is_known().then_some(())?;
    Some((facts.roles.agent.as_deref()?, facts.roles.proxy.as_deref()?))
}

pub(super) fn agent_reaches_proxy(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    // Without a URL it dials nothing, which is another finding, as is a namespace that no service has.
    let has_url = facts.found.url(agent).is_some();
    let mode = facts.found.text(agent, "network_mode");
    if facts.found.reaches(agent, proxy) != Reach::Not
        || undefined_owner(facts).is_some()
        || (!has_url && mode.is_some())
    {
        return Outcome::Pass;
    }
    if facts.joins_undeclared(agent) || facts.joins_undeclared(proxy) {
        return Outcome::Pass;
    }
    let dials = facts.found.url(agent).unwrap_or_else(|| "nothing".into());
    let finding = rules::finding(RuleId::NetworkModeMissing).about(Subject::service(agent));
    if let Some(apart) =
        facts.found.dials(agent).filter(|_| mode.is_none()).and_then(|d| apart(facts, d, finding.clone()))
    {
        return apart.into();
    }
    let said = match mode {
        None => format!("`{agent}` has no `network_mode` and dials {dials}; the proxy is `{proxy}`"),
        Some(mode) => {
            format!("the `network_mode` of `{agent}` is `{mode}` and it dials {dials}; the proxy is `{proxy}`")
        }
    };
    finding.with(said).into()
}

/// cloudflared is on networks and dials a name: one that no service has, or one of the proxy on a network of its own.
fn apart(facts: &Facts, (host, port): (String, String), finding: Finding) -> Option<Finding> {
    let (agent, proxy) = both(facts)?;
    let found = &facts.found;
    // Another container may have the name, outside of these files.
    let is_outside = !found.external_networks(agent).is_empty() || found.links_outside(agent, &host);
    let is_label = !address::is_loopback(&host) && !host.contains('.') && names::is_valid(&host);
    if !is_label
        || is_outside
        || found.extra_host(agent, &host).is_some()
        || found.text(proxy, "network_mode").is_some()
    {
        return None;
    }
    let list = |networks: BTreeSet<String>| networks.into_iter().collect::<Vec<_>>().join(", ");
    let (own, theirs) = (found.networks(agent), found.networks(proxy));
    match found.service_dialled(agent, &host) {
        None => {
            let url = format!("http://{proxy}:{port}");
            let remedy = Remedy::NoSuchHost { host: &host, url: &url, agent, place: place_of_url(facts, agent) };
            let said = format!("`{agent}` dials http://{host}:{port}; the proxy is `{proxy}`");
            Some(finding.with(said).with_remedy(remedy))
        }
        Some(service) if service == proxy && own.is_disjoint(&theirs) => {
            let network = theirs.iter().next()?.clone();
            let said = format!("`{agent}` joins {}; `{proxy}` joins {}", list(own), list(theirs));
            Some(finding.with(said).with_remedy(Remedy::Apart { agent, proxy, network: &network }))
        }
        Some(_) => None,
    }
}

/// What says where cloudflared sends calls.
fn place_of_url(facts: &Facts, agent: &str) -> &'static str {
    match (facts.found.flag(agent, "url"), facts.found.variable(agent, "TUNNEL_URL")) {
        (Some(_), _) => "`--url`",
        (None, Some(_)) => "`TUNNEL_URL`",
        (None, None) => "the configuration file",
    }
}

pub(super) fn namespace_is_one(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    if facts.found.reaches(agent, proxy) != Reach::Shared {
        return Outcome::Pass;
    }
    let own = ["networks", "dns", "extra_hosts", "ports"].into_iter();
    let own: Vec<&str> = own.filter(|key| facts.found.service(agent, key).is_some()).collect();
    (!own.is_empty())
        .then(|| {
            let finding = rules::finding(RuleId::ComposeNetmodeConflict).about(Subject::service(agent));
            finding.with(format!("`{agent}` has {}", own.join(", ")))
        })
        .into()
}

pub(super) fn restarts_go_together(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    // Compose itself fills in `restart` where nothing is said, so a plain list is seen in the files only.
    let plain = |value: &Value| match yaml::at(value, &["services", agent, "depends_on"]) {
        Some(Value::Sequence(list)) => list.iter().any(|v| v.as_str() == Some(proxy)),
        Some(map) => yaml::at(map, &[proxy]).is_some_and(|d| yaml::at(d, &["restart"]) != Some(&Value::Bool(true))),
        None => false,
    };
    let shared = facts.found.reaches(agent, proxy) == Reach::Shared;
    let is_plain = facts.found.trees().any(plain);
    let finding = || {
        let finding = rules::finding(RuleId::DependsOnPlain).about(Subject::service(agent));
        let place = facts.found.line_of_key(agent, &["depends_on"]);
        let Some(place) = place.filter(|_| !facts.renders()) else { return finding };
        let at = in_line(&place);
        let remedy = Remedy::State(State::Written(Written::DependsOn { proxy, at: &at }));
        finding.with_remedy(remedy).with(format!("`depends_on` of `{agent}` in {at}"))
    };
    (shared && is_plain).then(finding).into()
}

pub(super) fn proxy_is_dialled(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    let Some(url) = facts.found.url(agent) else {
        let command = facts.found.command(agent).join(" ");
        return rules::finding(RuleId::NoIngressUrl)
            .about(Subject::service(agent))
            .with(format!("command: {command}"))
            .into();
    };
    let Some(gateway) = facts.gateway.good() else { return Outcome::Pass };
    let listen = gateway.listen_addr.as_deref().unwrap_or_default();
    let (host, port) = address::host_and_port(&url);
    let reach = facts.found.reaches(agent, proxy);
    let is_on_host = facts.found.text(proxy, "network_mode").as_deref() == Some("host");
    let listening = listen.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty());
    // A published port is the host's, not the container's.
    let is_other_port = (reach != Reach::HostPort || is_on_host) && listening.is_some_and(|own| own != port);
    let is_one_namespace = reach == Reach::Shared || reach == Reach::HostPort && is_on_host;
    let dialled = facts.found.service_seen_by(agent, &host);
    let is_other_service = dialled.is_some_and(|name| name != proxy && facts.found.lives_in(&name).is_none());
    let is_missed = is_one_namespace && listening.is_some() && (is_other_service || !address::meets(listen, &host));
    let is_plain = address::scheme(&url) == "http";
    if is_plain && !is_other_port && !is_missed {
        return Outcome::Pass;
    }
    let host = if is_one_namespace && !host.starts_with("127.") { "localhost" } else { host.as_str() };
    let right = format!("http://{host}:{}", if is_other_port { listening.unwrap_or_default() } else { port.as_str() });
    let or_listen = (is_plain && !is_other_service).then_some((facts.gateway_path.as_str(), port.as_str()));
    let remedy = Remedy::Dial { url: &right, agent, place: place_of_url(facts, agent), or_listen };
    let finding = rules::finding(RuleId::ListenMismatch).about(Subject::service(agent)).with_remedy(remedy);
    finding.with(format!("listen_addr: \"{listen}\" in `{}`; `{agent}` dials {url}", facts.gateway_path)).into()
}

/// `cloudflared tunnel --url` without `run` opens its own tunnel and ignores the token.
pub(super) fn tunnel_is_named(facts: &Facts) -> Outcome {
    let Some((agent, _)) = both(facts) else { return Outcome::Pass };
    let command = facts.found.command(agent);
    let has = |word: &str| command.iter().any(|w| w == word);
    let is_quick = has("tunnel") && !has("run") && facts.found.url(agent).is_some();
    let said = || format!("command: {}", command.join(" "));
    let finding = || {
        let has_token = match &facts.token.origin {
            TokenOrigin::Nowhere => tokens::has_token(&facts.found, env_file::TOKEN),
            _ => matches!(facts.token.state, TokenState::Set(_)),
        };
        let state = State::NotRun {
            service: agent,
            file: facts.found.file_of(agent, &["command"]),
            url: &facts.found.url(agent).unwrap_or_default(),
            gives: facts.token.origin != TokenOrigin::Nowhere,
            has_token,
        };
        let finding = rules::finding(RuleId::QuickTunnel).about(Subject::service(agent)).with(said());
        finding.with_remedy(Remedy::State(state))
    };
    is_quick.then(finding).into()
}

/// A plain `up` starts the tunnel.
pub(super) fn tunnel_is_started(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    let found = &facts.found;
    let waiting: Vec<&str> = [agent, proxy].into_iter().filter(|name| !found.is_started(name)).collect();
    let Some(first) = waiting.first().copied() else { return Outcome::Pass };
    let said =
        waiting.iter().map(|name| format!("the profiles of `{name}` are {}", profiles_of(facts, name).join(", ")));
    let active = active_profiles(facts);
    let active = if active.is_empty() { "names none".to_owned() } else { format!("names {}", active.join(", ")) };
    let said = format!("{}; COMPOSE_PROFILES in `.env` {active}", said.collect::<Vec<_>>().join(", "));
    let finding = rules::finding(RuleId::ComposeProfileInactive).about(Subject::service(first));
    activated(facts, &waiting, finding).with(said).into()
}

fn profiles_of(facts: &Facts, service: &str) -> Vec<String> {
    facts.found.list(service, "profiles")
}

/// The profiles that `.env` makes active.
fn active_profiles(facts: &Facts) -> Vec<String> {
    let text = facts.env().and_then(|env| env.get("COMPOSE_PROFILES")).unwrap_or_default();
    text.split(',').map(str::trim).filter(|name| names::is_valid(name)).map(str::to_owned).collect()
}

/// The finding with what makes these services start: the first of them is its subject.
pub(super) fn activated(facts: &Facts, services: &[&str], finding: Finding) -> Finding {
    let mut all = active_profiles(facts);
    for service in services {
        let own = profiles_of(facts, service);
        if !own.iter().any(|profile| all.contains(profile)) {
            all.extend(own.into_iter().next());
        }
    }
    let Some(service) = services.first().copied().filter(|_| all.iter().all(|name| names::is_valid(name))) else {
        return finding;
    };
    let (profiles, file) = (all.join(","), facts.found.file_of(service, &["profiles"]));
    finding.with_remedy(Remedy::OfService(OfService::Inactive { profiles: &profiles, service, file }))
}

/// Protocols of the edge connection: https://github.com/cloudflare/cloudflared/blob/master/connection/protocol.go.
const PROTOCOLS: [&str; 4] = ["auto", "http2", "quic", "h2mux"];

/// cloudflared knows the words of its command: `tunnel` in front of `run`, and the protocol.
pub(super) fn agent_is_told_what_it_knows(facts: &Facts) -> Outcome {
    let Some((agent, _)) = both(facts).filter(|(agent, _)| facts.found.is_stock(agent)) else { return Outcome::Pass };
    let found = &facts.found;
    let command = found.command(agent);
    let place =
        |name: &str| found.place_of_variable(agent, name).map_or_else(|| format!("`{agent}`"), |at| set_at(agent, &at));
    let of_command = || format!("`command:` of `{agent}` in `{}`", found.file_of(agent, &["command", "entrypoint"]));
    let finding = |said: String, write: &str, at: &str| {
        let finding = rules::finding(RuleId::CloudflaredUsage).about(Subject::service(agent)).with(said);
        finding.with_remedy(Remedy::OfService(OfService::Command { write, at }))
    };
    let mut findings = Vec::new();
    let has = |word: &str| command.iter().any(|own| own == word || own.contains(' ') && own.contains(word));
    if has("run") && !has("tunnel") {
        let write = format!("command: tunnel {}", command.join(" "));
        let write =
            if facts.token.origin == TokenOrigin::Command { "tunnel` in front of `run".to_owned() } else { write };
        findings.push(finding("`run` without `tunnel` in front of it".to_owned(), &write, &of_command()));
    }
    let variable = "TUNNEL_TRANSPORT_PROTOCOL";
    let (protocol, name) = match found.flag(agent, "protocol") {
        Some(protocol) => (Some(protocol), "--protocol "),
        None => (found.variable(agent, variable), "TUNNEL_TRANSPORT_PROTOCOL="),
    };
    if let Some(protocol) = protocol.filter(|own| !PROTOCOLS.contains(&own.as_str()) && !own.contains('$')) {
        let at = if name.starts_with('-') { of_command() } else { place(variable) };
        let said = format!("`{name}{}`; cloudflared knows auto, http2 and quic", names::shown(&protocol));
        findings.push(finding(said, &format!("{name}auto"), &at));
    }
    findings.into()
}

/// cloudflared dials out, to Cloudflare's edge: from the networks of the service whose namespace it runs in.
pub(super) fn agent_gets_out(facts: &Facts) -> Outcome {
    let Some(agent) = facts.roles.agent.as_deref().filter(|_| facts.found.is_known()) else { return Outcome::Pass };
    let found = &facts.found;
    let owner = found.lives_in(agent).unwrap_or_else(|| agent.to_owned());
    let owner = found.lives_in(&owner).unwrap_or(owner);
    let networks = found.networks(&owner);
    if !found.service_names().contains(&owner) || networks.is_empty() || !networks.iter().all(|n| found.is_internal(n))
    {
        return Outcome::Pass;
    }
    let names = networks.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let place = if owner == agent { String::new() } else { format!(", whose network namespace `{agent}` shares,") };
    let said = format!("`{owner}`{place} joins {names} only, with `internal: true`");
    rules::finding(RuleId::NetworkInternal).about(Subject::service(owner)).with(said).into()
}

/// The services that every call passes have a container.
pub(super) fn tunnel_has_containers(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    let none = [agent, proxy].into_iter().filter(|name| facts.found.has_no_replica(name));
    none.map(|name| rules::finding(RuleId::ReplicasZero).about(Subject::service(name))).collect::<Vec<_>>().into()
}

/// What listens on loopback is reached from its own network namespace only.
pub(super) fn proxy_listens_where_it_is_dialled(facts: &Facts) -> Outcome {
    let (Some((agent, proxy)), Some(gateway)) = (both(facts), facts.gateway.good()) else { return Outcome::Pass };
    let is_apart = match facts.found.reaches(agent, proxy) {
        Reach::Network => true,
        Reach::HostPort => facts.found.text(proxy, "network_mode").as_deref() != Some("host"),
        Reach::Shared | Reach::Not => false,
    };
    (is_apart && gateway.listens_on_loopback())
        .then(|| {
            let listen = gateway.listen_addr.as_deref().unwrap_or_default();
            let dials = facts.found.url(agent).unwrap_or_default();
            let finding = rules::finding(RuleId::ListenLoopback).about(Subject::file(&facts.gateway_path));
            let finding = finding.with(format!("listen_addr: \"{listen}\"; `{agent}` dials {dials}"));
            if facts.renders() {
                return finding;
            }
            let port = listen.rsplit(':').next().unwrap_or_default();
            let at = in_gateway(facts, &["listen_addr"]).unwrap_or_else(|| format!("`{}`", facts.gateway_path));
            let remedy = Written::Loopback {
                listen: &format!(":{port}"),
                at: &at,
                dials: &format!("http://localhost:{port}"),
                proxy,
                agent,
                compose: facts.found.file_of(agent, &["networks", "command"]),
            };
            finding.with_remedy(Remedy::State(State::Written(remedy)))
        })
        .into()
}

/// On a network that other stacks are on as well, the name of a service may be theirs, too.
pub(super) fn proxys_name_is_its_own(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    let dialled = facts.found.dials(agent).map(|(host, _)| host);
    let others = facts.found.external_networks(agent);
    let is_service = dialled.is_some_and(|host| host.eq_ignore_ascii_case(proxy));
    (facts.found.reaches(agent, proxy) == Reach::Network && is_service && !others.is_empty())
        .then(|| {
            let said = format!("`{agent}` dials `{proxy}` and is on {}", others.join(", "));
            rules::finding(RuleId::ProxyNameShared).about(Subject::service(agent)).with(said)
        })
        .into()
}

/// With the hardened profile, says what this setting leaves open.
pub(super) fn hardened_is_separate(facts: &Facts) -> Outcome {
    let Some((agent, proxy)) = both(facts) else { return Outcome::Pass };
    let is_hardened = facts.found.service(proxy, "read_only") == Some(&Value::Bool(true));
    let is_shared = facts.found.reaches(agent, proxy) == Reach::Shared;
    (is_hardened && is_shared).then(|| rules::finding(RuleId::NamespaceShared).about(Subject::service(agent))).into()
}
