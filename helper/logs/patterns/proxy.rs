//! Lines of Anthropic's proxy: the words of Anthropic's troubleshooting page around Go's own errors. Its format is not
//! documented, so the words are looked for anywhere in a line.

use super::pattern::Tell::{Own, Shared};
use super::pattern::{Event, Pattern, call, event, fatal, noise};
use crate::rules::RuleId::*;

/// Advice where the connection exists and no answer comes.
const HANGS: &str = "the server hangs: read its log of that moment, look for what blocks (a call to another service without a timeout, a lock, a single worker that is busy), and give that a timeout";
const SILENT_DNS: &str = "if it is the name of a container, start that or correct the name (`{helper} check --dir {dir}` compares them): the engine's DNS passes on what it does not know; otherwise check the DNS servers in `/etc/resolv.conf` of the engine's host: none of them answered in time";

/// The first that fits counts.
#[rustfmt::skip]
pub(crate) static PROXY: &[Pattern] = &[
    event(Event::Route, &["route configured"]).tells(&[Own]),
    event(Event::ProxyStart, &["starting mcp-proxy"]).tells(&[Own]),
    event(Event::CallStarted, &["request started"]).tells(&[Own]),
    event(Event::CallDone, &["request completed"]).tells(&[Own]),
    fatal(ProxyConfigRoutesList, &["cannot unmarshal !!seq into map[string]string"]).tells(&[Own]),
    fatal(ProxyConfigType, &["cannot unmarshal !!", "not found in type"]),
    fatal(ProxyConfigYaml, &["yaml: line ", "yaml: found "]),
    fatal(ProxyConfigUpstream, &["invalid upstream (must be scheme://host:port)"]).tells(&[Own]),
    fatal(ProxyConfigIsDir, &["config.yaml: is a directory"]).tells(&[Own]),
    fatal(ProxyConfigDenied, &["config.yaml: permission denied"]).tells(&[Own]),
    fatal(ProxyConfigMissing, &["config.yaml: no such file or directory"]).tells(&[Own]),
    fatal(ProxyKeyDenied, &["open /data/tls.…permission denied"]).tells(&[Own]),
    fatal(ProxyCertMissing, &["open /data/tls.…no such file or directory"]).tells(&[Own]),
    fatal(ProxyCertMismatch, &["tls: private key…does not match public key"]),
    fatal(ProxyCertSwapped, &["PEM inputs may have been switched"]),
    fatal(ProxyCertEmpty, &["tls: failed to find", "x509: malformed", "x509: invalid"]),
    fatal(ProxyKeyEncrypted, &["tls: failed to parse private key"]),
    fatal(ProxyPortTaken, &["bind: address already in use"]),
    fatal(ListenAddrInvalid, &["missing port in address", "listen tcp…unknown port"]),
    fatal(UpstreamCaMissing, &["open /data/…no such file or directory"]),
    call(TlsUnknownCa, &["remote error: tls: unknown certificate authority"]),
    call(TlsBadCert, &["remote error: tls: bad certificate"]),
    call(TlsExpired, &["remote error: tls: expired certificate"]),
    call(TlsUnsupportedCert, &["remote error: tls: unsupported certificate"]),
    call(TlsRejectedOpaque, &["local error: tls: bad record MAC"]),
    call(TlsOtherAlert, &["remote error: tls: unknown certificate", "remote error: tls: certificate required",
        "remote error: tls: handshake failure", "remote error: tls: protocol version not supported",
        "remote error: tls: internal error", "remote error: tls: revoked certificate",
        "remote error: tls: unrecognized name", "remote error: tls: access denied",
        "remote error: tls: decrypt error"]),
    // Probes of the listener: Anthropic's side neither speaks plain text nor goes away in the handshake.
    noise(&["tls handshake failed"]).tells(&[Own]),
    noise(&["TLS handshake error"]).tells(&[Shared]),
    noise(&["client offered only unsupported versions", "no cipher suite supported by both client and server"]),
    call(NoRoute, &["no route for host"]).tells(&[Own]),
    call(UpstreamIpRejected, &["IP validation failed"]).tells(&[Own]),
    call(UpstreamTls, &["x509: certificate", "x509: cannot validate certificate"]),
    call(UpstreamNotHttp, &["server gave HTTP response to HTTPS client",
        "tls: first record does not look like a TLS handshake"]),
    call(UpstreamDns, &[": lookup …no such host"]),
    // Not that the name is unknown: no DNS server said anything of it.
    call(UpstreamDns, &[": lookup …server misbehaving", ": lookup …i/o timeout",
        ": lookup …Temporary failure in name resolution"]).fix(SILENT_DNS),
    call(UpstreamRefused, &["connect: connection refused"]),
    call(UpstreamTimeout, &["dial tcp…i/o timeout", "dial tcp…context deadline exceeded",
        "request canceled while waiting for connection"]),
    call(UpstreamTimeout, &["i/o timeout", "exceeded while awaiting headers"]).fix(HANGS),
    call(UpstreamTimeout, &["context deadline exceeded"]),
    call(UpstreamTimeout, &["timeout awaiting response headers"]).fix(HANGS),
    call(UpstreamTimeout, &["connect: no route to host", "connect: network is unreachable"]),
    call(UpstreamNotHttp, &["malformed HTTP response"]),
    // The caller hung up.
    noise(&["upstream request failed…context canceled"]),
    call(UpstreamFailed, &["upstream request failed"]),
];
