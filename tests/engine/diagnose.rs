//! `diagnose` on a live deployment: each fault made for real in a stack on the engine, and found.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::by_hand::by_hand;
use crate::support::engine::{CLOUDFLARED, PROXY, Removed, Stack, docker_says, engine, services, unique, until};
use crate::support::{Answer, chmod, deployment, folder, helper, script, token};

/// Only what a test of its own is about: the stand-ins have no digest, and a person's directory is as it is.
const EVERYWHERE: [&str; 2] = ["image-unpinned", "token-in-clear"];

/// Diagnoses; whatever is wrong, the answer is short, says one thing to do, and nothing was touched.
pub(super) fn diagnose(stack: &Stack) -> Answer {
    let ids = stack.containers();
    let answer = stack.call(["diagnose"]).changes_nothing().run();
    // Half a dozen faults at once are not the normal answer.
    let most = if answer.findings().len() < 6 { 4096 } else { 8192 };
    assert!(answer.length < most, "{} bytes: {:#}", answer.length, answer.json);
    assert_eq!(answer.json["next"].as_array().unwrap().len(), 1, "{:#}", answer.json);
    assert_eq!(stack.containers(), ids);
    let ids = answer.findings();
    assert!((1..ids.len()).all(|at| !ids[..at].contains(&ids[at])), "said twice: {ids:?}");
    answer
}

/// The ids that matter, in their order.
pub(super) fn ids(answer: &Answer) -> Vec<&str> {
    answer.findings().into_iter().filter(|id| !EVERYWHERE.contains(id)).collect()
}

/// The first finding is this one, the summary is about it, and it is not healthy.
pub(super) fn root<'a>(answer: &'a Answer, id: &str) -> &'a Value {
    assert_eq!(ids(answer).first(), Some(&id), "{:#}", answer.json);
    let finding = answer.finding(id);
    let summary = answer.json["summary"].as_str().unwrap();
    assert!(summary.contains(finding["title"].as_str().unwrap()), "{summary}");
    assert_eq!(finding["consequence_of"], Value::Null, "{finding}");
    assert_eq!(answer.data()["healthy"], false, "{:#}", answer.json);
    finding
}

pub(super) fn fix<'a>(answer: &'a Answer, id: &str) -> &'a str {
    answer.finding(id)["fix"].as_str().unwrap()
}

/// What to do now, as one text.
pub(super) fn next(answer: &Answer) -> String {
    let next = &answer.json["next"][0];
    format!("{} {}", next["what"].as_str().unwrap(), next["command"].as_str().unwrap_or_default())
}

pub(super) fn healthy(answer: &Answer) {
    assert_eq!((answer.code, &answer.data()["healthy"]), (0, &json!(true)), "{:#}", answer.json);
}

