//! `probe`: real MCP servers of several makers, asked from the network namespace of the proxy on a real engine.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::edge::python;
use crate::support::engine::{
    CLOUDFLARED, Engine, PROXY, Removed, Stack, bridge, docker, docker_says, engine, images, services, unique, until,
};
use crate::support::{Answer, deployment, folder, helper, skip};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

/// Processes that end with the test, also after a panic: they read their standard input to its end.
struct Servers(Vec<Child>);

impl Servers {
    /// Starts a program that prints a line once it listens.
    fn start(&mut self, mut command: Command) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.0.push(child);
        assert_eq!(line.trim(), "listening");
    }

    /// Python servers on one address: kind and port, with certificate and key where it is to speak TLS.
    fn python(&mut self, python: &Path, address: &str, kinds: &[String]) {
        let mut command = Command::new(python);
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/mcp_servers.py"));
        command.arg(address).args(kinds);
        self.start(command);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// A stack of which only the proxy and its neighbours run, with these routes.
fn proxy_alone(engine: Engine, label: &str, routes: &Value, neighbours: &str) -> Stack {
    let stack = Stack::new(engine, label, json!({"routes": routes}), "healthy");
    if !neighbours.is_empty() {
        stack.write("docker-compose.override.yaml", neighbours);
    }
    stack.compose_ok(&["up", "--detach", "--scale", "cloudflared=0"]);
    stack
}

fn row<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let rows = answer.data()["routes"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {:#}", answer.json))
}

/// The finding about a route.
fn finding<'a>(answer: &'a Answer, name: &str) -> Option<&'a Value> {
    let findings = answer.json["findings"].as_array().unwrap();
    findings.iter().find(|f| f["subject"] == json!({"kind": "route", "name": name}))
}

fn assert_found(answer: &Answer, name: &str, state: &str, id: Option<&str>) {
    assert_eq!(row(answer, name)["state"], state, "{name}: {:#}", answer.json);
    assert_eq!(finding(answer, name).map(|f| f["id"].as_str().unwrap()), id, "{name}: {:#}", answer.json);
}

#[test]
fn probe_says_what_it_cannot_be_asked() {
    let parent = folder();
    let dir = deployment(parent.path());
    for request in [
        json!({"timeout_ms": 5}),
        json!({"timeout_ms": 10_000_000}),
        json!({"url": "host:1"}),
        json!({"url": "http://h:1/a b"}),
        json!({"url": "http://h:1", "routes": ["x"]}),
        json!({"url": "http://h:1", "paths": {"x": "/mcp"}}),
        json!({"paths": {"x": "/a?b"}}),
    ] {
        let answer = helper(["probe"]).dir(&dir).json(request.clone()).run().expect(2);
        assert_eq!(answer.json["error"]["code"], "request", "{request}: {}", answer.json);
    }
}

/// Kinds of `tests/python/mcp_servers.py` that run under mcp 1, and what is made of them.
const ONE: [(&str, &str, Option<&str>); 25] = [
    ("stateless", "callable", None),
    ("sessions", "callable", None),
    ("json", "callable", None),
    ("no-delete", "callable", None),
    ("local", "refused", Some("upstream-host-rejected")),
    ("sse", "callable", Some("upstream-path-other")),
    ("slash", "callable", Some("upstream-slash-307")),
    ("root", "callable", Some("upstream-path-other")),
    ("workers", "refused", Some("upstream-session-lost")),
    ("trusted-host", "refused", Some("upstream-host-rejected")),
    ("token", "needs-credential", Some("upstream-needs-credential")),
    ("forbidden", "refused", Some("upstream-forbidden")),
    ("gone", "refused", Some("upstream-path-404")),
    ("method", "refused", Some("upstream-method-405")),
    ("accept", "refused", Some("upstream-not-acceptable")),
    ("bad", "refused", Some("upstream-bad-request")),
    ("broken", "refused", Some("upstream-failed")),
    ("page", "refused", Some("upstream-web-page")),
    ("to-https", "refused", Some("upstream-wrong-scheme")),
    ("rust", "refused", Some("upstream-host-rejected")),
    ("go", "refused", Some("upstream-host-rejected")),
    ("vite", "refused", Some("upstream-host-rejected")),
    ("spring", "refused", Some("upstream-host-rejected")),
    ("vhost", "refused", Some("upstream-host-rejected")),
    ("hangs", "unreachable", Some("upstream-timeout")),
];

