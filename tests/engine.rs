//! The rendered stack on a real Docker engine, with containers that play the proxy and cloudflared.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::edge::{World, python};
use crate::support::engine::{
    CLOUDFLARED, PROXY, Removed, Stack, docker_says, engine, images, ready, services, unique, until,
};
use crate::support::{Answer, folder, helper, snapshot, token};

/// One line of a list of objects by the value of a key.
fn row<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let rows = list.as_array().unwrap();
    rows.iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("no `{value}` in {list}"))
}

fn route<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    row(&answer.data()["routes"], "name", name)
}

fn container<'a>(answer: &'a Answer, service: &str) -> &'a Value {
    row(&answer.data()["containers"], "service", service)
}

/// The evidence of a finding as one text.
fn evidence(answer: &Answer, id: &str) -> String {
    answer.finding(id)["evidence"].to_string()
}

/// What was waited for, in seconds.
fn seconds(answer: &Answer) -> u64 {
    answer.data()["elapsed_ms"].as_u64().unwrap() / 1000
}

fn chmod(stack: &Stack, inside: &str, mode: u32) {
    std::fs::set_permissions(stack.dir.join(inside), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn engine_starts_to_ready_and_down_leaves_nothing() {
    let Some(engine) = engine("start to ready") else { return };
    let stack = Stack::small(engine, "start", "healthy");

    let stopped = stack.status().expect(1);
    assert_eq!(stopped.findings(), ["stack-stopped"]);
    assert_eq!(stopped.data()["ready"], false);

    let up = stack.up_ready();
    let data = up.data();
    assert_eq!(data["project"], stack.project.as_str());
    assert_eq!((&data["connections"], &data["connections_wanted"]), (&json!(4), &json!(4)));
    assert_eq!(data["protocol"], "quic");
    assert_eq!(
        data["routes"],
        json!([{"name": "own", "upstream": "http://own:9000", "configured": true, "upstream_up": true,
                "url": format!("https://own.{}/mcp", stack.domain), "state": "callable",
                "server": {"name": "this is own", "version": "1", "protocol": "2026-07-28", "transport": "discover",
                           "tools": 1}}])
    );
    assert_eq!((&data["calls"]["total"], &data["calls"]["errors"]), (&json!(0), &json!(0)));
    for service in ["cloudflared", "mcp-gateway", "own"] {
        let container = container(&up, service);
        assert_eq!((&container["state"], &container["restarts"]), (&json!("running"), &json!(0)), "{container}");
        assert!(container["up_seconds"].is_u64(), "{container}");
    }
    assert_eq!(container(&up, "own")["health"], Value::Null, "it has no health check");
    // The fourth connection is two seconds behind the first.
    assert!((2..60).contains(&seconds(&up)), "{data}");
    assert!(up.length < 4096, "{} bytes", up.length);
    // Only the stand-ins have no digest.
    assert_eq!(up.findings(), ["image-unpinned"]);
    assert!(up.json["next"][0]["command"].as_str().unwrap().contains(" connect "), "{:#}", up.json);

    let (answered, text) = stack.ask("own");
    assert!(answered && text.contains(&format!("this is own\nHost: own.{}", stack.domain)), "{text}");

    let services = ["cloudflared", "mcp-gateway", "own"];
    let before = stack.ids(services);
    let again = stack.up_ready();
    assert!(seconds(&again) < 10, "{}", again.data());
    assert_eq!(stack.ids(services), before);
    let status = ready(stack.status());
    assert_eq!((&status.data()["connections"], status.findings()), (&json!(4), vec![]));

    // Each process runs as 65532, so that what only the person may read stays the person's.
    for service in ["cloudflared", "mcp-gateway"] {
        assert_eq!(stack.inspect(service)["Config"]["User"], "65532:65532");
        assert_eq!(stack.inspect(service)["HostConfig"]["CapDrop"], json!(["ALL"]));
        assert_eq!(stack.inspect(service)["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    }
    let (read, text) = stack.probe("mcp-gateway", &["cat", "/data/ca.key"]);
    assert!(!read && text.contains("permission denied"), "{text}");
    assert!(stack.probe("mcp-gateway", &["cat", "/data/tls.key"]).0, "the proxy reads its key");
    stack.assert_no_token();

    let down = stack.call(["down"]).changes_nothing().run().expect(0);
    assert_eq!(down.data()["stopped"], json!(["cloudflared", "mcp-gateway", "own"]));
    assert_eq!((stack.containers(), stack.networks()), (vec![], vec![]));
    assert_eq!(stack.status().findings(), ["stack-stopped"]);
    let nothing = stack.down().expect(0);
    assert_eq!(nothing.data()["stopped"], json!([]));
}

#[test]
fn engine_slow_edge_is_waited_for_unless_told_not_to() {
    let Some(engine) = engine("edge: slow") else { return };
    let stack = Stack::small(engine, "edgeslow", "slow");
    let up = stack.up(0);
    assert_eq!(up.data()["ready"], false, "{:#}", up.json);
    assert!(seconds(&up) < 6, "{}", up.data());
    assert_eq!(stack.containers().len(), 3);
    let up = stack.up_ready();
    assert_eq!(up.data()["connections"], 4);
    assert!(seconds(&up) >= 3, "{}", up.data());
}

#[test]
fn engine_two_calls_at_once_start_one_stack() {
    let Some(engine) = engine("two calls at once") else { return };
    let stack = Stack::small(engine, "twice", "healthy");
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let call = || helper(["up"]).dir(&stack.dir).json(json!({"wait_seconds": 60})).run().code;
        [scope.spawn(call), scope.spawn(call)].map(|thread| thread.join().unwrap()).to_vec()
    });
    assert_eq!(codes, [0, 0]);
    assert_eq!(stack.containers().len(), 3);
    stack.assert_no_token();
}

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
    assert!(evidence(&status, "proxy-key-denied").contains("open /data/tls.key: permission denied"));
    assert_eq!(status.finding("crash-loop")["consequence_of"], "proxy-key-denied");
    assert_eq!(status.finding("netns-owner-not-running")["consequence_of"], "proxy-key-denied");
    assert!(status.json["summary"].as_str().unwrap().contains("server key"), "{}", status.json["summary"]);

    // What it advises is what helps.
    assert!(status.finding("proxy-key-denied")["fix"].as_str().unwrap().contains("chmod a+rX"));
    chmod(&stack, "data/tls.key", 0o644);
    stack.restart_ready();
    stack.assert_no_token();
}

const ROUTES_MAP: &str = "routes:\n  own: http://own:9000\n";
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
    assert!(evidence(&status, "proxy-config-routes-list").contains("cannot unmarshal !!seq"), "{:#}", status.json);
    assert_eq!(status.finding("crash-loop")["consequence_of"], "proxy-config-routes-list");
    assert_eq!(status.finding("netns-owner-not-running")["consequence_of"], "proxy-config-routes-list");
    assert_eq!(container(&status, "cloudflared")["state"], "created");

    // Mended: the restart policy revives the proxy, and nothing starts cloudflared.
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
    assert_eq!(cured.data()["connections"], 4);
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_routes_list_in_a_running_stack() {
    let Some(engine) = engine("routes as a list, running stack") else { return };
    let stack = Stack::small(engine, "relist", "healthy");
    stack.up_ready();
    stack.edit("config/mcp-gateway.yaml", ROUTES_MAP, ROUTES_LIST);

    // What runs goes on: a configuration that is known to be broken is not applied.
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
    assert!(evidence(&up, "crash-loop").contains("listen tcp nowhere"), "{:#}", up.json);
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
    assert_eq!(up.data()["connections"], 4);
    assert!(stack.ask("own").0);

    stack.kill("mcp-gateway");
    let cured = stack.restart_ready();
    assert_eq!(cured.data()["connections"], 4);
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
    assert_eq!(cured.data()["connections"], 4);
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
fn engine_edited_route_is_applied_by_restart() {
    let Some(engine) = engine("edited route") else { return };
    let stack = Stack::small(engine, "edited", "healthy");
    stack.up_ready();
    let own = stack.id("own");
    stack.edit("config/mcp-gateway.yaml", ROUTES_MAP, "routes:\n  mine: http://own:9000\n  own: http://own:9000\n");

    let status = stack.status();
    assert_eq!(status.finding("config-not-applied")["severity"], "warning");
    assert!(!stack.ask("mine").0);

    let hash = stack.label("mcp-gateway", "mcp-tunnels.config-sha256");
    let restart = stack.restart_ready();
    assert_eq!(route(&restart, "mine")["configured"], true);
    assert!(stack.ask("mine").0 && stack.ask("own").0);
    assert_ne!(stack.label("mcp-gateway", "mcp-tunnels.config-sha256"), hash);
    assert_eq!(stack.id("own"), own, "the server has nothing to do with it");
    assert_eq!(ready(stack.status()).findings(), Vec::<&str>::new());
    stack.assert_no_token();
}

#[test]
fn engine_rendered_route_concerns_only_proxy_and_cloudflared() {
    let Some(engine) = engine("rendered route") else { return };
    let stack = Stack::new(engine, "rendered", json!({"sample": true}), "healthy");
    stack.up_ready();
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));

    let before = stack.ids(["cloudflared", "mcp-gateway", "hello-mcp"]);
    stack.call(["render"]).json(json!({"routes": {"own": "http://own:9000"}})).run().expect(0);
    let up = stack.up_ready();
    assert_eq!(route(&up, "own")["configured"], true);
    assert_eq!(route(&up, "echo")["configured"], true);
    let after = stack.ids(["cloudflared", "mcp-gateway", "hello-mcp"]);
    assert_ne!(after[0], before[0], "cloudflared follows the proxy");
    assert_ne!(after[1], before[1], "the proxy reads its configuration only when it starts");
    assert_eq!(after[2], before[2], "the sample is untouched");
    assert!(stack.ask("own").0);

    // The same with a plain `docker compose up -d`.
    let before = stack.ids(["cloudflared", "mcp-gateway", "hello-mcp", "own"]);
    stack.call(["render"]).json(json!({"routes": {"other": "http://own:9000"}})).run().expect(0);
    stack.compose_ok(&["up", "-d"]);
    let after = stack.ids(["cloudflared", "mcp-gateway", "hello-mcp", "own"]);
    assert_ne!((&after[0], &after[1]), (&before[0], &before[1]));
    assert_eq!(after[2..], before[2..]);
    assert_eq!(route(&ready(stack.status_within(60)), "other")["configured"], true);
    assert!(stack.ask("other").0);

    // A token set: cloudflared alone.
    let before = stack.ids(["cloudflared", "mcp-gateway", "hello-mcp", "own"]);
    stack.set_token("another");
    stack.compose_ok(&["up", "-d"]);
    let after = stack.ids(["cloudflared", "mcp-gateway", "hello-mcp", "own"]);
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1..], before[1..]);
    assert!(stack.runs_with("another"));

    // Nothing changed: nothing happens.
    stack.compose_ok(&["up", "-d"]);
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway", "hello-mcp", "own"]), after);

    // The sample given up: its container goes with the next `up`, the person's own stays.
    stack.call(["render"]).json(json!({"sample": false})).run().expect(0);
    let up = stack.up_ready();
    assert_eq!(stack.id("hello-mcp"), None, "{:#}", up.json);
    assert!(up.data()["done"].to_string().contains("hello-mcp"), "{}", up.data());
    assert_eq!(stack.id("own"), Some(after[3].clone()));
    let names: Vec<&str> =
        up.data()["routes"].as_array().unwrap().iter().map(|route| route["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["other", "own"]);
    stack.assert_no_token();
}

#[test]
fn engine_rotated_token_is_applied_by_restart() {
    let Some(engine) = engine("rotated token") else { return };
    let stack = Stack::small(engine, "rotated", "first");
    stack.up_ready();
    assert!(stack.runs_with("first"));
    let fingerprint = || stack.label("cloudflared", "mcp-tunnels.token-fingerprint");
    let said = || {
        let answer = helper(["token", "check"]).dir(&stack.dir).run().expect(0);
        answer.data()["fingerprint"].as_str().unwrap().to_owned()
    };
    assert_eq!(fingerprint(), said());

    let others = stack.ids(["mcp-gateway", "own"]);
    stack.set_token("second");
    let status = stack.status();
    assert_eq!(status.finding("token-not-applied")["severity"], "warning");
    assert!(stack.runs_with("first"));
    let restart = stack.restart_ready();
    assert!(restart.data()["done"].to_string().contains("cloudflared"), "{}", restart.data());
    assert!(stack.runs_with("second"));
    assert_eq!(fingerprint(), said());
    assert_eq!(restart.data()["connections"], 4);

    // By hand, as an editor does it: nothing but that line changes.
    let (old, new) = (token("second"), token("third"));
    stack.edit(".env", &old, &new);
    stack.remember(new);
    let before = fingerprint();
    stack.status().finding("token-not-applied");
    stack.restart_ready();
    assert!(stack.runs_with("third"));
    assert_ne!(fingerprint(), before);
    assert_eq!(fingerprint(), said());
    assert_eq!(stack.ids(["mcp-gateway", "own"]), others, "a token concerns cloudflared only");
    assert_eq!(ready(stack.status()).findings(), Vec::<&str>::new());
    stack.assert_no_token();
}

#[test]
fn engine_own_services_and_changes_in_the_override_count() {
    let Some(engine) = engine("override file") else { return };
    let stack = Stack::new(engine, "override", json!({"routes": {"app": "http://app:9000"}}), "healthy");
    let refused = stack.up(60).expect(1);
    let undefined = refused.finding("upstream-undefined");
    assert!(undefined["evidence"].to_string().contains("app"), "{undefined}");
    assert_eq!(stack.containers(), Vec::<String>::new(), "nothing may be started");

    // With a health check, an alias, a change of a service of ours, and an image whose name says cloudflared.
    let own = format!(
        r#"services:
  app:
    image: {CLOUDFLARED}
    entrypoint: ["/usr/local/bin/probe"]
    command: ["serve", ":9000", "this is app"]
    networks: {{ default: {{ aliases: [greeter] }} }}
    healthcheck:
      test: ["CMD", "/usr/local/bin/probe", "http", "127.0.0.1:9000", "GET", "/", "x"]
      interval: 1s
  cloudflared:
    environment: {{ TUNNEL_LOG_OUTPUT: json }}
"#
    );
    stack.write("docker-compose.override.yaml", &own);
    stack.call(["render"]).json(json!({"routes": {"greet": "http://greeter:9000"}})).run().expect(0);
    let up = stack.up_ready();
    assert_eq!(up.data()["connections"], 4, "JSON lines are read as well");
    for name in ["app", "greet"] {
        assert_eq!(route(&up, name)["upstream_up"], true, "{:#}", up.json);
        let (answered, text) = stack.ask(name);
        assert!(answered && text.contains(&format!("this is app\nHost: {name}.{}", stack.domain)), "{text}");
    }
    assert_eq!(container(&up, "app")["health"], "healthy");
    assert_eq!(stack.read("docker-compose.override.yaml"), own, "never written");
    stack.assert_no_token();
}

#[test]
fn engine_crashing_server_is_named_without_waiting_for_it() {
    let Some(engine) = engine("crashing server") else { return };
    let stack = Stack::small(engine, "upcrash", "healthy");
    stack.edit("docker-compose.override.yaml", "\":9000\"", "\"nowhere\"");
    let up = stack.up(240).expect(1);
    assert!(seconds(&up) < 60, "{}", up.data());
    assert_eq!(up.findings()[0], "upstream-down", "{:#}", up.json);
    let said = evidence(&up, "upstream-down");
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
    let up = stack.up(25).expect(1);
    assert_eq!(up.findings()[0], "upstream-down", "{:#}", up.json);
    assert_eq!(route(&up, "own")["upstream_up"], false);
    assert!(seconds(&up) < 20, "nothing starts it again, so nobody waits for it: {}", up.data());
}

#[test]
fn engine_joined_network() {
    let Some(engine) = engine("joined network") else { return };
    let (network, server) = (unique("mcp-tunnels-test-net"), unique("mcp-tunnels-test-server"));
    // In the order in which they can be removed.
    let _network = Removed("network", network.clone());
    let _server = Removed("container", server.clone());
    let settings = json!({"routes": {"far": format!("http://{server}:9000")}, "networks": [network]});
    let stack = Stack::new(engine, "joined", settings, "healthy");

    let missing = stack.up(60).expect(1);
    let finding = missing.finding("network-missing");
    assert!(finding["evidence"].to_string().contains(&network), "{finding}");

    docker_says(["network", "create", &network]);
    let nobody = stack.up(5).expect(1);
    nobody.finding("upstream-undefined");

    let program = ["--entrypoint", "/usr/local/bin/probe", PROXY, "serve", ":9000", "from afar"];
    docker_says(["run", "--detach", "--name", &server, "--network", &network].into_iter().chain(program));
    let up = stack.up_ready();
    assert_eq!(route(&up, "far")["upstream_up"], true);
    assert!(stack.ask("far").1.contains("from afar"));

    docker_says(["stop", &server]);
    let status = stack.status().expect(1);
    assert!(evidence(&status, "upstream-down").contains(&server), "{:#}", status.json);
    stack.assert_no_token();
    // The network is the person's: `down` leaves it, the stack's containers leave the network.
    stack.down().expect(0);
    docker_says(["network", "inspect", &network]);
}

#[test]
fn engine_what_docker_does_not_show_is_asked_not_assumed() {
    let Some(engine) = engine("upstreams outside") else { return };
    // A port of this host that was free a moment ago.
    let port = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let routes = json!({"host": format!("http://host.docker.internal:{port}")});
    let stack = Stack::new(engine, "outside", json!({"routes": routes}), "healthy");
    let up = stack.up(30).expect(1);
    assert_eq!(up.data()["ready"], false);
    assert_eq!(
        (&route(&up, "host")["configured"], &route(&up, "host")["state"]),
        (&json!(true), &json!("unreachable"))
    );
    up.finding("upstream-refused");
    // Where it is not asked, it is not assumed either.
    let status = stack.call(["status"]).json(json!({"probe": false})).run().expect(0);
    assert_eq!((&status.data()["ready"], &route(&status, "host")["state"]), (&Value::Null, &json!("not-checked")));
    assert!(status.json["skipped"].to_string().contains("upstream:host"), "{}", status.json);
    let hosts = stack.inspect("mcp-gateway")["HostConfig"]["ExtraHosts"].to_string();
    assert!(hosts.contains("host.docker.internal"), "{hosts}");
}

#[test]
fn engine_a_shells_variables_change_nothing() {
    let Some(engine) = engine("variables of the shell") else { return };
    let stack = Stack::small(engine, "shell", "right");
    let stale = token("stale");
    let elsewhere = folder();
    std::fs::write(elsewhere.path().join("wrong.yaml"), "services: { wrong: { image: wrong } }\n").unwrap();
    std::fs::write(elsewhere.path().join("wrong.env"), format!("TUNNEL_TOKEN={stale}\n")).unwrap();
    let call = |word: &str| {
        stack
            .call([word])
            .secret(&stale)
            .env("TUNNEL_TOKEN", &stale)
            .env("TUNNEL_DOMAIN", "wrong.example.org")
            .env("MCP_TUNNEL_CONFIG_SHA256", "wrong")
            .env("MCP_TUNNEL_TOKEN_FINGERPRINT", "wrong")
            .env("COMPOSE_FILE", elsewhere.path().join("wrong.yaml"))
            .env("COMPOSE_ENV_FILES", elsewhere.path().join("wrong.env"))
            .env("COMPOSE_PROJECT_NAME", "wrong")
            .env("COMPOSE_PROFILES", "wrong")
            .cwd(elsewhere.path())
    };
    let up = ready(call("up").json(json!({"wait_seconds": 60})).run());
    assert_eq!(up.data()["project"], stack.project.as_str());
    assert!(up.findings().contains(&"token-shadowed"), "{:?}", up.findings());
    assert!(stack.runs_with("right"));
    let before = stack.ids(["cloudflared", "mcp-gateway", "own"]);
    // A later call from a clean shell finds nothing to change.
    stack.up_ready();
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway", "own"]), before);
    ready(call("restart").json(json!({"wait_seconds": 60})).run());
    assert!(stack.runs_with("right"));
    ready(call("status").run());
    call("down").run().expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());
}

