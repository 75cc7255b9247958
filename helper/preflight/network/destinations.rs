//! Where the probes go. The names and ports are those that cloudflared and Docker use.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use crate::answer::Error;
use crate::caller::Caller;

/// The name that cloudflared looks up: cloudflared 2026.3.0, `edgediscovery/allregions/discovery.go`.
pub(super) const EDGE_SRV: &str = "_v2-origintunneld._tcp.argotunnel.com";
/// What the answer names, one a region.
pub(super) const REGIONS: [&str; 2] = ["region1.v2.argotunnel.com", "region2.v2.argotunnel.com"];
/// The name that cloudflared gives to the edge over TCP, and who issues its certificate: cloudflared 2026.3.0,
/// `connection/protocol.go` and `tlsconfig/cloudflare_ca.go`.
pub(super) const EDGE_TLS: (&str, &str) = ("h2.cftunnel.com", "CloudFlare, Inc.");
/// Anthropic's API.
pub(super) const API: &str = "api.anthropic.com";
/// Where the proxy's image comes from, and everything on Docker Hub.
pub(super) const REGISTRIES: [&str; 2] = ["us-docker.pkg.dev", "registry-1.docker.io"];

/// Tests send the probes to servers of their own with this variable; nothing else sets it, and an answer that was made
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
            Error::request(format!("{VARIABLE} cannot be read: {why}"), "it is for tests only; take it out of the shell")
        })
    }
}

/// The DNS servers that a `resolv.conf` names. At most three count, as in glibc and in Go; none means this host.
pub(super) fn resolvers(resolv_conf: &str) -> Vec<SocketAddr> {
    let named: Vec<SocketAddr> = resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next())
        // A scope (`fe80::1%eth0`) cannot be dialled without its interface's number.
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
        .take(3)
        .collect();
    if named.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 53))] } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_the_first_three_and_this_host_where_none_is_named() {
        let text = "# nameserver 9.9.9.9\nsearch x\nnameserver 10.0.0.1\n nameserver\t::1 \nnameserver fe80::1%eth0\nnameserver x\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
        let found: Vec<String> = resolvers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.1:53", "[::1]:53", "10.0.0.2:53"]);
        assert_eq!(resolvers("options edns0\n"), [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }
}
