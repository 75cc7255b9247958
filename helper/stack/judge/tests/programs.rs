//! The proxy and cloudflared as programs, and the namespace that they share.

use std::time::Duration;

use super::{AGENT_START, Fixture, NOW, STARTED, ids, registered, states};
use crate::rules::ago;

const DENIED: &str = "fatal: open /data/tls.key: permission denied";
const CANNOT_JOIN: &str = "cannot join network of a non running container: aaaaaaaaaaaa";

fn live() -> Fixture {
    Fixture::live()
}

/// The proxy ends of a known fault, again and again; cloudflared was never started.
fn crashing(last: &str) -> Fixture {
    live()
        .ended("mcp-gateway", "restarting", 4, &["starting", last])
        .change("cloudflared", |c| c.status = "created".into())
}

fn all(status: &str, code: i64) -> Fixture {
    ["mcp-gateway", "cloudflared", "own"].into_iter().fold(live(), |f, service| {
        f.change(service, |c| {
            (c.status, c.exit_code, c.finished) = (status.into(), code, Some(NOW - Duration::from_secs(7200)));
        })
    })
}

/// The proxy was revived so many seconds ago, for the `n`th time.
fn revived(seconds: u64, restarts: u32) -> Fixture {
    live().change("mcp-gateway", |c| (c.started, c.restarts) = (Some(NOW - Duration::from_secs(seconds)), restarts))
}