#[test]
fn engine_a_quiet_log_is_not_waited_for() {
    let Some(engine) = engine("log level warn") else { return };
    let stack =
        Stack::new(engine, "quiet", json!({"routes": {"own": "http://own:9000"}, "log_level": "warn"}), "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    let up = stack.up_ready();
    assert_eq!(route(&up, "own")["configured"], Value::Null);
    assert_eq!(up.data()["connections"], 4);

    // The same for cloudflared: its own numbers decide then.
    let quiet = format!("{}  cloudflared:\n    environment: {{ TUNNEL_LOGLEVEL: warn }}\n", services(&[("own", "")]));
    stack.write("docker-compose.override.yaml", &quiet);
    let up = stack.up_ready();
    assert_eq!(up.data()["connections"], 4);
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_a_rotated_log_is_not_waited_for() {
    let Some(engine) = engine("rotated log") else { return };
    let stack = Stack::small(engine, "logs", "healthy");
    let small = r#"  cloudflared:
    logging: { driver: json-file, options: { max-size: 1k, max-file: "1" } }
"#;
    stack.write("docker-compose.override.yaml", &format!("{}{small}", services(&[("own", "")])));
    stack.up_ready();
    let log = docker_says(["logs", &stack.id("cloudflared").unwrap()]);
    assert!(!log.contains("Starting tunnel"), "the beginning is not lost, so nothing is shown here");
    let status = ready(stack.status_within(60));
    assert_eq!(status.data()["connections"], 4);
    assert_eq!(container(&status, "cloudflared")["health"], "healthy");
    stack.assert_no_token();
}

#[test]
fn engine_edge_with_two_connections_is_degraded_and_live() {
    let Some(engine) = engine("edge: two") else { return };
    let stack = Stack::small(engine, "edgetwo", "two");
    // Two carry every call. The others are waited for as long as cloudflared takes to make them.
    let up = ready(stack.up(60));
    assert_eq!((&up.data()["connections"], &up.data()["connections_wanted"]), (&json!(2), &json!(4)), "{:#}", up.json);
    assert_eq!(up.finding("edge-partial")["severity"], "warning");
    assert!((5..40).contains(&seconds(&up)), "{}", up.data());
    let status = ready(stack.status());
    assert_eq!(status.finding("edge-partial")["severity"], "warning");
    let diagnosis = stack.call(["diagnose"]).run().expect(0);
    assert_eq!(diagnosis.data()["healthy"], true, "{:#}", diagnosis.json);
    stack.assert_no_token();
}

#[test]
fn engine_edge_connection_lost_and_back() {
    let Some(engine) = engine("edge: drop, flap") else { return };
    let scripts = [("edgedrop", "drop"), ("edgeflap", "flap")];
    let [dropped, flapping] = scripts.map(|(label, script)| Stack::small(engine, label, script));
    // Each loses a connection five seconds after the fourth was made.
    let lose = |stack: &Stack| {
        stack.up_ready();
        let mut lost = stack.status();
        until("the lost connection is seen", || {
            lost = stack.status();
            // The numbers are read a moment after the log.
            lost.data()["connections"] == 3 && lost.findings().contains(&"edge-partial")
        });
        assert_eq!(lost.data()["ready"], true, "three carry every call");
        assert_eq!(lost.finding("edge-partial")["severity"], "warning");
        stack.assert_no_token();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| lose(&dropped));
        scope.spawn(|| {
            lose(&flapping);
            until("the connection is back", || flapping.status().data()["connections"] == 4);
        });
    });
}

