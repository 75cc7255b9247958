//! `docker-compose.yaml` as the helper writes it.

mod file;

use std::collections::BTreeMap;

use super::gateway::LISTEN_ADDR;
use super::images::{CLOUDFLARED, ImageRef, PROXY, PYTHON};
use super::sample;
use super::settings::{McpPath, Namespace, Profile, Protocol, Settings};
use super::yaml::{self, Value, at, texts};
use crate::answer::Error;
use crate::deployment::route::DOCKER_HOST;
use crate::deployment::{Domain, Upstream, env_file, path};
use file::{Bind, Build, Dependency, Extension, File, HealthCheck, Logging, Mount, Network, Secret, Service, Services};

/// The user of the images; written out, so that the 0600 keys of the person stay unreadable in the containers.
pub(crate) const USER: &str = "65532:65532";
pub(crate) const PROXY_SERVICE: &str = "mcp-gateway";
/// Name of the tunnel agent's service.
pub(crate) const CLOUDFLARED_SERVICE: &str = "cloudflared";
/// Where the proxy's image looks for its configuration.
pub(crate) const CONFIG_TARGET: &str = "/etc/mcp-gateway/config.yaml";
/// Label with the hash of the configuration that the container was made for.
pub(crate) const CONFIG_LABEL: &str = "mcp-tunnels.config-sha256";
/// Label with the fingerprint of the token that the container was made with.
pub(crate) const TOKEN_LABEL: &str = "mcp-tunnels.token-fingerprint";
/// Loopback only: only what runs in cloudflared's own network namespace reaches it.
const METRICS: &str = "127.0.0.1:20241";
const SECRET: &str = "tunnel_token";
/// Four processors, in microseconds of each 100 ms. Engines refuse `cpus` above what the host has, and where the kernel
/// cannot limit at all; this they accept or pass over.
const CPU_QUOTA: u32 = 400_000;
/// Key of the network that the proxy and a separate cloudflared are on, and nothing else.
pub(crate) const TUNNEL_NETWORK: &str = "tunnel";
/// Where the file keeps what Compose has no place for.
const EXTENSION: &str = "x-mcp-tunnels";

/// What can be chosen about the stack, as far as the compose file holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choices {
    pub(crate) sample: bool,
    /// Route → path of its MCP endpoint, where a person chose it.
    pub(crate) paths: BTreeMap<String, String>,
    pub(crate) networks: Vec<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) namespace: Namespace,
    pub(crate) profile: Profile,
    pub(crate) proxy_image: String,
    pub(crate) cloudflared_image: String,
    /// Base of the sample's image; held by the sample's Dockerfile.
    pub(crate) python_image: String,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            sample: false,
            paths: BTreeMap::new(),
            networks: Vec::new(),
            protocol: None,
            namespace: Namespace::Shared,
            profile: Profile::Default,
            proxy_image: PROXY.into(),
            cloudflared_image: CLOUDFLARED.into(),
            python_image: PYTHON.into(),
        }
    }
}

impl Choices {
    /// Applies the settings of a request. What it does not mention stays.
    pub(crate) fn apply(&mut self, settings: &Settings) {
        let default = Self::default();
        self.sample = settings.sample.over(Some(self.sample)).unwrap_or_default();
        for (name, path) in &settings.paths.0 {
            match path {
                Some(path) => self.paths.insert(name.clone(), path.as_str().to_owned()),
                None => self.paths.remove(name),
            };
        }
        if settings.networks.is_mentioned() {
            let asked = settings.networks.over(None).unwrap_or_default();
            self.networks.clear();
            for network in asked {
                if !self.networks.iter().any(|n| n == network.as_str()) {
                    self.networks.push(network.as_str().to_owned());
                }
            }
        }
        self.protocol = settings.protocol.over(self.protocol).filter(|p| *p != Protocol::Auto);
        self.namespace = settings.namespace.over(Some(self.namespace)).unwrap_or_default();
        self.profile = settings.profile.over(Some(self.profile)).unwrap_or_default();
        if settings.images.is_mentioned() {
            let images = settings.images.over(None);
            let set = |slot: &mut String, change: Option<&crate::answer::request::Change<ImageRef>>, table: String| {
                let Some(change) = change else {
                    *slot = table;
                    return;
                };
                if change.is_mentioned() {
                    *slot = change.over(None).map_or(table, |image| image.as_str().to_owned());
                }
            };
            set(&mut self.proxy_image, images.as_ref().map(|i| &i.proxy), default.proxy_image);
            set(&mut self.cloudflared_image, images.as_ref().map(|i| &i.cloudflared), default.cloudflared_image);
            set(&mut self.python_image, images.as_ref().map(|i| &i.python), default.python_image);
        }
    }
}

