//! For each rule of the log reader: a line of the field that raises it, and one that is nearly the same and does not.

use serde_json::json;

use super::{diagnose, each, engine_wordings};

/// Rule, whose line it is (`-` for docker's and Compose's own), the line, and the near miss.
pub(super) type Wording = (&'static str, &'static str, &'static str, &'static str);

const LINES: &[Wording] = &[
    // cloudflared.
    (
        "cloudflared-usage",
        "cloudflared-1",
        "Incorrect Usage: flag provided but not defined: -token-file",
        "2026-11-22T20:54:51Z INF Version 2026.3.0",
    ),
    (
        "cloudflared-usage",
        "cloudflared-1",
        "Use `cloudflared tunnel run` to start tunnel 8f14e45f-ceea-467f-a6d2-0f3f0a5c1d2e",
        "2026-11-22T20:54:51Z INF GOOS: linux",
    ),
    (
        "cloudflared-origin-cert",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR Cannot determine default origin certificate path. No file cert.pem in [~/.cloudflared]. You need to specify the origin certificate path by specifying the origincert option in the configuration file, or set TUNNEL_ORIGIN_CERT environment variable originCertPath=",
        "2026-11-22T20:54:51Z INF Cannot determine default origin certificate path. No file cert.pem in [~/.cloudflared]",
    ),
    (
        "cloudflared-credentials",
        "cloudflared-1",
        "Tunnel credentials file '/etc/cloudflared/1a.json' doesn't exist or is not a file",
        "2026-11-22T20:54:51Z INF Generated Connector ID: 1a",
    ),
    (
        "legacy-tunnel",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR Connection terminated error=\"you are using Cloudflare Tunnel in a (legacy) way that is no longer supported.\" connIndex=0",
        "2026-11-22T20:54:51Z INF Starting metrics server on [::]:20241/metrics",
    ),
    (
        "quick-tunnel",
        "cloudflared-1",
        "2026-11-22T20:54:51Z INF Requesting new quick Tunnel on trycloudflare.com...",
        "2026-11-22T20:54:51Z INF Requesting nothing",
    ),
    (
        "edge-quic-unsupported",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR Failed to dial a quic connection error=\"failed to dial to edge with quic: INTERNAL_ERROR (local): write udp [::]:1->198.41.192.7:7844: sendmmsg: function not implemented\" connIndex=0 event=0 ip=198.41.192.7",
        "2026-11-22T20:54:51Z INF Initial protocol quic",
    ),
    (
        "edge-mtu",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR Failed to dial a quic connection error=\"failed to dial to edge with quic: INTERNAL_ERROR (local): write udp [::]:1->198.41.192.7:7844: sendmsg: message too long\" connIndex=0 event=0 ip=198.41.192.7",
        "2026-11-22T20:54:51Z INF MTU 1500",
    ),
    (
        "edge-registration-refused",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR Register tunnel error from server side error=\"There are too many connections to this tunnel\" connIndex=0 event=0 ip=198.41.192.7",
        "2026-11-22T20:54:51Z INF Tunnel connection curve preferences: [X25519MLKEM768 CurveP256] connIndex=0 event=0 ip=198.41.192.7",
    ),
    (
        "edge-network-unreachable",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR Initiating shutdown error=\"Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com: lookup _v2-origintunneld._tcp.argotunnel.com on 8.8.8.8:53: dial udp 8.8.8.8:53: connect: network is unreachable\"",
        "2026-11-22T20:54:51Z INF Metrics server stopped",
    ),
    (
        "edge-dns-failed",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR update check failed error=\"Get \\\"https://update.argotunnel.com\\\": dial tcp: lookup update.argotunnel.com on 127.0.0.11:53: server misbehaving\"",
        "2026-11-22T20:54:51Z ERR update check failed error=\"no release found\"",
    ),
    (
        "unexplained-error",
        "cloudflared-1",
        "2026-11-22T20:54:51Z ERR something that no table knows error=\"x\"",
        "2026-11-22T20:54:51Z WRN something that no table knows error=\"x\"",
    ),
    // The proxy, and what replaces it.
    (
        "unexplained-error",
        "mcp-gateway-1",
        "{\"time\":\"2026-11-22T20:54:51.3Z\",\"level\":\"ERROR\",\"msg\":\"something that no table knows\"}",
        "{\"time\":\"2026-11-22T20:54:51.3Z\",\"level\":\"INFO\",\"msg\":\"something that no table knows\"}",
    ),
    (
        "proxy-missing",
        "mcp-proxy-1",
        "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh nginx",
        "time=2026-11-22T20:54:51.312Z level=INFO msg=\"starting mcp-proxy\" listen_addr=:8080",
    ),
    // Servers.
    (
        "upstream-port-in-use",
        "mcp-1",
        "Web server failed to start. Port 8080 was already in use.",
        "Tomcat started with context path ''",
    ),
    ("upstream-port-in-use", "mcp-1", "Error: Os { code: 98, kind: AddrInUse, message: \"in use\" }", "listening"),
    ("upstream-port-denied", "mcp-1", "Error: listen EACCES: permission denied 0.0.0.0:80", "listening"),
    (
        "upstream-module-missing",
        "mcp-1",
        "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'express' imported from /app/index.js",
        "express is found",
    ),
    ("upstream-module-missing", "mcp-1", "sh: 1: tsx: not found", "tsx is found"),
    (
        "package-tls-inspected",
        "mcp-1",
        "error: invalid peer certificate: UnknownIssuer",
        "ERROR crm: error sending request for url (https://crm.example/): invalid peer certificate: UnknownIssuer",
    ),
    (
        "upstream-call-tls",
        "mcp-1",
        "ERROR crm: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1028)",
        "npm error code SELF_SIGNED_CERT_IN_CHAIN",
    ),
    ("upstream-stdio", "mcp-1", "Secure MCP Filesystem Server running on stdio", "MCP server running on HTTP"),
    (
        "upstream-host-rejected",
        "mcp-1",
        "Invalid HTTP_HOST header: 'echo.abcd1234.tunnel.anthropic.com'. You may need to add 'echo.abcd1234.tunnel.anthropic.com' to ALLOWED_HOSTS.",
        "HTTP host is fine",
    ),
    ("upstream-host-rejected", "mcp-1", "WARN mcp: Host header is not allowed", "INFO mcp: Host header is accepted"),
    (
        "upstream-lifespan",
        "mcp-1",
        "RuntimeError: Task group is not initialized. Make sure to use run().",
        "StreamableHTTP session manager started",
    ),
    ("upstream-needs-credential", "mcp-1", "POST /mcp 401 3 - 0.9 ms", "POST /mcp 200 3 - 0.9 ms"),
    (
        "upstream-forbidden",
        "mcp-1",
        "[GIN] 2026/11/26 - 04:01:21 | 403 |     1.2ms |  172.18.0.3 | POST     \"/mcp\"",
        "[GIN] 2026/11/26 - 04:01:21 | 200 |     1.2ms |  172.18.0.3 | POST     \"/mcp\"",
    ),
    (
        "upstream-method-405",
        "mcp-1",
        "INFO:     172.18.0.3:1 - \"POST /sse HTTP/1.1\" 405 Method Not Allowed",
        "INFO:     172.18.0.3:1 - \"GET /mcp HTTP/1.1\" 405 Method Not Allowed",
    ),
    (
        "upstream-not-acceptable",
        "mcp-1",
        "INFO:     172.18.0.3:1 - \"POST /mcp HTTP/1.1\" 406 Not Acceptable",
        "INFO:     172.18.0.3:1 - \"GET /favicon.ico HTTP/1.1\" 406 Not Acceptable",
    ),
    (
        "upstream-bad-request",
        "mcp-1",
        "[26/Nov/2026 04:01:21] \"POST /mcp HTTP/1.1\" 400 143",
        "[26/Nov/2026 04:01:21] \"GET / HTTP/1.1\" 400 143",
    ),
    (
        "upstream-session-lost",
        "mcp-1",
        "Bad Request: No valid session ID provided",
        "Created new transport with session ID: 1a",
    ),
    (
        "upstream-slash-307",
        "mcp-1",
        "INFO:     172.18.0.3:1 - \"POST /mcp HTTP/1.1\" 308 Permanent Redirect",
        "INFO:     172.18.0.3:1 - \"GET / HTTP/1.1\" 308 Permanent Redirect",
    ),
    (
        "upstream-failed",
        "mcp-1",
        "{\"level\":\"info\",\"req\":{\"method\":\"POST\",\"url\":\"/mcp\"},\"res\":{\"statusCode\":502}}",
        "{\"level\":\"info\",\"req\":{\"method\":\"GET\",\"url\":\"/health\"},\"res\":{\"statusCode\":502}}",
    ),
    ("upstream-usage", "mcp-1", "Error: No such option: --transport", "INFO no such option: --transport is ignored"),
    ("upstream-usage", "mcp-1", "Usage: mcp-server-files [allowed-directory]", "Usage: POST /mcp with an MCP client"),
    (
        "upstream-runtime",
        "mcp-1",
        "/app/server: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /app/server)",
        "built for GLIBC_2.34",
    ),
    ("upstream-runtime", "mcp-1", "Unrecognized VM option 'UseConcMarkSweepGC'", "VM option 'UseZGC' is set"),
    (
        "upstream-pid-file",
        "mcp-1",
        "A server is already running (pid: 1, file: /app/tmp/pids/server.pid).",
        "redis is already running, using it",
    ),
    (
        "pod-not-running",
        "-",
        "  Warning  FailedMount  4s (x6 over 20s)  kubelet  MountVolume.SetUp failed for volume \"tls\" : secret \"gateway-tls\" not found",
        "  Normal   Pulled       4s                kubelet  Container image \"wiki:1.2\" already present on machine",
    ),
    (
        "pod-not-running",
        "-",
        "3s   Warning   PolicyViolation   pod/wiki-6f7c9d   policy require-limits/check-limits fail",
        "Warning: policy require-limits is deprecated",
    ),
    ("entrypoint-unusable", "mcp-1", "sh: 1: /app/start.sh: Permission denied", "policy: Permission denied means 403"),
    ("platform-mismatch", "mcp-1", "Illegal instruction (core dumped)", "Illegal instruction filter is on"),
    ("compose-yaml-invalid", "-", "invalid hostPort: 80a", "hostPort: 80"),
    ("compose-service-undefined", "-", "no such service: wikki", "service wikki is ready"),
    ("unexplained-error", "mcp-1", "thread 'main' panicked at src/main.rs:3:5:", "thread 'main' started"),
    (
        "unexplained-error",
        "mcp-1",
        "2026-11-22 20:54:51,000 - my.server - ERROR - something that no table knows",
        "2026-11-22 20:54:51,000 - my.server - INFO - something that no table knows",
    ),
];