#[test]
fn engine_edge_that_refuses_the_token() {
    let Some(engine) = engine("edge: revoked") else { return };
    let stack = Stack::small(engine, "edgerevoked", "revoked");
    // Over QUIC the reason is not printed; after three attempts there is hardly another.
    let up = stack.up(8).expect(1);
    assert_eq!(up.findings()[0], "token-rejected", "{:#}", up.json);
    assert_eq!(up.finding("edge-not-registered")["consequence_of"], "token-rejected");
    assert_eq!(up.data()["connections"], 0);

    // Over HTTP/2 it is, and then nobody waits any longer.
    stack.call(["render"]).json(json!({"protocol": "http2"})).run().expect(0);
    let up = stack.up(240).expect(1);
    assert_eq!(up.findings()[0], "token-rejected", "{:#}", up.json);
    assert!(evidence(&up, "token-rejected").contains("Unauthorized: Invalid tunnel secret"), "{:#}", up.json);
    assert!(seconds(&up) < 60, "{}", up.data());

    stack.set_token("healthy again");
    let cured = stack.restart_ready();
    assert_eq!(cured.data()["protocol"], "http2");
    stack.assert_no_token();
}

#[test]
fn engine_edge_behind_a_firewall() {
    let Some(engine) = engine("edge: blocked") else { return };
    let stack = Stack::small(engine, "edgeblocked", "blocked");
    let up = stack.up(9).expect(1);
    assert_eq!((&up.data()["ready"], &up.data()["connections"]), (&json!(false), &json!(0)));
    up.finding("edge-quic-blocked");
    up.finding("edge-not-registered");
    stack.assert_no_token();

    // The network is asked, too, so that nobody has to guess: from this host nothing is let out either.
    let Some(python) = python("edge: blocked") else { return };
    let again = |world: &World| {
        let running = world.start(&python);
        let call = stack.call(["up"]).json(json!({"wait_seconds": 1}));
        call.env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string()).run().expect(1)
    };
    let mut world = World::healthy();
    (world.udp, world.tcp) = ([None; 2], [false; 2]);
    let up = again(&world);
    assert!(up.json["skipped"].to_string().contains("edge-network"), "an answer of a test says so: {:#}", up.json);
    assert_eq!(up.findings()[0], "edge-unreachable", "{:#}", up.json);
    for id in ["edge-not-registered", "edge-quic-blocked"] {
        assert_eq!(up.finding(id)["consequence_of"], "edge-unreachable", "{:#}", up.json);
    }
    assert_eq!(up.json["summary"], "the tunnel is not ready: outbound UDP and TCP 7844 are blocked");
    // This host is let out, and the container is not.
    let up = again(&World::healthy());
    assert!(evidence(&up, "edge-not-registered").contains("this host itself reaches the edge over UDP and TCP 7844"));
    stack.assert_no_token();
}

