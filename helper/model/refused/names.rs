//! Names that services use and the files do not declare, and circles of services.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::Refusal;
use crate::config::yaml::{self, Value, at};
use crate::model::found::Found;
use crate::model::mounts::Mounted;
use crate::model::roles::Roles;
use crate::near::nearest;
use crate::os::files::inside;
use crate::rules::Refused;

/// What a service names: the top-level key that declares it, the key of the service, the name.
type Named = (&'static str, &'static str, String);

pub(super) fn faults(found: &Found) -> Vec<Refusal> {
    let services = found.service_names().into_iter().filter(|name| is_service(found, name));
    let of_each = services.flat_map(|service| of_service(found, &service)).collect::<Vec<_>>();
    of_each.into_iter().chain(extended(found)).chain(circle(found)).collect()
}

/// Services that need one whose profile is not active; between cloudflared and the proxy that has its own finding.
pub(super) fn inactive(found: &Found) -> Vec<Refusal> {
    let Roles { proxy, agent } = found.roles();
    let started = found.service_names().into_iter().filter(|name| found.is_started(name) && is_service(found, name));
    let waits = started.flat_map(|service| {
        waits_for(found, &service).into_iter().map(move |(key, name)| (service.clone(), key, name)).collect::<Vec<_>>()
    });
    let is_optional = |service: &str, key: &str, name: &str| {
        let required = found.service(service, key).and_then(|value| at(value, &[name, "required"]));
        required.and_then(yaml::scalar).as_deref() == Some("false")
    };
    let mut seen = BTreeSet::new();
    let waits = waits.filter(|(service, key, name)| {
        let is_tunnel = agent.as_ref() == Some(service) && proxy.as_ref() == Some(name);
        let is_waiting = is_service(found, name) && !found.is_started(name);
        is_waiting && !is_tunnel && !is_optional(service, key, name) && seen.insert((service.clone(), name.clone()))
    });
    waits
        .map(|(service, key, name)| {
            let (path, word) = (["services", &service, key], name.clone());
            let why = Refused::Inactive { service: service.clone(), key, name };
            // The profile may be active in a shell that the files do not show.
            Refusal::at(found, &path, &word, why).when_started(false)
        })
        .collect()
}

fn is_service(found: &Found, name: &str) -> bool {
    at(found.tree(), &["services", name]).is_some_and(Value::is_mapping)
}

fn of_service(found: &Found, service: &str) -> Vec<Refusal> {
    let is_started = found.is_started(service);
    let refusal = |key: &str, word: &str, why| {
        Refusal::at(found, &["services", service, key], word, why).when_started(is_started)
    };
    let of_name = |(kind, key, name): Named| {
        let word = name.clone();
        let declared = declared(found, kind);
        let near = nearest(&name, declared.iter().map(String::as_str)).map(str::to_owned);
        refusal(key, &word, Refused::Undeclared { service: service.to_owned(), kind, key, name, near })
    };
    let is_missing = |(kind, _, name): &Named| match *kind {
        "services" => !is_service(found, name),
        _ => at(found.tree(), &[kind, name]).is_none(),
    };
    let mut all: Vec<Refusal> = named(found, service).into_iter().filter(is_missing).map(of_name).collect();
    let has = |key: &str| found.service(service, key).is_some();
    if has("network_mode") && has("networks") {
        all.push(refusal("networks", "", Refused::TwoNetworks { service: service.to_owned() }));
    }
    if is_started && !["image", "build", "provider", "extends"].into_iter().any(has) {
        all.push(refusal("", "", Refused::NoImage { service: service.to_owned() }));
    }
    all
}

/// Names that the files declare for a top-level key.
fn declared(found: &Found, kind: &str) -> BTreeSet<String> {
    let keys = at(found.tree(), &[kind]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.keys());
    keys.filter_map(yaml::scalar).collect()
}

/// All names that a service uses; Compose makes the network `default` by itself.
fn named(found: &Found, service: &str) -> Vec<Named> {
    let value = |key: &str| found.service(service, key);
    let mut all = Vec::new();
    for kind in ["networks", "secrets", "configs"] {
        all.extend(entries(value(kind)).into_iter().map(|name| (kind, kind, name)));
    }
    all.extend(
        entries(value("build").and_then(|build| at(build, &["secrets"]))).into_iter().map(|n| ("secrets", "build", n)),
    );
    let volumes = found.mounts(service).into_iter().filter_map(|mount| match mount.source {
        // `c:/x` is a path on Windows.
        Mounted::Volume(name) if name.len() > 1 => Some(("volumes", "volumes", name)),
        Mounted::Volume(_) | Mounted::Bind(_) | Mounted::Other => None,
    });
    all.extend(volumes);
    all.extend(waits_for(found, service).into_iter().map(|(key, name)| ("services", key, name)));
    all.retain(|(kind, _, name)| !(name.contains('$') || *kind == "networks" && name == "default"));
    all
}

