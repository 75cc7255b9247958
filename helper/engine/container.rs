//! Containers as `docker inspect` shows them, as far as the stack's state needs them.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::Docker;
use super::errors;
use crate::answer::{Error, Finding};
use crate::caller::quote;
use crate::config::compose::{self, CONFIG_LABEL, TOKEN_LABEL};
use crate::deployment::{env_file, token};
use crate::redact::{self, names};
use crate::rules::{self, Remedy, RuleId};

/// `docker inspect` of a handful of containers takes tens of milliseconds.
const INSPECT_TIMEOUT: Duration = Duration::from_secs(20);

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const FOLDER: &str = "com.docker.compose.project.working_dir";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// One container, as far as `docker inspect` shows it, and no secret that it was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Container {
    /// 64 hex digits.
    pub(crate) id: String,
    /// Without the slash that Docker puts in front.
    pub(crate) name: String,
    pub(crate) service: String,
    /// The Compose project that it belongs to.
    pub(crate) project: Option<String>,
    /// Folder of the Compose project that made it.
    pub(crate) folder: Option<String>,
    /// Whether `docker compose run` made it.
    pub(crate) is_one_off: bool,
    /// `created`, `running`, `restarting`, `exited`, `paused`, `dead`.
    pub(crate) status: String,
    /// `healthy`, `unhealthy`, `starting`; `None` without a health check.
    pub(crate) health: Option<String>,
    /// What the last health check printed.
    pub(crate) last_check: String,
    /// Start of the present, or last, life.
    pub(crate) started: Option<OffsetDateTime>,
    /// End of the last life.
    pub(crate) finished: Option<OffsetDateTime>,
    /// Its start as Docker writes it: one value for one life.
    pub(crate) life: String,
    /// The moment after which its log belongs to the present life. Docker notes the start a little after the program
    /// has begun to print, so the end of the life before is the better mark.
    pub(crate) log_since: Option<String>,
    /// How often its restart policy revived it.
    pub(crate) restarts: u32,
    /// Exit code of the last life.
    pub(crate) exit_code: i64,
    /// Whether the kernel killed it because memory ran out.
    pub(crate) out_of_memory: bool,
    /// The engine's error about its start.
    pub(crate) error: String,
    /// Whether a restart policy revives it.
    pub(crate) is_revived: bool,
    /// Id of the container whose network namespace it shares.
    pub(crate) network_of: Option<String>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// How much log is kept at the least before rotation drops lines, in bytes; `None` without a limit.
    pub(crate) log_capacity: Option<u64>,
    /// Our label: hash of the configuration that it was made with.
    pub(crate) config_label: Option<String>,
    /// Our label: fingerprint of the token that it was made with.
    pub(crate) token_label: Option<String>,
    /// Fingerprint of a token in its environment or command.
    pub(crate) token_fingerprint: Option<String>,
    /// URL that cloudflared sends calls to.
    pub(crate) url: Option<String>,
    /// Address of cloudflared's metrics.
    pub(crate) metrics: Option<String>,
    /// cloudflared's log level, in lower case.
    pub(crate) log_level: Option<String>,
    /// How many edge connections cloudflared was asked to make.
    pub(crate) asked_connections: Option<u32>,
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

/// What a container was started with.
struct Start {
    args: Vec<String>,
    env: Vec<String>,
}

impl Start {
    fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// A setting that has flags, without their dashes, and a variable of the environment.
    fn setting(&self, flags: &[&str], variable: &str) -> Option<&str> {
        compose::flag(&self.args, flags).or_else(|| self.variable(variable))
    }

    /// Fingerprint of the token, if it was made with one.
    fn token_fingerprint(&self) -> Option<String> {
        let token = self
            .variable(env_file::TOKEN)
            .or_else(|| compose::flag(&self.args, &["token"]))
            .filter(|token| !token.is_empty())?;
        redact::guard(token);
        Some(token::fingerprint(token.trim()))
    }