#[test]
fn engine_folders_of_one_name_are_two_stacks() {
    let Some(engine) = engine("two folders of one name") else { return };
    // Both are called `mcp-tunnel`.
    let (one, other) = (Stack::small(engine, "twina", "healthy"), Stack::small(engine, "twinb", "healthy"));
    assert_eq!(one.dir.file_name(), other.dir.file_name());
    one.up_ready();
    let before = one.ids(["cloudflared", "mcp-gateway", "own"]);
    other.up_ready();
    assert_eq!(one.ids(["cloudflared", "mcp-gateway", "own"]), before);
    other.restart_ready();
    other.down().expect(0);
    assert_eq!(one.ids(["cloudflared", "mcp-gateway", "own"]), before);
    assert!(ready(one.status()).findings().is_empty());
    assert!(one.ask("own").0);
}

#[test]
fn engine_one_domain_in_two_folders_is_refused() {
    let Some(engine) = engine("one domain in two folders") else { return };
    let first = Stack::small(engine, "same", "healthy");
    first.up_ready();
    let second = Stack::small(engine, "same", "other");
    assert_eq!(first.project, second.project);
    let before = first.ids(["cloudflared", "mcp-gateway", "own"]);
    for words in ["up", "restart", "status", "down"] {
        let refused = second.call([words]).run().expect(1);
        let conflict = refused.finding("project-conflict");
        assert!(conflict["evidence"].to_string().contains(first.dir.to_str().unwrap()), "{words}: {conflict}");
    }
    assert_eq!(first.ids(["cloudflared", "mcp-gateway", "own"]), before);
    assert!(first.runs_with("healthy"));
    ready(first.status());

    // Reached over a symbolic link it is the same directory.
    let link = second.dir.with_file_name("link");
    std::os::unix::fs::symlink(&first.dir, &link).unwrap();
    ready(helper(["status"]).dir(&link).run());
    ready(helper(["up"]).dir(&link).json(json!({"wait_seconds": 60})).run());
    assert_eq!(first.ids(["cloudflared", "mcp-gateway", "own"]), before);
}

