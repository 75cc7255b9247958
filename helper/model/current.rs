//! What a directory says, read once: its domain, the proxy's configuration, its routes and where they lead.

use std::collections::{BTreeMap, BTreeSet};

use super::absence::{Candidate, Question};
use super::found::Found;
use super::secrets;
use super::stack::FileIn;
use crate::answer::{Error, Finding, Subject};
use crate::caller::Services;
use crate::config::gateway::{Gateway, GatewayFault, gateway_fault};
use crate::config::yaml;
use crate::deployment::env_file;
use crate::deployment::route::Host;
use crate::deployment::{Deployment, Domain, RouteName, Upstream, path};
use crate::os::files::{self, inside};
use crate::rules::{self, Absence, Remedy, RuleId};

/// The proxy's configuration as it was found.
#[derive(Clone, Debug)]
pub(crate) enum GatewayFile {
    /// No such file, or no mount that would show it to the proxy.
    Missing(String),
    /// It cannot be seen from here: it is outside of the directory, or in a volume.
    Unseen(String),
    /// A directory in its place.
    Directory,
    /// It cannot be read.
    Unreadable(String),
    /// It is not what the proxy reads.
    Faulty(GatewayFault),
    Good(Box<Gateway>),
}

impl GatewayFile {
    /// The configuration, if the proxy could use it.
    pub(crate) fn good(&self) -> Option<&Gateway> {
        match self {
            Self::Good(gateway) => Some(gateway),
            Self::Missing(_) | Self::Unseen(_) | Self::Directory | Self::Unreadable(_) | Self::Faulty(_) => None,
        }
    }
}

/// A text in a domain's place that is not a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoDomain {
    pub(crate) file: String,
    pub(crate) setting: &'static str,
    pub(crate) why: String,
}

impl NoDomain {
    pub(crate) fn finding(&self) -> Finding {
        let said = format!("{} in `{}`: {}", self.setting, self.file, self.why);
        rules::finding(RuleId::DomainMalformed).about(Subject::file(&self.file)).with(said)
    }
}

/// What a directory says. A command reads it once, and once more after it has written.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    /// The compose files.
    pub(crate) found: Found,
    pub(crate) services: Services,
    /// Where the proxy's configuration is, as a path inside the directory if it is there.
    pub(crate) gateway_path: String,
    /// The proxy's configuration.
    pub(crate) gateway: GatewayFile,
    /// The text of the file at that path, empty where it cannot be read.
    pub(crate) gateway_text: String,
    /// Where in its container the proxy reads its configuration, or why it reads no file.
    pub(crate) absent: Option<(String, Absence)>,
    pub(crate) domain: Option<Domain>,
    /// Texts in a domain's place that are not domains.
    pub(crate) no_domains: Vec<NoDomain>,
}

impl Current {
    pub(crate) fn read(deployment: &Deployment) -> Self {
        Self::of(deployment, Found::read(deployment))
    }

    /// Compose files and a configuration of the proxy, without a directory around them.
    #[cfg(test)]
    pub(crate) fn of_texts(found: Found, gateway: &str) -> Self {
        let (services, gateway, gateway_path) = (found.services(), parsed(gateway), path::GATEWAY.to_owned());
        let gateway_text = String::new();
        Self {
            found,
            services,
            gateway_path,
            gateway,
            gateway_text,
            absent: None,
            domain: None,
            no_domains: Vec::new(),
        }
    }

    /// Reads what the services' files lead to.
    pub(crate) fn of(deployment: &Deployment, found: Found) -> Self {
        let services = found.services();
        let (gateway_path, gateway) = gateway(deployment, &found);
        let gateway_text = files::read_text(deployment, &gateway_path).ok().flatten().unwrap_or_default();
        let (domain, no_domains) =
            domain(deployment, &found, &services, gateway.good(), (&gateway_path, &gateway_text));
        let absent = absence(deployment, &found);
        Self { found, services, gateway_path, gateway, gateway_text, absent, domain, no_domains }
    }

    /// The routes as an answer may show them; empty where none can be read.
    pub(crate) fn routes(&self) -> BTreeMap<String, String> {
        self.gateway.good().map(Gateway::shown_routes).unwrap_or_default()
    }

