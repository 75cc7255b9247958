//! Programs that cannot run or have ended: named at once, and not waited for.

use serde_json::{Value, json};

use super::{chmod, container, route, row, seconds};
use crate::support::engine::{PROXY, PYTHON, Stack, docker_says, engine, ready, services, until};
use crate::support::token;

#[test]
fn engine_unreadable_key_is_refused_before_and_named_after_a_start() {
    let Some(engine) = engine("unreadable key") else { return };
    let stack = Stack::small(engine, "key", "healthy");
    chmod(&stack, "data/tls.key", 0o600);

    let up = stack.up(60).expect(1);
    assert_eq!(up.data()["ready"], false);
    up.finding("proxy-key-denied");
    assert_eq!(stack.containers(), Vec::<String>::new(), "nothing may be started");

    // Started by hand it crashes, and Compose fails with the words of a consequence.
    assert!(!stack.compose(&["up", "-d"]).status.success());
    until("the proxy was restarted", || stack.inspect("mcp-gateway")["RestartCount"].as_u64() > Some(0));
    let status = stack.status().expect(1);
    assert_eq!(status.findings()[0], "proxy-key-denied", "{:#}", status.json);
    assert!(status.evidence("proxy-key-denied").contains("open /data/tls.key: permission denied"));
    assert_eq!(status.finding("crash-loop")["consequence_of"], "proxy-key-denied");
    assert_eq!(status.finding("netns-owner-not-running")["consequence_of"], "proxy-key-denied");
    assert!(status.json["summary"].as_str().unwrap().contains("server key"), "{}", status.json["summary"]);

    // What it advises is what helps.
    assert!(status.finding("proxy-key-denied")["fix"].as_str().unwrap().contains("chmod a+rX"));
    chmod(&stack, "data/tls.key", 0o644);
    stack.restart_ready();
    stack.assert_no_token();
}

pub(super) const ROUTES_MAP: &str = "routes:\n  own: http://own:9000\n";
const ROUTES_LIST: &str = "routes:\n- own: http://own:9000\n";