#[test]
fn engine_diagnose_what_runs_and_what_was_changed_under_it() {
    let Some(engine) = engine("diagnose: changes") else { return };
    let stack = Stack::small(engine, "dchanges", "first");
    let stopped = diagnose(&stack);
    root(&stopped, "stack-stopped");
    assert!(next(&stopped).contains(" up "), "{}", next(&stopped));

    stack.up_ready();
    let answer = diagnose(&stack);
    healthy(&answer);
    assert_eq!(ids(&answer), ["proxy-reaches-nothing"], "no call arrived yet");
    assert_eq!(answer.data()["signals"]["registered"], 4);
    assert_eq!(answer.data()["signals"]["last_call"], Value::Null);
    super::call::bring(&stack, &format!("own.{}/mcp", stack.domain));
    assert_eq!(diagnose(&stack).data()["signals"]["last_call"], true);

    // Edited and not applied: a warning at first, the root once a call has failed of it.
    stack.edit("config/mcp-gateway.yaml", "routes:\n", "routes:\n  mine: http://own:9000\n");
    let edited = diagnose(&stack);
    // A route that the running proxy has not read cannot be called.
    assert_eq!(edited.code, 1, "{:#}", edited.json);
    assert_eq!(ids(&edited), ["config-not-applied", "route-not-configured"]);
    assert!(edited.json["summary"].as_str().unwrap().contains("older configuration"), "{:#}", edited.json);
    assert!(next(&edited).contains(" restart "), "{}", next(&edited));
    assert!(!stack.ask("mine").0);
    let called = diagnose(&stack).expect(1);
    root(&called, "config-not-applied");
    assert_eq!(called.finding("no-route")["consequence_of"], "config-not-applied");
    assert!(called.evidence("no-route").contains(&format!("mine.{}", stack.domain)));
    stack.restart_ready();
    healthy(&diagnose(&stack));

    stack.set_token("second");
    let rotated = diagnose(&stack);
    healthy(&rotated);
    assert_eq!(ids(&rotated), ["token-not-applied"]);
    assert!(next(&rotated).contains(" restart "), "{}", next(&rotated));
    stack.restart_ready();

    docker_says(["stop", "--time", "1", &stack.id("own").unwrap()]);
    let down = diagnose(&stack).expect(1);
    root(&down, "upstream-down");
    assert!(fix(&down, "upstream-down").contains("`docker compose logs own`"), "{}", fix(&down, "upstream-down"));
    assert!(next(&down).contains(" up "), "it was only stopped: {}", next(&down));
    stack.up_ready();

    stack.kill("mcp-gateway");
    let orphaned = diagnose(&stack).expect(1);
    root(&orphaned, "proxy-netns-orphaned");
    assert!(next(&orphaned).contains(" restart "), "{}", next(&orphaned));
    stack.restart_ready();
    // What the last lives printed is over.
    healthy(&diagnose(&stack));
    stack.assert_no_token();
}

#[test]
fn engine_diagnose_a_proxy_that_cannot_start() {
    let Some(engine) = engine("diagnose: the proxy") else { return };
    let stack = Stack::small(engine, "dproxy", "healthy");
    stack.up_ready();
    chmod(&stack.dir.join("data/tls.key"), 0o600);
    stack.compose(&["restart", "--timeout", "1", "mcp-gateway"]);
    until("the proxy was restarted", || stack.inspect("mcp-gateway")["RestartCount"].as_u64() > Some(1));
    let denied = diagnose(&stack).expect(1);
    root(&denied, "proxy-key-denied");
    let said = denied.evidence("proxy-key-denied");
    assert!(said.contains("mode 0600") && said.contains("permission denied"), "{said}");
    assert_eq!(said.matches("permission denied").count(), 1, "said once: {said}");
    assert_eq!(denied.finding("crash-loop")["consequence_of"], "proxy-key-denied");
    // Connections that were lost with the namespace are not a fault of their own.
    for finding in denied.json["findings"].as_array().unwrap() {
        let explained = finding["consequence_of"] == "proxy-key-denied" || finding["severity"] == "warning";
        assert!(explained || finding["id"] == "proxy-key-denied", "{finding}");
    }
    let key = stack.dir.join("data/tls.key");
    assert!(next(&denied).contains(&format!("chmod a+rX {}", key.display())), "{}", next(&denied));

    // Fixed: the proxy revives; what it died of before is not a finding any more.
    chmod(&key, 0o644);
    let mut life = (String::new(), Instant::now());
    until("the proxy runs for a while", || {
        let proxy = stack.inspect("mcp-gateway");
        let said = docker_says(["logs", "--tail", "1", proxy["Id"].as_str().unwrap()]);
        let started = proxy["State"]["StartedAt"].as_str().unwrap().to_owned();
        if life.0 != started {
            life = (started, Instant::now());
        }
        // What revived a moment ago may die again: the helper waits for five seconds before it believes it.
        let settled = life.1.elapsed() > Duration::from_secs(6);
        proxy["State"]["Status"] == "running" && said.contains("starting mcp-proxy") && settled
    });
    let left = diagnose(&stack).expect(1);
    assert!(!left.findings().contains(&"proxy-key-denied"), "{:#}", left.json);
    root(&left, "netns-owner-not-running");
    assert!(next(&left).contains(" up "), "{}", next(&left));

    // What Docker makes of a file that is missing when the stack is started.
    stack.down().expect(0);
    std::fs::remove_file(stack.dir.join("config/mcp-gateway.yaml")).unwrap();
    stack.compose(&["up", "-d"]);
    until("the proxy was restarted", || stack.inspect("mcp-gateway")["RestartCount"].as_u64() > Some(0));
    let directory = diagnose(&stack).expect(1);
    root(&directory, "proxy-config-is-dir");
    assert_eq!(directory.finding("crash-loop")["consequence_of"], "proxy-config-is-dir");
    let advice = fix(&directory, "proxy-config-is-dir");
    assert!(advice.contains(" down ") && advice.contains(" render ") && advice.contains(" up "), "{advice}");
    stack.assert_no_token();
}

