//! `preflight` and the network: real servers on loopback, in every state in which they can be.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::edge::{REGIONS, SERVERS, SRV, Tls, World, fake_docker, python};
use crate::support::{Answer, Call, folder, helper, script};

/// A call of `preflight` on a healthy docker, with nothing else that a machine could have.
pub(super) fn call(bin: &Path, request: Value) -> Call {
    script(bin, "docker", &fake_docker(""));
    for tool in ["git", "openssl"] {
        script(bin, tool, "#!/bin/sh\necho \"$(basename \"$0\") version 1.2.3\"\n");
    }
    helper(["preflight"]).json(request).path(&[bin, Path::new("/usr/bin"), Path::new("/bin")])
}

/// The answer for a world.
fn look(python: &Path, world: &World, mut request: Value) -> Answer {
    request["verbose"] = true.into();
    let (running, bin) = (world.start(python), folder());
    let answer = call(bin.path(), request).env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string()).run();
    assert_eq!(answer.data()["test_destinations"], true);
    let probes: BTreeSet<_> = answer.data()["network"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["target"].as_str(), row["port"].as_u64(), row["transport"].as_str()))
        .collect();
    assert_eq!(probes.len(), 10, "every planned probe has its row: {:#}", answer.json);
    answer
}

/// Rows that are fine fold into one a purpose; a fault keeps its own.
#[test]
fn what_is_fine_is_one_row_a_purpose() {
    let Some(python) = python(TEST) else { return };
    let seen = |world: &World, code: i32| {
        let (running, bin) = (world.start(&python), folder());
        let call = call(bin.path(), json!({"timeout_ms": 1500}));
        let answer = call.env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string()).run().expect(code);
        let rows = answer.data()["network"].as_array().unwrap().iter();
        let told = |row: &Value| {
            let more = row["more"].as_u64().unwrap_or(0);
            format!("{} {} {more}", row["transport"].as_str().unwrap(), row["outcome"].as_str().unwrap())
        };
        let rows: Vec<String> = rows.map(told).collect();
        (answer, rows)
    };
    let (answer, rows) = seen(&World::healthy(), 0);
    assert_eq!(rows, ["dns ok 2", "udp ok 1", "tcp ok 1", "tls ok 2"]);
    assert!(answer.length < 3072, "{} bytes: {}", answer.length, answer.json);
    let mut half = World::healthy();
    half.tcp = [true, false];
    let (answer, rows) = seen(&half, 0);
    assert!(rows.iter().filter(|row| row.starts_with("tcp")).count() > 1, "{rows:?}");
    assert!(answer.length < 4096, "{} bytes: {}", answer.length, answer.json);
}

fn rows<'a>(answer: &'a Answer, target: &str, transport: &str) -> Vec<&'a Value> {
    let all = answer.data()["network"].as_array().unwrap();
    all.iter().filter(|row| row["target"] == target && row["transport"] == transport).collect()
}

/// Outcome of a probe over IPv4.
pub(super) fn outcome<'a>(answer: &'a Answer, target: &str, transport: &str) -> &'a str {
    let row = rows(answer, target, transport).into_iter().find(|row| row["family"] != "ipv6").unwrap();
    row["outcome"].as_str().unwrap()
}

/// Findings that are not notes.
pub(super) fn grave(answer: &Answer) -> Vec<&str> {
    let findings = answer.json["findings"].as_array().unwrap();
    findings.iter().filter(|f| f["severity"] != "note").map(|f| f["id"].as_str().unwrap()).collect()
}

const TEST: &str = "preflight and the network";

#[test]
fn everything_answers() {
    let Some(python) = python(TEST) else { return };
    let world = World::healthy();
    let answer = look(&python, &world, json!({})).expect(0);
    assert_eq!(rows(&answer, REGIONS[0], "dns")[0]["addresses"], json!([world.address(1)]));
    assert!(answer.findings().is_empty(), "{:#}", answer.json);
    for region in REGIONS {
        for transport in ["dns", "udp", "tcp"] {
            let row = rows(&answer, region, transport)[0];
            assert_eq!(row["outcome"], "ok", "{row}");
            assert!(row["ms"].is_u64() && row["family"] == "ipv4", "{row}");
            // There is no AAAA record: nothing could be sent.
            let row = rows(&answer, region, transport)[1];
            assert_eq!((&row["outcome"], &row["family"]), (&json!("no_address"), &json!("ipv6")), "{row}");
        }
    }
    assert_eq!(rows(&answer, SRV, "dns")[0]["addresses"], json!(REGIONS));
    for server in SERVERS {
        let row = rows(&answer, server, "tls")[0];
        assert_eq!((&row["outcome"], &row["issuer"]), (&json!("ok"), &json!("Public Test Root (Test Ltd)")), "{row}");
    }
    let offset = answer.data()["host"]["server_clock_offset_s"].as_i64().unwrap();
    assert!(offset.abs() <= 2, "{offset}");
    let summary = answer.json["summary"].as_str().unwrap();
    assert_eq!(
        summary,
        "this host can run the tunnel: Docker 28.2.2, Compose 2.40.3; the tunnel's edge answers over UDP and TCP 7844"
    );
}

