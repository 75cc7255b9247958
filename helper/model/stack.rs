//! What the services get: one tree in Compose's own form, and questions to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use ipnet::Ipv4Net;

use super::address::{host_and_port, is_loopback};
use super::mounts::{Mount, Mounted};
use crate::config::compose::{self, words};
use crate::config::yaml::{self, Value, at};
use crate::redact::names;

/// The services with all that belongs to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ComposeStack {
    tree: Value,
    /// Absolute path of the directory, in its spellings.
    roots: Vec<String>,
    /// Profiles that `.env` makes active.
    profiles: Vec<String>,
    /// Where cloudflared's own configuration file sends calls, by service.
    ingress: BTreeMap<String, String>,
    /// The service that answers to a host name in small letters: asked for each route, so looked through once.
    hosts: OnceLock<HashMap<String, String>>,
}

/// What a container has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileIn {
    /// A file of the host: a path inside the directory, or one that leaves it.
    Host(String),
    /// Text written in the compose file.
    Text(String),
    Variable(String),
    /// A named volume, which this host's paths do not show.
    Volume(String),
    /// Nothing is mounted there: the image's own file, if there is one.
    Image,
}

/// How cloudflared gets to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It runs in the proxy's network namespace.
    Shared,
    /// It dials the proxy by a name on a common network.
    Network,
    /// It runs on the host's network and dials a port that the proxy publishes.
    HostPort,
    Not,
}

pub(super) fn names(tree: &Value) -> Vec<String> {
    let services = at(tree, &["services"]).and_then(Value::as_mapping);
    services.into_iter().flat_map(|map| map.keys().filter_map(yaml::scalar)).collect()
}

impl ComposeStack {
    pub(super) fn new(tree: Value, roots: Vec<String>) -> Self {
        Self { tree, roots, ..Self::default() }
    }

    /// With the profiles that are active, separated by commas.
    pub(super) fn with_profiles(mut self, active: &str) -> Self {
        self.profiles = active.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        self
    }

    /// With what the configuration files of cloudflared say.
    pub(super) fn set_ingress(&mut self, ingress: BTreeMap<String, String>) {
        self.ingress = ingress;
    }

    /// All of it, in Compose's form.
    pub(crate) fn tree(&self) -> &Value {
        &self.tree
    }

    /// Absolute path of the directory, in its spellings.
    pub(super) fn roots(&self) -> &[String] {
        &self.roots
    }

    /// A top-level key.
    pub(super) fn top(&self, path: &[&str]) -> Option<&Value> {
        at(&self.tree, path).filter(|value| !value.is_null())
    }

    pub(crate) fn service(&self, name: &str, key: &str) -> Option<&Value> {
        at(&self.tree, &["services", name, key]).filter(|value| !value.is_null())
    }

    /// The texts of a list; empty where there is none.
    pub(crate) fn list(&self, name: &str, key: &str) -> Vec<String> {
        self.service(name, key).map(yaml::texts).unwrap_or_default()
    }

    pub(crate) fn text(&self, name: &str, key: &str) -> Option<String> {
        self.service(name, key).and_then(yaml::scalar)
    }

    /// Names of all services, as far as they are names.
    pub(crate) fn service_names(&self) -> BTreeSet<String> {
        names(&self.tree).into_iter().filter(|name| names::is_valid(name)).collect()
    }

    /// Whether a plain `up` starts a service: those of a profile wait until it is active.
    pub(crate) fn is_started(&self, name: &str) -> bool {
        let profiles = self.list(name, "profiles");
        let is_active = |profile: &String| self.profiles.iter().any(|active| active == profile || active == "*");
        profiles.is_empty() || profiles.iter().any(is_active)
    }

    /// Whether the files ask for no container of a service: `scale: 0`, `deploy.replicas: 0`.
    pub(crate) fn has_no_replica(&self, name: &str) -> bool {
        self.replicas(name).is_some_and(|(_, count)| count == "0")
    }

    /// How many containers the files ask for, and the key that says it.
    pub(crate) fn replicas(&self, name: &str) -> Option<(&'static str, String)> {
        let of_deploy = || at(self.service(name, "deploy")?, &["replicas"]).and_then(yaml::scalar);
        let scale = self.service(name, "scale").and_then(yaml::scalar).map(|count| ("scale", count));
        scale.or_else(|| of_deploy().map(|count| ("deploy.replicas", count)))
    }

    /// The words that a service runs with: `entrypoint` and `command`.
    pub(crate) fn command(&self, name: &str) -> Vec<String> {
        ["entrypoint", "command"].into_iter().filter_map(|key| self.service(name, key)).flat_map(words).collect()
    }

    /// The value of a flag among them.
    pub(crate) fn flag(&self, name: &str, flag: &str) -> Option<String> {
        compose::flag(&self.command(name), &[flag]).map(str::to_owned)
    }

