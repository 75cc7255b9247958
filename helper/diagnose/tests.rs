//! `diagnose` on snapshots that are made here: what the containers and their logs add up to, without Docker.
//!
//! The lines are those that real programs printed in the states that the tests are named after.

use std::time::Duration;

use super::judge::{Diagnosis, judge};
use crate::check::Verdict;
use crate::rules::{self, RuleId, Severity};
use crate::stack::judge::judge as judge_live;
use crate::stack::judge::tests::{AGENT_START, Fixture, NOW, ids, registered};
use crate::stack::snapshot::{Container, Image};

fn diagnose_with(fixture: &Fixture, lint: Verdict) -> Diagnosis {
    let (declared, snapshot) = fixture.seen();
    let state = judge_live(&declared, &snapshot);
    judge(&declared, &snapshot, state, lint)
}

fn diagnose(fixture: &Fixture) -> Diagnosis {
    diagnose_with(fixture, Verdict::default())
}

/// Whether it is healthy, and the findings that are more than notes.
fn expect(fixture: &Fixture, healthy: bool, expected: &[&str]) {
    let diagnosis = diagnose(fixture);
    let state = diagnosis.state.as_ref().unwrap();
    assert_eq!(ids(&diagnosis.findings), expected, "{:#?}", diagnosis.findings);
    let broken = diagnosis.findings.iter().any(|f| f.severity == Severity::Error && f.id.rule().blocks);
    assert_eq!(state.ready && !broken, healthy, "{state:#?}");
}

