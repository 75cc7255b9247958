//! What the stack makes of an outage around it: the engine restarted, its DNS silent. Times are printed, as those of
//! [`super::heal`].

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::heal::{LIMIT, PROGRAMS, callable_in, recovery, settle, stack};
use crate::support::engine::{Stack, engine, ready, unique};
use crate::support::own_engine::OwnEngine;
use crate::support::{is_root, skip, which};

#[test]
fn engine_a_restart_of_the_engine_is_healed() {
    let Some(images) = engine("a restart of the engine") else { return };
    let Some(mut own) = OwnEngine::start(images, "a restart of the engine") else { return };
    let stacks = ["separate", "shared"].map(|namespace| {
        let stack = stack(images, &format!("engine{namespace}"), namespace);
        ready(own.on(stack.call(["up"]).json(json!({"wait_seconds": 60}))).run());
        (namespace, stack)
    });
    let docker = |own: &OwnEngine, args: &[&str]| own.docker(args.iter().copied());
    let id = |own: &OwnEngine, stack: &Stack, service: &str| {
        let project = format!("label=com.docker.compose.project={}", stack.project);
        let service = format!("label=com.docker.compose.service={service}");
        let out = docker(own, &["ps", "--all", "--quiet", "--no-trunc", "--filter", &project, "--filter", &service]);
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let before = stacks.each_ref().map(|(_, stack)| PROGRAMS.map(|service| id(&own, stack, service)));
    own.stop();
    let since = Instant::now();
    own.run();
    println!("the engine answers again after     {:.1} s", since.elapsed().as_secs_f64());
    for (namespace, stack) in &stacks {
        let agent = id(&own, stack, "cloudflared");
        let proxy = if *namespace == "shared" { "localhost:8080" } else { "mcp-gateway:8080" };
        while !callable_in(&|args| docker(&own, args), &agent, stack, proxy) {
            assert!(since.elapsed() < 2 * LIMIT, "{namespace}: {:#}", own.on(stack.call(["status"])).run().json);
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("restart of the engine, {namespace:<11} {:.1} s", since.elapsed().as_secs_f64());
        ready(own.on(stack.call(["status"]).json(json!({"wait_seconds": 30}))).run());
    }
    let now = stacks.each_ref().map(|(_, stack)| PROGRAMS.map(|service| id(&own, stack, service)));
    assert_eq!(now, before, "the same containers");
    for (_, stack) in &stacks {
        own.on(stack.call(["down"])).run().expect(0);
    }
}

/// Drops every question to the engine's DNS that a container asks, until it is dropped itself.
struct Silence {
    pid: String,
    table: String,
}

impl Silence {
    fn of(stack: &Stack, service: &str) -> Self {
        let pid = stack.inspect(service)["State"]["Pid"].to_string();
        let table = unique("silence").replace('-', "_");
        // As they arrive: a question that cannot even be sent is an error at once.
        let rules = format!(
            "table ip {table} {{\nchain input {{\ntype filter hook input priority 0\n\
             ip daddr 127.0.0.11 drop\n}}\n}}\n"
        );
        let silence = Self { pid, table };
        assert!(silence.nft(&[&rules]), "nft makes no table in the container's namespace");
        silence
    }

    fn nft(&self, args: &[&str]) -> bool {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--net", "nft"]).args(args);
        command.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.nft(&["delete", "table", "ip", &self.table]);
    }
}

#[test]
fn engine_separate_outlives_a_silent_dns() {
    let Some(engine) = engine("a DNS that does not answer") else { return };
    if !is_root() || which("nft").is_none() || which("nsenter").is_none() {
        return skip("a DNS that does not answer", "only root with nft and nsenter can silence it");
    }
    let stack = stack(engine, "dns", "separate");
    stack.up_ready();
    let started = || PROGRAMS.map(|service| stack.inspect(service)["State"]["StartedAt"].clone());
    let before = started();
    // The proxy cannot find the server: that is said, and what is said of a server that is down is not.
    let silence = Silence::of(&stack, "mcp-gateway");
    let probe = stack.call(["probe"]).json(json!({"timeout_ms": 1500})).run().expect(1);
    assert_eq!(probe.findings(), ["upstream-dns"], "{:#}", probe.json);
    assert!(probe.finding("upstream-dns")["cause"].as_str().unwrap().contains("in time"), "{:#}", probe.json);
    let status = stack.status().expect(1);
    assert_eq!(status.data()["connections"]["registered"], 4, "{:#}", status.json);
    drop(silence);
    let took = recovery(&stack, Instant::now());
    println!("DNS of the proxy answers again     {:.1} s", took.as_secs_f64());
    assert_eq!(started(), before, "nothing was started anew");
    // cloudflared cannot find the proxy, which dies meanwhile and has another address, maybe.
    settle(&stack);
    let silence = Silence::of(&stack, "cloudflared");
    stack.kill("mcp-gateway");
    std::thread::sleep(Duration::from_secs(5));
    drop(silence);
    let took = recovery(&stack, Instant::now());
    println!("DNS of cloudflared answers again   {:.1} s", took.as_secs_f64());
    let status = stack.status_within(30).expect(0);
    assert_eq!(status.data()["ready"], true, "{:#}", status.json);
}