states! {
    everything_runs: live() => true, "connect", [];
    nothing_was_started: live().without("own").without("mcp-gateway").without("cloudflared")
        => false, "up", ["stack-stopped"];
    everything_was_stopped: all("exited", 0) => false, "up", ["stack-stopped"];
    everything_was_killed: all("exited", 137) => false, "up", ["stack-stopped"];
    everything_is_dead: all("dead", 1) => false, "up", ["stack-stopped"];
    docker_cannot_list: {
        let mut fixture = live();
        let down = crate::rules::finding(crate::rules::RuleId::DockerDaemonDown);
        fixture.snapshot.containers = Err(Box::new(down));
        fixture
    } => false, "by hand", ["docker-daemon-down"];

    the_proxy_has_no_container: live().without("mcp-gateway") => false, "up", ["service-stopped"];
    cloudflared_has_no_container: live().without("cloudflared") => false, "up", ["service-stopped"];
    the_proxy_was_stopped: live().change("mcp-gateway", |c| c.status = "exited".into())
        => false, "up", ["service-stopped"];
    the_proxy_failed_for_an_unknown_reason: live().ended("mcp-gateway", "exited", 0, &["panic: boom"])
        => false, "by hand", ["service-stopped"];
    the_proxy_ended_of_its_key: live().ended("mcp-gateway", "exited", 0, &[DENIED])
        => false, "by hand", ["proxy-key-denied", "service-stopped < proxy-key-denied"];
    the_proxy_is_paused: live().change("mcp-gateway", |c| c.status = "paused".into())
        => false, "up", ["service-stopped"];
    the_proxy_was_never_started: live().change("mcp-gateway", |c| (c.status, c.started) = ("created".into(), None))
        => false, "up", ["service-stopped"];
    cloudflared_was_stopped: live().change("cloudflared", |c| (c.status, c.exit_code) = ("exited".into(), 0))
        => false, "up", ["service-stopped"];
    cloudflared_ended_of_its_token: live().ended("cloudflared", "restarting", 3, &["Provided Tunnel token is not valid."])
        => false, "token set", ["token-malformed", "crash-loop < token-malformed"];
    cloudflared_has_no_token: live().ended("cloudflared", "restarting", 3,
        &["\"cloudflared tunnel run\" requires the ID or name of the tunnel to run as the last command line argument or in the configuration file."])
        => false, "token set", ["token-missing", "crash-loop < token-missing"];
    cloudflared_crashes_for_an_unknown_reason: live().ended("cloudflared", "restarting", 9, &["segfault"])
        => false, "by hand", ["crash-loop"];
    cloudflared_has_a_wrong_url: live().ended("cloudflared", "restarting", 3, &["Error validating origin URL: x"])
        => false, "by hand", ["origin-url-invalid", "crash-loop < origin-url-invalid"];
    cloudflareds_metrics_port_is_taken: live().ended("cloudflared", "restarting", 3,
        &["ERR Error opening metrics server listener error=\"listen tcp 127.0.0.1:20241: bind: address already in use\""])
        => false, "by hand", ["metrics-port", "crash-loop < metrics-port"];

    the_key_is_denied: crashing(DENIED)
        => false, "by hand", ["proxy-key-denied", "crash-loop < proxy-key-denied", "netns-owner-not-running < proxy-key-denied"];
    the_routes_are_a_list: crashing("yaml: unmarshal errors: cannot unmarshal !!seq into map[string]string")
        => false, "by hand", ["proxy-config-routes-list", "crash-loop < proxy-config-routes-list", "netns-owner-not-running < proxy-config-routes-list"];
    the_certificate_is_missing: crashing("open /data/tls.crt: no such file or directory")
        => false, "by hand", ["proxy-cert-missing", "crash-loop < proxy-cert-missing", "netns-owner-not-running < proxy-cert-missing"];
    the_pair_does_not_match: crashing("tls: private key does not match public key")
        => false, "by hand", ["proxy-cert-mismatch", "crash-loop < proxy-cert-mismatch", "netns-owner-not-running < proxy-cert-mismatch"];
    the_configuration_is_a_directory: crashing("read /etc/mcp-gateway/config.yaml: is a directory")
        => false, "by hand", ["proxy-config-is-dir", "crash-loop < proxy-config-is-dir", "netns-owner-not-running < proxy-config-is-dir"];
    an_upstream_is_invalid: crashing("invalid upstream (must be scheme://host:port)")
        => false, "by hand", ["proxy-config-upstream", "crash-loop < proxy-config-upstream", "netns-owner-not-running < proxy-config-upstream"];
    the_port_is_taken: crashing("listen tcp :8080: bind: address already in use")
        => false, "by hand", ["proxy-port-taken", "crash-loop < proxy-port-taken", "netns-owner-not-running < proxy-port-taken"];
    a_crash_without_a_known_reason: crashing("boom")
        => false, "by hand", ["crash-loop", "netns-owner-not-running < crash-loop"];
    a_crash_that_says_nothing: live().ended("mcp-gateway", "restarting", 1, &[])
        => false, "by hand", ["crash-loop"];

    revived_a_moment_ago: revived(1, 2) => false, "restart", ["proxy-netns-orphaned"];
    revived_a_moment_ago_with_cloudflared_never_started: revived(1, 2).change("cloudflared", |c| c.status = "created".into())
        => false, "up", ["netns-owner-not-running"];
    revived_and_settled_with_cloudflared_behind: revived(60, 2) => false, "restart", ["proxy-netns-orphaned"];
    revived_and_failing_again: revived(1, 2).only_prints("mcp-gateway", &[DENIED])
        => false, "by hand", ["proxy-key-denied", "crash-loop < proxy-key-denied", "proxy-netns-orphaned < proxy-key-denied"];
    cloudflared_was_revived_a_moment_ago: live()
        .change("cloudflared", |c| (c.started, c.restarts) = (Some(NOW - Duration::from_secs(2)), 1))
        => false, "status", [];
    cloudflared_was_revived_long_ago: live()
        .change("cloudflared", |c| c.restarts = 7) => true, "connect", [];

    cloudflared_waits_for_a_proxy_that_runs: live().change("cloudflared", |c| c.status = "created".into())
        => false, "up", ["netns-owner-not-running"];
    cloudflared_could_not_join: live().change("cloudflared", |c| {
        (c.status, c.exit_code, c.error) = ("exited".into(), 128, CANNOT_JOIN.into());
    }) => false, "up", ["netns-owner-not-running"];
    cloudflared_is_behind_the_proxy: live().change("mcp-gateway", |c| c.started = Some(STARTED + Duration::from_secs(30)))
        => false, "restart", ["proxy-netns-orphaned"];
    cloudflared_is_in_another_containers_namespace: live().change("cloudflared", |c| c.network_of = Some("dd".repeat(32)))
        => false, "restart", ["proxy-netns-orphaned"];
    cloudflared_has_a_network_of_its_own: live().change("cloudflared", |c| c.network_of = None)
        => false, "up", ["namespace-not-applied"];

    the_configuration_was_edited: {
        let mut fixture = live().change("mcp-gateway", |c| c.config_label = Some("old".into()));
        fixture.snapshot.files.config_hash = Some("new".into());
        fixture.snapshot.files.config_written = Some(STARTED + Duration::from_secs(60));
        fixture
    } => true, "restart", ["config-not-applied"];
    the_configuration_was_edited_and_the_proxy_restarted: {
        let mut fixture = live().change("mcp-gateway", |c| c.config_label = Some("old".into()));
        fixture.snapshot.files.config_hash = Some("new".into());
        fixture
    } => true, "connect", [];
    the_configuration_was_touched: {
        let mut fixture = live().change("mcp-gateway", |c| c.config_label = Some("same".into()));
        fixture.snapshot.files.config_hash = Some("same".into());
        fixture.snapshot.files.config_written = Some(STARTED + Duration::from_secs(60));
        fixture
    } => true, "connect", [];
    an_unlabelled_configuration_was_edited: {
        let mut fixture = live();
        fixture.snapshot.files.config_written = Some(STARTED + Duration::from_secs(60));
        fixture
    } => true, "restart", ["config-not-applied"];
    the_token_was_rotated: {
        let mut fixture = live().change("cloudflared", |c| c.token_label = Some("one".into()));
        fixture.snapshot.files.token_fingerprint = Some("two".into());
        fixture
    } => true, "restart", ["token-not-applied"];
    an_unlabelled_token_was_rotated: {
        let mut fixture = live().change("cloudflared", |c| c.token_fingerprint = Some("one".into()));
        fixture.snapshot.files.token_fingerprint = Some("two".into());
        fixture
    } => true, "restart", ["token-not-applied"];
    the_token_is_the_same: {
        let mut fixture = live().change("cloudflared", |c| c.token_label = Some("one".into()));
        fixture.snapshot.files.token_fingerprint = Some("one".into());
        fixture
    } => true, "connect", [];
    a_container_of_no_service_is_left: live().with(super::container("gone", "ee")) => true, "connect", [];
}