macro_rules! diagnoses {
    ($($name:ident: $fixture:expr => $healthy:literal, $expected:expr;)*) => {
        $(#[test] fn $name() { expect(&$fixture, $healthy, &$expected); })*
    };
}

fn live() -> Fixture {
    Fixture::live()
}

/// A request that the proxy could not hand on.
fn failed(error: &str) -> String {
    format!(
        "level=ERROR msg=\"upstream request failed\" host=own.abcd1234.tunnel.anthropic.com upstream=http://own:9000 error=\"{error}\""
    )
}

fn proxy(line: &str) -> Fixture {
    live().prints("mcp-gateway", &[line])
}

/// What the proxy said about a server that was restarted since.
fn refused_before(line: String) -> Fixture {
    live().prints("mcp-gateway", &[line]).change("own", |c| c.started = Some(NOW - Duration::from_secs(60)))
}

fn own(lines: &[&str]) -> Fixture {
    live().prints("own", &["INFO:     Started server process [10]"]).prints("own", lines)
}

/// cloudflared printed nothing but its start and this.
fn agent<S: AsRef<str>>(lines: &[S]) -> Fixture {
    live().only_prints("cloudflared", &AGENT_START).prints("cloudflared", lines)
}

fn four() -> Vec<String> {
    (0..4).map(registered).collect()
}

/// The proxy crashes of this line, and cloudflared was never started.
fn crashing(last: &str) -> Fixture {
    let fixture = live().ended("mcp-gateway", "restarting", 4, &[last]).prints("mcp-gateway", &[last]);
    fixture.change("cloudflared", |c| c.status = "created".into()).only_prints::<&str>("cloudflared", &[])
}

/// The server crashes with these lines.
fn server_crashes(lines: &[&str]) -> Fixture {
    live().ended("own", "restarting", 4, lines).prints("own", lines)
}

const TIMEOUT: &str = "ERR Failed to dial a quic connection error=\"failed to dial to edge with quic: timeout: no recent network activity\" connIndex=0 event=0 ip=127.0.2.1";
const TCP: &str = "ERR Unable to establish connection with Cloudflare edge error=\"DialContext error: dial tcp 127.0.2.1:7844: i/o timeout\" connIndex=0 event=0 ip=127.0.2.1";
const DNS: &str = "ERR edge discovery: error looking up Cloudflare edge IPs: the DNS query failed error=\"lookup _v2-origintunneld._tcp.argotunnel.com on 127.0.0.11:53: server misbehaving\" event=0";
const HIDDEN: &str = "ERR Serve tunnel error error=\"control stream encountered a failure while serving\" connIndex=0 event=0 ip=10.99.2.1";
const DIALLING: &str =
    "INF Tunnel connection curve preferences: [X25519MLKEM768 CurveP256] connIndex=0 event=0 ip=10.99.2.1";
const EPERM: &str = "ERR Failed to dial a quic connection error=\"failed to dial to edge with quic: write udp [::]:47362->10.99.1.1:7844: sendmsg: operation not permitted\" connIndex=0 event=0 ip=10.99.1.1";
const TLS_HANG: &str = "ERR Unable to establish connection with Cloudflare edge error=\"TLS handshake with edge error: read tcp 127.0.0.1:43546->127.0.2.1:7844: i/o timeout\" connIndex=0 event=0 ip=127.0.2.1";
const CLOCK: &str = "ERR Unable to establish connection with Cloudflare edge error=\"TLS handshake with edge error: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-22T21:09:38Z is before 2026-11-23T21:09:36Z\" connIndex=0 event=0 ip=127.0.1.2";
const ORIGIN: &str = "ERR  error=\"Unable to reach the origin service. The service may be down or it may not be responding to traffic from cloudflared: dial tcp 127.0.0.1:8080: connect: connection refused\" connIndex=0 event=1 ingressRule=0 originService=http://localhost:8080";
const DUPLICATE: &str = "ERR Register tunnel error from server side error=\"already connected to this server, trying another address\" connIndex=1";
const LISTENS: &str = "INFO:     Uvicorn running on http://0.0.0.0:9000 (Press CTRL+C to quit)";
const BAD_CERT: &str =
    "level=ERROR msg=\"tls handshake failed\" error=\"remote error: tls: bad certificate\" remote_addr=127.0.0.1:53816";
const EXPIRED: &str =
    "level=ERROR msg=\"tls handshake failed\" error=\"remote error: tls: expired certificate\" remote_addr=127.0.0.1:1";
const ENDED: &str =
    "level=INFO msg=\"request completed\" host=own.abcd1234.tunnel.anthropic.com status=200 duration_ms=4";
const SDK_2: &str = "ModuleNotFoundError: No module named 'mcp.server.fastmcp'. This is mcp 2.x, where FastMCP was renamed to MCPServer";
const CTOR: &str = "TypeError: MCPServer.__init__() got an unexpected keyword argument 'host'";
const NO_TOKEN: &str = "\"cloudflared tunnel run\" requires the ID or name of the tunnel to run as the last command line argument or in the configuration file.";
const PIP: &str = "ERROR: No matching distribution found for mcp";

diagnoses! {
    healthy: live() => true, [];
    healthy_json: live().only_prints("cloudflared", &["{\"level\":\"info\",\"tunnelID\":\"x\",\"time\":\"2026-11-22T20:50:01Z\",\"message\":\"Starting tunnel\"}"])
        .prints("cloudflared", &(0..4).map(|i| format!("{{\"level\":\"info\",\"connIndex\":{i},\"protocol\":\"quic\",\"message\":\"Registered tunnel connection\"}}")).collect::<Vec<_>>())
        => true, [];
    duplicate_connection_recovered: agent(&[registered(0), DUPLICATE.to_owned()]).prints("cloudflared", &[registered(1), registered(2), registered(3)])
        => true, [];
    register_failures_recovered: agent(&[DIALLING, HIDDEN, DIALLING, HIDDEN]).prints("cloudflared", &four()) => true, [];
    edge_lost_and_recovered: live().prints("cloudflared", &[TIMEOUT]).prints("cloudflared", &four()) => true, [];
    token_missing: live().ended("cloudflared", "restarting", 4, &[NO_TOKEN]).prints("cloudflared", &[NO_TOKEN])
        => false, ["token-missing", "crash-loop < token-missing"];
    token_truncated: live().ended("cloudflared", "restarting", 4, &["Provided Tunnel token is not valid."])
        .prints("cloudflared", &["Provided Tunnel token is not valid."])
        => false, ["token-malformed", "crash-loop < token-malformed"];
    token_rejected_without_a_reason: agent(&[DIALLING, HIDDEN, DIALLING, HIDDEN, DIALLING, HIDDEN])
        => false, ["token-rejected", "edge-not-registered < token-rejected"];
    token_rejected_with_a_reason: agent(&["ERR Register tunnel error from server side error=\"Unauthorized: Invalid tunnel secret\" connIndex=0"])
        => false, ["token-rejected"];
    both_ways_are_blocked: agent(&[TIMEOUT, TIMEOUT, TIMEOUT, TCP])
        => false, ["edge-unreachable", "edge-not-registered < edge-unreachable", "edge-quic-blocked < edge-unreachable",
            "edge-tcp-blocked < edge-unreachable"];
    udp_is_blocked: agent(&[TIMEOUT; 4]) => false, ["edge-quic-blocked", "edge-not-registered < edge-quic-blocked"];
    udp_is_denied_by_this_host: agent(&[EPERM; 3])
        => false, ["edge-egress-denied-locally", "edge-not-registered < edge-egress-denied-locally"];
    tls_hangs: agent(&[TLS_HANG; 3]) => false, ["edge-tls-intercepted", "edge-not-registered < edge-tls-intercepted"];
    the_clock_is_wrong: agent(&[CLOCK; 3]) => false, ["clock-skew", "edge-not-registered < clock-skew"];
    dns_fails: agent(&[DNS; 3]) => false, ["edge-dns-failed", "edge-not-registered < edge-dns-failed"];
    no_url_before_a_request: live().only_prints("cloudflared", &[AGENT_START[0], "INF Settings: map[no-autoupdate:true]"])
        .prints("cloudflared", &four()) => false, ["no-ingress-url"];
    the_origin_refuses: live().prints("cloudflared", &[ORIGIN]) => false, ["proxy-unreachable"];
    routes_are_a_list: crashing("yaml: unmarshal errors: cannot unmarshal !!seq into map[string]string")
        => false, ["proxy-config-routes-list", "crash-loop < proxy-config-routes-list", "netns-owner-not-running < proxy-config-routes-list"];
    a_tab_in_the_configuration: crashing("level=ERROR msg=\"failed to load config\" error=\"yaml: line 2: found character that cannot start any token\"")
        => false, ["proxy-config-yaml", "crash-loop < proxy-config-yaml", "netns-owner-not-running < proxy-config-yaml"];
    the_key_is_denied: crashing("open /data/tls.key: permission denied")
        => false, ["proxy-key-denied", "crash-loop < proxy-key-denied", "netns-owner-not-running < proxy-key-denied"];
    the_certificate_is_missing: crashing("open /data/tls.crt: no such file or directory")
        => false, ["proxy-cert-missing", "crash-loop < proxy-cert-missing", "netns-owner-not-running < proxy-cert-missing"];
    the_certificate_is_empty: crashing("failed to load TLS certificate: tls: failed to find any PEM data in certificate input")
        => false, ["proxy-cert-empty", "crash-loop < proxy-cert-empty", "netns-owner-not-running < proxy-cert-empty"];
    the_configuration_is_a_directory: crashing("read /etc/mcp-gateway/config.yaml: is a directory")
        => false, ["proxy-config-is-dir", "crash-loop < proxy-config-is-dir", "netns-owner-not-running < proxy-config-is-dir"];
    the_certificate_is_refused: proxy(BAD_CERT) => false, ["tls-bad-cert"];
    the_ca_is_unknown: proxy("http: TLS handshake error from 127.0.0.1:47712: remote error: tls: unknown certificate authority")
        => false, ["tls-unknown-ca"];
    the_certificate_was_renewed: {
        let mut fixture = proxy(EXPIRED);
        fixture.snapshot.files.certificate_written = Some(NOW - Duration::from_secs(60));
        fixture
    } => true, [];
    the_server_was_started_anew: refused_before(failed("dial tcp4 172.18.0.3:9000: connect: connection refused")) => true, [];
    the_server_was_started_anew_and_the_line_names_no_route:
        refused_before("level=ERROR error=\"dial tcp4 172.18.0.3:9000: connect: connection refused\"".to_owned()) => true, [];
    the_server_was_started_before_the_refusal: live()
        .prints("mcp-gateway", &[failed("dial tcp4 172.18.0.3:9000: connect: connection refused")])
        => false, ["upstream-refused"];
    the_proxy_was_started_anew: live().prints("cloudflared", &[ORIGIN])
        .change("mcp-gateway", |c| c.started = Some(NOW - Duration::from_secs(60)))
        .change("cloudflared", |c| c.started = Some(NOW - Duration::from_secs(59)))
        => true, [];
    a_call_passed_after_a_renewal: live().prints("mcp-gateway", &[EXPIRED, "level=INFO msg=\"request started\" host=own.abcd1234.tunnel.anthropic.com", ENDED])
        => true, [];
    no_route_for_the_host: proxy("level=WARN msg=\"no route for host\" host=echo.abcd1234.tunnel.anthropic.com") => false, ["no-route"];
    the_address_is_rejected: proxy(&failed("IP validation failed: 127.0.0.1 is not a private address")) => false, ["upstream-ip-rejected"];
    the_name_is_not_known: proxy(&failed("dial tcp: lookup hello on 127.0.0.11:53: no such host")) => false, ["upstream-dns"];
    the_server_is_bound_to_loopback: own(&["INFO:     Uvicorn running on http://127.0.0.1:9000 (Press CTRL+C to quit)"])
        .prints("mcp-gateway", &[failed("dial tcp4 172.25.0.3:9000: connect: connection refused")])
        => false, ["upstream-bind-loopback", "upstream-refused < upstream-bind-loopback"];
    the_server_speaks_stdio: live().ended("own", "restarting", 4, &[]).change("own", |c| c.exit_code = 0)
        .prints("mcp-gateway", &[failed("dial tcp4 172.26.0.3:9000: connect: connection refused")])
        => false, ["upstream-down", "upstream-refused < upstream-down"];
    a_wrong_path_and_then_the_right_one: own(&[LISTENS, "INFO:     172.22.0.2:37992 - \"POST / HTTP/1.1\" 404 Not Found",
        "INFO:     172.22.0.2:37992 - \"POST /mcp HTTP/1.1\" 200 OK"]) => true, [];
    the_host_is_rejected: own(&[LISTENS, "INFO:     172.24.0.3:42744 - \"POST /mcp HTTP/1.1\" 421 Misdirected Request"])
        => false, ["upstream-host-rejected"];
    the_sdk_is_too_new: server_crashes(&["Traceback (most recent call last):", SDK_2])
        => false, ["mcp-sdk-v2", "upstream-down < mcp-sdk-v2"];
    the_constructor_changed: server_crashes(&["Traceback (most recent call last):", CTOR])
        => false, ["mcp-v2-ctor", "upstream-down < mcp-v2-ctor"];
    dns_and_pip_fail: agent(&[DNS; 3]).ended("own", "restarting", 4, &[PIP]).prints("own", &[PIP])
        => false, ["edge-dns-failed", "edge-not-registered < edge-dns-failed", "pip-no-index",
            "upstream-down < pip-no-index"];
    http2_after_udp_and_a_refusal: agent(&[TIMEOUT; 5])
        .prints("cloudflared", &["INF Switching to fallback protocol http2 connIndex=0"])
        .prints("cloudflared", &four().iter().map(|line| line.replace("quic", "http2")).collect::<Vec<_>>())
        .prints("mcp-gateway", &[failed("dial tcp4 172.25.0.3:9000: connect: connection refused")])
        => false, ["upstream-refused", "edge-quic-blocked"];
    cloudflared_was_left_behind: live().change("mcp-gateway", |c| c.started = Some(NOW - Duration::from_secs(24)))
        => false, ["proxy-netns-orphaned"];
    both_were_restarted: live() => true, [];
    the_owner_was_stopped: live().change("mcp-gateway", |c| c.status = "exited".into())
        .change("cloudflared", |c| (c.status, c.exit_code, c.error) = ("exited".into(), 128, "cannot join network of a non running container: x".into()))
        => false, ["service-stopped", "netns-owner-not-running < service-stopped"];
    degraded_is_healthy: agent(&[registered(0), registered(1)]) => true, ["edge-partial"];
}

/// A service that no route leads to.
fn with_other(change: impl FnOnce(&mut Container)) -> Fixture {
    let own = live().snapshot.container("own").unwrap().clone();
    let mut other = Container { service: "other".into(), id: "dd".repeat(32), ..own };
    change(&mut other);
    live().files("  own: { image: y }", "  own: { image: y }\n  other: { image: z }").with(other)
}

fn image(fixture: Fixture, service: &str, image: Image) -> Fixture {
    let mut fixture = fixture;
    fixture.snapshot.images.insert(service.into(), image);
    fixture.snapshot.engine_platform = Some("linux/amd64".into());
    fixture
}

fn looping(c: &mut Container) {
    (c.status, c.restarts, c.exit_code) = ("restarting".into(), 4, 1);
}

fn starved(c: &mut Container) {
    (c.status, c.out_of_memory, c.exit_code) = ("exited".into(), true, 137);
}

diagnoses! {
    another_service_runs: with_other(|_| {}) => true, [];
    another_service_loops: with_other(looping) => true, ["crash-loop"];
    another_service_failed: with_other(|c| (c.status, c.exit_code) = ("exited".into(), 3)) => true, ["service-stopped"];
    another_service_was_stopped: with_other(|c| (c.status, c.exit_code) = ("exited".into(), 0)) => true, [];
    another_service_is_unhealthy: with_other(|c| c.health = Some("unhealthy".into())) => true, ["service-unhealthy"];
    another_service_ran_out_of_memory: with_other(starved) => true, ["out-of-memory"];
    a_server_ran_out_of_memory: live().change("own", starved)
        => false, ["out-of-memory", "upstream-down < out-of-memory"];
    the_proxy_ran_out_of_memory: live().change("mcp-gateway", starved)
        => false, ["out-of-memory", "service-stopped < out-of-memory"];
    one_starved_and_another_failed: with_other(starved).change("own", |c| (c.status, c.exit_code) = ("exited".into(), 3))
        => false, ["upstream-down", "out-of-memory"];
    an_image_is_absent: image(live().without("own"), "own", Image::Absent("y".into()))
        => false, ["upstream-down"];
    an_image_is_for_another_processor: image(live().ended("own", "restarting", 4, &["exec /program: exec format error"]), "own", Image::For("linux/arm64".into()))
        => false, ["platform-mismatch", "upstream-down < platform-mismatch"];
    an_image_lies_about_its_processor: image(live().ended("own", "restarting", 4, &["exec /program: exec format error"]), "own", Image::For("linux/amd64".into()))
        => false, ["platform-mismatch", "upstream-down < platform-mismatch"];
    an_emulated_image_fails_otherwise: image(live().ended("own", "restarting", 4, &["boom"]), "own", Image::For("linux/arm64".into()))
        => false, ["platform-mismatch", "upstream-down < platform-mismatch"];
    another_services_image_explains_its_loop: image(with_other(looping), "other", Image::For("linux/arm64".into()))
        => true, ["platform-mismatch"];
    one_image_explains_nothing_of_another: image(with_other(looping), "own", Image::For("linux/arm64".into()))
        => true, ["crash-loop", "platform-mismatch"];
    a_container_is_left_over: live().with(Container { service: "gone".into(), ..Container::default() })
        => true, [];
    a_left_over_container_that_failed: live().with(Container { service: "gone".into(), status: "exited".into(), exit_code: 1, ..Container::default() })
        => true, [];
}

#[test]
fn a_stack_that_nobody_called_says_so() {
    let quiet = diagnose(&live());
    assert_eq!(quiet.findings.iter().map(|f| f.id).collect::<Vec<_>>(), [RuleId::ProxyReachesNothing]);
    let called = diagnose(&live().prints("mcp-gateway", &[ENDED]));
    assert!(called.findings.is_empty(), "{:?}", called.findings);
    assert_eq!(called.signals.registered, Some(4));
}

#[test]
fn a_line_that_is_quoted_has_its_time_and_age() {
    for (fixture, id) in [
        (
            own(&[LISTENS, "INFO:     172.24.0.3:42744 - \"POST /mcp HTTP/1.1\" 421 Misdirected Request"]),
            RuleId::UpstreamHostRejected,
        ),
        (agent(&[TIMEOUT; 4]), RuleId::EdgeNotRegistered),
        (crashing("open /data/tls.key: permission denied"), RuleId::ProxyKeyDenied),
        (server_crashes(&["boom"]), RuleId::UpstreamDown),
    ] {
        let findings = diagnose(&fixture).findings;
        let finding = findings.iter().find(|f| f.id == id).unwrap();
        let dated: Vec<_> = finding.evidence.iter().filter(|e| e.at.is_some()).collect();
        assert!(!dated.is_empty(), "{finding:?}");
        for evidence in dated {
            assert!(evidence.age.is_some_and(|age| (0..=600).contains(&age)), "{evidence:?}");
        }
    }
}

#[test]
fn the_words_of_status_are_said_of_the_same_facts() {
    let words = |fixture: &Fixture| {
        let signals = serde_json::to_value(diagnose(fixture).signals).unwrap();
        ["connected", "applied", "callable", "ready"].map(|word| signals[word].as_bool())
    };
    // Nothing was asked here: what was not tried is not called callable, nor ready.
    assert_eq!(words(&live()), [Some(true), Some(true), None, None]);
    assert_eq!(words(&agent(&[TIMEOUT; 4])), [Some(false), Some(true), None, Some(false)]);
    assert_eq!(words(&live().without("own")), [Some(true), Some(true), Some(false), Some(false)]);
    let unread = live().only_prints("mcp-gateway", &["level=INFO msg=\"starting mcp-proxy\""]);
    assert_eq!(words(&unread), [Some(true), Some(false), Some(false), Some(false)]);
}

#[test]
fn what_is_worth_knowing_is_a_note() {
    for (fixture, note) in [
        (image(live().without("own"), "own", Image::Absent("y".into())), RuleId::ImageAbsent),
        (live().with(Container { service: "gone".into(), ..Container::default() }), RuleId::ComposeOrphans),
    ] {
        let findings = diagnose(&fixture).findings;
        assert!(findings.iter().any(|f| f.id == note && f.severity == Severity::Note), "{findings:?}");
    }
}

#[test]
fn a_log_that_was_not_read_is_skipped() {
    let mut fixture = live();
    fixture.snapshot.unread.insert("own".into(), "docker cannot read its log");
    let skipped: Vec<String> = diagnose(&fixture).skipped.into_iter().map(|s| s.id).collect();
    assert_eq!(skipped, ["logs:own"]);
}

#[test]
fn what_the_files_explain_follows_from_them() {
    let stopped = live().without("own").without("mcp-gateway").without("cloudflared");
    let lint = Verdict { findings: vec![rules::finding(RuleId::NetworkModeMissing)], ..Verdict::default() };
    let diagnosis = diagnose_with(&stopped, lint);
    assert_eq!(ids(&diagnosis.findings), ["network-mode-missing", "stack-stopped < network-mode-missing"]);
}

#[test]
fn a_fault_that_the_files_and_a_log_show_is_one_finding() {
    let denied = rules::finding(RuleId::ProxyKeyDenied).with("mode 0600");
    let lint = Verdict { findings: vec![denied], ..Verdict::default() };
    let diagnosis = diagnose_with(&crashing("open /data/tls.key: permission denied"), lint);
    let found: Vec<_> = diagnosis.findings.iter().filter(|f| f.id == RuleId::ProxyKeyDenied).collect();
    assert_eq!((found.len(), found[0].evidence.len()), (1, 2), "{found:?}");
}

#[test]
fn the_lines_of_all_logs_are_counted() {
    let diagnosis = diagnose(&live());
    assert_eq!((diagnosis.extent.lines, diagnosis.extent.bytes), (7, 280));
}
