//! What docker, Compose, the proxy, cloudflared and servers print, and what it means: text → rule, one row a wording.
//!
//! Texts are literals, never anchored and without a level field: the proxy's format is not documented, cloudflared has
//! two. cloudflared's are from its source (2026.3.0 and 2026.8.2), the proxy's from Anthropic's troubleshooting page and
//! Go's own errors, the sample's from uvicorn and the MCP SDK, the engine's from docker 20.10 to 28 and Compose 1.29 to
//! 2.40.

use crate::rules::RuleId;

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
    /// A row of the table; `None` for noise, steps, and a refused registration whose reason cloudflared hides.
    pub(crate) rule: Option<RuleId>,
    /// What it says of the program.
    pub(crate) sense: Sense,
    /// All of these. The first is the rarest: lines are looked for by it.
    pub(crate) parts: &'static [&'static str],
}

const fn fatal(rule: RuleId, parts: &'static [&'static str]) -> Sign {
    Sign { rule: Some(rule), sense: Sense::Fatal, parts }
}
const fn attempt(rule: RuleId, parts: &'static [&'static str]) -> Sign {
    Sign { rule: Some(rule), sense: Sense::Attempt, parts }
}
const fn call(rule: RuleId, parts: &'static [&'static str]) -> Sign {
    Sign { rule: Some(rule), sense: Sense::Call, parts }
}
const fn lost(parts: &'static [&'static str]) -> Sign {
    Sign { rule: Some(RuleId::EdgeConnLost), sense: Sense::Lost, parts }
}
const fn noise(parts: &'static [&'static str]) -> Sign {
    Sign { rule: None, sense: Sense::Noise, parts }
}
const fn mark(mark: Mark, parts: &'static [&'static str]) -> Sign {
    Sign { rule: None, sense: Sense::Mark(mark), parts }
}

