//! `check`: lints a deployment as it stands on disk, whoever wrote it. Gathers facts, then asks a table of checks.

use crate::rules::RuleId;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::request::UNEXPECTED_LIST;
use crate::answer::{Error, Finding, Next, Report, Severity, Skipped};
use crate::caller::{Caller, Services};
use crate::certs::disk::{Judged, OnDisk};
use crate::commands::token;
use crate::config;
use crate::config::compose::words;
use crate::config::found::{Found, is_inside};
use crate::config::gateway::{Gateway, data_file};
use crate::config::images;
use crate::config::sample;
use crate::config::yaml::{self, Value};
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::route::{Host, Scheme};
use crate::deployment::{Deployment, Domain, RouteName, Token, TokenState, Upstream, path};
use crate::os::files;
use crate::os::git::{self, GitState};
use crate::rules;

/// The request of `check`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckRequest {}

/// What `check` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckData {
    /// The tunnel's domain.
    domain: Option<Domain>,
    /// The compose file that counts.
    compose_file: Option<String>,
    /// Name of the Compose project.
    project: Option<String>,
    /// The routes.
    routes: BTreeMap<String, String>,
    /// How many checks ran.
    checks: usize,
    /// How many of the certificates' requirements are met.
    requirements_met: usize,
}

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

/// Everything that the checks ask for.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    deployment: &'a Deployment,
    caller: &'a Caller,
    /// The tunnel's domain.
    pub(crate) domain: Option<Domain>,
    env: Option<EnvFile>,
    token: TokenState,
    git: GitState,
    git_key: Option<GitState>,
    /// The compose files.
    pub(crate) found: Found,
    /// What the services are called.
    pub(crate) services: Services,
    /// Where the proxy's configuration lies, as a path inside the directory if it is there.
    pub(crate) gateway_path: String,
    /// The proxy's configuration.
    pub(crate) gateway: GatewayFile,
    certificates: Option<Judged>,
    /// User and group that the proxy runs as.
    user: (u32, u32),
}

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<Finding>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Verdict {
    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Whether anything found keeps the stack from working. What merely endangers a secret does not.
    pub(crate) fn is_fatal(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error && f.id.rule().blocks)
    }
}

/// The checks, in no order that matters: each looks at the facts and says what it finds.
const CHECKS: &[fn(&Facts<'_>, &mut Verdict)] = &[
    directory_is_closed,
    env_is_sound,
    token_is_there,
    secrets_stay_out_of_git,
    keys_are_closed,
    domains_agree,
    compose_file_is_readable,
    services_are_there,
    network_is_shared,
    proxy_is_dialled,
    token_is_hidden,
    ports_stay_closed,
    images_are_pinned,
    gateway_is_sound,
    container_reads_its_files,
    certificates_are_files,
    mounts_are_there,
    routes_lead_somewhere,
    upstream_trust_is_there,
    certificates_are_sound,
];

impl<'a> Facts<'a> {
    /// Reads what the checks need; decides nothing.
    ///
    /// # Errors
    /// `directory` when there is none; reading errors of the files that everything else hangs on.
    pub(crate) fn gather(deployment: &'a Deployment, caller: &'a Caller) -> Result<Self, Error> {
        deployment.require()?;
        let env = config::read_env(deployment)?;
        let found = Found::read(deployment)?;
        let services = found.services();
        let gateway_path = gateway_path(deployment, &found, &services);
        let gateway = read_gateway(deployment, &found, gateway_path.as_deref());
        let domain = config::known_domain(deployment)?;
        let labels = match (gateway.good(), &domain) {
            (Some(gateway), Some(domain)) => labels(gateway.routes.keys(), domain),
            (None, _) | (_, None) => Vec::new(),
        };
        let certificates = domain.as_ref().map(|d| OnDisk::read(deployment).judge(d, &labels, caller.now));
        let token = TokenState::of(env.as_ref().and_then(|env| env.get(env_file::TOKEN)).as_deref());
        let git = git::state(deployment, path::ENV);
        let git_key = files::metadata(deployment, path::CA_KEY).ok().flatten().map(|_| match &git {
            GitState::NoRepository | GitState::Unknown(_) => git.clone(),
            GitState::Ignored | GitState::NotIgnored | GitState::Tracked => git::state(deployment, path::CA_KEY),
        });
        let user = proxy_user(&found, &services.proxy);
        Ok(Self {
            deployment,
            caller,
            domain,
            env,
            token,
            git,
            git_key,
            found,
            services,
            gateway_path: gateway_path.unwrap_or_else(|| path::GATEWAY.into()),
            gateway,
            certificates,
            user,
        })
    }

    /// Asks every check.
    pub(crate) fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for check in CHECKS {
            check(self, &mut verdict);
        }
        verdict
    }

    /// Whether nothing here looks like a deployment, begun or finished.
    pub(crate) fn are_of_nothing(&self) -> bool {
        let absent = |inside| matches!(files::metadata(self.deployment, inside), Ok(None));
        self.found.main.is_none() && self.env.is_none() && absent(path::GATEWAY) && absent(path::DATA)
    }

    /// What `.env` says.
    pub(crate) fn env(&self) -> Option<&EnvFile> {
        self.env.as_ref()
    }

    /// The routes, as far as the configuration can be read.
    pub(crate) fn routes(&self) -> BTreeMap<String, String> {
        self.gateway.good().map(|gateway| gateway.routes.clone()).unwrap_or_default()
    }

    /// Name of the Compose project.
    pub(crate) fn project(&self) -> Option<String> {
        self.found.project(self.deployment, self.env.as_ref())
    }

    /// Variables of the shell that must not reach Compose.
    pub(crate) fn variables(&self) -> std::collections::BTreeSet<String> {
        self.found.variables(self.env.as_ref())
    }
}

