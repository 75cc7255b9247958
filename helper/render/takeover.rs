//! What a compose file says about the stack, read back from it; and, for one that was written by hand, what the helper's
//! stack takes over from it and what it leaves behind.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Error, Finding};
use crate::caller::Services;
use crate::config::compose::{self, Choices};
use crate::config::gateway::Gateway;
use crate::config::images::ImageRef;
use crate::config::settings::{Namespace, NetworkName, Profile, Protocol};
use crate::config::yaml::{self, Value, at};
use crate::config::{gateway, sample};
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Deployment, Domain, path};
use crate::model::address;
use crate::model::found::{self, Found};
use crate::model::stack::{ComposeStack, FileIn};
use crate::os::directory::Directory;
use crate::os::files::{self, inside};
use crate::rules::{self, RuleId};

/// A stack that was written by hand and gives way to the helper's.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Replaced {
    /// Its compose files, which are kept as `NAME.bak-TIME`.
    files: Vec<String>,
    /// Its Compose project; `null` where that depends on a variable of the shell.
    project: Option<String>,
    /// All of its services that the new file does not have, or has in another form.
    services: Vec<String>,
    /// What else is not carried over.
    lost: Vec<String>,
    /// Whether the new stack is another project, or has other services, so that the old one has to be stopped.
    #[serde(skip)]
    pub(crate) must_be_stopped: bool,
}

impl Replaced {
    /// Compose project to be stopped.
    pub(crate) fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Says all of it in a finding, as far as there is room for it; the data has the rest.
    fn tell(&self, finding: Finding) -> Finding {
        let mut finding = finding.with(match &self.project {
            Some(project) => format!("it is the Compose project {project}"),
            None => "the name of its Compose project depends on a variable".to_owned(),
        });
        for (what, names) in [("services left out", &self.services), ("not carried over", &self.lost)] {
            if !names.is_empty() {
                finding = finding.with(format!("{what}: {}", some_of(names)));
            }
        }
        finding
    }

    /// The finding about a take-over, where something is left behind.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.must_be_stopped.then(|| self.tell(rules::finding(RuleId::ForeignReplaced)))
    }

    /// The finding of a refusal: what a take-over would do.
    pub(super) fn refusal(&self) -> Finding {
        self.tell(rules::finding(RuleId::ForeignDeployment))
    }
}

/// As many names as fit into a line of evidence, and how many there are beyond them.
fn some_of(names: &[String]) -> String {
    const ROOM: usize = 220;
    let mut shown = String::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 && shown.len() + name.len() > ROOM {
            return format!("{shown} and {} more, see `replaces`", names.len() - at);
        }
        shown.push_str(if at > 0 { ", " } else { "" });
        shown.push_str(name);
    }
    shown
}

/// A stack that was written by hand, as its files describe it.
pub(super) struct Foreign {
    /// What the compose file chooses.
    pub(super) choices: Choices,
    /// The proxy's configuration, or why it cannot be read, in words without anything of it.
    pub(super) gateway: Option<Result<Gateway, String>>,
}

/// Reads a stack that was written by hand: all of its files, and what they take from `.env`.
pub(super) fn read_foreign(deployment: &Deployment, found: &Found, env: &EnvFile) -> Foreign {
    let services = found.services();
    let mut choices = read_choices(&found::together(found.readable(), env), &services);
    // A service of that name is a server of theirs.
    choices.sample = false;
    Foreign { choices, gateway: mounted_gateway(deployment, found, &services, env) }
}

/// Reads the choices back from what compose files say.
pub(crate) fn read_choices(stack: &ComposeStack, services: &Services) -> Choices {
    let default = Choices::default();
    let Services { proxy, cloudflared } = services;
    let image = |service: &str, otherwise: String| {
        stack.text(service, "image").filter(|text| ImageRef::parse(text).is_ok()).unwrap_or(otherwise)
    };
    let joined = stack.external_networks(proxy).into_iter();
    // The flag in any of its spellings, otherwise the variable.
    let protocol = compose::flag(&stack.command(cloudflared), &["protocol", "p"]).map(str::to_owned);
    let protocol = protocol.or_else(|| stack.variable(cloudflared, "TUNNEL_TRANSPORT_PROTOCOL"));
    let protocol = protocol.and_then(|text| Protocol::named(text.trim()));
    // What dials another host than its own is outside of the proxy's network namespace.
    let dials = stack.dials(cloudflared).filter(|(host, _)| !host.contains('$'));
    let is_separate = stack.service(cloudflared, "network_mode").is_none()
        && dials.is_some_and(|(host, _)| !address::is_loopback(&host));
    let is_hardened = stack.service(proxy, "read_only") == Some(&Value::Bool(true));
    Choices {
        sample: ["image", "build"].iter().any(|key| stack.service(sample::SERVICE, key).is_some()),
        paths: compose::paths(stack.tree()),
        networks: joined.filter(|name| NetworkName::parse(name).is_ok()).collect(),
        protocol: protocol.filter(|protocol| *protocol != Protocol::Auto),
        namespace: if is_separate { Namespace::Separate } else { Namespace::Shared },
        profile: if is_hardened { Profile::Hardened } else { Profile::Default },
        proxy_image: image(proxy, default.proxy_image),
        cloudflared_image: image(cloudflared, default.cloudflared_image),
        python_image: default.python_image,
    }
}