/// The paths of routes that a compose file keeps; what is not a path is ignored.
pub(crate) fn paths(file: &Value) -> BTreeMap<String, String> {
    let kept = at(file, &[EXTENSION, "paths"]).and_then(Value::as_mapping);
    let one = |(name, path): (&Value, &Value)| {
        let path = McpPath::parse(&yaml::scalar(path)?).ok()?;
        Some((yaml::scalar(name)?, path.as_str().to_owned()))
    };
    kept.into_iter().flatten().filter_map(one).collect()
}

/// The words of a `command:`, which may be a list or one line.
pub(crate) fn words(command: &Value) -> Vec<String> {
    match command {
        Value::String(line) => shlex::split(line).unwrap_or_default(),
        other => texts(other),
    }
}

/// The value of a flag of a command, `--flag value` or `--flag=value`, by any of its names: the last one counts, and Go takes
/// one dash as well as two.
pub(crate) fn flag<'a>(words: &'a [String], names: &[&str]) -> Option<&'a str> {
    let value = |(at, word): (usize, &'a String)| {
        let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        match bare.split_once('=') {
            Some((name, value)) => names.contains(&name).then_some(value),
            None => words.get(at + 1).filter(|_| names.contains(&bare)).map(String::as_str),
        }
    };
    words.iter().enumerate().filter_map(value).next_back()
}

/// A read-only mount that SELinux hosts let the container read. Compose hands the label over only in the form of
/// mount that also makes missing sources, so `up` checks before that nothing is missing.
fn mount(source: &str, target: &'static str) -> Mount {
    Mount {
        r#type: "bind",
        source: format!("./{source}"),
        target,
        read_only: true,
        bind: Bind { create_host_path: true, selinux: "z" },
    }
}

fn service(image: &str, profile: Profile) -> Service {
    let hardened = profile == Profile::Hardened;
    Service {
        image: image.to_owned(),
        user: USER,
        restart: "unless-stopped",
        security_opt: vec!["no-new-privileges:true"],
        cap_drop: vec!["ALL"],
        pids_limit: hardened.then_some(256),
        mem_limit: if hardened { "512m" } else { "2g" },
        cpu_quota: CPU_QUOTA,
        logging: Logging { driver: "json-file", options: [("max-size", "10m"), ("max-file", "3")].into() },
        ..Service::default()
    }
}

/// Name of the Compose project: the folder's name would make one project of two folders called alike.
pub(crate) fn project_name(domain: &Domain) -> String {
    format!("mcp-tunnel-{}", domain.first_label())
}

/// The compose file for these choices. The same choices give the same bytes.
pub(crate) fn to_yaml(
    domain: &Domain,
    choices: &Choices,
    upstreams: &[Upstream],
    sample_image: &str,
) -> Result<String, Error> {
    let hardened = choices.profile == Profile::Hardened;
    let mut proxy = service(&choices.proxy_image, choices.profile);
    proxy.volumes = vec![mount(path::GATEWAY, CONFIG_TARGET), mount(path::DATA, "/data")];
    proxy.labels = [(CONFIG_LABEL, interpolated(env_file::CONFIG_HASH))].into();
    proxy.read_only = hardened.then_some(true);
    let tunnel = (choices.namespace == Namespace::Separate).then(|| tunnel_network(&choices.networks));
    if tunnel.is_some() || !choices.networks.is_empty() {
        let own = std::iter::once("default".to_owned()).chain(tunnel.clone());
        proxy.networks = own.chain(choices.networks.iter().cloned()).collect();
    }
    if upstreams.iter().any(|u| u.host_text() == DOCKER_HOST) {
        // Only Docker Desktop knows the name by itself.
        proxy.extra_hosts = vec![format!("{DOCKER_HOST}:host-gateway")];
    }

    let file = File {
        name: project_name(domain),
        extension: (!choices.paths.is_empty()).then(|| Extension { paths: choices.paths.clone() }),
        services: Services {
            proxy,
            cloudflared: agent_service(choices, tunnel.as_deref()),
            sample: choices.sample.then(|| sample_service(choices, sample_image)),
        },
        networks: choices
            .networks
            .iter()
            .map(|name| (name.clone(), Network { name: Some(name.clone()), external: Some(true) }))
            .chain(tunnel.map(|key| (key, Network { name: None, external: None })))
            .collect(),
        secrets: [(SECRET, Secret { environment: env_file::TOKEN })].into(),
    };
    yaml::to_text(&file)
}

