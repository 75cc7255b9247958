//! `probe`: what keeps the proxy from a server, and what is left of the probe, on a real engine. Real servers of several
//! makers: [`super::servers`].

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::engine::{
    Engine, PROXY, Removed, Stack, bridge, docker, docker_says, engine, images, services, unique, until,
};
use crate::support::{Answer, deployment, folder, helper, script, skip, which};

/// A free port that no other test of this process gets, nor a connection that goes out.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 100).unwrap() * 200;
    let ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed)).take(1000);
    ports.into_iter().find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok()).unwrap()
}

/// A stack of which only the proxy and its neighbours run, with these routes.
pub(super) fn proxy_alone(engine: Engine, label: &str, routes: &Value, neighbours: &str) -> Stack {
    let stack = Stack::new(engine, label, json!({"routes": routes}), "healthy");
    if !neighbours.is_empty() {
        stack.write("docker-compose.override.yaml", neighbours);
    }
    stack.compose_ok(&["up", "--detach", "--scale", "cloudflared=0"]);
    stack
}

pub(super) fn row<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let rows = answer.data()["routes"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {:#}", answer.json))
}

/// The finding about a route.
pub(super) fn finding<'a>(answer: &'a Answer, name: &str) -> Option<&'a Value> {
    let findings = answer.json["findings"].as_array().unwrap();
    findings.iter().find(|f| f["subject"] == json!({"kind": "route", "name": name}))
}

