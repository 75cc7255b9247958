//! The routes and the servers behind them.

use std::time::Duration;

use super::{Fixture, NOW, container, endpoint, states};
use crate::deployment::Upstream;
use crate::probe::observe::{Observed, Probed};
use crate::probe::state::Behind;
use crate::probe::target::{Planned, target};
use crate::probe::wire::{Allowed, Got, Listener, Seen, Step, Trust, Try};
use crate::stack::judge::StackState;
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

/// The state where the server was asked and refused the connection, so many seconds after every container was started. It
/// listens on these ports.
fn asked(age: u64, ports: &[u16]) -> StackState {
    let upstream = Upstream::parse("http://own:9000").unwrap();
    let host = "own.abcd1234.tunnel.anthropic.com".to_owned();
    let target =
        target(Some("own".to_owned()), &upstream, host.clone(), "/mcp", Allowed::Private, Trust::default(), 5_000);
    let (path, nowhere) = (String::new(), String::new());
    let refused = Try { step: Step::Connect, path, host: nowhere, got: Got::Refused, ms: 1 };
    let seen = Seen { addresses: vec!["172.18.0.3".parse().unwrap()], tries: vec![refused], ..Seen::default() };
    let listeners = ports.iter().map(|port| Listener { address: "0.0.0.0".parse().unwrap(), port: *port });
    let behind = Behind::Container { name: "own".to_owned(), listening: Some(listeners.collect()) };
    let (name, upstream) = ("own".to_owned(), upstream.to_string());
    let planned = vec![Planned { name, host, upstream, is_kept: false, target: Ok(target) }];
    let observed = Ok(Observed { routes: vec![(seen, behind)], metrics: None });
    let started = Some(NOW - Duration::from_secs(age));
    let mut fixture = ["mcp-gateway", "own", "cloudflared"]
        .iter()
        .fold(live(), |fixture, service| fixture.change(service, |c| c.started = started));
    fixture.snapshot.probed = Some(Probed { planned, observed });
    fixture.judge()
}

#[test]
fn a_server_that_may_still_open_its_port_is_waited_for() {
    // Whether that is a fault which stays, and whether it is asked once more for the last time.
    for (age, ports, rule, settled, again) in [
        (1, &[][..], "upstream-refused", false, false),
        (59, &[], "upstream-refused", false, false),
        (60, &[], "upstream-refused", false, true),
        // It may open the port of its metrics first.
        (1, &[9100], "upstream-wrong-port", false, false),
        (20, &[9100], "upstream-wrong-port", true, false),
    ] {
        let state = asked(age, ports);
        assert_eq!(super::ids(&state.findings), [rule], "{age} {ports:?}");
        assert_eq!((state.gave_up_route, state.is_worth_asking_again), (settled, again), "{age} {ports:?} {state:#?}");
        assert!(!state.gave_up && !state.ready, "{age} {ports:?}");
    }
}

#[test]
fn a_proxy_that_is_starting_may_name_its_routes_later() {
    let quiet = |age| {
        live()
            .change("mcp-gateway", |c| c.started = Some(NOW - Duration::from_secs(age)))
            .change("cloudflared", |c| c.started = Some(NOW - Duration::from_secs(age)))
            .only_prints("mcp-gateway", &["level=INFO msg=\"starting mcp-proxy\""])
            .judge()
    };
    let (early, late) = (quiet(4), quiet(5));
    assert_eq!((super::ids(&early.findings).as_slice(), early.ready), (&[][..], false), "{early:#?}");
    assert_eq!(early.pending, ["`mcp-gateway` has not named its routes yet (4 s)"]);
    assert_eq!(super::ids(&late.findings), ["route-not-configured"], "{late:#?}");
    assert!(late.pending.is_empty());
}
