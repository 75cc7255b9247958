//! The MCP client that tries one route, the way the proxy would reach it.

mod http;
mod mcp;
mod messages;
mod sse;
mod stream;
mod tls;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};

use self::http::{Request, Security};
use self::mcp::{Client, Met};
use self::messages::{PathOnHost, redirected};
use super::wire::{Got, Http, LONGEST_LOOKUP, Metrics, ProbeTarget, Seen, Step, TlsFault, Try};
use crate::os::network::Network;
use crate::os::process;

/// Paths that are asked at most, where redirects lead from one to the next.
const LONGEST_WAY: usize = 10;

/// Tries a route; never longer than its limit.
pub(super) fn try_route(network: &dyn Network, target: &ProbeTarget) -> Seen {
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(target.limit_ms);
    let mut seen = Seen::default();
    let ms = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let below = |got: Got, ms: u64| Try { step: Step::Lookup, path: String::new(), host: String::new(), got, ms };
    match look_up(&target.host, deadline.min(begun + Duration::from_millis(LONGEST_LOOKUP))) {
        Err(got) => seen.tries.push(below(got, ms())),
        Ok(addresses) => {
            let allowed: Vec<Ipv4Addr> =
                addresses.iter().copied().filter(|address| target.allowed.includes(*address)).collect();
            seen.addresses = addresses;
            seen.tries.push(below(if allowed.is_empty() { Got::NotAllowed } else { Got::Ok }, ms()));
            if !allowed.is_empty() {
                let mut client = Client::new(network, target, allowed, deadline);
                if let Met::Server(server) = search(target, &mut client) {
                    seen.server = Some(*server);
                }
                seen.tries.append(&mut client.tries);
            }
        }
    }
    seen.ms = ms();
    seen
}

/// Asks at the path that Claude calls; where that is not an MCP endpoint, finds out what is wrong.
fn search(target: &ProbeTarget, client: &mut Client<'_>) -> Met {
    let asked = PathOnHost { path: &target.path, host: &target.tunnel_host };
    let got = match client.meet(asked, false) {
        Met::Other(got) => got,
        met => return met,
    };
    let (status, http) = match &got {
        Got::Http(http) => (http.status, Some(&**http)),
        Got::Rpc { status, .. } => (*status, None),
        _ => (0, None),
    };
    let garbled = matches!(got, Got::Closed | Got::NotHttp(_) | Got::Tls(TlsFault::NotTls));
    if (garbled || status == 400 && !target.https) && client.speaks_other_scheme(asked) {
        return Met::Other(got);
    }
    let elsewhere = matches!(status, 200..=399 | 404 | 405 | 410 | 501);
    if let Some(met) = elsewhere.then(|| other_path(target, client, http)).flatten() {
        return met;
    }
    // The host name is tried after any refusal; a web server may have another site for it.
    let own = [format!("localhost:{}", target.port), format!("{}:{}", target.host, target.port)];
    let may_be_host = got == Got::Closed || matches!(status, 200..=499) && !matches!(status, 405 | 406 | 429);
    for host in own.iter().filter(|_| may_be_host) {
        if client.is_late() || !matches!(client.meet(PathOnHost { path: &target.path, host }, true), Met::Other(_)) {
            break;
        }
    }
    Met::Other(got)
}

/// The first of the usual paths at which an MCP server answers; those that redirects name come first.
fn other_path(target: &ProbeTarget, client: &mut Client<'_>, http: Option<&Http>) -> Option<Met> {
    let mut paths: VecDeque<String> = target.other_paths.iter().cloned().collect();
    let mut asked = vec![target.path.clone()];
    if let Some(path) = http.and_then(|http| redirected(http, &target.path)) {
        paths.push_front(path);
    }
    while let Some(path) = paths.pop_front() {
        if client.is_late() || asked.contains(&path) {
            continue;
        }
        asked.push(path.clone());
        match client.meet(PathOnHost { path: &path, host: &target.tunnel_host }, false) {
            Met::Server(server) => return Some(Met::Server(server)),
            Met::Other(Got::Http(http)) => {
                if let Some(path) = redirected(&http, &path).filter(|_| asked.len() < LONGEST_WAY) {
                    paths.push_front(path);
                }
            }
            // A server that wants a credential everywhere does not tell which paths it serves.
            Met::Challenge | Met::Other(_) => {}
        }
    }
    None
}

/// Addresses of a name, by the resolver of the container: its hosts file, then Docker's DNS. IPv4 only, as the proxy.
fn look_up(host: &str, deadline: Instant) -> Result<Vec<Ipv4Addr>, Got> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let (send, answer) = mpsc::channel();
    let name = host.to_owned();
    // The resolver has its own timeouts; a late thread is abandoned.
    let ask = move || send.send(resolve(&name));
    // Without a thread nothing is sent, which is not an answer within the time.
    let _ = process::spawn(ask);
    answer.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or(Err(Got::Timeout))
}