#[test]
fn engine_routes_list_leaves_cloudflared_in_created_until_restart() {
    let Some(engine) = engine("routes as a list, first start") else { return };
    let stack = Stack::small(engine, "list", "healthy");
    stack.edit("config/mcp-gateway.yaml", ROUTES_MAP, ROUTES_LIST);

    let up = stack.up(60).expect(1);
    up.finding("proxy-config-routes-list");
    assert_eq!(stack.containers(), Vec::<String>::new(), "nothing may be started");

    assert!(!stack.compose(&["up", "-d"]).status.success());
    until("the proxy was restarted", || stack.inspect("mcp-gateway")["RestartCount"].as_u64() > Some(0));
    assert_eq!(stack.state("cloudflared"), "created");
    let status = stack.status().expect(1);
    assert_eq!(status.findings()[0], "proxy-config-routes-list", "{:#}", status.json);
    assert!(status.evidence("proxy-config-routes-list").contains("cannot unmarshal !!seq"), "{:#}", status.json);
    assert_eq!(status.finding("crash-loop")["consequence_of"], "proxy-config-routes-list");
    assert_eq!(status.finding("netns-owner-not-running")["consequence_of"], "proxy-config-routes-list");
    assert_eq!(container(&status, "cloudflared")["state"], "created");

    // Fixed: the restart policy revives the proxy, and nothing starts cloudflared.
    stack.edit("config/mcp-gateway.yaml", ROUTES_LIST, ROUTES_MAP);
    until("the proxy runs", || {
        let proxy = stack.inspect("mcp-gateway");
        let text = docker_says(["logs", "--tail", "1", proxy["Id"].as_str().unwrap()]);
        proxy["State"]["Status"] == "running" && text.contains("starting mcp-proxy")
    });
    let stuck = stack.status().expect(1);
    stuck.finding("netns-owner-not-running");
    assert_eq!(stack.state("cloudflared"), "created");
    assert!(stuck.json["next"][0]["command"].as_str().unwrap().contains(" up "), "{:#}", stuck.json);

    let cured = stack.up_ready();
    assert_eq!(cured.data()["connections"]["registered"], 4);
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_routes_list_in_a_running_stack() {
    let Some(engine) = engine("routes as a list, running stack") else { return };
    let stack = Stack::small(engine, "relist", "healthy");
    stack.up_ready();
    stack.edit("config/mcp-gateway.yaml", ROUTES_MAP, ROUTES_LIST);

    // What runs keeps running: a configuration that is known to be broken is not applied.
    let before = stack.ids(["cloudflared", "mcp-gateway"]);
    let refused = stack.call(["restart"]).json(json!({"wait_seconds": 60})).run().expect(1);
    refused.finding("proxy-config-routes-list");
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway"]), before);
    assert!(stack.ask("own").0, "it still answers");

    stack.compose(&["restart", "mcp-gateway"]);
    until("the proxy was restarted", || stack.inspect("mcp-gateway")["RestartCount"].as_u64() > Some(0));
    let status = stack.status().expect(1);
    assert_eq!(status.findings()[0], "proxy-config-routes-list", "{:#}", status.json);
    assert_eq!(status.finding("crash-loop")["consequence_of"], "proxy-config-routes-list");

    stack.edit("config/mcp-gateway.yaml", ROUTES_LIST, ROUTES_MAP);
    stack.restart_ready();
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_what_only_the_proxy_refuses_ends_the_wait_early() {
    let Some(engine) = engine("a proxy that crashes") else { return };
    let stack = Stack::small(engine, "crash", "healthy");
    // Its own words are not in any catalogue.
    stack.write(
        "docker-compose.override.yaml",
        &format!(
            "{}  mcp-gateway:\n    entrypoint: [\"/usr/local/bin/probe\"]\n    command: [\"serve\", \"nowhere\", \"x\"]\n",
            services(&[("own", "")])
        ),
    );
    let up = stack.up(240).expect(1);
    assert!(seconds(&up) < 60, "{}", up.data());
    assert_eq!(up.findings()[0], "crash-loop", "{:#}", up.json);
    assert!(up.evidence("crash-loop").contains("listen tcp nowhere"), "{:#}", up.json);
    stack.assert_no_token();
}

#[test]
fn engine_malformed_token() {
    let Some(engine) = engine("malformed token") else { return };
    let stack = Stack::small(engine, "malformed", "healthy");
    let good = token("healthy");
    let cut = &good[..good.len() - 9];
    stack.edit(".env", &format!("TUNNEL_TOKEN={good}"), &format!("TUNNEL_TOKEN={cut}"));
    stack.remember(cut.to_owned());

    let up = stack.up(60).expect(1);
    up.finding("token-malformed");
    assert_eq!(stack.containers(), Vec::<String>::new(), "nothing may be started");

    stack.compose(&["up", "-d"]);
    until("cloudflared was restarted", || stack.inspect("cloudflared")["RestartCount"].as_u64() > Some(0));
    let status = stack.status().expect(1);
    assert_eq!(status.findings()[0], "token-malformed", "{:#}", status.json);
    let loops = status.finding("crash-loop");
    assert_eq!(loops["consequence_of"], "token-malformed");
    assert!(loops["evidence"].to_string().contains("cloudflared"), "{loops}");

    stack.set_token("healthy again");
    stack.restart_ready();
    assert!(stack.runs_with("healthy again"));
    stack.assert_no_token();
}

#[test]
fn engine_killed_proxy_orphans_cloudflared() {
    let Some(engine) = engine("killed proxy") else { return };
    let stack = Stack::small(engine, "killed", "healthy");
    stack.up_ready();
    let before = stack.ids(["cloudflared", "mcp-gateway", "own"]);
    stack.kill("mcp-gateway");

    // Everything is up, and nothing gets through.
    for service in ["cloudflared", "mcp-gateway"] {
        assert_eq!(stack.state(service), "running");
    }
    assert!(!stack.ask("own").0);
    let status = stack.status().expect(1);
    let orphaned = status.finding("proxy-netns-orphaned");
    assert_eq!(orphaned["severity"], "error");
    assert!(status.json["next"][0]["command"].as_str().unwrap().contains(" restart "), "{:#}", status.json);
    assert_eq!(status.findings()[0], "proxy-netns-orphaned", "it is the cause: {:#}", status.json);

    // A plain `up` of Compose sees nothing; ours brings cloudflared back.
    let up = ready(stack.up(60));
    assert!(up.data()["done"].to_string().contains("cloudflared"), "{}", up.data());
    assert_eq!(up.data()["connections"]["registered"], 4);
    assert!(stack.ask("own").0);

    stack.kill("mcp-gateway");
    let cured = stack.restart_ready();
    assert_eq!(cured.data()["connections"]["registered"], 4);
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway", "own"]), before, "a restart was enough");
    assert!(stack.ask("own").0);
    assert_eq!(ready(stack.status()).findings(), Vec::<&str>::new());
    stack.assert_no_token();
}

#[test]
fn engine_recreated_proxy_orphans_cloudflared_the_other_way() {
    let Some(engine) = engine("proxy made anew alone") else { return };
    let stack = Stack::small(engine, "recreated", "healthy");
    stack.up_ready();
    stack.compose_ok(&["up", "-d", "--force-recreate", "--no-deps", "mcp-gateway"]);

    let status = stack.status().expect(1);
    status.finding("proxy-netns-orphaned");
    assert_eq!(status.data()["ready"], false);

    let own = stack.id("own");
    let cured = stack.restart_ready();
    assert_eq!(cured.data()["connections"]["registered"], 4);
    assert!(stack.ask("own").0);
    assert_eq!(stack.id("own"), own);
    stack.assert_no_token();
}

#[test]
fn engine_stopped_proxy_is_named_and_brought_back() {
    let Some(engine) = engine("stopped proxy") else { return };
    let stack = Stack::small(engine, "stopped", "healthy");
    stack.up_ready();
    docker_says(["stop", &stack.id("mcp-gateway").unwrap()]);
    let status = stack.status().expect(1);
    let stopped = status.finding("service-stopped");
    assert!(stopped["evidence"].to_string().contains("mcp-gateway"), "{stopped}");
    stack.restart_ready();
    assert!(stack.ask("own").0);

    // Both stopped by hand: `up`, as the finding says, is enough.
    stack.compose_ok(&["stop"]);
    assert_eq!(stack.status().expect(1).findings(), ["stack-stopped"]);
    stack.up_ready();
    assert!(stack.ask("own").0);
}

#[test]
fn engine_crashing_server_is_named_without_waiting_for_it() {
    let Some(engine) = engine("crashing server") else { return };
    let stack = Stack::small(engine, "upcrash", "healthy");
    stack.edit("docker-compose.override.yaml", "\":9000\"", "\"nowhere\"");
    let up = stack.up(240).expect(1);
    assert!(seconds(&up) < 60, "{}", up.data());
    assert_eq!(up.findings()[0], "upstream-down", "{:#}", up.json);
    let said = up.evidence("upstream-down");
    assert!(said.contains("own") && said.contains("listen tcp nowhere"), "{said}");
    assert_eq!(route(&up, "own")["upstream_up"], false);
    stack.assert_no_token();
}

#[test]
fn engine_ended_server_is_named_without_waiting_for_it() {
    let Some(engine) = engine("ended server") else { return };
    let stack = Stack::small(engine, "upended", "healthy");
    stack.edit("docker-compose.override.yaml", "\":9000\"", "\"nowhere\"");
    stack.edit("docker-compose.override.yaml", "restart: unless-stopped", "restart: \"no\"");
    let up = stack.up(240).expect(1);
    assert_eq!(up.findings()[0], "upstream-down", "{:#}", up.json);
    assert_eq!(route(&up, "own")["upstream_up"], false);
    assert!(seconds(&up) < 60, "nothing starts it again, so the wait ends: {}", up.data());
}

/// Exit code, want of memory and last words, which a new life hides.
#[test]
fn engine_how_containers_ended_is_told_by_what_starts_them_anew() {
    let Some(engine) = engine("how containers ended") else { return };
    let stack = Stack::small(engine, "ended", "healthy");
    let once =
        |name: &str, image: &str, rest: &str| format!("  {name}:\n    image: {image}\n    restart: \"no\"\n{rest}");
    let faulty = "    entrypoint: [/usr/local/bin/probe]\n    command: [cat, /nothing]\n";
    let hungry = "    command: [python3, -c, \"print('reading it all', flush=True); bytearray(256 << 20)\"]\n    \
                  mem_limit: 32m\n    memswap_limit: 32m\n";
    let more = once("faulty", PROXY, faulty) + &once("hungry", PYTHON, hungry);
    stack.write("docker-compose.override.yaml", &(services(&[("own", "")]) + &more));
    stack.compose_ok(&["up", "--detach"]);
    until("both have ended", || ["faulty", "hungry"].iter().all(|name| stack.state(name) == "exited"));
    until("cloudflared is connected", || stack.status().data()["connections"]["registered"] == 4);
    stack.kill("mcp-gateway");
    let answer = stack.call(["restart"]).json(json!({"wait_seconds": 20})).run();
    let ended = &answer.data()["ended"];
    let said = |service: &str| {
        let ended = row(ended, "service", service);
        let last = ended["last_lines"].to_string();
        (
            ended["exit_code"].as_i64(),
            ended["out_of_memory"].as_bool().unwrap(),
            ended["restarts"].as_u64().unwrap(),
            last,
        )
    };
    let (code, memory, restarts, last) = said("faulty");
    assert_eq!((code, memory, restarts), (Some(1), false, 0), "{ended:#}");
    assert!(last.contains("/nothing") && last.contains(" ago"), "{last}");
    let (code, memory, restarts, last) = said("hungry");
    assert_eq!((code, memory, restarts), (Some(137), true, 0), "{ended:#}");
    assert!(last.contains("reading it all"), "{last}");
    // It was revived, which forgets the code; what it said in the life that ended is kept.
    let (code, memory, restarts, last) = said("mcp-gateway");
    assert_eq!((code, memory, restarts), (None, false, 1), "{ended:#}");
    assert!(last.contains("starting mcp-proxy"), "{last}");
    assert!(ended.as_array().unwrap().iter().all(|ended| ended["service"] != "own"), "{ended:#}");
    // A new life: nothing is told twice.
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    let again = stack.restart_ready();
    assert!(again.data()["ended"].is_null(), "{:#}", again.json);
}

#[test]
fn engine_a_server_that_is_starting_is_no_error() {
    let Some(engine) = engine("a starting server") else { return };
    let stack = Stack::small(engine, "starting", "healthy");
    let check = "    healthcheck:\n      test: [\"CMD\", \"/usr/local/bin/probe\", \"http\", \"127.0.0.1:1\", \"GET\", \"/\", \"x\"]\n      interval: 60s\n      start_period: 300s\n";
    stack.write("docker-compose.override.yaml", &services(&[("own", check)]));
    // Its health check has not passed yet, and it answers: what was tried counts.
    let up = stack.up_ready();
    assert_eq!(container(&up, "own")["health"], "starting");
    assert_eq!(route(&up, "own")["state"], "callable");
    // Not asked, it is on its way, which is not an error and not ready either.
    let status = stack.call(["status"]).json(json!({"probe": false})).run().expect(0);
    assert_eq!(status.data()["ready"], false);
    assert_eq!(route(&status, "own")["upstream_up"], Value::Null);
    assert_eq!(route(&status, "own")["state"], "not-checked");
}