/// `65532:65532`, `65532`, `root`.
fn ids(user: &str) -> (u32, u32) {
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    let number = |text: &str| text.parse().unwrap_or(if text == "root" { 0 } else { 65532 });
    (number(uid), number(gid))
}

/// Where the proxy's configuration lies, as a path inside the directory if it is there.
fn gateway_path(deployment: &Deployment, found: &Found, services: &Services) -> Option<String> {
    let Some(source) = found.gateway_path(&services.proxy) else {
        // Without a readable compose file our own layout is the best guess; with one, no mount means no file.
        return found.main.as_ref().is_none_or(|main| main.value.is_err()).then(|| path::GATEWAY.to_owned());
    };
    let root = format!("{}/", deployment.root().to_string_lossy());
    Some(source.strip_prefix(&root).map(str::to_owned).unwrap_or(source))
}

fn read_gateway(deployment: &Deployment, found: &Found, inside: Option<&str>) -> GatewayFile {
    let Some(inside) = inside else {
        let name = found.main.as_ref().map_or(path::COMPOSE, |main| main.name);
        return GatewayFile::Missing(format!("`{name}` mounts nothing at /etc/mcp-gateway/config.yaml"));
    };
    if !is_inside(inside) {
        return GatewayFile::Elsewhere(inside.to_owned());
    }
    match files::metadata(deployment, inside) {
        Ok(Some(meta)) if meta.is_dir() => return GatewayFile::Directory,
        Ok(_) => {}
        Err(error) => return GatewayFile::Unreadable(error.to_string()),
    }
    match files::read_text(deployment, inside) {
        Ok(None) => GatewayFile::Missing(format!("`{inside}` is not there")),
        Ok(Some(text)) => match Gateway::parse(&text) {
            Ok(gateway) => GatewayFile::Good(Box::new(gateway)),
            Err(fault) => GatewayFile::Faulty(fault),
        },
        Err(error) => GatewayFile::Unreadable(error.to_string()),
    }
}

/// The routes of a directory; empty where there are none that can be read.
///
/// # Errors
/// Reading errors of the compose files.
pub(crate) fn routes(deployment: &Deployment) -> Result<BTreeMap<String, String>, Error> {
    let found = Found::read(deployment)?;
    let services = found.services();
    let inside = gateway_path(deployment, &found, &services);
    let gateway = read_gateway(deployment, &found, inside.as_deref());
    Ok(gateway.good().map(|gateway| gateway.routes.clone()).unwrap_or_default())
}

