//! Single lines in a stack that is healthy otherwise: what is harmless fires nothing, and other wordings of a fault fire
//! the same as the one in `tests/logs`.

use serde_json::json;

use super::{case, diagnose, each};

/// A healthy stack with lines of one service at the end of its log.
fn with(service: &str, lines: &str) -> String {
    let width = "cloudflared-1".len();
    let name = format!("{service}-1");
    let more: String = lines.lines().map(|line| format!("{name:width$}  | {line}\n")).collect();
    format!("{}{more}", case("healthy-stack-plain").text)
}

/// Who prints it, and what.
const HARMLESS: &[(&str, &str)] = &[
    ("cloudflared", "2026-11-22T20:54:51Z INF ICMP proxy will use 192.168.96.3 as source for IPv4"),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z WRN ICMP proxy feature is disabled error=\"cannot create ICMPv4 proxy: Group ID 65532 is not between ping group 1 to 0 nor ICMPv6 proxy: socket: permission denied\"",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z WRN The user running cloudflared process has a GID (group ID) that is not within ping_group_range. You might need to add that user to a group within that range error=\"Group ID 65532 is not between ping group 1 to 0\"",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z DBG Failed to determine the IPv4 for this machine. It will use 0.0.0.0 as source",
    ),
    ("cloudflared", "2026-11-22T20:54:51Z ERR icmp router terminated error=\"context canceled\""),
    (
        "cloudflared",
        "2026/11/22 20:54:51 failed to sufficiently increase receive buffer size (was: 208 kiB, wanted: 2048 kiB, got: 416 kiB). See https://github.com/quic-go/quic-go/wiki/UDP-Receive-Buffer-Size for details.",
    ),
    (
        "cloudflared",
        "2026/11/22 20:54:51 failed to sufficiently increase receive buffer size (was: 208 kiB, wanted: 7168 kiB, got: 416 kiB). See https://github.com/quic-go/quic-go/wiki/UDP-Buffer-Sizes for details.",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z INF Cannot determine default configuration path. No file [config.yml config.yaml] in [~/.cloudflared ~/.cloudflare-warp ~/cloudflare-warp /etc/cloudflared /usr/local/etc/cloudflared]",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z INF Cannot determine default origin certificate path. No file cert.pem in [~/.cloudflared ~/.cloudflare-warp ~/cloudflare-warp /etc/cloudflared /usr/local/etc/cloudflared]",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z WRN Your version 2026.3.0 is outdated. We recommend upgrading it to 2026.8.2",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z ERR update check failed error=\"Get \\\"https://update.argotunnel.com?arch=amd64\\\": dial tcp: lookup update.argotunnel.com on 127.0.0.11:53: server misbehaving\"",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z INF cloudflared will not automatically update if installed by a package manager.",
    ),
    ("cloudflared", "2026-11-22T20:54:51Z INF Environmental variables map[TUNNEL_TOKEN:*****]"),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z ERR  error=\"Incoming request ended abruptly: context canceled\" connIndex=0 event=1 ingressRule=0 originService=http://localhost:8080",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z ERR Request failed error=\"stream 13 canceled with error code 0\" connIndex=0 dest=https://echo.abcd1234.tunnel.anthropic.com/mcp event=0 ip=10.99.1.1 type=ws",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z ERR Failed to refresh DNS local resolver error=\"lookup region1.v2.argotunnel.com on 127.0.0.11:53: i/o timeout\"",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z ERR Failed to fetch features, default to disable error=\"lookup cfd-features.argotunnel.com on 127.0.0.11:53: server misbehaving\"",
    ),
    ("cloudflared", "2026-11-22T20:54:51Z WRN Unable to lookup protocol percentage."),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z INF |  Cloudflare API    api.cloudflare.com:443     FAIL    API Connection failed       |",
    ),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z INF |  SUMMARY: Environment ready with degraded transport.                                |",
    ),
    ("cloudflared", "2026-11-22T20:54:51Z INF precheck complete hard_fail=false suggested_protocol=quic"),
    (
        "cloudflared",
        "2026-11-22T20:54:51Z WRN Unable to establish connection. error=\"already connected to this server, trying another address\" connIndex=5 event=0 ip=10.99.1.1",
    ),
    ("mcp-proxy", "2026/11/22 20:54:51 http: TLS handshake error from 127.0.0.1:47712: EOF"),
    (
        "mcp-proxy",
        "2026/11/22 20:54:51 http: TLS handshake error from 127.0.0.1:47712: tls: first record does not look like a TLS handshake",
    ),
    (
        "mcp-proxy",
        "time=2026-11-22T20:54:51.312Z level=ERROR msg=\"tls handshake failed\" error=\"tls: client offered only unsupported versions: [302 301]\" remote_addr=127.0.0.1:53886",
    ),
    (
        "mcp-proxy",
        "{\"time\":\"2026-11-22T20:54:51.312Z\",\"level\":\"ERROR\",\"msg\":\"tls handshake failed\",\"remote_addr\":\"127.0.0.1:1\",\"error\":\"read tcp 127.0.0.1:8080->127.0.0.1:1: read: connection reset by peer\"}",
    ),
    (
        "mcp-proxy",
        "time=2026-11-22T20:54:51.312Z level=ERROR msg=\"tls handshake failed\" error=\"tls: unsupported SSLv2 handshake received\"",
    ),
    (
        "mcp-proxy",
        "time=2026-11-22T20:54:51.312Z level=ERROR msg=\"tls handshake failed\" error=\"tls: no cipher suite supported by both client and server\"",
    ),
    ("mcp-proxy", "time=2026-11-22T20:54:51.312Z level=INFO msg=\"shutting down\" signal=terminated"),
    (
        "hello-mcp",
        "WARNING: Running pip as the 'root' user can result in broken permissions and conflicting behaviour with the system package manager",
    ),
    (
        "hello-mcp",
        "[notice] A new release of pip is available: 25.1 -> 25.2\n[notice] To update, run: pip install --upgrade pip",
    ),
    ("hello-mcp", "INFO:     172.22.0.2:38012 - \"GET /mcp HTTP/1.1\" 406 Not Acceptable"),
    (
        "hello-mcp",
        "INFO:     172.22.0.2:38012 - \"GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\" 404 Not Found",
    ),
    (
        "hello-mcp",
        "INFO:     172.22.0.2:38012 - \"GET /.well-known/oauth-authorization-server HTTP/1.1\" 404 Not Found",
    ),
    ("hello-mcp", "INFO:     172.22.0.2:38012 - \"POST /register HTTP/1.1\" 404 Not Found"),
    ("hello-mcp", "INFO:     172.22.0.2:38012 - \"GET / HTTP/1.1\" 404 Not Found"),
    ("hello-mcp", "INFO:     172.22.0.2:38012 - \"GET /favicon.ico HTTP/1.1\" 404 Not Found"),
    ("hello-mcp", "WARNING:  Invalid HTTP request received."),
    ("hello-mcp", "Terminating session: 40d2f2e04d914ac4ba3870c2ac54d624"),
    ("hello-mcp", "INFO:     172.22.0.2:38012 - \"POST /mcp HTTP/1.1\" 404 Not Found"),
    (
        "hello-mcp",
        "Rejected request with unknown or expired session ID: 40d2f2e04d914ac4ba3870c2ac54d624\nINFO:     172.22.0.2:38012 - \"POST /mcp HTTP/1.1\" 404 Not Found",
    ),
    ("hello-mcp", "INFO:     172.22.0.2:38012 - \"POST /mcp HTTP/1.1\" 400 Bad Request"),
    ("hello-mcp", "Invalid Content-Type header: text/plain"),
    ("hello-mcp", "Processing request of type CallToolRequest"),
];