/// Errors of the docker client, the daemon and Compose. The first that fits counts: what stands in front of another
/// (`unable to get image …: permission denied`) comes first.
pub(crate) static ENGINE: &[Sign] = &[
    fatal(RuleId::DockerPermission, &["permission denied while trying to connect to the Docker daemon"]),
    fatal(RuleId::DockerPermission, &["permission denied while trying to connect to the docker API"]),
    fatal(RuleId::EngineTooOld, &["client version", "is too new"]),
    fatal(RuleId::DockerClientOld, &["client version", "is too old"]),
    fatal(RuleId::DockerPermission, &["Error while fetching server API version", "Permission denied"]),
    fatal(RuleId::DockerDaemonDown, &["Cannot connect to the Docker daemon"]),
    fatal(RuleId::DockerDaemonDown, &["failed to connect to the docker API"]),
    fatal(RuleId::DockerDaemonDown, &["error during connect"]),
    fatal(RuleId::DockerDaemonDown, &["unable to resolve docker endpoint"]),
    fatal(RuleId::DockerDaemonDown, &["Error while fetching server API version"]),
    fatal(RuleId::DockerDaemonDown, &["Couldn't connect to Docker daemon"]),
    fatal(RuleId::ComposeMissing, &["'compose' is not a docker command"]),
    fatal(RuleId::DockerMissing, &["docker: command not found"]),
    fatal(RuleId::DockerMissing, &["docker: not found"]),
    fatal(RuleId::ComposeEnvInvalid, &["failed to read", ".env"]),
    fatal(RuleId::ComposeEnvInvalid, &["unterminated quoted value"]),
    fatal(RuleId::ComposeEnvInvalid, &["in variable name"]),
    fatal(RuleId::ComposeEnvInvalid, &["key cannot contain a space"]),
    // Compose v1 and a broken line: it goes on without the variable.
    attempt(RuleId::ComposeEnvInvalid, &["Python-dotenv could not parse statement"]),
    fatal(RuleId::ComposeEnvInvalid, &[".environment must be a mapping"]),
    fatal(RuleId::ComposeEnvInvalid, &[".environment contains an invalid type"]),
    fatal(RuleId::ComposeEnvInvalid, &["environment contains an invalid type, it should be an object, or an array"]),
    fatal(RuleId::ComposeVarUnset, &["required variable TUNNEL_TOKEN is missing a value"]),
    fatal(RuleId::ComposeVarUnset, &["Missing mandatory value for"]),
    fatal(RuleId::ComposeVarUnset, &["variable is not set. Defaulting to a blank string", "TUNNEL_TOKEN"]),
    noise(&["variable is not set. Defaulting to a blank string"]),
    fatal(RuleId::ComposeFileMissing, &["no configuration file provided"]),
    fatal(RuleId::ComposeFileMissing, &["Can't find a suitable configuration file"]),
    fatal(RuleId::ComposeServiceUndefined, &["undefined service"]),
    fatal(RuleId::ComposeServiceUndefined, &["uses the network stack of service", "which is undefined"]),
    fatal(RuleId::ComposeNetmodeConflict, &["conflicting options", "network mode"]),
    fatal(RuleId::ComposeNetmodeConflict, &["conflicting options", "the container type network"]),
    fatal(RuleId::ComposeNetmodeConflict, &["mutually exclusive", "network_mode"]),
    fatal(RuleId::ComposeNetmodeConflict, &["'network_mode' and 'networks' cannot be combined"]),
    fatal(RuleId::NetworkMissing, &["declared as external, but could not be found"]),
    fatal(RuleId::NetworkMissing, &["Error response from daemon: network ", "not found"]),
    fatal(RuleId::ComposeYamlInvalid, &["yaml.scanner.ScannerError"]),
    fatal(RuleId::ComposeYamlInvalid, &["yaml.parser.ParserError"]),
    fatal(RuleId::ComposeYamlInvalid, &["The Compose file ", "is invalid because"]),
    fatal(RuleId::ComposeYamlInvalid, &["dditional propert", "not allowed"]),
    fatal(RuleId::RegistryRateLimit, &["toomanyrequests"]),
    fatal(RuleId::RegistryDenied, &["artifactregistry.repositories.downloadArtifacts"]),
    fatal(RuleId::RegistryDenied, &["Unauthenticated request"]),
    fatal(RuleId::RegistryDenied, &["error getting credentials"]),
    fatal(RuleId::ImageRefInvalid, &["invalid reference format"]),
    fatal(RuleId::PlatformMismatch, &["no matching manifest for"]),
    fatal(RuleId::PlatformMismatch, &["was found but does not match the specified platform"]),
    fatal(RuleId::PlatformMismatch, &["was found but does not provide the specified platform"]),
    // Compose goes on: with emulation it may run.
    attempt(RuleId::PlatformMismatch, &["does not match the detected host platform"]),
    fatal(RuleId::ImageNotFound, &["manifest unknown"]),
    fatal(RuleId::ImageNotFound, &["pull access denied"]),
    fatal(RuleId::ImageNotFound, &["failed to resolve reference", ": not found"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "dial tcp"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "net/http"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "context deadline exceeded"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "x509"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "proxyconnect"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "EOF"]),
    fatal(RuleId::RegistryUnreachable, &["/v2/", "i/o timeout"]),
    fatal(RuleId::RegistryUnreachable, &["failed to resolve reference"]),
    fatal(RuleId::DiskFull, &["no space left on device"]),
    fatal(RuleId::MountTypeMismatch, &["mount a directory onto a file"]),
    fatal(RuleId::MountTypeMismatch, &["error mounting", "not a directory"]),
    fatal(RuleId::NameConflict, &["is already in use by container"]),
    fatal(RuleId::PortConflict, &["port is already allocated"]),
    fatal(RuleId::PortConflict, &["driver failed programming external connectivity"]),
    fatal(RuleId::PortConflict, &["userland proxy", "address already in use"]),
    fatal(RuleId::PortConflict, &["failed to set up container networking", "address already in use"]),
    fatal(RuleId::PortConflict, &["orts are not available"]),
    fatal(RuleId::NetnsOwnerNotRunning, &["is restarting, wait until the container is running"]),
    fatal(RuleId::NetnsOwnerNotRunning, &["namespace path: lstat"]),
    fatal(RuleId::NetnsOwnerNotRunning, &["non running container"]),
    fatal(RuleId::NetnsOwnerNotRunning, &["cannot share network namespace"]),
    fatal(RuleId::NetnsOwnerNotRunning, &["the network stack of another service that is not running"]),
    fatal(RuleId::NetnsOwnerNotRunning, &["No such container"]),
    fatal(RuleId::SetupAuth, &["maximum of 10 non-archived"]),
    attempt(RuleId::CurlWrongVersion, &["wrong version number", "curl: "]),
    fatal(RuleId::BuildFailed, &["failed to solve"]),
    fatal(RuleId::BuildFailed, &["returned a non-zero code"]),
];