    /// Names of the routes in front of the domain, for the certificate; a key may also be a whole host name.
    pub(crate) fn labels(&self, domain: &Domain) -> Vec<String> {
        let suffix = format!(".{domain}");
        let names = self.gateway.good().into_iter().flat_map(|gateway| gateway.routes.keys());
        names
            .map(|name| name.strip_suffix(&suffix).unwrap_or(name).to_owned())
            .filter(|name| RouteName::parse(name).is_ok())
            .collect()
    }

    /// The services that routes lead to, with the port of the route.
    pub(crate) fn dialled(&self) -> BTreeSet<(String, u16)> {
        let routes = self.gateway.good().map(|gateway| gateway.parsed_routes(self.domain.as_ref())).unwrap_or_default();
        let target = |upstream: &Upstream| match target(upstream, &self.found, &self.services.proxy) {
            RouteTarget::Service(service) => Some((service, upstream.port())),
            RouteTarget::Joined(_) | RouteTarget::Outside(_) | RouteTarget::NoService | RouteTarget::Unknown(_) => None,
        };
        routes.iter().filter_map(|route| target(route.upstream.as_ref().ok()?)).collect()
    }

    /// The domain, or the text in its place: in `.env` before all, because Compose and the helper start there.
    ///
    /// # Errors
    /// The text that is not a domain.
    pub(crate) fn checked_domain(&self) -> Result<Option<Domain>, &NoDomain> {
        let in_env = self.no_domains.iter().find(|fault| fault.file == path::ENV);
        match (&self.domain, in_env.or(self.no_domains.first())) {
            (Some(domain), fault) if fault.is_none_or(|fault| fault.file != path::ENV) => Ok(Some(domain.clone())),
            (_, Some(fault)) => Err(fault),
            (domain, None) => Ok(domain.clone()),
        }
    }

    /// The domain, for commands that cannot do without.
    ///
    /// # Errors
    /// `directory` when the directory does not say which tunnel it is for, or says it wrongly.
    pub(crate) fn known_domain(&self) -> Result<Option<Domain>, Error> {
        self.checked_domain().map_err(|fault| Error::Directory {
            message: format!("{} in `{}` is not a tunnel's domain: {}", fault.setting, fault.file, fault.why),
            hint: "correct the domain there and run the command again".into(),
        })
    }

    /// Like [`Self::known_domain`], for commands that need one.
    ///
    /// # Errors
    /// `directory` when the directory does not say which tunnel it is for.
    pub(crate) fn require_domain(&self, deployment: &Deployment) -> Result<Domain, Error> {
        self.known_domain()?.ok_or_else(|| Error::Directory {
            message: format!("`{}` does not say which tunnel it is for", deployment.root().display()),
            hint: "run `init` with the domain first".into(),
        })
    }

    /// The finding about a proxy configuration that exists and cannot be used.
    pub(crate) fn gateway_fault(&self) -> Option<Finding> {
        let name = &self.gateway_path;
        match &self.gateway {
            GatewayFile::Faulty(fault) => Some(gateway_fault(fault, name)),
            GatewayFile::Directory => {
                let finding = rules::finding(RuleId::ProxyConfigIsDir).about(Subject::file(name));
                Some(finding.with(format!("`{name}` is a directory")))
            }
            GatewayFile::Missing(_) | GatewayFile::Unseen(_) | GatewayFile::Unreadable(_) | GatewayFile::Good(_) => {
                None
            }
        }
    }
}