/// `tunnel` is the network that it has with the proxy; `None` where it runs in the proxy's namespace.
fn agent_service(choices: &Choices, tunnel: Option<&str>) -> Service {
    // No `read_only` here, also when hardened: Compose copies the secret into the container's file system.
    let mut cloudflared = service(&choices.cloudflared_image, choices.profile);
    let dialled = match &tunnel {
        None => "localhost",
        Some(_) => PROXY_SERVICE,
    };
    // `restart: true`: when Compose restarts the proxy it gets a new network namespace, and a cloudflared that runs there
    // must follow. A separate one stays: its connections to the edge hold.
    let restart = tunnel.is_none().then_some(true);
    cloudflared.depends_on = Some([(PROXY_SERVICE, Dependency { condition: "service_started", restart })].into());
    match &tunnel {
        None => cloudflared.network_mode = Some(format!("service:{PROXY_SERVICE}")),
        Some(network) => cloudflared.networks = vec![(*network).to_owned()],
    }
    let protocol = choices.protocol.map(|p| ["--protocol".to_owned(), p.to_string()]);
    cloudflared.command = ["tunnel", "--no-autoupdate", "--metrics", METRICS]
        .map(str::to_owned)
        .into_iter()
        .chain(protocol.into_iter().flatten())
        .chain(["run".to_owned(), "--url".to_owned(), format!("http://{dialled}{LISTEN_ADDR}")])
        .collect();
    cloudflared.environment = [("TUNNEL_TOKEN_FILE", format!("/run/secrets/{SECRET}"))].into();
    cloudflared.secrets = vec![SECRET];
    cloudflared.healthcheck = Some(HealthCheck {
        test: vec!["CMD", "cloudflared", "tunnel", "--metrics", METRICS, "ready"],
        interval: "10s",
        timeout: "5s",
        retries: 3,
        // The pinned cloudflared falls back from blocked UDP to HTTP/2 after up to 155 s.
        start_period: "180s",
    });
    cloudflared.labels = [(TOKEN_LABEL, interpolated(env_file::TOKEN_FINGERPRINT))].into();
    cloudflared
}

fn tunnel_network(others: &[String]) -> String {
    let mut key = TUNNEL_NETWORK.to_owned();
    while others.contains(&key) {
        key.push_str("-own");
    }
    key
}

/// A variable of `.env`, empty where it is not set, without Compose's warning.
fn interpolated(variable: &str) -> String {
    format!("${{{variable}:-}}")
}

fn sample_service(choices: &Choices, image: &str) -> Service {
    let hardened = choices.profile == Profile::Hardened;
    let mut sample = service(image, choices.profile);
    sample.build = Some(Build {
        context: "./hello-mcp",
        // Names without values: taken from `.env` or the shell, left out where neither has them.
        args: vec!["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"],
    });
    // An image that is only ever built here: without this Compose asks a registry at `localhost` for it first.
    sample.pull_policy = Some("never");
    // As PID 1 Python ignores SIGTERM until it has installed its handlers: a stop would take ten seconds.
    sample.init = Some(true);
    sample.volumes = vec![mount(sample::SERVER, "/app/server.py")];
    sample.healthcheck = Some(HealthCheck {
        // A connection, not a request: the access log stays a log of calls.
        test: vec![
            "CMD",
            "python",
            "-IS",
            "-c",
            "import socket; socket.create_connection(('127.0.0.1', 9000), 2).close()",
        ],
        interval: "5s",
        timeout: "5s",
        retries: 3,
        start_period: "30s",
    });
    sample.read_only = hardened.then_some(true);
    if hardened {
        sample.tmpfs = vec!["/tmp"];
    }
    sample
}