/// The configuration that the proxy of a stack mounts, at any path of this host; `None` where it mounts none.
fn mounted_gateway(
    deployment: &Deployment,
    found: &Found,
    services: &Services,
    env: &EnvFile,
) -> Option<Result<Gateway, String>> {
    let is_readable = found.main.as_ref().is_some_and(|main| main.value.is_ok());
    let has_proxy = is_readable && found.service_names().contains(&services.proxy);
    let said = match found.file_in(&services.proxy, &found.gateway_target(&services.proxy)) {
        FileIn::Host(said) if is_readable => said,
        FileIn::Text(text) if is_readable => {
            let unusable =
                |_| format!("the routes of `{}`, which are not a configuration of the proxy", services.proxy);
            return Some(Gateway::parse(&text).map_err(unusable));
        }
        _ if has_proxy => return Some(Err(format!("the routes: `{}` mounts them from no file", services.proxy))),
        _ => return None,
    };
    let unreadable = |why: &str| Err(format!("the routes of `{said}`, which {why}"));
    let Some(place) = env.interpolate(&said).filter(|place| !place.is_empty() && !place.starts_with('~')) else {
        return Some(unreadable("depends on the shell"));
    };
    let text = match inside(&place) {
        Some(inside) => files::read_text(deployment, &inside),
        None => outside(&deployment.root().join(&place)),
    };
    Some(match text {
        Ok(Some(text)) => Gateway::parse(&text).or_else(|_| unreadable("is not a configuration of the proxy")),
        Ok(None) => unreadable("does not exist"),
        Err(_) => unreadable("cannot be read"),
    })
}

/// A file outside of the directory, as its own folder's reader sees it: a regular file of a bounded size.
fn outside(place: &Path) -> Result<Option<String>, Error> {
    let Ok(place) = fs::canonicalize(place) else { return Ok(None) };
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else { return Ok(None) };
    files::read_text(&Directory::new(folder.to_path_buf()), &name.to_string_lossy())
}

/// What a take-over replaces and leaves behind.
pub(super) fn replaced(
    deployment: &Deployment,
    found: &Found,
    foreign: &Foreign,
    domain: &Domain,
    env: Option<&EnvFile>,
) -> Replaced {
    let services = found.services();
    let mut left = found.main_service_names();
    left.retain(|name| *name != services.proxy && *name != services.cloudflared);
    let faulty = found.main.iter().filter(|main| main.value.is_err());
    let mut lost: Vec<String> = faulty.map(|main| format!("all of `{}`, which is not valid YAML", main.name)).collect();
    lost.extend(foreign.gateway.iter().filter_map(|gateway| gateway.as_ref().err().cloned()));
    let no_env = EnvFile::new("");
    let joined = found::together(found.readable(), env.unwrap_or(&no_env)).external_networks(&services.proxy);
    let is_lost = |name: &String| !foreign.choices.networks.contains(name) && !name.contains('$') && !name.is_empty();
    lost.extend(joined.into_iter().filter(is_lost).map(|name| format!("the network `{name}`")));
    if let Some(Ok(gateway)) = &foreign.gateway {
        lost.extend(lost_files(found, &services.proxy, gateway));
    }
    lost.extend(overridden(found));
    let old = found.project(deployment);
    // `.env` has the last word on the name of the new one, too.
    let set = env.and_then(|env| env.get("COMPOSE_PROJECT_NAME")).filter(|name| !name.is_empty());
    let new = set.unwrap_or_else(|| compose::project_name(domain));
    let renamed = services.proxy != compose::PROXY_SERVICE || services.cloudflared != compose::CLOUDFLARED_SERVICE;
    let files = found.main.iter().map(|main| main.name.as_str()).chain(found.shadowed.iter().copied());
    Replaced {
        files: files.map(str::to_owned).collect(),
        must_be_stopped: old.as_ref() != Some(&new) || renamed || !left.is_empty() || !lost.is_empty(),
        project: old,
        services: left.into_iter().collect(),
        lost,
    }
}

/// Files that the old proxy's configuration names and that the new one's `/data` does not show.
fn lost_files(found: &Found, proxy: &str, gateway: &Gateway) -> Vec<String> {
    let is_shown = |name: &str| {
        let source = found.source_of(proxy, name)?;
        Some(source == format!("{}/{}", path::DATA, gateway::data_file(name)?))
    };
    let named = gateway.pair().into_iter().chain([gateway.upstream_ca()]).flatten();
    let lost = named.filter(|name| !name.is_empty() && !is_shown(name).unwrap_or(false));
    lost.map(|name| format!("the file `{name}` of the proxy: copy it into `data/`, and name it `/data/NAME`")).collect()
}

/// Services that an override file changes, and the new file does not have.
fn overridden(found: &Found) -> Option<String> {
    let over = found.over.as_ref()?;
    let changes = at(over.tree()?, &["services"])?.as_mapping()?;
    let has = |service: &Value, key: &str| at(service, &[key]).is_some();
    let names = changes.iter().filter(|(_, service)| !has(service, "image") && !has(service, "build"));
    let names = names.filter_map(|(name, _)| yaml::scalar(name));
    let kept = [compose::PROXY_SERVICE, compose::CLOUDFLARED_SERVICE];
    let main = found.main_service_names();
    let names: Vec<String> = names.filter(|name| !kept.contains(&name.as_str()) && main.contains(name)).collect();
    (!names.is_empty()).then(|| format!("changes of `{}` to {}", over.name, names.join(", ")))
}
