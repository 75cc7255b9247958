//! What a directory says: its domain, the proxy's configuration, its routes and where they lead.

use std::collections::BTreeMap;

use super::found::{Found, is_inside};
use super::secrets;
use crate::answer::{Error, Finding, Subject};
use crate::caller::Services;
use crate::config::gateway::{Gateway, gateway_fault};
use crate::config::yaml;
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::route::Host;
use crate::deployment::scaffold::read_env;
use crate::deployment::{Deployment, Domain, RouteName, Upstream, path};
use crate::os::files;
use crate::rules::{self, RuleId};

/// The proxy's configuration as it was found.
#[derive(Debug)]
pub(crate) enum GatewayFile {
    /// No such file, or no mount that would show it to the proxy.
    Missing(String),
    /// It lies outside of the directory.
    Elsewhere(String),
    /// A directory in its place.
    Directory,
    /// It cannot be read.
    Unreadable(String),
    /// It is not what the proxy reads.
    Faulty(yaml::Fault),
    /// It is.
    Good(Box<Gateway>),
}

impl GatewayFile {
    /// The configuration, if the proxy could use it.
    pub(crate) fn good(&self) -> Option<&Gateway> {
        match self {
            Self::Good(gateway) => Some(gateway),
            Self::Missing(_) | Self::Elsewhere(_) | Self::Directory | Self::Unreadable(_) | Self::Faulty(_) => None,
        }
    }
}

/// Where the proxy's configuration lies, as a path inside the directory if it is there.
pub(crate) fn gateway_path(deployment: &Deployment, found: &Found, services: &Services) -> Option<String> {
    let Some(source) = found.gateway_path(&services.proxy) else {
        // Without a readable compose file our own layout is the best guess; with one, no mount means no file.
        return found.main.as_ref().is_none_or(|main| main.value.is_err()).then(|| path::GATEWAY.to_owned());
    };
    let root = format!("{}/", deployment.root().to_string_lossy());
    Some(source.strip_prefix(&root).map(str::to_owned).unwrap_or(source))
}

pub(crate) fn read_gateway(deployment: &Deployment, found: &Found, inside: Option<&str>) -> GatewayFile {
    let Some(inside) = inside else {
        let name = found.main.as_ref().map_or(path::COMPOSE, |main| main.name);
        return GatewayFile::Missing(format!("`{name}` mounts nothing at /etc/mcp-gateway/config.yaml"));
    };
    if !is_inside(inside) {
        return GatewayFile::Elsewhere(inside.to_owned());
    }
    if files::metadata(deployment, inside).ok().flatten().is_some_and(|meta| meta.is_dir()) {
        return GatewayFile::Directory;
    }
    match files::read_text(deployment, inside) {
        Ok(None) => GatewayFile::Missing(format!("`{inside}` is not there")),
        Ok(Some(text)) => match read_settings(&text) {
            Ok(gateway) => GatewayFile::Good(Box::new(gateway)),
            Err(fault) => GatewayFile::Faulty(fault),
        },
        Err(error) => GatewayFile::Unreadable(error.to_string()),
    }
}

/// Reads a configuration after its secrets are known: from then on nothing that quotes it shows one.
fn read_settings(text: &str) -> Result<Gateway, yaml::Fault> {
    secrets::learn_settings(text);
    Gateway::parse(text)
}

/// The routes of a directory, as an answer may show them; empty where there are none that can be read.
pub(crate) fn routes(deployment: &Deployment) -> BTreeMap<String, String> {
    let found = Found::read(deployment);
    let services = found.services();
    let inside = gateway_path(deployment, &found, &services);
    let gateway = read_gateway(deployment, &found, inside.as_deref());
    gateway.good().map(Gateway::shown_routes).unwrap_or_default()
}

/// The finding about a proxy configuration that is there and cannot be used.
pub(crate) fn gateway_fault_of(deployment: &Deployment) -> Option<Finding> {
    let found = Found::read(deployment);
    let inside = gateway_path(deployment, &found, &found.services());
    let name = inside.clone().unwrap_or_default();
    match read_gateway(deployment, &found, inside.as_deref()) {
        GatewayFile::Faulty(fault) => Some(gateway_fault(&fault, &name)),
        GatewayFile::Directory => {
            Some(rules::finding(RuleId::ProxyConfigIsDir).with(format!("`{name}` is a directory")))
        }
        GatewayFile::Missing(_) | GatewayFile::Elsewhere(_) | GatewayFile::Unreadable(_) | GatewayFile::Good(_) => None,
    }
}

/// Names of the routes that stand in front of the domain, for the certificate.
pub(crate) fn route_labels(deployment: &Deployment, domain: &Domain) -> Vec<String> {
    labels(routes(deployment).keys(), domain)
}

/// The labels among the keys of `routes`; a key may also be a whole host name.
pub(crate) fn labels<'a>(names: impl Iterator<Item = &'a String>, domain: &Domain) -> Vec<String> {
    let suffix = format!(".{domain}");
    names
        .map(|name| name.strip_suffix(&suffix).unwrap_or(name).to_owned())
        .filter(|name| RouteName::parse(name).is_ok())
        .collect()
}

