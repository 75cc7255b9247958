//! The metrics port: readiness, counters, and calls that a test brings in.

use crate::log::Log;
use mcp_tunnels_standin::{dns, errno_text, http};
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Which of the connections are up.
pub(crate) type Connections = Arc<[AtomicBool; 4]>;

/// Calls since the start, as `proxy/metrics.go` counts them: a request as it arrives, an error where the origin cannot
/// be reached, a response code once an answer that is not a WebSocket has passed.
#[derive(Default)]
struct Calls {
    requests: u64,
    errors: u64,
    open: u64,
    responses: BTreeMap<u16, u64>,
}

/// Brings a call to the origin as if it had come through the tunnel: the request of an MCP client for a host and a path.
/// The real one opens a WebSocket, which has no response code of its own.
fn bring(origin: &str, host: &str, path: &str, log: &Log, calls: &Mutex<Calls>) {
    let count = |change: fn(&mut Calls)| change(&mut calls.lock().unwrap_or_else(PoisonError::into_inner));
    count(|calls| (calls.requests, calls.open) = (calls.requests + 1, calls.open + 1));
    let address = origin.trim_start_matches("http://");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {},
        "protocolVersion": "2025-06-18", "clientInfo": {"name": "standin", "version": "1"}}});
    let fields = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];
    let answer = resolve(address).and_then(|found| {
        let answer = http::call(found, "POST", path, host, &fields, Some(&message.to_string()));
        answer.map_err(|error| format!("dial tcp {found}: {}", errno_text(&error)))
    });
    if let Err(error) = answer {
        count(|calls| calls.errors += 1);
        let reason = format!(
            "Unable to reach the origin service. The service may be down or it may not be responding to traffic from \
             cloudflared: {error}"
        );
        let fields = [("connIndex", json!(0)), ("event", json!(1)), ("originService", json!(origin))];
        log.line(3, "", Some(&reason), &fields);
    }
    count(|calls| calls.open -= 1);
}

/// The origin's address, or Go's words.
fn resolve(origin: &str) -> Result<SocketAddr, String> {
    let (host, port) = origin.rsplit_once(':').unwrap_or((origin, "80"));
    let port = port.parse().map_err(|_| format!("dial tcp: lookup tcp/{port}: unknown port"))?;
    let found = dns::ipv4(host).map_err(|error| format!("dial tcp: {error}"))?;
    Ok(SocketAddr::new(found[0].into(), port))
}

pub(crate) fn serve_metrics(
    address: Option<&str>,
    log: &Log,
    connections: &Connections,
    connector: &str,
    origin: &str,
) {
    let defaults: Vec<String> = (20241..=20245).map(|port| format!("0.0.0.0:{port}")).collect();
    let bound = match address {
        Some(address) => TcpListener::bind(address).map(|listener| (listener, address.to_owned())),
        None => defaults
            .iter()
            .find_map(|address| Some((TcpListener::bind(address).ok()?, address.replace("0.0.0.0", "[::]"))))
            .ok_or_else(|| io::Error::from_raw_os_error(98)),
    };
    let (listener, shown) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            let address = address.unwrap_or("0.0.0.0:20241");
            let reason = format!("listen tcp {address}: {}", errno_text(&error));
            log.error("Error opening metrics server listener", &reason, &[]);
            log.fatal(&format!("Error opening metrics server listener: {reason}"))
        }
    };
    log.info(&format!("Starting metrics server on {shown}/metrics"), &[]);
    let (connections, connector) = (Arc::clone(connections), connector.to_owned());
    let (log, origin) = (log.clone(), origin.to_owned());
    thread::spawn(move || {
        let calls: Arc<Mutex<Calls>> = Arc::default();
        for mut client in listener.incoming().flatten() {
            let _ = client.set_read_timeout(Some(Duration::from_secs(2)));
            let Ok(head) = http::Head::read(&mut client) else { continue };
            let up = connections.iter().filter(|up| up.load(Ordering::Relaxed)).count();
            let (status, code) = if up > 0 { ("200 OK", 200) } else { ("503 Service Unavailable", 503) };
            // A client that went away does not matter.
            let _ = match head.line.split(' ').nth(1) {
                Some("/ready") => {
                    let body = format!(r#"{{"status":{code},"readyConnections":{up},"connectorId":"{connector}"}}"#);
                    http::answer(&mut client, status, "application/json", &body)
                }
                Some("/healthcheck") => http::answer(&mut client, "200 OK", "text/plain", "OK\n"),
                Some("/metrics") => http::answer(&mut client, "200 OK", "text/plain", &metrics(up, &calls)),
                // No call comes here through an edge: a test says that one has, for a host and a path, or with a status
                // and no more than that.
                Some(path) if path.starts_with("/standin/call/") => {
                    let call = path.trim_start_matches("/standin/call/").to_owned();
                    let (log, origin, calls) = (log.clone(), origin.clone(), Arc::clone(&calls));
                    // A server may take its time, or never answer.
                    thread::spawn(move || match call.split_once('/') {
                        Some((host, path)) => bring(&origin, host, &format!("/{path}"), &log, &calls),
                        None => count(call.parse().unwrap_or(200), &calls),
                    });
                    http::answer(&mut client, "200 OK", "text/plain", "")
                }
                _ => http::answer(&mut client, "404 Not Found", "text/plain", "404 page not found\n"),
            };
        }
    });
}

/// Counts a call that was not made. 502 is what cloudflared answers where it does not reach the origin.
fn count(status: u16, calls: &Mutex<Calls>) {
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.requests += 1;
    if status == 502 {
        calls.errors += 1;
    } else {
        *calls.responses.entry(status).or_insert(0) += 1;
    }
}

/// `/metrics`, as far as it is about the tunnel: connections, and calls since the start.
fn metrics(up: usize, calls: &Mutex<Calls>) -> String {
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    let mut series = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        text += &format!("# HELP cloudflared_tunnel_{name} {help}\n# TYPE cloudflared_tunnel_{name} {kind}\n");
        for (labels, value) in values {
            text += &format!("cloudflared_tunnel_{name}{labels} {value}\n");
        }
    };
    let one = |value: u64| [(String::new(), value)];
    let responses: Vec<(String, u64)> =
        calls.responses.iter().map(|(code, count)| (format!("{{status_code=\"{code}\"}}"), *count)).collect();
    let open = "Concurrent requests proxied through each tunnel";
    series("concurrent_requests_per_tunnel", "gauge", open, &one(calls.open));
    series("ha_connections", "gauge", "Number of active ha connections", &one(up as u64));
    series("request_errors", "counter", "Count of error proxying to origin", &one(calls.errors));
    series("response_by_code", "counter", "Count of responses by HTTP status code", &responses);
    series("total_requests", "counter", "Amount of requests proxied through all the tunnels", &one(calls.requests));
    text
}