/// Servers with a fault each; `own` is sound.
fn faulty_servers(alien: &str) -> String {
    format!(
        r#"{}  loops:
    image: {PROXY}
    entrypoint: ["/usr/local/bin/probe", "serve", "nowhere", "x"]
    restart: unless-stopped
  sick:
    image: {PROXY}
    entrypoint: ["/usr/local/bin/probe", "serve", ":9000", "x"]
    healthcheck: {{ test: ["CMD", "/usr/local/bin/probe", "http", "127.0.0.1:1", "GET", "/", "x"], interval: 1s, retries: 1 }}
  far:
    image: {PROXY}
    entrypoint: ["/usr/local/bin/probe", "serve", ":9000", "x"]
    networks: [apart]
  eater:
    image: mcp-tunnels-test/python:local
    command: ["python3", "-c", "x = bytearray(200 << 20)"]
    mem_limit: 20m
    memswap_limit: 20m
  alien:
    image: {alien}
    restart: unless-stopped
  failed:
    image: {PROXY}
    entrypoint: ["/usr/local/bin/probe", "serve", "nowhere", "x"]
networks: {{ apart: {{}} }}
"#,
        services(&[("own", "")])
    )
}

/// An image for another processor whose program this one cannot run.
fn alien_image(parent: &Path) -> Removed {
    let name = format!("mcp-tunnels-test/{}", unique("alien"));
    let other = if std::env::consts::ARCH == "aarch64" { "linux/amd64" } else { "linux/arm64" };
    let context = parent.join("alien");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("program"), b"\x7fELF of another world").unwrap();
    chmod(&context.join("program"), 0o755);
    std::fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY program /program\nCMD [\"/program\"]\n").unwrap();
    docker_says(["build", "--quiet", "--platform", other, "--tag", &name, context.to_str().unwrap()]);
    Removed("image", name)
}

