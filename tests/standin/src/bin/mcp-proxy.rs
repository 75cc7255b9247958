//! Plays Anthropic's `mcp-proxy`: reads its configuration and certificate, fails as it fails, routes requests.
//!
//! The real one is a WebSocket listener with TLS inside; this one speaks plain HTTP on the same port, which is enough
//! to show that a request reaches the right upstream with its Host header kept. The texts of its log lines are the
//! documented ones. Their JSON frame, and the wording of settings that are missing or contradict each other, are
//! guesses: no log of the real program is published.

use mcp_tunnels_standin::encoding::{self, PublicKey};
use mcp_tunnels_standin::{clock, dns, errno_text, go_error, http, listen, on_stop};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const CONFIG: &str = "/etc/mcp-gateway/config.yaml";

fn main() {
    // Until the configuration says otherwise.
    let log = Log(Level::Info);
    let config = load_config().unwrap_or_else(|error| log.fatal("failed to load config", &error));
    let log = Log(config.level);
    if let Err(error) = load_certificate(&config.tls) {
        log.fatal("failed to load TLS certificate", &error);
    }
    for (subdomain, upstream) in &config.routes {
        log.line(Level::Info, "route configured", &[("subdomain", json!(subdomain)), ("upstream", json!(upstream.0))]);
    }
    let address = config.listen_addr.0.clone();
    let listener = listen(&address)
        .unwrap_or_else(|error| log.fatal("server failed", &format!("listen tcp {address}: {}", errno_text(&error))));
    log.line(
        Level::Info,
        "starting mcp-proxy",
        &[("listen_addr", json!(address)), ("tunnel_domain", json!(config.tunnel_domain.0))],
    );
    let stopped = on_stop(move |signal| {
        log.line(Level::Info, "shutting down", &[("signal", json!(signal))]);
        exit(0);
    });
    if let Err(error) = stopped {
        log.fatal("server failed", &error.to_string());
    }
    let config = Arc::new(config);
    for client in listener.incoming().flatten() {
        let config = Arc::clone(&config);
        thread::spawn(move || {
            // A client that went away does not matter.
            let _ = route(&config, log, client);
        });
    }
}

#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// slog's JSON handler.
#[derive(Clone, Copy)]
struct Log(Level);

impl Log {
    fn line(self, level: Level, message: &str, fields: &[(&str, Value)]) {
        if level < self.0 {
            return;
        }
        let name = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        let mut line = format!("{{\"time\":\"{}\",\"level\":\"{name}\",\"msg\":{}", clock::nanos(), json!(message));
        for (key, value) in fields {
            line += &format!(",{}:{value}", json!(key));
        }
        // A log without a reader is no reason to stop.
        let _ = writeln!(io::stdout(), "{line}}}");
    }

