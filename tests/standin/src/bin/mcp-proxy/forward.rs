//! A request on its way to the upstream and back.

use crate::config::{Config, Text, Upstream, network, origin};
use crate::log::{Level, Log};
use mcp_tunnels_standin::{dns, errno_text, http};
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// One request: find its route, check the upstream's address, hand everything over, hand the answer back.
pub(crate) fn route(config: &Config, log: Log, mut client: TcpStream) -> io::Result<()> {
    let head = http::Head::read(&mut client)?;
    let host = head.field("host").unwrap_or_default().to_owned();
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host.as_str(), |(h, _)| h);
    let bare = name.strip_suffix(&config.tunnel_domain.0).and_then(|name| name.strip_suffix('.'));
    let found = config.routes.get(name).or_else(|| bare.and_then(|name| config.routes.get(name)));
    let Some(Text(upstream)) = found else {
        log.line(Level::Warn, "no route for host", &[("host", json!(name))]);
        return http::answer(&mut client, "502 Bad Gateway", "text/plain", "No route configured for host\n");
    };
    let mut words = head.line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    log.line(
        Level::Info,
        "request started",
        &[("method", json!(method)), ("host", json!(name)), ("path", json!(path)), ("upstream", json!(upstream))],
    );
    let started = Instant::now();
    match forward(config, upstream, &head, &mut client) {
        Ok(status) => {
            let spent = started.elapsed().as_millis() as u64;
            log.line(
                Level::Info,
                "request completed",
                &[("host", json!(name)), ("status", json!(status)), ("duration_ms", json!(spent))],
            );
            Ok(())
        }
        Err(error) => {
            log.line(
                Level::Error,
                "upstream request failed",
                &[("host", json!(name)), ("upstream", json!(upstream)), ("error", json!(error))],
            );
            http::answer(&mut client, "502 Bad Gateway", "text/plain", "Bad Gateway\n")?;
            // The thread that hands the body up may still hold the connection.
            client.shutdown(Shutdown::Both)
        }
    }
}

fn forward(config: &Config, upstream: &str, head: &http::Head, client: &mut TcpStream) -> Result<u16, String> {
    let (scheme, host, port) = origin(upstream).ok_or("invalid upstream")?;
    if scheme == "https" {
        return Err("the stand-in speaks no TLS to upstreams".into());
    }
    if host.starts_with('[') {
        return Err(format!("IP validation failed: {} is not a private address", host.trim_matches(['[', ']'])));
    }
    let address = *dns::ipv4(host).map_err(|error| format!("dial tcp: {error}"))?.first().ok_or("no address")?;
    if !allowed(&config.upstream, address) {
        return Err(format!("IP validation failed: {address} is not a private address"));
    }
    let target = SocketAddrV4::new(address, port);
    let dial = |error: io::Error| format!("dial tcp4 {target}: {}", errno_text(&error));
    let mut server = TcpStream::connect_timeout(&target.into(), Duration::from_secs(10)).map_err(dial)?;
    let broken = |error: io::Error| format!("read tcp {target}: {error}");

    let mut request = format!("{}\r\n", head.line);
    for (name, value) in head.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection")) {
        request += &format!("{name}: {value}\r\n");
    }
    request += "Connection: close\r\n\r\n";
    server.write_all(request.as_bytes()).and_then(|()| server.write_all(&head.rest)).map_err(broken)?;

    // The rest of the body goes up while the answer comes down; a client that hangs up is hung up on.
    let (mut from, mut to) = (client.try_clone().map_err(broken)?, server.try_clone().map_err(broken)?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    // The status line may come in pieces.
    let mut beginning = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while !beginning.contains(&b'\n') {
        let count = server.read(&mut chunk).map_err(broken)?;
        if count == 0 || beginning.len() > chunk.len() {
            return Err("EOF".into());
        }
        beginning.extend_from_slice(&chunk[..count]);
    }
    let line = String::from_utf8_lossy(&beginning);
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("EOF")?;
    let mut sent = client.write_all(&beginning).is_ok();
    while sent {
        let count = server.read(&mut chunk).map_err(broken)?;
        sent = count > 0 && client.write_all(&chunk[..count]).is_ok();
    }
    let _ = client.shutdown(Shutdown::Both);
    Ok(status)
}

/// Private by RFC 1918, unless `allowed_ips` says otherwise.
fn allowed(upstream: &Upstream, address: Ipv4Addr) -> bool {
    if upstream.disable_ip_validation {
        return true;
    }
    if upstream.allowed_ips.is_empty() {
        return address.is_private();
    }
    let ranges = upstream.allowed_ips.iter().filter_map(|range| network(&range.0));
    ranges.into_iter().any(|(base, mask)| u32::from(address) & mask == base)
}
