//! What docker, Compose, the proxy, cloudflared and servers print, and what it means: text → rule, one row a wording.
//!
//! Texts are literals, never anchored and without a level field: the proxy's format is not documented, cloudflared has
//! two. cloudflared's are from its source (2026.3.0 and 2026.8.2), the proxy's from Anthropic's troubleshooting page and
//! Go's own errors, the sample's from uvicorn and the MCP SDK, the engine's from docker 20.10 to 28 and Compose 1.29 to
//! 2.40.

use crate::answer::Finding;
use crate::rules;

/// What a line says of the state of the program that printed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// The program ends of it: what follows is another life.
    Fatal,
    /// An attempt to reach the tunnel's edge failed; a registration makes up for it.
    Attempt,
    /// A connection that was there is gone.
    Lost,
    /// One call failed; a later one that passes makes up for it.
    Call,
    /// Nothing is wrong, whatever the words.
    Noise,
    /// A step of the program's life.
    Mark(Mark),
}

/// Steps of a program's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// cloudflared begins.
    AgentStart,
    /// cloudflared says what it was given.
    Settings,
    /// cloudflared got its configuration from the edge.
    RemoteConfig,
    /// Fewer addresses than connections.
    AtMost,
    /// One dial over QUIC begins.
    Dialling,
    /// A connection is there.
    Registered,
    /// A connection was given up on purpose.
    Unregistered,
    /// cloudflared was told to stop.
    Stopping,
    /// cloudflared waits and tries again.
    Retrying,
    /// cloudflared gives QUIC up.
    Fallback,
    /// cloudflared's own words for UDP that is blocked.
    UdpHint,
    /// The proxy took up a route.
    Route,
    /// The proxy begins.
    ProxyStart,
    /// A call came in.
    CallStarted,
    /// A call was answered, with whatever status.
    CallDone,
    /// A server begins.
    ServerStart,
    /// A server listens.
    Listening,
    /// A server answered a call well.
    Served,
    /// A server was asked for a session that it does not have: the caller makes a new one.
    SessionGone,
    /// pip's first words in a container: a start of the documented sample.
    Pip,
    /// A Python program begins to say why it ends.
    Traceback,
}

/// A wording: when all the texts stand in one line, the rule is proven (or the step made).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    /// A row of the table; empty for noise and steps.
    pub(crate) rule: &'static str,
    /// What it says of the program.
    pub(crate) sense: Sense,
    /// All of these. The first is the rarest: lines are looked for by it.
    pub(crate) parts: &'static [&'static str],
}

const fn fatal(rule: &'static str, parts: &'static [&'static str]) -> Sign {
    Sign { rule, sense: Sense::Fatal, parts }
}
const fn attempt(rule: &'static str, parts: &'static [&'static str]) -> Sign {
    Sign { rule, sense: Sense::Attempt, parts }
}
const fn call(rule: &'static str, parts: &'static [&'static str]) -> Sign {
    Sign { rule, sense: Sense::Call, parts }
}
const fn lost(parts: &'static [&'static str]) -> Sign {
    Sign { rule: "edge-conn-lost", sense: Sense::Lost, parts }
}
const fn noise(parts: &'static [&'static str]) -> Sign {
    Sign { rule: "", sense: Sense::Noise, parts }
}
const fn mark(mark: Mark, parts: &'static [&'static str]) -> Sign {
    Sign { rule: "", sense: Sense::Mark(mark), parts }
}