    fn fatal(self, message: &str, error: &str) -> ! {
        self.line(Level::Error, message, &[("error", json!(error))]);
        exit(1)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    listen_addr: Text,
    log_level: Text,
    shutdown_timeout: Text,
    tunnel_domain: Text,
    tls: Tls,
    routes: BTreeMap<String, Text>,
    upstream: Upstream,
    #[serde(skip)]
    level: Level,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tls {
    cert_file: Text,
    key_file: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Upstream {
    allowed_ips: Vec<Text>,
    disable_ip_validation: bool,
    tls: Trust,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Trust {
    ca_file: Text,
    include_system_cas: bool,
}

/// A Go string in yaml.v3: any scalar will do.
#[derive(Clone, Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl serde::de::Visitor<'_> for Scalar {
            type Value = Text;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_str<E>(self, value: &str) -> Result<Text, E> {
                Ok(Text(value.to_owned()))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

fn load_config() -> Result<Config, String> {
    let bytes = fs::read(CONFIG).map_err(|error| go_error(CONFIG, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| "yaml: invalid leading UTF-8 octet")?;
    let mut config = parse(&text)?;
    let required = [
        ("listen_addr", config.listen_addr.0.is_empty()),
        ("tls.cert_file", config.tls.cert_file.0.is_empty()),
        ("tls.key_file", config.tls.key_file.0.is_empty()),
        ("routes", config.routes.is_empty()),
    ];
    if let Some((field, _)) = required.iter().find(|(_, missing)| *missing) {
        return Err(format!("{field} is required"));
    }
    config.level = match config.log_level.0.to_ascii_lowercase().as_str() {
        "debug" => Level::Debug,
        "" | "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        other => return Err(format!("invalid log_level {other:?}")),
    };
    let timeout = &config.shutdown_timeout.0;
    if !timeout.is_empty() && !duration(timeout) {
        return Err(format!("time: invalid duration {timeout:?}"));
    }
    for (name, upstream) in &config.routes {
        let (scheme, ..) = origin(&upstream.0)
            .ok_or_else(|| format!("route {name:?}: invalid upstream (must be scheme://host:port)"))?;
        let trust = &config.upstream.tls;
        if scheme == "https" && trust.ca_file.0.is_empty() && !trust.include_system_cas {
            return Err(format!(
                "route {name:?}: https upstream needs upstream.tls.ca_file or upstream.tls.include_system_cas"
            ));
        }
    }
    if config.upstream.disable_ip_validation && !config.upstream.allowed_ips.is_empty() {
        return Err("upstream.allowed_ips and upstream.disable_ip_validation are mutually exclusive".into());
    }
    if let Some(bad) = config.upstream.allowed_ips.iter().find(|range| network(&range.0).is_none()) {
        return Err(format!("invalid CIDR address: {}", bad.0));
    }
    let ca_file = &config.upstream.tls.ca_file.0;
    if !ca_file.is_empty() {
        fs::read(ca_file).map_err(|error| go_error(ca_file, &error))?;
    }
    Ok(config)
}

/// Unmarshals as yaml.v3 does: unknown keys are ignored, an empty file is an empty configuration.
fn parse(text: &str) -> Result<Config, String> {
    if let Err(error) = serde_yaml::from_str::<serde_yaml::Value>(text) {
        return Err(syntax_error(&error));
    }
    match serde_yaml::from_str::<Option<Config>>(text) {
        Ok(config) => Ok(config.unwrap_or_default()),
        Err(error) => Err(type_error(&error)),
    }
}

/// `yaml: line 2: found character that cannot start any token`.
///
/// yaml.v3 counts from one in scanner errors and from zero in parser errors, prefers the place of the context, and
/// leaves a line of zero out.
fn syntax_error(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let problem = text.split(" at line ").next().unwrap_or_default();
    let context = text.split(", while ").nth(1);
    let line_in = |part: &str| -> Option<usize> {
        part.split(" at line ").nth(1)?.split(' ').next()?.parse().ok().and_then(|line: usize| line.checked_sub(1))
    };
    let places = [context.and_then(line_in), line_in(&text), error.location().map(|place| place.line() - 1)];
    let zero_based = places.into_iter().flatten().find(|line| *line != 0);
    let scanner = context.is_some_and(|context| context.starts_with("scanning")) || problem.contains("character");
    match zero_based {
        Some(line) => format!("yaml: line {}: {problem}", line + usize::from(scanner)),
        None => format!("yaml: {problem}"),
    }
}

/// `yaml: unmarshal errors:\n  line 7: cannot unmarshal !!seq into map[string]string`.
fn type_error(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let line = error.location().map_or(0, |place| place.line());
    let path = text.split(": invalid type: ").next().filter(|_| text.contains(": invalid type: ")).unwrap_or_default();
    let found = text.split("invalid type: ").nth(1).unwrap_or(&text);
    let kind = |word: &str| found.starts_with(word);
    let scalar = || {
        let quote = found.split(", expected").next().unwrap_or_default();
        let value = quote.split_once(' ').map_or("", |(_, value)| value).trim_matches(|c| c == '"' || c == '`');
        format!(" `{value}`")
    };
    let found = if kind("sequence") {
        "!!seq".to_owned()
    } else if kind("map") {
        "!!map".to_owned()
    } else if kind("string") {
        format!("!!str{}", scalar())
    } else if kind("boolean") {
        format!("!!bool{}", scalar())
    } else if kind("floating") {
        "!!float".to_owned()
    } else {
        "!!int".to_owned()
    };
    let wanted = match path {
        "" => "main.Config",
        "routes" => "map[string]string",
        "tls" => "main.TLSConfig",
        "upstream" => "main.UpstreamConfig",
        "upstream.tls" => "main.UpstreamTLSConfig",
        "upstream.allowed_ips" => "[]string",
        "upstream.disable_ip_validation" | "upstream.tls.include_system_cas" => "bool",
        _ => "string",
    };
    format!("yaml: unmarshal errors:\n  line {line}: cannot unmarshal {found} into {wanted}")
}

/// Whether Go's `time.ParseDuration` would take it.
fn duration(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['+', '-']);
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].iter().find(|unit| rest[number..].starts_with(**unit));
        match unit {
            Some(unit) if number > 0 => rest = &rest[number + unit.len()..],
            _ => return text == "0",
        }
    }
    !text.is_empty()
}

/// Scheme, host and port of an upstream that has nothing else.
fn origin(upstream: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = upstream.split_once("://")?;
    let (host, port) = rest.rsplit_once(':')?;
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    Some((scheme, host, port.parse().ok()?)).filter(|_| plain && matches!(scheme, "http" | "https"))
}

/// `tls.LoadX509KeyPair`.
fn load_certificate(tls: &Tls) -> Result<(), String> {
    let read = |path: &str| fs::read(path).map_err(|error| go_error(path, &error));
    let (certificate, key) = (read(&tls.cert_file.0)?, read(&tls.key_file.0)?);
    let certificates = encoding::pem(&String::from_utf8_lossy(&certificate));
    let skipped: Vec<&str> = certificates.iter().map(|(label, _)| label.as_str()).collect();
    let Some((_, leaf)) = certificates.iter().find(|(label, _)| label == "CERTIFICATE") else {
        return Err(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in certificate input".into(),
            [only] if only.ends_with("PRIVATE KEY") => {
                "tls: failed to find certificate PEM data in certificate input, \
                 but did find a private key; PEM inputs may have been switched"
                    .into()
            }
            _ => format!(
                "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the \
                 following types: [{}]",
                skipped.join(" ")
            ),
        });
    };
    let keys = encoding::pem(&String::from_utf8_lossy(&key));
    let is_key = |label: &str| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
    let skipped: Vec<&str> = keys.iter().map(|(label, _)| label.as_str()).collect();
    let Some((_, key)) = keys.iter().find(|(label, _)| is_key(label)) else {
        return Err(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in key input".into(),
            ["CERTIFICATE"] => "tls: found a certificate rather than a key in the PEM for the private key".into(),
            _ => format!(
                "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM \
                 blocks of the following types: [{}]",
                skipped.join(" ")
            ),
        });
    };
    let public = encoding::certificate_key(leaf).ok_or("x509: malformed certificate")?;
    let private = encoding::private_key(key).ok_or("tls: failed to parse private key")?;
    match (public, private) {
        (a, b) if a.algorithm != b.algorithm => Err("tls: private key type does not match public key type".into()),
        (PublicKey { key: Some(a), .. }, PublicKey { key: Some(b), .. }) if a != b => {
            Err("tls: private key does not match public key".into())
        }
        _ => Ok(()),
    }
}

/// One request: find its route, check the upstream's address, hand everything over, hand the answer back.
fn route(config: &Config, log: Log, mut client: TcpStream) -> io::Result<()> {
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

/// Base and mask of an IPv4 address or CIDR range.
fn network(range: &str) -> Option<(u32, u32)> {
    let (address, bits) = range.split_once('/').unwrap_or((range, "32"));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some((u32::from(address.parse::<Ipv4Addr>().ok()?) & mask, mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).err().unwrap_or_default()
    }

    #[test]
    fn go_words() {
        let list = "listen_addr: \":8080\"\nlog_level: info\ntunnel_domain: a.example\ntls:\n  cert_file: /data/tls.crt\n\
                    routes:\n  - echo: http://hello-mcp:9000\n";
        assert_eq!(error(list), "yaml: unmarshal errors:\n  line 7: cannot unmarshal !!seq into map[string]string");
        assert_eq!(error("tls:\n\tcert_file: x\n"), "yaml: line 2: found character that cannot start any token");
        assert_eq!(
            error("routes:\n  echo: {upstream: x}\n"),
            "yaml: unmarshal errors:\n  line 2: cannot unmarshal !!map into string"
        );
        assert_eq!(
            error("upstream:\n  disable_ip_validation: maybe\n"),
            "yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `maybe` into bool"
        );
        assert_eq!(error("listen_addr: 8080\nunknown: 1\n"), "");
    }

    #[test]
    fn upstreams() {
        assert!(origin("http://hello-mcp:9000").is_some());
        for bad in ["http://hello-mcp:9000/", "http://hello-mcp:9000/mcp", "http://hello-mcp", "hello-mcp:9000"] {
            assert!(origin(bad).is_none(), "{bad}");
        }
        assert!(duration("30s") && duration("1m30s") && !duration("30") && !duration("soon"));
        assert_eq!(network("10.1.2.3/8"), Some((0x0a00_0000, 0xff00_0000)));
        assert_eq!(network("0.0.0.0/0"), Some((0, 0)));
    }
}
