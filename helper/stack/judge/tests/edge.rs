//! cloudflared's connections to the edge.

use std::time::Duration;

use super::{AGENT_START, Fixture, NOW, registered, states};
use crate::stack::snapshot::Printed;

const QUIC_TIMEOUT: &str = "ERR Failed to dial a quic connection error=\"failed to dial to edge with quic: timeout: no recent network activity\" connIndex=0 event=0 ip=198.41.200.1";
const REFUSED: &str = "ERR Serve tunnel error error=\"control stream encountered a failure while serving\" connIndex=0 event=0 ip=10.99.2.1";
const DIALLING: &str =
    "INF Tunnel connection curve preferences: [X25519MLKEM768 CurveP256] connIndex=0 event=0 ip=10.99.2.1";
const LOST: &str = "ERR Serve tunnel error error=\"failed to accept QUIC stream: timeout: no recent network activity\" connIndex=1 event=0 ip=198.41.200.1";
const HTTP2_REFUSED: &str = "ERR Register tunnel error from server side error=\"Unauthorized: Invalid tunnel secret\" connIndex=0 event=0 ip=198.41.200.1";

/// cloudflared was started so many seconds ago and printed this after its start.
fn agent<S: AsRef<str>>(age: u64, lines: &[S]) -> Fixture {
    let started = NOW - Duration::from_secs(age);
    Fixture::live()
        .change("mcp-gateway", |c| c.started = Some(started - Duration::from_secs(1)))
        .change("cloudflared", |c| c.started = Some(started))
        .only_prints("cloudflared", &AGENT_START)
        .prints("cloudflared", lines)
}

fn connected(age: u64, number: u8) -> Fixture {
    agent(age, &(0..number).map(registered).collect::<Vec<_>>())
}

/// One where the log cannot tell, with a health check.
fn unseen(health: Option<&str>, level: Option<&str>) -> Fixture {
    let fixture = Fixture::live().change("cloudflared", |c| {
        (c.health, c.log_level) = (health.map(str::to_owned), level.map(str::to_owned));
    });
    fixture.only_prints::<&str>("cloudflared", &[])
}

/// One whose log was rotated.
fn rotated(health: Option<&str>) -> Fixture {
    let mut fixture = unseen(health, None);
    let printed = Printed { readable: true, first: Some(NOW), lines: 1, bytes: 9 };
    fixture.snapshot.printed.insert("cloudflared".into(), printed);
    fixture
}