/// The finding about a proxy configuration that is there and cannot be used.
///
/// # Errors
/// Reading errors of the compose files.
pub(crate) fn gateway_fault_of(deployment: &Deployment) -> Result<Option<Finding>, Error> {
    let found = Found::read(deployment)?;
    let inside = gateway_path(deployment, &found, &found.services());
    let name = inside.clone().unwrap_or_default();
    Ok(match read_gateway(deployment, &found, inside.as_deref()) {
        GatewayFile::Faulty(fault) => Some(gateway_fault(&fault, &name)),
        GatewayFile::Directory => {
            Some(rules::finding(RuleId::ProxyConfigIsDir).with(format!("`{name}` is a directory")))
        }
        GatewayFile::Missing(_) | GatewayFile::Elsewhere(_) | GatewayFile::Unreadable(_) | GatewayFile::Good(_) => None,
    })
}

/// Names of the routes that stand in front of the domain, for the certificate.
pub(crate) fn route_labels(deployment: &Deployment, domain: &Domain) -> Vec<String> {
    labels(routes(deployment).unwrap_or_default().keys(), domain)
}

/// The labels among the keys of `routes`; a key may also be a whole host name.
fn labels<'a>(names: impl Iterator<Item = &'a String>, domain: &Domain) -> Vec<String> {
    let suffix = format!(".{domain}");
    names
        .map(|name| name.strip_suffix(&suffix).unwrap_or(name).to_owned())
        .filter(|name| RouteName::parse(name).is_ok())
        .collect()
}

/// The finding that goes with a configuration that the proxy could not read either.
pub(crate) fn gateway_fault(fault: &yaml::Fault, inside: &str) -> Finding {
    let text = fault.0.as_str();
    let id = if text.starts_with("routes: ") && text.contains(UNEXPECTED_LIST) {
        RuleId::ProxyConfigRoutesList
    } else if text.contains("invalid type") || text.contains("unknown field") || text.contains("missing field") {
        RuleId::ProxyConfigType
    } else {
        RuleId::ProxyConfigYaml
    };
    rules::finding(id).with(format!("`{inside}`: {text}"))
}

/// Findings about the mode of `.env`.
///
/// # Errors
/// When it cannot be looked at.
pub(crate) fn env_mode(deployment: &Deployment) -> Result<Vec<Finding>, Error> {
    let Some(meta) = files::metadata(deployment, path::ENV)? else { return Ok(Vec::new()) };
    Ok(exposure(meta.mode(), "`.env`", RuleId::EnvReadable, RuleId::EnvWritable).into_iter().collect())
}

fn exposure(mode: u32, what: &str, readable: RuleId, writable: RuleId) -> Option<Finding> {
    let text = format!("{what} has mode {:04o}", mode & 0o7777);
    if mode & 0o022 != 0 {
        Some(rules::finding(writable).with(text))
    } else if mode & 0o044 != 0 {
        Some(rules::finding(readable).with(text))
    } else {
        None
    }
}

fn directory_is_closed(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(open_directory(facts.deployment));
}

/// The finding about a directory that others on this host can enter.
pub(crate) fn open_directory(deployment: &Deployment) -> Option<Finding> {
    let mode = std::fs::metadata(deployment.root()).ok()?.mode() & 0o7777;
    (mode & 0o077 != 0).then(|| rules::finding(RuleId::DirectoryOpen).with(format!("mode {mode:04o}")))
}

fn env_is_sound(facts: &Facts<'_>, verdict: &mut Verdict) {
    let Some(env) = &facts.env else {
        verdict.push(rules::finding(RuleId::EnvMissing));
        return;
    };
    for fault in env.faults().iter().take(1) {
        verdict.push(rules::finding(RuleId::ComposeEnvInvalid).with(fault.to_string()));
    }
    if env.get("COMPOSE_FILE").is_some_and(|value| !value.is_empty()) {
        verdict.push(rules::finding(RuleId::ComposeFileElsewhere));
    }
    match env_mode(facts.deployment) {
        Ok(found) => verdict.findings.extend(found),
        Err(error) => verdict.skipped.push(Skipped::new(RuleId::EnvReadable, error.to_string())),
    }
}

