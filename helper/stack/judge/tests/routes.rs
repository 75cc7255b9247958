//! The routes and the servers behind them.

use std::time::Duration;

use super::{Fixture, NOW, container, endpoint, states};
use crate::stack::snapshot::Container;

fn live() -> Fixture {
    Fixture::live()
}

fn own(change: impl FnOnce(&mut Container)) -> Fixture {
    live().change("own", change)
}

fn status(status: &str, code: i64) -> Fixture {
    own(|c| (c.status, c.exit_code) = (status.into(), code))
}

fn healthy(health: &str) -> Fixture {
    own(|c| c.health = Some(health.into()))
}

const EXTERNAL: &str = "networks: { lan: { external: true, name: corp_lan } }\nservices:";

/// A route to a container on a network that the proxy joins.
fn joined(neighbours: Option<Vec<Container>>) -> Fixture {
    let mut fixture = live()
        .files("services:", EXTERNAL)
        .files("    volumes:", "    networks: [default, lan]\n    volumes:")
        .leads_to("http://far:9000");
    if let Some(neighbours) = neighbours {
        fixture.snapshot.neighbours.insert("corp_lan".into(), Ok(neighbours));
    }
    fixture
}

fn far(status: &str, health: Option<&str>) -> Container {
    let container = container("elsewhere", "ff");
    Container { name: "far".into(), status: status.into(), health: health.map(str::to_owned), ..container }
}

fn refused() -> Fixture {
    let mut fixture = live();
    fixture.snapshot.refused.insert("own".into(), "172.18.0.3".parse().unwrap());
    fixture
}

const QUIET: (&str, &str) = ("tunnel_domain:", "log_level: warn\ntunnel_domain:");

states! {
    a_server_that_runs: live() => true, "connect", [];
    a_healthy_server: healthy("healthy") => true, "connect", [];
    a_starting_server: healthy("starting") => false, "status", [];
    an_unhealthy_server: healthy("unhealthy") => false, "by hand", ["upstream-down"];
    a_stopped_server: status("exited", 0) => false, "up", ["upstream-down"];
    a_server_that_was_told_to_stop: status("exited", 143) => false, "up", ["upstream-down"];
    a_server_that_failed: status("exited", 1) => false, "by hand", ["upstream-down"];
    a_server_that_was_never_started: status("created", 0) => false, "up", ["upstream-down"];
    a_paused_server: status("paused", 0) => false, "up", ["upstream-down"];
    a_server_without_a_container: live().without("own") => false, "up", ["upstream-down"];
    a_server_in_a_loop: live().ended("own", "restarting", 4, &["listen tcp nowhere"]) => false, "by hand", ["upstream-down"];
    a_server_that_was_revived_a_moment_ago: own(|c| (c.restarts, c.started) = (2, Some(NOW - Duration::from_secs(1))))
        => false, "by hand", ["upstream-down"];
    a_server_that_was_revived_long_ago: own(|c| c.restarts = 2) => true, "connect", [];
    a_server_that_is_starting_again: own(|c| {
        (c.restarts, c.health, c.started) = (2, Some("starting".into()), Some(NOW - Duration::from_secs(1)));
    }) => false, "by hand", ["upstream-down"];

    no_network_in_common: own(|c| c.endpoints = vec![endpoint("apart", "172.19.0.3")]) => false, "by hand", ["upstream-network"];
    a_second_network_in_common: own(|c| c.endpoints.push(endpoint("apart", "172.19.0.3"))) => true, "connect", [];
    the_proxys_own_namespace: own(|c| (c.endpoints, c.network_of) = (Vec::new(), Some("aa".repeat(32))))
        => true, "connect", [];
    a_public_address: own(|c| c.endpoints = vec![endpoint("default", "203.0.113.3")]) => false, "by hand", ["upstream-ip-rejected"];
    an_address_that_is_not_allowed: live().files("routes:", "upstream: { allowed_ips: [10.255.0.0/24] }\nroutes:")
        => false, "by hand", ["upstream-ip-rejected"];
    an_address_that_is_allowed: live().files("routes:", "upstream: { allowed_ips: [172.18.0.0/16] }\nroutes:")
        => true, "connect", [];
    addresses_are_not_checked: own(|c| c.endpoints = vec![endpoint("default", "203.0.113.3")])
        .files("routes:", "upstream: { disable_ip_validation: true }\nroutes:") => true, "connect", [];
    a_closed_port: refused() => false, "by hand", ["upstream-refused"];
    a_closed_port_of_a_server_that_starts: refused().change("own", |c| c.health = Some("starting".into()))
        => false, "status", [];

    an_undefined_service: live().leads_to("http://nobody:9000") => false, "by hand", ["upstream-undefined"];
    a_process_on_this_host: live().leads_to("http://host.docker.internal:3000") => true, "connect", [];
    an_address_elsewhere: live().leads_to("http://10.1.2.3:3000") => true, "connect", [];
    a_name_elsewhere: live().leads_to("http://mcp.corp.example:3000") => true, "connect", [];
    the_proxys_own_loopback: live().leads_to("http://localhost:3000") => true, "connect", [];
    a_neighbour_that_runs: joined(Some(vec![far("running", None)])) => true, "connect", [];
    a_healthy_neighbour: joined(Some(vec![far("running", Some("healthy"))])) => true, "connect", [];
    a_starting_neighbour: joined(Some(vec![far("running", Some("starting"))])) => false, "status", [];
    an_unhealthy_neighbour: joined(Some(vec![far("running", Some("unhealthy"))])) => false, "by hand", ["upstream-down"];
    a_stopped_neighbour: joined(Some(vec![far("exited", None)])) => false, "by hand", ["upstream-down"];
    no_such_neighbour: joined(Some(Vec::new())) => false, "by hand", ["upstream-undefined"];
    a_network_that_cannot_be_listed: {
        let mut fixture = joined(None);
        fixture.snapshot.neighbours.insert("corp_lan".into(), Err("docker failed".into()));
        fixture
    } => true, "connect", [];

    a_route_that_the_proxy_does_not_name: live().only_prints("mcp-gateway", &["level=INFO msg=\"starting mcp-proxy\""])
        => false, "restart", ["route-not-configured"];
    a_proxy_that_does_not_print_routes: live().files(QUIET.0, QUIET.1).only_prints::<&str>("mcp-gateway", &[])
        => true, "connect", [];
    a_second_route_that_is_not_named: live().files("routes: {", "routes: { two: 'http://own:9000',")
        => false, "restart", ["route-not-configured"];
    a_route_of_an_edited_configuration: {
        let mut fixture = live().files("routes: {", "routes: { two: 'http://own:9000',");
        fixture = fixture.change("mcp-gateway", |c| c.config_label = Some("old".into()));
        fixture.snapshot.files.config_hash = Some("new".into());
        fixture.snapshot.files.config_written = Some(NOW);
        fixture
    } => false, "restart", ["config-not-applied", "route-not-configured < config-not-applied"];
    a_configuration_that_cannot_be_read: live().files("routes: {", "routes: [") => false, "status", [];
    a_route_without_a_port: live().leads_to("http://own") => true, "connect", [];
    no_routes: live().files("{ own: 'http://own:9000' }", "{}") => true, "connect", [];
}

