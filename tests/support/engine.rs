//! Stacks on a real Docker engine: made by the helper, looked into with docker, and always torn down.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) use super::docker::{Removed, docker, docker_says};
use super::docker::{clean_up_at_the_end, command};
use super::{Answer, Call, folder, helper, skip, token};

/// Plays Anthropic's proxy.
pub(crate) const PROXY: &str = "mcp-tunnels-test/mcp-proxy:standin";
/// Plays cloudflared.
pub(crate) const CLOUDFLARED: &str = "mcp-tunnels-test/cloudflared:standin";
/// Base of the sample's image, with its packages inside.
pub(crate) const PYTHON: &str = "mcp-tunnels-test/python:local";

/// Proof that there is an engine with the images that the tests need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine(());

/// The engine; without one, says aloud that the test did not run.
pub(crate) fn engine(test: &str) -> Option<Engine> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    match FOUND.get_or_init(prepare) {
        Ok(()) => Some(Engine(())),
        Err(why) => {
            skip(test, why);
            None
        }
    }
}

fn prepare() -> Result<(), String> {
    let answers = |args: &[&str], what: &str| match docker(args) {
        out if out.status.success() => Ok(()),
        out => Err(format!("{what}: {}", String::from_utf8_lossy(&out.stderr).trim())),
    };
    if super::which("docker").is_none() {
        return Err("docker is not installed".into());
    }
    answers(&["version", "--format", "{{.Server.Version}}"], "no engine answers")?;
    answers(&["compose", "version"], "no Compose v2")?;
    // Without being asked, the tests put nothing on an engine that stays there.
    if !super::real_tools_required() {
        for image in [PROXY, CLOUDFLARED, PYTHON] {
            answers(&["image", "inspect", image], "`bash tests/images/build.sh` has not built the images here")?;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/build.sh");
    let built = Command::new("bash").arg(script).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if built.status.success() {
        return clean_up_at_the_end().map_err(|e| e.to_string());
    }
    Err(format!("the images cannot be built: {}", String::from_utf8_lossy(&built.stderr).trim()))
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < limit, "a minute later still not: {what}");
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Seconds of Unix time.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A name that no other run of these tests uses on the same engine.
pub(crate) fn unique(label: &str) -> String {
    format!("{label}-{}", std::process::id())
}

/// Address of the engine's own bridge, which `host.docker.internal` leads to.
pub(crate) fn bridge() -> String {
    let format = "{{(index .IPAM.Config 0).Gateway}} {{(index .IPAM.Config 0).Subnet}}";
    let said = docker_says(["network", "inspect", "bridge", "--format", format]);
    // Engines that were not told an address take the first one of the range.
    let first = |subnet: &str| subnet.split('/').next().unwrap().trim_end_matches('0').to_owned() + "1";
    match said.split_once(' ') {
        Some((gateway, _)) if gateway.starts_with(|c: char| c.is_ascii_digit()) => gateway.to_owned(),
        Some((_, subnet)) => first(subnet),
        None => first(&said),
    }
}

/// The images that play the real ones.
pub(crate) fn images() -> Value {
    json!({"proxy": PROXY, "cloudflared": CLOUDFLARED, "python": PYTHON})
}

/// A deployment whose containers and networks are gone at the end of the test, also after a panic.
pub(crate) struct Stack {
    /// The deployment directory.
    pub(crate) dir: PathBuf,
    /// Name of the Compose project.
    pub(crate) project: String,
    /// The tunnel's domain.
    pub(crate) domain: String,
    /// Every token that it ever had.
    tokens: Mutex<Vec<String>>,
    /// Gone last, with all that is in it.
    _parent: Option<tempfile::TempDir>,
}

impl Stack {
    /// Made by `init` with these settings and the stand-ins, and a token whose secret scripts the edge.
    pub(crate) fn new(engine: Engine, label: &str, settings: Value, secret: &str) -> Self {
        let parent = folder();
        let dir = parent.path().join("mcp-tunnel");
        let mut stack = Self::at(engine, &dir, label, settings, secret);
        stack._parent = Some(parent);
        stack
    }

    /// The same in a directory of the test's own.
    pub(crate) fn at(engine: Engine, dir: &Path, label: &str, mut settings: Value, secret: &str) -> Self {
        let stack = Self::unmade(engine, dir, label);
        settings["domain"] = json!(stack.domain);
        if settings["images"].is_null() {
            settings["images"] = images();
        }
        helper(["init"]).dir(dir).json(settings).run().expect(0);
        stack.set_token(secret);
        stack
    }

    /// A directory in which nothing is made.
    pub(crate) fn unmade(_engine: Engine, dir: &Path, label: &str) -> Self {
        let label = unique(label);
        Self {
            dir: dir.to_path_buf(),
            project: format!("mcp-tunnel-{label}"),
            domain: format!("{label}.tunnel.anthropic.com"),
            tokens: Mutex::default(),
            _parent: None,
        }
    }

    /// With one route, `own`, to a service `own` of the override file that answers at once.
    pub(crate) fn small(engine: Engine, label: &str, secret: &str) -> Self {
        let stack = Self::new(engine, label, json!({"routes": {"own": "http://own:9000"}}), secret);
        stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
        stack
    }

    /// `token set`.
    pub(crate) fn set_token(&self, secret: &str) {
        let token = token(secret);
        helper(["token", "set"]).dir(&self.dir).stdin(token.clone()).run().expect(0);
        self.remember(token);
    }

    /// From now on this text must not show anywhere.
    pub(crate) fn remember(&self, token: String) {
        self.tokens.lock().unwrap().push(token);
    }

    /// A command of the helper on this deployment. None of its tokens may show in the answer.
    pub(crate) fn call<I: IntoIterator<Item = S>, S: Into<OsString>>(&self, words: I) -> Call {
        let call = helper(words).dir(&self.dir);
        self.tokens.lock().unwrap().iter().fold(call, |call, token| call.secret(token))
    }

    /// `up`, waiting this long.
    pub(crate) fn up(&self, wait_seconds: u32) -> Answer {
        self.call(["up"]).json(json!({"wait_seconds": wait_seconds})).run()
    }

    /// `up` to the live state.
    pub(crate) fn up_ready(&self) -> Answer {
        ready(self.up(60))
    }

    /// `status` at once.
    pub(crate) fn status(&self) -> Answer {
        self.call(["status"]).run()
    }

    /// `status`, waiting for the live state.
    pub(crate) fn status_within(&self, wait_seconds: u32) -> Answer {
        self.call(["status"]).json(json!({"wait_seconds": wait_seconds})).run()
    }

    /// `restart` to the live state.
    pub(crate) fn restart_ready(&self) -> Answer {
        ready(self.call(["restart"]).json(json!({"wait_seconds": 60})).run())
    }

    /// `down`.
    pub(crate) fn down(&self) -> Answer {
        self.call(["down"]).run()
    }

    /// `docker compose` typed by hand in the directory.
    pub(crate) fn compose(&self, args: &[&str]) -> Output {
        let mut command = command(["compose"]);
        command.args(args).current_dir(&self.dir).output().unwrap()
    }

    /// The same, which must work; gives back what Compose reported.
    pub(crate) fn compose_ok(&self, args: &[&str]) -> String {
        let out = self.compose(args);
        let report = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{args:?}: {report}");
        report
    }

    /// Reads a file of the deployment.
    pub(crate) fn read(&self, inside: &str) -> String {
        std::fs::read_to_string(self.dir.join(inside)).unwrap()
    }

    /// Writes a file of the deployment, as an editor does.
    pub(crate) fn write(&self, inside: &str, text: &str) {
        std::fs::write(self.dir.join(inside), text).unwrap();
    }

    /// Replaces a text that must be in a file of the deployment.
    pub(crate) fn edit(&self, inside: &str, old: &str, new: &str) {
        let text = self.read(inside);
        assert!(text.contains(old), "`{old}` is not in {inside}");
        self.write(inside, &text.replace(old, new));
    }

    /// Ids of all containers of the project.
    pub(crate) fn containers(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let list = docker_says(["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        list.split_whitespace().map(str::to_owned).collect()
    }

    /// How many containers were made for the project since then, in seconds of Unix time.
    pub(crate) fn created_since(&self, then: u64) -> usize {
        let (then, now) = (then.to_string(), (now() + 1).to_string());
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let window = ["events", "--since", &then, "--until", &now];
        let events = window.into_iter().chain(["--filter", "event=create", "--filter", &filter, "--format", "{{.ID}}"]);
        docker_says(events).lines().count()
    }

    /// Networks of the project.
    pub(crate) fn networks(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let list = docker_says(["network", "ls", "--quiet", "--filter", &filter]);
        list.split_whitespace().map(str::to_owned).collect()
    }

    /// Id of a service's container.
    pub(crate) fn id(&self, service: &str) -> Option<String> {
        let project = format!("label=com.docker.compose.project={}", self.project);
        let service = format!("label=com.docker.compose.service={service}");
        let list = docker_says(["ps", "--all", "--quiet", "--no-trunc", "--filter", &project, "--filter", &service]);
        list.split_whitespace().next().map(str::to_owned)
    }

    /// Ids of the containers of several services, for a comparison.
    pub(crate) fn ids<const N: usize>(&self, services: [&str; N]) -> [String; N] {
        services.map(|name| self.id(name).unwrap_or_else(|| panic!("`{name}` has no container")))
    }

    /// `docker inspect` of a service's container.
    pub(crate) fn inspect(&self, service: &str) -> Value {
        let id = self.id(service).unwrap_or_else(|| panic!("`{service}` has no container"));
        let shown: Value = serde_json::from_str(&docker_says(["inspect", "--type", "container", &id])).unwrap();
        shown[0].clone()
    }

    /// Docker's word for the state of a service's container.
    pub(crate) fn state(&self, service: &str) -> String {
        self.inspect(service)["State"]["Status"].as_str().unwrap().to_owned()
    }

    /// A label of a service's container.
    pub(crate) fn label(&self, service: &str, name: &str) -> String {
        self.inspect(service)["Config"]["Labels"][name].as_str().unwrap_or_default().to_owned()
    }

    /// Kills the program of a service's container behind Docker's back, as the kernel does when memory runs out: only
    /// then its restart policy takes hold.
    pub(crate) fn kill(&self, service: &str) {
        let started = self.inspect(service)["State"]["StartedAt"].clone();
        self.strike(&[service]);
        until("the container runs again", || {
            let now = self.inspect(service);
            now["State"]["Status"] == "running" && now["State"]["StartedAt"] != started
        });
    }

    /// The same for several at once, without waiting for what comes of it.
    pub(crate) fn strike(&self, services: &[&str]) {
        let process = |service: &&str| {
            let shown = self.inspect(service);
            let (id, pid) = (shown["Id"].as_str().unwrap(), shown["State"]["Pid"].as_i64().unwrap());
            let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            assert!(groups.contains(id), "process {pid} is not the one of container {id}");
            rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
        };
        let processes: Vec<_> = services.iter().map(process).collect();
        for pid in processes {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }

    /// Runs `probe` in a service's container: whether it worked, and what it printed.
    pub(crate) fn probe(&self, service: &str, args: &[&str]) -> (bool, String) {
        let id = self.id(service).unwrap_or_else(|| panic!("`{service}` has no container"));
        let out = docker(["exec", &id, "/usr/local/bin/probe"].into_iter().chain(args.iter().copied()));
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Asks the proxy for a route, from inside cloudflared's container, as cloudflared does: whether the answer is a
    /// 2xx, and the answer.
    pub(crate) fn ask(&self, route: &str) -> (bool, String) {
        let host = format!("{route}.{}", self.domain);
        self.probe("cloudflared", &["http", "localhost:8080", "GET", "/hello?x=1", &host])
    }

    /// Whether the secret in cloudflared's container is the token of this secret. The token itself is compared here,
    /// so that no assertion shows it.
    pub(crate) fn runs_with(&self, secret: &str) -> bool {
        let (read, text) = self.probe("cloudflared", &["cat", "/run/secrets/tunnel_token"]);
        assert!(read, "the secret cannot be read in the container");
        text.trim() == token(secret)
    }

    /// No token that this deployment ever had is to be seen from outside.
    pub(crate) fn assert_no_token(&self) {
        let tokens = self.tokens.lock().unwrap();
        let hidden = |place: &str, text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            assert!(!tokens.iter().any(|token| text.contains(token.as_str())), "a token is in {place}");
        };
        for id in self.containers() {
            hidden("docker inspect", &docker(["inspect", &id]).stdout);
            let logs = docker(["logs", &id]);
            hidden("a container's log", &logs.stdout);
            hidden("a container's log", &logs.stderr);
        }
        let config = self.compose(&["config"]);
        assert!(config.status.success(), "docker compose config fails");
        hidden("docker compose config", &config.stdout);
        hidden("docker compose config", &config.stderr);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let list = |args: &[&str]| {
            let out = docker(args.iter().copied().chain(["--quiet", "--filter", &filter]));
            String::from_utf8_lossy(&out.stdout).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let containers = list(&["ps", "--all"]);
        if !containers.is_empty() {
            docker(["rm", "--force", "--volumes"].into_iter().chain(containers.iter().map(String::as_str)));
        }
        let networks = list(&["network", "ls"]);
        if !networks.is_empty() {
            docker(["network", "rm"].into_iter().chain(networks.iter().map(String::as_str)));
        }
    }
}

/// Requires the live state.
pub(crate) fn ready(answer: Answer) -> Answer {
    let answer = answer.expect(0);
    assert_eq!(answer.data()["ready"], true, "{:#}", answer.json);
    answer
}

/// An override file with servers that answer every request with their name and the Host; `more` is added as it is.
pub(crate) fn services(all: &[(&str, &str)]) -> String {
    let mut text = "services:\n".to_owned();
    for (name, more) in all {
        text += &format!(
            "  {name}:\n    image: {PROXY}\n    entrypoint: [\"/usr/local/bin/probe\"]\n    \
             command: [\"serve\", \":9000\", \"this is {name}\"]\n    restart: unless-stopped\n{more}"
        );
    }
    text
}