#[test]
fn ipv6_that_is_there_and_blocked_is_noted() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    for region in REGIONS {
        world.records[format!("{region} AAAA")] = json!(["::1"]);
    }
    let answer = look(&python, &world, json!({})).expect(0);
    // A kernel without IPv6 sends nothing, and cloudflared needs none.
    let sent = std::net::TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(answer.findings(), &["edge-no-ipv6"][..usize::from(sent)], "{:#}", answer.json);
    assert_eq!(outcome(&answer, REGIONS[0], "tcp"), "ok");
}

#[test]
fn udp_blocked_alone_is_a_warning_and_offers_http2() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    // What answers, and is not a QUIC server; what is silent.
    for (udp, expected) in [("echo", "unexpected"), ("garbage", "unexpected"), ("silent", "timeout")] {
        world.udp = [Some(udp); 2];
        let answer = look(&python, &world, json!({"timeout_ms": 1500})).expect(0);
        assert_eq!(outcome(&answer, REGIONS[0], "udp"), expected, "{udp}");
        assert_eq!(grave(&answer), ["edge-quic-blocked"], "{:#}", answer.json);
        let finding = answer.finding("edge-quic-blocked");
        assert_eq!(finding["severity"], "warning");
        assert!(finding["fix"].as_str().unwrap().contains("\"protocol\":\"http2\""), "{finding}");
        // The protocol is set once there is a deployment.
        assert_eq!(answer.json["next"][0]["who"], "person", "{:#}", answer.json["next"]);
        assert!(answer.json["summary"].as_str().unwrap().contains("answers over TCP 7844"), "{}", answer.json);
    }
    // No server listens: ICMP says so, long before the limit.
    world.udp = [None; 2];
    let limit = 30_000;
    let answer = look(&python, &world, json!({"timeout_ms": limit})).expect(0);
    assert_eq!(outcome(&answer, REGIONS[1], "udp"), "refused");
    assert!(answer.data()["elapsed_ms"].as_u64().unwrap() < limit, "{}", answer.data());
}

#[test]
fn what_the_deployment_asks_for_decides_how_grave_it_is() {
    let Some(python) = python(TEST) else { return };
    let parent = folder();
    let dir = crate::support::deployment(parent.path());
    let mut world = World::healthy();
    for (udp, tcp, protocol, id, severity) in [
        (false, true, "auto", "edge-quic-blocked", "warning"),
        (false, true, "http2", "edge-quic-blocked", "note"),
        (false, true, "quic", "edge-quic-blocked", "error"),
        (true, false, "auto", "edge-tcp-blocked", "warning"),
        (true, false, "quic", "edge-tcp-blocked", "note"),
        (true, false, "http2", "edge-tcp-blocked", "error"),
    ] {
        helper(["render"]).dir(&dir).json(json!({"protocol": protocol})).run().expect(0);
        (world.udp, world.tcp) = ([udp.then_some("quic"); 2], [tcp; 2]);
        let (running, bin) = (world.start(&python), folder());
        let call = call(bin.path(), json!({})).dir(&dir).changes_nothing();
        let answer = call.env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string()).run();
        assert_eq!(answer.finding(id)["severity"], severity, "{protocol}: {:#}", answer.json);
    }
}

#[test]
fn both_blocked_is_an_error_and_one_region_a_warning() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    (world.udp, world.tcp) = ([None; 2], [false; 2]);
    let answer = look(&python, &world, json!({})).expect(1);
    assert_eq!(grave(&answer), ["edge-unreachable"], "{:#}", answer.json);
    let summary = answer.json["summary"].as_str().unwrap();
    assert_eq!(summary, "this host cannot run the tunnel yet: outbound UDP and TCP 7844 are blocked");
    assert_eq!(outcome(&answer, REGIONS[0], "tcp"), "refused");

    (world.udp, world.tcp) = ([Some("quic"), None], [true, false]);
    let answer = look(&python, &world, json!({})).expect(0);
    assert_eq!(grave(&answer), ["edge-region-unreachable"], "{:#}", answer.json);
    assert!(answer.evidence("edge-region-unreachable").contains(REGIONS[1]));
}