/// The same under mcp 2.
const TWO: [(&str, &str, Option<&str>); 6] = [
    ("stateless", "callable", None),
    ("sessions", "callable", None),
    ("local", "refused", Some("upstream-host-rejected")),
    ("slash", "callable", Some("upstream-slash-307")),
    ("fastmcp", "callable", None),
    ("django", "refused", Some("upstream-host-rejected")),
];

/// Kinds of `tests/python/mcp_server.mjs`.
const NODE: [(&str, &str, Option<&str>); 3] = [
    ("open", "callable", None),
    ("local", "refused", Some("upstream-host-rejected")),
    ("sse", "callable", Some("upstream-path-other")),
];

fn variable(test: &str, name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).map(PathBuf::from);
    if value.is_none() {
        skip(test, &format!("{name} is not set"));
    }
    value
}

#[test]
fn engine_probe_tells_real_servers_apart() {
    let Some(engine) = engine("real MCP servers") else { return };
    let Some(python) = python("real MCP servers") else { return };
    let bridge = bridge();
    let (mut servers, mut routes, mut expected) = (Servers(Vec::new()), json!({}), Vec::new());
    let mut add = |prefix: &str, kinds: &[(&'static str, &'static str, Option<&'static str>)]| {
        let mut list = Vec::new();
        for (kind, state, id) in kinds {
            let (name, port) = (format!("{prefix}-{kind}"), free_port());
            routes[&name] = json!(format!("http://host.docker.internal:{port}"));
            list.push(format!("{kind}:{port}"));
            expected.push((name, *state, *id));
        }
        list
    };
    servers.python(&python, &bridge, &add("one", &ONE));
    if let Some(two) = variable("servers of mcp 2", "MCP_TUNNELS_TEST_PYTHON2") {
        servers.python(&two, &bridge, &add("two", &TWO));
    }
    if let Some(modules) = variable("servers of the TypeScript SDK", "MCP_TUNNELS_TEST_NODE_MODULES") {
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/mcp_server.mjs"));
        command.arg(&bridge).args(add("node", &NODE)).env("NODE_PATH", modules);
        servers.start(command);
    }
    let stack = proxy_alone(engine, "probe", &routes, "");
    let begun = Instant::now();
    let answer = stack.call(["probe"]).json(json!({"verbose": true})).run().expect(1);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    for (name, state, id) in &expected {
        assert_found(&answer, name, state, *id);
    }
    let server = |name: &str| row(&answer, name)["server"].clone();
    assert_eq!(
        server("one-sessions"),
        json!({"name": "hello", "version": "1.30.0", "protocol": "2025-11-25", "transport": "initialize", "tools": 1,
               "session": "ended"})
    );
    assert_eq!(server("one-no-delete")["session"], "not-endable");
    assert_eq!(server("one-stateless")["session"], Value::Null);
    assert_eq!(server("one-sse")["transport"], "sse");
    assert!(row(&answer, "one-slash")["url"].as_str().unwrap().ends_with("/mcp/"));
    let tried = row(&answer, "one-vhost")["tried"].as_array().unwrap();
    assert!(tried.iter().any(|entry| entry["host"].is_string() && entry["got"] == "ok"), "{tried:?}");
    if let Some(name) = expected.iter().find(|(name, ..)| name == "two-stateless").map(|(name, ..)| name) {
        assert_eq!(
            server(name),
            json!({"name": "hello", "version": "2.0", "protocol": "2026-07-28", "transport": "discover", "tools": 1})
        );
    }
    // A path that a person keeps must be the right one.
    let kept = json!({"paths": {"one-sse": "/sse", "one-root": "/mcp"}, "routes": ["one-sse", "one-root"]});
    let kept = stack.call(["probe"]).json(kept).run().expect(1);
    assert_found(&kept, "one-sse", "callable", None);
    assert_found(&kept, "one-root", "refused", Some("upstream-path-other"));
    assert_nothing_left(&[]);
}

/// No container and no network of a probe is left on the engine, those of other tests that are alive apart.
fn assert_nothing_left(names: &[&str]) {
    let filter = "label=org.mcp-tunnels.probe.deadline=1";
    for kind in [&["ps", "--all"][..], &["network", "ls"]] {
        let list = docker_says(kind.iter().copied().chain(["--quiet", "--filter", filter]));
        assert_eq!(list, "");
    }
    for name in names {
        assert!(!docker(["inspect", name]).status.success(), "{name} is still there");
    }
}

/// A service that runs the stand-in's server, bound to an address.
fn bound(name: &str, address: &str) -> String {
    services(&[(name, "")]).replace("\":9000\"", &format!("\"{address}\"")).replace("services:\n", "")
}

#[test]
fn engine_probe_finds_what_keeps_the_proxy_from_a_server() {
    let Some(engine) = engine("faults of the way to a server") else { return };
    let (bridge, closed) = (bridge(), free_port());
    // A process of this host that only this host reaches, and one that a firewall hides.
    let local = TcpListener::bind("127.0.0.1:0").unwrap();
    let hidden = TcpListener::bind((bridge.as_str(), 0)).unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let firewall = Firewall::drop(port(&hidden));
    let on_host = |port: u16| format!("http://host.docker.internal:{port}");
    let routes = json!({
        "fine": "http://fine:9000", "loop": "http://loop:9000", "other": "http://other:9000",
        "wrong": "https://fine:9000", "nobody": "http://nobody:9000", "public": "http://192.0.2.1:9000",
        "local": on_host(port(&local)), "hidden": on_host(port(&hidden)), "closed": on_host(closed),
    });
    let neighbours =
        format!("services:\n{}{}{}", bound("fine", ":9000"), bound("loop", "127.0.0.1:9000"), bound("other", ":9001"));
    let settings = json!({"routes": routes, "upstream": {"tls": {"include_system_cas": true}},
        "allowed_ips": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "192.0.2.1"]});
    let stack = Stack::new(engine, "way", settings, "healthy");
    stack.edit("config/mcp-gateway.yaml", "- 192.0.2.1\n", "- 192.0.2.2\n");
    stack.write("docker-compose.override.yaml", &neighbours);
    stack.compose_ok(&["up", "--detach", "--scale", "cloudflared=0"]);
    let answer = stack.call(["probe"]).json(json!({"timeout_ms": 2500})).run().expect(1);
    for (name, state, id) in [
        ("fine", "callable", None),
        ("loop", "unreachable", Some("upstream-bind-loopback")),
        ("other", "unreachable", Some("upstream-wrong-port")),
        ("wrong", "unreachable", Some("upstream-wrong-scheme")),
        ("nobody", "unreachable", Some("upstream-dns")),
        ("public", "unreachable", Some("upstream-ip-rejected")),
        ("local", "unreachable", Some("upstream-bind-loopback")),
        ("closed", "unreachable", Some("upstream-refused")),
    ] {
        assert_found(&answer, name, state, id);
    }
    if firewall.is_some() {
        assert_found(&answer, "hidden", "unreachable", Some("upstream-firewalled"));
    }
    assert!(finding(&answer, "other").unwrap()["fix"].as_str().unwrap().contains("http://other:9001"));

    // A proxy that does not run is the finding, and nothing is called unreachable because of it.
    stack.compose_ok(&["stop", "mcp-gateway"]);
    let stopped = stack.call(["probe"]).run().expect(1);
    assert_eq!(stopped.findings(), ["service-stopped"]);
    assert_eq!(row(&stopped, "fine")["state"], "not-checked");
    assert_eq!(stopped.json["skipped"].as_array().unwrap().len(), 9);
}

