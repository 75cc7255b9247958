//! The programs: docker with its engine and Compose, git, openssl. Asks them; `checks` judges what they said.

pub(super) mod ask;
pub(super) mod checks;

use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::disk::Free;
use super::shell;
use crate::engine::version;
use crate::os::process::Output;
use crate::redact;

/// A program in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Tool {
    /// `docker`, `engine`, `compose`, `git` or `openssl`.
    name: &'static str,
    /// Where it is; for the engine, where the client looks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Its version; `null` where it is missing or does not say.
    version: Option<String>,
    /// The oldest supported version.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<&'static str>,
    /// What kind it is: the client's context, the engine's operating system, `rootless`, `podman`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kind: Vec<String>,
}

/// Where the client looks by default; see docker(1).
const SOCKET: &str = "unix:///var/run/docker.sock";

/// What was gathered. `None` is what had not answered at the deadline.
#[derive(Debug, Default)]
pub(super) struct Tools {
    pub(super) docker: Option<PathBuf>,
    version: Option<Output>,
    info: Option<Output>,
    /// The engine's clock minus this host's, in seconds.
    pub(super) clock_offset: Option<i64>,
    compose: Option<Output>,
    /// Where the client looks for the engine.
    endpoint: Option<String>,
    /// The engine's networks: name, project, range.
    pub(super) networks: Option<Vec<(String, String, Ipv4Net)>>,
    /// Containers of this project's name that another folder's stack has: name, folder.
    pub(super) containers: Option<Vec<(String, PathBuf)>>,
    /// Images that are on the engine already: reference, architecture.
    pub(super) images: Option<Vec<(String, String)>>,
    /// The engine's disk, if it is one of this host.
    pub(super) disk: Option<Free>,
    git: Option<Program>,
    openssl: Option<Program>,
}

/// Where a program is and the first line that it prints; `None` if it is not installed.
type Program = Option<(PathBuf, String)>;

/// What is asked of docker about the deployment.
pub(super) struct Questions {
    pub(super) project: Option<(String, PathBuf)>,
    pub(super) images: Vec<String>,
    pub(super) wants_networks: bool,
    /// Whether DOCKER_HOST is set.
    pub(super) has_host: bool,
}

/// The engine's clock minus this host's, in seconds: between the moments before and after the question.
fn clock_offset(info: &Output, before: OffsetDateTime, after: OffsetDateTime) -> Option<i64> {
    let time = OffsetDateTime::parse(json(info)?["SystemTime"].as_str()?, &Rfc3339).ok()?;
    Some(version::between(before, time, after).whole_seconds())
}

/// What `docker version` says about the client itself.
fn client(said: &Output, key: &str) -> Option<String> {
    json(said)?["Client"][key].as_str().map(str::to_owned)
}

fn json(said: &Output) -> Option<Value> {
    serde_json::from_slice::<Value>(&said.stdout).ok().filter(Value::is_object)
}

/// Subnets in `docker network inspect`.
fn ranges(shown: &[u8]) -> Option<Vec<(String, String, Ipv4Net)>> {
    let networks: Vec<Value> = serde_json::from_slice(shown).ok()?;
    let mut found = Vec::new();
    for network in &networks {
        let name = network["Name"].as_str().unwrap_or_default();
        let project = network["Labels"]["com.docker.compose.project"].as_str().unwrap_or_default();
        for part in network["IPAM"]["Config"].as_array().into_iter().flatten() {
            if let Some(range) = part["Subnet"].as_str().and_then(|text| text.parse().ok()) {
                found.push((name.to_owned(), project.to_owned(), range));
            }
        }
    }
    Some(found)
}

/// The asked-for images in `docker image inspect`, with their architecture.
fn images(shown: &[u8], asked: &[String]) -> Option<Vec<(String, String)>> {
    let images: Vec<Value> = serde_json::from_slice(shown).ok()?;
    let has = |image: &Value, key: &str, test: &dyn Fn(&str) -> bool| {
        image[key].as_array().into_iter().flatten().filter_map(Value::as_str).any(test)
    };
    let is = |image: &Value, reference: &str| match reference.split_once('@') {
        Some((_, digest)) => has(image, "RepoDigests", &|text| text.ends_with(digest)),
        None => has(image, "RepoTags", &|text| text == reference || text.strip_suffix(":latest") == Some(reference)),
    };
    let find = |reference: &String| {
        let image = images.iter().find(|image| is(image, reference))?;
        Some((reference.clone(), image["Architecture"].as_str()?.to_owned()))
    };
    Some(asked.iter().filter_map(find).collect())
}

/// What the engine has to say for itself.
enum Engine {
    /// It was not asked, or did not answer in time.
    Silent,
    /// It cannot be used: these words.
    Failed(String),
    /// Its version.
    Answers(String),
}

impl Tools {
    fn engine(&self) -> Engine {
        let info = self.engine_info().and_then(|info| info["ServerVersion"].as_str().map(str::to_owned));
        let said = self.version.as_ref().filter(|said| !said.timed_out);
        let named = said.and_then(|said| {
            let version = json(said).and_then(|v| v["Server"]["Version"].as_str().map(str::to_owned));
            // A client that knows no templates prints the bare version.
            let bare = || {
                let text = String::from_utf8_lossy(&said.stdout).trim().to_owned();
                version::version(&text).map(|_| text)
            };
            said.success.then(|| version.or_else(bare)).flatten()
        });
        match (named.or(info), said) {
            (Some(version), _) => Engine::Answers(version),
            (None, None) => Engine::Silent,
            (None, Some(said)) => {
                let stdout = String::from_utf8_lossy(&said.stdout);
                let plain: Vec<&str> = stdout.lines().filter(|line| !line.trim_start().starts_with('{')).collect();
                Engine::Failed(format!("{}\n{}", plain.join("\n"), said.stderr))
            }
        }
    }