    /// Makes the redactor know the secrets: what the container prints may quote them.
    fn guard(&self) {
        let flags = self.args.iter().zip(self.args.iter().skip(1)).filter(|(flag, _)| flag.starts_with("--"));
        let flags = flags.map(|(flag, value)| (flag.as_str(), value.as_str()));
        let joined = self.env.iter().chain(&self.args).filter_map(|word| word.split_once('='));
        for (_, value) in joined.chain(flags).filter(|(name, _)| redact::is_secret(name)) {
            if !value.starts_with('/') {
                redact::guard_named(value);
            }
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn endpoint((network, attached): (&String, &Value)) -> Option<Endpoint> {
    let address = |key: &str| attached[key].as_str()?.parse().ok();
    attached.is_object().then(|| Endpoint {
        network: network.clone(),
        address: address("IPAddress"),
        gateway: address("Gateway"),
        aliases: texts(&attached["Aliases"]),
    })
}

fn log_capacity(options: &Value) -> Option<u64> {
    let size = options["max-size"].as_str()?;
    let (number, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
    let factor: u64 = match unit.to_ascii_lowercase().trim_end_matches('b') {
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => 1,
    };
    let files: u64 = options["max-file"].as_str().and_then(|n| n.parse().ok()).unwrap_or(1);
    Some(number.parse::<u64>().unwrap_or_default().saturating_mul(factor).saturating_mul(files))
}

impl Container {
    /// Whether its program runs now.
    pub(crate) fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// Whether its program ran and has ended.
    pub(crate) fn has_exited(&self) -> bool {
        matches!(self.status.as_str(), "exited" | "dead")
    }

    /// Its addresses on networks that another container is on as well, each with the network's gateway.
    pub(crate) fn addresses_shared_with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Endpoint> {
        let shared = |e: &&Endpoint| other.endpoints.iter().any(|theirs| theirs.network == e.network);
        self.endpoints.iter().filter(shared).filter(|e| e.address.is_some())
    }

    /// Takes over what `docker inspect` shows of one; `None` for what is not a container.
    fn of(shown: &Value) -> Option<Self> {
        let (state, config, host) = (&shown["State"], &shown["Config"], &shown["HostConfig"]);
        let start = Start { args: texts(&shown["Args"]), env: texts(&config["Env"]) };
        start.guard();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let label = |name: &str| config["Labels"][name].as_str().map(str::to_owned);
        let ours = |name: &str| label(name).filter(|value| !value.is_empty());
        let setting = |flags: &[&str], variable| start.setting(flags, variable).map(str::to_owned);
        let (life, end) = (state["StartedAt"].as_str()?.to_owned(), state["FinishedAt"].as_str()?);
        let (started, finished) = (moment(&life), moment(end));
        let checks = state["Health"]["Log"].as_array();
        let networks = shown["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
        Some(Self {
            id: shown["Id"].as_str()?.to_owned(),
            name: names::shown(shown["Name"].as_str()?.trim_start_matches('/')).to_owned(),
            service: label(SERVICE).map(|name| names::shown(&name).to_owned()).unwrap_or_default(),
            project: label(PROJECT),
            folder: label(FOLDER),
            is_one_off: label(ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true")),
            status: state["Status"].as_str()?.to_owned(),
            health: state["Health"]["Status"].as_str().filter(|status| *status != "none").map(str::to_owned),
            last_check: checks
                .and_then(|all| all.last())
                .map_or_else(String::new, |one| text(&one["Output"]).trim().to_owned()),
            log_since: (finished.is_some() && finished < started).then(|| end.to_owned()),
            started,
            finished,
            life,
            restarts: shown["RestartCount"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or_default(),
            exit_code: state["ExitCode"].as_i64().unwrap_or_default(),
            out_of_memory: state["OOMKilled"] == true,
            error: text(&state["Error"]),
            is_revived: !matches!(host["RestartPolicy"]["Name"].as_str(), None | Some("" | "no")),
            network_of: host["NetworkMode"]
                .as_str()
                .and_then(|mode| mode.strip_prefix("container:"))
                .map(str::to_owned),
            endpoints: networks.filter_map(endpoint).collect(),
            log_capacity: log_capacity(&host["LogConfig"]["Config"]),
            config_label: ours(CONFIG_LABEL),
            token_label: ours(TOKEN_LABEL),
            token_fingerprint: start.token_fingerprint(),
            url: setting(&["url"], "TUNNEL_URL"),
            metrics: setting(&["metrics"], "TUNNEL_METRICS"),
            log_level: setting(&["loglevel", "log-level"], "TUNNEL_LOGLEVEL").map(|level| level.to_ascii_lowercase()),
            asked_connections: setting(&["ha-connections"], "TUNNEL_HA_CONNECTIONS").and_then(|n| n.parse().ok()),
        })
    }
}

/// Containers, or the finding that says why docker could not list them.
pub(crate) type Listed = Result<Vec<Container>, Finding>;

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
    let unexpected = |why: &str| Error::Tool {
        program: "docker inspect".into(),
        what: format!("answered something unexpected: {why}"),
    };
    let shown: Vec<Value> = serde_json::from_slice(&shown.stdout).map_err(|e| unexpected(&e.to_string()))?;
    let containers: Option<_> = shown.iter().map(Container::of).collect();
    containers.map(Ok).ok_or_else(|| unexpected("a container without a name or a state"))
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
    let mut listed = listed(docker, &format!("label={PROJECT}={project}"))?;
    if let Ok(containers) = &mut listed {
        containers.retain(|c| c.project.as_deref() == Some(project) && !c.is_one_off);
    }
    Ok(listed)
}

/// The Compose project whose containers were made in a folder, if there are any.
pub(crate) fn project_of_folder(docker: &Docker, folder: &Path) -> Result<Option<String>, Error> {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    for folder in [folder, &real] {
        let containers = listed(docker, &format!("label={FOLDER}={}", folder.display()))?.unwrap_or_default();
        if let Some(project) = containers.into_iter().find_map(|c| c.project) {
            return Ok(Some(project));
        }
    }
    Ok(None)
}

/// The containers of a Docker network, of any project.
pub(crate) fn of_network(docker: &Docker, network: &str) -> Result<Listed, Error> {
    listed(docker, &format!("network={network}"))
}