/// Errors of the docker client, the daemon and Compose. The first that fits counts: what stands in front of another
/// (`unable to get image …: permission denied`) comes first.
pub(crate) static ENGINE: &[Sign] = &[
    fatal("docker-permission", &["permission denied while trying to connect to the Docker daemon"]),
    fatal("docker-permission", &["permission denied while trying to connect to the docker API"]),
    fatal("engine-too-old", &["client version", "is too new"]),
    fatal("docker-client-old", &["client version", "is too old"]),
    fatal("docker-permission", &["Error while fetching server API version", "Permission denied"]),
    fatal("docker-daemon-down", &["Cannot connect to the Docker daemon"]),
    fatal("docker-daemon-down", &["failed to connect to the docker API"]),
    fatal("docker-daemon-down", &["error during connect"]),
    fatal("docker-daemon-down", &["unable to resolve docker endpoint"]),
    fatal("docker-daemon-down", &["Error while fetching server API version"]),
    fatal("docker-daemon-down", &["Couldn't connect to Docker daemon"]),
    fatal("compose-missing", &["'compose' is not a docker command"]),
    fatal("docker-missing", &["docker: command not found"]),
    fatal("docker-missing", &["docker: not found"]),
    fatal("compose-env-invalid", &["failed to read", ".env"]),
    fatal("compose-env-invalid", &["unterminated quoted value"]),
    fatal("compose-env-invalid", &["in variable name"]),
    fatal("compose-env-invalid", &["key cannot contain a space"]),
    // Compose v1 and a broken line: it goes on without the variable.
    attempt("compose-env-invalid", &["Python-dotenv could not parse statement"]),
    fatal("compose-env-invalid", &[".environment must be a mapping"]),
    fatal("compose-env-invalid", &[".environment contains an invalid type"]),
    fatal("compose-env-invalid", &["environment contains an invalid type, it should be an object, or an array"]),
    fatal("compose-var-unset", &["required variable TUNNEL_TOKEN is missing a value"]),
    fatal("compose-var-unset", &["Missing mandatory value for"]),
    fatal("compose-var-unset", &["variable is not set. Defaulting to a blank string", "TUNNEL_TOKEN"]),
    noise(&["variable is not set. Defaulting to a blank string"]),
    fatal("compose-file-missing", &["no configuration file provided"]),
    fatal("compose-file-missing", &["Can't find a suitable configuration file"]),
    fatal("compose-service-undefined", &["undefined service"]),
    fatal("compose-service-undefined", &["uses the network stack of service", "which is undefined"]),
    fatal("compose-netmode-conflict", &["conflicting options", "network mode"]),
    fatal("compose-netmode-conflict", &["conflicting options", "the container type network"]),
    fatal("compose-netmode-conflict", &["mutually exclusive", "network_mode"]),
    fatal("compose-netmode-conflict", &["'network_mode' and 'networks' cannot be combined"]),
    fatal("network-missing", &["declared as external, but could not be found"]),
    fatal("network-missing", &["Error response from daemon: network ", "not found"]),
    fatal("compose-yaml-invalid", &["yaml.scanner.ScannerError"]),
    fatal("compose-yaml-invalid", &["yaml.parser.ParserError"]),
    fatal("compose-yaml-invalid", &["The Compose file ", "is invalid because"]),
    fatal("compose-yaml-invalid", &["dditional propert", "not allowed"]),
    fatal("registry-rate-limit", &["toomanyrequests"]),
    fatal("registry-denied", &["artifactregistry.repositories.downloadArtifacts"]),
    fatal("registry-denied", &["Unauthenticated request"]),
    fatal("registry-denied", &["error getting credentials"]),
    fatal("image-ref-invalid", &["invalid reference format"]),
    fatal("platform-mismatch", &["no matching manifest for"]),
    fatal("platform-mismatch", &["was found but does not match the specified platform"]),
    fatal("platform-mismatch", &["was found but does not provide the specified platform"]),
    // Compose goes on: with emulation it may run.
    attempt("platform-mismatch", &["does not match the detected host platform"]),
    fatal("image-not-found", &["manifest unknown"]),
    fatal("image-not-found", &["pull access denied"]),
    fatal("image-not-found", &["failed to resolve reference", ": not found"]),
    fatal("registry-unreachable", &["/v2/", "dial tcp"]),
    fatal("registry-unreachable", &["/v2/", "net/http"]),
    fatal("registry-unreachable", &["/v2/", "context deadline exceeded"]),
    fatal("registry-unreachable", &["/v2/", "x509"]),
    fatal("registry-unreachable", &["/v2/", "proxyconnect"]),
    fatal("registry-unreachable", &["/v2/", "EOF"]),
    fatal("registry-unreachable", &["/v2/", "i/o timeout"]),
    fatal("registry-unreachable", &["failed to resolve reference"]),
    fatal("disk-full", &["no space left on device"]),
    fatal("mount-type-mismatch", &["mount a directory onto a file"]),
    fatal("mount-type-mismatch", &["error mounting", "not a directory"]),
    fatal("name-conflict", &["is already in use by container"]),
    fatal("port-conflict", &["port is already allocated"]),
    fatal("port-conflict", &["driver failed programming external connectivity"]),
    fatal("port-conflict", &["userland proxy", "address already in use"]),
    fatal("port-conflict", &["failed to set up container networking", "address already in use"]),
    fatal("port-conflict", &["orts are not available"]),
    fatal("netns-owner-not-running", &["is restarting, wait until the container is running"]),
    fatal("netns-owner-not-running", &["namespace path: lstat"]),
    fatal("netns-owner-not-running", &["non running container"]),
    fatal("netns-owner-not-running", &["cannot share network namespace"]),
    fatal("netns-owner-not-running", &["the network stack of another service that is not running"]),
    fatal("netns-owner-not-running", &["No such container"]),
    fatal("setup-auth", &["maximum of 10 non-archived"]),
    attempt("curl-wrong-version", &["wrong version number", "curl: "]),
    fatal("build-failed", &["failed to solve"]),
    fatal("build-failed", &["returned a non-zero code"]),
];