/// User and group that the proxy runs as; the image's own where the compose file does not say.
pub(crate) fn proxy_user(found: &Found, proxy: &str) -> (u32, u32) {
    found.service(proxy, "user").and_then(yaml::scalar).map_or((65532, 65532), |user| ids(&user))
}

/// `65532:65532`, `65532`, `root`.
fn ids(user: &str) -> (u32, u32) {
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    let number = |text: &str| text.parse().unwrap_or(if text == "root" { 0 } else { 65532 });
    (number(uid), number(gid))
}

/// Where a route leads, as far as the files tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A service of this project.
    Service(String),
    /// A container on a Docker network that the proxy joins from outside the project.
    Joined(String),
    /// Somewhere that Docker does not show: this host, or another machine.
    Outside(&'static str),
    /// Nobody has that name.
    Nobody,
    /// It cannot be told.
    Unknown(&'static str),
}

/// Finds out where an upstream lies.
pub(crate) fn target(upstream: &Upstream, found: &Found, proxy: &str) -> Target {
    if let Some(service) = found.service_named(upstream.host_text()) {
        return Target::Service(service);
    }
    match upstream.host() {
        Host::Engine => Target::Outside("it is a process on this host, which Docker does not show"),
        Host::Address(_) => Target::Outside("it is an address outside of this project, which Docker does not show"),
        Host::Name(_) => Target::Outside("it is a name outside of this project, which Docker does not show"),
        Host::Label("localhost") => Target::Unknown("it is the proxy's own container"),
        Host::Label(_) if !found.external_networks(proxy).is_empty() => Target::Joined(upstream.host_text().to_owned()),
        Host::Label(_) if found.includes_others() => {
            Target::Unknown("the compose file includes others, whose services are not looked at")
        }
        Host::Label(_) => Target::Nobody,
    }
}

/// Something that stands in a domain's place.
#[derive(Clone, Debug)]
pub(crate) struct NoDomain {
    /// Where it stands.
    place: String,
    /// The file.
    file: String,
    /// What is wrong with it, and what would be right.
    why: String,
}

impl NoDomain {
    /// As a finding, for commands that can say more than this.
    pub(crate) fn finding(&self) -> Finding {
        let subject = Subject::file(&self.file);
        rules::finding(RuleId::DomainMalformed).about(subject).with(format!("{}: {}", self.place, self.why))
    }

    fn error(&self) -> Error {
        Error::Directory {
            message: format!("{} is not a tunnel's domain: {}", self.place, self.why),
            hint: "correct the domain there and run the command again".into(),
        }
    }
}

/// The domain that a directory belongs to: `.env` says it, else the proxy's configuration, also where that has a fault.
///
/// # Errors
/// When what stands in `.env`, or in a configuration without a fault, is no domain.
pub(crate) fn domain(
    deployment: &Deployment,
    env: Option<&EnvFile>,
    found: &Found,
) -> Result<Option<Domain>, NoDomain> {
    let parse = |text: &str, place: String, file: &str| match Domain::parse(text) {
        Ok(domain) => Ok(Some(domain)),
        Err(why) => Err(NoDomain { place, file: file.to_owned(), why }),
    };
    if let Some(text) = env.and_then(|env| env.get(env_file::DOMAIN)).filter(|text| !text.trim().is_empty()) {
        let place = format!("{} in `.env`", env_file::DOMAIN);
        return parse(&text, place, path::ENV);
    }
    let inside = found.gateway_path(&found.services().proxy).unwrap_or_else(|| path::GATEWAY.into());
    // A mount from elsewhere is not this directory's business.
    let Some(text) = is_inside(&inside).then(|| files::read_text(deployment, &inside).ok()).flatten().flatten() else {
        return Ok(None);
    };
    match Gateway::parse(&text) {
        Ok(gateway) => match gateway.tunnel_domain {
            Some(text) => parse(&text, format!("tunnel_domain in `{inside}`"), &inside),
            None => Ok(None),
        },
        Err(_) => {
            let line = text.lines().find_map(|line| line.trim_start().strip_prefix("tunnel_domain:"));
            let word = line.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
            Ok(Domain::parse(word.trim_matches(['"', '\''])).ok())
        }
    }
}

/// [`domain`], for commands that read nothing else.
///
/// # Errors
/// `directory` when what stands in its place is no domain; reading errors of `.env`.
pub(crate) fn known_domain(deployment: &Deployment) -> Result<Option<Domain>, Error> {
    let env = read_env(deployment)?;
    domain(deployment, env.as_ref(), &Found::read(deployment)).map_err(|fault| fault.error())
}

/// Like [`known_domain`], for commands that need one.
///
/// # Errors
/// `directory` when the directory does not say which tunnel it is for.
pub(crate) fn require_domain(deployment: &Deployment) -> Result<Domain, Error> {
    known_domain(deployment)?.ok_or_else(|| Error::Directory {
        message: format!("`{}` does not say which tunnel it is for", deployment.root().display()),
        hint: "run `init` with the domain first".into(),
    })
}