fn token_is_there(facts: &Facts<'_>, verdict: &mut Verdict) {
    if facts.env.is_none() {
        return;
    }
    verdict.findings.extend(token::state_finding(&facts.token));
    if let TokenState::Set(token) = &facts.token {
        verdict.findings.extend(token::shadow(token, facts.caller));
    }
}

fn secrets_stay_out_of_git(facts: &Facts<'_>, verdict: &mut Verdict) {
    if let GitState::Unknown(why) = &facts.git {
        verdict.skipped.push(Skipped::new(RuleId::GitNotIgnored, why.clone()));
    }
    if facts.env.is_some() {
        verdict.findings.extend(token::git_finding(&facts.git, path::ENV));
    }
    if let Some(state) = &facts.git_key {
        verdict.findings.extend(token::git_finding(state, path::CA_KEY));
    }
}

fn keys_are_closed(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(key_modes(facts.deployment));
}

/// Findings about who on this host may read or write the keys.
pub(crate) fn key_modes(deployment: &Deployment) -> Vec<Finding> {
    let mut found = Vec::new();
    // The other two are there while the CA is being changed.
    for key in [path::CA_KEY, path::CA_NEXT_KEY, path::CA_OLD_KEY] {
        if let Ok(Some(meta)) = files::metadata(deployment, key) {
            found.extend(exposure(meta.mode(), &format!("`{key}`"), RuleId::KeyReadable, RuleId::KeyWritable));
        }
    }
    if let Ok(Some(meta)) = files::metadata(deployment, path::TLS_KEY)
        && meta.mode() & 0o022 != 0
    {
        let text = format!("`data/tls.key` has mode {:04o}", meta.mode() & 0o7777);
        found.push(rules::finding(RuleId::KeyWritable).with(text));
    }
    found
}

/// User and group that the proxy runs as; the image's own where the compose file does not say.
pub(crate) fn proxy_user(found: &Found, proxy: &str) -> (u32, u32) {
    found.service(proxy, "user").and_then(yaml::scalar).map_or((65532, 65532), |user| ids(&user))
}

/// The finding about certificates that the proxy's user may not read.
pub(crate) fn unreadable_certificates(deployment: &Deployment, user: (u32, u32)) -> Option<Finding> {
    let denied = |inside, bit| denied(deployment, user, inside, bit);
    let text = denied(path::DATA, 1).or_else(|| denied(path::TLS_KEY, 4)).or_else(|| denied(path::TLS_CRT, 4));
    text.map(|text| rules::finding(RuleId::ProxyKeyDenied).with(text))
}

/// Says that the proxy's user may not do what `bit` says (4 read, 1 enter).
fn denied(deployment: &Deployment, user: (u32, u32), inside: &str, bit: u32) -> Option<String> {
    let meta = files::metadata(deployment, inside).ok().flatten()?;
    (!allows(&meta, user, bit))
        .then(|| format!("`{inside}` has mode {:04o}, the proxy runs as user {}", meta.mode() & 0o7777, user.0))
}

fn domains_agree(facts: &Facts<'_>, verdict: &mut Verdict) {
    let GatewayFile::Good(gateway) = &facts.gateway else { return };
    let Some(domain) = &facts.domain else { return };
    match gateway.tunnel_domain.as_deref() {
        Some(said) if said == domain.as_str() => {}
        Some(said) => verdict.push(
            rules::finding(RuleId::DomainMismatch)
                .with(format!("TUNNEL_DOMAIN in `.env`: {domain}"))
                .with(format!("tunnel_domain in `{}`: {said}", facts.gateway_path)),
        ),
        // Without it only whole host names are found.
        None if gateway.routes.keys().any(|name| !name.contains('.')) => verdict.push(
            rules::finding(RuleId::DomainMismatch).with(format!("`{}` has no tunnel_domain", facts.gateway_path)),
        ),
        None => {}
    }
}

fn compose_file_is_readable(facts: &Facts<'_>, verdict: &mut Verdict) {
    let Some(main) = &facts.found.main else {
        verdict.push(rules::finding(RuleId::ComposeFileMissing));
        return;
    };
    if let Some(hidden) = facts.found.shadowed.first() {
        verdict.push(rules::finding(RuleId::ComposeFileShadowed).with(format!("`{}` hides `{hidden}`", main.name)));
    }
    for file in [Some(main), facts.found.over.as_ref()].into_iter().flatten() {
        if let Err(fault) = &file.value {
            verdict.push(rules::finding(RuleId::ComposeYamlInvalid).with(format!("`{}`: {}", file.name, fault.0)));
        }
    }
}