#[test]
fn dns_that_fails_in_every_way() {
    let Some(python) = python(TEST) else { return };
    let bad = |name: &str, mode: &str, limit: u64| {
        let mut world = World::healthy();
        world.modes[name] = json!(mode);
        look(&python, &world, json!({"timeout_ms": limit}))
    };
    for (mode, outcome_of_it, said) in [
        ("NXDOMAIN", "no_address", "NXDOMAIN"),
        ("SERVFAIL", "unexpected", "SERVFAIL"),
        ("REFUSED", "unexpected", "REFUSED"),
    ] {
        let answer = bad("*", mode, 3000).expect(1);
        assert_eq!(outcome(&answer, SRV, "dns"), outcome_of_it);
        assert_eq!(answer.findings()[0], "edge-dns-failed", "{:#}", answer.json);
        assert!(answer.evidence("edge-dns-failed").contains(said), "{:#}", answer.json);
        // What could not be sent is a row too, and no fault of its own.
        assert_eq!(outcome(&answer, REGIONS[0], "udp"), "no_address");
        assert!(!answer.findings().contains(&"edge-unreachable"));
        assert_eq!(grave(&answer).len(), 1, "{:#}", answer.json);
        assert!(answer.evidence("edge-dns-failed").contains("api.anthropic.com, us-docker.pkg.dev"));
    }
    let answer = bad("*", "silent", 1500).expect(1);
    assert_eq!((outcome(&answer, SRV, "dns"), &rows(&answer, SRV, "dns")[0]["ms"]), ("timeout", &Value::Null));
    assert_eq!(grave(&answer), ["edge-dns-failed"], "{:#}", answer.json);
    assert!(answer.length < 4096, "{} bytes", answer.length);
    // The SRV record alone: cloudflared asks for nothing else first.
    let answer = bad(SRV, "NXDOMAIN", 3000).expect(1);
    assert_eq!(grave(&answer), ["edge-dns-failed"], "{:#}", answer.json);
    assert_eq!(outcome(&answer, REGIONS[0], "tcp"), "ok");
    // One region's name alone.
    let answer = bad(REGIONS[0], "NXDOMAIN", 3000).expect(0);
    assert_eq!(grave(&answer), ["edge-region-unreachable"], "{:#}", answer.json);
    // Cut over UDP, whole over TCP.
    let answer = bad("*", "truncate", 3000).expect(0);
    assert_eq!(grave(&answer), Vec::<&str>::new(), "{:#}", answer.json);
    // Cut over UDP, silent over TCP.
    let answer = bad("*", "truncate-silent", 1500).expect(1);
    assert_eq!(outcome(&answer, SRV, "dns"), "timeout");
}

#[test]
fn a_second_resolver_makes_up_for_a_dead_first_one() {
    let Some(python) = python(TEST) else { return };
    let world = World::healthy();
    let (mut running, bin) = (world.start(&python), folder());
    let good = running.destinations["resolvers"][0].clone();
    running.destinations["resolvers"] = json!([format!("{}:1", world.address(99)), good]);
    let call = call(bin.path(), json!({})).env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string());
    assert_eq!(grave(&call.run().expect(0)), Vec::<&str>::new());
}

#[test]
fn an_inspecting_proxy_is_named() {
    let Some(python) = python(TEST) else { return };
    for tls12 in [false, true] {
        let mut world = World::healthy();
        world.tls12 = tls12;
        for server in &mut world.tls {
            server.issuer = "Corp Inspection CA";
        }
        let answer = look(&python, &world, json!({})).expect(0);
        assert_eq!(grave(&answer), ["tls-inspected"], "{:#}", answer.json);
        assert!(
            answer.evidence("tls-inspected").contains("issuer: Corp Inspection CA (Test Ltd)"),
            "{:#}",
            answer.json
        );
        let row = rows(&answer, SERVERS[0], "tls")[0];
        assert_eq!((&row["outcome"], &row["issuer"]), (&json!("unexpected"), &json!("Corp Inspection CA (Test Ltd)")));
    }
}

