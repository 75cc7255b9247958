//! The configuration, and what is wrong with it in Go's words.

use crate::log::Level;
use mcp_tunnels_standin::go_error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::Ipv4Addr;

const CONFIG: &str = "/etc/mcp-gateway/config.yaml";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) listen_addr: Text,
    log_level: Text,
    shutdown_timeout: Text,
    pub(crate) tunnel_domain: Text,
    pub(crate) tls: Tls,
    pub(crate) routes: BTreeMap<String, Text>,
    pub(crate) upstream: Upstream,
    #[serde(skip)]
    pub(crate) level: Level,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tls {
    pub(crate) cert_file: Text,
    pub(crate) key_file: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Upstream {
    pub(crate) allowed_ips: Vec<Text>,
    pub(crate) disable_ip_validation: bool,
    pub(crate) tls: Trust,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Trust {
    ca_file: Text,
    include_system_cas: bool,
}

/// A Go string in yaml.v3: any scalar will do.
#[derive(Clone, Default)]
pub(crate) struct Text(pub(crate) String);

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

pub(crate) fn load_config() -> Result<Config, String> {
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
pub(crate) fn origin(upstream: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = upstream.split_once("://")?;
    let (host, port) = rest.rsplit_once(':')?;
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    Some((scheme, host, port.parse().ok()?)).filter(|_| plain && matches!(scheme, "http" | "https"))
}

/// Base and mask of an IPv4 address or CIDR range.
pub(crate) fn network(range: &str) -> Option<(u32, u32)> {
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