    /// The environment of a service; `None` is a variable that nothing sets.
    pub(crate) fn environment(&self, name: &str) -> BTreeMap<String, Option<String>> {
        self.service(name, "environment").map(yaml::assignments).unwrap_or_default().into_iter().collect()
    }

    pub(crate) fn variable(&self, name: &str, variable: &str) -> Option<String> {
        self.environment(name).remove(variable).flatten().filter(|value| !value.is_empty())
    }

    /// The volumes of a service.
    pub(crate) fn mounts(&self, name: &str) -> Vec<Mount> {
        let volumes = self.service(name, "volumes").and_then(Value::as_sequence);
        volumes.into_iter().flatten().filter_map(|entry| Mount::read(entry, &self.roots)).collect()
    }

    /// What the container of a service has at a path.
    pub(crate) fn file_in(&self, name: &str, path: &str) -> FileIn {
        if let Some(handed) = self.handed(name, path) {
            return handed;
        }
        let below = |mount: &Mount| {
            // All of `/etc` shows many a file, and configures nothing.
            let rest =
                path.strip_prefix(mount.target.as_str()).filter(|_| !matches!(mount.target.as_str(), "" | "/etc"))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
        };
        // The deepest mount is what is seen.
        let mounts = self.mounts(name);
        let deepest =
            mounts.iter().filter_map(|mount| Some((mount, below(mount)?))).max_by_key(|(m, _)| m.target.len());
        let Some((mount, rest)) = deepest else { return FileIn::Image };
        match &mount.source {
            Mounted::Volume(volume) => FileIn::Volume(volume.clone()),
            Mounted::Other => FileIn::Volume("without a name".into()),
            Mounted::Bind(source) if rest.is_empty() => FileIn::Host(source.clone()),
            Mounted::Bind(source) if source.is_empty() => FileIn::Host(rest),
            Mounted::Bind(source) => FileIn::Host(format!("{}/{rest}", source.trim_end_matches('/'))),
        }
    }

    /// The networks that a service joins; none where it runs in another's namespace.
    pub(crate) fn networks(&self, name: &str) -> BTreeSet<String> {
        self.joined(name).into_iter().collect()
    }

    fn joined(&self, name: &str) -> Vec<String> {
        match self.service(name, "networks") {
            _ if self.text(name, "network_mode").is_some() => Vec::new(),
            Some(Value::Mapping(map)) => map.keys().filter_map(yaml::scalar).collect(),
            Some(list) => yaml::texts(list),
            None => vec!["default".to_owned()],
        }
    }

    /// Whether a network of the files leads nowhere but to the containers on it.
    pub(crate) fn is_internal(&self, network: &str) -> bool {
        self.top(&["networks", network, "internal"]).and_then(yaml::scalar).is_some_and(|text| text == "true")
    }