/// All lines, those of docker and Compose first.
pub(crate) fn lines() -> impl Iterator<Item = &'static Wording> {
    engine_wordings::LINES.iter().chain(LINES)
}

fn of(service: &str, lines: &str) -> String {
    let front = if service == "-" { String::new() } else { format!("{service}  | ") };
    lines.lines().map(|line| format!("{front}{line}\n")).collect()
}

#[test]
fn each_wording_raises_its_rule_and_its_near_miss_does_not() {
    each(&lines().collect::<Vec<_>>(), |(rule, service, line, near)| {
        let answer = diagnose(of(service, line));
        let finding = answer.finding(rule);
        assert!(matches!(finding["severity"].as_str(), Some("error" | "warning")), "{line}: {finding:#}");
        let evidence = finding["evidence"].to_string();
        assert!(evidence.contains("line "), "{line}: {evidence}");
        assert_eq!(answer.data()["healthy"], false, "{line}");
        let answer = diagnose(of(service, near));
        assert!(!answer.findings().contains(rule), "{near}: {:#}", answer.json["findings"]);
    });
}

/// Docker and Compose may be told apart from a program that prints without a prefix: what fails is always found.
#[test]
fn an_unknown_error_of_any_writer_is_found_with_its_line() {
    let unknown = [
        ("-", "Error response from daemon: quux is not frobnicated"),
        ("-", "ERROR: for mcp-proxy  Cannot start service mcp-proxy: quux is not frobnicated"),
        ("-", "FATA[0003] quux is not frobnicated"),
        ("-", "service \"quux\" has neither an image nor a build context specified: invalid"),
        ("cloudflared-1", "2026-11-22T20:54:51Z ERR quux is not frobnicated connIndex=1"),
        (
            "cloudflared-1",
            "{\"level\":\"error\",\"message\":\"quux is not frobnicated\",\"time\":\"2026-11-22T20:54:51Z\"}",
        ),
        ("mcp-gateway-1", "time=2026-11-22T20:54:51.3Z level=ERROR msg=\"quux is not frobnicated\""),
        ("files-1", "QuuxError: quux is not frobnicated"),
        ("files-1", "{\"level\":60,\"msg\":\"quux is not frobnicated\"}"),
    ];
    each(&unknown, |(service, line)| {
        let answer = diagnose(of(service, line));
        let found = answer.json["findings"].to_string();
        assert!(found.contains("quux"), "{line}: {found}");
        assert_eq!(answer.data()["healthy"], false, "{line}");
    });
}