#[test]
fn engine_diagnose_servers_that_do_not_answer() {
    let Some(engine) = engine("diagnose: servers") else { return };
    let parent = folder();
    let image = alien_image(parent.path());
    let stack = Stack::new(engine, "dservers", json!({"routes": {"own": "http://own:9000"}}), "healthy");
    stack.write("docker-compose.override.yaml", &faulty_servers(&image.1));
    let gateway = stack.read("config/mcp-gateway.yaml");
    let lead_to = |upstream: &str| {
        stack.write("config/mcp-gateway.yaml", &gateway.replace("http://own:9000", upstream));
        stack.compose_ok(&["restart", "--timeout", "0", "mcp-gateway", "cloudflared"]);
        until("all connections are back", || stack.status().data()["connections"]["registered"] == 4);
        diagnose(&stack)
    };
    stack.compose(&["up", "-d"]);
    until("each has failed", || {
        let looping = |name: &str| stack.inspect(name)["RestartCount"].as_u64() > Some(1);
        looping("loops")
            && stack.inspect("sick")["State"]["Health"]["Status"] == "unhealthy"
            && looping("alien")
            && stack.state("eater") == "exited"
            && stack.state("failed") == "exited"
    });

    // What no route leads to is a warning, and the tunnel is live without it.
    let own = lead_to("http://own:9000");
    healthy(&own);
    for (id, service) in [
        ("crash-loop", "`loops`"),
        ("service-stopped", "`failed`"),
        ("service-unhealthy", "`sick`"),
        ("out-of-memory", "`eater`"),
    ] {
        assert_eq!(own.finding(id)["severity"], "warning", "{:#}", own.json);
        assert!(own.evidence(id).contains(service), "{}", own.evidence(id));
    }
    assert!(own.evidence("platform-mismatch").contains("the image is for linux/"), "{:#}", own.json);

    assert!(own.evidence("platform-mismatch").contains("exec format error"), "{:#}", own.json);
    assert_eq!(own.finding("platform-mismatch")["severity"], "warning");
    // One was killed, another ended: neither explains the other.
    assert_eq!(own.finding("service-stopped")["consequence_of"], Value::Null, "{:#}", own.json);

    // The same behind a route is why it does not work.
    let failing = lead_to("http://loops:9000").expect(1);
    let down = failing.finding("upstream-down");
    assert_eq!((&down["severity"], &down["consequence_of"]), (&json!("error"), &Value::Null), "{down}");
    assert!(failing.evidence("upstream-down").contains("listen tcp nowhere"), "{down}");
    assert!(fix(&failing, "upstream-down").contains("logs loops"), "{down}");
    assert!(next(&failing).contains("logs loops"), "{}", next(&failing));
    let sick = lead_to("http://sick:9000").expect(1);
    assert!(sick.evidence("upstream-down").contains("running, unhealthy"), "{:#}", sick.json);
    assert!(!sick.findings().contains(&"service-unhealthy"), "said once: {:#}", sick.json);
    let starved = lead_to("http://eater:9000").expect(1);
    assert_eq!(starved.finding("out-of-memory")["severity"], "error");
    assert_eq!(starved.finding("upstream-down")["consequence_of"], "out-of-memory");
    let alien = lead_to("http://alien:9000").expect(1);
    assert_eq!(alien.finding("platform-mismatch")["severity"], "error");
    assert_eq!(alien.finding("upstream-down")["consequence_of"], "platform-mismatch");
    let apart = lead_to("http://far:9000").expect(1);
    assert!(apart.evidence("upstream-network").contains("`far`"), "{:#}", apart.json);
    assert!(!apart.findings().contains(&"upstream-dns"), "said once: {:#}", apart.json);
    assert!(next(&apart).contains("`networks:`"), "{}", next(&apart));
    let refused = lead_to("http://own:9999").expect(1);
    assert!(refused.evidence("upstream-refused").contains("port 9999 (service `own`)"), "{:#}", refused.json);
    let status = stack.status().expect(1);
    assert_eq!((&status.data()["ready"], status.findings().contains(&"upstream-refused")), (&json!(false), true));
    stack.edit("config/mcp-gateway.yaml", "http://own:9999", "http://own:9000");
    stack.edit("config/mcp-gateway.yaml", "routes:", "upstream:\n  allowed_ips: [10.255.0.0/24]\nroutes:");
    stack.compose_ok(&["restart", "--timeout", "0", "mcp-gateway", "cloudflared"]);
    let rejected = diagnose(&stack).expect(1);
    let said = rejected.evidence("upstream-ip-rejected");
    assert!(said.contains("service `own` has the address") && said.contains("10.255.0.0/24"), "{said}");
    stack.assert_no_token();
}

