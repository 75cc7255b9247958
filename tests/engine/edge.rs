//! cloudflared's way to the edge, in a stack that runs.

use serde_json::{Value, json};

use super::{container, route, seconds};
use crate::support::edge::{World, python};
use crate::support::engine::{Stack, docker, engine, ready, services, until};

#[test]
fn engine_a_quiet_log_is_not_waited_for() {
    let Some(engine) = engine("log level warn") else { return };
    let stack =
        Stack::new(engine, "quiet", json!({"routes": {"own": "http://own:9000"}, "log_level": "warn"}), "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    let up = stack.up_ready();
    assert_eq!(route(&up, "own")["configured"], Value::Null);
    assert_eq!(up.data()["connections"]["registered"], 4);

    // The same for cloudflared: its own numbers decide then.
    let quiet = format!("{}  cloudflared:\n    environment: {{ TUNNEL_LOGLEVEL: warn }}\n", services(&[("own", "")]));
    stack.write("docker-compose.override.yaml", &quiet);
    let up = stack.up_ready();
    assert_eq!(up.data()["connections"]["registered"], 4);
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
    // It prints on standard error.
    let log = String::from_utf8(docker(["logs", &stack.id("cloudflared").unwrap()]).stderr).unwrap();
    assert!(!log.is_empty() && !log.contains("Starting tunnel"), "the beginning is not lost, so nothing is shown here");
    let status = ready(stack.status_within(60));
    assert_eq!(status.data()["connections"]["registered"], 4);
    assert_eq!(container(&status, "cloudflared")["health"], "healthy");
    stack.assert_no_token();
}

#[test]
fn engine_edge_with_two_connections_is_degraded_and_live() {
    let Some(engine) = engine("edge: two") else { return };
    let stack = Stack::small(engine, "edgetwo", "two");
    // Two carry every call. The others are waited for as long as cloudflared takes to make them.
    let up = ready(stack.up(60));
    assert_eq!(
        (&up.data()["connections"]["registered"], &up.data()["connections"]["wanted"]),
        (&json!(2), &json!(4)),
        "{:#}",
        up.json
    );
    assert_eq!(up.finding("edge-partial")["severity"], "warning");
    assert!((5..60).contains(&seconds(&up)), "{}", up.data());
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
    std::thread::scope(|scope| {
        scope.spawn(|| {
            dropped.up_ready();
            let mut lost = dropped.status();
            until("the lost connection is seen", || {
                lost = dropped.status();
                // The numbers are read a moment after the log.
                lost.data()["connections"]["registered"] == 3 && lost.findings().contains(&"edge-partial")
            });
            assert_eq!(lost.data()["ready"], true, "three carry every call");
            assert_eq!(lost.finding("edge-partial")["severity"], "warning");
            dropped.assert_no_token();
        });
        scope.spawn(|| {
            flapping.up_ready();
            // It is gone for three seconds only, which a busy machine may take for one look.
            let log = || {
                let read = docker(["logs", &flapping.id("cloudflared").unwrap()]);
                String::from_utf8([read.stdout, read.stderr].concat()).unwrap()
            };
            until("a connection was lost", || log().contains("accept stream listener encountered a failure"));
            until("the connection is back", || {
                let back = flapping.status();
                back.data()["connections"]["registered"] == 4 && back.findings().is_empty()
            });
            assert_eq!(log().matches("Registered tunnel connection").count(), 5, "four, and one of them again");
            flapping.assert_no_token();
        });
    });
}

#[test]
fn engine_edge_that_refuses_the_token() {
    let Some(engine) = engine("edge: revoked") else { return };
    let stack = Stack::small(engine, "edgerevoked", "revoked");
    // Over QUIC the reason is not printed; after three attempts there is hardly another.
    let up = stack.up(20).expect(1);
    assert_eq!(up.findings()[0], "token-rejected", "{:#}", up.json);
    assert_eq!(up.finding("edge-not-registered")["consequence_of"], "token-rejected");
    assert_eq!(up.data()["connections"]["registered"], 0);

    // Over HTTP/2 it is, and then the wait ends.
    stack.call(["render"]).json(json!({"protocol": "http2"})).run().expect(0);
    let up = stack.up(240).expect(1);
    assert_eq!(up.findings()[0], "token-rejected", "{:#}", up.json);
    assert!(up.evidence("token-rejected").contains("Unauthorized: Invalid tunnel secret"), "{:#}", up.json);
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
    let up = stack.up(20).expect(1);
    assert_eq!((&up.data()["ready"], &up.data()["connections"]["registered"]), (&json!(false), &json!(0)));
    up.finding("edge-quic-blocked");
    up.finding("edge-not-registered");
    stack.assert_no_token();

    // The network is asked, too, so that the cause is known: from this host nothing is let out either.
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
    assert!(up.evidence("edge-not-registered").contains("this host itself reaches the edge over UDP and TCP 7844"));
    stack.assert_no_token();
}