/// A rule of the host's firewall; gone at the end of the test.
struct Firewall(String);

impl Firewall {
    fn drop(port: u16) -> Option<Self> {
        let table = unique("mcp-tunnels-test").replace('-', "_");
        let rules = format!(
            "table ip {table} {{\nchain input {{\ntype filter hook input priority -5\ntcp dport {port} drop\n}}\n}}\n"
        );
        let loaded = Command::new("nft").arg(&rules).stderr(Stdio::null()).status();
        let made = loaded.is_ok_and(|status| status.success());
        if !made {
            skip("a firewall", "nft cannot make a table");
        }
        made.then_some(Self(table))
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        let _ = Command::new("nft").args(["delete", "table", "ip", &self.0]).status();
    }
}

#[test]
fn engine_probe_tries_a_server_that_is_no_route_yet() {
    let Some(_) = engine("a server that is no route yet") else { return };
    let parent = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://host.docker.internal:{}", listener.local_addr().unwrap().port());
    let answer = helper(["probe"]).dir(parent.path().join("none")).json(json!({"url": url})).run().expect(1);
    assert_eq!(answer.findings(), ["upstream-bind-loopback"]);
    assert_eq!(row(&answer, &url)["state"], "unreachable");
    assert!(!answer.data()["notes"].as_array().unwrap().is_empty());
    assert!(!parent.path().join("none").exists());
}

