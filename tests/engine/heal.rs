//! What happens when a container dies, on a real engine, under both settings of `namespace`.
//!
//! `MCP_TUNNELS_HEAL_ROUNDS=50 cargo test --test integration engine::heal:: -- --nocapture` (`benches/heal.sh`) prints how long
//! every recovery took.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::engine::{Engine, Stack, docker, docker_says, engine, services, until};
use crate::support::is_long;

pub(super) const PROGRAMS: [&str; 3] = ["mcp-gateway", "cloudflared", "own"];

/// An engine resets its back-off for a container that has run this long.
const SETTLED: Duration = Duration::from_secs(10);

/// Without intervention a route must be callable again within this.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// A stack with one route, `own`.
pub(super) fn stack(engine: Engine, label: &str, namespace: &str) -> Stack {
    let settings = json!({"routes": {"own": "http://own:9000"}, "namespace": namespace});
    let stack = Stack::new(engine, label, settings, "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    stack
}

/// Where cloudflared reaches the proxy under a setting.
pub(super) fn proxy_of(namespace: &str) -> &'static str {
    if namespace == "shared" { "localhost:8080" } else { "mcp-gateway:8080" }
}

/// Whether a call that came to cloudflared would be answered: it has a connection, and the way from it to the server
/// is open.
pub(super) fn is_callable(stack: &Stack, proxy: &str) -> bool {
    stack.id("cloudflared").is_some_and(|id| callable_in(&|args| docker(args.iter().copied()), &id, stack, proxy))
}

/// The same on any engine, by the id of cloudflared's container.
pub(super) fn callable_in(docker: &dyn Fn(&[&str]) -> Output, agent: &str, stack: &Stack, proxy: &str) -> bool {
    let asks = |args: [&str; 4]| {
        let words = ["exec", agent, "/usr/local/bin/probe", "http"];
        docker(&[&words[..], &args].concat()).status.success()
    };
    let host = format!("own.{}", stack.domain);
    asks(["127.0.0.1:20241", "GET", "/ready", "x"]) && asks([proxy, "GET", "/hello", &host])
}