#[test]
fn engine_a_path_with_everything_in_it() {
    let Some(engine) = engine("odd path") else { return };
    let parent = folder();
    let dir = parent.path().join("a b'c\"d $HOME ${X} \\n\n#üé%41");
    let stack = Stack::at(engine, &dir, "oddpath", json!({"routes": {"own": "http://own:9000"}}), "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    stack.up_ready();
    assert!(stack.ask("own").0);
    // What it says to run next works as pasted.
    let status = ready(stack.status());
    let command = status.json["next"][0]["command"].as_str().unwrap();
    let out = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(out.status.success(), "{command}\n{}", String::from_utf8_lossy(&out.stdout));
    stack.restart_ready();
    stack.assert_no_token();
    stack.down().expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());

    // Docker cannot mount from behind a colon: refused before anything is written or started.
    let colon = parent.path().join("a:b");
    let refused = helper(["init"]).dir(&colon).json(json!({"domain": stack.domain})).run().expect(2);
    assert!(refused.message().contains("colon"), "{}", refused.message());
    assert!(!colon.exists());
}

#[test]
fn engine_hardened_profile() {
    let Some(engine) = engine("hardened profile") else { return };
    let stack = Stack::new(engine, "hardened", json!({"sample": true, "profile": "hardened"}), "healthy");
    stack.up_ready();
    for (service, read_only) in [("mcp-gateway", true), ("hello-mcp", true), ("cloudflared", false)] {
        let limits = &stack.inspect(service)["HostConfig"];
        assert_eq!(limits["ReadonlyRootfs"], read_only, "{service}");
        assert!(limits["PidsLimit"].as_i64().unwrap() > 0 && limits["Memory"].as_i64().unwrap() > 0, "{service}");
        assert_eq!(limits["SecurityOpt"], json!(["no-new-privileges:true"]), "{service}");
    }
    assert!(stack.ask("echo").1.contains("HTTP/1.1 4"), "the sample answers a GET with a client error");
    stack.assert_no_token();
}

