//! cloudflared on a network with the proxy, and the move from one setting to the other.

use std::time::Duration;

use super::{AGENT_START, Fixture, NOW, STARTED, endpoint, registered, states};
use crate::engine::container::Endpoint;

/// Everything runs; cloudflared dials the proxy by its name on a network of the two.
fn live() -> Fixture {
    let named = |network: &str, address: &str, alias: &str| Endpoint {
        aliases: vec![alias.to_owned()],
        ..endpoint(network, address)
    };
    Fixture::live()
        .files("network_mode: 'service:mcp-gateway'", "command: tunnel run --url http://mcp-gateway:8080")
        .change("cloudflared", |c| {
            (c.network_of, c.url) = (None, Some("mcp-gateway".into()));
            c.endpoints = vec![named("tunnel", "172.19.0.3", "cloudflared")];
        })
        .change("mcp-gateway", |c| {
            c.endpoints =
                vec![named("default", "172.18.0.2", "mcp-gateway"), named("tunnel", "172.19.0.2", "mcp-gateway")];
        })
}

/// The files say that cloudflared runs with the proxy; the containers are as they were.
fn files_say_shared() -> Fixture {
    live().files("command: tunnel run --url http://mcp-gateway:8080", "network_mode: 'service:mcp-gateway'")
}

/// The proxy ends again and again; the engine waits before it starts it again.
fn crashing(restarts: u32, ended_ago: u64) -> Fixture {
    live()
        .ended("mcp-gateway", "restarting", restarts, &["boom"])
        .change("mcp-gateway", |c| c.finished = Some(NOW - Duration::from_secs(ended_ago)))
}

states! {
    it_is_live: live() => true, "connect", [];
    the_proxy_was_revived_long_after_cloudflared: live()
        .change("mcp-gateway", |c| (c.started, c.restarts) = (Some(NOW - Duration::from_secs(60)), 3))
        => true, "connect", [];
    the_proxy_was_revived_a_moment_ago: live()
        .change("mcp-gateway", |c| (c.started, c.restarts) = (Some(NOW - Duration::from_secs(1)), 3))
        => false, "status", [];
    the_proxy_crashes_and_the_edge_goes_on: crashing(5, 1) => false, "by hand", ["crash-loop"];
    the_proxy_was_stopped: live().change("mcp-gateway", |c| c.status = "exited".into())
        => false, "up", ["service-stopped"];
    the_proxy_was_stopped_and_the_edge_has_faults_of_its_own: live()
        .change("mcp-gateway", |c| c.status = "exited".into())
        .only_prints("cloudflared", &AGENT_START)
        .prints("cloudflared", &[registered(0), registered(1)])
        => false, "up", ["service-stopped", "edge-partial"];
    cloudflared_was_never_started: live().change("cloudflared", |c| (c.status, c.started) = ("created".into(), None))
        => false, "up", ["service-stopped"];
    cloudflared_dials_a_name_of_nobody: live().change("cloudflared", |c| c.url = Some("other".into()))
        => false, "up", ["namespace-not-applied"];
    cloudflared_dials_the_containers_name: live()
        .change("cloudflared", |c| c.url = Some("mcp-tunnel-abcd1234-mcp-gateway-1".into())) => true, "connect", [];
    cloudflared_dials_an_address: live().change("cloudflared", |c| c.url = Some("172.19.0.2".into()))
        => true, "connect", [];
    an_address_on_another_network_is_out_of_reach: live()
        .change("cloudflared", |c| c.url = Some("172.18.0.2".into())) => false, "up", ["namespace-not-applied"];
    cloudflared_is_on_no_network_of_the_proxy: live()
        .change("cloudflared", |c| c.endpoints = vec![endpoint("other", "172.20.0.2")])
        => false, "up", ["namespace-not-applied"];

    // The setting was changed, and `up` was not run.
    still_shared: Fixture::live()
        .files("network_mode: 'service:mcp-gateway'", "command: tunnel run --url http://mcp-gateway:8080")
        => true, "up", ["namespace-not-applied"];
    still_shared_and_orphaned: Fixture::live()
        .files("network_mode: 'service:mcp-gateway'", "command: tunnel run --url http://mcp-gateway:8080")
        .change("mcp-gateway", |c| c.started = Some(STARTED + Duration::from_secs(30)))
        => false, "restart", ["proxy-netns-orphaned", "namespace-not-applied"];
    still_separate: files_say_shared() => true, "up", ["namespace-not-applied"];

    // Files that name no way at all, and containers that have none.
    there_is_no_way: live()
        .files("--url http://mcp-gateway:8080", "--url http://localhost:8080")
        .change("cloudflared", |c| c.url = Some("localhost".into()))
        => false, "by hand", ["network-mode-missing"];
    on_the_hosts_network: live()
        .files("command: tunnel run --url http://mcp-gateway:8080",
            "network_mode: host\n    command: tunnel run --url http://127.0.0.1:8080")
        .files("image: x/mcp-proxy", "image: x/mcp-proxy\n    ports: ['127.0.0.1:8080:8080']")
        .change("cloudflared", |c| {
            (c.url, c.endpoints) = (Some("127.0.0.1".into()), vec![endpoint("host", "")]);
        }) => true, "connect", [];
}

#[test]
fn the_edge_is_judged_without_the_proxy() {
    let state = crashing(5, 1).judge();
    assert_eq!(state.connections, Some(4), "{state:#?}");
}

#[test]
fn the_engines_wait_doubles_up_to_a_minute() {
    for (restarts, ended_ago, next) in
        [(1, 0, 1), (5, 0, 2), (5, 1, 1), (5, 9, 0), (8, 0, 13), (10, 0, 52), (11, 0, 60), (99, 20, 40)]
    {
        let state = crashing(restarts, ended_ago).judge();
        let proxy = state.containers.iter().find(|c| c.service == "mcp-gateway").unwrap();
        assert_eq!(proxy.next_start_seconds, Some(next), "after {restarts} restarts, {ended_ago} s ago");
        let others = state.containers.iter().filter(|c| c.service != "mcp-gateway");
        assert!(others.into_iter().all(|c| c.next_start_seconds.is_none()));
    }
}