    /// Docker networks from outside the project that a service joins, in the order of its file.
    pub(crate) fn external_networks(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for key in self.joined(name) {
            let said = |path: &[&str]| self.top(&[&["networks", key.as_str()], path].concat());
            if said(&["external"]).is_none_or(|external| *external == Value::Bool(false)) {
                continue;
            }
            // `external: {name: …}` is the older spelling.
            let name = said(&["name"]).or_else(|| said(&["external", "name"])).and_then(yaml::scalar);
            let name = name.unwrap_or_else(|| key.clone());
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }

    /// What a service answers to on the project's networks: its own name, `container_name`, `hostname`, network aliases
    /// and fixed addresses.
    fn hosts_of(&self, name: &str) -> impl Iterator<Item = String> {
        let said = ["container_name", "hostname"].into_iter().filter_map(|key| self.text(name, key));
        let joined = self.service(name, "networks").and_then(Value::as_mapping).into_iter().flat_map(|m| m.values());
        let on_networks = joined.flat_map(|network| {
            let aliases = at(network, &["aliases"]).map(yaml::texts).unwrap_or_default();
            aliases.into_iter().chain(yaml::text(network, &["ipv4_address"]))
        });
        std::iter::once(name.to_owned()).chain(said).chain(on_networks)
    }

    fn answers_to(&self, name: &str, host: &str) -> bool {
        self.hosts_of(name).any(|own| own.eq_ignore_ascii_case(host))
    }

    /// The service that a host name means in the `links:` of another one.
    fn linked(&self, name: &str, host: &str) -> Option<String> {
        let links = self.list(name, "links");
        links.iter().find_map(|link| {
            let (service, alias) = link.split_once(':').unwrap_or((link, link));
            alias.eq_ignore_ascii_case(host).then(|| service.to_owned())
        })
    }

    /// The service that answers to a host name, asked by another one.
    pub(crate) fn service_seen_by(&self, name: &str, host: &str) -> Option<String> {
        self.linked(name, host).or_else(|| self.service_named(host))
    }

    pub(crate) fn service_named(&self, host: &str) -> Option<String> {
        if names::is_valid(host) && at(&self.tree, &["services", host]).is_some() {
            return Some(host.to_owned());
        }
        let hosts = self.hosts.get_or_init(|| {
            let mut hosts = HashMap::new();
            for name in self.service_names() {
                for host in self.hosts_of(&name) {
                    hosts.entry(host.to_ascii_lowercase()).or_insert_with(|| name.clone());
                }
            }
            hosts
        });
        hosts.get(&host.to_ascii_lowercase()).cloned()
    }

    /// The service, or what is named in its place, whose network namespace a service runs in.
    pub(crate) fn lives_in(&self, name: &str) -> Option<String> {
        let mode = self.text(name, "network_mode")?;
        if let Some(service) = mode.strip_prefix("service:") {
            return Some(service.to_owned());
        }
        let container = mode.strip_prefix("container:")?;
        Some(self.service_named(container).unwrap_or_else(|| container.to_owned()))
    }

    /// How `agent` gets to `proxy`.
    pub(crate) fn reaches(&self, agent: &str, proxy: &str) -> Reach {
        if let Some(owner) = self.lives_in(agent) {
            let same = owner == proxy || self.lives_in(proxy).is_some_and(|other| other == owner);
            return if same { Reach::Shared } else { Reach::Not };
        }
        let Some((host, port)) = self.dials(agent) else { return Reach::Not };
        let is_loopback = is_loopback(&host);
        if self.text(agent, "network_mode").as_deref() == Some("host") {
            let by_host = self.text(proxy, "network_mode").as_deref() == Some("host");
            return if is_loopback && (by_host || self.publishes(proxy, &port)) { Reach::HostPort } else { Reach::Not };
        }
        let is_proxy = self.answers_to(proxy, &host) || self.linked(agent, &host).as_deref() == Some(proxy);
        if is_proxy && !self.common(agent, proxy).is_empty() { Reach::Network } else { Reach::Not }
    }

    /// Host and port that cloudflared sends calls to.
    pub(crate) fn dials(&self, agent: &str) -> Option<(String, String)> {
        Some(host_and_port(&self.url(agent)?))
    }

    /// The URL that cloudflared sends calls to.
    pub(crate) fn url(&self, agent: &str) -> Option<String> {
        let given = self.flag(agent, "url").or_else(|| self.variable(agent, "TUNNEL_URL"));
        given.or_else(|| self.ingress.get(agent).cloned())
    }

    /// The published ports of a service, as they are written.
    pub(crate) fn ports(&self, name: &str) -> &[Value] {
        self.service(name, "ports").and_then(Value::as_sequence).map_or(&[], Vec::as_slice)
    }

    /// Whether a service publishes a port of the host, given as the host's.
    fn publishes(&self, name: &str, port: &str) -> bool {
        self.mappings(name).any(|(host, _)| host == port)
    }

    /// The published ports of a service: the host's, and the container's behind it.
    pub(crate) fn mappings(&self, name: &str) -> impl Iterator<Item = (String, String)> {
        self.ports(name).iter().filter_map(|entry| {
            let Some(text) = yaml::scalar(entry) else {
                let said = |key: &str| yaml::text(entry, &[key]);
                return Some((said("published")?, said("target")?));
            };
            let mut parts = text.split('/').next().unwrap_or_default().rsplit(':');
            let container = parts.next()?;
            Some((parts.next()?.to_owned(), container.to_owned()))
        })
    }

    /// The networks that two services share.
    fn common(&self, one: &str, other: &str) -> BTreeSet<String> {
        self.networks(one).intersection(&self.networks(other)).cloned().collect()
    }

    /// The ranges that the networks of two services name for themselves; empty where one of them names none.
    pub(crate) fn subnets_between(&self, one: &str, other: &str) -> Vec<Ipv4Net> {
        let of_network = |key: &String| -> Vec<Ipv4Net> {
            let pools =
                self.top(&["networks", key]).and_then(|network| at(network, &["ipam", "config"])?.as_sequence());
            let pools = pools.into_iter().flatten();
            pools.filter_map(|pool| yaml::text(pool, &["subnet"])?.parse().ok()).collect()
        };
        let each: Vec<Vec<Ipv4Net>> = self.common(one, other).iter().map(of_network).collect();
        if each.iter().any(Vec::is_empty) { Vec::new() } else { each.into_iter().flatten().collect() }
    }

    /// Name of the project that the files give.
    pub(super) fn name(&self) -> Option<String> {
        self.top(&["name"]).and_then(yaml::scalar)
    }
}

mod outside;
#[cfg(test)]
mod tests;