#[test]
fn engine_an_image_that_cannot_be_pulled() {
    let Some(engine) = engine("an image that cannot be pulled") else { return };
    let stack = Stack::small(engine, "pull", "healthy");
    stack.up_ready();
    let before = stack.ids(["cloudflared", "mcp-gateway", "own"]);
    // Nobody listens there.
    stack.edit("docker-compose.override.yaml", PROXY, "localhost:1/nobody/own:1");
    let up = stack.up(240).expect(1);
    assert_eq!(up.findings()[0], "registry-unreachable", "{:#}", up.json);
    assert!(seconds(&up) < 60, "{}", up.data());
    assert_eq!(stack.ids(["cloudflared", "mcp-gateway", "own"]), before, "what runs goes on");
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

/// A stack as the quickstart has people write it.
const QUICKSTART: &str = r#"services:
  mcp-proxy:
    image: PROXY
    volumes:
      - ./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro
      - ./data:/data:ro
    restart: unless-stopped
  cloudflared:
    image: CLOUDFLARED
    network_mode: "service:mcp-proxy"
    command: tunnel --no-autoupdate run --url http://localhost:8080
    environment:
      - TUNNEL_TOKEN
    depends_on: [mcp-proxy]
    restart: unless-stopped
  hello:
    image: PROXY
    entrypoint: ["/usr/local/bin/probe", "serve", ":9000", "hello by hand"]
    restart: unless-stopped
"#;

#[test]
fn engine_a_stack_made_by_hand_is_understood() {
    let Some(engine) = engine("a stack made by hand") else { return };
    let parent = folder();
    // Without a name in the file, the folder's is the project's.
    let dir = parent.path().join(unique("byhand"));
    let mut stack = Stack::unmade(engine, &dir, "byhand");
    stack.project = unique("byhand");
    let made = parent.path().join("made");
    let settings = json!({"domain": stack.domain, "routes": {"echo": "http://hello:9000"}, "images": images()});
    helper(["init"]).dir(&made).json(settings).run().expect(0);
    std::fs::create_dir(&dir).unwrap();
    std::fs::create_dir(dir.join("config")).unwrap();
    std::fs::rename(made.join("data"), dir.join("data")).unwrap();
    std::fs::copy(made.join("config/mcp-gateway.yaml"), dir.join("config/mcp-proxy.yaml")).unwrap();
    stack.write("docker-compose.yml", &QUICKSTART.replace("PROXY", PROXY).replace("CLOUDFLARED", CLOUDFLARED));
    stack.write(".env", &format!("TUNNEL_TOKEN={}\n", token("healthy")));
    chmod(&stack, ".env", 0o600);
    stack.remember(token("healthy"));
    let files = snapshot(&dir);

    stack.compose_ok(&["up", "-d"]);
    let status = ready(stack.status_within(60));
    assert_eq!(status.data()["project"], stack.project.as_str());
    assert_eq!((&status.data()["connections"], &route(&status, "echo")["configured"]), (&json!(4), &json!(true)));
    assert_eq!(route(&status, "echo")["upstream_up"], true);
    assert_eq!(container(&status, "mcp-proxy")["state"], "running");

    // Its `depends_on` keeps Compose from restarting cloudflared with the proxy; the helper does it.
    let stale = token("stale");
    let restart = stack.call(["restart"]).secret(&stale).env("TUNNEL_TOKEN", &stale);
    let restart = ready(restart.json(json!({"wait_seconds": 60})).run());
    assert_eq!(restart.data()["connections"], 4);
    let (answered, text) = stack.ask("echo");
    assert!(answered && text.contains("hello by hand"), "{text}");
    let environment = stack.inspect("cloudflared")["Config"]["Env"].to_string();
    assert!(environment.contains(&token("healthy")), "the token in the container is not the one in .env");

    // An orphan is an orphan, whoever made it.
    stack.kill("mcp-proxy");
    stack.status().expect(1).finding("proxy-netns-orphaned");
    stack.restart_ready();
    stack.edit(
        "config/mcp-proxy.yaml",
        "  echo: http://hello:9000",
        "  echo: http://hello:9000\n  two: http://hello:9000",
    );
    let edited = stack.restart_ready();
    assert_eq!(route(&edited, "two")["configured"], true);
    assert!(stack.ask("two").0);
    stack.edit("config/mcp-proxy.yaml", "\n  two: http://hello:9000", "");

    // A new token, put in by hand.
    stack.edit(".env", &token("healthy"), &token("changed"));
    stack.remember(token("changed"));
    stack.restart_ready();
    let environment = stack.inspect("cloudflared")["Config"]["Env"].to_string();
    assert!(environment.contains(&token("changed")), "the new token is not in the container");
    stack.edit(".env", &token("changed"), &token("healthy"));

    stack.down().expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());
    assert_eq!(snapshot(&dir), files, "no file is written into a stack made by hand");
}