#[test]
fn a_leftover_is_told_by_its_service_and_id() {
    let state = live().with(super::container("gone", "ee")).judge();
    assert_eq!(state.leftovers, [("gone".to_owned(), "ee".repeat(32))]);
    assert!(state.containers.iter().all(|c| c.service != "gone"), "{:?}", state.containers);
}

#[test]
fn waiting_is_given_up_where_nothing_can_come_of_it() {
    // Compose has just started the proxy, and not cloudflared yet.
    let coming = live().change("cloudflared", |c| c.status = "created".into());
    let coming = coming.change("mcp-gateway", |c| c.started = Some(NOW - Duration::from_secs(4)));
    for (fixture, gave_up) in [
        (crashing(DENIED), true),
        (crashing("boom"), true),
        (live().ended("mcp-gateway", "restarting", 1, &[]), false),
        (revived(1, 2).change("cloudflared", |c| c.status = "created".into()), false),
        (live().change("cloudflared", |c| c.status = "created".into()), true),
        (coming, false),
        (live().change("mcp-gateway", |c| c.started = Some(NOW)), true),
        (live().without("cloudflared"), false),
    ] {
        let state = fixture.judge();
        assert_eq!(state.gave_up, gave_up, "{state:#?}");
    }
}

#[test]
fn a_missing_program_is_listed_as_missing() {
    let state = live().without("cloudflared").judge();
    let row = state.containers.iter().find(|c| c.service == "cloudflared").unwrap();
    assert_eq!((row.state.as_str(), row.up_seconds, row.restarts), ("missing", None, 0));
}

#[test]
fn a_clock_that_is_ahead_makes_nobody_young() {
    // The engine's clock is an hour ahead of the start that it noted itself: it never is; this host's might be.
    let mut fixture = revived(60, 1);
    fixture.snapshot.now = NOW - Duration::from_secs(3600);
    assert!(fixture.judge().recently_restarted, "judged by a wrong clock it would look revived");
    fixture.snapshot.now = NOW;
    assert!(!fixture.judge().recently_restarted);
}

#[test]
fn a_life_before_this_one_proves_nothing_now() {
    let fixture = live()
        .only_prints("mcp-gateway", &[DENIED])
        .change("mcp-gateway", |c| (c.started, c.restarts) = (Some(NOW - Duration::from_secs(1)), 2));
    let state = fixture.judge();
    assert!(state.recently_restarted && !ids(&state.findings).contains(&"proxy-key-denied".to_owned()), "{state:#?}");
}

#[test]
fn cloudflareds_present_life_counts() {
    let lines: Vec<String> = AGENT_START.iter().map(|line| (*line).to_owned()).chain((0..2).map(registered)).collect();
    let state = live().prints("cloudflared", &lines).judge();
    assert_eq!(state.connections, Some(2));
}

#[test]
fn spans_are_told_in_their_largest_unit() {
    for (seconds, text) in
        [(-3, "0 s"), (5, "5 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")]
    {
        assert_eq!(ago(seconds), text);
    }
}