states! {
    four_connections: connected(600, 4) => true, "connect", [];
    three_of_four_is_degraded: connected(600, 3) => true, "connect", ["edge-partial"];
    one_of_four_is_degraded: connected(600, 1) => true, "connect", ["edge-partial"];
    two_of_four_is_still_connecting: connected(6, 2) => true, "connect", [];
    none_yet: connected(6, 0) => false, "status", [];
    none_after_a_while: connected(60, 0) => false, "by hand", ["edge-not-registered"];
    one_was_lost: connected(600, 4).prints("cloudflared", &[LOST]) => true, "connect", ["edge-partial"];
    one_was_lost_and_is_back: connected(600, 4).prints("cloudflared", &[LOST, &registered(1)]) => true, "connect", [];
    all_were_lost: connected(600, 1).prints("cloudflared", &[&LOST.replace("connIndex=1", "connIndex=0")])
        => false, "by hand", ["edge-conn-lost", "edge-not-registered < edge-conn-lost"];
    two_were_wanted: connected(600, 2).change("cloudflared", |c| c.asked_connections = Some(2)) => true, "connect", [];
    two_addresses_are_enough: agent(600, &["INF You requested 4 HA connections but I can give you at most 2."])
        .prints("cloudflared", &[registered(0), registered(1)]) => true, "connect", [];

    udp_is_blocked: agent(60, &[QUIC_TIMEOUT; 4]) => false, "by hand", ["edge-quic-blocked", "edge-not-registered < edge-quic-blocked"];
    one_timeout_is_no_firewall: agent(9, &[QUIC_TIMEOUT])
        => false, "by hand", ["edge-quic-blocked", "edge-not-registered < edge-quic-blocked"];
    a_timeout_and_then_connected: agent(600, &[QUIC_TIMEOUT]).prints("cloudflared", &(0..4).map(registered).collect::<Vec<_>>())
        => true, "connect", [];
    names_are_not_found: agent(60, &["ERR edge discovery: error looking up Cloudflare edge IPs: the DNS query failed error=\"lookup _v2-origintunneld._tcp.argotunnel.com: no such host\""; 3])
        => false, "by hand", ["edge-dns-failed", "edge-not-registered < edge-dns-failed"];
    tls_is_intercepted: agent(60, &["ERR Unable to establish connection with Cloudflare edge error=\"TLS handshake with edge error: x509: certificate signed by unknown authority\" connIndex=0 event=0 ip=1.2.3.4"; 3])
        => false, "by hand", ["edge-tls-intercepted", "edge-not-registered < edge-tls-intercepted"];
    the_clock_is_wrong: agent(60, &["ERR Unable to establish connection error=\"TLS handshake with edge error: x509: certificate has expired or is not yet valid: current time\" connIndex=0"; 3])
        => false, "by hand", ["clock-skew", "edge-not-registered < clock-skew"];
    this_host_denies_it: agent(60, &["ERR Failed to dial a quic connection error=\"write udp 172.18.0.2:1->198.41.200.1:7844: sendmsg: operation not permitted\" connIndex=0"; 3])
        => false, "by hand", ["edge-egress-denied-locally", "edge-not-registered < edge-egress-denied-locally"];
    the_token_is_refused_over_http2: agent(60, &[HTTP2_REFUSED]) => false, "token set", ["token-rejected"];
    the_token_is_refused_over_quic: agent(60, &[DIALLING, REFUSED, DIALLING, REFUSED, DIALLING, REFUSED])
        => false, "token set", ["token-rejected", "edge-not-registered < token-rejected"];
    the_token_is_refused_while_others_hold: connected(600, 3).prints("cloudflared", &[&HTTP2_REFUSED.replace("connIndex=0", "connIndex=3")])
        => true, "connect", ["token-rejected"];
    no_url: Fixture::live().only_prints("cloudflared", &["INF Starting tunnel tunnelID=x", "INF Settings: map[no-autoupdate:true]"])
        .prints("cloudflared", &(0..4).map(registered).collect::<Vec<_>>()) => true, "connect", [];

    a_quiet_log_with_a_good_health_check: unseen(Some("healthy"), Some("warn")) => true, "connect", [];
    a_quiet_log_with_a_bad_health_check: unseen(Some("unhealthy"), Some("warn")) => false, "by hand", ["edge-not-registered"];
    a_quiet_log_while_it_starts: unseen(Some("starting"), Some("error")) => false, "status", [];
    a_quiet_log_without_a_health_check: unseen(None, Some("warn")) => false, "status", [];
    a_rotated_log_with_a_good_health_check: rotated(Some("healthy")) => true, "connect", [];
    a_rotated_log_with_a_bad_health_check: rotated(Some("unhealthy")) => false, "by hand", ["edge-not-registered"];
    a_rotated_log_that_goes_on: rotated(None) => false, "status", [];
    a_debug_log: connected(600, 4).change("cloudflared", |c| c.log_level = Some("debug".into())) => true, "connect", [];
    a_small_log: unseen(Some("healthy"), None).change("cloudflared", |c| c.log_capacity = Some(1024)) => true, "connect", [];
    a_log_that_docker_cannot_read: {
        let mut fixture = unseen(Some("healthy"), None);
        fixture.snapshot.printed.insert("cloudflared".into(), Printed::default());
        fixture
    } => true, "connect", [];
}

#[test]
fn connections_are_counted() {
    for (number, wanted) in [(0, None), (1, None), (4, None), (2, Some(2))] {
        let state = connected(600, number).change("cloudflared", |c| c.asked_connections = wanted).judge();
        assert_eq!((state.connections, state.wanted), (Some(u32::from(number)), wanted.unwrap_or(4)));
    }
    assert_eq!(rotated(Some("healthy")).judge().connections, None);
    assert_eq!(connected(600, 4).judge().protocol.as_deref(), Some("quic"));
}

#[test]
fn cloudflared_is_to_be_asked_where_neither_its_log_nor_a_health_check_tells() {
    let knows = |fixture: Fixture| fixture.judge().only_cloudflared_knows;
    assert!(knows(unseen(None, Some("warn"))) && knows(rotated(None)));
    assert!(!knows(unseen(Some("starting"), Some("warn"))) && !knows(connected(6, 0)));
}

#[test]
fn what_is_on_its_way_is_pending_and_not_a_finding() {
    let state = connected(6, 2).judge();
    assert_eq!((state.pending.as_slice(), state.ready), (["2 of 4 edge connections".to_owned()].as_slice(), true));
    assert_eq!(connected(6, 0).judge().pending.len(), 1);
    assert!(connected(600, 2).judge().pending.is_empty(), "it is late, not on its way");
}

#[test]
fn a_connection_that_was_never_checked_is_skipped() {
    let state = rotated(None).judge();
    assert_eq!(state.skipped.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["connections"]);
}