#[test]
fn a_firewall_that_opens_tls_to_the_edge_is_named() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    world.edge_issuer = "Corp Inspection CA";
    let answer = look(&python, &world, json!({})).expect(0);
    assert_eq!(grave(&answer), ["edge-tls-intercepted"], "{:#}", answer.json);
    assert!(answer.evidence("edge-tls-intercepted").contains("Corp Inspection CA"), "{:#}", answer.json);
    // Nothing else is left.
    world.udp = [None; 2];
    let answer = look(&python, &world, json!({})).expect(1);
    assert_eq!(answer.finding("edge-tls-intercepted")["severity"], "error");
    // What accepts and says nothing is not proof of anything.
    (world.edge_issuer, world.udp) = ("", [Some("quic"); 2]);
    let answer = look(&python, &world, json!({})).expect(0);
    assert_eq!(grave(&answer), Vec::<&str>::new(), "{:#}", answer.json);
}

#[test]
fn a_captive_portal_explains_the_rest() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    world.tls = SERVERS.map(|_| Tls { host: "portal.example", issuer: "Portal", behaviour: "0", expired: false });
    world.tls[2].behaviour = "plain";
    (world.udp, world.tcp) = ([None; 2], [false; 2]);
    let answer = look(&python, &world, json!({})).expect(1);
    assert_eq!(answer.findings()[0], "captive-portal", "{:#}", answer.json);
    assert!(
        answer
            .evidence("captive-portal")
            .contains("shows a certificate for portal.example, issued by Portal (Test Ltd)")
    );
    assert!(answer.evidence("captive-portal").contains("not with TLS"));
    assert_eq!(answer.finding("edge-unreachable")["consequence_of"], "captive-portal");
}

#[test]
fn servers_that_hang_or_hang_up_are_no_end_of_the_tunnel() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    (world.tls[0].behaviour, world.tls[1].behaviour) = ("silent", "cut");
    let answer = look(&python, &world, json!({"timeout_ms": 1000})).expect(0);
    assert_eq!(outcome(&answer, SERVERS[0], "tls"), "timeout");
    assert_eq!(rows(&answer, SERVERS[0], "tls")[0]["detail"], "connected, then silence");
    assert_eq!(outcome(&answer, SERVERS[1], "tls"), "unexpected");
    assert_eq!(grave(&answer), ["registry-blocked"], "{:#}", answer.json);
    assert_eq!(answer.finding("api-unreachable")["severity"], "note");
}

#[test]
fn a_clock_that_is_off_is_found_by_a_server_s() {
    let Some(python) = python(TEST) else { return };
    let mut world = World::healthy();
    world.tls[0].behaviour = "600";
    let answer = look(&python, &world, json!({})).expect(0);
    assert_eq!(grave(&answer), ["clock-wrong"], "{:#}", answer.json);
    assert!(answer.evidence("clock-wrong").contains("behind that of api.anthropic.com"), "{:#}", answer.json);
    world.tls[0].behaviour = "-200000";
    let answer = look(&python, &world, json!({})).expect(1);
    assert!(answer.evidence("clock-wrong").contains("ahead of that of api.anthropic.com"));
    (world.tls[0].behaviour, world.tls[0].expired) = ("0", true);
    let answer = look(&python, &world, json!({})).expect(0);
    assert!(answer.evidence("clock-wrong").contains("not in date"), "{:#}", answer.json);
}

#[test]
fn a_name_behind_a_route_that_docker_has_taken_over() {
    let Some(python) = python(TEST) else { return };
    let parent = folder();
    let dir = crate::support::deployment(parent.path());
    let routes = json!({"routes": {"wiki": "http://wiki.corp.example:80"}});
    helper(["render"]).dir(&dir).json(routes).run().expect(0);
    let mut world = World::healthy();
    world.records["wiki.corp.example A"] = json!(["172.29.3.4"]);
    let (running, bin) = (world.start(&python), folder());
    let call = call(bin.path(), json!({})).dir(&dir);
    let network = r#"network\ ls*) echo abc ;;
network\ inspect*) echo '[{"Name":"taken","IPAM":{"Config":[{"Subnet":"172.29.0.0/16"}]}}]' ;;"#;
    script(bin.path(), "docker", &fake_docker(network));
    let answer = call.env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string()).run().expect(0);
    assert_eq!(
        answer.evidence("network-overlap"),
        "route `wiki` leads to wiki.corp.example at 172.29.3.4, and the Docker network `taken` has 172.29.0.0/16"
    );
}

#[test]
fn a_wrong_test_variable_sends_nothing_anywhere() {
    let bin = folder();
    for text in ["{", "{\"port\":1}", "7"] {
        let refused = call(bin.path(), json!({})).env("MCP_TUNNELS_TEST_DESTINATIONS", text).run().expect(2);
        assert!(refused.message().contains("MCP_TUNNELS_TEST_DESTINATIONS"), "{}", refused.message());
    }
}