/// Whether the compose files can be read, so that what is missing in them is really missing.
fn compose_is_known(facts: &Facts<'_>) -> bool {
    facts.found.main.as_ref().is_some_and(|main| main.value.is_ok())
        && facts.found.over.as_ref().is_none_or(|over| over.value.is_ok())
}

fn services_are_there(facts: &Facts<'_>, verdict: &mut Verdict) {
    if !compose_is_known(facts) || facts.found.includes_others() {
        return;
    }
    let names = facts.found.service_names();
    let mode = facts.found.service(&facts.services.cloudflared, "network_mode").and_then(yaml::scalar);
    let shared = mode.as_deref().and_then(|mode| mode.strip_prefix("service:"));
    let needed = [Some(facts.services.proxy.as_str()), Some(facts.services.cloudflared.as_str()), shared];
    for name in needed.into_iter().flatten().filter(|name| !names.contains(*name)).take(1) {
        verdict.push(rules::finding(RuleId::ComposeServiceUndefined).with(format!("there is no service `{name}`")));
    }
}

fn network_is_shared(facts: &Facts<'_>, verdict: &mut Verdict) {
    let cloudflared = &facts.services.cloudflared;
    if !compose_is_known(facts) || !facts.found.service_names().contains(cloudflared) {
        return;
    }
    let mode = facts.found.service(cloudflared, "network_mode").and_then(yaml::scalar);
    let proxy = facts.services.proxy.as_str();
    let shared = mode.as_deref().and_then(|mode| mode.strip_prefix("service:"));
    // A name that no service has is another finding.
    if shared.is_none_or(|name| name != proxy && facts.found.service_names().contains(name)) {
        let text = mode.as_deref().map_or_else(
            || "it has no `network_mode`".into(),
            |mode| format!("its `network_mode` is `{mode}`, the proxy is `{proxy}`"),
        );
        verdict.push(rules::finding(RuleId::NetworkModeMissing).with(text));
    } else {
        let own: Vec<&str> = ["networks", "dns", "extra_hosts", "ports"]
            .into_iter()
            .filter(|key| facts.found.service(cloudflared, key).is_some_and(|v| !v.is_null()))
            .collect();
        if !own.is_empty() {
            verdict.push(
                rules::finding(RuleId::ComposeNetmodeConflict).with(format!("`{cloudflared}` has {}", own.join(", "))),
            );
        }
    }
    let plain = match facts.found.service(cloudflared, "depends_on") {
        Some(Value::Sequence(list)) => list.iter().any(|v| v.as_str() == Some(proxy)),
        Some(map) => yaml::at(map, &[proxy]).is_some_and(|d| yaml::at(d, &["restart"]) != Some(&Value::Bool(true))),
        None => false,
    };
    if plain {
        verdict.push(rules::finding(RuleId::DependsOnPlain));
    }
}

fn proxy_is_dialled(facts: &Facts<'_>, verdict: &mut Verdict) {
    let cloudflared = &facts.services.cloudflared;
    if !compose_is_known(facts) || !facts.found.service_names().contains(cloudflared) {
        return;
    }
    let command = facts.found.service(cloudflared, "command").map(words).unwrap_or_default();
    let flag = command.iter().position(|word| word == "--url").and_then(|at| command.get(at + 1).cloned());
    let inline = command.iter().find_map(|word| word.strip_prefix("--url=").map(str::to_owned));
    let Some(url) = flag.or(inline).or_else(|| environment(facts, cloudflared, "TUNNEL_URL")) else {
        verdict.push(rules::finding(RuleId::NoIngressUrl).with(format!("command: {}", command.join(" "))));
        return;
    };
    let GatewayFile::Good(gateway) = &facts.gateway else { return };
    let listen = gateway.listen_addr.as_deref().unwrap_or_default();
    let port = listen.rsplit(':').next().unwrap_or_default();
    let same_port = url.rsplit(':').next().map(|p| p.trim_end_matches('/')) == Some(port);
    if !url.starts_with("http://") || !same_port {
        verdict.push(rules::finding(RuleId::ListenMismatch).with(format!("listen_addr: \"{listen}\", --url {url}")));
    }
}