/// How long until the route is callable again, if that is within the limit.
fn recovers(stack: &Stack, namespace: &str, since: Instant) -> Option<Duration> {
    while !is_callable(stack, proxy_of(namespace)) {
        if since.elapsed() > LIMIT {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(since.elapsed())
}

/// The same where it must be.
pub(super) fn recovery(stack: &Stack, namespace: &str, since: Instant) -> Duration {
    let took = recovers(stack, namespace, since);
    took.unwrap_or_else(|| panic!("not callable within {LIMIT:?}: {:#}", stack.status().json))
}

/// Waits until the engine has reset the back-off of each.
pub(super) fn settle(stack: &Stack) {
    until("every container has run for ten seconds", || {
        let format = "{{.State.Status}} {{.State.StartedAt}}";
        let shown =
            docker_says(["inspect", "--format", format].map(str::to_owned).into_iter().chain(stack.containers()));
        let now = OffsetDateTime::now_utc();
        let left = shown.lines().map(|line| {
            let started = line.strip_prefix("running ").and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
            started.map_or(SETTLED, |started| (started + SETTLED - now).try_into().unwrap_or_default())
        });
        let left = left.max().unwrap_or(SETTLED);
        std::thread::sleep(left.min(SETTLED));
        left.is_zero()
    });
}

/// One tells whether they heal; how long that takes, fifty (`benches/heal.sh`).
fn rounds() -> u32 {
    let asked = std::env::var("MCP_TUNNELS_HEAL_ROUNDS").ok().and_then(|n| n.parse().ok());
    asked.unwrap_or(if is_long() { 3 } else { 1 })
}

/// Times of recovery by what was done; none where it took a command.
struct Times(&'static str, Vec<(String, Vec<Option<Duration>>)>);

impl Times {
    fn add(&mut self, what: &str, took: Option<Duration>) {
        // A long run says how far it is.
        let told = took.map_or("not within the limit".into(), |took| format!("{:.1} s", took.as_secs_f64()));
        println!("{}: {what:<32} {told}", self.0);
        match self.1.iter_mut().find(|(known, _)| known == what) {
            Some((_, all)) => all.push(took),
            None => self.1.push((what.to_owned(), vec![took])),
        }
    }
}

impl Drop for Times {
    fn drop(&mut self) {
        for (what, all) in &mut self.1 {
            let mut healed: Vec<f64> = all.iter().flatten().map(Duration::as_secs_f64).collect();
            healed.sort_by(f64::total_cmp);
            let times = match healed.as_slice() {
                [] => String::new(),
                [.., worst] => format!(", median {:.1} s, longest {worst:.1} s", healed[healed.len() / 2]),
            };
            println!("{}: {what:<32} healed {:>3} of {:>3} times{times}", self.0, healed.len(), all.len());
        }
    }
}

fn restart(stack: &Stack, service: &str) {
    docker_says(["restart", "--time", "1", &stack.id(service).unwrap()]);
}

#[test]
fn engine_separate_heals_by_itself() {
    let Some(engine) = engine("deaths under `separate`") else { return };
    let stack = stack(engine, "heal", "separate");
    stack.up_ready();
    let before = stack.ids(PROGRAMS);
    let mut times = Times("separate", Vec::new());
    for _ in 0..rounds() {
        settle(&stack);
        for service in PROGRAMS {
            let since = Instant::now();
            stack.strike(&[service]);
            times.add(&format!("SIGKILL {service}"), Some(recovery(&stack, "separate", since)));
        }
        settle(&stack);
        let since = Instant::now();
        stack.strike(&PROGRAMS);
        times.add("SIGKILL all at once", Some(recovery(&stack, "separate", since)));
        for service in PROGRAMS {
            let since = Instant::now();
            restart(&stack, service);
            times.add(&format!("docker restart {service}"), Some(recovery(&stack, "separate", since)));
        }
        assert!(is_callable(&stack, "mcp-gateway:8080"));
    }
    drop(times);
    assert_eq!(stack.ids(PROGRAMS), before, "the same containers");
    let status = stack.status_within(60).expect(0);
    assert_eq!(status.data()["ready"], true, "{:#}", status.json);
    stack.assert_no_token();
}

#[test]
fn engine_a_server_that_is_gone_is_outlived() {
    let Some(engine) = engine("a server that is gone") else { return };
    let outlives = |namespace: &str| {
        let stack = stack(engine, &format!("gone{namespace}"), namespace);
        stack.up_ready();
        let others = ["mcp-gateway", "cloudflared"].map(|name| stack.inspect(name)["State"]["StartedAt"].clone());
        let own = stack.id("own").unwrap();
        docker_says(["stop", "--time", "1", &own]);
        let status = stack.status().expect(1);
        assert_eq!(status.data()["connections"]["registered"], 4, "the tunnel itself keeps running: {:#}", status.json);
        assert!(!is_callable(&stack, proxy_of(namespace)));
        std::thread::sleep(Duration::from_secs(if rounds() > 3 { 60 } else { 5 }));
        docker_says(["start", &own]);
        let took = recovery(&stack, namespace, Instant::now());
        println!("{namespace}: server back after being gone     {:.1} s", took.as_secs_f64());
        let now = ["mcp-gateway", "cloudflared"].map(|name| stack.inspect(name)["State"]["StartedAt"].clone());
        assert_eq!(now, others, "nothing else was started anew");
    };
    std::thread::scope(|scope| ["separate", "shared"].map(|n| scope.spawn(move || outlives(n))).map(|_| ()));
}

/// What does not own the namespace comes back by itself; what ends the proxy is healed by a command, which is named.
#[test]
fn engine_shared_heals_from_every_death_but_the_proxys() {
    let Some(engine) = engine("deaths under `shared`") else { return };
    let ready_stack = |label: &str| {
        let stack = stack(engine, label, "shared");
        stack.up_ready();
        assert!(is_callable(&stack, "localhost:8080"));
        stack
    };
    let heals = |label: &str| {
        let stack = ready_stack(label);
        let mut times = Times("shared", Vec::new());
        for _ in 0..rounds() {
            settle(&stack);
            for service in ["cloudflared", "own"] {
                let since = Instant::now();
                stack.strike(&[service]);
                times.add(&format!("SIGKILL {service}"), Some(recovery(&stack, "shared", since)));
            }
            for service in ["cloudflared", "own"] {
                let since = Instant::now();
                restart(&stack, service);
                times.add(&format!("docker restart {service}"), Some(recovery(&stack, "shared", since)));
            }
        }
    };
    let is_lost = |label: &str, what: &str, ends: fn(&Stack)| {
        let stack = ready_stack(label);
        let mut times = Times("shared", Vec::new());
        for _ in 0..rounds().div_ceil(3) {
            settle(&stack);
            let since = Instant::now();
            ends(&stack);
            let took = recovers(&stack, "shared", since);
            times.add(what, took);
            let status = stack.status();
            if took.is_none() {
                let lost = ["proxy-netns-orphaned", "netns-owner-not-running", "service-stopped"];
                let root = status.findings().first().copied().unwrap_or_default().to_owned();
                assert!(status.code == 1 && lost.contains(&root.as_str()), "{what}: {:#}", status.json);
                let fix = status.finding(&root)["fix"].as_str().unwrap();
                assert!(root == "service-stopped" || fix.contains("\"namespace\":\"separate\""), "{what}: {fix}");
            }
            stack.up_ready();
            assert!(is_callable(&stack, "localhost:8080"), "`up` heals it");
        }
        (stack, times.1.iter().all(|(_, all)| all.iter().all(Option::is_none)))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| heals("sharedheal"));
        scope.spawn(|| {
            let kill = |stack: &Stack| stack.strike(&["mcp-gateway"]);
            let (stack, always) = is_lost("sharedkill", "SIGKILL mcp-gateway", kill);
            assert!(always, "it came back by itself: say so in README and docs");
            // The finding's own words.
            stack.call(["render"]).json(json!({"namespace": "separate"})).run().expect(0);
            stack.up_ready();
            settle(&stack);
            stack.strike(&["mcp-gateway"]);
            recovery(&stack, "separate", Instant::now());
        });
        scope.spawn(|| {
            let (_, always) =
                is_lost("sharedrestart", "docker restart mcp-gateway", |stack| restart(stack, "mcp-gateway"));
            assert!(always, "it came back by itself: say so in README and docs");
        });
        scope.spawn(|| is_lost("sharedall", "SIGKILL all at once", |stack| stack.strike(&PROGRAMS)));
    });
}

/// Whether a container answers on a port of another, dialled by its address.
pub(super) fn reaches(stack: &Stack, from: &str, to: &str) -> bool {
    let networks = stack.inspect(to)["NetworkSettings"]["Networks"].clone();
    let addresses: Vec<String> = networks
        .as_object()
        .unwrap()
        .values()
        .map(|network| format!("{}:9000", network["IPAddress"].as_str().unwrap()))
        .collect();
    addresses.iter().any(|address| stack.probe(from, &["http", address, "GET", "/", "x"]).0)
}

/// Files and containers that a change of the setting must not touch.
fn untouched(stack: &Stack) -> Value {
    let files = ["data/ca.crt", "data/ca.key", "data/tls.crt", "data/tls.key", ".env", "config/mcp-gateway.yaml"];
    json!({"files": files.map(|file| stack.read(file)), "own": stack.id("own"), "token": stack.runs_with("healthy")})
}

#[test]
fn engine_one_render_and_one_up_move_between_the_settings() {
    let Some(engine) = engine("a move between the settings") else { return };
    let stack = stack(engine, "move", "shared");
    stack.up_ready();
    let before = untouched(&stack);
    assert!(reaches(&stack, "cloudflared", "own"), "what the proxy reaches, a shared cloudflared does");
    for (namespace, proxy) in [("separate", "mcp-gateway:8080"), ("shared", "localhost:8080")] {
        let old = stack.ids(["mcp-gateway", "cloudflared"]);
        stack.call(["render"]).json(json!({"namespace": namespace})).run().expect(0);
        let waiting = stack.status();
        assert!(waiting.json["next"][0]["command"].as_str().unwrap().contains(" up "), "{:#}", waiting.json);
        waiting.finding("namespace-not-applied");
        let up = stack.up_ready();
        assert_eq!(up.findings(), ["image-unpinned"], "{:#}", up.json);
        let new = stack.ids(["mcp-gateway", "cloudflared"]);
        assert!(old.iter().zip(&new).all(|(old, new)| old != new), "both are new: {old:?} {new:?}");
        assert_eq!(untouched(&stack), before);
        assert!(is_callable(&stack, proxy));
        assert_eq!(up.data()["connections"]["registered"], 4);
        assert_eq!(stack.networks().len(), if namespace == "separate" { 2 } else { 1 }, "{}", up.data());
        // Containers without a published port are out of its reach, and out of the server's sight.
        assert_eq!(reaches(&stack, "cloudflared", "own"), namespace == "shared");
        let probe = stack.call(["probe"]).run().expect(0);
        assert_eq!(probe.data()["routes"][0]["state"], "callable");
        let diagnosis = stack.call(["diagnose"]).run().expect(0);
        assert_eq!(diagnosis.data()["healthy"], true, "{:#}", diagnosis.json);
        // `restart` means everything, cloudflared last.
        let restarted = stack.restart_ready();
        for service in PROGRAMS {
            assert!(restarted.data()["done"].to_string().contains(service), "{}", restarted.data());
        }
        assert!(is_callable(&stack, proxy));
    }
    stack.down().expect(0);
    assert_eq!((stack.containers().len(), stack.networks().len()), (0, 0));
    stack.assert_no_token();
}

#[test]
fn engine_cloudflared_is_asked_where_it_lives() {
    let Some(engine) = engine("cloudflared's own numbers") else { return };
    let stack = stack(engine, "asked", "separate");
    let quiet = |more: &str| {
        format!("{}  cloudflared:\n    environment: {{ TUNNEL_LOGLEVEL: warn{more} }}\n", services(&[("own", "")]))
    };
    // By its default address, by its command line, by its variable: the log says nothing.
    let command = |metrics: &str| {
        format!(
            "    command: tunnel --no-autoupdate {metrics} run --url http://mcp-gateway:8080\n    healthcheck: {{ disable: true }}\n"
        )
    };
    for (more, port) in [
        (quiet(""), 20241),
        (quiet("") + &command(""), 20241),
        (quiet("") + &command("--metrics localhost:3000"), 3000),
        (quiet(", TUNNEL_METRICS: '0.0.0.0:3001'") + &command(""), 3001),
    ] {
        stack.write("docker-compose.override.yaml", &more);
        let up = stack.up_ready();
        assert_eq!(up.data()["connections"]["registered"], 4, "{port}: {:#}", up.json);
        let address = format!("127.0.0.1:{port}");
        for code in ["200", "200", "502"] {
            let path = format!("/standin/call/{code}");
            assert!(stack.probe("cloudflared", &["http", &address, "POST", &path, "x"]).0);
        }
        let status = stack.status().expect(0);
        assert_eq!((&status.data()["calls"]["total"], &status.data()["calls"]["errors"]), (&json!(3), &json!(1)));
    }
    // Without the proxy, too.
    let proxy = stack.id("mcp-gateway").unwrap();
    docker_says(["stop", "--time", "1", &proxy]);
    let status = stack.status().expect(1);
    assert_eq!(status.data()["connections"]["registered"], 4, "{:#}", status.json);
    assert_eq!(status.findings()[0], "service-stopped");
}

#[test]
fn engine_the_engines_wait_is_shown() {
    let Some(engine) = engine("the engine's back-off") else { return };
    let stack = stack(engine, "backoff", "separate");
    stack.up_ready();
    stack.edit("config/mcp-gateway.yaml", "listen_addr: :8080", "listen_addr: nonsense");
    stack.strike(&["mcp-gateway"]);
    let mut seen = Vec::new();
    until("the engine waits several seconds", || {
        let status = stack.call(["status"]).json(json!({"probe": false})).run();
        let containers = status.data()["containers"].as_array().unwrap().clone();
        let proxy = containers.iter().find(|c| c["service"] == "mcp-gateway").unwrap().clone();
        seen.extend(proxy["next_start_seconds"].as_u64());
        assert!(proxy["state"] == "restarting" || proxy["next_start_seconds"].is_null(), "{proxy}");
        // Nothing that lives elsewhere is drawn into it.
        assert_eq!(status.data()["connections"]["registered"], 4, "{:#}", status.json);
        seen.iter().any(|wait| *wait >= 4)
    });
    assert!(seen.iter().all(|wait| *wait <= 60), "{seen:?}");
    // Fixed, it comes back by itself, or at once with `up`.
    stack.edit("config/mcp-gateway.yaml", "listen_addr: nonsense", "listen_addr: :8080");
    stack.up_ready();
    assert!(is_callable(&stack, "mcp-gateway:8080"));
}
