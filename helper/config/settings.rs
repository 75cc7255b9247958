//! What a request may say about the stack, each value checked when it is read.

use std::fmt;
use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::images::ImageRef;
use crate::answer::request::{Change, UniqueMap};
use crate::deployment::Upstream;

/// A type that is read from a string by its own `parse`, and shown as a string in the schema.
macro_rules! parsed_from_text {
    ($type:ty, $parse:expr, $name:literal, $description:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = String::deserialize(input)?;
                $parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description, "examples": [$example] })
            }
        }
    };
}

parsed_from_text!(McpPath, McpPath::parse, "McpPath", "path of an MCP endpoint", "/mcp");
parsed_from_text!(Upstream, Upstream::parse, "Upstream", "scheme://host:port, without a path", "http://hello-mcp:9000");
parsed_from_text!(AllowedIp, AllowedIp::parse, "AllowedIp", "IPv4 address or CIDR", "10.20.0.0/16");
parsed_from_text!(NetworkName, NetworkName::parse, "NetworkName", "name of an existing Docker network", "backend");
parsed_from_text!(Timeout, Timeout::parse, "Timeout", "a duration as Go writes it", "30s");

/// An IPv4 address or CIDR that the proxy may dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllowedIp(String);

impl AllowedIp {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.parse::<Ipv4Addr>().is_ok() || text.parse::<ipnet::Ipv4Net>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        let why = if text.contains("::") || text.matches(':').count() > 1 {
            "is IPv6; the proxy dials IPv4 only"
        } else {
            "is neither an IPv4 address nor a CIDR"
        };
        Err(format!("`allowed_ips` has `{text}`, which {why}; write `10.20.0.0/16` or `10.20.0.7`"))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the proxy dials unless `allowed_ips` says otherwise.
pub(crate) const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// The ranges that may be dialled now, and one more.
pub(crate) fn with_range(allowed: Option<&[String]>, more: String) -> Vec<String> {
    let ranges = allowed.map_or_else(|| PRIVATE.map(str::to_owned).to_vec(), <[String]>::to_vec);
    [ranges, vec![more]].concat()
}

/// Whether the proxy may dial `address`, given the ranges of its configuration; without any, RFC 1918 holds.
pub(crate) fn may_dial(address: Ipv4Addr, allowed: Option<&[String]>) -> bool {
    match allowed {
        None => address.is_private(),
        Some(ranges) => ranges.iter().any(|range| {
            range.parse::<Ipv4Addr>().is_ok_and(|one| one == address)
                || range.parse::<ipnet::Ipv4Net>().is_ok_and(|net| net.contains(&address))
        }),
    }
}

/// Name of a Docker network that exists already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetworkName(String);

impl NetworkName {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "bridge" | "host" | "none" | "default") {
            return Err(format!(
                "the network `{text}` cannot be joined: containers have no names there. Make one with `docker network create NAME` and connect the server's container to it"
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.len() > 128 || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(plain) {
            return Err(format!("`{text}` is not the name of a Docker network; `docker network ls` shows them"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A positive duration in Go's syntax, such as `30s` or `1m30s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(String);

impl Timeout {
    /// Reads one.
    ///
    /// # Errors
    /// Says what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a duration; write a number with its unit, such as `30s` or `1m30s`");
        let mut rest = text;
        let mut positive = false;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(|b| b.is_ascii_digit()).count();
            // Nine digits keep every sum far from the end of Go's 64-bit nanoseconds.
            if digits == 0 || digits > 9 {
                return Err(wrong());
            }
            positive |= rest[..digits].bytes().any(|b| b != b'0');
            rest = &rest[digits..];
            let unit = ["ns", "us", "µs", "ms", "s", "m", "h"]
                .into_iter()
                .filter(|u| rest.starts_with(u))
                .max_by_key(|u| u.len());
            rest = &rest[unit.ok_or_else(wrong)?.len()..];
        }
        if positive { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a name needs no quotes in any file.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.len() <= 255 && name.chars().all(|c| c.is_alphanumeric() || "-._~/@+ ".contains(c))
}

/// Path of an MCP endpoint: from its slash, without query, of characters that need no escaping anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct McpPath(String);

impl McpPath {
    /// Reads one; a missing slash at its beginning is added.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = format!("/{}", text.strip_prefix('/').unwrap_or(text));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        if path.len() > 512 || path.contains("//") || !path.chars().all(plain) {
            return Err(format!("`{text}` is not the path of an MCP endpoint; write it as `/mcp` or `/sse`"));
        }
        Ok(Self(path))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much the proxy prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// Everything.
    Debug,
    /// The default: routes and requests.
    Info,
    /// Warnings and errors.
    Warn,
    /// Errors only.
    Error,
}

/// How cloudflared reaches the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// QUIC, and HTTP/2 after it failed for two minutes or more.
    Auto,
    /// TCP 7844 at once: for networks that drop UDP.
    Http2,
    /// UDP 7844 only.
    Quic,
}

impl Protocol {
    /// By the name that cloudflared gives it.
    pub(crate) fn named(text: &str) -> Option<Self> {
        [Self::Auto, Self::Http2, Self::Quic].into_iter().find(|protocol| protocol.to_string() == text)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Http2 => "http2",
            Self::Quic => "quic",
        })
    }
}

/// How strictly the containers are confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    /// Unprivileged user, no capabilities, no new privileges.
    #[default]
    Default,
    /// Also read-only root file systems and limits on memory and processes.
    Hardened,
}

/// Where cloudflared runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Namespace {
    /// In the proxy's network namespace, as documented: it loses its network when the proxy alone ends.
    #[default]
    Shared,
    /// On a network with the proxy alone: when one of the two ends, the other keeps running.
    Separate,
}

/// Trust for `https://` upstreams.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamRequest {
    /// CAs that may sign upstream certificates; `null` removes the setting.
    #[serde(default)]
    pub(crate) tls: Change<UpstreamTls>,
}