#[test]
fn a_loop_shows_the_last_lines_of_the_life_that_ended() {
    let life = "mcp-1  | starting\nmcp-1  | Error: quux is not frobnicated\nmcp-1  |     at main (index.js:1:1)\nmcp-1  | Node.js v22.11.0\nmcp-1 exited with code 1\n";
    let answer = diagnose(life.repeat(2)).expect(1);
    assert_eq!(answer.findings(), ["unexplained-error", "crash-loop"]);
    assert_eq!(answer.finding("unexplained-error")["severity"], "error");
    let crash = answer.finding("crash-loop");
    assert_eq!(crash["consequence_of"], "unexplained-error");
    assert_eq!(crash["subject"], json!({"kind": "service", "name": "mcp"}));
    let evidence = crash["evidence"].to_string();
    for part in ["exited with code 1", "2 times", "quux", "Node.js v22.11.0"] {
        assert!(evidence.contains(part), "{evidence}");
    }
    // One end is not a loop, and no secret.
    let answer = diagnose(life).expect(1);
    assert!(answer.findings().contains(&"service-stopped"), "{:#}", answer.json);
    // A container that was stopped ended on purpose.
    let answer = diagnose("mcp-1  | stopping\nmcp-1 exited with code 0\nmcp-1 exited with code 143\n").expect(0);
    assert!(answer.findings().is_empty(), "{:#}", answer.json);
}