#[test]
fn engine_up_takes_up_a_crash_loop_whose_cause_was_fixed() {
    let Some(engine) = engine("a crash loop that was fixed") else { return };
    let stack = Stack::small(engine, "fixed", "healthy");
    chmod(&stack, "data/tls.key", 0o600);
    assert!(!stack.compose(&["up", "-d"]).status.success());
    until("the proxy was restarted often", || stack.inspect("mcp-gateway")["RestartCount"].as_u64() > Some(4));
    // The restart policy would take up to a minute, and would leave cloudflared behind.
    chmod(&stack, "data/tls.key", 0o644);
    let up = stack.up_ready();
    assert!(up.data()["done"].to_string().contains("mcp-gateway"), "{}", up.data());
    assert!(seconds(&up) < 40, "{}", up.data());
    assert!(stack.ask("own").0);

    // The same for a server of the person's own.
    stack.edit("docker-compose.override.yaml", "\":9000\"", "\"nowhere\"");
    stack.compose_ok(&["up", "-d"]);
    until("the server was restarted", || stack.inspect("own")["RestartCount"].as_u64() > Some(1));
    stack.edit("docker-compose.override.yaml", "\"nowhere\"", "\":9000\"");
    stack.up_ready();
    assert!(stack.ask("own").0);
    stack.assert_no_token();
}