/// Trust anchors for `https://` upstreams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamTls {
    /// PEM file with the upstream's CA, as the proxy sees it: `/data/NAME` for `data/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<String>,
    /// Whether public CAs count too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) include_system_cas: Option<bool>,
}

/// Other images than the table's; `null` goes back to the table's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ImagesRequest {
    /// Anthropic's proxy.
    pub(crate) proxy: Change<ImageRef>,
    /// The tunnel agent.
    pub(crate) cloudflared: Change<ImageRef>,
    /// Base of the sample server's image.
    pub(crate) python: Change<ImageRef>,
}

/// The settings of a request, the same in `init` and `render`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) routes: UniqueMap<Option<Upstream>>,
    pub(crate) paths: UniqueMap<Option<McpPath>>,
    pub(crate) sample: Change<bool>,
    pub(crate) allowed_ips: Change<Vec<AllowedIp>>,
    pub(crate) upstream: Change<UpstreamRequest>,
    pub(crate) networks: Change<Vec<NetworkName>>,
    pub(crate) protocol: Change<Protocol>,
    pub(crate) namespace: Change<Namespace>,
    pub(crate) log_level: Change<LogLevel>,
    pub(crate) shutdown_timeout: Change<Timeout>,
    pub(crate) profile: Change<Profile>,
    pub(crate) images: Change<ImagesRequest>,
}

impl Settings {
    /// What adds a route where the request leaves none: not what it just took away.
    pub(crate) fn first_route(&self) -> &'static str {
        let is_sample_gone = matches!(self.sample, Change::Reset | Change::Set(false));
        if is_sample_gone || self.routes.0.values().any(Option::is_none) {
            return "add another one in the same request, such as {\"routes\":{\"NAME\":\"http://HOST:PORT\"}}; `down` stops the tunnel and keeps the route";
        }
        "add one, such as {\"routes\":{\"echo\":\"http://hello-mcp:9000\"}}, or {\"sample\":true} for the sample server"
    }

    /// Whether the request says anything about the stack.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Defines a request with all settings and its own fields. serde's `flatten` would let unknown fields pass.
macro_rules! request_with_settings {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            /// Name → `scheme://host:port`; `null` removes the route.
            routes: $crate::answer::request::UniqueMap<Option<$crate::deployment::Upstream>>,
            /// Route → path of its MCP endpoint where it is not `/mcp`; `null` forgets it.
            paths: $crate::answer::request::UniqueMap<Option<$crate::config::settings::McpPath>>,
            /// `true` adds the sample server and the route `echo` to it, `false` removes both; a new deployment has neither unless asked.
            sample: $crate::answer::request::Change<bool>,
            /// What the proxy may dial, in place of the private ranges of RFC 1918; the list replaces the earlier one.
            allowed_ips: $crate::answer::request::Change<Vec<$crate::config::settings::AllowedIp>>,
            /// Trust for `https://` upstreams.
            upstream: $crate::answer::request::Change<$crate::config::settings::UpstreamRequest>,
            /// Existing Docker networks that the proxy also joins; the list replaces the earlier one.
            networks: $crate::answer::request::Change<Vec<$crate::config::settings::NetworkName>>,
            /// How cloudflared reaches the edge; `auto` unless set.
            protocol: $crate::answer::request::Change<$crate::config::settings::Protocol>,
            /// Where cloudflared runs: in the proxy's network namespace, or on a network with the proxy; `shared` unless set.
            namespace: $crate::answer::request::Change<$crate::config::settings::Namespace>,
            /// How much the proxy prints; `info` unless set.
            log_level: $crate::answer::request::Change<$crate::config::settings::LogLevel>,
            /// Grace for requests in flight when the proxy stops; `30s` unless set.
            shutdown_timeout: $crate::answer::request::Change<$crate::config::settings::Timeout>,
            /// How strictly the containers are confined; `default` unless set.
            profile: $crate::answer::request::Change<$crate::config::settings::Profile>,
            /// Other images than the built-in table's.
            images: $crate::answer::request::Change<$crate::config::settings::ImagesRequest>,
        }

        impl $name {
            /// What the request says about the stack.
            pub(crate) fn settings(&self) -> $crate::config::settings::Settings {
                $crate::config::settings::Settings {
                    routes: self.routes.clone(),
                    paths: self.paths.clone(),
                    sample: self.sample.clone(),
                    allowed_ips: self.allowed_ips.clone(),
                    upstream: self.upstream.clone(),
                    networks: self.networks.clone(),
                    protocol: self.protocol.clone(),
                    namespace: self.namespace.clone(),
                    log_level: self.log_level.clone(),
                    shutdown_timeout: self.shutdown_timeout.clone(),
                    profile: self.profile.clone(),
                    images: self.images.clone(),
                }
            }
        }
    };
}
pub(crate) use request_with_settings;

#[cfg(test)]
mod tests;
