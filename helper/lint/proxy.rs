//! Checks of the proxy's configuration and of the files that it names.

use std::net::IpAddr;

use ipnet::IpNet;

use super::facts::Facts;
use super::place::{in_gateway, in_line};
use super::{absent, pair};
use crate::answer::{Finding, Severity, Skipped, Subject};
use crate::check::Outcome;
use crate::config::gateway::{self, Gateway};
use crate::config::yaml::{self, Value};
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Domain, RouteName, Upstream};
use crate::model::current::{GatewayFile, NoDomain};
use crate::model::pair::PairFile;
use crate::model::token::TokenOrigin;
use crate::redact::{self, names};
use crate::rules::{self, Remedy, RuleId, State, Written};

/// The configuration, where the stack has a proxy that could read it.
pub(super) fn config(facts: &Facts) -> Option<&Gateway> {
    (!facts.lacks_proxy()).then(|| facts.gateway.good())?
}

pub(super) fn config_is_sound(facts: &Facts) -> Outcome {
    if facts.lacks_proxy() {
        return Outcome::Pass;
    }
    let inside = &facts.gateway_path;
    let finding = |rule| rules::finding(rule).about(Subject::file(inside));
    match &facts.gateway {
        GatewayFile::Missing(why) => absent::config(facts, finding(RuleId::ProxyConfigMissing), why).into(),
        GatewayFile::Unseen(why) => Outcome::Skip(why.clone()),
        GatewayFile::Directory => {
            let said = format!("`{inside}` is a directory");
            absent::config(facts, finding(RuleId::ProxyConfigIsDir), &said).into()
        }
        GatewayFile::Unreadable(why) => finding(RuleId::ProxyConfigDenied).with(why).into(),
        GatewayFile::Faulty(fault) => {
            let fault = gateway::gateway_fault(fault, inside);
            if fault.id == RuleId::ProxyConfigRoutesList { listed_routes(facts, fault) } else { fault }.into()
        }
        GatewayFile::Good(gateway) => {
            let mut findings = Vec::new();
            if gateway.routes.is_empty() {
                findings.push(finding(RuleId::ProxyConfigRoutesEmpty).with(format!("`{inside}`")));
            }
            findings.extend(gateway.open_finding());
            let wrong = gateway.allowed_ips().into_iter().flatten().find(|range| !is_range(range));
            findings.extend(wrong.map(|range| no_range(facts, range, finding(RuleId::ProxyConfigType))));
            if let Some((key, text)) = gateway.texts().into_iter().find(|(_, text)| has_variable(text)) {
                let said = format!("{key}: {text}");
                findings.push(variable(facts, finding(RuleId::ProxyConfigVariable).with(said), &key, &text));
            }
            findings.into()
        }
    }
}

/// The finding about a variable. Its value is said only where that is the tunnel's domain: any other value of `.env` may
/// be a secret, whatever its name.
fn variable(facts: &Facts, finding: Finding, key: &str, text: &str) -> Finding {
    let known = facts.env().into_iter().flat_map(EnvFile::values);
    let value = known.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), &value));
    let is_domain = key == "tunnel_domain" && Domain::parse(&value).is_ok_and(|domain| domain.is_usual());
    let Some(at) = in_gateway(facts, &[key]).filter(|_| is_domain) else { return finding };
    let write = format!("{key}: {value}");
    finding.with_remedy(Remedy::State(State::Written(Written::Line { write: &write, at: &at })))
}

/// Whether an entry of `allowed_ips` is a range or an address, or a variable, of which another finding tells.
pub(super) fn is_range(text: &str) -> bool {
    text.parse::<IpNet>().is_ok() || text.parse::<IpAddr>().is_ok() || has_variable(text)
}

fn no_range(facts: &Facts, range: &str, finding: Finding) -> Finding {
    let is_it = |line: &str| line.split('#').next().is_some_and(|line| line.contains(range));
    let line = facts.gateway_text.lines().position(is_it).map(|at| at + 1);
    let at = in_line(&(facts.gateway_path.clone(), line));
    let remedy = Written::NoRange { range: &redact::evidence(range), at: &at };
    finding
        .with_remedy(Remedy::State(State::Written(remedy)))
        .with(format!("allowed_ips, {at}: `{range}` is not a range"))
}