/// What the answer says of the one route.
fn seen(fixture: &Fixture) -> (Option<bool>, Option<bool>) {
    let state = fixture.judge();
    (state.routes[0].configured, state.routes[0].upstream_up)
}

#[test]
fn a_route_says_what_was_seen_of_it() {
    assert_eq!(seen(&live()), (Some(true), Some(true)));
    assert_eq!(seen(&healthy("starting")), (Some(true), None));
    assert_eq!(seen(&refused()), (Some(true), Some(false)));
    assert_eq!(seen(&live().leads_to("http://10.1.2.3:3000")).1, None);
    assert_eq!(seen(&live().files(QUIET.0, QUIET.1).only_prints::<&str>("mcp-gateway", &[])).0, None);
}

#[test]
fn a_route_is_named_in_any_format_of_the_line() {
    for line in [
        r#"{"msg":"route configured","subdomain":"own","upstream":"http://own:9000"}"#,
        r#"route configured "own" -> http://own:9000"#,
        "route configured",
    ] {
        assert_eq!(seen(&live().only_prints("mcp-gateway", &[line])).0, Some(true), "{line}");
    }
    let two = live().files("routes: {", "routes: { upstream: 'http://own:9000', ow: 'http://own:9000',");
    let state = two.judge();
    let named: Vec<Option<bool>> = state.routes.iter().map(|route| route.configured).collect();
    assert_eq!(
        named,
        [Some(false), Some(true), Some(false)],
        "neither a field's name nor a part of a name: {state:#?}"
    );
}

#[test]
fn a_route_that_cannot_be_seen_is_skipped_and_said_so() {
    let fixture = live().leads_to("http://10.1.2.3:3000");
    let state = fixture.judge();
    assert_eq!(state.skipped.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["upstream:own"]);
    let summary = crate::stack::outcome::summary(crate::stack::outcome::Command::Status, Some(&state), &[]);
    assert!(summary.contains("`own`"), "{summary}");
}

#[test]
fn the_log_of_a_server_that_is_down_is_named() {
    let fix = |fixture: &Fixture| fixture.judge().findings[0].fix.clone();
    assert!(fix(&status("exited", 1)).contains("docker compose logs own"));
    assert!(fix(&joined(Some(vec![far("exited", None)]))).contains("docker logs far"));
}

#[test]
fn nobody_waits_for_what_nothing_starts_again() {
    let no_policy = status("exited", 1).change("own", |c| c.is_revived = false);
    assert!(no_policy.judge().gave_up);
    assert!(!status("exited", 1).judge().gave_up);
    assert!(live().ended("own", "restarting", 3, &[]).judge().gave_up);
    assert!(!live().ended("own", "restarting", 2, &[]).judge().gave_up);
    assert!(!healthy("starting").judge().gave_up);
}
