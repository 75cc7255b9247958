//! Changes of files, routes and the token in a stack that runs.

use serde_json::json;

use super::faults::ROUTES_MAP;
use super::{chmod, container, route, seconds};
use crate::support::engine::{CLOUDFLARED, Stack, docker_says, engine, ready, services, until};
use crate::support::{Answer, folder, helper, token};

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
    assert_eq!(restart.data()["connections"]["registered"], 4);

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
    assert_eq!(up.data()["connections"]["registered"], 4, "JSON lines are read as well");
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
    assert!(seconds(&up) < 60, "{}", up.data());
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
fn engine_a_server_is_asked_at_most_twice_a_minute_by_status() {
    let Some(engine) = engine("answers that are reused") else { return };
    let stack = Stack::small(engine, "recent", "healthy");
    stack.up_ready();
    let state = folder();
    let own = stack.id("own").unwrap();
    let asked = || docker_says(["logs", &own]).matches("POST /mcp HTTP").count();
    let call = |words: &str| stack.call([words]).env("XDG_STATE_HOME", state.path()).run().expect(0);
    let age = |answer: &Answer| route(answer, "own")["server"]["asked_seconds_ago"].as_u64();
    let before = asked();
    assert_eq!(age(&call("status")), None);
    let once = asked();
    assert!(once > before, "{before} {once}");
    let again = call("status");
    assert!(age(&again).is_some_and(|age| age < 30), "{:#}", again.json);
    assert!(again.json["summary"].as_str().unwrap().contains(" s ago"), "{:#}", again.json);
    assert_eq!((&again.data()["ready"], &again.data()["connections"]["registered"]), (&json!(true), &json!(4)));
    assert_eq!(asked(), once, "the same server in the same life");
    // A diagnosis, another life of the server, and another path are another question.
    call("diagnose");
    let diagnosed = asked();
    assert!(diagnosed > once);
    stack.kill("own");
    assert_eq!(age(&call("status")), None);
    assert!(asked() > diagnosed);
    stack.call(["render"]).json(json!({"paths": {"own": "/other"}})).run().expect(0);
    assert_eq!(age(&call("status")), None);
    stack.assert_no_token();
}