/// The finding about a list of routes, with the map that it should be, where its entries are routes.
fn listed_routes(facts: &Facts, finding: Finding) -> Finding {
    let value = yaml::from_text::<Value>(&facts.gateway_text).unwrap_or_default();
    let entries = yaml::at(&value, &["routes"]).and_then(Value::as_sequence).into_iter().flatten();
    let is_url = |text: &&String| Upstream::parse(text).is_ok();
    let route = |entry: &Value| {
        let texts: Vec<String> = match entry {
            Value::Mapping(map) if map.len() == 1 => {
                map.iter().flat_map(|(k, v)| [k, v]).filter_map(yaml::scalar).collect()
            }
            Value::Mapping(map) => map.values().filter_map(yaml::scalar).collect(),
            _ => return None,
        };
        let name = texts.iter().find(|text| RouteName::parse(text).is_ok())?;
        Some(format!("`{name}: {}`", texts.iter().find(is_url)?))
    };
    let (routes, line): (Option<Vec<String>>, _) =
        (entries.map(route).collect(), yaml::line_of(&facts.gateway_text, &["routes"]));
    let (Some(routes), Some(line)) = (routes.filter(|routes| !routes.is_empty()), line) else { return finding };
    let at = in_line(&(facts.gateway_path.clone(), Some(line)));
    let remedy = Written::Routes { lines: &routes.join(" and "), at: &at };
    let finding = rules::finding(finding.id).with(format!("{at}: `routes` is a list"));
    finding.about(Subject::file(&facts.gateway_path)).with_remedy(Remedy::State(State::Written(remedy)))
}

/// Whether a setting contains a variable, which the proxy takes as it is. Other faults of it follow from that.
pub(super) fn has_variable(text: &str) -> bool {
    text.match_indices('$')
        .any(|(at, _)| text[at + 1..].starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic()))
}

pub(super) fn pair_is_named(facts: &Facts) -> Outcome {
    let Some(gateway) = config(facts) else { return Outcome::Pass };
    let named = ["tls.cert_file", "tls.key_file"].into_iter().zip(gateway.pair());
    let wrong = named.filter_map(|(key, path)| match path {
        None | Some("") => Some(format!("`{}` has no {key}", facts.gateway_path)),
        Some(path) if !path.starts_with('/') && !has_variable(path) => {
            Some(format!("{key} is `{path}`, a relative path"))
        }
        Some(_) => None,
    });
    let finding = rules::finding(RuleId::ProxyConfigTls).about(Subject::file(&facts.gateway_path));
    finding.with_each(wrong).into()
}

pub(super) fn settings_agree(facts: &Facts) -> Outcome {
    let both = config(facts).filter(|gateway| gateway.dials_anything()).and_then(Gateway::allowed_ips);
    let finding = |ranges: &[String]| {
        let said = format!("disable_ip_validation is true, and allowed_ips lists {}", ranges.join(", "));
        rules::finding(RuleId::ProxyConfigConflict).about(Subject::file(&facts.gateway_path)).with(said)
    };
    both.map(finding).into()
}

/// The keys that the configuration reference documents, each with its section.
const KEYS: [(&str, &str); 11] = [
    ("listen_addr", ""),
    ("log_level", ""),
    ("routes", ""),
    ("shutdown_timeout", ""),
    ("tunnel_domain", ""),
    ("cert_file", "tls"),
    ("key_file", "tls"),
    ("allowed_ips", "upstream"),
    ("disable_ip_validation", "upstream"),
    ("ca_file", "upstream.tls"),
    ("include_system_cas", "upstream.tls"),
];