/// What the resolver says of a name: that it is unknown only where a DNS server said so.
fn resolve(host: &str) -> Result<Vec<Ipv4Addr>, Got> {
    let ask = |family: AddrFamily| {
        let socktype = SockType::Stream.into();
        let hints = AddrInfoHints { address: family.into(), socktype, ..AddrInfoHints::default() };
        getaddrinfo(Some(host), None, Some(hints))
    };
    let found = ask(AddrFamily::Inet).map_err(|fault| match fault.kind() {
        _ if ask(AddrFamily::Inet6).is_ok() => Got::OnlyIpv6,
        LookupErrorKind::NoName | LookupErrorKind::NoData => Got::NameUnknown,
        _ => Got::NoAnswer,
    })?;
    let mut addresses: Vec<Ipv4Addr> = found
        .filter_map(|entry| match entry.ok()?.sockaddr.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect();
    addresses.dedup();
    if addresses.is_empty() { Err(Got::NameUnknown) } else { Ok(addresses) }
}

/// cloudflared's numbers, from the first address that serves them.
pub(super) fn read_metrics(network: &dyn Network, addresses: &[String], limit: Duration) -> Option<Metrics> {
    let deadline = Instant::now() + limit;
    let mut parsed = addresses.iter().filter_map(|address| address.parse().ok());
    parsed.find_map(|address| metrics_at(network, address, deadline))
}

fn metrics_at(network: &dyn Network, address: SocketAddr, deadline: Instant) -> Option<Metrics> {
    let host = address.to_string();
    let to = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddrV4::new(Ipv4Addr::LOCALHOST, v4.port()),
        SocketAddr::V4(v4) => v4,
        SocketAddr::V6(_) => return None,
    };
    let get = |path: &str| {
        let connection = http::connect(network, to, deadline).ok()?;
        let request = Request { method: "GET", path, host: &host, headers: Vec::new(), body: None };
        let mut reply = http::send(http::open(connection, Security::Plain, deadline).ok()?, &request).ok()?;
        reply.whole();
        Some(String::from_utf8_lossy(&reply.body).into_owned())
    };
    let text = get("/metrics")?;
    let mut metrics = parse_metrics(&text)?;
    // `/ready` is what the health check asks; older versions have it, too.
    let ready: Option<serde_json::Value> = get("/ready").and_then(|text| serde_json::from_str(&text).ok());
    let connections = ready.and_then(|ready| ready["readyConnections"].as_u64());
    metrics.connections = connections.and_then(|n| u32::try_from(n).ok()).or(metrics.connections);
    Some(metrics)
}

/// The lines of Prometheus' text format that count; `None` where none of them is cloudflared's.
fn parse_metrics(text: &str) -> Option<Metrics> {
    let mut metrics = Metrics::default();
    let mut known = false;
    for line in text.lines() {
        let Some((series, value)) = line.trim().rsplit_once(' ') else { continue };
        let Some(series) = series.strip_prefix("cloudflared_tunnel_") else { continue };
        // Numbers of Prometheus are floats, also where they count.
        let Ok(value) = value.parse::<f64>() else { continue };
        let count = value.max(0.0) as u64;
        known = true;
        match series {
            "ha_connections" => metrics.connections = u32::try_from(count).ok(),
            "total_requests" => metrics.requests = Some(count),
            "request_errors" => metrics.errors = Some(count),
            "concurrent_requests_per_tunnel" => metrics.open = Some(count),
            _ => {
                let code = series.strip_prefix("response_by_code{status_code=\"").and_then(|s| s.strip_suffix("\"}"));
                metrics.responses.extend(code.and_then(|code| Some((code.parse().ok()?, count))));
            }
        }
    }
    known.then_some(metrics)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::super::wire::{Allowed, Trust};
    use super::*;
    use crate::os::network::Tcp;

    /// A server that leaves its first request without an answer, knows no `initialize`, and answers `server/discover`.
    fn cold_server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut cold = Vec::new();
            for mut tcp in listener.incoming().take(8).flatten() {
                if cold.is_empty() {
                    cold.push(tcp);
                    continue;
                }
                let mut asked = [0; 4096];
                let length = tcp.read(&mut asked).unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
                let result = r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"tools":[]}}"#;
                let (status, body) =
                    if asked.contains("\"initialize\"") { ("404 Not Found", "no") } else { ("200 OK", result) };
                let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
                let _ = write!(tcp, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
            }
        });
        port
    }

    #[test]
    fn a_server_that_is_slow_at_first_is_not_said_to_be_at_another_path() {
        let target = ProbeTarget {
            route: None,
            https: false,
            host: "127.0.0.1".into(),
            port: cold_server(),
            tunnel_host: "cold.abcd1234.tunnel.anthropic.com".into(),
            path: "/mcp".into(),
            other_paths: vec!["/mcp/".into()],
            allowed: Allowed::Anything,
            trust: Trust::default(),
            limit_ms: 2000,
        };
        let seen = try_route(&Tcp, &target);
        assert_eq!(seen.server.as_ref().map(|server| server.path.as_str()), Some("/mcp"), "{seen:#?}");
    }

    #[test]
    fn cloudflareds_numbers_are_read() {
        let text = "# HELP cloudflared_tunnel_ha_connections Number of active ha connections\n\
                    # TYPE cloudflared_tunnel_ha_connections gauge\ncloudflared_tunnel_ha_connections 4\n\
                    cloudflared_tunnel_request_errors 1\n\
                    cloudflared_tunnel_response_by_code{status_code=\"200\"} 1.2e+06\n\
                    cloudflared_tunnel_response_by_code{status_code=\"502\"} 3\n\
                    cloudflared_tunnel_total_requests 12\ngo_goroutines 8\n";
        let metrics = parse_metrics(text).unwrap();
        assert_eq!(
            (metrics.connections, metrics.requests, metrics.errors, metrics.responses.as_slice()),
            (Some(4), Some(12), Some(1), &[(200, 1_200_000), (502, 3)][..])
        );
        assert_eq!(parse_metrics("go_goroutines 8\n<html>"), None);
    }
}
