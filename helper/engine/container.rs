//! A container as `docker inspect` shows it, as far as the stack's state needs it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::Docker;
use super::errors;
use crate::answer::{Error, Finding};
use crate::caller::quote;
use crate::redact::{self, names};
use crate::rules::{self, Remedy, RuleId};

/// `docker inspect` of a handful of containers takes tens of milliseconds.
const INSPECT_TIMEOUT: Duration = Duration::from_secs(20);

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const FOLDER: &str = "com.docker.compose.project.working_dir";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// One container as `docker inspect` prints it. Its environment and command may hold secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    /// 64 hex digits.
    pub(crate) id: String,
    name: String,
    state: State,
    #[serde(default)]
    pub(crate) restart_count: u32,
    #[serde(default)]
    args: Vec<String>,
    config: Config,
    host_config: HostConfig,
    #[serde(default)]
    network_settings: NetworkSettings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(rename = "OOMKilled", default)]
    oom_killed: bool,
    #[serde(default)]
    error: String,
    started_at: String,
    finished_at: String,
    #[serde(default)]
    health: Option<Health>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
    #[serde(default)]
    log: Option<Vec<HealthCheck>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthCheck {
    output: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    #[serde(default)]
    network_mode: String,
    #[serde(default)]
    log_config: LogConfig,
    #[serde(default)]
    restart_policy: RestartPolicy,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartPolicy {
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LogConfig {
    r#type: String,
    config: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Option<Attached>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attached {
    aliases: Option<Vec<String>>,
    #[serde(rename = "IPAddress")]
    address: String,
    gateway: String,
}

/// A container's place on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Endpoint {
    pub(crate) network: String,
    /// Its address there, while it runs.
    pub(crate) address: Option<IpAddr>,
    pub(crate) gateway: Option<IpAddr>,
    /// Names that it answers to there.
    pub(crate) aliases: Vec<String>,
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    // Docker's "never" is the year 1.
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|moment| moment.year() > 1)
}

impl Inspected {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    pub(crate) fn service(&self) -> &str {
        self.label(SERVICE).map(names::shown).unwrap_or_default()
    }

    /// Folder of the Compose project that made it.
    pub(crate) fn folder(&self) -> Option<&str> {
        self.label(FOLDER)
    }

    /// Its name without the slash that Docker puts in front.
    pub(crate) fn name(&self) -> &str {
        names::shown(self.name.trim_start_matches('/'))
    }

    /// `created`, `running`, `restarting`, `exited`, …
    pub(crate) fn status(&self) -> &str {
        &self.state.status
    }

    /// `healthy`, `unhealthy`, `starting`; `None` without a health check.
    pub(crate) fn health(&self) -> Option<&str> {
        self.state.health.as_ref().map(|health| health.status.as_str()).filter(|status| *status != "none")
    }

    /// What its last health check printed; empty where it printed nothing.
    pub(crate) fn last_check(&self) -> &str {
        let checks = self.state.health.as_ref().and_then(|health| health.log.as_ref());
        checks.and_then(|checks| checks.last()).map_or("", |check| check.output.trim())
    }

    /// Start of its present, or last, life.
    pub(crate) fn started(&self) -> Option<OffsetDateTime> {
        moment(&self.state.started_at)
    }

    /// End of its last life.
    pub(crate) fn finished(&self) -> Option<OffsetDateTime> {
        moment(&self.state.finished_at)
    }

    /// Its start as Docker writes it: one value for one life.
    pub(crate) fn life(&self) -> &str {
        &self.state.started_at
    }

    /// The moment after which its log belongs to the present life. Docker notes the start a little after the program
    /// has begun to print, so the end of the life before is the better mark.
    pub(crate) fn log_since(&self) -> Option<&str> {
        let finished = moment(&self.state.finished_at)?;
        (Some(finished) < self.started()).then_some(self.state.finished_at.as_str())
    }

    /// Id of the container whose network namespace it runs in.
    pub(crate) fn shares_network_of(&self) -> Option<&str> {
        self.host_config.network_mode.strip_prefix("container:")
    }

    /// Whether a restart policy starts it again when it ends.
    pub(crate) fn is_revived(&self) -> bool {
        !matches!(self.host_config.restart_policy.name.as_str(), "" | "no")
    }

    /// Exit code of its last life.
    pub(crate) fn exit_code(&self) -> i64 {
        self.state.exit_code
    }

    /// The engine's error about its start; empty without one.
    pub(crate) fn error(&self) -> &str {
        &self.state.error
    }

    /// Whether the kernel killed it because memory ran out.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.state.oom_killed
    }

    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let attached = self.network_settings.networks.iter().flatten();
        let endpoint = |(network, attached): (&String, &Option<Attached>)| {
            let attached = attached.as_ref()?;
            Some(Endpoint {
                network: network.clone(),
                address: attached.address.parse().ok(),
                gateway: attached.gateway.parse().ok(),
                aliases: attached.aliases.clone().unwrap_or_default(),
            })
        };
        attached.filter_map(endpoint).collect()
    }

    /// The value behind a flag of its command, `--flag value` or `--flag=value`; Go takes one dash as well as two.
    pub(crate) fn flag(&self, flag: &str) -> Option<&str> {
        let name = flag.trim_start_matches('-');
        let after =
            |arg: &'_ String| arg.strip_prefix('-').map(|arg| arg.strip_prefix('-').unwrap_or(arg)).map(str::to_owned);
        let at = self.args.iter().position(|arg| after(arg).is_some_and(|arg| arg.split('=').next() == Some(name)))?;
        match self.args[at].split_once('=') {
            Some((_, value)) => Some(value),
            None => self.args.get(at + 1).map(String::as_str),
        }
    }

    /// Makes the redactor know the secrets that it was started with: what it prints may quote them.
    fn guard(&self) {
        let variables = self.config.env.iter().flatten().filter_map(|variable| variable.split_once('='));
        let flags = self.args.iter().zip(self.args.iter().skip(1)).filter(|(flag, _)| flag.starts_with("--"));
        let flags = flags.map(|(flag, value)| (flag.as_str(), value.as_str()));
        let joined = self.args.iter().filter_map(|arg| arg.split_once('='));
        for (_, value) in variables.chain(flags).chain(joined).filter(|(name, _)| redact::is_secret(name)) {
            if !value.starts_with('/') {
                redact::guard_named(value);
            }
        }
    }

    /// A variable of its environment. Never for one that holds a secret.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.config.env.iter().flatten().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// How much log is kept at the least before rotation drops lines, in bytes; `None` for no limit.
    pub(crate) fn log_capacity(&self) -> Option<u64> {
        let options = self.host_config.log_config.config.as_ref()?;
        let size = options.get("max-size")?;
        let (number, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
        let factor: u64 = match unit.to_ascii_lowercase().trim_end_matches('b') {
            "k" => 1 << 10,
            "m" => 1 << 20,
            "g" => 1 << 30,
            _ => 1,
        };
        let files: u64 = options.get("max-file").and_then(|n| n.parse().ok()).unwrap_or(1);
        Some(number.parse::<u64>().unwrap_or_default().saturating_mul(factor).saturating_mul(files))
    }
}