/// A documented key in another section, or one that is spelt nearly like one. Any other may be of a newer proxy.
pub(super) fn keys_are_in_place(facts: &Facts) -> Outcome {
    let Some(gateway) = config(facts) else { return Outcome::Pass };
    let tls = gateway.tls.iter().map(|tls| ("tls", &tls.other));
    let upstream = gateway.upstream.iter().map(|upstream| ("upstream", &upstream.other));
    let sections = std::iter::once(("", &gateway.other)).chain(tls).chain(upstream);
    let keys = sections.flat_map(|(section, others)| others.keys().map(move |key| (section, key)));
    let place = |section: &str| match section {
        "" => "on the top level".to_owned(),
        section => format!("below `{section}`"),
    };
    let said = keys.filter_map(|(section, key)| {
        let names = KEYS.map(|(name, _)| name);
        let meant = *similar::get_close_matches(key.as_str(), &names, 1, 0.8).first()?;
        let (_, home) = KEYS.iter().find(|(name, _)| *name == meant)?;
        let key = names::shown(key);
        Some(format!("`{key}` is {}; `{meant}` belongs {}", place(section), place(home)))
    });
    rules::finding(RuleId::ProxyConfigKey).about(Subject::file(&facts.gateway_path)).with_each(said).into()
}

pub(super) fn listens_somewhere(facts: &Facts) -> Outcome {
    let Some(gateway) = config(facts) else { return Outcome::Pass };
    let listen = gateway.listen_addr.as_deref().unwrap_or_default();
    // Go's `net.SplitHostPort`: no scheme, and a colon in the host only within brackets.
    let is_host =
        |host: &str| !host.contains('/') && (host.starts_with('[') && host.ends_with(']') || !host.contains(':'));
    let port = listen.rsplit_once(':').filter(|(host, _)| is_host(host)).and_then(|(_, port)| port.parse::<u16>().ok());
    let finding = || {
        let said =
            if listen.is_empty() { "there is no listen_addr".to_owned() } else { format!("listen_addr: \"{listen}\"") };
        rules::finding(RuleId::ListenAddrInvalid).about(Subject::file(&facts.gateway_path)).with(said)
    };
    (port.is_none_or(|port| port == 0) && !has_variable(listen)).then(finding).into()
}

pub(super) fn domains_are_domains(facts: &Facts) -> Outcome {
    let of_proxy = |file: &str| file != facts.gateway_path || !facts.lacks_proxy();
    // That it is a variable is said.
    let said = facts.gateway.good().and_then(|gateway| gateway.tunnel_domain.as_deref()).is_some_and(has_variable);
    let is_said = |file: &str| said && file == facts.gateway_path;
    let wrong = facts.no_domains.iter().filter(|wrong| of_proxy(&wrong.file) && !is_said(&wrong.file));
    wrong.map(NoDomain::finding).collect::<Vec<Finding>>().into()
}

pub(super) fn domains_agree(facts: &Facts) -> Outcome {
    let (Some(gateway), Some(domain)) = (config(facts), &facts.domain) else { return Outcome::Pass };
    let finding = || rules::finding(RuleId::DomainMismatch).about(Subject::file(&facts.gateway_path));
    let flag = facts.found.flag(&facts.services.proxy, "tunnel-domain");
    let by_flag = || format!("`-tunnel-domain` in `{}`", facts.found.file_of(&facts.services.proxy, &["command"]));
    let place = match &gateway.tunnel_domain {
        Some(_) => format!("tunnel_domain in `{}`", facts.gateway_path),
        None => by_flag(),
    };
    match gateway.tunnel_domain.as_deref().or(flag.as_deref()) {
        Some(said) if said == domain.as_str() => Outcome::Pass,
        // That it is not a domain at all is said.
        Some(_) if facts.no_domains.iter().any(|wrong| wrong.file == facts.gateway_path) => Outcome::Pass,
        Some(said) => {
            finding().with(format!("TUNNEL_DOMAIN in `.env`: {domain}")).with(format!("{place}: {said}")).into()
        }
        // Without it only whole host names are found.
        None if gateway.routes.keys().any(|name| !name.contains('.')) => {
            let (write, file) = (format!("tunnel_domain: {domain}"), facts.gateway_path.as_str());
            let remedy = Remedy::State(State::Written(Written::NoDomain { write: &write, file }));
            finding().with_remedy(remedy).with(format!("`{file}` has no tunnel_domain")).into()
        }
        None => Outcome::Pass,
    }
}