pub(super) fn assert_found(answer: &Answer, name: &str, state: &str, id: Option<&str>) {
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

/// No container and no network of a probe is left on the engine, those of other tests that are alive apart.
pub(super) fn assert_nothing_left(names: &[&str]) {
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

/// Counts the attempts to ask from a proxy's network; the first `failing` of them end without an answer, after a command.
/// One that only says that the image is missing is not an attempt.
fn failing_docker(at: &Path, proxy: &str, failing: usize, after: &str) -> String {
    let (docker, marks) = (which("docker").unwrap(), at.join("marks"));
    std::fs::write(&marks, "").unwrap();
    let wrapper = format!(
        "#!/bin/sh\ncase \"$*\" in *\"--network container:{proxy}\"*) ;; *) exec {docker} \"$@\" ;; esac\n\
         if [ $(wc -l <{marks}) -lt {failing} ]; then echo x >>{marks}; {after}\n exit 1; fi\n\
         {docker} \"$@\"; code=$?\n[ $code = 125 ] || echo x >>{marks}\nexit $code\n",
        docker = docker.display(),
        marks = marks.display()
    );
    script(at, "docker", &wrapper);
    format!("{}:{}", at.display(), std::env::var("PATH").unwrap())
}

/// An attempt that brought no answer, and a proxy that was restarted meanwhile, say nothing about the servers: they are
/// asked once more; `up`, which waits, asks twice as often.
#[test]
fn engine_probe_asks_again_where_nothing_was_asked() {
    let Some(engine) = engine("a probe that fails") else { return };
    let stack = Stack::small(engine, "again", "healthy");
    stack.up_ready();
    let proxy = stack.id("mcp-gateway").unwrap();
    let parent = folder();
    let restart = format!("docker restart {proxy} >/dev/null;");
    for (command, failing, after, attempts, state) in [
        ("up", 3, "", 4, "callable"),
        ("up", 9, "", 4, "not-checked"),
        ("probe", 1, restart.as_str(), 2, "callable"),
        ("status", 1, restart.as_str(), 2, "callable"),
        ("probe", 1, "", 2, "callable"),
        ("status", 1, "", 2, "callable"),
        ("probe", 9, "", 2, "not-checked"),
        ("status", 9, "", 2, "not-checked"),
    ] {
        let path = failing_docker(parent.path(), &proxy, failing, after);
        let answer = stack.call([command]).env("PATH", &path).run();
        let made = std::fs::read_to_string(parent.path().join("marks")).unwrap().lines().count();
        assert_eq!(row(&answer, "own")["state"], state, "{command} {failing}: {:#}", answer.json);
        assert_eq!(made, attempts, "{command} {failing}: {:#}", answer.json);
        if state == "not-checked" {
            assert!(answer.json["skipped"].to_string().contains("own"), "{:#}", answer.json);
            assert_ne!(answer.data()["ready"], true, "{:#}", answer.json);
        }
        // An answer that was kept would be given again.
        stack.compose_ok(&["restart", "own"]);
    }
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
    let assert_not_checked = |id: &str, word: &str| {
        let answer = stack.call(["probe"]).run().expect(1);
        assert_eq!(answer.findings(), [id], "{word}: {:#}", answer.json);
        assert!(answer.finding(id)["evidence"].to_string().contains(word), "{word}: {:#}", answer.json);
        assert!(answer.data()["routes"].as_array().unwrap().iter().all(|row| row["state"] == "not-checked"));
        assert_eq!(answer.json["skipped"].as_array().unwrap().len(), 9);
    };
    stack.compose_ok(&["pause", "mcp-gateway"]);
    assert_not_checked("service-stopped", "paused");
    stack.compose_ok(&["unpause", "mcp-gateway"]);
    stack.compose_ok(&["stop", "mcp-gateway"]);
    assert_not_checked("service-stopped", "exited");
    stack.compose_ok(&["up", "--no-start", "--force-recreate", "mcp-gateway"]);
    assert_not_checked("service-stopped", "created");
    stack.edit("config/mcp-gateway.yaml", "listen_addr: :8080", "listen_addr: nonsense");
    stack.compose_ok(&["start", "mcp-gateway"]);
    until("the engine waits for seconds before the next start", || {
        let shown = stack.inspect("mcp-gateway");
        shown["State"]["Status"] == "restarting" && shown["RestartCount"].as_u64() >= Some(5)
    });
    assert_not_checked("crash-loop", "restarted");
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
    // It gets neither files nor variables of the deployment, and no rights.
    let shown: Value = serde_json::from_str(&docker_says(["inspect", &ours()[0]])).unwrap();
    let (host, config) = (&shown[0]["HostConfig"], &shown[0]["Config"]);
    assert_eq!((&host["ReadonlyRootfs"], &host["CapDrop"]), (&json!(true), &json!(["ALL"])), "{host}");
    assert!(host["Memory"].as_u64().unwrap() > 0 && host["PidsLimit"].as_u64().unwrap() > 0, "{host}");
    assert!(shown[0]["Mounts"].as_array().unwrap().is_empty() && config["User"] == "65532:65532", "{shown}");
    let variables = config["Env"].as_array().into_iter().flatten().map(|v| v.as_str().unwrap());
    assert!(variables.clone().all(|variable| variable.starts_with("PATH=")), "{config}");
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

/// Whenever it is killed, between two requests to the engine or in one.
#[test]
fn engine_a_helper_that_is_killed_at_any_moment_leaves_nothing_for_long() {
    let Some(engine) = engine("a helper that is killed at any moment") else { return };
    let silent = TcpListener::bind((bridge().as_str(), 0)).unwrap();
    let url = format!("http://host.docker.internal:{}", silent.local_addr().unwrap().port());
    let stack = proxy_alone(engine, "anytime", &json!({"silent": url}), "");
    let requests = [json!({"timeout_ms": 400}), json!({"timeout_ms": 400, "url": url})];
    let ours = |of: &[&str]| {
        let filter = ["--no-trunc", "--filter", "label=org.mcp-tunnels.probe.deadline"];
        let list = docker_says(of.iter().chain(&filter).copied());
        list.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (containers, networks) = (["ps", "--all", "--quiet"], ["network", "ls", "--quiet"]);
    let mut left = [BTreeSet::new(), BTreeSet::new()];
    // A busy machine takes longer for the same.
    let begun = Instant::now();
    stack.call(["probe"]).json(requests[1].clone()).run();
    let step = Duration::from_millis(500).min(begun.elapsed() / 20);
    for moment in 0..20_u32 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"))
            .args(["probe", "--json", &requests[moment as usize % 2].to_string(), "--dir"])
            .arg(&stack.dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(step * moment);
        child.kill().unwrap();
        child.wait().unwrap();
        left[0].extend(ours(&containers));
        left[1].extend(ours(&networks));
    }
    assert!(left.iter().all(|left| !left.is_empty()), "it was never killed in between");
    // Those of other tests are among them, and end as well.
    until("nothing of it runs", || ours(&["ps", "--quiet"]).is_disjoint(&left[0]));
    // Half a minute after the end of what it was started for, each command removes what is left.
    until("the next command removed the rest", || {
        stack.call(["status"]).json(json!({"probe": false})).run();
        std::thread::sleep(Duration::from_secs(2));
        ours(&containers).is_disjoint(&left[0]) && ours(&networks).is_disjoint(&left[1])
    });
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
    // What is missing later is cloudflared, and nothing else is restarted.
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
}