/// A variable of a service's `environment`, in both of Compose's spellings; Compose merges those of both files.
fn environment(facts: &Facts<'_>, service: &str, name: &str) -> Option<String> {
    facts.found.each(service, "environment").find_map(|value| match value {
        Value::Sequence(list) => list.iter().filter_map(yaml::scalar).find_map(|entry| {
            let (key, value) = entry.split_once('=').unwrap_or((&entry, ""));
            (key == name).then(|| value.to_owned())
        }),
        map => yaml::at(map, &[name]).map(|value| yaml::scalar(value).unwrap_or_default()),
    })
}

fn token_is_hidden(facts: &Facts<'_>, verdict: &mut Verdict) {
    for file in [facts.found.main.as_ref(), facts.found.over.as_ref()].into_iter().flatten() {
        let in_env = facts.env().and_then(|env| env.get(env_file::TOKEN)).filter(|token| token.starts_with("eyJ"));
        if Token::is_within(&file.text) || in_env.is_some_and(|token| file.text.contains(token.trim())) {
            verdict.push(rules::finding(RuleId::TokenInFile).with(format!("`{}`", file.name)));
        }
    }
    let cloudflared = &facts.services.cloudflared;
    let command = facts.found.service(cloudflared, "command").map(words).unwrap_or_default();
    let in_command = command.iter().any(|word| word.starts_with("--token") && !word.starts_with("--token-file"));
    if in_command || environment(facts, cloudflared, env_file::TOKEN).is_some() {
        let place = if in_command { "command" } else { "environment" };
        verdict.push(rules::finding(RuleId::TokenInClear).with(format!("`{place}` of the service `{cloudflared}`")));
    }
}

fn ports_stay_closed(facts: &Facts<'_>, verdict: &mut Verdict) {
    let ours = [facts.services.proxy.as_str(), sample::SERVICE];
    let open: Vec<&str> = ours
        .into_iter()
        .filter(|name| {
            let ports = facts.found.service(name, "ports").and_then(Value::as_sequence);
            ports.is_some_and(|ports| !ports.is_empty())
        })
        .collect();
    if !open.is_empty() {
        verdict.push(rules::finding(RuleId::PortsPublished).with(open.join(", ")));
    }
}

fn images_are_pinned(facts: &Facts<'_>, verdict: &mut Verdict) {
    let loose: Vec<String> = [&facts.services.proxy, &facts.services.cloudflared]
        .into_iter()
        .filter_map(|name| Some((name, facts.found.service(name, "image").and_then(yaml::scalar)?)))
        .filter(|(_, image)| !images::is_pinned(image))
        .map(|(name, image)| format!("{name}: {image}"))
        .collect();
    if !loose.is_empty() {
        verdict.push(loose.iter().fold(rules::finding(RuleId::ImageUnpinned), |finding, text| finding.with(text)));
    }
}

fn gateway_is_sound(facts: &Facts<'_>, verdict: &mut Verdict) {
    let inside = &facts.gateway_path;
    match &facts.gateway {
        GatewayFile::Missing(why) => verdict.push(rules::finding(RuleId::ProxyConfigMissing).with(why)),
        GatewayFile::Elsewhere(place) => verdict
            .skipped
            .push(Skipped::new(RuleId::ProxyConfigYaml, format!("`{place}` lies outside of the directory"))),
        GatewayFile::Directory => {
            verdict.push(rules::finding(RuleId::ProxyConfigIsDir).with(format!("`{inside}` is a directory")));
        }
        GatewayFile::Unreadable(why) => verdict.push(rules::finding(RuleId::ProxyConfigDenied).with(why)),
        GatewayFile::Faulty(fault) => verdict.push(gateway_fault(fault, inside)),
        GatewayFile::Good(gateway) => {
            if gateway.routes.is_empty() {
                verdict.push(rules::finding(RuleId::ProxyConfigRoutesEmpty).with(format!("`{inside}`")));
            }
            verdict.findings.extend(gateway.open_finding());
        }
    }
}