/// Wordings of the engine that count only where the line, behind its level, begins with them: the proxy and servers use
/// the same words further on.
pub(crate) static ENGINE_AT_START: &[Sign] = &[
    // In front of the next: it has those words, too.
    fatal("compose-yaml-invalid", &["failed to parse ", "compose"]),
    fatal("compose-yaml-invalid", &["yaml: "]),
    fatal("compose-yaml-invalid", &["validating "]),
    fatal("compose-yaml-invalid", &["parsing "]),
    fatal("compose-yaml-invalid", &["service ", "invalid compose project"]),
    fatal("docker-failed", &["Error response from daemon"]),
];

/// Lines of the proxy. Its format is not documented, so its texts are looked for anywhere.
pub(crate) static PROXY: &[Sign] = &[
    mark(Mark::Route, &["route configured"]),
    mark(Mark::ProxyStart, &["starting mcp-proxy"]),
    mark(Mark::CallStarted, &["request started"]),
    mark(Mark::CallDone, &["request completed"]),
    fatal("proxy-config-routes-list", &["cannot unmarshal !!seq into map[string]string"]),
    fatal("proxy-config-type", &["cannot unmarshal !!"]),
    fatal("proxy-config-type", &["not found in type"]),
    fatal("proxy-config-yaml", &["yaml: line "]),
    fatal("proxy-config-yaml", &["yaml: found "]),
    fatal("proxy-config-upstream", &["invalid upstream (must be scheme://host:port)"]),
    fatal("proxy-config-is-dir", &["config.yaml: is a directory"]),
    fatal("proxy-config-denied", &["config.yaml: permission denied"]),
    fatal("proxy-config-missing", &["config.yaml: no such file or directory"]),
    fatal("proxy-key-denied", &["open /data/tls.", "permission denied"]),
    fatal("proxy-cert-missing", &["open /data/tls.", "no such file or directory"]),
    fatal("proxy-cert-mismatch", &["tls: private key", "does not match public key"]),
    fatal("proxy-cert-swapped", &["PEM inputs may have been switched"]),
    fatal("proxy-cert-empty", &["tls: failed to find"]),
    fatal("proxy-cert-empty", &["x509: malformed"]),
    fatal("proxy-cert-empty", &["x509: invalid"]),
    fatal("proxy-key-encrypted", &["tls: failed to parse private key"]),
    fatal("proxy-port-taken", &["bind: address already in use"]),
    fatal("upstream-ca-missing", &["open /data/", "no such file or directory"]),
    fatal("platform-mismatch", &["exec format error"]),
    call("tls-unknown-ca", &["remote error: tls: unknown certificate authority"]),
    call("tls-bad-cert", &["remote error: tls: bad certificate"]),
    call("tls-expired", &["remote error: tls: expired certificate"]),
    call("tls-unsupported-cert", &["remote error: tls: unsupported certificate"]),
    call("tls-rejected-opaque", &["local error: tls: bad record MAC"]),
    call("tls-other-alert", &["remote error: tls: unknown certificate"]),
    call("tls-other-alert", &["remote error: tls: certificate required"]),
    call("tls-other-alert", &["remote error: tls: handshake failure"]),
    call("tls-other-alert", &["remote error: tls: protocol version not supported"]),
    call("tls-other-alert", &["remote error: tls: internal error"]),
    call("tls-other-alert", &["remote error: tls: revoked certificate"]),
    call("tls-other-alert", &["remote error: tls: unrecognized name"]),
    call("tls-other-alert", &["remote error: tls: access denied"]),
    call("tls-other-alert", &["remote error: tls: decrypt error"]),
    // Probes of the listener: Anthropic's side neither speaks plain text nor goes away in the handshake.
    noise(&["tls handshake failed"]),
    noise(&["TLS handshake error"]),
    noise(&["client offered only unsupported versions"]),
    noise(&["no cipher suite supported by both client and server"]),
    call("no-route", &["no route for host"]),
    call("upstream-ip-rejected", &["IP validation failed"]),
    call("upstream-tls", &["x509: certificate"]),
    call("upstream-tls", &["x509: cannot validate certificate"]),
    call("upstream-not-http", &["server gave HTTP response to HTTPS client"]),
    call("upstream-not-http", &["tls: first record does not look like a TLS handshake"]),
    call("upstream-dns", &[": lookup ", "no such host"]),
    call("upstream-dns", &[": lookup ", "server misbehaving"]),
    call("upstream-dns", &[": lookup ", "i/o timeout"]),
    call("upstream-dns", &[": lookup ", "Temporary failure in name resolution"]),
    call("upstream-refused", &["connect: connection refused"]),
    call("upstream-timeout", &["i/o timeout"]),
    call("upstream-timeout", &["context deadline exceeded"]),
    call("upstream-timeout", &["timeout awaiting response headers"]),
    call("upstream-timeout", &["connect: no route to host"]),
    call("upstream-timeout", &["connect: network is unreachable"]),
    call("upstream-not-http", &["malformed HTTP response"]),
    // The caller hung up.
    noise(&["upstream request failed", "context canceled"]),
    call("upstream-failed", &["upstream request failed"]),
];

