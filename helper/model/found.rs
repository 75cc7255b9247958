//! The compose files as they are found, whoever wrote them: which one Compose takes, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use super::secrets;
use crate::caller::Services;
use crate::config::compose::{CLOUDFLARED_SERVICE, CONFIG_TARGET, PROXY_SERVICE, words};
use crate::config::stamp::{Origin, origin};
use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Deployment, path};
use crate::os::files::{self, inside};
use crate::redact::names;
use crate::rules::{self, Finding, RuleId, Subject};

/// Names that Compose tries, in its order.
pub(crate) const MAIN_NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", path::COMPOSE];
/// Names of override files that Compose tries, in its order.
const OVERRIDE_NAMES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// One compose file.
#[derive(Clone, Debug)]
pub(crate) struct ComposeFile {
    /// Its name in the directory.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) text: String,
    /// What it says, or why it cannot be read.
    pub(crate) value: Result<Value, yaml::Fault>,
}

/// All that Compose would read in a directory.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The file that counts.
    pub(crate) main: Option<ComposeFile>,
    /// Files that would count if the first were not there.
    pub(crate) shadowed: Vec<&'static str>,
    /// The person's own services and changes.
    pub(crate) over: Option<ComposeFile>,
}

/// A bind mount: the path inside the directory if it is there, else as it stands, and the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BindMount {
    pub(crate) source: String,
    pub(crate) target: String,
}

impl Found {
    /// Reads the files that Compose would. One that cannot be read says why.
    pub(crate) fn read(deployment: &Deployment) -> Self {
        let mut mains = read_first(deployment, &MAIN_NAMES);
        let main = if mains.is_empty() { None } else { Some(mains.remove(0)) };
        let over = read_first(deployment, &OVERRIDE_NAMES).into_iter().next();
        let found = Self { main, shadowed: mains.iter().map(|file| file.name).collect(), over };
        let read = [found.main.as_ref(), found.over.as_ref()].into_iter().flatten();
        let read = read.map(|file| (file.text.as_str(), file.value.as_ref().ok()));
        // First of all: from here on, whatever is quoted of or because of these files shows no secret of theirs.
        secrets::learn(deployment, read, &found.service_names());
        found
    }

    /// The findings about files that cannot be read.
    pub(crate) fn faults(&self) -> Vec<Finding> {
        let files = [self.main.as_ref(), self.over.as_ref()].into_iter().flatten();
        let faults = files.filter_map(|file| Some((file.name, file.value.as_ref().err()?)));
        let finding = |name, fault: &yaml::Fault| {
            rules::finding(RuleId::ComposeYamlInvalid).about(Subject::file(name)).with(format!("`{name}`: {}", fault.0))
        };
        faults.map(|(name, fault)| finding(name, fault)).collect()
    }

    /// Whether the main file is one that `render` writes, edited or not.
    pub(crate) fn is_ours(&self) -> bool {
        self.main.as_ref().is_some_and(|file| file.name == path::COMPOSE && origin(&file.text) != Origin::Foreign)
    }

    /// What the files say, as far as they can be read.
    pub(crate) fn readable(&self) -> impl Iterator<Item = &Value> {
        // The override first: where both say something, it wins.
        [self.over.as_ref(), self.main.as_ref()].into_iter().flatten().filter_map(|file| file.value.as_ref().ok())
    }

    /// What the files say of a service, the override first.
    pub(crate) fn service(&self, name: &str, key: &str) -> Option<&Value> {
        self.readable().find_map(|value| at(value, &["services", name, key]))
    }