#[test]
fn what_is_harmless_fires_nothing() {
    each(HARMLESS, |(service, line)| {
        for text in [with(service, line), with(service, &format!("{line}\n").repeat(2))] {
            let answer = diagnose(text);
            assert_eq!(answer.json["findings"], json!([]), "{service}: {line}");
            assert_eq!(answer.data()["healthy"], true, "{service}: {line}");
        }
    });
}

#[test]
fn what_compose_says_on_the_way_fires_nothing() {
    for before in [
        "time=\"2026-11-22T21:25:03Z\" level=warning msg=\"/x/docker-compose.yaml: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion\"",
        "Attaching to cloudflared-1, hello-mcp-1, mcp-proxy-1",
        "getwd: no such file or directory",
        " Container mcp-tunnel-mcp-proxy-1  Creating\n cloudflared Pulling \n cloudflared Pulled \n hello-mcp Interrupted",
        "WARN[0000] The \"HTTPS_PROXY\" variable is not set. Defaulting to a blank string. ",
        "\u{1b}[2K",
    ] {
        let answer = diagnose(format!("$ docker compose up -d\n{before}\n{}", case("healthy-stack-plain").text));
        assert_eq!(answer.json["findings"], json!([]), "{before}");
        assert_eq!(answer.data()["healthy"], true, "{before}");
    }
}