/// The proxy's configuration, and where it is.
fn gateway(deployment: &Deployment, found: &Found) -> (String, GatewayFile) {
    let ours = path::GATEWAY.to_owned();
    let Some(proxy) = found.roles().proxy else {
        // Without a readable compose file our own layout is the best guess; with one there is no proxy to read it.
        let file = if found.is_known() {
            GatewayFile::Missing("no service of this stack is Anthropic's proxy".into())
        } else {
            match read_gateway(deployment, path::GATEWAY) {
                GatewayFile::Missing(_) if found.main.is_some() => {
                    GatewayFile::Unseen("the compose file that says where it is cannot be read".into())
                }
                file => file,
            }
        };
        return (ours, file);
    };
    let target = found.gateway_target(&proxy);
    let unseen = |why: String| (ours.clone(), GatewayFile::Unseen(why));
    match found.file_in(&proxy, &target) {
        FileIn::Host(place) => match inside(&place) {
            Some(place) => {
                let file = read_gateway(deployment, &place);
                (place, file)
            }
            None => (place.clone(), GatewayFile::Unseen(format!("`{place}` is outside of the directory"))),
        },
        FileIn::Text(text) => (found.file_of(&proxy, &["configs"]).to_owned(), parsed(&text)),
        FileIn::Variable(name) => unseen(format!("it is the value of the variable `{name}`")),
        FileIn::Volume(name) => {
            unseen(format!("`{target}` is in the volume {name}, which this host's paths do not show"))
        }
        FileIn::Image if !found.is_stock(&proxy) => {
            unseen(format!("`{target}` may be in the image of `{proxy}`; no mount shows it"))
        }
        FileIn::Image => {
            let name = found.file_of(&proxy, MOUNTS);
            (ours.clone(), GatewayFile::Missing(format!("`{name}` mounts nothing at {target}")))
        }
    }
}

/// Why the proxy finds no configuration in its container.
fn absence(deployment: &Deployment, found: &Found) -> Option<(String, Absence)> {
    let proxy = found.roles().proxy?;
    let path = found.gateway_target(&proxy);
    let is_config = |file: &Candidate<'_>| {
        Gateway::parse(file.text).is_ok_and(|gateway| gateway.listen_addr.is_some() && !gateway.routes.is_empty())
    };
    let question = Question { deployment, found, service: &proxy, path: &path, is_it: &is_config };
    let why = question.answer()?;
    Some((path, why))
}

/// The keys of a service that put files into its container.
pub(crate) const MOUNTS: &[&str] = &["volumes", "configs", "secrets"];

/// Reads a configuration after its secrets are known: from then on nothing that quotes it shows one.
fn parsed(text: &str) -> GatewayFile {
    secrets::learn_settings(text);
    match Gateway::parse(text) {
        Ok(gateway) => GatewayFile::Good(Box::new(gateway)),
        Err(fault) => GatewayFile::Faulty(fault),
    }
}

fn read_gateway(deployment: &Deployment, inside: &str) -> GatewayFile {
    if files::metadata(deployment, inside).ok().flatten().is_some_and(|meta| meta.is_dir()) {
        return GatewayFile::Directory;
    }
    match files::read_text(deployment, inside) {
        Ok(None) => GatewayFile::Missing(format!("`{inside}` is not there")),
        Ok(Some(text)) => parsed(&text),
        Err(error) => GatewayFile::Unreadable(error.to_string()),
    }
}

/// The domain: from `.env`, otherwise from the proxy's configuration, its command line, or the file of the set-up program.
fn domain(
    deployment: &Deployment,
    found: &Found,
    services: &Services,
    gateway: Option<&Gateway>,
    (gateway_path, gateway_text): (&str, &str),
) -> (Option<Domain>, Vec<NoDomain>) {
    let env = found.env().and_then(|env| env.get(env_file::DOMAIN));
    let flag = || found.flag(&services.proxy, "tunnel-domain");
    let compose = || found.main.as_ref().map_or(path::COMPOSE, |main| main.name.as_str()).to_owned();
    // Also of a configuration with a fault, where the line is known.
    let in_faulty = || {
        let mut lines = gateway.is_none().then(|| gateway_text.lines())?;
        let line = lines.find_map(|line| line.trim_start().strip_prefix("tunnel_domain:"))?;
        let word = line.split_whitespace().next()?.trim_matches(['"', '\'']).to_owned();
        Domain::parse(&word).is_ok().then_some(word)
    };
    let set_up = || files::read_text(deployment, path::SETUP_DOMAIN).ok().flatten();
    let said = [
        (env, path::ENV.to_owned(), env_file::DOMAIN),
        (gateway.and_then(|gateway| gateway.tunnel_domain.clone()), gateway_path.to_owned(), "tunnel_domain"),
        (in_faulty(), gateway_path.to_owned(), "tunnel_domain"),
        (flag(), compose(), "-tunnel-domain"),
        (set_up().map(|text| text.trim().to_owned()), path::SETUP_DOMAIN.to_owned(), "the domain"),
    ];
    let (mut domain, mut wrong) = (None, Vec::new());
    for (text, file, setting) in said {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { continue };
        match Domain::parse(&text) {
            Ok(parsed) => domain = domain.or(Some(parsed)),
            Err(why) => wrong.push(NoDomain { file, setting, why }),
        }
    }
    (domain, wrong)
}