    /// What each of the files says of a service: lists and maps are merged by Compose.
    pub(crate) fn each<'a>(&'a self, name: &'a str, key: &'a str) -> impl Iterator<Item = &'a Value> {
        self.readable().filter_map(move |value| at(value, &["services", name, key]))
    }

    /// Names of all services, as far as they are names.
    pub(crate) fn service_names(&self) -> BTreeSet<String> {
        self.readable()
            .filter_map(|value| at(value, &["services"])?.as_mapping())
            .flat_map(|map| map.keys().filter_map(yaml::scalar).collect::<Vec<_>>())
            .filter(|name| names::is_valid(name))
            .collect()
    }

    /// Keys of `services` that are no names, each with its file: they go into no command and no text.
    pub(crate) fn invalid_names(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for file in [self.main.as_ref(), self.over.as_ref()].into_iter().flatten() {
            let Ok(value) = &file.value else { continue };
            let keys = at(value, &["services"]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.keys());
            let names = keys.map(|key| yaml::scalar(key).unwrap_or_default());
            found.extend(names.filter(|name| !names::is_valid(name)).map(|name| (file.name, name)));
        }
        found
    }

    /// Names of the services in the main file.
    pub(crate) fn main_service_names(&self) -> BTreeSet<String> {
        let value = self.main.as_ref().and_then(|file| file.value.as_ref().ok());
        let services = value.and_then(|value| at(value, &["services"])?.as_mapping());
        let names = services.into_iter().flat_map(|map| map.keys().filter_map(yaml::scalar));
        names.filter(|name| names::is_valid(name)).collect()
    }

    /// Paths of MCP endpoints that the files keep, by route.
    pub(crate) fn paths(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for value in self.readable() {
            for (name, path) in crate::config::compose::paths(value) {
                all.entry(name).or_insert(path);
            }
        }
        all
    }

    /// Whether other files are pulled in, whose services cannot be seen here.
    pub(crate) fn includes_others(&self) -> bool {
        self.readable().any(|value| at(value, &["include"]).is_some())
    }

    /// What the proxy and cloudflared are called: the proxy is the service that mounts the proxy's configuration, or
    /// else the one whose namespace cloudflared shares.
    pub(crate) fn services(&self) -> Services {
        let names = self.service_names();
        let image_has = |name: &String, word: &str| {
            self.service(name, "image").and_then(yaml::scalar).is_some_and(|image| image.contains(word))
        };
        let shares = |name: &String| {
            self.service(name, "network_mode").and_then(yaml::scalar).is_some_and(|mode| mode.starts_with("service:"))
        };
        // A person's own service may be of that image, or be called alike; only the agent shares a namespace.
        let agents: Vec<&String> =
            names.iter().filter(|name| image_has(name, "cloudflared") || name.contains(CLOUDFLARED_SERVICE)).collect();
        let cloudflared = agents
            .iter()
            .find(|name| shares(name))
            .or_else(|| agents.iter().find(|name| name.as_str() == CLOUDFLARED_SERVICE))
            .or_else(|| agents.first())
            .map(|name| (*name).clone())
            .unwrap_or_else(|| CLOUDFLARED_SERVICE.into());
        let shared = self.service(&cloudflared, "network_mode").and_then(yaml::scalar);
        let shared = shared
            .and_then(|mode| mode.strip_prefix("service:").map(str::to_owned))
            .filter(|name| names.contains(name));
        // A wrong `network_mode` must not make a proxy of what it names.
        let configured: Vec<&String> = names.iter().filter(|name| self.gateway_path(name).is_some()).collect();
        let proxy = shared
            .clone()
            .filter(|name| configured.is_empty() || configured.contains(&name))
            .or_else(|| configured.first().map(|name| (*name).clone()))
            .or(shared)
            .or_else(|| names.iter().find(|name| image_has(name, "mcp-proxy")).cloned())
            .or_else(|| names.iter().find(|name| ["mcp-gateway", "mcp-proxy"].contains(&name.as_str())).cloned())
            .unwrap_or_else(|| PROXY_SERVICE.into());
        Services { proxy, cloudflared }
    }

    /// The service that answers to a host name on the project's networks: by its own name, `container_name`,
    /// `hostname` or a network alias.
    pub(crate) fn service_named(&self, host: &str) -> Option<String> {
        self.service_names().into_iter().find(|name| {
            let says = |key: &str| {
                self.service(name, key).and_then(yaml::scalar).is_some_and(|v| v.eq_ignore_ascii_case(host))
            };
            name.eq_ignore_ascii_case(host) || says("container_name") || says("hostname") || self.has_alias(name, host)
        })
    }

    fn has_alias(&self, service: &str, host: &str) -> bool {
        self.readable().filter_map(|value| at(value, &["services", service, "networks"])?.as_mapping()).any(
            |networks| {
                networks
                    .values()
                    .filter_map(|network| at(network, &["aliases"]))
                    .any(|aliases| yaml::texts(aliases).iter().any(|alias| alias.eq_ignore_ascii_case(host)))
            },
        )
    }

    /// Docker networks from outside the project that the proxy joins, sorted.
    pub(crate) fn external_networks(&self, proxy: &str) -> Vec<String> {
        let mut found = external_networks(&self.readable().collect::<Vec<_>>(), proxy);
        found.sort();
        found
    }

    /// Bind mounts of a service, in both of Compose's spellings.
    pub(crate) fn mounts(&self, service: &str) -> Vec<BindMount> {
        self.readable()
            .filter_map(|value| at(value, &["services", service, "volumes"])?.as_sequence())
            .flatten()
            .filter_map(bind_mount)
            .collect()
    }

    /// The proxy's configuration on this side of its mount, as a path inside the directory.
    pub(crate) fn gateway_path(&self, proxy: &str) -> Option<String> {
        let asked = self.service(proxy, "command").map(words).unwrap_or_default();
        let flag = asked.iter().position(|w| matches!(w.as_str(), "-config" | "--config"));
        let flag = flag.and_then(|i| asked.get(i + 1).cloned());
        let inline = asked.iter().find_map(|w| w.split_once("config=").map(|(_, v)| v.to_owned()));
        let target = flag.or(inline).unwrap_or_else(|| CONFIG_TARGET.into());
        self.source_of(proxy, &target)
    }

    /// Where a path in a container lies on this host, by the bind mount or the config that shows it. The most specific one
    /// counts, as in the container. A service that mounts all of `/etc` is not taken for one that is configured there.
    pub(crate) fn source_of(&self, service: &str, container: &str) -> Option<String> {
        let rest = |target: &str| {
            let rest = std::path::Path::new(container).strip_prefix(target).ok()?.to_string_lossy().into_owned();
            (!["", "/etc"].contains(&target.trim_end_matches('/'))).then_some(rest)
        };
        let shown = self.mounts(service).into_iter().chain(self.configs(service));
        let shown = shown.filter_map(|mount| Some((rest(&mount.target)?, mount.source)));
        let (rest, source) = shown.min_by_key(|(rest, _)| rest.len())?;
        Some(if rest.is_empty() { source } else { format!("{}/{rest}", source.trim_end_matches('/')) })
    }

    /// Compose `configs` of a service that are files on this host.
    fn configs(&self, service: &str) -> Vec<BindMount> {
        let entries = self.each(service, "configs").filter_map(Value::as_sequence).flatten();
        entries
            .filter_map(|entry| {
                let short = yaml::scalar(entry);
                let name = short.clone().or_else(|| yaml::scalar(at(entry, &["source"])?))?;
                let target = at(entry, &["target"]).and_then(yaml::scalar).unwrap_or_else(|| format!("/{name}"));
                let file = self.readable().find_map(|v| at(v, &["configs", &name, "file"]).and_then(yaml::scalar))?;
                Some(BindMount { source: plain(&file), target })
            })
            .collect()
    }

    /// Name of the Compose project, as Compose finds it with a clean shell. `None` when it depends on a variable.
    pub(crate) fn project(&self, deployment: &Deployment, env: Option<&EnvFile>) -> Option<String> {
        let set = env.and_then(|env| env.get("COMPOSE_PROJECT_NAME")).filter(|name| !name.is_empty());
        let named = || self.readable().find_map(|value| at(value, &["name"]).and_then(yaml::scalar));
        if let Some(name) = set.or_else(named) {
            return names::is_valid(&name).then_some(name);
        }
        let folder = deployment.root().file_name()?.to_string_lossy().to_lowercase();
        let plain: String = folder.chars().filter(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')).collect();
        let plain = plain.trim_start_matches(['-', '_']).to_owned();
        (!plain.is_empty()).then_some(plain)
    }
}

