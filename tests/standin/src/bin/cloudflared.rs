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

use mcp_tunnels_standin::{clock, dns, encoding, errno_text, go_error, http, on_stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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

/// Commands in their order, and flags wherever they stand.
struct CommandLine {
    commands: Vec<String>,
    flags: BTreeMap<String, String>,
}

impl CommandLine {
    fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let known = [
            ("metrics", "TUNNEL_METRICS"),
            ("protocol", "TUNNEL_TRANSPORT_PROTOCOL"),
            ("loglevel", "TUNNEL_LOGLEVEL"),
            ("output", "TUNNEL_LOG_OUTPUT"),
            ("url", "TUNNEL_URL"),
            ("token", "TUNNEL_TOKEN"),
            ("token-file", "TUNNEL_TOKEN_FILE"),
            ("grace-period", "TUNNEL_GRACE_PERIOD"),
            ("edge-ip-version", "TUNNEL_EDGE_IP_VERSION"),
            ("region", "TUNNEL_REGION"),
            ("retries", "TUNNEL_RETRIES"),
        ];
        let mut parsed = Self { commands: Vec::new(), flags: BTreeMap::new() };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            if argument == "--version" || argument == "-v" {
                parsed.commands = vec!["version".into()];
                return parsed;
            }
            let Some(flag) = argument.strip_prefix('-').map(|flag| flag.trim_start_matches('-')) else {
                parsed.commands.push(argument);
                continue;
            };
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            let name = if name == "p" { "protocol" } else { name };
            let value = match value {
                Some(value) => value.to_owned(),
                None if name == "no-autoupdate" => "true".into(),
                None if known.iter().any(|(flag, _)| *flag == name) => arguments.next().unwrap_or_else(|| {
                    eprintln!("Incorrect Usage: flag needs an argument: -{name}");
                    exit(1)
                }),
                None => {
                    eprintln!("Incorrect Usage: flag provided but not defined: -{name}");
                    exit(1)
                }
            };
            parsed.flags.insert(name.to_owned(), value);
        }
        // What logs as a setting was on the command line; the environment fills in behind it.
        let settings: Vec<String> = parsed.settings();
        for (flag, variable) in known {
            if let Ok(value) = env::var(variable) {
                parsed.flags.entry(flag.to_owned()).or_insert(value);
            }
        }
        parsed.flags.insert(String::new(), settings.join(" "));
        parsed
    }

    /// An option that has a value; an empty one counts as absent.
    fn get(&self, flag: &str) -> Option<&str> {
        self.flags.get(flag).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn settings(&self) -> Vec<String> {
        let mut shown = self.flags.clone();
        if let Some(protocol) = shown.get("protocol").cloned() {
            shown.insert("p".into(), protocol);
        }
        shown.iter().map(|(flag, value)| format!("{flag}:{}", if flag == "token" { "*****" } else { value })).collect()
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

fn usage_error(text: &str) -> ! {
    eprintln!("{text}\nSee 'cloudflared tunnel run --help'.");
    exit(255)
}

/// What a token holds. It is printed nowhere.
#[derive(Deserialize)]
struct Token {
    #[serde(default, rename = "a")]
    _account: String,
    #[serde(default, rename = "t")]
    tunnel: String,
    #[serde(default, rename = "s")]
    secret: String,
    #[serde(default, rename = "e")]
    endpoint: String,
}

impl Token {
    /// `ParseToken`: standard base64 of JSON, in it a UUID and a secret in base64.
    fn parse(text: &str) -> Option<(Self, String)> {
        let token: Self = serde_json::from_slice(&encoding::base64(text)?).ok()?;
        let secret = encoding::base64(&token.secret)?;
        let groups: Vec<usize> = token.tunnel.split('-').map(str::len).collect();
        let digits = token.tunnel.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        let uuid = token.tunnel.is_empty() || (digits && (groups == [8, 4, 4, 4, 12] || groups == [32]));
        uuid.then(|| (token, String::from_utf8_lossy(&secret).into_owned()))
    }

    fn read(line: &CommandLine) -> (Self, String) {
        let given = line.get("token").map(str::to_owned);
        let text = given.or_else(|| {
            let path = line.get("token-file")?;
            match fs::read_to_string(path) {
                Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
                Err(error) => usage_error(&format!("Failed to read token file: {}", go_error(path, &error))),
            }
        });
        let Some(text) = text else {
            usage_error(
                "\"cloudflared tunnel run\" requires the ID or name of the tunnel to run as the last command line \
                 argument or in the configuration file.",
            )
        };
        Self::parse(&text).unwrap_or_else(|| usage_error("Provided Tunnel token is not valid."))
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

/// `TIME LVL message error="…" key=value …` on stderr, or one JSON object a line.
#[derive(Clone)]
struct Log {
    least: u8,
    json: bool,
}

type Fields<'a> = &'a [(&'a str, Value)];

impl Log {
    fn new(line: &CommandLine) -> Self {
        let least = match line.get("loglevel").unwrap_or("info") {
            "debug" => 0,
            "info" => 1,
            "warn" => 2,
            "error" => 3,
            "fatal" => 4,
            other => {
                eprintln!("Unknown Level String: '{other}', defaulting to NoLevel");
                1
            }
        };
        let json = line.get("output") == Some("json") || env::var("TUNNEL_MANAGEMENT_OUTPUT").as_deref() == Ok("json");
        Self { least, json }
    }

    fn line(&self, level: u8, message: &str, error: Option<&str>, fields: Fields<'_>) {
        if level < self.least {
            return;
        }
        let (short, long) = [("DBG", "debug"), ("INF", "info"), ("WRN", "warn"), ("ERR", "error")][usize::from(level)];
        let line = if self.json {
            // A fixed field that the console prints as part of the message.
            let (message, tunnel) = message.split_once(" tunnelID=").unwrap_or((message, ""));
            let mut object: Map<String, Value> =
                fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
            object.insert("level".into(), json!(long));
            object.insert("message".into(), json!(message));
            object.insert("time".into(), json!(clock::seconds()));
            object.extend(error.map(|error| ("error".to_owned(), json!(error))));
            object.extend(Some(tunnel).filter(|id| !id.is_empty()).map(|id| ("tunnelID".to_owned(), json!(id))));
            Value::Object(object).to_string()
        } else {
            let mut line = format!("{} {short} {message}", clock::seconds());
            line += &error.map(|error| format!(" error={}", json!(error))).unwrap_or_default();
            for (key, value) in fields {
                line += &format!(" {key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
            line
        };
        // A log without a reader is no reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    }

    fn info(&self, message: &str, fields: Fields<'_>) {
        self.line(1, message, None, fields);
    }

    fn error(&self, message: &str, error: &str, fields: Fields<'_>) {
        self.line(3, message, Some(error), fields);
    }

    fn fatal(&self, error: &str) -> ! {
        eprintln!("{error}");
        exit(1)
    }
}

type Connections = Arc<[AtomicBool; 4]>;

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

fn serve_metrics(address: Option<&str>, log: &Log, connections: &Connections, connector: &str, origin: &str) {
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

/// Whether the namespace still has a way out.
fn online() -> bool {
    way_out().is_some()
}

/// The interface of the default route.
fn way_out() -> Option<String> {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut routes = routes.lines().skip(1).map(str::split_whitespace);
    routes.find_map(|mut words| words.next().filter(|_| words.next() == Some("00000000")).map(str::to_owned))
}

/// Why no packet of QUIC leaves, as its system call says it.
fn fault_of_quic(script: &str) -> Option<&'static str> {
    let mtu = way_out().and_then(|name| fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok());
    match mtu.and_then(|text| text.trim().parse::<u32>().ok()) {
        _ if script.starts_with("noquic") => Some("sendmmsg: function not implemented"),
        Some(..1280) => Some("sendmsg: message too long"),
        _ => None,
    }
}

/// The address that a packet to the edge would carry: no packet is sent.
fn local_address() -> String {
    let address = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(("198.41.192.57", 7844))?;
        socket.local_addr()
    });
    address.map_or("0.0.0.0".into(), |address| address.ip().to_string())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    if read.is_err() {
        let nanos = START.elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
        bytes.iter_mut().zip(nanos.to_le_bytes().into_iter().cycle()).for_each(|(byte, noise)| *byte = noise);
    }
    bytes
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

const HIDDEN: &str = "control stream encountered a failure while serving";
const LOST: &str = "accept stream listener encountered a failure while serving";
const TIMEOUT: &str = "timeout: no recent network activity";
const NO_ADDRESSES: &str = "there are no free edge addresses left to resolve to";

/// Address and location of each connection's edge server.
const SERVERS: [(&str, &str); 4] =
    [("198.41.192.57", "sjc08"), ("198.41.200.23", "lax01"), ("198.41.192.107", "sjc07"), ("198.41.200.113", "lax09")];

#[derive(Clone)]
struct Edge {
    log: Log,
    connections: Connections,
    protocol: String,
}

impl Edge {
    /// The script, until it ends or the network does.
    fn play(&self, script: &str) -> ! {
        let word =
            ["revoked", "two", "slow", "drop", "flap", "blocked"].into_iter().find(|word| script.starts_with(word));
        let fault = fault_of_quic(script).filter(|_| self.protocol == "quic");
        let finished = match word {
            _ if fault.is_some() => self.without_quic(fault.unwrap_or_default()),
            Some("revoked") => self.revoked(),
            Some("blocked") => self.blocked(),
            Some("two") => self.register_all(2),
            Some("slow") => {
                self.dial(0);
                self.pause(8_000) && self.registered(0) && self.register_rest(4)
            }
            Some("drop") => self.register_all(4) && self.pause(5_000) && self.lose(2) && self.keep_failing(2),
            Some("flap") => {
                self.register_all(4) && self.pause(5_000) && self.lose(1) && self.pause(3_000) && self.register(1)
            }
            _ => self.register_all(4),
        };
        if finished {
            while self.pause(60_000) {}
        }
        self.orphaned()
    }

    /// Waits, and says whether the network is still there.
    fn pause(&self, millis: u64) -> bool {
        let end = Instant::now() + Duration::from_millis(millis);
        loop {
            if !online() {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(500)));
        }
    }

    fn fields(&self, index: usize) -> [(&'static str, Value); 3] {
        [("connIndex", json!(index)), ("event", json!(0)), ("ip", json!(SERVERS[index].0))]
    }

    fn dial(&self, index: usize) {
        if self.protocol == "quic" {
            let preferences = "Tunnel connection curve preferences: [X25519MLKEM768 CurveP256]";
            self.log.info(preferences, &self.fields(index));
        }
    }

    fn register(&self, index: usize) -> bool {
        self.dial(index);
        self.registered(index)
    }

    fn registered(&self, index: usize) -> bool {
        let (ip, location) = SERVERS[index];
        let fields = [
            ("connIndex", json!(index)),
            ("connection", json!(uuid())),
            ("event", json!(0)),
            ("ip", json!(ip)),
            ("location", json!(location)),
            ("protocol", json!(self.protocol)),
        ];
        self.connections[index].store(true, Ordering::Relaxed);
        self.log.info("Registered tunnel connection", &fields);
        true
    }

    fn register_all(&self, count: usize) -> bool {
        self.pause(200) && self.register(0) && self.register_rest(count)
    }

    fn register_rest(&self, count: usize) -> bool {
        (1..count).all(|index| self.pause(if index == 1 { 50 } else { 1_000 }) && self.register(index))
    }

    /// The same message is a warning while another connection is up, and an error when none is.
    fn degraded(&self, message: &str, error: Option<&str>, fields: Fields<'_>) {
        let up = self.connections.iter().any(|up| up.load(Ordering::Relaxed));
        self.log.line(if up { 2 } else { 3 }, message, error, fields);
    }

    fn retry(&self, seconds: u64, index: usize) {
        let wait = if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) };
        self.log.info(&format!("Retrying connection in up to {wait}"), &self.fields(index));
    }

    fn lose(&self, index: usize) -> bool {
        let fields = self.fields(index);
        self.connections[index].store(false, Ordering::Relaxed);
        self.log.error(
            "failed to accept incoming stream requests",
            &format!("failed to accept QUIC stream: {TIMEOUT}"),
            &fields,
        );
        self.log.error("failed to run the datagram handler", TIMEOUT, &fields);
        self.degraded("failed to serve tunnel connection", Some(LOST), &fields);
        self.degraded("Serve tunnel error", Some(LOST), &fields);
        self.retry(1, index);
        true
    }

    /// A dial that runs into its timeout, again and again, ever further apart.
    fn keep_failing(&self, index: usize) -> bool {
        let mut wait = 2;
        loop {
            self.dial(index);
            if !self.pause(5_000) {
                return false;
            }
            let fields = self.fields(index);
            let dial = format!("failed to dial to edge with quic: {TIMEOUT}");
            self.log.error("Failed to dial a quic connection", &dial, &fields);
            self.retry(wait, index);
            if !self.pause(wait * 500) {
                return false;
            }
            wait = (wait * 2).min(64);
        }
    }

    /// No packet leaves: after five attempts the real one tries HTTP/2.
    fn without_quic(&self, fault: &str) -> bool {
        let fields = self.fields(0);
        for wait in [1, 2, 4, 8, 16] {
            self.dial(0);
            let error = format!("INTERNAL_ERROR (local): write udp [::]:54321->{}:7844: {fault}", SERVERS[0].0);
            let error = format!("failed to dial to edge with quic: {error}");
            self.log.error("Failed to dial a quic connection", &error, &fields);
            self.retry(wait, 0);
            if !self.pause(wait * 500) {
                return false;
            }
        }
        self.log.info("Switching to fallback protocol http2", &fields);
        Self { protocol: "http2".into(), ..self.clone() }.register_all(4)
    }

    fn blocked(&self) -> bool {
        if self.protocol == "quic" {
            return self.keep_failing(0);
        }
        let mut wait = 1;
        while self.pause(15_000) {
            let error = format!("DialContext error: dial tcp {}:7844: i/o timeout", SERVERS[0].0);
            self.log.error("Unable to establish connection with Cloudflare edge", &error, &self.fields(0));
            self.log.error("Serve tunnel error", &error, &self.fields(0));
            self.retry(wait, 0);
            wait = (wait * 2).min(64);
        }
        false
    }

    /// Over QUIC the real one never prints why; after five attempts it tries HTTP/2, and then it does.
    fn revoked(&self) -> bool {
        let refused = "Unauthorized: Invalid tunnel secret";
        let mut wait = 2;
        let mut attempts = 0;
        let mut protocol = self.protocol.as_str();
        loop {
            let fields = self.fields(0);
            if protocol == "quic" {
                self.dial(0);
                self.log.error("failed to run the datagram handler", "context canceled", &fields);
                self.log.error("failed to serve tunnel connection", HIDDEN, &fields);
                self.log.error("Serve tunnel error", HIDDEN, &fields);
            } else {
                self.log.error("Register tunnel error from server side", refused, &fields);
                self.log.error("failed to serve incoming request", refused, &fields);
                self.log.error("Serve tunnel error", refused, &fields);
            }
            self.retry(wait, 0);
            if !self.pause(wait * 500) {
                return false;
            }
            wait = (wait * 2).min(64);
            attempts += 1;
            if protocol == "quic" && attempts == 5 {
                self.log.info("Switching to fallback protocol http2", &fields);
                (protocol, wait) = ("http2", 1);
            }
        }
    }

    /// The namespace is dead. It stays dead, and the real one retries for ever.
    fn orphaned(&self) -> ! {
        let up: Vec<usize> = (0..4).filter(|index| self.connections[*index].load(Ordering::Relaxed)).collect();
        let ports: [u16; 4] = std::array::from_fn(|_| u16::from_le_bytes(random::<2>()) | 0x8000);
        let unreachable = |index: usize| {
            format!("write udp [::]:{}->{}:7844: sendmsg: network is unreachable", ports[index], SERVERS[index].0)
        };
        for index in up {
            let fields = self.fields(index);
            self.connections[index].store(false, Ordering::Relaxed);
            let error = format!("failed to accept QUIC stream: {}", unreachable(index));
            self.log.error("failed to accept incoming stream requests", &error, &fields);
            self.log.error("failed to run the datagram handler", "context canceled", &fields);
            self.degraded("failed to serve tunnel connection", Some(LOST), &fields);
            self.degraded("Serve tunnel error", Some(LOST), &fields);
            self.retry(1, index);
        }
        let mut wait = 1;
        loop {
            thread::sleep(Duration::from_secs(wait));
            for index in 0..2 {
                let fields = self.fields(index);
                self.dial(index);
                let error = format!("failed to dial to edge with quic: {}", unreachable(index));
                self.log.error("Failed to dial a quic connection", &error, &fields);
                self.degraded("Connection terminated", Some(NO_ADDRESSES), &[("connIndex", json!(index))]);
            }
            wait = (wait * 2).min(64);
            self.retry(wait, 0);
        }
    }

    fn stop(&self, signal: &str) -> ! {
        self.log.info(&format!("Initiating graceful shutdown due to signal {signal} ..."), &[]);
        let up: Vec<usize> = (0..4).filter(|index| self.connections[*index].load(Ordering::Relaxed)).collect();
        for index in &up {
            self.log.info("Unregistered tunnel connection", &self.fields(*index));
        }
        for index in up {
            let fields = self.fields(index);
            self.connections[index].store(false, Ordering::Relaxed);
            self.log.error("failed to run the datagram handler", "context canceled", &fields);
            self.degraded("failed to serve tunnel connection", Some(LOST), &fields);
            self.degraded("Serve tunnel error", Some(LOST), &fields);
            self.retry(1, index);
            self.degraded("Connection terminated", None, &[("connIndex", json!(index))]);
        }
        self.log.line(3, "no more connections active and exiting", None, &[]);
        self.log.info("Tunnel server stopped", &[]);
        self.log.error("icmp router terminated", "context canceled", &[]);
        self.log.info("Metrics server stopped", &[]);
        exit(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        // {"a":"x","t":"a8dfb6b4-68cf-4a03-88e7-08ee60111e8c","s":"dHdv"}
        let good = "eyJhIjoieCIsInQiOiJhOGRmYjZiNC02OGNmLTRhMDMtODhlNy0wOGVlNjAxMTFlOGMiLCJzIjoiZEhkdiJ9";
        assert_eq!(Token::parse(good).map(|(_, script)| script).as_deref(), Some("two"));
        for bad in [&good[..40], &good[1..], "PASTE_TUNNEL_TOKEN_HERE", "abcd1234.tunnel.anthropic.com", "eyJhIjoxfQ=="]
        {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn command_lines() {
        let words = "--no-autoupdate tunnel --metrics 127.0.0.1:1 --protocol http2 run --url http://localhost:8080";
        let line = CommandLine::parse(words.split(' ').map(str::to_owned));
        assert_eq!(line.commands, ["tunnel", "run"]);
        let settings = "metrics:127.0.0.1:1 no-autoupdate:true p:http2 protocol:http2 url:http://localhost:8080";
        assert_eq!(line.get(""), Some(settings));
    }
}