#[test]
fn a_tool_that_fails_is_no_fault_of_the_tunnel() {
    let served = "INFO:     172.18.0.3:1 - \"POST /mcp HTTP/1.1\" 200 OK";
    let failed = format!("{served}\n[11/26/26 10:00:00] ERROR    Error executing tool lookup: HTTP 404\n{served}");
    let answer = diagnose(of("mcp-1", &failed)).expect(0);
    assert_eq!(answer.finding("tool-failed")["severity"], "note");
    assert_eq!(answer.data()["healthy"], true, "{:#}", answer.json);
    let near = failed.replace("executing tool", "reading file");
    let answer = diagnose(of("mcp-1", &near));
    assert!(!answer.findings().contains(&"tool-failed"), "{:#}", answer.json);
}

#[test]
fn a_token_file_that_cannot_be_read_is_advised_by_its_reason() {
    let fix = |reason: &str| {
        let line = format!("Failed to read token file: open /run/secrets/tunnel_token: {reason}");
        diagnose(of("cloudflared-1", &line)).finding("token-file-unreadable")["fix"].clone()
    };
    let all = ["no such file or directory", "is a directory", "permission denied"].map(fix);
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:#?}");
}

#[test]
fn the_advice_of_a_redirect_follows_its_direction() {
    let fix =
        |line: &str| diagnose(of("mcp-1", line)).finding("upstream-slash-307")["fix"].as_str().unwrap().to_owned();
    assert!(
        fix("INFO:     1.2.3.4:5 - \"POST /mcp HTTP/1.1\" 307 Temporary Redirect")
            .contains("`/mcp/` instead of `/mcp`")
    );
    assert!(
        fix("INFO:     1.2.3.4:5 - \"POST /mcp/ HTTP/1.1\" 307 Temporary Redirect").contains("`mcp` instead of `mcp/`")
    );
    let https = "POST /mcp 301 - location: https://echo.example/mcp";
    assert!(fix(https).contains("`https://` in the route"), "{}", fix(https));
}