fn parse(text: &str) -> Result<Value, yaml::Fault> {
    let mut value = yaml::from_text::<Value>(text)?;
    value.apply_merge().map_err(|e| yaml::Fault(e.to_string()))?;
    Ok(value)
}

/// Docker networks from outside the project that a service joins, by the names that Docker has for them.
pub(crate) fn external_networks(files: &[&Value], service: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for file in files {
        let joined = match at(file, &["services", service, "networks"]) {
            Some(Value::Mapping(map)) => map.keys().filter_map(yaml::scalar).collect(),
            Some(list) => yaml::texts(list),
            None => Vec::new(),
        };
        for key in joined {
            let says = |path: &[&str]| files.iter().find_map(|f| at(f, &[&["networks", key.as_str()], path].concat()));
            if says(&["external"]).is_none_or(|external| *external == Value::Bool(false) || external.is_null()) {
                continue;
            }
            // `external: {name: …}` is the older spelling.
            let name = says(&["name"]).or_else(|| says(&["external", "name"])).and_then(yaml::scalar).unwrap_or(key);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

fn read_first(deployment: &Deployment, names: &[&'static str]) -> Vec<ComposeFile> {
    let mut found = Vec::new();
    for name in names {
        let (text, value) = match files::read(deployment, name) {
            Ok(None) => continue,
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => {
                    let value = parse(&text);
                    (text, value)
                }
                Err(e) => {
                    let why = format!("it is not UTF-8 text (byte {})", e.utf8_error().valid_up_to());
                    (String::from_utf8_lossy(e.as_bytes()).into_owned(), Err(yaml::Fault(why)))
                }
            },
            Err(error) => (String::new(), Err(yaml::Fault(error.to_string()))),
        };
        found.push(ComposeFile { name, text, value });
    }
    found
}

fn bind_mount(volume: &Value) -> Option<BindMount> {
    let (source, target) = match volume {
        Value::String(text) => {
            // A colon inside of `${NAME:-default}` separates nothing.
            let mut depth = 0_i32;
            let mut parts = text.split(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ':' && depth == 0
            });
            (parts.next()?.to_owned(), parts.next()?.to_owned())
        }
        other => (yaml::scalar(at(other, &["source"])?)?, yaml::scalar(at(other, &["target"])?)?),
    };
    // A bare word is a named volume.
    source.starts_with(['.', '/', '~', '$']).then(|| BindMount { source: plain(&source), target })
}

/// Whether a mount's source is a path inside the directory, as far as its text tells.
pub(crate) fn is_inside(source: &str) -> bool {
    inside(source).is_some()
}

/// `./config/x` → `config/x`; what leaves the directory stays as it is.
fn plain(source: &str) -> String {
    inside(source).unwrap_or_else(|| source.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(main: &str, over: Option<&str>) -> Found {
        let file = |name, text: &str| ComposeFile { name, text: text.into(), value: yaml::from_text(text) };
        Found {
            main: Some(file("docker-compose.yaml", main)),
            shadowed: Vec::new(),
            over: over.map(|text| file("docker-compose.override.yaml", text)),
        }
    }

    const QUICKSTART: &str = "
services:
  mcp-proxy:
    image: us-docker.pkg.dev/x/mcp-proxy@sha256:0
    volumes: ['./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']
  tunnel:
    image: cloudflare/cloudflared:2026.3.0
    network_mode: 'service:mcp-proxy'
  hello:
    image: x
    networks: { default: { aliases: [greeter] } }
";

    #[test]
    fn the_proxy_is_the_service_whose_namespace_cloudflared_shares() {
        let found = found(QUICKSTART, None);
        let services = found.services();
        assert_eq!((services.proxy.as_str(), services.cloudflared.as_str()), ("mcp-proxy", "tunnel"));
        assert_eq!(found.gateway_path("mcp-proxy").as_deref(), Some("config/mcp-proxy.yaml"));
        assert_eq!(found.service_named("greeter").as_deref(), Some("hello"));
        assert_eq!(found.service_named("nobody"), None);
    }

    #[test]
    fn the_configuration_is_found_in_a_mounted_folder_and_as_a_compose_config() {
        let config = "- './config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro'";
        let list = QUICKSTART.replace(
            "['./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']",
            "\n    - './config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro'\n    - './data:/data:ro'",
        );
        let path = |text: &str| found(text, None).gateway_path("mcp-proxy");
        assert_eq!(path(&list).as_deref(), Some("config/mcp-proxy.yaml"));
        assert_eq!(path(&list.replace(config, "- ./conf:/etc/mcp-gateway")).as_deref(), Some("conf/config.yaml"));
        assert_eq!(path(&list.replace(config, "- /etc:/etc:ro")), None);
        let as_config = list.replace(&format!("    {config}\n"), "");
        let entry = "    configs: [{source: gw, target: /etc/mcp-gateway/config.yaml}]\n  tunnel:\n";
        let text = format!("{}configs: {{gw: {{file: ./gw.yaml}}}}\n", as_config.replace("  tunnel:\n", entry));
        assert_eq!(path(&text).as_deref(), Some("gw.yaml"), "{text}");
        let found = found(&list, None);
        assert_eq!(found.source_of("mcp-proxy", "/data/tls.crt").as_deref(), Some("data/tls.crt"));
        assert_eq!(found.source_of("mcp-proxy", "/other/tls.crt"), None);
    }

    #[test]
    fn a_wrong_network_mode_makes_no_proxy() {
        let wrong = found(&QUICKSTART.replace("service:mcp-proxy", "service:hello"), None);
        assert_eq!(wrong.services().proxy, "mcp-proxy");
        let none = found(&QUICKSTART.replace("    network_mode: 'service:mcp-proxy'\n", ""), None);
        assert_eq!(none.services().proxy, "mcp-proxy");
    }

    #[test]
    fn the_override_wins_and_adds() {
        let found = found(QUICKSTART, Some("services: { own: { image: y }, tunnel: { image: z/cloudflared } }"));
        assert_eq!(found.service_named("own").as_deref(), Some("own"));
        assert_eq!(found.service("tunnel", "image").and_then(yaml::scalar).as_deref(), Some("z/cloudflared"));
    }

    #[test]
    fn only_what_cannot_leave_the_directory_is_inside() {
        assert_eq!(inside("./a/./b.env").as_deref(), Some("a/b.env"));
        for outside in ["../x", "a/../../x", "./config/../../home/.pgpass", "/etc/passwd", "~/x", "${X}/y"] {
            assert_eq!((inside(outside), is_inside(outside)), (None, false), "{outside}");
        }
    }
}