/// Lines of cloudflared, console or JSON.
pub(crate) static CLOUDFLARED: &[Sign] = &[
    mark(Mark::AgentStart, &["Starting tunnel"]),
    mark(Mark::Settings, &["Settings: map["]),
    mark(Mark::RemoteConfig, &["Updated to new configuration"]),
    mark(Mark::RemoteConfig, &["Will be fetching remotely managed configuration"]),
    mark(Mark::AtMost, &["HA connections but I can give you at most"]),
    mark(Mark::Dialling, &["Tunnel connection curve preferences"]),
    mark(Mark::Unregistered, &["Unregistered tunnel connection"]),
    mark(Mark::Registered, &["Registered tunnel connection"]),
    mark(Mark::Registered, &[" registered connIndex="]),
    mark(Mark::Registered, &[" registered\"", "\"Connection "]),
    mark(Mark::Stopping, &["Initiating graceful shutdown"]),
    mark(Mark::Retrying, &["Retrying connection in up to"]),
    mark(Mark::Fallback, &["Switching to fallback protocol"]),
    mark(Mark::UdpHint, &["If this log occurs persistently"]),
    // Lookups that do not concern the tunnel.
    noise(&["update check failed"]),
    noise(&["Failed to fetch features"]),
    noise(&["Failed to refresh DNS local resolver"]),
    noise(&["Failed to initialize DNS local resolver"]),
    noise(&["Cloudflare API", " FAIL "]),
    // From the tunnel to the proxy.
    noise(&["Incoming request ended abruptly"]),
    call("no-ingress-url", &["No ingress rules were defined"]),
    call(
        "proxy-wrong-scheme",
        &["Unable to reach the origin service", "first record does not look like a TLS handshake"],
    ),
    call("proxy-wrong-scheme", &["Unable to reach the origin service", "server gave HTTP response to HTTPS client"]),
    call("proxy-wrong-scheme", &["Unable to reach the origin service", "x509: "]),
    noise(&["Unable to reach the origin service", "context canceled"]),
    call("proxy-unreachable", &["Unable to reach the origin service", "connect: "]),
    call("proxy-unreachable", &["Unable to reach the origin service", "no such host"]),
    // Windows.
    call("proxy-unreachable", &["Unable to reach the origin service", "actively refused"]),
    call("proxy-no-answer", &["Unable to reach the origin service"]),
    // Its token.
    fatal("token-missing", &["requires the ID or name of the tunnel to run"]),
    fatal("token-missing", &["requires exactly 1 argument, the ID of the tunnel"]),
    fatal("token-malformed", &["Provided Tunnel token is not valid"]),
    fatal("token-file-unreadable", &["Failed to read token file"]),
    fatal("token-region-conflict", &["region provided with a token that has an endpoint"]),
    attempt("token-rejected", &["Unauthorized: "]),
    // Its own settings.
    fatal("origin-url-invalid", &["Error validating origin URL"]),
    fatal("metrics-port", &["Error opening metrics server listener"]),
    fatal("metrics-port", &["failed to listen to default metrics address"]),
    fatal("platform-mismatch", &["exec format error"]),
    // The way to the edge: names.
    fatal("edge-dns-failed", &["Could not lookup srv records"]),
    noise(&["Unable to lookup protocol"]),
    fatal("edge-dns-failed", &["lookup protocol.argotunnel.com"]),
    fatal("edge-dns-failed", &["Couldn't resolve SRV record", "Initiating shutdown"]),
    fatal("edge-dns-failed", &["had no IPs", "SRV record"]),
    // With a capital before 2023.
    attempt("edge-dns-failed", &["rror looking up Cloudflare edge IPs"]),
    attempt("edge-dns-failed", &["Couldn't resolve SRV record"]),
    attempt("edge-dns-failed", &["DNS Resolution", " FAIL "]),
    attempt("edge-dns-failed", &["component=\"DNS Resolution\"", "status=fail"]),
    attempt("edge-dns-failed", &["\"component\":\"DNS Resolution\"", "\"status\":\"fail\""]),
    fatal("edge-no-addresses", &["Initiating shutdown", "there are no free edge addresses left"]),
    // In a network namespace that has lost its owner nothing but the loopback is left.
    attempt("edge-network-unreachable", &["network is unreachable"]),
    lost(&["there are no free edge addresses left"]),
    // Who answers there, and when.
    attempt("clock-skew", &["certificate has expired or is not yet valid"]),
    attempt("edge-tls-intercepted", &["certificate signed by unknown authority"]),
    attempt("edge-tls-intercepted", &["not quic.cftunnel.com"]),
    attempt("edge-tls-intercepted", &["not h2.cftunnel.com"]),
    attempt("edge-tls-intercepted", &["CRYPTO_ERROR", "failed to dial to edge with quic"]),
    attempt("edge-tls-intercepted", &["TLS handshake with edge error"]),
    // What the way lets through.
    attempt("edge-egress-denied-locally", &[": operation not permitted", ":7844"]),
    attempt("edge-quic-blocked", &["failed to dial to edge with quic: timeout"]),
    attempt("edge-quic-blocked", &["failed to dial to edge with quic: context deadline"]),
    attempt("edge-quic-blocked", &["Failed to create new quic connection", "timeout"]),
    lost(&["Failed to create new quic connection"]),
    attempt("edge-quic-blocked", &["failed to dial to edge with quic", "connection refused"]),
    attempt("edge-quic-blocked", &["failed to dial to edge with quic", "no route to host"]),
    attempt("edge-quic-blocked", &["UDP Connectivity", " FAIL "]),
    attempt("edge-quic-blocked", &["component=\"UDP Connectivity\"", "status=fail"]),
    attempt("edge-quic-blocked", &["\"component\":\"UDP Connectivity\"", "\"status\":\"fail\""]),
    attempt("edge-quic-blocked", &["Allow outbound QUIC traffic on port 7844"]),
    attempt("edge-tcp-blocked", &["DialContext error: dial tcp"]),
    attempt("edge-tcp-blocked", &["TCP Connectivity", " FAIL "]),
    attempt("edge-tcp-blocked", &["component=\"TCP Connectivity\"", "status=fail"]),
    attempt("edge-tcp-blocked", &["\"component\":\"TCP Connectivity\"", "\"status\":\"fail\""]),
    attempt("edge-tcp-blocked", &["Allow outbound TCP on port 7844"]),
    attempt("edge-unreachable", &["Environment has critical failures"]),
    attempt("edge-unreachable", &["precheck complete", "hard_fail=true"]),
    attempt("edge-unreachable", &["precheck complete", "\"hard_fail\":true"]),
    // Two connections landed on one server of the edge: it moves on.
    noise(&["already connected to this server"]),
    // The edge closes the control stream, and over QUIC its reason is never printed.
    attempt("token-rejected-hidden", &["Serve tunnel error", HIDDEN_REJECTION]),
    noise(&[HIDDEN_REJECTION]),
    // Connections that were there.
    lost(&["failed to accept QUIC stream"]),
    lost(&["Failed to serve quic connection"]),
    lost(&["accept stream listener encountered a failure while serving"]),
    lost(&["datagram manager encountered a failure while serving"]),
    lost(&["context canceled", "Failed to serve tunnel connection"]),
    lost(&["context canceled", "Connection terminated"]),
    lost(&["Lost connection with the edge"]),
    lost(&["connection with edge closed"]),
    lost(&["Application error 0x0"]),
    lost(&["Serve tunnel error"]),
    lost(&["Error shutting down control stream"]),
    lost(&["Connection terminated"]),
];

