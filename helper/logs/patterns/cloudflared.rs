//! Lines of cloudflared, console or JSON: from its source (2026.3.0 and 2026.8.2), and what older releases printed.

use super::pattern::Tell::{Early, Held, NoAddresses, Own, Precheck, Quic, Silence};
use super::pattern::{Effect, Event, Pattern, attempt, call, event, fatal, lost, noise};
use crate::rules::RuleId::*;

/// The registration fails over and over, and over QUIC cloudflared never prints the edge's reason (`quicConnection.Serve`
/// logs the wrong variable, 2025.8.1 and later).
pub(crate) const HIDDEN_REJECTION: &str = "control stream encountered a failure while serving";

/// Advice for a proxy that cloudflared does not find by its name.
const SILENT_DNS: &str = "start `{proxy}` if it does not run (`{helper} up --dir {dir}`); otherwise check the load of the engine's host and the DNS servers in its `/etc/resolv.conf`: the engine's DNS gave no answer in time, and calls are answered again once it does";
/// Advice for a token file, by why it cannot be read.
const TOKEN_ABSENT: &str = "let TUNNEL_TOKEN_FILE (or `--token-file`) name a path that is in the container: `/run/secrets/NAME` for a secret that the service lists under `secrets:`, or the target of a mount; a stack whose secret comes from `environment: TUNNEL_TOKEN` was made while no token was set: `{helper} down --dir {dir}`, then `{helper} up --dir {dir}`";
const TOKEN_FOLDER: &str = "run `{helper} down --dir {dir}`, remove the empty folder that docker made in the place of the missing token file (the source of that mount, or `file:` of the secret), write the token into a file of that name, then run `{helper} up --dir {dir}`; or correct the path if the file is elsewhere";
const TOKEN_MODE: &str = "let user 65532 read the token file: a secret from a `file:` keeps that file's mode, so `chmod 644` it in a directory that only you can enter, or take the secret from `environment: TUNNEL_TOKEN`; then run `{helper} up --dir {dir}`";
const PROXY_NAME: &str = "start `{proxy}` if it does not run (`{helper} up --dir {dir}`); otherwise put `{cloudflared}` on a network with `{proxy}` and name it so in `--url http://{proxy}:8080`, or share its network (`network_mode: \"service:{proxy}\"`) and write `--url http://localhost:8080`; then run `{helper} restart --dir {dir}`";
/// Advice for a handshake that nothing answers.
const SWALLOWED_TLS: &str = "let the firewall pass TLS on TCP 7844 to 198.41.192.0/19, which it accepts and does not answer: exempt it from rules by application and from TLS inspection; `{helper} preflight` tries it";