/// Containers, or the finding that says why docker could not list them.
pub(crate) type Listed = Result<Vec<Inspected>, Finding>;

/// The containers that a filter of `docker ps` finds, or the finding that says why they cannot be listed.
///
/// # Errors
/// `io` when docker cannot be started, `tool` when it answers nonsense.
fn listed(docker: &Docker, filter: &str) -> Result<Listed, Error> {
    let list = docker.ask(&["ps", "--all", "--quiet", "--no-trunc", "--filter", filter], INSPECT_TIMEOUT)?;
    if !list.success {
        return Ok(Err(errors::finding(&list.text(), RuleId::DockerFailed)));
    }
    let ids = String::from_utf8_lossy(&list.stdout).into_owned();
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if ids.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let mut args = vec!["inspect", "--type", "container"];
    args.extend(ids);
    // A container that vanished meanwhile makes the exit code 1; the others are still printed.
    let shown = docker.ask(&args, INSPECT_TIMEOUT)?;
    if shown.timed_out {
        let text = format!("`docker inspect` did not answer within {} seconds", INSPECT_TIMEOUT.as_secs());
        return Ok(Err(rules::finding(RuleId::DockerFailed).with(text)));
    }
    let containers: Vec<Inspected> = serde_json::from_slice(&shown.stdout).map_err(|e| Error::Tool {
        program: "docker inspect".into(),
        what: format!("answered something unexpected: {e}"),
    })?;
    containers.iter().for_each(Inspected::guard);
    Ok(Ok(containers))
}

/// The finding about a container of this project that another folder made.
pub(crate) fn project_conflict(project: &str, container: &str, folder: &Path) -> Finding {
    let (quoted_folder, quoted_project) = (quote(folder.as_os_str()), quote(project.as_ref()));
    rules::finding(RuleId::ProjectConflict)
        .with(format!("project {project}"))
        .with(format!("container {container} belongs to {}", folder.display()))
        .with_remedy(Remedy::OtherFolder { folder: &quoted_folder, project: &quoted_project })
}

/// The containers of a Compose project, one-off ones left out.
pub(crate) fn of_project(docker: &Docker, project: &str) -> Result<Listed, Error> {
    Ok(listed(docker, &format!("label={PROJECT}={project}"))?.map(|containers| {
        containers
            .into_iter()
            .filter(|c| {
                c.label(PROJECT) == Some(project) && !c.label(ONE_OFF).is_some_and(|v| v.eq_ignore_ascii_case("true"))
            })
            .collect()
    }))
}

/// The Compose project whose containers were made in a folder, if there are any.
pub(crate) fn project_of_folder(docker: &Docker, folder: &Path) -> Result<Option<String>, Error> {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    for folder in [folder, &real] {
        let containers = listed(docker, &format!("label={FOLDER}={}", folder.display()))?.unwrap_or_default();
        if let Some(project) = containers.iter().find_map(|c| c.label(PROJECT)) {
            return Ok(Some(project.to_owned()));
        }
    }
    Ok(None)
}

/// The containers of a Docker network, of any project.
pub(crate) fn of_network(docker: &Docker, network: &str) -> Result<Listed, Error> {
    listed(docker, &format!("network={network}"))
}