#[test]
fn engine_diagnose_the_edge() {
    let Some(engine) = engine("diagnose: the edge") else { return };
    let expect = |script: &str, seconds: u32, check: &(dyn Fn(&Answer) + Sync)| {
        let stack = Stack::small(engine, &format!("dedge{script}"), script);
        stack.up(seconds);
        let answer = diagnose(&stack);
        assert_eq!(answer.data()["healthy"], script == "two", "{script}: {:#}", answer.json);
        check(&answer);
        stack.assert_no_token();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            expect("revoked", 7, &|answer| {
                root(answer, "token-rejected");
                assert_eq!(answer.finding("edge-not-registered")["consequence_of"], "token-rejected");
                assert!(next(answer).contains(" token set "), "{}", next(answer));
            });
        });
        scope.spawn(|| {
            expect("blocked", 8, &|answer| {
                root(answer, "edge-quic-blocked");
                assert_eq!(answer.finding("edge-quic-blocked")["severity"], "warning", "a log only suggests it");
                assert!(next(answer).contains("http2"), "{}", next(answer));
            });
        });
        scope.spawn(|| {
            expect("two", 25, &|answer| {
                assert_eq!(ids(answer), ["edge-partial"]);
                assert_eq!(answer.code, 0, "two connections carry every call");
                assert_eq!(answer.data()["signals"]["registered"], 2);
            });
        });
    });
}

#[test]
fn engine_diagnose_what_was_never_started() {
    let Some(engine) = engine("diagnose: never started") else { return };
    let parent = folder();
    let stack =
        by_hand(engine, parent.path(), "dnever", "    environment:", "    depends_on: [mcp-proxy]\n    environment:");
    stack.edit("docker-compose.yml", CLOUDFLARED, "localhost:1/cloudflare/cloudflared:latest");
    stack.edit("docker-compose.yml", "- TUNNEL_TOKEN", &format!("- TUNNEL_TOKEN={}", token("healthy")));
    stack.edit("docker-compose.yml", "    volumes:", "    ports: [\"0:8080\"]\n    volumes:");
    let answer = stack.call(["diagnose"]).changes_nothing().run().expect(1);
    for id in ["token-in-file", "token-in-clear", "depends-on-plain", "ports-published", "image-unpinned"] {
        answer.finding(id);
    }
    assert!(answer.evidence("image-absent").contains("cloudflared:latest"), "{:#}", answer.json);
    // They endanger the token; that nothing runs is another matter, and what the summary says.
    assert!(answer.json["summary"].as_str().unwrap().contains("the stack is not running"), "{:#}", answer.json);
    assert!(next(&answer).contains(" up "), "{}", next(&answer));

    // A stack that cannot start is fixed before it is started.
    stack.edit("docker-compose.yml", "service:mcp-proxy", "host");
    let broken = stack.call(["diagnose"]).changes_nothing().run().expect(1);
    assert_eq!(broken.finding("stack-stopped")["consequence_of"], "network-mode-missing");
    assert!(next(&broken).contains("network_mode"), "{}", next(&broken));
}

#[test]
fn a_directory_of_something_else_gets_no_advice() {
    let parent = folder();
    std::fs::write(parent.path().join("hosts"), "127.0.0.1 localhost\n").unwrap();
    let refused = helper(["diagnose"]).dir(parent.path()).changes_nothing().run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
    assert!(refused.message().contains("not a deployment directory"), "{}", refused.message());
    let missing = helper(["diagnose"]).dir(parent.path().join("nowhere")).run().expect(2);
    assert_eq!(missing.json["error"]["code"], "directory");
}

#[test]
fn without_docker_the_files_are_diagnosed() {
    let parent = folder();
    let dir = deployment(parent.path());
    let bin = parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let call = || helper(["diagnose"]).dir(&dir).path(&[&bin]).changes_nothing().run().expect(1);
    let answer = call();
    assert_eq!(ids(&answer), ["docker-missing"]);
    root(&answer, "docker-missing");
    let skipped = answer.json["skipped"].to_string();
    assert!(skipped.contains("containers") && skipped.contains("logs"), "{skipped}");

    let said = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    script(&bin, "docker", &format!("#!/bin/sh\necho '{said}' >&2; exit 1\n"));
    let answer = call();
    root(&answer, "docker-daemon-down");
    chmod(&dir.join("data/tls.key"), 0o600);
    call().finding("proxy-key-denied");
}