/// Lines of the MCP servers behind the routes.
pub(crate) static SERVER: &[Sign] = &[
    mark(Mark::ServerStart, &["Started server process"]),
    fatal("mcp-sdk-v2", &["No module named 'mcp.server.fastmcp'"]),
    fatal("mcp-v2-ctor", &["got an unexpected keyword argument 'host'"]),
    fatal("mcp-v2-ctor", &["got an unexpected keyword argument 'port'"]),
    fatal("mcp-v2-ctor", &["no longer accepts `host`"]),
    fatal("mcp-v2-ctor", &["no longer accepts `port`"]),
    fatal("upstream-port-in-use", &["error while attempting to bind on address"]),
    fatal("upstream-script-missing", &["can't open file", "No such file or directory"]),
    fatal("upstream-script-missing", &["can't find '__main__' module"]),
    fatal("pip-no-index", &["No matching distribution found for"]),
    call("pip-no-index", &["WARNING: Retrying (Retry(total="]),
    fatal("platform-mismatch", &["exec format error"]),
    call("upstream-bind-loopback", &["Uvicorn running on http://127."]),
    call("upstream-bind-loopback", &["Uvicorn running on http://localhost"]),
    call("upstream-bind-loopback", &["Uvicorn running on http://[::1]"]),
    mark(Mark::Listening, &["Uvicorn running on"]),
    call("upstream-host-rejected", &[" 421 Misdirected Request"]),
    call("upstream-host-rejected", &["Invalid Host header"]),
    call("upstream-origin-rejected", &["Invalid Origin header"]),
    noise(&["/.well-known/"]),
    noise(&["/favicon.ico"]),
    noise(&["/robots.txt"]),
    // OAuth's registration of clients, by servers that have none.
    noise(&["\"POST /register HTTP", " 404 Not Found"]),
    // A person's browser: calls are POST.
    noise(&["\"GET / HTTP", " 404 Not Found"]),
    call("upstream-path-404", &[" 404 Not Found", "HTTP/1.", " /mcp "]),
    call("upstream-path-404", &[" 404 Not Found", "\"POST "]),
    call("upstream-path-404", &[" 404 Not Found", "\"GET /sse "]),
    call("upstream-slash-307", &[" 307 Temporary Redirect", "HTTP/1."]),
    call("upstream-failed", &[" 500 Internal Server Error", "\"POST "]),
    call("upstream-not-http", &["Invalid HTTP request received"]),
    mark(Mark::SessionGone, &["unknown or expired session ID"]),
    mark(Mark::SessionGone, &["Session not found"]),
    mark(Mark::Served, &["HTTP/1.1\" 200"]),
    mark(Mark::Served, &["HTTP/1.1\" 202"]),
    mark(Mark::Pip, &["Running pip as the 'root' user"]),
    mark(Mark::Traceback, &["Traceback (most recent call last)"]),
];