pub(super) fn user_reads_its_files(facts: &Facts) -> Outcome {
    if facts.lacks_proxy() {
        return Outcome::Pass;
    }
    let mut findings = Vec::new();
    // Anthropic's set-up program makes the files as the containers' user; an engine that maps owners shows them as ours.
    let is_set_up = facts.token.origin == TokenOrigin::SetUp;
    let severity = if is_set_up { Severity::Warning } else { Severity::Error };
    let denied = pair::unreadable(&facts.places, &facts.current, &facts.pair);
    findings.extend(denied.map(|finding| finding.with_severity(severity)));
    if matches!(facts.gateway, GatewayFile::Good(_) | GatewayFile::Faulty(_))
        && let Some((path, text)) =
            pair::closed(&facts.places, &facts.found, &facts.services.proxy, &facts.gateway_path)
    {
        findings.push(facts.places.unreadable(RuleId::ProxyConfigDenied, path, text));
    }
    findings.into()
}

pub(super) fn certificates_are_sound(facts: &Facts) -> Outcome {
    if facts.lacks_proxy() {
        return Outcome::Pass;
    }
    let links = links_to_nowhere(facts);
    if !links.is_empty() {
        return links.into();
    }
    let (cert, key) = &facts.pair;
    let named = |place: &PairFile| match place {
        PairFile::Unseen(why) => Some(why.clone()),
        PairFile::Inside(_) | PairFile::Nowhere => None,
    };
    if let Some(why) = named(cert).or_else(|| named(key)) {
        return Outcome::Skip(why);
    }
    let mut findings: Vec<Finding> = absent::pair(facts).map_or_else(|| directories(facts), |finding| vec![finding]);
    if matches!(cert, PairFile::Nowhere) || matches!(key, PairFile::Nowhere) {
        return findings.into();
    }
    let Some(judged) = &facts.certificates else {
        let why = "the tunnel's domain is not known";
        return match findings.is_empty() {
            true => Outcome::Skip(why.into()),
            false => Outcome::of(findings, vec![Skipped::new(RuleId::TlsBadCert, why)]),
        };
    };
    // What a directory in a file's place cannot say is explained already.
    if !findings.is_empty() {
        let kept = judged.findings.iter().filter(|f| f.severity == Severity::Error && f.id == RuleId::CaMissing);
        findings.extend(kept.cloned());
        return findings.into();
    }
    findings.extend(pair::of_facts(facts, judged));
    Outcome::of(findings, judged.skipped.to_vec())
}

/// Links to the pair that lead nowhere in the proxy's container, even if they lead to a file on this host.
fn links_to_nowhere(facts: &Facts) -> Vec<Finding> {
    let finding = |(place, target): &(String, String)| {
        let (shown, target) = (rules::shown_path(place), rules::shown_path(target));
        let finding = rules::finding(RuleId::ProxyCertMissing).about(Subject::file(place));
        let finding = finding.with_remedy(Remedy::LinkOut { path: shown, target });
        finding.with(format!("`{shown}` is a link to `{target}`, which leads nowhere in the container"))
    };
    facts.dead_links.iter().map(finding).collect()
}

/// A stack that mounts the pair file by file gets directories in their place when it is started too early.
fn directories(facts: &Facts) -> Vec<Finding> {
    let (cert, key) = &facts.pair;
    let is_dir = |inside: &&str| facts.places.at(inside).is_some_and(|place| place.is_dir);
    let finding = |inside: &str| {
        let text = format!("`{inside}` is a directory: Docker makes one where a mounted file is missing");
        let finding = rules::finding(RuleId::ProxyCertMissing).about(Subject::file(inside)).with(text);
        finding.with_remedy(Remedy::DirectoryInstead { path: inside })
    };
    [cert, key].into_iter().filter_map(PairFile::inside).filter(is_dir).map(finding).collect()
}