/// Whether the proxy's user may do what `bit` says (4 read, 1 enter), as the mode tells.
fn allows(meta: &std::fs::Metadata, user: (u32, u32), bit: u32) -> bool {
    let (uid, gid) = user;
    let shift = if meta.uid() == uid {
        6
    } else if meta.gid() == gid {
        3
    } else {
        0
    };
    uid == 0 || meta.mode() >> shift & bit != 0
}

fn container_reads_its_files(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(unreadable_certificates(facts.deployment, facts.user));
    if matches!(facts.gateway, GatewayFile::Good(_) | GatewayFile::Faulty(_))
        && let Some(text) = denied(facts.deployment, facts.user, &facts.gateway_path, 4)
    {
        verdict.push(rules::finding(RuleId::ProxyConfigDenied).with(text));
    }
}

/// A stack that mounts them one by one gets directories in their place when it is started too early.
fn certificates_are_files(facts: &Facts<'_>, verdict: &mut Verdict) {
    for inside in [path::TLS_CRT, path::TLS_KEY] {
        if std::fs::symlink_metadata(facts.deployment.root().join(inside)).is_ok_and(|meta| meta.is_dir()) {
            let text = format!("`{inside}` is a directory: Docker makes one where a mounted file is missing");
            let mut finding = rules::finding(RuleId::ProxyCertMissing).with(text);
            finding.fix = format!(
                "`{{helper}} down --dir {{dir}}`, remove the directory `{inside}`, `{{helper}} certs issue --dir {{dir}}`, \
                 then `{{helper}} up --dir {{dir}}`"
            );
            verdict.push(finding);
        }
    }
}

/// Docker makes an empty directory where the source of a bind mount is missing, and says nothing.
fn mounts_are_there(facts: &Facts<'_>, verdict: &mut Verdict) {
    for service in facts.found.service_names() {
        for mount in facts.found.mounts(&service) {
            // The proxy's own files have findings of their own.
            let known = [facts.gateway_path.as_str(), path::DATA, path::TLS_CRT, path::TLS_KEY];
            let known = known.contains(&mount.source.as_str());
            if known || mount.source.is_empty() || mount.source.contains('$') || mount.source.starts_with('~') {
                continue;
            }
            let place = facts.deployment.root().join(&mount.source);
            let what = match std::fs::metadata(&place) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there",
                Ok(meta) if meta.is_dir() && is_file_name(&mount.target) && is_empty(&place) => "is an empty directory",
                Ok(_) | Err(_) => continue,
            };
            verdict.push(
                rules::finding(RuleId::MountMissing)
                    .with(format!("service `{service}` mounts `{}`, which {what}", mount.source)),
            );
        }
    }
}

fn is_file_name(target: &str) -> bool {
    let name = target.rsplit('/').next().unwrap_or_default();
    name.trim_start_matches('.').contains('.')
}