/// The first that fits counts.
#[rustfmt::skip]
pub(crate) static CLOUDFLARED: &[Pattern] = &[
    event(Event::AgentStart, &["Starting tunnel"]),
    event(Event::Settings, &["Settings: map["]),
    event(Event::RemoteConfig, &["Updated to new configuration", "Will be fetching remotely managed configuration"]),
    event(Event::AtMost, &["HA connections but I can give you at most"]),
    event(Event::Dialling, &["Tunnel connection curve preferences"]),
    event(Event::Unregistered, &["Unregistered tunnel connection"]),
    event(Event::Registered, &["Registered tunnel connection", " registered connIndex=",
        " registered\"…\"Connection "]),
    event(Event::Stopping, &["Initiating graceful shutdown"]),
    event(Event::Retrying, &["Retrying connection in up to"]),
    event(Event::Fallback, &["Switching to fallback protocol"]),
    event(Event::UdpHint, &["If this log occurs persistently"]),
    // Lookups that do not concern the tunnel: the first sign of a resolver that does not answer, while nothing is
    // registered.
    attempt(EdgeDnsFailed, &["update check failed…lookup …server misbehaving",
        "update check failed…lookup …i/o timeout", "update check failed…lookup …connection refused"]).tells(&[Early]),
    noise(&["update check failed", "Failed to fetch features", "icmp router terminated"]),
    // quic-go's own line, without cloudflared's time and level.
    noise(&["failed to sufficiently increase receive buffer size",
        "failed to sufficiently increase send buffer size"]).tells(&[Own]),
    // The advice that cloudflared prints below a DNS query that failed, each line as an error.
    noise(&["Please try the following things to diagnose this issue", "ensure that argotunnel.com is returning",
        "Run your system's equivalent of: dig srv", "ensure that your DNS resolver is not returning compressed",
        "See GitHub issue https://github.com/golang/go/issues/27546",
        "you could use Cloudflare's 1.1.1.1 as your resolver", "https://developers.cloudflare.com/1.1.1.1/setting-up",
        "canceled by remote with error code 0", "canceled with error code 0", "Failed to refresh DNS local resolver",
        "Failed to initialize DNS local resolver", "Cloudflare API… FAIL "]),
    // From the tunnel to the proxy.
    noise(&["Incoming request ended abruptly"]),
    call(NoIngressUrl, &["No ingress rules were defined"]),
    call(ProxyWrongScheme, &["Unable to reach the origin service…does not look like a TLS handshake",
        "Unable to reach the origin service…server gave HTTP response to HTTPS",
        "Unable to reach the origin service…x509: "]).tells(&[Own]),
    noise(&["Unable to reach the origin service…context canceled"]),
    call(ProxyUnreachable, &["Unable to reach the origin service…connect: "]).tells(&[Own]),
    // By its name, on a network: Docker's DNS does not know a container that does not run.
    call(ProxyUnreachable, &["Unable to reach the origin service…: lookup …i/o timeout",
        "Unable to reach the origin service…: lookup …server misbehaving"]).tells(&[Own]).fix(SILENT_DNS),
    call(ProxyUnreachable, &["Unable to reach the origin service…: lookup "]).tells(&[Own]).fix(PROXY_NAME),
    // Windows.
    call(ProxyUnreachable, &["Unable to reach the origin service…actively refused"]).tells(&[Own]),
    call(ProxyNoAnswer, &["Unable to reach the origin service"]).tells(&[Own]),
    // Its command line: an image that is older than a flag, `tunnel` without `run`.
    fatal(CloudflaredUsage, &["Incorrect Usage"]).tells(&[Own]),
    // Any program of Go's prints it.
    fatal(CloudflaredUsage, &["flag provided but not defined"]),
    fatal(CloudflaredUsage, &["No help topic for", "Use `cloudflared tunnel run` to start tunnel",
        "You did not specify any valid additional argument to the cloudflared tunnel"]).tells(&[Own]),
    // Ways to run a tunnel other than by a token.
    // A token needs none: then it is only information.
    noise(&["INF Cannot determine default origin certificate path",
        "\"level\":\"info\"…Cannot determine default origin certificate path"]),
    fatal(CloudflaredOriginCert, &["specify the origin certificate path", "Error locating origin cert",
        "client didn't specify origincert path", "neither the ID nor the name of any of your tunnels"]).tells(&[Own]),
    fatal(CloudflaredCredentials, &["couldn't read tunnel credentials from", "unnel credentials file…doesn't exist",
        "ouldn't find tunnel credentials", "credentials file…no such file or directory",
        "nvalid…tunnel credentials"]).tells(&[Own]),
    attempt(LegacyTunnel, &["(legacy) way that is no longer supported", "Migrate to Named Tunnels"]).tells(&[Own]),
    call(QuickTunnel, &["Requesting new quick Tunnel"]).tells(&[Own]),
    fatal(QuickTunnel, &["quick Tunnel…ailed to "]).tells(&[Own]),
    // Its token.
    fatal(TokenMissing, &["requires the ID or name of the tunnel to run",
        "requires exactly 1 argument, the ID of the tunnel"]).tells(&[Own]),
    fatal(TokenMalformed, &["Provided Tunnel token is not valid"]).tells(&[Own]),
    fatal(TokenFileUnreadable, &["Failed to read token file…no such file or directory"]).tells(&[Own]).fix(TOKEN_ABSENT),
    fatal(TokenFileUnreadable, &["Failed to read token file…is a directory"]).tells(&[Own]).fix(TOKEN_FOLDER),
    fatal(TokenFileUnreadable, &["Failed to read token file…permission denied"]).tells(&[Own]).fix(TOKEN_MODE),
    fatal(TokenFileUnreadable, &["Failed to read token file"]).tells(&[Own]),
    fatal(TokenRegionConflict, &["region provided with a token that has an endpoint"]).tells(&[Own]),
    attempt(TokenRejected, &["Unauthorized: …Register tunnel error"]).tells(&[Own]),
    attempt(TokenRejected, &["Unauthorized: "]),
    // Its own settings.
    fatal(OriginUrlInvalid, &["Error validating origin URL"]).tells(&[Own]),
    fatal(MetricsPort, &["Error opening metrics server listener",
        "failed to listen to default metrics address"]).tells(&[Own]),
    // Without any way out, the resolver is not at fault.
    fatal(EdgeNetworkUnreachable, &["Could not lookup srv records…network is unreachable"]).tells(&[Own]),
    attempt(EdgeNetworkUnreachable, &["rror looking up Cloudflare edge IPs…network is unreachable",
        "Couldn't resolve SRV record…network is unreachable"]).tells(&[Own]),
    // The way to the edge: names.
    fatal(EdgeDnsFailed, &["Could not lookup srv records"]).tells(&[Own]),
    noise(&["Unable to lookup protocol"]),
    fatal(EdgeDnsFailed, &["lookup protocol.argotunnel.com", "Couldn't resolve SRV record…Initiating shutdown",
        "had no IPs…SRV record"]).tells(&[Own]),
    // With a capital before 2023.
    attempt(EdgeDnsFailed, &["rror looking up Cloudflare edge IPs", "Couldn't resolve SRV record"]).tells(&[Own]),
    attempt(EdgeDnsFailed, &["DNS Resolution… FAIL ", "component=\"DNS Resolution\"…status=fail",
        "\"component\":\"DNS Resolution\"…\"status\":\"fail\""]).tells(&[Precheck]),
    fatal(EdgeNoAddresses, &["Initiating shutdown…there are no free edge addresses left"]).tells(&[Own, NoAddresses]),
    // In a network namespace that has lost its owner nothing but the loopback is left.
    attempt(EdgeNetworkUnreachable, &["network is unreachable"]),
    lost(&["there are no free edge addresses left"]).tells(&[NoAddresses]),
    // Which server answers there, and when.
    attempt(ClockSkew, &["certificate has expired or is not yet valid"]),
    attempt(EdgeTlsIntercepted, &["certificate signed by unknown authority", "not quic.cftunnel.com",
        "not h2.cftunnel.com"]),
    attempt(EdgeTlsIntercepted, &["CRYPTO_ERROR…failed to dial to edge with quic"]).tells(&[Quic]),
    // A program in between that accepts the connection, and does not answer.
    attempt(EdgeTlsIntercepted, &["TLS handshake with edge error…i/o timeout"]).tells(&[Own]).fix(SWALLOWED_TLS),
    attempt(EdgeTlsIntercepted, &["TLS handshake with edge error"]).tells(&[Own]),
    // What this host's kernel and the packets' size allow.
    attempt(EdgeQuicUnsupported, &["recvmmsg: function not implemented", "sendmmsg: function not implemented",
        "ailed to dial to edge…protocol not available", "ailed to dial to edge…protocol not supported",
        "ailed to dial to edge…operation not supported"]).tells(&[Own, Quic]),
    attempt(EdgeMtu, &["datagram socket was larger than the internal message buffer"]).tells(&[Own, Quic]),
    attempt(EdgeMtu, &["message too long", "DATAGRAM frame too large"]).tells(&[Quic]),
    attempt(EdgePostQuantum, &["experimental post-quantum tunnels feature",
        "post-quantum…unable to"]).tells(&[Own, Quic]),
    // What the way lets through.
    attempt(EdgeEgressDeniedLocally, &[": operation not permitted…:7844"]),
    attempt(EdgeQuicBlocked, &["failed to dial to edge with quic: timeout"]).tells(&[Own, Quic]),
    attempt(EdgeQuicBlocked, &["failed to dial to edge with quic: context deadline"]).tells(&[Quic]),
    // Before 2022.
    attempt(EdgeQuicBlocked, &["failed to dial to edge: timeout", "failed to dial to edge: …ecent network activity",
        "failed to dial to edge: …andshake did not complete",
        "Failed to create new quic connection…timeout"]).tells(&[Own, Quic]),
    lost(&["Failed to create new quic connection"]).tells(&[Own]),
    attempt(EdgeQuicBlocked, &["failed to dial to edge with quic…connection refused",
        "failed to dial to edge with quic…no route to host"]),
    attempt(EdgeQuicBlocked, &["UDP Connectivity… FAIL ", "component=\"UDP Connectivity\"…status=fail",
        "\"component\":\"UDP Connectivity\"…\"status\":\"fail\"",
        "Allow outbound QUIC traffic on port 7844"]).tells(&[Precheck]),
    attempt(EdgeTcpBlocked, &["DialContext error: dial tcp"]).tells(&[Own]),
    attempt(EdgeTcpBlocked, &["TCP Connectivity… FAIL ", "component=\"TCP Connectivity\"…status=fail",
        "\"component\":\"TCP Connectivity\"…\"status\":\"fail\"",
        "Allow outbound TCP on port 7844"]).tells(&[Precheck]),
    attempt(EdgeUnreachable, &["Environment has critical failures", "precheck complete…hard_fail=true",
        "precheck complete…\"hard_fail\":true"]),
    // Two connections landed on one server of the edge: it moves on.
    noise(&["already connected to this server"]),
    // The edge closes the control stream, and over QUIC its reason is never printed.
    Pattern::new(None, Effect::Attempt, &["Serve tunnel error…control stream encountered a failure while serving"]),
    noise(&["control stream encountered a failure while serving"]),
    // The edge says no, and why.
    // The stream that the answer should come on is gone: no word of the edge's.
    noise(&["Register tunnel error…rpc: ", "Register tunnel error…context "]),
    attempt(EdgeRegistrationRefused, &["Register tunnel error", "too many…connections…tunnel"]).tells(&[Own]),
    // Connections that were there.
    lost(&["failed to accept QUIC stream"]).tells(&[Held, Silence]),
    lost(&["Failed to serve quic connection", "accept stream listener encountered a failure while serving",
        "datagram manager encountered a failure while serving", "context canceled…Failed to serve tunnel connection",
        "context canceled…Connection terminated", "Lost connection with the edge", "connection with edge closed",
        "Application error 0x0", "Failed to serve tunnel connection"]).tells(&[Held]),
    lost(&["Serve tunnel error"]),
    lost(&["Error shutting down control stream"]).tells(&[Held]),
    lost(&["Connection terminated"]),
    // It stops, or gives a connection up; the reason has its own line.
    noise(&["context canceled", "no more connections active and exiting", "failed to run the datagram handler"]),
];