#[test]
fn engine_restart_covers_every_service_or_only_some() {
    let Some(engine) = engine("restart: services") else { return };
    let stack = Stack::small(engine, "services", "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", ""), ("other", "")]));
    stack.up_ready();
    let all = ["cloudflared", "mcp-gateway", "other", "own"];
    let lives = || all.map(|name| stack.inspect(name)["State"]["StartedAt"].to_string());
    let before = lives();
    let restart = stack.restart_ready();
    let done = restart.data()["done"].to_string();
    for (at, name) in all.into_iter().enumerate() {
        assert_ne!(lives()[at], before[at], "{name} was not restarted");
        assert!(done.contains(name), "{name} is not in {done}");
    }
    let [cloudflared, proxy, ..] = lives();
    assert!(cloudflared > proxy, "cloudflared comes last");

    let before = lives();
    let one = stack.call(["restart"]).json(json!({"services": ["other"], "wait_seconds": 60})).run();
    ready(one);
    let changed: Vec<bool> = lives().iter().zip(&before).map(|(now, then)| now != then).collect();
    assert_eq!(changed, [false, false, true, false]);
    let unknown = stack.call(["restart"]).json(json!({"services": ["nobody"]})).changes_nothing().run().expect(2);
    assert!(unknown.message().contains("nobody"), "{}", unknown.message());
    stack.assert_no_token();
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
    // Not asked, it is on its way, which is no error and not ready either.
    let status = stack.call(["status"]).json(json!({"probe": false})).run().expect(0);
    assert_eq!(status.data()["ready"], false);
    assert_eq!(route(&status, "own")["upstream_up"], Value::Null);
    assert_eq!(route(&status, "own")["state"], "not-checked");
}

#[test]
fn engine_the_samples_image_is_never_looked_for_in_a_registry() {
    let Some(engine) = engine("the sample's image") else { return };
    let stack = Stack::new(engine, "registry", json!({"sample": true}), "healthy");
    let _image = Removed("built", stack.project.clone());
    // What Compose prints is shown on a terminal only, so it is asked for in its place what it would do.
    let calls = folder();
    let log = calls.path().join("log");
    let docker = crate::support::which("docker").unwrap();
    let wrapper = format!("#!/bin/sh\necho \"$*\" >>{}\nexec {} \"$@\"\n", log.display(), docker.display());
    crate::support::script(calls.path(), "docker", &wrapper);
    let path = format!("{}:{}", calls.path().display(), std::env::var("PATH").unwrap());
    ready(stack.call(["up"]).env("PATH", path).json(json!({"wait_seconds": 60})).run());
    let calls = std::fs::read_to_string(&log).unwrap();
    assert!(calls.lines().any(|line| line == "compose up --detach --build"), "{calls}");
}

/// A helper that is killed leaves a Compose run behind; nobody else may start one beside it.
#[test]
fn engine_the_lock_outlives_a_helper_that_is_killed() {
    let Some(engine) = engine("the lock outlives the helper") else { return };
    let stack = Stack::small(engine, "outlives", "healthy");
    let parent = folder();
    let marks = parent.path().join("up");
    let docker = crate::support::which("docker").unwrap();
    let wrapper = format!(
        "#!/bin/sh\ncase \"$*\" in \"compose up\"*) echo $$ >{}; exec sleep 12 ;; *) exec {} \"$@\" ;; esac\n",
        marks.display(),
        docker.display()
    );
    crate::support::script(parent.path(), "docker", &wrapper);
    let path = format!("{}:{}", parent.path().display(), std::env::var("PATH").unwrap());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"))
        .args(["up", "--dir", stack.dir.to_str().unwrap()])
        .env("PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("Compose runs", || marks.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let busy = stack.up(0).expect(2);
    assert_eq!(busy.json["error"]["code"], "busy", "{:#}", busy.json);
    until("Compose ended", || {
        let id = std::fs::read_to_string(&marks).unwrap();
        !std::path::Path::new("/proc").join(id.trim()).exists()
    });
    stack.up_ready();
}