/// The rule, who says it, and its other wordings. `%` is the error of a call that the proxy made.
const WORDINGS: &[(&str, &str, &str)] = &[
    ("upstream-refused", "%", "dial tcp 172.22.0.3:9000: connect: connection refused"),
    ("upstream-dns", "%", "dial tcp: lookup helo-mcp on 127.0.0.11:53: server misbehaving"),
    ("upstream-dns", "%", "dial tcp: lookup helo-mcp on 127.0.0.11:53: i/o timeout"),
    ("upstream-dns", "%", "dial tcp: lookup helo-mcp: no such host"),
    ("upstream-timeout", "%", "context deadline exceeded"),
    ("upstream-timeout", "%", "net/http: timeout awaiting response headers"),
    ("upstream-timeout", "%", "dial tcp4 10.1.2.3:9000: connect: no route to host"),
    ("upstream-ip-rejected", "%", "IP validation failed: 100.64.0.7 is not a private address"),
    ("upstream-ip-rejected", "%", "IP validation failed: 127.0.0.1 is not a private address"),
    ("upstream-ip-rejected", "%", "IP validation failed: fd00::1 is not a private address"),
    ("upstream-tls", "%", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
    ("upstream-tls", "%", "tls: failed to verify certificate: x509: certificate is valid for other.corp, not api.corp"),
    ("upstream-not-http", "%", "http: server gave HTTP response to HTTPS client"),
    (
        "proxy-unreachable",
        "cloudflared",
        "2026-11-22T20:54:51Z ERR failed to serve incoming request error=\"Failed to proxy HTTP: Unable to reach the origin service. The service may be down or it may not be responding to traffic from cloudflared: dial tcp [::1]:8080: connect: connection refused\"",
    ),
    (
        "proxy-no-answer",
        "cloudflared",
        "2026-11-22T20:54:51Z ERR  error=\"Unable to reach the origin service. The service may be down or it may not be responding to traffic from cloudflared: read tcp 127.0.0.1:1->127.0.0.1:8080: i/o timeout\" connIndex=0 event=1 ingressRule=0 originService=http://localhost:8080",
    ),
    (
        "proxy-wrong-scheme",
        "cloudflared",
        "2026-11-22T20:54:51Z ERR  error=\"Unable to reach the origin service. The service may be down or it may not be responding to traffic from cloudflared: tls: failed to verify certificate: x509: certificate signed by unknown authority\" connIndex=0 event=1 ingressRule=0 originService=https://localhost:8080",
    ),
    (
        "no-ingress-url",
        "cloudflared",
        "2026-11-22T20:54:51Z WRN No ingress rules were defined in provided config (if any) nor from the cli, cloudflared will return 503 for all incoming HTTP requests",
    ),
    (
        "upstream-host-rejected",
        "hello-mcp",
        "INFO:     172.22.0.2:38012 - \"GET /mcp HTTP/1.1\" 421 Misdirected Request",
    ),
];

#[test]
fn other_wordings_mean_the_same() {
    let host = "echo.abcd1234.tunnel.anthropic.com";
    let mut work = Vec::new();
    for (rule, service, words) in WORDINGS {
        if *service != "%" {
            work.push((*rule, with(service, words)));
            continue;
        }
        let upstream = "http://hello-mcp:9000";
        let forms = [
            json!({"time": "2026-11-22T20:54:51.3Z", "level": "ERROR", "msg": "upstream request failed", "host": host, "upstream": upstream, "error": words}).to_string(),
            format!("time=2026-11-22T20:54:51.319Z level=ERROR msg=\"upstream request failed\" host={host} upstream={upstream} error=\"{words}\""),
            format!("2026/11/22 20:54:51 upstream request failed: {words} host={host} upstream={upstream}"),
        ];
        work.extend(forms.into_iter().map(|form| (*rule, with("mcp-proxy", &form))));
    }
    each(&work, |(rule, text)| {
        let answer = diagnose(text.as_str()).expect(1);
        assert_eq!(answer.findings(), [*rule], "{text}");
        assert_eq!(answer.data()["healthy"], false, "{text}");
    });
}

/// What ends the proxy: its own words around Go's errors, in the three formats it may have.
#[test]
fn whatever_ends_the_proxy_is_found_in_every_format() {
    let faults = [
        ("proxy-config-type", "yaml: unmarshal errors:\n  line 4: cannot unmarshal !!str `abc` into int"),
        ("proxy-config-type", "yaml: unmarshal errors:\n  line 3: field tunnel_domian not found in type config.Config"),
        (
            "proxy-config-routes-list",
            "yaml: unmarshal errors:\n  line 7: cannot unmarshal !!seq into map[string]string",
        ),
        ("proxy-config-yaml", "yaml: line 5: did not find expected key"),
        ("proxy-config-yaml", "yaml: line 6: mapping values are not allowed in this context"),
        ("proxy-config-missing", "open /etc/mcp-proxy/config.yaml: no such file or directory"),
        ("proxy-config-is-dir", "read /etc/mcp-proxy/config.yaml: is a directory"),
        ("proxy-config-denied", "open /etc/mcp-proxy/config.yaml: permission denied"),
        ("proxy-cert-missing", "open /data/tls.key: no such file or directory"),
        ("proxy-cert-mismatch", "tls: private key type does not match public key type"),
        ("proxy-cert-empty", "tls: failed to find any PEM data in key input"),
        ("proxy-cert-empty", "x509: malformed certificate"),
    ];
    let mut work = Vec::new();
    for (rule, error) in faults {
        let mut forms = [String::new(), String::new(), String::new()];
        for second in 10..16 {
            let stamp = format!("2026-11-22T20:52:{second}");
            forms[0] += &format!(
                "mcp-gateway-1  | {}\n",
                json!({"time": format!("{stamp}.3Z"), "level": "ERROR", "msg": "failed to start", "error": error})
            );
            forms[1] += &format!(
                "mcp-gateway-1  | time={stamp}.319Z level=ERROR msg=\"failed to start\" error={}\n",
                json!(error)
            );
            forms[2] += &error
                .lines()
                .enumerate()
                .map(|(at, line)| {
                    format!("mcp-gateway-1  | {}{line}\n", if at == 0 { "failed to start: " } else { "" })
                })
                .collect::<String>();
        }
        work.extend(forms.map(|form| (rule, form)));
    }
    each(&work, |(rule, text)| {
        let answer = diagnose(text.as_str()).expect(1);
        assert_eq!(answer.findings(), [*rule, "crash-loop"], "{text}");
        assert_eq!(answer.finding("crash-loop")["consequence_of"], *rule, "{text}");
    });
}

#[test]
fn nobody_elses_words_are_taken_for_cloudflareds() {
    // A healthy stack, and a server that prints what cloudflared prints before it ends.
    let fault = "cloudflared-1  | 2026-11-22T20:54:51Z ERR Provided Tunnel token is not valid.";
    let answer = diagnose(with("own", &format!("{fault}\nProvided Tunnel token is not valid.")));
    assert!(answer.findings().is_empty(), "{:#}", answer.json);
    assert_eq!(answer.data()["healthy"], true);
    // A dead one, and a server that prints that it is registered.
    let dead = case("edge-quic-blocked-waiting").text.clone();
    let registered = "own-1  | 2026-11-22T20:54:51Z INF Registered tunnel connection connIndex=0 connection=418aff65-4ca0-49b4-833f-dbc4a73919cb event=0 ip=10.99.1.1 location=sjc08 protocol=quic\n";
    let answer = diagnose(format!("{dead}{registered}"));
    assert_eq!((&answer.data()["healthy"], &answer.data()["signals"]["registered"]), (&json!(false), &json!(0)));
}
