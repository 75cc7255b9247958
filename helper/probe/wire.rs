//! What the helper asks of the program in the container, and what that answers: one JSON object each way.

use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::settings::may_dial;

/// One JSON line on standard input.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ask {
    /// Time that the program may run at all, in milliseconds.
    pub(crate) deadline_ms: u64,
    /// Routes to try, all at once.
    pub(crate) routes: Vec<ProbeTarget>,
    /// Whether the listening sockets of the network namespace are wanted.
    pub(crate) sockets: bool,
    /// Where cloudflared may serve its metrics, `host:port`, tried in order.
    pub(crate) metrics: Vec<String>,
    /// Numbers that are known: the answer waits for others, at most `wait_ms`.
    pub(crate) known: Option<Metrics>,
    /// Longest wait for other numbers, in milliseconds.
    pub(crate) wait_ms: u64,
}

/// One server to try.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeTarget {
    /// Name of its route; `None` if it is not a route yet.
    pub(crate) route: Option<String>,
    /// Whether the proxy speaks TLS to it.
    pub(crate) https: bool,
    /// Host of the upstream.
    pub(crate) host: String,
    /// Port of the upstream.
    pub(crate) port: u16,
    /// Host name that Claude calls.
    pub(crate) tunnel_host: String,
    /// Path that Claude calls.
    pub(crate) path: String,
    /// Paths to try where `path` is not an MCP endpoint.
    pub(crate) other_paths: Vec<String>,
    /// What the proxy may dial.
    pub(crate) allowed: Allowed,
    /// What an `https` upstream's certificate is checked against.
    pub(crate) trust: Trust,
    /// Time for this route, in milliseconds.
    pub(crate) limit_ms: u64,
}

/// Addresses that the proxy may dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Allowed {
    /// `disable_ip_validation`.
    Anything,
    /// The default, RFC 1918.
    Private,
    /// `allowed_ips`.
    Ranges(Vec<String>),
}

impl Allowed {
    /// Whether the proxy may dial an address.
    pub(crate) fn includes(&self, address: Ipv4Addr) -> bool {
        match self {
            Self::Anything => true,
            Self::Private => may_dial(address, None),
            Self::Ranges(ranges) => may_dial(address, Some(ranges)),
        }
    }
}

/// Trust anchors: `upstream.tls` of the proxy's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Trust {
    /// Text of `ca_file`.
    pub(crate) ca_pem: Option<String>,
    /// `include_system_cas`: Mozilla's list is used for the image's own.
    pub(crate) public: bool,
}

/// The one JSON object on standard output.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    /// One entry a route, in the order of the request.
    pub(crate) routes: Vec<Seen>,
    /// Listening TCP sockets of the network namespace, if they were asked for and can be read.
    pub(crate) listening: Option<Vec<Listener>>,
    /// cloudflared's own numbers, if they were asked for and something answered.
    pub(crate) metrics: Option<Metrics>,
}

/// A listening TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Listener {
    /// Its address; unspecified for all of them.
    pub(crate) address: IpAddr,
    /// Its port.
    pub(crate) port: u16,
}

impl Listener {
    /// Whether only its own network namespace can connect to it.
    pub(crate) fn is_loopback(self) -> bool {
        self.address.to_canonical().is_loopback()
    }
}

/// What cloudflared reports about itself: `/ready` and `/metrics`, since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Metrics {
    /// `readyConnections`, otherwise `cloudflared_tunnel_ha_connections`.
    pub(crate) connections: Option<u32>,
    /// `cloudflared_tunnel_total_requests`.
    pub(crate) requests: Option<u64>,
    /// `cloudflared_tunnel_request_errors`.
    pub(crate) errors: Option<u64>,
    /// `cloudflared_tunnel_concurrent_requests_per_tunnel`: requests that are not over.
    pub(crate) open: Option<u64>,
    /// `cloudflared_tunnel_response_by_code`: status code, responses.
    pub(crate) responses: Vec<(u16, u64)>,
}

/// What was seen of one route.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Seen {
    /// Addresses of the host's name.
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// Everything that was tried, in order.
    pub(crate) tries: Vec<Try>,
    /// The MCP server, if one answered the tunnel's host name.
    pub(crate) server: Option<Server>,
    /// Milliseconds for all of it.
    pub(crate) ms: u64,
}

impl Seen {
    /// The lookup of the name, which comes first.
    pub(crate) fn lookup(&self) -> Option<&Try> {
        self.tries.iter().find(|entry| entry.step == Step::Lookup)
    }

    /// Whether the name was found, and so late that every new connection of the proxy waits for it.
    pub(crate) fn is_found_late(&self) -> bool {
        self.lookup().is_some_and(|entry| entry.got == Got::Ok && entry.ms >= LATE_LOOKUP)
    }
}

