//! Where the probes go. The names and ports are those that cloudflared and Docker use.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;

use serde::Deserialize;

use crate::answer::Error;
use crate::caller::Caller;

/// The name that cloudflared looks up: cloudflared 2026.3.0, `edgediscovery/allregions/discovery.go`.
pub(super) const EDGE_SRV: &str = "_v2-origintunneld._tcp.argotunnel.com";
/// What the answer names, one per region.
pub(super) const REGIONS: [&str; 2] = ["region1.v2.argotunnel.com", "region2.v2.argotunnel.com"];
/// The name that cloudflared gives to the edge over TCP, and who issues its certificate: cloudflared 2026.3.0,
/// `connection/protocol.go` and `tlsconfig/cloudflare_ca.go`.
pub(super) const EDGE_TLS: (&str, &str) = ("h2.cftunnel.com", "CloudFlare, Inc.");
/// Anthropic's API.
pub(super) const API: &str = "api.anthropic.com";
/// Where the proxy's image comes from, and everything on Docker Hub.
pub(super) const REGISTRIES: [&str; 2] = ["us-docker.pkg.dev", "registry-1.docker.io"];

/// Tests send the probes to their own servers with this variable; nothing else sets it, and an answer that was made
/// with it says so. A JSON object with the fields of [`Destinations`].
const VARIABLE: &str = "MCP_TUNNELS_TEST_DESTINATIONS";

/// What tests can change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Destinations {
    /// DNS servers in place of those in `/etc/resolv.conf`.
    pub(super) resolvers: Option<Vec<SocketAddr>>,
    /// Port of the tunnel's edge.
    pub(super) edge_port: u16,
    /// Port of the API and of the registries.
    pub(super) tls_port: u16,
    /// A file with CA certificates in place of the publicly trusted ones.
    pub(super) roots: Option<PathBuf>,
}

impl Default for Destinations {
    fn default() -> Self {
        Self { resolvers: None, edge_port: 7844, tls_port: 443, roots: None }
    }
}

impl Destinations {
    /// The real ones, unless a test says otherwise. Returns whether it does.
    ///
    /// # Errors
    /// `request` when the test's variable cannot be read: probes never go elsewhere by accident.
    pub(super) fn of(caller: &Caller) -> Result<(Self, bool), Error> {
        let Some(text) = caller.var(VARIABLE) else { return Ok((Self::default(), false)) };
        serde_json::from_str(&text.to_string_lossy()).map(|destinations| (destinations, true)).map_err(|why| {
            Error::request(
                format!("{VARIABLE} cannot be read: {why}"),
                "it is for tests only; take it out of the shell",
            )
        })
    }
}

/// The DNS servers that a `resolv.conf` names. At most three count, as in glibc and in Go; none named means this host.
/// `index` finds an interface's number.
pub(super) fn resolvers(resolv_conf: &str, index: impl Fn(&str) -> Option<u32>) -> Vec<SocketAddr> {
    let mut named = resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next())
        .peekable();
    if named.peek().is_none() {
        return vec![SocketAddr::from(([127, 0, 0, 1], 53))];
    }
    named
        .filter_map(|text| match text.split_once('%') {
            // A router that announces itself: `fe80::1%eth0`.
            Some((address, scope)) => {
                let scope = scope.parse().ok().or_else(|| index(scope))?;
                Some(SocketAddrV6::new(address.parse().ok()?, 53, 0, scope).into())
            }
            None => Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53)),
        })
        .take(3)
        .collect()
}

/// An interface's number; known on Linux only.
pub(super) fn interface(name: &str) -> Option<u32> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c)) && !name.contains("..");
    let file = format!("/sys/class/net/{name}/ifindex");
    plain.then(|| std::fs::read_to_string(file).ok()?.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_the_first_three_and_this_host_where_none_is_named() {
        let found = |text: &str| -> Vec<String> {
            let index = |name: &str| (name == "eth0").then_some(7);
            resolvers(text, index).iter().map(ToString::to_string).collect()
        };
        let text = "# nameserver 9.9.9.9\nsearch x\nnameserver 10.0.0.1\n nameserver\t::1 \nnameserver x\n";
        assert_eq!(found(text), ["10.0.0.1:53", "[::1]:53"]);
        let text = "nameserver fe80::1%eth0\nnameserver fe80::1%2\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
        assert_eq!(found(text), ["[fe80::1%7]:53", "[fe80::1%2]:53", "10.0.0.2:53"]);
        assert_eq!(found("nameserver fe80::1%gone\n"), Vec::<String>::new());
        assert_eq!(found("options edns0\n"), ["127.0.0.1:53"]);
        assert_eq!(interface("../../etc"), None);
    }
}
