//! `check`: lints a deployment as it stands on disk, whoever wrote it. Gathers facts, then asks a table of checks.

use super::facts::Facts;
use super::secrets;
use crate::answer::{Finding, Severity, Skipped, Subject};
use crate::config::compose::words;
use crate::config::gateway::{self, data_file};
use crate::config::images;
use crate::config::sample;
use crate::config::yaml::{self, Value};
use crate::deployment::env_file;
use crate::deployment::modes;
use crate::deployment::route::Scheme;
use crate::deployment::scaffold;
use crate::deployment::{RouteName, Token, TokenState, Upstream, path};
use crate::model::current::{self, GatewayFile, Target};
use crate::os::files;
use crate::os::git::GitState;
use crate::redact::names;
use crate::rules;
use crate::rules::RuleId;

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
pub(crate) const CHECKS: &[fn(&Facts<'_>, &mut Verdict)] = &[
    directory_is_closed,
    env_is_sound,
    token_is_there,
    secrets_stay_out_of_git,
    keys_are_closed,
    domains_agree,
    compose_file_is_readable,
    names_are_names,
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

/// Asks every check.
pub(crate) fn judge(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for check in CHECKS {
        check(facts, &mut verdict);
    }
    verdict
}

fn directory_is_closed(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(modes::open_directory(facts.deployment));
    let mounts = facts.found.mounts(&facts.services.proxy);
    if mounts.iter().any(|mount| mount.source.trim_end_matches('/') == path::DATA) {
        verdict.findings.extend(modes::foreign_data(facts.deployment));
    }
}

fn env_is_sound(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(facts.domain_fault.clone());
    let Some(env) = &facts.env else {
        verdict.push(facts.env_fault.clone().unwrap_or_else(|| rules::finding(RuleId::EnvMissing)));
        return;
    };
    verdict.findings.extend(scaffold::env_fault(env));
    if env.get("COMPOSE_FILE").is_some_and(|value| !value.is_empty()) {
        verdict.push(rules::finding(RuleId::ComposeFileElsewhere));
    }
    match modes::env_mode(facts.deployment) {
        Ok(found) => verdict.findings.extend(found),
        Err(error) => verdict.skipped.push(Skipped::new(RuleId::EnvReadable, error.to_string())),
    }
}

fn token_is_there(facts: &Facts<'_>, verdict: &mut Verdict) {
    if facts.env.is_none() {
        return;
    }
    verdict.findings.extend(secrets::state_finding(&facts.token));
    if let TokenState::Set(token) = &facts.token {
        verdict.findings.extend(secrets::shadow(token, facts.caller));
    }
}

fn secrets_stay_out_of_git(facts: &Facts<'_>, verdict: &mut Verdict) {
    if let GitState::Unknown(why) = &facts.git {
        verdict.skipped.push(Skipped::new(RuleId::GitNotIgnored, why.clone()));
    }
    if facts.env.is_some() {
        verdict.findings.extend(secrets::git_finding(&facts.git, path::ENV));
    }
    if let Some(state) = &facts.git_key {
        verdict.findings.extend(secrets::git_finding(state, path::CA_KEY));
    }
}

fn keys_are_closed(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(modes::key_modes(facts.deployment));
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
    verdict.findings.extend(facts.found.faults());
}

/// Whether the compose files can be read, so that what is missing in them is really missing.
fn compose_is_known(facts: &Facts<'_>) -> bool {
    facts.found.main.as_ref().is_some_and(|main| main.value.is_ok())
        && facts.found.over.as_ref().is_none_or(|over| over.value.is_ok())
}

/// Compose refuses any other name of a service, and a container's host name has no other letters.
fn names_are_names(facts: &Facts<'_>, verdict: &mut Verdict) {
    for (file, name) in facts.found.invalid_names() {
        verdict.push(rules::finding(RuleId::ComposeNameInvalid).about(Subject::file(file)).with(format!(
            "{} of {} characters",
            names::shown(&name),
            name.chars().count()
        )));
    }
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
        GatewayFile::Faulty(fault) => verdict.push(gateway::gateway_fault(fault, inside)),
        GatewayFile::Good(gateway) => {
            if gateway.routes.is_empty() {
                verdict.push(rules::finding(RuleId::ProxyConfigRoutesEmpty).with(format!("`{inside}`")));
            }
            verdict.findings.extend(gateway.open_finding());
        }
    }
}

fn container_reads_its_files(facts: &Facts<'_>, verdict: &mut Verdict) {
    verdict.findings.extend(modes::unreadable_certificates(facts.deployment, facts.user));
    if matches!(facts.gateway, GatewayFile::Good(_) | GatewayFile::Faulty(_))
        && let Some(text) = modes::denied(facts.deployment, facts.user, &facts.gateway_path, 4)
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

fn routes_lead_somewhere(facts: &Facts<'_>, verdict: &mut Verdict) {
    let GatewayFile::Good(gateway) = &facts.gateway else { return };
    let suffix = facts.domain.as_ref().map(|domain| format!(".{domain}")).unwrap_or_default();
    for (name, text) in &gateway.routes {
        let label = name.strip_suffix(&suffix).unwrap_or(name);
        let name = names::shown_route(name);
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
        match current::target(&upstream, &facts.found, &facts.services.proxy) {
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
        (Some(_), Some(meta)) if meta.is_file() && modes::allows(&meta, facts.user, 4) => {}
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
    let new = |f: &&Finding| !f.evidence.iter().any(|fact| told(&fact.text));
    verdict.findings.extend(judged.findings.iter().filter(new).cloned());
    verdict.skipped.extend(judged.skipped.iter().filter(|s| !told(&s.reason)).cloned());
}