/// The finding about a compose file that is not there. With routes it can be written again.
pub(crate) fn compose_file_missing(gateway: Option<&Gateway>) -> Finding {
    let finding = rules::finding(RuleId::ComposeFileMissing);
    match gateway {
        Some(gateway) if !gateway.routes.is_empty() => finding.with_remedy(Remedy::HAS_ROUTES),
        Some(_) | None => finding,
    }
}

/// User and group of both images.
pub(crate) const IMAGE_USER: (u32, u32) = (65532, 65532);

/// User and group that the proxy runs as; the image's own where the compose file does not say.
pub(crate) fn proxy_user(found: &Found, proxy: &str) -> (u32, u32) {
    found.service(proxy, "user").and_then(yaml::scalar).map_or(IMAGE_USER, |user| ids(&user))
}

/// The user of a service's container, with all its groups.
pub(crate) fn user_of(found: &Found, service: &str) -> (u32, Vec<u32>) {
    let (uid, gid) = proxy_user(found, service);
    let added = found.list(service, "group_add");
    (uid, added.iter().filter_map(|group| group.parse().ok()).chain([gid]).collect())
}

/// `65532:65532`, `65532`, `root`.
pub(crate) fn ids(user: &str) -> (u32, u32) {
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    let number = |text: &str| text.parse().unwrap_or(if text == "root" { 0 } else { 65532 });
    (number(uid), number(gid))
}

/// Where a route leads, as far as the files tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteTarget {
    /// A service of this project.
    Service(String),
    /// A container on a Docker network that the proxy joins from outside the project.
    Joined(String),
    /// Somewhere that Docker does not show: this host, or another machine.
    Outside(&'static str),
    NoService,
    /// Not known.
    Unknown(&'static str),
}

pub(crate) fn target(upstream: &Upstream, found: &Found, proxy: &str) -> RouteTarget {
    let host = upstream.host_text();
    let is_name = matches!(upstream.host(), Host::Label(_) | Host::Name(_));
    // `/etc/hosts` comes before DNS.
    if is_name && found.extra_host(proxy, host).is_some() {
        return RouteTarget::Unknown("`extra_hosts` has its address, which Docker does not show");
    }
    if let Some(service) = found.service_dialled(proxy, host) {
        return RouteTarget::Service(service);
    }
    if is_name && found.links_outside(proxy, host) {
        return RouteTarget::Unknown("`external_links` has it: a container outside of this project");
    }
    match upstream.host() {
        Host::Engine => RouteTarget::Outside("it is a process on this host, which Docker does not show"),
        Host::Address(_) => {
            RouteTarget::Outside("it is an address outside of this project, which Docker does not show")
        }
        Host::Name(_) => RouteTarget::Outside("it is a name outside of this project, which Docker does not show"),
        Host::Label("localhost") => RouteTarget::Unknown("it is the proxy's own container"),
        Host::Label(_) if found.searches_domains(proxy) => {
            RouteTarget::Unknown("it may be a name in a domain of `dns_search`, which Docker does not show")
        }
        Host::Label(_) if !found.external_networks(proxy).is_empty() => {
            RouteTarget::Joined(upstream.host_text().to_owned())
        }
        Host::Label(_) if found.includes_others() => {
            RouteTarget::Unknown("the compose file includes others, whose services are not looked at")
        }
        Host::Label(_) => RouteTarget::NoService,
    }
}