/// The registration fails over and over, and over QUIC cloudflared never prints the edge's reason (`quicConnection.Serve`
/// logs the wrong variable, 2025.8.1 and later).
pub(crate) const HIDDEN_REJECTION: &str = "control stream encountered a failure while serving";

/// Whether a line (or message) has all the texts of a sign.
fn fits(text: &str, sign: &Sign) -> bool {
    sign.parts.iter().all(|part| text.contains(part))
}

/// The rule of a line after which the program that printed it cannot go on, or goes on in vain.
pub(crate) fn proof(line: &str, signs: &[Sign]) -> Option<&'static str> {
    let sign = signs.iter().find(|sign| fits(line, sign))?;
    (sign.sense == Sense::Fatal || sign.rule == "token-rejected").then_some(sign.rule)
}

/// The words behind what a client puts in front of them: a time, a level, `Error:`.
pub(crate) fn behind_level(line: &str) -> &str {
    let mut rest = line.trim_start();
    if let Some(at) = rest.find("msg=\"").filter(|at| *at < 80) {
        rest = &rest[at + 5..];
    }
    for level in ["ERROR: ", "Error: ", "error: ", "ERROR ", "failed to load: "] {
        rest = rest.strip_prefix(level).unwrap_or(rest);
    }
    rest
}