    /// What `docker info` answered, as far as it is one.
    pub(super) fn info(&self) -> Option<Value> {
        self.info.as_ref().filter(|said| !said.timed_out).and_then(json)
    }

    /// What the engine says about itself; `None` without an engine.
    pub(super) fn engine_info(&self) -> Option<Value> {
        self.info().filter(|info| info["ServerVersion"].as_str().is_some_and(|text| !text.is_empty()))
    }

    /// A word in the engine's security options: `rootless`, `userns`, `selinux`.
    pub(super) fn has_option(&self, word: &str) -> bool {
        let name = format!("name={word}");
        self.info().is_some_and(|info| {
            let options = info["SecurityOptions"].as_array().into_iter().flatten().filter_map(Value::as_str);
            options.into_iter().any(|option| option.split(',').any(|part| part == name))
        })
    }

    /// An HTTP proxy that the daemon uses, without credentials.
    pub(super) fn daemon_proxy(&self) -> Option<String> {
        let info = self.info()?;
        let set = ["HttpsProxy", "HttpProxy"].into_iter().filter_map(|key| info[key].as_str());
        set.into_iter().find(|text| !text.is_empty()).map(shell::without_credentials)
    }

    fn is_podman(&self) -> bool {
        let said = self.version.as_ref().map(Output::text).unwrap_or_default().to_lowercase();
        let root = self.info().and_then(|info| info["DockerRootDir"].as_str().map(str::to_owned)).unwrap_or_default();
        said.contains("podman") || root.contains("containers/storage") || self.is_podman_program()
    }

    /// `docker` that is a link to podman, or the script of `podman-docker`.
    fn is_podman_program(&self) -> bool {
        let real = self.docker.as_deref().and_then(|path| path.canonicalize().ok());
        real.is_some_and(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("podman")))
    }

    fn client(&self, key: &str) -> Option<String> {
        client(self.version.as_ref()?, key)
    }

    /// Whether the engine runs on another machine, as far as its address tells.
    pub(super) fn is_remote(&self, docker_host: Option<&str>) -> bool {
        let endpoint = docker_host.or(self.endpoint.as_deref()).unwrap_or_default();
        let host = endpoint.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let is_here = ["localhost", "127.", "[::1]"].into_iter().any(|here| host.starts_with(here));
        ["ssh://", "tcp://", "http://", "https://"].into_iter().any(|kind| endpoint.starts_with(kind)) && !is_here
    }

    pub(super) fn rows(&self, docker_host: Option<&str>) -> Vec<Tool> {
        let path = |path: &Path| Some(path.to_string_lossy().into_owned());
        let mut rows = vec![Tool {
            name: "docker",
            path: self.docker.as_deref().and_then(path),
            version: self
                .client("Version")
                .or_else(|| self.info()?["ClientInfo"]["Version"].as_str().map(str::to_owned)),
            floor: None,
            kind: self.client("Context").map(|context| format!("context {context}")).into_iter().collect(),
        }];
        let mut kind = Vec::new();
        if let Some(info) = self.engine_info() {
            kind.extend(info["OperatingSystem"].as_str().map(str::to_owned));
            kind.extend(info["Architecture"].as_str().map(str::to_owned));
        }
        for (word, is) in [
            ("rootless", self.has_option("rootless")),
            ("user namespaces", self.has_option("userns")),
            ("SELinux", self.has_option("selinux")),
            ("podman", self.is_podman()),
            ("remote", self.is_remote(docker_host)),
        ] {
            if is {
                kind.push(word.to_owned());
            }
        }
        rows.push(Tool {
            name: "engine",
            path: docker_host.map(shell::without_credentials).or_else(|| self.endpoint.clone()),
            version: match self.engine() {
                Engine::Answers(version) => Some(version),
                Engine::Silent | Engine::Failed(_) => None,
            },
            floor: Some(version::ENGINE_FLOOR_TEXT),
            kind,
        });
        let compose = self.compose.as_ref().filter(|said| said.success);
        rows.push(Tool {
            name: "compose",
            path: None,
            version: compose.map(|said| redact::cut(String::from_utf8_lossy(&said.stdout).trim(), 60)),
            floor: Some(version::COMPOSE_FLOOR_TEXT),
            kind: Vec::new(),
        });
        for (name, found) in [("git", &self.git), ("openssl", &self.openssl)] {
            let found = found.as_ref().and_then(Option::as_ref);
            let version = found.map(|(_, text)| text.trim_start_matches("git version ").trim_start_matches("OpenSSL "));
            let version = version.and_then(|text| text.split_whitespace().next()).map(str::to_owned);
            rows.push(Tool { name, path: found.and_then(|(at, _)| path(at)), version, floor: None, kind: Vec::new() });
        }
        rows
    }

    /// The docker command that did not answer, so that docker could not be judged.
    pub(super) fn unanswered(&self) -> Option<&'static str> {
        self.docker.as_ref()?;
        match self.engine() {
            Engine::Silent => Some("docker"),
            Engine::Answers(_) if self.compose.as_ref().is_none_or(|said| said.timed_out) => {
                Some("`docker compose version`")
            }
            Engine::Answers(_) | Engine::Failed(_) => None,
        }
    }

    /// Versions in a few words, for the summary.
    pub(super) fn in_words(&self) -> Option<String> {
        let Engine::Answers(engine) = self.engine() else { return None };
        let compose = self.compose.as_ref().filter(|said| said.success)?;
        let compose = String::from_utf8_lossy(&compose.stdout).trim().trim_start_matches('v').to_owned();
        Some(format!("Docker {engine}, Compose {compose}"))
    }
}