/// A lookup takes milliseconds on a sound engine; one that takes this many is told.
const LATE_LOOKUP: u64 = 1_500;
/// Milliseconds that the proxy's resolver (Go's) waits for an answer; it asks once more, and takes no later answer to the
/// first question.
pub(crate) const LONGEST_LOOKUP: u64 = 5_000;

/// An MCP server that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    /// Path at which it answers.
    pub(crate) path: String,
    /// What it calls itself.
    pub(crate) name: String,
    /// Its version in its own words.
    pub(crate) version: String,
    /// Protocol version that it chose.
    pub(crate) protocol: String,
    /// How it is spoken to.
    pub(crate) era: Era,
    /// Number of its tools, if it lists them to the end.
    pub(crate) tools: Option<u64>,
    /// Requests in one session over new connections.
    pub(crate) asked: u32,
    /// How many of them the session was unknown to.
    pub(crate) lost: u32,
    /// What became of the session; `None` where there was none.
    pub(crate) session: Option<SessionEnd>,
    /// How long ago it answered, in milliseconds; zero unless the answer was kept.
    pub(crate) age_ms: u64,
}

/// The three ways in which an MCP server is spoken to over HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Era {
    /// 2026-07-28: `server/discover`, no sessions.
    #[default]
    Discover,
    /// 2025-11-25 and before: `initialize` over streamable HTTP.
    Initialize,
    /// 2024-11-05: HTTP with server-sent events.
    Sse,
}

/// What became of a session that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SessionEnd {
    /// DELETE was accepted, or the stream was closed.
    Ended,
    /// DELETE was answered with 405: the session ends by the server's own clock.
    NotEndable,
    /// DELETE was answered otherwise, or not at all.
    Failed,
}

/// One attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Try {
    /// What was done.
    pub(crate) step: Step,
    /// Path that was asked; empty below HTTP.
    pub(crate) path: String,
    /// Host header; empty below HTTP.
    pub(crate) host: String,
    /// What came back.
    pub(crate) got: Got,
    /// Milliseconds until then.
    pub(crate) ms: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// The name was looked up.
    Lookup,
    /// A TCP connection was made.
    Connect,
    /// POST `server/discover`.
    Discover,
    /// POST `initialize`.
    Initialize,
    /// POST `tools/list`.
    Tools,
    /// GET for an event stream.
    Stream,
    /// DELETE of the session.
    End,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Got {
    /// It worked.
    Ok,
    /// Nothing knows the name.
    NameUnknown,
    /// No DNS server answered whether the name is known.
    NoAnswer,
    /// The name has IPv6 addresses only.
    OnlyIpv6,
    /// None of its addresses may be dialled.
    NotAllowed,
    /// Connection refused.
    Refused,
    /// Nothing within the time.
    Timeout,
    /// No route to the host or network.
    Unreachable,
    /// The connection was closed or reset before an answer.
    Closed,
    /// The TLS handshake failed.
    Tls(TlsFault),
    /// The route says `http` and the server speaks TLS, or the other way round.
    WrongScheme,
    /// HTTP/2 as the answer to HTTP/1.1.
    Http2,
    /// Something that is not HTTP.
    NotHttp(String),
    /// A JSON-RPC response of a content type that MCP clients refuse.
    WrongType(String),
    /// An HTTP answer that is not MCP's.
    Http(Box<Http>),
    /// A JSON-RPC error.
    Rpc {
        /// HTTP status.
        status: u16,
        /// JSON-RPC error code.
        code: i64,
        /// JSON-RPC error message.
        message: String,
    },
}

impl Got {
    /// The HTTP status, where an answer has one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Http(http) => Some(http.status),
            Self::Rpc { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the server wrote.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Http(http) => &http.body,
            Self::Rpc { message, .. } | Self::NotHttp(message) => message,
            _ => "",
        }
    }
}

/// Why a TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsFault {
    /// The certificate leads to none of the trust anchors.
    UnknownIssuer,
    /// It does not cover the upstream's host; the names that it has.
    OtherName(Vec<String>),
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Its extended key usage leaves out servers.
    NotForServers,
    /// There is no trust anchor at all.
    NoAnchor,
    /// What came back is not TLS, or nothing came.
    NotTls,
    /// The server wants a client certificate.
    ClientCertificate,
    /// Another one, in rustls' words.
    Other(String),
}

/// An HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Http {
    /// Status code.
    pub(crate) status: u16,
    /// Content type without parameters, lower case.
    pub(crate) content_type: String,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// Scheme of `WWW-Authenticate`, such as `Bearer`.
    pub(crate) challenge: Option<String>,
    /// `Server`.
    pub(crate) software: Option<String>,
    /// Beginning of the body.
    pub(crate) body: String,
}