/// What docker or Compose means by a line.
pub(crate) fn engine_sign(line: &str) -> Option<&'static Sign> {
    let start = behind_level(line);
    ENGINE
        .iter()
        .find(|sign| fits(line, sign))
        .or_else(|| ENGINE_AT_START.iter().find(|sign| start.starts_with(sign.parts[0]) && fits(line, sign)))
}

/// The finding that goes with what docker or Compose said when it failed; `otherwise` where that is not known.
pub(crate) fn engine_finding(said: &str, otherwise: &'static str) -> Finding {
    let lines: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("level=warning")).collect();
    // The first wording of the table that fits any line: what explains the others stands further up in it.
    let known = ENGINE.iter().chain(ENGINE_AT_START).find_map(|sign| {
        let of_sign = |line: &&&str| engine_sign(line).is_some_and(|found| std::ptr::eq(found, sign));
        Some((sign, lines.iter().rev().find(of_sign)?))
    });
    match known {
        Some((sign, line)) if sign.rule != "docker-failed" && sign.sense == Sense::Fatal => {
            rules::finding(sign.rule).with(line)
        }
        _ => {
            let last = lines.len().saturating_sub(2);
            lines[last..].iter().fold(rules::finding(otherwise), |finding, line| finding.with(line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_names_a_rule() {
        for sign in [ENGINE, ENGINE_AT_START, PROXY, CLOUDFLARED, SERVER].into_iter().flatten() {
            let stands_alone = matches!(sign.sense, Sense::Noise | Sense::Mark(_));
            assert_eq!(sign.rule.is_empty(), stands_alone, "{sign:?}");
            assert!(
                stands_alone || rules::rule(sign.rule).is_some() || sign.rule == "token-rejected-hidden",
                "{sign:?}"
            );
            assert!(!sign.parts.is_empty() && sign.parts.iter().all(|part| part.len() >= 3), "{sign:?}");
        }
    }

    #[test]
    fn a_permission_fault_is_not_taken_for_an_image_fault() {
        let said = "unable to get image 'x': permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
        assert_eq!(engine_finding(said, "compose-failed").id, "docker-permission");
    }

    #[test]
    fn a_token_in_an_error_is_not_quoted() {
        let said = "failed to read /x/.env: line 3: unterminated quoted value \"eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzIjoiYyJ9";
        let finding = engine_finding(said, "compose-failed");
        assert_eq!(finding.id, "compose-env-invalid");
        assert!(!finding.evidence[0].contains("eyJ"), "{:?}", finding.evidence);
    }

    #[test]
    fn unknown_words_are_quoted() {
        let finding = engine_finding("a\n\nb\nError: something new\n", "compose-failed");
        assert_eq!(
            (finding.id, finding.evidence),
            ("compose-failed", vec!["b".to_owned(), "Error: something new".to_owned()])
        );
    }
}