#[test]
fn engine_probe_leaves_nothing_when_it_is_killed() {
    let Some(engine) = engine("a killed probe") else { return };
    // It accepts, and never answers.
    let silent = TcpListener::bind((bridge().as_str(), 0)).unwrap();
    let url = format!("http://host.docker.internal:{}", silent.local_addr().unwrap().port());
    let stack = proxy_alone(engine, "killed", &json!({"silent": url}), "");
    let proxy = stack.id("mcp-gateway").unwrap();
    let ours = || {
        let filter = "label=org.mcp-tunnels.probe.deadline";
        let all = docker_says(["ps", "--all", "--quiet", "--no-trunc", "--filter", filter]);
        let of_proxy = |id: &&str| {
            let mode = docker(["inspect", "--format", "{{.HostConfig.NetworkMode}}", id]);
            String::from_utf8_lossy(&mode.stdout).contains(&proxy)
        };
        all.split_whitespace().filter(of_proxy).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"))
        .args(["probe", "--json", "{\"timeout_ms\":60000}", "--dir"])
        .arg(&stack.dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the probe's container runs", || !ours().is_empty());
    assert!(stack.containers().iter().all(|id| !ours().contains(id)), "it counts as one of the project's");
    child.kill().unwrap();
    child.wait().unwrap();
    // Its standard input ends with the helper, long before its deadline.
    until("the probe's container is gone", || ours().is_empty());

    // What is past its deadline goes with the next command.
    let (old, new) = (unique("mcp-tunnels-probe-old"), unique("mcp-tunnels-probe-new"));
    let _removed = [Removed("container", old.clone()), Removed("container", new.clone())];
    for (name, deadline) in [(&old, "1"), (&new, "99999999999")] {
        let label = format!("org.mcp-tunnels.probe.deadline={deadline}");
        docker_says(["create", "--name", name, "--label", &label, PROXY]);
    }
    stack.call(["probe"]).json(json!({"timeout_ms": 300})).run().expect(1);
    assert_nothing_left(&[&old]);
    assert!(docker(["inspect", &new]).status.success(), "one that is not past its deadline stays");
}

#[test]
fn engine_a_rehearsal_needs_no_token() {
    let Some(engine) = engine("a rehearsal") else { return };
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let stack = Stack::unmade(engine, &dir, "rehearsal");
    let settings = json!({"domain": stack.domain, "images": images(), "routes": {"own": "http://own:9000"}});
    helper(["init"]).dir(&dir).json(settings).run().expect(0);
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    let answer = stack.call(["up"]).json(json!({"rehearse": true})).run().expect(0);
    assert_eq!(answer.data()["ready"], false);
    assert_eq!(row(&answer, "own")["state"], "callable");
    assert_eq!(answer.json["next"][0]["who"], "person");
    let summary = answer.json["summary"].as_str().unwrap();
    for words in
        ["this side is ready: Claude could call own", "TLS handshake", "missing: token, registration of the CA"]
    {
        assert!(summary.contains(words), "{summary}");
    }
    assert!(stack.id("cloudflared").is_none(), "cloudflared is left out");
    let before = stack.ids(["mcp-gateway", "own"]);
    // What is missing later is cloudflared, and nothing else is started anew.
    stack.set_token("healthy");
    let up = stack.up_ready();
    assert_eq!(up.data()["ready"], true);
    assert_eq!(stack.ids(["mcp-gateway", "own"]), before);
}

#[test]
fn engine_probe_of_many_routes_is_as_fast_as_its_slowest() {
    let Some(engine) = engine("ten routes") else { return };
    let routes: serde_json::Map<String, Value> = (0..10).map(|n| (format!("r{n}"), json!("http://own:9000"))).collect();
    let stack = proxy_alone(engine, "ten", &routes.into(), &services(&[("own", "")]));
    stack.call(["probe"]).run().expect(0);
    let answer = stack.call(["probe"]).run().expect(0);
    assert!(answer.length < 4096, "{} bytes", answer.length);
    let slowest = answer.data()["routes"].as_array().unwrap().iter().filter_map(|row| row["ms"].as_u64()).max();
    assert!(slowest.unwrap() < 2000, "{slowest:?}");
    let _ = (CLOUDFLARED, images());
}