/// The services that a service needs, by the keys that name them.
fn waits_for(found: &Found, service: &str) -> Vec<(&'static str, String)> {
    let value = |key: &str| found.service(service, key);
    let first = |text: String| text.split(':').next().unwrap_or_default().to_owned();
    let mut all: Vec<(&'static str, String)> =
        entries(value("depends_on")).into_iter().map(|name| ("depends_on", name)).collect();
    all.extend(entries(value("links")).into_iter().map(|link| ("links", first(link))));
    let from = entries(value("volumes_from")).into_iter().filter(|from| !from.starts_with("container:"));
    all.extend(from.map(|from| ("volumes_from", first(from))));
    for key in ["network_mode", "ipc", "pid"] {
        let mode = found.text(service, key);
        all.extend(mode.and_then(|mode| Some((key, mode.strip_prefix("service:")?.to_owned()))));
    }
    all
}

/// Names in a list, in a map, or as the `source` of each entry.
fn entries(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Mapping(map)) => map.keys().filter_map(yaml::scalar).collect(),
        Some(Value::Sequence(list)) => {
            let name = |entry: &Value| yaml::scalar(entry).or_else(|| yaml::text(entry, &["source"]));
            list.iter().filter_map(name).collect()
        }
        _ => Vec::new(),
    }
}

/// A circle of services that wait for each other, if there is one.
fn circle(found: &Found) -> Option<Refusal> {
    let names = found.service_names().into_iter().filter(|name| found.is_started(name) && is_service(found, name));
    let mut waits: BTreeMap<String, Vec<(&'static str, String)>> =
        names.map(|name| (name.clone(), waits_for(found, &name))).collect();
    // Those that wait for nothing are started, until only circles are left, and what waits for one.
    loop {
        let (before, known) = (waits.len(), waits.keys().cloned().collect::<BTreeSet<_>>());
        waits.retain(|_, others| others.iter().any(|(_, other)| known.contains(other)));
        if waits.len() == before {
            break;
        }
    }
    let mut services = vec![waits.keys().next()?.clone()];
    let (first, key) = loop {
        let last = services.last()?;
        let (key, next) = waits.get(last)?.iter().find(|(_, other)| waits.contains_key(other))?;
        services.push(next.clone());
        if let Some(first) = services[..services.len() - 1].iter().position(|name| name == next) {
            break (first, *key);
        }
    };
    let services = services.split_off(first);
    let (service, next) = (services.first()?.clone(), services.get(1)?.clone());
    let key = waits.get(&service)?.iter().find(|(_, other)| *other == next).map_or(key, |(key, _)| *key);
    Some(Refusal::at(found, &["services", &service, key], &next, Refused::Circle { key, services }))
}

/// Services that extend one that is not there, or themselves.
fn extended(found: &Found) -> Vec<Refusal> {
    let names = |value: &Value| super::super::stack::names(value);
    let all = found.parts_of_stack().filter_map(|file| Some((file.name.clone(), names(file.tree()?))));
    let each = all.flat_map(|(file, names)| names.into_iter().map(move |name| (file.clone(), name)));
    let mut faults: Vec<Refusal> = Vec::new();
    for fault in each.filter_map(|(file, service)| chain(found, file, service)) {
        // A circle is found from each of its services.
        let is_circle = matches!(fault.why, Refused::Circle { .. });
        if !is_circle || !faults.iter().any(|other| matches!(other.why, Refused::Circle { .. })) {
            faults.push(fault);
        }
    }
    faults
}

/// Follows `extends` from a service to the one that extends nothing.
fn chain(found: &Found, file: String, service: String) -> Option<Refusal> {
    let mut seen = vec![(file, service)];
    loop {
        let (file, service) = seen.last()?.clone();
        let tree = found.files().find(|other| other.name == file)?.value.as_ref().ok()?;
        let extends = at(tree, &["services", &service, "extends"])?;
        let name = yaml::scalar(extends).or_else(|| yaml::text(extends, &["service"]))?;
        let other = match yaml::text(extends, &["file"]) {
            Some(path) => inside(&path)?,
            None => file.clone(),
        };
        let far = found.files().find(|file| file.name == other)?.value.as_ref().ok()?;
        let refusal = |why| Refusal::at(found, &["services", &service, "extends"], &name, why);
        if name.contains('$') {
            return None;
        }
        if !at(far, &["services", &name]).is_some_and(Value::is_mapping) {
            let near = super::super::stack::names(far);
            let near = nearest(&name, near.iter().map(String::as_str).filter(|n| *n != service)).map(str::to_owned);
            return Some(refusal(Refused::Extends { service: service.clone(), name: name.clone(), near }));
        }
        let next = (other, name.clone());
        if let Some(first) = seen.iter().position(|known| *known == next) {
            let services: Vec<String> =
                seen[first..].iter().map(|(_, name)| name.clone()).chain([name.clone()]).collect();
            let (path, word) = (["services", &services[0], "extends"], services[1].clone());
            let why = Refused::Circle { key: "extends", services: services.clone() };
            return Some(Refusal::at(found, &path, &word, why));
        }
        seen.push(next);
    }
}