/// Wordings of the engine that count only where the line, behind its level, begins with them: the proxy and servers use
/// the same words further on.
pub(crate) static ENGINE_AT_START: &[Sign] = &[
    // In front of the next: it has those words, too.
    fatal(RuleId::ComposeYamlInvalid, &["failed to parse ", "compose"]),
    fatal(RuleId::ComposeYamlInvalid, &["yaml: "]),
    fatal(RuleId::ComposeYamlInvalid, &["validating "]),
    fatal(RuleId::ComposeYamlInvalid, &["parsing "]),
    fatal(RuleId::ComposeYamlInvalid, &["service ", "invalid compose project"]),
    fatal(RuleId::DockerFailed, &["Error response from daemon"]),
];

/// Lines of the proxy. Its format is not documented, so its texts are looked for anywhere.
pub(crate) static PROXY: &[Sign] = &[
    mark(Mark::Route, &["route configured"]),
    mark(Mark::ProxyStart, &["starting mcp-proxy"]),
    mark(Mark::CallStarted, &["request started"]),
    mark(Mark::CallDone, &["request completed"]),
    fatal(RuleId::ProxyConfigRoutesList, &["cannot unmarshal !!seq into map[string]string"]),
    fatal(RuleId::ProxyConfigType, &["cannot unmarshal !!"]),
    fatal(RuleId::ProxyConfigType, &["not found in type"]),
    fatal(RuleId::ProxyConfigYaml, &["yaml: line "]),
    fatal(RuleId::ProxyConfigYaml, &["yaml: found "]),
    fatal(RuleId::ProxyConfigUpstream, &["invalid upstream (must be scheme://host:port)"]),
    fatal(RuleId::ProxyConfigIsDir, &["config.yaml: is a directory"]),
    fatal(RuleId::ProxyConfigDenied, &["config.yaml: permission denied"]),
    fatal(RuleId::ProxyConfigMissing, &["config.yaml: no such file or directory"]),
    fatal(RuleId::ProxyKeyDenied, &["open /data/tls.", "permission denied"]),
    fatal(RuleId::ProxyCertMissing, &["open /data/tls.", "no such file or directory"]),
    fatal(RuleId::ProxyCertMismatch, &["tls: private key", "does not match public key"]),
    fatal(RuleId::ProxyCertSwapped, &["PEM inputs may have been switched"]),
    fatal(RuleId::ProxyCertEmpty, &["tls: failed to find"]),
    fatal(RuleId::ProxyCertEmpty, &["x509: malformed"]),
    fatal(RuleId::ProxyCertEmpty, &["x509: invalid"]),
    fatal(RuleId::ProxyKeyEncrypted, &["tls: failed to parse private key"]),
    fatal(RuleId::ProxyPortTaken, &["bind: address already in use"]),
    fatal(RuleId::UpstreamCaMissing, &["open /data/", "no such file or directory"]),
    fatal(RuleId::PlatformMismatch, &["exec format error"]),
    call(RuleId::TlsUnknownCa, &["remote error: tls: unknown certificate authority"]),
    call(RuleId::TlsBadCert, &["remote error: tls: bad certificate"]),
    call(RuleId::TlsExpired, &["remote error: tls: expired certificate"]),
    call(RuleId::TlsUnsupportedCert, &["remote error: tls: unsupported certificate"]),
    call(RuleId::TlsRejectedOpaque, &["local error: tls: bad record MAC"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: unknown certificate"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: certificate required"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: handshake failure"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: protocol version not supported"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: internal error"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: revoked certificate"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: unrecognized name"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: access denied"]),
    call(RuleId::TlsOtherAlert, &["remote error: tls: decrypt error"]),
    // Probes of the listener: Anthropic's side neither speaks plain text nor goes away in the handshake.
    noise(&["tls handshake failed"]),
    noise(&["TLS handshake error"]),
    noise(&["client offered only unsupported versions"]),
    noise(&["no cipher suite supported by both client and server"]),
    call(RuleId::NoRoute, &["no route for host"]),
    call(RuleId::UpstreamIpRejected, &["IP validation failed"]),
    call(RuleId::UpstreamTls, &["x509: certificate"]),
    call(RuleId::UpstreamTls, &["x509: cannot validate certificate"]),
    call(RuleId::UpstreamNotHttp, &["server gave HTTP response to HTTPS client"]),
    call(RuleId::UpstreamNotHttp, &["tls: first record does not look like a TLS handshake"]),
    call(RuleId::UpstreamDns, &[": lookup ", "no such host"]),
    call(RuleId::UpstreamDns, &[": lookup ", "server misbehaving"]),
    call(RuleId::UpstreamDns, &[": lookup ", "i/o timeout"]),
    call(RuleId::UpstreamDns, &[": lookup ", "Temporary failure in name resolution"]),
    call(RuleId::UpstreamRefused, &["connect: connection refused"]),
    call(RuleId::UpstreamTimeout, &["i/o timeout"]),
    call(RuleId::UpstreamTimeout, &["context deadline exceeded"]),
    call(RuleId::UpstreamTimeout, &["timeout awaiting response headers"]),
    call(RuleId::UpstreamTimeout, &["connect: no route to host"]),
    call(RuleId::UpstreamTimeout, &["connect: network is unreachable"]),
    call(RuleId::UpstreamNotHttp, &["malformed HTTP response"]),
    // The caller hung up.
    noise(&["upstream request failed", "context canceled"]),
    call(RuleId::UpstreamFailed, &["upstream request failed"]),
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
    call(RuleId::NoIngressUrl, &["No ingress rules were defined"]),
    call(
        RuleId::ProxyWrongScheme,
        &["Unable to reach the origin service", "first record does not look like a TLS handshake"],
    ),
    call(
        RuleId::ProxyWrongScheme,
        &["Unable to reach the origin service", "server gave HTTP response to HTTPS client"],
    ),
    call(RuleId::ProxyWrongScheme, &["Unable to reach the origin service", "x509: "]),
    noise(&["Unable to reach the origin service", "context canceled"]),
    call(RuleId::ProxyUnreachable, &["Unable to reach the origin service", "connect: "]),
    call(RuleId::ProxyUnreachable, &["Unable to reach the origin service", "no such host"]),
    // Windows.
    call(RuleId::ProxyUnreachable, &["Unable to reach the origin service", "actively refused"]),
    call(RuleId::ProxyNoAnswer, &["Unable to reach the origin service"]),
    // Its token.
    fatal(RuleId::TokenMissing, &["requires the ID or name of the tunnel to run"]),
    fatal(RuleId::TokenMissing, &["requires exactly 1 argument, the ID of the tunnel"]),
    fatal(RuleId::TokenMalformed, &["Provided Tunnel token is not valid"]),
    fatal(RuleId::TokenFileUnreadable, &["Failed to read token file"]),
    fatal(RuleId::TokenRegionConflict, &["region provided with a token that has an endpoint"]),
    attempt(RuleId::TokenRejected, &["Unauthorized: "]),
    // Its own settings.
    fatal(RuleId::OriginUrlInvalid, &["Error validating origin URL"]),
    fatal(RuleId::MetricsPort, &["Error opening metrics server listener"]),
    fatal(RuleId::MetricsPort, &["failed to listen to default metrics address"]),
    fatal(RuleId::PlatformMismatch, &["exec format error"]),
    // The way to the edge: names.
    fatal(RuleId::EdgeDnsFailed, &["Could not lookup srv records"]),
    noise(&["Unable to lookup protocol"]),
    fatal(RuleId::EdgeDnsFailed, &["lookup protocol.argotunnel.com"]),
    fatal(RuleId::EdgeDnsFailed, &["Couldn't resolve SRV record", "Initiating shutdown"]),
    fatal(RuleId::EdgeDnsFailed, &["had no IPs", "SRV record"]),
    // With a capital before 2023.
    attempt(RuleId::EdgeDnsFailed, &["rror looking up Cloudflare edge IPs"]),
    attempt(RuleId::EdgeDnsFailed, &["Couldn't resolve SRV record"]),
    attempt(RuleId::EdgeDnsFailed, &["DNS Resolution", " FAIL "]),
    attempt(RuleId::EdgeDnsFailed, &["component=\"DNS Resolution\"", "status=fail"]),
    attempt(RuleId::EdgeDnsFailed, &["\"component\":\"DNS Resolution\"", "\"status\":\"fail\""]),
    fatal(RuleId::EdgeNoAddresses, &["Initiating shutdown", "there are no free edge addresses left"]),
    // In a network namespace that has lost its owner nothing but the loopback is left.
    attempt(RuleId::EdgeNetworkUnreachable, &["network is unreachable"]),
    lost(&["there are no free edge addresses left"]),
    // Who answers there, and when.
    attempt(RuleId::ClockSkew, &["certificate has expired or is not yet valid"]),
    attempt(RuleId::EdgeTlsIntercepted, &["certificate signed by unknown authority"]),
    attempt(RuleId::EdgeTlsIntercepted, &["not quic.cftunnel.com"]),
    attempt(RuleId::EdgeTlsIntercepted, &["not h2.cftunnel.com"]),
    attempt(RuleId::EdgeTlsIntercepted, &["CRYPTO_ERROR", "failed to dial to edge with quic"]),
    attempt(RuleId::EdgeTlsIntercepted, &["TLS handshake with edge error"]),
    // What the way lets through.
    attempt(RuleId::EdgeEgressDeniedLocally, &[": operation not permitted", ":7844"]),
    attempt(RuleId::EdgeQuicBlocked, &["failed to dial to edge with quic: timeout"]),
    attempt(RuleId::EdgeQuicBlocked, &["failed to dial to edge with quic: context deadline"]),
    attempt(RuleId::EdgeQuicBlocked, &["Failed to create new quic connection", "timeout"]),
    lost(&["Failed to create new quic connection"]),
    attempt(RuleId::EdgeQuicBlocked, &["failed to dial to edge with quic", "connection refused"]),
    attempt(RuleId::EdgeQuicBlocked, &["failed to dial to edge with quic", "no route to host"]),
    attempt(RuleId::EdgeQuicBlocked, &["UDP Connectivity", " FAIL "]),
    attempt(RuleId::EdgeQuicBlocked, &["component=\"UDP Connectivity\"", "status=fail"]),
    attempt(RuleId::EdgeQuicBlocked, &["\"component\":\"UDP Connectivity\"", "\"status\":\"fail\""]),
    attempt(RuleId::EdgeQuicBlocked, &["Allow outbound QUIC traffic on port 7844"]),
    attempt(RuleId::EdgeTcpBlocked, &["DialContext error: dial tcp"]),
    attempt(RuleId::EdgeTcpBlocked, &["TCP Connectivity", " FAIL "]),
    attempt(RuleId::EdgeTcpBlocked, &["component=\"TCP Connectivity\"", "status=fail"]),
    attempt(RuleId::EdgeTcpBlocked, &["\"component\":\"TCP Connectivity\"", "\"status\":\"fail\""]),
    attempt(RuleId::EdgeTcpBlocked, &["Allow outbound TCP on port 7844"]),
    attempt(RuleId::EdgeUnreachable, &["Environment has critical failures"]),
    attempt(RuleId::EdgeUnreachable, &["precheck complete", "hard_fail=true"]),
    attempt(RuleId::EdgeUnreachable, &["precheck complete", "\"hard_fail\":true"]),
    // Two connections landed on one server of the edge: it moves on.
    noise(&["already connected to this server"]),
    // The edge closes the control stream, and over QUIC its reason is never printed.
    Sign { rule: None, sense: Sense::Attempt, parts: &["Serve tunnel error", HIDDEN_REJECTION] },
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
    fatal(RuleId::McpSdkV2, &["No module named 'mcp.server.fastmcp'"]),
    fatal(RuleId::McpV2Ctor, &["got an unexpected keyword argument 'host'"]),
    fatal(RuleId::McpV2Ctor, &["got an unexpected keyword argument 'port'"]),
    fatal(RuleId::McpV2Ctor, &["no longer accepts `host`"]),
    fatal(RuleId::McpV2Ctor, &["no longer accepts `port`"]),
    fatal(RuleId::UpstreamPortInUse, &["error while attempting to bind on address"]),
    fatal(RuleId::UpstreamScriptMissing, &["can't open file", "No such file or directory"]),
    fatal(RuleId::UpstreamScriptMissing, &["can't find '__main__' module"]),
    fatal(RuleId::PipNoIndex, &["No matching distribution found for"]),
    call(RuleId::PipNoIndex, &["WARNING: Retrying (Retry(total="]),
    fatal(RuleId::PlatformMismatch, &["exec format error"]),
    call(RuleId::UpstreamBindLoopback, &["Uvicorn running on http://127."]),
    call(RuleId::UpstreamBindLoopback, &["Uvicorn running on http://localhost"]),
    call(RuleId::UpstreamBindLoopback, &["Uvicorn running on http://[::1]"]),
    mark(Mark::Listening, &["Uvicorn running on"]),
    call(RuleId::UpstreamHostRejected, &[" 421 Misdirected Request"]),
    call(RuleId::UpstreamHostRejected, &["Invalid Host header"]),
    call(RuleId::UpstreamOriginRejected, &["Invalid Origin header"]),
    noise(&["/.well-known/"]),
    noise(&["/favicon.ico"]),
    noise(&["/robots.txt"]),
    // OAuth's registration of clients, by servers that have none.
    noise(&["\"POST /register HTTP", " 404 Not Found"]),
    // A person's browser: calls are POST.
    noise(&["\"GET / HTTP", " 404 Not Found"]),
    call(RuleId::UpstreamPath404, &[" 404 Not Found", "HTTP/1.", " /mcp "]),
    call(RuleId::UpstreamPath404, &[" 404 Not Found", "\"POST "]),
    call(RuleId::UpstreamPath404, &[" 404 Not Found", "\"GET /sse "]),
    call(RuleId::UpstreamSlash307, &[" 307 Temporary Redirect", "HTTP/1."]),
    call(RuleId::UpstreamFailed, &[" 500 Internal Server Error", "\"POST "]),
    call(RuleId::UpstreamNotHttp, &["Invalid HTTP request received"]),
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
pub(crate) fn proof(line: &str, signs: &[Sign]) -> Option<RuleId> {
    let sign = signs.iter().find(|sign| fits(line, sign))?;
    (sign.sense == Sense::Fatal || sign.rule == Some(RuleId::TokenRejected)).then_some(sign.rule).flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_names_a_rule() {
        for sign in [ENGINE, ENGINE_AT_START, PROXY, CLOUDFLARED, SERVER].into_iter().flatten() {
            let stands_alone = matches!(sign.sense, Sense::Noise | Sense::Mark(_));
            let hidden = sign.parts.contains(&HIDDEN_REJECTION);
            assert_eq!(sign.rule.is_none(), stands_alone || hidden, "{sign:?}");
            assert!(!sign.parts.is_empty() && sign.parts.iter().all(|part| part.len() >= 3), "{sign:?}");
        }
    }
}
