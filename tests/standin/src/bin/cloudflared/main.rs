//! Plays `cloudflared` 2026.3.0: its command line, its token, its log lines, its readiness. It dials nothing.
//!
//! The edge is scripted by the token, so that nothing else in a deployment has to change for a test: the secret `s`
//! of the token, decoded, starts with a word that says what the edge does.
//!
//! | word | what happens |
//! |---|---|
//! | `revoked` | every registration is refused; over QUIC the reason stays hidden, as in the real one |
//! | `two` | only connections 0 and 1 register |
//! | `slow` | the first registration takes eight seconds |
//! | `drop` | all four register; five seconds later connection 2 is lost and never comes back |
//! | `flap` | all four register; five seconds later connection 1 is lost, and is back after three more |
//! | `blocked` | UDP to the edge is dropped: every dial runs into its timeout |
//! | `noquic` | the kernel lacks a system call of QUIC's; after five attempts all four register over HTTP/2 |
//! | anything else | all four register: 0 and 1 at once, 2 and 3 a second apart |
//!
//! A call is brought in over the metrics port: `POST /standin/call/HOST/PATH` sends the first request of an MCP client to
//! `--url`, as if it had come through the tunnel; `POST /standin/call/CODE` only counts one.
//!
//! Whatever the script, a network namespace without a default route loses all connections, as it does when the
//! container that owns the namespace has died; and where the MTU of that route is below 1280, no packet of QUIC fits.

mod command_line;
mod edge;
mod log;
mod metrics;
mod network;
mod token;

use command_line::CommandLine;
use edge::Edge;
use log::Log;
use mcp_tunnels_standin::{errno_text, http, on_stop};
use metrics::{Connections, serve_metrics};
use network::{local_address, online, uuid};
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::net::ToSocketAddrs;
use std::process::exit;
use std::sync::Arc;
use token::Token;

const VERSION: &str = "2026.3.0";
const CHECKSUM: &str = "8a538146e7d385e36323e8ba3679948258d9139aa27170f457df87e1d3460617";

fn main() {
    let line = CommandLine::parse(env::args().skip(1));
    match line.commands.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["version"] => println!("cloudflared version {VERSION} (built 2026-03-09-12:00 UTC)"),
        ["tunnel", "ready"] => ready(&line),
        ["tunnel", "run"] => run(&line),
        ["tunnel", "run", name] => {
            eprintln!("error parsing tunnel ID: {name} is neither the ID nor the name of any of your tunnels");
            exit(1)
        }
        other => {
            eprintln!("Incorrect Usage: the stand-in knows version, tunnel run and tunnel ready, not {other:?}");
            exit(1)
        }
    }
}

/// `tunnel ready`: asks the metrics server of the running process.
fn ready(line: &CommandLine) {
    let Some(metrics) = line.get("metrics") else {
        eprintln!("--metrics has to be provided");
        exit(1)
    };
    let url = format!("http://{metrics}/ready");
    let address = metrics.to_socket_addrs().ok().and_then(|mut found| found.next());
    let answer = address
        .ok_or_else(|| io::ErrorKind::NotFound.into())
        .and_then(|address| http::call(address, "GET", "/ready", metrics, &[], None));
    match answer {
        Ok((head, _)) if head.status() == 200 => {}
        Ok((head, body)) => {
            let body = String::from_utf8_lossy(&body);
            eprintln!("{url} endpoint returned status code {}\n{body}", head.status());
            exit(1)
        }
        Err(error) => {
            eprintln!("Get \"{url}\": dial tcp {metrics}: {}", errno_text(&error));
            exit(1)
        }
    }
}

fn run(line: &CommandLine) {
    let log = Log::new(line);
    let (token, script) = Token::read(line);
    if !token.endpoint.is_empty() && line.get("region").is_some() {
        log.fatal("region provided with a token that has an endpoint");
    }
    log.info(&format!("Starting tunnel tunnelID={}", token.tunnel), &[]);
    log.info(&format!("Version {VERSION} (Checksum {CHECKSUM})"), &[]);
    log.info("GOOS: linux, GOVersion: go1.24.4, GoArch: amd64", &[]);
    if let Some(settings) = line.get("") {
        log.info(&format!("Settings: map[{settings}]"), &[]);
    }
    let variables: BTreeMap<String, String> = env::vars()
        .filter(|(name, value)| name.contains("TUNNEL_") && !value.contains('='))
        .map(|(name, value)| if name == "TUNNEL_TOKEN" { (name, "*****".into()) } else { (name, value) })
        .collect();
    if !variables.is_empty() {
        let variables: Vec<String> = variables.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        log.info(&format!("Environmental variables map[{}]", variables.join(" ")), &[]);
    }
    let connector = uuid();
    log.info(&format!("Generated Connector ID: {connector}"), &[]);
    let protocol = line.get("protocol").filter(|protocol| *protocol != "auto").unwrap_or("quic").to_owned();
    if !matches!(protocol.as_str(), "quic" | "http2") {
        log.fatal(&format!("unknown protocol {protocol}, Available protocols: [auto quic http2]"));
    }
    log.info(&format!("Initial protocol {protocol}"), &[]);
    let source = local_address();
    for _ in 0..2 {
        log.info(&format!("ICMP proxy will use {source} as source for IPv4"), &[]);
        log.info("ICMP proxy will use :: as source for IPv6", &[]);
    }
    let connections: Connections = Arc::default();
    let origin = line.get("url").unwrap_or_default();
    serve_metrics(line.get("metrics"), &log, &connections, &connector, origin);
    if !online() {
        let lookup = "lookup _v2-origintunneld._tcp.argotunnel.com on 127.0.0.11:53: server misbehaving";
        log.error("edge discovery: error looking up Cloudflare edge IPs: the DNS query failed", lookup, &[]);
        log.error(
            "Initiating shutdown",
            &format!("Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com: {lookup}"),
            &[],
        );
        exit(1);
    }
    let edge = Edge { log: log.clone(), connections, protocol };
    let stopping = edge.clone();
    let stopped = on_stop(move |signal| stopping.stop(signal));
    if let Err(error) = stopped {
        log.fatal(&error.to_string());
    }
    edge.play(&script)
}