fn is_empty(directory: &std::path::Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
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

fn routes_lead_somewhere(facts: &Facts<'_>, verdict: &mut Verdict) {
    let GatewayFile::Good(gateway) = &facts.gateway else { return };
    let suffix = facts.domain.as_ref().map(|domain| format!(".{domain}")).unwrap_or_default();
    for (name, text) in &gateway.routes {
        let label = name.strip_suffix(&suffix).unwrap_or(name);
        if let Err(why) = RouteName::parse(label) {
            verdict.push(rules::finding(RuleId::RouteNameInvalid).with(why));
        }
        let upstream = match Upstream::parse(text) {
            Ok(upstream) => upstream,
            Err(why) => {
                verdict.push(rules::finding(RuleId::ProxyConfigUpstream).with(format!("route `{name}`: {why}")));
                continue;
            }
        };
        if let Some(why) = gateway.refusal(&upstream) {
            verdict.push(
                rules::finding(RuleId::UpstreamIpRejected).with(format!("route `{name}` leads to {upstream}, {why}")),
            );
            continue;
        }
        if !compose_is_known(facts) {
            continue;
        }
        match target(&upstream, &facts.found, &facts.services.proxy) {
            Target::Service(_) => {}
            Target::Nobody => verdict.push(
                rules::finding(RuleId::UpstreamUndefined)
                    .with(format!("route `{name}` leads to `{}`, which no compose file defines", upstream.host_text())),
            ),
            Target::Joined(host) => verdict.skipped.push(Skipped::new(
                format!("upstream:{name}"),
                format!("`{host}` may be on a network that the proxy joins; only a running Docker can tell"),
            )),
            Target::Outside(why) | Target::Unknown(why) => {
                verdict.skipped.push(Skipped::new(format!("upstream:{name}"), format!("{upstream}: {why}")));
            }
        }
    }
}

fn upstream_trust_is_there(facts: &Facts<'_>, verdict: &mut Verdict) {
    let GatewayFile::Good(gateway) = &facts.gateway else { return };
    let https = gateway
        .routes
        .iter()
        .find(|(_, text)| Upstream::parse(text).is_ok_and(|upstream| upstream.scheme() == Scheme::Https));
    if let Some((name, text)) = https
        && !gateway.trusts_someone()
    {
        verdict.push(rules::finding(RuleId::UpstreamTls).with(format!("route `{name}` leads to {text}")));
    }
    let Some(file) = gateway.upstream.as_ref().and_then(|u| u.tls.as_ref()).and_then(|tls| tls.ca_file.as_ref()) else {
        return;
    };
    let inside = data_file(file).map(|name| format!("{}/{name}", path::DATA));
    let meta = inside.as_deref().and_then(|inside| files::metadata(facts.deployment, inside).ok().flatten());
    match (inside, meta) {
        (Some(_), Some(meta)) if meta.is_file() && allows(&meta, facts.user, 4) => {}
        (Some(inside), Some(_)) => {
            verdict.push(
                rules::finding(RuleId::UpstreamCaMissing).with(format!("`{inside}` is not readable for the proxy")),
            );
        }
        (Some(inside), None) => {
            verdict.push(rules::finding(RuleId::UpstreamCaMissing).with(format!("`{inside}` is not there")));
        }
        // A mount of the person's own.
        (None, _) => verdict.skipped.push(Skipped::new(
            RuleId::UpstreamCaMissing,
            format!("`{file}` is not in the deployment's `data` folder"),
        )),
    }
}

fn certificates_are_sound(facts: &Facts<'_>, verdict: &mut Verdict) {
    let Some(judged) = &facts.certificates else {
        verdict.skipped.push(Skipped::new(RuleId::TlsBadCert, "the tunnel's domain is not known"));
        return;
    };
    // That a directory cannot be read as a key or a certificate is said already.
    let told = |text: &str| text.contains("it is a directory");
    let new = |f: &&Finding| !f.evidence.iter().any(|text| told(text));
    verdict.findings.extend(judged.findings.iter().filter(new).cloned());
    verdict.skipped.extend(judged.skipped.iter().filter(|s| !told(&s.reason)).cloned());
}

/// The command.
///
/// # Errors
/// `directory` when there is no deployment directory, reading errors.
pub(crate) fn run(deployment: &Deployment, caller: &mut Caller) -> Result<Report<CheckData>, Error> {
    let for_facts = caller.clone();
    let facts = Facts::gather(deployment, &for_facts)?;
    caller.services = facts.services.clone();
    caller.domain = facts.domain.as_ref().map(ToString::to_string);
    let verdict = facts.judge();
    let count = |severity| verdict.findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let summary = match (errors, warnings) {
        (0, 0) => "the deployment is sound as far as its files tell".to_owned(),
        (0, n) => format!("the deployment is sound as far as its files tell, with {n} warning(s)"),
        (n, _) if verdict.is_fatal() => format!("{n} error(s) keep the deployment from working"),
        (n, _) => format!("the deployment would work, and has {n} error(s) that endanger it"),
    };
    let data = CheckData {
        domain: facts.domain.clone(),
        compose_file: facts.found.main.as_ref().map(|main| main.name.to_owned()),
        project: facts.project(),
        routes: facts.routes(),
        checks: CHECKS.len(),
        requirements_met: facts.certificates.as_ref().map_or(0, |judged| judged.met),
    };
    let mut report = Report::new(summary, data);
    if errors == 0 {
        report.next.push(Next::helper("start the stack and wait until it is live", caller.command(&["up"])));
    }
    report.findings = verdict.findings;
    report.skipped = verdict.skipped;
    Ok(report)
}
